/* The netdev table of frames.h in the kernel. Effect (netlink). */
#pragma once

#include "nftio.h"
#include "peermarks.h"

/* What the kernel holds; devices by index as the links name them. Nothing there is no error. */
int egress_read(struct nftio *io, const netstate_links *links, struct peermarks *ret,
		struct err *e);
/* Makes it so, changing only what differs. mask 0: the table goes. */
int egress_write(struct nftio *io, uint32_t mask, const struct peermarks *want, struct err *e);
