/* Client connections (contract in http/conn.h). Effect. */
#include "http/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	HANDSHAKE_SEC = 10,
	HEAD_SEC = 30,
	IDLE_SEC = 90, /* as upstream */
	LINGER_SEC = 2,
	BODY_MAX_BYTES = 1024 * 1024,
	READ_BYTES = 16 * 1024,
	READS_PER_DISPATCH = 16,
	LOW_BYTES = 64 * 1024,
};

enum state {
	CONN_HANDSHAKE,
	CONN_HEAD,
	CONN_BODY,
	CONN_HANDLING, /* a request is open */
	CONN_FLUSH,    /* its response is complete, some of it unsent */
	CONN_LINGER,   /* all sent, waiting for the client to close */
	CONN_RAW,
	CONN_DEAD,
};

struct conn {
	struct conn_setup setup;
	sd_event_source *io, *timer, *later;
	enum state state;
	uint32_t events;
	bool ssl_wants_write; /* to go on reading */
	bool broken, begun, chunked, no_body, close_after, above_low;
	struct str in, out, headers;
	size_t in_at, out_at;
	struct http_head head;
	struct http_chunks chunks;
	int64_t body_left;
	size_t body_seen;
	struct conn_owner owner;
	void *owner_ctx;
	void (*raw_io)(void *ctx);
	bool raw_read, raw_write;
	char peer[INET6_ADDRSTRLEN];
};

/* ---- bytes ---- */

/* What an SSL call that did not succeed means for us. */
static long ssl_outcome(struct conn *c, int rc)
{
	switch (SSL_get_error(c->setup.ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return CONN_RAW_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		c->ssl_wants_write = true;
		return CONN_RAW_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return CONN_RAW_END;
	default:
		ERR_clear_error();
		return CONN_RAW_FAILED;
	}
}

static long read_bytes(struct conn *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->setup.ssl) {
		int rc;

		c->ssl_wants_write = false;
		ERR_clear_error();
		rc = SSL_read(c->setup.ssl, buf, (int)len);
		return rc > 0 ? rc : ssl_outcome(c, rc);
	}
	n = recv(c->setup.fd, buf, len, 0);
	if (n > 0)
		return n;
	if (n == 0)
		return CONN_RAW_END;
	return errno == EAGAIN || errno == EINTR ? CONN_RAW_AGAIN : CONN_RAW_FAILED;
}

static long write_bytes(struct conn *c, const void *data, size_t len)
{
	ssize_t n;

	if (c->setup.ssl) {
		int rc;

		ERR_clear_error();
		rc = SSL_write(c->setup.ssl, data, (int)len);
		if (rc > 0)
			return rc;
		return ssl_outcome(c, rc) == CONN_RAW_AGAIN ? CONN_RAW_AGAIN : CONN_RAW_FAILED;
	}
	n = send(c->setup.fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? CONN_RAW_AGAIN : CONN_RAW_FAILED;
}

static void later(struct conn *c)
{
	/* cannot fail: the source exists */
	sd_event_source_set_enabled(c->later, SD_EVENT_ONESHOT);
}

static void broke(struct conn *c)
{
	c->broken = true;
	later(c);
}

size_t conn_queued(const struct conn *c)
{
	return c->out.len - c->out_at;
}

static void flush(struct conn *c)
{
	while (!c->broken && conn_queued(c)) {
		long n = write_bytes(c, c->out.p + c->out_at, conn_queued(c));

		if (n == CONN_RAW_FAILED)
			broke(c);
		if (n <= 0)
			break;
		c->out_at += (size_t)n;
	}
	if (c->out_at == c->out.len) {
		c->out_at = 0;
		if (c->out.cap > LOW_BYTES)
			str_fini(&c->out);
		else
			str_reset(&c->out);
	}
	c->above_low |= conn_queued(c) > LOW_BYTES;
}

/* ---- states ---- */

static void arm(struct conn *c, int sec)
{
	if (!sec) {
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(c->timer, (uint64_t)sec * USEC_PER_SEC);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void enter(struct conn *c, enum state state)
{
	static const int seconds[] = { [CONN_HANDSHAKE] = HANDSHAKE_SEC,
				       [CONN_HEAD] = IDLE_SEC,
				       [CONN_BODY] = HEAD_SEC,
				       [CONN_HANDLING] = 0,
				       [CONN_FLUSH] = 0,
				       [CONN_LINGER] = LINGER_SEC,
				       [CONN_RAW] = 0,
				       [CONN_DEAD] = 0 };

	c->state = state;
	arm(c, seconds[state]);
}

static bool wants_input(const struct conn *c)
{
	switch (c->state) {
	case CONN_HANDSHAKE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_LINGER:
		return true;
	case CONN_RAW:
		return c->raw_read;
	default:
		return false;
	}
}

/* While a request is open its client's input stays in the socket: only its leaving is watched. */
static void update_events(struct conn *c)
{
	uint32_t events = wants_input(c) ? EPOLLIN : 0;

	if (conn_queued(c) || c->ssl_wants_write || (c->state == CONN_RAW && c->raw_write))
		events |= EPOLLOUT;
	if (c->state == CONN_HANDLING || c->state == CONN_FLUSH)
		events |= EPOLLRDHUP;
	if (events == c->events)
		return;
	c->events = events;
	if (sd_event_source_set_io_events(c->io, events) < 0)
		broke(c);
}

static void release_request(struct conn *c)
{
	http_head_fini(&c->head);
	str_reset(&c->headers);
	c->owner = (struct conn_owner){ 0 };
	c->owner_ctx = NULL;
	c->begun = c->chunked = c->no_body = c->above_low = false;
	c->body_seen = 0;
}

void conn_free(struct conn *c)
{
	void (*gone)(void *ctx);

	if (!c)
		return;
	gone = c->owner.gone;
	c->owner.gone = NULL;
	enter(c, CONN_DEAD);
	if (gone)
		gone(c->owner_ctx);
	c->setup.closed(c->setup.ctx, c);
	release_request(c);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	sd_event_source_disable_unref(c->later);
	SSL_free(c->setup.ssl);
	close(c->setup.fd);
	str_fini(&c->in);
	str_fini(&c->out);
	str_fini(&c->headers);
	free(c);
}

static void shut(struct conn *c)
{
	if (c->setup.ssl)
		SSL_shutdown(c->setup.ssl);
	ERR_clear_error();
	shutdown(c->setup.fd, SHUT_WR);
}

/* All of the response is out. */
static void response_sent(struct conn *c)
{
	bool stay = !c->close_after;

	release_request(c);
	if (stay) {
		enter(c, CONN_HEAD);
		later(c); /* the next request may be in the buffer already */
		return;
	}
	shut(c);
	enter(c, CONN_LINGER);
}

static void after_output(struct conn *c)
{
	flush(c);
	if (!c->broken && c->state == CONN_FLUSH && !conn_queued(c))
		response_sent(c);
	update_events(c);
}

/* ---- responses ---- */

void conn_add_header(struct conn *c, const char *name, const char *value)
{
	str_printf(&c->headers, "%s: %s\r\n", name, value);
}

static void append_head(struct conn *c, int status, const char *type)
{
	time_t now = (time_t)(clock_wall_usec() / USEC_PER_SEC);
	struct tm tm;
	char date[40];

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	str_printf(&c->out, "HTTP/1.1 %d %s\r\n%s", status, http_reason(status),
		   str_text(&c->headers));
	if (type)
		str_printf(&c->out, "Content-Type: %s\r\n", type);
	str_printf(&c->out, "Date: %s\r\n", date);
	if (c->close_after)
		str_append(&c->out, "Connection: close\r\n");
	c->begun = true;
}

void conn_reply(struct conn *c, int status, const char *type, const void *body, size_t len)
{
	append_head(c, status, type);
	str_printf(&c->out, "Content-Length: %zu\r\n\r\n", len);
	if (!c->no_body && len)
		str_append_n(&c->out, body, len);
	conn_end(c);
}

void conn_reply_text(struct conn *c, int status, const char *text)
{
	conn_reply(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

void conn_begin(struct conn *c, int status, const char *type)
{
	c->chunked = c->head.minor == 1;
	c->close_after |= !c->chunked;
	append_head(c, status, type);
	str_append(&c->out, c->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
	after_output(c);
}

void conn_write(struct conn *c, const void *data, size_t len)
{
	/* an empty chunk would be the end */
	if (!len || c->no_body || c->broken)
		return;
	if (c->chunked)
		str_printf(&c->out, "%zx\r\n", len);
	str_append_n(&c->out, data, len);
	if (c->chunked)
		str_append(&c->out, "\r\n");
	after_output(c);
}

void conn_end(struct conn *c)
{
	if (c->chunked && !c->no_body)
		str_append(&c->out, "0\r\n\r\n");
	c->owner = (struct conn_owner){ 0 };
	enter(c, CONN_FLUSH);
	after_output(c);
}

void conn_abort(struct conn *c)
{
	c->owner = (struct conn_owner){ 0 };
	broke(c);
}

bool conn_begun(const struct conn *c)
{
	return c->begun;
}

/* ---- requests ---- */

static void refuse(struct conn *c, int status, const char *text)
{
	c->close_after = true;
	conn_reply_text(c, status, text);
}

static void request_complete(struct conn *c)
{
	enter(c, CONN_HANDLING);
	c->setup.request(c->setup.ctx, c);
}

static void consume(struct conn *c, size_t n)
{
	c->in_at += n;
	if (c->in_at < c->in.len)
		return;
	c->in_at = 0;
	if (c->in.cap > READ_BYTES)
		str_fini(&c->in);
	else
		str_reset(&c->in);
}

static void skip_body(struct conn *c)
{
	size_t have = c->in.len - c->in_at, n = have;
	bool done = false;

	if (c->head.chunked) {
		long taken = http_chunks_skip(&c->chunks, c->in.p + c->in_at, have, &done);

		if (taken < 0) {
			refuse(c, 400, "400 Bad Request");
			return;
		}
		n = (size_t)taken;
	} else {
		n = (int64_t)have < c->body_left ? have : (size_t)c->body_left;
		c->body_left -= (int64_t)n;
		done = c->body_left == 0;
	}
	c->body_seen += n;
	consume(c, n);
	if (c->body_seen > BODY_MAX_BYTES)
		refuse(c, 413, "413 Request Entity Too Large");
	else if (done)
		request_complete(c);
}

static void parse_head(struct conn *c)
{
	const char *data = c->in.p ? c->in.p + c->in_at : "";
	size_t have = c->in.len - c->in_at;
	long len = http_head_length(data, have);
	struct err e;

	if (len == 0)
		return;
	if (len < 0) {
		refuse(c, 431, "431 Request Header Fields Too Large");
		return;
	}
	if (http_parse_request(data, (size_t)len, &c->head, &e) < 0) {
		log_v(3, "request refused peer=%s reason=\"%s\"", c->peer, e.text);
		refuse(c, 400, "400 Bad Request");
		return;
	}
	consume(c, (size_t)len);
	c->close_after = !c->head.keep_alive;
	c->no_body = str_eq(c->head.method, "HEAD");
	c->body_left = c->head.content_length;
	c->chunks = (struct http_chunks){ 0 };
	if (!c->head.chunked && c->body_left <= 0)
		request_complete(c);
	else if (c->head.upgrade)
		refuse(c, 400, "400 Bad Request");
	else
		enter(c, CONN_BODY);
}

/* Works on the buffered input until it needs more or a request is open. */
static void process_input(struct conn *c)
{
	for (;;) {
		enum state before = c->state;
		size_t have = c->in.len - c->in_at;

		if (c->broken || (have == 0 && c->state != CONN_BODY))
			return;
		if (c->state == CONN_HEAD)
			parse_head(c);
		else if (c->state == CONN_BODY && have)
			skip_body(c);
		if (c->state == before)
			return;
	}
}

static void read_input(struct conn *c)
{
	char buf[READ_BYTES];

	for (int i = 0; i < READS_PER_DISPATCH; i++) {
		long n;

		if (!wants_input(c))
			return;
		n = read_bytes(c, buf, sizeof(buf));
		if (n == CONN_RAW_AGAIN)
			return;
		if (n < 0) {
			broke(c);
			return;
		}
		if (c->state == CONN_LINGER)
			continue;
		if (c->state == CONN_HEAD && c->in.len == c->in_at)
			arm(c, HEAD_SEC);
		str_append_n(&c->in, buf, (size_t)n);
		process_input(c);
	}
	/* the rest of it when others had their turn: TLS may hold bytes that epoll cannot see */
	later(c);
}

static void handshake(struct conn *c)
{
	int rc;

	c->ssl_wants_write = false;
	ERR_clear_error();
	rc = SSL_accept(c->setup.ssl);
	if (rc == 1) {
		enter(c, CONN_HEAD);
		return;
	}
	if (ssl_outcome(c, rc) != CONN_RAW_AGAIN) {
		log_v(3, "TLS handshake failed peer=%s", c->peer);
		broke(c);
	}
}

static void notify_drained(struct conn *c)
{
	if (!c->above_low || conn_queued(c) > LOW_BYTES || !c->owner.drained)
		return;
	c->above_low = false;
	c->owner.drained(c->owner_ctx);
}

static void work(struct conn *c)
{
	if (c->state == CONN_HANDSHAKE)
		handshake(c);
	if (c->state == CONN_RAW && !c->broken) {
		flush(c);
		if (!c->broken)
			c->raw_io(c->owner_ctx);
	} else if (!c->broken) {
		after_output(c);
		if (c->state == CONN_HANDLING)
			notify_drained(c);
		process_input(c);
		if (wants_input(c) && c->state != CONN_HANDSHAKE)
			read_input(c);
	}
	if (c->broken)
		conn_free(c);
	else
		update_events(c);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct conn *c = userdata;

	(void)s;
	(void)fd;
	/* what was not sent before the client left is lost with it */
	if ((revents & (EPOLLERR | EPOLLHUP)) ||
	    ((revents & EPOLLRDHUP) && (c->state == CONN_HANDLING || c->state == CONN_FLUSH)))
		conn_free(c);
	else
		work(c);
	return 0;
}

static int on_later(sd_event_source *s, void *userdata)
{
	(void)s;
	work(userdata);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	conn_free(userdata);
	return 0;
}

/* ---- raw ---- */

void conn_raw(struct conn *c, void (*io)(void *ctx))
{
	c->raw_io = io;
	c->raw_read = true;
	enter(c, CONN_RAW);
	later(c);
}

long conn_raw_read(struct conn *c, void *buf, size_t len)
{
	size_t have = c->in.len - c->in_at;

	if (!have)
		return read_bytes(c, buf, len);
	len = have < len ? have : len;
	memcpy(buf, c->in.p + c->in_at, len);
	consume(c, len);
	return (long)len;
}

long conn_raw_write(struct conn *c, const void *data, size_t len)
{
	/* the head of the response goes first */
	if (conn_queued(c)) {
		flush(c);
		if (c->broken)
			return CONN_RAW_FAILED;
		if (conn_queued(c))
			return CONN_RAW_AGAIN;
	}
	return write_bytes(c, data, len);
}

void conn_raw_want(struct conn *c, bool read, bool write)
{
	c->raw_read = read;
	c->raw_write = write;
	update_events(c);
}

void conn_raw_shutdown(struct conn *c)
{
	shut(c);
}

/* ---- life ---- */

static void set_socket(struct conn *c)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int one = 1;

	/* keepalive finds clients that vanished while a log is followed; no harm if it is refused
	 */
	setsockopt(c->setup.fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(c->setup.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (getpeername(c->setup.fd, (struct sockaddr *)&a, &len) < 0)
		return;
	if (a.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, c->peer,
			  sizeof(c->peer));
	else if (a.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, c->peer, sizeof(c->peer));
}

static void discard(struct conn *c)
{
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	sd_event_source_disable_unref(c->later);
	SSL_free(c->setup.ssl);
	close(c->setup.fd);
	free(c);
}

int conn_new(const struct conn_setup *setup, struct conn **ret, struct err *e)
{
	struct conn *c = NEW(struct conn);
	sd_event *loop = setup->loop;
	int rc;

	c->setup = *setup;
	c->events = EPOLLIN;
	rc = sd_event_add_io(loop, &c->io, setup->fd, EPOLLIN, on_io, c);
	if (rc >= 0)
		rc = sd_event_add_time(loop, &c->timer, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_timer,
				       c);
	if (rc >= 0)
		rc = sd_event_add_defer(loop, &c->later, on_later, c);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(c->later, SD_EVENT_OFF);
	if (rc >= 0 && setup->ssl && !SSL_set_fd(setup->ssl, setup->fd))
		rc = -ENOMEM;
	if (rc < 0) {
		discard(c);
		return err_os(e, -rc, "connection");
	}
	if (setup->ssl)
		SSL_set_accept_state(setup->ssl);
	set_socket(c);
	enter(c, setup->ssl ? CONN_HANDSHAKE : CONN_HEAD);
	*ret = c;
	return 0;
}

const struct http_head *conn_head(const struct conn *c)
{
	return &c->head;
}

bool conn_shaking_hands(const struct conn *c)
{
	return c->state == CONN_HANDSHAKE;
}

bool conn_handling(const struct conn *c)
{
	return c->state == CONN_HANDLING || c->state == CONN_RAW;
}

SSL *conn_ssl(const struct conn *c)
{
	return c->setup.ssl;
}

const char *conn_peer(const struct conn *c)
{
	return c->peer;
}

void conn_own(struct conn *c, const struct conn_owner *owner, void *ctx)
{
	c->owner = *owner;
	c->owner_ctx = ctx;
}
