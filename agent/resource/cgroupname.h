/* Names in the kubepods tree, in both drivers' spelling. Pure.
 *
 *   cgroupfs   /kubepods/burstable/pod<uid>
 *   systemd    /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<u_i_d>.slice
 *
 * A slice's name holds the whole way to it, so '-' inside a part becomes '_'.
 */
#pragma once

#include <stdbool.h>

enum cgroup_level { CGROUP_PODS, CGROUP_BURSTABLE, CGROUP_BESTEFFORT, CGROUP_LEVELS };

/* Guaranteed pods live beside the other two levels. */
enum cgroup_level cgroupname_level(const char *qos_class);
/* A configured cgroup root ("" or "/rig/node1") in the driver's spelling. Heap. */
char *cgroupname_root(const char *root, bool systemd);
/* Path below the hierarchy's mount; root is "" or "/rig/node1". uid NULL: the level itself. */
char *cgroupname_path(const char *root, bool systemd, enum cgroup_level level, const char *uid);
/* The unit of a systemd path: its last part. Borrowed. */
const char *cgroupname_unit(const char *path);
/* UID of the pod that owns a directory of a level; NULL: it is no pod's. Heap. */
char *cgroupname_uid(const char *directory, bool systemd);
