/* Carrying single actions out (contract in pod.h). Effect.
 *
 * A step is one action under way. It marks what it works on as busy, and when it is over asks for a
 * fresh look at the pod, whose turn then decides anew: no step starts another.
 */
#include "step.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "podobserve.h"
#include "podset.h"

enum {
	MIN_GRACE_SEC = 2,
	RETRY_BASE_USEC = 1 * USEC_PER_SEC,
	RETRY_MAX_USEC = 10 * USEC_PER_SEC,
};

/* --- life of a step --- */

struct step *step_new(struct pod *p, const struct plan_action *a)
{
	struct step *s = NEW(struct step);

	s->pod = p;
	s->kind = a->kind;
	s->container = a->container;
	s->container_name = a->container >= 0 ? mem_strdup(p->containers[a->container].name) : NULL;
	s->id = mem_strdup(a->id);
	s->attempt = a->attempt;
	s->reason = a->reason;
	s->will_restart = a->will_restart;
	s->began_usec = clock_mono_usec();
	s->next = p->steps;
	p->steps = s;
	return s;
}

/* The container may have another index by now, or have left the specification. */
struct pod_container *step_container(struct step *s)
{
	int at = s->container_name ? podspec_find(s->pod->spec, s->container_name) : -1;

	s->container = at;
	return at >= 0 ? &s->pod->containers[at] : NULL;
}

static void set_busy(struct step *s, enum plan_busy busy)
{
	struct pod_container *c = step_container(s);

	switch (s->kind) {
	case PLAN_START_CONTAINER:
	case PLAN_RESUME_CONTAINER:
	case PLAN_KILL_CONTAINER:
	case PLAN_REMOVE_CONTAINER:
		if (c)
			c->busy = busy;
		break;
	case PLAN_CREATE_SANDBOX:
	case PLAN_STOP_SANDBOX:
	case PLAN_REMOVE_SANDBOX:
		s->pod->sandbox = busy;
		break;
	case PLAN_PREPARE:
		s->pod->preparing = busy != PLAN_IDLE;
		break;
	default:
		break;
	}
}

static void step_free(struct step *s)
{
	struct step **at = &s->pod->steps;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	cri_call_cancel(s->rpc);
	image_call_cancel(s->image);
	hook_call_cancel(s->hook);
	volumes_call_cancel(s->volumes);
	objcache_wait_cancel(s->objects);
	files_call_cancel(s->files);
	prepare_cancel(s->prepare);
	start_free(s->start);
	set_busy(s, PLAN_IDLE);
	free(s->container_name);
	free(s->id);
	free(s);
}

void step_done(struct step *s)
{
	struct pod *p = s->pod;

	step_free(s);
	podobserve_refresh(p->env->observe, p->uid);
	pod_wake(p);
}

/* Only what has no effect under way in the runtime may be dropped silently; the rest is looked at.
 */
void podstep_cancel_all(struct pod *p)
{
	while (p->steps)
		step_free(p->steps);
}

static bool cancels_with_life(const struct step *s)
{
	return s->kind == PLAN_START_CONTAINER || s->kind == PLAN_PREPARE;
}

void podstep_cancel_starting(struct pod *p)
{
	for (struct step *s = p->steps, *next; s; s = next) {
		next = s->next;
		/* a container that is being made is waited for: its record must be known. So is a
		 * job on the pod's directory: it would undo the removal, or mount into it */
		if (cancels_with_life(s) && !s->in_runtime && !s->files && !s->prepare)
			step_done(s);
	}
}

void podstep_cancel_stopping(struct pod *p)
{
	p->terminate_by_usec = clock_mono_usec() + podspec_grace_sec(p->spec) * USEC_PER_SEC;
	for (struct step *s = p->steps, *next; s; s = next) {
		next = s->next;
		if (s->kind == PLAN_KILL_CONTAINER)
			step_done(s);
	}
}

/* Delay after `failures` failures in a row. */
static int64_t retry_delay(unsigned failures)
{
	int64_t d = RETRY_BASE_USEC;

	while (--failures && d < RETRY_MAX_USEC)
		d *= 2;
	return d < RETRY_MAX_USEC ? d : RETRY_MAX_USEC;
}

/* --- sandboxes --- */

static void sandbox_failed(struct step *s, const struct err *e)
{
	struct pod *p = s->pod;

	p->sandbox_failures++;
	p->sandbox_not_before_usec = clock_mono_usec() + retry_delay(p->sandbox_failures);
	log_err_warning(e, "pod %s/%s: %s", p->spec->ns, p->spec->name, plan_action_name(s->kind));
	if (s->kind == PLAN_CREATE_SANDBOX)
		pod_event(p, "Warning", "FailedCreatePodSandBox",
			  "Failed to create pod sandbox: rpc error: code = Unknown desc = %s",
			  e->text);
	pod_wake_at(p, p->sandbox_not_before_usec);
}

static void on_sandbox_created(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;

	s->rpc = NULL;
	proto_free(reply);
	if (e)
		sandbox_failed(s, e);
	else
		s->pod->sandbox_failures = 0;
	step_done(s);
}

static void start_create_sandbox(struct step *s)
{
	struct pod *p = s->pod;
	AUTO_PROTO Cri__RunPodSandboxRequest *req =
	    proto_new(&cri__run_pod_sandbox_request__descriptor);
	struct dns_warning warning = { 0 };
	const char *handler;
	struct err e;

	if (p->env->read_resolv_conf(p->env->node_ctx, &e) < 0 ||
	    podconfig_sandbox(p->spec, p->env->node, s->attempt, &req->config, &warning, &e) < 0 ||
	    pod_runtime_handler(p, &handler, &e) < 0) {
		sandbox_failed(s, &e);
		step_done(s);
		return;
	}
	if (warning.reason)
		pod_event(p, "Warning", warning.reason, "%s", warning.message);
	if (s->attempt)
		pod_event(p, "Normal", "SandboxChanged",
			  "Pod sandbox changed, it will be killed and re-created.");
	proto_set_str(&req->runtime_handler, handler);
	s->in_runtime = true;
	s->rpc = cri_call(p->env->cri, CRI_RUN_POD_SANDBOX, req, 0, on_sandbox_created, s);
}

/* Ends of stops and removals: an object that is gone already is what we want. */
static void on_gone(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;

	s->rpc = NULL;
	proto_free(reply);
	if (e && e->code != ERR_NOT_FOUND) {
		if (s->kind == PLAN_STOP_SANDBOX || s->kind == PLAN_REMOVE_SANDBOX)
			sandbox_failed(s, e);
		else
			log_err_warning(e, "pod %s/%s: %s", s->pod->spec->ns, s->pod->spec->name,
					plan_action_name(s->kind));
	}
	step_done(s);
}

static void start_stop_sandbox(struct step *s)
{
	AUTO_PROTO Cri__StopPodSandboxRequest *req =
	    proto_new(&cri__stop_pod_sandbox_request__descriptor);

	proto_set_str(&req->pod_sandbox_id, s->id);
	s->rpc = cri_call(s->pod->env->cri, CRI_STOP_POD_SANDBOX, req, 0, on_gone, s);
}

static void start_remove_sandbox(struct step *s)
{
	AUTO_PROTO Cri__RemovePodSandboxRequest *req =
	    proto_new(&cri__remove_pod_sandbox_request__descriptor);

	proto_set_str(&req->pod_sandbox_id, s->id);
	s->rpc = cri_call(s->pod->env->cri, CRI_REMOVE_POD_SANDBOX, req, 0, on_gone, s);
}

/* --- removal and resumption of containers --- */

static void start_remove_container(struct step *s)
{
	AUTO_PROTO Cri__RemoveContainerRequest *req =
	    proto_new(&cri__remove_container_request__descriptor);
	const struct podobs *obs = podobserve_get(s->pod->env->observe, s->pod->uid);
	const struct obs_container *c = obs ? podobs_by_id(obs, s->id) : NULL;

	if (c)
		containerlog_remove(obs, c);
	proto_set_str(&req->container_id, s->id);
	s->rpc = cri_call(s->pod->env->cri, CRI_REMOVE_CONTAINER, req, 0, on_gone, s);
}

static void on_resumed(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;
	struct pod_container *c = step_container(s);

	s->rpc = NULL;
	proto_free(reply);
	if (e && c)
		start_failed(s, "RunContainerError", e->text);
	else if (c)
		pod_container_event(s->pod, s->container, "Normal", "Started", "Container started");
	step_done(s);
}

static void start_resume(struct step *s)
{
	AUTO_PROTO Cri__StartContainerRequest *req =
	    proto_new(&cri__start_container_request__descriptor);

	proto_set_str(&req->container_id, s->id);
	s->in_runtime = true;
	s->rpc = cri_call(s->pod->env->cri, CRI_START_CONTAINER, req, 0, on_resumed, s);
}

/* --- stopping containers --- */

static const Core__Probe *probe_behind(const struct step *s, const Core__Container *c)
{
	if (!c)
		return NULL;
	return s->reason == KILL_LIVENESS  ? c->livenessprobe
	       : s->reason == KILL_STARTUP ? c->startupprobe
					   : NULL;
}

/* Seconds that this stop may take, as upstream's setTerminationGracePeriod. */
static int64_t stop_grace_sec(struct step *s)
{
	struct pod *p = s->pod;
	const Core__Container *c =
	    s->container >= 0 ? p->spec->containers[s->container].spec : NULL;
	const Core__Probe *probe = probe_behind(s, c);
	int64_t left;

	if (p->phase == POD_TERMINATING) {
		left = (p->terminate_by_usec - clock_mono_usec() + USEC_PER_SEC - 1) / USEC_PER_SEC;
		return left > 0 ? left : 0;
	}
	if (probe && probe->has_terminationgraceperiodseconds)
		return probe->terminationgraceperiodseconds;
	return podspec_grace_sec(p->spec);
}

static char *kill_message(const struct step *s)
{
	const char *name = s->container_name;
	const char *init =
	    s->container >= 0 && s->pod->spec->containers[s->container].kind <= CONTAINER_SIDECAR
		? "Init container"
		: "Container";
	const char *tail = s->will_restart ? ", will be restarted" : "";

	switch (s->reason) {
	case KILL_SPEC_CHANGED:
		return str_fmt("%s %s definition changed%s", init, name, tail);
	case KILL_LIVENESS:
		return str_fmt("%s %s failed liveness probe%s", init, name, tail);
	case KILL_STARTUP:
		return str_fmt("%s %s failed startup probe%s", init, name, tail);
	case KILL_UNKNOWN_STATE:
		return str_fmt("%s is in \"Unknown\" state, try killing it before restart", init);
	default:
		return str_fmt("Stopping container %s", str_or(name, "unknown"));
	}
}

static void send_stop(struct step *s)
{
	AUTO_PROTO Cri__StopContainerRequest *req =
	    proto_new(&cri__stop_container_request__descriptor);
	int64_t spent = (clock_mono_usec() - s->began_usec) / USEC_PER_SEC;
	int64_t grace = s->grace_sec - spent;

	if (grace < MIN_GRACE_SEC)
		grace = MIN_GRACE_SEC;
	proto_set_str(&req->container_id, s->id);
	req->timeout = grace;
	s->rpc = cri_call(s->pod->env->cri, CRI_STOP_CONTAINER, req, 0, on_gone, s);
}

static void on_prestop(void *ctx, const struct err *e)
{
	struct step *s = ctx;

	s->hook = NULL;
	if (e && step_container(s)) {
		log_err_warning(e, "preStop hook of %s in %s/%s", s->container_name,
				s->pod->spec->ns, s->pod->spec->name);
		pod_container_event(s->pod, s->container, "Warning", "FailedPreStopHook",
				    "PreStopHook failed");
	}
	send_stop(s);
}

static const char *pod_ip(struct pod *p)
{
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);
	const struct obs_sandbox *sandbox = obs ? podobs_sandbox(obs) : NULL;

	if (podspec_host_network(p->spec))
		return p->env->host_ips ? p->env->host_ips[0] : NULL;
	return sandbox && sandbox->ips ? sandbox->ips[0] : NULL;
}

const char *step_pod_ip(struct step *s)
{
	return pod_ip(s->pod);
}

static void start_kill(struct step *s)
{
	struct pod *p = s->pod;
	const struct container_spec *c =
	    s->container >= 0 ? &p->spec->containers[s->container] : NULL;
	AUTO_FREE char *message = kill_message(s);

	pod_container_event(p, s->container, "Normal", "Killing", "%s", message);
	s->grace_sec = stop_grace_sec(s);
	if (c && c->spec->lifecycle && c->spec->lifecycle->prestop && s->grace_sec > 0)
		s->hook = hooks_run(p->env->hooks, p->spec, c, s->id, pod_ip(p),
				    c->spec->lifecycle->prestop, s->grace_sec * USEC_PER_SEC,
				    on_prestop, s);
	else
		send_stop(s);
}

/* --- dispatch --- */

static void (*const starters[PLAN_ACTION_KIND_COUNT])(struct step *s) = {
	[PLAN_PREPARE] = prepare_begin,
	[PLAN_CREATE_SANDBOX] = start_create_sandbox,
	[PLAN_START_CONTAINER] = start_begin,
	[PLAN_RESUME_CONTAINER] = start_resume,
	[PLAN_KILL_CONTAINER] = start_kill,
	[PLAN_STOP_SANDBOX] = start_stop_sandbox,
	[PLAN_REMOVE_CONTAINER] = start_remove_container,
	[PLAN_REMOVE_SANDBOX] = start_remove_sandbox,
};

/* Containers outside the specification have no busy mark: their steps are found by id. */
static bool under_way(const struct pod *p, const struct plan_action *a)
{
	for (const struct step *s = p->steps; s; s = s->next) {
		if (s->kind == a->kind && a->id && str_eq(s->id, a->id))
			return true;
	}
	return false;
}

void podstep_start(struct pod *p, const struct plan_action *a)
{
	bool stops = a->kind == PLAN_KILL_CONTAINER || a->kind == PLAN_STOP_SANDBOX ||
		     a->kind == PLAN_REMOVE_CONTAINER || a->kind == PLAN_REMOVE_SANDBOX;
	struct step *s;

	if (!starters[a->kind] || under_way(p, a))
		return;
	log_v(3, "pod %s/%s: %s container=%s id=%.13s attempt=%u", p->spec->ns, p->spec->name,
	      plan_action_name(a->kind), a->container >= 0 ? p->containers[a->container].name : "",
	      a->id ? a->id : "", a->attempt);
	s = step_new(p, a);
	set_busy(s, stops ? PLAN_STOPPING : PLAN_STARTING);
	starters[a->kind](s);
}
