/* Quality of service, kernel values and cgroup limits as tables. */
#include "podjson.h"

#include "base/str.h"
#include "resource/cgroupvalues.h"
#include "resource/resources.h"

#define RES(requests, limits) "'resources': {'requests': " requests ", 'limits': " limits "}"
#define POD(containers) "{'containers': [" containers "]}"

struct pod_row {
	const char *spec, *qos;
	int64_t shares, quota_usec, memory_bytes;
	int oom; /* of the first container, on 1 GiB */
};

enum { MIB = 1 << 20 };

static const struct pod_row pods[] = {
	{ POD("{'name': 'a'}"), "BestEffort", 2, 0, 0, 1000 },
	{ POD("{'name': 'a', " RES("{'cpu': '0'}", "{}") "}"), "BestEffort", 2, 0, 0, 1000 },
	{ POD("{'name': 'a', " RES("{'ephemeral-storage': '1Gi'}", "{}") "}"), "BestEffort", 2, 0,
	  0, 1000 },
	{ POD("{'name': 'a', " RES("{'cpu': '100m', 'memory': '64Mi'}",
				   "{'cpu': '100m', 'memory': '64Mi'}") "}"),
	  "Guaranteed", 102, 10000, 64 * MIB, -997 },
	{ POD("{'name': 'a', " RES("{'cpu': '100m', 'memory': '32Mi'}",
				   "{'cpu': '100m', 'memory': '64Mi'}") "}"),
	  "Burstable", 102, 10000, 64 * MIB, 969 },
	{ POD("{'name': 'a', " RES("{'memory': '256Mi'}", "{}") "}"), "Burstable", 2, 0, 0, 750 },
	/* nothing asked for on a machine this big: just not best effort */
	{ POD("{'name': 'a', " RES("{'cpu': '1m'}", "{}") "}"), "Burstable", 2, 0, 0, 999 },
	/* as much as a guaranteed pod's score allows */
	{ POD("{'name': 'a', " RES("{'memory': '1Gi'}", "{}") "}"), "Burstable", 2, 0, 0, 3 },
	/* a limit counts only when all have one */
	{ POD("{'name': 'a', " RES("{'cpu': '1'}", "{'cpu': '1'}") "}, {'name': 'b', " RES(
	      "{'cpu': '500m'}", "{}") "}"),
	  "Burstable", 1536, 0, 0, 999 },
	{ POD("{'name': 'a', " RES("{}", "{'cpu': '5m'}") "}"), "Burstable", 2, 1000, 0, 999 },
	/* an init container needs more than the rest; one with a sidecar beside it */
	{ "{'initContainers': [{'name': 'i', " RES(
	      "{'cpu': '2'}", "{}") "}], "
				    "'containers': [{'name': 'a', " RES("{'cpu': '1'}", "{}") "}]}",
	  "Burstable", 2048, 0, 0, 999 },
	{ "{'initContainers': [{'name': 's', 'restartPolicy': 'Always', " RES(
	      "{'cpu': '1'}",
	      "{}") "}, {'name': 'i', " RES("{'cpu': '1500m'}",
					    "{}") "}], "
						  "'containers': [{'name': 'a', " RES(
						      "{'cpu': '1'}", "{}") "}]}",
	  "Burstable", 2560, 0, 0, 999 },
	{ "{'overhead': {'cpu': '250m', 'memory': '16Mi'}, 'containers': [{'name': 'a', " RES(
	      "{'cpu': '1', 'memory': '64Mi'}", "{'cpu': '1', 'memory': '64Mi'}") "}]}",
	  "Guaranteed", 1280, 125000, 80 * MIB, -997 },
	{ "{" RES("{'cpu': '3', 'memory': '1Mi'}",
		  "{'cpu': '3', 'memory': '1Mi'}") ", 'containers': "
						   "[{'name': 'a'}]}",
	  "Guaranteed", 3072, 300000, MIB, -997 },
	/* what the pod asks for beyond its containers lowers the score of each by its share */
	{ "{" RES("{'memory': '320Mi'}", "{}") ", 'containers': [{'name': 'a'}, {'name': 'b', " RES(
	      "{'memory': '64Mi'}", "{}") "}]}",
	  "Burstable", 2, 0, 0, 875 },
	{ "{'priority': 2000001000, 'containers': [{'name': 'a'}]}", "BestEffort", 2, 0, 0, -997 },
};

static void pods_have_class_and_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		const struct pod_row *row = &pods[i];
		Core__PodSpec *spec = podjson(&core__pod_spec__descriptor, row->spec);
		struct cgroup_limits l = cgroupvalues_of_pod(spec, CPU_PERIOD_USEC, 0, 1);

		assert_string_equal(resources_qos(spec), row->qos);
		assert_int_equal(l.cpu_shares, row->shares);
		assert_int_equal(l.cpu_quota_usec, row->quota_usec);
		assert_int_equal(l.memory_bytes, row->memory_bytes);
		assert_int_equal(resources_oom_score_adj(spec, spec->containers[0], 1024LL * MIB),
				 row->oom);
		l = cgroupvalues_of_pod(spec, CPU_PERIOD_USEC, 7, 0);
		assert_int_equal(l.cpu_quota_usec, 0);
		assert_int_equal(l.pids, 7);
		proto_free(spec);
	}
}

static void sidecars_outlive_whom_they_serve(void **state)
{
	Core__PodSpec *spec = podjson(
	    &core__pod_spec__descriptor,
	    "{'initContainers': [{'name': 's', 'restartPolicy': 'Always', " RES(
		"{'memory': '1Mi'}",
		"{}") "}], 'containers': [{'name': 'a', " RES("{'memory': '512Mi'}", "{}") "}]}");

	(void)state;
	assert_int_equal(resources_oom_score_adj(spec, spec->initcontainers[0], 1024LL * MIB),
			 resources_oom_score_adj(spec, spec->containers[0], 1024LL * MIB));
	proto_free(spec);
}

static void cpu_amounts(void **state)
{
	static const struct {
		int64_t milli, shares, quota_usec;
	} rows[] = {
		{ 0, 2, 0 },
		{ 1, 2, 1000 },
		{ 9, 9, 1000 },
		{ 10, 10, 1000 },
		{ 11, 11, 1100 },
		{ 250, 256, 25000 },
		{ 1000, 1024, 100000 },
		{ 1500, 1536, 150000 },
		{ 500000, 262144, 50000000 },
	};
	static const struct {
		int64_t shares, weight;
	} weights[] = {
		{ 0, 1 }, { 2, 1 }, { 3, 1 }, { 1024, 39 }, { 2048, 79 }, { 262144, 10000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(resources_cpu_shares(rows[i].milli), rows[i].shares);
		assert_int_equal(resources_cpu_quota_usec(rows[i].milli, 100000),
				 rows[i].quota_usec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
		assert_int_equal(cgroupvalues_weight(weights[i].shares), weights[i].weight);
}

#define ALL \
	{ \
		1024, 50000, 100000, 1 << 20, 99 \
	}

static void values_are_written_in_three_ways(void **state)
{
	static const struct {
		struct cgroup_limits limits;
		enum cgroup_kind kind;
		const char *text;
	} rows[] = {
		{ ALL, CGROUP_V1,
		  "cpu/cpu.shares=1024 cpu/cpu.cfs_period_us=100000 cpu/cpu.cfs_quota_us=50000 "
		  "memory/memory.limit_in_bytes=1048576 pids/pids.max=99 " },
		{ ALL, CGROUP_V2,
		  "/cpu.weight=39 /cpu.max=50000 100000 /memory.max=1048576 /pids.max=99 " },
		{ ALL, CGROUP_SYSTEMD,
		  "/CPUWeight=39 /CPUQuotaPeriodUSec=100000 /CPUQuotaPerSecUSec=500000 "
		  "/MemoryMax=1048576 /TasksMax=99 " },
		{ { .cpu_quota_usec = 1234, .cpu_period_usec = 100000 },
		  CGROUP_SYSTEMD,
		  "/CPUQuotaPeriodUSec=100000 /CPUQuotaPerSecUSec=20000 " },
		{ { .memory_min_bytes = 1,
		    .memory_low_bytes = CGROUP_NOTHING,
		    .memory_high_bytes = 3 },
		  CGROUP_V2,
		  "/memory.min=1 /memory.low=0 /memory.high=3 " },
		{ { .memory_min_bytes = 1,
		    .memory_low_bytes = CGROUP_NOTHING,
		    .memory_high_bytes = 3 },
		  CGROUP_SYSTEMD,
		  "/MemoryMin=1 /MemoryLow=0 /MemoryHigh=3 " },
		{ { .memory_min_bytes = 1 }, CGROUP_V1, "" },
		{ { 0 }, CGROUP_V1, "" },
		{ { 0 }, CGROUP_V2, "" },
		{ { 0 }, CGROUP_SYSTEMD, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cgroup_value out[CGROUP_VALUES_MAX];
		size_t n = cgroupvalues_make(&rows[i].limits, rows[i].kind, out);
		AUTO_STR text = { 0 };

		for (size_t k = 0; k < n; k++)
			str_printf(&text, "%s/%s=%s ", str_or(out[k].controller, ""), out[k].name,
				   out[k].text);
		assert_string_equal(str_text(&text), rows[i].text);
	}
}

static void slices_and_files_agree(void **state)
{
	static const struct {
		int64_t quota_usec, period_usec, rounded_usec;
	} rows[] = {
		{ 0, 100000, 0 },         { 1000, 100000, 1000 },  { 1100, 100000, 2000 },
		{ 50000, 100000, 50000 }, { 12345, 50000, 12500 }, { 150000, 100000, 150000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cgroup_limits l = { .cpu_quota_usec = rows[i].quota_usec,
					   .cpu_period_usec = rows[i].period_usec };

		l = cgroupvalues_for_slice(l);
		assert_int_equal(l.cpu_quota_usec, rows[i].rounded_usec);
		assert_int_equal(cgroupvalues_for_slice(l).cpu_quota_usec, rows[i].rounded_usec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_have_class_and_limits),
		cmocka_unit_test(sidecars_outlive_whom_they_serve),
		cmocka_unit_test(cpu_amounts),
		cmocka_unit_test(values_are_written_in_three_ways),
		cmocka_unit_test(slices_and_files_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
