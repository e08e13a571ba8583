/* How our sets look to the kernel and to `nft list`. Pure.
 *
 * Every type is one that nft knows by number, so that any version lists the table without data of
 * its own beside the set.
 */
#pragma once

#include "nftmodel.h"

enum { NFTSETS_COUNT = NFTSET_COUNT + 5 };

struct nftsetdef {
	const char *name;
	uint32_t flags; /* NFT_SET_… */
	uint32_t key_type, key_len, data_type, data_len;
	uint32_t size;     /* 0: none given */
	uint8_t fields[3]; /* lengths, of interval sets */
	bool key_host,
	    data_host; /* a number of this machine's byte order, alone: nft wants to know */
};

/* Whether the kernel fills that set by itself: what clients and connections it remembers may be
 * much, and is not read. */
bool nftsets_is_memory(const char *name);
/* The element sets come first, then classes, sticky-classes, timeouts, affinity, older. */
void nftsets_get(size_t i, enum dataplane_family f, struct nftsetdef *ret);
