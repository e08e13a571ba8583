/* The PATCH that turns one pod status into another. Pure. */
#pragma once

#include "k8s/core.pb-c.h"

/* Strategic merge patch for /status with the pod's UID in its metadata, or NULL when nothing
 * differs. Lists of the status are replaced by key (conditions by type, IPs by ip); entries that
 * are gone are deleted explicitly. Heap. */
char *statuspatch_make(const char *uid, const Core__PodStatus *from, const Core__PodStatus *to);
