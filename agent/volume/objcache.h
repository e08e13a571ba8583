/* ConfigMaps and Secrets that pods refer to, each watched by name while a pod needs it. Effect.
 *
 * A holder (a pod's UID) holds objects; an object without holders is dropped after a minute. An
 * object that does not exist is an answer too.
 */
#pragma once

#include "kube/client.h"
#include "kube/object.h"

struct objcache;
struct objcache_wait;

enum objcache_state { OBJ_PENDING, OBJ_ABSENT, OBJ_PRESENT };

struct objcache_ops {
	/* an object that this holder holds came, changed or went */
	void (*changed)(void *ctx, const char *holder);
};

struct objcache *objcache_new(sd_event *loop, struct kube_client *client,
			      const struct objcache_ops *ops, void *ctx);
void objcache_free(struct objcache *c);

void objcache_hold(struct objcache *c, const char *holder, enum kube_kind kind, const char *ns,
		   const char *name);
void objcache_release(struct objcache *c, const char *holder);
/* *ret_object is borrowed. */
enum objcache_state objcache_get(const struct objcache *c, enum kube_kind kind, const char *ns,
				 const char *name, struct kube_object **ret_object);
/* done once, when nothing that the holder holds is pending, or after timeout_usec with e set. */
struct objcache_wait *objcache_wait(struct objcache *c, const char *holder, int64_t timeout_usec,
				    void (*done)(void *ctx, const struct err *e), void *ctx);
void objcache_wait_cancel(struct objcache_wait *w);
