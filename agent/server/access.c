/* Authorization attributes of a request (contract in access.h). Pure. */
#include "access.h"

#include <string.h>

#include "base/mem.h"

const char *access_verb(const char *method)
{
	static const char *const rows[][2] = { { "GET", "get" },
					       { "POST", "create" },
					       { "PUT", "update" },
					       { "PATCH", "patch" },
					       { "DELETE", "delete" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_eq(rows[i][0], method))
			return rows[i][1];
	return "";
}

static bool below(const char *path, const char *root)
{
	size_t n = strlen(root);

	return !strncmp(path, root, n) && (path[n] == '\0' || path[n] == '/');
}

struct row {
	const char *root, *subresource;
};

static const char *find(const char *path, const struct row *rows, size_t n, const char *otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (below(path, rows[i].root))
			return rows[i].subresource;
	return otherwise;
}

size_t access_subresources(const char *path, const char *ret[ACCESS_SUBRESOURCES_MAX])
{
	static const struct row fine[] = {
		{ "/allocatedPods", "pods" }, { "/pods", "pods" },        { "/healthz", "healthz" },
		{ "/configz", "configz" },    { "/runningpods", "pods" },
	};
	static const struct row coarse[] = {
		{ "/stats", "stats" },           { "/metrics", "metrics" }, { "/logs", "log" },
		{ "/checkpoint", "checkpoint" }, { "/statusz", "statusz" }, { "/flagz", "configz" },
	};
	const char *first = find(path, fine, ARRAY_SIZE(fine), NULL);
	size_t n = 0;

	if (first)
		ret[n++] = first;
	ret[n++] = find(path, coarse, ARRAY_SIZE(coarse), "proxy");
	return n;
}

void access_forbidden(struct str *out, const char *user, const char *verb,
		      const char *const *subresources, size_t n)
{
	str_printf(out, "Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=[", user,
		   verb);
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s%s", i ? " " : "", subresources[i]);
	str_append(out, "])\n");
}
