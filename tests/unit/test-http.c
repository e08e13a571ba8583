/* agent/server: HTTP heads, chunks, authorization attributes, the choice of a log. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/head.h"
#include "http/listen.h"
#include "server/access.h"
#include "server/logpick.h"

static void good_requests_are_understood(void **state)
{
	static const char text[] =
	    "GET /exec/ns/p%20d/c?command=a%26b&command=x+y&tty=1 HTTP/1.1\r\n"
	    "Host: node:10250\r\nConnection: keep-alive, Upgrade\r\n"
	    "UPGRADE:\t SPDY/3.1 \r\nX-Empty:\r\n\r\n";
	struct http_head h;
	struct err e;
	char **commands;

	(void)state;
	assert_int_equal(http_head_length(text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(http_head_length(text, sizeof(text) - 2), 0);
	assert_int_equal(http_parse_request(text, sizeof(text) - 1, &h, &e), 0);
	assert_string_equal(h.method, "GET");
	assert_string_equal(h.path, "/exec/ns/p d/c");
	assert_string_equal(http_header(&h, "upgrade"), "SPDY/3.1");
	assert_string_equal(http_header(&h, "x-empty"), "");
	assert_true(h.upgrade);
	assert_true(h.keep_alive);
	assert_int_equal(h.content_length, -1);
	commands = http_query_all(&h, "command");
	assert_int_equal(strv_len(commands), 2);
	assert_string_equal(commands[0], "a&b");
	assert_string_equal(commands[1], "x y");
	strv_free(commands);
	assert_null(http_query_all(&h, "input"));
	http_head_fini(&h);
}

static void bad_requests_are_refused(void **state)
{
	static const char *const rows[] = {
		"\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head h;
		struct err e;

		assert_int_equal(http_parse_request(rows[i], strlen(rows[i]), &h, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void endless_heads_are_refused(void **state)
{
	AUTO_FREE char *big = mem_calloc(HTTP_HEAD_MAX_BYTES + 1, 1);
	AUTO_STR many = { 0 };
	struct http_head h;
	struct err e;

	(void)state;
	memset(big, 'a', HTTP_HEAD_MAX_BYTES);
	assert_int_equal(http_head_length(big, HTTP_HEAD_MAX_BYTES - 1), 0);
	assert_int_equal(http_head_length(big, HTTP_HEAD_MAX_BYTES), -1);
	str_append(&many, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		str_printf(&many, "a%d: b\r\n", i);
	str_append(&many, "\r\n");
	assert_int_equal(http_parse_request(many.p, many.len, &h, &e), -1);
}

static void connections_are_kept_as_asked(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head h;
		struct err e;

		assert_int_equal(http_parse_request(rows[i].text, strlen(rows[i].text), &h, &e), 0);
		assert_int_equal(h.keep_alive, rows[i].keep_alive);
		http_head_fini(&h);
	}
}

static void responses_are_understood(void **state)
{
	static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n";
	static const char *const bad[] = { "HTTP/1.1 1 a\r\n\r\n", "HTTP/1.1 2000 a\r\n\r\n",
					   "HTTP/3 200 a\r\n\r\n", "SPDY 200 a\r\n\r\n" };
	struct http_head h;
	struct err e;

	(void)state;
	assert_int_equal(http_parse_response(good, sizeof(good) - 1, &h, &e), 0);
	assert_int_equal(h.status, 101);
	http_head_fini(&h);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(http_parse_response(bad[i], strlen(bad[i]), &h, &e), -1);
}

static void chunked_bodies_end_where_they_end(void **state)
{
	static const struct {
		const char *text;
		long taken; /* < 0: refused */
		bool done;
	} rows[] = {
		{ "0\r\n\r\nGET", 5, true },
		{ "5\r\nhello\r\n0\r\n\r\nX", 15, true },
		{ "5;ext=1\r\nhello\r\n0\r\nTrailer: a\r\n\r\nX", 33, true },
		{ "5\r\nhel", 6, false },
		{ "a\r\n0123456789\r\n00\r\n\r\n", 21, true },
		{ "x\r\n", -1, false },
		{ "\r\n", -1, false },
		{ "5\nhello", -1, false },
		{ "1\r\nab", -1, false },
		{ "123456789\r\n", -1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text), at = 0;
		struct http_chunks whole = { 0 }, bytes = { 0 };
		bool done, done_bytes = false;
		long rc = 0;

		assert_int_equal(http_chunks_skip(&whole, rows[i].text, len, &done), rows[i].taken);
		assert_int_equal(done, rows[i].done);
		while (at < len && !done_bytes && rc >= 0)
			rc = http_chunks_skip(&bytes, rows[i].text + at++, 1, &done_bytes);
		assert_int_equal(done_bytes, rows[i].done);
		assert_int_equal(rc < 0 ? -1 : (long)at, rows[i].taken);
	}
}

static void paths_become_subresources(void **state)
{
	static const struct {
		const char *path, *first, *second;
	} rows[] = {
		{ "/pods", "pods", "proxy" },
		{ "/pods/", "pods", "proxy" },
		{ "/podsx", "proxy", NULL },
		{ "/runningpods/", "pods", "proxy" },
		{ "/healthz/ping", "healthz", "proxy" },
		{ "/configz", "configz", "proxy" },
		{ "/stats/summary", "stats", NULL },
		{ "/metrics/cadvisor", "metrics", NULL },
		{ "/logs/x", "log", NULL },
		{ "/checkpoint/a/b/c", "checkpoint", NULL },
		{ "/statusz", "statusz", NULL },
		{ "/flagz", "configz", NULL },
		{ "/exec/a/b/c", "proxy", NULL },
		{ "/containerLogs/a/b/c", "proxy", NULL },
		{ "/", "proxy", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got[ACCESS_SUBRESOURCES_MAX];
		size_t n = access_subresources(rows[i].path, got);

		assert_int_equal(n, rows[i].second ? 2 : 1);
		assert_string_equal(got[0], rows[i].first);
		if (n == 2)
			assert_string_equal(got[1], rows[i].second);
	}
	assert_string_equal(access_verb("POST"), "create");
	assert_string_equal(access_verb("BREW"), "");
}

static void users_with_different_groups_have_different_keys(void **state)
{
	char *one[] = { (char *)"a", (char *)"b", NULL }, *two[] = { (char *)"a,b", NULL };
	struct server_user u = { .name = (char *)"x", .groups = one };
	struct server_user v = { .name = (char *)"x", .groups = two };
	AUTO_FREE char *a = server_user_key(&u);
	AUTO_FREE char *b = server_user_key(&v);

	(void)state;
	assert_string_not_equal(a, b);
}

static void logs_are_those_of_the_right_container(void **state)
{
	static const struct {
		struct server_container view;
		bool previous;
		const char *id, *text;
	} rows[] = {
		{ { .has_status = false },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is not available" },
		{ { .has_status = true, .state = SERVER_RUNNING, .id = "r" }, false, "r", NULL },
		{ { .has_status = true, .state = SERVER_RUNNING, .id = "r" },
		  true,
		  NULL,
		  "previous terminated container \"c\" in pod \"p\" not found" },
		{ { .has_status = true,
		    .state = SERVER_RUNNING,
		    .id = "r",
		    .was_terminated = true,
		    .last_id = "l" },
		  true,
		  "l",
		  NULL },
		{ { .has_status = true, .state = SERVER_TERMINATED, .terminated_id = "t" },
		  false,
		  "t",
		  NULL },
		{ { .has_status = true,
		    .state = SERVER_TERMINATED,
		    .was_terminated = true,
		    .last_id = "l" },
		  false,
		  "l",
		  NULL },
		{ { .has_status = true, .state = SERVER_TERMINATED },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is terminated" },
		{ { .has_status = true,
		    .state = SERVER_WAITING,
		    .waiting_reason = "CrashLoopBackOff",
		    .was_terminated = true,
		    .last_id = "l" },
		  false,
		  "l",
		  NULL },
		{ { .has_status = true,
		    .state = SERVER_WAITING,
		    .waiting_reason = "ContainerCreating" },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is waiting to start: ContainerCreating" },
		{ { .has_status = true,
		    .state = SERVER_WAITING,
		    .waiting_reason = "ImagePullBackOff" },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull "
		  "image" },
		{ { .has_status = true, .state = SERVER_WAITING, .waiting_reason = "ErrImagePull" },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is waiting to start: image can't be pulled" },
		{ { .has_status = true },
		  false,
		  NULL,
		  "container \"c\" in pod \"p\" is waiting to start - no logs yet" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *id = NULL;
		struct err e = { 0 };
		int rc = logpick(&rows[i].view, "p", "c", rows[i].previous, &id, &e);

		assert_int_equal(rc, rows[i].id ? 0 : -1);
		if (rows[i].id)
			assert_string_equal(id, rows[i].id);
		else
			assert_string_equal(e.text, rows[i].text);
	}
}

/* ---- connections that just sit there ---- */

static void say_ok(void *ctx, struct conn *c)
{
	(void)ctx;
	conn_reply_text(c, 200, "ok");
}

static void run(sd_event *loop)
{
	while (sd_event_run(loop, 50 * USEC_PER_MSEC) > 0)
		continue;
}

static int connect_to(const struct listener *l)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(listener_port(l)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void assert_served(sd_event *loop, int fd)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	char buf[512];

	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	run(loop);
	assert_true(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 12);
	assert_memory_equal(buf, "HTTP/1.1 200", 12);
}

static void idle_connections_make_room(void **state)
{
	struct listener_setup setup = { .address = "127.0.0.1",
					.request = say_ok,
					.connections_max = 2 };
	struct listener *l;
	int idle[2], fd;
	char byte;

	(void)state;
	assert_true(sd_event_new(&setup.loop) >= 0);
	assert_int_equal(listener_new(&setup, &l, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = connect_to(l);
	run(setup.loop);
	fd = connect_to(l);
	run(setup.loop);
	assert_served(setup.loop, fd);
	/* the oldest went */
	assert_int_equal(recv(idle[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(idle[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	close(idle[0]);
	close(idle[1]);
	listener_free(l);
	sd_event_unref(setup.loop);
}

/* Valgrind keeps limits by itself: it accepts a connection and closes it. */
static bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* Without descriptors the loop must not spin, and goes on when there are some. */
static void newcomers_wait_for_descriptors(void **state)
{
	struct listener_setup setup = { .address = "127.0.0.1", .request = say_ok };
	struct rlimit before, none;
	struct listener *l;
	int fd, turns = 0;

	(void)state;
	assert_true(sd_event_new(&setup.loop) >= 0);
	assert_int_equal(listener_new(&setup, &l, NULL), 0);
	fd = connect_to(l);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (turns < 100 && sd_event_run(setup.loop, 50 * USEC_PER_MSEC) > 0)
		turns++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(turns, 1, 3);
	/* until nothing happens for longer than it waits */
	for (turns = 0; turns < 100 && sd_event_run(setup.loop, 2 * USEC_PER_SEC) > 0;)
		turns++;
	assert_in_range(turns, 1, 10);
	if (!under_valgrind())
		assert_served(setup.loop, fd);
	close(fd);
	run(setup.loop);
	fd = connect_to(l);
	run(setup.loop);
	assert_served(setup.loop, fd);
	close(fd);
	listener_free(l);
	sd_event_unref(setup.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_are_understood),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(endless_heads_are_refused),
		cmocka_unit_test(connections_are_kept_as_asked),
		cmocka_unit_test(responses_are_understood),
		cmocka_unit_test(chunked_bodies_end_where_they_end),
		cmocka_unit_test(paths_become_subresources),
		cmocka_unit_test(users_with_different_groups_have_different_keys),
		cmocka_unit_test(logs_are_those_of_the_right_container),
		cmocka_unit_test(idle_connections_make_room),
		cmocka_unit_test(newcomers_wait_for_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
