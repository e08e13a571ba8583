/* Socket and session of one HTTP/2 connection (contract in h2.h). Effect. */
#include "h2.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	READ_BYTES = 32 * 1024,
	READS_PER_DISPATCH = 8, /* other sources of the loop get their turn after 256 KiB */
	OUT_HIGH_BYTES = 64 * 1024,
	WINDOW_BYTES = 1024 * 1024,
	CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024,
	STREAMS_MAX = 1000,
};

static void fail(struct h2 *h, const struct err *e)
{
	h->closed(h->ctx, e);
}

static int set_events(struct h2 *h, bool want_write)
{
	if (h->want_write == want_write)
		return 0;
	h->want_write = want_write;
	return sd_event_source_set_io_events(h->io, EPOLLIN | (want_write ? EPOLLOUT : 0));
}

/* Fills out from the session. Returns < 0 when nghttp2 gives up. */
static int collect(struct h2 *h, struct err *e)
{
	if (h->out_at == h->out.len) {
		str_reset(&h->out);
		h->out_at = 0;
	}
	while (h->out.len - h->out_at < OUT_HIGH_BYTES) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(h->session, &p);

		if (n < 0)
			return err_set(e, ERR_UNAVAILABLE, "HTTP/2: %s", nghttp2_strerror((int)n));
		if (n == 0)
			return 0;
		str_append_n(&h->out, p, (size_t)n);
		h->made += (uint64_t)n;
	}
	return 0;
}

static int write_out(struct h2 *h, struct err *e)
{
	while (h->out_at < h->out.len) {
		ssize_t n = send(h->fd, h->out.p + h->out_at, h->out.len - h->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0) {
			err_os(e, errno, "write");
			e->code = ERR_UNAVAILABLE;
			return -1;
		}
		h->out_at += (size_t)n;
		h->written += (uint64_t)n;
	}
	return 0;
}

void h2_flush(struct h2 *h)
{
	struct err e;
	int rc;

	if (h->busy || h->connecting)
		return;
	do {
		h->busy = true;
		rc = collect(h, &e);
		h->busy = false;
		if (rc == 0 && h->out_at == h->out.len)
			break;
		if (rc == 0)
			rc = write_out(h, &e);
	} while (rc == 0);
	if (rc < 0) {
		fail(h, &e);
		return;
	}
	if (rc == 0 && !nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session)) {
		err_set(&e, ERR_UNAVAILABLE, "HTTP/2 session ended");
		fail(h, &e);
		return;
	}
	if (set_events(h, rc > 0) < 0) {
		err_set(&e, ERR_INTERNAL, "event loop refused a socket");
		fail(h, &e);
	}
}

/* Returns 1 when bytes were taken, 0 when there were none, < 0 at the end of the connection. */
static int read_some(struct h2 *h, struct err *e)
{
	uint8_t buf[READ_BYTES];
	ssize_t n = recv(h->fd, buf, sizeof(buf), 0), taken;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		if (n < 0)
			err_os(e, errno, "read");
		else
			err_set(e, ERR_UNAVAILABLE, "peer closed the connection");
		e->code = ERR_UNAVAILABLE;
		return -1;
	}
	h->busy = true;
	taken = nghttp2_session_mem_recv(h->session, buf, (size_t)n);
	h->busy = false;
	if (taken < 0)
		return err_set(e, ERR_UNAVAILABLE, "HTTP/2: %s", nghttp2_strerror((int)taken));
	return 1;
}

/* Returns < 0 when the connection could not be made. */
static int finish_connect(struct h2 *h, struct err *e)
{
	int so_error = 0;
	socklen_t len = sizeof(so_error);

	h->connecting = false;
	if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &so_error, &len) < 0)
		so_error = errno;
	if (so_error) {
		err_os(e, so_error, "connect");
		e->code = ERR_UNAVAILABLE;
		return -1;
	}
	return 0;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct h2 *h = userdata;
	struct err e;
	int rc = 0;

	(void)s;
	(void)fd;
	if (h->connecting) {
		if (!(revents & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return 0;
		rc = finish_connect(h, &e);
	} else if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		for (int i = 0; i < READS_PER_DISPATCH; i++) {
			rc = read_some(h, &e);
			if (rc <= 0)
				break;
		}
	}
	if (rc < 0)
		fail(h, &e);
	else
		h2_flush(h);
	return 0;
}

static int session_new(struct h2 *h, const struct h2_setup *s)
{
	nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	nghttp2_option *option;
	int rc = nghttp2_option_new(&option);

	if (rc)
		return rc;
	/* credit is given when a message was taken, not when bytes came in */
	nghttp2_option_set_no_auto_window_update(option, 1);
	rc = s->server ? nghttp2_session_server_new2(&h->session, s->callbacks, s->ctx, option)
		       : nghttp2_session_client_new2(&h->session, s->callbacks, s->ctx, option);
	nghttp2_option_del(option);
	/* only clients say ENABLE_PUSH */
	if (!rc)
		rc = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
					     ARRAY_SIZE(settings) - (s->server ? 1 : 0));
	if (!rc)
		rc = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
							   CONNECTION_WINDOW_BYTES);
	return rc;
}

int h2_init(struct h2 *h, const struct h2_setup *s, struct err *e)
{
	int rc;

	*h = (struct h2){ .fd = s->fd,
			  .connecting = s->connecting,
			  .want_write = true,
			  .closed = s->closed,
			  .ctx = s->ctx };
	rc = session_new(h, s);
	if (rc) {
		h2_fini(h);
		return err_set(e, ERR_INTERNAL, "HTTP/2 session: %s", nghttp2_strerror(rc));
	}
	rc = sd_event_add_io(s->loop, &h->io, s->fd, EPOLLIN | EPOLLOUT, on_io, h);
	if (rc < 0) {
		h2_fini(h);
		return err_os(e, -rc, "event loop");
	}
	return 0;
}

void h2_fini(struct h2 *h)
{
	h->io = sd_event_source_disable_unref(h->io);
	nghttp2_session_del(h->session);
	h->session = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	str_fini(&h->out);
}
