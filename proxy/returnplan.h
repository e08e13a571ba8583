/* Routing of replies to the node that passed their connection on. Pure.
 *
 * Packets with a mark of a device leave by it whatever their destination, toward a next hop that
 * nobody has: the netdev table gives the frame its Ethernet address (egress.h). Where all leaves by
 * that device anyway, the main table's next hop does as well, and there is no rule (exits.h).
 */
#pragma once

#include "netstate.h"
#include "peermarks.h"

/* Unusual numbers, ahead of what other agents put before the main table. */
enum { RETURNPLAN_PRIORITY = 75, RETURNPLAN_TABLE = 7500 /* + slot */ };

struct returnplan {
	netstate_rules rules;
	netstate_routes routes;
	netstate_neighbours neighbours;
	netstate_addresses addresses;
}; /* sorted */

/* Of this node, IPv4 and IPv6. */
struct returnplan_node {
	struct addr source[2];  /* what probes come from */
	struct prefix range[2]; /* of all nodes' such addresses */
	int loopback;           /* the device */
	bool v6;                /* nodes have such addresses */
	bool one_exit[2];
};
/* Without senders all is empty. */
void returnplan_make(const struct peers *p, const struct returnplan_node *node,
		     struct returnplan *ret);
void returnplan_fini(struct returnplan *p);
/* The device that all senders' packets come by; 0: several, or there are none. */
int returnplan_only_device(const struct peers *p);
/* Ours are not told apart from others' by more than these. */
bool returnplan_is_ours(const struct netstate_route *route);
bool returnplan_is_table(uint32_t table);
bool returnplan_is_next_hop(const struct addr *a);
bool returnplan_is_source(const struct netstate_address *a);
/* -1: somebody else's rule looks at bits of the mask. */
int returnplan_check(const netstate_rules *rules, uint32_t mask, struct err *e);
