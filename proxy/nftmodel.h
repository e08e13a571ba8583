/* What our table holds, as values: the sets and their elements. Pure.
 *
 * An element list is a packed byte string, sorted by set and key, without duplicates: 16 to 45
 * bytes an element, so that 10,000 services × 10 endpoints stay within 2 MB.
 *
 * A packet's way: (address, protocol, port) → front value in SERVICES or EXTERNAL (protocol, port
 * in NODE_PORTS…) → its class picks a chain of so many endpoints → (list id, random slot) →
 * endpoint. The front value travels in the packet's priority, which forwarding overwrites anyway:
 * marks, that other agents use, stay as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "base/str.h"
#include "base/vec.h"
#include "dataplane.h"

#define NFT_TABLE "keelson"

enum nftset {
	NFTSET_SERVICES,            /* addr, proto, port → front value */
	NFTSET_EXTERNAL,            /* the same where outside sources are treated differently */
	NFTSET_NODE_PORTS,          /* proto, port → front value */
	NFTSET_NODE_PORTS_EXTERNAL, /* likewise */
	NFTSET_ENDPOINTS,           /* list id, slot → addr, port */
	NFTSET_SLOTS,          /* list id, slot → sticky value: lists with session affinity */
	NFTSET_STICKY,         /* sticky value → addr, port */
	NFTSET_STICKY_LISTS,   /* list id → front value: lists with session affinity */
	NFTSET_STICKY_VALUES,  /* sticky value: of endpoints that are there */
	NFTSET_CLUSTER_IPS,    /* addr */
	NFTSET_NODE_PORT_IPS,  /* addr */
	NFTSET_LOCAL,          /* addr of endpoints on this node */
	NFTSET_HAIRPIN,        /* addr, addr: the same */
	NFTSET_SOURCE_RANGES,  /* list id (big endian), first addr … last addr */
	NFTSET_SENDERS,        /* device, Ethernet address → mark: packets of another node */
	NFTSET_DIRECT,         /* device (big endian), Ethernet address, first addr … last addr:
				* answered without a mark */
	NFTSET_SYMMETRIC,      /* device (big endian), first addr … last addr: not masqueraded */
	NFTSET_SAME_NODE,      /* first addr … last addr, twice: of one other node */
	NFTSET_FORMER_SENDERS, /* device, Ethernet address; fades: no sender's any more, but live
				* connections may come by it */
	NFTSET_HOME,           /* Ethernet address, first addr … last addr: of that node itself */
	NFTSET_HOME_PODS,  /* Ethernet address, first addr: ranges of HOME that have one length */
	NFTSET_HOME_HOSTS, /* Ethernet address, addr: ranges of HOME that are one address */
	NFTSET_WAYS,       /* the part of a mark that says so, device: it leads there */
	NFTSET_COUNT
};

/* Sets whose elements packets reach by way of another element: they go in a second transaction. */
bool nftset_is_pointee(enum nftset set);
/* Sets whose elements several services may share. */
bool nftset_is_shared(enum nftset set);
/* Sets whose elements are a list's: the key begins with its id. */
bool nftset_is_listed(enum nftset set);
/* Sets in which an address, protocol and port has one owner. */
bool nftset_is_front(enum nftset set);

size_t nft_addr_len(enum dataplane_family f); /* 4 or 16 */

enum nft_type {
	NFT_TYPE_NONE,
	NFT_TYPE_ADDR,
	NFT_TYPE_PROTO,
	NFT_TYPE_PORT,
	NFT_TYPE_ID,
	NFT_TYPE_SLOT,
	NFT_TYPE_MARK,
	NFT_TYPE_DEVICE,
	NFT_TYPE_ETHER
};

struct nftset_info {
	const char *name;
	enum nft_type key[4], data[2]; /* data of a set, not a map: none */
	unsigned ranges; /* so many fields at the key's end are: the stored data is their ends */
	bool fades;      /* elements expire unless packets use them */
};
const struct nftset_info *nftset_info(enum nftset set);
size_t nftset_key_len(enum nftset set, enum dataplane_family f);
size_t nftset_data_len(enum nftset set, enum dataplane_family f);
/* Padded to registers of 4. */
size_t nft_type_len(enum nft_type t, enum dataplane_family f);

enum { NFT_KEY_MAX = 40, NFT_DATA_MAX = 32 };

struct nftelem {
	enum nftset set;
	uint8_t key[NFT_KEY_MAX], data[NFT_DATA_MAX];
};

/* Front values. */
enum {
	FRONT_CLASS_MASK = 0xff,
	FRONT_AFFINITY = 0x100,
	FRONT_DISPATCH_MASK = 0x1ff,
	FRONT_FIREWALL = 0x800,    /* only sources in SOURCE_RANGES */
	FRONT_MASQUERADE = 0x1000, /* toward endpoints on other nodes */
	FRONT_ID_SHIFT = 13,
	FRONT_ID_MAX = (1 << 19) - 1,
	FRONT_TIMEOUT_COUNT = 16, /* the id of a list with affinity ends in its time-out's index */
	FRONT_STICKY_MASK = 0x7ff,
	FRONT_CLASS_REJECT = 200,
	FRONT_CLASS_DROP = 201,
	FRONT_CLASSES = 132,
	FRONT_ENDPOINTS_MAX = 2047,
};
#define FRONT_ID_MASK 0xffffe000u

static inline uint32_t front_value(uint32_t id, unsigned flags)
{
	return id << FRONT_ID_SHIFT | flags;
}
/* Classes 1 … FRONT_CLASSES: so many slots each. */
unsigned front_class_slots(unsigned class);
unsigned front_class_of(size_t endpoints); /* the smallest class that holds them */

struct nftlist {
	uint8_t *p;
	size_t len, n;
};
/* An element in a list; borrowed. */
struct nftref {
	enum nftset set;
	const uint8_t *key, *data;
	size_t key_len, data_len;
	const uint8_t *raw; /* set, key, data */
	size_t raw_len;
};
typedef VEC(struct nftelem) nftelems;
int nftelem_compare(const void *a, const void *b); /* set and key */

void nftlist_fini(struct nftlist *l);
/* *offset starts at 0; false at the end. */
bool nftlist_next(const struct nftlist *l, enum dataplane_family f, size_t *offset,
		  struct nftref *ret);
/* Sorts, drops duplicates, packs; v is empty afterwards. */
void nftlist_pack(nftelems *v, enum dataplane_family f, struct nftlist *ret);
void nftlist_append(struct nftlist *l, const struct nftref *e);
/* The union of sorted lists, sorted. */
void nftlist_union(const struct nftlist *const *lists, size_t n, enum dataplane_family f,
		   struct nftlist *ret);
int nftref_compare(const struct nftref *a, const struct nftref *b); /* set and key */
bool nftlist_equal(const struct nftlist *a, const struct nftlist *b);

/* Set and key as text without spaces, for maps. */
enum { NFT_KEY_TEXT = 2 + 4 * ((NFT_KEY_MAX + 2) / 3) };
void nftelem_key(const struct nftelem *e, enum dataplane_family f, char *out /* NFT_KEY_TEXT */);
void nftref_key(const struct nftref *e, char *out);

/* "services 10.96.0.1 . tcp . 443" */
void nftref_print(const struct nftref *e, enum dataplane_family f, struct str *out);
