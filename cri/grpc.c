/* gRPC client: channels, connections, calls (contract in cri/grpc.h). Effect.
 *
 * A call is WAITING (no connection yet), OPEN (a stream of a connection) or OVER (its outcome is
 * known, messages and done still to be delivered). Delivery happens from one deferred event source
 * per channel, so that no user code runs inside nghttp2.
 */
#include "cri/grpc.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "h2.h"
#include "sock.h"
#include "wire.h"

enum {
	BACKOFF_MIN_MSEC = 100,
	BACKOFF_MAX_MSEC = 3000,
	SENDS_MAX = 3, /* of one call, when the peer did not process it */
	TIMER_SLACK_USEC = 5 * USEC_PER_MSEC,
	DELIVER_BYTES = 256 * 1024,
	GREETING_SEC = 20, /* a peer that accepts and then says nothing is not there */
};

enum call_state { CALL_WAITING, CALL_OPEN, CALL_OVER };

struct conn;

struct message {
	uint8_t *data;
	size_t len;
};

struct grpc_call {
	struct grpc *g;
	struct grpc_call *next, *prev; /* in g->calls, oldest first */
	enum call_state state;
	struct grpc_handler handler;
	void *ctx;
	char *method, *authority;
	uint8_t *request; /* with its prefix */
	size_t request_len, request_at;
	int64_t deadline_usec; /* monotonic; < 0: none */
	int64_t timeout_msec;
	sd_event_source *timer;
	unsigned sends;
	struct conn *conn;
	int32_t stream;
	uint64_t left_at; /* bytes of the connection before this call's first one */
	bool on_wire;     /* left_at is known */
	bool paused;

	struct wire_reader reader;
	VEC(struct message) messages;
	size_t undelivered; /* first of messages that was not delivered */
	size_t uncredited;  /* bytes of the stream that the peer has no credit back for */
	int http_status, status;
	bool has_status, grpc_content;
	struct str status_text;
	struct err err; /* outcome when OVER; code ERR_NONE: OK */
};

struct conn {
	struct grpc *g;
	struct conn *next;
	struct h2 h2;
	sd_event_source *hello;
	bool draining, greeted; /* greeted: the peer's first frame came */
};

struct grpc {
	sd_event *loop;
	char *address;
	struct grpc_call *calls, *last_call;
	struct conn *conns; /* the current one and those that drain */
	sd_event_source *deliver, *retry;
	struct grpc_call *delivering; /* NULL again when its handler cancelled it */
	bool in_delivery, dead;       /* dead: freed by a handler, memory goes after the delivery */
	unsigned failures;
	int64_t outage_since_usec; /* 0: none */
	int64_t not_before_usec;
	struct err last_failure;
};

static void call_submit(struct grpc_call *c, struct conn *conn);
static void channel_connect(struct grpc *g);

/* ---- calls ---- */

static void call_unlink(struct grpc_call *c)
{
	struct grpc *g = c->g;

	*(c->prev ? &c->prev->next : &g->calls) = c->next;
	*(c->next ? &c->next->prev : &g->last_call) = c->prev;
}

static void call_free(struct grpc_call *c)
{
	call_unlink(c);
	if (c->g->delivering == c)
		c->g->delivering = NULL;
	sd_event_source_disable_unref(c->timer);
	for (size_t i = c->undelivered; i < c->messages.n; i++)
		free(c->messages.v[i].data);
	vec_fini(&c->messages);
	wire_reader_fini(&c->reader);
	str_fini(&c->status_text);
	free(c->method);
	free(c->authority);
	free(c->request);
	free(c);
}

static void retry_at(struct grpc *g, int64_t usec)
{
	/* cannot fail: the source exists */
	sd_event_source_set_time(g->retry, (uint64_t)usec);
	sd_event_source_set_enabled(g->retry, SD_EVENT_ONESHOT);
}

static void deliver_soon(struct grpc *g)
{
	/* cannot fail: the source exists and oneshot is a legal state */
	sd_event_source_set_enabled(g->deliver, SD_EVENT_ONESHOT);
}

/* Leaves the connection; the stream is reset if it is still open there. */
static void call_detach(struct grpc_call *c, uint32_t h2_error)
{
	struct conn *conn = c->conn;

	if (!conn)
		return;
	c->conn = NULL;
	nghttp2_session_set_stream_user_data(conn->h2.session, c->stream, NULL);
	if (c->uncredited)
		nghttp2_session_consume_stream(conn->h2.session, c->stream, c->uncredited);
	c->uncredited = 0;
	if (h2_error != NGHTTP2_NO_ERROR)
		nghttp2_submit_rst_stream(conn->h2.session, NGHTTP2_FLAG_NONE, c->stream, h2_error);
}

static void call_over(struct grpc_call *c, const struct err *e)
{
	if (c->state == CALL_OVER)
		return;
	c->state = CALL_OVER;
	if (e)
		c->err = *e;
	c->timer = sd_event_source_disable_unref(c->timer);
	deliver_soon(c->g);
}

/* Ends a call from our side: the peer is told, the caller gets e. */
static void call_abort(struct grpc_call *c, const struct err *e)
{
	struct conn *conn = c->conn;

	call_over(c, e);
	call_detach(c, NGHTTP2_CANCEL);
	if (conn)
		h2_flush(&conn->h2);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct grpc_call *c = userdata;
	struct err e;

	(void)s;
	(void)usec;
	if (c->state == CALL_WAITING && c->g->last_failure.code) {
		e = c->g->last_failure;
	} else {
		err_set(&e, ERR_TIMEOUT, "context deadline exceeded");
		e.os = -WIRE_DEADLINE_EXCEEDED;
	}
	call_abort(c, &e);
	return 0;
}

static struct grpc_call *call_new(struct grpc *g, const struct grpc_request *r,
				  const struct grpc_handler *handler, void *ctx)
{
	struct grpc_call *c = NEW(struct grpc_call);

	c->g = g;
	c->handler = *handler;
	c->ctx = ctx;
	c->method = mem_strdup(r->method);
	c->authority = mem_strdup(r->authority ? r->authority : "localhost");
	c->request_len = WIRE_PREFIX_BYTES + r->len;
	c->request = mem_calloc(c->request_len, 1);
	wire_prefix(c->request, r->len);
	if (r->len)
		memcpy(c->request + WIRE_PREFIX_BYTES, r->data, r->len);
	c->reader.max_bytes = r->max_bytes ? r->max_bytes : GRPC_MESSAGE_MAX_BYTES;
	c->reader.cut_bytes = r->cut_bytes;
	c->timeout_msec = r->timeout_msec;
	c->deadline_usec =
	    r->timeout_msec < 0 ? -1 : clock_mono_usec() + r->timeout_msec * USEC_PER_MSEC;
	c->prev = g->last_call;
	*(c->prev ? &c->prev->next : &g->calls) = c;
	g->last_call = c;
	return c;
}

static struct conn *channel_current(const struct grpc *g)
{
	for (struct conn *conn = g->conns; conn; conn = conn->next)
		if (!conn->draining)
			return conn;
	return NULL;
}

static bool outage_is_long(const struct grpc *g)
{
	return g->outage_since_usec && clock_mono_usec() - g->outage_since_usec >
					   (int64_t)GRPC_OUTAGE_WAIT_MSEC * USEC_PER_MSEC;
}

/* Finds the call a connection, or lets it wait, or ends it. */
static void call_route(struct grpc_call *c)
{
	struct grpc *g = c->g;
	struct conn *conn = channel_current(g);

	c->state = CALL_WAITING;
	if (conn) {
		call_submit(c, conn);
		return;
	}
	if (clock_mono_usec() >= g->not_before_usec) {
		channel_connect(g);
		if (c->state != CALL_WAITING)
			return;
	}
	if (outage_is_long(g))
		call_over(c, &g->last_failure);
}

struct grpc_call *grpc_call_start(struct grpc *g, const struct grpc_request *request,
				  const struct grpc_handler *handler, void *ctx)
{
	struct grpc_call *c = call_new(g, request, handler, ctx);
	struct err e;

	if (c->deadline_usec >= 0 &&
	    sd_event_add_time(g->loop, &c->timer, CLOCK_MONOTONIC, (uint64_t)c->deadline_usec,
			      TIMER_SLACK_USEC, on_deadline, c) < 0) {
		err_set(&e, ERR_INTERNAL, "event loop refused a timer");
		call_over(c, &e);
		return c;
	}
	call_route(c);
	return c;
}

void grpc_call_cancel(struct grpc_call *c)
{
	struct conn *conn = c->conn;

	call_detach(c, NGHTTP2_CANCEL);
	call_free(c);
	if (conn)
		h2_flush(&conn->h2);
}

void grpc_call_pause(struct grpc_call *c, bool paused)
{
	c->paused = paused;
	if (!paused)
		deliver_soon(c->g);
}

/* ---- delivery ---- */

static void give_credit(struct grpc_call *c)
{
	if (!c->conn || !c->uncredited)
		return;
	nghttp2_session_consume_stream(c->conn->h2.session, c->stream, c->uncredited);
	c->uncredited = 0;
	h2_flush(&c->conn->h2);
}

static size_t deliver_message(struct grpc_call *c)
{
	struct grpc *g = c->g;
	struct message m = c->messages.v[c->undelivered++];
	struct err e = { 0 };
	int rc;

	if (c->undelivered == c->messages.n)
		c->undelivered = c->messages.n = 0;
	g->delivering = c;
	rc = c->handler.message(c->ctx, m.data, m.len, &e);
	free(m.data);
	if (!g->delivering)
		return m.len;
	if (rc < 0) {
		for (; c->undelivered < c->messages.n; c->undelivered++)
			free(c->messages.v[c->undelivered].data);
		c->undelivered = c->messages.n = 0;
		if (c->state == CALL_OVER)
			c->err = e;
		else
			call_abort(c, &e);
	} else if (!c->messages.n) {
		give_credit(c);
	}
	return m.len;
}

static void deliver_end(struct grpc_call *c)
{
	struct grpc_handler handler = c->handler;
	struct err e = c->err;
	void *ctx = c->ctx;

	call_free(c);
	handler.done(ctx, e.code ? &e : NULL);
}

/* Delivers the oldest thing there is. Returns its size, 0 when there was none. */
static size_t deliver_one(struct grpc *g)
{
	for (struct grpc_call *c = g->calls; c; c = c->next) {
		if (c->paused)
			continue;
		if (c->undelivered < c->messages.n)
			return 1 + deliver_message(c);
		if (c->state != CALL_OVER)
			continue;
		deliver_end(c);
		return 1;
	}
	return 0;
}

static void channel_release(struct grpc *g)
{
	sd_event_source_disable_unref(g->deliver);
	sd_event_source_disable_unref(g->retry);
	sd_event_unref(g->loop);
	free(g->address);
	free(g);
}

static int on_deliver(sd_event_source *s, void *userdata)
{
	struct grpc *g = userdata;
	size_t done = 0, n;

	(void)s;
	g->in_delivery = true;
	/* from the oldest call each time: a callback may have changed the list */
	do {
		n = deliver_one(g);
		done += n;
	} while (n && done < DELIVER_BYTES);
	g->in_delivery = false;
	if (g->dead)
		channel_release(g);
	else if (n)
		deliver_soon(g);
	return 0;
}

/* ---- what the peer sends ---- */

static int queue_message(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct grpc_call *c = ctx;
	struct message m = { .data = mem_calloc(len + 1, 1), .len = len };

	(void)e;
	memcpy(m.data, data, len);
	vec_push(&c->messages, m);
	deliver_soon(c->g);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);
	struct err e;

	(void)flags;
	(void)user_data;
	nghttp2_session_consume_connection(session, len);
	if (!c || c->state == CALL_OVER || !c->grpc_content) {
		nghttp2_session_consume_stream(session, stream, len);
		return 0;
	}
	if (wire_feed(&c->reader, data, len, queue_message, c, &e) < 0) {
		if (e.code == ERR_TOO_LARGE)
			e.os = -WIRE_RESOURCE_EXHAUSTED;
		call_over(c, &e);
		call_detach(c, NGHTTP2_CANCEL);
	}
	if (c->conn && c->messages.n)
		c->uncredited += len;
	else
		nghttp2_session_consume_stream(session, stream, len);
	return 0;
}

static bool header_is(const uint8_t *name, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(name, want, len);
}

/* Small decimal; -1 for anything else. */
static int header_number(const uint8_t *value, size_t len)
{
	int n = 0;

	if (!len || len > 4)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -1;
		n = n * 10 + value[i] - '0';
	}
	return n;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	(void)user_data;
	if (!c)
		return 0;
	if (header_is(name, name_len, ":status")) {
		c->http_status = header_number(value, value_len);
	} else if (header_is(name, name_len, "content-type")) {
		c->grpc_content = value_len >= 16 && !memcmp(value, "application/grpc", 16);
	} else if (header_is(name, name_len, "grpc-status")) {
		c->status = header_number(value, value_len);
		c->has_status = true;
	} else if (header_is(name, name_len, "grpc-message")) {
		str_reset(&c->status_text);
		str_append_n(&c->status_text, value, value_len);
	}
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct conn *conn = user_data;
	struct grpc *g = conn->g;

	(void)session;
	if (!conn->greeted) {
		conn->greeted = true;
		conn->hello = sd_event_source_disable_unref(conn->hello);
		g->failures = 0;
		g->outage_since_usec = g->not_before_usec = 0;
		err_clear(&g->last_failure);
	}
	if (frame->hd.type == NGHTTP2_GOAWAY)
		conn->draining = true;
	return 0;
}

/* What a stream without grpc-status means. */
static int guess_status(const struct grpc_call *c, uint32_t h2_error, struct err *e)
{
	if (c->http_status > 0 && c->http_status != 200) {
		int status = wire_status_of_http(c->http_status);

		err_set(e, wire_status_code(status), "peer answered HTTP status %d",
			c->http_status);
		return status;
	}
	if (h2_error != NGHTTP2_NO_ERROR) {
		int status = wire_status_of_h2(h2_error);

		err_set(e, wire_status_code(status), "stream was reset by the peer: %s",
			nghttp2_http2_strerror(h2_error));
		return status;
	}
	err_set(e, ERR_REMOTE, "stream ended without a status");
	return WIRE_INTERNAL;
}

static void call_conclude(struct grpc_call *c, uint32_t h2_error)
{
	struct err e = { 0 };

	if (c->has_status) {
		wire_status_err(&e, c->status < 0 ? WIRE_UNKNOWN : c->status,
				str_text(&c->status_text), c->status_text.len);
		if (!e.code && wire_finish(&c->reader, &e) < 0)
			e.os = -WIRE_INTERNAL;
	} else {
		int status = guess_status(c, h2_error, &e);

		e.os = -status;
	}
	call_over(c, &e);
}

/* Forgets what a first attempt has read. */
static void call_rewind(struct grpc_call *c)
{
	c->conn = NULL;
	c->stream = 0;
	c->request_at = 0;
	c->on_wire = false;
	c->http_status = 0;
	c->has_status = c->grpc_content = false;
	c->state = CALL_WAITING;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t h2_error,
			   void *user_data)
{
	struct conn *conn = user_data;
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);

	if (!c)
		return 0;
	c->conn = NULL;
	if (h2_error == NGHTTP2_REFUSED_STREAM && !c->http_status && c->sends < SENDS_MAX) {
		/* the peer did not process it: routed again when this connection was served */
		call_rewind(c);
		retry_at(conn->g, 0);
		return 0;
	}
	call_conclude(c, h2_error);
	return 0;
}

/* A request that nghttp2 held back (too many streams) and can no longer send after GOAWAY. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int lib_error,
		       void *user_data)
{
	struct conn *conn = user_data;

	(void)session;
	(void)lib_error;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	for (struct grpc_call *c = conn->g->calls; c; c = c->next)
		if (c->conn == conn && c->stream == frame->hd.stream_id) {
			conn->draining = true;
			call_rewind(c);
			retry_at(conn->g, 0);
		}
	return 0;
}

static int on_before_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct conn *conn = user_data;
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (c && frame->hd.type == NGHTTP2_HEADERS && !c->on_wire) {
		c->left_at = conn->h2.made;
		c->on_wire = true;
	}
	return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
			    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream);
	size_t n;

	(void)source;
	(void)user_data;
	if (!c)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = c->request_len - c->request_at;
	n = n < len ? n : len;
	memcpy(buf, c->request + c->request_at, n);
	c->request_at += n;
	if (c->request_at == c->request_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* ---- connections ---- */

static void conn_free(struct conn *conn)
{
	struct grpc *g = conn->g;

	for (struct conn **p = &g->conns; *p; p = &(*p)->next)
		if (*p == conn) {
			*p = conn->next;
			break;
		}
	sd_event_source_disable_unref(conn->hello);
	h2_fini(&conn->h2);
	free(conn);
}

static void channel_failed(struct grpc *g, const struct err *e)
{
	int64_t now = clock_mono_usec(), delay_msec = BACKOFF_MIN_MSEC;
	uint32_t dice = 0;

	for (unsigned i = 0; i < g->failures && delay_msec < BACKOFF_MAX_MSEC; i++)
		delay_msec = delay_msec * 16 / 10;
	delay_msec = delay_msec < BACKOFF_MAX_MSEC ? delay_msec : BACKOFF_MAX_MSEC;
	/* jitter of a fifth; without entropy there is none, which does no harm */
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
		dice = 0;
	delay_msec += delay_msec * (int64_t)(dice % 401) / 1000 - delay_msec / 5;
	g->failures++;
	g->last_failure = *e;
	g->last_failure.os = -WIRE_UNAVAILABLE;
	if (!g->outage_since_usec)
		g->outage_since_usec = now;
	g->not_before_usec = now + delay_msec * USEC_PER_MSEC;
	retry_at(g, g->not_before_usec);
}

/* The calls of a connection that is gone: sent again if nothing of them left, else over. */
static void conn_abandon_calls(struct conn *conn, const struct err *e)
{
	for (struct grpc_call *c = conn->g->calls; c; c = c->next) {
		bool unseen = !c->on_wire || conn->h2.written <= c->left_at;

		if (c->conn != conn)
			continue;
		c->conn = NULL;
		if (c->has_status)
			call_conclude(c, NGHTTP2_NO_ERROR);
		else if (unseen && c->sends < SENDS_MAX)
			call_rewind(c);
		else
			call_over(c, e);
	}
}

static void on_closed(void *ctx, const struct err *e)
{
	struct conn *conn = ctx;
	struct grpc *g = conn->g;
	struct err wrapped = *e;
	bool greeted = conn->greeted;

	err_wrap(&wrapped, "%s", g->address);
	wrapped.os = -WIRE_UNAVAILABLE;
	conn_abandon_calls(conn, &wrapped);
	conn_free(conn);
	if (!greeted)
		channel_failed(g, &wrapped);
	else
		retry_at(g, 0);
}

static int callbacks_new(nghttp2_session_callbacks **ret)
{
	nghttp2_session_callbacks *cb;
	int rc = nghttp2_session_callbacks_new(&cb);

	if (rc)
		return rc;
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(cb, on_before_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
	*ret = cb;
	return 0;
}

static int on_silence(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct conn *conn = userdata;
	struct err e;

	(void)s;
	(void)usec;
	err_set(&e, ERR_UNAVAILABLE, "peer accepts connections but says nothing for %d s",
		GREETING_SEC);
	on_closed(conn, &e);
	return 0;
}

static int conn_open(struct grpc *g, struct err *e)
{
	nghttp2_session_callbacks *cb = NULL;
	struct conn *conn;
	bool connecting;
	int rc, fd = sock_connect(g->address, &connecting, e);

	if (fd < 0)
		return -1;
	if (callbacks_new(&cb)) {
		close(fd);
		return err_set(e, ERR_INTERNAL, "HTTP/2 callbacks");
	}
	conn = NEW(struct conn);
	conn->g = g;
	rc = h2_init(&conn->h2,
		     &(struct h2_setup){ .loop = g->loop,
					 .fd = fd,
					 .connecting = connecting,
					 .callbacks = cb,
					 .closed = on_closed,
					 .ctx = conn },
		     e);
	nghttp2_session_callbacks_del(cb);
	if (rc < 0) {
		free(conn);
		return -1;
	}
	conn->next = g->conns;
	g->conns = conn;
	rc = sd_event_add_time_relative(g->loop, &conn->hello, CLOCK_MONOTONIC,
					(uint64_t)GREETING_SEC * USEC_PER_SEC, USEC_PER_SEC,
					on_silence, conn);
	if (rc < 0) {
		conn_free(conn);
		return err_os(e, -rc, "event loop");
	}
	return 0;
}

/* Hands waiting calls to the current connection. */
static void channel_submit_waiting(struct grpc *g)
{
	struct conn *conn = channel_current(g);

	for (struct grpc_call *c = g->calls; c && conn; c = c->next)
		if (c->state == CALL_WAITING) {
			call_submit(c, conn);
			conn = channel_current(g);
		}
}

static void channel_connect(struct grpc *g)
{
	struct err e;

	if (conn_open(g, &e) < 0) {
		e.code = ERR_UNAVAILABLE;
		channel_failed(g, &e);
		return;
	}
	channel_submit_waiting(g);
}

static bool channel_has_waiting(const struct grpc *g)
{
	for (const struct grpc_call *c = g->calls; c; c = c->next)
		if (c->state == CALL_WAITING)
			return true;
	return false;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct grpc *g = userdata;

	(void)s;
	(void)usec;
	if (!channel_has_waiting(g))
		return 0;
	if (channel_current(g)) {
		channel_submit_waiting(g);
		return 0;
	}
	if (clock_mono_usec() < g->not_before_usec) {
		retry_at(g, g->not_before_usec);
		return 0;
	}
	channel_connect(g);
	if (channel_current(g) || !outage_is_long(g))
		return 0;
	for (struct grpc_call *c = g->calls; c; c = c->next)
		if (c->state == CALL_WAITING)
			call_over(c, &g->last_failure);
	return 0;
}

#define HEADER(name_, value_) \
	{ \
		(uint8_t *)(uintptr_t)(name_), (uint8_t *)(uintptr_t)(value_), sizeof(name_) - 1, \
		    strlen(value_), NGHTTP2_NV_FLAG_NONE \
	}

/* A call on a connection; what is left of its deadline goes with it. */
static void call_submit(struct grpc_call *c, struct conn *conn)
{
	char timeout[WIRE_TIMEOUT_BYTES] = "";
	int64_t left_msec = 0;
	struct err e;

	if (c->deadline_usec >= 0) {
		left_msec = (c->deadline_usec - clock_mono_usec()) / USEC_PER_MSEC;
		wire_timeout_format(timeout, left_msec);
	}
	nghttp2_nv headers[] = {
		HEADER(":method", "POST"),
		HEADER(":scheme", "http"),
		HEADER(":path", c->method),
		HEADER(":authority", c->authority),
		HEADER("content-type", "application/grpc"),
		HEADER("user-agent", "keelson/" KEELSON_VERSION),
		HEADER("te", "trailers"),
		HEADER("grpc-timeout", timeout),
	};
	nghttp2_data_provider body = { .read_callback = read_request };

	c->state = CALL_OPEN;
	c->sends++;
	c->conn = conn;
	c->stream = nghttp2_submit_request(conn->h2.session, NULL, headers,
					   ARRAY_SIZE(headers) - (timeout[0] ? 0 : 1), &body, c);
	if (c->stream < 0) {
		c->conn = NULL;
		err_set(&e, ERR_UNAVAILABLE, "HTTP/2: %s", nghttp2_strerror(c->stream));
		e.os = -WIRE_UNAVAILABLE;
		call_over(c, &e);
		/* out of stream numbers or going away: new calls need a new connection */
		conn->draining = true;
		return;
	}
	h2_flush(&conn->h2);
}

/* ---- channel ---- */

int grpc_new(sd_event *loop, const char *address, struct grpc **ret, struct err *e)
{
	struct grpc *g;
	int rc;

	if (sock_check(address, e) < 0)
		return -1;
	g = NEW(struct grpc);
	g->loop = sd_event_ref(loop);
	g->address = mem_strdup(address);
	rc = sd_event_add_defer(loop, &g->deliver, on_deliver, g);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(g->deliver, SD_EVENT_OFF);
	if (rc >= 0)
		rc = sd_event_add_time(loop, &g->retry, CLOCK_MONOTONIC, 0, TIMER_SLACK_USEC,
				       on_retry, g);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(g->retry, SD_EVENT_OFF);
	if (rc < 0) {
		grpc_free(g);
		return err_os(e, -rc, "event loop");
	}
	*ret = g;
	return 0;
}

void grpc_free(struct grpc *g)
{
	if (!g)
		return;
	while (g->calls) {
		call_detach(g->calls, NGHTTP2_CANCEL);
		call_free(g->calls);
	}
	while (g->conns)
		conn_free(g->conns);
	if (g->in_delivery)
		g->dead = true;
	else
		channel_release(g);
}

const char *grpc_err_text(const struct err *e, char *buf, size_t size)
{
	if (e->os < 0)
		snprintf(buf, size, "rpc error: code = %s desc = %s", wire_status_name(-e->os),
			 e->text);
	else
		snprintf(buf, size, "%s", e->text);
	return buf;
}
