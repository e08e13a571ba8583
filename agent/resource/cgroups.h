/* The kubepods tree: QoS levels and one cgroup per pod, by either driver. Effect.
 *
 * cgroupfs: directories and files. systemd: slices first, then the same files, for what a slice's
 * property cannot say. Nothing outside kubepods below the cgroup root is touched. Calls about one
 * pod are done in the order they were made.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/job.h"
#include "cgroupvalues.h"
#include "pod/podconfig.h"

struct cgroups;

/* node is borrowed and read at each call: its driver is known late. */
struct cgroups *cgroups_new(sd_event *loop, struct job_pool *jobs,
			    const struct podconfig_node *node);
/* After the job pool. What was not done is dropped. */
void cgroups_free(struct cgroups *c);

/* done comes later, once, with NULL on success; drop, when not NULL, instead of it at the end. */
struct cgroups_end {
	void (*done)(void *ctx, const struct err *e);
	void (*drop)(void *ctx);
	void *ctx;
};

/* kubepods, burstable and besteffort; limits are those of the whole node's pods. */
void cgroups_setup(struct cgroups *c, const struct cgroup_limits *pods, struct cgroups_end end);
/* What the pods of the levels ask for. A failure is logged, and mended by the next change. */
struct cgroup_sums {
	int64_t burstable_cpu_milli, burstable_memory_bytes, guaranteed_memory_bytes;
};
void cgroups_weigh(struct cgroups *c, const struct cgroup_sums *sums);
void cgroups_make_pod(struct cgroups *c, const Core__Pod *pod, const struct cgroup_limits *limits,
		      struct cgroups_end end);
/* Removes the pod's cgroup from every QoS level; one that is gone is success. */
void cgroups_remove_pod(struct cgroups *c, const char *uid, struct cgroups_end end);
/* Appends the UIDs of pods that have a cgroup. Blocking: from a job. */
void cgroups_list_pods(const struct podconfig_node *node, char ***uids);
