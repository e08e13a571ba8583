/* How our sets look to the kernel (contract in nftsets.h). Pure. */
#include "nftsets.h"

#include <linux/netfilter/nf_tables.h>

#include "older.h"
#include "skeleton.h"

/* nft's numbers of its types; a concatenation is 6 bits a field. */
enum {
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_ETHER = 9,
	TYPE_PROTO = 12,
	TYPE_PORT = 13,
	TYPE_MARK = 19,
	TYPE_DEVICE = 20,
	TYPE_CLASSID = 23,
	TYPE_BITS = 6
};

/* Clients remembered at a time, over all services; one more keeps working without memory. */
enum { AFFINITY_SIZE = 262144 };

static uint32_t type_number(enum nft_type t, enum dataplane_family f)
{
	switch (t) {
	case NFT_TYPE_ADDR:
		return f == DATAPLANE_IPV4 ? TYPE_IPV4 : TYPE_IPV6;
	case NFT_TYPE_PROTO:
		return TYPE_PROTO;
	case NFT_TYPE_PORT:
		return TYPE_PORT;
	case NFT_TYPE_SLOT:
	case NFT_TYPE_MARK:
		return TYPE_MARK;
	case NFT_TYPE_DEVICE:
		return TYPE_DEVICE;
	case NFT_TYPE_ETHER:
		return TYPE_ETHER;
	case NFT_TYPE_ID:
		return TYPE_CLASSID;
	case NFT_TYPE_NONE:
		break;
	}
	return 0;
}

/* A field alone has its true length, in a concatenation it is padded. */
static void describe(const enum nft_type *types, size_t n, enum dataplane_family f,
		     uint32_t *ret_type, uint32_t *ret_len)
{
	*ret_type = *ret_len = 0;
	for (size_t i = 0; i < n && types[i]; i++) {
		*ret_type = *ret_type << TYPE_BITS | type_number(types[i], f);
		*ret_len += (uint32_t)nft_type_len(types[i], f);
	}
}

static void static_set(size_t i, enum dataplane_family f, struct nftsetdef *ret)
{
	static const char *const names[] = { SKEL_CLASSES, SKEL_STICKY_CLASSES, SKEL_TIMEOUTS,
					     SKEL_AFFINITY, SKEL_OLDER };
	static const enum nft_type client[] = { NFT_TYPE_ID, NFT_TYPE_ADDR };

	static const enum nft_type connection[] = { NFT_TYPE_ADDR, NFT_TYPE_ADDR, NFT_TYPE_PROTO,
						    NFT_TYPE_PORT, NFT_TYPE_PORT };

	ret->name = names[i];
	if (i == 4) {
		describe(connection, ARRAY_SIZE(connection), f, &ret->key_type, &ret->key_len);
		ret->flags = NFT_SET_TIMEOUT | NFT_SET_EVAL;
		ret->size = 2 * OLDER_MAX;
		return;
	}
	ret->flags = NFT_SET_MAP;
	if (i < 3) {
		describe(client, 1, f, &ret->key_type, &ret->key_len);
		ret->key_host = true;
		ret->data_type = NFT_DATA_VERDICT;
		return;
	}
	describe(client, 2, f, &ret->key_type, &ret->key_len);
	describe(client, 1, f, &ret->data_type, &ret->data_len);
	ret->data_host = true;
	ret->flags |= NFT_SET_TIMEOUT | NFT_SET_EVAL;
	ret->size = AFFINITY_SIZE;
}

bool nftsets_is_memory(const char *name)
{
	return str_eq(name, SKEL_AFFINITY) || str_eq(name, SKEL_OLDER);
}

void nftsets_get(size_t i, enum dataplane_family f, struct nftsetdef *ret)
{
	const struct nftset_info *info;

	*ret = (struct nftsetdef){ 0 };
	if (i >= NFTSET_COUNT) {
		static_set(i - NFTSET_COUNT, f, ret);
		return;
	}
	info = nftset_info((enum nftset)i);
	ret->name = info->name;
	describe(info->key, ARRAY_SIZE(info->key), f, &ret->key_type, &ret->key_len);
	describe(info->data, ARRAY_SIZE(info->data), f, &ret->data_type, &ret->data_len);
	if (info->fades)
		ret->flags |= NFT_SET_TIMEOUT;
	ret->key_host = info->key[0] == NFT_TYPE_ID && !info->key[1];
	ret->data_host = info->data[0] == NFT_TYPE_ID || info->data[0] == NFT_TYPE_MARK;
	if (ret->data_len)
		ret->flags |= NFT_SET_MAP;
	if (info->ranges) {
		ret->flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
		for (size_t k = 0; k < ARRAY_SIZE(ret->fields); k++)
			ret->fields[k] = (uint8_t)nft_type_len(info->key[k], f);
	}
}
