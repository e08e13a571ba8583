/* agent/logs: the CRI log format and the reader of growing, rotated, cut files. */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/crilog.h"
#include "logs/logread.h"

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t nsec;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "2016-10-06T00:17:09.669794202Z", true, 1475713029669794202 },
		{ "2016-10-06T02:17:09.669794202+02:00", true, 1475713029669794202 },
		{ "2016-10-06T00:17:09.6Z", true, 1475713029600000000 },
		{ "2024-02-29T23:59:59.999999999Z", true, 1709251199999999999 },
		{ "0001-01-01T00:00:00Z", true, INT64_MIN + 1 },
		{ "9999-12-31T23:59:59Z", true, INT64_MAX },
		{ "2016-13-06T00:17:09Z", false, 0 },
		{ "2016-10-06 00:17:09Z", false, 0 },
		{ "2016-10-06T00:17:09", false, 0 },
		{ "2016-10-06T00:17:09.Z", false, 0 },
		{ "2016-10-06T00:17:09Zx", false, 0 },
		{ "2016-10-06T00:17:09+0200", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t nsec = 0;

		assert_int_equal(crilog_time(rows[i].text, strlen(rows[i].text), &nsec),
				 rows[i].ok);
		assert_true(nsec == rows[i].nsec);
	}
}

#define STAMP "2016-10-06T00:17:09.669794202Z"

static void lines_are_parsed(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		enum crilog_stream stream;
		const char *content;
	} rows[] = {
		{ STAMP " stdout F hello world\n", true, CRILOG_STDOUT, "hello world\n" },
		{ STAMP " stderr P part\n", true, CRILOG_STDERR, "part" },
		{ STAMP " stdout P:TAG part\n", true, CRILOG_STDOUT, "part" },
		{ STAMP " stdout F \n", true, CRILOG_STDOUT, "\n" },
		{ STAMP " stdout F no newline", true, CRILOG_STDOUT, "no newline" },
		{ STAMP " stdin F x\n", false, 0, NULL },
		{ STAMP " stdout\n", false, 0, NULL },
		{ STAMP "\n", false, 0, NULL },
		{ "{\"log\":\"x\"}\n", false, 0, NULL },
		{ "\n", false, 0, NULL },
		{ "", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct crilog l;

		assert_int_equal(crilog_parse(rows[i].line, strlen(rows[i].line), &l), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(l.stream, rows[i].stream);
		assert_int_equal(l.content_len, strlen(rows[i].content));
		assert_memory_equal(l.content, rows[i].content, l.content_len);
	}
}

struct fixture {
	char dir[32];
	char *path;
};

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);

	strcpy(f->dir, "/tmp/test-logs-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = str_fmt("%s/0.log", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(fs_remove_all(f->dir, &e), 0);
	free(f->path);
	free(f);
	return 0;
}

static void append(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static const struct crilog_options all = { .tail_lines = -1,
					   .limit_bytes = -1,
					   .since_nsec = INT64_MIN,
					   .streams = CRILOG_STDOUT | CRILOG_STDERR };

/* Reads until there is nothing more for now. */
static int drain(struct logread *r, bool follow, struct str *out)
{
	struct err e;
	int state;

	do
		state = logread_next(r, follow, out, &e);
	while (state == LOGREAD_MORE);
	return state;
}

static void options_choose_what_is_shown(void **state)
{
	static const char file[] = "2020-01-01T00:00:01Z stdout F one\n"
				   "2020-01-01T00:00:02.5Z stderr F two\n"
				   "2020-01-01T00:00:03+00:00 stdout P thr\n"
				   "2020-01-01T00:00:03.1Z stdout F ee\n"
				   "2020-01-01T01:00:04+01:00 stdout F four\n"
				   "2020-01-01T00:00:05Z stdout F unfinis";
	static const struct {
		struct crilog_options o;
		const char *want;
	} rows[] = {
		{ { false, -1, -1, INT64_MIN, 3 }, "one\ntwo\nthree\nfour\nunfinis" },
		{ { true, -1, -1, INT64_MIN, 3 },
		  "2020-01-01T00:00:01.000000000Z one\n2020-01-01T00:00:02.500000000Z two\n"
		  "2020-01-01T00:00:03.000000000Z three\n2020-01-01T01:00:04.000000000+01:00 four\n"
		  "2020-01-01T00:00:05.000000000Z unfinis" },
		{ { false, 0, -1, INT64_MIN, 3 }, "" },
		{ { false, 1, -1, INT64_MIN, 3 }, "four\n" },
		{ { false, 2, -1, INT64_MIN, 3 }, "ee\nfour\n" },
		{ { false, 100, -1, INT64_MIN, 3 }, "one\ntwo\nthree\nfour\nunfinis" },
		{ { false, -1, 5, INT64_MIN, 3 }, "one\nt" },
		{ { false, -1, 4, INT64_MIN, 3 }, "one\n" },
		{ { false, -1, 1000, INT64_MIN, 3 }, "one\ntwo\nthree\nfour\nunfinis" },
		{ { false, -1, -1, 1577836804000000000, 3 }, "four\nunfinis" },
		{ { false, -1, -1, INT64_MIN, CRILOG_STDERR }, "two\n" },
		{ { false, -1, 6, INT64_MIN, CRILOG_STDOUT }, "one\nth" },
	};
	struct fixture *f = *state;

	append(f->path, file);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_STR out = { 0 };
		struct logread *r;
		struct err e;

		assert_int_equal(logread_open(f->path, &rows[i].o, &r, &e), 0);
		assert_in_range(drain(r, false, &out), LOGREAD_END, LOGREAD_DONE);
		assert_string_equal(str_text(&out), rows[i].want);
		logread_free(r);
	}
}

/* Every number of lines of a file larger than the blocks that it is searched in. */
static void tails_of_large_files_are_found(void **state)
{
	enum { LINES = 6000 };
	struct fixture *f = *state;
	AUTO_STR file = { 0 };

	for (int i = 0; i < LINES; i++)
		str_printf(&file, STAMP " stdout F line %d\n", i);
	append(f->path, str_text(&file));
	for (int n = 0; n <= LINES + 10; n += 301) {
		struct crilog_options o = all;
		AUTO_STR out = { 0 };
		AUTO_STR want = { 0 };
		struct logread *r;
		struct err e;

		o.tail_lines = n;
		for (int i = n < LINES ? LINES - n : 0; i < LINES; i++)
			str_printf(&want, "line %d\n", i);
		assert_int_equal(logread_open(f->path, &o, &r, &e), 0);
		assert_true(drain(r, false, &out) >= LOGREAD_END);
		assert_string_equal(str_text(&out), str_text(&want));
		logread_free(r);
	}
}

static void a_followed_file_may_grow_rotate_and_be_cut(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *rotated = str_fmt("%s/0.log.20200101-000000", f->dir);
	AUTO_STR out = { 0 };
	struct logread *r;
	struct err e;

	append(f->path, STAMP " stdout F one\n" STAMP " stdout F tw");
	assert_int_equal(logread_open(f->path, &all, &r, &e), 0);
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	assert_string_equal(str_text(&out), "one\n");
	append(f->path, "o\n");
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	assert_string_equal(str_text(&out), "one\ntwo\n");
	/* the last words before the rotation are not lost */
	append(f->path, STAMP " stdout F three\n");
	assert_int_equal(rename(f->path, rotated), 0);
	append(rotated, STAMP " stdout F late\n");
	append(f->path, STAMP " stdout F new\n");
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	assert_string_equal(str_text(&out), "one\ntwo\nthree\nlate\nnew\n");
	/* renamed, and the new one is not there yet */
	assert_int_equal(rename(f->path, rotated), 0);
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	append(f->path, STAMP " stdout F newer and longer\n");
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	append(f->path, STAMP " stdout F cut\n");
	assert_int_equal(drain(r, true, &out), LOGREAD_END);
	assert_string_equal(str_text(&out), "one\ntwo\nthree\nlate\nnew\nnewer and longer\ncut\n");
	logread_free(r);
}

static void what_is_no_log_is_told(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *missing = str_fmt("%s/none.log", f->dir);
	AUTO_STR out = { 0 };
	struct logread *r;
	struct err e;

	assert_int_equal(logread_open(missing, &all, &r, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	append(f->path, "no log at all\n");
	assert_int_equal(logread_open(f->path, &all, &r, &e), 0);
	assert_int_equal(logread_next(r, false, &out, &e), -1);
	assert_non_null(strstr(e.text, "unsupported log format"));
	logread_free(r);
	/* in the middle of a log a bad line is passed over */
	assert_int_equal(unlink(f->path), 0);
	append(f->path, STAMP " stdout F a\ngarbage\n" STAMP " stdout F b\n");
	assert_int_equal(logread_open(f->path, &all, &r, &e), 0);
	assert_int_equal(drain(r, false, &out), LOGREAD_END);
	assert_string_equal(str_text(&out), "a\nb\n");
	logread_free(r);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(lines_are_parsed),
		T(options_choose_what_is_shown),
		T(tails_of_large_files_are_found),
		T(a_followed_file_may_grow_rotate_and_be_cut),
		T(what_is_no_log_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
