/* What a runtime tells beside the protocol: containerd's configuration in a verbose status. Pure.
 *
 * Only runtimes that do not know RuntimeConfig are read this way (containerd before 2).
 */
#pragma once

#include "cri/runtime.pb-c.h"

/* "systemd" or "cgroupfs", by what its default handler's runc is told; NULL: it does not say. */
const char *runtimeinfo_cgroup_driver(const Cri__StatusResponse *verbose);
