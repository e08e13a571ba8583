/* A configuration document and, behind a NUL, a command line: one argument a line; for the table of
 * either program. Property: what was accepted is in normal form already. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "conf/decode.h"
#include "conf/flags.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON struct json_object *values = json_object_new_object();
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, 0, size) : NULL;
	size_t len = end ? (size_t)(end - text) : size;
	struct err e;

	take_file(text, len, values);
	if (end)
		take_flags(end + 1, size - len - 1, values);
	validate_values(values, &e);
	return 0;
}
