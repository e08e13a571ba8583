/* One pod as the agent drives it: what is wanted, what is under way, what was said about it.
 *
 * Private to agent/pod: podset owns pods, podworker gives each its turn, podstep carries actions
 * out. Everything that decides is recomputed each turn from specification and observation; what is
 * kept here is only what is under way and back-off clocks.
 */
#pragma once

#include <systemd/sd-event.h>

#include "backoff.h"
#include "podenvironment.h"
#include "podplan.h"
#include "podstatus.h"

struct step;

struct pod_container {
	char *name;
	enum plan_busy busy;
	struct backoff crash;
	bool crash_known;          /* crash was set since this agent started */
	char *ended_id;            /* the instance that ended_usec belongs to */
	int64_t ended_usec;        /* monotonic */
	int64_t failed_until_usec; /* no new start before this: the last attempt failed */
	unsigned failures;
	char *waiting_reason, *waiting_message;
	bool backed_off; /* the BackOff event of the current wait was sent */
};

struct pod {
	struct pod_environment *env;
	char *uid;
	struct podspec *spec; /* NULL: known to the runtime only */
	enum pod_phase phase;
	bool is_static;    /* from a file of this node */
	bool gone;         /* nobody wants it any more: no API object, no manifest */
	bool dropping;     /* its remains are being removed, then it is no more */
	bool rejected;     /* at admission: nothing of it ever ran here */
	bool mirror_known; /* static: what its mirror showed has been taken over */
	bool end_reported; /* a status was made since it began to terminate */
	bool admitted;     /* passed admission, or had before this agent started */
	char *failed_reason, *failed_message;
	Core__PodStatus *status;          /* as last computed */
	struct pod_container *containers; /* parallel to spec->containers */
	size_t n_containers;
	struct step *steps; /* under way */
	enum plan_busy sandbox;
	int64_t sandbox_not_before_usec;
	unsigned sandbox_failures;
	bool prepared, preparing;
	int64_t prepare_not_before_usec;
	unsigned prepare_failures;
	unsigned release_failures;
	int64_t release_not_before_usec;
	bool releasing, released;
	bool network_waited;       /* the NetworkNotReady event was sent */
	int64_t terminate_by_usec; /* monotonic: grace ends */
	char seen[48];             /* when this agent first saw the pod, RFC 3339 */
	sd_event_source *turn;     /* pending turn */
	sd_event_source *timer;
};

/* Gives the pod a turn soon: whatever changed is looked at then. */
void pod_wake(struct pod *p);
void pod_wake_at(struct pod *p, int64_t mono_usec);
/* Moves the pod down its phases; moving up is a bug. */
void pod_enter(struct pod *p, enum pod_phase phase);
void pod_fail(struct pod *p, const char *event_type, const char *reason, const char *message);
void pod_event(struct pod *p, const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void pod_container_event(struct pod *p, int container, const char *type, const char *reason,
			 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Monotonic time at which this instance ended. The wall clock is asked once per instance and never
 * believed about the future: setting it must not move back-offs. */
int64_t pod_container_ended_usec(struct pod_container *c, const struct obs_container *instance);
/* Why the container does not run; NULL reason clears it. */
void pod_set_waiting(struct pod_container *c, const char *reason, const char *message);
/* Name of the runtime handler behind the pod's runtime class, "" for the default one. */
int pod_runtime_handler(struct pod *p, const char **ret_handler, struct err *e);
/* Whether the pod's runtime handler can mount recursively read-only. */
bool pod_recursive_read_only(struct pod *p);
/* "name_namespace(uid)", as messages name pods. Heap. */
char *pod_display(const struct pod *p);

/* podstep: carries one action out; pod_step_done follows. */
void podstep_start(struct pod *p, const struct plan_action *action);
/* Drops everything under way except what must run to its end; callbacks will not come. */
void podstep_cancel_all(struct pod *p);
/* Cancels what only makes sense for a pod that is to live (pulls, starts, hooks). */
void podstep_cancel_starting(struct pod *p);
/* Stops under way that were given more time than is left now are started again. */
void podstep_cancel_stopping(struct pod *p);
/* Releases volumes, directories and cgroup of a terminated pod; sets p->released. */
void podstep_release(struct pod *p);

/* podworker: one turn. */
void podworker_turn(struct pod *p);
