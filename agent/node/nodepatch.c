/* Strategic merge patches of Nodes (contract in nodepatch.h). Pure. */
#include "nodepatch.h"

#include <string.h>

#include "base/json.h"
#include "kube/codec.h"

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static struct json_object *of_type(struct json_object *list, const char *type)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (str_eq(json_string(item, "type"), type))
			return item;
	}
	return NULL;
}

/* Merged by their type: those that differ. Others' conditions stay out of it. */
static struct json_object *conditions(struct json_object *before, struct json_object *after)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(after); i++) {
		struct json_object *item = json_object_array_get_idx(after, i);

		if (!json_object_equal(of_type(before, json_string(item, "type")), item))
			json_object_array_add(list, json_object_get(item));
	}
	return list;
}

/* Declared as merged by type, of which there may be two: told to replace them all. */
static struct json_object *addresses(struct json_object *after)
{
	struct json_object *list = json_object_new_array(), *directive = json_object_new_object();

	for (size_t i = 0; i < json_object_array_length(after); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(after, i)));
	json_object_object_add(directive, "$patch", json_object_new_string("replace"));
	json_object_array_add(list, directive);
	return list;
}

static struct json_object *difference(struct json_object *before, struct json_object *after);

static void add_difference(struct json_object *patch, const char *key, struct json_object *before,
			   struct json_object *after)
{
	if (json_object_equal(before, after))
		return;
	if (after && str_eq(key, "conditions"))
		json_object_object_add(patch, key, conditions(before, after));
	else if (after && str_eq(key, "addresses"))
		json_object_object_add(patch, key, addresses(after));
	else if (json_object_is_type(before, json_type_object) &&
		 json_object_is_type(after, json_type_object))
		json_object_object_add(patch, key, difference(before, after));
	else
		json_object_object_add(patch, key, json_object_get(after));
}

static struct json_object *difference(struct json_object *before, struct json_object *after)
{
	struct json_object *patch = json_object_new_object();

	json_object_object_foreach(after, key, value)
	{
		add_difference(patch, key, member(before, key), value);
	}
	json_object_object_foreach(before, old_key, old_value)
	{
		if (old_value && !json_object_object_get_ex(after, old_key, NULL))
			json_object_object_add(patch, old_key, NULL);
	}
	return patch;
}

static struct json_object *essence(const Core__Node *node)
{
	AUTO_JSON struct json_object *tree = codec_to_json(node);
	struct json_object *from = json_member(tree, "metadata", json_type_object);
	struct json_object *out = json_object_new_object(), *meta = json_object_new_object();
	static const char *const keys[] = { "labels", "annotations" };

	for (size_t i = 0; i < 2; i++) {
		struct json_object *map = json_member(from, keys[i], json_type_object);

		json_object_object_add(meta, keys[i],
				       map ? json_object_get(map) : json_object_new_object());
	}
	json_object_object_add(out, "metadata", meta);
	json_object_object_add(out, "status", json_object_get(member(tree, "status")));
	return out;
}

char *nodepatch_text(const Core__Node *before, const Core__Node *after)
{
	AUTO_JSON struct json_object *a = essence(before), *b = essence(after);
	AUTO_JSON struct json_object *patch = NULL;

	if (json_object_equal(a, b))
		return NULL;
	patch = difference(a, b);
	return json_text(patch);
}
