/* Rules in netlink (contract in nftrule.h). Pure. */
#include "nftrule.h"

/* libnftnl's header uses FILE without including it */
#include <stdio.h>

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "base/mem.h"
#include "nftattr.h"

/* Word w of the registers, numbered as the kernel prints them. */
static uint32_t reg(uint32_t w)
{
	return w % 4 ? NFT_REG32_00 + w : NFT_REG_1 + w / 4;
}

static struct nftnl_expr *expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	nftnl_rule_add_expr(r, e);
	return e;
}

static uint8_t nfproto(enum dataplane_family f)
{
	return f == DATAPLANE_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

static void payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, size_t len, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)len);
}

static void set_ether_daddr(struct nftnl_rule *r, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offsetof(struct ethhdr, h_dest));
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, ETH_ALEN);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_FLAGS, 0);
}

static void load_addr(struct nftnl_rule *r, enum dataplane_family f, bool source, uint32_t w)
{
	/* where the IP headers have them */
	static const uint32_t offsets[DATAPLANE_FAMILIES][2] = { { 16, 12 }, { 24, 8 } };

	payload(r, NFT_PAYLOAD_NETWORK_HEADER, offsets[f][source], nft_addr_len(f), w);
}

static void meta(struct nftnl_rule *r, uint32_t key, uint16_t which, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, which, reg(w));
}

static void bitwise(struct nftnl_rule *r, uint32_t w, const void *mask, const void * xor,
		    size_t len)
{
	struct nftnl_expr *e = expr(r, "bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, (uint32_t)len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, (uint32_t)len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, xor, (uint32_t)len);
}

static void mask_addr(struct nftnl_rule *r, enum dataplane_family f, uint32_t w, uint32_t bits)
{
	static const uint8_t zero[16];
	struct addr ones = { .len = (uint8_t)nft_addr_len(f) };
	struct prefix p;

	memset(ones.b, 0xff, sizeof(ones.b));
	p = prefix_of(&ones, (uint8_t)bits);
	bitwise(r, w, p.addr.b, zero, p.addr.len);
}

static void compare(struct nftnl_rule *r, uint32_t w, uint32_t how, const void *data, size_t len)
{
	struct nftnl_expr *e = expr(r, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, how);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, (uint32_t)len);
}

static struct nftnl_expr *lookup(struct nftnl_rule *r, const struct skelop *o)
{
	struct nftnl_expr *e = expr(r, "lookup");

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, reg(o->a));
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, o->name);
	return e;
}

static void add_lookup(struct nftnl_rule *r, const struct skelop *o)
{
	struct nftnl_expr *e = lookup(r, o);

	if (o->op == SKEL_LOOKUP_DATA)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, reg(o->b));
	else if (o->op == SKEL_VMAP)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	else if (o->op == SKEL_LOOKUP_NOT)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void update(struct nftnl_rule *r, const struct skelop *o)
{
	struct nftnl_expr *e = expr(r, "dynset");

	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP,
			   o->op == SKEL_FORGET ? NFT_DYNSET_OP_DELETE : NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, reg(o->a));
	if (o->op != SKEL_REFRESH)
		nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_DATA, reg(o->b));
	if (o->op != SKEL_FORGET)
		nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, (uint64_t)o->c * 1000);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, o->name);
}

static void verdict(struct nftnl_rule *r, uint32_t code, const char *chain)
{
	struct nftnl_expr *e = expr(r, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, code);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void dnat(struct nftnl_rule *r, enum dataplane_family f, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "nat");

	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, nfproto(f));
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, reg(w + (uint32_t)nft_addr_len(f) / 4));
}

static void reject(struct nftnl_rule *r, enum dataplane_family f, bool reset)
{
	static const uint8_t unreachable[] = { ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT };
	struct nftnl_expr *e = expr(r, "reject");

	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE,
			   reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMP_UNREACH);
	if (!reset)
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, unreachable[f]);
}

static void swap(struct nftnl_rule *r, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "byteorder");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_DREG, reg(w));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_LEN, 4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BYTEORDER_SIZE, 4);
}

static void ct(struct nftnl_rule *r, uint32_t key, uint16_t which, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, which, reg(w));
}

static void set_zone(struct nftnl_rule *r, uint32_t w)
{
	struct nftnl_expr *e = expr(r, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_ZONE);
	nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, reg(w));
}

static void load_other(struct nftnl_rule *r, const struct skelop *o)
{
	static const uint32_t zero;
	struct nftnl_expr *e;

	if (o->op == SKEL_LOAD_CT_STATUS) {
		ct(r, NFT_CT_STATUS, NFTNL_EXPR_CT_DREG, o->a);
	} else if (o->op == SKEL_LOAD_CT_MARK) {
		ct(r, NFT_CT_MARK, NFTNL_EXPR_CT_DREG, o->a);
	} else if (o->op == SKEL_LOAD_CT_DIRECTION) {
		ct(r, NFT_CT_DIRECTION, NFTNL_EXPR_CT_DREG, o->a);
	} else if (o->op == SKEL_LOAD_ADDR_TYPE) {
		e = expr(r, "fib");
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, reg(o->a));
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	} else if (o->op == SKEL_RANDOM) {
		e = expr(r, "numgen");
		nftnl_expr_set_u32(e, NFTNL_EXPR_NG_DREG, reg(o->a));
		nftnl_expr_set_u32(e, NFTNL_EXPR_NG_MODULUS, o->b);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NG_OFFSET, 0);
	} else { /* SKEL_ZERO */
		e = expr(r, "immediate");
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg(o->a));
		nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &zero, sizeof(zero));
	}
}

/* Loads and tests. false: o is something else. */
static bool add_match(struct nftnl_rule *r, enum dataplane_family f, const struct skelop *o)
{
	switch (o->op) {
	case SKEL_LOAD_DADDR:
	case SKEL_LOAD_SADDR:
		load_addr(r, f, o->op == SKEL_LOAD_SADDR, o->a);
		return true;
	case SKEL_LOAD_SPORT:
	case SKEL_LOAD_DPORT:
		payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, o->op == SKEL_LOAD_SPORT ? 0 : 2, 2, o->a);
		return true;
	case SKEL_LOAD_TRANSPORT:
		payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, o->b, o->c, o->a);
		return true;
	case SKEL_LOAD_PROTO:
		meta(r, NFT_META_L4PROTO, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_PRIORITY:
		meta(r, NFT_META_PRIORITY, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_MARK:
		meta(r, NFT_META_MARK, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_IIFNAME:
		meta(r, NFT_META_IIFNAME, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_IIF:
		meta(r, NFT_META_IIF, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_OIF:
		meta(r, NFT_META_OIF, NFTNL_EXPR_META_DREG, o->a);
		return true;
	case SKEL_LOAD_ETHER_SADDR:
		payload(r, NFT_PAYLOAD_LL_HEADER, offsetof(struct ethhdr, h_source), ETH_ALEN,
			o->a);
		return true;
	case SKEL_LOAD_ETHER_SADDR_END:
		payload(r, NFT_PAYLOAD_LL_HEADER, offsetof(struct ethhdr, h_source) + ETH_ALEN - 2,
			2, o->a);
		return true;
	case SKEL_LOAD_CT_STATUS:
	case SKEL_LOAD_CT_MARK:
	case SKEL_LOAD_CT_DIRECTION:
	case SKEL_LOAD_ADDR_TYPE:
	case SKEL_RANDOM:
	case SKEL_ZERO:
		load_other(r, o);
		return true;
	case SKEL_MASK:
		bitwise(r, o->a, &o->b, &o->c, sizeof(o->b));
		return true;
	case SKEL_MASK_ADDR:
		mask_addr(r, f, o->a, o->b);
		return true;
	case SKEL_SWAP:
		swap(r, o->a);
		return true;
	case SKEL_IS:
	case SKEL_IS_NOT:
		compare(r, o->a, o->op == SKEL_IS ? NFT_CMP_EQ : NFT_CMP_NEQ, &o->b, sizeof(o->b));
		return true;
	case SKEL_IS_BYTES:
	case SKEL_IS_NOT_BYTES:
		compare(r, o->a, o->op == SKEL_IS_BYTES ? NFT_CMP_EQ : NFT_CMP_NEQ, o->bytes,
			o->len);
		return true;
	default:
		return false;
	}
}

static void add_action(struct nftnl_rule *r, enum dataplane_family f, const struct skelop *o)
{
	switch (o->op) {
	case SKEL_UPDATE:
	case SKEL_FORGET:
	case SKEL_REFRESH:
		update(r, o);
		break;
	case SKEL_SET_PRIORITY:
		meta(r, NFT_META_PRIORITY, NFTNL_EXPR_META_SREG, o->a);
		break;
	case SKEL_SET_MARK:
		meta(r, NFT_META_MARK, NFTNL_EXPR_META_SREG, o->a);
		break;
	case SKEL_SET_ETHER_DADDR:
		set_ether_daddr(r, o->a);
		break;
	case SKEL_SET_CT_MARK:
		ct(r, NFT_CT_MARK, NFTNL_EXPR_CT_SREG, o->a);
		break;
	case SKEL_SET_CT_ZONE:
		set_zone(r, o->a);
		break;
	case SKEL_DNAT:
		dnat(r, f, o->a);
		break;
	case SKEL_MASQUERADE:
		nftnl_expr_set_u32(expr(r, "masq"), NFTNL_EXPR_MASQ_FLAGS,
				   NF_NAT_RANGE_PROTO_RANDOM_FULLY);
		break;
	case SKEL_REJECT_RESET:
	case SKEL_REJECT:
		reject(r, f, o->op == SKEL_REJECT_RESET);
		break;
	case SKEL_DROP:
		verdict(r, NF_DROP, NULL);
		break;
	case SKEL_RETURN:
		verdict(r, (uint32_t)NFT_RETURN, NULL);
		break;
	case SKEL_JUMP:
		verdict(r, (uint32_t)NFT_JUMP, o->name);
		break;
	case SKEL_GOTO:
		verdict(r, (uint32_t)NFT_GOTO, o->name);
		break;
	default: /* the lookups */
		add_lookup(r, o);
		break;
	}
}

void nftrule_encode(const struct skelrule *in, enum dataplane_family f, struct nlmsghdr *h)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, nfproto(f));
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, in->chain);
	for (size_t i = 0; i < in->n; i++) {
		if (!add_match(r, f, &in->op[i]))
			add_action(r, f, &in->op[i]);
	}
	nftnl_rule_nlmsg_build_payload(h, r);
	nftnl_rule_free(r);
}

/* The n-th attribute of that type in a nest. */
static const struct nlattr *nth(const struct nlattr *nest, uint16_t type, unsigned n)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == type && !n--)
			return attr;
	}
	return NULL;
}

static unsigned count(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;
	unsigned n = 0;

	mnl_attr_for_each_nested(attr, nest) n += mnl_attr_get_type(attr) == type;
	return n;
}

static bool same_payload(const struct nlattr *a, const struct nlattr *b)
{
	size_t len = mnl_attr_get_payload_len(a);

	return len == mnl_attr_get_payload_len(b) &&
	       !memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b), len);
}

/* want is ours: what nests in it says so, and it is no deeper than an immediate verdict. */
bool nftrule_covers(const struct nlattr *have, const struct nlattr *want)
{
	const struct nlattr *w, *h;
	unsigned n = 0, elems = count(want, NFTA_LIST_ELEM);

	/* one expression more is another rule */
	if (elems && count(have, NFTA_LIST_ELEM) != elems)
		return false;
	mnl_attr_for_each_nested(w, want)
	{
		uint16_t type = mnl_attr_get_type(w);

		/* only expressions repeat, in a list that holds nothing else */
		h = nth(have, type, type == NFTA_LIST_ELEM ? n++ : 0);
		if (!h ||
		    !((w->nla_type & NLA_F_NESTED) ? nftrule_covers(h, w) : same_payload(h, w)))
			return false;
	}
	return true;
}

bool nftrule_equals(const struct nlattr *have, const struct skelrule *want, enum dataplane_family f)
{
	enum { RULE_MAX = 8192 };
	AUTO_FREE void *space = mem_calloc(RULE_MAX, 1);
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	struct nftattrs a;

	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	nftrule_encode(want, f, h);
	nftattrs_read(h, &a);
	return nftrule_covers(have, a.of[NFTA_RULE_EXPRESSIONS]);
}

uint32_t nftrule_timeout_sec(const struct nlattr *expressions)
{
	const struct nlattr *elem, *name, *data, *timeout;
	uint32_t sec = 0;

	mnl_attr_for_each_nested(elem, expressions)
	{
		name = nth(elem, NFTA_EXPR_NAME, 0);
		data = nth(elem, NFTA_EXPR_DATA, 0);
		timeout = data ? nth(data, NFTA_DYNSET_TIMEOUT, 0) : NULL;
		if (!name || mnl_attr_get_payload_len(name) != sizeof("dynset") ||
		    memcmp(mnl_attr_get_payload(name), "dynset", sizeof("dynset")) || !timeout ||
		    mnl_attr_get_payload_len(timeout) != sizeof(uint64_t))
			continue;
		sec = (uint32_t)(be64toh(mnl_attr_get_u64(timeout)) / 1000);
	}
	return sec;
}
