/* proxy/podnet: which routes, neighbours and tunnel ends lead to the pods of every node. */
#include "test.h"

#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "kube/codec.h"
#include "podnet.h"

enum { LOOPBACK = 1, LAN = 2, TUNNEL = 9 };

#define NODE(name, addresses, cidrs) \
	"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name \
	"\"},\"spec\":{\"podCIDRs\":[" cidrs "]},\"status\":{\"addresses\":[" addresses "]}}"
#define IP(a) "{\"type\":\"InternalIP\",\"address\":\"" a "\"}"
#define NAME(a) "{\"type\":\"Hostname\",\"address\":\"" a "\"}"

static const char self_json[] =
    NODE("n1", NAME("n1") "," IP("192.0.2.1") "," IP("fd00::1"), "\"10.1.1.0/24\",\"fd01:1::/64\"");

static struct podnet_node *read_node(const char *json, char ***ret_bad)
{
	AUTO_JSON struct json_object *tree = NULL;
	AUTO_OBJECT struct kube_object *o = NULL;

	assert_int_equal(json_parse(json, strlen(json), &tree, NULL), 0);
	assert_int_equal(codec_object_from_json(tree, &o, NULL), 0);
	return podnet_node_read((const Core__Node *)o->msg, ret_bad);
}

/* What of a Node makes a difference. */
static void nodes_that_make_no_difference(void **state)
{
	static const struct {
		const char *json;
		bool same;
	} table[] = {
		{ NODE("n1", IP("192.0.2.1") "," IP("fd00::1") "," NAME("x"),
		       "\"10.1.1.0/24\",\"fd01:1::/64\""),
		  true },
		{ NODE("n2", IP("192.0.2.1") "," IP("fd00::1"), "\"10.1.1.0/24\",\"fd01:1::/64\""),
		  false },
		{ NODE("n1", IP("192.0.2.2") "," IP("fd00::1"), "\"10.1.1.0/24\",\"fd01:1::/64\""),
		  false },
		{ NODE("n1", IP("192.0.2.1"), "\"10.1.1.0/24\",\"fd01:1::/64\""), false },
		{ NODE("n1", IP("192.0.2.1") "," IP("fd00::1"), "\"10.1.1.0/25\",\"fd01:1::/64\""),
		  false },
		{ NODE("n1", IP("192.0.2.1") "," IP("fd00::1"), "\"10.1.1.0/24\""), false },
	};
	CLEANUP(podnet_node_freep) struct podnet_node *self = read_node(self_json, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(podnet_node_freep)
		struct podnet_node *other = read_node(table[i].json, NULL);

		assert_int_equal(podnet_node_equal(self, other), table[i].same);
	}
}

/* The result as text: one line an element. */
static void tell(const struct podnet *p, struct str *out)
{
	char a[PREFIX_TEXT], b[ADDR_TEXT], m[MAC_TEXT];

	if (p->device.wanted)
		str_printf(out, "device %s %s mtu %u under %d\n", addr_text(&p->device.local, b),
			   mac_text(p->device.mac, m), p->device.mtu, p->device.under);
	for (size_t i = 0; i < p->addresses.n; i++)
		str_printf(out, "address %s/%u dev %d\n", addr_text(&p->addresses.v[i].addr, a),
			   p->addresses.v[i].bits, p->addresses.v[i].dev);
	for (size_t i = 0; i < p->routes.n; i++)
		str_printf(out, "route %s via %s dev %d%s%s\n", prefix_text(&p->routes.v[i].dst, a),
			   addr_text(&p->routes.v[i].via, b), p->routes.v[i].dev,
			   p->routes.v[i].onlink ? " onlink" : "",
			   p->routes.v[i].table == RT_TABLE_MAIN ? "" : " in another table");
	for (size_t i = 0; i < p->neighbours.n; i++)
		str_printf(out, "%s %s %s dev %d\n", p->neighbours.v[i].fdb ? "fdb" : "neighbour",
			   addr_text(&p->neighbours.v[i].addr, b),
			   mac_text(p->neighbours.v[i].mac, m), p->neighbours.v[i].dev);
	for (size_t i = 0; p->unreachable && p->unreachable[i]; i++)
		str_printf(out, "%s\n", p->unreachable[i]);
}

static const struct {
	const char *what;
	enum podnet_mode mode;
	int device;
	const char *peers[3];
	const char *want;
} cases[] = {
	{ "nothing is wanted",
	  PODNET_NONE,
	  0,
	  { NODE("n2", IP("192.0.2.2"), "\"10.1.2.0/24\"") },
	  "" },
	{ "this node itself is no peer", PODNET_VXLAN, 0, { self_json }, "" },
	{ "a shared link, both families",
	  PODNET_VXLAN,
	  0,
	  { NODE("n2", IP("192.0.2.2") "," IP("fd00::2"), "\"10.1.2.0/24\",\"fd01:2::/64\"") },
	  "route 10.1.2.0/24 via 192.0.2.2 dev 2\nroute fd01:2::/64 via fd00::2 dev 2\n" },
	{ "order does not matter",
	  PODNET_ROUTES,
	  0,
	  { NODE("n3", IP("192.0.2.3"), "\"10.1.3.0/24\""),
	    NODE("n2", IP("192.0.2.2"), "\"10.1.2.0/24\"") },
	  "route 10.1.2.0/24 via 192.0.2.2 dev 2\nroute 10.1.3.0/24 via 192.0.2.3 dev 2\n" },
	{ "no shared link, routes only",
	  PODNET_ROUTES,
	  0,
	  { NODE("n2", IP("198.51.100.2"), "\"10.1.2.0/24\"") },
	  "node n2: pods in 10.1.2.0/24 cannot be reached: it shares no link with this node, and "
	  "the "
	  "pod network is \"routes\"\n" },
	{ "the tunnel before its device",
	  PODNET_VXLAN,
	  0,
	  { NODE("n2", IP("198.51.100.2"), "\"10.1.2.0/24\"") },
	  "device 192.0.2.1 02:4b:c0:00:02:01 mtu 1450 under 2\n" },
	{ "the tunnel",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n2", IP("198.51.100.2") "," IP("2001:db8::2"),
		 "\"10.1.2.0/24\",\"fd01:2::/64\"") },
	  "device 192.0.2.1 02:4b:c0:00:02:01 mtu 1450 under 2\n"
	  "address 10.1.1.0/32 dev 9\naddress fd01:1::/128 dev 9\n"
	  "route 10.1.2.0/24 via 10.1.2.0 dev 9 onlink\nroute fd01:2::/64 via fd01:2:: dev 9 "
	  "onlink\n"
	  "neighbour 10.1.2.0 02:4b:c6:33:64:02 dev 9\nneighbour fd01:2:: 02:4b:c6:33:64:02 dev 9\n"
	  "fdb 198.51.100.2 02:4b:c6:33:64:02 dev 9\n" },
	{ "a peer on the link beside one behind a router",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n2", IP("198.51.100.2"), "\"10.1.2.0/24\""),
	    NODE("n3", IP("192.0.2.3"), "\"10.1.3.0/24\"") },
	  "device 192.0.2.1 02:4b:c0:00:02:01 mtu 1450 under 2\n"
	  "address 10.1.1.0/32 dev 9\naddress fd01:1::/128 dev 9\n"
	  "route 10.1.2.0/24 via 10.1.2.0 dev 9 onlink\nroute 10.1.3.0/24 via 192.0.2.3 dev 2\n"
	  "neighbour 10.1.2.0 02:4b:c6:33:64:02 dev 9\nfdb 198.51.100.2 02:4b:c6:33:64:02 dev "
	  "9\n" },
	{ "a range that holds a node",
	  PODNET_VXLAN,
	  0,
	  { NODE("n2", IP("192.0.2.2"), "\"10.1.2.0/24\""),
	    NODE("n3", IP("192.0.2.3"), "\"192.0.2.0/25\"") },
	  "route 10.1.2.0/24 via 192.0.2.2 dev 2\n"
	  "node n3: pods in 192.0.2.0/25 cannot be reached: a node's own address is in the "
	  "range\n" },
	{ "a range that is ours",
	  PODNET_VXLAN,
	  0,
	  { NODE("n2", IP("192.0.2.2"), "\"10.1.0.0/16\"") },
	  "node n2: pods in 10.1.0.0/16 cannot be reached: the range overlaps this node's own\n" },
	{ "two peers with one range: one route, not two that replace each other",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n2", IP("192.0.2.2"), "\"10.1.2.0/24\""),
	    NODE("n3", IP("192.0.2.3"), "\"10.1.2.0/24\"") },
	  "route 10.1.2.0/24 via 192.0.2.2 dev 2\n"
	  "node n3: pods in 10.1.2.0/24 cannot be reached: another node has the same range\n" },
	{ "the same one has it whatever order they come in",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n3", IP("192.0.2.3"), "\"10.1.2.0/24\""),
	    NODE("n2", IP("192.0.2.2"), "\"10.1.2.0/24\"") },
	  "route 10.1.2.0/24 via 192.0.2.2 dev 2\n"
	  "node n3: pods in 10.1.2.0/24 cannot be reached: another node has the same range\n" },
	{ "a peer that claims this node's address",
	  PODNET_ROUTES,
	  0,
	  { NODE("n2", IP("192.0.2.1"), "\"10.1.2.0/24\""),
	    NODE("n3", IP("127.0.0.9"), "\"10.1.3.0/24\"") },
	  "node n2: pods in 10.1.2.0/24 cannot be reached: its InternalIP is this node's own\n"
	  "node n3: pods in 10.1.3.0/24 cannot be reached: its InternalIP is this node's own\n" },
	{ "a peer without a usable address",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n2", NAME("n2") "," IP("2001:db8::2"), "\"10.1.2.0/24\"") },
	  "node n2: pods in 10.1.2.0/24 cannot be reached: it has no InternalIP of this node's "
	  "family\n" },
	{ "a peer without a range yet",
	  PODNET_VXLAN,
	  TUNNEL,
	  { NODE("n2", IP("192.0.2.2"), "") },
	  "" },
};

static void add_network(netstate_addresses *list, int dev, const char *addr, uint8_t bits)
{
	struct netstate_address a = { .dev = dev, .bits = bits };

	assert_int_equal(addr_parse(addr, &a.addr, NULL), 0);
	vec_push(list, a);
}

static void nodes_are_reached(void **state)
{
	struct podnet_node *self = read_node(self_json, NULL);
	netstate_addresses addresses = { 0 };
	netstate_links links = { 0 };

	(void)state;
	vec_push(&links, (struct netstate_link){ .index = LOOPBACK, .name = "lo", .mtu = 65536 });
	vec_push(&links, (struct netstate_link){ .index = LAN, .name = "eth0", .mtu = 1500 });
	add_network(&addresses, LOOPBACK, "127.0.0.1", 8);
	add_network(&addresses, LAN, "192.0.2.1", 24);
	add_network(&addresses, LAN, "fd00::1", 64);
	/* a tunnel's address is no network, not even a careless one */
	add_network(&addresses, TUNNEL, "198.51.100.1", 24);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct podnet_node *peers[3] = { 0 };
		struct podnet_input in = { .mode = cases[i].mode,
					   .self = self,
					   .nodes = (const struct podnet_node *const *)peers,
					   .links = &links,
					   .addresses = &addresses };
		AUTO_STR got = { 0 };
		struct podnet p;

		addresses.n = cases[i].device ? 4 : 3;
		for (; in.n_nodes < 3 && cases[i].peers[in.n_nodes]; in.n_nodes++)
			peers[in.n_nodes] = read_node(cases[i].peers[in.n_nodes], NULL);
		podnet_make(&in, cases[i].device, &p);
		tell(&p, &got);
		if (strcmp(str_text(&got), cases[i].want))
			fail_msg("%s:\n%s", cases[i].what, str_text(&got));
		podnet_fini(&p);
		for (size_t k = 0; k < in.n_nodes; k++)
			podnet_node_free(peers[k]);
	}
	vec_fini(&addresses);
	vec_fini(&links);
	podnet_node_free(self);
}

static void bad_nodes_are_named(void **state)
{
	char **bad = NULL;
	struct podnet_node *n = read_node(
	    NODE("n1", IP("192.0.2.300") "," IP("192.0.2.1"), "\"10.1.1.0/33\",\"10.1.1.0/24\""),
	    &bad);

	(void)state;
	assert_int_equal(n->addresses.n, 1);
	assert_int_equal(n->pod_cidrs.n, 1);
	assert_int_equal(strv_len(bad), 2);
	assert_string_equal(bad[0], "\"192.0.2.300\" is not an IP address");
	assert_string_equal(bad[1], "\"10.1.1.0/33\" is not a CIDR");
	strv_free(bad);
	podnet_node_free(n);
}

static void ethernet_addresses_differ(void **state)
{
	uint8_t macs[64][MAC_BYTES];

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct addr a;
		char text[ADDR_TEXT];

		snprintf(text, sizeof(text), i % 2 ? "fd00::%x" : "192.0.2.%u", i);
		assert_int_equal(addr_parse(text, &a, NULL), 0);
		podnet_mac(&a, macs[i]);
		assert_int_equal(macs[i][0], 2); /* local, not a group */
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(macs[i], macs[k], MAC_BYTES);
	}
}

static void cni_configuration(void **state)
{
	struct podnet_node *self = read_node(self_json, NULL);
	AUTO_FREE char *text = podnet_cni(self, 1450), *plain = podnet_cni(self, 0);

	(void)state;
	assert_string_equal(
	    text, "{\"cniVersion\":\"1.0.0\",\"name\":\"keelson\",\"plugins\":[{\"type\":\"ptp\","
		  "\"ipMasq\":false,\"mtu\":1450,\"ipam\":{\"type\":\"host-local\",\"ranges\":"
		  "[[{\"subnet\":\"10.1.1.0/24\"}],[{\"subnet\":\"fd01:1::/64\"}]],"
		  "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}},"
		  "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}");
	assert_null(strstr(plain, "mtu"));
	podnet_node_free(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_that_make_no_difference),
		cmocka_unit_test(nodes_are_reached),
		cmocka_unit_test(bad_nodes_are_named),
		cmocka_unit_test(ethernet_addresses_differ),
		cmocka_unit_test(cni_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
