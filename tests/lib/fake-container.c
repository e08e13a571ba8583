/* Containers of the strict runtime model: what their images and commands say, their lives and ends
 * (contract in fake-runtime.h). Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-inside.h"

enum { USEC_IN_SEC = 1000000 };

struct container *fake_find_container(const struct fake_runtime *rt, const char *id)
{
	for (size_t i = 0; i < rt->containers.n; i++)
		if (str_eq(rt->containers.v[i]->id, id))
			return rt->containers.v[i];
	return NULL;
}

void fake_container_free(struct container *c)
{
	free(c->id);
	free(c->image_id);
	proto_free(c->config);
	free(c);
}

bool fake_running(const struct container *c)
{
	return c->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
}

/* As containerd: the kernel's word on it arrives a little after the end. */
static bool knows_out_of_memory(const struct fake_runtime *rt, const struct container *c)
{
	return c->out_of_memory && rt->now_usec - c->finished_usec > 300 * USEC_IN_MSEC;
}

Cri__ContainerStatus *fake_container_status(const struct fake_runtime *rt,
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
	FAKE_CONVERT(st, c->config, labels, container_status);
	FAKE_CONVERT(st, c->config, annotations, container_status);
	st->n_mounts =
	    fake_copy_map(c->config->n_mounts, (void *)&c->config->mounts, (void *)&st->mounts);
	proto_set_str(&st->log_path, log);
	return st;
}

void fake_end_container(struct fake_runtime *rt, struct container *c, int exit_code)
{
	c->state = CRI__CONTAINER_STATE__CONTAINER_EXITED;
	c->exit_code = exit_code;
	c->finished_usec = rt->now_usec;
	c->ends_usec = -1;
	fake_announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT, c->sandbox);
}

void fake_drop_container(struct fake_runtime *rt, size_t i)
{
	struct container *c = rt->containers.v[i];

	strv_push(&rt->removed, c->id);
	vec_remove(&rt->containers, i);
	fake_announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT, c->sandbox);
	fake_container_free(c);
}

/* ---- what it does ---- */

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

static struct container *next_to_end(const struct fake_runtime *rt)
{
	struct container *first = NULL;

	for (size_t i = 0; i < rt->containers.n; i++) {
		struct container *c = rt->containers.v[i];

		if (fake_running(c) && c->ends_usec >= 0 &&
		    (!first || c->ends_usec < first->ends_usec))
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
		fake_end_container(rt, c, c->behaviour == BEHAVE_EXIT ? c->exit_code : KILLED);
	}
	if (now_usec > rt->now_usec)
		rt->now_usec = now_usec;
}

bool fake_runtime_exit(struct fake_runtime *rt, const char *container_id, int exit_code)
{
	struct container *c = fake_find_container(rt, container_id);

	if (!c || !fake_running(c))
		return false;
	fake_end_container(rt, c, exit_code);
	return true;
}

/* ---- calls ---- */

static bool check_container_config(struct fake_runtime *rt, const Cri__CreateContainerRequest *q)
{
	const Cri__ContainerConfig *c = q->config;

	if (!c || !c->metadata || str_empty(c->metadata->name) || !c->image ||
	    str_empty(c->image->image)) {
		fake_breach(rt, "CreateContainer without name or image");
		return false;
	}
	if (!q->sandbox_config || !q->sandbox_config->metadata)
		fake_breach(rt, "CreateContainer %s without the sandbox's config",
			    c->metadata->name);
	if (str_empty(c->log_path))
		fake_breach(rt, "container %s has no log path", c->metadata->name);
	if (str_empty(fake_label(c->n_labels, (void *)&c->labels, "io.kubernetes.pod.uid")) ||
	    !str_eq(fake_label(c->n_labels, (void *)&c->labels, "io.kubernetes.container.name"),
		    c->metadata->name))
		fake_breach(rt, "container %s lacks its labels", c->metadata->name);
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
		    !fake_same_pod(c->sandbox->config->metadata, s->config->metadata))
			continue;
		/* the runtime's names hold the pod, not its sandbox */
		if (other->attempt == m->attempt) {
			if (!c->unannounced)
				fake_breach(rt, "container name %s attempt %u used twice", m->name,
					    m->attempt);
			fake_fail(
			    e, UNKNOWN,
			    "failed to reserve container name \"%s\": name is reserved for \"%s\"",
			    m->name, c->id);
			return false;
		}
		if (fake_running(c))
			fake_breach(rt, "second copy of running container %s", m->name);
	}
	return true;
}

void *fake_create_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__CreateContainerRequest *q = request;
	struct sandbox *s = fake_find_sandbox(rt, q->pod_sandbox_id);
	Cri__CreateContainerResponse *r;
	struct container *c;
	const char *image;

	if (!check_container_config(rt, q))
		return fake_fail(e, INVALID, "invalid container config");
	if (!s) {
		fake_check_id(rt, "CreateContainer", q->pod_sandbox_id);
		return fake_fail(e, NOT_FOUND, "failed to find sandbox id \"%s\": not found",
				 q->pod_sandbox_id);
	}
	if (!s->ready) {
		fake_breach(rt, "CreateContainer %s in a sandbox that is not ready",
			    q->config->metadata->name);
		return fake_fail(e, UNKNOWN, "sandbox container \"%s\" is not running", s->id);
	}
	if (!check_copies(rt, s, q->config->metadata, e))
		return NULL;
	image = fake_find_image(rt, q->config->image->image);
	if (!image) {
		fake_breach(rt, "CreateContainer %s from image %s, which was never pulled",
			    q->config->metadata->name, q->config->image->image);
		return fake_fail(e, NOT_FOUND, "failed to resolve image: not found");
	}
	c = NEW(struct container);
	c->id = fake_new_id(rt, "c");
	c->image_id = fake_image_id(image);
	c->sandbox = s;
	c->config = proto_dup(q->config);
	c->state = CRI__CONTAINER_STATE__CONTAINER_CREATED;
	c->created_usec = rt->now_usec;
	c->ends_usec = -1;
	c->unannounced = rt->unannounced;
	script(c);
	vec_push(&rt->containers, c);
	fake_announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_CREATED_EVENT, s);
	r = fake_reply(CRI_CREATE_CONTAINER);
	proto_set_str(&r->container_id, c->id);
	return r;
}

void *fake_start_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__StartContainerRequest *q = request;
	struct container *c = fake_find_container(rt, q->container_id);

	if (!c) {
		fake_check_id(rt, "StartContainer", q->container_id);
		return fake_fail(e, NOT_FOUND,
				 "an error occurred when try to find container: not found");
	}
	if (c->state != CRI__CONTAINER_STATE__CONTAINER_CREATED) {
		fake_breach(rt, "StartContainer of %s, which is not in state created",
			    c->config->metadata->name);
		return fake_fail(e, UNKNOWN, "container \"%s\" is not in created state", c->id);
	}
	if (!c->sandbox->ready) {
		fake_breach(rt, "StartContainer of %s in a sandbox that is not ready",
			    c->config->metadata->name);
		return fake_fail(e, UNKNOWN, "sandbox container \"%s\" is not running",
				 c->sandbox->id);
	}
	c->state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
	c->started_usec = rt->now_usec;
	c->ends_usec = c->behaviour == BEHAVE_EXIT ? rt->now_usec + c->lifetime_usec : -1;
	fake_announce(rt, c->id, CRI__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT, c->sandbox);
	return fake_reply(CRI_START_CONTAINER);
}

void *fake_stop_container(struct fake_runtime *rt, const void *request, struct err *e,
			  int64_t *delay_usec)
{
	const Cri__StopContainerRequest *q = request;
	struct container *c = fake_find_container(rt, q->container_id);

	if (q->timeout < 0)
		fake_breach(rt, "StopContainer with a negative grace");
	if (!c) {
		fake_check_id(rt, "StopContainer", q->container_id);
		return fake_fail(e, NOT_FOUND,
				 "an error occurred when try to find container: not found");
	}
	if (!fake_running(c))
		return fake_reply(CRI_STOP_CONTAINER);
	if (c->behaviour == BEHAVE_STUBBORN && q->timeout > 0) {
		int64_t end = rt->now_usec + q->timeout * USEC_IN_SEC;

		/* a second, shorter stop shortens the first */
		if (c->ends_usec < 0 || end < c->ends_usec)
			c->ends_usec = end;
		*delay_usec = c->ends_usec - rt->now_usec;
	} else {
		fake_end_container(rt, c, c->behaviour == BEHAVE_STUBBORN ? KILLED : 0);
	}
	return fake_reply(CRI_STOP_CONTAINER);
}

void *fake_remove_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__RemoveContainerRequest *q = request;
	struct container *c = fake_find_container(rt, q->container_id);

	(void)e;
	if (!c) {
		fake_check_id(rt, "RemoveContainer", q->container_id);
		return fake_reply(CRI_REMOVE_CONTAINER);
	}
	if (fake_running(c)) {
		fake_breach(rt, "RemoveContainer of %s, which runs", c->config->metadata->name);
		fake_end_container(rt, c, KILLED);
	}
	for (size_t i = 0; i < rt->containers.n; i++)
		if (rt->containers.v[i] == c) {
			fake_drop_container(rt, i);
			break;
		}
	return fake_reply(CRI_REMOVE_CONTAINER);
}

void *fake_status_of_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ContainerStatusRequest *q = request;
	const struct container *c = fake_find_container(rt, q->container_id);
	Cri__ContainerStatusResponse *r;

	if (!c) {
		fake_check_id(rt, "ContainerStatus", q->container_id);
		return fake_fail(e, NOT_FOUND,
				 "an error occurred when try to find container: not found");
	}
	r = fake_reply(CRI_CONTAINER_STATUS);
	r->status = fake_container_status(rt, c);
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
	return fake_selected(f->n_label_selector, (void *)&f->label_selector, c->config->n_labels,
			     (void *)&c->config->labels);
}

void *fake_list_containers(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ListContainersRequest *q = request;
	Cri__ListContainersResponse *r = fake_reply(CRI_LIST_CONTAINERS);

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
		FAKE_CONVERT(item, c->config, labels, container);
		FAKE_CONVERT(item, c->config, annotations, container);
		proto_push(&r->n_containers, &r->containers, item);
	}
	return r;
}

void *fake_update_container(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__UpdateContainerResourcesRequest *q = request;
	const struct container *c = fake_find_container(rt, q->container_id);

	if (!c) {
		fake_check_id(rt, "UpdateContainerResources", q->container_id);
		return fake_fail(e, NOT_FOUND, "failed to find container: not found");
	}
	if (c->state == CRI__CONTAINER_STATE__CONTAINER_EXITED)
		fake_breach(rt, "UpdateContainerResources of %s, which has ended",
			    c->config->metadata->name);
	return fake_reply(CRI_UPDATE_CONTAINER_RESOURCES);
}

/* "exit:N" is the command's own exit code; everything else prints itself and succeeds. */
void *fake_exec_sync(struct fake_runtime *rt, const void *request, struct err *e)
{
	const Cri__ExecSyncRequest *q = request;
	const struct container *c = fake_find_container(rt, q->container_id);
	Cri__ExecSyncResponse *r;

	if (!c) {
		fake_check_id(rt, "ExecSync", q->container_id);
		return fake_fail(e, NOT_FOUND, "failed to find container: not found");
	}
	if (!fake_running(c))
		return fake_fail(e, UNKNOWN, "container is in CONTAINER_EXITED state");
	r = fake_reply(CRI_EXEC_SYNC);
	if (q->n_cmd && sscanf(q->cmd[0], "exit:%d", &r->exit_code) == 1)
		return r;
	r->stdout.data = (uint8_t *)mem_strdup(q->n_cmd ? q->cmd[0] : "");
	r->stdout.len = strlen((char *)r->stdout.data);
	return r;
}
