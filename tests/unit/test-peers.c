/* proxy/peers: who is recognised by its Ethernet address, and to whom nothing is masqueraded. */
#include "test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"
#include "kube/codec.h"
#include "peermarks.h"
#include "peers.h"
#include "prober.h"
#include "returnplan.h"

enum { LAN = 2, VXLAN = 3, TUNNEL = 4 /* without Ethernet addresses */, STORAGE = 5 };

#define RECORD(boot, links) "{\\\"bootID\\\":\\\"" boot "\\\",\\\"links\\\":{" links "}}"
#define LINK(address, mac) "\\\"" address "\\\":\\\"" mac "\\\""
#define NODE(name, boot, record, addresses, cidrs) \
	"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name \
	"\",\"annotations\":{\"keelson.io/return-path\":\"" record \
	"\"}},\"spec\":{\"podCIDRs\":[" cidrs "]},\"status\":{\"nodeInfo\":{\"bootID\":\"" boot \
	"\"},\"addresses\":[" addresses "]}}"
#define IP(a) "{\"type\":\"InternalIP\",\"address\":\"" a "\"}"

static const char self_json[] = NODE("n1", "b1", "", IP("192.0.2.1"), "\"10.1.1.0/24\"");
static const char lan_json[] =
    NODE("n2", "b2", RECORD("b2", LINK("192.0.2.2", "02:00:00:00:00:02")), IP("192.0.2.2"),
	 "\"10.1.2.0/24\"");

struct way {
	const char *to, *via;
	int dev;
};
struct tunnel_end {
	const char *addr, *mac;
};

static const struct {
	const char *what, *node;
	struct way ways[3];
	struct tunnel_end end;
	const char *want;
	enum peers_proof doubted; /* PEERS_UNPROVEN stands for proven: most are */
} cases[] = {
	{ "this node itself", self_json, { { 0 } }, { 0 }, "" },
	{ "a shared link",
	  lan_json,
	  { { "10.1.2.0", "192.0.2.2", LAN }, { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 10.1.2.0/24\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\n"
	  "symmetric dev 2 10.1.2.0/24\n"
	  "symmetric dev 2 192.0.2.2/32\n" },
	{ "pods over a VXLAN, the node itself on the link",
	  lan_json,
	  { { "10.1.2.0", "10.1.2.0", VXLAN }, { "192.0.2.2", NULL, LAN } },
	  { "192.0.2.2", "02:aa:00:00:00:02" },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "sender 02:aa:00:00:00:02 dev 3 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\n"
	  "direct 02:aa:00:00:00:02 dev 3 10.1.2.0/24\n"
	  "symmetric dev 2 192.0.2.2/32\n"
	  "symmetric dev 3 10.1.2.0/24\n" },
	{ "pods over a VXLAN whose other end is not known",
	  lan_json,
	  { { "10.1.2.0", "10.1.2.0", VXLAN }, { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\n"
	  "symmetric dev 2 192.0.2.2/32\n"
	  "node n2, 10.1.2.0/24: its tunnel end is not known\n" },
	{ "a node behind a router, pods over a VXLAN",
	  NODE("n2", "b2", RECORD("b2", LINK("198.51.100.2", "02:00:00:00:00:02")),
	       IP("198.51.100.2"), "\"10.1.2.0/24\""),
	  { { "10.1.2.0", "10.1.2.0", VXLAN }, { "198.51.100.2", "192.0.2.254", LAN } },
	  { "198.51.100.2", "02:aa:00:00:00:02" },
	  "sender 02:aa:00:00:00:02 dev 3 n2\n"
	  "direct 02:aa:00:00:00:02 dev 3 10.1.2.0/24\n"
	  "symmetric dev 3 10.1.2.0/24\n"
	  "node n2, 198.51.100.2/32: it is reached through a router\n" },
	{ "a tunnel without Ethernet addresses",
	  lan_json,
	  { { "10.1.2.0", NULL, TUNNEL }, { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\n"
	  "symmetric dev 2 192.0.2.2/32\n"
	  "node n2, 10.1.2.0/24: it is reached over a device without Ethernet addresses\n" },
	{ "no route",
	  lan_json,
	  { { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\n"
	  "symmetric dev 2 192.0.2.2/32\n"
	  "node n2, 10.1.2.0/24: there is no route to it\n" },
	{ "a node that rebooted since it said so",
	  NODE("n2", "b3", RECORD("b2", LINK("192.0.2.2", "02:00:00:00:00:02")), IP("192.0.2.2"),
	       ""),
	  { { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "node n2, 192.0.2.2/32: it does not say that it returns replies the way they came\n" },
	{ "a record that is none",
	  NODE("n2", "b2", "[]", IP("192.0.2.2"), ""),
	  { { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "node n2, 192.0.2.2/32: it does not say that it returns replies the way they came\n" },
	{ "a record with an address that is not the Node's, and a broken one",
	  NODE("n2", "b2",
	       RECORD("b2", LINK("192.0.2.9", "02:00:00:00:00:09") "," LINK("192.0.2.2", "02:00")),
	       IP("192.0.2.2"), ""),
	  { { "192.0.2.2", NULL, LAN }, { "192.0.2.9", NULL, LAN } },
	  { 0 },
	  "symmetric dev 2 192.0.2.2/32\n" },
	{ "a link that does not carry other sources",
	  lan_json,
	  { { "10.1.2.0", "192.0.2.2", LAN }, { "192.0.2.2", NULL, LAN } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 2 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 10.1.2.0/24\ndirect 02:00:00:00:00:02 dev 2 "
	  "192.0.2.2/32\n"
	  "node n2, 10.1.2.0/24: it does not answer to a source that is no node\n"
	  "node n2, 192.0.2.2/32: it does not answer to a source that is no node\n",
	  PEERS_REFUTED },
	{ "it does not, but for the tunnel over it",
	  lan_json,
	  { { "10.1.2.0", "10.1.2.0", VXLAN }, { "192.0.2.2", NULL, LAN } },
	  { "192.0.2.2", "02:aa:00:00:00:02" },
	  "sender 02:00:00:00:00:02 dev 2 n2\nsender 02:aa:00:00:00:02 dev 3 n2\n"
	  "direct 02:00:00:00:00:02 dev 2 192.0.2.2/32\ndirect 02:aa:00:00:00:02 dev 3 "
	  "10.1.2.0/24\n"
	  "symmetric dev 3 10.1.2.0/24\n"
	  "node n2, 192.0.2.2/32: it does not answer to a source that is no node\n",
	  PEERS_REFUTED },
	{ "a link whose address the own Node does not tell",
	  lan_json,
	  { { "10.1.2.0", "192.0.2.2", STORAGE }, { "192.0.2.2", NULL, STORAGE } },
	  { 0 },
	  "sender 02:00:00:00:00:02 dev 5 n2\n"
	  "direct 02:00:00:00:00:02 dev 5 10.1.2.0/24\n"
	  "direct 02:00:00:00:00:02 dev 5 192.0.2.2/32\n"
	  "node n2, 10.1.2.0/24: it is reached over a device without an address of this Node\n"
	  "node n2, 192.0.2.2/32: it is reached over a device without an address of this Node\n" },
};

static struct peers_node *read_node(const char *json)
{
	AUTO_JSON struct json_object *tree = NULL;
	AUTO_OBJECT struct kube_object *o = NULL;

	assert_int_equal(json_parse(json, strlen(json), &tree, NULL), 0);
	assert_int_equal(codec_object_from_json(tree, &o, NULL), 0);
	return peers_node_read((const Core__Node *)o->msg);
}

static void tell(const struct peers *p, struct str *out)
{
	char a[PREFIX_TEXT], m[MAC_TEXT];

	for (size_t i = 0; i < p->senders.n; i++)
		str_printf(out, "sender %s dev %d %s\n", mac_text(p->senders.v[i].mac, m),
			   p->senders.v[i].dev, p->senders.v[i].node);
	for (size_t i = 0; i < p->direct.n; i++)
		str_printf(out, "direct %s dev %d %s\n", mac_text(p->direct.v[i].mac, m),
			   p->direct.v[i].dev, prefix_text(&p->direct.v[i].from, a));
	for (size_t i = 0; i < p->symmetric.n; i++)
		str_printf(out, "symmetric dev %d %s\n", p->symmetric.v[i].dev,
			   prefix_text(&p->symmetric.v[i].to, a));
	for (size_t i = 0; p->incapable && p->incapable[i]; i++)
		str_printf(out, "%s\n", p->incapable[i]);
}

static void add_link(netstate_links *list, int index, const char *name, const char *kind,
		     const char *mac)
{
	struct netstate_link l = { .index = index, .flags = mac ? IFF_UP : IFF_UP | IFF_NOARP };

	snprintf(l.name, sizeof(l.name), "%s", name);
	snprintf(l.kind, sizeof(l.kind), "%s", kind);
	if (mac)
		assert_int_equal(mac_parse(mac, l.mac, NULL), 0);
	vec_push(list, l);
}

static netstate_links links_of_n1(void)
{
	netstate_links links = { 0 };

	add_link(&links, LAN, "eth0", "", "02:00:00:00:00:01");
	add_link(&links, VXLAN, "flannel.1", "vxlan", "02:aa:00:00:00:01");
	add_link(&links, TUNNEL, "wg0", "wireguard", NULL);
	add_link(&links, STORAGE, "eth1", "", "02:00:00:00:01:01");
	return links;
}

static struct addr address(const char *text)
{
	struct addr a = { 0 };

	if (text)
		assert_int_equal(addr_parse(text, &a, NULL), 0);
	return a;
}

/* n1 as it looks at itself and one other node. */
struct bed {
	struct peers_node *self, *other;
	const struct peers_node *nodes[2];
	netstate_links links;
	netstate_addresses addresses;
	netstate_neighbours tunnels;
	struct peers_input in;
};

static void bed_init(struct bed *b, const char *other_json)
{
	*b = (struct bed){ .self = read_node(self_json),
			   .other = read_node(other_json),
			   .links = links_of_n1() };
	b->nodes[0] = b->other;
	b->nodes[1] = b->self;
	b->in = (struct peers_input){ .self = "n1",
				      .nodes = b->nodes,
				      .n_nodes = 2,
				      .links = &b->links,
				      .addresses = &b->addresses,
				      .tunnels = &b->tunnels };
	vec_push(&b->addresses,
		 (struct netstate_address){ .dev = LAN, .addr = address("192.0.2.1"), .bits = 24 });
}

static void bed_fini(struct bed *b)
{
	peers_node_free(b->self);
	peers_node_free(b->other);
	vec_fini(&b->links);
	vec_fini(&b->addresses);
	vec_fini(&b->tunnels);
}

static void peers_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peers_route routes[3];
		AUTO_STR got = { 0 };
		struct peers p;
		struct bed b;

		bed_init(&b, cases[i].node);
		b.in.routes = routes;
		for (; b.in.n_routes < 3 && cases[i].ways[b.in.n_routes].to; b.in.n_routes++) {
			const struct way *w = &cases[i].ways[b.in.n_routes];

			routes[b.in.n_routes] =
			    (struct peers_route){ .to = address(w->to),
						  .via = address(w->via),
						  .dev = w->dev,
						  .proof = cases[i].doubted ? cases[i].doubted
									    : PEERS_PROVEN };
		}
		if (cases[i].end.addr) {
			struct netstate_neighbour end = { .fdb = true,
							  .dev = VXLAN,
							  .addr = address(cases[i].end.addr) };

			assert_int_equal(mac_parse(cases[i].end.mac, end.mac, NULL), 0);
			vec_push(&b.tunnels, end);
		}
		peers_make(&b.in, &p);
		tell(&p, &got);
		if (strcmp(str_text(&got), cases[i].want))
			fail_msg("%s:\n%s", cases[i].what, str_text(&got));
		peers_fini(&p);
		bed_fini(&b);
	}
}

/* A packet that another node brings back to the node of its own address would be taken for a lie.
 */
static void pairs_of_one_node(void **state)
{
	char from[PREFIX_TEXT], to[PREFIX_TEXT];
	AUTO_STR got = { 0 };
	struct peers p;
	struct bed b;

	(void)state;
	bed_init(&b, lan_json);
	peers_make(&b.in, &p);
	for (size_t i = 0; i < p.same_node.n; i++)
		str_printf(&got, "%s %s\n", prefix_text(&p.same_node.v[i].from, from),
			   prefix_text(&p.same_node.v[i].to, to));
	assert_string_equal(str_text(&got),
			    "10.1.2.0/24 10.1.2.0/24\n10.1.2.0/24 192.0.2.2/32\n"
			    "192.0.2.2/32 10.1.2.0/24\n192.0.2.2/32 192.0.2.2/32\n");
	peers_fini(&p);
	bed_fini(&b);
}

/* What is a node's own does not depend on routes, nor on where it comes in. */
static void homes_need_no_route(void **state)
{
	static const char json[] = NODE("n2", "b2",
					"{\\\"bootID\\\":\\\"b2\\\",\\\"links\\\":{},"
					"\\\"others\\\":[\\\"198.51.100.2\\\",\\\"fd01:2::9\\\"]}",
					IP("192.0.2.2"), "\"10.1.2.0/24\",\"fd01:2::/64\"");
	struct peers_node *self = read_node(self_json), *other = read_node(json);
	const struct peers_node *nodes[] = { self, other };
	netstate_links links = links_of_n1();
	netstate_addresses addresses = { 0 };
	netstate_neighbours tunnels = { 0 };
	struct netstate_neighbour end = { .fdb = true,
					  .dev = VXLAN,
					  .addr = address("192.0.2.2"),
					  .mac = { 2, 0xaa, 0, 0, 0, 2 } };
	struct peers_input in = { .self = "n1",
				  .nodes = nodes,
				  .n_nodes = 2,
				  .links = &links,
				  .addresses = &addresses,
				  .tunnels = &tunnels };
	AUTO_STR got = { 0 };
	struct peers p, same;
	char m[MAC_TEXT], a[PREFIX_TEXT];

	(void)state;
	vec_push(&tunnels, end);
	end.dev = STORAGE;
	vec_push(&tunnels, end);
	peers_make(&in, &p);
	assert_int_equal(p.senders.n, 2);
	assert_int_equal(p.direct.n, 0);
	for (size_t i = 0; i < p.home.n; i++)
		str_printf(&got, "%s %s\n", mac_text(p.home.v[i].mac, m),
			   prefix_text(&p.home.v[i].from, a));
	assert_string_equal(str_text(&got), "02:aa:00:00:00:02 10.1.2.0/24\n"
					    "02:aa:00:00:00:02 192.0.2.2/32\n"
					    "02:aa:00:00:00:02 198.51.100.2/32\n"
					    "02:aa:00:00:00:02 fd01:2::/64\n"
					    "02:aa:00:00:00:02 fe80::/10\n");
	peers_copy(&p, &same);
	assert_true(peers_equal(&p, &same));
	same.home.v[0].mac[5] = 3;
	assert_false(peers_equal(&p, &same));
	peers_fini(&same);
	peers_fini(&p);
	peers_node_free(self);
	peers_node_free(other);
	vec_fini(&links);
	vec_fini(&tunnels);
}

/* Most nodes' pods have a range of one length; the others are found all the same, only later. */
static void the_length_of_pod_ranges(void **state)
{
	static const struct {
		const char *home[6];
		uint8_t v4, v6;
	} table[] = {
		{ { NULL }, 0, 0 },
		{ { "192.0.2.2/32", "fe80::/10", "fd01::2/128" }, 0, 0 },
		{ { "10.1.2.0/24", "192.0.2.2/32", "fe80::/10", "fd01:2::/64" }, 24, 64 },
		{ { "fe80::/10", "fe80::/10", "fe80::/10", "fd01:2::/64", "fd01:3::/60" }, 0, 64 },
		{ { "10.1.0.0/16", "10.2.2.0/24", "10.2.3.0/24", "fd01:2::/64", "fd01:3::/80" },
		  24,
		  80 },
		{ { "192.0.2.2/32", "192.0.2.3/32", "10.1.2.0/25", "fd01:2::/64", "fd01:3::/64",
		    "fd01:4::/80" },
		  25,
		  64 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct peers p = { 0 };

		for (size_t j = 0; j < ARRAY_SIZE(table[i].home) && table[i].home[j]; j++) {
			struct peers_home h = { .mac = { 2, (uint8_t)j } };

			assert_int_equal(prefix_parse(table[i].home[j], &h.from, NULL), 0);
			vec_push(&p.home, h);
		}
		assert_int_equal(peers_home_bits(&p, 4), table[i].v4);
		assert_int_equal(peers_home_bits(&p, 16), table[i].v6);
		peers_fini(&p);
	}
}

static struct addr numbered(uint8_t first, uint8_t second, unsigned i)
{
	return (struct addr){ .len = 4, .b = { first, second, (uint8_t)(i >> 8), (uint8_t)i } };
}

/* Thousands of nodes on one link, each with a tunnel end for its pods, told in another order. */
static void thousands_of_nodes(void **state)
{
	enum { MANY = 3000 };
	struct peers_node *many = mem_calloc(MANY, sizeof(*many));
	VEC(const struct peers_node *) nodes = { 0 };
	VEC(struct peers_route) routes = { 0 };
	addr_list targets = { 0 }, hops = { 0 };
	struct peers p;
	struct bed b;

	(void)state;
	bed_init(&b, lan_json);
	vec_push(&nodes, b.self);
	for (unsigned i = 0; i < MANY; i++) {
		struct addr a = numbered(192, 168, i), pods = numbered(10, 2, i);
		struct peers_link link = { .addr = a, .mac = { 2, 1, 0, 0, a.b[2], a.b[3] } };
		struct addr end = numbered(192, 168, MANY - 1 - i);
		struct netstate_neighbour t = { .fdb = true, .dev = VXLAN, .addr = end };

		t.mac[0] = 2;
		memcpy(t.mac + 4, end.b + 2, 2);
		vec_push(&b.tunnels, t);
		many[i] = (struct peers_node){ .name = str_fmt("m%u", i), .returns = true };
		vec_push(&many[i].addresses, a);
		vec_push(&many[i].pod_cidrs, prefix_of(&pods, 32));
		vec_push(&many[i].links, link);
		vec_push(&nodes, &many[i]);
	}
	b.in.nodes = nodes.v;
	b.in.n_nodes = nodes.n;
	peers_targets(&b.in, &targets);
	for (size_t i = 0; i < targets.n; i++)
		vec_push(&routes,
			 (struct peers_route){ .to = targets.v[i],
					       .dev = targets.v[i].b[0] == 10 ? VXLAN : LAN,
					       .proof = PEERS_PROVEN });
	b.in.routes = routes.v;
	b.in.n_routes = routes.n;
	peers_hops(&b.in, &hops);
	peers_make(&b.in, &p);
	assert_int_equal(targets.n, 2 * MANY);
	assert_int_equal(hops.n, MANY);
	assert_int_equal(p.senders.n, 2 * MANY);
	assert_int_equal(p.symmetric.n, 2 * MANY);
	assert_int_equal(p.direct.n, 2 * MANY);
	assert_null(p.incapable);
	for (size_t i = 0; i < p.senders.n; i++) {
		const struct peers_sender *s = &p.senders.v[i];
		AUTO_FREE char *name = str_fmt("m%u", (unsigned)(s->mac[4] << 8 | s->mac[5]));

		assert_string_equal(s->node, name);
		assert_int_equal(s->dev, s->mac[1] ? LAN : VXLAN);
	}
	peers_fini(&p);
	for (unsigned i = 0; i < MANY; i++) {
		free(many[i].name);
		vec_fini(&many[i].addresses);
		vec_fini(&many[i].pod_cidrs);
		vec_fini(&many[i].links);
	}
	free(many);
	vec_fini(&nodes);
	vec_fini(&routes);
	vec_fini(&targets);
	vec_fini(&hops);
	bed_fini(&b);
}

/* --- marks --- */

static void add_sender(struct peers *p, int dev, unsigned n)
{
	struct peers_sender s = { .dev = dev,
				  .mac = { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };

	vec_push(&p->senders, s);
}

static bool is_within(uint32_t mark, uint32_t mask)
{
	return mark && !(mark & ~mask);
}

/* Whoever has a mark keeps it, whoever comes gets one of the device's, nobody shares one. */
static void marks_stay_with_their_senders(void **state)
{
	static const uint32_t masks[] = { 0x3f7f, 0xffff0000, 0x5555, 0xf };
	netstate_links links = links_of_n1();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		struct peers one = { 0 }, two = { 0 };
		struct peermarks none = { 0 }, have;
		struct err e;

		add_sender(&one, LAN, 1);
		add_sender(&one, LAN, 3);
		add_sender(&one, VXLAN, 1);
		assert_int_equal(peermarks_assign(&none, &links, masks[i], &one, &e), 0);
		peermarks_of(&one, &have);
		assert_string_equal(one.slot[0].name, "eth0");
		assert_string_equal(one.slot[1].name, "flannel.1");
		add_sender(&two, LAN, 2);
		add_sender(&two, LAN, 3);
		add_sender(&two, VXLAN, 1);
		add_sender(&two, STORAGE, 1);
		assert_int_equal(peermarks_assign(&have, &links, masks[i], &two, &e), 0);
		assert_int_equal(two.senders.v[1].mark, one.senders.v[1].mark);
		assert_int_equal(two.senders.v[2].mark, one.senders.v[2].mark);
		for (size_t k = 0; k < two.senders.n; k++) {
			uint32_t mark = two.senders.v[k].mark;
			uint32_t slot = mark & peermarks_slot_bits(masks[i], 0);

			assert_true(is_within(mark, masks[i]));
			for (size_t n = 0; n < k; n++)
				assert_int_not_equal(mark, two.senders.v[n].mark);
			assert_int_equal(slot, peermarks_slot_bits(masks[i], k < 2    ? 1
									     : k == 2 ? 2
										      : 3));
		}
		peermarks_fini(&have);
		peers_fini(&one);
		peers_fini(&two);
	}
	vec_fini(&links);
}

/* Connections of a node that says nothing any more, or was deleted, go on: its mark still leads to
 * it, is its own again when it comes back, and another one's only when there is no other left. */
static void marks_outlive_their_senders(void **state)
{
	netstate_links links = links_of_n1();
	struct peers one = { 0 }, none = { 0 }, back = { 0 }, crowd = { 0 }, other = { 0 };
	struct peermarks nothing = { 0 }, have, still, moved = { 0 };
	struct err e;

	(void)state;
	add_sender(&one, LAN, 1);
	add_sender(&one, LAN, 2);
	assert_int_equal(peermarks_assign(&nothing, &links, 0x1f, &one, &e), 0);
	peermarks_of(&one, &have);
	assert_int_equal(peermarks_assign(&have, &links, 0x1f, &none, &e), 0);
	assert_int_equal(none.mask, 0x1f);
	assert_int_equal(none.slot[0].dev, LAN);
	peermarks_of(&none, &still);
	assert_int_equal(still.marks.n, 2);
	assert_memory_equal(still.marks.v, have.marks.v, 2 * sizeof(*have.marks.v));

	add_sender(&back, LAN, 2);
	assert_int_equal(peermarks_assign(&still, &links, 0x1f, &back, &e), 0);
	assert_int_equal(back.senders.v[0].mark, one.senders.v[1].mark);
	assert_int_equal(back.gone.n, 1);
	assert_false(peers_equal(&back, &none));

	/* seven ids: those of the two that went are taken last */
	for (unsigned i = 3; i < 9; i++)
		add_sender(&crowd, LAN, i);
	assert_int_equal(peermarks_assign(&still, &links, 0x1f, &crowd, &e), 0);
	assert_int_equal(crowd.gone.n, 1);
	for (size_t i = 0; i + 1 < crowd.senders.n; i++) {
		assert_int_not_equal(crowd.senders.v[i].mark, have.marks.v[0].mark);
		assert_int_not_equal(crowd.senders.v[i].mark, have.marks.v[1].mark);
	}

	/* whatever order they come in and whatever is lost, the same address has the same mark */
	peers_fini(&one);
	add_sender(&one, LAN, 2);
	assert_int_equal(peermarks_assign(&nothing, &links, 0x1f, &one, &e), 0);
	assert_int_equal(one.senders.v[0].mark, back.senders.v[0].mark);

	/* a device that is gone takes its marks with it */
	vec_push(&moved.marks, have.marks.v[0]);
	moved.slot[0].dev = 77;
	assert_int_equal(peermarks_assign(&moved, &links, 0x1f, &other, &e), 0);
	assert_int_equal(other.mask, 0);
	peers_fini(&one);
	peers_fini(&none);
	peers_fini(&back);
	peers_fini(&crowd);
	peers_fini(&other);
	peermarks_fini(&have);
	peermarks_fini(&still);
	peermarks_fini(&moved);
	vec_fini(&links);
}

static void marks_run_out(void **state)
{
	netstate_links links = links_of_n1();
	struct peermarks none = { 0 };
	struct peers p = { 0 };
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add_sender(&p, LAN, i);
	assert_int_equal(peermarks_assign(&none, &links, 0xf, &p, &e), -1);
	assert_non_null(strstr(e.text, "room for 3 nodes"));
	assert_int_equal(p.senders.n, 0);
	assert_int_equal(p.mask, 0);
	for (int dev = 1; dev <= PEERS_SLOTS + 1; dev++)
		add_sender(&p, dev, 1);
	assert_int_equal(peermarks_assign(&none, &links, 0xff, &p, &e), -1);
	assert_non_null(strstr(e.text, "devices"));
	add_sender(&p, LAN, 1);
	assert_int_equal(peermarks_assign(&none, &links, 0x7, &p, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	peers_fini(&p);
	vec_fini(&links);
}

/* A device that comes anew has another index: its slot is another one's then. */
static void slots_follow_devices(void **state)
{
	netstate_links links = links_of_n1();
	struct peermarks have = { .slot = { { 77, "gone0" }, { VXLAN, "flannel.1" } } };
	struct peers p = { 0 };
	struct err e;

	(void)state;
	add_sender(&p, LAN, 1);
	add_sender(&p, VXLAN, 1);
	assert_int_equal(peermarks_assign(&have, &links, 0x3f7f, &p, &e), 0);
	assert_int_equal(p.slot[0].dev, LAN);
	assert_int_equal(p.slot[1].dev, VXLAN);
	peers_fini(&p);
	vec_fini(&links);
}

static void somebody_elses_rules_are_seen(void **state)
{
	static const struct {
		struct netstate_rule rule;
		int want;
	} table[] = {
		{ { .mark = 0x4000, .mask = 0x4000 }, 0 },      /* the agent's */
		{ { .mark = 0x10000, .mask = 0xffff0000 }, 0 }, /* Calico's */
		{ { .mark = 0x80, .mask = 0x80 }, 0 },          /* AWS' */
		{ { .mark = 0x100, .mask = 0xf00 }, -1 },       /* Cilium's */
		{ { .mark = 1, .mask = 0xffffffff }, -1 },
		{ { .mark = 1, .mask = 0xffffffff, .ours = true }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		netstate_rules rules = { 0 };
		struct err e = { 0 };

		vec_push(&rules, table[i].rule);
		assert_int_equal(returnplan_check(&rules, 0x3f7f, &e), table[i].want);
		assert_int_equal(e.code == ERR_CONFLICT, table[i].want < 0);
		vec_fini(&rules);
	}
}

static void replies_have_a_way(void **state)
{
	netstate_links links = links_of_n1();
	struct peermarks none = { 0 };
	struct returnplan_node node = { .source = { prober_source("n1", false),
						    prober_source("n1", true) },
					.range = { prober_range(false), prober_range(true) },
					.loopback = 1,
					.v6 = true };
	struct returnplan plan;
	struct peers p = { 0 };
	size_t local = 0;
	struct err e;

	(void)state;
	add_sender(&p, LAN, 1);
	add_sender(&p, VXLAN, 1);
	assert_int_equal(peermarks_assign(&none, &links, 0x3f7f, &p, &e), 0);
	returnplan_make(&p, &node, &plan);
	assert_int_equal(plan.rules.n, 4);
	assert_int_equal(plan.routes.n, 7);
	assert_int_equal(plan.neighbours.n, 4);
	assert_int_equal(plan.addresses.n, 1);
	assert_true(returnplan_is_source(&plan.addresses.v[0]));
	for (size_t i = 0; i < plan.rules.n; i++) {
		assert_true(returnplan_is_table(plan.rules.v[i].table));
		/* a packet without a mark is not concerned */
		assert_int_not_equal(plan.rules.v[i].mark, 0);
		assert_int_equal(plan.rules.v[i].mark & ~0x3f7fu, 0);
	}
	for (size_t i = 0; i < plan.routes.n; i++) {
		const struct netstate_route *route = &plan.routes.v[i];

		assert_true(returnplan_is_ours(route));
		local += route->local;
		if (returnplan_is_table(route->table)) {
			assert_true(returnplan_is_next_hop(&route->via));
			assert_int_equal(route->dst.bits, 0);
		}
	}
	assert_int_equal(local, 1);
	returnplan_fini(&plan);
	node.one_exit[0] = true;
	returnplan_make(&p, &node, &plan);
	assert_int_equal(plan.rules.n, 2);
	assert_true(plan.rules.v[0].ipv6 && plan.rules.v[1].ipv6);
	assert_int_equal(plan.routes.n, 7);
	returnplan_fini(&plan);
	node.one_exit[0] = node.v6 = false;
	returnplan_make(&p, &node, &plan);
	assert_int_equal(plan.rules.n, 2);
	assert_int_equal(plan.addresses.n, 1);
	returnplan_fini(&plan);
	p.mask = 0;
	returnplan_make(&p, &node, &plan);
	assert_int_equal(plan.rules.n + plan.routes.n + plan.neighbours.n + plan.addresses.n, 0);
	returnplan_fini(&plan);
	peers_fini(&p);
	vec_fini(&links);
}

static void targets_are_all_but_the_own(void **state)
{
	addr_list got = { 0 };
	char text[ADDR_TEXT];
	struct bed b;

	(void)state;
	bed_init(&b, lan_json);
	peers_targets(&b.in, &got);
	assert_int_equal(got.n, 2);
	assert_string_equal(addr_text(&got.v[0], text), "10.1.2.0");
	assert_string_equal(addr_text(&got.v[1], text), "192.0.2.2");
	vec_fini(&got);
	bed_fini(&b);
}

/* What a node says is what another one reads. */
static void the_record_is_read_back(void **state)
{
	AUTO_FREE char *record = NULL;
	struct bed b;

	(void)state;
	bed_init(&b, lan_json);
	record = peers_record("b1", b.self, &b.links, &b.addresses);
	assert_string_equal(record,
			    "{\"bootID\":\"b1\",\"links\":{\"192.0.2.1\":\"02:00:00:00:00:01\"}}");
	free(TAKE(record));

	/* what a socket may come from besides; pods', loopback and link-local addresses are
	 * nobody's business */
	static const char *const more[] = { "127.0.0.1",   "10.1.1.1",     "198.51.100.7",
					    "fe80::1",     "198.51.100.7", "169.254.20.10",
					    "2001:db8::7", "::1" };
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		vec_push(&b.addresses,
			 (struct netstate_address){ .dev = STORAGE, .addr = address(more[i]) });
	record = peers_record("b1", b.self, &b.links, &b.addresses);
	assert_string_equal(record,
			    "{\"bootID\":\"b1\",\"links\":{\"192.0.2.1\":\"02:00:00:00:00:01\"},"
			    "\"others\":[\"198.51.100.7\",\"2001:db8::7\"]}");
	assert_false(peers_has_said(b.self, record));
	bed_fini(&b);
}

static void others_are_read(void **state)
{
	static const char json[] = NODE("n2", "b2",
					"{\\\"bootID\\\":\\\"b2\\\",\\\"links\\\":{},"
					"\\\"others\\\":[\\\"198.51.100.7\\\",7,\\\"x\\\"]}",
					IP("192.0.2.2"), "\"10.1.2.0/24\"");
	char text[PREFIX_TEXT];
	struct peers p;
	struct bed b;
	size_t found = 0;

	(void)state;
	bed_init(&b, json);
	assert_int_equal(b.other->others.n, 1);
	assert_true(peers_has_said(b.other, "{\"bootID\":\"b2\",\"links\":{}}"));
	assert_false(peers_has_said(b.other, "{\"bootID\":\"b3\",\"links\":{}}"));
	peers_make(&b.in, &p);
	for (size_t i = 0; i < p.same_node.n; i++)
		found += !strcmp(prefix_text(&p.same_node.v[i].from, text), "198.51.100.7/32");
	assert_int_equal(found, 2);
	peers_fini(&p);
	bed_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_told_apart),
		cmocka_unit_test(targets_are_all_but_the_own),
		cmocka_unit_test(the_record_is_read_back),
		cmocka_unit_test(others_are_read),
		cmocka_unit_test(pairs_of_one_node),
		cmocka_unit_test(homes_need_no_route),
		cmocka_unit_test(the_length_of_pod_ranges),
		cmocka_unit_test(thousands_of_nodes),
		cmocka_unit_test(marks_stay_with_their_senders),
		cmocka_unit_test(marks_outlive_their_senders),
		cmocka_unit_test(marks_run_out),
		cmocka_unit_test(slots_follow_devices),
		cmocka_unit_test(somebody_elses_rules_are_seen),
		cmocka_unit_test(replies_have_a_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
