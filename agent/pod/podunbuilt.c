/* Fields without effect (contract in podunbuilt.h). Pure. */
#include "podunbuilt.h"

#include "base/mem.h"
#include "base/str.h"

static void add(char ***fields, char *path)
{
	strv_push(fields, path);
	free(path);
}

/* --- the pod --- */

static bool asks_claims(const Core__PodSpec *s)
{
	return s->n_resourceclaims > 0;
}

static bool asks_selinux_policy(const Core__PodSpec *s)
{
	return s->securitycontext && s->securitycontext->selinuxchangepolicy;
}

static const struct {
	const char *path;
	bool (*asked)(const Core__PodSpec *s);
} pod_fields[] = {
	{ "spec.resourceClaims", asks_claims },
	{ "spec.securityContext.seLinuxChangePolicy", asks_selinux_policy },
};

/* --- containers --- */

static bool asks_devices(const Core__Container *c)
{
	return c->n_volumedevices > 0;
}

static bool asks_stop_signal(const Core__Container *c)
{
	return c->lifecycle && !str_empty(c->lifecycle->stopsignal);
}

static bool asks_container_claims(const Core__Container *c)
{
	return c->resources && c->resources->n_claims > 0;
}

static bool asks_restart_all(const Core__Container *c)
{
	for (size_t i = 0; i < c->n_restartpolicyrules; i++) {
		if (str_eq(c->restartpolicyrules[i]->action, "RestartAllContainers"))
			return true;
	}
	return false;
}

static const struct {
	const char *path;
	bool (*asked)(const Core__Container *c);
} container_fields[] = {
	{ "volumeDevices", asks_devices },
	{ "lifecycle.stopSignal", asks_stop_signal },
	{ "resources.claims", asks_container_claims },
	{ "restartPolicyRules[action=RestartAllContainers]", asks_restart_all },
};

static void check_containers(char ***fields, const char *list, Core__Container *const *items,
			     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(container_fields); k++) {
			if (container_fields[k].asked(items[i]))
				add(fields, str_fmt("spec.%s{%s}.%s", list, items[i]->name,
						    container_fields[k].path));
		}
	}
}

/* --- volumes --- */

static bool built_source(const Core__VolumeSource *s)
{
	return s && (s->hostpath || s->emptydir || s->secret || s->configmap || s->downwardapi ||
		     s->projected || s->image);
}

static void check_volumes(char ***fields, const Core__PodSpec *spec)
{
	for (size_t i = 0; i < spec->n_volumes; i++) {
		const Core__VolumeSource *s = spec->volumes[i]->volumesource;

		if (!built_source(s))
			add(fields, str_fmt("spec.volumes{%s}", spec->volumes[i]->name));
	}
}

char **podunbuilt_fields(const Core__PodSpec *spec)
{
	char **fields = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(pod_fields); i++) {
		if (pod_fields[i].asked(spec))
			strv_push(&fields, pod_fields[i].path);
	}
	check_containers(&fields, "initContainers", spec->initcontainers, spec->n_initcontainers);
	check_containers(&fields, "containers", spec->containers, spec->n_containers);
	check_volumes(&fields, spec);
	return fields;
}
