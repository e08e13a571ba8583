/* Which endpoints of a service port this node uses: readiness, termination, policies, hints. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum endpoint_flag {
	ENDPOINT_READY = 1,
	ENDPOINT_SERVING = 2,
	ENDPOINT_TERMINATING = 4,
	ENDPOINT_LOCAL = 8, /* on this node */
	ENDPOINT_NODE_HINTS = 16,
	ENDPOINT_FOR_NODE = 32, /* a hint names this node */
	ENDPOINT_ZONE_HINTS = 64,
	ENDPOINT_FOR_ZONE = 128, /* a hint names this node's zone */
};

/* One endpoint of one service port. */
struct endpoint {
	uint8_t addr[16]; /* as in struct netaddr */
	uint16_t port;
	uint8_t flags; /* enum endpoint_flag */
	bool cluster;  /* out: traffic under policy Cluster goes there */
	bool local;    /* out: traffic under policy Local goes there */
};

/* Policies that some front end of the port has. */
struct topology_uses {
	bool cluster, local;
};

/* Fills cluster and local. Returns whether anybody in the cluster could serve: false means reject,
 * true with no endpoint chosen means drop. */
bool topology_pick(struct endpoint *v, size_t n, const struct topology_uses *uses);
