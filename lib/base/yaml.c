/* libyaml events to a json-c tree (contract in base/yaml.h). Pure. */
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

/* A value with the number of nodes that a walk of it meets. */
struct node {
	struct json_object *value;
	size_t weight;
};

struct loader {
	yaml_parser_t parser;
	struct map anchors; /* name -> struct node, owned */
	struct str path;
	char ***duplicates;
	size_t nodes;
	struct err *e;
};

static int load_node(struct loader *l, yaml_event_t *event, unsigned depth, struct node *ret);

static int next_event(struct loader *l, yaml_event_t *event)
{
	if (yaml_parser_parse(&l->parser, event))
		return 0;
	return err_set(l->e, ERR_INVALID, "YAML line %zu: %s", l->parser.problem_mark.line + 1,
		       str_or(l->parser.problem, "unreadable"));
}

static int fail_at(struct loader *l, const yaml_event_t *event, const char *what)
{
	return err_set(l->e, ERR_INVALID, "YAML line %zu: %s", event->start_mark.line + 1, what);
}

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (!strcmp(text, *words))
			return true;
	}
	return false;
}

/* Whole numbers with Go's base prefixes: 0x, 0b, 0o and a bare leading 0 for octal. */
static struct json_object *whole_number(const char *digits, bool negative)
{
	int base = 10;
	const char *p = digits;
	unsigned long long v;
	char *end;

	if (p[0] == '0' && p[1] && strchr("xX", p[1]))
		base = 16, p += 2;
	else if (p[0] == '0' && p[1] && strchr("bB", p[1]))
		base = 2, p += 2;
	else if (p[0] == '0' && p[1] && strchr("oO", p[1]))
		base = 8, p += 2;
	else if (p[0] == '0' && p[1])
		base = 8, p++;
	if (!strchr("0123456789abcdefABCDEF", *p) || !*p)
		return NULL;
	errno = 0;
	v = strtoull(p, &end, base);
	if (errno || *end || (negative && v > (unsigned long long)INT64_MAX + 1))
		return NULL;
	if (negative)
		return json_object_new_int64((int64_t)(0 - v));
	return v > INT64_MAX ? json_object_new_uint64(v) : json_object_new_int64((int64_t)v);
}

/* digits with at most one dot, then an exponent; no hexadecimal, no words */
static bool looks_like_float(const char *s)
{
	size_t before, after = 0;

	s += *s == '-' || *s == '+';
	before = strspn(s, "0123456789");
	s += before;
	if (*s == '.') {
		after = strspn(++s, "0123456789");
		s += after;
	}
	if (!before && !after)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!strspn(s, "0123456789"))
			return false;
		s += strspn(s, "0123456789");
	}
	return !*s;
}

/* Keeps the number's own text where JSON has the same grammar: 0.10 stays exact. */
static struct json_object *float_number(const char *text)
{
	const char *digits = text + (*text == '-');
	double v = strtod(text, NULL);
	const char *dot = strchr(digits, '.');

	if (v > 1.7e308 || v < -1.7e308)
		return NULL;
	if (*digits >= '0' && *digits <= '9' && (*digits != '0' || digits[1] == '.') &&
	    (!dot || (dot[1] >= '0' && dot[1] <= '9')))
		return json_object_new_double_s(v, text);
	return json_object_new_double(v);
}

static char *without_underscores(const char *text)
{
	char *out = mem_strdup(text), *to = out;

	for (const char *from = text; *from; from++) {
		if (*from != '_')
			*to++ = *from;
	}
	*to = '\0';
	return out;
}

static const char *const words_true[] = { "y",    "Y",    "yes", "Yes", "YES", "true",
					  "True", "TRUE", "on",  "On",  "ON",  NULL };
static const char *const words_false[] = { "n",     "N",     "no",  "No",  "NO",  "false",
					   "False", "FALSE", "off", "Off", "OFF", NULL };
static const char *const words_null[] = { "", "~", "null", "Null", "NULL", NULL };

static struct json_object *plain_scalar(const char *text, size_t len, bool *ret_null)
{
	struct json_object *value = NULL;

	*ret_null = false;
	if (strlen(text) != len)
		return json_object_new_string_len(text, (int)len);
	if (one_of(text, words_null)) {
		*ret_null = true;
		return NULL;
	}
	if (one_of(text, words_true))
		return json_object_new_boolean(1);
	if (one_of(text, words_false))
		return json_object_new_boolean(0);
	if (strchr("+-.0123456789", *text)) {
		AUTO_FREE char *digits = without_underscores(text);
		bool sign = *digits == '-' || *digits == '+';

		if (*digits != '.')
			value = whole_number(digits + sign, *digits == '-');
		if (!value && looks_like_float(digits))
			value = float_number(digits);
	}
	return value ? value : json_object_new_string_len(text, (int)len);
}

static int load_scalar(struct loader *l, yaml_event_t *event, struct node *ret)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const char *tag = (const char *)event->data.scalar.tag;
	bool is_null = false;

	if (len > INT32_MAX)
		return fail_at(l, event, "scalar is too long");
	if (tag && !strcmp(tag, YAML_STR_TAG))
		ret->value = json_object_new_string_len(text, (int)len);
	else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		ret->value = plain_scalar(text, len, &is_null);
	else
		ret->value = json_object_new_string_len(text, (int)len);
	ret->weight = 1;
	return 0;
}

static int load_alias(struct loader *l, yaml_event_t *event, struct node *ret)
{
	struct node *known = map_get(&l->anchors, (const char *)event->data.alias.anchor);

	/* an anchor is known only behind its node: it cannot contain itself */
	if (!known)
		return fail_at(l, event, "alias to an unknown anchor");
	ret->value = json_object_get(known->value);
	ret->weight = known->weight;
	return 0;
}

static int load_sequence(struct loader *l, unsigned depth, struct node *ret)
{
	size_t base = l->path.len;

	ret->value = json_object_new_array();
	ret->weight = 1;
	for (size_t i = 0;; i++) {
		yaml_event_t event;
		struct node item = { 0 };
		int r;

		if (next_event(l, &event))
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		str_printf(&l->path, "[%zu]", i);
		r = load_node(l, &event, depth + 1, &item);
		l->path.len = base;
		json_object_array_add(ret->value, item.value);
		ret->weight += item.weight;
		if (r)
			return -1;
	}
}

/* Keys that are not texts become what Go prints for them. */
static char *key_text(struct json_object *key)
{
	if (!key)
		return mem_strdup("null");
	if (json_object_is_type(key, json_type_object) || json_object_is_type(key, json_type_array))
		return NULL;
	return mem_strdup(json_object_get_string(key));
}

static int merge_into(struct loader *l, const yaml_event_t *at, struct json_object *from,
		      struct json_object *merged)
{
	if (json_object_is_type(from, json_type_array)) {
		/* the first of a list of maps wins */
		for (size_t i = 0; i < json_object_array_length(from); i++) {
			struct json_object *item = json_object_array_get_idx(from, i);

			if (!json_object_is_type(item, json_type_object))
				return fail_at(l, at, "<< needs a map or a list of maps");
			if (merge_into(l, at, item, merged))
				return -1;
		}
		return 0;
	}
	if (!json_object_is_type(from, json_type_object))
		return fail_at(l, at, "<< needs a map or a list of maps");
	json_object_object_foreach(from, key, value)
	{
		if (!json_object_object_get_ex(merged, key, NULL))
			json_object_object_add(merged, key, json_object_get(value));
	}
	return 0;
}

static void note_duplicate(struct loader *l)
{
	if (l->duplicates)
		strv_push(l->duplicates, str_text(&l->path));
}

/* One key with its value; merged collects what "<<" brings. */
static int load_pair(struct loader *l, yaml_event_t *key_event, unsigned depth, struct node *map,
		     struct json_object *merged)
{
	bool plain_merge = key_event->type == YAML_SCALAR_EVENT &&
			   key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			   !strcmp((char *)key_event->data.scalar.value, "<<");
	yaml_event_t at = { .start_mark = key_event->start_mark }, event;
	struct node key = { 0 }, value = { 0 };
	AUTO_FREE char *name = NULL;
	size_t base = l->path.len;
	int r = load_node(l, key_event, depth + 1, &key);

	name = key_text(key.value);
	json_object_put(key.value);
	map->weight += key.weight;
	if (r)
		return -1;
	if (!name)
		return fail_at(l, &at, "a map key must be a scalar");
	if (next_event(l, &event))
		return -1;
	str_printf(&l->path, "%s%s", base ? "." : "", name);
	if (!plain_merge && json_object_object_get_ex(map->value, name, NULL))
		note_duplicate(l);
	r = load_node(l, &event, depth + 1, &value);
	l->path.len = base;
	map->weight += value.weight;
	if (!r && plain_merge)
		r = merge_into(l, &at, value.value, merged);
	else if (!r) {
		json_object_object_add(map->value, name, json_object_get(value.value));
	}
	json_object_put(value.value);
	return r;
}

static int load_mapping(struct loader *l, unsigned depth, struct node *ret)
{
	struct json_object *merged = json_object_new_object();
	int r = 0;

	ret->value = json_object_new_object();
	ret->weight = 1;
	while (!r) {
		yaml_event_t event;

		r = next_event(l, &event);
		if (r)
			break;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			break;
		}
		r = load_pair(l, &event, depth, ret, merged);
	}
	json_object_object_foreach(merged, key, value)
	{
		if (!json_object_object_get_ex(ret->value, key, NULL))
			json_object_object_add(ret->value, key, json_object_get(value));
	}
	json_object_put(merged);
	return r;
}

static void remember_anchor(struct loader *l, const char *name, const struct node *n)
{
	struct node *known = map_get(&l->anchors, name);

	if (!known) {
		known = NEW(struct node);
		map_put(&l->anchors, name, known);
	}
	json_object_put(known->value);
	*known = (struct node){ .value = json_object_get(n->value), .weight = n->weight };
}

/* Takes the event over. On failure ret may hold a part; the caller puts it. */
static int load_node(struct loader *l, yaml_event_t *event, unsigned depth, struct node *ret)
{
	AUTO_FREE char *anchor = NULL;
	int r;

	if (depth > YAML_DEPTH_MAX) {
		r = fail_at(l, event, "nested too deeply");
	} else if (event->type == YAML_SCALAR_EVENT) {
		anchor = mem_strdup((char *)event->data.scalar.anchor);
		r = load_scalar(l, event, ret);
	} else if (event->type == YAML_ALIAS_EVENT) {
		r = load_alias(l, event, ret);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = mem_strdup((char *)event->data.sequence_start.anchor);
		r = load_sequence(l, depth, ret);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = mem_strdup((char *)event->data.mapping_start.anchor);
		r = load_mapping(l, depth, ret);
	} else {
		r = fail_at(l, event, "unexpected structure");
	}
	l->nodes += event->type == YAML_ALIAS_EVENT ? ret->weight : 1;
	if (!r && (l->nodes > YAML_NODES_MAX || ret->weight > YAML_NODES_MAX))
		r = err_set(l->e, ERR_TOO_LARGE, "YAML line %zu: more than %d nodes",
			    event->start_mark.line + 1, YAML_NODES_MAX);
	if (!r && anchor)
		remember_anchor(l, anchor, ret);
	yaml_event_delete(event);
	return r;
}

static void forget_anchors(struct loader *l)
{
	size_t cursor = 0;
	void *value;

	while (map_next(&l->anchors, &cursor, NULL, &value)) {
		struct node *n = value;

		json_object_put(n->value);
		free(n);
	}
	map_fini(&l->anchors);
}

/* Returns 1 at the end of the stream. */
static int load_document(struct loader *l, struct json_object **ret_value)
{
	struct node root = { 0 };
	yaml_event_t event;
	yaml_event_type_t type;
	int r;

	do {
		if (next_event(l, &event))
			return -1;
		type = event.type;
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return 1;
	} while (type != YAML_DOCUMENT_START_EVENT);
	if (next_event(l, &event))
		return -1;
	r = load_node(l, &event, 0, &root);
	forget_anchors(l);
	if (r) {
		json_object_put(root.value);
		return -1;
	}
	*ret_value = root.value;
	return 0;
}

static int load(const char *text, size_t len, size_t max_documents, struct json_object *list,
		char ***duplicates, struct err *e)
{
	struct loader l = { .duplicates = duplicates, .e = e };
	int r = 0;

	if (!yaml_parser_initialize(&l.parser))
		abort();
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
	for (size_t i = 0; !r && i < max_documents; i++) {
		struct json_object *value = NULL;

		r = load_document(&l, &value);
		if (!r)
			json_object_array_add(list, value);
	}
	yaml_parser_delete(&l.parser);
	str_fini(&l.path);
	return r < 0 ? -1 : 0;
}

int yaml_parse_all(const char *text, size_t len, struct json_object **ret_list,
		   char ***ret_duplicates, struct err *e)
{
	struct json_object *list = json_object_new_array();

	if (load(text, len, SIZE_MAX, list, ret_duplicates, e)) {
		json_object_put(list);
		return -1;
	}
	*ret_list = list;
	return 0;
}

int yaml_parse(const char *text, size_t len, struct json_object **ret_value, char ***ret_duplicates,
	       struct err *e)
{
	struct json_object *list = json_object_new_array();
	int r = load(text, len, 1, list, ret_duplicates, e);

	if (!r)
		*ret_value = json_object_array_length(list)
				 ? json_object_get(json_object_array_get_idx(list, 0))
				 : NULL;
	json_object_put(list);
	return r;
}

/* Reads as the same text without quotes. */
static bool is_plain_word(const char *text)
{
	static const char word[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	AUTO_JSON struct json_object *value = NULL;
	bool null;

	if (!*text || *text == '-' || strspn(text, word) != strlen(text))
		return false;
	value = plain_scalar(text, strlen(text), &null);
	return json_object_is_type(value, json_type_string);
}

static void print_at(struct json_object *value, int depth, struct str *out)
{
	if (!json_object_is_type(value, json_type_object) || !json_object_object_length(value)) {
		str_append(out, depth ? " " : "");
		json_print(value, false, out);
		str_append_c(out, '\n');
		return;
	}
	str_append(out, depth ? "\n" : "");
	json_object_object_foreach(value, key, member)
	{
		AUTO_JSON struct json_object *name = json_object_new_string(key);

		str_printf(out, "%*s", 2 * depth, "");
		if (is_plain_word(key))
			str_append(out, key);
		else
			json_print(name, false, out);
		str_append_c(out, ':');
		print_at(member, depth + 1, out);
	}
}

void yaml_print(struct json_object *value, struct str *out)
{
	print_at(value, 0, out);
}
