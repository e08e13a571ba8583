/* Memory protection and throttling on cgroup v2 (upstream's MemoryQoS). Pure.
 *
 *   memory.high   request + factor × (limit, else what the node has, − request), in whole pages;
 *                 not where request and limit are equal
 *   memory.min    the request of guaranteed pods, memory.low of burstable ones, when memory is
 *                 reserved by tier
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cgroupvalues.h"
#include "k8s/core.pb-c.h"

struct memory_qos {
	bool on;       /* the feature gate */
	bool tiered;   /* memoryReservationPolicy */
	double factor; /* memoryThrottlingFactor; 0: none */
	int64_t allocatable_bytes;
};

/* As text for the runtime: bytes, or -1 where nothing is said. */
struct memory_marks {
	int64_t min_bytes, low_bytes, high_bytes;
};

struct memory_marks memoryqos_of_container(const struct memory_qos *q, const Core__PodSpec *spec,
					   const Core__Container *c);
/* Adds the pod's to its cgroup's limits. */
void memoryqos_of_pod(const struct memory_qos *q, const Core__PodSpec *spec,
		      struct cgroup_limits *limits);
