/* Mirror pods (contract in mirrors.h). Effect. */
#include "mirrors.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "manifest.h"
#include "podset.h"
#include "statusq.h"

enum { RETRY_BASE_USEC = 1 * USEC_PER_SEC, RETRY_MAX_USEC = 30 * USEC_PER_SEC };

/* One name, with or without a mirror. */
struct mirror {
	struct mirrors *m;
	char *ns, *name;
	struct kube_object *object; /* the API's, or NULL */
	struct kube_call *call;
	char *sent_uid; /* of the mirror that is being deleted, or was, by whomever */
	sd_event_source *retry;
	int64_t delay_usec;
	char *told; /* the last failure */
};

struct mirrors {
	struct pod_environment *env;
	struct map names; /* "ns/name" → struct mirror */
	sd_event_source *turn;
	bool ready;
};

/* --- PURE --- */

enum mirror_action mirror_next(const struct mirror_facts *f)
{
	if (f->there && f->deleting)
		return MIRROR_DELETE;
	if (f->ending || (!f->wanted && !f->known))
		return MIRROR_NOTHING;
	if (f->there && !str_eq(f->have, f->wanted))
		return MIRROR_DELETE;
	return f->wanted && !f->there && f->node ? MIRROR_CREATE : MIRROR_NOTHING;
}

/* Of the static pod that it mirrors; NULL: it is no mirror. */
static const char *hash_of(const struct kube_object *object)
{
	return podspec_annotation((const Core__Pod *)object->msg, MANIFEST_MIRROR);
}

bool mirrors_is_mirror(const struct kube_object *object)
{
	return hash_of(object);
}

/* --- names --- */

static struct mirror *mirror_of(struct mirrors *m, const char *ns, const char *name)
{
	AUTO_FREE char *key = str_fmt("%s/%s", ns, name);
	struct mirror *r = map_get(&m->names, key);

	if (r)
		return r;
	r = NEW(struct mirror);
	*r = (struct mirror){ .m = m, .ns = mem_strdup(ns), .name = mem_strdup(name) };
	map_put(&m->names, key, r);
	return r;
}

static void mirror_free(struct mirror *r)
{
	kube_call_cancel(r->call);
	sd_event_source_disable_unref(r->retry);
	kube_object_unref(r->object);
	free(r->sent_uid);
	free(r->told);
	free(r->ns);
	free(r->name);
	free(r);
}

static void set_object(struct mirror *r, struct kube_object *object)
{
	kube_object_ref(object);
	kube_object_unref(r->object);
	r->object = object;
}

/* --- calls --- */

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct mirror *r = userdata;

	(void)usec;
	r->retry = sd_event_source_unref(s);
	mirrors_wake(r->m);
	return 0;
}

static void call_failed(struct mirror *r, const struct err *e, const char *what)
{
	if (!str_eq(r->told, e->text)) {
		log_err_warning(e, "mirror pod %s/%s: %s", r->ns, r->name, what);
		free(r->told);
		r->told = mem_strdup(e->text);
	}
	r->delay_usec = r->delay_usec ? 2 * r->delay_usec : RETRY_BASE_USEC;
	if (r->delay_usec > RETRY_MAX_USEC)
		r->delay_usec = RETRY_MAX_USEC;
	sd_event_add_time_relative(r->m->env->loop, &r->retry, CLOCK_MONOTONIC,
				   (uint64_t)r->delay_usec, TIMER_ACCURACY_USEC, on_retry, r);
}

static void call_succeeded(struct mirror *r)
{
	r->delay_usec = 0;
	free(r->told);
	r->told = NULL;
}

static void on_created(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct mirror *r = ctx;

	r->call = NULL;
	if (e) {
		call_failed(r, e, "creation");
		return;
	}
	call_succeeded(r);
	if (reply && !r->object)
		mirrors_put(r->m, reply);
	mirrors_wake(r->m);
}

/* The informer may be behind: what is deleted is not there, whatever it still says. */
static void on_deleted(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct mirror *r = ctx;

	(void)reply;
	r->call = NULL;
	if (e && e->code != ERR_NOT_FOUND) {
		free(r->sent_uid);
		r->sent_uid = NULL;
		call_failed(r, e, "deletion");
		return;
	}
	call_succeeded(r);
	if (r->object && str_eq(r->object->meta->uid, r->sent_uid)) {
		statusq_forget(r->m->env->statusq, r->sent_uid);
		set_object(r, NULL);
	}
	mirrors_wake(r->m);
}

static struct kube_object *node_of(const struct mirrors *m)
{
	struct kube_object *node = m->env->node_object(m->env->node_ctx);

	return node && !str_empty(node->meta->uid) && !node->meta->deletiontimestamp ? node : NULL;
}

static void create(struct mirror *r, const struct pod *p)
{
	AUTO_PROTO Core__Pod *copy = proto_dup(p->spec->pod);
	Meta__OwnerReference *owner = proto_new(&meta__owner_reference__descriptor);
	struct kube_object *node = node_of(r->m);

	manifest_annotate(copy->metadata, MANIFEST_MIRROR,
			  podspec_annotation(p->spec->pod, MANIFEST_HASH));
	for (size_t i = 0; i < copy->metadata->n_ownerreferences; i++)
		proto_free(copy->metadata->ownerreferences[i]);
	copy->metadata->n_ownerreferences = 0;
	proto_set_str(&owner->apiversion, "v1");
	proto_set_str(&owner->kind, "Node");
	proto_set_str(&owner->name, node->meta->name);
	proto_set_str(&owner->uid, node->meta->uid);
	owner->has_controller = owner->controller = true;
	proto_push(&copy->metadata->n_ownerreferences, &copy->metadata->ownerreferences, owner);
	log_v(1, "creating the mirror of static pod %s/%s", r->ns, r->name);
	r->call = kube_create(r->m->env->client, KUBE_POD, r->ns, NULL, NULL, copy, on_created, r);
}

static void remove_mirror(struct mirror *r)
{
	free(r->sent_uid);
	r->sent_uid = mem_strdup(r->object->meta->uid);
	log_v(1, "deleting mirror pod %s/%s uid=%s", r->ns, r->name, r->sent_uid);
	r->call =
	    kube_delete(r->m->env->client, KUBE_POD, r->ns, r->name, 0, r->sent_uid, on_deleted, r);
}

/* --- turns --- */

/* Some static pod of that name has not come to its end. */
static bool ending(struct mirrors *m, const struct mirror *r)
{
	struct pod *p;

	for (size_t cursor = 0; podset_next(m->env->set, &cursor, &p);) {
		if (p->is_static && p->gone && p->phase < POD_FINISHED &&
		    str_eq(p->spec->ns, r->ns) && str_eq(p->spec->name, r->name))
			return true;
	}
	return false;
}

static void reconcile(struct mirrors *m, struct mirror *r)
{
	struct pod *p = podset_find_static(m->env->set, r->ns, r->name);
	struct mirror_facts facts = {
		.wanted = p ? podspec_annotation(p->spec->pod, MANIFEST_HASH) : NULL,
		.known = podset_source_read(m->env->set, POD_SOURCE_FILES) &&
			 podset_source_read(m->env->set, POD_SOURCE_URL),
		.ending = ending(m, r),
		.there = r->object,
		.deleting = r->object && r->object->meta->deletiontimestamp,
		.have = r->object ? hash_of(r->object) : NULL,
		.node = node_of(m),
	};
	enum mirror_action action = mirror_next(&facts);

	if (r->call || r->retry)
		return;
	if (action == MIRROR_CREATE)
		create(r, p);
	else if (action == MIRROR_DELETE)
		remove_mirror(r);
}

static bool is_idle(struct mirrors *m, const struct mirror *r)
{
	return !r->object && !r->call && !r->retry &&
	       !podset_find_static(m->env->set, r->ns, r->name);
}

static int on_turn(sd_event_source *s, void *userdata)
{
	struct mirrors *m = userdata;
	const char *key;
	struct pod *p;
	void *value;

	m->turn = sd_event_source_unref(s);
	for (size_t cursor = 0; podset_next(m->env->set, &cursor, &p);) {
		if (p->is_static && !p->gone)
			mirror_of(m, p->spec->ns, p->spec->name);
	}
	for (size_t cursor = 0; map_next(&m->names, &cursor, &key, &value);) {
		reconcile(m, value);
		if (!is_idle(m, value))
			continue;
		map_remove(&m->names, key);
		mirror_free(value);
	}
	return 0;
}

void mirrors_wake(struct mirrors *m)
{
	if (m && m->ready && !m->turn)
		sd_event_add_defer(m->env->loop, &m->turn, on_turn, m);
}

void mirrors_source_ready(struct mirrors *m)
{
	if (!m)
		return;
	m->ready = true;
	mirrors_wake(m);
}

/* --- the API's word --- */

static bool belongs_to(const struct mirror *r, const struct pod *p)
{
	return r && r->object &&
	       str_eq(hash_of(r->object), podspec_annotation(p->spec->pod, MANIFEST_HASH));
}

/* Start time, conditions and readiness go on as they were shown before this agent began. An end is
 * not taken over: another life of the same pod may run. */
static void take_status(struct pod *p, const struct kube_object *object)
{
	const Core__PodStatus *shown = ((const Core__Pod *)object->msg)->status;

	if (p->mirror_known)
		return;
	p->mirror_known = true;
	if (!shown || !shown->starttime || podstatus_phase_terminal(shown->phase) || p->rejected)
		return;
	proto_free(p->status);
	p->status = proto_dup(shown);
	pod_wake(p);
}

static uint64_t version_of(const struct kube_object *o)
{
	return strtoull(str_or(o->meta->resourceversion, "0"), NULL, 10);
}

/* Answers to our calls come before the watch tells of what they changed. */
static bool is_news(const struct mirror *r, const struct kube_object *object)
{
	if (!r->call && str_eq(r->sent_uid, object->meta->uid))
		return false;
	return !r->object || version_of(object) >= version_of(r->object);
}

void mirrors_put(struct mirrors *m, struct kube_object *object)
{
	struct mirror *r;
	struct pod *p;

	if (!m)
		return;
	r = mirror_of(m, object->meta->namespace_, object->meta->name);
	if (!is_news(r, object))
		return;
	set_object(r, object);
	p = podset_find_static(m->env->set, r->ns, r->name);
	if (p && belongs_to(r, p)) {
		take_status(p, object);
		mirrors_report(m, p);
	}
	mirrors_wake(m);
}

void mirrors_remove(struct mirrors *m, struct kube_object *object)
{
	struct mirror *r;

	if (!m)
		return;
	r = mirror_of(m, object->meta->namespace_, object->meta->name);
	if (r->object && str_eq(r->object->meta->uid, object->meta->uid)) {
		/* the answer to its creation may still come */
		proto_set_str(&r->sent_uid, object->meta->uid);
		set_object(r, NULL);
	}
	mirrors_wake(m);
}

static struct mirror *mirror_of_pod(struct mirrors *m, const struct pod *p)
{
	struct mirror *r = m && p->is_static ? mirror_of(m, p->spec->ns, p->spec->name) : NULL;

	return belongs_to(r, p) ? r : NULL;
}

void mirrors_report(struct mirrors *m, struct pod *p)
{
	struct mirror *r = mirror_of_pod(m, p);

	if (r && p->status && !r->object->meta->deletiontimestamp)
		statusq_put(m->env->statusq, (const Core__Pod *)r->object->msg, p->status, false);
}

const char *mirrors_uid(struct mirrors *m, const struct pod *p)
{
	struct mirror *r = mirror_of_pod(m, p);

	return r ? r->object->meta->uid : NULL;
}

/* --- life --- */

struct mirrors *mirrors_new(struct pod_environment *env)
{
	struct mirrors *m = NEW(struct mirrors);

	m->env = env;
	return m;
}

void mirrors_free(struct mirrors *m)
{
	void *value;

	if (!m)
		return;
	for (size_t cursor = 0; map_next(&m->names, &cursor, NULL, &value);)
		mirror_free(value);
	map_fini(&m->names);
	sd_event_source_disable_unref(m->turn);
	free(m);
}
