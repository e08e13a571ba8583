/* Tables of options (contract in conf/options.h). Pure. */
#include "conf/options.h"

#include <stdio.h>
#include <string.h>

const struct option *options_find(const struct option_table *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++) {
		if (*t->rows[i].path && str_eq(t->rows[i].path, path))
			return &t->rows[i];
	}
	return NULL;
}

const struct option *options_find_flag(const struct option_table *t, const char *flag)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->rows[i].flag && str_eq(t->rows[i].flag, flag))
			return &t->rows[i];
	}
	return NULL;
}

bool options_is_group(const struct option_table *t, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < t->n; i++) {
		if (str_starts(t->rows[i].path, path) && t->rows[i].path[len] == '.')
			return true;
	}
	return false;
}

bool options_is_lazy_group(const struct option_table *t, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < t->n; i++) {
		if ((t->rows[i].traits & OPTION_LAZY) && str_starts(t->rows[i].path, path) &&
		    t->rows[i].path[len] == '.')
			return true;
	}
	return false;
}

const char *options_key(const struct option *o, char *buf, size_t size)
{
	if (*o->path)
		return o->path;
	snprintf(buf, size, "--%s", o->flag);
	return buf;
}

bool options_is_list(enum option_type type)
{
	return type == OPTION_LIST || type == OPTION_TAINTS || type == OPTION_VMODULE ||
	       type == OPTION_MEMORY;
}

bool options_is_item(const struct option *o)
{
	return strstr(o->path, "[]") != NULL;
}
