/* Checks of sysctl names (contract in checks.h). Pure. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "checks.h"

enum { NAME_MAX_LEN = 253 };

/* Lower-case letters, digits, '-' and '_' with a letter or digit at both ends; a pattern may end
 * with '*'. */
static bool is_segment(const char *text, size_t len, bool pattern)
{
	for (size_t i = 0; i < len; i++) {
		bool alnum = islower((unsigned char)text[i]) || isdigit((unsigned char)text[i]);
		bool inside = i && i < len - 1;

		if (!alnum && !(inside && strchr("-_", text[i])) &&
		    !(pattern && i == len - 1 && text[i] == '*'))
			return false;
	}
	return len > 0;
}

static bool is_name(const char *text, bool pattern)
{
	const char *end;

	if (strlen(text) > NAME_MAX_LEN)
		return false;
	for (; *(end = text + strcspn(text, "./")); text = end + 1) {
		if (!is_segment(text, (size_t)(end - text), false))
			return false;
	}
	return is_segment(text, strlen(text), pattern);
}

/* net/ipv4/conf/eth0.1/x is net.ipv4.conf.eth0/1.x: the first separator tells. */
static char *with_dots(const char *text)
{
	char *name = mem_strdup(text);
	const char *first = strpbrk(text, "./");

	for (char *p = name; first && *first == '/' && *p; p++)
		*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
	return name;
}

/* Whether the kernel keeps one for each namespace. A pattern is known by what stands before '*'. */
static bool is_namespaced(const char *text)
{
	static const char *const names[] = {
		"kernel.domainname",      "kernel.sem", "kernel.shmall", "kernel.shmmax",
		"kernel.shmmni",          "kernel.shm", "kernel.msgmax", "kernel.msgmnb",
		"kernel.shm_rmid_forced", "kernel.msg", "kernel.msgmni",
	};
	static const char *const prefixes[] = { "net.", "fs.mqueue.", "user." };
	AUTO_FREE char *name = with_dots(text);

	name[strcspn(name, "*")] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq(names[i], name))
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (str_starts(name, prefixes[i]))
			return true;
	}
	return false;
}

static void check_name(struct check *c, const char *path, const char *text, bool pattern)
{
	if (!is_name(text, pattern))
		check_problem(c, path, "\"%s\" is no name of a sysctl", text);
	else if (!is_namespaced(text))
		check_problem(c, path, "%s is not known to be a sysctl of a namespace", text);
}

static void check_defaults(struct check *c)
{
	static const char path[] = "defaultPodSysctls";
	struct json_object *map = check_get(c, path);
	AUTO_JSON struct json_object *seen = json_object_new_object();

	if (!map)
		return;
	json_object_object_foreach(map, text, value)
	{
		AUTO_FREE char *name = with_dots(text);

		(void)value;
		check_name(c, path, text, false);
		if (json_object_object_get_ex(seen, name, NULL))
			check_problem(c, path, "%s stands there twice", name);
		json_object_object_add(seen, name, NULL);
	}
}

void sysctlnames_check(struct check *c)
{
	static const char path[] = "allowedUnsafeSysctls";
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++)
		check_name(c, path, json_object_get_string(json_object_array_get_idx(list, i)),
			   true);
	check_defaults(c);
}
