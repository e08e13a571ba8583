/* The pods of this node (contract in podset.h). Effect. */
#include "podset.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/node.pb-c.h"
#include "kube/codec.h"
#include "mirrors.h"
#include "podobserve.h"
#include "staticpods.h"
#include "volume/volumes.h"

struct podset {
	struct pod_environment *env;
	struct map pods; /* uid → struct pod */
	bool source_ready[POD_SOURCE_COUNT], runtime_ready;
};

struct podset *podset_new(struct pod_environment *env)
{
	struct podset *s = NEW(struct podset);

	s->env = env;
	return s;
}

static void containers_free(struct pod_container *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(c[i].name);
		free(c[i].waiting_reason);
		free(c[i].waiting_message);
		free(c[i].ended_id);
	}
	free(c);
}

static void pod_free(struct pod *p)
{
	podstep_cancel_all(p);
	sd_event_source_disable_unref(p->turn);
	sd_event_source_disable_unref(p->timer);
	containers_free(p->containers, p->n_containers);
	podspec_free(p->spec);
	proto_free(p->status);
	free(p->failed_reason);
	free(p->failed_message);
	free(p->uid);
	free(p);
}

void podset_free(struct podset *s)
{
	void *value;

	if (!s)
		return;
	for (size_t cursor = 0; map_next(&s->pods, &cursor, NULL, &value);)
		pod_free(value);
	map_fini(&s->pods);
	free(s);
}

struct pod *podset_get(struct podset *s, const char *uid)
{
	return map_get(&s->pods, uid);
}

bool podset_next(struct podset *s, size_t *cursor, struct pod **ret_pod)
{
	void *value;

	if (!map_next(&s->pods, cursor, NULL, &value))
		return false;
	*ret_pod = value;
	return true;
}

struct pod *podset_find(struct podset *s, const char *ns, const char *name)
{
	struct pod *p;

	for (size_t cursor = 0; podset_next(s, &cursor, &p);) {
		if (p->spec && !p->gone && str_eq(p->spec->ns, ns) && str_eq(p->spec->name, name))
			return p;
	}
	return NULL;
}

bool podset_source_read(const struct podset *s, enum pod_source source)
{
	return s->source_ready[source];
}

bool podset_sources_ready(const struct podset *s)
{
	for (size_t i = 0; i < POD_SOURCE_COUNT; i++) {
		if (!s->source_ready[i])
			return false;
	}
	return true;
}

static bool same_name(const struct pod *a, const struct pod *b)
{
	return str_eq(a->spec->ns, b->spec->ns) && str_eq(a->spec->name, b->spec->name);
}

struct pod *podset_find_static(struct podset *s, const char *ns, const char *name)
{
	struct pod *p;

	for (size_t cursor = 0; podset_next(s, &cursor, &p);) {
		if (p->is_static && !p->gone && str_eq(p->spec->ns, ns) &&
		    str_eq(p->spec->name, name))
			return p;
	}
	return NULL;
}

bool podset_name_taken(const struct pod *p)
{
	struct pod *other;

	for (size_t cursor = 0; podset_next(p->env->set, &cursor, &other);) {
		if (other != p && other->is_static && other->gone && other->phase < POD_FINISHED &&
		    same_name(other, p))
			return true;
	}
	return false;
}

/* --- what a pod leaves behind --- */

struct remains {
	struct pod *pod; /* the loop's, not the job's */
	char *log_dir, *pod_dir;
};

static void remove_tree(const char *path)
{
	struct err e;

	if (fs_remove_all(path, &e) < 0)
		log_err_warning(&e, "remains of a pod");
}

static void remains_work(void *arg)
{
	struct remains *r = arg;

	remove_tree(r->log_dir);
	remove_tree(r->pod_dir);
}

static void remains_free(void *arg)
{
	struct remains *r = arg;

	free(r->log_dir);
	free(r->pod_dir);
	free(r);
}

/* Who brings the UID, or shows it in the runtime, while the pod is still here is heard only now. */
static void remains_gone(void *arg)
{
	struct remains *r = arg;
	struct pod_environment *env = r->pod->env;
	struct kube_object *back = r->pod->gone ? NULL : kube_object_ref(r->pod->spec->object);
	AUTO_FREE char *uid = mem_strdup(r->pod->uid);

	map_remove(&env->set->pods, uid);
	pod_free(r->pod);
	remains_free(r);
	if (back)
		podset_put(env->set, back);
	kube_object_unref(back);
	staticpods_again(env->staticpods);
	podset_observed(env->set, uid);
}

/* Directories are named by the UID, which may come back: by a file that does, or by an API server
 * that was set back. */
void podset_drop(struct pod *p)
{
	const struct podconfig_node *node = p->env->node;
	struct remains *r = NEW(struct remains);

	p->dropping = true;
	*r = (struct remains){
		.pod = p,
		.log_dir = podconfig_log_dir(node, p->spec->ns, p->spec->name, p->uid),
		.pod_dir = podconfig_pod_dir(node, p->uid),
	};
	job_submit(p->env->jobs, remains_work, remains_gone, remains_free, r);
}

/* --- turns --- */

static int on_turn(sd_event_source *src, void *userdata)
{
	struct pod *p = userdata;

	p->turn = sd_event_source_unref(src);
	podworker_turn(p);
	return 0;
}

void pod_wake(struct pod *p)
{
	if (!p->turn)
		sd_event_add_defer(p->env->loop, &p->turn, on_turn, p);
}

static int on_timer(sd_event_source *src, uint64_t usec, void *userdata)
{
	(void)src;
	(void)usec;
	pod_wake(userdata);
	return 0;
}

void pod_wake_at(struct pod *p, int64_t mono_usec)
{
	uint64_t due;

	if (!p->timer) {
		sd_event_add_time(p->env->loop, &p->timer, CLOCK_MONOTONIC, (uint64_t)mono_usec,
				  10 * USEC_PER_MSEC, on_timer, p);
		return;
	}
	if (sd_event_source_get_enabled(p->timer, NULL) > 0 &&
	    sd_event_source_get_time(p->timer, &due) >= 0 && (int64_t)due <= mono_usec)
		return;
	sd_event_source_set_time(p->timer, (uint64_t)mono_usec);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

void podset_wake(struct podset *s, const char *uid)
{
	struct pod *p = podset_get(s, uid);

	if (p)
		pod_wake(p);
}

void podset_wake_all(struct podset *s)
{
	struct pod *p;

	for (size_t cursor = 0; podset_next(s, &cursor, &p);)
		pod_wake(p);
}

/* --- sources --- */

/* Local time with nanoseconds and zone, as Go prints it. */
void podset_seen_text(char *out, size_t size)
{
	int64_t now = clock_wall_usec();
	time_t sec = (time_t)(now / USEC_PER_SEC);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, size - n, ".%06d000Z", (int)(now % USEC_PER_SEC));
}

static struct pod *add_pod(struct podset *s, const char *uid)
{
	struct pod *p = NEW(struct pod);

	p->env = s->env;
	p->uid = mem_strdup(uid);
	podset_seen_text(p->seen, sizeof(p->seen));
	map_put(&s->pods, uid, p);
	return p;
}

/* What is under way for a container goes on under the new version of the specification. */
static void set_spec(struct pod *p, struct podspec *spec)
{
	struct pod_container *now = mem_calloc(spec->n_containers, sizeof(*now));

	for (size_t i = 0; i < spec->n_containers; i++) {
		int at = p->spec ? podspec_find(p->spec, spec->containers[i].spec->name) : -1;

		if (at >= 0) {
			now[i] = p->containers[at];
			p->containers[at] = (struct pod_container){ 0 };
		} else {
			now[i].name = mem_strdup(spec->containers[i].spec->name);
		}
	}
	containers_free(p->containers, p->n_containers);
	/* an ephemeral container may mount what nobody mounted before */
	if (p->spec && spec->n_containers != p->n_containers)
		p->prepared = false;
	podspec_free(p->spec);
	snprintf(spec->seen, sizeof(spec->seen), "%s", p->seen);
	spec->is_static = p->is_static;
	p->spec = spec;
	p->containers = now;
	p->n_containers = spec->n_containers;
}

static int64_t deletion_grace(const struct podspec *spec)
{
	return spec && spec->pod->metadata->deletiontimestamp ? podspec_grace_sec(spec) : -1;
}

static void take_object(struct pod *p, struct kube_object *object)
{
	struct pod_environment *env = p->env;
	int64_t before = deletion_grace(p->spec), now;

	set_spec(p, podspec_new(object));
	p->gone = false;
	volumes_update(env->volumes, p->spec);
	now = deletion_grace(p->spec);
	if (before >= 0 && now >= 0 && now < before)
		podstep_cancel_stopping(p);
	pod_wake(p);
}

void podset_put(struct podset *s, struct kube_object *object)
{
	const char *uid = object->meta->uid;
	struct pod *p;

	if (str_empty(uid) || !((const Core__Pod *)object->msg)->spec)
		return;
	p = podset_get(s, uid);
	if (!p)
		p = add_pod(s, uid);
	/* no UID of a file's pod is the API's to give */
	if (!p->is_static)
		take_object(p, object);
}

void podset_remove(struct podset *s, struct kube_object *object)
{
	struct pod *p = podset_get(s, object->meta->uid);

	if (!p || p->is_static)
		return;
	p->gone = true;
	pod_wake(p);
}

static void end_static(struct podset *s, struct pod *p)
{
	p->gone = true;
	pod_wake(p);
	mirrors_wake(s->env->mirrors);
}

/* What is the same as long as a pod lives, whatever order it is written in. */
static struct json_object *lasting_parts(const Core__Pod *pod)
{
	struct json_object *o = codec_to_json(pod->spec);

	json_object_object_add(o, "name", json_object_new_string(pod->metadata->name));
	json_object_object_add(o, "namespace", json_object_new_string(pod->metadata->namespace_));
	return o;
}

/* A manifest with a UID of its own may say another pod under it. */
static bool same_pod(const struct pod *p, const struct kube_object *object)
{
	AUTO_JSON struct json_object *now = lasting_parts(p->spec->pod);
	AUTO_JSON struct json_object *wanted = lasting_parts((const Core__Pod *)object->msg);

	return json_object_equal(now, wanted);
}

void podset_put_static(struct podset *s, struct kube_object *object)
{
	const char *uid = object->meta->uid;
	struct pod *p = podset_get(s, uid);

	if (p && (p->gone || !p->is_static || p->spec->object == object))
		return;
	if (p && !same_pod(p, object)) {
		end_static(s, p);
		return;
	}
	if (!p) {
		p = add_pod(s, uid);
		p->is_static = true;
		snprintf(p->seen, sizeof(p->seen), "%s",
			 str_or(podspec_annotation((const Core__Pod *)object->msg, PODSPEC_SEEN),
				p->seen));
	}
	take_object(p, object);
	mirrors_wake(s->env->mirrors);
}

void podset_keep_static(struct podset *s, const struct map *wanted)
{
	struct pod *p;

	for (size_t cursor = 0; podset_next(s, &cursor, &p);) {
		if (p->is_static && !p->gone && !map_has(wanted, p->uid))
			end_static(s, p);
	}
}

/* Pods that only the runtime knows: nobody wants them any more. */
static void adopt_orphans(struct podset *s)
{
	const struct podobs *obs;

	if (!s->runtime_ready)
		return;
	for (size_t cursor = 0; podobserve_next(s->env->observe, &cursor, &obs);)
		podset_observed(s, obs->uid);
}

void podset_source_ready(struct podset *s, enum pod_source source)
{
	s->source_ready[source] = true;
	adopt_orphans(s);
	mirrors_wake(s->env->mirrors);
	podset_wake_all(s);
}

void podset_runtime_ready(struct podset *s)
{
	s->runtime_ready = true;
	adopt_orphans(s);
	podset_wake_all(s);
}

/* A pod known to the runtime only gets the least specification that can be terminated. */
static struct kube_object *orphan_object(const struct podobs *obs)
{
	Core__Pod *pod = proto_new(&core__pod__descriptor);

	pod->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&pod->metadata->uid, obs->uid);
	proto_set_str(&pod->metadata->namespace_, obs->ns);
	proto_set_str(&pod->metadata->name, obs->name);
	pod->metadata->has_deletiongraceperiodseconds = true;
	pod->metadata->deletiongraceperiodseconds = 1;
	pod->metadata->deletiontimestamp = proto_new(&meta__time__descriptor);
	pod->spec = proto_new(&core__pod_spec__descriptor);
	pod->status = proto_new(&core__pod_status__descriptor);
	return kube_object_new(KUBE_POD, pod);
}

/* Whether whoever may want that pod has been heard: for a file's pod no API server is needed. */
static bool is_orphan(const struct podset *s, const struct podobs *obs)
{
	switch (podobs_source(obs)) {
	case OBS_FROM_FILE:
		return s->source_ready[POD_SOURCE_FILES];
	case OBS_FROM_URL:
		return s->source_ready[POD_SOURCE_URL];
	default:
		return podset_sources_ready(s);
	}
}

void podset_observed(struct podset *s, const char *uid)
{
	struct pod *p = podset_get(s, uid);
	const struct podobs *obs;

	if (p) {
		pod_wake(p);
		return;
	}
	obs = podobserve_get(s->env->observe, uid);
	if (!obs || !is_orphan(s, obs))
		return;
	log_info("pod %s/%s uid=%s is in the runtime but nowhere else: removing it", obs->ns,
		 obs->name, uid);
	p = add_pod(s, uid);
	p->is_static = podobs_source(obs) != OBS_FROM_API;
	struct kube_object *object = orphan_object(obs);
	set_spec(p, podspec_new(object));
	kube_object_unref(object);
	p->gone = true;
	p->admitted = true;
	pod_wake(p);
}

/* --- small services for worker and steps --- */

/* Whoever waited for the name may begin; so may the mirror go. */
static void wake_namesakes(const struct pod *p)
{
	struct pod *other;

	for (size_t cursor = 0; podset_next(p->env->set, &cursor, &other);) {
		if (other != p && other->is_static && same_name(other, p))
			pod_wake(other);
	}
	mirrors_wake(p->env->mirrors);
}

void pod_enter(struct pod *p, enum pod_phase phase)
{
	if (phase <= p->phase) {
		if (phase < p->phase)
			log_error("pod uid=%s may not go from %s to %s", p->uid,
				  pod_phase_name(p->phase), pod_phase_name(phase));
		return;
	}
	log_v(2, "pod %s/%s uid=%s: %s -> %s", p->spec->ns, p->spec->name, p->uid,
	      pod_phase_name(p->phase), pod_phase_name(phase));
	p->phase = phase;
	if (phase == POD_TERMINATING) {
		p->terminate_by_usec =
		    clock_mono_usec() + podspec_grace_sec(p->spec) * USEC_PER_SEC;
		podstep_cancel_starting(p);
	}
	if (phase == POD_FINISHED && p->is_static)
		wake_namesakes(p);
	pod_wake(p);
}

void pod_fail(struct pod *p, const char *event_type, const char *reason, const char *message)
{
	if (p->failed_reason)
		return;
	p->failed_reason = mem_strdup(reason);
	p->failed_message = mem_strdup(message);
	pod_event(p, event_type, reason, "%s", message);
	pod_enter(p, POD_TERMINATING);
}

void pod_event(struct pod *p, const char *type, const char *reason, const char *fmt, ...)
{
	AUTO_STR text = { 0 };
	AUTO_PROTO Core__ObjectReference *ref = NULL;
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	ref = event_reference(p->spec->object, NULL);
	event_record(p->env->events, ref, type, reason, "%s", str_text(&text));
}

void pod_container_event(struct pod *p, int container, const char *type, const char *reason,
			 const char *fmt, ...)
{
	AUTO_STR text = { 0 };
	AUTO_PROTO Core__ObjectReference *ref = NULL;
	AUTO_FREE char *path = NULL;
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&text, fmt, ap);
	va_end(ap);
	if (container >= 0)
		path = podspec_field_path(&p->spec->containers[container]);
	ref = event_reference(p->spec->object, path);
	event_record(p->env->events, ref, type, reason, "%s", str_text(&text));
}

int64_t pod_container_ended_usec(struct pod_container *c, const struct obs_container *instance)
{
	int64_t ago_usec;

	if (!str_eq(c->ended_id, instance->id)) {
		ago_usec = clock_wall_usec() - podobs_ended_ns(instance) / 1000;
		free(c->ended_id);
		c->ended_id = mem_strdup(instance->id);
		c->ended_usec = clock_mono_usec() - (ago_usec > 0 ? ago_usec : 0);
	}
	return c->ended_usec;
}

void pod_set_waiting(struct pod_container *c, const char *reason, const char *message)
{
	free(c->waiting_reason);
	free(c->waiting_message);
	c->waiting_reason = mem_strdup(reason);
	c->waiting_message = mem_strdup(message);
}

int pod_runtime_handler(struct pod *p, const char **ret_handler, struct err *e)
{
	const char *name = p->spec->pod->spec->runtimeclassname;
	struct kube_object *o;

	*ret_handler = "";
	if (str_empty(name))
		return 0;
	o = p->env->runtime_classes ? informer_get(p->env->runtime_classes, NULL, name) : NULL;
	if (!o)
		return err_set(e, ERR_NOT_FOUND, "runtimeclass.node.k8s.io \"%s\" not found", name);
	*ret_handler = str_or(((const Node__RuntimeClass *)o->msg)->handler, "");
	return 0;
}

bool pod_recursive_read_only(struct pod *p)
{
	const char *handler;

	return pod_runtime_handler(p, &handler, NULL) == 0 &&
	       p->env->recursive_read_only(p->env->node_ctx, handler);
}

char *pod_display(const struct pod *p)
{
	return str_fmt("%s_%s(%s)", p->spec->name, p->spec->ns, p->uid);
}
