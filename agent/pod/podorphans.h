/* What pods left behind on the node: directories, cgroups, logs of pods that are nowhere else.
 * Effect.
 *
 * A sweep runs once the sources and the runtime have been read, and then every few minutes. Ours is
 * only what carries a pod's UID in its name below our own directories.
 */
#pragma once

#include "podenvironment.h"

struct podorphans;

struct podorphans *podorphans_new(struct pod_environment *env);
void podorphans_free(struct podorphans *o);
/* The UID in "kubepods" cgroup or log directory names (pure): a pointer into name, or NULL. */
const char *podorphans_log_uid(const char *name);
