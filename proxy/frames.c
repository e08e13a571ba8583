/* The netdev table of replies as messages (contract in frames.h). Pure. */
#include "frames.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nftattr.h"
#include "nftrule.h"

#define REWRITE "to-sender"
enum {
	MARK_TYPE = 19, /* nft's numbers of its types */
	ETHER_TYPE = 9,
	HOST_ENDIAN = 1,
	ELEMENTS_MAX = 500, /* a message */
};

static void slot_chain(unsigned slot, char out[FRAMES_CHAIN])
{
	snprintf(out, FRAMES_CHAIN, "slot%u", slot + 1);
}

/* --- rules --- */

#define OP(r, kind, ...) ((r)->op[(r)->n++] = (struct skelop){ .op = SKEL_##kind, __VA_ARGS__ })

static void load_bits(struct skelrule *r, uint32_t mask)
{
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = mask);
}

/* What a device's chain holds: everything else passes after one look, above all packets that
 * somebody else marked with a number that has bits in common with our ids. */
static struct skelrule slot_rule(const char *chain, unsigned slot, uint32_t mask)
{
	struct skelrule r = { .chain = chain };

	load_bits(&r, peermarks_slot_bits(mask, 0));
	OP(&r, IS, .a = 0, .b = peermarks_slot_bits(mask, slot + 1));
	OP(&r, GOTO, .name = REWRITE);
	return r;
}

enum { REWRITE_RULES = 2, MAC_REG = 4 };

/* A mark without a sender is a node that went: there is no way to it. */
static struct skelrule rewrite_rule(size_t i, uint32_t mask)
{
	struct skelrule r = { .chain = REWRITE };

	if (i == 0) {
		load_bits(&r, mask);
		OP(&r, LOOKUP_DATA, .a = 0, .b = MAC_REG, .name = FRAMES_SENDERS);
		OP(&r, SET_ETHER_DADDR, .a = MAC_REG);
		load_bits(&r, ~mask);
		OP(&r, SET_MARK, .a = 0);
	} else {
		load_bits(&r, mask);
		OP(&r, IS_NOT, .a = 0, .b = 0);
		OP(&r, DROP, .a = 0);
	}
	return r;
}

/* --- reading --- */

void frames_fini(struct frames *h)
{
	for (size_t i = 0; i < h->rules.n; i++)
		free(h->rules.v[i].expressions);
	vec_fini(&h->rules);
	vec_fini(&h->chains);
	peermarks_fini(&h->marks);
}

static void read_chain(struct frames *h, const struct nftattrs *a)
{
	struct frames_chain c = { 0 };
	struct nftattrs hook;

	nftattrs_nested(a->of[NFTA_CHAIN_HOOK], &hook);
	if (!nftattr_copy(a->of[NFTA_CHAIN_NAME], c.name, sizeof(c.name)))
		h->foreign = true;
	if (a->of[NFTA_CHAIN_HOOK]) {
		h->foreign |= nftattr_number(hook.of[NFTA_HOOK_HOOKNUM]) != NF_NETDEV_EGRESS ||
			      nftattr_number(hook.of[NFTA_HOOK_PRIORITY]) != 0 ||
			      !nftattr_copy(hook.of[NFTA_HOOK_DEV], c.dev, sizeof(c.dev));
	}
	vec_push(&h->chains, c);
}

static void read_set(struct frames *h, const struct nftattrs *a)
{
	bool ours = nftattr_is(a->of[NFTA_SET_NAME], FRAMES_SENDERS) &&
		    nftattr_number(a->of[NFTA_SET_FLAGS]) == NFT_SET_MAP &&
		    nftattr_number(a->of[NFTA_SET_KEY_TYPE]) == MARK_TYPE &&
		    nftattr_number(a->of[NFTA_SET_DATA_TYPE]) == ETHER_TYPE;

	h->set |= ours;
	h->foreign |= !ours;
}

static void read_rule(struct frames *h, const struct nftattrs *a)
{
	const struct nlattr *list = a->of[NFTA_RULE_EXPRESSIONS];
	struct frames_rule r = { 0 };

	if (!list || !nftattr_copy(a->of[NFTA_RULE_CHAIN], r.chain, sizeof(r.chain))) {
		h->foreign = true;
		return;
	}
	r.expressions = mem_dup(list, mnl_attr_get_len(list));
	vec_push(&h->rules, r);
}

static void read_elements(struct frames *h, const struct nftattrs *a)
{
	const struct nlattr *list = a->of[NFTA_SET_ELEM_LIST_ELEMENTS], *elem;

	if (!list)
		return;
	mnl_attr_for_each_nested(elem, list)
	{
		struct peermark m;
		struct nftattrs e;
		const void *key, *data;

		nftattrs_nested(elem, &e);
		key = nftattr_value(e.of[NFTA_SET_ELEM_KEY], sizeof(m.mark));
		data = nftattr_value(e.of[NFTA_SET_ELEM_DATA], MAC_BYTES);
		if (!key || !data) {
			h->foreign = true;
			continue;
		}
		memcpy(&m.mark, key, sizeof(m.mark));
		memcpy(m.mac, data, MAC_BYTES);
		vec_push(&h->marks.marks, m);
	}
}

int frames_message(void *frames, const struct nlmsghdr *msg, size_t len, struct err *e)
{
	struct frames *h = frames;
	struct nftattrs a;
	int r = nftattrs_message(msg, len, NFPROTO_NETDEV, NFT_TABLE, &a, e);

	if (r <= 0)
		return r;
	switch (msg->nlmsg_type & 0xff) {
	case NFT_MSG_NEWTABLE:
		h->table = true;
		break;
	case NFT_MSG_NEWCHAIN:
		read_chain(h, &a);
		break;
	case NFT_MSG_NEWSET:
		read_set(h, &a);
		break;
	case NFT_MSG_NEWRULE:
		read_rule(h, &a);
		break;
	case NFT_MSG_NEWSETELEM:
		read_elements(h, &a);
		break;
	default:
		break;
	}
	return 0;
}

/* --- comparing --- */

static bool has_chain(const struct frames *h, const char *name, const char *dev)
{
	for (size_t i = 0; i < h->chains.n; i++) {
		if (!strcmp(h->chains.v[i].name, name))
			return !strcmp(h->chains.v[i].dev, dev);
	}
	return false;
}

/* The chain holds these rules and no other. */
static bool has_rules(const struct frames *h, const char *chain, const struct skelrule *want,
		      size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < h->rules.n; i++) {
		if (strcmp(h->rules.v[i].chain, chain))
			continue;
		if (found == n ||
		    !nftrule_equals(h->rules.v[i].expressions, &want[found], DATAPLANE_IPV4))
			return false;
		found++;
	}
	return found == n;
}

static bool same_frame(const struct frames *h, uint32_t mask, const struct peermarks *want)
{
	struct skelrule rewrite[REWRITE_RULES];
	size_t chains = 1;
	bool same = h->table && h->set && !h->foreign && has_chain(h, REWRITE, "");

	for (size_t i = 0; i < REWRITE_RULES; i++)
		rewrite[i] = rewrite_rule(i, mask);
	same = same && has_rules(h, REWRITE, rewrite, REWRITE_RULES);
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		char name[FRAMES_CHAIN];
		struct skelrule r;

		if (!want->slot[i].dev)
			continue;
		slot_chain(i, name);
		r = slot_rule(name, i, mask);
		same = same && has_chain(h, name, want->slot[i].name) && has_rules(h, name, &r, 1);
		chains++;
	}
	return same && h->chains.n == chains;
}

/* --- writing --- */

static struct nlmsghdr *start(struct nftbatch *b, uint8_t type, uint16_t flags)
{
	return nftbatch_message(b, type, flags, NFPROTO_NETDEV);
}

static void put_u32(struct nlmsghdr *h, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(h, type, htonl(value));
}

static void table(struct nftbatch *b, uint8_t type)
{
	struct nlmsghdr *h = start(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFT_TABLE);
	nftbatch_done(b, h);
}

static void delete_table(struct nftbatch *b)
{
	/* deleting what is not there is an error: it is there now */
	table(b, NFT_MSG_NEWTABLE);
	table(b, NFT_MSG_DELTABLE);
}

static void add_set(struct nftbatch *b)
{
	struct nlmsghdr *h = start(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(64);

	mnl_attr_put_strz(h, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, FRAMES_SENDERS);
	put_u32(h, NFTA_SET_ID, 1);
	put_u32(h, NFTA_SET_FLAGS, NFT_SET_MAP);
	put_u32(h, NFTA_SET_KEY_TYPE, MARK_TYPE);
	put_u32(h, NFTA_SET_KEY_LEN, sizeof(uint32_t));
	put_u32(h, NFTA_SET_DATA_TYPE, ETHER_TYPE);
	put_u32(h, NFTA_SET_DATA_LEN, MAC_BYTES);
	nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, HOST_ENDIAN);
	mnl_attr_put(h, NFTA_SET_USERDATA, nftnl_udata_buf_len(u), nftnl_udata_buf_data(u));
	nftnl_udata_buf_free(u);
	nftbatch_done(b, h);
}

static void add_chain(struct nftbatch *b, const char *name, const char *dev)
{
	struct nlmsghdr *h = start(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	if (dev) {
		struct nlattr *hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);

		put_u32(h, NFTA_HOOK_HOOKNUM, NF_NETDEV_EGRESS);
		put_u32(h, NFTA_HOOK_PRIORITY, 0);
		mnl_attr_put_strz(h, NFTA_HOOK_DEV, dev);
		mnl_attr_nest_end(h, hook);
		mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	}
	nftbatch_done(b, h);
}

static void add_rule(struct nftbatch *b, const struct skelrule *r)
{
	struct nlmsghdr *h = start(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	/* nothing in these rules depends on the family */
	nftrule_encode(r, DATAPLANE_IPV4, h);
	nftbatch_done(b, h);
}

static void add_frame(struct nftbatch *b, uint32_t mask, const struct peermarks *want)
{
	char name[FRAMES_CHAIN];

	table(b, NFT_MSG_NEWTABLE);
	add_set(b);
	add_chain(b, REWRITE, NULL);
	for (size_t i = 0; i < REWRITE_RULES; i++) {
		struct skelrule r = rewrite_rule(i, mask);

		add_rule(b, &r);
	}
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		struct skelrule r;

		if (!want->slot[i].dev)
			continue;
		slot_chain(i, name);
		r = slot_rule(name, i, mask);
		add_chain(b, name, want->slot[i].name);
		add_rule(b, &r);
	}
}

static void put_value(struct nlmsghdr *h, uint16_t type, const void *data, size_t len)
{
	struct nlattr *n = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(h, n);
}

static void elements(struct nftbatch *b, enum nft_op op, const struct peermark *m, size_t n)
{
	struct nlmsghdr *h = start(b, op == NFT_ADD ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				   op == NFT_ADD ? NLM_F_CREATE : 0);
	struct nlattr *list;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, FRAMES_SENDERS);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < n; i++) {
		struct nlattr *elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);

		put_value(h, NFTA_SET_ELEM_KEY, &m[i].mark, sizeof(m[i].mark));
		if (op == NFT_ADD)
			put_value(h, NFTA_SET_ELEM_DATA, m[i].mac, MAC_BYTES);
		mnl_attr_nest_end(h, elem);
	}
	mnl_attr_nest_end(h, list);
	nftbatch_done(b, h);
}

typedef VEC(struct peermark) markvec;

static void add_elements(struct nftbatch *b, enum nft_op op, const markvec *v)
{
	for (size_t i = 0; i < v->n; i += ELEMENTS_MAX)
		elements(b, op, v->v + i, v->n - i < ELEMENTS_MAX ? v->n - i : ELEMENTS_MAX);
}

static int note_difference(void *ctx, const void *element, bool wanted)
{
	markvec *v = ctx;
	const struct peermark *m = element;

	vec_push(&v[wanted ? NFT_ADD : NFT_DELETE], *m);
	return 0;
}

void frames_name_slots(struct frames *h, const netstate_links *links)
{
	for (size_t i = 0; i < h->chains.n; i++) {
		const struct netstate_link *l = netstate_link_named(links, h->chains.v[i].dev);
		char name[FRAMES_CHAIN];

		for (unsigned slot = 0; l && slot < PEERS_SLOTS; slot++) {
			slot_chain(slot, name);
			if (strcmp(name, h->chains.v[i].name))
				continue;
			h->marks.slot[slot].dev = l->index;
			memcpy(h->marks.slot[slot].name, l->name, IFNAMSIZ);
		}
	}
}

bool frames_change(const struct frames *have, uint32_t mask, const struct peermarks *want,
		   struct nftbatch *b)
{
	markvec v[NFT_OPS] = { 0 };
	bool anew, some;

	if (!mask && !have->table)
		return false;
	anew = !mask || !same_frame(have, mask, want);
	netstate_each_difference(want->marks.v, mask ? want->marks.n : 0, have->marks.marks.v,
				 anew ? 0 : have->marks.marks.n, sizeof(*want->marks.v),
				 peermark_cmp, note_difference, v);
	if (anew)
		delete_table(b);
	if (anew && mask)
		add_frame(b, mask, want);
	add_elements(b, NFT_DELETE, &v[NFT_DELETE]);
	add_elements(b, NFT_ADD, &v[NFT_ADD]);
	some = anew || v[NFT_ADD].n || v[NFT_DELETE].n;
	vec_fini(&v[NFT_ADD]);
	vec_fini(&v[NFT_DELETE]);
	return some;
}
