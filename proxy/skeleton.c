/* The static part of our table (contract in skeleton.h). Pure.
 *
 *   nat prerouting → from-pod | from-outside      nat output → from-pod | from-node
 *   from-outside:  EXTERNAL, NODE_PORTS_EXTERNAL, then as inside
 *   inside[-masq]: SERVICES, NODE_PORTS → dispatch[-masq]; else a service address without such a
 *                  port is rejected, an address of a service range without a service dropped
 *   dispatch:      firewall, mark; class → n<slots> | sticky | reject | drop
 *   n<slots>:      (list, random) → endpoint
 *   sticky, known: (list, client) → sticky value of an endpoint that is still there, else
 *                  s<slots>: (list, random) → sticky value;
 *                  remember<i>: (list, client) := value for so many seconds → endpoint
 *   nat postrouting: hairpin and marked traffic toward other nodes are masqueraded, but for those
 *                  that send replies back the way they came
 *   zones:         connections that another node passes on for others are in a zone of that node's:
 *                  one client may come by several; errors about them are, too
 *   nat senders:   (device, Ethernet address) → mark of the node that passed the connection on,
 * kept with it; replies, replies-output: what answers such a connection carries that mark, and
 * again in the end (replies-last), whatever somebody else made of it meanwhile
 *
 * All but zones and the last three are in chains of type nat: they see the first packet of a
 * connection only, so that established traffic pays nothing. Those three read one mark a packet,
 * zones looks up one address, and one more for packets that another node sent.
 */
#include "skeleton.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "peermarks.h"

enum { REG_KEY = 0, REG_TYPE = 0 };

const struct skel_place *skel_place(enum skel_hook hook)
{
	/* senders: before anybody else's translation, that ends the hook's other chains */
	static const struct skel_place places[SKEL_HOOKS] = {
		[SKEL_PREROUTING] = { "nat", NF_INET_PRE_ROUTING, -100 },
		[SKEL_OUTPUT] = { "nat", NF_INET_LOCAL_OUT, -100 },
		[SKEL_POSTROUTING] = { "nat", NF_INET_POST_ROUTING, 100 },
		[SKEL_ZONES] = { "filter", NF_INET_PRE_ROUTING, -300 },
		[SKEL_SENDERS] = { "nat", NF_INET_PRE_ROUTING, -110 },
		[SKEL_REPLIES] = { "filter", NF_INET_PRE_ROUTING, -150 },
		[SKEL_REPLIES_OUTPUT] = { "route", NF_INET_LOCAL_OUT, -150 },
		[SKEL_REPLIES_LAST] = { "filter", NF_INET_POST_ROUTING, 250 },
	};

	return &places[hook];
}

static void chain(struct skeleton *s, enum skel_hook hook, const char *name)
{
	struct skelchain c = { .hook = hook };

	snprintf(c.name, sizeof(c.name), "%s", name);
	vec_push(&s->chains, c);
}

static struct skelrule *rule(struct skeleton *s, const char *name)
{
	vec_push(&s->rules, (struct skelrule){ .chain = name });
	return &s->rules.v[s->rules.n - 1];
}

static void op(struct skelrule *r, struct skelop o)
{
	r->op[r->n++] = o;
}

#define OP(r, kind, ...) op((r), (struct skelop){ .op = SKEL_##kind, __VA_ARGS__ })

static uint32_t words(const struct skeleton *s)
{
	return (uint32_t)(nft_addr_len(s->family) / 4);
}

/* Key of a front end with an address, and of a node port. */
static void load_front(const struct skeleton *s, struct skelrule *r, bool addr)
{
	uint32_t at = 0;

	if (addr) {
		OP(r, LOAD_DADDR, .a = 0);
		at = words(s);
	}
	OP(r, LOAD_PROTO, .a = at);
	OP(r, LOAD_DPORT, .a = at + 1);
}

static void load_list(struct skelrule *r)
{
	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, MASK, .a = 0, .b = FRONT_ID_MASK);
}

/* list id . client */
static void load_client(struct skelrule *r)
{
	load_list(r);
	OP(r, LOAD_SADDR, .a = 1);
}

static void priority_is(struct skelrule *r, uint32_t flag)
{
	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, MASK, .a = 0, .b = flag);
	OP(r, IS, .a = 0, .b = flag);
}

static void set_mark(struct skelrule *r, uint32_t mark)
{
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = ~mark, .c = mark);
	OP(r, SET_MARK, .a = 0);
}

static void daddr_in(struct skelrule *r, const struct prefix *p, bool source)
{
	struct skelop is = { .op = SKEL_IS_BYTES, .len = p->addr.len };

	op(r, (struct skelop){ .op = source ? SKEL_LOAD_SADDR : SKEL_LOAD_DADDR });
	if (p->bits < 8 * p->addr.len)
		OP(r, MASK_ADDR, .a = 0, .b = p->bits);
	memcpy(is.bytes, p->addr.b, p->addr.len);
	op(r, is);
}

/* Node ports are served on the node's addresses: a set of them, or any that is local. */
static void node_addr(const struct skeleton_settings *in, struct skelrule *r)
{
	struct skelop lo = { .op = SKEL_IS_NOT_BYTES, .len = in->family ? 16 : 1, .bytes = { 0 } };

	OP(r, LOAD_DADDR, .a = 0);
	if (!in->all_node_ports) {
		OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_NODE_PORT_IPS)->name);
		return;
	}
	if (in->family == DATAPLANE_IPV4) {
		OP(r, MASK_ADDR, .a = 0, .b = 8);
		lo.len = 4;
		lo.bytes[0] = 127;
	} else {
		lo.bytes[15] = 1;
	}
	op(r, lo);
	OP(r, LOAD_ADDR_TYPE, .a = 0);
	OP(r, IS, .a = 0, .b = RTN_LOCAL);
}

static void front_rules(const struct skeleton_settings *in, struct skeleton *s, const char *name,
			enum nftset services, enum nftset ports, const char *next)
{
	struct skelrule *r = rule(s, name);

	load_front(s, r, true);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(services)->name);
	OP(r, SET_PRIORITY, .a = 0);
	OP(r, GOTO, .name = next);
	r = rule(s, name);
	node_addr(in, r);
	load_front(s, r, false);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(ports)->name);
	OP(r, SET_PRIORITY, .a = 0);
	OP(r, GOTO, .name = next);
}

static void inside_rules(const struct skeleton_settings *in, struct skeleton *s, const char *name,
			 const char *next)
{
	struct skelrule *r;

	front_rules(in, s, name, NFTSET_SERVICES, NFTSET_NODE_PORTS, next);
	r = rule(s, name);
	OP(r, LOAD_DADDR, .a = 0);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_CLUSTER_IPS)->name);
	OP(r, GOTO, .name = "reject");
	for (size_t i = 0; i < in->n_service_cidrs; i++) {
		r = rule(s, name);
		daddr_in(r, &in->service_cidrs[i], false);
		OP(r, DROP, .a = 0);
	}
}

/* Rules that send what comes from a pod to from-pod. Interfaces are known on the way in only. */
static void pod_rules(const struct skeleton_settings *in, struct skeleton *s, const char *name,
		      bool output)
{
	bool by_name = in->local == DATAPLANE_LOCAL_BRIDGE_INTERFACE ||
		       in->local == DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX;

	/* no interface has a longer name */
	if (by_name && in->local_interface && !output && strlen(in->local_interface) < IFNAMSIZ) {
		struct skelrule *r = rule(s, name);
		struct skelop is = { .op = SKEL_IS_BYTES, .len = 16 };
		size_t len = strlen(in->local_interface);

		if (in->local == DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX)
			is.len = (uint8_t)len;
		memcpy(is.bytes, in->local_interface, len);
		OP(r, LOAD_IIFNAME, .a = 0);
		op(r, is);
		OP(r, GOTO, .name = "from-pod");
	}
	for (size_t i = 0; !by_name && in->local != DATAPLANE_LOCAL_NONE && i < in->n_pods; i++) {
		struct skelrule *r = rule(s, name);

		daddr_in(r, &in->pods[i], true);
		OP(r, GOTO, .name = "from-pod");
	}
}

static bool pods_known(const struct skeleton_settings *in)
{
	switch (in->local) {
	case DATAPLANE_LOCAL_CLUSTER_CIDR:
	case DATAPLANE_LOCAL_NODE_CIDR:
		return in->n_pods;
	case DATAPLANE_LOCAL_BRIDGE_INTERFACE:
	case DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX:
		return in->local_interface;
	case DATAPLANE_LOCAL_NONE:
		break;
	}
	return false;
}

static void entry_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	/* where nothing is known about pods, a service address is reached unmasqueraded */
	bool masq = in->masquerade_all || pods_known(in);
	struct skelrule *r;

	pod_rules(in, s, "prerouting", false);
	r = rule(s, "prerouting");
	OP(r, GOTO, .name = "from-outside");
	pod_rules(in, s, "output", true);
	r = rule(s, "output");
	OP(r, GOTO, .name = "from-node");

	r = rule(s, "from-pod");
	OP(r, GOTO, .name = in->masquerade_all ? "inside-masq" : "inside");
	r = rule(s, "from-node");
	OP(r, GOTO, .name = "inside-masq");
	front_rules(in, s, "from-outside", NFTSET_EXTERNAL, NFTSET_NODE_PORTS_EXTERNAL,
		    masq ? "dispatch-masq" : "dispatch");
	r = rule(s, "from-outside");
	OP(r, GOTO, .name = masq ? "inside-masq" : "inside");
	inside_rules(in, s, "inside", "dispatch");
	inside_rules(in, s, "inside-masq", "dispatch-masq");
}

static void dispatch_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	struct skelrule *r = rule(s, "dispatch-masq");

	set_mark(r, in->masquerade_mark);
	OP(r, GOTO, .name = "dispatch");
	r = rule(s, "dispatch");
	priority_is(r, FRONT_FIREWALL);
	OP(r, JUMP, .name = "firewall");
	r = rule(s, "dispatch");
	priority_is(r, FRONT_MASQUERADE);
	set_mark(r, in->masquerade_mark);
	r = rule(s, "dispatch");
	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, MASK, .a = 0, .b = FRONT_DISPATCH_MASK);
	OP(r, VMAP, .a = 0, .name = SKEL_CLASSES);

	r = rule(s, "firewall");
	load_list(r);
	OP(r, SWAP, .a = 0);
	OP(r, LOAD_SADDR, .a = 1);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_SOURCE_RANGES)->name);
	OP(r, RETURN, .a = 0);
	r = rule(s, "firewall");
	OP(r, DROP, .a = 0);

	r = rule(s, "reject");
	OP(r, LOAD_PROTO, .a = 0);
	OP(r, IS_BYTES, .a = 0, .len = 1, .bytes = { 6 });
	OP(r, REJECT_RESET, .a = 0);
	r = rule(s, "reject");
	OP(r, REJECT, .a = 0);
}

/* A class's chain chooses an endpoint. */
static void choose_sticky(struct skeleton *s, const char *name)
{
	struct skelrule *r = rule(s, name);

	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, MASK, .a = 0, .b = FRONT_CLASS_MASK);
	OP(r, VMAP, .a = 0, .name = SKEL_STICKY_CLASSES);
}

/* Who was remembered has his value in the priority, in place of the class. */
static void known_rules(struct skeleton *s)
{
	struct skelrule *r = rule(s, "known");

	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_STICKY_VALUES)->name);
	OP(r, GOTO, .name = "remember");
	/* an update would not change the value. Kernels before 6.5 without its fixes (stable ones
	 * have them since late 2023) lose one of the map's places each time. */
	r = rule(s, "known");
	load_client(r);
	OP(r, LOAD_PRIORITY, .a = 1 + words(s));
	OP(r, FORGET, .a = 0, .b = 1 + words(s), .name = SKEL_AFFINITY);
	r = rule(s, "known");
	load_list(r);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(NFTSET_STICKY_LISTS)->name);
	OP(r, SET_PRIORITY, .a = 0);
	choose_sticky(s, "known");
}

static void remember_rule(struct skeleton *s, const char *name, uint32_t timeout_sec)
{
	struct skelrule *r = rule(s, name);

	load_client(r);
	OP(r, LOAD_PRIORITY, .a = 1 + words(s));
	OP(r, UPDATE, .a = 0, .b = 1 + words(s), .c = timeout_sec, .name = SKEL_AFFINITY);
}

static void sticky_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	struct skelrule *r = rule(s, "sticky");

	load_client(r);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = SKEL_AFFINITY);
	OP(r, SET_PRIORITY, .a = 0);
	OP(r, GOTO, .name = "known");
	choose_sticky(s, "sticky");
	known_rules(s);
	r = rule(s, "remember");
	OP(r, LOAD_PRIORITY, .a = 0);
	OP(r, MASK, .a = 0, .b = (FRONT_TIMEOUT_COUNT - 1) << FRONT_ID_SHIFT);
	OP(r, VMAP, .a = 0, .name = SKEL_TIMEOUTS);

	for (uint32_t i = 0; i < FRONT_TIMEOUT_COUNT; i++) {
		struct skelvmap v = { .name = SKEL_TIMEOUTS, .key = i << FRONT_ID_SHIFT };

		snprintf(v.chain, sizeof(v.chain), "remember%u", i);
		chain(s, SKEL_NO_HOOK, v.chain);
		vec_push(&s->vmaps, v);
	}
	for (size_t i = 0; i < s->chains.n; i++) {
		const char *name = s->chains.v[i].name;
		uint32_t n;

		if (sscanf(name, "remember%u", &n) != 1)
			continue;
		if (in->timeout_sec[n])
			remember_rule(s, name, in->timeout_sec[n]);
		/* also without: a time-out and what uses it come in one transaction, and a packet
		 * that it overtakes keeps to the rules from before */
		r = rule(s, name);
		OP(r, LOAD_PRIORITY, .a = 0);
		OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(NFTSET_STICKY)->name);
		OP(r, DNAT, .a = 0);
	}
}

static void class_vmap(struct skeleton *s, const char *map, uint32_t key, const char *target)
{
	struct skelvmap v = { .name = map, .key = key };

	snprintf(v.chain, sizeof(v.chain), "%s", target);
	vec_push(&s->vmaps, v);
}

static void class_chains(struct skeleton *s)
{
	char name[24];

	for (unsigned class = 1; class <= FRONT_CLASSES; class ++) {
		snprintf(name, sizeof(name), "n%u", front_class_slots(class));
		chain(s, SKEL_NO_HOOK, name);
		class_vmap(s, SKEL_CLASSES, class, name);
		class_vmap(s, SKEL_CLASSES, class | FRONT_AFFINITY, "sticky");
		snprintf(name, sizeof(name), "s%u", front_class_slots(class));
		chain(s, SKEL_NO_HOOK, name);
		class_vmap(s, SKEL_STICKY_CLASSES, class, name);
	}
	class_vmap(s, SKEL_CLASSES, FRONT_CLASS_REJECT, "reject");
	class_vmap(s, SKEL_CLASSES, FRONT_CLASS_DROP, "");
}

static void class_rules(struct skeleton *s)
{
	for (size_t i = 0; i < s->chains.n; i++) {
		const char *name = s->chains.v[i].name;
		bool sticky = name[0] == 's';
		struct skelrule *r;
		uint32_t n;
		char kind;

		if (sscanf(name, "%c%u", &kind, &n) != 2 || (kind != 'n' && kind != 's'))
			continue;
		r = rule(s, name);
		load_list(r);
		OP(r, RANDOM, .a = 1, .b = n);
		OP(r, LOOKUP_DATA, .a = 0, .b = 0,
		   .name = nftset_info(sticky ? NFTSET_SLOTS : NFTSET_ENDPOINTS)->name);
		if (sticky) {
			OP(r, SET_PRIORITY, .a = 0);
			OP(r, GOTO, .name = "remember");
		} else {
			OP(r, DNAT, .a = 0);
		}
	}
}

static void dnat_done(struct skelrule *r)
{
	OP(r, LOAD_CT_STATUS, .a = 0);
	OP(r, MASK, .a = 0, .b = IPS_DST_NAT);
	OP(r, IS, .a = 0, .b = IPS_DST_NAT);
}

static void exit_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	struct skelrule *r = rule(s, "postrouting");

	/* the front value was for us only */
	dnat_done(r);
	OP(r, ZERO, .a = 0);
	OP(r, SET_PRIORITY, .a = 0);
	r = rule(s, "postrouting");
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = in->masquerade_mark);
	OP(r, IS, .a = 0, .b = in->masquerade_mark);
	OP(r, JUMP, .name = "masquerade");
	/* whoever chose the endpoint, this node or another one */
	r = rule(s, "postrouting");
	OP(r, LOAD_SADDR, .a = 0);
	OP(r, LOAD_DADDR, .a = words(s));
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_HAIRPIN)->name);
	OP(r, MASQUERADE, .a = 0);

	r = rule(s, "masquerade");
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = ~in->masquerade_mark);
	OP(r, SET_MARK, .a = 0);
	/* such a packet would come back to its own node as one from a stranger with its address */
	r = rule(s, "masquerade");
	OP(r, LOAD_SADDR, .a = 0);
	OP(r, LOAD_DADDR, .a = words(s));
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_SAME_NODE)->name);
	OP(r, MASQUERADE, .a = 0);
	r = rule(s, "masquerade");
	OP(r, LOAD_DADDR, .a = 0);
	OP(r, LOOKUP_NOT, .a = 0, .name = nftset_info(NFTSET_LOCAL)->name);
	OP(r, LOAD_OIF, .a = 0);
	OP(r, SWAP, .a = 0);
	OP(r, LOAD_DADDR, .a = 1);
	OP(r, LOOKUP_NOT, .a = 0, .name = nftset_info(NFTSET_SYMMETRIC)->name);
	OP(r, MASQUERADE, .a = 0);
}

/* --- the way back --- */

/* mark |= value of the first register, bit by bit: older kernels have no other way to keep the rest
 * of a mark that is not ours. */
static void merge_bits(struct skeleton *s, const char *name, uint32_t mask, enum skel_op from,
		       enum skel_op load, enum skel_op store)
{
	for (uint32_t bit = 1; bit; bit <<= 1) {
		struct skelrule *r;

		if (!(mask & bit))
			continue;
		r = rule(s, name);
		op(r, (struct skelop){ .op = from });
		OP(r, MASK, .a = 0, .b = bit);
		OP(r, IS, .a = 0, .b = bit);
		op(r, (struct skelop){ .op = load });
		OP(r, MASK, .a = 0, .b = ~bit, .c = bit);
		op(r, (struct skelop){ .op = store });
	}
}

/* Where an ICMP error has what of the packet that it is about, a reply mostly: its header begins at
 * byte 8. */
struct quote {
	uint8_t icmp, types[3]; /* of errors */
	uint8_t proto, saddr, daddr, sport, dport;
};

static const struct quote *quote_of(const struct skeleton *s)
{
	/* unreachable, too big, time exceeded */
	static const struct quote quotes[DATAPLANE_FAMILIES] = {
		[DATAPLANE_IPV4] = { IPPROTO_ICMP, { 3, 11 }, 17, 20, 24, 28, 30 },
		[DATAPLANE_IPV6] = { IPPROTO_ICMPV6, { 1, 2, 3 }, 14, 16, 32, 48, 50 },
	};

	return &quotes[s->family];
}

static void home_rule(struct skeleton *s, const char *name, enum nftset set, uint8_t bits)
{
	struct skelrule *r = rule(s, name);

	OP(r, LOAD_ETHER_SADDR, .a = 0);
	OP(r, LOAD_SADDR, .a = 2);
	if (bits)
		OP(r, MASK_ADDR, .a = 2, .b = bits);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(set)->name);
	OP(r, RETURN, .a = 0);
}

/* Most of what comes from other nodes is their pods'. */
static void home_pods_rule(struct skeleton *s, const char *name, uint8_t bits)
{
	if (bits)
		home_rule(s, name, NFTSET_HOME_PODS, bits);
}

static void set_zone(struct skelrule *r)
{
	OP(r, LOAD_ETHER_SADDR_END, .a = 0);
	OP(r, SET_CT_ZONE, .a = 0);
}

static void quoted_rules(struct skeleton *s, const struct quote *q)
{
	uint32_t len = (uint32_t)nft_addr_len(s->family), at = 2 * words(s);
	struct skelrule *r;

	/* a header with options has its ports elsewhere */
	if (s->family == DATAPLANE_IPV4) {
		r = rule(s, "quoted");
		OP(r, LOAD_TRANSPORT, .a = 0, .b = 8, .c = 1);
		OP(r, IS_NOT_BYTES, .a = 0, .len = 1, .bytes = { 0x45 });
		OP(r, RETURN, .a = 0);
	}
	r = rule(s, "quoted");
	OP(r, LOAD_ETHER_SADDR, .a = 0);
	OP(r, LOAD_TRANSPORT, .a = 2, .b = q->daddr, .c = len);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_HOME)->name);
	OP(r, RETURN, .a = 0);
	r = rule(s, "quoted");
	OP(r, LOAD_TRANSPORT, .a = 0, .b = q->daddr, .c = len);
	OP(r, LOAD_TRANSPORT, .a = words(s), .b = q->saddr, .c = len);
	OP(r, LOAD_TRANSPORT, .a = at, .b = q->proto, .c = 1);
	OP(r, LOAD_TRANSPORT, .a = at + 1, .b = q->dport, .c = 2);
	OP(r, LOAD_TRANSPORT, .a = at + 2, .b = q->sport, .c = 2);
	OP(r, LOOKUP, .a = 0, .name = SKEL_OLDER);
	OP(r, RETURN, .a = 0);
	set_zone(rule(s, "quoted"));
}

/* Packets of nodes, which go on at next. */
static void known_sender_rules(struct skeleton *s, const char *name, bool former, const char *next)
{
	struct skelrule *r = rule(s, name);

	OP(r, LOAD_IIF, .a = 0);
	OP(r, LOAD_ETHER_SADDR, .a = 1);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(NFTSET_SENDERS)->name);
	OP(r, IS_NOT, .a = 0, .b = 0);
	OP(r, GOTO, .name = next);
	if (!former)
		return;
	/* who is forgotten stays as long as somebody comes by it */
	r = rule(s, name);
	OP(r, LOAD_IIF, .a = 0);
	OP(r, LOAD_ETHER_SADDR, .a = 1);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_FORMER_SENDERS)->name);
	OP(r, REFRESH, .a = 0, .c = SKEL_IDLE_SEC,
	   .name = nftset_info(NFTSET_FORMER_SENDERS)->name);
	OP(r, GOTO, .name = next);
}

/* An error about a connection is in its zone, whoever sends it: the node itself, when a packet is
 * too large for its way to the client. Else it would belong to none, and many drop such packets. */
static void error_rules(struct skeleton *s, const struct skel_zones *zone)
{
	const struct quote *q = quote_of(s);
	struct skelrule *r = rule(s, "from-link");

	OP(r, LOAD_PROTO, .a = 0);
	OP(r, IS_BYTES, .a = 0, .len = 1, .bytes = { q->icmp });
	OP(r, GOTO, .name = "messages");
	known_sender_rules(s, "messages", zone->formers, "errors");
	for (size_t i = 0; i < ARRAY_SIZE(q->types) && q->types[i]; i++) {
		r = rule(s, "errors");
		OP(r, LOAD_TRANSPORT, .a = 0, .b = 0, .c = 1);
		OP(r, IS_BYTES, .a = 0, .len = 1, .bytes = { q->types[i] });
		OP(r, GOTO, .name = "quoted");
	}
	home_pods_rule(s, "errors", zone->home_bits);
	r = rule(s, "errors");
	OP(r, GOTO, .name = "from-sender");
	quoted_rules(s, q);
}

/* What the other node sends for itself has no zone. */
static void home_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	/* of a link nobody passes them on */
	static const struct prefix link_local = { .addr = { .len = 16, .b = { 0xfe, 0x80 } },
						  .bits = 10 };

	home_rule(s, "from-sender", NFTSET_HOME_HOSTS, 0);
	if (in->family == DATAPLANE_IPV6) {
		struct skelrule *r = rule(s, "from-sender");

		daddr_in(r, &link_local, true);
		OP(r, RETURN, .a = 0);
	}
	/* a set of ranges takes several times as long */
	if (in->zone.home_ranges)
		home_rule(s, "from-sender", NFTSET_HOME, 0);
}

/* Pods' packets, and others that no node sends, meet nothing else. */
static void link_rules(const struct skel_zones *zone, struct skeleton *s)
{
	bool any = zone->n_links > SKEL_LINKS;

	for (size_t i = 0; i < (any ? 1 : zone->n_links); i++) {
		struct skelrule *r = rule(s, "zones");

		if (!any) {
			OP(r, LOAD_IIF, .a = 0);
			OP(r, IS, .a = 0, .b = zone->link[i]);
		}
		OP(r, GOTO, .name = "from-link");
	}
}

/* The zone follows from the Ethernet address alone, so that nobody needs to remember it: what
 * changes the zone of a live connection ends it. Only the original direction is looked up in it:
 * replies are what the table without zones says, where two connections of one client's port differ,
 * as translation gives the second another one. */
static void zone_rules(const struct skeleton_settings *in, struct skeleton *s)
{
	uint32_t at = 2 * words(s);
	struct skelrule *r;

	link_rules(&in->zone, s);
	error_rules(s, &in->zone);
	home_pods_rule(s, "from-link", in->zone.home_bits);
	known_sender_rules(s, "from-link", in->zone.formers, "from-sender");

	home_rules(in, s);
	r = rule(s, "from-sender");
	OP(r, LOAD_SADDR, .a = 0);
	OP(r, LOAD_DADDR, .a = words(s));
	OP(r, LOAD_PROTO, .a = at);
	OP(r, LOAD_SPORT, .a = at + 1);
	OP(r, LOAD_DPORT, .a = at + 2);
	OP(r, LOOKUP, .a = 0, .name = SKEL_OLDER);
	OP(r, REFRESH, .a = 0, .c = SKEL_IDLE_SEC, .name = SKEL_OLDER);
	OP(r, RETURN, .a = 0);
	set_zone(rule(s, "from-sender"));
}

/* The mark travels in the packet's priority from the one rule to the others. */
static void sender_rules(struct skeleton *s, uint32_t mask)
{
	struct skelrule *r = rule(s, "senders");

	OP(r, LOAD_IIF, .a = 0);
	OP(r, LOAD_ETHER_SADDR, .a = 1);
	OP(r, LOOKUP_DATA, .a = 0, .b = 0, .name = nftset_info(NFTSET_SENDERS)->name);
	OP(r, SET_PRIORITY, .a = 0);
	OP(r, LOAD_IIF, .a = 0);
	OP(r, SWAP, .a = 0);
	OP(r, LOAD_ETHER_SADDR, .a = 1);
	OP(r, LOAD_SADDR, .a = 3);
	OP(r, LOOKUP_NOT, .a = 0, .name = nftset_info(NFTSET_DIRECT)->name);
	OP(r, JUMP, .name = "remember-sender");
	r = rule(s, "senders");
	OP(r, ZERO, .a = 0);
	OP(r, SET_PRIORITY, .a = 0);

	r = rule(s, "remember-sender");
	OP(r, LOAD_CT_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = ~mask);
	OP(r, SET_CT_MARK, .a = 0);
	merge_bits(s, "remember-sender", mask, SKEL_LOAD_PRIORITY, SKEL_LOAD_CT_MARK,
		   SKEL_SET_CT_MARK);
}

static void is_marked(struct skelrule *r, uint32_t bits)
{
	OP(r, LOAD_CT_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = bits);
	OP(r, IS_NOT, .a = 0, .b = 0);
}

static void is_reply(struct skelrule *r)
{
	OP(r, LOAD_CT_DIRECTION, .a = 0);
	OP(r, IS_BYTES, .a = 0, .len = 1, .bytes = { IP_CT_DIR_REPLY });
	OP(r, GOTO, .name = "to-sender");
}

static void return_rules(struct skeleton *s, uint32_t mask)
{
	static const char *const bases[] = { "replies", "replies-output" };
	struct skelrule *r;

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		r = rule(s, bases[i]);
		is_marked(r, mask);
		is_reply(r);
	}
	/* somebody may have written the whole mark since, or chosen another way: then it is theirs
	 */
	r = rule(s, "replies-last");
	is_marked(r, peermarks_slot_bits(mask, 0));
	OP(r, LOAD_OIF, .a = 1);
	OP(r, LOOKUP, .a = 0, .name = nftset_info(NFTSET_WAYS)->name);
	is_reply(r);
	/* mostly nobody else marked the packet: one write does */
	r = rule(s, "to-sender");
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = ~mask);
	OP(r, IS, .a = 0, .b = 0);
	OP(r, LOAD_CT_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = mask);
	OP(r, SET_MARK, .a = 0);
	OP(r, RETURN, .a = 0);
	r = rule(s, "to-sender");
	OP(r, LOAD_MARK, .a = 0);
	OP(r, MASK, .a = 0, .b = ~mask);
	OP(r, SET_MARK, .a = 0);
	merge_bits(s, "to-sender", mask, SKEL_LOAD_CT_MARK, SKEL_LOAD_MARK, SKEL_SET_MARK);
}

void skeleton_make(const struct skeleton_settings *in, struct skeleton *ret)
{
	static const char *const plain[] = {
		"from-pod",  "from-node",     "from-outside", "inside",          "inside-masq",
		"dispatch",  "dispatch-masq", "firewall",     "reject",          "sticky",
		"known",     "remember",      "masquerade",   "remember-sender", "to-sender",
		"from-link", "from-sender",   "messages",     "errors",          "quoted"
	};
	struct skeleton s = { .family = in->family };

	chain(&s, SKEL_PREROUTING, "prerouting");
	chain(&s, SKEL_OUTPUT, "output");
	chain(&s, SKEL_POSTROUTING, "postrouting");
	/* they stand even while nobody is told apart: a chain of its own would be a new table */
	chain(&s, SKEL_ZONES, "zones");
	chain(&s, SKEL_SENDERS, "senders");
	chain(&s, SKEL_REPLIES, "replies");
	chain(&s, SKEL_REPLIES_OUTPUT, "replies-output");
	chain(&s, SKEL_REPLIES_LAST, "replies-last");
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		chain(&s, SKEL_NO_HOOK, plain[i]);
	class_chains(&s);
	/* chains are complete from here on: rules point at their names */
	sticky_rules(in, &s);
	entry_rules(in, &s);
	dispatch_rules(in, &s);
	class_rules(&s);
	exit_rules(in, &s);
	if (in->return_mask) {
		sender_rules(&s, in->return_mask);
		return_rules(&s, in->return_mask);
		if (in->zones)
			zone_rules(in, &s);
	}
	*ret = s;
}

void skeleton_fini(struct skeleton *s)
{
	vec_fini(&s->chains);
	vec_fini(&s->rules);
	vec_fini(&s->vmaps);
}
