/* Values of options (contract in conf/value.h). Pure. */
#include "conf/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kube/quantity.h"
#include "kube/time.h"

enum { NSEC_PER_USEC = 1000 };

/* ---- text ---- */

static int read_bool(const char *text, struct json_object **ret_value, struct err *e)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (str_eq(text, yes[i]) || str_eq(text, no[i])) {
			*ret_value = json_object_new_boolean(str_eq(text, yes[i]));
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "\"%s\" is not true or false", text);
}

static int read_int(enum option_type type, const char *text, struct json_object **ret_value,
		    struct err *e)
{
	bool narrow = type == OPTION_INT32;
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 0);
	if (end == text || *end || isspace((unsigned char)*text))
		return err_set(e, ERR_INVALID, "\"%s\" is not a whole number", text);
	if (errno || (narrow && (number < INT32_MIN || number > INT32_MAX)))
		return err_set(e, ERR_INVALID, "%s does not fit %s bits", text,
			       narrow ? "32" : "64");
	*ret_value = json_object_new_int64(number);
	return 0;
}

/* A whole number is kept as one: it prints without a fraction. */
static struct json_object *float_value(double number, const char *text)
{
	if (number > -1e15 && number < 1e15 && number == (double)(int64_t)number)
		return json_object_new_int64((int64_t)number);
	return json_object_new_double_s(number, text);
}

static int read_float(const char *text, struct json_object **ret_value, struct err *e)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || isspace((unsigned char)*text) || !isfinite(number))
		return err_set(e, ERR_INVALID, "\"%s\" is not a number", text);
	*ret_value = float_value(number, text);
	return 0;
}

static int read_duration(const char *text, struct json_object **ret_value, struct err *e)
{
	char canonical[KUBE_DURATION_TEXT];
	int64_t nsec;

	if (kube_duration_parse(text, &nsec, e) < 0)
		return -1;
	kube_duration_format(nsec, canonical);
	*ret_value = json_object_new_string(canonical);
	return 0;
}

static int read_quantity(const char *text, struct json_object **ret_value, struct err *e)
{
	char canonical[QUANTITY_TEXT];
	struct quantity q;

	if (quantity_parse(text, &q, e) < 0)
		return -1;
	quantity_text(&q, canonical);
	*ret_value = json_object_new_string(canonical);
	return 0;
}

static int read_ip(const char *text, struct json_object **ret_value, struct err *e)
{
	struct in6_addr address;

	if (*text && inet_pton(AF_INET, text, &address) != 1 &&
	    inet_pton(AF_INET6, text, &address) != 1)
		return err_set(e, ERR_INVALID, "\"%s\" is not an IP address", text);
	*ret_value = json_object_new_string(text);
	return 0;
}

static char *trimmed(const char *text, size_t len)
{
	while (len && isspace((unsigned char)*text))
		text++, len--;
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return mem_strndup(text, len);
}

/* A strv of the comma-separated pieces, trimmed; empty ones dropped. */
static char **pieces(const char *text)
{
	char **raw = strv_split(text, ','), **out = NULL;

	for (size_t i = 0; raw && raw[i]; i++) {
		AUTO_FREE char *piece = trimmed(raw[i], strlen(raw[i]));

		if (*piece)
			strv_push(&out, piece);
	}
	strv_free(raw);
	return out;
}

static void strv_freep(char ***v)
{
	strv_free(*v);
}

static struct json_object *continued(struct json_object *before, enum json_type type)
{
	struct json_object *copy = NULL;

	if (before && json_object_get_type(before) == type &&
	    !json_object_deep_copy(before, &copy, NULL))
		return copy;
	return type == json_type_array ? json_object_new_array() : json_object_new_object();
}

/* One field of comma-separated values, whose end is returned; in quotes it may hold commas. */
static const char *csv_field(const char *text, struct str *out)
{
	bool quoted = *text == '"';

	for (text += quoted; *text && (quoted || *text != ','); text++) {
		if (quoted && *text == '"' && text[1] != '"')
			quoted = false;
		else if (quoted && *text == '"')
			str_append_c(out, *text++);
		else
			str_append_c(out, *text);
	}
	return quoted ? NULL : text;
}

static int read_strings(const char *text, struct json_object *before,
			struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *list = continued(before, json_type_array);

	for (const char *at = text; *text; at++) {
		AUTO_STR field = { 0 };

		at = csv_field(at, &field);
		if (!at)
			return err_set(e, ERR_INVALID, "%s: a quote is not closed", text);
		json_object_array_add(list, json_object_new_string(str_text(&field)));
		if (!*at)
			break;
	}
	*ret_value = TAKE(list);
	return 0;
}

static int read_ints(const char *text, struct json_object *before, struct json_object **ret_value,
		     struct err *e)
{
	AUTO_JSON struct json_object *list = continued(before, json_type_array);
	CLEANUP(strv_freep) char **parts = pieces(text);

	for (size_t i = 0; parts && parts[i]; i++) {
		struct json_object *item = NULL;

		if (read_int(OPTION_INT32, parts[i], &item, e) < 0)
			return -1;
		json_object_array_add(list, item);
	}
	*ret_value = TAKE(list);
	return 0;
}

/* key=value, or what else stands between the two */
static int read_pair(const char *pair, enum option_type type, struct json_object *map,
		     struct err *e)
{
	char sep = type == OPTION_LANGLE_MAP ? '<' : type == OPTION_LISTS_MAP ? ':' : '=';
	const char *at = strchr(pair, sep);
	AUTO_FREE char *key = trimmed(pair, at ? (size_t)(at - pair) : strlen(pair));
	AUTO_FREE char *value = at ? trimmed(at + 1, strlen(at + 1)) : mem_strdup("");
	struct json_object *item = NULL, *list = NULL;

	if (!at && type != OPTION_LABELS)
		return err_set(e, ERR_INVALID, "\"%s\" is not of the form key%cvalue", pair, sep);
	if (type == OPTION_BOOL_MAP) {
		if (read_bool(value, &item, e) < 0)
			return err_wrap(e, "%s", key);
	} else {
		item = json_object_new_string(value);
	}
	if (type == OPTION_LISTS_MAP) {
		if (!json_object_object_get_ex(map, key, &list)) {
			list = json_object_new_array();
			json_object_object_add(map, key, list);
		}
		json_object_array_add(list, item);
	} else {
		json_object_object_add(map, key, item);
	}
	return 0;
}

static int read_pairs(const char *text, struct json_object *before, enum option_type type,
		      struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *map = continued(before, json_type_object);
	CLEANUP(strv_freep) char **parts = type == OPTION_LONE_MAP ? NULL : pieces(text);

	if (type == OPTION_LONE_MAP)
		strv_push(&parts, text);
	for (size_t i = 0; parts && parts[i]; i++) {
		if (read_pair(parts[i], type, map, e) < 0)
			return -1;
	}
	*ret_value = TAKE(map);
	return 0;
}

static bool has_taint(struct json_object *list, const char *key, const char *effect)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *taint = json_object_array_get_idx(list, i);

		if (str_eq(json_string(taint, "key"), key) &&
		    str_eq(json_string(taint, "effect"), effect))
			return true;
	}
	return false;
}

/* key=value:effect or key:effect */
static int read_taint(char *text, struct json_object *list, struct err *e)
{
	AUTO_FREE char *whole = mem_strdup(text);
	char *colon = strchr(text, ':'), *equals;
	struct json_object *taint;

	if (!colon || colon == text || !colon[1] || strchr(colon + 1, ':'))
		return err_set(e, ERR_INVALID, "taint \"%s\" is not of the form key=value:effect",
			       whole);
	*colon = 0;
	equals = strchr(text, '=');
	if (equals)
		*equals = 0;
	if (equals && strchr(equals + 1, '='))
		return err_set(e, ERR_INVALID, "taint \"%s\" holds a second =", whole);
	if (has_taint(list, text, colon + 1))
		return err_set(e, ERR_INVALID, "taint \"%s\": key and effect stand there twice",
			       whole);
	taint = json_object_new_object();
	json_object_object_add(taint, "key", json_object_new_string(text));
	if (equals && equals[1])
		json_object_object_add(taint, "value", json_object_new_string(equals + 1));
	json_object_object_add(taint, "effect", json_object_new_string(colon + 1));
	json_object_array_add(list, taint);
	return 0;
}

/* The last such flag counts alone; "key-", which takes a taint away, means nothing here. */
static int read_taints(const char *text, struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *list = json_object_new_array();
	CLEANUP(strv_freep) char **parts = strv_split(text, ',');

	for (size_t i = 0; parts && parts[i]; i++) {
		if (!str_ends(parts[i], "-") && read_taint(parts[i], list, e) < 0)
			return -1;
	}
	*ret_value = TAKE(list);
	return 0;
}

/* pattern=N,pattern=N */
static int read_vmodule(const char *text, struct json_object *before,
			struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *pairs = NULL, *list = continued(before, json_type_array);

	if (read_pairs(text, NULL, OPTION_MAP, &pairs, e) < 0)
		return -1;
	json_object_object_foreach(pairs, pattern, level)
	{
		struct json_object *item = json_object_new_object(), *number = NULL;

		json_object_array_add(list, item);
		json_object_object_add(item, "filePattern", json_object_new_string(pattern));
		if (read_int(OPTION_INT32, json_object_get_string(level), &number, e) < 0)
			return err_wrap(e, "%s", pattern);
		json_object_object_add(item, "verbosity", number);
	}
	*ret_value = TAKE(list);
	return 0;
}

static int read_numa_memory(const char *text, struct json_object *list, struct err *e)
{
	const char *colon = strchr(text, ':');
	AUTO_FREE char *node = colon ? mem_strndup(text, (size_t)(colon - text)) : NULL;
	AUTO_JSON struct json_object *amounts = NULL, *limits = json_object_new_object();
	struct json_object *number = NULL, *item, *amount;

	if (!colon || !colon[1])
		return err_set(e, ERR_INVALID, "\"%s\" is not of the form node:type=amount", text);
	if (read_pairs(colon + 1, NULL, OPTION_MAP, &amounts, e) < 0 ||
	    read_int(OPTION_INT32, node, &number, e) < 0)
		return -1;
	item = json_object_new_object();
	json_object_object_add(item, "numaNode", number);
	json_object_array_add(list, item);
	json_object_object_foreach(amounts, type, value)
	{
		if (read_quantity(json_object_get_string(value), &amount, e) < 0)
			return err_wrap(e, "%s", type);
		json_object_object_add(limits, type, amount);
	}
	json_object_object_add(item, "limits", TAKE(limits));
	return 0;
}

/* N:type=amount,type=amount;N:… */
static int read_memory(const char *text, struct json_object *before, struct json_object **ret_value,
		       struct err *e)
{
	AUTO_JSON struct json_object *list = continued(before, json_type_array);
	CLEANUP(strv_freep) char **nodes = strv_split(text, ';');

	for (size_t i = 0; nodes && nodes[i]; i++) {
		if (read_numa_memory(nodes[i], list, e) < 0)
			return -1;
	}
	*ret_value = TAKE(list);
	return 0;
}

int value_from_text(enum option_type type, const char *text, struct json_object *before,
		    struct json_object **ret_value, struct err *e)
{
	switch (type) {
	case OPTION_BOOL:
		return read_bool(text, ret_value, e);
	case OPTION_INT32:
	case OPTION_INT64:
		return read_int(type, text, ret_value, e);
	case OPTION_DURATION:
	case OPTION_LAX_DURATION:
		return read_duration(text, ret_value, e);
	case OPTION_IP:
		return read_ip(text, ret_value, e);
	case OPTION_QUANTITY:
		return read_quantity(text, ret_value, e);
	case OPTION_STRINGS:
		return read_strings(text, before, ret_value, e);
	case OPTION_INTS:
		return read_ints(text, before, ret_value, e);
	case OPTION_MAP:
	case OPTION_LONE_MAP:
	case OPTION_LABELS:
	case OPTION_LANGLE_MAP:
	case OPTION_BOOL_MAP:
	case OPTION_LISTS_MAP:
		return read_pairs(text, before, type, ret_value, e);
	case OPTION_TAINTS:
		return read_taints(text, ret_value, e);
	case OPTION_VMODULE:
		return read_vmodule(text, before, ret_value, e);
	case OPTION_MEMORY:
		return read_memory(text, before, ret_value, e);
	case OPTION_STRING:
		*ret_value = json_object_new_string(text);
		return 0;
	case OPTION_FLOAT:
		return read_float(text, ret_value, e);
	case OPTION_QUANTITY_MAP:
	case OPTION_LIST:
		break;
	}
	return err_set(e, ERR_INTERNAL, "an option of this type has no flag");
}

/* ---- files ---- */

static int wrong_type(const char *path, const char *want, struct json_object *tree, struct err *e)
{
	AUTO_FREE char *text = json_text(tree);

	return err_set(e, ERR_INVALID, "%s: must be %s, not %.60s", path, want, text);
}

static int string_from(enum option_type type, const char *path, struct json_object *tree,
		       struct json_object **ret_value, struct err *e)
{
	if (!json_object_is_type(tree, json_type_string))
		return wrong_type(path, type == OPTION_DURATION ? "a duration" : "a string", tree,
				  e);
	if (value_from_text(type, json_object_get_string(tree), NULL, ret_value, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

static int int_from(enum option_type type, const char *path, struct json_object *tree,
		    struct json_object **ret_value, struct err *e)
{
	if (!json_object_is_type(tree, json_type_int))
		return wrong_type(path, "a whole number", tree, e);
	if (read_int(type, json_object_get_string(tree), ret_value, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

/* As upstream, null in a list or a map is the zero of its type. */
static struct json_object *zero_of(enum option_type type)
{
	return type == OPTION_BOOL ? json_object_new_boolean(0)
	       : type == OPTION_STRINGS
		   ? json_object_new_array()
		   : json_object_new_string(type == OPTION_QUANTITY ? "0" : "");
}

static int array_from(enum option_type type, const char *path, struct json_object *tree,
		      struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *list = json_object_new_array();

	if (!json_object_is_type(tree, json_type_array))
		return wrong_type(path, "a list", tree, e);
	for (size_t i = 0; i < json_object_array_length(tree); i++) {
		AUTO_FREE char *at = str_fmt("%s[%zu]", path, i);
		enum option_type own = type == OPTION_INTS ? OPTION_INT32 : OPTION_STRING;
		struct json_object *member = json_object_array_get_idx(tree, i), *item = NULL;

		if (!member)
			item = zero_of(own);
		else if (value_from_json(own, at, member, &item, e) < 0)
			return -1;
		json_object_array_add(list, item);
	}
	*ret_value = TAKE(list);
	return 0;
}

static enum option_type map_item_type(enum option_type type)
{
	return type == OPTION_BOOL_MAP       ? OPTION_BOOL
	       : type == OPTION_LISTS_MAP    ? OPTION_STRINGS
	       : type == OPTION_QUANTITY_MAP ? OPTION_QUANTITY
					     : OPTION_STRING;
}

static int map_from(enum option_type type, const char *path, struct json_object *tree,
		    struct json_object **ret_value, struct err *e)
{
	AUTO_JSON struct json_object *map = json_object_new_object();

	if (!json_object_is_type(tree, json_type_object))
		return wrong_type(path, "an object", tree, e);
	json_object_object_foreach(tree, key, member)
	{
		AUTO_FREE char *at = str_fmt("%s.%s", path, key);
		struct json_object *item = NULL;

		if (!member)
			item = zero_of(map_item_type(type));
		else if (value_from_json(map_item_type(type), at, member, &item, e) < 0)
			return -1;
		json_object_object_add(map, key, item);
	}
	*ret_value = TAKE(map);
	return 0;
}

static int float_from(const char *path, struct json_object *tree, struct json_object **ret_value,
		      struct err *e)
{
	if (!json_object_is_type(tree, json_type_double) &&
	    !json_object_is_type(tree, json_type_int))
		return wrong_type(path, "a number", tree, e);
	*ret_value = float_value(json_object_get_double(tree), json_object_get_string(tree));
	return 0;
}

int value_from_json(enum option_type type, const char *path, struct json_object *tree,
		    struct json_object **ret_value, struct err *e)
{
	bool number =
	    json_object_is_type(tree, json_type_int) || json_object_is_type(tree, json_type_double);

	switch (type) {
	case OPTION_BOOL:
		if (!json_object_is_type(tree, json_type_boolean))
			return wrong_type(path, "true or false", tree, e);
		*ret_value = json_object_get(tree);
		return 0;
	case OPTION_INT32:
	case OPTION_INT64:
		return int_from(type, path, tree, ret_value, e);
	case OPTION_FLOAT:
		return float_from(path, tree, ret_value, e);
	case OPTION_LAX_DURATION:
		if (number)
			return int_from(OPTION_INT64, path, tree, ret_value, e);
		return string_from(type, path, tree, ret_value, e);
	case OPTION_QUANTITY:
		if (number)
			return read_quantity(json_object_get_string(tree), ret_value, e) < 0
				   ? err_wrap(e, "%s", path)
				   : 0;
		return string_from(type, path, tree, ret_value, e);
	case OPTION_DURATION:
	case OPTION_STRING:
	case OPTION_IP:
		return string_from(type, path, tree, ret_value, e);
	case OPTION_STRINGS:
	case OPTION_INTS:
		return array_from(type, path, tree, ret_value, e);
	case OPTION_MAP:
	case OPTION_LONE_MAP:
	case OPTION_LABELS:
	case OPTION_LANGLE_MAP:
	case OPTION_BOOL_MAP:
	case OPTION_QUANTITY_MAP:
	case OPTION_LISTS_MAP:
		return map_from(type, path, tree, ret_value, e);
	default:
		return err_set(e, ERR_INTERNAL, "%s: a list of objects", path);
	}
}

/* ---- reading ---- */

int64_t value_i64(struct json_object *value)
{
	return value ? json_object_get_int64(value) : 0;
}

int64_t value_duration_nsec(struct json_object *value)
{
	int64_t nsec = 0;

	if (json_object_is_type(value, json_type_int))
		return json_object_get_int64(value);
	if (value)
		kube_duration_parse(json_object_get_string(value), &nsec, NULL);
	return nsec;
}

bool value_is_zero(enum option_type type, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return true;
	case json_type_boolean:
		return !json_object_get_boolean(value);
	case json_type_int:
		return json_object_get_int64(value) == 0;
	case json_type_double:
		return json_object_get_double(value) == 0;
	case json_type_string:
		if (type == OPTION_DURATION || type == OPTION_LAX_DURATION)
			return value_duration_nsec(value) == 0;
		return json_object_get_string_len(value) == 0;
	case json_type_array:
		return json_object_array_length(value) == 0;
	case json_type_object:
		return json_object_object_length(value) == 0;
	}
	return true;
}

bool value_equal(struct json_object *a, struct json_object *b)
{
	return json_object_equal(a, b);
}

/* ---- storing ---- */

static void store_strings(struct json_object *list, char ***member)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++)
		strv_push(member, json_object_get_string(json_object_array_get_idx(list, i)));
}

static void store_pairs(struct json_object *map, struct config_pairs *member)
{
	if (!map)
		return;
	member->v = mem_calloc((size_t)json_object_object_length(map) + 1, sizeof(*member->v));
	json_object_object_foreach(map, key, value)
	{
		member->v[member->n++] = (struct config_pair){
			.key = mem_strdup(key),
			.value = mem_strdup(json_object_get_string(value)),
		};
	}
}

static void store_lists(struct json_object *map, struct config_pairs *member)
{
	if (!map)
		return;
	json_object_object_foreach(map, key, list)
	{
		size_t n = list ? json_object_array_length(list) : 0;

		member->v = mem_realloc(member->v, member->n + n + 1, sizeof(*member->v));
		for (size_t i = 0; i < n; i++)
			member->v[member->n++] = (struct config_pair){
				.key = mem_strdup(key),
				.value = mem_strdup(
				    json_object_get_string(json_object_array_get_idx(list, i))),
			};
	}
}

static void store_taints(struct json_object *list, struct config_taints *member)
{
	size_t n = list ? json_object_array_length(list) : 0;

	member->v = mem_calloc(n + 1, sizeof(*member->v));
	member->n = n;
	for (size_t i = 0; i < n; i++) {
		struct json_object *taint = json_object_array_get_idx(list, i);

		member->v[i] = (struct config_taint){
			.key = mem_strdup(str_or(json_string(taint, "key"), "")),
			.value = mem_strdup(str_or(json_string(taint, "value"), "")),
			.effect = mem_strdup(str_or(json_string(taint, "effect"), "")),
		};
	}
}

void value_store(enum option_type type, struct json_object *value, void *member)
{
	switch (type) {
	case OPTION_BOOL:
		*(bool *)member = value && json_object_get_boolean(value);
		return;
	case OPTION_INT32:
		*(int32_t *)member = (int32_t)value_i64(value);
		return;
	case OPTION_INT64:
		*(int64_t *)member = value_i64(value);
		return;
	case OPTION_FLOAT:
		*(double *)member = value ? json_object_get_double(value) : 0;
		return;
	case OPTION_DURATION:
	case OPTION_LAX_DURATION:
		*(int64_t *)member = value_duration_nsec(value) / NSEC_PER_USEC;
		return;
	case OPTION_STRING:
	case OPTION_IP:
	case OPTION_QUANTITY:
		*(char **)member = mem_strdup(value ? json_object_get_string(value) : "");
		return;
	case OPTION_STRINGS:
		store_strings(value, member);
		return;
	case OPTION_MAP:
	case OPTION_LONE_MAP:
	case OPTION_LABELS:
	case OPTION_LANGLE_MAP:
	case OPTION_BOOL_MAP:
	case OPTION_QUANTITY_MAP:
		store_pairs(value, member);
		return;
	case OPTION_LISTS_MAP:
		store_lists(value, member);
		return;
	case OPTION_TAINTS:
		store_taints(value, member);
		return;
	default:
		return; /* such options are nowhere in the struct */
	}
}

static void taints_fini(struct config_taints *taints)
{
	for (size_t i = 0; i < taints->n; i++) {
		free(taints->v[i].key);
		free(taints->v[i].value);
		free(taints->v[i].effect);
	}
	free(taints->v);
}

static void pairs_fini(struct config_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->v[i].key);
		free(pairs->v[i].value);
	}
	free(pairs->v);
}

void value_fini(enum option_type type, void *member)
{
	switch (type) {
	case OPTION_STRING:
	case OPTION_IP:
	case OPTION_QUANTITY:
		free(*(char **)member);
		return;
	case OPTION_STRINGS:
		strv_free(*(char ***)member);
		return;
	case OPTION_MAP:
	case OPTION_LONE_MAP:
	case OPTION_LABELS:
	case OPTION_LANGLE_MAP:
	case OPTION_BOOL_MAP:
	case OPTION_QUANTITY_MAP:
	case OPTION_LISTS_MAP:
		pairs_fini(member);
		return;
	case OPTION_TAINTS:
		taints_fini(member);
		return;
	default:
		return;
	}
}

const char *config_pair_get(const struct config_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (str_eq(pairs->v[i].key, key))
			return pairs->v[i].value;
	}
	return NULL;
}
