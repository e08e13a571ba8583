/* A packet's way through our table, as the kernel would take it, over the values that the pure code
 * makes. Pure.
 *
 * Random choices are enumerated: a walk takes the choice it is told and says how many there are.
 */
#pragma once

#include "skeleton.h"

struct walk_client { /* what the affinity map remembers */
	uint8_t key[20];
	uint32_t value, timeout_sec;
};

struct walk_table {
	const struct skeleton *skel;
	const struct nftlist *list;
	/* when not NULL, lookups look here once there were so many: a packet that a transaction
	 * overtakes */
	const struct nftlist *later;
	unsigned later_after;
	VEC(struct walk_client) clients;
	const uint8_t *older; /* key of a connection that stays without a zone; may be NULL */
};

struct walk_packet {
	struct addr saddr, daddr;
	uint16_t sport, dport;
	uint8_t proto;
	const char *iif;
	uint32_t iif_index, oif_index, ct_mark;
	uint8_t ether_saddr[MAC_BYTES];
	uint8_t transport[64]; /* behind the IP header; ports stand above */
	uint16_t zone;         /* out: as its bytes are read from the packet */
	bool refreshed;        /* out: what is kept was used */
	bool renewed;          /* out: so was the node's zone */
	bool reply;            /* of its connection */
	bool local_daddr;      /* the FIB says so */
	uint32_t mark, priority;
	bool dnat, masquerade; /* out */
};

enum walk_verdict { WALK_PASS, WALK_DROP, WALK_REJECT, WALK_RESET, WALK_DNAT };

/* hook: SKEL_PREROUTING or SKEL_OUTPUT; what is not stopped goes on through POSTROUTING. choices:
 * how many there were, 1 at least. */
enum walk_verdict walk(struct walk_table *t, struct walk_packet *p, enum skel_hook hook,
		       unsigned choice, unsigned *ret_choices);
