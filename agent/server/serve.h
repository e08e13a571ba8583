/* What the endpoints of the server share. Each answers on the connection, at once or later. */
#pragma once

#include "http/conn.h"
#include "server.h"

/* The parameters of a path; NULL where the route has none. */
struct serve_target {
	char *ns, *pod, *uid, *container;
};

typedef void (*serve_fn)(const struct server_setup *s, struct conn *c,
			 const struct serve_target *target);

void serve_logs(const struct server_setup *s, struct conn *c, const struct serve_target *target);
void serve_exec(const struct server_setup *s, struct conn *c, const struct serve_target *target);
void serve_attach(const struct server_setup *s, struct conn *c, const struct serve_target *target);
void serve_port_forward(const struct server_setup *s, struct conn *c,
			const struct serve_target *target);
void serve_run(const struct server_setup *s, struct conn *c, const struct serve_target *target);

/* Takes the connection through to the runtime's streaming URL: dials it, passes the request on,
 * relays after 101, else passes the answer back. method and headers are the client's. */
void relay_start(sd_event *loop, struct conn *c, const char *url);

/* As Go's http.Error: a newline and no sniffing. */
void serve_http_error(struct conn *c, int status, const char *text);
