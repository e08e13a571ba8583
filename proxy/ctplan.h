/* Which UDP connections the kernel should forget. Pure.
 *
 * A UDP "connection" lives as long as somebody sends: without this a client that keeps its source
 * port would talk to an endpoint that is gone for ever, or past a service that came after it. TCP
 * connections are never cut: they end with their endpoint.
 */
#pragma once

#include <linux/netlink.h>

#include "addr.h"
#include "base/map.h"
#include "dataplane.h"

struct ctplan {
	struct map fronts; /* key text → struct ctfront */
};

struct ctfront;

void ctplan_fini(struct ctplan *p);
bool ctplan_empty(const struct ctplan *p);
/* A front end that was touched: connections to it may go to the endpoints that are added to it
 * from now on, and to no other. addr NULL: of node port `port`. */
struct ctfront *ctplan_front(struct ctplan *p, const struct addr *addr, uint16_t port);
void ctplan_allow(struct ctfront *f, const struct addr *endpoint, uint16_t port);

enum { CTENTRY_TUPLE_MAX = 128 };

struct ctentry {
	uint8_t proto;
	struct addr client, to, from; /* `to` as the client sees it; where replies come from */
	uint16_t client_port, to_port, from_port;
	uint8_t tuple[CTENTRY_TUPLE_MAX]; /* the original direction, as the kernel gave it */
	size_t tuple_len;
	uint32_t id;                  /* in network order; 0: none */
	uint16_t zone, original_zone; /* of both directions; of that one alone */
	uint32_t mark;
	uint8_t tcp_state; /* TCP_CONNTRACK_…; 0: not told */
};

/* node_ips: where node ports are served; with none, a connection counts as one to a node port only
 * when it was rewritten. */
bool ctplan_stale(const struct ctplan *p, const struct ctentry *e, const struct addr *node_ips,
		  size_t n_node_ips);

/* One message of a dump of connections. false: not an IP connection with ports. */
bool ctentry_parse(const struct nlmsghdr *h, size_t len, struct ctentry *ret);
