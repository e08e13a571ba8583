/* Cgroup limits as text (contract in cgroupvalues.h). Pure. */
#include "cgroupvalues.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "resources.h"

int64_t cgroupvalues_weight(int64_t cpu_shares)
{
	if (cpu_shares <= CPU_SHARES_MIN)
		return 1;
	return 1 + (cpu_shares - 2) * 9999 / 262142;
}

struct cgroup_limits cgroupvalues_of_pod(const Core__PodSpec *spec, int64_t cpu_period_usec,
					 int64_t pids_limit, int cfs_quota)
{
	struct cgroup_limits l = { .cpu_period_usec = cpu_period_usec, .pids = pids_limit };
	struct amounts a;

	resources_of_pod(spec, true, &a);
	l.cpu_shares = str_eq(resources_qos(spec), "BestEffort")
			   ? CPU_SHARES_MIN
			   : resources_cpu_shares(a.cpu_request_milli);
	if (a.has_cpu_limit && cfs_quota)
		l.cpu_quota_usec = resources_cpu_quota_usec(a.cpu_limit_milli, cpu_period_usec);
	if (a.has_memory_limit)
		l.memory_bytes = a.memory_limit_bytes;
	return l;
}

static void put(struct cgroup_value out[CGROUP_VALUES_MAX], size_t *n, const char *controller,
		const char *name, int64_t value)
{
	struct cgroup_value *v = &out[(*n)++];

	v->controller = controller;
	v->name = name;
	v->number = (uint64_t)value;
	snprintf(v->text, sizeof(v->text), "%" PRId64, value);
}

static size_t v1(const struct cgroup_limits *l, struct cgroup_value out[CGROUP_VALUES_MAX])
{
	size_t n = 0;

	if (l->cpu_shares)
		put(out, &n, "cpu", "cpu.shares", l->cpu_shares);
	if (l->cpu_quota_usec) {
		put(out, &n, "cpu", "cpu.cfs_period_us", l->cpu_period_usec);
		put(out, &n, "cpu", "cpu.cfs_quota_us", l->cpu_quota_usec);
	}
	if (l->memory_bytes)
		put(out, &n, "memory", "memory.limit_in_bytes", l->memory_bytes);
	if (l->pids)
		put(out, &n, "pids", "pids.max", l->pids);
	return n;
}

struct mark {
	const char *file, *property;
	int64_t bytes;
};

static void put_marks(const struct cgroup_limits *l, bool slice,
		      struct cgroup_value out[CGROUP_VALUES_MAX], size_t *n)
{
	const struct mark marks[] = {
		{ "memory.min", "MemoryMin", l->memory_min_bytes },
		{ "memory.low", "MemoryLow", l->memory_low_bytes },
		{ "memory.high", "MemoryHigh", l->memory_high_bytes },
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (marks[i].bytes)
			put(out, n, NULL, slice ? marks[i].property : marks[i].file,
			    marks[i].bytes == CGROUP_NOTHING ? 0 : marks[i].bytes);
	}
}

static size_t v2(const struct cgroup_limits *l, struct cgroup_value out[CGROUP_VALUES_MAX])
{
	size_t n = 0;

	if (l->cpu_shares)
		put(out, &n, NULL, "cpu.weight", cgroupvalues_weight(l->cpu_shares));
	if (l->cpu_quota_usec) {
		put(out, &n, NULL, "cpu.max", l->cpu_quota_usec);
		snprintf(out[n - 1].text, sizeof(out[n - 1].text), "%" PRId64 " %" PRId64,
			 l->cpu_quota_usec, l->cpu_period_usec);
	}
	if (l->memory_bytes)
		put(out, &n, NULL, "memory.max", l->memory_bytes);
	if (l->pids)
		put(out, &n, NULL, "pids.max", l->pids);
	put_marks(l, false, out, &n);
	return n;
}

enum { SLICE_STEP_USEC = 10000 }; /* a hundredth of a second of CPU in a second */

static int64_t usec_per_sec(const struct cgroup_limits *l)
{
	int64_t per_sec = l->cpu_quota_usec * 1000000 / l->cpu_period_usec;

	return (per_sec + SLICE_STEP_USEC - 1) / SLICE_STEP_USEC * SLICE_STEP_USEC;
}

struct cgroup_limits cgroupvalues_for_slice(struct cgroup_limits l)
{
	if (l.cpu_quota_usec)
		l.cpu_quota_usec = usec_per_sec(&l) * l.cpu_period_usec / 1000000;
	return l;
}

static size_t slice(const struct cgroup_limits *l, struct cgroup_value out[CGROUP_VALUES_MAX])
{
	size_t n = 0;

	if (l->cpu_shares)
		put(out, &n, NULL, "CPUWeight", cgroupvalues_weight(l->cpu_shares));
	if (l->cpu_quota_usec) {
		put(out, &n, NULL, "CPUQuotaPeriodUSec", l->cpu_period_usec);
		put(out, &n, NULL, "CPUQuotaPerSecUSec", usec_per_sec(l));
	}
	if (l->memory_bytes)
		put(out, &n, NULL, "MemoryMax", l->memory_bytes);
	if (l->pids)
		put(out, &n, NULL, "TasksMax", l->pids);
	put_marks(l, true, out, &n);
	return n;
}

size_t cgroupvalues_make(const struct cgroup_limits *l, enum cgroup_kind kind,
			 struct cgroup_value out[CGROUP_VALUES_MAX])
{
	switch (kind) {
	case CGROUP_V1:
		return v1(l, out);
	case CGROUP_V2:
		return v2(l, out);
	case CGROUP_SYSTEMD:
		return slice(l, out);
	}
	return 0;
}
