/* cri/wire: framing under every split, cutting, status texts, time-outs. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/runtime.pb-c.h"
#include "wire.h"

static int collect(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct str *out = ctx;

	(void)e;
	str_printf(out, "%zu:", len);
	str_append_n(out, data, len);
	str_append_c(out, ';');
	return 0;
}

static void frame(struct str *out, const char *text)
{
	uint8_t prefix[WIRE_PREFIX_BYTES];

	wire_prefix(prefix, strlen(text));
	str_append_n(out, prefix, sizeof(prefix));
	str_append(out, text);
}

static void messages_come_out_whole_under_any_split(void **state)
{
	AUTO_STR in = { 0 };

	(void)state;
	frame(&in, "hello");
	frame(&in, "");
	frame(&in, "worlds of words");
	for (size_t piece = 1; piece <= in.len; piece++) {
		struct wire_reader r = { .max_bytes = 100 };
		AUTO_STR out = { 0 };
		struct err e;

		for (size_t at = 0; at < in.len; at += piece) {
			size_t n = in.len - at < piece ? in.len - at : piece;

			assert_int_equal(wire_feed(&r, (uint8_t *)in.p + at, n, collect, &out, &e),
					 0);
		}
		assert_string_equal(str_text(&out), "5:hello;0:;15:worlds of words;");
		assert_int_equal(wire_finish(&r, &e), 0);
		wire_reader_fini(&r);
	}
}

static void bad_prefixes_are_refused(void **state)
{
	static const struct {
		uint8_t bytes[5];
		enum err_code code;
	} rows[] = {
		{ { 1, 0, 0, 0, 5 }, ERR_INVALID },
		{ { 0, 0, 0, 0, 11 }, ERR_TOO_LARGE },
		{ { 0, 0xff, 0xff, 0xff, 0xff }, ERR_TOO_LARGE },
		{ { 0, 0, 0, 0, 10 }, ERR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_reader r = { .max_bytes = 10 };
		struct err e = { 0 };

		assert_int_equal(wire_feed(&r, rows[i].bytes, 5, collect, NULL, &e),
				 rows[i].code ? -1 : 0);
		assert_int_equal(e.code, rows[i].code);
		/* a promise of bytes costs nothing before they come */
		assert_int_equal(r.text.cap, 0);
		wire_reader_fini(&r);
	}
}

static void an_end_inside_a_message_is_noticed(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 0, 3, 'a' };

	(void)state;
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		struct wire_reader r = { .max_bytes = 10 };
		struct err e;

		assert_int_equal(wire_feed(&r, bytes, n, collect, NULL, &e), 0);
		assert_int_equal(wire_finish(&r, &e), -1);
		wire_reader_fini(&r);
	}
}

static int take_exec(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	*(Cri__ExecSyncResponse **)ctx =
	    proto_unpack(&cri__exec_sync_response__descriptor, data, len, e);
	return *(void **)ctx ? 0 : -1;
}

/* Long output is cut while it comes in; what follows it stays readable, for every split. */
static void long_fields_are_cut(void **state)
{
	AUTO_PROTO Cri__ExecSyncResponse *m = proto_new(&cri__exec_sync_response__descriptor);
	AUTO_STR in = { 0 };
	uint8_t prefix[WIRE_PREFIX_BYTES];
	size_t len;

	(void)state;
	m->stdout.data = mem_calloc(5000, 1);
	memset(m->stdout.data, 'o', 5000);
	m->stdout.len = 5000;
	m->stderr.data = (uint8_t *)mem_strdup("err");
	m->stderr.len = 3;
	m->exit_code = -7;
	AUTO_FREE uint8_t *packed = proto_pack(m, &len);
	wire_prefix(prefix, len);
	str_append_n(&in, prefix, sizeof(prefix));
	str_append_n(&in, packed, len);
	for (size_t piece = 1; piece < 200; piece++) {
		struct wire_reader r = { .max_bytes = 10000, .cut_bytes = 100 };
		AUTO_PROTO Cri__ExecSyncResponse *got = NULL;
		struct err e;

		for (size_t at = 0; at < in.len; at += piece) {
			size_t n = in.len - at < piece ? in.len - at : piece;

			assert_int_equal(
			    wire_feed(&r, (uint8_t *)in.p + at, n, take_exec, &got, &e), 0);
		}
		assert_non_null(got);
		assert_int_equal(got->stdout.len, 100);
		assert_int_equal(got->stderr.len, 3);
		assert_int_equal(got->exit_code, -7);
		wire_reader_fini(&r);
	}
}

static void messages_are_percent_decoded(void **state)
{
	static const struct {
		const char *raw, *want;
	} rows[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "50%25 of %C3%A4", "50% of \xc3\xa4" },
		{ "%", "%" },
		{ "%4", "%4" },
		{ "%zz", "%zz" },
		{ "%41", "A" },
		{ "%00x", " x" },
		{ "%ff%C3", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "%ED%A0%80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "%F0%9F%98%80", "\xf0\x9f\x98\x80" },
		{ "a%0Ab", "a\nb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_STR out = { 0 };

		wire_message_decode(&out, rows[i].raw, strlen(rows[i].raw));
		assert_string_equal(str_text(&out), rows[i].want);
	}
}

static void encoding_then_decoding_gives_the_text_back(void **state)
{
	static const char *const texts[] = { "x", "100% \xc3\xa9\n", "\xe2\x82\xac 5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_STR raw = { 0 };
		AUTO_STR back = { 0 };

		wire_message_encode(&raw, texts[i]);
		wire_message_decode(&back, str_text(&raw), raw.len);
		assert_string_equal(str_text(&back), texts[i]);
	}
}

static void statuses_become_codes(void **state)
{
	static const struct {
		int status;
		const char *text;
		enum err_code code;
	} rows[] = {
		{ 0, "", ERR_NONE },
		{ 1, "x", ERR_CANCELLED },
		{ 2, "x", ERR_REMOTE },
		{ 3, "x", ERR_INVALID },
		{ 4, "x", ERR_TIMEOUT },
		{ 5, "x", ERR_NOT_FOUND },
		{ 6, "x", ERR_EXISTS },
		{ 7, "x", ERR_FORBIDDEN },
		{ 8, "x", ERR_BUSY },
		{ 8, "grpc: received message larger than max (1 vs. 2)", ERR_TOO_LARGE },
		{ 9, "x", ERR_REMOTE },
		{ 12, "x", ERR_UNIMPLEMENTED },
		{ 14, "x", ERR_UNAVAILABLE },
		{ 16, "x", ERR_UNAUTHORIZED },
		{ 99, "x", ERR_REMOTE },
		{ -1, "x", ERR_REMOTE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		assert_int_equal(
		    wire_status_err(&e, rows[i].status, rows[i].text, strlen(rows[i].text)),
		    rows[i].code ? -1 : 0);
		assert_int_equal(e.code, rows[i].code);
		if (rows[i].code && rows[i].status > 0)
			assert_int_equal(-e.os, rows[i].status);
	}
}

static void timeouts_have_eight_digits_at_most(void **state)
{
	static const struct {
		int64_t msec;
		const char *text;
	} rows[] = {
		{ 0, "0m" },
		{ -5, "0m" },
		{ 300, "300m" },
		{ 99999999, "99999999m" },
		{ 100000000, "100000S" },
		{ 99999999999, "99999999S" },
		{ 100000000000, "27777H" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[WIRE_TIMEOUT_BYTES];
		int64_t back;

		wire_timeout_format(text, rows[i].msec);
		assert_string_equal(text, rows[i].text);
		assert_true(wire_timeout_parse(text, strlen(text), &back));
	}
	int64_t v;

	assert_true(wire_timeout_parse("1500u", 5, &v));
	assert_int_equal(v, 2);
	assert_false(wire_timeout_parse("", 0, &v));
	assert_false(wire_timeout_parse("m", 1, &v));
	assert_false(wire_timeout_parse("5x", 2, &v));
	assert_false(wire_timeout_parse("123456789m", 10, &v));
	assert_false(wire_timeout_parse("-1m", 3, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_whole_under_any_split),
		cmocka_unit_test(bad_prefixes_are_refused),
		cmocka_unit_test(an_end_inside_a_message_is_noticed),
		cmocka_unit_test(long_fields_are_cut),
		cmocka_unit_test(messages_are_percent_decoded),
		cmocka_unit_test(encoding_then_decoding_gives_the_text_back),
		cmocka_unit_test(statuses_become_codes),
		cmocka_unit_test(timeouts_have_eight_digits_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
