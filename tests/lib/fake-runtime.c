/* The strict runtime model (contract in fake-runtime.h). Pure. */
#include "fake-runtime.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/vec.h"

enum { NSEC_PER_USEC_INT = 1000, USEC_IN_MSEC = 1000, USEC_IN_SEC = 1000000, KILLED = 137 };

enum behaviour { BEHAVE_RUN, BEHAVE_STUBBORN, BEHAVE_EXIT };

struct sandbox {
	char *id, *handler;
	Cri__PodSandboxConfig *config;
	bool ready, unannounced; /* unannounced: the caller was never told of it */
	int64_t created_usec;
	unsigned address;
};

struct container {
	char *id, *image_id;
	struct sandbox *sandbox;
	Cri__ContainerConfig *config;
	Cri__ContainerState state;
	bool unannounced;
	enum behaviour behaviour;
	int exit_code;
	int64_t lifetime_usec; /* of BEHAVE_EXIT */
	bool out_of_memory;
	int64_t created_usec, started_usec, finished_usec;
	int64_t ends_usec; /* < 0: not by itself */
};

struct plan {
	struct fake_fault fault;
	char *text;
	unsigned seen;
};

struct fake_runtime {
	int64_t now_usec;
	unsigned next_id;
	VEC(struct sandbox *) sandboxes;
	VEC(struct container *) containers;
	VEC(Cri__ContainerEventResponse *) events;
	VEC(struct plan) plans;
	char **images, **breaches, **removed;
	unsigned lose_events;
	unsigned calls[CRI_RPC_COUNT];
	bool runtime_ready, network_ready, systemd_cgroups;
	bool unannounced; /* the reply of the call in hand will not arrive */
};

/* ---- small things ---- */

static void breach(struct fake_runtime *rt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void breach(struct fake_runtime *rt, const char *fmt, ...)
{
	AUTO_STR text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_push(&rt->breaches, str_text(&text));
}

enum { NOT_FOUND = 5, INVALID = 3, UNKNOWN = 2, UNIMPLEMENTED = 12 };

static void *fail(struct err *e, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void *fail(struct err *e, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, status == NOT_FOUND ? ERR_NOT_FOUND : ERR_REMOTE, fmt, ap);
	va_end(ap);
	e->os = -status;
	return NULL;
}

static char *new_id(struct fake_runtime *rt, const char *kind)
{
	/* as long as containerd's, told apart by their end */
	return str_fmt("%s%0*u", kind, 64 - (int)strlen(kind), ++rt->next_id);
}

static void *reply(enum cri_rpc rpc)
{
	return proto_new(cri_reply_type(rpc));
}

static struct sandbox *find_sandbox(const struct fake_runtime *rt, const char *id)
{
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		if (str_eq(rt->sandboxes.v[i]->id, id))
			return rt->sandboxes.v[i];
	return NULL;
}

static struct container *find_container(const struct fake_runtime *rt, const char *id)
{
	for (size_t i = 0; i < rt->containers.n; i++)
		if (str_eq(rt->containers.v[i]->id, id))
			return rt->containers.v[i];
	return NULL;
}

/* An id that was never given out is the caller's fault; one that is gone is not. */
static void check_id(struct fake_runtime *rt, const char *what, const char *id)
{
	if (!strv_has(rt->removed, id))
		breach(rt, "%s names \"%s\", which never was", what, id);
}

static void sandbox_free(struct sandbox *s)
{
	free(s->id);
	free(s->handler);
	proto_free(s->config);
	free(s);
}

static void container_free(struct container *c)
{
	free(c->id);
	free(c->image_id);
	proto_free(c->config);
	free(c);
}

/* Copies of the maps in a config: the entry types differ by name only. */
static size_t copy_map(size_t n, void *from, void *to)
{
	void **entries = mem_calloc(n, sizeof(*entries));

	for (size_t i = 0; i < n; i++)
		entries[i] = proto_dup((*(void ***)from)[i]);
	*(void ***)to = entries;
	return n;
}

/* Entries of a foreign map type with the same fields: key, value. */
static size_t convert_map(const ProtobufCMessageDescriptor *type, size_t n, void *from, void *to)
{
	Cri__ContainerConfig__LabelsEntry **in = *(Cri__ContainerConfig__LabelsEntry ***)from,
					  **out;

	copy_map(n, &in, to);
	out = *(Cri__ContainerConfig__LabelsEntry ***)to;
	for (size_t i = 0; i < n; i++)
		out[i]->base.descriptor = type;
	return n;
}

#define CONVERT(to, from, map, type) \
	((to)->n_##map = convert_map(&cri__##type##__##map##_entry__descriptor, (from)->n_##map, \
				     (void *)&(from)->map, (void *)&(to)->map))

/* ---- statuses ---- */

static Cri__PodSandboxStatus *sandbox_status(const struct sandbox *s)
{
	Cri__PodSandboxStatus *st = proto_new(&cri__pod_sandbox_status__descriptor);
	AUTO_FREE char *ip = str_fmt("10.88.%u.%u", s->address / 250, s->address % 250 + 2);

	proto_set_str(&st->id, s->id);
	st->metadata = proto_dup(s->config->metadata);
	st->state = s->ready ? CRI__POD_SANDBOX_STATE__SANDBOX_READY
			     : CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
	st->created_at = s->created_usec * NSEC_PER_USEC_INT;
	st->network = proto_new(&cri__pod_sandbox_network_status__descriptor);
	if (s->ready)
		proto_set_str(&st->network->ip, ip);
	if (s->config->linux && s->config->linux->security_context &&
	    s->config->linux->security_context->namespace_options) {
		st->linux = proto_new(&cri__linux_pod_sandbox_status__descriptor);
		st->linux->namespaces = proto_new(&cri__namespace__descriptor);
		st->linux->namespaces->options =
		    proto_dup(s->config->linux->security_context->namespace_options);
		if (st->linux->namespaces->options->network == CRI__NAMESPACE_MODE__NODE)
			proto_set_str(&st->network->ip, "");
	}
	CONVERT(st, s->config, labels, pod_sandbox_status);
	CONVERT(st, s->config, annotations, pod_sandbox_status);
	proto_set_str(&st->runtime_handler, s->handler);
	return st;
}

/* As containerd: the kernel's word on it arrives a little after the end. */
static bool knows_out_of_memory(const struct fake_runtime *rt, const struct container *c)
{
	return c->out_of_memory && rt->now_usec - c->finished_usec > 300 * USEC_IN_MSEC;
}

static Cri__ContainerStatus *container_status(const struct fake_runtime *rt,
					      const struct container *c)
{
	Cri__ContainerStatus *st = proto_new(&cri__container_status__descriptor);
	AUTO_FREE char *log =
	    str_fmt("%s/%s", c->sandbox->config->log_directory, c->config->log_path);

	proto_set_str(&st->id, c->id);
	st->metadata = proto_dup(c->config->metadata);
	st->state = c->state;
	st->created_at = c->created_usec * NSEC_PER_USEC_INT;
	st->started_at = c->started_usec * NSEC_PER_USEC_INT;
	if (c->state == CRI__CONTAINER_STATE__CONTAINER_EXITED) {
		st->finished_at = c->finished_usec * NSEC_PER_USEC_INT;
		st->exit_code = c->exit_code;
		proto_set_str(&st->reason, !c->exit_code                ? "Completed"
					   : knows_out_of_memory(rt, c) ? "OOMKilled"
									: "Error");
	}
	st->image = proto_dup(c->config->image);
	proto_set_str(&st->image_ref, c->image_id);
	proto_set_str(&st->image_id, c->image_id);
	CONVERT(st, c->config, labels, container_status);
	CONVERT(st, c->config, annotations, container_status);
	st->n_mounts =
	    copy_map(c->config->n_mounts, (void *)&c->config->mounts, (void *)&st->mounts);
	proto_set_str(&st->log_path, log);
	return st;
}

static void announce(struct fake_runtime *rt, const char *id, Cri__ContainerEventType type,
		     const struct sandbox *s)
{
	Cri__ContainerEventResponse *e;

	if (rt->lose_events) {
		rt->lose_events--;
		return;
	}
	e = proto_new(&cri__container_event_response__descriptor);
	proto_set_str(&e->container_id, id);
	e->container_event_type = type;
	e->created_at = rt->now_usec * NSEC_PER_USEC_INT;
	e->pod_sandbox_status = sandbox_status(s);
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s)
			proto_push(&e->n_containers_statuses, &e->containers_statuses,
				   container_status(rt, rt->containers.v[i]));
	vec_push(&rt->events, e);
}

Cri__ContainerEventResponse *fake_runtime_take_event(struct fake_runtime *rt)
{
	Cri__ContainerEventResponse *e;

	if (!rt->events.n)
		return NULL;
	e = rt->events.v[0];
	vec_remove(&rt->events, 0);
	return e;
}

static void end_container(struct fake_runtime *rt, struct container *c, int exit_code)
{
	c->state = CRI__CONTAINER_STATE__CONTAINER_EXITED;
	c->exit_code = exit_code;
	c->finished_usec = rt->now_usec;
	c->ends_usec = -1;
	announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, c->sandbox);
}

static bool running(const struct container *c)
{
	return c->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
}

/* ---- sandboxes ---- */

static const char *label(size_t n, void *map, const char *key)
{
	Cri__ContainerConfig__LabelsEntry **entries = *(Cri__ContainerConfig__LabelsEntry ***)map;

	for (size_t i = 0; i < n; i++)
		if (str_eq(entries[i]->key, key))
			return entries[i]->value;
	return "";
}

static bool same_pod(const Cri__PodSandboxMetadata *a, const Cri__PodSandboxMetadata *b)
{
	return str_eq(a->name, b->name) && str_eq(a->namespace_, b->namespace_) &&
	       str_eq(a->uid, b->uid);
}

static char *sandbox_name(const Cri__PodSandboxMetadata *m)
{
	return str_fmt("%s_%s_%s_%u", m->name, m->namespace_, m->uid, m->attempt);
}

static bool check_sandbox_config(struct fake_runtime *rt, const Cri__PodSandboxConfig *c)
{
	const Cri__PodSandboxMetadata *m = c ? c->metadata : NULL;

	if (!m || str_empty(m->name) || str_empty(m->namespace_) || str_empty(m->uid)) {
		breach(rt, "RunPodSandbox without name, namespace or uid");
		return false;
	}
	if (!str_eq(label(c->n_labels, (void *)&c->labels, "io.kubernetes.pod.uid"), m->uid))
		breach(rt, "sandbox of pod %s lacks its uid label", m->name);
	if (str_empty(c->log_directory))
		breach(rt, "sandbox of pod %s has no log directory", m->name);
	return true;
}

static void *run_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RunPodSandboxRequest *q = request;
	Cri__RunPodSandboxResponse *r;
	AUTO_FREE char *name = NULL;
	struct sandbox *s;

	if (!check_sandbox_config(rt, q->config))
		return fail(e, INVALID, "invalid sandbox config");
	name = sandbox_name(q->config->metadata);
	for (size_t i = 0; i < rt->sandboxes.n; i++) {
		struct sandbox *other = rt->sandboxes.v[i];
		AUTO_FREE char *taken = sandbox_name(other->config->metadata);

		if (str_eq(name, taken)) {
			if (!other->unannounced)
				breach(rt, "sandbox name %s used twice", name);
			return fail(e, UNKNOWN,
				    "failed to reserve sandbox name \"%s\": name \"%s\" is "
				    "reserved for \"%s\"",
				    name, name, other->id);
		}
		if (other->ready && same_pod(other->config->metadata, q->config->metadata))
			breach(rt, "second ready sandbox for pod %s", q->config->metadata->name);
	}
	s = NEW(struct sandbox);
	s->id = new_id(rt, "5");
	s->handler = mem_strdup(q->runtime_handler);
	s->config = proto_dup(q->config);
	s->ready = true;
	s->unannounced = rt->unannounced;
	s->created_usec = rt->now_usec;
	s->address = rt->next_id;
	vec_push(&rt->sandboxes, s);
	announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT, s);
	announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT, s);
	r = reply(CRI_RUN_POD_SANDBOX);
	proto_set_str(&r->pod_sandbox_id, s->id);
	return r;
}

static void *stop_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__StopPodSandboxRequest *q = request;
	struct sandbox *s = find_sandbox(rt, q->pod_sandbox_id);

	(void)e;
	if (!s) {
		check_id(rt, "StopPodSandbox", q->pod_sandbox_id);
		return reply(CRI_STOP_POD_SANDBOX);
	}
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s && running(rt->containers.v[i])) {
			breach(rt, "StopPodSandbox while container %s of pod %s runs",
			       rt->containers.v[i]->config->metadata->name,
			       s->config->metadata->name);
			end_container(rt, rt->containers.v[i], KILLED);
		}
	if (s->ready) {
		s->ready = false;
		announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, s);
	}
	return reply(CRI_STOP_POD_SANDBOX);
}

static void drop_container(struct fake_runtime *rt, size_t i)
{
	struct container *c = rt->containers.v[i];

	strv_push(&rt->removed, c->id);
	vec_remove(&rt->containers, i);
	announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT, c->sandbox);
	container_free(c);
}

static void *remove_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemovePodSandboxRequest *q = request;
	struct sandbox *s = find_sandbox(rt, q->pod_sandbox_id);

	(void)e;
	if (!s) {
		check_id(rt, "RemovePodSandbox", q->pod_sandbox_id);
		return reply(CRI_REMOVE_POD_SANDBOX);
	}
	if (s->ready)
		breach(rt, "RemovePodSandbox of a ready sandbox of pod %s",
		       s->config->metadata->name);
	for (size_t i = rt->containers.n; i-- > 0;)
		if (rt->containers.v[i]->sandbox == s)
			drop_container(rt, i);
	strv_push(&rt->removed, s->id);
	announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT, s);
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		if (rt->sandboxes.v[i] == s) {
			vec_remove(&rt->sandboxes, i);
			break;
		}
	sandbox_free(s);
	return reply(CRI_REMOVE_POD_SANDBOX);
}

static void *status_of_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__PodSandboxStatusRequest *q = request;
	const struct sandbox *s = find_sandbox(rt, q->pod_sandbox_id);
	Cri__PodSandboxStatusResponse *r;

	if (!s) {
		check_id(rt, "PodSandboxStatus", q->pod_sandbox_id);
		return fail(e, NOT_FOUND, "an error occurred when try to find sandbox: not found");
	}
	r = reply(CRI_POD_SANDBOX_STATUS);
	r->status = sandbox_status(s);
	return r;
}

/* Every pair of the selector is in the labels. */
static bool selected(size_t n_want, void *want, size_t n_have, void *have)
{
	Cri__ContainerConfig__LabelsEntry **w = *(Cri__ContainerConfig__LabelsEntry ***)want;

	for (size_t i = 0; i < n_want; i++)
		if (!str_eq(label(n_have, have, w[i]->key), w[i]->value))
			return false;
	return true;
}

static bool sandbox_listed(const struct sandbox *s, const Cri__PodSandboxFilter *f)
{
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_starts(s->id, f->id))
		return false;
	if (f->state && (f->state->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY) != s->ready)
		return false;
	return selected(f->n_label_selector, (void *)&f->label_selector, s->config->n_labels,
			(void *)&s->config->labels);
}

static void *list_sandboxes(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ListPodSandboxRequest *q = request;
	Cri__ListPodSandboxResponse *r = reply(CRI_LIST_POD_SANDBOX);

	(void)e;
	for (size_t i = 0; i < rt->sandboxes.n; i++) {
		struct sandbox *s = rt->sandboxes.v[i];
		Cri__PodSandbox *item;

		if (!sandbox_listed(s, q->filter))
			continue;
		/* who lists it knows of it from now on */
		s->unannounced = false;
		item = proto_new(&cri__pod_sandbox__descriptor);
		proto_set_str(&item->id, s->id);
		item->metadata = proto_dup(s->config->metadata);
		item->state = s->ready ? CRI__POD_SANDBOX_STATE__SANDBOX_READY
				       : CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
		item->created_at = s->created_usec * NSEC_PER_USEC_INT;
		CONVERT(item, s->config, labels, pod_sandbox);
		CONVERT(item, s->config, annotations, pod_sandbox);
		proto_set_str(&item->runtime_handler, s->handler);
		proto_push(&r->n_items, &r->items, item);
	}
	return r;
}

/* ---- containers ---- */

/* "exit:3:200ms", "oom:200ms" */
static bool parse_exit(struct container *c, const char *text)
{
	int code = 0, msec = 0;

	c->out_of_memory = sscanf(text, "oom:%dms", &msec) == 1;
	if (c->out_of_memory)
		code = 137;
	else if (sscanf(text, "exit:%d:%dms", &code, &msec) < 1)
		return false;
	c->behaviour = BEHAVE_EXIT;
	c->exit_code = code;
	c->lifetime_usec = (int64_t)msec * USEC_IN_MSEC;
	return true;
}

static void script(struct container *c)
{
	const char *image = c->config->image->user_specified_image;
	const char *slash, *text;

	if (str_empty(image))
		image = c->config->image->image;
	slash = strrchr(image, '/');
	text = c->config->n_command ? c->config->command[0]
	       : c->config->n_args  ? c->config->args[0]
	       : slash              ? slash + 1
				    : image;
	if (str_starts(text, "stubborn"))
		c->behaviour = BEHAVE_STUBBORN;
	else if (!parse_exit(c, text))
		c->behaviour = BEHAVE_RUN;
}

static char *image_id_of(const char *name)
{
	unsigned long long h = 14695981039346656037ull;

	if (str_starts(name, "sha256:"))
		return mem_strdup(name);
	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	return str_fmt("sha256:%016llx%016llx%016llx%016llx", h, ~h, h * 3, h * 5);
}

static const char *find_image(const struct fake_runtime *rt, const char *name)
{
	AUTO_FREE char *id = image_id_of(name);

	for (size_t i = 0; rt->images && rt->images[i]; i++) {
		AUTO_FREE char *other = image_id_of(rt->images[i]);

		if (str_eq(rt->images[i], name) || str_eq(other, id))
			return rt->images[i];
	}
	return NULL;
}

static bool check_container_config(struct fake_runtime *rt, const Cri__CreateContainerRequest *q)
{
	const Cri__ContainerConfig *c = q->config;

	if (!c || !c->metadata || str_empty(c->metadata->name) || !c->image ||
	    str_empty(c->image->image)) {
		breach(rt, "CreateContainer without name or image");
		return false;
	}
	if (!q->sandbox_config || !q->sandbox_config->metadata)
		breach(rt, "CreateContainer %s without the sandbox's config", c->metadata->name);
	if (str_empty(c->log_path))
		breach(rt, "container %s has no log path", c->metadata->name);
	if (str_empty(label(c->n_labels, (void *)&c->labels, "io.kubernetes.pod.uid")) ||
	    !str_eq(label(c->n_labels, (void *)&c->labels, "io.kubernetes.container.name"),
		    c->metadata->name))
		breach(rt, "container %s lacks its labels", c->metadata->name);
	return true;
}

/* Returns false with e set when the name is taken in that sandbox. */
static bool check_copies(struct fake_runtime *rt, const struct sandbox *s,
			 const Cri__ContainerMetadata *m, struct err *e)
{
	for (size_t i = 0; i < rt->containers.n; i++) {
		const struct container *c = rt->containers.v[i];
		const Cri__ContainerMetadata *other = c->config->metadata;

		if (!str_eq(other->name, m->name) ||
		    !same_pod(c->sandbox->config->metadata, s->config->metadata))
			continue;
		/* the runtime's names hold the pod, not its sandbox */
		if (other->attempt == m->attempt) {
			if (!c->unannounced)
				breach(rt, "container name %s attempt %u used twice", m->name,
				       m->attempt);
			fail(e, UNKNOWN,
			     "failed to reserve container name \"%s\": name is reserved for \"%s\"",
			     m->name, c->id);
			return false;
		}
		if (running(c))
			breach(rt, "second copy of running container %s", m->name);
	}
	return true;
}

static void *create_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__CreateContainerRequest *q = request;
	struct sandbox *s = find_sandbox(rt, q->pod_sandbox_id);
	Cri__CreateContainerResponse *r;
	struct container *c;
	const char *image;

	if (!check_container_config(rt, q))
		return fail(e, INVALID, "invalid container config");
	if (!s) {
		check_id(rt, "CreateContainer", q->pod_sandbox_id);
		return fail(e, NOT_FOUND, "failed to find sandbox id \"%s\": not found",
			    q->pod_sandbox_id);
	}
	if (!s->ready) {
		breach(rt, "CreateContainer %s in a sandbox that is not ready",
		       q->config->metadata->name);
		return fail(e, UNKNOWN, "sandbox container \"%s\" is not running", s->id);
	}
	if (!check_copies(rt, s, q->config->metadata, e))
		return NULL;
	image = find_image(rt, q->config->image->image);
	if (!image) {
		breach(rt, "CreateContainer %s from image %s, which was never pulled",
		       q->config->metadata->name, q->config->image->image);
		return fail(e, NOT_FOUND, "failed to resolve image: not found");
	}
	c = NEW(struct container);
	c->id = new_id(rt, "c");
	c->image_id = image_id_of(image);
	c->sandbox = s;
	c->config = proto_dup(q->config);
	c->state = CRI__CONTAINER_STATE__CONTAINER_CREATED;
	c->created_usec = rt->now_usec;
	c->ends_usec = -1;
	c->unannounced = rt->unannounced;
	script(c);
	vec_push(&rt->containers, c);
	announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT, s);
	r = reply(CRI_CREATE_CONTAINER);
	proto_set_str(&r->container_id, c->id);
	return r;
}

static void *start_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__StartContainerRequest *q = request;
	struct container *c = find_container(rt, q->container_id);

	if (!c) {
		check_id(rt, "StartContainer", q->container_id);
		return fail(e, NOT_FOUND,
			    "an error occurred when try to find container: not found");
	}
	if (c->state != CRI__CONTAINER_STATE__CONTAINER_CREATED) {
		breach(rt, "StartContainer of %s, which is not in state created",
		       c->config->metadata->name);
		return fail(e, UNKNOWN, "container \"%s\" is not in created state", c->id);
	}
	if (!c->sandbox->ready) {
		breach(rt, "StartContainer of %s in a sandbox that is not ready",
		       c->config->metadata->name);
		return fail(e, UNKNOWN, "sandbox container \"%s\" is not running", c->sandbox->id);
	}
	c->state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
	c->started_usec = rt->now_usec;
	c->ends_usec = c->behaviour == BEHAVE_EXIT ? rt->now_usec + c->lifetime_usec : -1;
	announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT, c->sandbox);
	return reply(CRI_START_CONTAINER);
}

/* What the stop of a container takes: `delay` until the caller hears of it. */
static void *stop_container(struct fake_runtime *rt, const void *request, struct err *e,
			    int64_t *delay_usec)
{
	const Cri__StopContainerRequest *q = request;
	struct container *c = find_container(rt, q->container_id);

	if (q->timeout < 0)
		breach(rt, "StopContainer with a negative grace");
	if (!c) {
		check_id(rt, "StopContainer", q->container_id);
		return fail(e, NOT_FOUND,
			    "an error occurred when try to find container: not found");
	}
	if (!running(c))
		return reply(CRI_STOP_CONTAINER);
	if (c->behaviour == BEHAVE_STUBBORN && q->timeout > 0) {
		int64_t end = rt->now_usec + q->timeout * USEC_IN_SEC;

		/* a second, shorter stop shortens the first */
		if (c->ends_usec < 0 || end < c->ends_usec)
			c->ends_usec = end;
		*delay_usec = c->ends_usec - rt->now_usec;
	} else {
		end_container(rt, c, c->behaviour == BEHAVE_STUBBORN ? KILLED : 0);
	}
	return reply(CRI_STOP_CONTAINER);
}

static void *remove_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemoveContainerRequest *q = request;
	struct container *c = find_container(rt, q->container_id);

	(void)e;
	if (!c) {
		check_id(rt, "RemoveContainer", q->container_id);
		return reply(CRI_REMOVE_CONTAINER);
	}
	if (running(c)) {
		breach(rt, "RemoveContainer of %s, which runs", c->config->metadata->name);
		end_container(rt, c, KILLED);
	}
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i] == c) {
			drop_container(rt, i);
			break;
		}
	return reply(CRI_REMOVE_CONTAINER);
}

static void *status_of_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ContainerStatusRequest *q = request;
	const struct container *c = find_container(rt, q->container_id);
	Cri__ContainerStatusResponse *r;

	if (!c) {
		check_id(rt, "ContainerStatus", q->container_id);
		return fail(e, NOT_FOUND,
			    "an error occurred when try to find container: not found");
	}
	r = reply(CRI_CONTAINER_STATUS);
	r->status = container_status(rt, c);
	return r;
}

static bool container_listed(const struct container *c, const Cri__ContainerFilter *f)
{
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_starts(c->id, f->id))
		return false;
	if (!str_empty(f->pod_sandbox_id) && !str_eq(c->sandbox->id, f->pod_sandbox_id))
		return false;
	if (f->state && f->state->state != c->state)
		return false;
	return selected(f->n_label_selector, (void *)&f->label_selector, c->config->n_labels,
			(void *)&c->config->labels);
}

static void *list_containers(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ListContainersRequest *q = request;
	Cri__ListContainersResponse *r = reply(CRI_LIST_CONTAINERS);

	(void)e;
	for (size_t i = 0; i < rt->containers.n; i++) {
		struct container *c = rt->containers.v[i];
		Cri__Container *item;

		if (!container_listed(c, q->filter))
			continue;
		c->unannounced = false;
		item = proto_new(&cri__container__descriptor);
		proto_set_str(&item->id, c->id);
		proto_set_str(&item->pod_sandbox_id, c->sandbox->id);
		item->metadata = proto_dup(c->config->metadata);
		item->image = proto_dup(c->config->image);
		proto_set_str(&item->image_ref, c->image_id);
		proto_set_str(&item->image_id, c->image_id);
		item->state = c->state;
		item->created_at = c->created_usec * NSEC_PER_USEC_INT;
		CONVERT(item, c->config, labels, container);
		CONVERT(item, c->config, annotations, container);
		proto_push(&r->n_containers, &r->containers, item);
	}
	return r;
}

static void *update_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__UpdateContainerResourcesRequest *q = request;
	const struct container *c = find_container(rt, q->container_id);

	if (!c) {
		check_id(rt, "UpdateContainerResources", q->container_id);
		return fail(e, NOT_FOUND, "failed to find container: not found");
	}
	if (c->state == CRI__CONTAINER_STATE__CONTAINER_EXITED)
		breach(rt, "UpdateContainerResources of %s, which has ended",
		       c->config->metadata->name);
	return reply(CRI_UPDATE_CONTAINER_RESOURCES);
}

/* "exit:N" is the command's own exit code; everything else prints itself and succeeds. */
static void *exec_sync(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ExecSyncRequest *q = request;
	const struct container *c = find_container(rt, q->container_id);
	Cri__ExecSyncResponse *r;

	if (!c) {
		check_id(rt, "ExecSync", q->container_id);
		return fail(e, NOT_FOUND, "failed to find container: not found");
	}
	if (!running(c))
		return fail(e, UNKNOWN, "container is in CONTAINER_EXITED state");
	r = reply(CRI_EXEC_SYNC);
	if (q->n_cmd && sscanf(q->cmd[0], "exit:%d", &r->exit_code) == 1)
		return r;
	r->stdout.data = (uint8_t *)mem_strdup(q->n_cmd ? q->cmd[0] : "");
	r->stdout.len = strlen((char *)r->stdout.data);
	return r;
}

/* ---- images ---- */

void fake_runtime_add_image(struct fake_runtime *rt, const char *name)
{
	if (!find_image(rt, name))
		strv_push(&rt->images, name);
}

static Cri__Image *image_message(const char *name)
{
	Cri__Image *m = proto_new(&cri__image__descriptor);
	AUTO_FREE char *id = image_id_of(name);

	proto_set_str(&m->id, id);
	proto_push_str(&m->n_repo_tags, &m->repo_tags, name);
	m->size = 1024 * 1024;
	m->spec = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&m->spec->image, id);
	return m;
}

static void *image_status(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ImageStatusRequest *q = request;
	Cri__ImageStatusResponse *r = reply(CRI_IMAGE_STATUS);
	const char *name = q->image ? find_image(rt, q->image->image) : NULL;

	(void)e;
	if (name)
		r->image = image_message(name);
	return r;
}

static void *pull_image(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__PullImageRequest *q = request;
	Cri__PullImageResponse *r;
	AUTO_FREE char *id = NULL;

	if (!q->image || str_empty(q->image->image)) {
		breach(rt, "PullImage without a name");
		return fail(e, INVALID, "invalid image");
	}
	if (strstr(q->image->image, "missing"))
		return fail(
		    e, NOT_FOUND,
		    "failed to pull and unpack image \"%s\": failed to resolve image: not found",
		    q->image->image);
	fake_runtime_add_image(rt, q->image->image);
	id = image_id_of(q->image->image);
	r = reply(CRI_PULL_IMAGE);
	proto_set_str(&r->image_ref, id);
	return r;
}

static void *remove_image(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemoveImageRequest *q = request;
	const char *name = q->image ? find_image(rt, q->image->image) : NULL;
	AUTO_FREE char *id = name ? image_id_of(name) : NULL;

	(void)e;
	if (!name)
		return reply(CRI_REMOVE_IMAGE);
	for (size_t i = 0; i < rt->containers.n; i++)
		if (running(rt->containers.v[i]) && str_eq(rt->containers.v[i]->image_id, id))
			breach(rt, "RemoveImage of %s, which container %s runs from", name,
			       rt->containers.v[i]->config->metadata->name);
	for (char **p = rt->images; *p; p++)
		if (*p == name) {
			free(*p);
			for (; *p; p++)
				p[0] = p[1];
			break;
		}
	return reply(CRI_REMOVE_IMAGE);
}

static void *list_images(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__ListImagesResponse *r = reply(CRI_LIST_IMAGES);

	(void)request;
	(void)e;
	for (size_t i = 0; rt->images && rt->images[i]; i++)
		proto_push(&r->n_images, &r->images, image_message(rt->images[i]));
	return r;
}

static void *image_fs_info(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__ImageFsInfoResponse *r = reply(CRI_IMAGE_FS_INFO);
	Cri__FilesystemUsage *u = proto_new(&cri__filesystem_usage__descriptor);

	(void)request;
	(void)e;
	u->timestamp = rt->now_usec * NSEC_PER_USEC_INT;
	u->fs_id = proto_new(&cri__filesystem_identifier__descriptor);
	proto_set_str(&u->fs_id->mountpoint, "/");
	u->used_bytes = proto_new(&cri__uint64_value__descriptor);
	u->inodes_used = proto_new(&cri__uint64_value__descriptor);
	proto_push(&r->n_image_filesystems, &r->image_filesystems, u);
	proto_push(&r->n_container_filesystems, &r->container_filesystems, proto_dup(u));
	return r;
}

/* ---- the runtime itself ---- */

static void *version(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__VersionResponse *r = reply(CRI_VERSION);

	(void)rt;
	(void)request;
	(void)e;
	proto_set_str(&r->version, "0.1.0");
	proto_set_str(&r->runtime_name, "containerd");
	proto_set_str(&r->runtime_version, "v2.0.0-fake");
	proto_set_str(&r->runtime_api_version, "v1");
	return r;
}

static void add_condition(Cri__RuntimeStatus *s, const char *type, bool status)
{
	Cri__RuntimeCondition *c = proto_new(&cri__runtime_condition__descriptor);

	proto_set_str(&c->type, type);
	c->status = status;
	if (!status) {
		proto_set_str(&c->reason, "Planned");
		proto_set_str(&c->message, "as the test wants it");
	}
	proto_push(&s->n_conditions, &s->conditions, c);
}

static void *runtime_status(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__StatusResponse *r = reply(CRI_STATUS);

	(void)request;
	(void)e;
	r->status = proto_new(&cri__runtime_status__descriptor);
	add_condition(r->status, "RuntimeReady", rt->runtime_ready);
	add_condition(r->status, "NetworkReady", rt->network_ready);
	return r;
}

static void *runtime_config(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__RuntimeConfigResponse *r = reply(CRI_RUNTIME_CONFIG);

	(void)request;
	(void)e;
	r->linux = proto_new(&cri__linux_runtime_configuration__descriptor);
	r->linux->cgroup_driver =
	    rt->systemd_cgroups ? CRI__CGROUP_DRIVER__SYSTEMD : CRI__CGROUP_DRIVER__CGROUPFS;
	return r;
}

/* ---- calls ---- */

static void *nothing_to_do(struct fake_runtime *rt, enum cri_rpc rpc, const char *id, struct err *e)
{
	if (id && !find_container(rt, id)) {
		check_id(rt, cri_method(rpc), id);
		return fail(e, NOT_FOUND, "failed to find container: not found");
	}
	return reply(rpc);
}

typedef void *(*serve_fn)(struct fake_runtime *rt, const void *request, struct err *e);

static const serve_fn serves[CRI_RPC_COUNT] = {
	[CRI_VERSION] = version,
	[CRI_STATUS] = runtime_status,
	[CRI_RUNTIME_CONFIG] = runtime_config,
	[CRI_RUN_POD_SANDBOX] = run_sandbox,
	[CRI_STOP_POD_SANDBOX] = stop_sandbox,
	[CRI_REMOVE_POD_SANDBOX] = remove_sandbox,
	[CRI_POD_SANDBOX_STATUS] = status_of_sandbox,
	[CRI_LIST_POD_SANDBOX] = list_sandboxes,
	[CRI_CREATE_CONTAINER] = create_container,
	[CRI_START_CONTAINER] = start_container,
	[CRI_REMOVE_CONTAINER] = remove_container,
	[CRI_CONTAINER_STATUS] = status_of_container,
	[CRI_LIST_CONTAINERS] = list_containers,
	[CRI_UPDATE_CONTAINER_RESOURCES] = update_container,
	[CRI_EXEC_SYNC] = exec_sync,
	[CRI_IMAGE_STATUS] = image_status,
	[CRI_PULL_IMAGE] = pull_image,
	[CRI_REMOVE_IMAGE] = remove_image,
	[CRI_LIST_IMAGES] = list_images,
	[CRI_IMAGE_FS_INFO] = image_fs_info,
};

static void *serve(struct fake_runtime *rt, enum cri_rpc rpc, const void *request, struct err *e,
		   int64_t *delay_usec)
{
	if (rpc == CRI_STOP_CONTAINER)
		return stop_container(rt, request, e, delay_usec);
	if (rpc == CRI_REOPEN_CONTAINER_LOG)
		return nothing_to_do(
		    rt, rpc, ((const Cri__ReopenContainerLogRequest *)request)->container_id, e);
	if (rpc == CRI_UPDATE_RUNTIME_CONFIG || rpc == CRI_LIST_CONTAINER_STATS)
		return nothing_to_do(rt, rpc, NULL, e);
	if (serves[rpc])
		return serves[rpc](rt, request, e);
	return fail(e, UNIMPLEMENTED, "unknown method %s", cri_method(rpc));
}

/* The fault that hits this call, if any. Every plan counts every call, hit or not. */
static const struct plan *find_plan(struct fake_runtime *rt, enum cri_rpc rpc)
{
	const struct plan *hit = NULL;

	for (size_t i = 0; i < rt->plans.n; i++) {
		struct plan *p = &rt->plans.v[i];

		if (p->fault.rpc != rpc && p->fault.rpc != CRI_RPC_COUNT)
			continue;
		p->seen++;
		if (!hit && p->seen > p->fault.skip &&
		    (!p->fault.count || p->seen <= p->fault.skip + p->fault.count))
			hit = p;
	}
	return hit;
}

static bool reply_arrives(enum fake_fault_kind kind)
{
	return kind == FAKE_SLOW;
}

static void spoil(struct fake_runtime *rt, const struct plan *p, struct fake_outcome *o)
{
	enum fake_fault_kind kind = p->fault.kind;

	o->delay_usec += (int64_t)p->fault.delay_msec * USEC_IN_MSEC;
	o->silent = kind == FAKE_NO_REPLY;
	o->garbage = kind == FAKE_GARBAGE;
	if (kind == FAKE_HALF && o->reply)
		rt->sandboxes.v[rt->sandboxes.n - 1]->ready = false;
	if (kind == FAKE_FAIL || kind == FAKE_LOST_REPLY || kind == FAKE_HALF) {
		int status = p->fault.status ? p->fault.status : 14;

		proto_free(o->reply);
		o->reply = NULL;
		fail(&o->err, status, "%s", str_or(p->text, "planned fault"));
		if (status == 14)
			o->err.code = ERR_UNAVAILABLE;
	}
}

void fake_runtime_call(struct fake_runtime *rt, enum cri_rpc rpc, const void *request,
		       struct fake_outcome *ret)
{
	const struct plan *p = find_plan(rt, rpc);

	*ret = (struct fake_outcome){ 0 };
	rt->calls[rpc]++;
	rt->unannounced = p && !reply_arrives(p->fault.kind);
	if (!p || p->fault.kind != FAKE_FAIL)
		ret->reply = serve(rt, rpc, request, &ret->err, &ret->delay_usec);
	if (p)
		spoil(rt, p, ret);
}

void fake_runtime_plan(struct fake_runtime *rt, const struct fake_fault *fault)
{
	struct plan p = { .fault = *fault, .text = mem_strdup(fault->text) };

	vec_push(&rt->plans, p);
}

void fake_runtime_clear_plan(struct fake_runtime *rt)
{
	for (size_t i = 0; i < rt->plans.n; i++)
		free(rt->plans.v[i].text);
	rt->plans.n = 0;
}

void fake_runtime_lose_events(struct fake_runtime *rt, unsigned count)
{
	rt->lose_events = count;
}

/* ---- time and outside forces ---- */

static struct container *next_to_end(const struct fake_runtime *rt)
{
	struct container *first = NULL;

	for (size_t i = 0; i < rt->containers.n; i++) {
		struct container *c = rt->containers.v[i];

		if (running(c) && c->ends_usec >= 0 && (!first || c->ends_usec < first->ends_usec))
			first = c;
	}
	return first;
}

int64_t fake_runtime_next_usec(const struct fake_runtime *rt)
{
	const struct container *c = next_to_end(rt);

	return c ? c->ends_usec : -1;
}

void fake_runtime_advance(struct fake_runtime *rt, int64_t now_usec)
{
	struct container *c;

	while ((c = next_to_end(rt)) && c->ends_usec <= now_usec) {
		rt->now_usec = c->ends_usec > rt->now_usec ? c->ends_usec : rt->now_usec;
		end_container(rt, c, c->behaviour == BEHAVE_EXIT ? c->exit_code : KILLED);
	}
	if (now_usec > rt->now_usec)
		rt->now_usec = now_usec;
}

bool fake_runtime_exit(struct fake_runtime *rt, const char *container_id, int exit_code)
{
	struct container *c = find_container(rt, container_id);

	if (!c || !running(c))
		return false;
	end_container(rt, c, exit_code);
	return true;
}

bool fake_runtime_kill_sandbox(struct fake_runtime *rt, const char *sandbox_id)
{
	struct sandbox *s = find_sandbox(rt, sandbox_id);

	if (!s || !s->ready)
		return false;
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s && running(rt->containers.v[i]))
			end_container(rt, rt->containers.v[i], KILLED);
	s->ready = false;
	announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, s);
	return true;
}

static void relabel(size_t n, void *const *labels, const char *uid)
{
	Cri__PodSandboxConfig__LabelsEntry *const *l =
	    (Cri__PodSandboxConfig__LabelsEntry *const *)labels;

	for (size_t i = 0; i < n; i++)
		if (str_eq(l[i]->key, "io.kubernetes.pod.uid"))
			proto_set_str(&l[i]->value, uid);
}

void fake_runtime_rename(struct fake_runtime *rt, const char *pod, const char *uid)
{
	for (size_t i = 0; i < rt->containers.n; i++) {
		struct container *c = rt->containers.v[i];

		if (str_eq(c->sandbox->config->metadata->name, pod))
			relabel(c->config->n_labels, (void *const *)c->config->labels, uid);
	}
	for (size_t i = 0; i < rt->sandboxes.n; i++) {
		Cri__PodSandboxConfig *s = rt->sandboxes.v[i]->config;

		if (!str_eq(s->metadata->name, pod))
			continue;
		proto_set_str(&s->metadata->uid, uid);
		relabel(s->n_labels, (void *const *)s->labels, uid);
	}
}

void fake_runtime_set_ready(struct fake_runtime *rt, bool runtime, bool network)
{
	rt->runtime_ready = runtime;
	rt->network_ready = network;
}

void fake_runtime_set_systemd_cgroups(struct fake_runtime *rt, bool systemd)
{
	rt->systemd_cgroups = systemd;
}

/* ---- life and reports ---- */

struct fake_runtime *fake_runtime_new(void)
{
	struct fake_runtime *rt = NEW(struct fake_runtime);

	rt->runtime_ready = rt->network_ready = true;
	return rt;
}

void fake_runtime_free(struct fake_runtime *rt)
{
	if (!rt)
		return;
	for (size_t i = 0; i < rt->containers.n; i++)
		container_free(rt->containers.v[i]);
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		sandbox_free(rt->sandboxes.v[i]);
	for (size_t i = 0; i < rt->events.n; i++)
		proto_free(rt->events.v[i]);
	fake_runtime_clear_plan(rt);
	vec_fini(&rt->containers);
	vec_fini(&rt->sandboxes);
	vec_fini(&rt->events);
	vec_fini(&rt->plans);
	strv_free(rt->images);
	strv_free(rt->breaches);
	strv_free(rt->removed);
	free(rt);
}

size_t fake_runtime_breaches(const struct fake_runtime *rt)
{
	return strv_len(rt->breaches);
}

const char *fake_runtime_breach(const struct fake_runtime *rt, size_t i)
{
	return rt->breaches[i];
}

unsigned fake_runtime_calls(const struct fake_runtime *rt, enum cri_rpc rpc)
{
	return rt->calls[rpc];
}

static void put(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *sandbox_json(const struct sandbox *s)
{
	struct json_object *o = json_object_new_object();

	put(o, "id", s->id);
	put(o, "name", s->config->metadata->name);
	put(o, "namespace", s->config->metadata->namespace_);
	put(o, "uid", s->config->metadata->uid);
	put(o, "state", s->ready ? "ready" : "notready");
	json_object_object_add(o, "attempt", json_object_new_int64(s->config->metadata->attempt));
	return o;
}

static struct json_object *container_json(const struct container *c)
{
	static const char *const states[] = { "created", "running", "exited", "unknown" };
	struct json_object *o = json_object_new_object();

	put(o, "id", c->id);
	put(o, "sandbox", c->sandbox->id);
	put(o, "pod", c->sandbox->config->metadata->name);
	put(o, "name", c->config->metadata->name);
	put(o, "state", states[c->state]);
	json_object_object_add(o, "attempt", json_object_new_int64(c->config->metadata->attempt));
	json_object_object_add(o, "exit_code", json_object_new_int(c->exit_code));
	json_object_object_add(o, "started_usec", json_object_new_int64(c->started_usec));
	json_object_object_add(o, "finished_usec", json_object_new_int64(c->finished_usec));
	return o;
}

char *fake_runtime_json(const struct fake_runtime *rt)
{
	struct json_object *o = json_object_new_object(), *sandboxes = json_object_new_array(),
			   *containers = json_object_new_array(), *calls = json_object_new_object(),
			   *breaches = json_object_new_array();
	char *text;

	for (size_t i = 0; i < rt->sandboxes.n; i++)
		json_object_array_add(sandboxes, sandbox_json(rt->sandboxes.v[i]));
	for (size_t i = 0; i < rt->containers.n; i++)
		json_object_array_add(containers, container_json(rt->containers.v[i]));
	for (int i = 0; i < CRI_RPC_COUNT; i++)
		if (rt->calls[i])
			json_object_object_add(calls, cri_operation((enum cri_rpc)i),
					       json_object_new_int64(rt->calls[i]));
	for (size_t i = 0; i < strv_len(rt->breaches); i++)
		json_object_array_add(breaches, json_object_new_string(rt->breaches[i]));
	json_object_object_add(o, "sandboxes", sandboxes);
	json_object_object_add(o, "containers", containers);
	json_object_object_add(o, "calls", calls);
	json_object_object_add(o, "breaches", breaches);
	text = mem_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return text;
}
