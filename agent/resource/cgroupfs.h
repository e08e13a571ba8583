/* Directories and files of cgroups, in v1 hierarchies (hybrid hosts) and in v2. Effect; blocking,
 * from jobs only.
 *
 * Paths are those below the hierarchy's mount. Nothing but what is named is touched.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "cgroupvalues.h"

/* True when /sys/fs/cgroup is the unified hierarchy. */
bool cgroupfs_unified(void);
/* The memory controller can limit swap, too. */
bool cgroupfs_limits_swap(void);
/* Makes the cgroup with all above it, controllers enabled, and writes its limits. */
int cgroupfs_ensure(const char *path, const struct cgroup_limits *l, struct err *e);
bool cgroupfs_exists(const char *path);
/* Ends every process in the tree. What the runtime lost track of (an init process whose start was
 * called off) would hold the cgroup, and with it the pod, for ever. */
void cgroupfs_kill(const char *path);
/* Removes the tree, ending processes that hold it; one that is gone is success. */
int cgroupfs_remove(const char *path, struct err *e);
/* Whether the cgroup that pods shall live below, root in the driver's spelling, is there in each
 * hierarchy that limits them. */
int cgroupfs_check_root(const char *root, const char *path, struct err *e);
/* Appends the names of directories in the cgroup. */
void cgroupfs_list(const char *path, char ***names);
