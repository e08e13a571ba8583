/* Gives up what the running proxy does not need. Effect (this process, for good).
 *
 * Kept: CAP_NET_ADMIN (nftables, connection tracking, routes, sysctls of the network namespace) and
 * CAP_NET_BIND_SERVICE (a server on a port below 1024, health ports of services).
 */
#pragma once

#include "base/err.h"

/* After what needs more was done (OOM score). Missing capabilities are no error here: who cannot
 * program the kernel is told so by the kernel. */
int privileges_drop(struct err *e);

/* From now on only the system calls that the program makes: a list of what is allowed, all else
 * fails. Credential plugins are started by a spawner from before it and are free of it. Does
 * nothing in builds with sanitizers, which make calls of their own. */
int privileges_filter(struct err *e);
