/* The kubepods cgroup tree: QoS levels and one cgroup per pod. Effect through jobs. */
#pragma once

#include "base/job.h"
#include "pod/podconfig.h"

struct cgroups;

struct cgroups *cgroups_new(struct job_pool *jobs, const struct podconfig_node *node,
			    int64_t pods_pids_limit);
void cgroups_free(struct cgroups *c);
/* kubepods, burstable and besteffort below the cgroup root. Blocking, at start. */
int cgroups_setup(struct cgroups *c, struct err *e);
/* Creates or updates the pod's cgroup with its limits. Blocking: call from a job. */
int cgroups_make_pod(const struct podconfig_node *node, int64_t pids_limit, const Core__Pod *pod,
		     struct err *e);
/* Removes the pod's cgroup in every QoS level. Blocking. A cgroup that is gone is success. */
int cgroups_remove_pod(const struct podconfig_node *node, const char *uid, struct err *e);
int64_t cgroups_pids_limit(const struct cgroups *c);
