/* Names in the kubepods tree (contract in cgroupname.h). Pure. */
#include "cgroupname.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define SLICE ".slice"

enum cgroup_level cgroupname_level(const char *qos_class)
{
	if (str_eq(qos_class, "Guaranteed"))
		return CGROUP_PODS;
	return str_eq(qos_class, "Burstable") ? CGROUP_BURSTABLE : CGROUP_BESTEFFORT;
}

static void swap_char(char *s, char from, char to)
{
	for (; *s; s++)
		*s = *s == from ? to : *s;
}

/* One level deeper: its slice is named after all above it. */
static void add_slice(struct str *path, struct str *prefix, const char *part)
{
	AUTO_FREE char *escaped = mem_strdup(part);

	swap_char(escaped, '-', '_');
	str_printf(prefix, "%s%s", prefix->len ? "-" : "", escaped);
	str_printf(path, "/%s" SLICE, str_text(prefix));
}

static char *spell(const char *plain, bool systemd)
{
	char **parts = systemd ? strv_split(plain, '/') : NULL;
	struct str path = { 0 };
	AUTO_STR prefix = { 0 };

	for (size_t i = 0; parts && parts[i]; i++)
		add_slice(&path, &prefix, parts[i]);
	strv_free(parts);
	if (!systemd)
		str_append(&path, plain);
	return str_take(&path);
}

char *cgroupname_root(const char *root, bool systemd)
{
	return spell(root, systemd);
}

char *cgroupname_path(const char *root, bool systemd, enum cgroup_level level, const char *uid)
{
	static const char *const levels[CGROUP_LEVELS] = { "", "/burstable", "/besteffort" };
	AUTO_FREE char *plain =
	    str_fmt("%s/kubepods%s%s%s", root, levels[level], uid ? "/pod" : "", uid ? uid : "");

	return spell(plain, systemd);
}

const char *cgroupname_unit(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *cgroupname_uid(const char *directory, bool systemd)
{
	const char *name = directory;
	char *uid;

	if (systemd) {
		name = strrchr(directory, '-');
		if (!name++ || !str_ends(name, SLICE))
			return NULL;
	} else if (strchr(directory, '.')) {
		return NULL;
	}
	if (!str_starts(name, "pod"))
		return NULL;
	uid = mem_strndup(name + 3, strlen(name) - 3 - (systemd ? strlen(SLICE) : 0));
	if (systemd)
		swap_char(uid, '_', '-');
	if (*uid)
		return uid;
	free(uid);
	return NULL;
}
