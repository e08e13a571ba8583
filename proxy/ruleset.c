/* The elements of one service port (contract in ruleset.h). Pure.
 *
 * Invariant: every slot below the class's size is filled, and every endpoint of a list with
 * affinity has one sticky value. A client whose value is nobody's any more chooses anew.
 */
#include "ruleset.h"

#include <arpa/inet.h>
#include <string.h>

#include "peermarks.h"

enum { NOWHERE = UINT16_MAX };

static void put(uint8_t **at, const void *bytes, size_t n)
{
	memcpy(*at, bytes, n);
	*at += n < 4 ? 4 : n;
}

static void put_port(uint8_t **at, uint16_t port)
{
	uint16_t net = htons(port);

	put(at, &net, sizeof(net));
}

void ruleset_addr(enum nftset set, const struct addr *a, nftelems *out)
{
	struct nftelem e = { .set = set };
	uint8_t *at = e.key;

	put(&at, a->b, a->len);
	if (set == NFTSET_HAIRPIN)
		put(&at, a->b, a->len);
	vec_push(out, e);
}

struct nftelem ruleset_front_key(const struct svcmodel *m, const struct svcfront *front,
				 bool outside)
{
	struct nftelem e = { 0 };
	uint8_t *at = e.key;

	if (front->kind == SVC_NODE_PORT) {
		e.set = outside ? NFTSET_NODE_PORTS_EXTERNAL : NFTSET_NODE_PORTS;
	} else {
		e.set = outside ? NFTSET_EXTERNAL : NFTSET_SERVICES;
		put(&at, front->addr.b, front->addr.len);
	}
	put(&at, &m->proto, 1);
	put_port(&at, front->port);
	return e;
}

static uint32_t target_value(const struct svcmodel *m, const struct svcfront *front,
			     enum svc_target target, const uint32_t ids[SVC_POLICIES])
{
	enum svc_policy policy = target == SVC_TO_LOCAL ? SVC_LOCAL : SVC_CLUSTER;
	unsigned flags = front->firewall ? FRONT_FIREWALL : 0;
	uint32_t id = ids[policy];

	if (target == SVC_REJECT || target == SVC_DROP) {
		/* the firewall looks its ranges up by an id: any of the port's */
		id = ids[SVC_CLUSTER] ? ids[SVC_CLUSTER] : ids[SVC_LOCAL];
		flags |= target == SVC_REJECT ? FRONT_CLASS_REJECT : FRONT_CLASS_DROP;
		return front_value(front->firewall ? id : 0, flags);
	}
	flags |= front_class_of(m->count[policy]);
	if (m->affinity_sec)
		flags |= FRONT_AFFINITY;
	if (front->masquerade && policy == SVC_CLUSTER)
		flags |= FRONT_MASQUERADE;
	return front_value(id, flags);
}

static void add_fronts(const struct svcmodel *m, const uint32_t ids[SVC_POLICIES], nftelems *out)
{
	for (size_t i = 0; i < m->fronts.n; i++) {
		const struct svcfront *front = &m->fronts.v[i];
		struct nftelem e = ruleset_front_key(m, front, false);
		uint32_t value = target_value(m, front, front->inside, ids);

		memcpy(e.data, &value, sizeof(value));
		vec_push(out, e);
		if (front->kind == SVC_CLUSTER_IP)
			ruleset_addr(NFTSET_CLUSTER_IPS, &front->addr, out);
		if (front->outside == front->inside)
			continue;
		e = ruleset_front_key(m, front, true);
		value = target_value(m, front, front->outside, ids);
		memcpy(e.data, &value, sizeof(value));
		vec_push(out, e);
	}
}

/* What stands before it in the key, then the range. */
static void add_range(struct nftelem *e, uint8_t *at, const struct prefix *range, nftelems *out)
{
	struct addr last = prefix_last(range);

	put(&at, range->addr.b, range->addr.len);
	memcpy(e->data, last.b, last.len);
	vec_push(out, *e);
}

/* In an interval set, numbers are in network order. */
static void add_numbered_range(enum nftset set, uint32_t number, const struct prefix *range,
			       nftelems *out)
{
	struct nftelem e = { .set = set };
	uint8_t *at = e.key;

	number = htonl(number);
	put(&at, &number, sizeof(number));
	add_range(&e, at, range, out);
}

static void add_direct(const struct peers_direct *d, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_DIRECT };
	uint32_t dev = htonl((uint32_t)d->dev);
	uint8_t *at = e.key;

	put(&at, &dev, sizeof(dev));
	memcpy(at, d->mac, sizeof(d->mac));
	at += nft_type_len(NFT_TYPE_ETHER, DATAPLANE_IPV4);
	add_range(&e, at, &d->from, out);
}

static void add_way(uint32_t mark, int dev, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_WAYS };
	uint32_t number = (uint32_t)dev;
	uint8_t *at = e.key;

	put(&at, &mark, sizeof(mark));
	put(&at, &number, sizeof(number));
	vec_push(out, e);
}

static void add_home(const struct peers_home *h, uint8_t home_bits, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_HOME };
	uint8_t *at = e.key + nft_type_len(NFT_TYPE_ETHER, DATAPLANE_IPV4);

	memcpy(e.key, h->mac, sizeof(h->mac));
	memcpy(at, h->from.addr.b, h->from.addr.len);
	if (h->from.bits == 8 * h->from.addr.len)
		e.set = NFTSET_HOME_HOSTS;
	else if (home_bits && h->from.bits == home_bits)
		e.set = NFTSET_HOME_PODS;
	if (e.set != NFTSET_HOME)
		vec_push(out, e);
	e.set = NFTSET_HOME;
	add_range(&e, at, &h->from, out);
}

static void add_pair(const struct peers_pair *pair, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_SAME_NODE };
	struct addr from_last = prefix_last(&pair->from), to_last = prefix_last(&pair->to);
	uint8_t *at = e.key, *end = e.data;

	put(&at, pair->from.addr.b, pair->from.addr.len);
	put(&at, pair->to.addr.b, pair->to.addr.len);
	put(&end, from_last.b, from_last.len);
	put(&end, to_last.b, to_last.len);
	vec_push(out, e);
}

void ruleset_peers(const struct peers *p, enum dataplane_family f, uint8_t home_bits, nftelems *out)
{
	size_t len = nft_addr_len(f);

	for (size_t i = 0; i < p->senders.n; i++) {
		const struct peers_sender *s = &p->senders.v[i];
		struct nftelem e = { .set = NFTSET_SENDERS };
		uint32_t dev = (uint32_t)s->dev;
		uint8_t *at = e.key;

		put(&at, &dev, sizeof(dev));
		put(&at, s->mac, sizeof(s->mac));
		memcpy(e.data, &s->mark, sizeof(s->mark));
		vec_push(out, e);
	}
	for (unsigned i = 0; p->mask && i < PEERS_SLOTS; i++) {
		if (p->slot[i].dev)
			add_way(peermarks_slot_bits(p->mask, i + 1), p->slot[i].dev, out);
	}
	for (size_t i = 0; i < p->direct.n; i++) {
		const struct peers_direct *d = &p->direct.v[i];

		if (d->from.addr.len == len)
			add_direct(d, out);
	}
	for (size_t i = 0; i < p->home.n; i++) {
		if (p->home.v[i].from.addr.len == len)
			add_home(&p->home.v[i], home_bits, out);
	}
	for (size_t i = 0; i < p->symmetric.n; i++) {
		const struct peers_target *t = &p->symmetric.v[i];

		if (t->to.addr.len == len)
			add_numbered_range(NFTSET_SYMMETRIC, (uint32_t)t->dev, &t->to, out);
	}
	for (size_t i = 0; i < p->same_node.n; i++) {
		const struct peers_pair *pair = &p->same_node.v[i];

		if (pair->to.addr.len == len)
			add_pair(pair, out);
	}
}

/* Sorted: the same ones are the same rules. */
static void add_link(struct skel_zones *z, const struct nftref *sender)
{
	uint32_t dev;
	size_t i;

	memcpy(&dev, sender->key, sizeof(dev));
	for (i = 0; i < z->n_links && i < SKEL_LINKS; i++) {
		if (z->link[i] == dev)
			return;
	}
	if (z->n_links++ >= SKEL_LINKS) {
		z->n_links = SKEL_LINKS + 1;
		return;
	}
	for (; i > 0 && z->link[i - 1] > dev; i--)
		z->link[i] = z->link[i - 1];
	z->link[i] = dev;
}

/* There is a rule of its own. */
static bool is_link_local(const struct nftref *home, enum dataplane_family f)
{
	struct addr a = { .len = (uint8_t)nft_addr_len(f) };

	memcpy(a.b, home->key + nft_type_len(NFT_TYPE_ETHER, f), a.len);
	return f == DATAPLANE_IPV6 && addr_is_link_local(&a);
}

void ruleset_zones(const struct nftlist *list, enum dataplane_family f, struct skel_zones *ret)
{
	size_t ranges = 0, shortcuts = 0;
	struct nftref e;

	for (size_t at = 0; nftlist_next(list, f, &at, &e);) {
		if (e.set == NFTSET_SENDERS || e.set == NFTSET_FORMER_SENDERS)
			add_link(ret, &e);
		ret->formers |= e.set == NFTSET_FORMER_SENDERS;
		if (e.set < NFTSET_HOME || e.set > NFTSET_HOME_HOSTS || is_link_local(&e, f))
			continue;
		ranges += e.set == NFTSET_HOME;
		shortcuts += e.set != NFTSET_HOME;
	}
	ret->home_ranges = ranges > shortcuts;
}

static void add_ranges(const struct svcmodel *m, const uint32_t ids[SVC_POLICIES], nftelems *out)
{
	for (unsigned policy = 0; policy < SVC_POLICIES; policy++) {
		for (size_t i = 0; ids[policy] && i < m->source_ranges.n; i++)
			add_numbered_range(NFTSET_SOURCE_RANGES, front_value(ids[policy], 0),
					   &m->source_ranges.v[i], out);
	}
}

/* Endpoint lists */

struct pool {
	const struct svcmodel *m;
	uint32_t id;
	uint16_t *member; /* indexes into m->endpoints, n of them, sorted by address */
	size_t n;
	const struct nftlist *have;
	uint16_t *at;  /* slot or sticky value → number of a member, NOWHERE */
	uint16_t *was; /* the same as the kernel has it, members with two places included */
	bool *placed;  /* of each member */
};

static const struct endpoint *member(const struct pool *p, size_t i)
{
	return &p->m->endpoints[p->member[i]];
}

static void endpoint_data(const struct pool *p, size_t i, uint8_t *data)
{
	put(&data, member(p, i)->addr, nft_addr_len(p->m->family));
	put_port(&data, member(p, i)->port);
}

/* The member with that address and port, or NOWHERE. */
static uint16_t find_member(const struct pool *p, const uint8_t *data)
{
	size_t len = nft_addr_len(p->m->family), low = 0, high = p->n;
	uint16_t port;

	memcpy(&port, data + len, sizeof(port));
	port = ntohs(port);
	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = memcmp(member(p, mid)->addr, data, len);

		if (!r)
			r = (member(p, mid)->port > port) - (member(p, mid)->port < port);
		if (!r)
			return (uint16_t)mid;
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NOWHERE;
}

static void pool_init(struct pool *p, const struct svcmodel *m, enum svc_policy policy, uint32_t id,
		      const struct nftlist *have)
{
	size_t size;

	*p = (struct pool){ .m = m, .id = id, .have = have };
	p->member = mem_calloc(m->count[policy], sizeof(*p->member));
	for (size_t i = 0; i < m->n_endpoints; i++) {
		if (svcmodel_in(&m->endpoints[i], policy))
			p->member[p->n++] = (uint16_t)i;
	}
	p->placed = mem_calloc(p->n, sizeof(*p->placed));
	size = m->affinity_sec ? FRONT_ENDPOINTS_MAX + 1 : p->n + 1;
	p->at = mem_calloc(2 * size, sizeof(*p->at));
	memset(p->at, 0xff, 2 * size * sizeof(*p->at));
	p->was = p->at + size;
}

static void pool_fini(struct pool *p)
{
	free(p->member);
	free(p->placed);
	free(p->at);
}

/* The next element of that set and this list. */
static bool next_held(const struct pool *p, enum nftset set, size_t *at, struct nftref *ret)
{
	uint32_t id;

	while (p->have && nftlist_next(p->have, p->m->family, at, ret)) {
		memcpy(&id, ret->key, sizeof(id));
		if (ret->set == set && id >> FRONT_ID_SHIFT == p->id)
			return true;
	}
	return false;
}

static void claim_place(struct pool *p, uint32_t place)
{
	uint16_t who = p->was[place];

	if (who == NOWHERE || p->placed[who])
		return;
	p->placed[who] = true;
	p->at[place] = who;
}

/* Who sits where in the kernel. */
static void recall_slots(struct pool *p)
{
	struct nftref e;

	for (size_t at = 0; next_held(p, NFTSET_ENDPOINTS, &at, &e);) {
		uint32_t slot;

		memcpy(&slot, e.key + 4, sizeof(slot));
		if (slot >= p->n)
			continue;
		p->was[slot] = find_member(p, e.data);
		claim_place(p, slot);
	}
}

/* Of several values one is the endpoint's: the others wait for their removal. */
static void recall_sticky(struct pool *p)
{
	struct nftref e;
	uint32_t value;

	for (size_t at = 0; next_held(p, NFTSET_STICKY, &at, &e);) {
		memcpy(&value, e.key, sizeof(value));
		value &= FRONT_STICKY_MASK;
		if (value < FRONT_ENDPOINTS_MAX)
			p->was[value] = find_member(p, e.data);
	}
	for (size_t at = 0; next_held(p, NFTSET_STICKY_VALUES, &at, &e);) {
		memcpy(&value, e.key, sizeof(value));
		value &= FRONT_STICKY_MASK;
		if (value < FRONT_ENDPOINTS_MAX)
			claim_place(p, value);
	}
}

/* Those without a place take the lowest free ones. */
static void settle(struct pool *p)
{
	size_t place = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->placed[i])
			continue;
		while (p->at[place] != NOWHERE)
			place++;
		p->at[place] = (uint16_t)i;
	}
}

static struct nftelem slot_elem(enum nftset set, uint32_t id, uint32_t slot)
{
	struct nftelem e = { .set = set };
	uint32_t value = front_value(id, 0);
	uint8_t *at = e.key;

	put(&at, &value, sizeof(value));
	put(&at, &slot, sizeof(slot));
	return e;
}

static void add_plain_list(struct pool *p, nftelems *out)
{
	size_t slots = front_class_slots(front_class_of(p->n));

	recall_slots(p);
	settle(p);
	for (size_t slot = 0; slot < slots; slot++) {
		struct nftelem e = slot_elem(NFTSET_ENDPOINTS, p->id, (uint32_t)slot);

		endpoint_data(p, p->at[slot % p->n], e.data);
		vec_push(out, e);
	}
}

static void add_sticky_value(const struct pool *p, unsigned place, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_STICKY };
	uint32_t value = front_value(p->id, place);

	memcpy(e.key, &value, sizeof(value));
	endpoint_data(p, p->at[place], e.data);
	vec_push(out, e);
	e.set = NFTSET_STICKY_VALUES;
	memset(e.data, 0, sizeof(e.data));
	vec_push(out, e);
}

static void add_sticky_front(const struct pool *p, nftelems *out)
{
	struct nftelem e = { .set = NFTSET_STICKY_LISTS };
	uint32_t list = front_value(p->id, 0), value = front_value(p->id, front_class_of(p->n));

	memcpy(e.key, &list, sizeof(list));
	memcpy(e.data, &value, sizeof(value));
	vec_push(out, e);
}

static void add_sticky_list(struct pool *p, nftelems *out)
{
	size_t slots = front_class_slots(front_class_of(p->n)), owner = 0;

	recall_sticky(p);
	settle(p);
	add_sticky_front(p, out);
	for (size_t place = 0; place < FRONT_ENDPOINTS_MAX; place++) {
		if (p->at[place] != NOWHERE)
			add_sticky_value(p, (unsigned)place, out);
	}
	for (size_t slot = 0; slot < slots; slot++) {
		struct nftelem e = slot_elem(NFTSET_SLOTS, p->id, (uint32_t)slot);
		uint32_t value;

		if (slot % p->n == 0)
			owner = 0;
		while (p->at[owner] == NOWHERE)
			owner++;
		value = front_value(p->id, (unsigned)owner++);
		memcpy(e.data, &value, sizeof(value));
		vec_push(out, e);
	}
}

void ruleset_list(const struct svcmodel *m, enum svc_policy policy, uint32_t id,
		  const struct nftlist *have, nftelems *out)
{
	struct pool p;

	if (!id)
		return;
	pool_init(&p, m, policy, id, have);
	if (p.n && m->affinity_sec)
		add_sticky_list(&p, out);
	else if (p.n)
		add_plain_list(&p, out);
	pool_fini(&p);
}

void ruleset_port(const struct svcmodel *m, const uint32_t ids[SVC_POLICIES], nftelems *out)
{
	add_fronts(m, ids, out);
	add_ranges(m, ids, out);
	for (size_t i = 0; i < m->n_endpoints; i++) {
		const struct endpoint *e = &m->endpoints[i];
		struct addr a = { .len = (uint8_t)nft_addr_len(m->family) };

		if (!(e->flags & ENDPOINT_LOCAL) || !(e->cluster || e->local))
			continue;
		memcpy(a.b, e->addr, a.len);
		ruleset_addr(NFTSET_LOCAL, &a, out);
		ruleset_addr(NFTSET_HAIRPIN, &a, out);
	}
}
