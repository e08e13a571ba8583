/* The status of one pod (contract in podstatus.h). Pure. */
#include "podstatus.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "containerstatus.h"
#include "podcondition.h"
#include "resource/resources.h"

bool podstatus_phase_terminal(const char *phase)
{
	return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

/* How many containers are in which state: the phase follows from these alone. */
struct tally {
	int pending_init, pending_sidecar, failed_init;
	int running, waiting, unknown;
	int stopped, stopped_for_good, succeeded;
};

static const Core__ContainerStateTerminated *last_end(const Core__ContainerStatus *c)
{
	if (c->state && c->state->terminated)
		return c->state->terminated;
	return c->laststate ? c->laststate->terminated : NULL;
}

static void tally_init(struct tally *t, const struct podspec *spec, const struct container_spec *c,
		       const Core__ContainerStatus *s)
{
	const Core__ContainerStateTerminated *end = s ? last_end(s) : NULL;

	if (!s || !s->state || s->state->running || !end)
		t->pending_init++;
	else if (end->exitcode && !podspec_should_restart(spec, c, end->exitcode))
		t->failed_init++;
	else if (s->state->waiting && !end->exitcode)
		t->pending_init++;
}

static void tally_sidecar(struct tally *t, const Core__ContainerStatus *s)
{
	if (!s || !s->state) {
		t->unknown++;
	} else if (s->state->running) {
		t->pending_sidecar += !s->started;
		t->running++;
	} else if (s->state->waiting && !last_end(s)) {
		t->pending_sidecar++;
		t->waiting++;
	}
}

static void tally_main(struct tally *t, const struct podspec *spec, const struct container_spec *c,
		       const Core__ContainerStatus *s)
{
	const Core__ContainerStateTerminated *end = s ? last_end(s) : NULL;

	if (!s || !s->state) {
		t->unknown++;
	} else if (s->state->running) {
		t->running++;
	} else if (end) {
		t->stopped++;
		t->succeeded += s->state->terminated && !end->exitcode;
		t->stopped_for_good += !podspec_should_restart(spec, c, end->exitcode);
	} else {
		t->waiting++;
	}
}

static struct tally count_containers(const struct podspec *spec, const Core__PodStatus *s)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < spec->n_init + spec->n_main; i++) {
		const struct container_spec *c = &spec->containers[i];
		const char *name = c->spec->name;

		if (c->kind == CONTAINER_INIT)
			tally_init(&t, spec, c,
				   containerstatus_find(s->initcontainerstatuses,
							s->n_initcontainerstatuses, name));
		else if (c->kind == CONTAINER_SIDECAR)
			tally_sidecar(&t, containerstatus_find(s->initcontainerstatuses,
							       s->n_initcontainerstatuses, name));
		else
			tally_main(&t, spec, c,
				   containerstatus_find(s->containerstatuses,
							s->n_containerstatuses, name));
	}
	return t;
}

static const char *phase_of(const struct status_input *in, const Core__PodStatus *s)
{
	struct tally t = count_containers(in->spec, s);
	bool initialized = podplan_initialized(in->spec, in->obs);
	bool terminal = in->phase >= POD_TERMINATED;

	if (t.failed_init)
		return "Failed";
	if (t.pending_init || (t.pending_sidecar && !initialized) || t.waiting)
		return "Pending";
	if (t.running && !t.unknown)
		return "Running";
	if (t.running || !t.stopped || t.unknown)
		return "Pending";
	if (!terminal && t.stopped != t.stopped_for_good)
		return "Running";
	return t.stopped == t.succeeded ? "Succeeded" : "Failed";
}

static bool may_run(const struct status_input *in)
{
	return in->phase < POD_TERMINATED &&
	       (podobs_any_running(in->obs) || in->phase == POD_TERMINATING);
}

/* Terminal phases never regress, and none is shown while a container may still hold resources. */
static void set_phase(const struct status_input *in, Core__PodStatus *s)
{
	const Core__PodStatus *api = in->spec->pod->status;
	const char *phase = phase_of(in, s);
	const char *old = str_or(in->old->phase, "Pending");

	if (in->failed_reason)
		phase = "Failed";
	if (podstatus_phase_terminal(old))
		phase = old;
	if (api && podstatus_phase_terminal(api->phase))
		phase = api->phase;
	if (podstatus_phase_terminal(phase) && !podstatus_phase_terminal(old) && may_run(in))
		phase = old;
	proto_set_str(&s->phase, phase);
	if (in->failed_reason) {
		proto_set_str(&s->reason, in->failed_reason);
		proto_set_str(&s->message, in->failed_message);
	} else if (str_eq(phase, in->old->phase)) {
		proto_set_str(&s->reason, in->old->reason);
		proto_set_str(&s->message, in->old->message);
	}
}

static bool is_v6(const char *ip)
{
	return strchr(ip, ':') != NULL;
}

static void push_pod_ip(Core__PodStatus *s, const char *ip)
{
	Core__PodIP *p = proto_new(&core__pod_ip__descriptor);

	proto_set_str(&p->ip, ip);
	proto_push(&s->n_podips, &s->podips, p);
	if (s->n_podips == 1)
		proto_set_str(&s->podip, ip);
}

/* The node's primary family comes first whatever order the runtime used. */
static void set_sandbox_ips(const struct status_input *in, Core__PodStatus *s)
{
	const struct obs_sandbox *sandbox = podobs_sandbox(in->obs);
	bool v6_first = in->host_ips && in->host_ips[0] && is_v6(in->host_ips[0]);

	for (int family = 0; sandbox && sandbox->ready && family < 2; family++) {
		for (size_t i = 0; sandbox->ips && sandbox->ips[i]; i++) {
			if (is_v6(sandbox->ips[i]) == (family ? !v6_first : v6_first))
				push_pod_ip(s, sandbox->ips[i]);
		}
	}
}

static void set_ips(const struct status_input *in, Core__PodStatus *s)
{
	set_sandbox_ips(in, s);
	for (size_t i = 0; in->host_ips && in->host_ips[i] && i < 2; i++) {
		Core__HostIP *h = proto_new(&core__host_ip__descriptor);

		proto_set_str(&h->ip, in->host_ips[i]);
		proto_push(&s->n_hostips, &s->hostips, h);
		if (i == 0)
			proto_set_str(&s->hostip, in->host_ips[i]);
		if (podspec_host_network(in->spec))
			push_pod_ip(s, in->host_ips[i]);
	}
	/* a pod that is over keeps the address it had */
	for (size_t i = 0; !s->n_podips && i < in->old->n_podips; i++)
		push_pod_ip(s, in->old->podips[i]->ip);
}

static void set_start_time(const struct status_input *in, Core__PodStatus *s)
{
	if (in->old->starttime) {
		s->starttime = proto_dup(in->old->starttime);
		return;
	}
	s->starttime = proto_new(&meta__time__descriptor);
	s->starttime->has_seconds = true;
	s->starttime->seconds = in->now_ns / 1000000000;
}

static void end_unseen(Core__ContainerStatus *c)
{
	Core__ContainerStateTerminated *t;

	if (c->state->terminated)
		return;
	t = proto_new(&core__container_state_terminated__descriptor);
	t->has_exitcode = true;
	t->exitcode = 137;
	proto_set_str(&t->reason, "ContainerStatusUnknown");
	proto_set_str(&t->message,
		      "The container could not be located when the pod was terminated");
	proto_free(c->state);
	c->state = proto_new(&core__container_state__descriptor);
	c->state->terminated = t;
}

static bool ever_started(const Core__ContainerStatus *c)
{
	return !c->state->waiting || (c->laststate && c->laststate->terminated);
}

/* Whether main containers may have run: upstream's hasPodInitialized. */
static bool may_have_run(const struct status_input *in, const Core__PodStatus *s)
{
	const Core__ContainerStatus *last;

	for (size_t i = 0; i < s->n_containerstatuses; i++) {
		if (ever_started(s->containerstatuses[i]))
			return true;
	}
	if (!in->spec->n_init)
		return true;
	last = s->initcontainerstatuses[s->n_initcontainerstatuses - 1];
	return last->state->terminated && last->state->terminated->exitcode == 0;
}

/* The pod is over: a container that was not seen to end has ended in a way nobody knows, and what
 * did not succeed has failed. Conditions stay as they were, but nothing is ready any more. */
static void close_status(const struct status_input *in, Core__PodStatus *s)
{
	size_t seen = 0;

	for (size_t i = 0; i < s->n_initcontainerstatuses; i++) {
		if (ever_started(s->initcontainerstatuses[i]))
			seen = i + 1;
	}
	if (may_have_run(in, s)) {
		for (size_t i = 0; i < s->n_containerstatuses; i++)
			end_unseen(s->containerstatuses[i]);
	}
	for (size_t i = 0; i < seen; i++)
		end_unseen(s->initcontainerstatuses[i]);
	if (podstatus_phase_terminal(s->phase))
		return;
	proto_set_str(&s->phase, "Failed");
	podcondition_not_ready(in, s, "PodFailed");
}

static void set_containers(const struct status_input *in, Core__PodStatus *s)
{
	const Core__PodStatus *old = in->old;
	size_t n_init = in->spec->n_init, n_main = in->spec->n_main;

	containerstatus_list(in, 0, n_init, old->initcontainerstatuses,
			     old->n_initcontainerstatuses, &s->n_initcontainerstatuses,
			     &s->initcontainerstatuses);
	containerstatus_list(in, n_init, n_main, old->containerstatuses, old->n_containerstatuses,
			     &s->n_containerstatuses, &s->containerstatuses);
	containerstatus_list(in, n_init + n_main, in->spec->n_containers - n_init - n_main,
			     old->ephemeralcontainerstatuses, old->n_ephemeralcontainerstatuses,
			     &s->n_ephemeralcontainerstatuses, &s->ephemeralcontainerstatuses);
}

/* A pod that was refused has no state of its own. */
static void set_rejection(const struct status_input *in, Core__PodStatus *s)
{
	proto_set_str(&s->phase, "Failed");
	proto_set_str(&s->reason, in->failed_reason);
	free(s->message);
	s->message = str_fmt("Pod was rejected: %s", in->failed_message);
}

/* A limit that some container lacks does not bound the pod. */
static void drop_limit(Core__ResourceRequirements *r, const char *name)
{
	for (size_t i = 0; i < r->n_limits; i++) {
		if (!str_eq(r->limits[i]->key, name))
			continue;
		proto_free(r->limits[i]);
		memmove(&r->limits[i], &r->limits[i + 1], (--r->n_limits - i) * sizeof(*r->limits));
		return;
	}
}

/* What all containers ask for together, and while the pod's cgroup is there what it grants. */
static void set_resources(const struct status_input *in, Core__PodStatus *s)
{
	const Core__PodSpec *spec = in->spec->pod->spec;
	struct amounts a;

	resources_sum_requests(spec, &core__pod_status__allocated_resources_entry__descriptor,
			       &s->n_allocatedresources, (void ***)&s->allocatedresources);
	s->resources = proto_new(&core__resource_requirements__descriptor);
	if (!podobs_sandbox(in->obs) || in->phase >= POD_TERMINATED)
		return;
	resources_sum_requests(spec, &core__resource_requirements__requests_entry__descriptor,
			       &s->resources->n_requests, (void ***)&s->resources->requests);
	resources_of_pod(spec, true, &a);
	resources_sum_limits(spec, &core__resource_requirements__limits_entry__descriptor,
			     &s->resources->n_limits, (void ***)&s->resources->limits);
	if (!a.has_cpu_limit)
		drop_limit(s->resources, "cpu");
	if (!a.has_memory_limit)
		drop_limit(s->resources, "memory");
}

static Core__PodStatus *make_open(const struct status_input *in)
{
	Core__PodStatus *s = proto_new(&core__pod_status__descriptor);
	const Meta__ObjectMeta *meta = in->spec->pod->metadata;

	set_start_time(in, s);
	proto_set_str(&s->qosclass, str_or(in->old->qosclass, in->qos_class));
	proto_set_str(&s->nominatednodename, in->old->nominatednodename);
	if (meta->has_generation) {
		s->has_observedgeneration = true;
		s->observedgeneration = meta->generation;
	}
	if (in->rejected) {
		set_rejection(in, s);
		return s;
	}
	set_ips(in, s);
	set_containers(in, s);
	set_resources(in, s);
	set_phase(in, s);
	podcondition_add_all(in, s);
	if (in->phase >= POD_TERMINATED)
		close_status(in, s);
	return s;
}

/* Nothing more happens to a pod that has ended and said so. */
static bool is_closed(const struct status_input *in)
{
	if (in->phase < POD_TERMINATED || !podstatus_phase_terminal(in->old->phase))
		return false;
	for (size_t i = 0; i < in->old->n_containerstatuses; i++) {
		const Core__ContainerState *state = in->old->containerstatuses[i]->state;

		if (state && state->running)
			return false;
	}
	return true;
}

Core__PodStatus *podstatus_make(const struct status_input *in)
{
	if (is_closed(in))
		return proto_dup(in->old);
	return make_open(in);
}

bool podstatus_equal(const Core__PodStatus *a, const Core__PodStatus *b)
{
	size_t na, nb;
	AUTO_FREE uint8_t *pa = proto_pack(a, &na);
	AUTO_FREE uint8_t *pb = proto_pack(b, &nb);

	return na == nb && !memcmp(pa, pb, na);
}
