/* Sandboxes of the strict runtime model (contract in fake-runtime.h). Pure. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-inside.h"

struct sandbox *fake_find_sandbox(const struct fake_runtime *rt, const char *id)
{
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		if (str_eq(rt->sandboxes.v[i]->id, id))
			return rt->sandboxes.v[i];
	return NULL;
}

void fake_sandbox_free(struct sandbox *s)
{
	free(s->id);
	free(s->handler);
	proto_free(s->config);
	free(s);
}

Cri__PodSandboxStatus *fake_sandbox_status(const struct sandbox *s)
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
	FAKE_CONVERT(st, s->config, labels, pod_sandbox_status);
	FAKE_CONVERT(st, s->config, annotations, pod_sandbox_status);
	proto_set_str(&st->runtime_handler, s->handler);
	return st;
}

bool fake_same_pod(const Cri__PodSandboxMetadata *a, const Cri__PodSandboxMetadata *b)
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
		fake_breach(rt, "RunPodSandbox without name, namespace or uid");
		return false;
	}
	if (!str_eq(fake_label(c->n_labels, (void *)&c->labels, "io.kubernetes.pod.uid"), m->uid))
		fake_breach(rt, "sandbox of pod %s lacks its uid label", m->name);
	if (str_empty(c->log_directory))
		fake_breach(rt, "sandbox of pod %s has no log directory", m->name);
	return true;
}

void *fake_run_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RunPodSandboxRequest *q = request;
	Cri__RunPodSandboxResponse *r;
	AUTO_FREE char *name = NULL;
	struct sandbox *s;

	if (!check_sandbox_config(rt, q->config))
		return fake_fail(e, INVALID, "invalid sandbox config");
	name = sandbox_name(q->config->metadata);
	for (size_t i = 0; i < rt->sandboxes.n; i++) {
		struct sandbox *other = rt->sandboxes.v[i];
		AUTO_FREE char *taken = sandbox_name(other->config->metadata);

		if (str_eq(name, taken)) {
			if (!other->unannounced)
				fake_breach(rt, "sandbox name %s used twice", name);
			return fake_fail(e, UNKNOWN,
					 "failed to reserve sandbox name \"%s\": name \"%s\" is "
					 "reserved for \"%s\"",
					 name, name, other->id);
		}
		if (other->ready && fake_same_pod(other->config->metadata, q->config->metadata))
			fake_breach(rt, "second ready sandbox for pod %s",
				    q->config->metadata->name);
	}
	s = NEW(struct sandbox);
	s->id = fake_new_id(rt, "5");
	s->handler = mem_strdup(q->runtime_handler);
	s->config = proto_dup(q->config);
	s->ready = true;
	s->unannounced = rt->unannounced;
	s->created_usec = rt->now_usec;
	s->address = rt->next_id;
	vec_push(&rt->sandboxes, s);
	fake_announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT, s);
	fake_announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT, s);
	r = fake_reply(CRI_RUN_POD_SANDBOX);
	proto_set_str(&r->pod_sandbox_id, s->id);
	return r;
}

void *fake_stop_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__StopPodSandboxRequest *q = request;
	struct sandbox *s = fake_find_sandbox(rt, q->pod_sandbox_id);

	(void)e;
	if (!s) {
		fake_check_id(rt, "StopPodSandbox", q->pod_sandbox_id);
		return fake_reply(CRI_STOP_POD_SANDBOX);
	}
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s && fake_running(rt->containers.v[i])) {
			fake_breach(rt, "StopPodSandbox while container %s of pod %s runs",
				    rt->containers.v[i]->config->metadata->name,
				    s->config->metadata->name);
			fake_end_container(rt, rt->containers.v[i], KILLED);
		}
	if (s->ready) {
		s->ready = false;
		fake_announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, s);
	}
	return fake_reply(CRI_STOP_POD_SANDBOX);
}

void *fake_remove_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemovePodSandboxRequest *q = request;
	struct sandbox *s = fake_find_sandbox(rt, q->pod_sandbox_id);

	(void)e;
	if (!s) {
		fake_check_id(rt, "RemovePodSandbox", q->pod_sandbox_id);
		return fake_reply(CRI_REMOVE_POD_SANDBOX);
	}
	if (s->ready)
		fake_breach(rt, "RemovePodSandbox of a ready sandbox of pod %s",
			    s->config->metadata->name);
	for (size_t i = rt->containers.n; i-- > 0;)
		if (rt->containers.v[i]->sandbox == s)
			fake_drop_container(rt, i);
	strv_push(&rt->removed, s->id);
	fake_announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT, s);
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		if (rt->sandboxes.v[i] == s) {
			vec_remove(&rt->sandboxes, i);
			break;
		}
	fake_sandbox_free(s);
	return fake_reply(CRI_REMOVE_POD_SANDBOX);
}

void *fake_status_of_sandbox(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__PodSandboxStatusRequest *q = request;
	const struct sandbox *s = fake_find_sandbox(rt, q->pod_sandbox_id);
	Cri__PodSandboxStatusResponse *r;

	if (!s) {
		fake_check_id(rt, "PodSandboxStatus", q->pod_sandbox_id);
		return fake_fail(e, NOT_FOUND,
				 "an error occurred when try to find sandbox: not found");
	}
	r = fake_reply(CRI_POD_SANDBOX_STATUS);
	r->status = fake_sandbox_status(s);
	return r;
}

static bool sandbox_listed(const struct sandbox *s, const Cri__PodSandboxFilter *f)
{
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_starts(s->id, f->id))
		return false;
	if (f->state && (f->state->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY) != s->ready)
		return false;
	return fake_selected(f->n_label_selector, (void *)&f->label_selector, s->config->n_labels,
			     (void *)&s->config->labels);
}

void *fake_list_sandboxes(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ListPodSandboxRequest *q = request;
	Cri__ListPodSandboxResponse *r = fake_reply(CRI_LIST_POD_SANDBOX);

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
		FAKE_CONVERT(item, s->config, labels, pod_sandbox);
		FAKE_CONVERT(item, s->config, annotations, pod_sandbox);
		proto_set_str(&item->runtime_handler, s->handler);
		proto_push(&r->n_items, &r->items, item);
	}
	return r;
}

bool fake_runtime_kill_sandbox(struct fake_runtime *rt, const char *sandbox_id)
{
	struct sandbox *s = fake_find_sandbox(rt, sandbox_id);

	if (!s || !s->ready)
		return false;
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s && fake_running(rt->containers.v[i]))
			fake_end_container(rt, rt->containers.v[i], KILLED);
	s->ready = false;
	fake_announce(rt, s->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, s);
	return true;
}
