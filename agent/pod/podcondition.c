/* Pod conditions (contract in podcondition.h). Pure. */
#include "podcondition.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "containerstatus.h"

static const char *const owned_types[] = {
	"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled",
};

const Core__PodCondition *podcondition_find(const Core__PodStatus *s, const char *type)
{
	for (size_t i = 0; i < s->n_conditions; i++) {
		if (str_eq(s->conditions[i]->type, type))
			return s->conditions[i];
	}
	return NULL;
}

static bool owned(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned_types); i++) {
		if (str_eq(owned_types[i], type))
			return true;
	}
	return false;
}

static void add(const struct status_input *in, Core__PodStatus *s, const char *type, bool status,
		const char *reason, const char *message)
{
	const Core__PodCondition *old = podcondition_find(in->old, type);
	Core__PodCondition *c = proto_new(&core__pod_condition__descriptor);
	const Meta__ObjectMeta *meta = in->spec->pod->metadata;

	proto_set_str(&c->type, type);
	proto_set_str(&c->status, status ? "True" : "False");
	if (!str_empty(reason))
		proto_set_str(&c->reason, reason);
	if (!str_empty(message))
		proto_set_str(&c->message, message);
	if (old && str_eq(old->status, c->status) && old->lasttransitiontime) {
		c->lasttransitiontime = proto_dup(old->lasttransitiontime);
	} else {
		c->lasttransitiontime = proto_new(&meta__time__descriptor);
		c->lasttransitiontime->has_seconds = true;
		c->lasttransitiontime->seconds = in->now_ns / 1000000000;
	}
	if (meta->has_generation) {
		c->has_observedgeneration = true;
		c->observedgeneration = meta->generation;
	}
	proto_push(&s->n_conditions, &s->conditions, c);
}

static const Core__ContainerStatus *status_of(const struct status_input *in,
					      const Core__PodStatus *s, size_t i)
{
	const char *name = in->spec->containers[i].spec->name;

	return i < in->spec->n_init
		   ? containerstatus_find(s->initcontainerstatuses, s->n_initcontainerstatuses,
					  name)
		   : containerstatus_find(s->containerstatuses, s->n_containerstatuses, name);
}

/* "what: [a b]" as Go prints a list of strings; nothing for an empty list. */
static void append_names(struct str *out, const char *what, char *const *names)
{
	if (!strv_len(names))
		return;
	str_printf(out, "%s%s: [", out->len ? ", " : "", what);
	for (size_t i = 0; names[i]; i++)
		str_printf(out, "%s%s", i ? " " : "", names[i]);
	str_append(out, "]");
}

struct readiness {
	bool ready;
	const char *reason;
	char *message;
};

static struct readiness containers_ready(const struct status_input *in, const Core__PodStatus *s)
{
	char **unknown = mem_calloc(1, sizeof(*unknown));
	char **unready = mem_calloc(1, sizeof(*unready));
	struct str message = { 0 };
	struct readiness r = { .ready = true };

	for (size_t i = 0; i < in->spec->n_init + in->spec->n_main; i++) {
		const Core__ContainerStatus *c = status_of(in, s, i);

		if (in->spec->containers[i].kind == CONTAINER_INIT)
			continue;
		if (!c)
			strv_push(&unknown, in->spec->containers[i].spec->name);
		else if (!c->ready)
			strv_push(&unready, in->spec->containers[i].spec->name);
	}
	append_names(&message, "containers with unknown status", unknown);
	append_names(&message, "containers with unready status", unready);
	if (message.len)
		r = (struct readiness){ false, "ContainersNotReady", NULL };
	if (str_eq(s->phase, "Failed") || (str_eq(s->phase, "Succeeded") && !unknown[0])) {
		r = (struct readiness){ false, s->phase[0] == 'F' ? "PodFailed" : "PodCompleted",
					NULL };
		str_fini(&message);
	}
	r.message = str_take(&message);
	strv_free(unknown);
	strv_free(unready);
	return r;
}

static char *unmet_gates(const struct status_input *in, const Core__PodStatus *s)
{
	const Core__PodSpec *spec = in->spec->pod->spec;
	struct str out = { 0 };

	for (size_t i = 0; i < spec->n_readinessgates; i++) {
		const char *type = spec->readinessgates[i]->conditiontype;
		const Core__PodCondition *c = podcondition_find(s, type);

		if (!c)
			str_printf(
			    &out,
			    "%scorresponding condition of pod readiness gate \"%s\" does not "
			    "exist.",
			    out.len ? ", " : "", type);
		else if (!str_eq(c->status, "True"))
			str_printf(&out,
				   "%sthe status of pod readiness gate \"%s\" is not \"True\", but "
				   "%s",
				   out.len ? ", " : "", type, c->status);
	}
	return str_take(&out);
}

static void add_ready(const struct status_input *in, Core__PodStatus *s)
{
	struct readiness r = containers_ready(in, s);
	AUTO_FREE char *message = r.message;
	AUTO_FREE char *gates = r.ready ? unmet_gates(in, s) : NULL;

	if (!str_empty(gates))
		add(in, s, "Ready", false, "ReadinessGatesNotReady", gates);
	else
		add(in, s, "Ready", r.ready, r.reason, message);
	add(in, s, "ContainersReady", r.ready, r.reason, message);
}

static bool init_over(const struct container_spec *c, const Core__ContainerStatus *status)
{
	return c->kind == CONTAINER_SIDECAR ? status->started : status->ready;
}

static bool any_main_started(const struct status_input *in, const Core__PodStatus *s)
{
	for (size_t i = in->spec->n_init; i < in->spec->n_init + in->spec->n_main; i++) {
		const Core__ContainerStatus *c = status_of(in, s, i);

		if (c && ((c->state && (c->state->running || c->state->terminated)) ||
			  (c->laststate && c->laststate->terminated)))
			return true;
	}
	return false;
}

static void add_initialized(const struct status_input *in, Core__PodStatus *s)
{
	char **unknown = mem_calloc(1, sizeof(*unknown));
	char **incomplete = mem_calloc(1, sizeof(*incomplete));
	AUTO_STR message = { 0 };

	for (size_t i = 0; i < in->spec->n_init; i++) {
		const Core__ContainerStatus *c = status_of(in, s, i);

		if (!c)
			strv_push(&unknown, in->spec->containers[i].spec->name);
		else if (!init_over(&in->spec->containers[i], c))
			strv_push(&incomplete, in->spec->containers[i].spec->name);
	}
	append_names(&message, "containers with unknown status", unknown);
	append_names(&message, "containers with incomplete status", incomplete);
	if (str_eq(s->phase, "Succeeded") && !unknown[0])
		add(in, s, "Initialized", true, "PodCompleted", NULL);
	else if (!message.len || any_main_started(in, s))
		add(in, s, "Initialized", true, NULL, NULL);
	else
		add(in, s, "Initialized", false, "ContainersNotInitialized", message.p);
	strv_free(unknown);
	strv_free(incomplete);
}

void podcondition_add_all(const struct status_input *in, Core__PodStatus *s)
{
	const Core__PodStatus *api = in->spec->pod->status;
	const char *sandbox = podplan_sandbox_changed(in->spec, in->obs, NULL);

	for (size_t i = 0; api && i < api->n_conditions; i++) {
		if (!owned(api->conditions[i]->type))
			proto_push(&s->n_conditions, &s->conditions, proto_dup(api->conditions[i]));
	}
	add(in, s, "PodReadyToStartContainers", !sandbox, sandbox ? "PodSandboxNotReady" : NULL,
	    sandbox);
	add_initialized(in, s);
	add_ready(in, s);
	add(in, s, "PodScheduled", true, NULL, NULL);
}

void podcondition_not_ready(const struct status_input *in, Core__PodStatus *s, const char *reason)
{
	for (size_t i = 0; i < s->n_conditions; i++) {
		Core__PodCondition *c = s->conditions[i];

		if ((!str_eq(c->type, "Ready") && !str_eq(c->type, "ContainersReady")) ||
		    !str_eq(c->status, "True"))
			continue;
		proto_set_str(&c->status, "False");
		proto_set_str(&c->reason, reason);
		c->lasttransitiontime->seconds = in->now_ns / 1000000000;
	}
}
