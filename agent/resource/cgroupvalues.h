/* What a cgroup's files or a slice's properties should say. Pure.
 *
 * One set of limits, three ways to write it: cgroup v1 files per controller, cgroup v2 files,
 * systemd slice properties.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "k8s/core.pb-c.h"

struct cgroup_limits {
	int64_t cpu_shares;                      /* 0: leave as it is */
	int64_t cpu_quota_usec, cpu_period_usec; /* quota 0: none */
	int64_t memory_bytes;                    /* 0: none */
	int64_t pids;                            /* 0: none */
	/* cgroup v2 only. 0: leave as it is; CGROUP_NOTHING: none */
	int64_t memory_min_bytes, memory_low_bytes, memory_high_bytes;
};

enum { CGROUP_NOTHING = -1 };

struct cgroup_value {
	const char *controller; /* v1 hierarchy; NULL for v2 and systemd */
	const char *name;       /* file or property */
	char text[32];
	uint64_t number; /* of a property */
};

enum { CGROUP_VALUES_MAX = 10 };
enum cgroup_kind { CGROUP_V1, CGROUP_V2, CGROUP_SYSTEMD };

/* Limits of a pod's cgroup (upstream cm.ResourceConfigForPod). */
struct cgroup_limits cgroupvalues_of_pod(const Core__PodSpec *spec, int64_t cpu_period_usec,
					 int64_t pids_limit, int cfs_quota);
/* The quota that systemd can express: whole hundredths of a CPU, rounded up. Slice and files must
 * agree, or systemd's next look at the slice undoes what the files say. */
struct cgroup_limits cgroupvalues_for_slice(struct cgroup_limits l);
/* Fills out; returns how many. */
size_t cgroupvalues_make(const struct cgroup_limits *l, enum cgroup_kind kind,
			 struct cgroup_value out[CGROUP_VALUES_MAX]);
/* cpu.weight of cgroup v2 for v1 shares. */
int64_t cgroupvalues_weight(int64_t cpu_shares);
