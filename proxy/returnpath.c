/* Replies go back the way their connections came (contract in returnpath.h). Effect. */
#include "returnpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "exits.h"
#include "frames.h"
#include "prober.h"
#include "returnplan.h"
#include "rtnl.h"

enum {
	GATHER_USEC = 50 * USEC_PER_MSEC, /* news come in crowds */
	GAP_USEC = 500 * USEC_PER_MSEC,   /* a turn's own changes are news, too */
	COST_FACTOR = 50,                 /* a turn's time is at most so small a part of all */
	SETTLE_USEC = 3 * USEC_PER_SEC,   /* others have heard by then */
	LOOK_USEC = 60 * USEC_PER_SEC,    /* not all that somebody changes is news */
	PROOFS_USEC = 3 * USEC_PER_SEC,   /* who is there has answered by then */
	FAILURES_MAX = 5,                 /* 32 s between tries */
	PATIENCE = 3,                     /* failures until what an earlier life left goes */
	SYSCTL_BYTES = 16
};

struct returnpath {
	sd_event *loop;
	sd_event_source *timer;
	struct rtnl *rtnl;
	struct prober *prober;
	struct dataplane *dataplane;
	char *node_name, *boot_id;
	uint32_t mask;
	bool masquerade_all;
	void (*publish)(void *ctx, const char *record);
	void (*turned)(void *ctx);
	void *ctx;

	struct map nodes;       /* name → struct peers_node */
	char *published;        /* what the own Node says; NULL: nothing */
	int64_t published_usec; /* since when; 0: it said so before we came */
	int64_t started_usec;   /* 0: not yet */
	unsigned failures;
	int64_t not_before_usec; /* of the next turn */
	struct peers last;       /* what the data plane was given, but for sentences */
	bool given, inherits;
	size_t incapable;
	struct map told;                 /* sentences */
	enum exits_answer exits_told[2]; /* IPv4, IPv6 */
	struct exits_patience patience[2];
	bool waits; /* with the first rule */
};

/* --- looking --- */

struct look {
	netstate_links links;
	netstate_addresses addresses;
	netstate_neighbours tunnels;
	netstate_rules rules;
	VEC(struct peers_route) routes;
	VEC(const struct peers_node *) nodes;
	const struct peers_node *self;
	addr_list hops; /* to be proven */
	struct peers want;
	struct frames frames;
};

static void look_fini(struct look *l)
{
	vec_fini(&l->links);
	vec_fini(&l->addresses);
	vec_fini(&l->tunnels);
	vec_fini(&l->rules);
	vec_fini(&l->routes);
	vec_fini(&l->nodes);
	vec_fini(&l->hops);
	peers_fini(&l->want);
	frames_fini(&l->frames);
}

static int find_routes(struct returnpath *r, struct look *l, const struct peers_input *in,
		       struct err *e)
{
	addr_list targets = { 0 };
	int result = 0;

	peers_targets(in, &targets);
	for (size_t i = 0; result == 0 && i < targets.n; i++) {
		struct peers_route route = { .to = targets.v[i] };

		if (rtnl_find_route(r->rtnl, &route.to, &route.via, &route.dev, e) == 0)
			vec_push(&l->routes, route);
		else if (e->code != ERR_NOT_FOUND)
			result = -1;
	}
	vec_fini(&targets);
	return result;
}

static int get_tunnels(struct returnpath *r, struct look *l, struct err *e)
{
	for (size_t i = 0; i < l->links.n; i++) {
		if (str_eq(l->links.v[i].kind, "vxlan") &&
		    rtnl_get_tunnels(r->rtnl, l->links.v[i].index, &l->tunnels, e) < 0)
			return -1;
	}
	return 0;
}

static int look(struct returnpath *r, struct look *l, struct err *e)
{
	struct peers_input in = { .self = r->node_name,
				  .links = &l->links,
				  .addresses = &l->addresses,
				  .tunnels = &l->tunnels };
	void *value;

	for (size_t cursor = 0; map_next(&r->nodes, &cursor, NULL, &value);)
		vec_push(&l->nodes, value);
	l->self = map_get(&r->nodes, r->node_name);
	in.nodes = l->nodes.v;
	in.n_nodes = l->nodes.n;
	if (rtnl_get_links(r->rtnl, &l->links, e) < 0 ||
	    rtnl_get_addresses(r->rtnl, &l->addresses, e) < 0 ||
	    rtnl_get_rules(r->rtnl, &l->rules, e) < 0 || get_tunnels(r, l, e) < 0 ||
	    find_routes(r, l, &in, e) < 0)
		return -1;
	in.routes = l->routes.v;
	in.n_routes = l->routes.n;
	peers_hops(&in, &l->hops);
	for (size_t i = 0; i < l->routes.n; i++) {
		struct peers_route *route = &l->routes.v[i];

		route->proof = prober_proof(r->prober, route->via.len ? &route->via : &route->to);
	}
	peers_make(&in, &l->want);
	return 0;
}

/* --- acting --- */

struct act {
	struct rtnl *rtnl;
	struct err *e; /* the first failure */
};

static int keep_first(const struct act *a, int r, const struct err *e)
{
	if (r < 0 && a->e->code == ERR_NONE)
		*a->e = *e;
	return r;
}

static int act_rule(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(a, rtnl_rule(a->rtnl, wanted ? RTNL_ADD : RTNL_DELETE, element, &e), &e);
}

static int act_route(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(a, rtnl_route(a->rtnl, wanted ? RTNL_REPLACE : RTNL_DELETE, element, &e),
			  &e);
}

static int act_neighbour(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(
	    a, rtnl_neighbour(a->rtnl, wanted ? RTNL_REPLACE : RTNL_DELETE, element, &e), &e);
}

/* Next hops stand on devices that a route of ours leads through, or shall. */
static bool leads_through(const netstate_routes *routes, int dev)
{
	for (size_t i = 0; i < routes->n; i++) {
		if (routes->v[i].dev == dev)
			return true;
	}
	return false;
}

static int act_address(void *ctx, const void *element, bool wanted)
{
	struct act *a = ctx;
	struct err e;

	return keep_first(a, rtnl_address(a->rtnl, wanted ? RTNL_ADD : RTNL_DELETE, element, &e),
			  &e);
}

static bool wants_address(const struct returnplan *want, const struct netstate_address *a)
{
	for (size_t i = 0; i < want->addresses.n; i++) {
		if (!addr_cmp(&want->addresses.v[i].addr, &a->addr))
			return want->addresses.v[i].bits == a->bits;
	}
	return false;
}

/* An earlier version's route to the source took the place of the one that the kernel made of the
 * address. That comes back only with the address made anew, as one of another scope is. */
static void take_sources(const struct returnplan *want, int lo, struct returnplan *ret)
{
	vec_keep(&ret->addresses, each,
		 each->dev == lo && (returnplan_is_source(each) || wants_address(want, each)));
	for (size_t i = 0; i < ret->addresses.n; i++) {
		struct netstate_address *a = &ret->addresses.v[i];
		const struct netstate_route route = { .table = RT_TABLE_LOCAL,
						      .dst = prefix_of(&a->addr, a->bits) };

		if (netstate_has_destination(&ret->routes, &route))
			a->host = false;
	}
}

static int get_ours(struct rtnl *rtnl, const struct returnplan *want, const netstate_links *links,
		    struct returnplan *ret, struct err *e)
{
	const struct netstate_link *loopback = netstate_link_named(links, "lo");

	if (rtnl_get_rules(rtnl, &ret->rules, e) < 0 ||
	    rtnl_get_routes(rtnl, &ret->routes, e) < 0 ||
	    rtnl_get_addresses(rtnl, &ret->addresses, e) < 0)
		return -1;
	vec_keep(&ret->rules, each, each->ours && returnplan_is_table(each->table));
	vec_keep(&ret->routes, each, returnplan_is_ours(each));
	take_sources(want, loopback ? loopback->index : 0, ret);
	for (size_t i = 0; i < links->n; i++) {
		int dev = links->v[i].index;

		if ((leads_through(&want->routes, dev) || leads_through(&ret->routes, dev)) &&
		    rtnl_get_neighbours(rtnl, dev, &ret->neighbours, e) < 0)
			return -1;
	}
	vec_keep(&ret->neighbours, each, !each->fdb && returnplan_is_next_hop(&each->addr));
	return 0;
}

/* Where packets go before what sends them there; what goes, the other way round. */
static int apply(struct rtnl *rtnl, const struct returnplan *want, const netstate_links *links,
		 struct err *e)
{
	struct returnplan have = { 0 };
	struct act a = { .rtnl = rtnl, .e = e };
	int r = get_ours(rtnl, want, links, &have, e);

	if (r == 0) {
		err_clear(e);
		netstate_each_difference(want->addresses.v, want->addresses.n, have.addresses.v,
					 have.addresses.n, sizeof(*have.addresses.v),
					 netstate_address_cmp, act_address, &a);
		netstate_each_difference(want->neighbours.v, want->neighbours.n, have.neighbours.v,
					 have.neighbours.n, sizeof(*have.neighbours.v),
					 netstate_neighbour_cmp, act_neighbour, &a);
		netstate_each_difference(want->routes.v, want->routes.n, have.routes.v,
					 have.routes.n, sizeof(*have.routes.v), netstate_route_cmp,
					 act_route, &a);
		netstate_each_difference(want->rules.v, want->rules.n, have.rules.v, have.rules.n,
					 sizeof(*have.rules.v), netstate_rule_cmp, act_rule, &a);
		r = e->code == ERR_NONE ? 0 : -1;
	}
	returnplan_fini(&have);
	return r;
}

/* --- what the kernel must allow --- */

static bool has_v6(const struct peers_node *n)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		if (n->addresses.v[i].len == 16)
			return true;
	}
	return false;
}

static int read_flag(const char *path, char *ret)
{
	AUTO_FREE char *text = NULL;

	*ret = '0';
	if (fs_read(path, SYSCTL_BYTES, &text, NULL, NULL) < 0 || !*text)
		return -1;
	*ret = *text;
	return 0;
}

/* A client's packet that another node passed on comes in by a device that no route to the client
 * leads through: the strict check would drop it. The stricter of the two settings counts. */
static int loosen(const char *dev, struct err *e)
{
	AUTO_FREE char *path = str_fmt("/proc/sys/net/ipv4/conf/%s/rp_filter", dev);
	AUTO_FD fd = -1;
	char own, all;

	if (read_flag(path, &own) < 0 ||
	    read_flag("/proc/sys/net/ipv4/conf/all/rp_filter", &all) < 0)
		return 0;
	if (own == '2' || all == '2' || (own != '1' && all != '1'))
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "2", 1) != 1)
		return err_os(e, errno,
			      "packets that other nodes pass on would be dropped, set "
			      "net.ipv4.conf.%s.rp_filter to 2",
			      dev);
	log_info("net.ipv4.conf.%s.rp_filter is 2 (loose) now", dev);
	return 0;
}

static int check_forwarding(const char *name, struct err *e)
{
	AUTO_FREE char *path = str_fmt("/proc/sys/net/%s", name);
	char flag;

	if (read_flag(path, &flag) == 0 && flag == '0')
		return err_set(e, ERR_INVALID, "net/%s is 0: nothing is passed on to pods", name);
	return 0;
}

static int check_kernel(const struct peers *want, bool v6, struct err *e)
{
	if (check_forwarding("ipv4/ip_forward", e) < 0 ||
	    (v6 && check_forwarding("ipv6/conf/all/forwarding", e) < 0))
		return -1;
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		if (want->slot[i].dev && loosen(want->slot[i].name, e) < 0)
			return -1;
	}
	return 0;
}

/* --- telling --- */

static void tell(struct returnpath *r, struct peers *p)
{
	char **lines = TAKE(p->incapable);
	struct map said = { 0 };

	for (size_t i = 0; lines && lines[i]; i++) {
		if (!map_get(&r->told, lines[i]))
			log_v(2, "connections are masqueraded toward %s", lines[i]);
		map_put(&said, lines[i], r);
	}
	/* while peers are asked, it is not worth a line */
	if (strv_len(lines) != r->incapable && !prober_busy(r->prober))
		log_info("connections are masqueraded toward %zu ranges of other nodes%s%s",
			 strv_len(lines), lines ? "; " : "", lines ? lines[0] : "");
	r->incapable = strv_len(lines);
	strv_free(lines);
	map_fini(&r->told);
	r->told = said;
}

/* Whether others have heard by which Ethernet addresses we send. remaining: when not, how long it
 * takes. */
static bool settled(const struct returnpath *r, const struct peers_node *self, const char *record,
		    int64_t *remaining_usec)
{
	int64_t since = clock_mono_usec() - r->published_usec;

	*remaining_usec = 0;
	if (!peers_has_said(self, record))
		return false;
	if (!r->published_usec || since >= SETTLE_USEC)
		return true;
	*remaining_usec = SETTLE_USEC - since;
	return false;
}

/* --- a turn --- */

/* The earlier of two wake-ups counts. */
static void wake_in(struct returnpath *r, int64_t usec)
{
	uint64_t at = (uint64_t)(clock_mono_usec() + usec), set;

	if (!r->started_usec || (sd_event_source_get_enabled(r->timer, NULL) > 0 &&
				 sd_event_source_get_time(r->timer, &set) >= 0 && set <= at))
		return;
	sd_event_source_set_time(r->timer, at);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static void publish(struct returnpath *r, const char *record)
{
	if (!str_eq(r->published, record))
		r->publish(r->ctx, record);
}

/* have: the frames as they were just read, or NULL. */
static int give(struct returnpath *r, const struct frames *have, struct peers *want, struct err *e)
{
	int result;

	if (r->given && peers_equal(want, &r->last))
		return 0;
	r->given = false;
	peers_fini(&r->last);
	peers_copy(want, &r->last);
	result = dataplane_set_peers(r->dataplane, have, want, e);
	r->given = result == 0;
	return result;
}

static void tell_exits(struct returnpath *r, bool v6, enum exits_answer now, const char *why_not)
{
	if (r->exits_told[v6] == now)
		return;
	r->exits_told[v6] = now;
	log_info("replies of IPv%d are routed %s%s", v6 ? 6 : 4,
		 now == EXITS_ONE ? "by the main table alone" : "by a rule: ", why_not);
}

static bool look_at_exit(struct returnpath *r, const struct exits *x, bool v6, int dev)
{
	AUTO_STR why_not = { 0 };
	enum exits_answer answer = exits_look(x, v6, dev, &why_not);
	int64_t left;

	if (exits_wait(&r->patience[v6], x, v6, dev, answer, clock_mono_usec(), &left)) {
		r->waits = true;
		if (left)
			wake_in(r, left);
		return true;
	}
	tell_exits(r, v6, answer, str_text(&why_not));
	return answer == EXITS_ONE;
}

static int look_at_exits(struct returnpath *r, struct look *l, struct returnplan_node *ret,
			 struct err *e)
{
	int dev = returnplan_only_device(&l->want), result = 0;
	netstate_routes routes = { 0 };
	const struct exits exits = { .rules = &l->rules,
				     .routes = &routes,
				     .links = &l->links,
				     .addresses = &l->addresses,
				     .pods = &l->self->pod_cidrs,
				     .promised = l->self->returns };

	r->waits = false;
	if (dev)
		result = rtnl_get_all_routes(r->rtnl, &routes, e);
	/* what an earlier life left for probes is replaced */
	vec_keep(&routes, each, !returnplan_is_ours(each));
	for (size_t i = 0; i < (ret->v6 ? 2 : 1) && dev && result == 0; i++)
		ret->one_exit[i] = look_at_exit(r, &exits, i, dev);
	vec_fini(&routes);
	return result;
}

static int install(struct returnpath *r, struct look *l, struct err *e)
{
	const struct netstate_link *loopback = netstate_link_named(&l->links, "lo");
	struct returnplan_node node = {
		.source = { prober_source(r->node_name, false), prober_source(r->node_name, true) },
		.range = { prober_range(false), prober_range(true) },
		.loopback = loopback ? loopback->index : 0,
		.v6 = has_v6(l->self),
	};
	struct returnplan plan = { 0 };
	int result = 0;

	if (dataplane_get_frames(r->dataplane, &l->links, &l->frames, e) < 0 ||
	    peermarks_assign(&l->frames.marks, &l->links, r->mask, &l->want, e) < 0 ||
	    check_kernel(&l->want, node.v6, e) < 0 || look_at_exits(r, l, &node, e) < 0)
		result = -1;
	if (result == 0) {
		returnplan_make(&l->want, &node, &plan);
		result = apply(r->rtnl, &plan, &l->links, e);
	}
	returnplan_fini(&plan);
	return result;
}

/* What an earlier life left in the kernel is all there is. */
static bool lives_on_heritage(const struct returnpath *r)
{
	return r->inherits && !r->last.mask && r->failures < PATIENCE;
}

/* Nothing is promised. keep: who is told apart stays, as live connections use it. */
static void withdraw(struct returnpath *r, bool keep)
{
	struct peers p = { 0 };
	struct err e;

	publish(r, NULL);
	if (keep && lives_on_heritage(r))
		return;
	if (keep)
		peers_copy(&r->last, &p);
	p.symmetric.n = 0;
	if (give(r, NULL, &p, &e) < 0)
		log_err_warning(&e, "replies of other nodes' connections");
	peers_fini(&p);
}

/* Somebody else's packets carry our bits: they must not be taken for replies. */
static int yield_marks(struct returnpath *r, struct err *e)
{
	struct err failure;

	withdraw(r, false);
	if (returnpath_cleanup(&failure) < 0)
		log_err_warning(&failure, "marks of somebody else");
	return err_wrap(e, "marks");
}

/* What an earlier life proved is in the kernel, and holds until it is proven again. Services wait
 * meanwhile, but not for nodes that are dead. */
static bool awaits_proofs(const struct returnpath *r, int64_t *remaining_usec)
{
	int64_t left = r->started_usec + PROOFS_USEC - clock_mono_usec();

	if (!r->inherits || r->given || left <= 0 || !prober_busy(r->prober))
		return false;
	*remaining_usec = left;
	return true;
}

static int turn(struct returnpath *r, int64_t *ret_again_usec, struct err *e)
{
	CLEANUP(look_fini) struct look l = { 0 };
	AUTO_FREE char *record = NULL;

	*ret_again_usec = 0;
	if (!r->mask) {
		withdraw(r, false);
		return returnpath_cleanup(e);
	}
	if (!map_get(&r->nodes, r->node_name))
		return 0;
	if (look(r, &l, e) < 0)
		return -1;
	if (returnplan_check(&l.rules, r->mask, e) < 0)
		return yield_marks(r, e);
	if (install(r, &l, e) < 0) {
		withdraw(r, true);
		return -1;
	}
	prober_want(r->prober, l.hops.v, l.hops.n);
	tell(r, &l.want);
	if (awaits_proofs(r, ret_again_usec))
		return 0;
	record = peers_record(r->boot_id, l.self, &l.links, &l.addresses);
	if (r->masquerade_all || !settled(r, l.self, record, ret_again_usec))
		l.want.symmetric.n = 0;
	if (give(r, &l.frames, &l.want, e) < 0) {
		publish(r, NULL);
		return -1;
	}
	/* what was promised before is not taken back */
	if (!r->waits || l.self->returns)
		publish(r, record);
	return 0;
}

int returnpath_cleanup(struct err *e)
{
	const struct returnplan none = { 0 };
	netstate_links links = { 0 };
	struct rtnl *rtnl = NULL;
	int r = rtnl_new(&rtnl, e);

	if (r == 0)
		r = rtnl_get_links(rtnl, &links, e);
	if (r == 0)
		r = apply(rtnl, &none, &links, e);
	vec_fini(&links);
	rtnl_free(rtnl);
	return r < 0 ? err_wrap(e, "routing of replies") : 0;
}

/* --- when --- */

static void wake(void *ctx)
{
	struct returnpath *r = ctx;
	int64_t gap = r->not_before_usec - clock_mono_usec();

	/* tries that fail keep their pauses */
	if ((!r->mask && r->given) || r->failures)
		return;
	wake_in(r, gap > GATHER_USEC ? gap : GATHER_USEC);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct returnpath *r = userdata;
	int64_t begin = clock_mono_usec(), again, cost;
	struct err e;
	int result;

	(void)s;
	(void)usec;
	result = turn(r, &again, &e);
	cost = (clock_mono_usec() - begin) * COST_FACTOR;
	r->not_before_usec = begin + (cost > GAP_USEC ? cost : GAP_USEC);
	if (result == 0) {
		r->failures = 0;
		if (again || r->mask)
			wake_in(r, again ? again : LOOK_USEC);
		r->turned(r->ctx);
		return 0;
	}
	if (!r->failures)
		log_err_warning(&e, "connections to other nodes are masqueraded");
	if (r->failures < FAILURES_MAX)
		r->failures++;
	wake_in(r, (int64_t)USEC_PER_SEC << r->failures);
	r->turned(r->ctx);
	return 0;
}

static bool has_marks(struct returnpath *r)
{
	const netstate_links none = { 0 };
	struct frames have = { 0 };
	bool some =
	    dataplane_get_frames(r->dataplane, &none, &have, NULL) == 0 && have.marks.marks.n;

	frames_fini(&have);
	return some;
}

int returnpath_new(sd_event *loop, const struct returnpath_settings *settings,
		   struct dataplane *dataplane, struct returnpath **ret, struct err *e)
{
	CLEANUP(returnpath_freep) struct returnpath *r = NEW(struct returnpath);
	int result;

	r->loop = loop;
	r->dataplane = dataplane;
	r->node_name = mem_strdup(settings->node_name);
	r->boot_id = mem_strdup(settings->boot_id);
	r->mask = settings->mask;
	r->masquerade_all = settings->masquerade_all;
	r->publish = settings->publish;
	r->turned = settings->turned;
	r->ctx = settings->ctx;
	result = sd_event_add_time_relative(loop, &r->timer, CLOCK_MONOTONIC, 0,
					    TIMER_ACCURACY_USEC, on_timer, r);
	if (result < 0)
		return err_os(e, -result, "return path");
	sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	if (rtnl_new(&r->rtnl, e) < 0 || rtnl_watch(r->rtnl, loop, wake, r, e) < 0 ||
	    prober_new(loop, r->node_name, wake, r, &r->prober, e) < 0)
		return err_wrap(e, "return path");
	r->inherits = has_marks(r);
	*ret = TAKE(r);
	return 0;
}

void returnpath_free(struct returnpath *r)
{
	void *value;

	if (!r)
		return;
	sd_event_source_disable_unref(r->timer);
	rtnl_free(r->rtnl);
	prober_free(r->prober);
	for (size_t cursor = 0; map_next(&r->nodes, &cursor, NULL, &value);)
		peers_node_free(value);
	map_fini(&r->nodes);
	peers_fini(&r->last);
	map_fini(&r->told);
	free(r->published);
	free(r->node_name);
	free(r->boot_id);
	free(r);
}

void returnpath_configure(struct returnpath *r, uint32_t mask, bool masquerade_all)
{
	if (r->mask == mask && r->masquerade_all == masquerade_all)
		return;
	r->mask = mask;
	r->masquerade_all = masquerade_all;
	wake(r);
}

static const char *annotation(const Core__Node *node)
{
	for (size_t i = 0; i < node->metadata->n_annotations; i++) {
		if (str_eq(node->metadata->annotations[i]->key, PEERS_ANNOTATION))
			return node->metadata->annotations[i]->value;
	}
	return NULL;
}

static void take_own(struct returnpath *r, const Core__Node *node, const struct peers_node *before)
{
	const char *said = annotation(node);

	if (str_eq(said, r->published))
		return;
	free(r->published);
	r->published = mem_strdup(said);
	if (!before || !said || !peers_has_said(before, said))
		r->published_usec = r->started_usec ? clock_mono_usec() : 0;
	wake(r);
}

void returnpath_put_node(struct returnpath *r, const Core__Node *node)
{
	struct peers_node *n = peers_node_read(node);
	const struct peers_node *before = map_get(&r->nodes, n->name);

	if (str_eq(n->name, r->node_name))
		take_own(r, node, before);
	if (before && peers_node_equal(before, n)) {
		peers_node_free(n);
		return;
	}
	peers_node_free(map_put(&r->nodes, n->name, n));
	wake(r);
}

void returnpath_remove_node(struct returnpath *r, const char *name)
{
	peers_node_free(map_remove(&r->nodes, name));
	wake(r);
}

void returnpath_start(struct returnpath *r)
{
	r->started_usec = clock_mono_usec();
	wake(r);
}

bool returnpath_ready(const struct returnpath *r)
{
	return r->given || r->failures > PATIENCE || !r->inherits;
}

size_t returnpath_incapable(const struct returnpath *r)
{
	return r->incapable;
}
