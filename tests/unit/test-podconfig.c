/* What the runtime is told: limits of containers, ways of mounting. */
#include "podjson.h"

#include "base/str.h"
#include "pod/podconfig.h"

#define POD_LEVEL \
	"'resources': {'requests': {'cpu': '200m'}, 'limits': {'cpu': '400m', 'memory': '64Mi', " \
	"'hugepages-2Mi': '4Mi'}}, "
#define C(more) "'containers': [{'name': 'c'" more "}]}"

/* "shares quota memory 2MB-pages 1GB-pages" of the container */
static const struct {
	const char *spec, *want;
} grants[] = {
	{ "{" C(""), "2 0 0 0 0" },
	{ "{" C(", 'resources': {'limits': {'cpu': '100m', 'memory': '1Mi'}}"),
	  "102 10000 1048576 0 0" },
	{ "{" POD_LEVEL C(""), "409 40000 67108864 4194304 0" },
	{ "{" POD_LEVEL C(", 'resources': {'requests': {'cpu': '100m'}, 'limits': {'memory': "
			  "'1Mi'}}"),
	  "102 40000 1048576 4194304 0" },
	{ "{" POD_LEVEL C(", 'resources': {'limits': {'hugepages-2Mi': '2Mi', 'hugepages-1Gi': "
			  "'1Gi'}}"),
	  "409 40000 67108864 2097152 1073741824" },
	/* a size that the machine has not */
	{ "{" C(", 'resources': {'limits': {'hugepages-64Ki': '64Ki'}}"), "2 0 0 0 0" },
};

static void containers_get_their_limits_or_the_pods(void **state)
{
	static const char *const sizes[] = { "2MB", "1GB", NULL };
	const struct podconfig_node node = { .cpu_cfs_quota = true,
					     .cpu_period_usec = 100000,
					     .memory_capacity_bytes = 1LL << 30,
					     .limits_swap = true,
					     .hugepage_sizes = sizes };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(grants); i++) {
		struct podspec *spec = podjson_spec(grants[i].spec);
		Cri__LinuxContainerResources *r =
		    podconfig_resources(spec, spec->containers[0].spec, &node);
		AUTO_FREE char *have =
		    str_fmt("%lld %lld %lld %llu %llu", (long long)r->cpu_shares,
			    (long long)r->cpu_quota, (long long)r->memory_limit_in_bytes,
			    (unsigned long long)r->hugepage_limits[0]->limit,
			    (unsigned long long)r->hugepage_limits[1]->limit);

		if (strcmp(have, grants[i].want))
			fail_msg("%s: %s, not %s", grants[i].spec, have, grants[i].want);
		assert_int_equal(r->memory_swap_limit_in_bytes, r->memory_limit_in_bytes);
		proto_free(r);
		podspec_free(spec);
	}
}

#define QOS(requests, limits) \
	"'containers': [{'name': 'c', 'image': 'i', 'resources': {'requests': {" requests \
	"}, 'limits': {" limits "}}}]}"

/* What only cgroup v2 is told, on a node of 1000 MiB of which half are throttled away. */
static const struct {
	const char *spec;
	bool qos_on, tiered, factor;
	const char *want, *pod; /* of the container; of the pod's cgroup: min low high */
} unified[] = {
	{ "{" QOS("", ""), false, false, false, "memory.high=max ", "0 0 0" },
	{ "{" QOS("", ""), true, false, false, "memory.min=0 memory.low=0 ", "0 0 0" },
	{ "{" QOS("", ""), true, false, true, "memory.min=0 memory.low=0 memory.high=524288000 ",
	  "0 0 0" },
	{ "{" QOS("'memory': '100Mi'", "'memory': '200Mi'"), true, false, true,
	  "memory.min=0 memory.low=0 memory.high=157286400 ", "0 0 0" },
	{ "{" QOS("'memory': '100Mi'", "'memory': '200Mi'"), true, true, false,
	  "memory.low=104857600 ", "0 104857600 0" },
	{ "{" QOS("'memory': '1Mi', 'cpu': '1'", "'memory': '1Mi', 'cpu': '1'"), true, true, true,
	  "memory.min=1048576 ", "1048576 0 0" },
	/* too near to its limit for a page between */
	{ "{" QOS("'memory': '1048000'", "'memory': '1048576'"), true, false, true,
	  "memory.min=0 memory.low=0 ", "0 0 0" },
	/* the pod's mark throttles a container without a limit of its own */
	{ "{'resources': {'requests': {'memory': '100Mi'}, 'limits': {'memory': '200Mi'}}, " QOS(
	      "", ""),
	  true, false, true, "memory.min=0 memory.low=0 ", "0 0 157286400" },
};

static char *unified_text(const Cri__LinuxContainerResources *r)
{
	struct str text = { 0 };

	for (size_t i = 0; i < r->n_unified; i++)
		str_printf(&text, "%s=%s ", r->unified[i]->key, r->unified[i]->value);
	return str_take(&text);
}

static void memory_is_protected_and_throttled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unified); i++) {
		const struct podconfig_node node = {
			.cgroup_v2 = true,
			.oom_kills_one = true,
			.memory_qos = { .on = unified[i].qos_on,
					.tiered = unified[i].tiered,
					.factor = unified[i].factor ? 0.5 : 0,
					.allocatable_bytes = 1000 << 20 },
		};
		struct podspec *spec = podjson_spec(unified[i].spec);
		Cri__LinuxContainerResources *r =
		    podconfig_resources(spec, spec->containers[0].spec, &node);
		struct cgroup_limits l = { 0 };
		AUTO_FREE char *have = unified_text(r);
		AUTO_FREE char *pod = NULL;

		memoryqos_of_pod(&node.memory_qos, spec->pod->spec, &l);
		pod = str_fmt("%lld %lld %lld", (long long)l.memory_min_bytes,
			      (long long)l.memory_low_bytes, (long long)l.memory_high_bytes);
		assert_string_equal(have, unified[i].want);
		assert_string_equal(pod, unified[i].pod);
		assert_int_equal(r->memory_swap_limit_in_bytes, 0);
		proto_free(r);
		podspec_free(spec);
	}
}

static void the_kernel_kills_all_and_swaps_nothing(void **state)
{
	const struct podconfig_node node = { .cgroup_v2 = true, .limits_swap = true };
	struct podspec *spec = podjson_spec(unified[0].spec);
	Cri__LinuxContainerResources *r =
	    podconfig_resources(spec, spec->containers[0].spec, &node);
	AUTO_FREE char *have = unified_text(r);

	(void)state;
	assert_string_equal(have, "memory.oom.group=1 memory.swap.max=0 memory.high=max ");
	proto_free(r);
	podspec_free(spec);
}

static const struct {
	const char *mount, *with,
	    *without; /* "on", "off" or the error: a runtime that can or not */
} recursions[] = {
	{ "{'name': 'v', 'readOnly': true}", "off", "off" },
	{ "{'name': 'v', 'readOnly': true, 'recursiveReadOnly': 'Disabled'}", "off", "off" },
	{ "{'name': 'v', 'recursiveReadOnly': 'Disabled'}", "off", "off" },
	{ "{'name': 'v', 'readOnly': true, 'recursiveReadOnly': 'IfPossible'}", "on", "off" },
	{ "{'name': 'v', 'readOnly': true, 'mountPropagation': 'None', 'recursiveReadOnly': "
	  "'Enabled'}",
	  "on",
	  "volume \"v\" requested recursive read-only mode, but it is not supported by the "
	  "runtime" },
	{ "{'name': 'v', 'recursiveReadOnly': 'IfPossible'}",
	  "volume \"v\" requested recursive read-only mode, but it is not read-only",
	  "volume \"v\" requested recursive read-only mode, but it is not read-only" },
	{ "{'name': 'v', 'readOnly': true, 'mountPropagation': 'HostToContainer', "
	  "'recursiveReadOnly': 'Enabled'}",
	  "volume \"v\" requested recursive read-only mode, but it is not compatible with "
	  "propagation \"HostToContainer\"",
	  "volume \"v\" requested recursive read-only mode, but it is not compatible with "
	  "propagation \"HostToContainer\"" },
	{ "{'name': 'v', 'readOnly': true, 'recursiveReadOnly': 'Perhaps'}",
	  "unknown recursive read-only mode \"Perhaps\"",
	  "unknown recursive read-only mode \"Perhaps\"" },
};

static void mounts_are_recursively_read_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(recursions); i++) {
		bool supported = i % 2, on;
		Core__VolumeMount *m =
		    podjson(&core__volume_mount__descriptor, recursions[i / 2].mount);
		struct err e;
		int r = podconfig_recursive_read_only(m, supported, &on, &e);

		assert_string_equal(r < 0 ? e.text
				    : on  ? "on"
					  : "off",
				    supported ? recursions[i / 2].with : recursions[i / 2].without);
		proto_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_get_their_limits_or_the_pods),
		cmocka_unit_test(memory_is_protected_and_throttled),
		cmocka_unit_test(the_kernel_kills_all_and_swaps_nothing),
		cmocka_unit_test(mounts_are_recursively_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
