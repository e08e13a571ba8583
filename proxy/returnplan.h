/* Routing of replies to the node that passed their connection on. Pure.
 *
 * Packets with a mark of a device leave by it whatever their destination, toward a next hop that
 * nobody has: the netdev table gives the frame its Ethernet address (egress.h).
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
}; /* sorted */

/* What probes come from is local; len 0: none of that family. loopback: the device. Without senders
 * all is empty. */
struct returnplan_probes {
	struct addr source[2];
	struct prefix range[2]; /* of all nodes' */
	int loopback;
};
/* v6: the nodes have such addresses. */
void returnplan_make(const struct peers *p, bool v6, const struct returnplan_probes *probes,
		     struct returnplan *ret);
void returnplan_fini(struct returnplan *p);
/* Ours are not told apart from others' by more than these. */
bool returnplan_is_ours(const struct netstate_route *route);
bool returnplan_is_table(uint32_t table);
bool returnplan_is_next_hop(const struct addr *a);
/* -1: somebody else's rule looks at bits of the mask. */
int returnplan_check(const netstate_rules *rules, uint32_t mask, struct err *e);
