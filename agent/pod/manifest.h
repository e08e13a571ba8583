/* A manifest file's bytes as a pod of this node. Pure.
 *
 *   bytes → tree → Pod → identity → defaults → checks
 *
 * Read as upstream's kubelet reads it: one v1 Pod (the first document), fields that nobody knows
 * are passed over, no reference to other API objects. What is checked (manifestcheck.c) is the part
 * of the API's validation whose breach would keep the pod or its mirror from being made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "k8s/core.pb-c.h"

enum { MANIFEST_MAX_BYTES = 10 << 20 };

/* Why this agent or the API calls a pod static, and which version of the manifest it is. */
#define MANIFEST_HASH "kubernetes.io/config.hash"
#define MANIFEST_MIRROR "kubernetes.io/config.mirror"

/* Where manifests come from. */
struct manifest_origin {
	const char *node_name;
	const char *source; /* "file" or "http": the pod's annotation config.source */
	const char *place;  /* path or URL */
};

/* Errors name every field that is wrong. The pod has its final name, namespace and node, defaults,
 * and a UID: its own, else one that is the same whenever file, node and specification are. */
int manifest_read(const char *text, size_t len, const struct manifest_origin *origin,
		  Core__Pod **ret_pod, struct err *e);
/* The same for a Pod or a PodList: all or nothing. The list is NULL-terminated. */
int manifest_read_list(const char *text, size_t len, const struct manifest_origin *origin,
		       Core__Pod ***ret_pods, struct err *e);
void manifest_list_free(Core__Pod **pods);
/* Gives the pod its UID (kept when uid is NULL) and the annotations of a static pod. */
void manifest_stamp(Core__Pod *pod, const char *source, const char *uid, const char *seen);
/* The UID was not made by manifest_read and looks like one that an upstream kubelet gives. */
bool manifest_uid_of_kubelet(const char *uid);
/* Replaces or adds an annotation. */
void manifest_annotate(Meta__ObjectMeta *meta, const char *key, const char *value);

/* manifestdefaults.c: what the API server would fill in; and what the node's own problems must not
 * end. */
void manifest_tolerate(Core__PodSpec *spec);
void manifest_default(Core__Pod *pod);
/* manifestcheck.c */
int manifest_check(const Core__Pod *pod, struct err *e);
