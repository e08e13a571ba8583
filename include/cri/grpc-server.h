/* gRPC server on a unix socket on the loop: unary and server-streaming methods. Effect.
 *
 * One handler gets every request with its method path; it answers now or later through the request
 * object, which stays valid until grpc_req_end, whatever the client does meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"

struct grpc_server;
struct grpc_req;

/* path is "/package.Service/Method"; data is valid during the call. */
typedef void (*grpc_serve_fn)(void *ctx, struct grpc_req *req, const char *path,
			      const uint8_t *data, size_t len);

int grpc_server_new(sd_event *loop, const char *socket_path, grpc_serve_fn serve, void *ctx,
		    struct grpc_server **ret, struct err *e);
/* Open requests lose their clients, not their objects: end them before. */
void grpc_server_free(struct grpc_server *s);
/* Tells every client to go to a new connection; requests under way are still answered. */
void grpc_server_drain(struct grpc_server *s);
size_t grpc_server_connections(const struct grpc_server *s);

/* Queues one message; a unary method sends one, then ends. */
void grpc_req_send(struct grpc_req *req, const uint8_t *data, size_t len);
/* Ends with the status of e (NULL: OK) and frees req. A negative e->os is the status itself. */
void grpc_req_end(struct grpc_req *req, const struct err *e);
/* The client has gone or cancelled: answers are dropped. fn runs once, at that moment. */
bool grpc_req_cancelled(const struct grpc_req *req);
void grpc_req_on_cancel(struct grpc_req *req, void (*fn)(void *ctx), void *ctx);
/* Monotonic microseconds; < 0: none. The server does not enforce it. */
int64_t grpc_req_deadline_usec(const struct grpc_req *req);
/* Bytes queued that the client has not taken: a stream's handler stops sending above its bound. */
size_t grpc_req_queued_bytes(const struct grpc_req *req);
