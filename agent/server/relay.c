/* Relay between a client and the runtime's streaming server (contract in serve.h). Effect.
 *
 * Two pipes of bounded size; a side is read only while the other side's pipe has room. The end of
 * one side is passed on as a half-close when its pipe is empty.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve.h"

enum {
	PIPE_BYTES = 64 * 1024,
	DISPATCH_BYTES = 256 * 1024,
	ANSWER_HEAD_MAX_BYTES = 16 * 1024,
	ANSWER_BODY_MAX_BYTES = 48 * 1024, /* head and body fit a pipe */
	ANSWER_SEC = 30,
	HALF_OPEN_SEC = 30, /* of silence, after one side has ended */
};

struct pipe {
	char *buf;
	size_t at, len;
	bool ended; /* its source will give no more */
	bool shut;  /* and its sink was told */
};

enum relay_state { RELAY_CONNECTING, RELAY_ANSWER, RELAY_BODY, RELAY_OPEN };

struct relay {
	struct conn *conn;
	enum relay_state state;
	int fd;
	sd_event_source *io, *timer, *again;
	uint32_t events;
	bool runtime_gone; /* its socket is dead in both directions; what it sent may be unread */
	struct pipe to_runtime, to_client;
	struct http_head answer;
};

static void relay_free(struct relay *r)
{
	sd_event_source_disable_unref(r->io);
	sd_event_source_disable_unref(r->timer);
	sd_event_source_disable_unref(r->again);
	if (r->fd >= 0)
		close(r->fd);
	free(r->to_runtime.buf);
	free(r->to_client.buf);
	http_head_fini(&r->answer);
	free(r);
}

static void on_gone(void *ctx)
{
	relay_free(ctx);
}

/* Before the upgrade: the client gets a plain answer. */
static void relay_refuse(struct relay *r, const char *text)
{
	struct conn *c = r->conn;

	relay_free(r);
	serve_http_error(c, 500, text);
}

static void relay_close(struct relay *r)
{
	struct conn *c = r->conn;

	relay_free(r);
	conn_abort(c);
}

/* ---- pumping ---- */

static bool pipe_idle(const struct pipe *p)
{
	return !p->len && !p->ended;
}

static long runtime_read(struct relay *r)
{
	ssize_t n = recv(r->fd, r->to_client.buf, PIPE_BYTES, 0);

	if (n > 0)
		return n;
	if (n == 0)
		return CONN_RAW_END;
	return errno == EAGAIN || errno == EINTR ? CONN_RAW_AGAIN : CONN_RAW_FAILED;
}

static long runtime_write(struct relay *r, const void *data, size_t len)
{
	ssize_t n = send(r->fd, data, len, MSG_NOSIGNAL);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? CONN_RAW_AGAIN : CONN_RAW_FAILED;
}

/* One step of one direction. Returns bytes moved, 0 when it is stuck, < 0 when it broke. */
static long step(struct relay *r, struct pipe *p)
{
	bool to_client = p == &r->to_client;
	long n;

	if (pipe_idle(p)) {
		n = to_client ? runtime_read(r) : conn_raw_read(r->conn, p->buf, PIPE_BYTES);
		if (n == CONN_RAW_FAILED)
			return -1;
		p->ended = n == CONN_RAW_END;
		p->at = 0;
		p->len = n > 0 ? (size_t)n : 0;
	}
	if (!p->len) {
		if (p->ended && !p->shut) {
			p->shut = true;
			if (to_client)
				conn_raw_shutdown(r->conn);
			else
				shutdown(r->fd, SHUT_WR);
		}
		return 0;
	}
	n = to_client ? conn_raw_write(r->conn, p->buf + p->at, p->len)
		      : runtime_write(r, p->buf + p->at, p->len);
	if (n < 0)
		return -1;
	p->at += (size_t)n;
	p->len -= (size_t)n;
	return n;
}

static void set_interest(struct relay *r)
{
	uint32_t events =
	    (pipe_idle(&r->to_client) ? EPOLLIN : 0) | (r->to_runtime.len ? EPOLLOUT : 0);

	conn_raw_want(r->conn, pipe_idle(&r->to_runtime), r->to_client.len > 0);
	if (events == r->events)
		return;
	r->events = events;
	sd_event_source_set_io_events(r->io, events);
}

static void watch_half_open(struct relay *r, bool moved)
{
	if (!r->to_client.ended && !r->to_runtime.ended)
		return;
	if (!moved && sd_event_source_get_enabled(r->timer, NULL) > 0)
		return;
	sd_event_source_set_time_relative(r->timer, (uint64_t)HALF_OPEN_SEC * USEC_PER_SEC);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static void pump(struct relay *r)
{
	size_t moved = 0;
	long a, b;

	do {
		a = step(r, &r->to_client);
		b = a < 0 ? -1 : step(r, &r->to_runtime);
		if (a < 0 || b < 0 ||
		    (r->to_client.shut && (r->to_runtime.shut || r->runtime_gone))) {
			relay_close(r);
			return;
		}
		moved += (size_t)(a + b);
	} while (a + b > 0 && moved < DISPATCH_BYTES);
	if (moved >= DISPATCH_BYTES)
		sd_event_source_set_enabled(r->again, SD_EVENT_ONESHOT);
	watch_half_open(r, moved > 0);
	set_interest(r);
}

static void on_client_io(void *ctx)
{
	pump(ctx);
}

static int on_again(sd_event_source *s, void *userdata)
{
	(void)s;
	pump(userdata);
	return 0;
}

/* ---- the runtime's answer ---- */

/* 101: from here on both sides talk to each other; the answer's bytes go first. */
static void open_relay(struct relay *r)
{
	r->state = RELAY_OPEN;
	sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	r->to_runtime.buf = mem_realloc(r->to_runtime.buf, PIPE_BYTES, 1);
	conn_raw(r->conn, on_client_io);
	pump(r);
}

static void pass_answer_back(struct relay *r)
{
	struct conn *c = r->conn;
	const char *type = http_header(&r->answer, "content-type");
	AUTO_FREE char *type_copy = mem_strdup(str_or(type, "text/plain; charset=utf-8"));
	AUTO_FREE char *body = NULL;
	size_t len = r->to_client.len;
	int status = r->answer.status;

	if (r->answer.content_length >= 0 && (size_t)r->answer.content_length < len)
		len = (size_t)r->answer.content_length;
	body = mem_calloc(len + 1, 1);
	memcpy(body, r->to_client.buf + r->to_client.at, len);
	relay_free(r);
	conn_reply(c, status, type_copy, body, len);
}

static bool body_complete(const struct relay *r)
{
	return r->to_client.ended || r->to_client.len >= ANSWER_BODY_MAX_BYTES ||
	       (r->answer.content_length >= 0 &&
		r->to_client.len >= (size_t)r->answer.content_length);
}

static void got_head(struct relay *r, size_t head_len)
{
	struct pipe *p = &r->to_client;
	struct err e;

	if (http_parse_response(p->buf, head_len, &r->answer, &e) < 0) {
		log_err(&e, "answer of the runtime's streaming server");
		relay_refuse(r, "malformed HTTP response");
	} else if (r->answer.status == 101) {
		open_relay(r);
	} else if (r->answer.status < 400) {
		AUTO_FREE char *text =
		    str_fmt("invalid upgrade response: status code %d", r->answer.status);

		relay_refuse(r, text);
	} else {
		r->state = RELAY_BODY;
		p->at = head_len;
		p->len -= head_len;
		if (body_complete(r))
			pass_answer_back(r);
	}
}

static void read_answer(struct relay *r)
{
	struct pipe *p = &r->to_client;
	ssize_t n = recv(r->fd, p->buf + p->at + p->len, PIPE_BYTES - p->at - p->len, 0);
	long head;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		p->len += (size_t)n;
	p->ended = n <= 0;
	if (r->state == RELAY_BODY) {
		if (body_complete(r))
			pass_answer_back(r);
		return;
	}
	head = http_head_length(p->buf, p->len);
	if (head > 0)
		got_head(r, (size_t)head);
	else if (p->ended || p->len > ANSWER_HEAD_MAX_BYTES)
		relay_refuse(r, "unexpected EOF");
}

static void set_events(struct relay *r, uint32_t events)
{
	r->events = events;
	sd_event_source_set_io_events(r->io, events);
}

static void send_request(struct relay *r)
{
	struct pipe *p = &r->to_runtime;
	ssize_t n = send(r->fd, p->buf + p->at, p->len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		relay_refuse(r, "connection to the container runtime broke");
		return;
	}
	if (n > 0) {
		p->at += (size_t)n;
		p->len -= (size_t)n;
	}
	if (p->len)
		return;
	r->state = RELAY_ANSWER;
	set_events(r, EPOLLIN);
}

static void connected(struct relay *r)
{
	int so_error = 0;
	socklen_t len = sizeof(so_error);

	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &so_error, &len) < 0)
		so_error = errno;
	if (so_error) {
		struct err e;

		err_os(&e, so_error, "dial the container runtime's streaming server");
		relay_refuse(r, e.text);
		return;
	}
	send_request(r);
}

static int on_runtime_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct relay *r = userdata;

	(void)s;
	(void)fd;
	switch (r->state) {
	case RELAY_CONNECTING:
		connected(r);
		break;
	case RELAY_ANSWER:
	case RELAY_BODY:
		read_answer(r);
		break;
	case RELAY_OPEN:
		if (revents & (EPOLLERR | EPOLLHUP)) {
			/* it would be reported again and again while the client is slow */
			sd_event_source_set_enabled(r->io, SD_EVENT_OFF);
			r->runtime_gone = true;
		}
		pump(r);
		break;
	}
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct relay *r = userdata;

	(void)s;
	(void)usec;
	if (r->state == RELAY_OPEN)
		relay_close(r);
	else
		relay_refuse(r, "the container runtime's streaming server does not answer");
	return 0;
}

/* ---- start ---- */

/* The request as the client made it, to the URL's path. Credentials for us stay with us. */
static char *build_request(const struct conn *c, const char *path)
{
	const struct http_head *h = conn_head(c);
	const char *forwarded = http_header(h, "x-forwarded-for");
	struct str s = { 0 };

	str_printf(&s, "%s %s HTTP/1.1\r\n", h->method, path);
	for (size_t i = 0; i < h->n_headers; i++)
		if (strcasecmp(h->headers[i].name, "authorization") &&
		    strcasecmp(h->headers[i].name, "x-forwarded-for"))
			str_printf(&s, "%s: %s\r\n", h->headers[i].name, h->headers[i].value);
	str_printf(&s, "X-Forwarded-For: %s%s%s\r\n\r\n", str_or(forwarded, ""),
		   forwarded ? ", " : "", conn_peer(c));
	return str_take(&s);
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static bool parse_host(char *host, uint16_t port, union address *a, socklen_t *len)
{
	size_t n = strlen(host);

	if (str_eq(host, "localhost"))
		host = (char *)(uintptr_t) "127.0.0.1";
	a->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	*len = sizeof(a->in);
	if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1)
		return true;
	if (n < 2 || host[0] != '[' || host[n - 1] != ']')
		return false;
	host[n - 1] = '\0';
	a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	*len = sizeof(a->in6);
	return inet_pton(AF_INET6, host + 1, &a->in6.sin6_addr) == 1;
}

/* http://ADDRESS:PORT/path: *ret_path points into url. */
static int parse_url(const char *url, union address *a, socklen_t *len, const char **ret_path,
		     struct err *e)
{
	const char *host = url + 7, *path = str_starts(url, "http://") ? strchr(host, '/') : NULL;
	AUTO_FREE char *copy = path ? mem_strndup(host, (size_t)(path - host)) : NULL;
	char *colon = copy ? strrchr(copy, ':') : NULL;
	int64_t port;

	if (!colon)
		return err_set(e, ERR_REMOTE, "cannot use the runtime's streaming URL \"%s\"", url);
	*colon = '\0';
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(e, ERR_REMOTE, "bad byte in the runtime's streaming URL");
	if (!str_to_i64(colon + 1, &port) || port < 1 || port > UINT16_MAX ||
	    !parse_host(copy, (uint16_t)port, a, len))
		return err_set(e, ERR_REMOTE, "cannot use the runtime's streaming URL \"%s\"", url);
	*ret_path = path;
	return 0;
}

static int dial(const union address *a, socklen_t len, struct err *e)
{
	int one = 1, fd;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_os(e, errno, "socket");
	/* single key strokes shall not wait for each other; it is slower without, not wrong */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &a->sa, len) < 0 && errno != EINPROGRESS) {
		err_os(e, errno, "dial the container runtime's streaming server");
		close(fd);
		return -1;
	}
	return fd;
}

static int add_sources(struct relay *r, sd_event *loop, struct err *e)
{
	int rc = sd_event_add_io(loop, &r->io, r->fd, EPOLLOUT, on_runtime_io, r);

	r->events = EPOLLOUT;
	if (rc >= 0)
		rc = sd_event_add_time_relative(loop, &r->timer, CLOCK_MONOTONIC,
						(uint64_t)ANSWER_SEC * USEC_PER_SEC, USEC_PER_SEC,
						on_timer, r);
	if (rc >= 0)
		rc = sd_event_add_defer(loop, &r->again, on_again, r);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(r->again, SD_EVENT_OFF);
	return rc < 0 ? err_os(e, -rc, "event loop") : 0;
}

void relay_start(sd_event *loop, struct conn *c, const char *url)
{
	static const struct conn_owner owner = { on_gone, NULL };
	struct relay *r = NEW(struct relay);
	union address a;
	socklen_t len = 0;
	const char *path = NULL;
	struct err e;

	r->conn = c;
	r->fd = -1;
	if (parse_url(url, &a, &len, &path, &e) < 0 || (r->fd = dial(&a, len, &e)) < 0 ||
	    add_sources(r, loop, &e) < 0) {
		relay_refuse(r, e.text);
		return;
	}
	r->to_runtime.buf = build_request(c, path);
	r->to_runtime.len = strlen(r->to_runtime.buf);
	r->to_client.buf = mem_calloc(PIPE_BYTES, 1);
	conn_own(c, &owner, r);
}
