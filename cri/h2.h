/* One HTTP/2 connection on the loop: socket, nghttp2 session, bytes in and out. Effect. Client and
 * server share it; what the frames mean is theirs.
 *
 * Invariant: h2_flush is never entered from inside nghttp2's callbacks (busy tells), so the session
 * is neither re-entered nor freed under itself. The closed callback is the last thing that the
 * connection does: it may free it.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/str.h"

struct h2 {
	int fd;
	nghttp2_session *session;
	sd_event_source *io;
	bool connecting, busy, want_write;
	struct str out; /* bytes made by nghttp2 that the socket has not taken */
	size_t out_at;
	uint64_t made, written; /* bytes since the start of the connection */
	void (*closed)(void *ctx, const struct err *e);
	void *ctx;
};

struct h2_setup {
	sd_event *loop;
	int fd; /* taken over, also on failure */
	bool server, connecting;
	const nghttp2_session_callbacks *callbacks; /* their user_data is ctx */
	void (*closed)(void *ctx, const struct err *e);
	void *ctx;
};

int h2_init(struct h2 *h, const struct h2_setup *setup, struct err *e);
void h2_fini(struct h2 *h);
/* Writes what the session has to say, as far as the socket takes it. May call closed. */
void h2_flush(struct h2 *h);
