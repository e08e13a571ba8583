/* What the API shows of static pods: a mirror pod for each. Effect; what to do is decided by
 * mirror_next, PURE.
 *
 * A mirror is never run and nothing done to it reaches the static pod. It is made once the node is
 * registered, made anew when somebody deletes it or the manifest changes, and goes with the pod.
 */
#pragma once

#include <stdbool.h>

#include "kube/object.h"
#include "pod.h"

struct mirrors;

enum mirror_action { MIRROR_NOTHING, MIRROR_CREATE, MIRROR_DELETE };

struct mirror_facts {
	const char *wanted; /* hash of the static pod of that name, or NULL */
	bool known;         /* every source of static pods has been read */
	bool ending;        /* its predecessor, or it itself after the file went, still ends */
	bool there, deleting;
	const char *have; /* hash of the mirror that is there */
	bool node;        /* the Node is there to own it */
};

enum mirror_action mirror_next(const struct mirror_facts *f);

/* Whether the API's pod is a mirror. */
bool mirrors_is_mirror(const struct kube_object *object);

/* All may be called with NULL: there is no API server. */
struct mirrors *mirrors_new(struct pod_environment *env);
void mirrors_free(struct mirrors *m);
void mirrors_put(struct mirrors *m, struct kube_object *object);
void mirrors_remove(struct mirrors *m, struct kube_object *object);
/* The API has told all mirrors of this node. */
void mirrors_source_ready(struct mirrors *m);
/* Static pods came, went or changed; or the Node. */
void mirrors_wake(struct mirrors *m);
/* The pod's status is another one. */
void mirrors_report(struct mirrors *m, struct pod *p);
/* UID of the pod's mirror, or NULL. */
const char *mirrors_uid(struct mirrors *m, const struct pod *p);
