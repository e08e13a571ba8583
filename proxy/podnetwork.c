/* The pod network in the kernel (contract in podnetwork.h). Effect. */
#include "podnetwork.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "returnplan.h"
#include "rtnl.h"

enum {
	GATHER_USEC = 50 * USEC_PER_MSEC, /* news come in crowds */
	GAP_USEC = 500 * USEC_PER_MSEC,   /* a turn's own changes are news, too */
	FAILURES_MAX = 5,                 /* 32 s between tries */
	CNI_MAX_BYTES = 64 * 1024
};

struct podnetwork {
	sd_event *loop;
	sd_event_source *timer;
	struct rtnl *rtnl;
	enum podnet_mode mode;
	char *node_name, *cni_path;
	struct map nodes; /* name → struct podnet_node */
	bool started;
	unsigned failures;
	int64_t last_usec; /* of the last turn */
	char **told;       /* unreachable peers of the last turn: said once */
};

/* --- one turn --- */

struct look {
	netstate_links links;
	netstate_addresses addresses;
	int device; /* index of ours; 0: not there */
	struct podnet want;
};

static void look_fini(struct look *l)
{
	vec_fini(&l->links);
	vec_fini(&l->addresses);
	podnet_fini(&l->want);
}

static void make_want(struct podnetwork *p, struct look *l)
{
	static const struct podnet_node nobody = { .name = "" };
	const struct podnet_node *self = map_get(&p->nodes, p->node_name);
	VEC(const struct podnet_node *) nodes = { 0 };
	struct podnet_input in = { .mode = self ? p->mode : PODNET_NONE,
				   .self = self ? self : &nobody,
				   .links = &l->links,
				   .addresses = &l->addresses };
	void *value;

	for (size_t cursor = 0; map_next(&p->nodes, &cursor, NULL, &value);)
		vec_push(&nodes, value);
	in.nodes = nodes.v;
	in.n_nodes = nodes.n;
	podnet_fini(&l->want);
	podnet_make(&in, l->device, &l->want);
	vec_fini(&nodes);
}

static int look(struct podnetwork *p, struct look *l, struct err *e)
{
	const struct netstate_link *ours;

	if (rtnl_get_links(p->rtnl, &l->links, e) < 0 ||
	    rtnl_get_addresses(p->rtnl, &l->addresses, e) < 0)
		return -1;
	ours = netstate_link_named(&l->links, PODNET_DEVICE);
	l->device = ours ? ours->index : 0;
	make_want(p, l);
	return 0;
}

static bool device_is_right(const struct netstate_link *have, const struct podnet_device *want)
{
	return want->wanted && str_eq(have->kind, "vxlan") && have->vxlan.id == PODNET_VXLAN_ID &&
	       have->vxlan.port == PODNET_VXLAN_PORT && !have->vxlan.learning &&
	       !addr_cmp(&have->vxlan.local, &want->local) &&
	       !memcmp(have->mac, want->mac, MAC_BYTES) && (have->flags & IFF_UP) &&
	       (!want->mtu || have->mtu == want->mtu);
}

/* A device that is not as it must be is made anew: what leads through it is set again in the same
 * turn. */
static int set_device(struct podnetwork *p, struct look *l, struct err *e)
{
	const struct netstate_link *have = netstate_link_named(&l->links, PODNET_DEVICE);
	const struct podnet_device *want = &l->want.device;
	struct netstate_link link = {
		.name = PODNET_DEVICE,
		.mtu = want->mtu,
		.vxlan = { .id = PODNET_VXLAN_ID, .port = PODNET_VXLAN_PORT, .local = want->local }
	};

	if (have ? device_is_right(have, want) : !want->wanted)
		return 0;
	if (have && rtnl_delete_link(p->rtnl, have->index, e) < 0)
		return -1;
	memcpy(link.mac, want->mac, MAC_BYTES);
	if (want->wanted && rtnl_make_vxlan(p->rtnl, &link, e) < 0)
		return -1;
	return look(p, l, e);
}

struct act {
	struct podnetwork *p;
	const netstate_routes *want, *have;
	struct err *e; /* the first failure; one element does not hold up the others */
};

static int keep_first(struct act *a, int r, const struct err *e)
{
	if (r < 0 && a->e->code == ERR_NONE)
		*a->e = *e;
	return r;
}

static int act_route(void *ctx, const void *element, bool wanted)
{
	const struct netstate_route *route = element;
	struct act *a = ctx;
	struct err e;

	/* a route that leads elsewhere now is replaced in one step */
	if (!wanted && netstate_has_destination(a->want, route))
		return 0;
	return keep_first(a,
			  rtnl_route(a->p->rtnl,
				     !wanted                                    ? RTNL_DELETE
				     : netstate_has_destination(a->have, route) ? RTNL_REPLACE
										: RTNL_ADD,
				     route, &e),
			  &e);
}

static int act_neighbour(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(
	    a, rtnl_neighbour(a->p->rtnl, wanted ? RTNL_REPLACE : RTNL_DELETE, element, &e), &e);
}

static int act_address(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(a, rtnl_address(a->p->rtnl, wanted ? RTNL_ADD : RTNL_DELETE, element, &e),
			  &e);
}

/* The kernel gives the device a link-local address by itself. */
static bool is_set_by_us(const struct netstate_address *a, int device)
{
	return a->dev == device && !(a->addr.len == 16 && addr_is_link_local(&a->addr));
}

/* Addresses first: routes through the device choose their source from them. */
static int apply(struct podnetwork *p, struct look *l, struct err *e)
{
	netstate_neighbours neighbours = { 0 };
	netstate_routes routes = { 0 };
	struct act a = { .p = p, .want = &l->want.routes, .have = &routes, .e = e };
	int r = rtnl_get_routes(p->rtnl, &routes, e);

	/* other tables of ours are not the pod network's, nor are the next hops of replies */
	vec_keep(&routes, each, each->table == RT_TABLE_MAIN && !returnplan_is_ours(each));
	if (r == 0 && l->device)
		r = rtnl_get_neighbours(p->rtnl, l->device, &neighbours, e);
	if (r == 0) {
		err_clear(e);
		vec_keep(&l->addresses, each, is_set_by_us(each, l->device));
		netstate_each_difference(l->want.addresses.v, l->want.addresses.n, l->addresses.v,
					 l->device ? l->addresses.n : 0, sizeof(*l->addresses.v),
					 netstate_address_cmp, act_address, &a);
		vec_keep(&neighbours, each, each->fdb || !returnplan_is_next_hop(&each->addr));
		netstate_each_difference(l->want.neighbours.v, l->want.neighbours.n, neighbours.v,
					 neighbours.n, sizeof(*neighbours.v),
					 netstate_neighbour_cmp, act_neighbour, &a);
		netstate_each_difference(l->want.routes.v, l->want.routes.n, routes.v, routes.n,
					 sizeof(*routes.v), netstate_route_cmp, act_route, &a);
		r = e->code == ERR_NONE ? 0 : -1;
	}
	vec_fini(&routes);
	vec_fini(&neighbours);
	return r;
}

static int write_cni(struct podnetwork *p, const struct look *l, struct err *e)
{
	const struct podnet_node *self = map_get(&p->nodes, p->node_name);
	AUTO_FREE char *have = NULL, *want = NULL;

	if (!p->cni_path || p->mode == PODNET_NONE || !self || !self->pod_cidrs.n)
		return 0;
	want = podnet_cni(self, l->want.device.wanted ? l->want.device.mtu : 0);
	if (fs_read(p->cni_path, CNI_MAX_BYTES, &have, NULL, NULL) == 0 && str_eq(have, want))
		return 0;
	return fs_write_atomic(p->cni_path, want, strlen(want), 0644, e) < 0
		   ? err_wrap(e, "CNI configuration")
		   : 0;
}

/* A peer that cannot be reached is said once, and again when it was reachable in between. */
static void tell_unreachable(struct podnetwork *p, struct podnet *want)
{
	for (size_t i = 0; want->unreachable && want->unreachable[i]; i++) {
		if (!strv_has(p->told, want->unreachable[i]))
			log_warning("pod network: %s", want->unreachable[i]);
	}
	strv_free(p->told);
	p->told = TAKE(want->unreachable);
}

/* While the own Node is away or has no address yet, what is there stays: its pods go on. */
static bool knows_itself(const struct podnetwork *p)
{
	const struct podnet_node *self = map_get(&p->nodes, p->node_name);

	return self && self->addresses.n;
}

static int turn(struct podnetwork *p, struct err *e)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct err cni_error;
	int cni;

	if (p->mode != PODNET_NONE && !knows_itself(p))
		return 0;
	if (look(p, &l, e) < 0 || set_device(p, &l, e) < 0)
		return -1;
	tell_unreachable(p, &l.want);
	/* pods of this node can start whatever becomes of the way to a peer */
	cni = write_cni(p, &l, &cni_error);
	if (apply(p, &l, e) < 0)
		return -1;
	if (cni < 0)
		*e = cni_error;
	return cni;
}

int podnetwork_cleanup(struct err *e)
{
	struct podnetwork p = { .mode = PODNET_NONE, .node_name = mem_strdup("") };
	int r = rtnl_new(&p.rtnl, e) < 0 || turn(&p, e) < 0 ? err_wrap(e, "pod network") : 0;

	rtnl_free(p.rtnl);
	free(p.node_name);
	return r;
}

/* --- when --- */

static void wake_in(struct podnetwork *p, int64_t usec)
{
	if (!p->started || sd_event_source_get_enabled(p->timer, NULL) > 0)
		return;
	sd_event_source_set_time_relative(p->timer, (uint64_t)usec);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

static void wake(void *ctx)
{
	struct podnetwork *p = ctx;
	int64_t gap = p->last_usec + GAP_USEC - clock_mono_usec();

	wake_in(p, gap > GATHER_USEC ? gap : GATHER_USEC);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct podnetwork *p = userdata;
	struct err e;

	(void)s;
	(void)usec;
	p->last_usec = clock_mono_usec();
	if (turn(p, &e) == 0) {
		p->failures = 0;
		return 0;
	}
	log_err(&e, "pod network");
	if (p->failures < FAILURES_MAX)
		p->failures++;
	wake_in(p, (int64_t)USEC_PER_SEC << p->failures);
	return 0;
}

int podnetwork_new(sd_event *loop, const struct podnetwork_settings *settings,
		   struct podnetwork **ret, struct err *e)
{
	CLEANUP(podnetwork_freep) struct podnetwork *p = NEW(struct podnetwork);
	int r;

	p->loop = loop;
	p->mode = settings->mode;
	p->node_name = mem_strdup(settings->node_name);
	p->cni_path = mem_strdup(settings->cni_path);
	r = sd_event_add_time_relative(loop, &p->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				       on_timer, p);
	if (r < 0)
		return err_os(e, -r, "pod network");
	sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
	if (rtnl_new(&p->rtnl, e) < 0 || rtnl_watch(p->rtnl, loop, wake, p, e) < 0)
		return err_wrap(e, "pod network");
	*ret = TAKE(p);
	return 0;
}

void podnetwork_free(struct podnetwork *p)
{
	void *value;

	if (!p)
		return;
	sd_event_source_disable_unref(p->timer);
	rtnl_free(p->rtnl);
	for (size_t cursor = 0; map_next(&p->nodes, &cursor, NULL, &value);)
		podnet_node_free(value);
	map_fini(&p->nodes);
	strv_free(p->told);
	free(p->node_name);
	free(p->cni_path);
	free(p);
}

void podnetwork_put_node(struct podnetwork *p, const Core__Node *node)
{
	char **bad = NULL;
	struct podnet_node *n = podnet_node_read(node, &bad);
	const struct podnet_node *before = map_get(&p->nodes, n->name);
	bool same = before && podnet_node_equal(before, n);

	for (size_t i = 0; !same && bad && bad[i]; i++)
		log_warning("node %s: %s", n->name, bad[i]);
	strv_free(bad);
	/* thousands of Nodes tell all the time that they are well; the own one lets look anew */
	if (!same || str_eq(n->name, p->node_name))
		wake(p);
	podnet_node_free(map_put(&p->nodes, n->name, n));
}

void podnetwork_remove_node(struct podnetwork *p, const char *name)
{
	podnet_node_free(map_remove(&p->nodes, name));
	wake(p);
}

void podnetwork_start(struct podnetwork *p)
{
	p->started = true;
	wake(p);
}
