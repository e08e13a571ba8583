/* The netdev table: frames of replies to the node that passed their connection on. Effect
 * (netlink).
 *
 * One chain a device hangs where packets leave. A packet whose mark names a sender gets that
 * sender's Ethernet address, and no packet leaves with the mark: what a tunnel puts around it would
 * be routed by it again.
 */
#pragma once

#include "nftbatch.h"
#include "nftio.h"
#include "peermarks.h"

/* What the kernel holds; devices by index as the links name them. Nothing there is no error. */
int egress_read(struct nftio *io, const netstate_links *links, struct peermarks *ret,
		struct err *e);
/* Makes it so, changing only what differs. mask 0: the table goes. */
int egress_write(struct nftio *io, uint32_t mask, const struct peermarks *want, struct err *e);
