/* gRPC server (contract in cri/grpc-server.h). Effect.
 *
 * A request lives while the handler or the connection needs it: `handled` ends with grpc_req_end,
 * `conn` becomes NULL when its stream closes. The last of the two frees it.
 */
#include "cri/grpc-server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cri/grpc.h"
#include "h2.h"
#include "sock.h"
#include "wire.h"

enum { CONNECTIONS_MAX = 64, PATH_MAX_BYTES = 256 };

struct peer;

struct grpc_req {
	struct peer *peer; /* NULL: the stream is closed */
	struct grpc_req *next;
	int32_t stream;
	char *path;
	bool bad_request, started, handled, ended, headers_sent;
	int64_t deadline_usec;
	struct wire_reader reader;
	struct str request; /* the one message */
	bool has_request;
	struct str out;
	size_t out_at;
	int status;
	struct str status_text;
	void (*cancel)(void *ctx);
	void *cancel_ctx;
};

struct peer {
	struct grpc_server *server;
	struct peer *next;
	struct h2 h2;
	struct grpc_req *reqs;
	bool dying; /* cancel callbacks run: what they send goes nowhere */
};

struct grpc_server {
	sd_event *loop;
	char *path;
	int fd;
	sd_event_source *io;
	grpc_serve_fn serve;
	void *ctx;
	struct peer *peers;
	size_t n_peers;
};

static void req_free(struct grpc_req *r)
{
	wire_reader_fini(&r->reader);
	str_fini(&r->request);
	str_fini(&r->out);
	str_fini(&r->status_text);
	free(r->path);
	free(r);
}

/* The stream of a request is gone. */
static void req_detach(struct grpc_req *r)
{
	struct peer *p = r->peer;
	bool waiting = r->started && !r->handled;

	for (struct grpc_req **at = &p->reqs; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	r->peer = NULL;
	if (!waiting)
		req_free(r);
	else if (r->cancel)
		r->cancel(r->cancel_ctx);
}

static void peer_free(struct peer *p)
{
	struct grpc_server *s = p->server;

	p->dying = true;
	while (p->reqs)
		req_detach(p->reqs);
	for (struct peer **at = &s->peers; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			s->n_peers--;
			break;
		}
	h2_fini(&p->h2);
	free(p);
}

static void on_closed(void *ctx, const struct err *e)
{
	log_v(4, "gRPC client left: %s", e->text);
	peer_free(ctx);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct peer *p = user_data;
	struct grpc_req *r;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	r = NEW(struct grpc_req);
	r->peer = p;
	r->stream = frame->hd.stream_id;
	r->deadline_usec = -1;
	r->reader.max_bytes = GRPC_MESSAGE_MAX_BYTES;
	r->next = p->reqs;
	p->reqs = r;
	return nghttp2_session_set_stream_user_data(session, r->stream, r);
}

static bool is(const uint8_t *name, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(name, want, len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct grpc_req *r = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	int64_t msec;

	(void)flags;
	(void)user_data;
	if (!r)
		return 0;
	if (is(name, name_len, ":path") && value_len <= PATH_MAX_BYTES && !r->path)
		r->path = mem_strndup((const char *)value, value_len);
	else if (is(name, name_len, ":method"))
		r->bad_request |= !is(value, value_len, "POST");
	else if (is(name, name_len, "grpc-timeout") &&
		 wire_timeout_parse((const char *)value, value_len, &msec))
		r->deadline_usec = clock_mono_usec() + msec * USEC_PER_MSEC;
	return 0;
}

static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
			  uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct grpc_req *r = nghttp2_session_get_stream_user_data(session, stream);
	size_t n;

	(void)source;
	(void)user_data;
	if (!r)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = r->out.len - r->out_at;
	n = n < len ? n : len;
	if (n)
		memcpy(buf, r->out.p + r->out_at, n);
	r->out_at += n;
	if (r->out_at == r->out.len) {
		str_reset(&r->out);
		r->out_at = 0;
	}
	if (r->ended && !r->out.len) {
		char status[8];
		nghttp2_nv trailers[] = {
			{ (uint8_t *)(uintptr_t) "grpc-status", (uint8_t *)status, 11, 0,
			  NGHTTP2_NV_FLAG_NONE },
			{ (uint8_t *)(uintptr_t) "grpc-message",
			  (uint8_t *)(uintptr_t)str_text(&r->status_text), 12, r->status_text.len,
			  NGHTTP2_NV_FLAG_NONE },
		};

		trailers[0].valuelen = (size_t)snprintf(status, sizeof(status), "%d", r->status);
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, stream, trailers, r->status_text.len ? 2 : 1);
		return (ssize_t)n;
	}
	return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

/* Headers with the first message, or headers that are trailers too when there is none. */
static void start_response(struct grpc_req *r)
{
	char status[8];
	nghttp2_data_provider body = { .read_callback = read_reply };
	nghttp2_nv headers[] = {
		{ (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "200", 7, 3, 0 },
		{ (uint8_t *)(uintptr_t) "content-type", (uint8_t *)(uintptr_t) "application/grpc",
		  12, 16, 0 },
		{ (uint8_t *)(uintptr_t) "grpc-status", (uint8_t *)status, 11, 0, 0 },
		{ (uint8_t *)(uintptr_t) "grpc-message",
		  (uint8_t *)(uintptr_t)str_text(&r->status_text), 12, r->status_text.len, 0 },
	};
	bool only_trailers = r->ended && !r->out.len;
	int rc;

	headers[2].valuelen = (size_t)snprintf(status, sizeof(status), "%d", r->status);
	if (only_trailers)
		rc = nghttp2_submit_response(r->peer->h2.session, r->stream, headers,
					     r->status_text.len ? 4 : 3, NULL);
	else
		rc = nghttp2_submit_response(r->peer->h2.session, r->stream, headers, 2, &body);
	if (rc)
		nghttp2_submit_rst_stream(r->peer->h2.session, NGHTTP2_FLAG_NONE, r->stream,
					  NGHTTP2_INTERNAL_ERROR);
	r->headers_sent = true;
}

static void push_out(struct grpc_req *r)
{
	struct peer *p = r->peer;

	if (p->dying)
		return;
	if (!r->headers_sent)
		start_response(r);
	else
		nghttp2_session_resume_data(p->h2.session, r->stream);
	h2_flush(&p->h2);
}

void grpc_req_send(struct grpc_req *r, const uint8_t *data, size_t len)
{
	uint8_t prefix[WIRE_PREFIX_BYTES];

	if (!r->peer)
		return;
	wire_prefix(prefix, len);
	str_append_n(&r->out, prefix, sizeof(prefix));
	str_append_n(&r->out, data, len);
	push_out(r);
}

void grpc_req_end(struct grpc_req *r, const struct err *e)
{
	r->handled = r->ended = true;
	if (!r->peer) {
		req_free(r);
		return;
	}
	r->status = e && e->os < 0 ? -e->os : wire_status_of(e);
	if (e)
		wire_message_encode(&r->status_text, e->text);
	push_out(r);
}

bool grpc_req_cancelled(const struct grpc_req *r)
{
	return !r->peer;
}

void grpc_req_on_cancel(struct grpc_req *r, void (*fn)(void *ctx), void *ctx)
{
	r->cancel = fn;
	r->cancel_ctx = ctx;
}

int64_t grpc_req_deadline_usec(const struct grpc_req *r)
{
	return r->deadline_usec;
}

size_t grpc_req_queued_bytes(const struct grpc_req *r)
{
	return r->out.len - r->out_at;
}

static int take_message(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct grpc_req *r = ctx;

	if (r->has_request)
		return err_set(e, ERR_INVALID, "more than one request message");
	r->has_request = true;
	str_append_n(&r->request, data, len);
	return 0;
}

static void refuse(struct grpc_req *r, const struct err *e)
{
	r->started = true;
	grpc_req_end(r, e);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *user_data)
{
	struct grpc_req *r = nghttp2_session_get_stream_user_data(session, stream);
	struct err e;

	(void)flags;
	(void)user_data;
	nghttp2_session_consume(session, stream, len);
	if (r && !r->started && wire_feed(&r->reader, data, len, take_message, r, &e) < 0)
		refuse(r, &e);
	return 0;
}

/* The client has said everything. */
static void serve_request(struct grpc_req *r)
{
	struct grpc_server *s = r->peer->server;
	struct err e;

	if (r->bad_request || !r->path || !r->has_request) {
		err_set(&e, ERR_INVALID, "not a gRPC request");
		refuse(r, &e);
	} else {
		r->started = true;
		s->serve(s->ctx, r, r->path, (const uint8_t *)str_text(&r->request),
			 r->request.len);
	}
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct grpc_req *r;

	(void)user_data;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
		return 0;
	r = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (r && !r->started)
		serve_request(r);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t h2_error,
			   void *user_data)
{
	struct grpc_req *r = nghttp2_session_get_stream_user_data(session, stream);

	(void)h2_error;
	(void)user_data;
	if (r)
		req_detach(r);
	return 0;
}

static int peer_new(struct grpc_server *s, int fd, struct err *e)
{
	nghttp2_session_callbacks *cb;
	struct peer *p;
	int rc;

	if (nghttp2_session_callbacks_new(&cb)) {
		close(fd);
		return err_set(e, ERR_INTERNAL, "HTTP/2 callbacks");
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	p = NEW(struct peer);
	p->server = s;
	rc = h2_init(&p->h2,
		     &(struct h2_setup){ .loop = s->loop,
					 .fd = fd,
					 .server = true,
					 .callbacks = cb,
					 .closed = on_closed,
					 .ctx = p },
		     e);
	nghttp2_session_callbacks_del(cb);
	if (rc < 0) {
		free(p);
		return -1;
	}
	p->next = s->peers;
	s->peers = p;
	s->n_peers++;
	return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct grpc_server *s = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;

	(void)source;
	(void)revents;
	if (client < 0)
		return 0;
	if (s->n_peers >= CONNECTIONS_MAX) {
		log_warning("%s: more than %d clients, one is turned away", s->path,
			    CONNECTIONS_MAX);
		close(client);
	} else if (peer_new(s, client, &e) < 0) {
		log_err(&e, "%s: client", s->path);
	}
	return 0;
}

int grpc_server_new(sd_event *loop, const char *socket_path, grpc_serve_fn serve, void *ctx,
		    struct grpc_server **ret, struct err *e)
{
	struct grpc_server *s = NEW(struct grpc_server);
	int rc;

	s->loop = sd_event_ref(loop);
	s->path = mem_strdup(socket_path);
	s->serve = serve;
	s->ctx = ctx;
	s->fd = sock_listen(socket_path, 0600, e);
	if (s->fd < 0) {
		grpc_server_free(s);
		return -1;
	}
	rc = sd_event_add_io(loop, &s->io, s->fd, EPOLLIN, on_accept, s);
	if (rc < 0) {
		grpc_server_free(s);
		return err_os(e, -rc, "event loop");
	}
	*ret = s;
	return 0;
}

void grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	while (s->peers)
		peer_free(s->peers);
	sd_event_source_disable_unref(s->io);
	if (s->fd >= 0)
		close(s->fd);
	sd_event_unref(s->loop);
	free(s->path);
	free(s);
}

void grpc_server_drain(struct grpc_server *s)
{
	struct peer *next;

	for (struct peer *p = s->peers; p; p = next) {
		next = p->next;
		nghttp2_submit_goaway(p->h2.session, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(p->h2.session),
				      NGHTTP2_NO_ERROR, NULL, 0);
		h2_flush(&p->h2);
	}
}

size_t grpc_server_connections(const struct grpc_server *s)
{
	return s->n_peers;
}
