/* rtnetlink (contract in rtnl.h). Effect. */
#include "rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/str.h"

enum { REPLY_BYTES = 32 * 1024, REQUEST_BYTES = 1024 };

struct rtnl {
	struct mnl_socket *socket, *news;
	uint32_t seq;
	sd_event_source *source;
	void (*changed)(void *ctx);
	void *ctx;
	char reply[REPLY_BYTES];
};

static int open_socket(struct mnl_socket **ret, unsigned groups, struct err *e)
{
	int one = 1;

	*ret = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0));
	if (!*ret || mnl_socket_bind(*ret, groups, MNL_SOCKET_AUTOPID) < 0)
		return err_os(e, errno, "rtnetlink");
	/* old kernels filter nothing; what they send too much is passed over */
	mnl_socket_setsockopt(*ret, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	mnl_socket_setsockopt(*ret, NETLINK_EXT_ACK, &one, sizeof(one));
	return 0;
}

int rtnl_new(struct rtnl **ret, struct err *e)
{
	CLEANUP(rtnl_freep) struct rtnl *r = NEW(struct rtnl);

	if (open_socket(&r->socket, 0, e) < 0)
		return -1;
	*ret = TAKE(r);
	return 0;
}

void rtnl_free(struct rtnl *r)
{
	if (!r)
		return;
	sd_event_source_disable_unref(r->source);
	if (r->socket)
		mnl_socket_close(r->socket);
	if (r->news)
		mnl_socket_close(r->news);
	free(r);
}

/* Whether an answer ends in these bytes. */
static bool ends_answer(const void *bytes, size_t len)
{
	const struct nlmsghdr *h = bytes;

	for (int left = (int)len; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
			return true;
	}
	return false;
}

/* One request and all of its answer; fn sees each message of a dump. What came of an answer that
 * failed half-way is drained, or the next request would be taken to fail with it. */
static int talk(struct rtnl *r, struct nlmsghdr *request, mnl_cb_t fn, void *data)
{
	unsigned port = mnl_socket_get_portid(r->socket);
	const struct nlmsghdr *first = (const void *)r->reply;
	int left = 1, code = 0;

	request->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (left > 0) {
		ssize_t n = mnl_socket_recvfrom(r->socket, r->reply, sizeof(r->reply));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* of a request whose answer could not be read */
		if (!mnl_nlmsg_ok(first, (int)n) || first->nlmsg_seq != r->seq)
			continue;
		left = mnl_cb_run(r->reply, (size_t)n, r->seq, port, fn, data);
		if (left >= 0)
			continue;
		code = code ? code : -errno;
		left = !ends_answer(r->reply, (size_t)n);
	}
	return code;
}

/* The kernel says that a dump was cut through by a change: it is made again. */
enum { DUMP_TRIES = 5 };

static int dump(struct rtnl *r, struct nlmsghdr *request, mnl_cb_t fn, void *list,
		void (*clear)(void *list), const char *what, struct err *e)
{
	int code = 0;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	for (int i = 0; i < DUMP_TRIES; i++) {
		clear(list);
		code = talk(r, request, fn, list);
		if (code != -EINTR)
			break;
	}
	return code < 0 ? err_os(e, -code, "rtnetlink: list %s", what) : 0;
}

#define DEFINE_CLEAR(type) \
	static void clear_##type(void *list) \
	{ \
		((netstate_##type *)list)->n = 0; \
	}
DEFINE_CLEAR(links)
DEFINE_CLEAR(addresses)
DEFINE_CLEAR(routes)
DEFINE_CLEAR(rules)

/* --- attributes --- */

static bool attr_addr(const struct nlattr *a, struct addr *ret)
{
	uint16_t len = mnl_attr_get_payload_len(a);

	if (len != 4 && len != 16)
		return false;
	*ret = (struct addr){ .len = (uint8_t)len };
	memcpy(ret->b, mnl_attr_get_payload(a), len);
	return true;
}

static void attr_name(const struct nlattr *a, char *ret, size_t size)
{
	size_t len = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	len = len < size ? len : size - 1;
	memcpy(ret, mnl_attr_get_payload(a), len);
	ret[len] = '\0';
}

static void attr_mac(const struct nlattr *a, uint8_t ret[MAC_BYTES])
{
	if (mnl_attr_get_payload_len(a) == MAC_BYTES)
		memcpy(ret, mnl_attr_get_payload(a), MAC_BYTES);
}

static uint32_t attr_u32(const struct nlattr *a)
{
	return mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : 0;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	mnl_attr_put(h, type, a->len, a->b);
}

/* --- links --- */

static void read_vxlan(const struct nlattr *data, struct netstate_vxlan *v)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, data)
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_VXLAN_ID:
			v->id = attr_u32(a);
			break;
		case IFLA_VXLAN_LOCAL:
		case IFLA_VXLAN_LOCAL6:
			attr_addr(a, &v->local);
			break;
		case IFLA_VXLAN_PORT:
			if (mnl_attr_get_payload_len(a) == 2)
				v->port = ntohs(mnl_attr_get_u16(a));
			break;
		case IFLA_VXLAN_LEARNING:
			v->learning = mnl_attr_get_payload_len(a) == 1 && mnl_attr_get_u8(a);
			break;
		}
	}
}

static void read_linkinfo(const struct nlattr *info, struct netstate_link *l)
{
	const struct nlattr *a, *data = NULL;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			attr_name(a, l->kind, sizeof(l->kind));
		if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	if (data && str_eq(l->kind, "vxlan"))
		read_vxlan(data, &l->vxlan);
}

static int on_link(const struct nlmsghdr *h, void *list)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct netstate_link l = { .index = m->ifi_index, .flags = m->ifi_flags };
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			attr_name(a, l.name, sizeof(l.name));
			break;
		case IFLA_ADDRESS:
			attr_mac(a, l.mac);
			break;
		case IFLA_MTU:
			l.mtu = attr_u32(a);
			break;
		case IFLA_LINKINFO:
			read_linkinfo(a, &l);
			break;
		}
	}
	vec_push((netstate_links *)list, l);
	return MNL_CB_OK;
}

static struct nlmsghdr *request(char *buf, uint16_t type, size_t extra)
{
	struct nlmsghdr *h;

	memset(buf, 0, REQUEST_BYTES);
	h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(h, extra);
	return h;
}

int rtnl_get_links(struct rtnl *r, netstate_links *out, struct err *e)
{
	char buf[REQUEST_BYTES];

	return dump(r, request(buf, RTM_GETLINK, sizeof(struct ifinfomsg)), on_link, out,
		    clear_links, "links", e);
}

static int change(struct rtnl *r, struct nlmsghdr *h, int fine, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* fine: an errno that means that all is as wanted. */
static int change(struct rtnl *r, struct nlmsghdr *h, int fine, struct err *e, const char *fmt, ...)
{
	AUTO_STR what = { 0 };
	va_list ap;
	int code = talk(r, h, NULL, NULL);

	if (code >= 0 || -code == fine)
		return 0;
	va_start(ap, fmt);
	str_vprintf(&what, fmt, ap);
	va_end(ap);
	return err_os(e, -code, "%s", str_text(&what));
}

int rtnl_make_vxlan(struct rtnl *r, const struct netstate_link *link, struct err *e)
{
	char buf[REQUEST_BYTES], mac[MAC_TEXT];
	struct nlmsghdr *h = request(buf, RTM_NEWLINK, sizeof(struct ifinfomsg));
	struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct nlattr *info, *data;

	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	m->ifi_flags = m->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, link->name);
	mnl_attr_put(h, IFLA_ADDRESS, MAC_BYTES, link->mac);
	if (link->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, link->mtu);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vxlan");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_VXLAN_ID, link->vxlan.id);
	mnl_attr_put_u16(h, IFLA_VXLAN_PORT, htons(link->vxlan.port));
	mnl_attr_put_u8(h, IFLA_VXLAN_LEARNING, link->vxlan.learning);
	put_addr(h, link->vxlan.local.len == 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6,
		 &link->vxlan.local);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return change(r, h, 0, e, "make VXLAN device %s (%s)", link->name,
		      mac_text(link->mac, mac));
}

int rtnl_delete_link(struct rtnl *r, int index, struct err *e)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *h = request(buf, RTM_DELLINK, sizeof(struct ifinfomsg));

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = index;
	return change(r, h, ENODEV, e, "delete link %d", index);
}

static const char *op_name(enum rtnl_op op)
{
	static const char *const names[] = { "add", "replace", "delete" };

	return names[op];
}

/* --- addresses --- */

static int on_address(const struct nlmsghdr *h, void *list)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct netstate_address n = { .dev = (int)m->ifa_index,
				      .bits = m->ifa_prefixlen,
				      .host = m->ifa_scope == RT_SCOPE_HOST };
	bool local = false;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWADDR)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		/* on a point-to-point link IFA_ADDRESS is the other end */
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = attr_addr(a, &n.addr);
		else if (mnl_attr_get_type(a) == IFA_ADDRESS && !local)
			attr_addr(a, &n.addr);
	}
	if (n.addr.len)
		vec_push((netstate_addresses *)list, n);
	return MNL_CB_OK;
}

int rtnl_get_addresses(struct rtnl *r, netstate_addresses *out, struct err *e)
{
	char buf[REQUEST_BYTES];

	if (dump(r, request(buf, RTM_GETADDR, sizeof(struct ifaddrmsg)), on_address, out,
		 clear_addresses, "addresses", e) < 0)
		return -1;
	vec_sort(out, netstate_address_cmp);
	return 0;
}

int rtnl_address(struct rtnl *r, enum rtnl_op op, const struct netstate_address *a, struct err *e)
{
	char buf[REQUEST_BYTES], text[ADDR_TEXT];
	struct nlmsghdr *h =
	    request(buf, op != RTNL_DELETE ? RTM_NEWADDR : RTM_DELADDR, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);

	if (op != RTNL_DELETE)
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	m->ifa_family = (unsigned char)addr_af(&a->addr);
	m->ifa_prefixlen = a->bits;
	m->ifa_scope = a->host ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->ifa_index = (unsigned)a->dev;
	put_addr(h, IFA_LOCAL, &a->addr);
	put_addr(h, IFA_ADDRESS, &a->addr);
	/* nobody else has it: no duplicate detection, at once usable */
	if (a->addr.len == 16)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	return change(r, h, op == RTNL_DELETE ? EADDRNOTAVAIL : 0, e, "%s address %s on link %d",
		      op_name(op), addr_text(&a->addr, text), a->dev);
}

/* --- routes --- */

/* The one that all next hops are on; 0: they are on several. */
static int device_of_hops(const struct nlattr *hops)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	int left = mnl_attr_get_payload_len(hops), dev = 0;

	for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		if (dev && hop->rtnh_ifindex != dev)
			return 0;
		dev = hop->rtnh_ifindex;
	}
	return dev;
}

static void read_route(const struct nlmsghdr *h, netstate_routes *list)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct netstate_route n = { .dst.bits = m->rtm_dst_len };
	/* for some packets only, or for packets that are something else afterwards */
	bool special = m->rtm_src_len || m->rtm_tos;
	struct nlattr *a;

	n.table = m->rtm_table;
	n.onlink = m->rtm_flags & RTNH_F_ONLINK;
	n.local = m->rtm_type == RTN_LOCAL;
	n.dst.addr.len = m->rtm_family == AF_INET ? 4 : 16;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case RTA_DST:
			attr_addr(a, &n.dst.addr);
			break;
		case RTA_GATEWAY:
			attr_addr(a, &n.via);
			break;
		case RTA_OIF:
			n.dev = (int)attr_u32(a);
			break;
		case RTA_MULTIPATH:
			n.dev = device_of_hops(a);
			break;
		case RTA_ENCAP_TYPE:
			special = true;
			break;
		case RTA_TABLE: /* what does not fit into a byte */
			n.table = attr_u32(a);
			break;
		}
	}
	if (special)
		n.dev = 0;
	vec_push(list, n);
}

static int on_own_route(const struct nlmsghdr *h, void *list)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && m->rtm_protocol == NETSTATE_PROTOCOL &&
	    (m->rtm_type == RTN_UNICAST || m->rtm_type == RTN_LOCAL) &&
	    !(m->rtm_flags & RTM_F_CLONED))
		read_route(h, list);
	return MNL_CB_OK;
}

static int on_any_route(const struct nlmsghdr *h, void *list)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && m->rtm_type != RTN_LOCAL &&
	    m->rtm_type != RTN_BROADCAST && m->rtm_type != RTN_ANYCAST &&
	    m->rtm_type != RTN_MULTICAST && !(m->rtm_flags & RTM_F_CLONED))
		read_route(h, list);
	return MNL_CB_OK;
}

int rtnl_get_all_routes(struct rtnl *r, netstate_routes *out, struct err *e)
{
	char buf[REQUEST_BYTES];

	if (dump(r, request(buf, RTM_GETROUTE, sizeof(struct rtmsg)), on_any_route, out,
		 clear_routes, "routes", e) < 0)
		return -1;
	vec_sort(out, netstate_route_cmp);
	return 0;
}

int rtnl_get_routes(struct rtnl *r, netstate_routes *out, struct err *e)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *h = request(buf, RTM_GETROUTE, sizeof(struct rtmsg));

	((struct rtmsg *)mnl_nlmsg_get_payload(h))->rtm_protocol = NETSTATE_PROTOCOL;
	if (dump(r, h, on_own_route, out, clear_routes, "routes", e) < 0)
		return -1;
	vec_sort(out, netstate_route_cmp);
	return 0;
}

int rtnl_route(struct rtnl *r, enum rtnl_op op, const struct netstate_route *route, struct err *e)
{
	char buf[REQUEST_BYTES], text[PREFIX_TEXT], via[ADDR_TEXT];
	struct nlmsghdr *h =
	    request(buf, op != RTNL_DELETE ? RTM_NEWROUTE : RTM_DELROUTE, sizeof(struct rtmsg));
	struct rtmsg *m = mnl_nlmsg_get_payload(h);

	if (op != RTNL_DELETE)
		h->nlmsg_flags |= NLM_F_CREATE | (op == RTNL_ADD ? NLM_F_EXCL : NLM_F_REPLACE);
	m->rtm_family = (unsigned char)addr_af(&route->dst.addr);
	m->rtm_dst_len = route->dst.bits;
	m->rtm_table = RT_TABLE_UNSPEC;
	m->rtm_protocol = NETSTATE_PROTOCOL;
	m->rtm_scope = route->local     ? RT_SCOPE_HOST
		       : route->via.len ? RT_SCOPE_UNIVERSE
					: RT_SCOPE_LINK;
	m->rtm_type = route->local ? RTN_LOCAL : RTN_UNICAST;
	m->rtm_flags = route->onlink ? RTNH_F_ONLINK : 0;
	if (op == RTNL_DELETE)
		m->rtm_scope = RT_SCOPE_NOWHERE;
	mnl_attr_put_u32(h, RTA_TABLE, route->table);
	if (route->dst.bits)
		put_addr(h, RTA_DST, &route->dst.addr);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)route->dev);
	if (route->via.len)
		put_addr(h, RTA_GATEWAY, &route->via);
	return change(r, h, op == RTNL_DELETE ? ESRCH : 0, e, "%s route to %s via %s", op_name(op),
		      prefix_text(&route->dst, text), addr_text(&route->via, via));
}

struct found_route {
	struct addr via;
	int dev;
};

static int on_found_route(const struct nlmsghdr *h, void *data)
{
	struct found_route *found = data;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;

	/* an address of our own, or an unreachable one, is no way to anybody else */
	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == RTA_GATEWAY)
			attr_addr(a, &found->via);
		else if (mnl_attr_get_type(a) == RTA_OIF)
			found->dev = (int)attr_u32(a);
	}
	return MNL_CB_OK;
}

int rtnl_find_route(struct rtnl *r, const struct addr *to, struct addr *ret_via, int *ret_dev,
		    struct err *e)
{
	char buf[REQUEST_BYTES], text[ADDR_TEXT];
	struct nlmsghdr *h = request(buf, RTM_GETROUTE, sizeof(struct rtmsg));
	struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct found_route found = { 0 };
	int code;

	m->rtm_family = (unsigned char)addr_af(to);
	m->rtm_dst_len = 8 * to->len;
	put_addr(h, RTA_DST, to);
	code = talk(r, h, on_found_route, &found);
	if (!found.dev)
		return err_set(e, ERR_NOT_FOUND, "route to %s: %s", addr_text(to, text),
			       code < 0 ? strerror(-code) : "there is none");
	*ret_via = found.via;
	*ret_dev = found.dev;
	return 0;
}

/* --- rules --- */

static int on_rule(const struct nlmsghdr *h, void *list)
{
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	struct netstate_rule n = { .ipv6 = m->family == AF_INET6,
				   .choosy = m->src_len || m->dst_len || m->tos ||
					     (m->flags & FIB_RULE_INVERT) };
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWRULE || (m->family != AF_INET && m->family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case FRA_PRIORITY:
			n.priority = attr_u32(a);
			break;
		case FRA_FWMARK:
			n.mark = attr_u32(a);
			break;
		case FRA_FWMASK:
			n.mask = attr_u32(a);
			break;
		case FRA_TABLE:
			n.table = m->action == FR_ACT_TO_TBL ? attr_u32(a) : 0;
			break;
		case FRA_PROTOCOL:
			n.ours = mnl_attr_get_payload_len(a) == 1 &&
				 mnl_attr_get_u8(a) == NETSTATE_PROTOCOL;
			break;
		case FRA_SUPPRESS_PREFIXLEN: /* always told; -1: nothing is suppressed */
			n.choosy |= attr_u32(a) != UINT32_MAX;
			break;
		default:
			n.choosy = true;
		}
	}
	vec_push((netstate_rules *)list, n);
	return MNL_CB_OK;
}

int rtnl_get_rules(struct rtnl *r, netstate_rules *out, struct err *e)
{
	char buf[REQUEST_BYTES];

	if (dump(r, request(buf, RTM_GETRULE, sizeof(struct fib_rule_hdr)), on_rule, out,
		 clear_rules, "rules", e) < 0)
		return -1;
	vec_sort(out, netstate_rule_cmp);
	return 0;
}

int rtnl_rule(struct rtnl *r, enum rtnl_op op, const struct netstate_rule *rule, struct err *e)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *h = request(buf, op != RTNL_DELETE ? RTM_NEWRULE : RTM_DELRULE,
				     sizeof(struct fib_rule_hdr));
	struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);

	if (op != RTNL_DELETE)
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	m->family = rule->ipv6 ? AF_INET6 : AF_INET;
	m->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(h, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(h, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(h, FRA_FWMASK, rule->mask);
	mnl_attr_put_u32(h, FRA_TABLE, rule->table);
	mnl_attr_put_u8(h, FRA_PROTOCOL, NETSTATE_PROTOCOL);
	return change(r, h, op == RTNL_DELETE ? ENOENT : EEXIST, e,
		      "%s rule for mark 0x%x/0x%x with table %u", op_name(op), rule->mark,
		      rule->mask, rule->table);
}

/* --- neighbours --- */

struct neighbour_list {
	netstate_neighbours *out;
	int dev;
	bool all;    /* not the permanent ones only */
	size_t kept; /* what earlier dumps brought */
};

static void clear_neighbour_list(void *list)
{
	struct neighbour_list *l = list;

	l->out->n = l->kept;
}

static int on_neighbour(const struct nlmsghdr *h, void *list)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct neighbour_list *l = list;
	struct netstate_neighbour n = { .fdb = m->ndm_family == AF_BRIDGE, .dev = m->ndm_ifindex };
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWNEIGH || m->ndm_ifindex != l->dev ||
	    !(l->all || (m->ndm_state & NUD_PERMANENT)))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == NDA_DST)
			attr_addr(a, &n.addr);
		else if (mnl_attr_get_type(a) == NDA_LLADDR)
			attr_mac(a, n.mac);
	}
	if (n.addr.len)
		vec_push(l->out, n);
	return MNL_CB_OK;
}

static int dump_neighbours(struct rtnl *r, int family, struct neighbour_list *list, struct err *e)
{
	char buf[REQUEST_BYTES];
	struct nlmsghdr *h = request(buf, RTM_GETNEIGH, sizeof(struct ndmsg));
	struct ndmsg *m = mnl_nlmsg_get_payload(h);

	m->ndm_family = (unsigned char)family;
	if (family == AF_BRIDGE)
		m->ndm_ifindex = list->dev;
	else
		mnl_attr_put_u32(h, NDA_IFINDEX, (uint32_t)list->dev);
	list->kept = list->out->n;
	return dump(r, h, on_neighbour, list, clear_neighbour_list, "neighbours", e);
}

int rtnl_get_neighbours(struct rtnl *r, int dev, netstate_neighbours *out, struct err *e)
{
	static const int families[] = { AF_INET, AF_INET6, AF_BRIDGE };
	struct neighbour_list list = { .out = out, .dev = dev };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (dump_neighbours(r, families[i], &list, e) < 0)
			return -1;
	}
	vec_sort(out, netstate_neighbour_cmp);
	return 0;
}

int rtnl_get_tunnels(struct rtnl *r, int dev, netstate_neighbours *out, struct err *e)
{
	struct neighbour_list list = { .out = out, .dev = dev, .all = true };

	return dump_neighbours(r, AF_BRIDGE, &list, e);
}

int rtnl_neighbour(struct rtnl *r, enum rtnl_op op, const struct netstate_neighbour *n,
		   struct err *e)
{
	char buf[REQUEST_BYTES], addr[ADDR_TEXT], mac[MAC_TEXT];
	struct nlmsghdr *h =
	    request(buf, op != RTNL_DELETE ? RTM_NEWNEIGH : RTM_DELNEIGH, sizeof(struct ndmsg));
	struct ndmsg *m = mnl_nlmsg_get_payload(h);

	if (op != RTNL_DELETE)
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	m->ndm_family = (unsigned char)(n->fdb ? AF_BRIDGE : addr_af(&n->addr));
	m->ndm_ifindex = n->dev;
	m->ndm_state = NUD_PERMANENT;
	m->ndm_flags = n->fdb ? NTF_SELF : 0;
	put_addr(h, NDA_DST, &n->addr);
	mnl_attr_put(h, NDA_LLADDR, MAC_BYTES, n->mac);
	if (op != RTNL_DELETE && !n->fdb)
		mnl_attr_put_u8(h, NDA_PROTOCOL, NETSTATE_PROTOCOL);
	return change(r, h, op == RTNL_DELETE ? ENOENT : 0, e, "%s neighbour %s at %s", op_name(op),
		      addr_text(&n->addr, addr), mac_text(n->mac, mac));
}

/* --- news --- */

/* The steps of the filter that others go to. */
enum { NEIGHBOUR = 3, TUNNEL_END = 5, ADDRESS = 7, MAKER = 9, PASS_OVER = 16, TELL = 17 };

#define STEP(code, k) BPF_STMT(code, (uint32_t)(k))
#define TEST(at, how, k, yes, no) \
	BPF_JUMP(BPF_JMP | (how) | BPF_K, (uint32_t)(k), (yes)-1 - (at), (no)-1 - (at))

/* Neighbours come and go with traffic, by thousands on a busy link: the kernel keeps back what is
 * neither a tunnel end nor set for good nor made by us. When somebody deletes one, its news do not
 * call it permanent any more, but its maker stays. */
static int filter_news(struct mnl_socket *news, struct err *e)
{
	enum {
		FAMILY = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_family),
		STATE = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_state),
		FLAGS = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_flags),
		ATTRIBUTES = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ndmsg))
	};
	/* numbers of two bytes are loaded as if they were in network order */
	struct sock_filter steps[] = {
		[0] = STEP(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		[1] = TEST(1, BPF_JEQ, htons(RTM_NEWNEIGH), NEIGHBOUR, 2),
		[2] = TEST(2, BPF_JEQ, htons(RTM_DELNEIGH), NEIGHBOUR, TELL),
		[NEIGHBOUR] = STEP(BPF_LD | BPF_B | BPF_ABS, FAMILY),
		[4] = TEST(4, BPF_JEQ, AF_BRIDGE, TUNNEL_END, ADDRESS),
		[TUNNEL_END] = STEP(BPF_LD | BPF_B | BPF_ABS, FLAGS),
		[6] = TEST(6, BPF_JSET, NTF_SELF, TELL, PASS_OVER),
		[ADDRESS] = STEP(BPF_LD | BPF_H | BPF_ABS, STATE),
		[8] = TEST(8, BPF_JSET, htons(NUD_PERMANENT), TELL, MAKER),
		[MAKER] = STEP(BPF_LDX | BPF_IMM, NDA_PROTOCOL),
		[10] = STEP(BPF_LD | BPF_IMM, ATTRIBUTES),
		[11] = STEP(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR),
		[12] = TEST(12, BPF_JEQ, 0, PASS_OVER, 13),
		[13] = STEP(BPF_MISC | BPF_TAX, 0),
		[14] = STEP(BPF_LD | BPF_B | BPF_IND, sizeof(struct nlattr)),
		[15] = TEST(15, BPF_JEQ, NETSTATE_PROTOCOL, TELL, PASS_OVER),
		[PASS_OVER] = STEP(BPF_RET | BPF_K, 0),
		[TELL] = STEP(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(steps), .filter = steps };

	return setsockopt(mnl_socket_get_fd(news), SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program)) < 0
		   ? err_os(e, errno, "rtnetlink: filter news of neighbours")
		   : 0;
}

static int on_news(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct rtnl *r = userdata;
	bool any = false;
	ssize_t n;

	(void)s;
	(void)fd;
	(void)revents;
	/* what the news say is looked up afterwards, so lost ones (ENOBUFS) cost nothing */
	while ((n = mnl_socket_recvfrom(r->news, r->reply, sizeof(r->reply))) > 0 ||
	       errno == ENOBUFS || errno == EINTR || errno == ENOSPC)
		any = true;
	if (any)
		r->changed(r->ctx);
	return 0;
}

int rtnl_watch(struct rtnl *r, sd_event *loop, void (*changed)(void *ctx), void *ctx, struct err *e)
{
	unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			  RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
			  1u << (RTNLGRP_IPV6_RULE - 1) | RTMGRP_NEIGH |
			  1u << (RTNLGRP_IPV4_NETCONF - 1) | 1u << (RTNLGRP_IPV6_NETCONF - 1);
	int code;

	if (open_socket(&r->news, groups, e) < 0 || filter_news(r->news, e) < 0)
		return -1;
	r->changed = changed;
	r->ctx = ctx;
	code = sd_event_add_io(loop, &r->source, mnl_socket_get_fd(r->news), EPOLLIN, on_news, r);
	return code < 0 ? err_os(e, -code, "rtnetlink") : 0;
}
