/* What a test reads of the strict runtime model (contract in fake-runtime.h). Pure. */
#include <json-c/json.h>

#include "base/mem.h"
#include "base/str.h"
#include "fake-inside.h"

size_t fake_runtime_breaches(const struct fake_runtime *rt)
{
	return strv_len(rt->breaches);
}

const char *fake_runtime_breach(const struct fake_runtime *rt, size_t i)
{
	return rt->breaches[i];
}

unsigned fake_runtime_calls(const struct fake_runtime *rt, enum cri_rpc rpc)
{
	return rt->calls[rpc];
}

static void put(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *sandbox_json(const struct sandbox *s)
{
	struct json_object *o = json_object_new_object();

	put(o, "id", s->id);
	put(o, "name", s->config->metadata->name);
	put(o, "namespace", s->config->metadata->namespace_);
	put(o, "uid", s->config->metadata->uid);
	put(o, "state", s->ready ? "ready" : "notready");
	json_object_object_add(o, "attempt", json_object_new_int64(s->config->metadata->attempt));
	return o;
}

static struct json_object *container_json(const struct container *c)
{
	static const char *const states[] = { "created", "running", "exited", "unknown" };
	struct json_object *o = json_object_new_object();

	put(o, "id", c->id);
	put(o, "sandbox", c->sandbox->id);
	put(o, "pod", c->sandbox->config->metadata->name);
	put(o, "name", c->config->metadata->name);
	put(o, "state", states[c->state]);
	json_object_object_add(o, "attempt", json_object_new_int64(c->config->metadata->attempt));
	json_object_object_add(o, "exit_code", json_object_new_int(c->exit_code));
	json_object_object_add(o, "started_usec", json_object_new_int64(c->started_usec));
	json_object_object_add(o, "finished_usec", json_object_new_int64(c->finished_usec));
	return o;
}

char *fake_runtime_json(const struct fake_runtime *rt)
{
	struct json_object *o = json_object_new_object(), *sandboxes = json_object_new_array(),
			   *containers = json_object_new_array(), *calls = json_object_new_object(),
			   *breaches = json_object_new_array();
	char *text;

	for (size_t i = 0; i < rt->sandboxes.n; i++)
		json_object_array_add(sandboxes, sandbox_json(rt->sandboxes.v[i]));
	for (size_t i = 0; i < rt->containers.n; i++)
		json_object_array_add(containers, container_json(rt->containers.v[i]));
	for (int i = 0; i < CRI_RPC_COUNT; i++)
		if (rt->calls[i])
			json_object_object_add(calls, cri_operation((enum cri_rpc)i),
					       json_object_new_int64(rt->calls[i]));
	for (size_t i = 0; i < strv_len(rt->breaches); i++)
		json_object_array_add(breaches, json_object_new_string(rt->breaches[i]));
	json_object_object_add(o, "sandboxes", sandboxes);
	json_object_object_add(o, "containers", containers);
	json_object_object_add(o, "calls", calls);
	json_object_object_add(o, "breaches", breaches);
	text = mem_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return text;
}
