/* The sets of our table and packed lists of elements (contract in nftmodel.h). Pure. */
#include "nftmodel.h"

#include <arpa/inet.h>
#include <string.h>

#define A NFT_TYPE_ADDR
#define P NFT_TYPE_PROTO
#define T NFT_TYPE_PORT
#define I NFT_TYPE_ID
#define S NFT_TYPE_SLOT
#define M NFT_TYPE_MARK
#define D NFT_TYPE_DEVICE
#define E NFT_TYPE_ETHER
static const struct nftset_info infos[NFTSET_COUNT] = {
	[NFTSET_SERVICES] = { "services", { A, P, T }, { I }, 0, false },
	[NFTSET_EXTERNAL] = { "external", { A, P, T }, { I }, 0, false },
	[NFTSET_NODE_PORTS] = { "node-ports", { P, T }, { I }, 0, false },
	[NFTSET_NODE_PORTS_EXTERNAL] = { "node-ports-external", { P, T }, { I }, 0, false },
	[NFTSET_ENDPOINTS] = { "endpoints", { I, S }, { A, T }, 0, false },
	[NFTSET_SLOTS] = { "slots", { I, S }, { I }, 0, false },
	[NFTSET_STICKY] = { "sticky", { I }, { A, T }, 0, false },
	[NFTSET_STICKY_LISTS] = { "sticky-lists", { I }, { I }, 0, false },
	[NFTSET_STICKY_VALUES] = { "sticky-values", { I }, { 0 }, 0, false },
	[NFTSET_CLUSTER_IPS] = { "cluster-ips", { A }, { 0 }, 0, false },
	[NFTSET_NODE_PORT_IPS] = { "node-port-ips", { A }, { 0 }, 0, false },
	[NFTSET_LOCAL] = { "local", { A }, { 0 }, 0, false },
	[NFTSET_HAIRPIN] = { "hairpin", { A, A }, { 0 }, 0, false },
	[NFTSET_SOURCE_RANGES] = { "source-ranges", { I, A }, { 0 }, 1, false },
	[NFTSET_SENDERS] = { "senders", { D, E }, { M }, 0, false },
	[NFTSET_DIRECT] = { "direct", { D, E, A }, { 0 }, 1, false },
	[NFTSET_SYMMETRIC] = { "symmetric", { D, A }, { 0 }, 1, false },
	[NFTSET_SAME_NODE] = { "same-node", { A, A }, { 0 }, 2, false },
	[NFTSET_FORMER_SENDERS] = { "former-senders", { D, E }, { 0 }, 0, true },
	[NFTSET_HOME] = { "home", { E, A }, { 0 }, 1, false },
	[NFTSET_HOME_PODS] = { "home-pods", { E, A }, { 0 }, 0, false },
	[NFTSET_HOME_HOSTS] = { "home-hosts", { E, A }, { 0 }, 0, false },
	[NFTSET_WAYS] = { "ways", { M, D }, { 0 }, 0, false },
};
#undef A
#undef P
#undef T
#undef I
#undef S
#undef M
#undef D
#undef E

bool nftset_is_pointee(enum nftset set)
{
	return nftset_is_listed(set) && set != NFTSET_STICKY_VALUES;
}

bool nftset_is_listed(enum nftset set)
{
	return set >= NFTSET_ENDPOINTS && set <= NFTSET_STICKY_VALUES;
}

bool nftset_is_shared(enum nftset set)
{
	return set == NFTSET_CLUSTER_IPS || set == NFTSET_LOCAL || set == NFTSET_HAIRPIN;
}

bool nftset_is_front(enum nftset set)
{
	return set <= NFTSET_NODE_PORTS_EXTERNAL;
}

const struct nftset_info *nftset_info(enum nftset set)
{
	return &infos[set];
}

size_t nft_addr_len(enum dataplane_family f)
{
	return f == DATAPLANE_IPV4 ? 4 : 16;
}

size_t nft_type_len(enum nft_type t, enum dataplane_family f)
{
	switch (t) {
	case NFT_TYPE_NONE:
		return 0;
	case NFT_TYPE_ADDR:
		return nft_addr_len(f);
	case NFT_TYPE_ETHER:
		return 8;
	default:
		return 4;
	}
}

size_t nftset_key_len(enum nftset set, enum dataplane_family f)
{
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(infos[set].key); i++)
		len += nft_type_len(infos[set].key[i], f);
	return len;
}

size_t nftset_data_len(enum nftset set, enum dataplane_family f)
{
	size_t len = 0;

	if (infos[set].ranges)
		return infos[set].ranges * nft_addr_len(f);
	for (size_t i = 0; i < ARRAY_SIZE(infos[set].data); i++)
		len += nft_type_len(infos[set].data[i], f);
	return len;
}

/* One class per count up to here, then powers of two. */
enum { EXACT_CLASSES = 128 };

unsigned front_class_slots(unsigned class)
{
	if (class <= EXACT_CLASSES)
		return class;
	return class >= FRONT_CLASSES ? FRONT_ENDPOINTS_MAX
				      : EXACT_CLASSES << (class - EXACT_CLASSES);
}

unsigned front_class_of(size_t endpoints)
{
	unsigned class = endpoints <= EXACT_CLASSES ? (unsigned)endpoints : EXACT_CLASSES;

	while (class < FRONT_CLASSES && front_class_slots(class) < endpoints)
		class ++;
	return class;
}

void nftlist_fini(struct nftlist *l)
{
	free(l->p);
	*l = (struct nftlist){ 0 };
}

bool nftlist_next(const struct nftlist *l, enum dataplane_family f, size_t *offset,
		  struct nftref *ret)
{
	enum nftset set;

	if (*offset >= l->len)
		return false;
	set = l->p[*offset];
	*ret = (struct nftref){ .set = set,
				.key = l->p + *offset + 1,
				.key_len = nftset_key_len(set, f),
				.data_len = nftset_data_len(set, f),
				.raw = l->p + *offset };
	ret->data = ret->key + ret->key_len;
	ret->raw_len = 1 + ret->key_len + ret->data_len;
	*offset += ret->raw_len;
	return true;
}

int nftelem_compare(const void *a, const void *b)
{
	const struct nftelem *x = a, *y = b;

	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return memcmp(x->key, y->key, sizeof(x->key));
}

void nftlist_pack(nftelems *v, enum dataplane_family f, struct nftlist *ret)
{
	struct nftlist l = { 0 };
	uint8_t *at;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), nftelem_compare);
	for (size_t i = 0; i < v->n; i++)
		l.len += 1 + nftset_key_len(v->v[i].set, f) + nftset_data_len(v->v[i].set, f);
	at = l.p = mem_calloc(l.len ? l.len : 1, 1);
	for (size_t i = 0; i < v->n; i++) {
		const struct nftelem *e = &v->v[i];
		size_t key = nftset_key_len(e->set, f), data = nftset_data_len(e->set, f);

		if (i && !nftelem_compare(e, e - 1))
			continue;
		*at++ = (uint8_t)e->set;
		memcpy(at, e->key, key);
		memcpy(at + key, e->data, data);
		at += key + data;
		l.n++;
	}
	l.len = (size_t)(at - l.p);
	v->n = 0;
	*ret = l;
}

void nftlist_append(struct nftlist *l, const struct nftref *e)
{
	/* the buffer's size is the power of two at or above len, at least 64 */
	size_t need = l->len + e->raw_len, cap = 64, old = 64;

	while (cap < need)
		cap *= 2;
	while (old < l->len)
		old *= 2;
	if (!l->p || cap != old)
		l->p = mem_realloc(l->p, cap, 1);
	memcpy(l->p + l->len, e->raw, e->raw_len);
	l->len += e->raw_len;
	l->n++;
}

int nftref_compare(const struct nftref *a, const struct nftref *b)
{
	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	return memcmp(a->key, b->key, a->key_len);
}

static int ref_compare(const void *a, const void *b)
{
	return nftref_compare(a, b);
}

void nftlist_union(const struct nftlist *const *lists, size_t n, enum dataplane_family f,
		   struct nftlist *ret)
{
	VEC(struct nftref) refs = { 0 };
	struct nftlist l = { 0 };
	struct nftref e;

	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; nftlist_next(lists[i], f, &at, &e);)
			vec_push(&refs, e);
	}
	vec_sort(&refs, ref_compare);
	for (size_t i = 0; i < refs.n; i++) {
		if (!i || nftref_compare(&refs.v[i], &refs.v[i - 1]))
			nftlist_append(&l, &refs.v[i]);
	}
	vec_fini(&refs);
	*ret = l;
}

bool nftlist_equal(const struct nftlist *a, const struct nftlist *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->p, b->p, a->len));
}

/* Three bytes are four letters: there are as many keys as services. */
static void key_text(enum nftset set, const uint8_t *key, size_t len, char *out)
{
	*out++ = (char)('A' + set);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)key[i] << 16;

		three |= i + 1 < len ? (uint32_t)key[i + 1] << 8 : 0;
		three |= i + 2 < len ? key[i + 2] : 0;
		for (int shift = 18; shift >= 0; shift -= 6)
			*out++ = (char)('0' + (three >> shift & 0x3f));
	}
	*out = 0;
}

void nftelem_key(const struct nftelem *e, enum dataplane_family f, char *out)
{
	key_text(e->set, e->key, nftset_key_len(e->set, f), out);
}

void nftref_key(const struct nftref *e, char *out)
{
	key_text(e->set, e->key, e->key_len, out);
}

static const char *proto_name(uint8_t proto)
{
	return proto == 6 ? "tcp" : proto == 17 ? "udp" : proto == 132 ? "sctp" : "?";
}

static void print_addr(const uint8_t *bytes, enum dataplane_family f, struct str *out)
{
	struct addr a = { .len = (uint8_t)nft_addr_len(f) };
	char text[ADDR_TEXT];

	memcpy(a.b, bytes, a.len);
	str_append(out, addr_text(&a, text));
}

static void print_fields(const enum nft_type *types, size_t n, const uint8_t *at,
			 enum dataplane_family f, struct str *out)
{
	char mac[MAC_TEXT];
	uint16_t port;
	uint32_t value;

	for (size_t i = 0; i < n && types[i]; at += nft_type_len(types[i], f), i++) {
		memcpy(&port, at, sizeof(port));
		memcpy(&value, at, sizeof(value));
		if (i)
			str_append(out, " . ");
		if (types[i] == NFT_TYPE_ADDR) {
			print_addr(at, f, out);
		} else if (types[i] == NFT_TYPE_PROTO) {
			str_append(out, proto_name(*at));
		} else if (types[i] == NFT_TYPE_PORT) {
			str_printf(out, "%u", ntohs(port));
		} else if (types[i] == NFT_TYPE_ETHER) {
			str_append(out, mac_text(at, mac));
		} else {
			str_printf(out, types[i] == NFT_TYPE_ID ? "0x%x" : "%u", value);
		}
	}
}

void nftref_print(const struct nftref *e, enum dataplane_family f, struct str *out)
{
	const struct nftset_info *info = nftset_info(e->set);

	str_printf(out, "%s ", info->name);
	print_fields(info->key, ARRAY_SIZE(info->key), e->key, f, out);
	if (info->ranges) {
		for (unsigned i = 0; i < info->ranges; i++) {
			str_append(out, i ? " . " : " to ");
			print_addr(e->data + i * nft_addr_len(f), f, out);
		}
	} else if (e->data_len) {
		str_append(out, " : ");
		print_fields(info->data, ARRAY_SIZE(info->data), e->data, f, out);
	}
}
