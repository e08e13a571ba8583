/* The status that a pod should show in the API. Pure.
 *
 *   specification + observation + last status + probe verdicts + wall clock → PodStatus
 *
 * Follows upstream's generateAPIPodStatus and status manager (pkg/kubelet/kubelet_pods.go,
 * pkg/kubelet/status). Invariants: a terminal phase never regresses and is not published while a
 * container may run; lastTransitionTime moves only when a condition's status moves; conditions of
 * other owners stay as the API has them.
 */
#pragma once

#include "podplan.h"

struct status_container {
	const char *waiting_reason; /* why the last start did not succeed, or NULL */
	const char *waiting_message;
	enum plan_verdict startup, readiness;
};

struct status_input {
	const struct podspec *spec;
	const struct podobs *obs;
	const Core__PodStatus *old; /* what we sent last, or the API's */
	enum pod_phase phase;
	const struct status_container *containers; /* parallel to spec->containers */
	const char *qos_class;
	const char *runtime_name;                   /* prefix of containerID, "containerd" */
	const char *const *host_ips;                /* NULL-terminated; primary first */
	const char *failed_reason, *failed_message; /* rejected, evicted or past its deadline: the
						       pod fails with these */
	bool rejected;                              /* at admission */
	bool recursive_read_only;                   /* the runtime can mount so */
	int64_t now_ns;                             /* wall clock */
	int64_t agent_start_ns; /* wall clock: containers older than this keep their readiness */
};

/* A new message, owned by the caller. */
Core__PodStatus *podstatus_make(const struct status_input *in);
/* Equal but for nothing: decides whether a PATCH is due. */
bool podstatus_equal(const Core__PodStatus *a, const Core__PodStatus *b);
bool podstatus_phase_terminal(const char *phase);
