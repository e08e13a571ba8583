/* Checks of the resource managers' settings (contract in checks.h). Pure. */
#include "base/mem.h"
#include "checks.h"
#include "conf/value.h"
#include "kube/quantity.h"

enum { NUMA_NODES_MIN = 8 };

static const char cpu_path[] = "cpuManagerPolicyOptions";
static const char topology_path[] = "topologyManagerPolicyOptions";

static bool is_bool(const char *text, bool *ret_value)
{
	AUTO_JSON struct json_object *value = NULL;

	if (value_from_text(OPTION_BOOL, text, NULL, &value, NULL) < 0)
		return false;
	*ret_value = json_object_get_boolean(value);
	return true;
}

enum { FULL, STRICT, UNCORE, ACROSS_NUMA, BY_SOCKET, ACROSS_CORES, CPU_OPTIONS };

static const struct {
	const char *name, *gate;
} cpu_options[CPU_OPTIONS] = {
	[FULL] = { "full-pcpus-only", NULL },
	[STRICT] = { "strict-cpu-reservation", NULL },
	[UNCORE] = { "prefer-align-cpus-by-uncorecache", NULL },
	[ACROSS_NUMA] = { "distribute-cpus-across-numa", "CPUManagerPolicyBetaOptions" },
	[BY_SOCKET] = { "align-by-socket", "CPUManagerPolicyAlphaOptions" },
	[ACROSS_CORES] = { "distribute-cpus-across-cores", "CPUManagerPolicyAlphaOptions" },
};

static const int cpu_rivals[][2] = {
	{ FULL, ACROSS_CORES },
	{ ACROSS_NUMA, ACROSS_CORES },
	{ UNCORE, ACROSS_CORES },
	{ UNCORE, ACROSS_NUMA },
};

static void check_cpu_option(struct check *c, const char *name, const char *text, bool *on)
{
	size_t i = 0;

	while (i < CPU_OPTIONS && !str_eq(cpu_options[i].name, name))
		i++;
	if (i == CPU_OPTIONS)
		check_problem(c, cpu_path, "there is no option %s", name);
	else if (cpu_options[i].gate && !check_gate(c, cpu_options[i].gate))
		check_problem(c, cpu_path, "%s needs the feature gate %s", name,
			      cpu_options[i].gate);
	else if (!is_bool(text, &on[i]))
		check_problem(c, cpu_path, "%s: \"%s\" is not true or false", name, text);
}

static void check_cpu_options(struct check *c, struct json_object *options)
{
	bool on[CPU_OPTIONS] = { 0 };

	json_object_object_foreach(options, name, value)
	    check_cpu_option(c, name, json_object_get_string(value), on);
	for (size_t i = 0; i < ARRAY_SIZE(cpu_rivals); i++) {
		int a = cpu_rivals[i][0], b = cpu_rivals[i][1];

		if (on[a] && on[b])
			check_problem(c, cpu_path, "%s and %s exclude each other",
				      cpu_options[a].name, cpu_options[b].name);
	}
	if (on[BY_SOCKET] && str_eq(check_text(c, "topologyManagerPolicy"), "single-numa-node"))
		check_problem(c, cpu_path, "%s excludes topologyManagerPolicy single-numa-node",
			      cpu_options[BY_SOCKET].name);
}

/* Adds what the two reservations hold back of a resource. */
static struct quantity reserved(const struct check *c, const char *resource)
{
	static const char *const paths[] = { "systemReserved", "kubeReserved" };
	struct quantity sum = quantity_of(0, QUANTITY_BINARY), q;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *text = json_string(check_get(c, paths[i]), resource);

		if (text && quantity_parse(text, &q, NULL) == 0)
			quantity_add(&sum, &q);
	}
	return sum;
}

static void check_cpu(struct check *c)
{
	struct json_object *options = check_get(c, cpu_path);
	struct quantity cpu = reserved(c, "cpu");

	if (!str_eq(check_text(c, "cpuManagerPolicy"), "static")) {
		if (options && json_object_object_length(options))
			check_problem(c, cpu_path, "needs cpuManagerPolicy static");
		return;
	}
	if (!*check_text(c, "reservedSystemCPUs") && quantity_is_zero(&cpu))
		check_problem(c, "cpuManagerPolicy",
			      "static needs a CPU reserved in systemReserved or kubeReserved");
	if (options)
		check_cpu_options(c, options);
}

static void check_topology(struct check *c)
{
	struct json_object *options = check_get(c, topology_path);
	bool ignored;

	if (!options || str_eq(check_text(c, "topologyManagerPolicy"), "none"))
		return;
	json_object_object_foreach(options, name, value)
	{
		const char *text = json_object_get_string(value);
		int64_t number;

		if (str_eq(name, "prefer-closest-numa-nodes")) {
			if (!is_bool(text, &ignored))
				check_problem(c, topology_path, "%s: \"%s\" is not true or false",
					      name, text);
		} else if (!str_eq(name, "max-allowable-numa-nodes")) {
			check_problem(c, topology_path, "there is no option %s", name);
		} else if (!str_to_i64(text, &number) || number < NUMA_NODES_MIN) {
			check_problem(c, topology_path, "%s: \"%s\" is no number from %d on", name,
				      text, NUMA_NODES_MIN);
		}
	}
}

/* Adds the limits of one NUMA node to the memory; 0, doubled and unknown kinds are problems. */
static void check_numa_node(struct check *c, struct json_object *list, size_t at,
			    struct quantity *memory, bool *ret_others)
{
	static const char path[] = "reservedMemory";
	struct json_object *node = json_object_array_get_idx(list, at);
	struct json_object *limits = json_member(node, "limits", json_type_object);
	int64_t number = value_i64(json_member(node, "numaNode", json_type_int));

	if (!limits)
		return;
	json_object_object_foreach(limits, type, value)
	{
		struct quantity q = quantity_of(0, QUANTITY_BINARY);

		if (quantity_parse(json_object_get_string(value), &q, NULL) < 0 ||
		    quantity_is_zero(&q))
			check_problem(c, path, "NUMA node %lld: %s is 0", (long long)number, type);
		if (str_eq(type, "memory"))
			quantity_add(memory, &q);
		else if (str_starts(type, "hugepages-"))
			*ret_others = true;
		else
			check_problem(c, path,
				      "NUMA node %lld: %s is neither memory nor hugepages-SIZE",
				      (long long)number, type);
		for (size_t i = 0; i < at; i++) {
			struct json_object *other = json_object_array_get_idx(list, i);

			if (value_i64(json_member(other, "numaNode", json_type_int)) == number &&
			    json_object_object_get_ex(
				json_member(other, "limits", json_type_object), type, NULL))
				check_problem(c, path, "NUMA node %lld: %s stands there twice",
					      (long long)number, type);
		}
	}
}

/* The static policy hands out what is not reserved: node by node it must be what the node as a
 * whole holds back. A threshold in percent is known on the machine only. */
static void check_memory(struct check *c)
{
	static const char path[] = "reservedMemory";
	struct json_object *list = check_get(c, path), *hard = check_get(c, "evictionHard");
	struct quantity given = quantity_of(0, QUANTITY_BINARY), want = reserved(c, "memory"), q;
	const char *threshold = json_string(hard, "memory.available");
	bool others = false, percent = threshold && str_ends(threshold, "%");

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		check_numa_node(c, list, i, &given, &others);
	if (!str_eq(check_text(c, "memoryManagerPolicy"), "Static"))
		return;
	if (threshold && !percent && quantity_parse(threshold, &q, NULL) == 0 &&
	    !check_is_true(c, "--experimental-allocatable-ignore-eviction"))
		quantity_add(&want, &q);
	if (quantity_is_zero(&given))
		check_problem(c, path, "must hold memory when memoryManagerPolicy is Static");
	if (others)
		check_problem(c, path, "huge pages cannot be held back from pods");
	if (!percent && quantity_cmp(&given, &want)) {
		char have[QUANTITY_TEXT], need[QUANTITY_TEXT];

		quantity_text(&given, have);
		quantity_text(&want, need);
		check_problem(c, path,
			      "holds %s of memory where systemReserved, kubeReserved and "
			      "evictionHard hold %s: memoryManagerPolicy Static needs the same",
			      have, need);
	}
}

void managers_check(struct check *c)
{
	check_cpu(c);
	check_topology(c);
	check_memory(c);
}
