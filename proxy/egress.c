/* The netdev table of replies (contract in egress.h). Effect. */
#include "egress.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "frames.h"

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
static int read_table(struct nftio *io, struct frames *h, struct err *e)
{
	enum { TRIES = 5 };

	for (int i = 0; i < TRIES; i++) {
		*h = (struct frames){ 0 };
		if (dump_all(io, h, e) == 0) {
			peermarks_sort(&h->marks);
			return 0;
		}
		frames_fini(h);
		if (e->code != ERR_CONFLICT && e->code != ERR_NOT_FOUND)
			break;
	}
	*h = (struct frames){ 0 };
	return err_wrap(e, "read our netdev table");
}

int egress_read(struct nftio *io, const netstate_links *links, struct peermarks *ret, struct err *e)
{
	struct frames h;

	*ret = (struct peermarks){ 0 };
	if (read_table(io, &h, e) < 0)
		return -1;
	frames_name_slots(&h, links);
	*ret = h.marks;
	h.marks = (struct peermarks){ 0 };
	frames_fini(&h);
	return 0;
}

int egress_write(struct nftio *io, uint32_t mask, const struct peermarks *want, struct err *e)
{
	struct nftbatch b;
	struct frames h;
	int r = 0;

	if (read_table(io, &h, e) < 0)
		return -1;
	nftbatch_begin(&b, nftio_seq(io));
	if (frames_change(&h, mask, want, &b)) {
		nftbatch_end(&b);
		r = nftio_commit(io, &b, e);
	}
	nftbatch_fini(&b);
	frames_fini(&h);
	return r < 0 ? err_wrap(e, "our netdev table") : 0;
}
