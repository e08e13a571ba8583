/* A pod's specification as the agent walks it: every container in start order, with its kind. Pure.
 *
 * Built once per version of a pod object and immutable after that. Ephemeral containers are re-read
 * as Core__Container (the two messages share field numbers), so that one code path serves all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "k8s/core.pb-c.h"
#include "kube/object.h"

enum container_kind {
	CONTAINER_INIT,
	CONTAINER_SIDECAR, /* an init container with restartPolicy Always */
	CONTAINER_MAIN,
	CONTAINER_EPHEMERAL,
};

struct container_spec {
	enum container_kind kind;
	unsigned index; /* among containers, initContainers or ephemeralContainers */
	const Core__Container *spec;
	uint64_t hash;          /* value of the annotation io.kubernetes.container.hash */
	const char *target;     /* ephemeral: targetContainerName or NULL */
	Core__Container *owned; /* ephemeral: the re-read message */
};

struct podspec {
	struct kube_object *object;
	const Core__Pod *pod;
	const char *uid, *ns, *name;
	struct container_spec *containers; /* init (with sidecars), main, ephemeral */
	size_t n_containers, n_init, n_main;
	bool is_static; /* a file or URL of this node says what runs, not the API */
	char seen[48];  /* RFC 3339 time at which this agent first saw the pod, or "" */
};

struct podspec *podspec_new(struct kube_object *object);
struct podspec *podspec_copy(const struct podspec *spec);
void podspec_free(struct podspec *spec);

/* Index into containers, or -1. */
int podspec_find(const struct podspec *spec, const char *container_name);
bool podspec_host_network(const struct podspec *spec);
bool podspec_is_static(const struct podspec *spec);
/* "Always", "OnFailure" or "Never"; never NULL. */
const char *podspec_restart_policy(const struct podspec *spec);
/* What happens after the container exits: restart rules, then its own policy, then the pod's
 * (upstream api/v1/pod ContainerShouldRestart). */
bool podspec_should_restart(const struct podspec *spec, const struct container_spec *c,
			    int exit_code);
/* Seconds a container gets between TERM and KILL: deletionGracePeriodSeconds, else the spec's. */
int64_t podspec_grace_sec(const struct podspec *spec);
/* Annotations, which nobody else's count for, that every pod gets from the node agent that took it
 * in. */
#define PODSPEC_SOURCE "kubernetes.io/config.source"
#define PODSPEC_SEEN "kubernetes.io/config.seen"
bool podspec_overrides(const struct podspec *spec, const char *key);
/* The pod's annotation, or one of those two; NULL when there is none. */
const char *podspec_any_annotation(const struct podspec *spec, const char *key);
/* A label or annotation of the pod, or NULL. */
const char *podspec_annotation(const Core__Pod *pod, const char *key);
const char *podspec_label(const Core__Pod *pod, const char *key);
/* "spec.containers{name}", "spec.initContainers{name}", … as events name a container. Heap. */
char *podspec_field_path(const struct container_spec *c);
