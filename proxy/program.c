/* One family's table: from services to transactions (contract in program.h). Effect. */
#include "program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conntrack.h"
#include "graves.h"
#include "ids.h"
#include "linger.h"
#include "ruleset.h"

/* How long what packets may still be led to stays. */
enum { GRAVE_USEC = 1000 * USEC_PER_MSEC };
/* A transaction of this size takes the kernel about a tenth of a second. */
enum { CHUNK_ELEMENTS = 20000 };

struct program {
	enum dataplane_family family;
	struct svcstore *store;
	struct nftio *io;
	program_warn_fn *warn;
	void *ctx;

	struct skeleton_settings settings;
	char *local_interface;
	struct program_node node;
	VEC(struct addr) node_port_ips;
	const struct peers *peers; /* may be NULL */

	VEC(struct svc *) dirty;
	bool trusted;       /* the kernel holds what we think */
	bool doubted;       /* somebody said otherwise, maybe while a sync was under way */
	bool seeded;        /* ids of an earlier life were taken over */
	bool programmed;    /* lists may hold what is not in this sync's plan */
	bool rules_changed; /* settings did */
	bool node_changed;  /* what node_list is made from */
	/* what the kernel's rules of zones were made from at last, as far as is known, without
	 * ranges and names; no mask: there are none */
	struct skeleton_settings written;
	struct nftlist node_list;
	struct map claims; /* key text → struct svc that owns the front end */
	struct map shared; /* key text → how many lists hold the element */
	struct graves graves;
	struct ids ids;
	uint64_t no_local[2];
	struct ctplan ctplan;
	size_t blocked;
	bool released; /* a front end became free */

	/* of the sync that runs */
	int64_t now_usec;
	svcendpoints endpoints; /* scratch */
	nftelems elems;         /* scratch */
	struct svc *current;
	struct nftplan plan;
	struct nftlist *kernel_lists; /* seeding: what the kernel has of lists, by id */
	size_t n_kernel_lists;
	struct map kernel_fronts; /* seeding: key text → front value */
	struct program_result *result;
};

struct program *program_new(enum dataplane_family f, struct svcstore *store, struct nftio *io,
			    program_warn_fn *warn, void *ctx)
{
	struct program *p = NEW(struct program);

	p->family = f;
	p->store = store;
	p->io = io;
	p->warn = warn;
	p->ctx = ctx;
	p->rules_changed = true;
	p->settings.family = f;
	return p;
}

void program_free(struct program *p)
{
	if (!p)
		return;
	map_fini(&p->claims);
	map_fini(&p->shared);
	graves_fini(&p->graves);
	ctplan_fini(&p->ctplan);
	nftplan_fini(&p->plan);
	nftlist_fini(&p->node_list);
	ids_fini(&p->ids);
	vec_fini(&p->dirty);
	vec_fini(&p->node_port_ips);
	free(p->local_interface);
	free(p);
}

void program_mark(struct program *p, struct svc *svc)
{
	if (svc->family[p->family].dirty)
		return;
	svc->family[p->family].dirty = true;
	vec_push(&p->dirty, svc);
}

void program_mark_all(struct program *p)
{
	void *svc;

	for (size_t at = 0; map_next(&p->store->services, &at, NULL, &svc);)
		program_mark(p, svc);
}

void program_distrust(struct program *p)
{
	p->doubted = true;
	p->trusted = false;
}

void program_configure(struct program *p, const struct skeleton_settings *s,
		       const struct program_node *node)
{
	const struct skeleton_settings old = p->settings;

	free(p->local_interface);
	p->local_interface = mem_strdup(s->local_interface);
	p->settings = *s;
	p->settings.family = p->family;
	p->settings.local_interface = p->local_interface;
	memcpy(p->settings.timeout_sec, old.timeout_sec, sizeof(old.timeout_sec));
	p->settings.return_mask = p->peers ? p->peers->mask : 0;
	p->settings.zone = old.zone;
	p->node = *node;
	if (!node->keep_node_port_ips)
		p->node_port_ips.n = 0;
	for (size_t i = 0; i < node->n_node_port_ips; i++) {
		if (node->node_port_ips[i].len == nft_addr_len(p->family))
			vec_push(&p->node_port_ips, node->node_port_ips[i]);
	}
	p->rules_changed = p->node_changed = true;
}

void program_set_peers(struct program *p, const struct peers *peers)
{
	uint32_t mask = peers ? peers->mask : 0;

	p->peers = peers;
	p->node_changed = true;
	if (p->settings.return_mask != mask)
		p->rules_changed = true;
	p->settings.return_mask = mask;
}

bool program_pending(const struct program *p)
{
	return p->dirty.n || !p->trusted || p->rules_changed || p->node_changed;
}

int64_t program_due_usec(const struct program *p)
{
	int64_t a = p->graves.due_usec, b = ids_due_usec(&p->ids);

	return !a || (b && b < a) ? b : a;
}

const uint64_t *program_no_local(const struct program *p)
{
	return p->no_local;
}

struct ctplan *program_ctplan(struct program *p)
{
	return &p->ctplan;
}

void program_model(const struct program *p, const struct svc *svc, const struct svcport *port,
		   svcendpoints *endpoints, struct svcmodel *ret)
{
	svcstore_endpoints(p->store, svc, port, p->family, endpoints);
	svcmodel_port(svc, port, p->family, endpoints, &p->node.node_ip, ret);
}

/* Differences into the plan */

/* Into the kernel: what others may be led to goes later. */
static void plan_change(void *ctx, enum nft_op op, const struct nftref *e)
{
	struct program *p = ctx;

	if (nftset_is_pointee(e->set)) {
		if (op == NFT_DELETE) {
			graves_bury(&p->graves, e, p->now_usec + GRAVE_USEC);
			return;
		}
		if (graves_exhume(&p->graves, e, p->family, nftplan_add, &p->plan) == GRAVES_SAME)
			return;
	}
	p->result->adds += op == NFT_ADD;
	p->result->deletes += op == NFT_DELETE;
	nftplan_add(&p->plan, op, e);
}

/* A changed value is deleted and added: in the end whoever has a front end owns it. */
static void note_owner(struct program *p, enum nft_op op, const struct nftref *e)
{
	char key[NFT_KEY_TEXT];

	nftref_key(e, key);
	if (op == NFT_ADD) {
		map_put(&p->claims, key, p->current);
	} else {
		map_remove(&p->claims, key);
		p->released = true;
	}
}

/* From one list of a service to its next: what lists share is counted. */
static void list_change(void *ctx, enum nft_op op, const struct nftref *e)
{
	struct program *p = ctx;
	char key[NFT_KEY_TEXT];
	size_t n;

	if (nftset_is_shared(e->set)) {
		nftref_key(e, key);
		n = (size_t)map_get(&p->shared, key);
		n = op == NFT_ADD ? n + 1 : n - 1;
		if (n)
			map_put(&p->shared, key, (void *)n);
		else
			map_remove(&p->shared, key);
		if (n != (op == NFT_ADD))
			return;
	}
	if (nftset_is_front(e->set))
		note_owner(p, op, e);
	plan_change(p, op, e);
}

/* Ids */

/* Its elements may be in use a while longer. */
static void release_id(struct program *p, uint32_t *id)
{
	ids_give(&p->ids, *id, p->now_usec + GRAVE_USEC);
	*id = 0;
}

static void release_gone(struct program *p, struct svc *svc)
{
	for (size_t i = 0; i < svc->gone.n; i++) {
		for (size_t policy = 0; policy < SVC_POLICIES; policy++)
			release_id(p, &svc->gone.v[i].id[p->family][policy]);
	}
}

static bool timeout_used(const struct program *p, uint32_t sec)
{
	void *value;

	for (size_t at = 0; map_next(&p->store->services, &at, NULL, &value);) {
		const struct svc *svc = value;

		if (svc->affinity && svc->affinity_sec == sec)
			return true;
	}
	return false;
}

/* Where a new time-out goes: the place that the list's id has, for the sake of its clients; a free
 * one, else that of one that no service has any more, else it has to make do with the longest there
 * is. */
static uint32_t timeout_place(const struct program *p, uint32_t id, bool *ret_free)
{
	const uint32_t *v = p->settings.timeout_sec;
	uint32_t longest = 0, own = id % FRONT_TIMEOUT_COUNT;

	*ret_free = true;
	if (id && !timeout_used(p, v[own]))
		return own;
	for (uint32_t i = 0; i < FRONT_TIMEOUT_COUNT; i++) {
		if (!v[i])
			return i;
		if (v[i] > v[longest])
			longest = i;
	}
	for (uint32_t i = 0; i < FRONT_TIMEOUT_COUNT; i++) {
		if (!timeout_used(p, v[i]))
			return i;
	}
	*ret_free = false;
	return longest;
}

/* Index of a time-out, of the list that has the id or none yet; a new one changes a rule. */
static uint32_t timeout_index(struct program *p, uint32_t sec, uint32_t id)
{
	uint32_t *v = p->settings.timeout_sec, i;
	bool free_place;

	for (i = 0; i < FRONT_TIMEOUT_COUNT; i++) {
		if (v[i] == sec)
			return i;
	}
	i = timeout_place(p, id, &free_place);
	if (free_place) {
		v[i] = sec;
		p->rules_changed = true;
	} else {
		log_warning("more than %d time-outs of session affinity: %u s is used for %u s",
			    FRONT_TIMEOUT_COUNT, v[i], sec);
	}
	return i;
}

/* The id that the kernel's front ends of this list carry already. */
static uint32_t inherited_id(struct program *p, const struct svcmodel *m, enum svc_policy policy)
{
	char key[NFT_KEY_TEXT];

	for (size_t i = 0; p->kernel_fronts.count && i < m->fronts.n; i++) {
		const struct svcfront *front = &m->fronts.v[i];
		enum svc_target target = policy == SVC_LOCAL ? SVC_TO_LOCAL : SVC_TO_CLUSTER;
		/* source ranges hang on the id even where all is rejected */
		bool ranges = policy == SVC_CLUSTER && front->firewall;
		bool outside = front->inside != target && front->outside == target;
		struct nftelem e = ruleset_front_key(m, front, outside);
		size_t value;

		if (front->inside != target && front->outside != target && !ranges)
			continue;
		nftelem_key(&e, p->family, key);
		value = (size_t)map_get(&p->kernel_fronts, key);
		if (value >> FRONT_ID_SHIFT &&
		    ((value & FRONT_CLASS_MASK) <= FRONT_CLASSES || ranges))
			return (uint32_t)value >> FRONT_ID_SHIFT;
	}
	return 0;
}

/* Source ranges are found by a list's id, even where the list is empty. */
static bool needs_id(const struct svcmodel *m, enum svc_policy policy)
{
	return m->used[policy] || (policy == SVC_CLUSTER && m->source_ranges.n);
}

static bool take_id(struct program *p, const struct svcmodel *m, uint32_t *id)
{
	uint32_t step = 1, rest = 0;

	if (m->affinity_sec) {
		step = FRONT_TIMEOUT_COUNT;
		rest = timeout_index(p, m->affinity_sec, *id);
	}
	if (*id && *id % step == rest)
		return true;
	release_id(p, id);
	*id = ids_take(&p->ids, step, rest, FRONT_ID_MAX);
	return *id;
}

static void inherit_id(struct program *p, const struct svcmodel *m, enum svc_policy policy,
		       uint32_t *id)
{
	uint32_t old = needs_id(m, policy) && !*id ? inherited_id(p, m, policy) : 0;

	if (!old)
		return;
	if (m->affinity_sec && timeout_index(p, m->affinity_sec, old) != old % FRONT_TIMEOUT_COUNT)
		return;
	if (ids_claim(&p->ids, old))
		*id = old;
}

/* A list that no front end leads to has none. */
static bool take_ids(struct program *p, const struct svcmodel *m, uint32_t *ids)
{
	bool ok = true;

	for (unsigned policy = 0; policy < SVC_POLICIES; policy++) {
		if (needs_id(m, policy))
			ok &= take_id(p, m, &ids[policy]);
		else
			release_id(p, &ids[policy]);
	}
	return ok;
}

/* UDP connections */

/* Whatever was a UDP front end until now: if it still is one, allow_connections says so later. */
static void doubt_connections(struct program *p, const struct nftlist *list)
{
	struct nftref e;

	for (size_t at = 0; nftlist_next(list, p->family, &at, &e);) {
		bool node = e.set == NFTSET_NODE_PORTS || e.set == NFTSET_NODE_PORTS_EXTERNAL;
		struct addr a = { .len = (uint8_t)nft_addr_len(p->family) };
		const uint8_t *proto = node ? e.key : e.key + a.len;
		uint16_t port;

		if (!nftset_is_front(e.set) || *proto != IPPROTO_UDP)
			continue;
		memcpy(a.b, e.key, a.len);
		memcpy(&port, proto + 4, sizeof(port));
		ctplan_front(&p->ctplan, node ? NULL : &a, ntohs(port));
	}
}

/* Connections to any endpoint that serves live on, whatever policies say of new ones. */
static void allow_connections(struct program *p, const struct svcmodel *m)
{
	for (size_t i = 0; m->proto == IPPROTO_UDP && i < m->fronts.n; i++) {
		const struct svcfront *front = &m->fronts.v[i];
		struct ctfront *f = ctplan_front(
		    &p->ctplan, front->kind == SVC_NODE_PORT ? NULL : &front->addr, front->port);

		for (size_t j = 0; j < m->n_endpoints; j++) {
			struct addr a = { .len = (uint8_t)nft_addr_len(p->family) };

			if (!(m->endpoints[j].flags & ENDPOINT_SERVING))
				continue;
			memcpy(a.b, m->endpoints[j].addr, a.len);
			ctplan_allow(f, &a, m->endpoints[j].port);
		}
	}
}

/* Lists */

static const struct nftlist *held(const struct program *p, const struct svc *svc, uint32_t id)
{
	if (id < p->n_kernel_lists && p->kernel_lists[id].n)
		return &p->kernel_lists[id];
	return &svc->family[p->family].list;
}

static void add_port(struct program *p, struct svc *svc, struct svcport *port)
{
	uint32_t *ids = port->id[p->family];
	struct svcmodel m;
	char text[120];

	program_model(p, svc, port, &p->endpoints, &m);
	if (!m.fronts.n) {
		svcmodel_fini(&m);
		return;
	}
	if (!take_ids(p, &m, ids)) {
		p->warn(p->ctx, svc, "TooManyEndpointLists",
			"there are more services than this node can hold");
	} else {
		for (unsigned policy = 0; policy < SVC_POLICIES; policy++)
			ruleset_list(&m, policy, ids[policy], held(p, svc, ids[policy]), &p->elems);
		ruleset_port(&m, ids, &p->elems);
	}
	if (m.truncated && !svc->family[p->family].truncated) {
		snprintf(text, sizeof(text), "port %u: only the first %d endpoints are used",
			 port->port, FRONT_ENDPOINTS_MAX);
		p->warn(p->ctx, svc, "TooManyEndpoints", text);
	}
	allow_connections(p, &m);
	svc->family[p->family].truncated |= m.truncated;
	svc->family[p->family].no_local[0] |= m.no_local_inside;
	svc->family[p->family].no_local[1] |= m.no_local_outside;
	svcmodel_fini(&m);
}

static bool is_cluster_ip(const struct program *p, const struct svc *svc, const struct nftelem *e)
{
	const struct addr *a = &svc->cluster_ip[p->family];

	return (e->set == NFTSET_SERVICES || e->set == NFTSET_EXTERNAL) && a->len &&
	       !memcmp(a->b, e->key, a->len);
}

/* Whatever order they come in: nobody takes a cluster address from its service, and of two others
 * the older one has it. */
static bool claims_before(const struct program *p, const struct svc *a, const struct svc *b,
			  const struct nftelem *e)
{
	bool a_own = is_cluster_ip(p, a, e), b_own = is_cluster_ip(p, b, e);

	if (a_own != b_own)
		return a_own;
	if (a->created_sec != b->created_sec)
		return a->created_sec < b->created_sec;
	return strcmp(a->key, b->key) < 0;
}

/* Takes a front end out of what the service has in the kernel. */
static void displace(struct program *p, struct svc *owner, const struct nftelem *e)
{
	struct nftlist *list = &owner->family[p->family].list, rest = { 0 };
	struct nftref r;

	for (size_t at = 0; nftlist_next(list, p->family, &at, &r);) {
		if (r.set != e->set || memcmp(r.key, e->key, r.key_len))
			nftlist_append(&rest, &r);
	}
	p->current = owner;
	nftdiff(list, &rest, p->family, list_change, p);
	nftlist_fini(list);
	*list = rest;
	/* it tells whoever asks when it is looked at again */
	program_mark(p, owner);
}

/* Front ends that another service has a better right to are left out. */
static void claim_fronts(struct program *p, struct svc *svc, nftelems *v)
{
	bool blocked = false;
	char key[NFT_KEY_TEXT], text[200];
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct svc *owner;

		if (nftset_is_front(v->v[i].set)) {
			nftelem_key(&v->v[i], p->family, key);
			owner = map_get(&p->claims, key);
			if (owner && owner != svc && claims_before(p, svc, owner, &v->v[i])) {
				displace(p, owner, &v->v[i]);
			} else if (owner && owner != svc) {
				snprintf(text, sizeof(text),
					 "an address and port of it belong to service %s",
					 owner->key);
				if (!svc->family[p->family].blocked && !blocked)
					p->warn(p->ctx, svc, "AddressInUse", text);
				blocked = true;
				continue;
			}
		}
		v->v[kept++] = v->v[i];
	}
	v->n = kept;
	p->blocked += blocked;
	p->blocked -= svc->family[p->family].blocked;
	svc->family[p->family].blocked = blocked;
}

static void count_no_local(struct program *p, const struct svc *svc, int by)
{
	for (size_t i = 0; i < 2; i++)
		p->no_local[i] += svc->family[p->family].no_local[i] ? (uint64_t)by : 0;
}

static void count_local(struct program *p, struct svc *svc)
{
	const struct svcslice *slice;
	uint32_t n = 0;

	for (slice = svc->health_port ? svc->slices : NULL; slice; slice = slice->next) {
		if (slice->family == p->family)
			n += svcstore_local_ready(slice);
	}
	svc->family[p->family].local_endpoints = n;
}

static void rebuild(struct program *p, struct svc *svc)
{
	struct nftlist *list = &svc->family[p->family].list, fresh;
	bool truncated = svc->family[p->family].truncated;

	doubt_connections(p, list);
	count_no_local(p, svc, -1);
	memset(svc->family[p->family].no_local, 0, sizeof(svc->family[p->family].no_local));
	for (size_t i = 0; i < svc->ports.n; i++)
		add_port(p, svc, &svc->ports.v[i]);
	if (!truncated && !svc->ports.n)
		svc->family[p->family].truncated = false;
	count_no_local(p, svc, 1);
	count_local(p, svc);
	claim_fronts(p, svc, &p->elems);
	nftlist_pack(&p->elems, p->family, &fresh);
	p->current = svc;
	nftdiff(list, &fresh, p->family, list_change, p);
	nftlist_fini(list);
	*list = fresh;
	release_gone(p, svc);
}

/* Rules about nobody do no harm, and others would be new rules for all. */
static void set_zones(struct program *p, const struct skel_zones *zone)
{
	struct skel_zones *old = &p->settings.zone;

	if (!zone->n_links ||
	    (zone->n_links == old->n_links && zone->home_bits == old->home_bits &&
	     zone->home_ranges == old->home_ranges && zone->formers == old->formers &&
	     !memcmp(zone->link, old->link, sizeof(old->link))))
		return;
	*old = *zone;
	p->rules_changed = true;
}

static void note_written(struct program *p, const struct skel_zones *zone)
{
	const struct skeleton_settings *s = &p->settings;

	p->written = (struct skeleton_settings){ .family = s->family,
						 .return_mask = s->zones ? s->return_mask : 0,
						 .zones = s->zones,
						 .zone = *zone };
}

/* An earlier life's rules are about its elements: else they are lost. */
static void guess_written(struct program *p, const struct nftlist *have, uint8_t home_bits)
{
	struct skel_zones zone = { .home_bits = home_bits };

	ruleset_zones(have, p->family, &zone);
	note_written(p, &zone);
}

/* What the node itself adds: the addresses that serve node ports, and what is known of others.
 * have: what was read of the kernel's table, empty when it was not, or when there is none. */
static void rebuild_node(struct program *p, const struct nftlist *have)
{
	uint8_t addr_len = (uint8_t)nft_addr_len(p->family);
	struct skel_zones zone = { .home_bits =
				       p->peers ? peers_home_bits(p->peers, addr_len) : 0 };
	nftelems elems = { 0 };
	struct nftlist fresh;

	if (!p->node_changed && p->trusted)
		return;
	p->node_changed = false;
	if (!p->programmed)
		guess_written(p, have, zone.home_bits);
	for (size_t i = 0; !p->settings.all_node_ports && i < p->node_port_ips.n; i++)
		ruleset_addr(NFTSET_NODE_PORT_IPS, &p->node_port_ips.v[i], &elems);
	if (p->peers)
		ruleset_peers(p->peers, p->family, zone.home_bits, &elems);
	linger(have->n ? have : &p->node_list, p->family, &elems);
	nftlist_pack(&elems, p->family, &fresh);
	ruleset_zones(&fresh, p->family, &zone);
	set_zones(p, &zone);
	nftdiff(&p->node_list, &fresh, p->family, plan_change, p);
	nftlist_fini(&p->node_list);
	p->node_list = fresh;
	vec_fini(&elems);
}

/* Reading back */

static void seed_listed(struct program *p, const struct nftref *e)
{
	uint32_t id;

	memcpy(&id, e->key, sizeof(id));
	id >>= FRONT_ID_SHIFT;
	if (id >= p->n_kernel_lists) {
		size_t n = id + 1 > 2 * p->n_kernel_lists ? id + 1 : 2 * p->n_kernel_lists;

		p->kernel_lists = mem_realloc(p->kernel_lists, n, sizeof(*p->kernel_lists));
		memset(p->kernel_lists + p->n_kernel_lists, 0,
		       (n - p->n_kernel_lists) * sizeof(*p->kernel_lists));
		p->n_kernel_lists = n;
	}
	nftlist_append(&p->kernel_lists[id], e);
}

/* An earlier life's ids, slots and time-outs are taken over: clients keep their endpoints, and
 * nothing is rewritten that need not be. */
static void seed(struct program *p, const struct nftdump *d, const struct nftlist *have)
{
	struct nftref e;

	for (size_t at = 0; nftlist_next(have, p->family, &at, &e);) {
		char key[NFT_KEY_TEXT];
		uint32_t value;

		if (nftset_is_listed(e.set))
			seed_listed(p, &e);
		if (!nftset_is_front(e.set))
			continue;
		memcpy(&value, e.data, sizeof(value));
		nftref_key(&e, key);
		map_put(&p->kernel_fronts, key, (void *)(size_t)value);
	}
	memcpy(p->settings.timeout_sec, d->timeout_sec, sizeof(d->timeout_sec));
	doubt_connections(p, have);
	p->seeded = true;
}

static void end_seeding(struct program *p)
{
	for (size_t i = 0; i < p->n_kernel_lists; i++)
		nftlist_fini(&p->kernel_lists[i]);
	free(p->kernel_lists);
	p->kernel_lists = NULL;
	p->n_kernel_lists = 0;
	map_fini(&p->kernel_fronts);
}

static void want_all(struct program *p, struct nftlist *ret)
{
	VEC(const struct nftlist *) lists = { 0 };
	void *value;

	vec_push(&lists, &p->node_list);
	for (size_t at = 0; map_next(&p->store->services, &at, NULL, &value);) {
		const struct svc *svc = value;

		vec_push(&lists, &svc->family[p->family].list);
	}
	nftlist_union(lists.v, lists.n, p->family, ret);
	vec_fini(&lists);
}

/* The plan from what the kernel holds, instead of from what we thought that it holds. */
static void plan_from(struct program *p, const struct nftlist *have)
{
	struct nftlist want;

	nftplan_fini(&p->plan);
	graves_fini(&p->graves);
	p->result->adds = p->result->deletes = 0;
	want_all(p, &want);
	nftdiff(have, &want, p->family, plan_change, p);
	nftlist_fini(&want);
}

/* Before anybody takes a new id: who has one keeps it. */
static void inherit_ids(struct program *p)
{
	for (size_t i = 0; p->kernel_fronts.count && i < p->dirty.n; i++) {
		struct svc *svc = p->dirty.v[i];

		for (size_t j = 0; j < svc->ports.n; j++) {
			uint32_t *ids = svc->ports.v[j].id[p->family];
			struct svcmodel m;

			program_model(p, svc, &svc->ports.v[j], &p->endpoints, &m);
			for (unsigned policy = 0; policy < SVC_POLICIES; policy++)
				inherit_id(p, &m, policy, &ids[policy]);
			svcmodel_fini(&m);
		}
	}
}

/* As many as one transaction may take; the rest stays dirty. */
static void rebuild_some(struct program *p, size_t max_elements)
{
	size_t i;

	for (i = 0; i < p->dirty.n && p->plan.op[NFT_ADD].n < max_elements; i++) {
		struct svc *svc = p->dirty.v[i];

		svc->family[p->family].dirty = false;
		rebuild(p, svc);
	}
	p->dirty.n -= i;
	if (p->dirty.n)
		memmove(p->dirty.v, p->dirty.v + i, p->dirty.n * sizeof(*p->dirty.v));
}

/* Services whose front ends others had get another chance when one became free. */
static void rebuild_dirty(struct program *p, size_t max_elements)
{
	do {
		void *value;

		p->released = false;
		rebuild_some(p, max_elements);
		if (!p->released || !p->blocked)
			break;
		for (size_t at = 0; map_next(&p->store->services, &at, NULL, &value);) {
			struct svc *svc = value;

			if (svc->family[p->family].blocked)
				program_mark(p, svc);
		}
	} while (p->dirty.n && p->plan.op[NFT_ADD].n < max_elements);
}

/* What of the static part is to be written. */
struct frame {
	struct skeleton skel;
	bool *chains;    /* rules of these chains; NULL: none */
	bool anew;       /* the whole table */
	bool zones_lost; /* packets that should have a zone may have none */
};

static bool frame_replaces(const struct frame *f, const char *chain)
{
	for (size_t i = 0; i < f->skel.chains.n; i++) {
		if (f->chains[i] && str_eq(f->skel.chains.v[i].name, chain))
			return true;
	}
	return false;
}

/* Whether rules without which packets have no zone are others than those that were written: they
 * were none, or somebody took some away. What is changed on purpose changes nobody's zone. */
static bool zones_were_lost(const struct program *p, const struct frame *f, const struct nftdump *d)
{
	static const char *const chains[] = { "zones", "from-link", "from-sender" };
	struct skeleton written;
	bool lost = f->anew;

	if (lost || !f->chains)
		return lost;
	skeleton_make(&p->written, &written);
	for (size_t i = 0; !lost && i < ARRAY_SIZE(chains); i++)
		lost = frame_replaces(f, chains[i]) &&
		       (!p->written.return_mask || !nftparse_same_chain(d, &written, chains[i]));
	skeleton_fini(&written);
	return lost;
}

static void frame_compare(struct frame *f, const struct program *p, const struct nftdump *d)
{
	skeleton_make(&p->settings, &f->skel);
	f->chains = mem_calloc(f->skel.chains.n, sizeof(*f->chains));
	if (p->trusted) /* elements were not read, fixed maps among them */
		f->anew = false;
	else
		f->anew = !nftparse_same_frame(d, &f->skel);
	if (f->anew || !nftparse_differing_chains(d, &f->skel, f->chains))
		free(TAKE(f->chains));
	f->zones_lost = zones_were_lost(p, f, d);
}

static void frame_fini(struct frame *f)
{
	skeleton_fini(&f->skel);
	free(f->chains);
}

static bool has_key(const struct program *p, const struct nftlist *list, const struct nftref *e)
{
	struct nftref r;

	for (size_t at = 0; nftlist_next(list, p->family, &at, &r);) {
		if (!nftref_compare(&r, e))
			return true;
	}
	return false;
}

/* Whether packets will have a zone that had none until now. */
static bool zones_grow(const struct program *p, const struct frame *f)
{
	const struct nftlist *deleted = &p->plan.op[NFT_DELETE];
	bool grow = f->zones_lost;
	struct nftref e;

	if (!p->settings.zones || !p->settings.return_mask)
		return false;
	for (size_t at = 0; !grow && nftlist_next(deleted, p->family, &at, &e);)
		grow = e.set == NFTSET_HOME;
	for (size_t at = 0; !grow && nftlist_next(&p->plan.op[NFT_ADD], p->family, &at, &e);) {
		struct nftref former = e;

		former.set = NFTSET_FORMER_SENDERS;
		grow = e.set == NFTSET_SENDERS && !has_key(p, deleted, &e) &&
		       !has_key(p, deleted, &former);
	}
	return grow;
}

/* Connections that are there would end. */
static void keep_older(struct program *p, const struct frame *f, struct nftbatch *b)
{
	struct older older = { .family = p->family, .mask = p->settings.return_mask };
	struct err e;

	if (!zones_grow(p, f))
		return;
	if (conntrack_older(p->io, &older, &e) < 0)
		log_err_warning(&e, "connections of nodes that are new may end");
	else
		nftbatch_older(b, &older);
	older_fini(&older);
}

static int commit(struct program *p, const struct frame *f, struct err *e)
{
	bool some = p->plan.op[NFT_ADD].n || p->plan.op[NFT_DELETE].n;
	struct nftbatch b;
	int r;

	if (!f->anew && !f->chains && !some)
		return 0;
	nftbatch_begin(&b, nftio_seq(p->io));
	if (f->anew) {
		nftbatch_delete_table(&b, p->family);
		nftbatch_add_table(&b, p->family);
		nftbatch_add_skeleton(&b, &f->skel);
	} else if (f->chains) {
		nftbatch_replace_rules(&b, &f->skel, f->chains);
	}
	nftbatch_elements(&b, p->family, NFT_DELETE, &p->plan.op[NFT_DELETE]);
	nftbatch_elements(&b, p->family, NFT_ADD, &p->plan.op[NFT_ADD]);
	keep_older(p, f, &b);
	nftbatch_end(&b);
	r = nftio_commit(p->io, &b, e);
	nftbatch_fini(&b);
	return r;
}

/* Reads the table, when it may not be what we think. What we could not have written ourselves is no
 * error: the table is made anew then. */
static int read_back(struct program *p, struct nftdump *d, struct nftlist *ret, struct err *e)
{
	if (nftio_dump(p->io, !p->trusted, d, e) < 0) {
		if (e->code != ERR_REMOTE)
			return err_wrap(e, "read our table");
		log_err_warning(e, "our nftables table is made anew");
		nftdump_fini(d);
		*d = (struct nftdump){ .family = p->family, .foreign = true };
		p->trusted = false;
	}
	if (p->trusted)
		return 0;
	nftlist_pack(&d->elems, p->family, ret);
	vec_fini(&d->elems);
	if (!p->seeded)
		seed(p, d, ret);
	return 0;
}

static int program_step(struct program *p, struct err *e)
{
	struct nftdump d = { .family = p->family };
	struct nftlist have = { 0 };
	struct frame f = { .skel.family = p->family };
	int r = 0;

	if (!p->trusted)
		r = read_back(p, &d, &have, e);
	inherit_ids(p);
	if (r == 0) {
		rebuild_node(p, &have);
		/* what the kernel holds is compared with all that is wanted, or with nothing */
		rebuild_dirty(p, p->trusted || !have.n ? CHUNK_ELEMENTS : SIZE_MAX);
	}
	/* rebuilding may have asked for a new time-out, that is, a rule */
	if (r == 0 && p->trusted && p->rules_changed)
		r = read_back(p, &d, &have, e);
	if (r == 0 && (!p->trusted || p->rules_changed))
		frame_compare(&f, p, &d);
	if (f.anew)
		nftlist_fini(&have);
	/* with nothing there and nothing held before, the plan has all of it already */
	if (r == 0 && p->trusted)
		graves_due(&p->graves, p->now_usec, p->family, nftplan_add, &p->plan);
	else if (r == 0 && (p->programmed || have.n))
		plan_from(p, &have);
	if (r == 0) {
		p->programmed = true;
		r = commit(p, &f, e);
	}
	frame_fini(&f);
	nftdump_fini(&d);
	nftlist_fini(&have);
	return r;
}

int program_sync(struct program *p, int64_t now_usec, struct program_result *ret, struct err *e)
{
	int r;

	*ret = (struct program_result){ .full = !p->trusted };
	err_clear(e);
	p->now_usec = now_usec;
	p->doubted = false;
	p->result = ret;
	r = program_step(p, e);
	p->trusted = r == 0 && !p->doubted;
	ret->more = r == 0 && p->dirty.n;
	if (r == 0) {
		p->rules_changed = false;
		note_written(p, &p->settings.zone);
		graves_forget_due(&p->graves, p->now_usec);
		ids_tick(&p->ids, p->now_usec);
	}
	end_seeding(p);
	vec_fini(&p->endpoints);
	vec_fini(&p->elems);
	nftplan_fini(&p->plan);
	return r;
}
