/* CPU, memory and huge page amounts of containers and pods, and what the kernel is told. Pure.
 *
 * Sums follow upstream's component-helpers (PodRequests, PodLimits): containers and sidecars add
 * up, init containers count with the sidecars started before them, overhead comes on top.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "k8s/core.pb-c.h"
#include "kube/quantity.h"

struct amounts {
	bool has_cpu_request, has_cpu_limit, has_memory_limit;
	int64_t cpu_request_milli, cpu_limit_milli;
	int64_t memory_request_bytes, memory_limit_bytes;
};

enum {
	CPU_PERIOD_USEC = 100000,
	CPU_SHARES_MIN = 2,
	CPU_SHARES_MAX = 262144,
	CPU_SHARES_PER_CPU = 1024,
	CPU_LIMIT_MIN_MILLI = 10, /* the smallest quota that the kernel takes */
	CPU_QUOTA_MIN_USEC = 1000,
	OOM_SCORE_GUARANTEED = -997,
	OOM_SCORE_BEST_EFFORT = 1000,
};

void resources_of_container(const Core__Container *c, struct amounts *ret_amounts);
/* As the container's cgroup gets them: a limit that it does not set is the pod's (spec.resources),
 * if that has one. */
void resources_granted(const Core__PodSpec *spec, const Core__Container *c,
		       struct amounts *ret_amounts);
/* Limits of the pod count only when every container has one; then they bound the pod's cgroup. */
void resources_of_pod(const Core__PodSpec *spec, bool with_overhead, struct amounts *ret_amounts);

/* One amount per resource that some container names, summed as the scheduler sums requests. Appends
 * entries of a map<string, Quantity> field, whose type the caller names. */
void resources_sum_requests(const Core__PodSpec *spec, const ProtobufCMessageDescriptor *entry,
			    size_t *ret_n, void ***ret_entries);
void resources_sum_limits(const Core__PodSpec *spec, const ProtobufCMessageDescriptor *entry,
			  size_t *ret_n, void ***ret_entries);

/* Sets one amount in such a field, appending its entry when there is none. */
void resources_set(const ProtobufCMessageDescriptor *entry, size_t *n, void ***entries,
		   const char *resource, const struct quantity *amount);

/* "Guaranteed", "Burstable" or "BestEffort". */
const char *resources_qos(const Core__PodSpec *spec);

int64_t resources_cpu_shares(int64_t milli);
/* 0 means no quota. */
int64_t resources_cpu_quota_usec(int64_t milli, int64_t period_usec);
int resources_oom_score_adj(const Core__PodSpec *spec, const Core__Container *c,
			    int64_t memory_capacity_bytes);
/* Thousandths or whole units of a quantity's text, rounded up; 0 for NULL or what is no quantity.
 */
int64_t resources_milli(const char *text);
int64_t resources_value(const char *text);
/* Text of a quantity for one resource in a container's limits or requests, or NULL. */
const char *resources_limit(const Core__ResourceRequirements *r, const char *resource);
const char *resources_request(const Core__ResourceRequirements *r, const char *resource);
