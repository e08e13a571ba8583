/* The pod network (contract in podnet.h). Pure. */
#include "podnet.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "nodeinfo.h"

/* --- what a Node says --- */

struct podnet_node *podnet_node_read(const Core__Node *node, char ***ret_bad)
{
	struct podnet_node *n = NEW(struct podnet_node);

	n->name = mem_strdup(node->metadata->name);
	nodeinfo_read_addresses(node, "InternalIP", &n->addresses, ret_bad);
	nodeinfo_read_pod_cidrs(node, &n->pod_cidrs, ret_bad);
	return n;
}

void podnet_node_free(struct podnet_node *n)
{
	if (!n)
		return;
	free(n->name);
	vec_fini(&n->addresses);
	vec_fini(&n->pod_cidrs);
	free(n);
}

bool podnet_node_equal(const struct podnet_node *a, const struct podnet_node *b)
{
	return str_eq(a->name, b->name) && addr_list_equal(&a->addresses, &b->addresses) &&
	       prefix_list_equal(&a->pod_cidrs, &b->pod_cidrs);
}

/* --- routes --- */

void podnet_mac(const struct addr *node, uint8_t ret[MAC_BYTES])
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	ret[0] = 0x02; /* locally administered */
	ret[1] = 0x4b;
	if (node->len == 4) {
		memcpy(ret + 2, node->b, 4);
		return;
	}
	for (size_t i = 0; i < node->len; i++)
		hash = (hash ^ node->b[i]) * 0x100000001b3;
	memcpy(ret + 1, &hash, MAC_BYTES - 1);
}

/* The device on whose link an address is, or 0. The tunnel's own addresses are no network. */
static int shared_link(const struct podnet_input *in, int tunnel, const struct addr *a)
{
	for (size_t i = 0; i < in->addresses->n; i++) {
		const struct netstate_address *own = &in->addresses->v[i];
		struct prefix net = prefix_of(&own->addr, own->bits);

		if (own->dev != tunnel && own->bits < 8 * own->addr.len && prefix_has(&net, a))
			return own->dev;
	}
	return 0;
}

static const struct addr *first_of_family(const struct podnet_node *n, uint8_t len)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		if (n->addresses.v[i].len == len)
			return &n->addresses.v[i];
	}
	return NULL;
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
	return a->bits <= b->bits ? prefix_has(a, &b->addr) : prefix_has(b, &a->addr);
}

static void complain(struct podnet *p, const char *node, const char *range, const char *why)
{
	AUTO_FREE char *text =
	    str_fmt("node %s: pods in %s cannot be reached: %s", node, range, why);

	strv_push(&p->unreachable, text);
}

/* Through the tunnel, the first address of the peer's range stands for the peer. */
static void add_tunnelled(struct podnet *p, const struct prefix *cidr, const struct addr *end,
			  int device)
{
	struct netstate_neighbour gateway = { .dev = device, .addr = cidr->addr };
	struct netstate_neighbour fdb = { .fdb = true, .dev = device, .addr = *end };
	struct netstate_route route = { .table = RT_TABLE_MAIN,
					.dst = *cidr,
					.via = cidr->addr,
					.dev = device,
					.onlink = true };

	p->device.wanted = true;
	if (!device)
		return;
	podnet_mac(end, gateway.mac);
	memcpy(fdb.mac, gateway.mac, MAC_BYTES);
	vec_push(&p->routes, route);
	vec_push(&p->neighbours, gateway);
	vec_push(&p->neighbours, fdb);
}

struct making {
	const struct podnet_input *in;
	int device;
	addr_list nodes;  /* addresses of all of them, sorted */
	struct map taken; /* text of ranges */
	struct podnet *p;
};

static int by_range(const void *range, const void *a)
{
	const struct prefix *p = range;

	return prefix_has(p, a) ? 0 : addr_cmp(&p->addr, a);
}

/* A route to it would take the way to a node itself. */
static bool holds_a_node(const struct making *m, const struct prefix *cidr)
{
	return m->nodes.n && bsearch(cidr, m->nodes.v, m->nodes.n, sizeof(*m->nodes.v), by_range);
}

/* Why nothing can lead to that range, whatever the way; NULL: nothing is in the way. */
static const char *misfit(const struct making *m, const struct podnet_node *peer,
			  const struct prefix *cidr, const char *text)
{
	const struct podnet_input *in = m->in;

	for (size_t i = 0; i < in->self->pod_cidrs.n; i++) {
		if (overlap(cidr, &in->self->pod_cidrs.v[i]))
			return "the range overlaps this node's own";
	}
	/* two routes to one range would replace each other for ever */
	if (map_has(&m->taken, text))
		return "another node has the same range";
	if (holds_a_node(m, cidr))
		return "a node's own address is in the range";
	for (size_t i = 0; i < peer->addresses.n; i++) {
		if (netstate_own_address(in->addresses, &peer->addresses.v[i]) ||
		    addr_is_loopback(&peer->addresses.v[i]))
			return "its InternalIP is this node's own";
	}
	return NULL;
}

static void add_range(struct making *m, const struct podnet_node *peer, const struct prefix *cidr)
{
	const struct podnet_input *in = m->in;
	const struct addr *hop = first_of_family(peer, cidr->addr.len), *end;
	int dev = hop ? shared_link(in, m->device, hop) : 0;
	struct podnet *p = m->p;
	char text[PREFIX_TEXT];
	const char *why = misfit(m, peer, cidr, prefix_text(cidr, text));

	if (why) {
		complain(p, peer->name, text, why);
		return;
	}
	if (dev) {
		map_put(&m->taken, text, p);
		vec_push(&p->routes,
			 (struct netstate_route){
			     .table = RT_TABLE_MAIN, .dst = *cidr, .via = *hop, .dev = dev });
		return;
	}
	if (in->mode == PODNET_ROUTES) {
		complain(p, peer->name, text,
			 "it shares no link with this node, and the pod network is \"routes\"");
		return;
	}
	end = in->self->addresses.n ? first_of_family(peer, in->self->addresses.v[0].len) : NULL;
	if (!end) {
		complain(p, peer->name, text, "it has no InternalIP of this node's family");
		return;
	}
	map_put(&m->taken, text, p);
	add_tunnelled(p, cidr, end, m->device);
}

/* --- the tunnel's device --- */

static void make_device(const struct podnet_input *in, int device, struct podnet *p)
{
	const struct addr *local = &in->self->addresses.v[0];
	const struct netstate_link *under = netstate_own_link(in->links, in->addresses, local);
	uint32_t overhead = local->len == 4 ? PODNET_OVERHEAD_IPV4 : PODNET_OVERHEAD_IPV6;

	p->device.local = *local;
	podnet_mac(local, p->device.mac);
	if (under) {
		p->device.under = under->index;
		p->device.mtu = under->mtu > overhead ? under->mtu - overhead : 0;
	}
	for (size_t i = 0; device && i < in->self->pod_cidrs.n; i++) {
		const struct addr *first = &in->self->pod_cidrs.v[i].addr;

		vec_push(&p->addresses, (struct netstate_address){ .dev = device,
								   .addr = *first,
								   .bits = 8 * first->len });
	}
}

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct podnet_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* In the order of names: of two peers with one range it is always the same that has it. */
static void add_peers(struct making *m)
{
	VEC(const struct podnet_node *) peers = { 0 };

	for (size_t i = 0; i < m->in->n_nodes; i++) {
		const struct podnet_node *n = m->in->nodes[i];

		for (size_t k = 0; k < n->addresses.n; k++)
			vec_push(&m->nodes, n->addresses.v[k]);
		if (!str_eq(n->name, m->in->self->name))
			vec_push(&peers, n);
	}
	vec_sort(&m->nodes, by_addr);
	vec_sort(&peers, by_name);
	for (size_t i = 0; i < peers.n; i++) {
		for (size_t k = 0; k < peers.v[i]->pod_cidrs.n; k++)
			add_range(m, peers.v[i], &peers.v[i]->pod_cidrs.v[k]);
	}
	vec_fini(&peers);
}

void podnet_make(const struct podnet_input *in, int device_index, struct podnet *ret)
{
	struct podnet p = { 0 };
	struct making m = { .in = in, .device = device_index, .p = &p };

	if (in->mode != PODNET_NONE)
		add_peers(&m);
	if (p.device.wanted)
		make_device(in, device_index, &p);
	/* two peers may stand behind one Ethernet address only if they are one */
	vec_sort_unique(&p.routes, netstate_route_cmp);
	vec_sort_unique(&p.neighbours, netstate_neighbour_cmp);
	vec_sort_unique(&p.addresses, netstate_address_cmp);
	vec_fini(&m.nodes);
	map_fini(&m.taken);
	*ret = p;
}

void podnet_fini(struct podnet *p)
{
	vec_fini(&p->routes);
	vec_fini(&p->neighbours);
	vec_fini(&p->addresses);
	strv_free(p->unreachable);
	p->unreachable = NULL;
}

/* --- CNI --- */

static struct json_object *ranges(const struct podnet_node *self)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < self->pod_cidrs.n; i++) {
		struct json_object *one = json_object_new_object(), *set = json_object_new_array();
		char text[PREFIX_TEXT];

		json_object_object_add(
		    one, "subnet",
		    json_object_new_string(prefix_text(&self->pod_cidrs.v[i], text)));
		json_object_array_add(set, one);
		json_object_array_add(list, set);
	}
	return list;
}

static struct json_object *default_routes(const struct podnet_node *self)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < self->pod_cidrs.n; i++) {
		struct json_object *one = json_object_new_object();
		bool v4 = self->pod_cidrs.v[i].addr.len == 4;

		json_object_object_add(one, "dst",
				       json_object_new_string(v4 ? "0.0.0.0/0" : "::/0"));
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *ptp(const struct podnet_node *self, uint32_t mtu)
{
	struct json_object *plugin = json_object_new_object(), *ipam = json_object_new_object();

	json_object_object_add(ipam, "type", json_object_new_string("host-local"));
	json_object_object_add(ipam, "ranges", ranges(self));
	json_object_object_add(ipam, "routes", default_routes(self));
	json_object_object_add(plugin, "type", json_object_new_string("ptp"));
	json_object_object_add(plugin, "ipMasq", json_object_new_boolean(false));
	if (mtu)
		json_object_object_add(plugin, "mtu", json_object_new_int64(mtu));
	json_object_object_add(plugin, "ipam", ipam);
	return plugin;
}

static struct json_object *portmap(void)
{
	struct json_object *plugin = json_object_new_object(), *can = json_object_new_object();

	json_object_object_add(can, "portMappings", json_object_new_boolean(true));
	json_object_object_add(plugin, "type", json_object_new_string("portmap"));
	json_object_object_add(plugin, "capabilities", can);
	return plugin;
}

char *podnet_cni(const struct podnet_node *self, uint32_t mtu)
{
	AUTO_JSON struct json_object *top = json_object_new_object();
	struct json_object *plugins = json_object_new_array();

	json_object_object_add(top, "cniVersion", json_object_new_string("1.0.0"));
	json_object_object_add(top, "name", json_object_new_string("keelson"));
	json_object_array_add(plugins, ptp(self, mtu));
	json_object_array_add(plugins, portmap());
	json_object_object_add(top, "plugins", plugins);
	return json_text(top);
}
