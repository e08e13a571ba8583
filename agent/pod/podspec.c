/* A pod's specification in start order (contract in podspec.h). Pure. */
#include "podspec.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"

/* FNV-32a over the text that upstream hashes: Go's dump of the bytes of {"image":…,"name":…}
 * (pkg/kubelet/container/helpers.go HashContainer, k8s.io/utils/dump). */
static uint64_t container_hash(const Core__Container *c)
{
	AUTO_FREE char *json = str_fmt("{\"image\":\"%s\",\"name\":\"%s\"}",
				       c->image ? c->image : "", c->name ? c->name : "");
	AUTO_STR dump = { 0 };
	uint32_t h = 2166136261u;

	str_append(&dump, "([]uint8)[");
	for (const unsigned char *p = (const unsigned char *)json; *p; p++)
		str_printf(&dump, "%s%u", p == (const unsigned char *)json ? "" : " ", *p);
	str_append(&dump, "]");
	for (size_t i = 0; i < dump.len; i++)
		h = (h ^ (unsigned char)dump.p[i]) * 16777619u;
	return h;
}

static Core__Container *reread_ephemeral(const Core__EphemeralContainer *e)
{
	size_t len;
	AUTO_FREE uint8_t *bytes = NULL;

	if (!e->ephemeralcontainercommon)
		return proto_new(&core__container__descriptor);
	bytes = proto_pack(e->ephemeralcontainercommon, &len);
	return proto_unpack(&core__container__descriptor, bytes, len, NULL);
}

static bool is_sidecar(const Core__Container *c)
{
	return str_eq(c->restartpolicy, "Always");
}

static void add_container(struct podspec *s, enum container_kind kind, unsigned index,
			  const Core__Container *c)
{
	s->containers[s->n_containers++] = (struct container_spec){
		.kind = kind,
		.index = index,
		.spec = c,
		.hash = container_hash(c),
	};
}

static void add_containers(struct podspec *s, const Core__PodSpec *spec)
{
	for (size_t i = 0; i < spec->n_initcontainers; i++) {
		const Core__Container *c = spec->initcontainers[i];

		add_container(s, is_sidecar(c) ? CONTAINER_SIDECAR : CONTAINER_INIT, (unsigned)i,
			      c);
	}
	for (size_t i = 0; i < spec->n_containers; i++)
		add_container(s, CONTAINER_MAIN, (unsigned)i, spec->containers[i]);
	for (size_t i = 0; i < spec->n_ephemeralcontainers; i++) {
		Core__Container *c = reread_ephemeral(spec->ephemeralcontainers[i]);

		add_container(s, CONTAINER_EPHEMERAL, (unsigned)i, c);
		s->containers[s->n_containers - 1].owned = c;
		s->containers[s->n_containers - 1].target =
		    spec->ephemeralcontainers[i]->targetcontainername;
	}
}

struct podspec *podspec_new(struct kube_object *object)
{
	struct podspec *s = NEW(struct podspec);
	const Core__PodSpec *spec;

	s->object = kube_object_ref(object);
	s->pod = (const Core__Pod *)object->msg;
	s->uid = str_or(s->pod->metadata->uid, "");
	s->ns = str_or(s->pod->metadata->namespace_, "");
	s->name = str_or(s->pod->metadata->name, "");
	spec = s->pod->spec;
	s->n_init = spec->n_initcontainers;
	s->n_main = spec->n_containers;
	s->containers =
	    mem_calloc(s->n_init + s->n_main + spec->n_ephemeralcontainers, sizeof(*s->containers));
	add_containers(s, spec);
	return s;
}

struct podspec *podspec_copy(const struct podspec *spec)
{
	struct podspec *s = podspec_new(spec->object);

	memcpy(s->seen, spec->seen, sizeof(s->seen));
	s->is_static = spec->is_static;
	return s;
}

void podspec_free(struct podspec *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_containers; i++)
		proto_free(s->containers[i].owned);
	free(s->containers);
	kube_object_unref(s->object);
	free(s);
}

int podspec_find(const struct podspec *s, const char *container_name)
{
	for (size_t i = 0; i < s->n_containers; i++) {
		if (str_eq(s->containers[i].spec->name, container_name))
			return (int)i;
	}
	return -1;
}

bool podspec_host_network(const struct podspec *s)
{
	return s->pod->spec->hostnetwork;
}

bool podspec_is_static(const struct podspec *s)
{
	return s->is_static;
}

const char *podspec_restart_policy(const struct podspec *s)
{
	return str_or(s->pod->spec->restartpolicy, "Always");
}

static bool rule_matches(const Core__ContainerRestartRule *rule, int exit_code)
{
	const Core__ContainerRestartRuleOnExitCodes *codes = rule->exitcodes;
	bool listed = false;

	if (!codes)
		return false;
	for (size_t i = 0; i < codes->n_values; i++)
		listed |= codes->values[i] == exit_code;
	return str_eq(codes->operator_, "NotIn") ? !listed : listed;
}

static bool policy_restarts(const char *policy, int exit_code)
{
	if (str_eq(policy, "Never"))
		return false;
	return str_eq(policy, "OnFailure") ? exit_code != 0 : true;
}

bool podspec_should_restart(const struct podspec *s, const struct container_spec *c, int exit_code)
{
	if (c->kind == CONTAINER_EPHEMERAL)
		return false;
	if (str_empty(c->spec->restartpolicy))
		return policy_restarts(podspec_restart_policy(s), exit_code);
	for (size_t i = 0; i < c->spec->n_restartpolicyrules; i++) {
		const Core__ContainerRestartRule *rule = c->spec->restartpolicyrules[i];

		if (rule_matches(rule, exit_code) && str_eq(rule->action, "Restart"))
			return true;
	}
	return policy_restarts(c->spec->restartpolicy, exit_code);
}

int64_t podspec_grace_sec(const struct podspec *s)
{
	const Meta__ObjectMeta *meta = s->pod->metadata;
	int64_t sec = 30;

	if (meta->has_deletiongraceperiodseconds)
		sec = meta->deletiongraceperiodseconds;
	else if (s->pod->spec->has_terminationgraceperiodseconds)
		sec = s->pod->spec->terminationgraceperiodseconds;
	/* any number may be asked for; this one can be reckoned with */
	return sec < INT32_MAX ? sec : INT32_MAX;
}

bool podspec_overrides(const struct podspec *s, const char *key)
{
	return s->seen[0] && (str_eq(key, PODSPEC_SOURCE) || str_eq(key, PODSPEC_SEEN));
}

const char *podspec_any_annotation(const struct podspec *s, const char *key)
{
	if (!podspec_overrides(s, key))
		return podspec_annotation(s->pod, key);
	if (str_eq(key, PODSPEC_SEEN))
		return s->seen;
	return s->is_static ? str_or(podspec_annotation(s->pod, key), "file") : "api";
}

const char *podspec_annotation(const Core__Pod *pod, const char *key)
{
	for (size_t i = 0; i < pod->metadata->n_annotations; i++) {
		if (str_eq(pod->metadata->annotations[i]->key, key))
			return str_or(pod->metadata->annotations[i]->value, "");
	}
	return NULL;
}

const char *podspec_label(const Core__Pod *pod, const char *key)
{
	for (size_t i = 0; i < pod->metadata->n_labels; i++) {
		if (str_eq(pod->metadata->labels[i]->key, key))
			return str_or(pod->metadata->labels[i]->value, "");
	}
	return NULL;
}

char *podspec_field_path(const struct container_spec *c)
{
	static const char *const lists[] = {
		[CONTAINER_INIT] = "initContainers",
		[CONTAINER_SIDECAR] = "initContainers",
		[CONTAINER_MAIN] = "containers",
		[CONTAINER_EPHEMERAL] = "ephemeralContainers",
	};

	return str_fmt("spec.%s{%s}", lists[c->kind], c->spec->name);
}
