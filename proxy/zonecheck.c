/* Whether the kernel can keep connections apart by zones (contract in zonecheck.h). Effect. */
#include "zonecheck.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "nftrule.h"

#define CHAIN "zonecheck"

static void put_chain(struct nftbatch *b, uint8_t type, uint16_t flags, const char *name)
{
	struct nlmsghdr *h = nftbatch_message(b, type, flags, NFPROTO_IPV4);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	nftbatch_done(b, h);
}

static void put_rule(struct nftbatch *b)
{
	const struct skelrule rule = { .chain = CHAIN,
				       .n = 2,
				       .op = { { .op = SKEL_LOAD_ETHER_SADDR_END },
					       { .op = SKEL_SET_CT_ZONE } } };
	struct nlmsghdr *h =
	    nftbatch_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_IPV4);

	nftrule_encode(&rule, DATAPLANE_IPV4, h);
	nftbatch_done(b, h);
}

/* A transaction that fails by its last message at the latest; the first refusal is told. */
bool zonecheck_possible(struct nftio *io)
{
	struct nftbatch b;
	struct err e;

	err_clear(&e);
	nftbatch_begin(&b, nftio_seq(io));
	nftbatch_add_table(&b, DATAPLANE_IPV4);
	put_chain(&b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, CHAIN);
	put_rule(&b);
	put_chain(&b, NFT_MSG_DELCHAIN, 0, CHAIN "-none");
	nftbatch_end(&b);
	(void)nftio_commit(io, &b, &e);
	nftbatch_fini(&b);
	return e.os != EOPNOTSUPP;
}
