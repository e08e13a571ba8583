/* Which UDP connections the kernel should forget (contract in ctplan.h). Pure. */
#include "ctplan.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/vec.h"

enum { KEY_TEXT = ADDR_TEXT + 8 };

struct ctendpoint {
	struct addr addr;
	uint16_t port;
};

struct ctfront {
	VEC(struct ctendpoint) allowed;
};

static void free_fronts(struct ctplan *p)
{
	void *value;

	for (size_t at = 0; map_next(&p->fronts, &at, NULL, &value);) {
		struct ctfront *f = value;

		vec_fini(&f->allowed);
		free(f);
	}
}

void ctplan_fini(struct ctplan *p)
{
	free_fronts(p);
	map_fini(&p->fronts);
}

bool ctplan_empty(const struct ctplan *p)
{
	return !p->fronts.count;
}

static void front_key(const struct addr *addr, uint16_t port, char *out)
{
	char text[ADDR_TEXT];

	snprintf(out, KEY_TEXT, "%s %u", addr ? addr_text(addr, text) : "node", port);
}

struct ctfront *ctplan_front(struct ctplan *p, const struct addr *addr, uint16_t port)
{
	char key[KEY_TEXT];
	struct ctfront *f;

	front_key(addr, port, key);
	f = map_get(&p->fronts, key);
	if (!f) {
		f = NEW(struct ctfront);
		map_put(&p->fronts, key, f);
	}
	f->allowed.n = 0;
	return f;
}

void ctplan_allow(struct ctfront *f, const struct addr *endpoint, uint16_t port)
{
	vec_push(&f->allowed, (struct ctendpoint){ .addr = *endpoint, .port = port });
}

static bool allows(const struct ctfront *f, const struct ctentry *e)
{
	for (size_t i = 0; i < f->allowed.n; i++) {
		if (f->allowed.v[i].port == e->from_port &&
		    !addr_cmp(&f->allowed.v[i].addr, &e->from))
			return true;
	}
	return false;
}

static bool to_node(const struct ctentry *e, const struct addr *node_ips, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!addr_cmp(&node_ips[i], &e->to))
			return true;
	}
	return !n && (e->from_port != e->to_port || addr_cmp(&e->from, &e->to));
}

bool ctplan_stale(const struct ctplan *p, const struct ctentry *e, const struct addr *node_ips,
		  size_t n_node_ips)
{
	const struct ctfront *f;
	char key[KEY_TEXT];

	if (e->proto != IPPROTO_UDP)
		return false;
	front_key(&e->to, e->to_port, key);
	f = map_get(&p->fronts, key);
	if (!f && to_node(e, node_ips, n_node_ips)) {
		front_key(NULL, e->to_port, key);
		f = map_get(&p->fronts, key);
	}
	return f && !allows(f, e);
}

/* Decoding */

static const struct nlattr *child(const struct nlattr *nest, uint16_t type, size_t min_len)
{
	const struct nlattr *attr;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) >= min_len)
			return attr;
	}
	return NULL;
}

static bool read_addr(const struct nlattr *ip, uint16_t v4, uint16_t v6, struct addr *ret)
{
	const struct nlattr *attr = child(ip, v4, 4);

	*ret = (struct addr){ .len = attr ? 4 : 16 };
	if (!attr)
		attr = child(ip, v6, 16);
	if (attr)
		memcpy(ret->b, mnl_attr_get_payload(attr), ret->len);
	return attr;
}

static bool read_port(const struct nlattr *proto, uint16_t type, uint16_t *ret)
{
	const struct nlattr *attr = child(proto, type, sizeof(*ret));

	if (attr)
		*ret = ntohs(mnl_attr_get_u16(attr));
	return attr;
}

static bool read_original(const struct nlattr *tuple, struct ctentry *e)
{
	const struct nlattr *proto = child(tuple, CTA_TUPLE_PROTO, 0);
	const struct nlattr *number = child(proto, CTA_PROTO_NUM, 1), *zone;

	if (!number || mnl_attr_get_payload_len(tuple) > sizeof(e->tuple))
		return false;
	e->proto = mnl_attr_get_u8(number);
	e->tuple_len = mnl_attr_get_payload_len(tuple);
	memcpy(e->tuple, mnl_attr_get_payload(tuple), e->tuple_len);
	zone = child(tuple, CTA_TUPLE_ZONE, sizeof(e->original_zone));
	if (zone)
		e->original_zone = mnl_attr_get_u16(zone);
	return read_addr(child(tuple, CTA_TUPLE_IP, 0), CTA_IP_V4_SRC, CTA_IP_V6_SRC, &e->client) &&
	       read_port(proto, CTA_PROTO_SRC_PORT, &e->client_port) &&
	       read_addr(child(tuple, CTA_TUPLE_IP, 0), CTA_IP_V4_DST, CTA_IP_V6_DST, &e->to) &&
	       read_port(proto, CTA_PROTO_DST_PORT, &e->to_port);
}

static bool read_reply(const struct nlattr *tuple, struct ctentry *e)
{
	return read_addr(child(tuple, CTA_TUPLE_IP, 0), CTA_IP_V4_SRC, CTA_IP_V6_SRC, &e->from) &&
	       read_port(child(tuple, CTA_TUPLE_PROTO, 0), CTA_PROTO_SRC_PORT, &e->from_port);
}

static uint8_t read_state(const struct nlattr *info)
{
	const struct nlattr *state =
	    child(child(info, CTA_PROTOINFO_TCP, 0), CTA_PROTOINFO_TCP_STATE, 1);

	return state ? mnl_attr_get_u8(state) : 0;
}

bool ctentry_parse(const struct nlmsghdr *h, size_t len, struct ctentry *ret)
{
	const struct nlattr *attr, *original = NULL, *reply = NULL;
	struct ctentry e = { 0 };

	if (len < NLMSG_LENGTH(sizeof(struct nfgenmsg)) || h->nlmsg_len > len ||
	    NLMSG_ALIGN(h->nlmsg_len) > len || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		return false;
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG)
			original = attr;
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY)
			reply = attr;
		else if (mnl_attr_get_type(attr) == CTA_ID && mnl_attr_get_payload_len(attr) == 4)
			e.id = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == CTA_MARK && mnl_attr_get_payload_len(attr) == 4)
			e.mark = ntohl(mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == CTA_PROTOINFO)
			e.tcp_state = read_state(attr);
		else if (mnl_attr_get_type(attr) == CTA_ZONE && mnl_attr_get_payload_len(attr) == 2)
			e.zone = mnl_attr_get_u16(attr);
	}
	if (!original || !reply || !read_original(original, &e) || !read_reply(reply, &e))
		return false;
	*ret = e;
	return true;
}
