/* Volumes of pods (contract in volumes.h). Effect.
 *
 * Every volume is brought from "what it should hold" to "what was written" by one job at a time.
 * What should be there is recomputed whenever an object, a token or the pod changes.
 */
#include "volumes.h"

#include <dirent.h>
#include <unistd.h>

#include "atomicwriter.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "mounts.h"
#include "objcache.h"
#include "payload.h"
#include "pod/podenvironment.h"
#include "pod/podobserve.h"
#include "podcerts.h"
#include "resource/resources.h"
#include "tokens.h"
#include "trustbundle.h"

enum { WAIT_USEC = 123 * USEC_PER_SEC, RETRY_USEC = USEC_PER_SEC };

struct volume {
	char *name;
	bool busy;
	uint64_t written; /* hash of the content in place; 0: nothing yet */
	struct err error; /* of the last attempt */
	int64_t not_before_usec;
	struct job *foreign; /* under way on a file system that is not ours: may never end */
};

struct pod_volumes {
	struct volumes *v;
	char *uid;
	struct podspec *spec;
	const char *volume; /* whose content is being put together */
	struct volume *list;
	size_t n;
	struct volumes_call *call; /* somebody waits until all are there */
	unsigned jobs;
	bool gone; /* released while jobs ran */
	void (*released)(void *ctx, const struct err *e);
	void *released_ctx;
	sd_event_source *turn, *timer;
};

struct volumes_call {
	struct pod_volumes *pv;
	void (*done)(void *ctx, const struct err *e);
	void *ctx;
	int64_t give_up_usec;
};

struct volumes {
	struct pod_environment *env;
	struct tokens *tokens;
	struct trustbundle *bundles;
	struct podcerts *certs;
	struct map pods; /* uid → struct pod_volumes */
};

/* Directory names by plugin, as everything that walks /var/lib/kubelet/pods expects them. */
static const char *plugin_of(const Core__VolumeSource *s)
{
	if (!s)
		return NULL;
	if (s->emptydir)
		return "kubernetes.io~empty-dir";
	if (s->configmap)
		return "kubernetes.io~configmap";
	if (s->secret)
		return "kubernetes.io~secret";
	if (s->downwardapi)
		return "kubernetes.io~downward-api";
	return s->projected ? "kubernetes.io~projected" : NULL;
}

static const Core__Volume *find_volume(const Core__Pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->spec->n_volumes; i++) {
		if (str_eq(pod->spec->volumes[i]->name, name))
			return pod->spec->volumes[i];
	}
	return NULL;
}

char *volumes_path(const char *root_dir, const Core__Pod *pod, const char *name)
{
	const Core__Volume *v = find_volume(pod, name);
	const char *plugin = v ? plugin_of(v->volumesource) : NULL;

	if (v && v->volumesource && v->volumesource->hostpath)
		return mem_strdup(v->volumesource->hostpath->path);
	if (v && v->volumesource && v->volumesource->image)
		return mem_strdup("");
	return plugin
		   ? str_fmt("%s/pods/%s/volumes/%s/%s", root_dir, pod->metadata->uid, plugin, name)
		   : NULL;
}

/* --- what a volume should hold --- */

static int find_object(void *ctx, enum env_source source, const char *name, const void **ret,
		       struct err *e)
{
	struct pod_volumes *pv = ctx;
	enum kube_kind kind = source == ENV_SECRET ? KUBE_SECRET : KUBE_CONFIG_MAP;
	struct kube_object *o = NULL;

	(void)e;
	objcache_hold(pv->v->env->objects, pv->uid, kind, pv->spec->ns, name);
	switch (objcache_get(pv->v->env->objects, kind, pv->spec->ns, name, &o)) {
	case OBJ_PENDING:
		return 1;
	case OBJ_ABSENT:
		*ret = NULL;
		return 0;
	case OBJ_PRESENT:
		*ret = o->msg;
		return 0;
	}
	return 1;
}

static int find_token(void *ctx, const Core__ServiceAccountTokenProjection *p, const char **ret,
		      struct err *e)
{
	struct pod_volumes *pv = ctx;

	return tokens_get(pv->v->tokens, pv->spec, p, ret, e);
}

static int find_bundle(void *ctx, const Core__ClusterTrustBundleProjection *p, char **ret,
		       struct err *e)
{
	struct pod_volumes *pv = ctx;

	return trustbundle_get(pv->v->bundles, pv->uid, p, ret, e);
}

static int find_certificate(void *ctx, size_t source, const Core__PodCertificateProjection *p,
			    const char **ret_key, const char **ret_chain, struct err *e)
{
	struct pod_volumes *pv = ctx;

	return podcerts_get(pv->v->certs, pv->spec, pv->volume, source, p, ret_key, ret_chain, e);
}

static int make_payload(struct pod_volumes *pv, const Core__VolumeSource *s,
			struct payload *ret_payload, struct err *e)
{
	struct pod_environment *env = pv->v->env;
	const struct podobs *obs = podobserve_get(env->observe, pv->uid);
	const struct obs_sandbox *sandbox = obs ? podobs_sandbox(obs) : NULL;
	const char *const *host_ips = (const char *const *)env->host_ips;
	struct env_input downward = {
		.spec = pv->spec,
		.pod_ips = podspec_host_network(pv->spec) ? host_ips
			   : sandbox                      ? (const char *const *)sandbox->ips
							  : NULL,
		.host_ips = host_ips,
		.allocatable_cpu_milli = env->allocatable_cpu_milli,
		.allocatable_memory_bytes = env->allocatable_memory_bytes,
		.allocatable_ephemeral_bytes = env->allocatable_ephemeral_bytes,
	};
	struct payload_input in = {
		.spec = pv->spec,
		.env = &downward,
		.object = find_object,
		.token = find_token,
		.bundle = find_bundle,
		.certificate = find_certificate,
		.ctx = pv,
	};

	return payload_make(&in, s, ret_payload, e);
}

/* --- one job per volume --- */

struct job {
	struct pod_volumes *pv; /* NULL: nobody waits any more (foreign ones only) */
	size_t index;
	char *dir, *marker; /* marker: file that says the directory is set up, or NULL */
	char *host_type;    /* hostPath */
	bool content, host;
	struct emptydir empty;
	int64_t fs_group;
	struct payload payload;
	uint64_t hash;
	struct err error;
};

/* Upstream leaves such a file for every directory of the emptyDir plugin, its own volumes'
 * included. */
static void write_marker(struct job *j)
{
	AUTO_FREE char *file = str_fmt("%s/ready", j->marker);

	if (fs_mkdir_all(j->marker, 0750, &j->error) == 0 && access(file, F_OK) < 0)
		fs_write_atomic(file, "", 0, 0644, &j->error);
}

/* An emptyDir is made once: its mode is the containers' to change, and a restart of the agent must
 * not undo that. */
static bool made_before(const struct job *j)
{
	AUTO_FREE char *file = str_fmt("%s/ready", j->marker);

	return !j->content && access(file, F_OK) == 0 && access(j->dir, F_OK) == 0 &&
	       (j->empty.medium == EMPTYDIR_DISK || mounts_is_mount(j->dir));
}

static void job_work(void *arg)
{
	struct job *j = arg;

	err_clear(&j->error);
	if (j->host) {
		mounts_host_path(j->dir, j->host_type, &j->error);
		return;
	}
	if (made_before(j))
		return;
	if (mounts_empty_dir(j->dir, &j->empty, j->fs_group, &j->error) < 0)
		return;
	if (j->content && atomicwriter_write(j->dir, &j->payload, j->fs_group, &j->error) < 0)
		return;
	write_marker(j);
}

static void job_free(void *arg)
{
	struct job *j = arg;

	payload_fini(&j->payload);
	free(j->dir);
	free(j->marker);
	free(j->host_type);
	free(j);
}

static void wake(struct pod_volumes *pv);
static void release_if_idle(struct pod_volumes *pv);

/* Also when nobody waits: an update that could not be written (a full disk) must not be lost. */
static void retry_write(struct pod_volumes *pv, struct volume *vol)
{
	vol->not_before_usec = clock_mono_usec() + RETRY_USEC;
	if (!pv->timer || sd_event_source_get_enabled(pv->timer, NULL) > 0)
		return;
	sd_event_source_set_time_relative(pv->timer, RETRY_USEC);
	sd_event_source_set_enabled(pv->timer, SD_EVENT_ONESHOT);
}

static void setup_failed(struct volume *vol, const struct err *e)
{
	err_set(&vol->error, e->code, "MountVolume.SetUp failed for volume \"%s\" : %s", vol->name,
		e->text);
}

static void job_done(void *arg)
{
	struct job *j = arg;
	struct pod_volumes *pv = j->pv;
	struct volume *vol;

	if (!pv) {
		job_free(j);
		return;
	}
	vol = &pv->list[j->index];
	pv->jobs--;
	vol->busy = false;
	vol->foreign = NULL;
	vol->error = j->error;
	if (j->error.code == ERR_NONE) {
		vol->written = j->hash;
	} else {
		setup_failed(vol, &j->error);
		retry_write(pv, vol);
	}
	job_free(j);
	if (pv->gone)
		release_if_idle(pv);
	else
		wake(pv);
}

/* Takes the payload's content over. */
static void submit(struct pod_volumes *pv, size_t i, const Core__Volume *spec,
		   struct payload *payload, const struct emptydir *empty, uint64_t hash)
{
	const Core__VolumeSource *s = spec->volumesource;
	const Core__PodSecurityContext *sc = pv->spec->pod->spec->securitycontext;
	struct job *j = NEW(struct job);

	j->pv = pv;
	j->index = i;
	j->dir = volumes_path(pv->v->env->node->root_dir, pv->spec->pod, spec->name);
	j->marker =
	    str_fmt("%s/pods/%s/plugins/kubernetes.io~empty-dir/%s%s", pv->v->env->node->root_dir,
		    pv->uid, s->emptydir ? "" : "wrapped_", spec->name);
	j->hash = hash;
	j->fs_group = sc && sc->has_fsgroup ? sc->fsgroup : -1;
	j->content = payload_supported(s);
	j->host = s->hostpath != NULL;
	j->host_type = mem_strdup(s->hostpath ? s->hostpath->type : NULL);
	/* secrets never reach the disk */
	if (s->secret || s->projected || s->downwardapi)
		j->empty.medium = EMPTYDIR_MEMORY;
	if (empty)
		j->empty = *empty;
	if (payload) {
		j->payload = *payload;
		*payload = (struct payload){ 0 };
	}
	pv->list[i].busy = true;
	pv->jobs++;
	if (j->host) {
		pv->list[i].foreign = j;
		job_submit_foreign(pv->v->env->jobs, job_work, job_done, job_free, j);
	} else {
		job_submit(pv->v->env->jobs, job_work, job_done, job_free, j);
	}
}

bool volumes_used(const struct podspec *spec, const char *volume)
{
	for (size_t i = 0; i < spec->n_containers; i++) {
		const Core__Container *c = spec->containers[i].spec;

		for (size_t k = 0; k < c->n_volumemounts; k++) {
			if (str_eq(c->volumemounts[k]->name, volume))
				return true;
		}
		for (size_t k = 0; k < c->n_volumedevices; k++) {
			if (str_eq(c->volumedevices[k]->name, volume))
				return true;
		}
	}
	return false;
}

static bool supported(const Core__VolumeSource *s)
{
	return s && (payload_supported(s) || s->emptydir || s->hostpath || s->image);
}

/* An emptyDir or hostPath: made once. */
static void turn_directory(struct pod_volumes *pv, size_t i, const Core__Volume *spec)
{
	const Core__EmptyDirVolumeSource *source = spec->volumesource->emptydir;
	struct emptydir empty;
	struct err e;

	if (source && emptydir_decide(pv->spec->pod->spec, source,
				      pv->v->env->allocatable_memory_bytes, &empty, &e) < 0)
		setup_failed(&pv->list[i], &e);
	else
		submit(pv, i, spec, NULL, source ? &empty : NULL, 1);
}

/* Brings one volume closer to what it should be. */
static void turn_volume(struct pod_volumes *pv, size_t i)
{
	const Core__Volume *spec = pv->spec->pod->spec->volumes[i];
	struct volume *vol = &pv->list[i];
	CLEANUP(payload_fini) struct payload payload = { 0 };
	struct err e;
	int r;

	if (vol->busy || clock_mono_usec() < vol->not_before_usec ||
	    !volumes_used(pv->spec, spec->name))
		return;
	if (!supported(spec->volumesource)) {
		err_set(&vol->error, ERR_UNIMPLEMENTED,
			"MountVolume.SetUp failed for volume \"%s\" : its type is not implemented",
			spec->name);
		return;
	}
	if (spec->volumesource->image) {
		vol->written = 1; /* pulled with the container, mounted by the runtime */
		return;
	}
	if (!payload_supported(spec->volumesource)) {
		if (!vol->written)
			turn_directory(pv, i, spec);
		return;
	}
	pv->volume = spec->name;
	r = make_payload(pv, spec->volumesource, &payload, &e);
	if (r < 0)
		setup_failed(vol, &e);
	if (r)
		return;
	err_clear(&vol->error);
	if (payload_hash(&payload) != vol->written)
		submit(pv, i, spec, &payload, NULL, payload_hash(&payload));
}

static const struct volume *first_missing(const struct pod_volumes *pv)
{
	for (size_t i = 0; i < pv->n; i++) {
		if (!pv->list[i].written && volumes_used(pv->spec, pv->list[i].name))
			return &pv->list[i];
	}
	return NULL;
}

static void answer(struct pod_volumes *pv)
{
	struct volumes_call *call = pv->call;
	const struct volume *missing = first_missing(pv);
	struct err e;

	if (!call ||
	    (missing && missing->error.code == ERR_NONE && clock_mono_usec() < call->give_up_usec))
		return;
	/* a volume that is still being made is waited for before the verdict, unless it may hang */
	if (missing && missing->busy &&
	    (!missing->foreign || clock_mono_usec() < call->give_up_usec))
		return;
	if (missing && missing->error.code == ERR_NONE)
		err_set(&e, ERR_TIMEOUT,
			"MountVolume.SetUp failed for volume \"%s\" : timed out waiting for the "
			"condition",
			missing->name);
	else if (missing)
		e = missing->error;
	pv->call = NULL;
	call->done(call->ctx, missing ? &e : NULL);
	free(call);
}

static int on_turn(sd_event_source *s, void *userdata)
{
	struct pod_volumes *pv = userdata;

	pv->turn = sd_event_source_unref(s);
	/* holding objects for a pod that is over would hold them for ever */
	if (pv->gone)
		return 0;
	for (size_t i = 0; i < pv->n; i++)
		turn_volume(pv, i);
	answer(pv);
	return 0;
}

static void wake(struct pod_volumes *pv)
{
	if (!pv->turn && !pv->gone)
		sd_event_add_defer(pv->v->env->loop, &pv->turn, on_turn, pv);
}

/* A failed write is tried again; a wait that takes too long is answered. */
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)usec;
	sd_event_source_set_time_relative(s, USEC_PER_SEC);
	sd_event_source_set_enabled(s, ((struct pod_volumes *)userdata)->call ? SD_EVENT_ONESHOT
									      : SD_EVENT_OFF);
	wake(userdata);
	return 0;
}

/* --- life --- */

static void wake_uid(void *ctx, const char *uid)
{
	struct volumes *v = ctx;
	struct pod_volumes *pv = map_get(&v->pods, uid);

	if (pv)
		wake(pv);
}

void volumes_object_changed(struct volumes *v, const char *uid)
{
	wake_uid(v, uid);
}

struct volumes *volumes_new(struct pod_environment *env)
{
	static const struct tokens_ops token_ops = { .changed = wake_uid };
	static const struct trustbundle_ops bundle_ops = { .changed = wake_uid };
	static const struct podcerts_ops cert_ops = { .changed = wake_uid };
	struct volumes *v = NEW(struct volumes);

	v->env = env;
	v->tokens = tokens_new(env->loop, env->client, &token_ops, v);
	v->bundles = trustbundle_new(env->client, &bundle_ops, v);
	v->certs = podcerts_new(env, &cert_ops, v);
	return v;
}

static void pod_volumes_free(struct pod_volumes *pv)
{
	free(pv->call);
	sd_event_source_disable_unref(pv->turn);
	sd_event_source_disable_unref(pv->timer);
	for (size_t i = 0; i < pv->n; i++)
		free(pv->list[i].name);
	free(pv->list);
	podspec_free(pv->spec);
	free(pv->uid);
	free(pv);
}

/* The job pool is gone by now; foreign jobs call nobody back then. */
void volumes_free(struct volumes *v)
{
	void *value;

	if (!v)
		return;
	for (size_t cursor = 0; map_next(&v->pods, &cursor, NULL, &value);)
		pod_volumes_free(value);
	map_fini(&v->pods);
	tokens_free(v->tokens);
	trustbundle_free(v->bundles);
	podcerts_free(v->certs);
	free(v);
}

static struct pod_volumes *add_pod(struct volumes *v, const struct podspec *spec)
{
	struct pod_volumes *pv = NEW(struct pod_volumes);

	pv->v = v;
	pv->uid = mem_strdup(spec->uid);
	pv->spec = podspec_copy(spec);
	pv->n = spec->pod->spec->n_volumes;
	pv->list = mem_calloc(pv->n, sizeof(*pv->list));
	for (size_t i = 0; i < pv->n; i++)
		pv->list[i].name = mem_strdup(spec->pod->spec->volumes[i]->name);
	map_put(&v->pods, spec->uid, pv);
	return pv;
}

struct volumes_call *volumes_prepare(struct volumes *v, const struct podspec *spec,
				     void (*done)(void *ctx, const struct err *e), void *ctx)
{
	struct pod_volumes *pv = map_get(&v->pods, spec->uid);
	struct volumes_call *call = NEW(struct volumes_call);

	if (!pv)
		pv = add_pod(v, spec);
	*call = (struct volumes_call){ .pv = pv, .done = done, .ctx = ctx };
	call->give_up_usec = clock_mono_usec() + WAIT_USEC;
	pv->call = call;
	if (!pv->timer)
		sd_event_add_time_relative(v->env->loop, &pv->timer, CLOCK_MONOTONIC, USEC_PER_SEC,
					   0, on_timer, pv);
	else
		sd_event_source_set_enabled(pv->timer, SD_EVENT_ONESHOT);
	for (size_t i = 0; i < pv->n; i++)
		err_clear(&pv->list[i].error);
	wake(pv);
	return call;
}

void volumes_call_cancel(struct volumes_call *call)
{
	if (!call)
		return;
	call->pv->call = NULL;
	free(call);
}

/* Volumes of a pod never change after creation; labels, annotations and, with ephemeral containers,
 * who mounts them do. */
void volumes_update(struct volumes *v, const struct podspec *spec)
{
	struct pod_volumes *pv = map_get(&v->pods, spec->uid);

	if (!pv || pv->spec->object == spec->object)
		return;
	podspec_free(pv->spec);
	pv->spec = podspec_copy(spec);
	wake(pv);
}

/* --- release --- */

struct release {
	char *dir;
	void (*done)(void *ctx, const struct err *e);
	void *ctx;
	struct err error;
};

/* The volumes themselves; the pod's directory stays as long as the pod is known. */
static int remove_volumes(const char *pod_dir, struct err *e)
{
	AUTO_FREE char *volumes = str_fmt("%s/volumes", pod_dir);
	AUTO_FREE char *subpaths = str_fmt("%s/volume-subpaths", pod_dir);
	AUTO_FREE char *markers = str_fmt("%s/plugins/kubernetes.io~empty-dir", pod_dir);
	DIR *list = opendir(volumes);
	struct dirent *d;
	bool marked = access(markers, F_OK) == 0; /* not so for a pod that was refused */
	int r = fs_remove_all(subpaths, e) < 0 || fs_remove_all(markers, e) < 0 ||
			(marked && fs_mkdir_all(markers, 0750, e) < 0)
		    ? -1
		    : 0;

	while (list && r == 0 && (d = readdir(list))) {
		AUTO_FREE char *plugin = str_fmt("%s/%s", volumes, d->d_name);

		if (d->d_name[0] != '.')
			r = fs_remove_all(plugin, e) < 0 || fs_mkdir_all(plugin, 0755, e) < 0 ? -1
											      : 0;
	}
	if (list)
		closedir(list);
	return r;
}

static void release_work(void *arg)
{
	struct release *r = arg;

	err_clear(&r->error);
	if (mounts_unmount_below(r->dir, &r->error) == 0)
		remove_volumes(r->dir, &r->error);
}

static void release_free(void *arg)
{
	struct release *r = arg;

	free(r->dir);
	free(r);
}

static void release_done(void *arg)
{
	struct release *r = arg;

	r->done(r->ctx, r->error.code == ERR_NONE ? NULL : &r->error);
	release_free(r);
}

static void release_start(struct volumes *v, const char *uid,
			  void (*done)(void *ctx, const struct err *e), void *ctx)
{
	struct release *r = NEW(struct release);

	*r = (struct release){ .done = done, .ctx = ctx };
	r->dir = str_fmt("%s/pods/%s", v->env->node->root_dir, uid);
	job_submit(v->env->jobs, release_work, release_done, release_free, r);
}

/* A check of a host path leaves nothing to take back. */
static void leave_foreign(struct pod_volumes *pv, struct volume *vol)
{
	if (!vol->foreign)
		return;
	vol->foreign->pv = NULL;
	vol->foreign = NULL;
	pv->jobs--;
}

/* A write under way is waited for: it would make the directory again. */
static void release_if_idle(struct pod_volumes *pv)
{
	struct volumes *v = pv->v;

	if (pv->jobs)
		return;
	map_remove(&v->pods, pv->uid);
	release_start(v, pv->uid, pv->released, pv->released_ctx);
	pod_volumes_free(pv);
}

void volumes_release(struct volumes *v, const char *uid,
		     void (*done)(void *ctx, const struct err *e), void *ctx)
{
	struct pod_volumes *pv = map_get(&v->pods, uid);

	tokens_forget(v->tokens, uid);
	trustbundle_forget(v->bundles, uid);
	podcerts_forget(v->certs, uid);
	if (!pv) {
		release_start(v, uid, done, ctx);
		return;
	}
	pv->gone = true;
	for (size_t i = 0; i < pv->n; i++)
		leave_foreign(pv, &pv->list[i]);
	pv->released = done;
	pv->released_ctx = ctx;
	release_if_idle(pv);
}
