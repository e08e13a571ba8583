/* JSON around json-c (contract in base/json.h). Pure. */
#include "base/json.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void json_putp(struct json_object **value)
{
	json_object_put(*value);
}

/* json-c reads NaN and Infinity, which JSON does not have. */
static bool finite_numbers(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_double:
		return isfinite(json_object_get_double(value));
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			if (!finite_numbers(json_object_array_get_idx(value, i)))
				return false;
		}
		return true;
	case json_type_object: {
		json_object_object_foreach(value, key, member)
		{
			(void)key;
			if (!finite_numbers(member))
				return false;
		}
		return true;
	}
	default:
		return true;
	}
}

static bool only_space(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr(" \t\r\n", text[i]) || !text[i])
			return false;
	}
	return true;
}

int json_parse(const char *text, size_t len, struct json_object **ret_value, struct err *e)
{
	struct json_tokener *t;
	struct json_object *value;
	enum json_tokener_error problem;
	size_t end;

	if (len > INT_MAX - 1)
		return err_set(e, ERR_TOO_LARGE, "%zu bytes of JSON", len);
	t = json_tokener_new_ex(JSON_DEPTH_MAX);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
				      JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(t, text, (int)len);
	problem = json_tokener_get_error(t);
	/* a bare number ends only where something follows it */
	if (problem == json_tokener_continue) {
		value = json_tokener_parse_ex(t, "", 1);
		problem = json_tokener_get_error(t);
		end = len;
	} else {
		end = json_tokener_get_parse_end(t);
	}
	json_tokener_free(t);
	if (problem == json_tokener_continue)
		return err_set(e, ERR_INVALID, "JSON ends early at byte %zu", len);
	if (problem != json_tokener_success)
		return err_set(e, ERR_INVALID, "JSON at byte %zu: %s", end,
			       json_tokener_error_desc(problem));
	if (end < len && !only_space(text + end, len - end)) {
		json_object_put(value);
		return err_set(e, ERR_INVALID, "JSON at byte %zu: text behind the value", end);
	}
	if (!finite_numbers(value)) {
		json_object_put(value);
		return err_set(e, ERR_INVALID, "JSON holds a number that is not finite");
	}
	*ret_value = value;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_text(struct json_object *value, struct str *out)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
	    value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	str_append_n(out, text, len);
}

static void print_key(const char *key, struct str *out)
{
	struct json_object *text = json_object_new_string(key);

	print_text(text, out);
	str_append_c(out, ':');
	json_object_put(text);
}

static void print_sorted(struct json_object *value, struct str *out);

static void print_object(struct json_object *value, struct str *out)
{
	size_t n = 0;
	AUTO_FREE const char **keys =
	    mem_calloc((size_t)json_object_object_length(value), sizeof(*keys));

	json_object_object_foreach(value, key, member)
	{
		(void)member;
		keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	str_append_c(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_append_c(out, ',');
		print_key(keys[i], out);
		print_sorted(json_object_object_get(value, keys[i]), out);
	}
	str_append_c(out, '}');
}

static void print_sorted(struct json_object *value, struct str *out)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		print_object(value, out);
		return;
	case json_type_array:
		str_append_c(out, '[');
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			if (i)
				str_append_c(out, ',');
			print_sorted(json_object_array_get_idx(value, i), out);
		}
		str_append_c(out, ']');
		return;
	default:
		print_text(value, out);
	}
}

void json_print(struct json_object *value, bool sorted, struct str *out)
{
	if (sorted)
		print_sorted(value, out);
	else
		print_text(value, out);
}

char *json_text(struct json_object *value)
{
	struct str s = { 0 };

	print_text(value, &s);
	return str_take(&s);
}

struct json_object *json_member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *member;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &member))
		return NULL;
	return json_object_is_type(member, type) ? member : NULL;
}

const char *json_string(struct json_object *object, const char *key)
{
	struct json_object *member = json_member(object, key, json_type_string);

	return member ? json_object_get_string(member) : NULL;
}
