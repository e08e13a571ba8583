/* Attributes of nf_tables messages (contract in nftattr.h). Pure. */
#include "nftattr.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static void note(struct nftattrs *a, const struct nlattr *attr)
{
	if (mnl_attr_get_type(attr) < NFTATTR_MAX)
		a->of[mnl_attr_get_type(attr)] = attr;
}

void nftattrs_read(const struct nlmsghdr *h, struct nftattrs *ret)
{
	const struct nlattr *attr;

	*ret = (struct nftattrs){ 0 };
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg)) note(ret, attr);
}

void nftattrs_nested(const struct nlattr *nest, struct nftattrs *ret)
{
	const struct nlattr *attr;

	*ret = (struct nftattrs){ 0 };
	if (!nest)
		return;
	mnl_attr_for_each_nested(attr, nest) note(ret, attr);
}

bool nftattr_is(const struct nlattr *attr, const char *text)
{
	size_t len = strlen(text) + 1;

	return attr && mnl_attr_get_payload_len(attr) >= len &&
	       !memcmp(mnl_attr_get_payload(attr), text, len);
}

bool nftattr_copy(const struct nlattr *attr, char *out, size_t size)
{
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;
	const char *p = attr ? mnl_attr_get_payload(attr) : NULL;

	if (!len || !memchr(p, 0, len) || strlen(p) >= size)
		return false;
	memset(out, 0, size);
	memcpy(out, p, strlen(p));
	return true;
}

uint32_t nftattr_number(const struct nlattr *attr)
{
	uint32_t v = 0;

	if (attr && mnl_attr_get_payload_len(attr) >= sizeof(v))
		memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return ntohl(v);
}

const void *nftattr_value(const struct nlattr *nest, size_t len)
{
	struct nftattrs a;

	nftattrs_nested(nest, &a);
	if (!a.of[NFTA_DATA_VALUE] || mnl_attr_get_payload_len(a.of[NFTA_DATA_VALUE]) != len)
		return NULL;
	return mnl_attr_get_payload(a.of[NFTA_DATA_VALUE]);
}

int nftattrs_message(const struct nlmsghdr *h, size_t len, uint8_t family, const char *table,
		     struct nftattrs *ret, struct err *e)
{
	const struct nfgenmsg *g;

	if (len < sizeof(*h) + sizeof(*g) || h->nlmsg_len > len ||
	    NLMSG_ALIGN(h->nlmsg_len) > len || h->nlmsg_len < sizeof(*h) + sizeof(*g))
		return err_set(e, ERR_REMOTE, "netlink message of %zu bytes is cut short", len);
	g = mnl_nlmsg_get_payload(h);
	nftattrs_read(h, ret);
	/* the table's name is the first attribute of all of them */
	return h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && g->nfgen_family == family &&
	       nftattr_is(ret->of[1], table);
}
