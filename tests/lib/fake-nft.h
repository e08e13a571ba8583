/* nf_tables in memory, strict: what the kernel refuses it refuses, and a transaction is all or
 * nothing. Stands for nftio.h in tests of what is above it. Pure.
 */
#pragma once

#include "nftio.h"

struct nftio *fake_nft_new(enum dataplane_family f);
void fake_nft_free(struct nftio *io);
/* The next so many commits fail; the kernel did nothing. */
void fake_nft_fail(struct nftio *io, unsigned commits);
/* The elements of our table, sorted. */
void fake_nft_list(const struct nftio *io, struct nftlist *ret);
void fake_nft_drop_table(struct nftio *io);
void fake_nft_drop_element(struct nftio *io, size_t i); /* the i-th, modulo how many there are */
void fake_nft_expire(struct nftio *io); /* time passes: elements that do are gone, unsaid */
void fake_nft_drop_frame(struct nftio *io, size_t i); /* a set, chain, rule or fixed map of it */
unsigned fake_nft_commits(const struct nftio *io);
size_t fake_nft_messages(const struct nftio *io); /* of the last commit */
void fake_nft_flush_chain(struct nftio *io, const char *chain);
unsigned fake_nft_requests(const struct nftio *io); /* about connections, none of which is there */
