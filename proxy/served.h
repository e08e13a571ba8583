/* An address that we serve HTTP on, tried again while it cannot be had. Effect. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "http/conn.h"

struct served;

struct served_setup {
	sd_event *loop;
	const char *noun; /* "healthz": for messages; not copied */
	void (*request)(void *ctx, struct conn *c);
	/* The address cannot be had, now or at a later try. From the loop or from served_set. */
	void (*failed)(void *ctx, const char *noun, const struct err *e);
	/* It is served now, after a try that failed. */
	void (*mended)(void *ctx);
	void *ctx;
};

struct served *served_new(const struct served_setup *setup);
void served_free(struct served *s);
/* "IP:port", or "" for none. Returns after the first try; the same address is left alone. */
void served_set(struct served *s, const char *address);

/* The open request is answered for the endpoint of its path, 404 or 405. GET and HEAD only. */
struct served_endpoint {
	const char *path;
	void (*serve)(void *ctx, struct conn *c);
};
void served_dispatch(struct conn *c, const struct served_endpoint *table, size_t n, void *ctx);
