/* What a runtime tells beside the protocol (contract in runtimeinfo.h). Pure. */
#include "runtimeinfo.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { CONFIG_MAX_BYTES = 1 << 20 };

static const char *config_of(const Cri__StatusResponse *status)
{
	for (size_t i = 0; i < status->n_info; i++) {
		if (str_eq(status->info[i]->key, "config"))
			return status->info[i]->value;
	}
	return NULL;
}

static const char *driver_of(struct json_object *config)
{
	struct json_object *containerd = json_member(config, "containerd", json_type_object);
	struct json_object *handlers = json_member(containerd, "runtimes", json_type_object);
	const char *name = json_string(containerd, "defaultRuntimeName");
	struct json_object *handler = json_member(handlers, str_or(name, ""), json_type_object);
	struct json_object *options = json_member(handler, "options", json_type_object);
	struct json_object *systemd = json_member(options, "SystemdCgroup", json_type_boolean);

	if (!handler)
		return NULL;
	return systemd && json_object_get_boolean(systemd) ? "systemd" : "cgroupfs";
}

const char *runtimeinfo_cgroup_driver(const Cri__StatusResponse *verbose)
{
	const char *text = config_of(verbose);
	AUTO_JSON struct json_object *config = NULL;
	size_t len = text ? strlen(text) : 0;
	struct err e;

	if (!len || len > CONFIG_MAX_BYTES || json_parse(text, len, &config, &e) < 0)
		return NULL;
	return driver_of(config);
}
