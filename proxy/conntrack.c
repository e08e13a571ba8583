/* The kernel's connections (contract in conntrack.h). Effect. */
#include "conntrack.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "base/vec.h"

/* The bit of a filter's flags that means the protocol's number: no header has it. */
enum { FILTER_PROTO = 1 << 3 };

struct sweep {
	const struct ctplan *plan;
	const struct addr *node_ips;
	size_t n_node_ips;
	VEC(struct ctentry) stale;
};

static struct nlmsghdr *begin(void *space, uint16_t type, uint16_t flags, enum dataplane_family f)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	g->nfgen_family = f == DATAPLANE_IPV4 ? AF_INET : AF_INET6;
	g->version = NFNETLINK_V0;
	return h;
}

static int take_entry(void *ctx, const struct nlmsghdr *h, size_t len, struct err *e)
{
	struct sweep *s = ctx;
	struct ctentry entry;

	(void)e;
	if (ctentry_parse(h, len, &entry) &&
	    ctplan_stale(s->plan, &entry, s->node_ips, s->n_node_ips))
		vec_push(&s->stale, entry);
	return 0;
}

/* The kernel passes over all but UDP, if it can. */
static int dump(struct nftio *io, enum dataplane_family f, bool filter, nftio_fn *fn, void *ctx,
		struct err *e)
{
	uint8_t space[256] = { 0 };
	struct nlmsghdr *h = begin(space, IPCTNL_MSG_CT_GET, NLM_F_DUMP, f);

	if (filter) {
		struct nlattr *tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
		struct nlattr *proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO), *flags;

		mnl_attr_put_u8(h, CTA_PROTO_NUM, IPPROTO_UDP);
		mnl_attr_nest_end(h, proto);
		mnl_attr_nest_end(h, tuple);
		flags = mnl_attr_nest_start(h, CTA_FILTER);
		mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS, FILTER_PROTO);
		mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, 0);
		mnl_attr_nest_end(h, flags);
	}
	return nftio_request(io, h, fn, ctx, e);
}

static int forget(struct nftio *io, enum dataplane_family f, const struct ctentry *entry,
		  struct err *e)
{
	uint8_t space[512] = { 0 };
	struct nlmsghdr *h = begin(space, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, f);

	mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, entry->tuple_len, entry->tuple);
	if (entry->id)
		mnl_attr_put_u32(h, CTA_ID, entry->id);
	if (entry->zone)
		mnl_attr_put_u16(h, CTA_ZONE, entry->zone);
	return nftio_request(io, h, NULL, NULL, e);
}

int conntrack_sweep(struct nftio *io, enum dataplane_family f, const struct ctplan *plan,
		    const struct addr *node_ips, size_t n_node_ips, uint64_t *ret_deleted,
		    struct err *e)
{
	struct sweep s = { .plan = plan, .node_ips = node_ips, .n_node_ips = n_node_ips };
	int r = dump(io, f, true, take_entry, &s, e);

	if (r < 0) {
		s.stale.n = 0;
		r = dump(io, f, false, take_entry, &s, e);
	}
	/* gone by itself is as good */
	for (size_t i = 0; r == 0 && i < s.stale.n; i++) {
		r = forget(io, f, &s.stale.v[i], e);
		*ret_deleted += r == 0;
		if (r < 0 && e->code == ERR_NOT_FOUND)
			r = 0;
	}
	vec_fini(&s.stale);
	return r < 0 ? err_wrap(e, "clean up UDP connections") : 0;
}

static int note_older(void *ctx, const struct nlmsghdr *h, size_t len, struct err *e)
{
	struct ctentry entry;

	(void)e;
	if (ctentry_parse(h, len, &entry))
		older_note(ctx, &entry);
	return 0;
}

int conntrack_older(struct nftio *io, struct older *o, struct err *e)
{
	if (dump(io, o->family, false, note_older, o, e) < 0)
		return err_wrap(e, "read connections");
	older_settle(o);
	return 0;
}
