/* The planner: what to do next for one pod. Pure.
 *
 *   specification + observation + clocks → independent actions
 *
 * It remembers nothing: the same input always gives the same plan, so a crash, a retry, a lost
 * event and a restart are one path. Behaviour follows upstream's computePodActions (pkg/kubelet/
 * kuberuntime/kuberuntime_manager.go), spread over observations instead of one pass.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podobs.h"
#include "podspec.h"

/* Monotone: a pod only ever moves down this list. */
enum pod_phase {
	POD_SYNC,        /* make the runtime look like the specification */
	POD_TERMINATING, /* stop everything, never start anything */
	POD_TERMINATED,  /* nothing runs; release volumes and cgroups */
	POD_FINISHED,    /* nothing left but records in the runtime */
	POD_PHASE_COUNT
};

enum plan_verdict { VERDICT_UNKNOWN, VERDICT_SUCCESS, VERDICT_FAILURE };

/* What is under way for a container or the sandbox: the planner adds nothing to it. */
enum plan_busy { PLAN_IDLE, PLAN_STARTING, PLAN_STOPPING };

/* Facts about one container beside specification and observation. */
struct plan_container {
	enum plan_busy busy;
	int64_t not_before_usec; /* monotonic: no start before this (crash or pull back-off) */
	enum plan_verdict startup, liveness; /* of the running instance */
};

struct plan_input {
	const struct podspec *spec;
	const struct podobs *obs;
	enum pod_phase phase;
	const struct plan_container *containers; /* parallel to spec->containers */
	enum plan_busy sandbox;
	int64_t sandbox_not_before_usec;
	bool prepared; /* directories, cgroup and volumes are there */
	bool prepare_busy;
	bool network_ready; /* of the runtime; host-network pods need none */
	bool gone;          /* the API object no longer exists: records may go */
	int64_t now_usec;   /* monotonic */
};

enum plan_action_kind {
	PLAN_PREPARE,
	PLAN_CREATE_SANDBOX,   /* attempt */
	PLAN_START_CONTAINER,  /* container, attempt = restart count */
	PLAN_RESUME_CONTAINER, /* container, id: created but never started */
	PLAN_KILL_CONTAINER,   /* container (-1: not in the specification), id, reason */
	PLAN_STOP_SANDBOX,     /* id */
	PLAN_REMOVE_CONTAINER, /* id */
	PLAN_REMOVE_SANDBOX,   /* id */
	PLAN_BACK_OFF,         /* container: would start now but for its back-off */
	PLAN_WAIT_NETWORK,     /* the sandbox waits for the runtime's network */
	PLAN_ACTION_KIND_COUNT
};

enum plan_kill_reason {
	KILL_POD_ENDS,
	KILL_SPEC_CHANGED,
	KILL_LIVENESS,
	KILL_STARTUP,
	KILL_UNKNOWN_STATE,
	KILL_SANDBOX_CHANGED,
	KILL_NOT_IN_SPEC,
};

struct plan_action {
	enum plan_action_kind kind;
	int container;
	const char *id; /* borrowed from the observation */
	unsigned attempt;
	enum plan_kill_reason reason;
	bool will_restart;
};

enum plan_outcome {
	PLAN_GOING_ON,
	PLAN_POD_DONE, /* SYNC: nothing runs or may go on running, and nothing will; the pod is to
			  terminate */
	PLAN_STOPPED,  /* TERMINATING: no container and no sandbox is left running */
	PLAN_REMOVED,  /* FINISHED and gone: the runtime holds nothing of the pod */
};

struct plan {
	struct plan_action *actions;
	size_t n, cap;
	enum plan_outcome outcome;
	int64_t wake_usec; /* monotonic time at which to plan again, 0 = only on change */
};

void podplan_next(const struct plan_input *in, struct plan *ret_plan);
void plan_fini(struct plan *p);

/* Whether a new sandbox is needed, and why; the sentence becomes the message of the condition
 * PodReadyToStartContainers. NULL: the newest sandbox serves. */
const char *podplan_sandbox_changed(const struct podspec *spec, const struct podobs *obs,
				    unsigned *ret_attempt);
/* The container is not running and is to be started sooner or later (upstream
 * ShouldContainerBeRestarted). */
bool podplan_wants_start(const struct podspec *spec, const struct podobs *obs, size_t container);
/* A main container was created in the current sandbox: initialisation is over. */
bool podplan_initialized(const struct podspec *spec, const struct podobs *obs);
const char *plan_action_name(enum plan_action_kind kind);
const char *pod_phase_name(enum pod_phase phase);
