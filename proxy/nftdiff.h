/* What to change so that the kernel holds what we want. Pure. */
#pragma once

#include "nftmodel.h"

enum nft_op { NFT_ADD, NFT_DELETE, NFT_OPS };

/* Both lists sorted. Called for each difference in order; an element whose data changes is deleted
 * and added. */
typedef void nftdiff_fn(void *ctx, enum nft_op op, const struct nftref *e);
void nftdiff(const struct nftlist *have, const struct nftlist *want, enum dataplane_family f,
	     nftdiff_fn *fn, void *ctx);

/* A transaction's elements: all deletions come before all additions. */
struct nftplan {
	struct nftlist op[NFT_OPS];
};
void nftplan_fini(struct nftplan *p);
/* nftdiff_fn; ctx is a struct nftplan */
void nftplan_add(void *plan, enum nft_op op, const struct nftref *e);
