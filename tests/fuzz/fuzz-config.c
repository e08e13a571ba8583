/* A configuration document; behind a NUL a command line, one argument a line; behind another a
 * document that changes the first. For the table of either program. Properties: what was accepted
 * is in normal form already; what is shown means itself. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "conf/decode.h"
#include "conf/flags.h"
#include "conf/load.h"
#include "conf/value.h"
#include "options.h"
#include "validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_normal(struct json_object *values)
{
	json_object_object_foreach(values, path, value)
	{
		const struct option *o = options_find(&config_options, path);
		AUTO_JSON struct json_object *again = NULL;
		struct err e;

		if (!o || options_is_list(o->type))
			continue;
		assert(!value_from_json(o->type, path, value, &again, &e));
		assert(value_equal(value, again));
	}
}

static void take_file(const char *text, size_t len, struct json_object *values)
{
	AUTO_JSON struct json_object *document = NULL;
	char **unknown = NULL;
	struct err e;

	if (!yaml_parse(text, len, &document, NULL, &e) &&
	    !decode_document(&config_options, document, values, &unknown, &e))
		check_normal(values);
	strv_free(unknown);
}

static void take_flags(const char *text, size_t len, struct json_object *values)
{
	AUTO_FREE char *copy = mem_strndup(text, len);
	char **lines = strv_split(copy, '\n'), **argv = NULL;
	struct err e;

	strv_push(&argv, "program");
	for (size_t i = 0; lines && lines[i]; i++)
		strv_push(&argv, lines[i]);
	if (flags_parse(&config_options, (int)strv_len(argv), argv, values, &e) >= 0)
		check_normal(values);
	strv_free(lines);
	strv_free(argv);
}

/* What values show, read again with its defaults; NULL when it cannot be. */
static struct json_object *show_again(struct json_object *shown)
{
	AUTO_JSON struct json_object *values = json_object_new_object();
	char **unknown = NULL;
	struct err e;
	int r = decode_document(&config_options, shown, values, &unknown, &e);

	strv_free(unknown);
	if (r < 0)
		return NULL;
	conf_fill_defaults(&config_options, values);
	return conf_document(&config_options, values);
}

static void take_change(const char *text, size_t len, struct json_object *values)
{
	AUTO_JSON struct json_object *change = NULL, *own = NULL, *document = NULL;
	AUTO_JSON struct json_object *first = NULL, *second = NULL;
	struct err e;

	if (yaml_parse(text, len, &change, NULL, &e) < 0 ||
	    !json_object_is_type(change, json_type_object))
		return;
	own = conf_document(&config_options, values);
	if (json_object_deep_copy(own, &document, NULL))
		return;
	decode_merge(document, change);
	first = show_again(document);
	if (!first)
		return;
	second = show_again(first);
	assert(second && json_object_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON struct json_object *values = json_object_new_object();
	const char *text = (const char *)data, *limit = text + size;
	const char *end = size ? memchr(text, 0, size) : NULL;
	const char *more = end ? memchr(end + 1, 0, (size_t)(limit - end - 1)) : NULL;
	struct err e;

	take_file(text, (size_t)((end ? end : limit) - text), values);
	if (end)
		take_flags(end + 1, (size_t)((more ? more : limit) - end - 1), values);
	if (more)
		take_change(more + 1, (size_t)(limit - more - 1), values);
	validate_values(values, &e);
	return 0;
}
