/* Netlink messages of one nftables transaction (contract in nftbatch.h). Pure. */
#include "nftbatch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "nftparse.h"
#include "nftrule.h"
#include "nftsets.h"

/* A nested attribute's length has 16 bits; one element takes far less than the rest. */
enum { MESSAGE_MAX = 65536, ELEMENTS_MAX = 60000 };
#define IDLE_MSEC (SKEL_IDLE_SEC * UINT64_C(1000))

static struct nlmsghdr *message(struct nftbatch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h;
	struct nfgenmsg *g;

	if (b->cap - b->len < MESSAGE_MAX) {
		b->cap = b->cap + b->cap / 2 + 2 * MESSAGE_MAX;
		b->p = mem_realloc(b->p, b->cap, 1);
	}
	h = mnl_nlmsg_put_header(b->p + b->len);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++b->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

struct nlmsghdr *nftbatch_message(struct nftbatch *b, uint8_t type, uint16_t flags, uint8_t family)
{
	return message(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, family);
}

static struct nlmsghdr *nft(struct nftbatch *b, enum nf_tables_msg_types type, uint16_t flags,
			    enum dataplane_family f)
{
	return nftbatch_message(b, (uint8_t)type, flags,
				f == DATAPLANE_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

void nftbatch_done(struct nftbatch *b, const struct nlmsghdr *h)
{
	b->len += NLMSG_ALIGN(h->nlmsg_len);
}

static void put_u32(struct nlmsghdr *h, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(h, type, htonl(value));
}

static void edge(struct nftbatch *b, uint16_t type)
{
	struct nlmsghdr *h = message(b, type, 0, AF_UNSPEC);
	struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	g->res_id = htons(NFNL_SUBSYS_NFTABLES);
	nftbatch_done(b, h);
}

void nftbatch_begin(struct nftbatch *b, uint32_t seq)
{
	*b = (struct nftbatch){ .seq = seq };
	edge(b, NFNL_MSG_BATCH_BEGIN);
}

void nftbatch_end(struct nftbatch *b)
{
	edge(b, NFNL_MSG_BATCH_END);
}

void nftbatch_fini(struct nftbatch *b)
{
	free(b->p);
	*b = (struct nftbatch){ 0 };
}

void nftbatch_add_table(struct nftbatch *b, enum dataplane_family f)
{
	struct nlmsghdr *h = nft(b, NFT_MSG_NEWTABLE, NLM_F_CREATE, f);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE);
	nftbatch_done(b, h);
}

void nftbatch_delete_table(struct nftbatch *b, enum dataplane_family f)
{
	struct nlmsghdr *h;

	nftbatch_add_table(b, f);
	h = nft(b, NFT_MSG_DELTABLE, 0, f);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE);
	nftbatch_done(b, h);
}

/* Skeleton */

static void put_fields(struct nlmsghdr *h, const struct nftsetdef *def)
{
	struct nlattr *concat = mnl_attr_nest_start(h, NFTA_SET_DESC_CONCAT);

	for (size_t i = 0; i < ARRAY_SIZE(def->fields) && def->fields[i]; i++) {
		struct nlattr *field = mnl_attr_nest_start(h, NFTA_LIST_ELEM);

		put_u32(h, NFTA_SET_FIELD_LEN, def->fields[i]);
		mnl_attr_nest_end(h, field);
	}
	mnl_attr_nest_end(h, concat);
}

/* What nft keeps beside a set of its own, as it writes it. */
static void put_byte_orders(struct nlmsghdr *h, const struct nftsetdef *def)
{
	enum { HOST_ENDIAN = 1 };
	struct nftnl_udata_buf *b = nftnl_udata_buf_alloc(64);

	if (def->key_host)
		nftnl_udata_put_u32(b, NFTNL_UDATA_SET_KEYBYTEORDER, HOST_ENDIAN);
	if (def->data_host)
		nftnl_udata_put_u32(b, NFTNL_UDATA_SET_DATABYTEORDER, HOST_ENDIAN);
	if (nftnl_udata_buf_len(b))
		mnl_attr_put(h, NFTA_SET_USERDATA, nftnl_udata_buf_len(b), nftnl_udata_buf_data(b));
	nftnl_udata_buf_free(b);
}

static void add_set(struct nftbatch *b, enum dataplane_family f, const struct nftsetdef *def,
		    uint32_t id)
{
	struct nlmsghdr *h = nft(b, NFT_MSG_NEWSET, NLM_F_CREATE, f);
	struct nlattr *desc;

	mnl_attr_put_strz(h, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, def->name);
	put_u32(h, NFTA_SET_ID, id);
	put_u32(h, NFTA_SET_FLAGS, def->flags);
	put_u32(h, NFTA_SET_KEY_TYPE, def->key_type);
	put_u32(h, NFTA_SET_KEY_LEN, def->key_len);
	if (def->flags & NFT_SET_MAP)
		put_u32(h, NFTA_SET_DATA_TYPE, def->data_type);
	if (def->data_len)
		put_u32(h, NFTA_SET_DATA_LEN, def->data_len);
	desc = mnl_attr_nest_start(h, NFTA_SET_DESC);
	if (def->size)
		put_u32(h, NFTA_SET_DESC_SIZE, def->size);
	if (def->fields[0])
		put_fields(h, def);
	mnl_attr_nest_end(h, desc);
	put_byte_orders(h, def);
	nftbatch_done(b, h);
}

static void add_chain(struct nftbatch *b, enum dataplane_family f, const struct skelchain *c)
{
	const struct skel_place *place = skel_place(c->hook);
	struct nlmsghdr *h = nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, f);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, c->name);
	if (c->hook != SKEL_NO_HOOK) {
		struct nlattr *hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);

		put_u32(h, NFTA_HOOK_HOOKNUM, place->hook);
		put_u32(h, NFTA_HOOK_PRIORITY, (uint32_t)place->priority);
		mnl_attr_nest_end(h, hook);
		mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, place->type);
	}
	nftbatch_done(b, h);
}

/* Of one chain, or of all. */
static void add_rules(struct nftbatch *b, const struct skeleton *s, const char *chain)
{
	for (size_t i = 0; i < s->rules.n; i++) {
		struct nlmsghdr *h;

		if (chain && strcmp(s->rules.v[i].chain, chain))
			continue;
		h = nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, s->family);
		nftrule_encode(&s->rules.v[i], s->family, h);
		nftbatch_done(b, h);
	}
}

static struct nlmsghdr *open_elements(struct nftbatch *b, enum dataplane_family f, enum nft_op op,
				      const char *set, struct nlattr **ret_list)
{
	struct nlmsghdr *h = op == NFT_ADD ? nft(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, f)
					   : nft(b, NFT_MSG_DELSETELEM, 0, f);

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	*ret_list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	return h;
}

static void close_elements(struct nftbatch *b, struct nlmsghdr *h, struct nlattr *list)
{
	mnl_attr_nest_end(h, list);
	nftbatch_done(b, h);
}

static void put_value(struct nlmsghdr *h, uint16_t type, const void *data, size_t len)
{
	struct nlattr *n = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(h, n);
}

static void add_vmap(struct nftbatch *b, enum dataplane_family f, const struct skelvmap *v)
{
	struct nlattr *list, *elem, *data, *verdict;
	struct nlmsghdr *h = open_elements(b, f, NFT_ADD, v->name, &list);

	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, &v->key, sizeof(v->key));
	data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	put_u32(h, NFTA_VERDICT_CODE, v->chain[0] ? (uint32_t)NFT_GOTO : NF_DROP);
	if (v->chain[0])
		mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, v->chain);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, elem);
	close_elements(b, h, list);
}

void nftbatch_add_skeleton(struct nftbatch *b, const struct skeleton *s)
{
	struct nftsetdef def;

	for (size_t i = 0; i < NFTSETS_COUNT; i++) {
		nftsets_get(i, s->family, &def);
		add_set(b, s->family, &def, (uint32_t)i + 1);
	}
	for (size_t i = 0; i < s->chains.n; i++)
		add_chain(b, s->family, &s->chains.v[i]);
	add_rules(b, s, NULL);
	for (size_t i = 0; i < s->vmaps.n; i++)
		add_vmap(b, s->family, &s->vmaps.v[i]);
}

void nftbatch_replace_rules(struct nftbatch *b, const struct skeleton *s, const bool *chains)
{
	for (size_t i = 0; i < s->chains.n; i++) {
		struct nlmsghdr *h;

		if (!chains[i])
			continue;
		h = nft(b, NFT_MSG_DELRULE, 0, s->family);
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, NFT_TABLE);
		mnl_attr_put_strz(h, NFTA_RULE_CHAIN, s->chains.v[i].name);
		nftbatch_done(b, h);
		add_rules(b, s, s->chains.v[i].name);
	}
}

/* Elements */

static void put_element(struct nlmsghdr *h, enum nft_op op, const struct nftref *e)
{
	struct nlattr *elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);

	put_value(h, NFTA_SET_ELEM_KEY, e->key, e->key_len);
	if (nftset_info(e->set)->ranges) {
		uint8_t end[NFT_KEY_MAX];
		size_t fixed = e->key_len - e->data_len;

		memcpy(end, e->key, fixed);
		memcpy(end + fixed, e->data, e->data_len);
		put_value(h, NFTA_SET_ELEM_KEY_END, end, e->key_len);
	} else if (op == NFT_ADD && nftset_info(e->set)->fades) {
		mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(IDLE_MSEC));
	} else if (op == NFT_ADD && e->data_len) {
		put_value(h, NFTA_SET_ELEM_DATA, e->data, e->data_len);
	}
	mnl_attr_nest_end(h, elem);
}

/* The elements of one set: lists are not sorted in a plan, sets come in any order. */
static void add_set_elements(struct nftbatch *b, enum dataplane_family f, enum nft_op op,
			     const struct nftlist *list, enum nftset set)
{
	struct nlmsghdr *h = NULL;
	struct nlattr *nest = NULL;
	struct nftref e;

	for (size_t at = 0; nftlist_next(list, f, &at, &e);) {
		if (e.set != set)
			continue;
		if (h && h->nlmsg_len > ELEMENTS_MAX) {
			close_elements(b, h, nest);
			h = NULL;
		}
		if (!h)
			h = open_elements(b, f, op, nftset_info(set)->name, &nest);
		put_element(h, op, &e);
	}
	if (h)
		close_elements(b, h, nest);
}

/* What expires may be gone when it is to be deleted, which is an error: it is added before. */
static void revive(struct nftbatch *b, enum dataplane_family f, const struct nftlist *list)
{
	struct nftref e;

	for (size_t at = 0; nftlist_next(list, f, &at, &e);) {
		struct nlattr *nest;
		struct nlmsghdr *h;

		if (!nftset_info(e.set)->fades)
			continue;
		h = open_elements(b, f, NFT_ADD, nftset_info(e.set)->name, &nest);
		put_element(h, NFT_ADD, &e);
		close_elements(b, h, nest);
	}
}

void nftbatch_elements(struct nftbatch *b, enum dataplane_family f, enum nft_op op,
		       const struct nftlist *list)
{
	if (op == NFT_DELETE)
		revive(b, f, list);
	for (unsigned set = 0; set < NFTSET_COUNT && list->n; set++)
		add_set_elements(b, f, op, list, set);
}

void nftbatch_older(struct nftbatch *b, const struct older *o)
{
	struct nlmsghdr *h = nft(b, NFT_MSG_DELSETELEM, 0, o->family);
	struct nlattr *nest = NULL;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, SKEL_OLDER);
	nftbatch_done(b, h);
	h = NULL;
	for (size_t i = 0; i < o->conns.n; i++) {
		struct nlattr *elem;

		if (h && h->nlmsg_len > ELEMENTS_MAX) {
			close_elements(b, h, nest);
			h = NULL;
		}
		if (!h)
			h = open_elements(b, o->family, NFT_ADD, SKEL_OLDER, &nest);
		elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		put_value(h, NFTA_SET_ELEM_KEY, o->conns.v[i].key, older_key_len(o->family));
		mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(IDLE_MSEC));
		mnl_attr_nest_end(h, elem);
	}
	if (h)
		close_elements(b, h, nest);
}

/* Errors */

static const struct nlmsghdr *find_message(const struct nftbatch *b, uint32_t seq)
{
	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->p + at);

		if (h->nlmsg_seq == seq)
			return h;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return NULL;
}

/* The element that holds the byte at offset, as a message of its own kind would be read. */
static bool explain_element(const struct nlmsghdr *h, size_t offset, struct str *out)
{
	const struct nlattr *attr, *elem;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, attr)
		{
			size_t start = (size_t)((const uint8_t *)elem - (const uint8_t *)h);

			if (offset >= start && offset < start + mnl_attr_get_len(elem))
				return nftparse_print(h, elem, out);
		}
	}
	return false;
}

void nftbatch_explain(const struct nftbatch *b, uint32_t seq, size_t offset, struct str *out)
{
	static const char *const kinds[] = {
		[NFT_MSG_NEWTABLE] = "new table",     [NFT_MSG_DELTABLE] = "deleted table",
		[NFT_MSG_NEWCHAIN] = "new chain",     [NFT_MSG_NEWRULE] = "new rule",
		[NFT_MSG_DELRULE] = "deleted rules",  [NFT_MSG_NEWSET] = "new set",
		[NFT_MSG_NEWSETELEM] = "new element", [NFT_MSG_DELSETELEM] = "deleted element"
	};
	const struct nlmsghdr *h = find_message(b, seq);
	unsigned kind = h ? h->nlmsg_type & 0xff : 0;
	uint16_t name = kind == NFT_MSG_NEWCHAIN ? NFTA_CHAIN_NAME : NFTA_SET_NAME;
	const struct nlattr *attr;

	if (!h || h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || kind >= ARRAY_SIZE(kinds) ||
	    !kinds[kind]) {
		str_append(out, "transaction");
		return;
	}
	str_append(out, kinds[kind]);
	if ((kind == NFT_MSG_NEWSETELEM || kind == NFT_MSG_DELSETELEM) && offset) {
		str_append_c(out, ' ');
		if (explain_element(h, offset, out))
			return;
	}
	/* the chain of a rule and the set of an element have the number of a set's name */
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (kind > NFT_MSG_DELTABLE && mnl_attr_get_type(attr) == name)
			str_printf(out, " %s", mnl_attr_get_str(attr));
	}
}
