/* Status patches (contract in statuspatch.h). Pure. */
#include "statuspatch.h"

#include <json-c/json.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/codec.h"

/* Lists that the API merges by a key; all other lists are atomic: the patch replaces them. */
static const struct {
	const char *field, *key;
} merged_lists[] = {
	{ "conditions", "type" },
	{ "podIPs", "ip" },
	{ "hostIPs", "ip" },
};

static const char *merge_key(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(merged_lists); i++) {
		if (str_eq(merged_lists[i].field, field))
			return merged_lists[i].key;
	}
	return NULL;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static struct json_object *find_item(struct json_object *list, const char *key, const char *value)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (str_eq(text_of(item, key), value))
			return item;
	}
	return NULL;
}

/* A copy of item with a null for every field that only the old item had: merging would keep it. */
static struct json_object *item_patch(struct json_object *old, struct json_object *item)
{
	struct json_object *out = json_object_new_object();

	json_object_object_foreach(item, field, value)
	    json_object_object_add(out, field, json_object_get(value));
	if (!old)
		return out;
	json_object_object_foreach(old, gone, was)
	{
		if (was && !json_object_object_get_ex(item, gone, NULL))
			json_object_object_add(out, gone, NULL);
	}
	return out;
}

/* Items that changed or came, and a delete directive for each that went. */
static struct json_object *list_diff(struct json_object *from, struct json_object *to,
				     const char *key)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; to && i < json_object_array_length(to); i++) {
		struct json_object *item = json_object_array_get_idx(to, i);
		struct json_object *old = find_item(from, key, text_of(item, key));

		if (!old || !json_object_equal(old, item))
			json_object_array_add(out, item_patch(old, item));
	}
	for (size_t i = 0; from && i < json_object_array_length(from); i++) {
		struct json_object *item = json_object_array_get_idx(from, i), *gone;

		if (find_item(to, key, text_of(item, key)))
			continue;
		gone = json_object_new_object();
		json_object_object_add(gone, "$patch", json_object_new_string("delete"));
		json_object_object_add(gone, key, json_object_new_string(text_of(item, key)));
		json_object_array_add(out, gone);
	}
	return out;
}

static void diff_field(struct json_object *patch, const char *field, struct json_object *from,
		       struct json_object *to)
{
	const char *key = merge_key(field);

	if (from && to && json_object_equal(from, to))
		return;
	if (key)
		json_object_object_add(patch, field, list_diff(from, to, key));
	else
		json_object_object_add(patch, field, to ? json_object_get(to) : NULL);
}

static struct json_object *diff(struct json_object *from, struct json_object *to)
{
	struct json_object *patch = json_object_new_object();

	json_object_object_foreach(to, field, value)
	    diff_field(patch, field, json_object_object_get(from, field), value);
	json_object_object_foreach(from, gone, old)
	{
		if (!json_object_object_get_ex(to, gone, NULL))
			diff_field(patch, gone, old, NULL);
	}
	return patch;
}

char *statuspatch_make(const char *uid, const Core__PodStatus *from, const Core__PodStatus *to)
{
	struct json_object *a = codec_to_json(from), *b = codec_to_json(to);
	struct json_object *patch = diff(a, b), *body, *meta;
	char *text = NULL;

	if (json_object_object_length(patch)) {
		body = json_object_new_object();
		meta = json_object_new_object();
		json_object_object_add(meta, "uid", json_object_new_string(uid));
		json_object_object_add(body, "metadata", meta);
		json_object_object_add(body, "status", json_object_get(patch));
		text = mem_strdup(json_object_to_json_string_ext(
		    body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(body);
	}
	json_object_put(patch);
	json_object_put(a);
	json_object_put(b);
	return text;
}
