/* Amounts and kernel values (contract in resources.h). Pure. */
#include "resources.h"

#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/quantity.h"

enum { SYSTEM_NODE_CRITICAL_PRIORITY = 2000001000 };

static const char *text_of(const Resource__Quantity *q)
{
	return q ? str_or(q->string, "0") : NULL;
}

const char *resources_limit(const Core__ResourceRequirements *r, const char *resource)
{
	for (size_t i = 0; r && i < r->n_limits; i++) {
		if (str_eq(r->limits[i]->key, resource))
			return text_of(r->limits[i]->value);
	}
	return NULL;
}

const char *resources_request(const Core__ResourceRequirements *r, const char *resource)
{
	for (size_t i = 0; r && i < r->n_requests; i++) {
		if (str_eq(r->requests[i]->key, resource))
			return text_of(r->requests[i]->value);
	}
	return NULL;
}

int64_t resources_milli(const char *text)
{
	struct quantity q;

	return text && quantity_parse(text, &q, NULL) == 0 ? quantity_milli(&q) : 0;
}

int64_t resources_value(const char *text)
{
	struct quantity q;

	return text && quantity_parse(text, &q, NULL) == 0 ? quantity_value(&q) : 0;
}

static void of_requirements(const Core__ResourceRequirements *r, struct amounts *a)
{
	*a = (struct amounts){
		.has_cpu_request = resources_request(r, "cpu") != NULL,
		.has_cpu_limit = resources_milli(resources_limit(r, "cpu")) > 0,
		.has_memory_limit = resources_value(resources_limit(r, "memory")) > 0,
		.cpu_request_milli = resources_milli(resources_request(r, "cpu")),
		.cpu_limit_milli = resources_milli(resources_limit(r, "cpu")),
		.memory_request_bytes = resources_value(resources_request(r, "memory")),
		.memory_limit_bytes = resources_value(resources_limit(r, "memory")),
	};
}

void resources_of_container(const Core__Container *c, struct amounts *ret_amounts)
{
	of_requirements(c->resources, ret_amounts);
}

void resources_granted(const Core__PodSpec *spec, const Core__Container *c,
		       struct amounts *ret_amounts)
{
	struct amounts pod;

	resources_of_container(c, ret_amounts);
	of_requirements(spec->resources, &pod);
	if (!ret_amounts->has_cpu_limit) {
		ret_amounts->has_cpu_limit = pod.has_cpu_limit;
		ret_amounts->cpu_limit_milli = pod.cpu_limit_milli;
	}
	if (!ret_amounts->has_memory_limit) {
		ret_amounts->has_memory_limit = pod.has_memory_limit;
		ret_amounts->memory_limit_bytes = pod.memory_limit_bytes;
	}
}

static void add_amounts(struct amounts *sum, const struct amounts *a)
{
	sum->has_cpu_request |= a->has_cpu_request;
	sum->cpu_request_milli += a->cpu_request_milli;
	sum->cpu_limit_milli += a->cpu_limit_milli;
	sum->memory_request_bytes += a->memory_request_bytes;
	sum->memory_limit_bytes += a->memory_limit_bytes;
}

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void max_amounts(struct amounts *best, const struct amounts *a)
{
	best->has_cpu_request |= a->has_cpu_request;
	best->cpu_request_milli = max64(best->cpu_request_milli, a->cpu_request_milli);
	best->cpu_limit_milli = max64(best->cpu_limit_milli, a->cpu_limit_milli);
	best->memory_request_bytes = max64(best->memory_request_bytes, a->memory_request_bytes);
	best->memory_limit_bytes = max64(best->memory_limit_bytes, a->memory_limit_bytes);
}

static bool is_sidecar(const Core__Container *c)
{
	return str_eq(c->restartpolicy, "Always");
}

/* The most that init containers need at once: each runs beside the sidecars started before it. */
static struct amounts init_peak(const Core__PodSpec *spec, struct amounts *ret_sidecars,
				bool *all_cpu, bool *all_memory)
{
	struct amounts peak = { 0 }, sidecars = { 0 }, a, with;

	for (size_t i = 0; i < spec->n_initcontainers; i++) {
		resources_of_container(spec->initcontainers[i], &a);
		*all_cpu &= a.has_cpu_limit;
		*all_memory &= a.has_memory_limit;
		with = sidecars;
		add_amounts(&with, &a);
		max_amounts(&peak, &with);
		if (is_sidecar(spec->initcontainers[i]))
			add_amounts(&sidecars, &a);
	}
	*ret_sidecars = sidecars;
	return peak;
}

static int64_t overhead_of(const Core__PodSpec *spec, const char *resource, bool in_milli)
{
	for (size_t i = 0; i < spec->n_overhead; i++) {
		if (str_eq(spec->overhead[i]->key, resource))
			return in_milli ? resources_milli(text_of(spec->overhead[i]->value))
					: resources_value(text_of(spec->overhead[i]->value));
	}
	return 0;
}

static void add_overhead(const Core__PodSpec *spec, struct amounts *sum)
{
	int64_t cpu = overhead_of(spec, "cpu", true), memory = overhead_of(spec, "memory", false);

	sum->cpu_request_milli += cpu;
	sum->memory_request_bytes += memory;
	if (sum->has_cpu_limit)
		sum->cpu_limit_milli += cpu;
	if (sum->has_memory_limit)
		sum->memory_limit_bytes += memory;
}

/* What the pod itself asks for overrides the sum of its containers. */
static void apply_pod_level(const Core__PodSpec *spec, struct amounts *sum)
{
	struct amounts pod;

	if (!spec->resources)
		return;
	of_requirements(spec->resources, &pod);
	if (pod.has_cpu_request) {
		sum->has_cpu_request = true;
		sum->cpu_request_milli = pod.cpu_request_milli;
	}
	if (resources_request(spec->resources, "memory"))
		sum->memory_request_bytes = pod.memory_request_bytes;
	if (pod.has_cpu_limit) {
		sum->has_cpu_limit = true;
		sum->cpu_limit_milli = pod.cpu_limit_milli;
	}
	if (pod.has_memory_limit) {
		sum->has_memory_limit = true;
		sum->memory_limit_bytes = pod.memory_limit_bytes;
	}
}

static struct amounts sum_containers(const Core__PodSpec *spec)
{
	struct amounts sum = { 0 }, sidecars, peak, a;
	bool all_cpu = true, all_memory = true;

	for (size_t i = 0; i < spec->n_containers; i++) {
		resources_of_container(spec->containers[i], &a);
		all_cpu &= a.has_cpu_limit;
		all_memory &= a.has_memory_limit;
		add_amounts(&sum, &a);
	}
	peak = init_peak(spec, &sidecars, &all_cpu, &all_memory);
	add_amounts(&sum, &sidecars);
	max_amounts(&sum, &peak);
	sum.has_cpu_limit = all_cpu;
	sum.has_memory_limit = all_memory;
	return sum;
}

void resources_of_pod(const Core__PodSpec *spec, bool with_overhead, struct amounts *ret_amounts)
{
	struct amounts sum = sum_containers(spec);

	apply_pod_level(spec, &sum);
	if (with_overhead)
		add_overhead(spec, &sum);
	*ret_amounts = sum;
}

/* --- sums by name --- */

struct quantity_entry {
	ProtobufCMessage base;
	char *key;
	Resource__Quantity *value;
};

static struct quantity_entry *find_entry(size_t n, void *const *entries, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(((struct quantity_entry *)entries[i])->key, key))
			return entries[i];
	}
	return NULL;
}

void resources_set(const ProtobufCMessageDescriptor *entry, size_t *n, void ***entries,
		   const char *resource, const struct quantity *amount)
{
	struct quantity_entry *e = find_entry(*n, *entries, resource);

	if (!e) {
		e = proto_new(entry);
		e->key = mem_strdup(resource);
		proto_push_ptr(n, entries, e);
	}
	proto_free(e->value);
	e->value = quantity_message(amount);
}

/* Sets the entry of that name to what the old and the new amount make together. */
static void merge_amount(const ProtobufCMessageDescriptor *type, size_t *n, void ***entries,
			 const char *key, const Resource__Quantity *value, bool add)
{
	const struct quantity_entry *e = find_entry(*n, *entries, key);
	struct quantity q = quantity_read(value), have = { 0 };

	if (e)
		have = quantity_read(e->value);
	if (add)
		quantity_add(&have, &q);
	else if (!e || quantity_cmp(&q, &have) > 0)
		have = q;
	resources_set(type, n, entries, key, &have);
}

static void merge_list(const ProtobufCMessageDescriptor *type, size_t *n, void ***entries,
		       size_t n_from, void *const *from, bool add)
{
	for (size_t i = 0; i < n_from; i++) {
		const struct quantity_entry *e = from[i];

		merge_amount(type, n, entries, e->key, e->value, add);
	}
}

/* What the pod itself asks for takes the place of its containers' sum. */
static void override(const Core__ResourceRequirements *r, bool limits,
		     const ProtobufCMessageDescriptor *type, size_t *n, void ***entries)
{
	size_t n_own = !r ? 0 : limits ? r->n_limits : r->n_requests;

	for (size_t i = 0; i < n_own; i++) {
		const struct quantity_entry *own =
		    limits ? (void *)r->limits[i] : (void *)r->requests[i];
		struct quantity q = quantity_read(own->value);

		resources_set(type, n, entries, own->key, &q);
	}
}

static void sum(const Core__PodSpec *spec, bool limits, const ProtobufCMessageDescriptor *type,
		size_t *n, void ***entries)
{
	for (size_t i = 0; i < spec->n_containers + spec->n_initcontainers; i++) {
		bool init = i >= spec->n_containers;
		const Core__Container *c =
		    init ? spec->initcontainers[i - spec->n_containers] : spec->containers[i];
		const Core__ResourceRequirements *r = c->resources;

		if (r)
			merge_list(type, n, entries, limits ? r->n_limits : r->n_requests,
				   limits ? (void *const *)r->limits : (void *const *)r->requests,
				   !init || is_sidecar(c));
	}
	override(spec->resources, limits, type, n, entries);
	if (!limits || *n)
		merge_list(type, n, entries, spec->n_overhead, (void *const *)spec->overhead, true);
}

void resources_sum_requests(const Core__PodSpec *spec, const ProtobufCMessageDescriptor *entry,
			    size_t *ret_n, void ***ret_entries)
{
	sum(spec, false, entry, ret_n, ret_entries);
}

void resources_sum_limits(const Core__PodSpec *spec, const ProtobufCMessageDescriptor *entry,
			  size_t *ret_n, void ***ret_entries)
{
	sum(spec, true, entry, ret_n, ret_entries);
}

struct qos_tally {
	bool any, guaranteed;
};

static void tally_requirements(const Core__ResourceRequirements *r, struct qos_tally *t)
{
	static const char *const names[] = { "cpu", "memory" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int64_t request = resources_milli(resources_request(r, names[i]));
		int64_t limit = resources_milli(resources_limit(r, names[i]));

		t->any |= request > 0 || limit > 0;
		if (limit <= 0 || (resources_request(r, names[i]) && request != limit))
			t->guaranteed = false;
	}
}

const char *resources_qos(const Core__PodSpec *spec)
{
	struct qos_tally t = { .guaranteed = true };

	if (spec->resources && (spec->resources->n_limits || spec->resources->n_requests)) {
		tally_requirements(spec->resources, &t);
	} else {
		for (size_t i = 0; i < spec->n_containers; i++)
			tally_requirements(spec->containers[i]->resources, &t);
		for (size_t i = 0; i < spec->n_initcontainers; i++)
			tally_requirements(spec->initcontainers[i]->resources, &t);
	}
	if (!t.any)
		return "BestEffort";
	return t.guaranteed ? "Guaranteed" : "Burstable";
}

int64_t resources_cpu_shares(int64_t cpu_milli)
{
	int64_t shares = cpu_milli * CPU_SHARES_PER_CPU / 1000;

	if (shares < CPU_SHARES_MIN)
		return CPU_SHARES_MIN;
	return shares > CPU_SHARES_MAX ? CPU_SHARES_MAX : shares;
}

int64_t resources_cpu_quota_usec(int64_t cpu_milli, int64_t period_usec)
{
	int64_t quota = cpu_milli * period_usec / 1000;

	if (!cpu_milli)
		return 0;
	return quota < CPU_QUOTA_MIN_USEC ? CPU_QUOTA_MIN_USEC : quota;
}

static int64_t smallest_main_request(const Core__PodSpec *spec)
{
	int64_t smallest = -1;

	for (size_t i = 0; i < spec->n_containers; i++) {
		struct amounts a;

		resources_of_container(spec->containers[i], &a);
		if (smallest < 0 || a.memory_request_bytes < smallest)
			smallest = a.memory_request_bytes;
	}
	return smallest < 0 ? 0 : smallest;
}

/* Memory that the pod asks for beyond its containers, in equal shares. */
static int64_t share_of_rest(const Core__PodSpec *spec)
{
	int64_t rest = resources_value(resources_request(spec->resources, "memory")) -
		       sum_containers(spec).memory_request_bytes;

	return rest > 0 ? rest / (int64_t)(spec->n_containers + spec->n_initcontainers) : 0;
}

static int64_t clamp_score(int64_t score)
{
	if (score < 1000 + OOM_SCORE_GUARANTEED)
		return 1000 + OOM_SCORE_GUARANTEED;
	return score == OOM_SCORE_BEST_EFFORT ? score - 1 : score;
}

int resources_oom_score_adj(const Core__PodSpec *spec, const Core__Container *c,
			    int64_t memory_capacity_bytes)
{
	const char *qos = resources_qos(spec);
	int64_t score, floor_score, share;
	struct amounts a;

	if (spec->has_priority && spec->priority >= SYSTEM_NODE_CRITICAL_PRIORITY)
		return OOM_SCORE_GUARANTEED;
	if (str_eq(qos, "Guaranteed"))
		return OOM_SCORE_GUARANTEED;
	if (str_eq(qos, "BestEffort") || memory_capacity_bytes <= 0)
		return OOM_SCORE_BEST_EFFORT;
	resources_of_container(c, &a);
	share = share_of_rest(spec);
	score = 1000 - 1000 * (a.memory_request_bytes + share) / memory_capacity_bytes;
	if (is_sidecar(c)) {
		/* a sidecar is not killed before the containers that it serves */
		floor_score =
		    1000 - 1000 * (smallest_main_request(spec) + share) / memory_capacity_bytes;
		score = score > floor_score ? floor_score : score;
	}
	return (int)clamp_score(score);
}
