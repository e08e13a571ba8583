/* TokenReview and SubjectAccessReview for requests to the node's server. Effect (API calls). */
#pragma once

#include "server/server.h"

struct agent;

/* ctx is the struct agent. */
void reviews_token(void *ctx, const char *token, server_token_done done, void *done_ctx);
void reviews_access(void *ctx, const struct server_access *access, server_access_done done,
		    void *done_ctx);
