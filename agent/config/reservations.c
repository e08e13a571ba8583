/* Checks of what is kept from pods (contract in checks.h). Pure. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "checks.h"
#include "threshold.h"

static void check_allocatable(struct check *c)
{
	static const struct {
		const char *word, *cgroup, *rival;
	} words[] = {
		{ "pods", NULL, NULL },
		{ "none", NULL, NULL },
		{ "system-reserved", "systemReservedCgroup", "system-reserved-compressible" },
		{ "system-reserved-compressible", "systemReservedCgroup", "system-reserved" },
		{ "kube-reserved", "kubeReservedCgroup", "kube-reserved-compressible" },
		{ "kube-reserved-compressible", "kubeReservedCgroup", "kube-reserved" },
	};
	static const char path[] = "enforceNodeAllocatable";
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0, hits[ARRAY_SIZE(words)] = { 0 };

	for (size_t i = 0; i < n; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		size_t w = 0;

		while (w < ARRAY_SIZE(words) && !str_eq(words[w].word, word))
			w++;
		if (w == ARRAY_SIZE(words)) {
			check_problem(c, path, "\"%s\" is unknown", word);
			continue;
		}
		if (hits[w]++)
			check_problem(c, path, "\"%s\" stands there twice", word);
		if (words[w].cgroup && !*check_text(c, words[w].cgroup))
			check_problem(c, words[w].cgroup, "must be set when %s holds \"%s\"", path,
				      word);
		if (str_eq(word, "none") && n > 1)
			check_problem(c, path, "\"none\" stands alone or not at all");
		if (!str_eq(word, "none") && !check_is_true(c, "cgroupsPerQOS"))
			check_problem(c, "cgroupsPerQOS", "must be true when %s holds \"%s\"", path,
				      word);
	}
	if ((hits[2] && hits[3]) || (hits[4] && hits[5]))
		check_problem(c, path, "a reservation is enforced whole or compressible, not both");
}

static void check_reserved(struct check *c, const char *path)
{
	static const char *const resources[] = { "cpu", "memory", "ephemeral-storage", "pid" };
	struct json_object *map = check_get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, resource, value)
	{
		struct threshold amount;
		struct err e = { 0 };
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
			known |= str_eq(resources[i], resource);
		if (!known)
			check_problem(c, path, "%s cannot be reserved", resource);
		else if (str_ends(json_object_get_string(value), "%") ||
			 threshold_parse(json_object_get_string(value), &amount, &e) < 0)
			check_problem(c, path, "%s: %s", resource,
				      e.code ? e.text : "a percentage is no amount");
	}
}

static bool cpu_list_ok(const char *text)
{
	for (const char *p = text; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end == p || !isdigit((unsigned char)*p))
			return false;
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p || !isdigit((unsigned char)*p))
				return false;
		}
		if (to < from || (*end && *end != ',') || (*end == ',' && !end[1]))
			return false;
		p = *end ? end + 1 : end;
	}
	return true;
}

static void check_cpus(struct check *c)
{
	static const char path[] = "reservedSystemCPUs";

	if (!*check_text(c, path))
		return;
	if (*check_text(c, "systemReservedCgroup") || *check_text(c, "kubeReservedCgroup"))
		check_problem(c, path, "cannot be set together with a reserved cgroup");
	if (!cpu_list_ok(check_text(c, path)))
		check_problem(c, path, "\"%s\" is not a list of CPUs such as 0-1,4",
			      check_text(c, path));
}

/* qosReserved: only of memory, in whole percent */
static void check_qos(struct check *c)
{
	static const char path[] = "qosReserved";
	struct json_object *map = check_get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, resource, value)
	{
		const char *text = json_object_get_string(value);
		size_t len = strlen(text);
		AUTO_FREE char *digits = mem_strndup(text, len ? len - 1 : 0);
		int64_t percent;

		if (!str_eq(resource, "memory"))
			check_problem(c, path, "%s cannot be reserved", resource);
		else if (!str_ends(text, "%") || !str_to_i64(digits, &percent) || percent < 0 ||
			 percent > 100)
			check_problem(c, path, "\"%s\" is not a percentage from 0%% to 100%%",
				      text);
	}
}

void reservations_check(struct check *c)
{
	check_allocatable(c);
	check_reserved(c, "systemReserved");
	check_reserved(c, "kubeReserved");
	check_qos(c);
	check_cpus(c);
}
