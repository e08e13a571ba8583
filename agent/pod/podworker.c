/* One pod's turn: observe, decide, act, report (contract in pod.h). Effect.
 *
 * A turn happens only on an observation taken after the pod's last effect. It may be given at any
 * time and any number of times: what is under way is not begun again.
 */
#include <inttypes.h>

#include "admit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "mirrors.h"
#include "pod.h"
#include "podobserve.h"
#include "podset.h"
#include "podunbuilt.h"
#include "probe/probes.h"
#include "resource/resources.h"
#include "statusq.h"
#include "step.h"

enum { STARTING_USEC = 1 * USEC_PER_SEC };

static const struct podobs *observation(struct pod *p, struct podobs **scratch)
{
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);

	if (obs)
		return obs;
	*scratch = podobs_new(p->uid, p->spec->ns, p->spec->name);
	return *scratch;
}

/* A static pod's status is its mirror's. */
static void send(struct pod *p)
{
	if (p->is_static)
		mirrors_report(p->env->mirrors, p);
	else
		statusq_put(p->env->statusq, p->spec->pod, p->status, p->phase == POD_FINISHED);
}

static const Core__PodStatus *last_status(const struct pod *p)
{
	return p->status ? p->status : p->spec->pod->status;
}

/* --- phases --- */

static bool past_deadline(struct pod *p, int64_t *ret_left_usec)
{
	const Core__PodSpec *spec = p->spec->pod->spec;
	const Core__PodStatus *status = last_status(p);
	int64_t due;

	if (!spec->has_activedeadlineseconds || !status || !status->starttime)
		return false;
	due = (status->starttime->seconds + spec->activedeadlineseconds) * USEC_PER_SEC;
	*ret_left_usec = due - clock_wall_usec();
	return *ret_left_usec <= 0;
}

/* Reasons to end a pod that lie outside the runtime. */
static void check_end(struct pod *p)
{
	const Core__PodStatus *api = p->spec->pod->status;
	int64_t left_usec = 0;

	if (p->phase != POD_SYNC)
		return;
	if (p->gone || p->spec->pod->metadata->deletiontimestamp ||
	    (api && podstatus_phase_terminal(api->phase)))
		pod_enter(p, POD_TERMINATING);
	else if (past_deadline(p, &left_usec))
		pod_fail(p, "Normal", "DeadlineExceeded",
			 "Pod was active on the node longer than the specified deadline");
	else if (left_usec > 0)
		pod_wake_at(p, clock_mono_usec() + left_usec);
}

static void warn_unbuilt(struct pod *p)
{
	char **fields = podunbuilt_fields(p->spec->pod->spec);

	for (size_t i = 0; fields && fields[i]; i++)
		pod_event(p, "Warning", "NotImplemented",
			  "%s is not implemented by this node agent and has no effect", fields[i]);
	strv_free(fields);
}

/* A pod that has run here already is not judged again. */
static void check_admission(struct pod *p, const struct podobs *obs)
{
	struct admit_verdict v;

	if (p->admitted || p->phase != POD_SYNC)
		return;
	p->admitted = true;
	if (obs->n_sandboxes || obs->n_containers)
		return;
	if (admit_pod(p, &v)) {
		warn_unbuilt(p);
		return;
	}
	p->rejected = true;
	pod_fail(p, "Warning", v.reason, v.message);
}

/* --- back-off of crashed containers --- */

/* When the container may start again. The first turn after this agent started assumes the delay
 * that the restart count implies. */
static int64_t start_due(struct pod *p, size_t i, const struct podobs *obs)
{
	struct pod_container *c = &p->containers[i];
	const struct obs_container *latest = podobs_latest(obs, c->name);
	int64_t ended, due = c->failed_until_usec;

	if (!latest || latest->state != OBS_EXITED)
		return due;
	ended = pod_container_ended_usec(c, latest);
	if (!c->crash_known) {
		if (p->status == NULL && latest->restart_count)
			backoff_assume(&c->crash, latest->restart_count, ended,
				       BACKOFF_BASE_SEC * USEC_PER_SEC,
				       p->env->max_crash_backoff_usec);
		c->crash_known = true;
	}
	ended = backoff_due_usec(&c->crash, ended, p->env->max_crash_backoff_usec);
	return ended > due ? ended : due;
}

static enum plan_verdict verdict(struct pod *p, size_t i, const struct podobs *obs,
				 enum probe_kind kind)
{
	const struct obs_container *latest = podobs_latest(obs, p->containers[i].name);

	return latest && latest->state == OBS_RUNNING
		   ? probes_verdict(p->env->probes, p->uid, p->containers[i].name, kind, latest->id)
		   : VERDICT_UNKNOWN;
}

/* --- the plan --- */

static void make_plan(struct pod *p, const struct podobs *obs, struct plan *ret_plan)
{
	AUTO_FREE struct plan_container *facts = mem_calloc(p->n_containers, sizeof(*facts));
	struct plan_input in = {
		.spec = p->spec,
		.obs = obs,
		.phase = p->phase,
		.containers = facts,
		.sandbox = p->sandbox,
		.sandbox_not_before_usec = p->sandbox_not_before_usec,
		.prepared = p->prepared,
		.prepare_busy = p->preparing || clock_mono_usec() < p->prepare_not_before_usec,
		.network_ready = p->env->network_ready,
		.gone = p->gone,
		.now_usec = clock_mono_usec(),
	};

	for (size_t i = 0; i < p->n_containers; i++) {
		facts[i].busy = p->containers[i].busy;
		facts[i].not_before_usec = start_due(p, i, obs);
		facts[i].startup = verdict(p, i, obs, PROBE_STARTUP);
		facts[i].liveness = verdict(p, i, obs, PROBE_LIVENESS);
	}
	podplan_next(&in, ret_plan);
	if (ret_plan->wake_usec)
		pod_wake_at(p, ret_plan->wake_usec);
	if (!p->prepared && p->prepare_not_before_usec > in.now_usec)
		pod_wake_at(p, p->prepare_not_before_usec);
}

/* The container waits out a crash: say so once per wait. */
static void report_back_off(struct pod *p, int container)
{
	struct pod_container *c = &p->containers[container];
	AUTO_FREE char *display = NULL;
	AUTO_FREE char *message = NULL;
	int64_t delay_sec = c->crash.delay_usec / USEC_PER_SEC;

	/* first why the start failed; an earlier wake-up may have replaced the one for this */
	if (c->failed_until_usec > clock_mono_usec())
		pod_wake_at(p, c->failed_until_usec);
	if (c->failed_until_usec > clock_mono_usec() || c->backed_off)
		return;
	display = pod_display(p);
	message =
	    delay_sec >= 60 && delay_sec % 60 == 0
		? str_fmt("back-off %" PRId64 "m0s restarting failed container=%s pod=%s",
			  delay_sec / 60, c->name, display)
	    : delay_sec >= 60
		? str_fmt("back-off %" PRId64 "m%" PRId64 "s restarting failed container=%s pod=%s",
			  delay_sec / 60, delay_sec % 60, c->name, display)
		: str_fmt("back-off %" PRId64 "s restarting failed container=%s pod=%s", delay_sec,
			  c->name, display);
	pod_set_waiting(c, "CrashLoopBackOff", message);
	c->backed_off = true;
	pod_container_event(p, container, "Warning", "BackOff",
			    "Back-off restarting failed container %s in pod %s", c->name, display);
}

static void wait_for_network(struct pod *p)
{
	if (!p->network_waited)
		pod_event(p, "Warning", "NetworkNotReady",
			  "network is not ready: container runtime network not ready");
	p->network_waited = true;
}

static void run_plan(struct pod *p, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_action *a = &plan->actions[i];

		if (a->kind == PLAN_BACK_OFF)
			report_back_off(p, a->container);
		else if (a->kind == PLAN_WAIT_NETWORK)
			wait_for_network(p);
		else
			podstep_start(p, a);
	}
}

/* --- the report --- */

/* Containers that are being started one after another are told of together, unless a start takes
 * long. */
static bool starting(struct pod *p)
{
	int64_t now = clock_mono_usec();

	for (const struct step *s = p->steps; s; s = s->next) {
		if (s->kind != PLAN_START_CONTAINER || now - s->began_usec > STARTING_USEC)
			continue;
		pod_wake_at(p, s->began_usec + STARTING_USEC + 1);
		return true;
	}
	return false;
}

static void report(struct pod *p, const struct podobs *obs)
{
	AUTO_FREE struct status_container *facts = mem_calloc(p->n_containers, sizeof(*facts));
	AUTO_PROTO Core__PodStatus *empty = proto_new(&core__pod_status__descriptor);
	Core__PodStatus *status;
	struct status_input in = {
		.spec = p->spec,
		.obs = obs,
		.old = last_status(p),
		.phase = p->phase,
		.containers = facts,
		.qos_class = resources_qos(p->spec->pod->spec),
		.runtime_name = p->env->runtime_name,
		.host_ips = (const char *const *)p->env->host_ips,
		.failed_reason = p->failed_reason,
		.failed_message = p->failed_message,
		.rejected = p->rejected,
		.recursive_read_only = pod_recursive_read_only(p),
		.now_ns = clock_wall_usec() * 1000,
		.agent_start_ns = p->env->start_wall_ns,
	};

	/* while a pod goes down its status says so once; the next word is how it ended */
	if (p->gone || (p->phase == POD_TERMINATING && p->end_reported && p->status))
		return;
	if (p->phase == POD_SYNC && p->status && starting(p))
		return;
	p->end_reported = p->phase == POD_TERMINATING;
	if (!in.old)
		in.old = empty;
	for (size_t i = 0; i < p->n_containers; i++) {
		facts[i].waiting_reason = p->containers[i].waiting_reason;
		facts[i].waiting_message = p->containers[i].waiting_message;
		facts[i].startup = verdict(p, i, obs, PROBE_STARTUP);
		facts[i].readiness = verdict(p, i, obs, PROBE_READINESS);
	}
	status = podstatus_make(&in);
	if (!p->status || !podstatus_equal(p->status, status)) {
		proto_free(p->status);
		p->status = status;
		send(p);
	} else {
		proto_free(status);
		if (p->phase == POD_FINISHED)
			send(p);
	}
}

/* What the status says of a pod that is over is the last word, so the runtime gets the time to
 * learn why. */
static bool waits_for_reason(struct pod *p, const struct podobs *obs, const struct plan *plan)
{
	if (p->phase != POD_SYNC || plan->outcome != PLAN_POD_DONE ||
	    !podobs_reason_may_change(obs, clock_wall_usec() * NSEC_PER_USEC))
		return false;
	pod_wake_at(p, clock_mono_usec() + USEC_PER_SEC / 2);
	return true;
}

/* A pod whose containers are over for good is to be taken down like a deleted one. */
static void end_if_over(struct pod *p, const struct plan *plan)
{
	if (p->phase == POD_SYNC && plan->outcome == PLAN_POD_DONE)
		pod_enter(p, POD_TERMINATING);
}

static void advance(struct pod *p, const struct plan *plan)
{
	if (p->phase == POD_TERMINATING && plan->outcome == PLAN_STOPPED && !p->steps) {
		probes_remove_pod(p->env->probes, p->uid);
		pod_enter(p, POD_TERMINATED);
	}
	if (p->phase == POD_TERMINATED) {
		if (p->released)
			pod_enter(p, POD_FINISHED);
		else if (!p->releasing && clock_mono_usec() >= p->release_not_before_usec)
			podstep_release(p);
	}
}

/* A changed manifest's pod has what its predecessor still holds: ports, files, the name. */
static bool waits_for_name(const struct pod *p, const struct podobs *obs)
{
	return p->is_static && !p->admitted && p->phase == POD_SYNC && !obs->n_sandboxes &&
	       podset_name_taken(p);
}

void podworker_turn(struct pod *p)
{
	CLEANUP(podobs_freep) struct podobs *scratch = NULL;
	CLEANUP(plan_fini) struct plan plan = { 0 };
	const struct podobs *obs;

	if (p->dropping || !podobserve_is_ready(p->env->observe) ||
	    podobserve_pending(p->env->observe, p->uid))
		return;
	obs = observation(p, &scratch);
	check_end(p);
	if (waits_for_name(p, obs))
		return;
	check_admission(p, obs);
	if (p->phase == POD_SYNC)
		probes_sync_pod(p->env->probes, p->spec, obs, last_status(p),
				(const char *const *)p->env->host_ips);
	else if (p->phase == POD_TERMINATING)
		probes_stop_starting(p->env->probes, p->uid);
	make_plan(p, obs, &plan);
	if (plan.outcome == PLAN_REMOVED && !p->steps) {
		podset_drop(p);
		return;
	}
	run_plan(p, &plan);
	if (waits_for_reason(p, obs, &plan))
		return;
	end_if_over(p, &plan);
	advance(p, &plan);
	report(p, obs);
}
