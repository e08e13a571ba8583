/* Nodes that send replies back the way they came (contract in peers.h). Pure. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "nodeinfo.h"

/* A node with more addresses is no ordinary node. */
enum { OTHERS_MAX = 64 };

/* --- what a Node says --- */

static void read_link(struct peers_node *n, const char *address, struct json_object *mac)
{
	struct peers_link l;

	if (json_object_is_type(mac, json_type_string) && addr_parse(address, &l.addr, NULL) == 0 &&
	    mac_parse(json_object_get_string(mac), l.mac, NULL) == 0)
		vec_push(&n->links, l);
}

static void read_others(struct peers_node *n, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count && n->others.n < OTHERS_MAX; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct addr a;

		if (json_object_is_type(o, json_type_string) &&
		    addr_parse(json_object_get_string(o), &a, NULL) == 0)
			vec_push(&n->others, a);
	}
}

/* {"bootID": …, "links": {"192.0.2.1": "02:…"}, "others": ["198.51.100.1"]}: anything else is a
 * node that says nothing. */
static void read_record(struct peers_node *n, const char *text)
{
	AUTO_JSON struct json_object *record = NULL;
	struct json_object *links;

	if (json_parse(text, strlen(text), &record, NULL) < 0)
		return;
	links = json_member(record, "links", json_type_object);
	if (!links || str_empty(n->boot_id) || !str_eq(json_string(record, "bootID"), n->boot_id))
		return;
	n->returns = true;
	json_object_object_foreach(links, address, mac) read_link(n, address, mac);
	read_others(n, json_member(record, "others", json_type_array));
}

struct peers_node *peers_node_read(const Core__Node *node)
{
	struct peers_node *n = NEW(struct peers_node);
	const Core__NodeStatus *status = node->status;

	n->name = mem_strdup(node->metadata->name);
	if (status && status->nodeinfo)
		n->boot_id = mem_strdup(status->nodeinfo->bootid);
	nodeinfo_read_addresses(node, NULL, &n->addresses, NULL);
	nodeinfo_read_pod_cidrs(node, &n->pod_cidrs, NULL);
	for (size_t i = 0; i < node->metadata->n_annotations; i++) {
		if (str_eq(node->metadata->annotations[i]->key, PEERS_ANNOTATION))
			read_record(n, str_or(node->metadata->annotations[i]->value, ""));
	}
	return n;
}

void peers_node_free(struct peers_node *n)
{
	if (!n)
		return;
	free(n->name);
	free(n->boot_id);
	vec_fini(&n->addresses);
	vec_fini(&n->pod_cidrs);
	vec_fini(&n->links);
	vec_fini(&n->others);
	free(n);
}

static bool same_link(const struct peers_link *a, const struct peers_link *b)
{
	return !addr_cmp(&a->addr, &b->addr) && !memcmp(a->mac, b->mac, MAC_BYTES);
}

static bool same_links(const struct peers_node *a, const struct peers_node *b)
{
	bool same = a->links.n == b->links.n;

	for (size_t i = 0; same && i < a->links.n; i++)
		same = same_link(&a->links.v[i], &b->links.v[i]);
	return same;
}

bool peers_node_equal(const struct peers_node *a, const struct peers_node *b)
{
	return str_eq(a->name, b->name) && str_eq(a->boot_id, b->boot_id) &&
	       a->returns == b->returns && same_links(a, b) &&
	       addr_list_equal(&a->addresses, &b->addresses) &&
	       prefix_list_equal(&a->pod_cidrs, &b->pod_cidrs) &&
	       addr_list_equal(&a->others, &b->others);
}

bool peers_has_said(const struct peers_node *n, const char *record)
{
	struct peers_node *said = NEW(struct peers_node);
	bool same;

	said->boot_id = mem_strdup(n->boot_id);
	read_record(said, record);
	same = n->returns && said->returns && same_links(n, said);
	peers_node_free(said);
	return same;
}

/* --- this node's links --- */

static bool has_mac(const struct netstate_link *l)
{
	static const uint8_t none[MAC_BYTES];

	return !(l->flags & (IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP)) &&
	       memcmp(l->mac, none, MAC_BYTES) != 0;
}

static bool node_has(const struct peers_node *n, const struct addr *a)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		if (!addr_cmp(&n->addresses.v[i], a))
			return true;
	}
	return false;
}

static bool is_self(const struct peers_input *in, const struct peers_node *n)
{
	return str_eq(in->self, n->name);
}

/* What is looked for again and again: there may be thousands of nodes. */
struct view {
	const struct peers_input *in;
	const struct peers_node *own; /* NULL: it is not there */
	netstate_neighbours ends;     /* of tunnels, by address */
};

static int by_end(const void *a, const void *b)
{
	const struct netstate_neighbour *x = a, *y = b;

	return addr_cmp(&x->addr, &y->addr);
}

static void view_init(struct view *v, const struct peers_input *in)
{
	*v = (struct view){ .in = in };
	for (size_t i = 0; i < in->n_nodes; i++) {
		if (is_self(in, in->nodes[i]))
			v->own = in->nodes[i];
	}
	for (size_t i = 0; i < in->tunnels->n; i++)
		vec_push(&v->ends, in->tunnels->v[i]);
	vec_sort(&v->ends, by_end);
}

static void view_fini(struct view *v)
{
	vec_fini(&v->ends);
}

/* The first of the tunnel ends with that address; NULL: there is none. */
static const struct netstate_neighbour *ends_at(const struct view *v, const struct addr *a,
						size_t *ret_n)
{
	size_t low = 0, high = v->ends.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_cmp(&v->ends.v[middle].addr, a) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_n = 0;
	while (low + *ret_n < v->ends.n && !addr_cmp(&v->ends.v[low + *ret_n].addr, a))
		++*ret_n;
	return *ret_n ? &v->ends.v[low] : NULL;
}

static int by_destination(const void *to, const void *route)
{
	return addr_cmp(to, &((const struct peers_route *)route)->to);
}

static const struct peers_route *route_to(const struct view *v, const struct addr *a)
{
	return v->in->n_routes ? bsearch(a, v->in->routes, v->in->n_routes, sizeof(*v->in->routes),
					 by_destination)
			       : NULL;
}

/* Sorted, the wider stands before what it holds; that goes. */
#define SORT_DISJOINT(list, cmp, holds) \
	do { \
		vec_sort(list, cmp); \
		vec_keep_after(list, last, each, !last || !holds(last, each)); \
	} while (0)

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

void peers_targets(const struct peers_input *in, addr_list *out)
{
	for (size_t i = 0; i < in->n_nodes; i++) {
		const struct peers_node *n = in->nodes[i];

		if (is_self(in, n))
			continue;
		for (size_t k = 0; k < n->pod_cidrs.n; k++)
			vec_push(out, n->pod_cidrs.v[k].addr);
		for (size_t k = 0; k < n->addresses.n; k++)
			vec_push(out, n->addresses.v[k]);
	}
	vec_sort_unique(out, by_addr);
}

/* --- who sends what --- */

static void add_sender(struct peers *p, int dev, const uint8_t *mac, const struct peers_node *n)
{
	struct peers_sender s = { .dev = dev, .node = n->name };

	memcpy(s.mac, mac, MAC_BYTES);
	vec_push(&p->senders, s);
}

/* Only where the answer leaves by the device that the packets come in by. */
static void add_direct(const struct view *v, struct peers *p, int dev, const uint8_t *mac,
		       const struct prefix *from)
{
	const struct peers_route *r = route_to(v, &from->addr);
	struct peers_direct d = { .dev = dev, .from = *from };

	if (!r || r->dev != dev)
		return;
	memcpy(d.mac, mac, MAC_BYTES);
	vec_push(&p->direct, d);
}

static struct prefix host_prefix(const struct addr *a)
{
	return prefix_of(a, (uint8_t)(8 * a->len));
}

static void add_home(struct peers *p, const uint8_t *mac, const struct prefix *from)
{
	struct peers_home h = { .from = *from };

	memcpy(h.mac, mac, MAC_BYTES);
	vec_push(&p->home, h);
}

/* No route is asked for: one that is away for a moment must not make a difference. */
static void add_homes(struct peers *p, const uint8_t *mac, const struct peers_node *n)
{
	/* of a link nobody passes them on */
	static const struct prefix link_local = { .addr = { .len = 16, .b = { 0xfe, 0x80 } },
						  .bits = 10 };

	add_home(p, mac, &link_local);
	for (size_t i = 0; i < n->pod_cidrs.n; i++)
		add_home(p, mac, &n->pod_cidrs.v[i]);
	for (size_t i = 0; i < n->addresses.n + n->others.n; i++) {
		struct prefix host = host_prefix(
		    i < n->addresses.n ? &n->addresses.v[i] : &n->others.v[i - n->addresses.n]);

		add_home(p, mac, &host);
	}
}

/* The node's own packets and its pods' are answered over the same way without our help. */
static void add_identity(const struct view *v, struct peers *p, int dev, const uint8_t *mac,
			 const struct peers_node *n)
{
	add_sender(p, dev, mac, n);
	add_homes(p, mac, n);
	for (size_t i = 0; i < n->pod_cidrs.n; i++)
		add_direct(v, p, dev, mac, &n->pod_cidrs.v[i]);
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct prefix host = host_prefix(&n->addresses.v[i]);

		add_direct(v, p, dev, mac, &host);
	}
}

static void add_senders(const struct view *v, const struct peers_node *n, struct peers *p)
{
	for (size_t i = 0; i < n->links.n; i++) {
		const struct peers_route *r = route_to(v, &n->links.v[i].addr);
		const struct netstate_link *l = r ? netstate_link_at(v->in->links, r->dev) : NULL;

		if (l && !r->via.len && has_mac(l) && node_has(n, &n->links.v[i].addr))
			add_identity(v, p, r->dev, n->links.v[i].mac, n);
	}
	for (size_t i = 0; i < n->addresses.n; i++) {
		size_t count;
		const struct netstate_neighbour *t = ends_at(v, &n->addresses.v[i], &count);

		for (size_t k = 0; k < count; k++) {
			if (t[k].fdb)
				add_identity(v, p, t[k].dev, t[k].mac, n);
		}
	}
}

/* --- who needs no masquerade --- */

static bool tunnel_leads_to(const struct view *v, int dev, const struct peers_node *n)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		size_t count;
		const struct netstate_neighbour *t = ends_at(v, &n->addresses.v[i], &count);

		for (size_t k = 0; k < count; k++) {
			if (t[k].dev == dev)
				return true;
		}
	}
	return false;
}

/* Whether others know our Ethernet address there: peers_record tells it. */
static bool is_published(const struct view *v, const struct netstate_link *l)
{
	for (size_t i = 0; v->own && i < v->own->addresses.n; i++) {
		if (netstate_own_link(v->in->links, v->in->addresses, &v->own->addresses.v[i]) == l)
			return true;
	}
	return false;
}

static bool is_tunnel(const struct netstate_link *l)
{
	return str_eq(l->kind, "vxlan");
}

/* NULL when our Ethernet address could get there, else why not. */
static const char *obstacle(const struct view *v, const struct peers_node *n, const struct addr *to)
{
	const struct peers_route *r = route_to(v, to);
	const struct netstate_link *l = r ? netstate_link_at(v->in->links, r->dev) : NULL;

	if (!n->returns)
		return "it does not say that it returns replies the way they came";
	if (!l)
		return "there is no route to it";
	if (is_tunnel(l))
		return tunnel_leads_to(v, l->index, n) ? NULL : "its tunnel end is not known";
	if (!has_mac(l))
		return "it is reached over a device without Ethernet addresses";
	if (r->via.len ? !node_has(n, &r->via) : !node_has(n, to))
		return "it is reached through a router";
	if (!is_published(v, l))
		return "it is reached over a device without an address of this Node";
	return NULL;
}

/* The hop by which an address is reached over a plain link; NULL: there is none to be proven. */
static const struct addr *plain_hop(const struct view *v, const struct peers_node *n,
				    const struct addr *to)
{
	const struct peers_route *r = route_to(v, to);

	if (obstacle(v, n, to) || is_tunnel(netstate_link_at(v->in->links, r->dev)))
		return NULL;
	return r->via.len ? &r->via : &r->to;
}

static void add_hop(const struct view *v, const struct peers_node *n, const struct addr *to,
		    addr_list *out)
{
	const struct addr *hop = plain_hop(v, n, to);

	if (hop)
		vec_push(out, *hop);
}

void peers_hops(const struct peers_input *in, addr_list *out)
{
	struct view v;

	view_init(&v, in);
	for (size_t i = 0; i < in->n_nodes; i++) {
		const struct peers_node *n = in->nodes[i];

		if (is_self(in, n))
			continue;
		for (size_t k = 0; k < n->pod_cidrs.n; k++)
			add_hop(&v, n, &n->pod_cidrs.v[k].addr, out);
		for (size_t k = 0; k < n->addresses.n; k++)
			add_hop(&v, n, &n->addresses.v[k], out);
	}
	vec_sort_unique(out, by_addr);
	view_fini(&v);
}

static const char *doubt(const struct view *v, const struct peers_node *n, const struct addr *to)
{
	static const char *const doubts[] = {
		[PEERS_UNPROVEN] = "it has not answered yet to a source that is no node",
		[PEERS_REFUTED] = "it does not answer to a source that is no node"
	};

	return plain_hop(v, n, to) ? doubts[route_to(v, to)->proof] : NULL;
}

static void add_target(const struct view *v, const struct peers_node *n, const struct prefix *to,
		       struct peers *p)
{
	const char *why = obstacle(v, n, &to->addr);
	char text[PREFIX_TEXT];
	AUTO_FREE char *said = NULL;

	if (!why)
		why = doubt(v, n, &to->addr);
	if (!why) {
		struct peers_target t = { .dev = route_to(v, &to->addr)->dev, .to = *to };

		vec_push(&p->symmetric, t);
		return;
	}
	said = str_fmt("node %s, %s: %s", n->name, prefix_text(to, text), why);
	strv_push(&p->incapable, said);
}

static void add_pair(const struct prefix *from, const struct prefix *to, struct peers *p)
{
	struct peers_pair pair = { .from = *from, .to = *to };

	if (from->addr.len == to->addr.len)
		vec_push(&p->same_node, pair);
}

static void add_pairs(const struct peers_node *n, const struct prefix *to, struct peers *p)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct prefix host = host_prefix(&n->addresses.v[i]);

		add_pair(&host, to, p);
	}
	for (size_t i = 0; i < n->others.n; i++) {
		struct prefix host = host_prefix(&n->others.v[i]);

		add_pair(&host, to, p);
	}
	for (size_t i = 0; i < n->pod_cidrs.n; i++)
		add_pair(&n->pod_cidrs.v[i], to, p);
}

/* --- all of it --- */

static int sender_cmp(const void *a, const void *b)
{
	const struct peers_sender *x = a, *y = b;

	return x->dev != y->dev ? (x->dev < y->dev ? -1 : 1) : memcmp(x->mac, y->mac, MAC_BYTES);
}

static int same_cmp(int dev, const uint8_t *mac, int other_dev, const uint8_t *other_mac)
{
	const struct peers_sender a = { .dev = dev }, b = { .dev = other_dev };
	int r = sender_cmp(&a, &b);

	return r ? r : memcmp(mac, other_mac, MAC_BYTES);
}

static int direct_cmp(const void *a, const void *b)
{
	const struct peers_direct *x = a, *y = b;
	int r = same_cmp(x->dev, x->mac, y->dev, y->mac);

	return r ? r : prefix_cmp(&x->from, &y->from);
}

static int home_cmp(const void *a, const void *b)
{
	const struct peers_home *x = a, *y = b;
	int r = memcmp(x->mac, y->mac, MAC_BYTES);

	return r ? r : prefix_cmp(&x->from, &y->from);
}

static int target_cmp(const void *a, const void *b)
{
	const struct peers_target *x = a, *y = b;

	return x->dev != y->dev ? (x->dev < y->dev ? -1 : 1) : prefix_cmp(&x->to, &y->to);
}

static int pair_cmp(const void *a, const void *b)
{
	const struct peers_pair *x = a, *y = b;
	int r = prefix_cmp(&x->from, &y->from);

	return r ? r : prefix_cmp(&x->to, &y->to);
}

static int gone_cmp(const void *a, const void *b)
{
	const struct peermark *x = a, *y = b;

	return x->mark != y->mark ? (x->mark < y->mark ? -1 : 1)
				  : memcmp(x->mac, y->mac, MAC_BYTES);
}

static bool within(const struct prefix *outer, const struct prefix *inner)
{
	return outer->bits <= inner->bits && prefix_has(outer, &inner->addr);
}

static bool direct_within(const struct peers_direct *outer, const struct peers_direct *inner)
{
	return !same_cmp(outer->dev, outer->mac, inner->dev, inner->mac) &&
	       within(&outer->from, &inner->from);
}

static bool home_within(const struct peers_home *outer, const struct peers_home *inner)
{
	return !memcmp(outer->mac, inner->mac, MAC_BYTES) && within(&outer->from, &inner->from);
}

static bool target_within(const struct peers_target *outer, const struct peers_target *inner)
{
	return outer->dev == inner->dev && within(&outer->to, &inner->to);
}

/* Whose sources lie within somebody else's goes, whatever it leads to: ranges of two fields that
 * overlap in part would be refused. */
static bool pair_within(const struct peers_pair *outer, const struct peers_pair *inner)
{
	return prefix_cmp(&outer->from, &inner->from) ? within(&outer->from, &inner->from)
						      : within(&outer->to, &inner->to);
}

static void add_node(const struct view *v, const struct peers_node *n, struct peers *p)
{
	add_senders(v, n, p);
	for (size_t i = 0; i < n->pod_cidrs.n; i++) {
		add_target(v, n, &n->pod_cidrs.v[i], p);
		add_pairs(n, &n->pod_cidrs.v[i], p);
	}
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct prefix host = host_prefix(&n->addresses.v[i]);

		add_target(v, n, &host, p);
		add_pairs(n, &host, p);
	}
}

void peers_make(const struct peers_input *in, struct peers *ret)
{
	struct peers p = { 0 };
	struct view v;

	view_init(&v, in);
	for (size_t i = 0; i < in->n_nodes; i++) {
		if (!is_self(in, in->nodes[i]))
			add_node(&v, in->nodes[i], &p);
	}
	view_fini(&v);
	vec_sort_unique(&p.senders, sender_cmp);
	SORT_DISJOINT(&p.direct, direct_cmp, direct_within);
	SORT_DISJOINT(&p.home, home_cmp, home_within);
	SORT_DISJOINT(&p.symmetric, target_cmp, target_within);
	SORT_DISJOINT(&p.same_node, pair_cmp, pair_within);
	*ret = p;
}

#define COPY(from, to) \
	do { \
		for (size_t i = 0; i < (from)->n; i++) \
			vec_push(to, (from)->v[i]); \
	} while (0)

void peers_copy(const struct peers *from, struct peers *ret)
{
	struct peers p = { .mask = from->mask };

	memcpy(p.slot, from->slot, sizeof(p.slot));
	COPY(&from->senders, &p.senders);
	COPY(&from->gone, &p.gone);
	COPY(&from->direct, &p.direct);
	COPY(&from->home, &p.home);
	COPY(&from->symmetric, &p.symmetric);
	COPY(&from->same_node, &p.same_node);
	*ret = p;
}

uint8_t peers_home_bits(const struct peers *p, uint8_t addr_len)
{
	size_t n[8 * 16] = { 0 };
	uint8_t best = 0;

	for (size_t i = 0; i < p->home.n; i++) {
		const struct prefix *from = &p->home.v[i].from;

		/* each node has the range of link-local addresses, none has pods there */
		if (from->addr.len == addr_len && from->bits < 8 * addr_len &&
		    !(addr_len == 16 && addr_is_link_local(&from->addr)))
			n[from->bits]++;
	}
	for (uint8_t bits = 1; bits < 8 * addr_len; bits++) {
		if (n[bits] && n[bits] >= n[best])
			best = bits;
	}
	return best;
}

#define SAME(a, b, list, cmp) \
	same_list((a)->list.v, (a)->list.n, (b)->list.v, (b)->list.n, sizeof(*(a)->list.v), cmp)

static bool same_list(const void *a, size_t n_a, const void *b, size_t n_b, size_t size,
		      int (*cmp)(const void *, const void *))
{
	for (size_t i = 0; i < n_a && n_a == n_b; i++) {
		if (cmp((const char *)a + i * size, (const char *)b + i * size))
			return false;
	}
	return n_a == n_b;
}

/* Sorted alike, each sender has the same mark: then so have the others. */
bool peers_equal(const struct peers *a, const struct peers *b)
{
	bool same = a->mask == b->mask && !memcmp(a->slot, b->slot, sizeof(a->slot)) &&
		    SAME(a, b, senders, sender_cmp) && SAME(a, b, gone, gone_cmp) &&
		    SAME(a, b, direct, direct_cmp) && SAME(a, b, home, home_cmp) &&
		    SAME(a, b, symmetric, target_cmp) && SAME(a, b, same_node, pair_cmp);

	for (size_t i = 0; same && i < a->senders.n; i++)
		same = a->senders.v[i].mark == b->senders.v[i].mark;
	return same;
}

void peers_fini(struct peers *p)
{
	vec_fini(&p->senders);
	vec_fini(&p->gone);
	vec_fini(&p->direct);
	vec_fini(&p->home);
	vec_fini(&p->symmetric);
	vec_fini(&p->same_node);
	strv_free(p->incapable);
	*p = (struct peers){ 0 };
}

static bool is_told_already(const struct peers_node *self, const struct addr *a)
{
	bool told = node_has(self, a);

	for (size_t i = 0; i < self->pod_cidrs.n; i++)
		told |= prefix_has(&self->pod_cidrs.v[i], a);
	return told;
}

/* A socket may have any of them as its own. */
static struct json_object *other_addresses(const struct peers_node *self,
					   const netstate_addresses *addresses)
{
	struct json_object *list = json_object_new_array();
	addr_list v = { 0 };
	char text[ADDR_TEXT];

	for (size_t i = 0; i < addresses->n; i++) {
		const struct addr *a = &addresses->v[i].addr;

		if (!addr_is_loopback(a) && !addr_is_link_local(a) && !is_told_already(self, a))
			vec_push(&v, *a);
	}
	vec_sort_unique(&v, by_addr);
	for (size_t i = 0; i < v.n && i < OTHERS_MAX; i++)
		json_object_array_add(list, json_object_new_string(addr_text(&v.v[i], text)));
	vec_fini(&v);
	return list;
}

char *peers_record(const char *boot_id, const struct peers_node *self, const netstate_links *links,
		   const netstate_addresses *addresses)
{
	AUTO_JSON struct json_object *record = json_object_new_object();
	AUTO_JSON struct json_object *others = other_addresses(self, addresses);
	struct json_object *said = json_object_new_object();

	for (size_t i = 0; i < self->addresses.n; i++) {
		const struct netstate_link *l =
		    netstate_own_link(links, addresses, &self->addresses.v[i]);
		char address[ADDR_TEXT], mac[MAC_TEXT];

		if (l && has_mac(l) && !str_eq(l->kind, "vxlan"))
			json_object_object_add(said, addr_text(&self->addresses.v[i], address),
					       json_object_new_string(mac_text(l->mac, mac)));
	}
	json_object_object_add(record, "bootID", json_object_new_string(boot_id));
	json_object_object_add(record, "links", said);
	if (json_object_array_length(others))
		json_object_object_add(record, "others", json_object_get(others));
	return json_text(record);
}
