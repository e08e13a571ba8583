/* lib/base: errors, text, maps, files, jobs. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/job.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/vec.h"

static void err_wraps_nouns_in_front(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_os(&e, EACCES, "mount %s", "/x"), -1);
	assert_int_equal(err_wrap(&e, "volume %s", "tls"), -1);
	assert_string_equal(e.text, "volume tls: mount /x: Permission denied");
	assert_int_equal(e.code, ERR_FORBIDDEN);
	assert_int_equal(e.os, EACCES);
}

static void err_may_quote_itself(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_INVALID, "inner");
	err_set(&e, ERR_REMOTE, "outer <%s>", e.text);
	assert_string_equal(e.text, "outer <inner>");
}

static void err_codes_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_CODE_COUNT; i++)
		assert_true(err_code_name((enum err_code)i)[0] != '\0');
}

static void str_grows_and_is_taken(void **state)
{
	struct str s = { 0 };
	char *p;

	(void)state;
	assert_string_equal(str_text(&s), "");
	for (int i = 0; i < 1000; i++)
		str_printf(&s, "%d,", i % 10);
	assert_int_equal(s.len, 2000);
	p = str_take(&s);
	assert_int_equal(strlen(p), 2000);
	assert_int_equal(s.len, 0);
	free(p);
}

static void str_parses_whole_numbers_only(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "-5", true, -5 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "", false, 0 },
		{ "1x", false, 0 },
		{ " 1", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t v = 0;

		assert_int_equal(str_to_i64(rows[i].text, &v), rows[i].ok);
		assert_int_equal(v, rows[i].value);
	}
}

static void strv_splits_and_finds(void **state)
{
	char **v = strv_split("a,,bc,", ',');

	(void)state;
	assert_int_equal(strv_len(v), 2);
	assert_true(strv_has(v, "bc"));
	assert_false(strv_has(v, "b"));
	strv_free(v);
}

/* The map against a plain array under random puts and removes. */
static void map_behaves_like_an_array(void **state)
{
	enum { KEYS = 300, STEPS = 20000 };
	struct map m = { 0 };
	intptr_t model[KEYS] = { 0 };
	size_t live = 0;
	unsigned seed = 7;

	(void)state;
	for (int i = 1; i <= STEPS; i++) {
		int k = rand_r(&seed) % KEYS;
		char key[16];

		snprintf(key, sizeof(key), "k%d", k);
		if (rand_r(&seed) % 2) {
			assert_int_equal((intptr_t)map_put(&m, key, (void *)(intptr_t)i), model[k]);
			model[k] = i;
		} else {
			assert_int_equal((intptr_t)map_remove(&m, key), model[k]);
			model[k] = 0;
		}
	}
	for (int k = 0; k < KEYS; k++)
		live += model[k] != 0;
	assert_int_equal(m.count, live);
	for (size_t cursor = 0, seen = 0;; seen++) {
		const char *key;
		void *value;

		if (!map_next(&m, &cursor, &key, &value)) {
			assert_int_equal(seen, live);
			break;
		}
		assert_int_equal((intptr_t)value, model[atoi(key + 1)]);
	}
	map_fini(&m);
}

/* Whatever the hash of this process makes of the keys. */
static void map_walks_in_the_order_of_arrival(void **state)
{
	enum { KEYS = 1000 };
	struct map m = { 0 };
	const char *key;
	void *value;
	intptr_t next = 0;
	char text[16];

	(void)state;
	for (int i = 0; i < KEYS; i++) {
		snprintf(text, sizeof(text), "%x", i * 7919);
		map_put(&m, text, (void *)(intptr_t)i);
	}
	for (size_t cursor = 0; map_next(&m, &cursor, &key, &value); next++) {
		assert_int_equal((intptr_t)value, next);
		if (next % 3)
			map_remove(&m, key);
	}
	assert_int_equal(next, KEYS);
	/* the room of those that went is used again, and what comes back stands last */
	for (int i = 0; i < 20 * KEYS; i++) {
		map_put(&m, "again", &m);
		map_remove(&m, "again");
	}
	assert_true(m.room <= 2 * KEYS);
	map_put(&m, "again", (void *)(intptr_t)KEYS);
	next = 0;
	for (size_t cursor = 0; map_next(&m, &cursor, NULL, &value);) {
		assert_int_equal((intptr_t)value, next);
		next = next + 3 < KEYS ? next + 3 : KEYS;
	}
	map_fini(&m);
}

/* Keys that are a part of their values go with them. */
static void map_borrows_keys(void **state)
{
	struct named {
		int n;
		char name[8];
	} * one, *other;
	struct map m = { .borrows_keys = true };
	const char *key;
	void *value;

	(void)state;
	for (int i = 0; i < 100; i++) {
		one = NEW(struct named);
		snprintf(one->name, sizeof(one->name), "k%d", i);
		assert_null(map_put(&m, one->name, one));
	}
	other = NEW(struct named);
	snprintf(other->name, sizeof(other->name), "k%d", 50);
	one = map_put(&m, other->name, other);
	assert_string_equal(one->name, "k50");
	free(one);
	assert_ptr_equal(map_get(&m, "k50"), other);
	for (size_t cursor = 0; map_next(&m, &cursor, &key, &value);) {
		one = value;
		assert_ptr_equal(key, one->name);
		if (cursor % 2)
			free(map_remove(&m, key));
	}
	assert_int_equal(m.count, 50);
	for (size_t cursor = 0; map_next(&m, &cursor, NULL, &value);)
		free(value);
	map_fini(&m);
}

static void uuids_are_packed(void **state)
{
	static const char good[] = "01234567-89ab-cdef-fedc-ba9876543210";
	static const char *const bad[] = { "",
					   "01234567-89AB-cdef-fedc-ba9876543210",
					   "0123456-789ab-cdef-fedc-ba9876543210",
					   "01234567-89ab-cdef-fedc-ba987654321",
					   "01234567-89ab-cdef-fedc-ba9876543210a",
					   "01234567-89ab-cdef-fedc-ba987654321g",
					   "0123456789abcdeffedcba98765432100000",
					   "-01234567-89ab-cdef-fedc-ba987654321",
					   "------------------------------------" };
	uint8_t bytes[UUID_BYTES];
	char text[UUID_TEXT];

	(void)state;
	assert_true(uuid_pack(good, bytes));
	assert_int_equal(bytes[7], 0xef);
	assert_string_equal(uuid_text(bytes, text), good);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(uuid_pack(bad[i], bytes));
}

/* What the bytes 0, 1, 2, … give by the key of the bytes 0 to 15. */
static void siphash_agrees_with_others(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{ 0, 0xabac0158050fc4dc }, { 1, 0xc9f49bf37d57ca93 },  { 7, 0xd3927d989bb11140 },
		{ 8, 0x369095118d299a8e }, { 15, 0xd320d86d2a519956 }, { 16, 0xcc4fdd1a7d908b66 },
	};
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t bytes[16];

	(void)state;
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(siphash13(bytes, cases[i].len, key) == cases[i].hash);
}

static int int_compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void vec_keeps_what_shall_stay(void **state)
{
	static const int some[] = { 7, 1, 3, 7, 4, 1, 1, 9 }, once[] = { 1, 3, 4, 7, 9 },
			 apart[] = { 1, 3, 7, 9 };
	VEC(int) v = { 0 };

	(void)state;
	vec_sort(&v, int_compare);
	vec_sort_unique(&v, int_compare);
	assert_int_equal(v.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		vec_push(&v, some[i]);
	vec_sort_unique(&v, int_compare);
	assert_int_equal(v.n, ARRAY_SIZE(once));
	assert_memory_equal(v.v, once, sizeof(once));
	vec_keep_after(&v, last, each, !last || *each - *last > 1);
	assert_int_equal(v.n, ARRAY_SIZE(apart));
	assert_memory_equal(v.v, apart, sizeof(apart));
	vec_keep(&v, each, *each == 7);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.v[0], 7);
	vec_fini(&v);
}

static void vec_keeps_order_on_remove(void **state)
{
	VEC(int) v = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		vec_push(&v, i);
	vec_remove(&v, 3);
	assert_int_equal(v.n, 9);
	assert_int_equal(v.v[3], 4);
	vec_fini(&v);
}

static void fs_writes_reads_and_removes(void **state)
{
	char root[] = "/tmp/keelson-fs-XXXXXX";
	struct err e;
	char *text;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(root));
	AUTO_FREE char *dir = str_fmt("%s/a/b/c", root);
	AUTO_FREE char *file = str_fmt("%s/f", dir);
	AUTO_FREE char *link = str_fmt("%s/escape", dir);

	assert_int_equal(fs_mkdir_all(dir, 0755, &e), 0);
	assert_int_equal(fs_write_atomic(file, "hello", 5, 0640, &e), 0);
	assert_int_equal(fs_read(file, 100, &text, &len, &e), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(fs_read(file, 4, &text, &len, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	AUTO_FREE char *device = str_fmt("%s/device", dir);
	struct stat st;

	assert_int_equal(symlink("/dev/full", device), 0);
	assert_int_equal(fs_write_named(device, "hello", 5, 0640, &e), -1);
	assert_int_equal(e.os, ENOSPC);
	assert_int_equal(lstat(device, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fs_write_named(file, "hello, again", 12, 0640, &e), 0);
	assert_int_equal(fs_read(file, 100, &text, &len, &e), 0);
	assert_string_equal(text, "hello, again");
	free(text);
	assert_int_equal(fs_mkdir_all(file, 0755, &e), -1);
	assert_int_equal(e.os, ENOTDIR);
	assert_int_equal(symlink("/etc", link), 0);
	AUTO_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fs_open_beneath(fd, "escape/passwd", O_RDONLY, 0, &e), -1);
	assert_int_equal(fs_open_beneath(fd, "../../x", O_RDONLY, 0, &e), -1);
	assert_int_equal(fs_remove_all(root, &e), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_int_equal(access(root, F_OK), -1);
}

/* Deeper than any stack or table of descriptors: what a container may leave behind. */
static void fs_removes_trees_of_any_depth(void **state)
{
	enum { DEPTH = 1500 };
	char root[] = "/tmp/keelson-fs-XXXXXX";
	int fd, next;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		assert_int_equal(mkdirat(fd, "..removed-0", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(fs_remove_all(root, &e), 0);
	assert_int_equal(access(root, F_OK), -1);
}

struct sum {
	int input, output;
	int *finished;
	sd_event *loop;
};

static void sum_work(void *arg)
{
	struct sum *s = arg;

	s->output = s->input * 2;
}

static void sum_done(void *arg)
{
	struct sum *s = arg;

	assert_int_equal(s->output, s->input * 2);
	if (++*s->finished == 100)
		sd_event_exit(s->loop, 0);
}

static void jobs_move_data_in_and_out(void **state)
{
	struct sum sums[100];
	struct job_pool *pool;
	int finished = 0;
	sd_event *loop;
	struct err e;

	(void)state;
	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(job_pool_new(loop, 4, &pool, &e), 0);
	for (int i = 0; i < 100; i++) {
		sums[i] = (struct sum){ .input = i, .finished = &finished, .loop = loop };
		job_submit(pool, sum_work, sum_done, NULL, &sums[i]);
	}
	assert_int_equal(job_pool_pending(pool), 100);
	assert_int_equal(sd_event_loop(loop), 0);
	assert_int_equal(finished, 100);
	assert_int_equal(job_pool_pending(pool), 0);
	job_pool_free(pool);
	sd_event_unref(loop);
}

struct stuck {
	int block[2], dropped[2]; /* pipes */
};

static void stuck_work(void *arg)
{
	struct stuck *s = arg;
	char c;

	assert_int_equal(read(s->block[0], &c, 1), 1);
}

static void stuck_drop(void *arg)
{
	struct stuck *s = arg;

	assert_int_equal(write(s->dropped[1], "x", 1), 1);
}

static void stuck_done(void *arg)
{
	(void)arg;
	fail_msg("a stuck job is done");
}

/* More of them than the pool has threads: the others go on, and the end does not wait. */
static void stuck_foreign_jobs_hold_up_nobody(void **state)
{
	struct stuck stuck;
	struct sum sums[100];
	struct job_pool *pool;
	int finished = 0;
	sd_event *loop;
	struct err e;
	char got[8];

	(void)state;
	assert_int_equal(pipe(stuck.block), 0);
	assert_int_equal(pipe(stuck.dropped), 0);
	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(job_pool_new(loop, 2, &pool, &e), 0);
	for (int i = 0; i < 8; i++)
		job_submit_foreign(pool, stuck_work, stuck_done, stuck_drop, &stuck);
	for (int i = 0; i < 100; i++) {
		sums[i] = (struct sum){ .input = i, .finished = &finished, .loop = loop };
		(i % 2 ? job_submit_foreign : job_submit)(pool, sum_work, sum_done, NULL, &sums[i]);
	}
	assert_int_equal(sd_event_loop(loop), 0);
	assert_int_equal(finished, 100);
	assert_int_equal(job_pool_pending(pool), 8);
	job_pool_free(pool);
	sd_event_unref(loop);
	/* they end long after the pool */
	for (int i = 0; i < 8; i++)
		assert_int_equal(write(stuck.block[1], "x", 1), 1);
	for (int i = 0; i < 8; i++)
		assert_int_equal(read(stuck.dropped[0], got, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(stuck.block[i]);
		close(stuck.dropped[i]);
	}
}

/* Nobody reads: the line is lost, not we. Once somebody does, the next line says how many. */
static void log_outlives_a_stuck_reader(void **state)
{
	AUTO_FD before = dup(STDERR_FILENO);
	char text[65536] = { 0 };
	ssize_t n;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], text, sizeof(text)) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log_info("into nowhere");
	log_info("into nowhere again");
	while (read(ends[0], text, sizeof(text)) > 0)
		;
	log_info("heard");
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	close(ends[1]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "] heard lost=2\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_wraps_nouns_in_front),
		cmocka_unit_test(err_may_quote_itself),
		cmocka_unit_test(err_codes_have_names),
		cmocka_unit_test(str_grows_and_is_taken),
		cmocka_unit_test(str_parses_whole_numbers_only),
		cmocka_unit_test(strv_splits_and_finds),
		cmocka_unit_test(map_behaves_like_an_array),
		cmocka_unit_test(map_walks_in_the_order_of_arrival),
		cmocka_unit_test(map_borrows_keys),
		cmocka_unit_test(uuids_are_packed),
		cmocka_unit_test(siphash_agrees_with_others),
		cmocka_unit_test(vec_keeps_order_on_remove),
		cmocka_unit_test(vec_keeps_what_shall_stay),
		cmocka_unit_test(fs_writes_reads_and_removes),
		cmocka_unit_test(fs_removes_trees_of_any_depth),
		cmocka_unit_test(log_outlives_a_stuck_reader),
		cmocka_unit_test(jobs_move_data_in_and_out),
		cmocka_unit_test(stuck_foreign_jobs_hold_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
