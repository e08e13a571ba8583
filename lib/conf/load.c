/* Steps of loading (contract in conf/load.h). Effect (reads files). */
#include "conf/load.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "conf/decode.h"
#include "conf/value.h"

enum { FILE_MAX_BYTES = 1024 * 1024, KEY_BYTES = 100 };

static void strv_freep(char ***v)
{
	strv_free(*v);
}

/* ---- values ---- */

struct json_object *conf_get(struct json_object *values, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(values, key, &value);
	return value;
}

void conf_set(struct json_object *values, const struct option *o, const char *text)
{
	char buf[KEY_BYTES];
	struct json_object *value = NULL;

	if (text && value_from_text(o->type, text, NULL, &value, NULL) == 0)
		json_object_object_add(values, options_key(o, buf, sizeof(buf)), value);
}

void conf_fill_defaults(const struct option_table *t, struct json_object *values)
{
	char buf[KEY_BYTES];

	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->rows[i];
		struct json_object *have = conf_get(values, options_key(o, buf, sizeof(buf)));

		if (options_is_item(o) ||
		    (have && ((o->traits & OPTION_PTR) || !value_is_zero(o->type, have))))
			continue;
		if (have && o->type == OPTION_STRINGS) /* an empty list is a value */
			continue;
		conf_set(values, o, o->fallback);
	}
}

void conf_overlay(struct json_object *values, struct json_object *flags)
{
	json_object_object_foreach(flags, key, value)
	{
		struct json_object *have = conf_get(values, key);

		if (str_eq(key, "featureGates") && have)
			decode_merge(have, value);
		else
			json_object_object_add(values, key, json_object_get(value));
	}
}

/* ---- files ---- */

int conf_read(const char *path, struct json_object **ret_document, char ***warnings, struct err *e)
{
	AUTO_FREE char *text = NULL;
	CLEANUP(strv_freep) char **duplicates = NULL;
	size_t len;

	if (fs_read(path, FILE_MAX_BYTES, &text, &len, e) < 0)
		return err_wrap(e, "configuration");
	if (yaml_parse(text, len, ret_document, &duplicates, e) < 0)
		return err_wrap(e, "configuration %s", path);
	for (size_t i = 0; duplicates && duplicates[i]; i++) {
		AUTO_FREE char *line =
		    str_fmt("configuration %s: field %s stands there twice", path, duplicates[i]);

		strv_push(warnings, line);
	}
	return 0;
}

int conf_decode(const struct option_table *t, const char *name, struct json_object *document,
		struct json_object *values, char ***warnings, struct err *e)
{
	CLEANUP(strv_freep) char **unknown = NULL;

	if (decode_document(t, document, values, &unknown, e) < 0)
		return err_wrap(e, "configuration %s", name);
	for (size_t i = 0; unknown && unknown[i]; i++) {
		AUTO_FREE char *line =
		    options_find(t, unknown[i])
			? str_fmt("configuration %s: %s counts on the command line only", name,
				  unknown[i])
			: str_fmt("configuration %s: there is no field %s", name, unknown[i]);

		strv_push(warnings, line);
	}
	return 0;
}

/* ---- results ---- */

/* Objects on the way to the path's last name, which is returned. */
static const char *make_parents(struct json_object *root, const char *path,
				struct json_object **ret_parent)
{
	const char *dot;

	for (; (dot = strchr(path, '.')); path = dot + 1) {
		AUTO_FREE char *key = mem_strndup(path, (size_t)(dot - path));
		struct json_object *child = json_member(root, key, json_type_object);

		if (!child) {
			child = json_object_new_object();
			json_object_object_add(root, key, child);
		}
		root = child;
	}
	*ret_parent = root;
	return path;
}

static bool group_was_set(struct json_object *values, const char *path)
{
	AUTO_FREE char *group = mem_strndup(path, strcspn(path, "."));

	return conf_get(values, group) != NULL;
}

struct json_object *conf_document(const struct option_table *t, struct json_object *values)
{
	struct json_object *top = json_object_new_object();

	json_object_object_add(top, "kind", json_object_new_string(t->kind));
	json_object_object_add(top, "apiVersion", json_object_new_string(t->api_version));
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->rows[i];
		struct json_object *value, *parent;
		const char *key;

		if (!*o->path || options_is_item(o))
			continue;
		value = conf_get(values, o->path);
		if (!value && (o->traits & OPTION_LAZY) && !group_was_set(values, o->path))
			continue;
		key = make_parents(top, o->path, &parent);
		if (value &&
		    ((o->traits & OPTION_KEEP) || ((o->traits & OPTION_PTR) && !o->fallback) ||
		     !value_is_zero(o->type, value)))
			json_object_object_add(parent, key, json_object_get(value));
		else if (!value && (o->traits & OPTION_NULL))
			json_object_object_add(parent, key, NULL);
	}
	return top;
}

void conf_store(const struct option_table *t, struct json_object *values, void *target)
{
	char buf[KEY_BYTES];

	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->rows[i];

		if (o->offset != OPTION_NOWHERE)
			value_store(o->type, conf_get(values, options_key(o, buf, sizeof(buf))),
				    (char *)target + o->offset);
	}
}

void conf_fini(const struct option_table *t, void *target)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->rows[i];

		if (o->offset != OPTION_NOWHERE)
			value_fini(o->type, (char *)target + o->offset);
	}
}

/* ---- notes ---- */

void conf_note_not_built(const struct option_table *t, struct json_object *values,
			 struct conf_notes *notes)
{
	char buf[KEY_BYTES];

	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->rows[i];
		const char *key = options_key(o, buf, sizeof(buf));
		struct json_object *value = conf_get(values, key);
		AUTO_JSON struct json_object *fallback = NULL;
		AUTO_FREE char *text = NULL, *line = NULL;

		if (!(o->traits & OPTION_NOT_BUILT) || !value)
			continue;
		if (o->fallback && value_from_text(o->type, o->fallback, NULL, &fallback, NULL) < 0)
			continue;
		if (value_equal(value, fallback) || (!fallback && value_is_zero(o->type, value)))
			continue;
		text = o->traits & OPTION_SECRET ? mem_strdup("(not shown)") : json_text(value);
		line = str_fmt("%s=%s", key, text);
		strv_push(&notes->not_built, line);
	}
}

void conf_log_notes(const struct conf_notes *notes)
{
	for (size_t i = 0; notes->warnings && notes->warnings[i]; i++)
		log_warning("%s", notes->warnings[i]);
	for (size_t i = 0; notes->not_built && notes->not_built[i]; i++)
		log_warning("configuration %s has no effect: not implemented", notes->not_built[i]);
}

char *conf_report(const struct conf_notes *notes)
{
	AUTO_STR text = { 0 };

	for (size_t i = 0; notes->warnings && notes->warnings[i]; i++)
		str_printf(&text, "# warning: %s\n", notes->warnings[i]);
	for (size_t i = 0; notes->not_built && notes->not_built[i]; i++)
		str_printf(&text, "# not implemented: %s\n", notes->not_built[i]);
	return str_take(&text);
}

bool conf_check(const struct conf_notes *notes, const char *yaml, bool strict)
{
	AUTO_FREE char *report = conf_report(notes);

	fputs(report, stdout);
	fputs(yaml, stdout);
	return !strict || (!strv_len(notes->warnings) && !strv_len(notes->not_built));
}

void conf_notes_fini(struct conf_notes *notes)
{
	strv_free(notes->warnings);
	strv_free(notes->not_built);
}
