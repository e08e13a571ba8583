/* gRPC client over a unix socket (or TCP to a numeric address) on the loop: unary and server
 * streaming. Effect.
 *
 * A channel connects when a call needs it, keeps one connection, drains it after GOAWAY while new
 * calls go to a new one, and reconnects with jittered back-off. While the peer has been away for
 * less than GRPC_OUTAGE_WAIT_MSEC calls wait for it (a restart of the peer is not seen), after that
 * they fail at once with ERR_UNAVAILABLE. A call whose request never left, or that the peer says it
 * did not process, is sent again by itself; one that the peer may have worked on is not.
 *
 * Callbacks run from the loop only, never inside these functions; from a callback any of these
 * functions may be called.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

struct grpc;
struct grpc_call;

enum { GRPC_OUTAGE_WAIT_MSEC = 5000, GRPC_MESSAGE_MAX_BYTES = 16 * 1024 * 1024 };

struct grpc_handler {
	/* One whole message. Returning < 0 ends the call with that error. */
	int (*message)(void *ctx, const uint8_t *data, size_t len, struct err *e);
	/* The call is over and gone; e is NULL when the status was OK. An error from the peer has
	 * e->os = -status. */
	void (*done)(void *ctx, const struct err *e);
};

/* address: unix:///path, /path, or tcp://ADDRESS:PORT with a numeric address. */
int grpc_new(sd_event *loop, const char *address, struct grpc **ret, struct err *e);
/* Open calls end without done. */
void grpc_free(struct grpc *g);

struct grpc_request {
	const char *method; /* "/package.Service/Method" */
	const void *data;   /* one packed message, copied */
	size_t len;
	int64_t timeout_msec;  /* < 0: no deadline */
	size_t max_bytes;      /* per message; 0: GRPC_MESSAGE_MAX_BYTES */
	size_t cut_bytes;      /* top-level fields of a message are cut to this; 0: never */
	const char *authority; /* NULL: localhost */
};

struct grpc_call *grpc_call_start(struct grpc *g, const struct grpc_request *request,
				  const struct grpc_handler *handler, void *ctx);
/* Neither message nor done is called any more; the peer is told. */
void grpc_call_cancel(struct grpc_call *call);
/* Holds messages back: the peer may send on until its window is full, then it waits. */
void grpc_call_pause(struct grpc_call *call, bool paused);

/* "rpc error: code = NotFound desc = …", as upstream prints an error of the peer; the plain text
 * for other errors. Returns buf. */
const char *grpc_err_text(const struct err *e, char *buf, size_t size);
