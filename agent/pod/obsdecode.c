/* CRI statuses as observation values (contract in obsdecode.h). Pure. */
#include "obsdecode.h"

#include "base/mem.h"
#include "base/str.h"
#include "podspec.h"

struct string_pair {
	ProtobufCMessage base;
	char *key, *value;
};

const char *obsdecode_pair(size_t n, void *const *entries, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		const struct string_pair *p = entries[i];

		if (str_eq(p->key, key))
			return str_or(p->value, "");
	}
	return NULL;
}

static const char *annotation(const Cri__ContainerStatus *s, const char *key)
{
	return obsdecode_pair(s->n_annotations, (void *const *)s->annotations, key);
}

enum obs_container_state obsdecode_state(Cri__ContainerState s)
{
	switch (s) {
	case CRI__CONTAINER_STATE__CONTAINER_CREATED:
		return OBS_CREATED;
	case CRI__CONTAINER_STATE__CONTAINER_RUNNING:
		return OBS_RUNNING;
	case CRI__CONTAINER_STATE__CONTAINER_EXITED:
		return OBS_EXITED;
	default:
		return OBS_UNKNOWN;
	}
}

static int64_t number(const char *text, int64_t fallback)
{
	int64_t v;

	return text && str_to_i64(text, &v) ? v : fallback;
}

/* The host file behind the termination message path. */
static char *termination_file(const Cri__ContainerStatus *s)
{
	const char *path = annotation(s, "io.kubernetes.container.terminationMessagePath");

	for (size_t i = 0; !str_empty(path) && i < s->n_mounts; i++) {
		if (str_eq(s->mounts[i]->container_path, path))
			return mem_strdup(s->mounts[i]->host_path);
	}
	return NULL;
}

static void decode_user(const Cri__ContainerStatus *s, struct obs_container *c)
{
	const Cri__LinuxContainerUser *u = s->user ? s->user->linux : NULL;

	if (!u)
		return;
	c->has_user = true;
	c->uid = u->uid;
	c->gid = u->gid;
	c->n_groups = u->n_supplemental_groups;
	c->groups = mem_dup(u->supplemental_groups, c->n_groups * sizeof(*c->groups));
}

static void decode_resources(const Cri__ContainerStatus *s, struct obs_container *c)
{
	const Cri__LinuxContainerResources *r = s->resources ? s->resources->linux : NULL;

	c->cpu_shares = r ? r->cpu_shares : -1;
	c->cpu_quota = r ? r->cpu_quota : -1;
	c->cpu_period = r ? r->cpu_period : -1;
	c->memory_limit = r ? r->memory_limit_in_bytes : -1;
}

struct obs_container *obsdecode_container(const Cri__ContainerStatus *s, const char *sandbox_id)
{
	struct obs_container *c = NEW(struct obs_container);
	const char *hash = annotation(s, "io.kubernetes.container.hash");

	c->id = mem_strdup(s->id);
	c->name = mem_strdup(s->metadata ? s->metadata->name : "");
	c->sandbox_id = mem_strdup(sandbox_id);
	c->state = obsdecode_state(s->state);
	c->created_ns = s->created_at;
	c->started_ns = s->started_at;
	c->finished_ns = s->finished_at;
	c->exit_code = s->exit_code;
	c->reason = mem_strdup(s->reason);
	c->message = mem_strdup(s->message);
	c->image =
	    mem_strdup(s->image ? str_or(s->image->user_specified_image, s->image->image) : "");
	c->image_ref = mem_strdup(s->image_ref);
	c->image_id = mem_strdup(s->image_id);
	c->hash = hash ? strtoull(hash, NULL, 16) : 0;
	c->restart_count = (unsigned)number(annotation(s, "io.kubernetes.container.restartCount"),
					    s->metadata ? (int64_t)s->metadata->attempt : 0);
	c->log_path = mem_strdup(s->log_path);
	c->termination_log_path = termination_file(s);
	c->termination_policy =
	    mem_strdup(annotation(s, "io.kubernetes.container.terminationMessagePolicy"));
	c->grace_sec = number(annotation(s, "io.kubernetes.pod.terminationGracePeriod"), -1);
	decode_user(s, c);
	decode_resources(s, c);
	return c;
}

static bool host_network(const Cri__PodSandboxStatus *s)
{
	return s->linux && s->linux->namespaces && s->linux->namespaces->options &&
	       s->linux->namespaces->options->network == CRI__NAMESPACE_MODE__NODE;
}

static enum obs_source source_of(const Cri__PodSandboxStatus *s)
{
	const char *source =
	    obsdecode_pair(s->n_annotations, (void *const *)s->annotations, PODSPEC_SOURCE);

	return str_eq(source, "file")   ? OBS_FROM_FILE
	       : str_eq(source, "http") ? OBS_FROM_URL
					: OBS_FROM_API;
}

struct obs_sandbox *obsdecode_sandbox(const Cri__PodSandboxStatus *s)
{
	struct obs_sandbox *o = NEW(struct obs_sandbox);

	o->id = mem_strdup(s->id);
	o->attempt = s->metadata ? s->metadata->attempt : 0;
	o->ready = s->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY;
	o->host_network = host_network(s);
	o->created_ns = s->created_at;
	o->source = source_of(s);
	if (!s->network || str_empty(s->network->ip))
		return o;
	strv_push(&o->ips, s->network->ip);
	for (size_t i = 0; i < s->network->n_additional_ips; i++)
		strv_push(&o->ips, s->network->additional_ips[i]->ip);
	return o;
}
