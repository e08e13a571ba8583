/* Who asks and may he: x509, TokenReview, anonymous; SubjectAccessReview; with caches. Effect
 * (clock, reviews).
 */
#pragma once

#include "http/conn.h"
#include "server.h"

struct auth;
struct auth_ticket;

/* status 200: go on; else the answer. Called once, possibly before auth_start returns. */
typedef void (*auth_done)(void *ctx, int status, const char *text);

struct auth *auth_new(const struct server_setup *setup);
void auth_free(struct auth *a);
/* NULL: done was called already. */
struct auth_ticket *auth_start(struct auth *a, struct conn *c, auth_done done, void *ctx);
void auth_cancel(struct auth_ticket *t); /* done is not called any more */
