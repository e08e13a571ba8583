/* The environment: expansion, precedence, every source. */
#include "podjson.h"

#include "base/str.h"
#include "pod/podenv.h"

#define CONTAINER(more) "{'containers': [{'name': 'c', " more "}]}"

static const char *const pod_ips[] = { "10.0.0.2", "fd00::2", NULL };
static const char *const host_ips[] = { "192.0.2.1", "2001:db8::1", NULL };

struct objects {
	Core__ConfigMap *map;
	Core__Secret *secret;
};

/* ConfigMap "m" and Secret "s" exist. */
static const void *find(void *ctx, enum env_source source, const char *name)
{
	struct objects *o = ctx;

	if (source == ENV_CONFIG_MAP && str_eq(name, "m"))
		return o->map;
	return source == ENV_SECRET && str_eq(name, "s") ? o->secret : NULL;
}

/* Volume "v" holds the file "f" with K and nothing else, and an unreadable one. */
static bool file(void *ctx, const Core__FileKeySelector *ref, struct env_file_value *ret_value)
{
	(void)ctx;
	if (!str_eq(ref->volumename, "v"))
		return false;
	*ret_value = (struct env_file_value){
		.path = "/pods/f",
		.value = !str_eq(ref->path, "f") ? NULL : str_eq(ref->key, "K") ? "$(A)" : "",
	};
	return true;
}

static struct kube_object *service(const char *ns, const char *name, const char *spec)
{
	Core__Service *s = proto_new(&core__service__descriptor);

	s->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&s->metadata->namespace_, ns);
	proto_set_str(&s->metadata->name, name);
	s->spec = podjson(&core__service_spec__descriptor, spec);
	return kube_object_new(KUBE_SERVICE, s);
}

/* "NAME=value;" of the first container's environment, or "error: …". Heap. */
static char *environment(const char *spec_json)
{
	struct podspec *spec = podjson_spec(spec_json);
	struct objects objects = {
		podjson(&core__config_map__descriptor, "{'data': {'k': 'map', 'only': 'x'}}"),
		podjson(&core__secret__descriptor, "{'data': {'k': 'c2VjcmV0', 'none': ''}}"),
	};
	struct kube_object *services[] = {
		service("default", "kubernetes",
			"{'clusterIP': '10.96.0.1', 'ports': [{'name': 'https', 'port': 443}]}"),
		service("ns", "my-db",
			"{'clusterIP': '10.96.0.9', 'ports': [{'port': 5432, 'protocol': 'UDP'}]}"),
		service("ns", "headless", "{'clusterIP': 'None', 'ports': [{'port': 1}]}"),
		service("other", "far", "{'clusterIP': '10.96.0.3', 'ports': [{'port': 1}]}"),
	};
	struct env_input in = { .spec = spec,
				.container = spec->containers[0].spec,
				.find = find,
				.file = file,
				.ctx = &objects,
				.services = services,
				.n_services = ARRAY_SIZE(services),
				.pod_ips = pod_ips,
				.host_ips = host_ips,
				.allocatable_cpu_milli = 3500,
				.allocatable_memory_bytes = 1 << 30,
				.allocatable_ephemeral_bytes = 1 << 20 };
	struct env_list env = { 0 };
	struct str out = { 0 };
	struct err e;

	if (podenv_make(&in, &env, &e) < 0)
		str_printf(&out, "error: %s", e.text);
	for (size_t i = 0; i < env.n; i++) {
		if (!str_starts(env.names[i], "KUBERNETES_"))
			str_printf(&out, "%s=%s;", env.names[i], env.values[i]);
		else if (str_eq(env.names[i], "KUBERNETES_SERVICE_HOST"))
			assert_string_equal(env.values[i], "10.96.0.1");
	}
	env_list_fini(&env);
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		kube_object_unref(services[i]);
	proto_free(objects.map);
	proto_free(objects.secret);
	podspec_free(spec);
	return str_take(&out);
}

#define QUIET "'enableServiceLinks': false, 'nodeName': 'n1', 'serviceAccountName': 'sa', "
#define ENV(list) "{" QUIET "'containers': [{'name': 'c', 'env': [" list "]}]}"
#define FROM(list) "{" QUIET "'containers': [{'name': 'c', " list "}]}"
#define FIELD(path) ENV("{'name': 'F', 'valueFrom': {'fieldRef': {'fieldPath': '" path "'}}}")
#define FILE_KEY(volume, path, key, more) \
	ENV("{'name': 'F', 'valueFrom': {'fileKeyRef': {'volumeName': '" volume "', 'path': '" path \
	    "', 'key': '" key "'" more "}}}")
#define RESOURCE(ref) \
	"{" QUIET "'containers': [{'name': 'c', 'resources': {'requests': {'cpu': '250m', " \
	"'memory': '64Mi'}, 'limits': {'memory': '100000001'}}, 'env': [{'name': 'R', " \
	"'valueFrom': {'resourceFieldRef': {" ref "}}}]}]}"

static const struct {
	const char *spec, *want;
} rows[] = {
	{ ENV(""), "" },
	{ ENV("{'name': 'A', 'value': '1'}, {'name': 'B', 'value': '$(A)-$(B)-$$(A)-$(nope)'}"),
	  "A=1;B=1-$(B)-$(A)-$(nope);" },
	/* only what came before is known */
	{ ENV("{'name': 'B', 'value': '$(A)'}, {'name': 'A', 'value': '1'}"), "B=$(A);A=1;" },
	/* the last one of a name wins, in the first one's place */
	{ ENV("{'name': 'A', 'value': '1'}, {'name': 'B'}, {'name': 'A', 'value': '2$(A)'}"),
	  "A=21;B=;" },
	{ FROM("'envFrom': [{'configMapRef': {'name': 'm'}}, {'prefix': 'P_', 'secretRef': "
	       "{'name': 's'}}], 'env': [{'name': 'only', 'value': 'env'}]"),
	  "k=map;only=env;P_k=secret;P_none=;" },
	{ FROM("'envFrom': [{'configMapRef': {'name': 'm'}}, {'secretRef': {'name': 's'}}]"),
	  "k=secret;only=x;none=;" },
	{ FROM("'envFrom': [{'configMapRef': {'name': 'gone'}}]"),
	  "error: configmap \"gone\" not found" },
	{ FROM("'envFrom': [{'configMapRef': {'name': 'gone', 'optional': true}}, {'secretRef': "
	       "{'name': 'gone', 'optional': true}}]"),
	  "" },
	{ ENV("{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'm', 'key': 'k'}}}, "
	      "{'name': 'B', 'valueFrom': {'secretKeyRef': {'name': 's', 'key': 'k'}}}"),
	  "A=map;B=secret;" },
	{ ENV("{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'm', 'key': 'x'}}}"),
	  "error: couldn't find key x in ConfigMap ns/m" },
	{ ENV("{'name': 'A', 'valueFrom': {'secretKeyRef': {'name': 's', 'key': 'x'}}}"),
	  "error: couldn't find key x in Secret ns/s" },
	{ ENV("{'name': 'A', 'valueFrom': {'secretKeyRef': {'name': 'gone', 'key': 'x'}}}"),
	  "error: secret \"gone\" not found" },
	{ ENV("{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'm', 'key': 'x', "
	      "'optional': true}}}, {'name': 'B', 'valueFrom': {'secretKeyRef': {'name': 'gone', "
	      "'key': 'x', 'optional': true}}}, {'name': 'C', 'value': 'c'}"),
	  "C=c;" },
	{ FIELD("metadata.name"), "F=pod;" },
	{ FIELD("metadata.namespace"), "F=ns;" },
	{ FIELD("metadata.uid"), "F=uid-1;" },
	{ FIELD("metadata.labels[`a`]"), "F=1;" },
	{ FIELD("metadata.labels[`zz`]"), "F=;" },
	{ FIELD("spec.nodeName"), "F=n1;" },
	{ FIELD("spec.serviceAccountName"), "F=sa;" },
	{ FIELD("status.podIP"), "F=10.0.0.2;" },
	{ FIELD("status.podIPs"), "F=10.0.0.2,fd00::2;" },
	{ FIELD("status.hostIP"), "F=192.0.2.1;" },
	{ FIELD("status.hostIPs"), "F=192.0.2.1,2001:db8::1;" },
	{ FIELD("status.phase"), "error: field path \"status.phase\" is not supported" },
	/* what a file says is not expanded */
	{ FILE_KEY("v", "f", "K", ""), "F=$(A);" },
	{ FILE_KEY("v", "f", "N", ""),
	  "error: environment variable key \"N\" not found in file \"/pods/f\"" },
	{ FILE_KEY("v", "f", "N", ", 'optional': true"), "" },
	{ FILE_KEY("v", "bad", "K", ", 'optional': true"), "error: couldn't parse env file" },
	{ FILE_KEY("w", "f", "K", ""),
	  "error: cannot find the volume \"w\" referenced by FileKeyRef" },
	{ RESOURCE("'resource': 'requests.cpu'"), "R=1;" },
	{ RESOURCE("'resource': 'requests.cpu', 'divisor': '1m'"), "R=250;" },
	{ RESOURCE("'resource': 'limits.cpu'"), "R=4;" },
	{ RESOURCE("'resource': 'limits.memory', 'divisor': '1M'"), "R=101;" },
	{ RESOURCE("'resource': 'requests.memory', 'divisor': '1Mi'"), "R=64;" },
	{ RESOURCE("'resource': 'requests.ephemeral-storage'"), "R=0;" },
	{ RESOURCE("'resource': 'limits.ephemeral-storage', 'divisor': '1Ki'"), "R=1024;" },
	/* links of the pod's own namespace; the first port has the short name */
	{ CONTAINER("'env': [{'name': 'URL', 'value': '$(MY_DB_SERVICE_HOST)'}]"),
	  "URL=10.96.0.9;MY_DB_SERVICE_HOST=10.96.0.9;MY_DB_SERVICE_PORT=5432;"
	  "MY_DB_PORT=udp://10.96.0.9:5432;MY_DB_PORT_5432_UDP=udp://10.96.0.9:5432;"
	  "MY_DB_PORT_5432_UDP_PROTO=udp;MY_DB_PORT_5432_UDP_PORT=5432;"
	  "MY_DB_PORT_5432_UDP_ADDR=10.96.0.9;" },
};

static void environments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *have = environment(rows[i].spec);

		if (strcmp(have, rows[i].want))
			fail_msg("%s: %s, not %s", rows[i].spec, have, rows[i].want);
	}
}

static void what_a_container_declares_hides_services(void **state)
{
	AUTO_FREE char *env =
	    environment(CONTAINER("'env': [{'name': 'MY_DB_SERVICE_HOST', 'value': 'mine'}]"));

	(void)state;
	assert_true(str_starts(env, "MY_DB_SERVICE_HOST=mine;"));
	assert_null(strstr(env, "MY_DB_SERVICE_HOST=10"));
}

static void expansion(void **state)
{
	static const struct {
		const char *text, *want;
	} table[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "$(A)", "1" },
		{ "$(A)$(A)", "11" },
		{ "$$(A)", "$(A)" },
		{ "$$$(A)", "$1" },
		{ "$(A", "$(A" },
		{ "$", "$" },
		{ "$A", "$A" },
		{ "$()", "$()" },
		{ "a$$b", "a$b" },
		{ "$(B)", "$(A)" },
		{ "$(nope)", "$(nope)" },
	};
	char *names[] = { "A", "B" }, *values[] = { "1", "$(A)" };
	struct env_list env = { names, values, 2 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		AUTO_FREE char *have = podenv_expand(&env, table[i].text);

		assert_string_equal(have, table[i].want);
	}
	assert_null(podenv_expand_strict(&env, "x/$(nope)", &e));
	assert_non_null(strstr(e.text, "nope"));
	AUTO_FREE char *strict = podenv_expand_strict(&env, "x/$(A)", &e);
	assert_string_equal(strict, "x/1");
	names[1] = "Z";
	values[1] = "";
	assert_null(podenv_expand_strict(&env, "$(Z)/$(A)/$(nope)/$(B)/$(Z)", &e));
	assert_string_equal(e.text, "missing value for B, Z, nope");
}

static void maps_of_the_downward_api(void **state)
{
	struct podspec *spec = podjson_spec(CONTAINER("'image': 'i'"));
	AUTO_FREE char *labels = NULL;
	AUTO_FREE char *notes = NULL;
	struct err e;

	(void)state;
	assert_int_equal(podenv_field(spec, "metadata.labels", NULL, NULL, &labels, &e), 0);
	assert_string_equal(labels, "a=\"1\"\nb=\"2\"");
	assert_int_equal(podenv_field(spec, "metadata.annotations", NULL, NULL, &notes, &e), 0);
	assert_string_equal(notes, "note=\"say \\\"hi\\\"\"");
	podspec_free(spec);
}

static void count(void *ctx, enum env_source source, const char *name)
{
	str_printf(ctx, "%s%s ", source == ENV_SECRET ? "s:" : "m:", name);
}

static void references(void **state)
{
	struct podspec *spec = podjson_spec(CONTAINER(
	    "'envFrom': [{'secretRef': {'name': 'a'}}, {'configMapRef': {'name': 'b'}}], 'env': "
	    "[{'name': 'A', 'value': '1'}, {'name': 'B', 'valueFrom': {'configMapKeyRef': "
	    "{'name': 'c', 'key': 'k'}}}, {'name': 'C', 'valueFrom': {'secretKeyRef': {'name': "
	    "'d', 'key': 'k'}}}]"));
	AUTO_STR seen = { 0 };

	(void)state;
	podenv_refs(spec->containers[0].spec, count, &seen);
	assert_string_equal(str_text(&seen), "s:a m:b m:c s:d ");
	podspec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(environments),
		cmocka_unit_test(what_a_container_declares_hides_services),
		cmocka_unit_test(expansion),
		cmocka_unit_test(maps_of_the_downward_api),
		cmocka_unit_test(references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
