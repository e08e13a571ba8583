/* Termination messages: from the file, from the end of the log. */
#include "test.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/codec.h"
#include "pod/podobs.h"
#include "pod/termination.h"

#define LINE(tag, text) "2026-01-01T00:00:00.000000000Z stdout " tag " " text "\n"
#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *log;
	size_t len;
	size_t max_lines, max_bytes;
	const char *want;
} tails[] = {
	{ BYTES(""), 9, 99, "" },
	{ BYTES(LINE("F", "one") LINE("F", "two")), 9, 99, "one\ntwo\n" },
	{ BYTES(LINE("F", "one") LINE("F", "two")), 1, 99, "two\n" },
	{ BYTES(LINE("F", "one") LINE("F", "two")), 9, 5, "\ntwo\n" },
	{ BYTES(LINE("P", "o") LINE("F", "ne")), 9, 99, "one\n" },
	{ BYTES("garbage\n" LINE("F", "x")), 9, 99, "x\n" },
	{ BYTES(LINE("F", "a\0b") LINE("F", "c")), 9, 99, "a" CODEC_NUL "b\nc\n" },
};

static void ends_of_logs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		AUTO_FREE char *have = termination_log_tail(
		    tails[i].log, tails[i].len, tails[i].max_lines, tails[i].max_bytes);

		assert_string_equal(have, tails[i].want);
	}
}

static const struct {
	const char *file;
	size_t len;
	int exit_code;
	const char *policy, *want;
} messages[] = {
	{ BYTES("bye"), 0, "File", "bye" },
	{ BYTES(""), 1, "File", NULL },
	{ BYTES(""), 0, "FallbackToLogsOnError", NULL },
	{ BYTES(""), 1, "FallbackToLogsOnError", "from the log\n" },
	{ BYTES("bye"), 1, "FallbackToLogsOnError", "bye" },
	{ BYTES("\0a\0"), 0, "File", CODEC_NUL "a" CODEC_NUL },
};

static void messages_of_containers(void **state)
{
	char dir[] = "/tmp/termination-XXXXXX";
	AUTO_FREE char *file = NULL;
	AUTO_FREE char *log = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	file = str_fmt("%s/message", dir);
	log = str_fmt("%s/0.log", dir);
	assert_int_equal(fs_write_atomic(log, BYTES(LINE("F", "from the log")), 0644, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct obs_container *c = NEW(struct obs_container);

		assert_int_equal(
		    fs_write_atomic(file, messages[i].file, messages[i].len, 0644, NULL), 0);
		c->termination_log_path = mem_strdup(file);
		c->log_path = mem_strdup(log);
		c->termination_policy = mem_strdup(messages[i].policy);
		c->exit_code = messages[i].exit_code;
		termination_read_message(c);
		assert_true(str_eq(c->message, messages[i].want));
		obs_container_free(c);
	}
	unlink(file);
	unlink(log);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_logs),
		cmocka_unit_test(messages_of_containers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
