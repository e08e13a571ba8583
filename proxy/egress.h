/* The netdev table of frames.h in the kernel. Effect (netlink). */
#pragma once

#include "frames.h"
#include "nftio.h"

/* What the kernel holds. Nothing there is no error. */
int egress_read(struct nftio *io, struct frames *ret, struct err *e);
/* Makes it so, changing only what differs. mask 0: the table goes. have: what was just read; NULL:
 * it is read now. */
int egress_write(struct nftio *io, const struct frames *have, uint32_t mask,
		 const struct peermarks *want, struct err *e);
