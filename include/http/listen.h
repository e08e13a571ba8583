/* A listening socket and its connections. Effect.
 *
 * At most connections_max are open: beyond it the oldest that still shakes hands makes room, else
 * the oldest without a request that is worked on, else the newcomer is turned away. The same where
 * the process has no descriptor left; with nothing to give up, newcomers wait a moment.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "http/conn.h"

struct listener;

struct listener_setup {
	sd_event *loop;
	const char *address; /* numeric */
	uint16_t port;       /* 0: any */
	bool v6_only;        /* :: leaves IPv4 to another listener */
	/* A new TLS session for a connection; NULL: plain HTTP. */
	SSL *(*accept_tls)(void *ctx, struct err *e);
	void (*request)(void *ctx, struct conn *c);
	void *ctx;
	size_t connections_max; /* 0: 1024 */
};

/* Bound and listening when it returns. */
int listener_new(const struct listener_setup *setup, struct listener **ret, struct err *e);
/* Closes every connection. */
void listener_free(struct listener *l);
uint16_t listener_port(const struct listener *l);
