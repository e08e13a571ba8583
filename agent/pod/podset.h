/* All pods of the node, by UID. Effect: owns struct pod.
 *
 * Sources put and remove pods; the runtime's observations wake them; a pod leaves the set when
 * nothing of it is left anywhere. Pods that only the runtime knows are terminated once every source
 * has been read.
 */
#pragma once

#include "base/map.h"
#include "kube/object.h"
#include "pod.h"

struct podset *podset_new(struct pod_environment *env);
void podset_free(struct podset *s);

void podset_put(struct podset *s, struct kube_object *object);
void podset_remove(struct podset *s, struct kube_object *object);
/* The same for pods from files. A pod that is still ending is not begun again: staticpods_again
 * follows when nothing of it is left. Nor is one that has another specification under the same UID:
 * it ends, and begins again as what it is now. */
void podset_put_static(struct podset *s, struct kube_object *object);
/* Ends the static pods whose UID wanted does not have. */
void podset_keep_static(struct podset *s, const struct map *wanted);
enum pod_source { POD_SOURCE_API, POD_SOURCE_FILES, POD_SOURCE_URL, POD_SOURCE_COUNT };
/* The source has been read completely once. */
void podset_source_ready(struct podset *s, enum pod_source source);
/* The runtime's first complete answer is in. */
void podset_runtime_ready(struct podset *s);
void podset_observed(struct podset *s, const char *uid);
void podset_wake(struct podset *s, const char *uid);
void podset_wake_all(struct podset *s);

/* Now, as the annotation of when a pod was seen has it. */
void podset_seen_text(char *out, size_t size);

struct pod *podset_get(struct podset *s, const char *uid);
struct pod *podset_find(struct podset *s, const char *ns, const char *name);
/* The static pod of that name that is to run. */
struct pod *podset_find_static(struct podset *s, const char *ns, const char *name);
/* Another static pod of p's name has not ended yet: p may not begin. */
bool podset_name_taken(const struct pod *p);
bool podset_next(struct podset *s, size_t *cursor, struct pod **ret_pod);
bool podset_source_read(const struct podset *s, enum pod_source source);
/* Every source has. */
bool podset_sources_ready(const struct podset *s);
struct cgroups;
/* Tells the QoS levels what their pods ask for now. */
void podset_weigh(struct podset *s, struct cgroups *cgroups);
/* Called by the worker: the runtime has nothing left of this pod. It leaves the set when its logs
 * and directory are gone as well; what brings its UID back meanwhile begins after that. */
void podset_drop(struct pod *p);
