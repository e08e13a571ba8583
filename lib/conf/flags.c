/* Command lines as upstream's flag library takes them (contract in conf/flags.h). Pure. */
#include "conf/flags.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "conf/value.h"

struct reader {
	const struct option_table *table;
	int argc, at;
	char *const *argv;
	struct json_object *values;
	int outcome;
};

/* --some_flag is --some-flag */
static char *flag_name(const char *text, size_t len)
{
	char *name = mem_strndup(text, len);

	for (char *c = name; *c; c++) {
		if (*c == '_')
			*c = '-';
	}
	return name;
}

static int set_option(struct reader *r, const struct option *o, const char *text, struct err *e)
{
	char buf[100];
	const char *key = options_key(o, buf, sizeof(buf));
	struct json_object *before = NULL, *value = NULL;

	if (o->type == OPTION_IP && !*text) /* as upstream: nothing is said */
		return 0;
	json_object_object_get_ex(r->values, key, &before);
	if (value_from_text(o->type, text, before, &value, e) < 0)
		return err_wrap(e, "flag --%s", o->flag);
	json_object_object_add(r->values, key, value);
	return 0;
}

static int take_version(struct reader *r, const char *text, struct err *e)
{
	AUTO_JSON struct json_object *value = NULL;
	bool raw = text && str_eq(text, "raw");

	if (!raw && value_from_text(OPTION_BOOL, text ? text : "true", NULL, &value, e) < 0)
		return err_wrap(e, "flag --version");
	if (raw || json_object_get_boolean(value))
		r->outcome = CONFIG_VERSION;
	return 0;
}

static int take_flag(struct reader *r, const char *name, const char *text, struct err *e)
{
	const struct option *o;

	/* these two stand outside of the table: they configure nothing */
	if (str_eq(name, "version"))
		return take_version(r, text, e);
	if (str_eq(name, "help") || str_eq(name, "h")) {
		r->outcome = CONFIG_HELP;
		return 0;
	}
	o = options_find_flag(r->table, name);
	if (!o)
		return err_set(e, ERR_INVALID, "unknown flag: --%s", name);
	if (!text && o->type == OPTION_BOOL)
		return set_option(r, o, "true", e);
	if (!text && r->at + 1 >= r->argc)
		return err_set(e, ERR_INVALID, "flag --%s needs a value", name);
	return set_option(r, o, text ? text : r->argv[++r->at], e);
}

static int take_argument(struct reader *r, const char *argument, struct err *e)
{
	const char *name = argument + 2, *equals = strchr(argument, '=');
	AUTO_FREE char *flag = NULL;

	if (str_eq(argument, "--") && r->at + 1 == r->argc)
		return 0;
	if (!str_starts(argument, "-") || str_eq(argument, "-") || str_eq(argument, "--"))
		return err_set(e, ERR_INVALID, "unknown argument: \"%s\"", argument);
	if (str_starts(argument, "--")) {
		flag = flag_name(name, equals ? (size_t)(equals - name) : strlen(name));
		return take_flag(r, flag, equals ? equals + 1 : NULL, e);
	}
	/* -v 4, -v=4 and -v4; -h */
	flag = mem_strndup(argument + 1, 1);
	if (!str_eq(flag, "v") && !str_eq(flag, "h"))
		return err_set(e, ERR_INVALID, "unknown flag: %s", argument);
	if (argument[2] == '=')
		return take_flag(r, flag, argument + 3, e);
	return take_flag(r, flag, argument[2] ? argument + 2 : NULL, e);
}

int flags_parse(const struct option_table *table, int argc, char *const *argv,
		struct json_object *values, struct err *e)
{
	struct reader r = {
		.table = table, .argc = argc, .argv = argv, .values = values, .outcome = CONFIG_RUN
	};
	struct json_object *check = NULL;

	for (r.at = 1; r.at < argc; r.at++) {
		if (take_argument(&r, argv[r.at], e) < 0)
			return -1;
	}
	if (r.outcome == CONFIG_RUN &&
	    json_object_object_get_ex(values, "--check-config", &check) &&
	    json_object_get_boolean(check))
		return CONFIG_CHECK;
	return r.outcome;
}

char **flags_texts(const struct option_table *table, int argc, char *const *argv,
		   const char *const *names)
{
	AUTO_JSON struct json_object *values = json_object_new_object();
	char **texts = mem_calloc(1, sizeof(*texts));

	if (flags_parse(table, argc, argv, values, NULL) != CONFIG_RUN)
		return texts;
	for (; *names; names++) {
		const char *text = json_string(values, *names);

		if (!str_empty(text))
			strv_push(&texts, text);
	}
	return texts;
}

char *flags_help(const struct option_table *table)
{
	AUTO_STR text = { 0 };

	str_append(&text, table->help);
	for (size_t i = 0; i < table->n; i++) {
		const struct option *o = &table->rows[i];

		if (!o->flag)
			continue;
		str_printf(&text, "  --%s%s%s%s\n", o->flag, str_empty(o->fallback) ? "" : "=",
			   str_or(o->fallback, ""),
			   o->traits & OPTION_NOT_BUILT ? "  (no effect yet)" : "");
		if (*o->path)
			str_printf(&text, "        %s\n", o->path);
	}
	str_append(&text, "  --version\n  --help\n");
	return str_take(&text);
}
