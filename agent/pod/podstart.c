/* Starting one container: objects, image, files, create, start, postStart. Effect.
 *
 * A chain of asynchronous stages over one struct start. What the chain found out lives only here;
 * a failure at any stage leaves nothing that a later attempt would trip over.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/grpc.h"
#include "image/keyring.h"
#include "podobserve.h"
#include "podset.h"
#include "step.h"

enum {
	OBJECTS_TIMEOUT_USEC = 30 * USEC_PER_SEC,
	RETRY_BASE_USEC = 1 * USEC_PER_SEC,
	RETRY_MAX_USEC = 30 * USEC_PER_SEC,
	MIN_GRACE_SEC = 2,
};

struct start {
	Cri__PodSandboxConfig *sandbox_config;
	char *sandbox_id;
	char *missing_secrets; /* pull secrets that are not there, or NULL */
	char *image_ref, *image_username;
	bool image_has_uid;
	int64_t image_uid;
	struct files *env_files; /* variables that files set, or NULL */
	struct env_list env;
	Cri__LinuxContainerSecurityContext *security;
	struct files *files;
	char **mount_images; /* parallel to volumeMounts: refs of image volumes */
	size_t n_mount_images;
	char *container_id;
	char *hook_error;
	int64_t grace_sec;
};

void start_free(struct start *st)
{
	if (!st)
		return;
	proto_free(st->sandbox_config);
	files_free(st->env_files);
	env_list_fini(&st->env);
	proto_free(st->security);
	files_free(st->files);
	for (size_t i = 0; i < st->n_mount_images; i++)
		free(st->mount_images[i]);
	free(st->mount_images);
	free(st->sandbox_id);
	free(st->missing_secrets);
	free(st->image_ref);
	free(st->image_username);
	free(st->container_id);
	free(st->hook_error);
	free(st);
}

/* --- failure --- */

void start_failed(struct step *s, const char *reason, const char *message)
{
	struct pod_container *c = step_container(s);
	int64_t delay = RETRY_BASE_USEC;

	if (!c)
		return;
	for (unsigned i = 0; i < c->failures && delay < RETRY_MAX_USEC; i++)
		delay *= 2;
	c->failures++;
	c->failed_until_usec = clock_mono_usec() + delay;
	pod_set_waiting(c, reason, message);
	log_warning("pod %s/%s container %s: %s: %s", s->pod->spec->ns, s->pod->spec->name, c->name,
		    reason, message);
	pod_wake_at(s->pod, c->failed_until_usec);
}

static void fail_with_event(struct step *s, const char *reason, const char *message)
{
	if (step_container(s))
		pod_container_event(s->pod, s->container, "Warning", "Failed", "Error: %s",
				    message);
	start_failed(s, reason, message);
	step_done(s);
}

/* --- postStart --- */

static void started(struct step *s)
{
	struct pod_container *c = step_container(s);

	if (c) {
		c->failures = 0;
		c->failed_until_usec = 0;
		c->backed_off = false;
		pod_set_waiting(c, NULL, NULL);
	}
	step_done(s);
}

static void on_killed_after_hook(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;

	s->rpc = NULL;
	proto_free(reply);
	if (e && e->code != ERR_NOT_FOUND)
		log_err_warning(e, "stopping %s after its postStart hook failed",
				s->container_name);
	start_failed(s, "PostStartHookError", s->start->hook_error);
	step_done(s);
}

/* A container whose hook failed may not live. */
static void on_poststart(void *ctx, const struct err *e)
{
	struct step *s = ctx;
	AUTO_PROTO Cri__StopContainerRequest *req =
	    proto_new(&cri__stop_container_request__descriptor);

	s->hook = NULL;
	if (!e) {
		started(s);
		return;
	}
	log_err_warning(e, "postStart hook of %s in %s/%s", s->container_name, s->pod->spec->ns,
			s->pod->spec->name);
	if (step_container(s)) {
		pod_container_event(s->pod, s->container, "Warning", "FailedPostStartHook",
				    "PostStartHook failed");
		pod_container_event(s->pod, s->container, "Normal", "Killing",
				    "FailedPostStartHook");
	}
	s->start->hook_error = mem_strdup(e->text);
	proto_set_str(&req->container_id, s->start->container_id);
	req->timeout = podspec_grace_sec(s->pod->spec) > MIN_GRACE_SEC
			   ? podspec_grace_sec(s->pod->spec)
			   : MIN_GRACE_SEC;
	s->rpc = cri_call(s->pod->env->cri, CRI_STOP_CONTAINER, req, 0, on_killed_after_hook, s);
}

static void run_poststart(struct step *s)
{
	const struct container_spec *c = &s->pod->spec->containers[s->container];
	const Core__Lifecycle *l = c->spec->lifecycle;

	if (!l || !l->poststart) {
		started(s);
		return;
	}
	/* the container runs: status and probes need not wait for the hook */
	podobserve_refresh(s->pod->env->observe, s->pod->uid);
	s->hook = hooks_run(s->pod->env->hooks, s->pod->spec, c, s->start->container_id,
			    step_pod_ip(s), l->poststart, 0, on_poststart, s);
}

/* --- create and start --- */

static void on_started(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;
	struct pod *p = s->pod;
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *log = NULL;

	s->rpc = NULL;
	s->in_runtime = false;
	proto_free(reply);
	if (!step_container(s)) {
		step_done(s);
		return;
	}
	if (e) {
		fail_with_event(s, "RunContainerError", e->text);
		return;
	}
	pod_container_event(p, s->container, "Normal", "Started", "Container started");
	dir = podconfig_log_dir(p->env->node, p->spec->ns, p->spec->name, p->uid);
	log = str_fmt("%s/%s/%u.log", dir, s->container_name, s->attempt);
	containerlog_link(p->spec->ns, p->spec->name, s->container_name, s->start->container_id,
			  log);
	/* a pod that began to end meanwhile gets no hook: its turn stops the container */
	if (p->phase == POD_SYNC)
		run_poststart(s);
	else
		started(s);
}

static void on_created(void *ctx, void *reply, const struct err *e)
{
	struct step *s = ctx;
	AUTO_PROTO Cri__CreateContainerResponse *r = reply;
	AUTO_PROTO Cri__StartContainerRequest *req =
	    proto_new(&cri__start_container_request__descriptor);

	s->rpc = NULL;
	if (!step_container(s) || (!e && s->pod->phase != POD_SYNC)) {
		step_done(s);
		return;
	}
	if (e) {
		s->in_runtime = false;
		fail_with_event(s, "CreateContainerError", e->text);
		return;
	}
	s->start->container_id = mem_strdup(r->container_id);
	pod_container_event(s->pod, s->container, "Normal", "Created", "Container created");
	proto_set_str(&req->container_id, r->container_id);
	s->rpc = cri_call(s->pod->env->cri, CRI_START_CONTAINER, req, 0, on_started, s);
}

/* Id of the container whose PID namespace an ephemeral container joins. */
static const char *target_id(struct step *s, const struct podobs *obs)
{
	const char *target = s->pod->spec->containers[s->container].target;
	const struct obs_container *c = str_empty(target) ? NULL : podobs_active(obs, target);

	return c && c->state == OBS_RUNNING ? c->id : NULL;
}

static void note_attempt(struct step *s, const struct podobs *obs)
{
	struct pod_container *c = step_container(s);
	const struct obs_container *latest = podobs_latest(obs, s->container_name);

	if (!latest || latest->state != OBS_EXITED)
		return;
	backoff_next(&c->crash, pod_container_ended_usec(c, latest), clock_mono_usec(),
		     BACKOFF_BASE_SEC * USEC_PER_SEC, s->pod->env->max_crash_backoff_usec);
	c->crash_known = true;
}

static void create(struct step *s)
{
	struct pod *p = s->pod;
	struct start *st = s->start;
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);
	AUTO_PROTO Cri__CreateContainerRequest *req =
	    proto_new(&cri__create_container_request__descriptor);
	AUTO_FREE const char **paths = mem_calloc(st->files->n_mounts + 1, sizeof(*paths));
	struct container_input in = {
		.spec = p->spec,
		.container = &p->spec->containers[s->container],
		.node = p->env->node,
		.security = st->security,
		.env = &st->env,
		.restart_count = s->attempt,
		.image_ref = st->image_ref,
		.mount_paths = paths,
		.mount_images = (const char *const *)st->mount_images,
		.hosts_path = st->files->hosts_path,
		.termination_path = st->files->termination_path,
		.recursive_read_only = pod_recursive_read_only(p),
	};
	struct err e;

	for (size_t i = 0; i < st->files->n_mounts; i++)
		paths[i] = st->files->mounts[i].path;
	if (podconfig_container(&in, &req->config, &e) < 0) {
		fail_with_event(s, "CreateContainerConfigError", e.text);
		return;
	}
	if (obs)
		note_attempt(s, obs);
	proto_set_str(&req->pod_sandbox_id, st->sandbox_id);
	req->sandbox_config = TAKE(st->sandbox_config);
	s->in_runtime = true;
	s->rpc = cri_call(p->env->cri, CRI_CREATE_CONTAINER, req, 0, on_created, s);
}

/* --- files --- */

static void on_files(void *ctx, struct files *files)
{
	struct step *s = ctx;

	s->files = NULL;
	s->start->files = files;
	if (!step_container(s) || s->pod->phase != POD_SYNC)
		step_done(s);
	else if (files->error.code != ERR_NONE)
		fail_with_event(s, "CreateContainerConfigError", files->error.text);
	else
		create(s);
}

static int add_mounts(struct step *s, struct files *f, const char *pod_dir, struct err *e)
{
	const Core__Container *c = s->pod->spec->containers[s->container].spec;

	f->mounts = mem_calloc(c->n_volumemounts, sizeof(*f->mounts));
	for (size_t i = 0; i < c->n_volumemounts; i++) {
		const Core__VolumeMount *v = c->volumemounts[i];
		struct files_mount *m = &f->mounts[f->n_mounts++];

		m->volume = mem_strdup(v->name);
		m->volume_path =
		    volumes_path(s->pod->env->node->root_dir, s->pod->spec->pod, v->name);
		if (!m->volume_path)
			return err_set(e, ERR_INVALID,
				       "cannot find volume \"%s\" to mount into container \"%s\"",
				       v->name, c->name);
		m->foreign = !str_starts(m->volume_path, pod_dir);
		m->sub_path = mem_strdup(v->subpath);
		if (!str_empty(v->subpathexpr)) {
			free(m->sub_path);
			m->sub_path = podenv_expand_strict(&s->start->env, v->subpathexpr, e);
			if (!m->sub_path)
				return -1;
		}
		m->bind_path =
		    str_fmt("%s/volume-subpaths/%s/%s/%zu", pod_dir, v->name, c->name, i);
	}
	return 0;
}

static bool mounts_hosts_itself(const Core__Container *c)
{
	for (size_t i = 0; i < c->n_volumemounts; i++) {
		if (str_eq(c->volumemounts[i]->mountpath, "/etc/hosts"))
			return true;
	}
	return false;
}

static void add_hosts(struct step *s, struct files *f, const char *pod_dir)
{
	const struct podobs *obs = podobserve_get(s->pod->env->observe, s->pod->uid);
	const struct obs_sandbox *sandbox = obs ? podobs_sandbox(obs) : NULL;
	const char *domain = s->pod->env->node->dns.cluster_domain;
	AUTO_FREE char *node_hosts = NULL;

	if (mounts_hosts_itself(s->pod->spec->containers[s->container].spec))
		return;
	if (podspec_host_network(s->pod->spec)) {
		if (fs_read("/etc/hosts", 1 << 20, &node_hosts, NULL, NULL) < 0)
			node_hosts = mem_strdup("");
	} else if (!sandbox || !sandbox->ips) {
		return;
	}
	f->hosts_path = str_fmt("%s/etc-hosts", pod_dir);
	f->hosts_text = poddns_hosts_file(
	    s->pod->spec, sandbox ? (const char *const *)sandbox->ips : NULL, domain, node_hosts);
}

static void make_files(struct step *s)
{
	struct pod *p = s->pod;
	const Core__Container *c = p->spec->containers[s->container].spec;
	AUTO_FREE char *pod_dir = podconfig_pod_dir(p->env->node, p->uid);
	AUTO_FREE char *log_dir =
	    podconfig_log_dir(p->env->node, p->spec->ns, p->spec->name, p->uid);
	struct files *f = NEW(struct files);
	struct err e;

	f->container = mem_strdup(c->name);
	f->container_dir = str_fmt("%s/containers/%s", pod_dir, c->name);
	f->log_dir = str_fmt("%s/%s", log_dir, c->name);
	f->termination = !str_empty(c->terminationmessagepath);
	add_hosts(s, f, pod_dir);
	if (add_mounts(s, f, pod_dir, &e) < 0) {
		files_free(f);
		fail_with_event(s, "CreateContainerConfigError", e.text);
		return;
	}
	s->files = podfiles_make(p->env->jobs, f, on_files, s);
}

/* --- environment --- */

static const void *find_object(void *ctx, enum env_source source, const char *name)
{
	struct pod *p = ((struct step *)ctx)->pod;
	struct kube_object *o = NULL;

	if (objcache_get(p->env->objects, source == ENV_SECRET ? KUBE_SECRET : KUBE_CONFIG_MAP,
			 p->spec->ns, name, &o) != OBJ_PRESENT)
		return NULL;
	return o->msg;
}

static bool find_file_value(void *ctx, const Core__FileKeySelector *ref,
			    struct env_file_value *ret_value)
{
	const struct files *f = ((struct step *)ctx)->start->env_files;

	for (size_t i = 0; f && i < f->n_variables; i++) {
		const struct files_variable *v = &f->variables[i];

		if (!str_eq(v->volume, ref->volumename) || !str_eq(v->path, ref->path) ||
		    !str_eq(v->key, ref->key))
			continue;
		*ret_value = (struct env_file_value){ v->file_path, v->value };
		return true;
	}
	return false;
}

static struct kube_object **all_services(struct pod *p, size_t *ret_n)
{
	size_t n = p->env->services ? informer_count(p->env->services) : 0, i = 0, cursor = 0;
	struct kube_object **list = mem_calloc(n + 1, sizeof(*list)), *o;

	while (i < n && (o = informer_next(p->env->services, &cursor)))
		list[i++] = o;
	*ret_n = i;
	return list;
}

static int make_env(struct step *s, struct err *e)
{
	struct pod *p = s->pod;
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);
	const struct obs_sandbox *sandbox = obs ? podobs_sandbox(obs) : NULL;
	size_t n_services;
	AUTO_FREE struct kube_object **services = all_services(p, &n_services);
	struct env_input in = {
		.spec = p->spec,
		.container = p->spec->containers[s->container].spec,
		.find = find_object,
		.file = find_file_value,
		.ctx = s,
		.services = services,
		.n_services = n_services,
		.host_ips = (const char *const *)p->env->host_ips,
		.allocatable_cpu_milli = p->env->allocatable_cpu_milli,
		.allocatable_memory_bytes = p->env->allocatable_memory_bytes,
		.allocatable_ephemeral_bytes = p->env->allocatable_ephemeral_bytes,
	};

	in.pod_ips = podspec_host_network(p->spec) ? in.host_ips
		     : sandbox                     ? (const char *const *)sandbox->ips
						   : NULL;
	return podenv_make(&in, &s->start->env, e);
}

static int make_security(struct step *s, struct err *e)
{
	struct pod *p = s->pod;
	struct start *st = s->start;
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);
	const struct container_input in = {
		.spec = p->spec,
		.container = &p->spec->containers[s->container],
		.node = p->env->node,
		.image_has_uid = st->image_has_uid,
		.image_uid = st->image_uid,
		.image_username = st->image_username,
		.target_id = obs ? target_id(s, obs) : NULL,
	};

	return podconfig_security(&in, &st->security, e);
}

static void go_on_with_env(struct step *s)
{
	struct err e;

	if (make_env(s, &e) < 0 || make_security(s, &e) < 0)
		fail_with_event(s, "CreateContainerConfigError", e.text);
	else
		make_files(s);
}

static void on_env_files(void *ctx, struct files *files)
{
	struct step *s = ctx;

	s->files = NULL;
	s->start->env_files = files;
	if (!step_container(s) || s->pod->phase != POD_SYNC)
		step_done(s);
	else
		go_on_with_env(s);
}

static void add_variable(struct step *s, const Core__FileKeySelector *ref, struct files *f)
{
	struct pod *p = s->pod;
	AUTO_FREE char *dir =
	    volumes_used(p->spec, ref->volumename)
		? volumes_path(p->env->node->root_dir, p->spec->pod, ref->volumename)
		: NULL;

	if (str_empty(dir))
		return;
	f->variables = mem_realloc(f->variables, f->n_variables + 1, sizeof(*f->variables));
	f->variables[f->n_variables++] = (struct files_variable){
		.volume = mem_strdup(ref->volumename),
		.path = mem_strdup(ref->path),
		.key = mem_strdup(ref->key),
		.file_path = str_fmt("%s/%s", dir, ref->path),
		.volume_path = mem_strdup(dir),
	};
}

static void read_env_files(struct step *s)
{
	const Core__Container *c = s->pod->spec->containers[s->container].spec;
	struct files *f = NEW(struct files);

	for (size_t i = 0; i < c->n_env; i++) {
		if (c->env[i]->valuefrom && c->env[i]->valuefrom->filekeyref)
			add_variable(s, c->env[i]->valuefrom->filekeyref, f);
	}
	if (f->n_variables) {
		s->files = podfiles_read(s->pod->env->jobs, f, on_env_files, s);
		return;
	}
	files_free(f);
	go_on_with_env(s);
}

/* --- image --- */

static void image_event(void *ctx, const char *type, const char *reason, const char *message)
{
	struct step *s = ctx;

	if (step_container(s))
		pod_container_event(s->pod, s->container, type, reason, "%s", message);
}

/* The image of a volume is the pod's, not the container's. */
static void volume_image_event(void *ctx, const char *type, const char *reason, const char *message)
{
	struct step *s = ctx;

	if (step_container(s))
		pod_container_event(s->pod, -1, type, reason, "%s", message);
}

/* Upstream's error event repeats the reason, not the text, for failed pulls. */
static void image_failed(struct step *s, const struct image_result *r)
{
	struct pod_container *c = step_container(s);

	pod_container_event(s->pod, s->container, "Warning", "Failed", "Error: %s", r->reason);
	if (s->start->missing_secrets && str_eq(r->reason, "ErrImagePull"))
		pod_event(s->pod, "Warning", "FailedToRetrieveImagePullSecret",
			  "Unable to retrieve some image pull secrets (%s); attempting to pull the "
			  "image may not succeed.",
			  s->start->missing_secrets);
	start_failed(s, r->reason, r->message);
	if (r->retry_usec) {
		c->failed_until_usec = r->retry_usec;
		pod_wake_at(s->pod, r->retry_usec);
	}
	step_done(s);
}

/* --- image volumes: one after another, as most containers mount none --- */

static const Core__ImageVolumeSource *image_volume(struct step *s, const char *volume)
{
	const Core__PodSpec *spec = s->pod->spec->pod->spec;

	for (size_t i = 0; i < spec->n_volumes; i++) {
		const Core__VolumeSource *source = spec->volumes[i]->volumesource;

		if (str_eq(spec->volumes[i]->name, volume))
			return source ? source->image : NULL;
	}
	return NULL;
}

static void ensure(struct step *s, const char *image, const char *policy,
		   void (*done)(void *ctx, const struct image_result *r));
static void next_mount_image(struct step *s);

/* False when there is nothing to go on with: the step has been told. */
static bool take_image(struct step *s, const struct image_result *r)
{
	s->image = NULL;
	if (!step_container(s)) {
		step_done(s);
		return false;
	}
	if (!r->ref) {
		image_failed(s, r);
		return false;
	}
	return true;
}

static void on_mount_image(void *ctx, const struct image_result *r)
{
	struct step *s = ctx;

	if (!take_image(s, r))
		return;
	s->start->mount_images[s->start->n_mount_images++] = mem_strdup(r->ref);
	next_mount_image(s);
}

static void next_mount_image(struct step *s)
{
	struct start *st = s->start;
	const Core__Container *c = s->pod->spec->containers[s->container].spec;

	if (!st->mount_images)
		st->mount_images = mem_calloc(c->n_volumemounts + 1, sizeof(*st->mount_images));
	while (st->n_mount_images < c->n_volumemounts) {
		const Core__ImageVolumeSource *v =
		    image_volume(s, c->volumemounts[st->n_mount_images]->name);

		if (v) {
			ensure(s, str_or(v->reference, ""), str_or(v->pullpolicy, "IfNotPresent"),
			       on_mount_image);
			return;
		}
		st->mount_images[st->n_mount_images++] = NULL;
	}
	read_env_files(s);
}

static void on_image(void *ctx, const struct image_result *r)
{
	struct step *s = ctx;
	struct start *st = s->start;

	if (!take_image(s, r))
		return;
	st->image_ref = mem_strdup(r->ref);
	st->image_has_uid = r->has_uid;
	st->image_uid = r->uid;
	st->image_username = mem_strdup(r->username);
	next_mount_image(s);
}

/* Missing ones are told of only when the pull fails, too. */
static void add_pull_secret(struct step *s, struct keyring *k, const char *name,
			    struct str *missing)
{
	static const char *const keys[] = { ".dockerconfigjson", ".dockercfg" };
	struct kube_object *o = NULL;
	const Core__Secret *secret;
	struct err e;

	if (objcache_get(s->pod->env->objects, KUBE_SECRET, s->pod->spec->ns, name, &o) !=
	    OBJ_PRESENT) {
		str_printf(missing, "%s%s", missing->len ? ", " : "", name);
		return;
	}
	secret = (const Core__Secret *)o->msg;
	for (size_t i = 0; i < secret->n_data; i++) {
		const Core__Secret__DataEntry *d = secret->data[i];

		if ((str_eq(d->key, keys[0]) || str_eq(d->key, keys[1])) &&
		    keyring_add(k, (const char *)d->value.data, d->value.len, &e) < 0)
			log_err_warning(&e, "pull secret %s/%s", s->pod->spec->ns, name);
	}
}

static void add_pull_secrets(struct step *s, struct keyring *k)
{
	const Core__PodSpec *spec = s->pod->spec->pod->spec;
	struct str missing = { 0 };

	for (size_t i = 0; i < spec->n_imagepullsecrets; i++) {
		if (!str_empty(spec->imagepullsecrets[i]->name))
			add_pull_secret(s, k, spec->imagepullsecrets[i]->name, &missing);
	}
	free(s->start->missing_secrets);
	s->start->missing_secrets = missing.len ? str_take(&missing) : NULL;
}

static void ensure(struct step *s, const char *image, const char *policy,
		   void (*done)(void *ctx, const struct image_result *r))
{
	struct pod *p = s->pod;
	CLEANUP(keyring_fini) struct keyring keys = { 0 };
	Cri__AuthConfig **auths = NULL;
	size_t n_auths = 0;
	struct image_request req = {
		.owner_uid = p->uid,
		.image = image,
		.policy = policy,
		.sandbox = s->start->sandbox_config,
		.event = done == on_image ? image_event : volume_image_event,
		.done = done,
		.ctx = s,
	};

	add_pull_secrets(s, &keys);
	keyring_lookup(&keys, req.image, &n_auths, &auths);
	req.auths = auths;
	req.n_auths = n_auths;
	s->image = images_ensure(p->env->images, &req);
	for (size_t i = 0; i < n_auths; i++)
		proto_free(auths[i]);
	free(auths);
}

/* --- objects that the container refers to --- */

static void hold(void *ctx, enum env_source source, const char *name)
{
	struct step *s = ctx;

	if (!str_empty(name))
		objcache_hold(s->pod->env->objects, s->pod->uid,
			      source == ENV_SECRET ? KUBE_SECRET : KUBE_CONFIG_MAP,
			      s->pod->spec->ns, name);
}

static const char *image_of(struct step *s)
{
	return s->pod->spec->containers[s->container].spec->image;
}

static const char *pull_policy(struct step *s)
{
	return str_or(s->pod->spec->containers[s->container].spec->imagepullpolicy, "IfNotPresent");
}

static void on_objects(void *ctx, const struct err *e)
{
	struct step *s = ctx;

	s->objects = NULL;
	if (!step_container(s))
		step_done(s);
	else if (e)
		fail_with_event(s, "CreateContainerConfigError", e->text);
	else
		ensure(s, str_or(image_of(s), ""), pull_policy(s), on_image);
}

/* Restarts that a runtime without records has forgotten are still visible in the log files. */
static void recover_attempt(struct step *s)
{
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *log = NULL;

	if (s->attempt)
		return;
	dir =
	    podconfig_log_dir(s->pod->env->node, s->pod->spec->ns, s->pod->spec->name, s->pod->uid);
	log = str_fmt("%s/%s", dir, s->container_name);
	s->attempt = containerlog_restarts(log);
}

void start_begin(struct step *s)
{
	struct pod *p = s->pod;
	const struct podobs *obs = podobserve_get(p->env->observe, p->uid);
	const struct obs_sandbox *sandbox = obs ? podobs_sandbox(obs) : NULL;
	const Core__PodSpec *spec = p->spec->pod->spec;
	struct dns_warning warning;
	struct err e;

	s->start = NEW(struct start);
	recover_attempt(s);
	if (!sandbox || podconfig_sandbox(p->spec, p->env->node, sandbox->attempt,
					  &s->start->sandbox_config, &warning, &e) < 0) {
		step_done(s);
		return;
	}
	s->start->sandbox_id = mem_strdup(sandbox->id);
	podenv_refs(p->spec->containers[s->container].spec, hold, s);
	for (size_t i = 0; i < spec->n_imagepullsecrets; i++)
		hold(s, ENV_SECRET, spec->imagepullsecrets[i]->name);
	s->objects = objcache_wait(p->env->objects, p->uid, OBJECTS_TIMEOUT_USEC, on_objects, s);
}
