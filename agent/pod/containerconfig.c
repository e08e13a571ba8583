/* A container's configuration for the runtime (contract in podconfig.h). Pure. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/codec.h"
#include "podconfig.h"
#include "podnamespace.h"
#include "resource/resources.h"

enum { HUGEPAGE_NAME_MAX = 32 };

static const char *const masked_paths[] = {
	"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
	"/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap",
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void label(Cri__ContainerConfig *c, const char *key, const char *value)
{
	proto_push_pair(&c->n_labels, &c->labels, &cri__container_config__labels_entry__descriptor,
			key, value);
}

static void annotate(Cri__ContainerConfig *c, const char *key, const char *value)
{
	proto_push_pair(&c->n_annotations, &c->annotations,
			&cri__container_config__annotations_entry__descriptor, key, value);
}

/* Takes value over. */
static void annotate_take(Cri__ContainerConfig *c, const char *key, char *value)
{
	annotate(c, key, value);
	free(value);
}

/* As Go's encoder writes it: the three characters that matter in HTML are escaped. They stand in
 * strings only, so replacing them in the text is enough. */
static char *escape_html(const char *json)
{
	struct str out = { 0 };

	for (; *json; json++) {
		if (strchr("<>&", *json))
			str_printf(&out, "\\u%04x", (unsigned)*json);
		else
			str_append_c(&out, *json);
	}
	return str_take(&out);
}

static char *json_text(struct json_object *o)
{
	char *text = escape_html(json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return text;
}

static void annotate_ports(Cri__ContainerConfig *c, const Core__Container *spec)
{
	struct json_object *list;
	AUTO_FREE char *text = NULL;

	if (!spec->n_ports)
		return;
	list = json_object_new_array();
	for (size_t i = 0; i < spec->n_ports; i++)
		json_object_array_add(list, codec_to_json(spec->ports[i]));
	text = json_text(list);
	annotate(c, "io.kubernetes.container.ports", text);
}

/* State that whoever runs this node next reads back (upstream kuberuntime/labels.go). */
static void add_annotations(const struct container_input *in, Cri__ContainerConfig *c)
{
	const Core__Container *spec = in->container->spec;
	const Core__Pod *pod = in->spec->pod;

	annotate_take(c, "io.kubernetes.container.hash", str_fmt("%" PRIx64, in->container->hash));
	annotate_take(c, "io.kubernetes.container.restartCount", str_fmt("%u", in->restart_count));
	annotate(c, "io.kubernetes.container.terminationMessagePath",
		 str_or(spec->terminationmessagepath, ""));
	annotate(c, "io.kubernetes.container.terminationMessagePolicy",
		 str_or(spec->terminationmessagepolicy, ""));
	if (pod->metadata->has_deletiongraceperiodseconds)
		annotate_take(c, "io.kubernetes.pod.deletionGracePeriod",
			      str_fmt("%" PRId64, pod->metadata->deletiongraceperiodseconds));
	if (pod->spec->has_terminationgraceperiodseconds)
		annotate_take(c, "io.kubernetes.pod.terminationGracePeriod",
			      str_fmt("%" PRId64, pod->spec->terminationgraceperiodseconds));
	if (spec->lifecycle && spec->lifecycle->prestop) {
		AUTO_FREE char *text = json_text(codec_to_json(spec->lifecycle->prestop));

		annotate(c, "io.kubernetes.container.preStopHandler", text);
	}
	annotate_ports(c, spec);
}

static void add_labels(const struct container_input *in, Cri__ContainerConfig *c)
{
	label(c, "io.kubernetes.pod.name", in->spec->name);
	label(c, "io.kubernetes.pod.namespace", in->spec->ns);
	label(c, "io.kubernetes.pod.uid", in->spec->uid);
	label(c, "io.kubernetes.container.name", in->container->spec->name);
}

static void add_command(const struct container_input *in, Cri__ContainerConfig *c)
{
	const Core__Container *spec = in->container->spec;

	for (size_t i = 0; i < spec->n_command; i++)
		proto_push(&c->n_command, &c->command, podenv_expand(in->env, spec->command[i]));
	for (size_t i = 0; i < spec->n_args; i++)
		proto_push(&c->n_args, &c->args, podenv_expand(in->env, spec->args[i]));
	for (size_t i = 0; i < in->env->n; i++) {
		Cri__KeyValue *kv = proto_new(&cri__key_value__descriptor);

		proto_set_str(&kv->key, in->env->names[i]);
		kv->value.len = strlen(in->env->values[i]);
		kv->value.data = mem_dup(in->env->values[i], kv->value.len);
		proto_push(&c->n_envs, &c->envs, kv);
	}
}

static Cri__Mount *add_mount(Cri__ContainerConfig *c, const char *host, const char *inside)
{
	Cri__Mount *m = proto_new(&cri__mount__descriptor);

	proto_set_str(&m->host_path, host);
	/* a relative mount path is below the root */
	m->container_path = *inside == '/' ? mem_strdup(inside) : str_fmt("/%s", inside);
	proto_push(&c->n_mounts, &c->mounts, m);
	return m;
}

static Cri__MountPropagation propagation_of(const char *name)
{
	if (str_eq(name, "HostToContainer"))
		return CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER;
	return str_eq(name, "Bidirectional") ? CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL
					     : CRI__MOUNT_PROPAGATION__PROPAGATION_PRIVATE;
}

/* ConfigMap, Secret, downward API and projected volumes are the agent's to write. */
static bool volume_read_only(const Core__PodSpec *spec, const char *name)
{
	for (size_t i = 0; i < spec->n_volumes; i++) {
		const Core__VolumeSource *s = spec->volumes[i]->volumesource;

		if (str_eq(spec->volumes[i]->name, name) && s)
			return s->configmap || s->secret || s->downwardapi || s->projected;
	}
	return false;
}

static const char *image_reference(const Core__PodSpec *spec, const char *volume)
{
	for (size_t i = 0; i < spec->n_volumes; i++) {
		const Core__VolumeSource *s = spec->volumes[i]->volumesource;

		if (str_eq(spec->volumes[i]->name, volume) && s && s->image)
			return str_or(s->image->reference, "");
	}
	return "";
}

/* An image volume is the runtime's to mount: no host path, always read-only. */
static void mount_image(const struct container_input *in, const Core__VolumeMount *v,
			const char *ref, Cri__Mount *m)
{
	m->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&m->image->image, ref);
	proto_set_str(&m->image->user_specified_image,
		      image_reference(in->spec->pod->spec, v->name));
	podconfig_annotate(in->spec, &m->image->n_annotations, &m->image->annotations,
			   &cri__image_spec__annotations_entry__descriptor);
	proto_set_str(&m->image_sub_path, str_or(v->subpath, ""));
	proto_set_str(&m->host_path, "");
}

int podconfig_recursive_read_only(const Core__VolumeMount *m, bool supported, bool *ret_on,
				  struct err *e)
{
	const char *mode = m->recursivereadonly;

	*ret_on = false;
	if (!mode || str_eq(mode, "Disabled"))
		return 0;
	if (!m->readonly)
		return err_set(e, ERR_INVALID,
			       "volume \"%s\" requested recursive read-only mode, but it is not "
			       "read-only",
			       m->name);
	if (m->mountpropagation && !str_eq(m->mountpropagation, "None"))
		return err_set(e, ERR_INVALID,
			       "volume \"%s\" requested recursive read-only mode, but it is not "
			       "compatible with propagation \"%s\"",
			       m->name, m->mountpropagation);
	if (!str_eq(mode, "IfPossible") && !str_eq(mode, "Enabled"))
		return err_set(e, ERR_INVALID, "unknown recursive read-only mode \"%s\"", mode);
	if (!supported && str_eq(mode, "Enabled"))
		return err_set(e, ERR_UNIMPLEMENTED,
			       "volume \"%s\" requested recursive read-only mode, but it is not "
			       "supported by the runtime",
			       m->name);
	*ret_on = supported;
	return 0;
}

static int add_mounts(const struct container_input *in, Cri__ContainerConfig *c, struct err *e)
{
	const Core__Container *spec = in->container->spec;
	const char *hosts = in->hosts_path;
	bool recursive;

	for (size_t i = 0; i < spec->n_volumemounts; i++) {
		const Core__VolumeMount *v = spec->volumemounts[i];
		Cri__Mount *m = add_mount(c, in->mount_paths[i], str_or(v->mountpath, "/"));

		if (in->mount_images && in->mount_images[i])
			mount_image(in, v, in->mount_images[i], m);
		m->readonly =
		    m->image || v->readonly || volume_read_only(in->spec->pod->spec, v->name);
		m->propagation = propagation_of(v->mountpropagation);
		if (podconfig_recursive_read_only(v, in->recursive_read_only, &recursive, e) < 0)
			return err_wrap(e, "failed to resolve recursive read-only mode");
		m->recursive_read_only = recursive;
		if (str_eq(v->mountpath, "/etc/hosts"))
			hosts = NULL;
	}
	if (hosts)
		add_mount(c, hosts, "/etc/hosts");
	if (in->termination_path && !str_empty(spec->terminationmessagepath))
		add_mount(c, in->termination_path, spec->terminationmessagepath);
	return 0;
}

/* --- resources --- */

/* "2MB", as the hugetlb cgroup names it, for hugepages-2Mi; "" when there is no such size. */
static void hugepage_size_name(const char *resource, char *out, size_t size)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	int64_t bytes = resources_value(resource + strlen("hugepages-"));
	size_t unit = 0;

	for (; bytes && bytes % 1024 == 0 && unit + 1 < ARRAY_SIZE(units); unit++)
		bytes /= 1024;
	snprintf(out, size, "%" PRId64 "%s", bytes, units[unit]);
}

static void apply_hugepage_limits(const Core__ResourceRequirements *from,
				  Cri__LinuxContainerResources *r)
{
	for (size_t i = 0; from && i < from->n_limits; i++) {
		const char *resource = from->limits[i]->key;
		char name[HUGEPAGE_NAME_MAX];

		if (!str_starts(resource, "hugepages-"))
			continue;
		hugepage_size_name(resource, name, sizeof(name));
		for (size_t k = 0; k < r->n_hugepage_limits; k++) {
			if (str_eq(r->hugepage_limits[k]->page_size, name))
				r->hugepage_limits[k]->limit =
				    (uint64_t)resources_value(resources_limit(from, resource));
		}
	}
}

/* Of every size that the machine has, nothing but what the container, else the pod asks for. */
static void add_hugepages(const Core__PodSpec *spec, const Core__Container *c,
			  const struct podconfig_node *node, Cri__LinuxContainerResources *r)
{
	for (size_t i = 0; node->hugepage_sizes && node->hugepage_sizes[i]; i++) {
		Cri__HugepageLimit *h = proto_new(&cri__hugepage_limit__descriptor);

		proto_set_str(&h->page_size, node->hugepage_sizes[i]);
		proto_push(&r->n_hugepage_limits, &r->hugepage_limits, h);
	}
	apply_hugepage_limits(spec->resources, r);
	apply_hugepage_limits(c->resources, r);
}

static void push_unified(Cri__LinuxContainerResources *r, const char *file, const char *text)
{
	proto_push_pair(&r->n_unified, &r->unified,
			&cri__linux_container_resources__unified_entry__descriptor, file, text);
}

static void push_mark(Cri__LinuxContainerResources *r, const char *file, int64_t bytes)
{
	AUTO_FREE char *text = str_fmt("%" PRId64, bytes);

	if (bytes >= 0)
		push_unified(r, file, text);
}

/* What only cgroup v2 has. memory.high is said when it is no business of ours, too: a container may
 * have got one while it was. */
static void add_unified(const Core__PodSpec *spec, const Core__Container *c,
			const struct podconfig_node *node, Cri__LinuxContainerResources *r)
{
	if (!node->oom_kills_one)
		push_unified(r, "memory.oom.group", "1");
	if (node->limits_swap)
		push_unified(r, "memory.swap.max", "0");
	if (node->memory_qos.on) {
		struct memory_marks m = memoryqos_of_container(&node->memory_qos, spec, c);

		push_mark(r, "memory.min", m.min_bytes);
		push_mark(r, "memory.low", m.low_bytes);
		push_mark(r, "memory.high", m.high_bytes);
	} else {
		push_unified(r, "memory.high", "max");
	}
}

Cri__LinuxContainerResources *podconfig_resources(const struct podspec *spec,
						  const Core__Container *c,
						  const struct podconfig_node *node)
{
	Cri__LinuxContainerResources *r;
	struct amounts a;

	resources_granted(spec->pod->spec, c, &a);
	r = podconfig_granted(&a, node);
	r->oom_score_adj = resources_oom_score_adj(spec->pod->spec, c, node->memory_capacity_bytes);
	add_hugepages(spec->pod->spec, c, node, r);
	if (node->cgroup_v2)
		add_unified(spec->pod->spec, c, node, r);
	else if (node->limits_swap)
		/* no swap: the sum of memory and swap is the memory limit */
		r->memory_swap_limit_in_bytes = a.memory_limit_bytes;
	return r;
}

/* --- security context --- */

static int seccomp_profile(const struct container_input *in, Cri__SecurityProfile **ret_profile,
			   struct err *e)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;
	const Core__SeccompProfile *want = sc && sc->seccompprofile ? sc->seccompprofile
					   : pod                    ? pod->seccompprofile
								    : NULL;
	AUTO_PROTO Cri__SecurityProfile *p = proto_new(&cri__security_profile__descriptor);

	p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
	if (want ? str_eq(want->type, "RuntimeDefault") : in->node->seccomp_default)
		p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
	if (want && str_eq(want->type, "Localhost")) {
		if (str_empty(want->localhostprofile))
			return err_set(e, ERR_INVALID,
				       "localhostProfile must be set if seccompProfile type is "
				       "Localhost.");
		p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
		p->localhost_ref =
		    str_fmt("%s/seccomp/%s", in->node->root_dir, want->localhostprofile);
	}
	*ret_profile = TAKE(p);
	return 0;
}

static void add_capabilities(const Core__Capabilities *caps, Cri__LinuxContainerSecurityContext *s)
{
	if (!caps)
		return;
	s->capabilities = proto_new(&cri__capability__descriptor);
	for (size_t i = 0; i < caps->n_add; i++)
		proto_push_str(&s->capabilities->n_add_capabilities,
			       &s->capabilities->add_capabilities, caps->add[i]);
	for (size_t i = 0; i < caps->n_drop; i++)
		proto_push_str(&s->capabilities->n_drop_capabilities,
			       &s->capabilities->drop_capabilities, caps->drop[i]);
}

static void add_proc_paths(const Core__SecurityContext *sc, Cri__LinuxContainerSecurityContext *s)
{
	if (sc && str_eq(sc->procmount, "Unmasked"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(masked_paths); i++)
		proto_push_str(&s->n_masked_paths, &s->masked_paths, masked_paths[i]);
	for (size_t i = 0; i < ARRAY_SIZE(readonly_paths); i++)
		proto_push_str(&s->n_readonly_paths, &s->readonly_paths, readonly_paths[i]);
}

/* The container's own setting, else the pod's, else the image's. */
static void add_user(const struct container_input *in, Cri__LinuxContainerSecurityContext *s)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;

	if (sc && sc->has_runasuser)
		s->run_as_user = podnamespace_int64(sc->runasuser);
	else if (pod && pod->has_runasuser)
		s->run_as_user = podnamespace_int64(pod->runasuser);
	else if (in->image_has_uid)
		s->run_as_user = podnamespace_int64(in->image_uid);
	else if (str_empty(in->image_username))
		s->run_as_user = podnamespace_int64(0); /* no user in the image is root */
	else
		proto_set_str(&s->run_as_username, in->image_username);
	if (sc && sc->has_runasgroup)
		s->run_as_group = podnamespace_int64(sc->runasgroup);
	else if (pod && pod->has_runasgroup)
		s->run_as_group = podnamespace_int64(pod->runasgroup);
}

static bool must_be_non_root(const struct container_input *in)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;

	if (sc && sc->has_runasnonroot)
		return sc->runasnonroot;
	return pod && pod->runasnonroot;
}

static int verify_non_root(const struct container_input *in,
			   const Cri__LinuxContainerSecurityContext *s, struct err *e)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;
	bool from_spec = (sc && sc->has_runasuser) || (pod && pod->has_runasuser);

	if (!must_be_non_root(in))
		return 0;
	if (s->run_as_user && s->run_as_user->value == 0)
		return err_set(e, ERR_INVALID,
			       from_spec ? "container's runAsUser breaks non-root policy (pod: "
					   "\"%s_%s(%s)\", container: %s)"
					 : "container has runAsNonRoot and image will run as root "
					   "(pod: \"%s_%s(%s)\", container: %s)",
			       in->spec->name, in->spec->ns, in->spec->uid,
			       in->container->spec->name);
	if (!s->run_as_user && !str_empty(in->image_username))
		return err_set(e, ERR_INVALID,
			       "container has runAsNonRoot and image has non-numeric user (%s), "
			       "cannot verify user is non-root (pod: \"%s_%s(%s)\", container: %s)",
			       in->image_username, in->spec->name, in->spec->ns, in->spec->uid,
			       in->container->spec->name);
	return 0;
}

/* Admission has seen to it that a profile which is asked for can be enforced. */
static void add_apparmor(const struct container_input *in, Cri__LinuxContainerSecurityContext *s)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;
	const Core__AppArmorProfile *want = sc && sc->apparmorprofile ? sc->apparmorprofile
					    : pod                     ? pod->apparmorprofile
								      : NULL;
	char *old = NULL;

	if (!want)
		return;
	s->apparmor = proto_new(&cri__security_profile__descriptor);
	if (str_eq(want->type, "Localhost")) {
		s->apparmor->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
		proto_set_str(&s->apparmor->localhost_ref, str_or(want->localhostprofile, ""));
		old = str_fmt("localhost/%s", str_or(want->localhostprofile, ""));
	} else if (str_eq(want->type, "Unconfined")) {
		s->apparmor->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
		old = mem_strdup("unconfined");
	} else {
		old = mem_strdup("runtime/default");
	}
	s->apparmor_profile = old;
}

int podconfig_security(const struct container_input *in,
		       Cri__LinuxContainerSecurityContext **ret_context, struct err *e)
{
	const Core__SecurityContext *sc = in->container->spec->securitycontext;
	const Core__PodSecurityContext *pod = in->spec->pod->spec->securitycontext;
	AUTO_PROTO Cri__LinuxContainerSecurityContext *s =
	    proto_new(&cri__linux_container_security_context__descriptor);

	if (seccomp_profile(in, &s->seccomp, e) < 0)
		return -1;
	add_user(in, s);
	if (verify_non_root(in, s, e) < 0)
		return -1;
	s->namespace_options = podnamespace_options(in->spec->pod->spec);
	if (in->target_id && s->namespace_options->pid == CRI__NAMESPACE_MODE__CONTAINER) {
		s->namespace_options->pid = CRI__NAMESPACE_MODE__TARGET;
		proto_set_str(&s->namespace_options->target_id, in->target_id);
	}
	if (pod) {
		podnamespace_groups(pod, &s->n_supplemental_groups, &s->supplemental_groups);
		if (str_eq(pod->supplementalgroupspolicy, "Strict"))
			s->supplemental_groups_policy = CRI__SUPPLEMENTAL_GROUPS_POLICY__Strict;
	}
	s->selinux_options = podnamespace_selinux(sc && sc->selinuxoptions ? sc->selinuxoptions
						  : pod                    ? pod->selinuxoptions
									   : NULL);
	if (sc) {
		add_capabilities(sc->capabilities, s);
		s->privileged = sc->privileged;
		s->readonly_rootfs = sc->readonlyrootfilesystem;
		s->no_new_privs = sc->has_allowprivilegeescalation && !sc->allowprivilegeescalation;
	}
	add_proc_paths(sc, s);
	add_apparmor(in, s);
	*ret_context = TAKE(s);
	return 0;
}

int podconfig_container(const struct container_input *in, Cri__ContainerConfig **ret_config,
			struct err *e)
{
	const Core__Container *spec = in->container->spec;
	AUTO_PROTO Cri__ContainerConfig *c = proto_new(&cri__container_config__descriptor);

	c->metadata = proto_new(&cri__container_metadata__descriptor);
	proto_set_str(&c->metadata->name, spec->name);
	c->metadata->attempt = in->restart_count;
	c->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&c->image->image, in->image_ref);
	proto_set_str(&c->image->user_specified_image, spec->image);
	add_command(in, c);
	proto_set_str(&c->working_dir, str_or(spec->workingdir, ""));
	add_labels(in, c);
	add_annotations(in, c);
	if (add_mounts(in, c, e) < 0)
		return -1;
	c->log_path = str_fmt("%s/%u.log", spec->name, in->restart_count);
	c->stdin = spec->stdin;
	c->stdin_once = spec->stdinonce;
	c->tty = spec->tty;
	c->linux = proto_new(&cri__linux_container_config__descriptor);
	c->linux->resources = podconfig_resources(in->spec, spec, in->node);
	c->linux->security_context = proto_dup(in->security);
	*ret_config = TAKE(c);
	return 0;
}
