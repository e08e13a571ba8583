/* Configuration documents (contract in conf/decode.h). Pure. */
#include "conf/decode.h"

#include <string.h>

#include "base/mem.h"
#include "conf/value.h"

struct decode {
	const struct option_table *table;
	struct json_object *out; /* of this level: the set of values, or one item of a list */
	const char *pattern;     /* of the level: "", "logging", "registerWithTaints[]" */
	const char *path;        /* the same with indices, for people */
	char ***unknown;
};

static int walk(const struct decode *d, struct json_object *object, struct err *e);

/* Members that are shown whether set or not. */
static void complete_item(const struct decode *level)
{
	size_t len = strlen(level->pattern);

	for (size_t i = 0; i < level->table->n; i++) {
		const struct option *o = &level->table->rows[i];
		const char *name = o->path + len + 1;
		struct json_object *value = NULL;

		if (!(o->traits & OPTION_KEEP) || !str_starts(o->path, level->pattern) ||
		    o->path[len] != '.' || json_object_object_get_ex(level->out, name, NULL))
			continue;
		if (!o->fallback || value_from_text(o->type, o->fallback, NULL, &value, NULL) == 0)
			json_object_object_add(level->out, name, value);
	}
}

static int decode_items(const struct decode *d, const char *pattern, const char *path,
			struct json_object *tree, struct json_object **ret_list, struct err *e)
{
	AUTO_JSON struct json_object *list = json_object_new_array();
	AUTO_FREE char *inner = str_fmt("%s[]", pattern);

	if (!json_object_is_type(tree, json_type_array))
		return err_set(e, ERR_INVALID, "%s: must be a list", path);
	for (size_t i = 0; i < json_object_array_length(tree); i++) {
		AUTO_FREE char *at = str_fmt("%s[%zu]", path, i);
		struct json_object *item = json_object_new_object();
		struct decode level = { d->table, item, inner, at, d->unknown };

		json_object_array_add(list, item);
		if (walk(&level, json_object_array_get_idx(tree, i), e) < 0)
			return -1;
		complete_item(&level);
	}
	*ret_list = TAKE(list);
	return 0;
}

/* Members of an item are known by their name alone, values by their whole path. */
static int decode_option(const struct decode *d, const struct option *o, const char *key,
			 const char *path, struct json_object *tree, struct err *e)
{
	bool in_item = str_ends(d->pattern, "[]");
	struct json_object *value = NULL;

	/* as upstream: null is "not set", but for durations that cannot be absent */
	if (!tree && o->type == OPTION_DURATION && !(o->traits & OPTION_PTR))
		return err_set(e, ERR_INVALID, "%s: must be a duration, not null", path);
	if (!tree)
		return 0;
	if (options_is_list(o->type)) {
		if (decode_items(d, o->path, path, tree, &value, e) < 0)
			return -1;
	} else if (value_from_json(o->type, path, tree, &value, e) < 0) {
		return o->traits & OPTION_SECRET
			   ? err_set(e, ERR_INVALID, "%s: its value has another form", path)
			   : -1;
	}
	if (o->traits & OPTION_FLAG_ONLY) {
		if (!value_is_zero(o->type, value))
			strv_push(d->unknown, path);
		json_object_put(value);
	} else {
		json_object_object_add(d->out, in_item ? key : o->path, value);
	}
	return 0;
}

/* An object that is there at all is shown, if only when something in it was set. */
static int decode_group(const struct decode *d, const char *pattern, const char *path,
			struct json_object *tree, struct err *e)
{
	struct decode level = { d->table, d->out, pattern, path, d->unknown };

	if (options_is_lazy_group(d->table, pattern))
		json_object_object_add(d->out, pattern, json_object_new_object());
	return walk(&level, tree, e);
}

static int walk(const struct decode *d, struct json_object *object, struct err *e)
{
	if (!json_object_is_type(object, json_type_object))
		return err_set(e, ERR_INVALID, "%s: must be an object",
			       *d->path ? d->path : "the configuration");
	json_object_object_foreach(object, key, tree)
	{
		AUTO_FREE char *pattern =
		    *d->pattern ? str_fmt("%s.%s", d->pattern, key) : mem_strdup(key);
		AUTO_FREE char *path = *d->path ? str_fmt("%s.%s", d->path, key) : mem_strdup(key);
		const struct option *o = options_find(d->table, pattern);

		if (strpbrk(key, ".[")) { /* what is no more than a part of a path */
			strv_push(d->unknown, path);
		} else if (o) {
			if (decode_option(d, o, key, path, tree, e) < 0)
				return -1;
		} else if (options_is_group(d->table, pattern)) {
			if (tree && decode_group(d, pattern, path, tree, e) < 0)
				return -1;
		} else {
			strv_push(d->unknown, path);
		}
	}
	return 0;
}

int decode_document(const struct option_table *table, struct json_object *document,
		    struct json_object *values, char ***ret_unknown, struct err *e)
{
	struct decode top = { table, values, "", "", ret_unknown };
	AUTO_JSON struct json_object *rest = NULL;

	if (!json_object_is_type(document, json_type_object))
		return err_set(e, ERR_INVALID, "holds no object");
	if (!str_eq(json_string(document, "apiVersion"), table->api_version) ||
	    !str_eq(json_string(document, "kind"), table->kind))
		return err_set(e, ERR_INVALID, "is not a %s of %s", table->kind,
			       table->api_version);
	if (json_object_deep_copy(document, &rest, NULL))
		return err_set(e, ERR_INTERNAL, "cannot be copied");
	json_object_object_del(rest, "apiVersion");
	json_object_object_del(rest, "kind");
	return walk(&top, rest, e);
}

void decode_merge(struct json_object *target, struct json_object *change)
{
	json_object_object_foreach(change, key, value)
	{
		struct json_object *have = json_member(target, key, json_type_object);

		if (!value) {
			json_object_object_del(target, key);
		} else if (json_object_is_type(value, json_type_object)) {
			if (!have) {
				have = json_object_new_object();
				json_object_object_add(target, key, have);
			}
			decode_merge(have, value);
		} else {
			json_object_object_add(target, key, json_object_get(value));
		}
	}
}
