/* HTTP/2 connections to one server: libcurl's multi interface on sd-event. Effect.
 *
 * Each connection is a curl multi handle that may open one socket, so that we decide what shares a
 * connection: streams are spread at most HTTP_STREAMS_MAX to a connection (servers allow 100), and
 * heartbeats travel alone. A server that speaks only HTTP/1.1 gets as many sockets as it needs.
 * Callbacks never run inside of a call to this file other than from the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "kube/kubeconfig.h"

enum { HTTP_STREAMS_MAX = 80 };

struct http_pool;
struct http_call;

enum http_lane { HTTP_LANE_MAIN, HTTP_LANE_HEARTBEAT, HTTP_LANE_COUNT };

/* Everything is copied. */
struct http_request {
	const char *method, *path; /* path with its query */
	const char *content_type, *accept, *authorization;
	char *const *headers; /* more of them, "Name: value"; NULL-terminated, or NULL */
	const void *body;
	size_t body_len, body_max; /* body_max bounds the answer */
	unsigned timeout_ms;       /* 0: none */
	enum http_lane lane;
	bool stream;
};

struct http_reply {
	int status; /* 0: no answer, e says why */
	const char *content_type;
	const char *body; /* NUL-terminated */
	size_t len;
	int64_t retry_after_sec; /* 0: not given */
	const struct err *e;     /* NULL when an answer arrived whole */
	bool reset;              /* ended by http_pool_reset */
};

struct http_ops {
	/* bytes of a stream's 200 answer, as they come */
	void (*data)(void *ctx, const char *content_type, const char *bytes, size_t len);
	/* once, at the end; the call is gone afterwards */
	void (*done)(void *ctx, const struct http_reply *reply);
};

/* credentials are borrowed until http_pool_reset or free */
struct http_pool *http_pool_new(sd_event *loop, const struct kube_credentials *credentials,
				const char *user_agent);
void http_pool_free(struct http_pool *p);
struct http_call *http_send(struct http_pool *p, const struct http_request *request,
			    const struct http_ops *ops, void *ctx);
void http_cancel(struct http_call *call);
/* Ends every call with ERR_UNAVAILABLE and closes every connection; the callbacks run later. */
void http_pool_reset(struct http_pool *p, const struct kube_credentials *credentials,
		     const char *why);
unsigned http_pool_connections(const struct http_pool *p);
