/* The strict runtime model (contract in fake-runtime.h). Pure. */
#include "fake-runtime.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-inside.h"

/* ---- what every call needs ---- */

void fake_breach(struct fake_runtime *rt, const char *fmt, ...)
{
	AUTO_STR text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_push(&rt->breaches, str_text(&text));
}

void *fake_fail(struct err *e, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, status == NOT_FOUND ? ERR_NOT_FOUND : ERR_REMOTE, fmt, ap);
	va_end(ap);
	e->os = -status;
	return NULL;
}

char *fake_new_id(struct fake_runtime *rt, const char *kind)
{
	/* as long as containerd's, told apart by their end */
	return str_fmt("%s%0*u", kind, 64 - (int)strlen(kind), ++rt->next_id);
}

void *fake_reply(enum cri_rpc rpc)
{
	return proto_new(cri_reply_type(rpc));
}

void fake_check_id(struct fake_runtime *rt, const char *what, const char *id)
{
	if (!strv_has(rt->removed, id))
		fake_breach(rt, "%s names \"%s\", which never was", what, id);
}

size_t fake_copy_map(size_t n, void *from, void *to)
{
	void **entries = mem_calloc(n, sizeof(*entries));

	for (size_t i = 0; i < n; i++)
		entries[i] = proto_dup((*(void ***)from)[i]);
	*(void ***)to = entries;
	return n;
}

size_t fake_convert_map(const ProtobufCMessageDescriptor *type, size_t n, void *from, void *to)
{
	Cri__ContainerConfig__LabelsEntry **in = *(Cri__ContainerConfig__LabelsEntry ***)from,
					  **out;

	fake_copy_map(n, &in, to);
	out = *(Cri__ContainerConfig__LabelsEntry ***)to;
	for (size_t i = 0; i < n; i++)
		out[i]->base.descriptor = type;
	return n;
}

const char *fake_label(size_t n, void *map, const char *key)
{
	Cri__ContainerConfig__LabelsEntry **entries = *(Cri__ContainerConfig__LabelsEntry ***)map;

	for (size_t i = 0; i < n; i++)
		if (str_eq(entries[i]->key, key))
			return entries[i]->value;
	return "";
}

bool fake_selected(size_t n_want, void *want, size_t n_have, void *have)
{
	Cri__ContainerConfig__LabelsEntry **w = *(Cri__ContainerConfig__LabelsEntry ***)want;

	for (size_t i = 0; i < n_want; i++)
		if (!str_eq(fake_label(n_have, have, w[i]->key), w[i]->value))
			return false;
	return true;
}

/* ---- events ---- */

void fake_announce(struct fake_runtime *rt, const char *id, Cri__ContainerEventType type,
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
	e->pod_sandbox_status = fake_sandbox_status(s);
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i]->sandbox == s)
			proto_push(&e->n_containers_statuses, &e->containers_statuses,
				   fake_container_status(rt, rt->containers.v[i]));
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

/* ---- the runtime itself ---- */

static void *version(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__VersionResponse *r = fake_reply(CRI_VERSION);

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
	Cri__StatusResponse *r = fake_reply(CRI_STATUS);

	(void)request;
	(void)e;
	r->status = proto_new(&cri__runtime_status__descriptor);
	add_condition(r->status, "RuntimeReady", rt->runtime_ready);
	add_condition(r->status, "NetworkReady", rt->network_ready);
	return r;
}

static void *runtime_config(struct fake_runtime *rt, const void *request, struct err *e)
{
	Cri__RuntimeConfigResponse *r = fake_reply(CRI_RUNTIME_CONFIG);

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
	if (id && !fake_find_container(rt, id)) {
		fake_check_id(rt, cri_method(rpc), id);
		return fake_fail(e, NOT_FOUND, "failed to find container: not found");
	}
	return fake_reply(rpc);
}

static fake_serve *const serves[CRI_RPC_COUNT] = {
	[CRI_VERSION] = version,
	[CRI_STATUS] = runtime_status,
	[CRI_RUNTIME_CONFIG] = runtime_config,
	[CRI_RUN_POD_SANDBOX] = fake_run_sandbox,
	[CRI_STOP_POD_SANDBOX] = fake_stop_sandbox,
	[CRI_REMOVE_POD_SANDBOX] = fake_remove_sandbox,
	[CRI_POD_SANDBOX_STATUS] = fake_status_of_sandbox,
	[CRI_LIST_POD_SANDBOX] = fake_list_sandboxes,
	[CRI_CREATE_CONTAINER] = fake_create_container,
	[CRI_START_CONTAINER] = fake_start_container,
	[CRI_REMOVE_CONTAINER] = fake_remove_container,
	[CRI_CONTAINER_STATUS] = fake_status_of_container,
	[CRI_LIST_CONTAINERS] = fake_list_containers,
	[CRI_UPDATE_CONTAINER_RESOURCES] = fake_update_container,
	[CRI_EXEC_SYNC] = fake_exec_sync,
	[CRI_IMAGE_STATUS] = fake_image_status,
	[CRI_PULL_IMAGE] = fake_pull_image,
	[CRI_REMOVE_IMAGE] = fake_remove_image,
	[CRI_LIST_IMAGES] = fake_list_images,
	[CRI_IMAGE_FS_INFO] = fake_image_fs_info,
};

static void *serve(struct fake_runtime *rt, enum cri_rpc rpc, const void *request, struct err *e,
		   int64_t *delay_usec)
{
	if (rpc == CRI_STOP_CONTAINER)
		return fake_stop_container(rt, request, e, delay_usec);
	if (rpc == CRI_REOPEN_CONTAINER_LOG)
		return nothing_to_do(
		    rt, rpc, ((const Cri__ReopenContainerLogRequest *)request)->container_id, e);
	if (rpc == CRI_UPDATE_RUNTIME_CONFIG || rpc == CRI_LIST_CONTAINER_STATS)
		return nothing_to_do(rt, rpc, NULL, e);
	if (serves[rpc])
		return serves[rpc](rt, request, e);
	return fake_fail(e, UNIMPLEMENTED, "unknown method %s", cri_method(rpc));
}

void fake_runtime_call(struct fake_runtime *rt, enum cri_rpc rpc, const void *request,
		       struct fake_outcome *ret)
{
	const struct plan *p = fake_find_plan(rt, rpc);

	*ret = (struct fake_outcome){ 0 };
	rt->calls[rpc]++;
	rt->unannounced = p && !fake_reply_arrives(p->fault.kind);
	if (!p || p->fault.kind != FAKE_FAIL)
		ret->reply = serve(rt, rpc, request, &ret->err, &ret->delay_usec);
	if (p)
		fake_spoil(rt, p, ret);
}

/* ---- outside forces ---- */

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

/* ---- life ---- */

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
		fake_container_free(rt->containers.v[i]);
	for (size_t i = 0; i < rt->sandboxes.n; i++)
		fake_sandbox_free(rt->sandboxes.v[i]);
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
