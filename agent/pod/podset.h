/* All pods of the node, by UID. Effect: owns struct pod.
 *
 * Sources put and remove pods; the runtime's observations wake them; a pod leaves the set when
 * nothing of it is left anywhere. Pods that only the runtime knows are terminated once every source
 * has been read.
 */
#pragma once

#include "kube/object.h"
#include "pod.h"

struct podset *podset_new(struct pod_environment *env);
void podset_free(struct podset *s);

void podset_put(struct podset *s, struct kube_object *object);
void podset_remove(struct podset *s, struct kube_object *object);
/* The source has been read completely once. */
void podset_source_ready(struct podset *s);
/* The runtime's first complete answer is in. */
void podset_runtime_ready(struct podset *s);
void podset_observed(struct podset *s, const char *uid);
void podset_wake(struct podset *s, const char *uid);
void podset_wake_all(struct podset *s);

struct pod *podset_get(struct podset *s, const char *uid);
struct pod *podset_find(struct podset *s, const char *ns, const char *name);
bool podset_next(struct podset *s, size_t *cursor, struct pod **ret_pod);
bool podset_sources_ready(const struct podset *s);
struct cgroups;
/* Tells the QoS levels what their pods ask for now. */
void podset_weigh(struct podset *s, struct cgroups *cgroups);
/* Called by the worker: nothing is left of this pod. */
void podset_drop(struct podset *s, struct pod *p);
