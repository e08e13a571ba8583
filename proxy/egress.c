/* The netdev table of replies (contract in egress.h). Effect. */
#include "egress.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static int dump(struct nftio *io, uint8_t type, struct frames *h, struct err *e)
{
	uint8_t space[256] = { 0 };
	struct nlmsghdr *msg = mnl_nlmsg_put_header(space);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(msg, sizeof(*g));

	msg->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	g->nfgen_family = NFPROTO_NETDEV;
	if (type != NFT_MSG_GETTABLE && type != NFT_MSG_GETCHAIN)
		mnl_attr_put_strz(msg, NFTA_RULE_TABLE, NFT_TABLE);
	if (type == NFT_MSG_GETSETELEM)
		mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, FRAMES_SENDERS);
	return nftio_request(io, msg, frames_message, h, e);
}

static int dump_all(struct nftio *io, struct frames *h, struct err *e)
{
	if (dump(io, NFT_MSG_GETTABLE, h, e) < 0)
		return -1;
	if (!h->table)
		return 0;
	if (dump(io, NFT_MSG_GETCHAIN, h, e) < 0 || dump(io, NFT_MSG_GETSET, h, e) < 0 ||
	    dump(io, NFT_MSG_GETRULE, h, e) < 0)
		return -1;
	return h->set ? dump(io, NFT_MSG_GETSETELEM, h, e) : 0;
}

/* Whoever changes tables meanwhile makes the kernel start over. */
int egress_read(struct nftio *io, struct frames *ret, struct err *e)
{
	enum { TRIES = 5 };

	for (int i = 0; i < TRIES; i++) {
		*ret = (struct frames){ 0 };
		if (dump_all(io, ret, e) == 0) {
			peermarks_sort(&ret->marks);
			return 0;
		}
		frames_fini(ret);
		if (e->code != ERR_CONFLICT && e->code != ERR_NOT_FOUND)
			break;
	}
	*ret = (struct frames){ 0 };
	return err_wrap(e, "read our netdev table");
}

static int change(struct nftio *io, const struct frames *have, uint32_t mask,
		  const struct peermarks *want, struct err *e)
{
	struct nftbatch b;
	int r = 0;

	nftbatch_begin(&b, nftio_seq(io));
	if (frames_change(have, mask, want, &b)) {
		nftbatch_end(&b);
		r = nftio_commit(io, &b, e);
	}
	nftbatch_fini(&b);
	return r < 0 ? err_wrap(e, "our netdev table") : 0;
}

int egress_write(struct nftio *io, const struct frames *have, uint32_t mask,
		 const struct peermarks *want, struct err *e)
{
	struct frames h;
	int r;

	if (have)
		return change(io, have, mask, want, e);
	if (egress_read(io, &h, e) < 0)
		return -1;
	r = change(io, &h, mask, want, e);
	frames_fini(&h);
	return r;
}
