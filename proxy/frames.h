/* The netdev table as netlink messages: frames of replies to the node that passed their connection
 * on. Pure.
 *
 * One chain a device hangs where packets leave. A packet whose mark names a sender gets that
 * sender's Ethernet address, and no packet leaves with the mark: what a tunnel puts around it would
 * be routed by it again.
 */
#pragma once

#include <linux/netlink.h>

#include "nftbatch.h"
#include "peermarks.h"

#define FRAMES_SENDERS "senders" /* the map */
enum { FRAMES_CHAIN = 24 };

/* What the kernel holds. */
struct frames {
	bool table, foreign, set;
	VEC(struct frames_chain {
		char name[FRAMES_CHAIN];
		char dev[IFNAMSIZ]; /* "": no base chain */
	}) chains;
	VEC(struct frames_rule {
		char chain[FRAMES_CHAIN];
		struct nlattr *expressions; /* heap */
	}) rules;
	struct peermarks marks;
};
void frames_fini(struct frames *h);
/* One message of a dump into a zeroed struct frames; others than of our table are passed over. len:
 * bytes at msg. */
int frames_message(void *frames, const struct nlmsghdr *msg, size_t len, struct err *e);
/* Fills in the slots of h->marks from the chains' devices. */
void frames_name_slots(struct frames *h, const netstate_links *links);

/* What makes it so, changing only what differs. mask 0: the table goes. false: nothing to do. */
bool frames_change(const struct frames *have, uint32_t mask, const struct peermarks *want,
		   struct nftbatch *b);
