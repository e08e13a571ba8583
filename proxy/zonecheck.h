/* Whether the kernel can keep connections apart by zones. Effect (netlink). */
#pragma once

#include "nftio.h"

/* Nothing is changed. A kernel that cannot be asked has them: what follows will say why not. */
bool zonecheck_possible(struct nftio *io);
