/* Whether this node takes a pod that was assigned to it. Pure over struct pod and its neighbours.
 *
 * Order and reasons as upstream's admit handlers (pkg/kubelet/lifecycle/predicate.go, sysctl).
 */
#pragma once

#include "pod.h"

struct admit_verdict {
	const char *reason;
	char out_of[128]; /* what reason points to when a resource is not there */
	char message[600];
};

/* False: verdict says why not. */
bool admit_pod(struct pod *p, struct admit_verdict *ret_verdict);
/* A sysctl that any pod may set, or one that the node's configuration allows. */
bool admit_sysctl_allowed(const char *name, char *const *allowed_unsafe);
