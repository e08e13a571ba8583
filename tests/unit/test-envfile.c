/* Environment files as a table. */
#include "test.h"

#include "base/mem.h"
#include "base/str.h"
#include "pod/envfile.h"

static const struct {
	const char *text, *want; /* of the variable K; "!…": an error that says so */
} rows[] = {
	{ "", "" },
	{ "K='v'", "v" },
	{ "K='v'\n", "v" },
	{ "K='v'\r\n", "v" },
	{ "  \tK='v'", "v" },
	{ "# K='no'\n\n \t\nK='v'", "v" },
	{ "A='1'\nK='v'\nK='later'", "v" },
	{ "A='K=x'\nK='v'", "v" },
	{ "KK='x'\nk='y'\nK='v'", "v" },
	{ "K=''", "" },
	{ "K='a b\\n$(X) \"q\" #'", "a b\\n$(X) \"q\" #" },
	{ "K='one\n two\r\n# three'  # note", "one\n two\n# three" },
	{ "A='one\nK=\"x\"\n'\nK='v'", "v" },
	{ "K= 'v'", "" },
	{ "K=\t", "" },
	{ "A= anything\nK='v'", "v" },
	{ "K='v' # note", "v" },
	{ "K='v'# note", "v" },
	/* what follows the wanted one is not read */
	{ "K='v'\nbroken", "v" },
	{ "broken\nK='v'", "!line 1: '=' is missing" },
	{ "\n='v'", "!line 2: the name is missing" },
	{ "K ='v'", "!line 1: blank in front of '='" },
	{ "A\t='v'\nK='v'", "!line 1: blank in front of '='" },
	{ "K=v", "!line 1: the value is not in single quotes" },
	{ "K=\"v\"", "!line 1: the value is not in single quotes" },
	{ "K=", "!line 1: the value is not in single quotes" },
	{ "K='v", "!line 1: single quote is not closed" },
	{ "A='x'\nK='v\n\n", "!line 2: single quote is not closed" },
	{ "K='v' more", "!line 1: text behind the closing quote" },
	{ "K='v''w'", "!line 1: text behind the closing quote" },
	{ "A='x' y\nK='v'", "!line 1: text behind the closing quote" },
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *value = NULL;
		struct err e;
		int r = envfile_get(rows[i].text, strlen(rows[i].text), "K", &value, &e);

		if (*rows[i].want == '!') {
			assert_int_equal(r, -1);
			assert_int_equal(e.code, ERR_INVALID);
			assert_string_equal(e.text, rows[i].want + 1);
		} else if (r < 0 || strcmp(value, rows[i].want)) {
			fail_msg("%s: %s", rows[i].text, r < 0 ? e.text : value);
		}
	}
}

static void bytes_that_no_variable_can_hold(void **state)
{
	AUTO_FREE char *value = NULL;
	AUTO_FREE char *line = mem_calloc(70000, 1);
	struct err e;

	(void)state;
	assert_int_equal(envfile_get("K='a\0b'", 7, "K", &value, &e), -1);
	assert_string_equal(e.text, "the file holds a NUL byte");
	memset(line, 'x', 69999);
	assert_int_equal(envfile_get(line, 69999, "K", &value, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	assert_null(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(bytes_that_no_variable_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
