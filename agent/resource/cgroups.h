/* The kubepods cgroup tree: QoS levels and one cgroup per pod. Effect; blocking, from jobs only.
 *
 * Backends: cgroup v1 hierarchies (hybrid hosts) and cgroup v2, both through cgroupfs. Nothing
 * outside kubepods below the cgroup root is touched.
 */
#pragma once

#include "cgroupvalues.h"
#include "pod/podconfig.h"

/* kubepods, burstable and besteffort; limits are those of the whole node's pods. */
int cgroups_setup(const struct podconfig_node *node, const struct cgroup_limits *node_limits,
		  struct err *e);
/* CPU shares of the burstable level: the sum of its pods' requests. */
int cgroups_set_burstable(const struct podconfig_node *node, int64_t cpu_request_milli,
			  struct err *e);
int cgroups_make_pod(const struct podconfig_node *node, int64_t pids_limit, const Core__Pod *pod,
		     struct err *e);
/* Removes the pod's cgroup from every QoS level; one that is gone is success. */
int cgroups_remove_pod(const struct podconfig_node *node, const char *uid, struct err *e);
/* Appends the UIDs of pods that have a cgroup. */
void cgroups_list_pods(const struct podconfig_node *node, char ***uids);
/* True when /sys/fs/cgroup is the unified hierarchy. */
bool cgroups_unified(void);
/* Whether the group that pods shall live below is there, in each hierarchy that limits them. */
int cgroups_check_root(const char *root, struct err *e);
