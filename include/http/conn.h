/* One client connection: TLS, requests in, responses out, back-pressure. Effect.
 *
 * A request is handed over when its body (which no endpoint reads) has passed. Whoever handles it
 * answers at once or later, from the loop. Nothing here frees a connection inside a call: a broken
 * one is closed from the loop, after `gone` told the owner of the open request.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "http/head.h"

struct conn;

struct conn_setup {
	sd_event *loop;
	int fd;   /* taken over */
	SSL *ssl; /* taken over; NULL: plain HTTP */
	void (*request)(void *ctx, struct conn *c);
	void (*closed)(void *ctx, struct conn *c); /* the last that is heard of it */
	void *ctx;
};

int conn_new(const struct conn_setup *setup, struct conn **ret, struct err *e);
void conn_free(struct conn *c); /* at once; gone and closed are called */

const struct http_head *conn_head(const struct conn *c); /* of the open request */
SSL *conn_ssl(const struct conn *c);
bool conn_shaking_hands(const struct conn *c); /* nothing was proven yet */
bool conn_handling(const struct conn *c);      /* somebody works on a request of it */
const char *conn_peer(const struct conn *c);   /* address without port */

/* Who handles the open request. gone: the client left, do not touch c again. drained: the queue is
 * low again. Ends with the response. */
struct conn_owner {
	void (*gone)(void *ctx);
	void (*drained)(void *ctx);
};
void conn_own(struct conn *c, const struct conn_owner *owner, void *ctx);

/* An extra header of the coming response. */
void conn_add_header(struct conn *c, const char *name, const char *value);
void conn_reply(struct conn *c, int status, const char *type, const void *body, size_t len);
void conn_reply_text(struct conn *c, int status, const char *text);
/* A body of unknown length. */
void conn_begin(struct conn *c, int status, const char *type);
void conn_write(struct conn *c, const void *data, size_t len);
void conn_end(struct conn *c);
/* The body cannot be finished: the client sees it cut. */
void conn_abort(struct conn *c);
bool conn_begun(const struct conn *c);
size_t conn_queued(const struct conn *c);

/* The connection becomes a plain byte stream; what was read behind the head is given out first.
 * io is called when it may be readable or writable; gone of the owner is still called at the end.
 */
void conn_raw(struct conn *c, void (*io)(void *ctx));
enum { CONN_RAW_AGAIN = 0, CONN_RAW_END = -1, CONN_RAW_FAILED = -2 };
long conn_raw_read(struct conn *c, void *buf, size_t len);
long conn_raw_write(struct conn *c, const void *data, size_t len);
void conn_raw_want(struct conn *c, bool read, bool write);
void conn_raw_shutdown(struct conn *c); /* no more writes: the client sees the end */
