/* Watched ConfigMaps and Secrets (contract in objcache.h). Effect. */
#include "objcache.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/informer.h"

enum { IDLE_USEC = 60 * USEC_PER_SEC };

struct object {
	struct objcache *cache;
	char *key;
	enum kube_kind kind;
	char *ns, *name;
	struct informer *informer;
	char **holders; /* NULL-terminated */
	sd_event_source *idle;
};

struct objcache_wait {
	struct objcache_wait *next;
	struct objcache *cache;
	char *holder;
	void (*done)(void *ctx, const struct err *e);
	void *ctx;
	sd_event_source *check, *timeout;
};

struct objcache {
	sd_event *loop;
	struct kube_client *client;
	struct objcache_ops ops;
	void *ctx;
	struct map objects; /* kind/ns/name → struct object */
	struct objcache_wait *waits;
};

struct objcache *objcache_new(sd_event *loop, struct kube_client *client,
			      const struct objcache_ops *ops, void *ctx)
{
	struct objcache *c = NEW(struct objcache);

	c->loop = loop;
	c->client = client;
	c->ops = *ops;
	c->ctx = ctx;
	return c;
}

static void object_free(struct object *o)
{
	informer_free(o->informer);
	sd_event_source_disable_unref(o->idle);
	strv_free(o->holders);
	free(o->key);
	free(o->ns);
	free(o->name);
	free(o);
}

void objcache_wait_cancel(struct objcache_wait *w)
{
	struct objcache_wait **at;

	if (!w)
		return;
	for (at = &w->cache->waits; *at && *at != w; at = &(*at)->next)
		;
	if (*at)
		*at = w->next;
	sd_event_source_disable_unref(w->check);
	sd_event_source_disable_unref(w->timeout);
	free(w->holder);
	free(w);
}

void objcache_free(struct objcache *c)
{
	void *value;

	if (!c)
		return;
	while (c->waits)
		objcache_wait_cancel(c->waits);
	for (size_t cursor = 0; map_next(&c->objects, &cursor, NULL, &value);)
		object_free(value);
	map_fini(&c->objects);
	free(c);
}

static char *key_of(enum kube_kind kind, const char *ns, const char *name)
{
	return str_fmt("%d/%s/%s", (int)kind, ns, name);
}

/* --- waits --- */

static bool all_known(const struct objcache *c, const char *holder)
{
	void *value;

	for (size_t cursor = 0; map_next(&c->objects, &cursor, NULL, &value);) {
		const struct object *o = value;

		if (strv_has(o->holders, holder) && !informer_synced(o->informer))
			return false;
	}
	return true;
}

static void finish(struct objcache_wait *w, const struct err *e)
{
	void (*done)(void *ctx, const struct err *e) = w->done;
	void *ctx = w->ctx;

	objcache_wait_cancel(w);
	done(ctx, e);
}

static int on_check(sd_event_source *s, void *userdata)
{
	struct objcache_wait *w = userdata;

	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	if (all_known(w->cache, w->holder))
		finish(w, NULL);
	return 0;
}

static void first_pending(const struct objcache_wait *w, struct err *e)
{
	void *value;

	for (size_t cursor = 0; map_next(&w->cache->objects, &cursor, NULL, &value);) {
		const struct object *o = value;

		if (!strv_has(o->holders, w->holder) || informer_synced(o->informer))
			continue;
		err_set(e, ERR_TIMEOUT, "failed to sync %s cache: timed out waiting for %s/%s",
			o->kind == KUBE_SECRET ? "secret" : "configmap", o->ns, o->name);
		return;
	}
	err_set(e, ERR_TIMEOUT, "timed out waiting for referenced objects");
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct objcache_wait *w = userdata;
	struct err e;

	(void)s;
	(void)usec;
	first_pending(w, &e);
	finish(w, &e);
	return 0;
}

struct objcache_wait *objcache_wait(struct objcache *c, const char *holder, int64_t timeout_usec,
				    void (*done)(void *ctx, const struct err *e), void *ctx)
{
	struct objcache_wait *w = NEW(struct objcache_wait);

	*w = (struct objcache_wait){ .cache = c, .done = done, .ctx = ctx };
	w->holder = mem_strdup(holder);
	w->next = c->waits;
	c->waits = w;
	sd_event_add_defer(c->loop, &w->check, on_check, w);
	sd_event_add_time_relative(c->loop, &w->timeout, CLOCK_MONOTONIC, (uint64_t)timeout_usec, 0,
				   on_timeout, w);
	return w;
}

/* --- objects --- */

static void tell_holders(struct object *o)
{
	struct objcache *c = o->cache;

	for (struct objcache_wait *w = c->waits; w; w = w->next) {
		if (strv_has(o->holders, w->holder))
			sd_event_source_set_enabled(w->check, SD_EVENT_ONESHOT);
	}
	for (size_t i = 0; o->holders && o->holders[i]; i++)
		c->ops.changed(c->ctx, o->holders[i]);
}

static void on_added(void *ctx, struct kube_object *object)
{
	(void)object;
	tell_holders(ctx);
}

static void on_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	(void)now;
	tell_holders(ctx);
}

static void on_synced(void *ctx)
{
	tell_holders(ctx);
}

static const struct informer_ops object_ops = {
	.added = on_added,
	.updated = on_updated,
	.deleted = on_added,
	.synced = on_synced,
};

void objcache_hold(struct objcache *c, const char *holder, enum kube_kind kind, const char *ns,
		   const char *name)
{
	AUTO_FREE char *key = key_of(kind, ns, name);
	AUTO_FREE char *selector = NULL;
	struct object *o = map_get(&c->objects, key);

	if (!o) {
		o = NEW(struct object);
		*o = (struct object){ .cache = c, .kind = kind };
		o->key = mem_strdup(key);
		o->ns = mem_strdup(ns);
		o->name = mem_strdup(name);
		map_put(&c->objects, key, o);
		selector = str_fmt("metadata.name=%s", name);
		o->informer = informer_new(c->client, kind, ns, selector, NULL, &object_ops, o);
	}
	sd_event_source_disable_unref(TAKE(o->idle));
	if (!strv_has(o->holders, holder))
		strv_push(&o->holders, holder);
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct object *o = userdata;

	(void)s;
	(void)usec;
	map_remove(&o->cache->objects, o->key);
	object_free(o);
	return 0;
}

static void let_go(struct object *o, const char *holder)
{
	size_t n = 0;

	for (size_t i = 0; o->holders && o->holders[i]; i++) {
		if (str_eq(o->holders[i], holder))
			free(o->holders[i]);
		else
			o->holders[n++] = o->holders[i];
	}
	if (o->holders)
		o->holders[n] = NULL;
	if (n || o->idle)
		return;
	sd_event_add_time_relative(o->cache->loop, &o->idle, CLOCK_MONOTONIC, IDLE_USEC,
				   USEC_PER_SEC, on_idle, o);
}

void objcache_release(struct objcache *c, const char *holder)
{
	void *value;

	for (size_t cursor = 0; map_next(&c->objects, &cursor, NULL, &value);) {
		struct object *o = value;

		if (strv_has(o->holders, holder))
			let_go(o, holder);
	}
}

enum objcache_state objcache_get(const struct objcache *c, enum kube_kind kind, const char *ns,
				 const char *name, struct kube_object **ret_object)
{
	AUTO_FREE char *key = key_of(kind, ns, name);
	const struct object *o = map_get(&c->objects, key);
	struct kube_object *found;

	if (!o || !informer_synced(o->informer))
		return OBJ_PENDING;
	found = informer_get(o->informer, ns, name);
	if (!found)
		return OBJ_ABSENT;
	*ret_object = found;
	return OBJ_PRESENT;
}
