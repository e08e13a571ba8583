/* A local copy of the objects of one kind, kept by a watch.
 *
 * WatchList (sendInitialEvents) where the server has it, else paged LIST and watch. Callbacks run
 * from the loop and may start calls; they may not free the informer they belong to. After a lost
 * watch it resumes from its last version; when that is too old it lists again and reports only what
 * changed. synced is called once, when the first list is complete.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/client.h"
#include "kube/object.h"

struct informer;

/* Any may be NULL. Objects are borrowed: ref to keep. */
struct informer_ops {
	void (*added)(void *ctx, struct kube_object *object);
	void (*updated)(void *ctx, struct kube_object *before, struct kube_object *now);
	void (*deleted)(void *ctx, struct kube_object *last);
	void (*synced)(void *ctx);
};

/* ns NULL: all namespaces. Selectors may be NULL ("spec.nodeName=n1"). ops must outlive it. */
struct informer *informer_new(struct kube_client *client, enum kube_kind kind, const char *ns,
			      const char *field_selector, const char *label_selector,
			      const struct informer_ops *ops, void *ctx);
/* The same that keeps names, UIDs and versions only, for owners that copy what they need: `before`
 * of updated is NULL, an object that vanished between two lists is deleted with its name and UID
 * alone, and there is nothing to get or to walk. */
struct informer *informer_new_thin(struct kube_client *client, enum kube_kind kind, const char *ns,
				   const char *field_selector, const char *label_selector,
				   const struct informer_ops *ops, void *ctx);
void informer_free(struct informer *inf);
DEFINE_FREEP(informer_free, struct informer)
bool informer_synced(const struct informer *inf);
/* borrowed, or NULL; ns NULL for cluster-wide kinds */
struct kube_object *informer_get(const struct informer *inf, const char *ns, const char *name);
size_t informer_count(const struct informer *inf);
/* *cursor starts at 0; NULL at the end. No callback may run in between. */
struct kube_object *informer_next(const struct informer *inf, size_t *cursor);
