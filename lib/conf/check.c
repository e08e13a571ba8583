/* Rules for sets of values (contract in conf/check.h). Pure. */
#include "conf/check.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "conf/featuregates.h"
#include "conf/value.h"

struct json_object *check_get(const struct check *c, const char *path)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(c->values, path, &value);
	return value;
}

const char *check_text(const struct check *c, const char *path)
{
	struct json_object *value = check_get(c, path);

	return value ? json_object_get_string(value) : "";
}

bool check_is_true(const struct check *c, const char *path)
{
	return json_object_get_boolean(check_get(c, path));
}

int64_t check_number(const struct check *c, const char *path)
{
	return value_i64(check_get(c, path));
}

int64_t check_duration_nsec(const struct check *c, const char *path)
{
	return value_duration_nsec(check_get(c, path));
}

bool check_gate(const struct check *c, const char *name)
{
	struct config_pairs set = { 0 };
	bool on;

	value_store(OPTION_BOOL_MAP, check_get(c, "featureGates"), &set);
	on = featuregates_on(&set, name);
	value_fini(OPTION_BOOL_MAP, &set);
	return on;
}

void check_problem(struct check *c, const char *path, const char *fmt, ...)
{
	const struct option *o = options_find(c->table, path);
	va_list ap;

	str_append(&c->problems, c->problems.len ? "; " : "");
	str_append(&c->problems, path);
	if (o && o->flag)
		str_printf(&c->problems, " (--%s)", o->flag);
	str_append(&c->problems, ": ");
	va_start(ap, fmt);
	str_vprintf(&c->problems, fmt, ap);
	va_end(ap);
}

static void check_one_range(struct check *c, const char *path, int64_t min, int64_t max)
{
	const struct option *o = options_find(c->table, path);
	struct json_object *value = check_get(c, path);
	bool duration = o->type == OPTION_DURATION || o->type == OPTION_LAX_DURATION;
	int64_t number = duration ? value_duration_nsec(value) : value_i64(value);
	AUTO_JSON struct json_object *low = NULL, *high = NULL;

	if (!value || (number >= min && number <= max))
		return;
	if (duration) {
		AUTO_FREE char *a = str_fmt("%lldns", (long long)min);
		AUTO_FREE char *b = str_fmt("%lldns", (long long)max);

		value_from_text(o->type, a, NULL, &low, NULL);
		value_from_text(o->type, b, NULL, &high, NULL);
	} else {
		low = json_object_new_int64(min);
		high = json_object_new_int64(max);
	}
	if (max == CHECK_ANY)
		check_problem(c, path, "%s is below %s", json_object_get_string(value),
			      json_object_get_string(low));
	else
		check_problem(c, path, "%s is not between %s and %s", json_object_get_string(value),
			      json_object_get_string(low), json_object_get_string(high));
}

void check_ranges(struct check *c, const struct check_range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_one_range(c, ranges[i].path, ranges[i].min, ranges[i].max);
}

static void check_one_choice(struct check *c, const char *path, const char *const *words, size_t n)
{
	AUTO_STR list = { 0 };

	if (!check_get(c, path))
		return;
	for (size_t i = 0; i < n && words[i]; i++) {
		if (str_eq(words[i], check_text(c, path)))
			return;
		str_printf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	}
	check_problem(c, path, "\"%s\" is none of %s", check_text(c, path), str_text(&list));
}

void check_choices(struct check *c, const struct check_choice *choices, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_one_choice(c, choices[i].path, choices[i].words, CHECK_WORDS_MAX);
}

static void check_one_gate(struct check *c, const char *name, bool on)
{
	const struct feature_gate *gate = featuregates_find(name);

	if (!gate && !str_eq(name, "AllAlpha") && !str_eq(name, "AllBeta"))
		check_problem(c, "featureGates", "there is no feature gate %s", name);
	else if (gate && gate->locked && on != gate->fallback)
		check_problem(c, "featureGates", "%s cannot be set to %s any more", name,
			      on ? "true" : "false");
}

void check_gates(struct check *c)
{
	struct json_object *gates = check_get(c, "featureGates");
	struct config_pairs set = { 0 };
	const char *gate, *needs;

	if (!gates)
		return;
	json_object_object_foreach(gates, name, value)
	    check_one_gate(c, name, json_object_get_boolean(value));
	value_store(OPTION_BOOL_MAP, gates, &set);
	for (size_t cursor = 0; featuregates_unmet(&set, &cursor, &gate, &needs);)
		check_problem(c, "featureGates", "%s is on and needs %s, which is off", gate,
			      needs);
	value_fini(OPTION_BOOL_MAP, &set);
}

static void check_vmodule(struct check *c)
{
	static const char path[] = "logging.vmodule";
	struct json_object *modules = check_get(c, path);
	size_t n = modules ? json_object_array_length(modules) : 0;

	if (n && !str_eq(check_text(c, "logging.format"), "text"))
		check_problem(c, path, "needs logging.format text");
	for (size_t i = 0; i < n; i++) {
		struct json_object *module = json_object_array_get_idx(modules, i), *level = NULL;
		const char *pattern = str_or(json_string(module, "filePattern"), "");

		if (!*pattern || strpbrk(pattern, "=,"))
			check_problem(c, path, "\"%s\" is no file pattern", pattern);
		if (json_object_object_get_ex(module, "verbosity", &level) && value_i64(level) < 0)
			check_problem(c, path, "%s: the verbosity is below 0", pattern);
	}
}

void check_logging(struct check *c)
{
	static const char *const alpha[] = { "logging.options.text.infoBufferSize",
					     "logging.options.json.infoBufferSize",
					     "logging.options.text.splitStream",
					     "logging.options.json.splitStream" };

	for (size_t i = 0; i < ARRAY_SIZE(alpha); i++) {
		const struct option *o = options_find(c->table, alpha[i]);
		struct json_object *value = check_get(c, alpha[i]);

		if (value_is_zero(o->type, value) || str_eq(check_text(c, alpha[i]), "0") ||
		    check_gate(c, "LoggingAlphaOptions"))
			continue;
		check_problem(c, alpha[i], "needs the feature gate LoggingAlphaOptions");
	}
	if (str_eq(check_text(c, "logging.format"), "json") && !check_gate(c, "LoggingBetaOptions"))
		check_problem(c, "logging.format",
			      "json needs the feature gate LoggingBetaOptions");
	if (check_duration_nsec(c, "logging.flushFrequency") <= 0)
		check_problem(c, "logging.flushFrequency", "%s is not above 0",
			      check_text(c, "logging.flushFrequency"));
	check_vmodule(c);
}

int check_end(struct check *c, struct err *e)
{
	AUTO_FREE char *text = str_take(&c->problems);

	return *text ? err_set(e, ERR_INVALID, "%s", text) : 0;
}
