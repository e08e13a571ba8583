/* What to change so that the kernel holds what we want (contract in nftdiff.h). Pure. */
#include "nftdiff.h"

#include <string.h>

void nftdiff(const struct nftlist *have, const struct nftlist *want, enum dataplane_family f,
	     nftdiff_fn *fn, void *ctx)
{
	size_t at_have = 0, at_want = 0;
	struct nftref h, w;
	bool more_h = nftlist_next(have, f, &at_have, &h);
	bool more_w = nftlist_next(want, f, &at_want, &w);

	while (more_h || more_w) {
		int r = !more_h ? 1 : !more_w ? -1 : nftref_compare(&h, &w);

		if (r < 0 || (!r && memcmp(h.data, w.data, h.data_len)))
			fn(ctx, NFT_DELETE, &h);
		if (r > 0 || (!r && memcmp(h.data, w.data, h.data_len)))
			fn(ctx, NFT_ADD, &w);
		if (r <= 0)
			more_h = nftlist_next(have, f, &at_have, &h);
		if (r >= 0)
			more_w = nftlist_next(want, f, &at_want, &w);
	}
}

void nftplan_fini(struct nftplan *p)
{
	for (size_t i = 0; i < NFT_OPS; i++)
		nftlist_fini(&p->op[i]);
}

void nftplan_add(void *plan, enum nft_op op, const struct nftref *e)
{
	struct nftplan *p = plan;

	nftlist_append(&p->op[op], e);
}
