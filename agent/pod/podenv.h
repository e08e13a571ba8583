/* The environment of a container. Pure.
 *
 * Order of precedence as upstream's makeEnvironmentVariables: service variables, then envFrom, then
 * env; $(NAME) is expanded in value, command, args and subPathExpr.
 */
#pragma once

#include "base/err.h"
#include "podspec.h"

struct env_list {
	char **names, **values; /* in the order in which they were first set */
	size_t n;
};

void env_list_fini(struct env_list *l);
const char *env_list_get(const struct env_list *l, const char *name);

enum env_source { ENV_CONFIG_MAP, ENV_SECRET };

/* What a file of a volume says of a variable. */
struct env_file_value {
	const char *path;  /* on the host, for messages */
	const char *value; /* "" when it is not in there; NULL: the file could not be read */
};

/* What the environment is made from beside the pod. */
struct env_input {
	const struct podspec *spec;
	const Core__Container *container;
	/* a fetched ConfigMap or Secret of the pod's namespace; NULL when it does not exist */
	const void *(*find)(void *ctx, enum env_source source, const char *name);
	/* false when nothing is known of the volume */
	bool (*file)(void *ctx, const Core__FileKeySelector *ref, struct env_file_value *ret_value);
	void *ctx;
	struct kube_object *const *services; /* of every namespace */
	size_t n_services;
	const char *const *pod_ips, *const *host_ips; /* NULL-terminated */
	/* node allocatable: the value of limits that the container does not set */
	int64_t allocatable_cpu_milli, allocatable_memory_bytes, allocatable_ephemeral_bytes;
};

int podenv_make(const struct env_input *in, struct env_list *ret_env, struct err *e);

/* Calls visit for every ConfigMap and Secret that the container's environment needs. */
void podenv_refs(const Core__Container *c,
		 void (*visit)(void *ctx, enum env_source source, const char *name), void *ctx);

/* Heap string with $(NAME) replaced from env; unknown names stay, $$ becomes $. */
char *podenv_expand(const struct env_list *env, const char *text);
/* The same, but unknown and empty names are an error (subPathExpr). */
char *podenv_expand_strict(const struct env_list *env, const char *text, struct err *e);

/* Value of a field path of the downward API (metadata.labels['x'], status.podIP, …). */
int podenv_field(const struct podspec *spec, const char *path, const char *const *pod_ips,
		 const char *const *host_ips, char **ret_value, struct err *e);
/* Value of limits.cpu, requests.memory, … divided by the divisor, rounded up. */
int podenv_resource(const struct env_input *in, const Core__ResourceFieldSelector *ref,
		    char **ret_value, struct err *e);
