/* Which container's log a request means, and what to say when there is none. Pure. */
#pragma once

#include "base/err.h"
#include "server.h"

/* Returns 0 and the runtime id, or < 0 with the client's text (HTTP 400). */
int logpick(const struct server_container *view, const char *pod, const char *container,
	    bool previous, const char **ret_id, struct err *e);
