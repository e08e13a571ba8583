/* Quantities, durations, times and YAML against what upstream makes of the same texts. vectors.txt
 * is printed by tests/upstream/schema/vectors. */
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kube/quantity.h"
#include "kube/time.h"

static const char *vectors_path;

enum { COLUMNS = 5 };

static char *unquote(const char *text)
{
	AUTO_JSON struct json_object *tree = NULL;

	assert_int_equal(json_parse(text, strlen(text), &tree, NULL), 0);
	return mem_strdup(json_object_get_string(tree));
}

static void check_quantity(const char *text, char **want)
{
	struct quantity q;
	char canonical[QUANTITY_TEXT];
	bool ok = !quantity_parse(text, &q, NULL);

	assert_int_equal(ok, strcmp(want[0], "!") != 0);
	if (!ok)
		return;
	quantity_text(&q, canonical);
	assert_string_equal(canonical, want[0]);
	assert_int_equal(quantity_value(&q), strtoll(want[1], NULL, 10));
	/* beyond int64 upstream's own milli value wraps */
	if (llabs(quantity_value(&q)) < INT64_MAX / 1000)
		assert_int_equal(quantity_milli(&q), strtoll(want[2], NULL, 10));
}

static void check_duration(const char *text, char **want)
{
	char out[KUBE_DURATION_TEXT];
	int64_t nsec;
	bool ok = !kube_duration_parse(text, &nsec, NULL);
	AUTO_FREE char *formatted = NULL;

	assert_int_equal(ok, strcmp(want[0], "!") != 0);
	if (!ok)
		return;
	assert_int_equal(nsec, strtoll(want[0], NULL, 10));
	kube_duration_format(nsec, out);
	formatted = unquote(want[1]);
	assert_string_equal(out, formatted);
}

static void check_time(const char *text, char **want)
{
	char out[KUBE_TIME_TEXT];
	int64_t sec;
	int32_t nsec;
	bool ok = !kube_time_parse(text, &sec, &nsec, NULL);
	AUTO_FREE char *plain = NULL, *micro = NULL;

	assert_int_equal(ok, strcmp(want[0], "!") != 0);
	if (!ok)
		return;
	assert_int_equal(sec, strtoll(want[0], NULL, 10));
	plain = unquote(want[1]);
	micro = unquote(want[2]);
	kube_time_format(sec, out);
	assert_string_equal(out, plain);
	kube_time_format_micro(sec, nsec, out);
	assert_string_equal(out, micro);
}

static bool is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

/* numbers by value: 8 and 8.0 are one */
static bool equal(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b)) {
		double x = json_object_get_double(a), y = json_object_get_double(b);

		return fabs(x - y) <= 1e-9 * fabs(y);
	}
	if (json_object_get_type(a) != json_object_get_type(b))
		return false;
	if (json_object_is_type(a, json_type_array)) {
		if (json_object_array_length(a) != json_object_array_length(b))
			return false;
		for (size_t i = 0; i < json_object_array_length(a); i++) {
			if (!equal(json_object_array_get_idx(a, i),
				   json_object_array_get_idx(b, i)))
				return false;
		}
		return true;
	}
	if (json_object_is_type(a, json_type_object)) {
		if (json_object_object_length(a) != json_object_object_length(b))
			return false;
		json_object_object_foreach(a, key, value)
		{
			struct json_object *other;

			if (!json_object_object_get_ex(b, key, &other) || !equal(value, other))
				return false;
		}
		return true;
	}
	return json_object_equal(a, b);
}

static void check_yaml(const char *text, char **want)
{
	AUTO_JSON struct json_object *got = NULL, *wanted = NULL;
	bool ok = !yaml_parse(text, strlen(text), &got, NULL, NULL);

	assert_int_equal(ok, strcmp(want[0], "!") != 0);
	if (!ok)
		return;
	assert_int_equal(json_parse(want[0], strlen(want[0]), &wanted, NULL), 0);
	if (!equal(got, wanted))
		fail_msg("%s: got %s, want %s", text, json_object_to_json_string(got), want[0]);
}

static const struct {
	const char *kind;
	void (*check)(const char *text, char **want);
} kinds[] = {
	{ "quantity", check_quantity },
	{ "duration", check_duration },
	{ "time", check_time },
	{ "yaml", check_yaml },
};

static void texts_mean_what_upstream_reads(void **state)
{
	AUTO_FREE char *file = NULL;
	char *line, *save = NULL;
	unsigned checked = 0;
	struct err e;

	(void)state;
	if (fs_read(vectors_path, 1 << 20, &file, NULL, &e))
		fail_msg("%s", e.text);
	for (line = strtok_r(file, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *columns[COLUMNS] = { NULL }, *at = line;
		AUTO_FREE char *text = NULL;

		for (int i = 0; i < COLUMNS && at; i++)
			columns[i] = strsep(&at, "\t");
		text = unquote(columns[1]);
		print_message("%s %s\n", columns[0], columns[1]);
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (strcmp(kinds[i].kind, columns[0]))
				continue;
			kinds[i].check(text, columns + 2);
			checked++;
		}
	}
	assert_true(checked > 600);
}

/* ---- our own rules ---- */

static void quantities_add_and_divide(void **state)
{
	static const struct {
		const char *value, *divisor;
		bool cpu;
		int64_t want;
	} rows[] = {
		{ "1500m", "0", true, 2 },   { "1500m", "1m", true, 1500 },
		{ "250m", "1", true, 1 },    { "1Gi", "1Mi", false, 1024 },
		{ "1G", "1Mi", false, 954 }, { "1Gi", "0", false, 1 << 30 },
	};
	struct quantity a, b;
	char text[QUANTITY_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(quantity_parse(rows[i].value, &a, NULL), 0);
		assert_int_equal(quantity_parse(rows[i].divisor, &b, NULL), 0);
		assert_int_equal(quantity_divide(&a, &b, rows[i].cpu), rows[i].want);
	}
	a = (struct quantity){ 0 };
	assert_int_equal(quantity_parse("512Mi", &b, NULL), 0);
	quantity_add(&a, &b);
	quantity_add(&a, &b);
	quantity_text(&a, text);
	assert_string_equal(text, "1Gi");
	quantity_sub(&a, &b);
	assert_int_equal(quantity_cmp(&a, &b), 0);
	assert_int_equal(quantity_text_milli("1.5"), 1500);
	assert_int_equal(quantity_text_value(NULL), 0);
}

static void json_is_strict(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "{}", true },          { " [1, 2] \n", true }, { "1", true },
		{ "\"a\"", true },       { "null", true },       { "", false },
		{ "{", false },          { "[1,]", false },      { "{\"a\":1,}", false },
		{ "'a'", false },        { "NaN", false },       { "{} x", false },
		{ "[1] [2]", false },    { "\"\xff\"", false },  { "nul", false },
		{ "[Infinity]", false }, { "/* c */ 1", false },
	};
	struct str deep = { 0 };
	struct json_object *tree;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = json_parse(rows[i].text, strlen(rows[i].text), &tree, NULL);

		if (r != (rows[i].ok ? 0 : -1))
			fail_msg("%s", rows[i].text);
		if (!r)
			json_object_put(tree);
	}
	for (int i = 0; i < 1000; i++)
		str_append_c(&deep, '[');
	assert_int_equal(json_parse(deep.p, deep.len, &tree, NULL), -1);
	str_fini(&deep);
}

static void json_sorts_keys(void **state)
{
	AUTO_JSON struct json_object *tree = NULL;
	struct str s = { 0 };
	const char *text = "{\"b\":{\"z\":1,\"a\":[true,null]},\"a\":\"/<\"}";

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &tree, NULL), 0);
	json_print(tree, true, &s);
	assert_string_equal(s.p, "{\"a\":\"/<\",\"b\":{\"a\":[true,null],\"z\":1}}");
	str_fini(&s);
}

static void yaml_names_duplicates(void **state)
{
	static const char text[] =
	    "a: 1\nb: {c: 1, c: 2}\nl:\n- x: 1\n- {x: 1, z: 2, x: 3}\na: 2\n";
	AUTO_JSON struct json_object *tree = NULL;
	char **duplicates = NULL;

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), &tree, &duplicates, NULL), 0);
	assert_int_equal(strv_len(duplicates), 3);
	assert_string_equal(duplicates[0], "b.c");
	assert_string_equal(duplicates[1], "l[1].x");
	assert_string_equal(duplicates[2], "a");
	assert_string_equal(json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN),
			    "{\"a\":2,\"b\":{\"c\":2},\"l\":[{\"x\":1},{\"x\":3,\"z\":2}]}");
	strv_free(duplicates);
}

static void yaml_reads_many_documents(void **state)
{
	static const char text[] = "a: 1\n---\n---\n- 2\n...\n";
	AUTO_JSON struct json_object *list = NULL;

	(void)state;
	assert_int_equal(yaml_parse_all(text, strlen(text), &list, NULL, NULL), 0);
	assert_string_equal(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
			    "[{\"a\":1},null,[2]]");
}

/* Nine levels of nine aliases would stand for 400 million nodes. */
static void yaml_bounds_aliases(void **state)
{
	struct str s = { 0 };
	struct json_object *tree = NULL;
	struct err e;

	(void)state;
	str_append(&s, "a0: &a0 x\n");
	for (int i = 1; i < 10; i++) {
		str_printf(&s, "a%d: &a%d [", i, i);
		for (int k = 0; k < 9; k++)
			str_printf(&s, "*a%d,", i - 1);
		str_append(&s, "]\n");
	}
	assert_int_equal(yaml_parse(s.p, s.len, &tree, NULL, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	str_fini(&s);
	for (int i = 0; i < 1000; i++)
		str_append_c(&s, '[');
	assert_int_equal(yaml_parse(s.p, s.len, &tree, NULL, &e), -1);
	str_fini(&s);
	assert_int_equal(yaml_parse("a: &x [*x]", 10, &tree, NULL, &e), -1);
}

static void base64_round_trips(void **state)
{
	static const char *const bad[] = {
		"A", "AA", "AAA", "A===", "AA=A", "AAAA=", "A!AA", "=AAA"
	};
	uint8_t *data;
	size_t len;

	(void)state;
	for (size_t n = 0; n < 70; n++) {
		uint8_t in[70];
		AUTO_FREE char *text = NULL;

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 37 + n);
		text = base64_encode(in, n);
		assert_int_equal(base64_decode(text, strlen(text), &data, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(data, in, n);
		free(data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &data, &len), -1);
	assert_int_equal(base64_decode("QU\nJD\r\n", 7, &data, &len), 0);
	assert_string_equal((char *)data, "ABC");
	free(data);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_mean_what_upstream_reads),
		cmocka_unit_test(quantities_add_and_divide),
		cmocka_unit_test(json_is_strict),
		cmocka_unit_test(json_sorts_keys),
		cmocka_unit_test(yaml_names_duplicates),
		cmocka_unit_test(yaml_reads_many_documents),
		cmocka_unit_test(yaml_bounds_aliases),
		cmocka_unit_test(base64_round_trips),
	};

	if (argc != 2)
		return 2;
	vectors_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
