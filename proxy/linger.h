/* What stays in the sets that say which connections have a zone of their own. Pure.
 *
 * A connection that changes its zone ends, and a node is told apart no more when its Node is
 * deleted or says nothing: its address goes from NFTSET_SENDERS to NFTSET_FORMER_SENDERS for as
 * long as its connections may live (packets renew it), and what is its own stays in NFTSET_HOME as
 * long as that.
 */
#pragma once

#include "nftmodel.h"

/* The kernel's room is not for whoever makes up Nodes. */
enum { LINGER_MAX = 4096 };

/* before: sorted, what the kernel holds; wanted: what it should, in any order. Adds what lingers.
 */
void linger(const struct nftlist *before, enum dataplane_family f, nftelems *wanted);
