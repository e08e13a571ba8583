/* cri/grpc against our own server, with a byte relay between them that cuts and corrupts. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/cri.h"
#include "cri/grpc-server.h"
#include "cri/grpc.h"

/* ---- a server that does what the method's name says ---- */

struct world {
	sd_event *loop;
	char dir[32];
	char *path;
	struct grpc_server *server;
	struct grpc_req *held;
	struct grpc_req *stream;
	int cancelled, served;
};

static void note_cancel(void *ctx)
{
	struct world *w = ctx;

	w->cancelled++;
	/* the request is ours until it is ended */
	if (w->held)
		grpc_req_end(w->held, NULL);
	if (w->stream)
		grpc_req_end(w->stream, NULL);
	w->held = w->stream = NULL;
}

static void serve_stream(struct world *w, struct grpc_req *req, int n)
{
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *text = str_fmt("message %d", i);

		grpc_req_send(req, (const uint8_t *)text, strlen(text));
	}
	w->stream = req;
	grpc_req_on_cancel(req, note_cancel, w);
}

static void serve(void *ctx, struct grpc_req *req, const char *path, const uint8_t *data,
		  size_t len)
{
	struct world *w = ctx;
	struct err e;

	w->served++;
	if (str_eq(path, "/t/Echo")) {
		grpc_req_send(req, data, len);
		grpc_req_end(req, NULL);
	} else if (str_eq(path, "/t/NotFound")) {
		err_set(&e, ERR_NOT_FOUND, "no \"%s\" \xc3\xa4", "x");
		grpc_req_end(req, &e);
	} else if (str_eq(path, "/t/LateError")) {
		grpc_req_send(req, data, len);
		err_set(&e, ERR_BUSY, "enough");
		grpc_req_end(req, &e);
	} else if (str_eq(path, "/t/Hold")) {
		w->held = req;
		grpc_req_on_cancel(req, note_cancel, w);
	} else if (str_eq(path, "/t/Stream")) {
		serve_stream(w, req, 5);
	} else if (str_eq(path, "/t/Big")) {
		AUTO_FREE uint8_t *big = mem_calloc(17 * 1024 * 1024, 1);

		grpc_req_send(req, big, 17 * 1024 * 1024);
		grpc_req_end(req, NULL);
	} else if (str_eq(path, "/t/Flood")) {
		AUTO_FREE uint8_t *piece = mem_calloc(64 * 1024, 1);

		for (int i = 0; i < 200; i++)
			grpc_req_send(req, piece, 64 * 1024);
		w->stream = req;
		grpc_req_on_cancel(req, note_cancel, w);
	} else {
		err_set(&e, ERR_UNIMPLEMENTED, "unknown method %s", path);
		grpc_req_end(req, &e);
	}
}

static void start_server(struct world *w)
{
	struct err e;

	assert_int_equal(grpc_server_new(w->loop, w->path, serve, w, &w->server, &e), 0);
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);

	strcpy(w->dir, "/tmp/test-grpc-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->path = str_fmt("%s/s", w->dir);
	assert_true(sd_event_new(&w->loop) >= 0);
	start_server(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *relay = str_fmt("%s/r", w->dir);

	grpc_server_free(w->server);
	if (w->held)
		grpc_req_end(w->held, NULL);
	if (w->stream)
		grpc_req_end(w->stream, NULL);
	unlink(w->path);
	unlink(relay);
	rmdir(w->dir);
	sd_event_unref(w->loop);
	free(w->path);
	free(w);
	return 0;
}

/* ---- what a call gave ---- */

struct outcome {
	struct world *w;
	struct grpc_call *call;
	int messages, done;
	struct str text;
	size_t bytes;
	struct err e;
	int cancel_after; /* messages; 0: never */
	struct grpc *free_in_message;
	int64_t done_usec;
};

static int on_message(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct outcome *o = ctx;

	(void)e;
	assert_int_equal(o->done, 0);
	o->messages++;
	o->bytes += len;
	if (len < 100) {
		str_append_n(&o->text, data, len);
		str_append_c(&o->text, ';');
	}
	if (o->cancel_after && o->messages == o->cancel_after) {
		grpc_call_cancel(o->call);
		o->done = 100;
	}
	if (o->free_in_message) {
		grpc_free(o->free_in_message);
		o->done = 100;
	}
	return 0;
}

static void on_done(void *ctx, const struct err *e)
{
	struct outcome *o = ctx;

	o->done++;
	o->done_usec = clock_mono_usec();
	if (e)
		o->e = *e;
}

static const struct grpc_handler handler = { on_message, on_done };

static void spin(struct world *w, const int *flag, int want)
{
	int64_t limit = clock_mono_usec() + 10 * USEC_PER_SEC;

	while (*flag < want) {
		assert_true(clock_mono_usec() < limit);
		assert_true(sd_event_run(w->loop, 100 * USEC_PER_MSEC) >= 0);
	}
}

/* Lets everything that is already under way happen. */
static void settle(struct world *w)
{
	while (sd_event_run(w->loop, 20 * USEC_PER_MSEC) > 0)
		continue;
}

static struct grpc *dial(struct world *w, const char *path)
{
	struct grpc *g;
	struct err e;
	AUTO_FREE char *address = str_fmt("unix://%s", path);

	assert_int_equal(grpc_new(w->loop, address, &g, &e), 0);
	return g;
}

static void start(struct grpc *g, struct outcome *o, const char *method, const char *text,
		  int64_t timeout_msec)
{
	struct grpc_request r = {
		.method = method, .data = text, .len = strlen(text), .timeout_msec = timeout_msec
	};

	o->call = grpc_call_start(g, &r, &handler, o);
	assert_int_equal(o->done, 0); /* never before the call returns */
}

static void unary_calls_share_a_connection(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome o[50] = { 0 };

	for (int i = 0; i < 50; i++)
		start(g, &o[i], "/t/Echo", i % 2 ? "odd" : "", 5000);
	for (int i = 0; i < 50; i++) {
		spin(w, &o[i].done, 1);
		assert_int_equal(o[i].e.code, ERR_NONE);
		assert_string_equal(str_text(&o[i].text), i % 2 ? "odd;" : ";");
		str_fini(&o[i].text);
	}
	assert_int_equal(grpc_server_connections(w->server), 1);
	grpc_free(g);
}

static void errors_carry_status_and_text(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome a = { 0 }, b = { 0 }, c = { 0 };
	char text[200];

	start(g, &a, "/t/NotFound", "x", 5000); /* trailers only */
	start(g, &b, "/t/LateError", "x", 5000);
	start(g, &c, "/t/Nonsense", "x", -1);
	spin(w, &a.done, 1);
	spin(w, &b.done, 1);
	spin(w, &c.done, 1);
	assert_int_equal(a.e.code, ERR_NOT_FOUND);
	assert_string_equal(a.e.text, "no \"x\" \xc3\xa4");
	assert_string_equal(grpc_err_text(&a.e, text, sizeof(text)),
			    "rpc error: code = NotFound desc = no \"x\" \xc3\xa4");
	assert_int_equal(b.e.code, ERR_BUSY);
	assert_int_equal(b.messages, 1);
	assert_int_equal(c.e.code, ERR_UNIMPLEMENTED);
	str_fini(&b.text);
	grpc_free(g);
}

static void deadlines_end_calls_and_tell_the_peer(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome o = { 0 };
	int64_t start_usec = clock_mono_usec();

	start(g, &o, "/t/Hold", "x", 200);
	spin(w, &o.done, 1);
	assert_int_equal(o.e.code, ERR_TIMEOUT);
	assert_in_range(o.done_usec - start_usec, 195000, 2000000);
	spin(w, &w->cancelled, 1);
	grpc_free(g);
}

static void cancel_reaches_the_peer_and_calls_nobody(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome o = { 0 }, stream = { .cancel_after = 2 };

	start(g, &o, "/t/Hold", "x", 5000);
	spin(w, &w->served, 1);
	grpc_call_cancel(o.call);
	spin(w, &w->cancelled, 1);
	start(g, &stream, "/t/Stream", "x", -1);
	spin(w, &w->cancelled, 2);
	settle(w);
	assert_int_equal(o.done, 0);
	assert_int_equal(stream.messages, 2);
	assert_int_equal(stream.done, 100);
	str_fini(&stream.text);
	grpc_free(g);
}

static void streams_deliver_in_order_and_end(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome o = { 0 };

	start(g, &o, "/t/Stream", "x", -1);
	spin(w, &o.messages, 5);
	assert_string_equal(str_text(&o.text),
			    "message 0;message 1;message 2;message 3;message 4;");
	grpc_req_send(w->stream, (const uint8_t *)"late", 4);
	spin(w, &o.messages, 6);
	grpc_req_end(w->stream, NULL);
	w->stream = NULL;
	spin(w, &o.done, 1);
	assert_int_equal(o.e.code, ERR_NONE);
	str_fini(&o.text);
	grpc_free(g);
}

static void too_long_messages_are_refused_at_the_prefix(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome o = { 0 }, after = { 0 };

	start(g, &o, "/t/Big", "x", 5000);
	spin(w, &o.done, 1);
	assert_int_equal(o.e.code, ERR_TOO_LARGE);
	assert_int_equal(o.messages, 0);
	/* the connection and its window survive that */
	start(g, &after, "/t/Echo", "still here", 5000);
	spin(w, &after.done, 1);
	assert_int_equal(after.e.code, ERR_NONE);
	assert_int_equal(grpc_server_connections(w->server), 1);
	str_fini(&after.text);
	grpc_free(g);
}

/* A paused stream fills its window and no more; other calls go on; nothing is lost. */
static void a_paused_stream_holds_its_peer_back(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome flood = { 0 }, echo = { 0 };

	start(g, &flood, "/t/Flood", "x", -1);
	grpc_call_pause(flood.call, true);
	settle(w);
	assert_int_equal(flood.messages, 0);
	assert_true(grpc_req_queued_bytes(w->stream) > 10 * 1024 * 1024);
	start(g, &echo, "/t/Echo", "me too", 5000);
	spin(w, &echo.done, 1);
	assert_int_equal(echo.e.code, ERR_NONE);
	grpc_call_pause(flood.call, false);
	spin(w, &flood.messages, 200);
	assert_int_equal(flood.bytes, 200 * 64 * 1024);
	str_fini(&echo.text);
	grpc_free(g);
}

static void goaway_drains_the_old_connection(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome held = { 0 }, echo = { 0 };

	start(g, &held, "/t/Hold", "x", 5000);
	spin(w, &w->served, 1);
	grpc_server_drain(w->server);
	settle(w);
	start(g, &echo, "/t/Echo", "new", 5000);
	spin(w, &echo.done, 1);
	assert_int_equal(echo.e.code, ERR_NONE);
	assert_int_equal(grpc_server_connections(w->server), 2);
	grpc_req_send(w->held, (const uint8_t *)"old", 3);
	grpc_req_end(w->held, NULL);
	w->held = NULL;
	spin(w, &held.done, 1);
	assert_int_equal(held.e.code, ERR_NONE);
	assert_string_equal(str_text(&held.text), "old;");
	settle(w);
	assert_int_equal(grpc_server_connections(w->server), 1);
	str_fini(&held.text);
	str_fini(&echo.text);
	grpc_free(g);
}

static void a_dying_server_ends_calls_and_a_restart_is_waited_for(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome held = { 0 }, waiting = { 0 };

	start(g, &held, "/t/Hold", "x", -1);
	spin(w, &w->served, 1);
	grpc_server_free(w->server);
	w->server = NULL;
	unlink(w->path);
	spin(w, &held.done, 1);
	assert_int_equal(held.e.code, ERR_UNAVAILABLE);
	start(g, &waiting, "/t/Echo", "hi", 5000);
	for (int i = 0; i < 5; i++)
		sd_event_run(w->loop, 50 * USEC_PER_MSEC);
	assert_int_equal(waiting.done, 0);
	start_server(w);
	spin(w, &waiting.done, 1);
	assert_int_equal(waiting.e.code, ERR_NONE);
	assert_string_equal(str_text(&waiting.text), "hi;");
	str_fini(&waiting.text);
	grpc_free(g);
}

/* The connection broke while nobody looked: the next call is not the one that pays. */
static void a_call_on_a_dead_connection_is_sent_again(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome first = { 0 }, second = { 0 };

	start(g, &first, "/t/Echo", "1", 5000);
	spin(w, &first.done, 1);
	grpc_server_free(w->server);
	start_server(w);
	start(g, &second, "/t/Echo", "2", 5000);
	spin(w, &second.done, 1);
	assert_int_equal(second.e.code, ERR_NONE);
	str_fini(&first.text);
	str_fini(&second.text);
	grpc_free(g);
}

static void a_long_outage_fails_calls_at_once(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *nowhere = str_fmt("%s/none", w->dir);
	struct grpc *g = dial(w, nowhere);
	struct outcome early = { 0 }, late = { 0 }, shorter = { 0 };
	int64_t t0 = clock_mono_usec();

	start(g, &early, "/t/Echo", "x", -1);
	start(g, &shorter, "/t/Echo", "x", 300);
	spin(w, &shorter.done, 1);
	assert_int_equal(shorter.e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(shorter.e.text, nowhere));
	spin(w, &early.done, 1);
	assert_int_equal(early.e.code, ERR_UNAVAILABLE);
	assert_in_range(early.done_usec - t0, GRPC_OUTAGE_WAIT_MSEC * 900LL,
			GRPC_OUTAGE_WAIT_MSEC * 1000LL + 4 * USEC_PER_SEC);
	t0 = clock_mono_usec();
	start(g, &late, "/t/Echo", "x", -1);
	spin(w, &late.done, 1);
	assert_in_range(late.done_usec - t0, 0, 300 * USEC_PER_MSEC);
	assert_int_equal(late.e.code, ERR_UNAVAILABLE);
	grpc_free(g);
}

static void free_drops_open_calls_even_from_a_callback(void **state)
{
	struct world *w = *state;
	struct grpc *g = dial(w, w->path);
	struct outcome held = { 0 }, o = { 0 };

	start(g, &held, "/t/Hold", "x", -1);
	start(g, &o, "/t/Stream", "x", -1);
	o.free_in_message = g;
	spin(w, &o.done, 100);
	settle(w);
	assert_int_equal(o.messages, 1);
	assert_int_equal(held.done, 0);
	str_fini(&o.text);
}

static void addresses_are_checked(void **state)
{
	static const char *const bad[] = { "",
					   "run/x.sock",
					   "tcp://host:80",
					   "tcp://1.2.3.4",
					   "tcp://1.2.3.4:0",
					   "tcp://[::1:80",
					   "npipe:////./x" };
	char longest[200];
	struct world *w = *state;
	struct grpc *g;
	struct err e;

	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(grpc_new(w->loop, longest, &g, &e), -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {

		assert_int_equal(grpc_new(w->loop, bad[i], &g, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

/* ---- relay ---- */

struct relay {
	const char *from, *to;
	int listen_fd;
	size_t chunk;    /* bytes a write, to the client */
	size_t break_at; /* bytes to the client, then: */
	bool garbage;    /* random bytes, else the connection closes */
	unsigned seed;
	pthread_t thread;
};

static int unix_socket(const char *path, bool server)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (server) {
		unlink(path);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 5) < 0)
			abort();
	} else if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

		if (r <= 0)
			return false;
		p += r;
		n -= (size_t)r;
	}
	return true;
}

static void spoil(struct relay *r, int client)
{
	char junk[512];

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)rand_r(&r->seed);
	if (r->garbage)
		send_all(client, junk, sizeof(junk));
}

static void relay_one(struct relay *r, int client, int server)
{
	struct pollfd p[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	size_t sent = 0;
	char buf[4096];

	while (poll(p, 2, -1) > 0) {
		if (p[0].revents) {
			ssize_t n = read(client, buf, sizeof(buf));

			if (n <= 0 || !send_all(server, buf, (size_t)n))
				return;
		}
		if (p[1].revents) {
			ssize_t n = read(server, buf, r->chunk);

			if (n <= 0 || !send_all(client, buf, (size_t)n))
				return;
			sent += (size_t)n;
			if (r->break_at && sent >= r->break_at) {
				spoil(r, client);
				return;
			}
		}
	}
}

static void *relay_main(void *arg)
{
	struct relay *r = arg;
	int client;

	while ((client = accept(r->listen_fd, NULL, NULL)) >= 0) {
		int server = unix_socket(r->to, false);

		if (server >= 0) {
			relay_one(r, client, server);
			close(server);
		}
		close(client);
	}
	return NULL;
}

static void relay_start(struct relay *r)
{
	r->listen_fd = unix_socket(r->from, true);
	assert_int_equal(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

static void relay_stop(struct relay *r)
{
	shutdown(r->listen_fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->listen_fd);
}

static void single_bytes_are_enough(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *path = str_fmt("%s/r", w->dir);
	struct relay r = { .from = path, .to = w->path, .chunk = 1 };
	struct grpc *g = dial(w, path);
	struct outcome o = { 0 }, bad = { 0 };

	relay_start(&r);
	start(g, &o, "/t/Echo", "fragmented", 5000);
	start(g, &bad, "/t/NotFound", "x", 5000);
	spin(w, &o.done, 1);
	spin(w, &bad.done, 1);
	assert_string_equal(str_text(&o.text), "fragmented;");
	assert_int_equal(bad.e.code, ERR_NOT_FOUND);
	str_fini(&o.text);
	grpc_free(g);
	settle(w);
	relay_stop(&r);
}

/* The connection breaks, or turns into noise, after every number of bytes: each call ends once,
 * with an answer that is right or with an error. */
static void breaks_and_garbage_end_calls_once(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *path = str_fmt("%s/r", w->dir);

	for (size_t at = 1; at < 160; at += 2) {
		struct relay r = { .from = path,
				   .to = w->path,
				   .chunk = 1,
				   .break_at = at,
				   .garbage = at % 4 == 1,
				   .seed = (unsigned)at };
		struct grpc *g = dial(w, path);
		struct outcome o = { 0 };

		relay_start(&r);
		start(g, &o, "/t/Echo", "abc", 400);
		spin(w, &o.done, 1);
		if (o.e.code == ERR_NONE)
			assert_string_equal(str_text(&o.text), "abc;");
		assert_int_equal(o.done, 1);
		str_fini(&o.text);
		grpc_free(g);
		settle(w);
		relay_stop(&r);
	}
}

/* ---- typed calls ---- */

struct typed {
	int done;
	enum err_code code;
	char *version;
};

static void on_version(void *ctx, void *reply, const struct err *e)
{
	struct typed *t = ctx;

	t->done++;
	t->code = e ? e->code : ERR_NONE;
	if (reply)
		t->version = mem_strdup(((Cri__VersionResponse *)reply)->version);
	proto_free(reply);
}

static void serve_cri(void *ctx, struct grpc_req *req, const char *path, const uint8_t *data,
		      size_t len)
{
	AUTO_PROTO Cri__VersionResponse *reply = proto_new(&cri__version_response__descriptor);
	AUTO_FREE uint8_t *packed = NULL;

	(void)ctx;
	(void)data;
	if (cri_rpc_of_method(path) == CRI_STATUS) {
		grpc_req_send(req, (const uint8_t *)"\xff\xff\xff", 3);
	} else if (cri_rpc_of_method(path) == CRI_VERSION) {
		proto_set_str(&reply->version, "0.1.0");
		packed = proto_pack(reply, &len);
		grpc_req_send(req, packed, len);
	}
	grpc_req_end(req, NULL);
}

static void typed_calls_decode_and_count(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *path = str_fmt("%s/c", w->dir);
	AUTO_PROTO void *request = proto_new(&cri__version_request__descriptor);
	AUTO_PROTO void *status = proto_new(&cri__status_request__descriptor);
	struct grpc_server *server;
	struct typed good = { 0 }, garbage = { 0 }, empty = { 0 }, never = { 0 };
	struct cri *cri;
	struct err e;

	assert_int_equal(grpc_server_new(w->loop, path, serve_cri, NULL, &server, &e), 0);
	assert_int_equal(cri_new(w->loop, path, NULL, &cri, &e), 0);
	cri_call(cri, CRI_VERSION, request, 0, on_version, &good);
	cri_call(cri, CRI_STATUS, status, 0, on_version, &garbage);
	cri_call(cri, CRI_LIST_IMAGES, status, 0, on_version, &empty);
	cri_call_cancel(cri_call(cri, CRI_VERSION, request, 0, on_version, &never));
	spin(w, &good.done, 1);
	spin(w, &garbage.done, 1);
	spin(w, &empty.done, 1);
	assert_string_equal(good.version, "0.1.0");
	assert_int_equal(garbage.code, ERR_REMOTE);
	assert_int_equal(empty.code, ERR_REMOTE);
	assert_int_equal(never.done, 0);
	assert_int_equal(cri_stats(cri, CRI_VERSION)->calls, 1);
	assert_int_equal(cri_stats(cri, CRI_STATUS)->errors, 1);
	free(good.version);
	cri_free(cri);
	grpc_server_free(server);
	unlink(path);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(unary_calls_share_a_connection),
		T(errors_carry_status_and_text),
		T(deadlines_end_calls_and_tell_the_peer),
		T(cancel_reaches_the_peer_and_calls_nobody),
		T(streams_deliver_in_order_and_end),
		T(too_long_messages_are_refused_at_the_prefix),
		T(a_paused_stream_holds_its_peer_back),
		T(goaway_drains_the_old_connection),
		T(a_dying_server_ends_calls_and_a_restart_is_waited_for),
		T(a_call_on_a_dead_connection_is_sent_again),
		T(a_long_outage_fails_calls_at_once),
		T(free_drops_open_calls_even_from_a_callback),
		T(addresses_are_checked),
		T(single_bytes_are_enough),
		T(breaks_and_garbage_end_calls_once),
		T(typed_calls_decode_and_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
