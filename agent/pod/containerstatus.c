/* ContainerStatus entries (contract in containerstatus.h). Pure. */
#include "containerstatus.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/quantity.h"
#include "podconfig.h"
#include "resource/resources.h"

enum { EXIT_CODE_UNKNOWN = 137 };

const Core__ContainerStatus *containerstatus_find(Core__ContainerStatus *const *items, size_t n,
						  const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(items[i]->name, name))
			return items[i];
	}
	return NULL;
}

/* API times carry whole seconds. */
static Meta__Time *seconds(int64_t since_epoch)
{
	Meta__Time *t = proto_new(&meta__time__descriptor);

	t->has_seconds = true;
	t->seconds = since_epoch;
	return t;
}

static Meta__Time *time_of(int64_t ns)
{
	return ns > 0 ? seconds(ns / 1000000000) : NULL;
}

static Core__ContainerState *new_state(void)
{
	return proto_new(&core__container_state__descriptor);
}

static Core__ContainerState *waiting_state(const char *reason, const char *message)
{
	Core__ContainerState *s = new_state();

	s->waiting = proto_new(&core__container_state_waiting__descriptor);
	proto_set_str(&s->waiting->reason, reason);
	if (!str_empty(message))
		proto_set_str(&s->waiting->message, message);
	return s;
}

static Core__ContainerState *terminated_state(int exit_code, const char *reason,
					      const char *message)
{
	Core__ContainerState *s = new_state();
	Core__ContainerStateTerminated *t;

	t = proto_new(&core__container_state_terminated__descriptor);
	t->has_exitcode = true;
	t->exitcode = exit_code;
	proto_set_str(&t->reason, reason);
	if (!str_empty(message))
		proto_set_str(&t->message, message);
	s->terminated = t;
	return s;
}

static char *container_id(const struct status_input *in, const struct obs_container *c)
{
	return str_fmt("%s://%s", in->runtime_name, c->id);
}

static const char *exit_reason(const struct obs_container *c)
{
	if (!str_empty(c->reason))
		return c->reason;
	return c->exit_code ? "Error" : "Completed";
}

/* What the runtime says of one instance; NULL when it has no state worth showing yet. */
static Core__ContainerState *observed_state(const struct status_input *in,
					    const struct obs_container *c)
{
	Core__ContainerState *s;

	switch (c->state) {
	case OBS_RUNNING:
		s = new_state();
		s->running = proto_new(&core__container_state_running__descriptor);
		s->running->startedat = time_of(c->started_ns);
		return s;
	case OBS_EXITED:
		s = terminated_state(c->exit_code, exit_reason(c), c->message);
		/* the epoch, as upstream, for one that ended without having started */
		s->terminated->startedat = seconds(c->started_ns / 1000000000);
		s->terminated->finishedat = time_of(c->finished_ns);
		s->terminated->containerid = container_id(in, c);
		return s;
	case OBS_UNKNOWN:
		s = terminated_state(EXIT_CODE_UNKNOWN, "ContainerStatusUnknown",
				     "The container could not be located when the pod was "
				     "terminated");
		s->terminated->containerid = container_id(in, c);
		return s;
	case OBS_CREATED:
		break;
	}
	return NULL;
}

static void replace_state(Core__ContainerState **field, Core__ContainerState *s)
{
	proto_free(*field);
	*field = s;
}

/* What the pod was first told of its mounts stays true for it. */
static void add_volume_mounts(const struct status_input *in, Core__ContainerStatus *s,
			      const Core__Container *c, const Core__ContainerStatus *old)
{
	bool recursive;

	for (size_t i = 0; old && i < old->n_volumemounts; i++)
		proto_push(&s->n_volumemounts, &s->volumemounts, proto_dup(old->volumemounts[i]));
	if (s->n_volumemounts)
		return;
	for (size_t i = 0; i < c->n_volumemounts; i++) {
		const Core__VolumeMount *m = c->volumemounts[i];
		Core__VolumeMountStatus *v = proto_new(&core__volume_mount_status__descriptor);

		proto_set_str(&v->name, m->name);
		proto_set_str(&v->mountpath, m->mountpath);
		v->has_readonly = true;
		v->readonly = m->readonly;
		podconfig_recursive_read_only(m, in->recursive_read_only, &recursive, NULL);
		if (m->readonly)
			proto_set_str(&v->recursivereadonly, recursive ? "Enabled" : "Disabled");
		proto_push(&s->n_volumemounts, &s->volumemounts, v);
	}
}

static void set_restart_count(Core__ContainerStatus *s, int32_t count)
{
	s->has_restartcount = true;
	s->restartcount = count;
}

/* The entry before the runtime is asked: waiting, with what the last status knew. */
static Core__ContainerStatus *default_status(const struct status_input *in,
					     const struct container_spec *c,
					     const Core__ContainerStatus *old)
{
	Core__ContainerStatus *s;

	if (old && old->state && old->state->terminated)
		return proto_dup(old);
	s = proto_new(&core__container_status__descriptor);
	proto_set_str(&s->name, c->spec->name);
	proto_set_str(&s->image, c->spec->image);
	proto_set_str(&s->imageid, "");
	s->state = waiting_state(in->spec->n_init ? "PodInitializing" : "ContainerCreating", NULL);
	s->laststate = old && old->laststate ? proto_dup(old->laststate) : new_state();
	s->has_ready = true;
	set_restart_count(s, old ? old->restartcount : 0);
	add_volume_mounts(in, s, c->spec, NULL);
	return s;
}

/* A container that ran and has no record in the runtime any more ended in a way nobody saw. */
static void infer_lost(const struct status_input *in, Core__ContainerStatus *s,
		       const Core__ContainerStatus *old)
{
	if (!old || !old->state || !old->state->running)
		return;
	if (!s->state->waiting || (s->laststate && s->laststate->terminated))
		return;
	replace_state(&s->laststate,
		      terminated_state(EXIT_CODE_UNKNOWN, "ContainerStatusUnknown",
				       "The container could not be located when the pod was "
				       "deleted.  The container used to be Running"));
	if (!in->spec->pod->metadata->deletiontimestamp)
		set_restart_count(s, s->restartcount + 1);
}

/* A running container shows what the runtime holds it to, which may be the pod's limit; below what
 * the kernel can express the specification's amount stays. */
static void show_limits(Core__ResourceRequirements *r, const struct obs_container *c)
{
	const ProtobufCMessageDescriptor *type =
	    &core__resource_requirements__limits_entry__descriptor;
	int64_t milli =
	    c->cpu_period > 0 && c->cpu_quota > 0 ? c->cpu_quota * 1000 / c->cpu_period : 0;
	struct quantity cpu = quantity_of_milli(milli, QUANTITY_DECIMAL);
	struct quantity memory = quantity_of(c->memory_limit, QUANTITY_BINARY);
	bool telling = milli > CPU_LIMIT_MIN_MILLI ||
		       resources_milli(resources_limit(r, "cpu")) > CPU_LIMIT_MIN_MILLI;

	if (r->n_limits && milli > 0 && telling)
		resources_set(type, &r->n_limits, (void ***)&r->limits, "cpu", &cpu);
	if (r->n_limits && c->memory_limit > 0)
		resources_set(type, &r->n_limits, (void ***)&r->limits, "memory", &memory);
}

static void show_requests(Core__ResourceRequirements *r, const struct obs_container *c)
{
	int64_t milli = (c->cpu_shares * 1000 + CPU_SHARES_PER_CPU - 1) / CPU_SHARES_PER_CPU;
	struct quantity cpu = quantity_of_milli(milli, QUANTITY_DECIMAL);
	bool telling =
	    milli > CPU_SHARES_MIN || resources_milli(resources_request(r, "cpu")) > CPU_SHARES_MIN;

	if (r->n_requests && c->cpu_shares > 0 && telling)
		resources_set(&core__resource_requirements__requests_entry__descriptor,
			      &r->n_requests, (void ***)&r->requests, "cpu", &cpu);
}

static void add_resources(Core__ContainerStatus *s, const Core__Container *c,
			  const struct obs_container *instance)
{
	const Core__ResourceRequirements *r = c->resources;

	s->resources = r ? proto_dup(r) : proto_new(&core__resource_requirements__descriptor);
	for (size_t i = 0; r && i < r->n_requests; i++)
		proto_push(&s->n_allocatedresources, &s->allocatedresources, NULL);
	for (size_t i = 0; r && i < r->n_requests; i++) {
		Core__ContainerStatus__AllocatedResourcesEntry *e =
		    proto_new(&core__container_status__allocated_resources_entry__descriptor);

		proto_set_str(&e->key, r->requests[i]->key);
		e->value = proto_dup(r->requests[i]->value);
		s->allocatedresources[i] = e;
	}
	if (instance->state != OBS_RUNNING)
		return;
	show_limits(s->resources, instance);
	show_requests(s->resources, instance);
}

static void add_user(Core__ContainerStatus *s, const struct obs_container *c)
{
	Core__LinuxContainerUser *u;

	if (!c->has_user)
		return;
	u = proto_new(&core__linux_container_user__descriptor);
	u->has_uid = u->has_gid = true;
	u->uid = c->uid;
	u->gid = c->gid;
	u->n_supplementalgroups = c->n_groups;
	u->supplementalgroups = mem_dup(c->groups, c->n_groups * sizeof(*c->groups));
	s->user = proto_new(&core__container_user__descriptor);
	s->user->linux = u;
}

/* The entry as the runtime's newest instance of the container gives it. */
static Core__ContainerStatus *observed_status(const struct status_input *in,
					      const struct container_spec *c,
					      const struct obs_container *latest,
					      const Core__ContainerStatus *old)
{
	Core__ContainerStatus *s = proto_new(&core__container_status__descriptor);
	const struct obs_container *previous = podobs_previous(in->obs, c->spec->name);
	int32_t count = (int32_t)latest->restart_count;

	proto_set_str(&s->name, c->spec->name);
	proto_set_str(&s->image, str_or(latest->image, c->spec->image));
	proto_set_str(&s->imageid, str_or(latest->image_ref, ""));
	s->containerid = container_id(in, latest);
	s->has_ready = true;
	set_restart_count(s, old && old->restartcount > count ? old->restartcount : count);
	s->state = observed_state(in, latest);
	if (!s->state)
		s->state =
		    waiting_state(in->spec->n_init ? "PodInitializing" : "ContainerCreating", NULL);
	if (previous && previous != latest && previous->state == OBS_EXITED)
		s->laststate = observed_state(in, previous);
	else if (old && !str_eq(old->containerid, s->containerid) && old->state &&
		 old->state->terminated)
		s->laststate = proto_dup(old->state);
	else
		s->laststate = old && old->laststate ? proto_dup(old->laststate) : new_state();
	add_volume_mounts(in, s, c->spec, old);
	add_resources(s, c->spec, latest);
	add_user(s, latest);
	if (old && old->has_started && latest->state == OBS_RUNNING) {
		s->has_started = true;
		s->started = old->started;
	}
	return s;
}

static bool any_main_created(const struct status_input *in)
{
	for (size_t i = in->spec->n_init; i < in->spec->n_init + in->spec->n_main; i++) {
		if (podobs_latest(in->obs, in->spec->containers[i].spec->name))
			return true;
	}
	return false;
}

/* Init containers that are over stay over, also when their records are gone. Returns true when that
 * settles the entry. */
static bool settle_init(const struct status_input *in, size_t i, Core__ContainerStatus *s)
{
	const struct container_spec *c = &in->spec->containers[i];
	const struct obs_container *latest = podobs_latest(in->obs, c->spec->name);

	if (latest && latest->state == OBS_EXITED && latest->exit_code == 0 &&
	    c->kind == CONTAINER_INIT)
		return true;
	if (latest || c->kind != CONTAINER_INIT || !s->state->waiting || !any_main_created(in))
		return false;
	replace_state(&s->state, terminated_state(
				     0, "Completed",
				     "Unable to get init container status from container runtime "
				     "and pod has been initialized, treat it as exited normally"));
	return true;
}

/* A container that failed to start shows why instead of its last end. */
static void apply_waiting_reason(const struct status_input *in, size_t i, Core__ContainerStatus *s)
{
	const struct status_container *facts = &in->containers[i];

	if (!facts->waiting_reason || in->phase != POD_SYNC ||
	    !podplan_wants_start(in->spec, in->obs, i))
		return;
	if (s->state->terminated) {
		replace_state(&s->laststate, s->state);
		s->state = NULL;
	}
	replace_state(&s->state, waiting_state(facts->waiting_reason, facts->waiting_message));
}

static bool started(const struct status_input *in, size_t i, const Core__ContainerStatus *s)
{
	const struct status_container *facts = &in->containers[i];

	if (!s->state->running)
		return false;
	if (facts->startup != VERDICT_UNKNOWN)
		return facts->startup == VERDICT_SUCCESS;
	if (s->has_started && s->started)
		return true;
	return !in->spec->containers[i].spec->startupprobe;
}

static bool pod_was_ready(const struct status_input *in)
{
	for (size_t i = 0; i < in->old->n_conditions; i++) {
		if (str_eq(in->old->conditions[i]->type, "Ready"))
			return str_eq(in->old->conditions[i]->status, "True");
	}
	return false;
}

static bool ready(const struct status_input *in, size_t i, const Core__ContainerStatus *old)
{
	const struct container_spec *c = &in->spec->containers[i];
	const struct obs_container *latest = podobs_latest(in->obs, c->spec->name);

	if (!c->spec->readinessprobe)
		return true;
	if (in->containers[i].readiness != VERDICT_UNKNOWN)
		return in->containers[i].readiness == VERDICT_SUCCESS;
	/* until the first probe after a restart of the agent, what the API says stays true */
	return latest && latest->started_ns < in->agent_start_ns && old && old->ready &&
	       pod_was_ready(in);
}

static void apply_probes(const struct status_input *in, size_t i, Core__ContainerStatus *s,
			 const Core__ContainerStatus *old)
{
	const struct container_spec *c = &in->spec->containers[i];

	if (c->kind == CONTAINER_EPHEMERAL)
		return;
	s->started = started(in, i, s);
	s->has_started = true;
	if (c->kind == CONTAINER_INIT)
		s->ready = s->state->terminated && s->state->terminated->exitcode == 0;
	else
		s->ready = s->started && ready(in, i, old);
}

/* An instance that was made but never started shows nothing yet: the one before it still counts. */
static const struct obs_container *shown(const struct status_input *in, const char *name)
{
	const struct obs_container *latest = podobs_latest(in->obs, name);
	const struct obs_container *previous = podobs_previous(in->obs, name);

	return latest && latest->state == OBS_CREATED && previous ? previous : latest;
}

static Core__ContainerStatus *one_status(const struct status_input *in, size_t i,
					 const Core__ContainerStatus *old)
{
	const struct container_spec *c = &in->spec->containers[i];
	const struct obs_container *latest = shown(in, c->spec->name);
	Core__ContainerStatus *s;

	if (latest) {
		s = observed_status(in, c, latest, old);
	} else {
		s = default_status(in, c, old);
		infer_lost(in, s, old);
	}
	if (!(i < in->spec->n_init && settle_init(in, i, s)))
		apply_waiting_reason(in, i, s);
	apply_probes(in, i, s, old);
	return s;
}

static int by_name(const void *a, const void *b)
{
	const Core__ContainerStatus *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void containerstatus_list(const struct status_input *in, size_t first, size_t count,
			  Core__ContainerStatus *const *old, size_t n_old, size_t *ret_n,
			  Core__ContainerStatus ***ret_items)
{
	for (size_t i = first; i < first + count; i++) {
		const char *name = in->spec->containers[i].spec->name;
		Core__ContainerStatus *s =
		    one_status(in, i, containerstatus_find(old, n_old, name));

		proto_push(ret_n, ret_items, s);
	}
	if (*ret_n > 1 && first >= in->spec->n_init)
		qsort(*ret_items, *ret_n, sizeof(**ret_items), by_name);
}
