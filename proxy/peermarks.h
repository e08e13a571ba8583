/* Which mark stands for which sender. Pure.
 *
 * A mark is a number laid out over the bits of a mask, so that it can keep clear of bits that other
 * agents use: the device's slot in the upper part, never 0, and the sender's id in the rest. Live
 * connections carry marks: who has one keeps it, and one whose sender is told apart no more (its
 * Node was deleted, or says nothing) still leads there until the number is needed. What an Ethernet
 * address gets first depends on it alone.
 */
#pragma once

#include "peers.h"

/* What the kernel holds of an earlier time. */
struct peermarks {
	struct peers_slot slot[PEERS_SLOTS];
	VEC(struct peermark) marks; /* sorted by mark */
};
int peermark_cmp(const void *a, const void *b); /* by mark, then by address */
void peermarks_sort(struct peermarks *m);
void peermarks_fini(struct peermarks *m);

enum { PEERMARKS_SLOT_BITS = 2, PEERMARKS_MIN_BITS = 4 };

/* The bits of a mark that say which slot: 1 … PEERS_SLOTS. slot 0: all of these bits. */
uint32_t peermarks_slot_bits(uint32_t mask, unsigned slot);
/* Fills in mask, slots and marks of p. names: of the devices. -1 when mask has too few bits for
 * the senders or there are too many devices: p is without senders then. */
int peermarks_assign(const struct peermarks *have, const netstate_links *names, uint32_t mask,
		     struct peers *p, struct err *e);
/* What p wants the kernel to hold. */
void peermarks_of(const struct peers *p, struct peermarks *ret);
