/* Services in the kernel (contract in dataplane.h). Effect: owns the store, both families' programs
 * and the clock that runs them. */
#include "dataplane.h"

#include <errno.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bridgecheck.h"
#include "conntrack.h"
#include "egress.h"
#include "ifaddr.h"
#include "nftio.h"
#include "program.h"
#include "svcexplain.h"
#include "zonecheck.h"

enum {
	FULL_USEC = 3600 * (int64_t)USEC_PER_SEC, /* even if all seems well */
	RETRY_MIN_USEC = 250 * USEC_PER_MSEC,
	LARGE_SYNC = 10000,          /* elements */
	FOREIGN_USEC = USEC_PER_SEC, /* at most so often for somebody else's changes */
};

struct dpfamily {
	bool enabled;
	struct program *program;
	prefix_list pods, services;
	struct addr node_ip;
	bool more; /* a large change is under way, a transaction at a time */
	int64_t retry_usec, retry_at_usec; /* back-off, monotonic */
	int64_t trigger_usec;              /* oldest, wall clock */
	int64_t last_sync_usec, last_queued_usec;
	int64_t pending_since_usec; /* monotonic */
	uint64_t sync_failures, cleanup_failures, conntrack_deleted;
};

struct dataplane {
	sd_event *loop;
	struct dataplane_ops ops;
	void *ctx;
	/* settings, copied */
	char *node_name, *local_interface;
	enum dataplane_local local;
	char **cluster_cidrs, **node_port_addresses;
	bool masquerade_all, zones;
	uint32_t masquerade_mark;
	int64_t min_sync_usec, sync_usec;
	/* the own node */
	VEC(struct addr) node_ips; /* internal, then external */
	char **pod_cidrs, **service_cidrs;
	struct peers peers;

	struct svcstore store;
	struct nftio *io;
	struct dpfamily family[DATAPLANE_FAMILIES];
	VEC(struct svc *) touched;
	VEC(struct addr) node_port_ips;
	sd_event_source *timer;
	bool started, health_changed, foreign, frames_doubted;
	int64_t last_usec, full_at_usec; /* monotonic */
	uint64_t service_changes, endpoint_changes, service_pending, endpoint_pending;
};

static void arm(struct dataplane *d);

/* Settings */

static void parse_prefixes(char *const *v, const char *what, enum dataplane_family f,
			   prefix_list *ret)
{
	ret->n = 0;
	for (; v && *v; v++) {
		struct prefix p;
		struct err e;

		if (prefix_parse(*v, &p, &e) < 0)
			log_err_warning(&e, "%s is left out", what);
		else if (p.addr.len == nft_addr_len(f))
			vec_push(ret, p);
	}
}

/* "primary", or nothing: the node's first address of each family. */
static bool primary_only(const struct dataplane *d)
{
	return !strv_len(d->node_port_addresses) || strv_has(d->node_port_addresses, "primary");
}

static bool covers_all(const struct dataplane *d, enum dataplane_family f)
{
	return !primary_only(d) &&
	       strv_has(d->node_port_addresses, f == DATAPLANE_IPV4 ? "0.0.0.0/0" : "::/0");
}

/* Addresses of this machine within the prefixes; loopback never serves node ports. */
static int find_node_port_ips(struct dataplane *d, const prefix_list *within, struct err *e)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return err_os(e, errno, "list interface addresses");
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct addr a;
		bool in = false;

		if ((i->ifa_flags & IFF_LOOPBACK) || !ifaddr_read(i, &a))
			continue;
		for (size_t j = 0; j < within->n; j++)
			in |= prefix_has(&within->v[j], &a);
		if (in)
			vec_push(&d->node_port_ips, a);
	}
	freeifaddrs(list);
	return 0;
}

static int read_node_port_ips(struct dataplane *d, enum dataplane_family f, struct err *e)
{
	prefix_list within = { 0 };
	int r;

	d->node_port_ips.n = 0;
	if (primary_only(d)) {
		if (d->family[f].node_ip.len && !addr_is_loopback(&d->family[f].node_ip))
			vec_push(&d->node_port_ips, d->family[f].node_ip);
		return 0;
	}
	parse_prefixes(d->node_port_addresses, "nodePortAddresses", f, &within);
	r = find_node_port_ips(d, &within, e);
	vec_fini(&within);
	return r;
}

static void configure_family(struct dataplane *d, enum dataplane_family f)
{
	struct dpfamily *fam = &d->family[f];
	struct skeleton_settings s = { .family = f,
				       .local = d->local,
				       .local_interface = d->local_interface,
				       .masquerade_all = d->masquerade_all,
				       .all_node_ports = covers_all(d, f),
				       .zones = d->zones,
				       .masquerade_mark = d->masquerade_mark };
	struct program_node node = { .node_ip = fam->node_ip };
	struct err e;

	parse_prefixes(d->local == DATAPLANE_LOCAL_NODE_CIDR ? d->pod_cidrs : d->cluster_cidrs,
		       "a range of pods", f, &fam->pods);
	parse_prefixes(d->service_cidrs, "a range of services", f, &fam->services);
	s.pods = fam->pods.v;
	s.n_pods = fam->pods.n;
	s.service_cidrs = fam->services.v;
	s.n_service_cidrs = fam->services.n;
	node.keep_node_port_ips = read_node_port_ips(d, f, &e) < 0;
	if (node.keep_node_port_ips)
		log_err_warning(&e, "node ports stay on the addresses that they have");
	node.node_port_ips = d->node_port_ips.v;
	node.n_node_port_ips = d->node_port_ips.n;
	program_configure(fam->program, &s, &node);
}

static void queued(struct dataplane *d, enum dataplane_family f)
{
	struct dpfamily *fam = &d->family[f];

	fam->last_queued_usec = clock_wall_usec();
	if (!fam->pending_since_usec)
		fam->pending_since_usec = clock_mono_usec();
}

/* Everything but the services. */
static void reconfigure(struct dataplane *d)
{
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		configure_family(d, f);
		queued(d, f);
	}
	arm(d);
}

static void free_settings(struct dataplane *d)
{
	free(d->local_interface);
	strv_free(d->cluster_cidrs);
	strv_free(d->node_port_addresses);
	d->local_interface = NULL;
	d->cluster_cidrs = d->node_port_addresses = NULL;
}

static int copy_settings(struct dataplane *d, const struct dataplane_settings *s, struct err *e)
{
	if (s->masquerade_bit < 0 || s->masquerade_bit > 31)
		return err_set(e, ERR_INVALID, "masqueradeBit: %d is not in 0 … 31",
			       s->masquerade_bit);
	free_settings(d);
	d->local = s->local;
	d->local_interface = mem_strdup(s->local_interface);
	for (char *const *v = s->cluster_cidrs; v && *v; v++)
		strv_push(&d->cluster_cidrs, *v);
	for (char *const *v = s->node_port_addresses; v && *v; v++)
		strv_push(&d->node_port_addresses, *v);
	d->masquerade_all = s->masquerade_all;
	d->masquerade_mark = (uint32_t)1 << s->masquerade_bit;
	d->min_sync_usec = s->min_sync_usec;
	d->sync_usec = s->sync_usec > RETRY_MIN_USEC ? s->sync_usec : RETRY_MIN_USEC;
	return 0;
}

int dataplane_configure(struct dataplane *d, const struct dataplane_settings *settings,
			struct err *e)
{
	if (copy_settings(d, settings, e) < 0)
		return -1;
	reconfigure(d);
	return 0;
}

/* Life */

static void warn_service(void *ctx, const struct svc *svc, const char *reason, const char *message)
{
	struct dataplane *d = ctx;

	log_warning("service %s: %s", svc->key, message);
	if (d->ops.warn)
		d->ops.warn(d->ctx, svc->ns, svc->name, reason, message);
}

static void foreign_change(void *ctx)
{
	struct dataplane *d = ctx;

	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++)
		program_distrust(d->family[f].program);
	d->foreign = d->frames_doubted = true;
	arm(d);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx);

int dataplane_new(sd_event *loop, const struct dataplane_settings *settings,
		  const struct dataplane_ops *ops, void *ctx, struct dataplane **ret, struct err *e)
{
	struct dataplane *d = NEW(struct dataplane);
	int r;

	d->loop = sd_event_ref(loop);
	d->ops = *ops;
	d->ctx = ctx;
	svcstore_init(&d->store, settings->node_name);
	if (copy_settings(d, settings, e) < 0 ||
	    nftio_new(loop, foreign_change, d, &d->io, e) < 0) {
		dataplane_free(d);
		return -1;
	}
	d->zones = zonecheck_possible(d->io);
	r = sd_event_add_time(loop, &d->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC, on_timer,
			      d);
	if (r < 0 || sd_event_source_set_enabled(d->timer, SD_EVENT_OFF) < 0) {
		dataplane_free(d);
		return err_os(e, -r, "timer of the data plane");
	}
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		d->family[f].program = program_new(f, &d->store, d->io, warn_service, d);
		d->family[f].enabled =
		    f == DATAPLANE_IPV4 || access("/proc/net/if_inet6", F_OK) == 0;
	}
	reconfigure(d);
	*ret = d;
	return 0;
}

void dataplane_free(struct dataplane *d)
{
	if (!d)
		return;
	sd_event_source_unref(d->timer);
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		program_free(d->family[f].program);
		vec_fini(&d->family[f].pods);
		vec_fini(&d->family[f].services);
	}
	peers_fini(&d->peers);
	nftio_free(d->io);
	svcstore_fini(&d->store);
	free_settings(d);
	strv_free(d->pod_cidrs);
	strv_free(d->service_cidrs);
	vec_fini(&d->node_ips);
	vec_fini(&d->node_port_ips);
	vec_fini(&d->touched);
	sd_event_unref(d->loop);
	free(d);
}

/* Objects */

static void touch(struct dataplane *d, struct svc *svc)
{
	if (!svc)
		return;
	if (!svc->touched) {
		svc->touched = true;
		vec_push(&d->touched, svc);
	}
	d->health_changed |= svc->health_port;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		if (!d->family[f].enabled)
			continue;
		program_mark(d->family[f].program, svc);
		queued(d, f);
	}
	arm(d);
}

void dataplane_put_service(struct dataplane *d, const Core__Service *service)
{
	struct svc *svc = svcstore_put_service(&d->store, service);

	d->service_changes += svc != NULL;
	d->service_pending += svc != NULL;
	/* whether it had a port for health checks before is not known any more */
	d->health_changed |= svc != NULL;
	touch(d, svc);
}

void dataplane_remove_service(struct dataplane *d, const char *ns, const char *name)
{
	struct svc *svc = svcstore_remove_service(&d->store, ns, name);

	d->service_changes += svc != NULL;
	d->service_pending += svc != NULL;
	d->health_changed |= svc != NULL;
	touch(d, svc);
}

static void note_trigger(struct dataplane *d, const struct svc *svc)
{
	for (const struct svcslice *s = svc ? svc->slices : NULL; s; s = s->next) {
		int64_t *oldest = &d->family[s->family].trigger_usec;

		/* the newest slice is the first; older ones were counted when they came */
		if (d->started && s->trigger_usec && (!*oldest || s->trigger_usec < *oldest))
			*oldest = s->trigger_usec;
		break;
	}
}

void dataplane_put_slice(struct dataplane *d, const Discovery__EndpointSlice *slice)
{
	struct svc *other, *svc = svcstore_put_slice(&d->store, slice, &other);

	d->endpoint_changes += svc != NULL;
	d->endpoint_pending += svc != NULL;
	note_trigger(d, svc);
	touch(d, svc);
	touch(d, other);
}

void dataplane_remove_slice(struct dataplane *d, const char *ns, const char *name)
{
	struct svc *svc = svcstore_remove_slice(&d->store, ns, name);

	d->endpoint_changes += svc != NULL;
	d->endpoint_pending += svc != NULL;
	touch(d, svc);
}

static void touch_all(struct dataplane *d)
{
	void *svc;

	for (size_t at = 0; map_next(&d->store.services, &at, NULL, &svc);)
		touch(d, svc);
}

static void read_node_ips(struct dataplane *d, const Core__NodeStatus *status)
{
	static const char *const types[] = { "InternalIP", "ExternalIP" };

	d->node_ips.n = 0;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		for (size_t i = 0; status && i < status->n_addresses; i++) {
			struct addr a;

			if (str_eq(status->addresses[i]->type, types[t]) &&
			    addr_parse(status->addresses[i]->address, &a, NULL) == 0)
				vec_push(&d->node_ips, a);
		}
	}
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		d->family[f].node_ip = (struct addr){ 0 };
		for (size_t i = d->node_ips.n; i-- > 0;) {
			if (d->node_ips.v[i].len == nft_addr_len(f))
				d->family[f].node_ip = d->node_ips.v[i];
		}
	}
}

/* true: it is different now. v is taken over. */
static bool replace_strv(char ***field, char **v)
{
	bool same = strv_equal(*field, v);

	strv_free(*field);
	*field = v;
	return !same;
}

static const char *zone_of(const Meta__ObjectMeta *m)
{
	for (size_t i = 0; i < m->n_labels; i++) {
		if (str_eq(m->labels[i]->key, "topology.kubernetes.io/zone"))
			return m->labels[i]->value;
	}
	return NULL;
}

void dataplane_put_node(struct dataplane *d, const Core__Node *node)
{
	struct addr before[DATAPLANE_FAMILIES] = { d->family[0].node_ip, d->family[1].node_ip };
	char **cidrs = NULL;
	bool changed, all;

	if (!node->metadata || !str_eq(node->metadata->name, d->store.node_name))
		return;
	for (size_t i = 0; node->spec && i < node->spec->n_podcidrs; i++)
		strv_push(&cidrs, node->spec->podcidrs[i]);
	changed = replace_strv(&d->pod_cidrs, cidrs);
	read_node_ips(d, node->status);
	all = addr_cmp(&before[0], &d->family[0].node_ip) ||
	      addr_cmp(&before[1], &d->family[1].node_ip);
	changed |= all;
	all |= svcstore_set_zone(&d->store, zone_of(node->metadata));
	if (changed)
		reconfigure(d);
	if (all)
		touch_all(d);
}

void dataplane_remove_node(struct dataplane *d, const char *name)
{
	/* our own goes when it is registered anew; what it said holds until then */
	(void)d;
	(void)name;
}

void dataplane_set_service_cidrs(struct dataplane *d, char *const *cidrs)
{
	char **copy = NULL;

	for (; cidrs && *cidrs; cidrs++)
		strv_push(&copy, *cidrs);
	if (replace_strv(&d->service_cidrs, copy))
		reconfigure(d);
}

/* Peers */

int dataplane_get_frames(struct dataplane *d, const netstate_links *links, struct frames *ret,
			 struct err *e)
{
	if (egress_read(d->io, ret, e) < 0)
		return -1;
	frames_name_slots(ret, links);
	return 0;
}

static int write_frames(struct dataplane *d, const struct frames *have, struct err *e)
{
	struct peermarks want;
	int r;

	peermarks_of(&d->peers, &want);
	r = egress_write(d->io, have, d->peers.mask, &want, e);
	peermarks_fini(&want);
	return r;
}

/* Frames first: a mark must not lead to nowhere. */
int dataplane_set_peers(struct dataplane *d, const struct frames *have, struct peers *peers,
			struct err *e)
{
	static const struct peers nobody;
	int r;

	peers_fini(&d->peers);
	d->peers = *peers;
	*peers = nobody;
	r = write_frames(d, have, e);
	if (r < 0)
		peers_fini(&d->peers);
	d->frames_doubted = false;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++)
		program_set_peers(d->family[f].program, &d->peers);
	arm(d);
	return r;
}

/* Whatever somebody else did to them. */
static void heal_frames(struct dataplane *d)
{
	struct err e;

	if (!d->frames_doubted)
		return;
	d->frames_doubted = false;
	if (write_frames(d, NULL, &e) < 0)
		log_err_warning(&e, "replies to connections that other nodes passed on");
}

/* Syncs */

static void ended(struct dataplane *d, enum dataplane_family f, const struct program_result *result,
		  int64_t took_usec, const struct err *e)
{
	struct dpfamily *fam = &d->family[f];
	int64_t trigger = result->more ? 0 : fam->trigger_usec;

	fam->more = result->more;

	if (e) {
		fam->sync_failures++;
		fam->retry_usec = fam->retry_usec ? 2 * fam->retry_usec : RETRY_MIN_USEC;
		if (fam->retry_usec > d->sync_usec)
			fam->retry_usec = d->sync_usec;
		fam->retry_at_usec = clock_mono_usec() + fam->retry_usec;
		log_err(e, "services of IPv%d, next try in %lld ms", f == DATAPLANE_IPV4 ? 4 : 6,
			(long long)fam->retry_usec / USEC_PER_MSEC);
	} else {
		fam->retry_usec = fam->retry_at_usec = 0;
		fam->last_sync_usec = clock_wall_usec();
		if (!result->more)
			fam->pending_since_usec = fam->trigger_usec = 0;
		log_v(2, "services of IPv%d: %llu elements added, %llu deleted%s in %lld us",
		      f == DATAPLANE_IPV4 ? 4 : 6, (unsigned long long)result->adds,
		      (unsigned long long)result->deletes, result->full ? ", table read back" : "",
		      (long long)took_usec);
	}
	if (d->ops.synced)
		d->ops.synced(d->ctx, f, result->full, took_usec, e ? 0 : trigger, e);
}

/* After the rules: what was remembered of UDP under the old ones. */
static void sweep(struct dataplane *d, enum dataplane_family f)
{
	struct dpfamily *fam = &d->family[f];
	struct ctplan *plan = program_ctplan(fam->program);
	uint64_t deleted = 0;
	struct err e;

	if (ctplan_empty(plan))
		return;
	d->node_port_ips.n = 0;
	if ((!covers_all(d, f) && read_node_port_ips(d, f, &e) < 0) ||
	    conntrack_sweep(d->io, f, plan, d->node_port_ips.v, d->node_port_ips.n, &deleted, &e) <
		0) {
		fam->cleanup_failures++;
		log_err_warning(&e, "services of IPv%d", f == DATAPLANE_IPV4 ? 4 : 6);
	}
	fam->conntrack_deleted += deleted;
	ctplan_fini(plan);
}

static bool wants_sync(const struct dpfamily *fam, int64_t now)
{
	int64_t due = program_due_usec(fam->program);

	return fam->enabled && now >= fam->retry_at_usec &&
	       (program_pending(fam->program) || (due && due <= now));
}

static bool is_dirty(const struct svc *svc)
{
	bool dirty = false;

	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++)
		dirty |= svc->family[f].dirty;
	return dirty;
}

/* Records of services that are gone, and of ports; those that a family has yet to look at stay. */
static void tidy(struct dataplane *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->touched.n; i++) {
		struct svc *svc = d->touched.v[i];

		if (is_dirty(svc)) {
			d->touched.v[kept++] = svc;
			continue;
		}
		svc->touched = false;
		svcstore_clear_gone(svc);
		svcstore_forget(&d->store, svc);
	}
	d->touched.n = kept;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct dataplane *d = ctx;
	int64_t now = clock_mono_usec();
	bool large = false, changed = false;

	(void)s;
	(void)usec;
	if (now >= d->full_at_usec) {
		/* interfaces may have other addresses by now */
		for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
			configure_family(d, f);
			program_distrust(d->family[f].program);
		}
		d->frames_doubted = true;
		d->full_at_usec = now + FULL_USEC;
	}
	heal_frames(d);
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		int64_t begin = clock_mono_usec(), took;
		struct program_result result;
		struct err e;
		int r;

		if (!wants_sync(&d->family[f], now))
			continue;
		changed |= program_pending(d->family[f].program);
		r = program_sync(d->family[f].program, now, &result, &e);
		took = clock_mono_usec() - begin;
		/* first: whoever hears of the sync counts on it */
		if (r == 0)
			sweep(d, f);
		ended(d, f, &result, took, r < 0 ? &e : NULL);
		large |= result.full || result.adds > LARGE_SYNC;
	}
	/* what a large transaction took goes back at once: it is many times what stays */
	if (large)
		malloc_trim(0);
	/* what only takes old elements away does not hold up the next change */
	if (changed)
		d->last_usec = now;
	d->foreign = false;
	d->service_pending = d->endpoint_pending = 0;
	tidy(d);
	if (d->health_changed && d->ops.health_changed)
		d->ops.health_changed(d->ctx);
	d->health_changed = false;
	arm(d);
	return 0;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When the timer must run. */
static void arm(struct dataplane *d)
{
	int64_t at = d->full_at_usec;

	if (!d->started)
		return;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		const struct dpfamily *fam = &d->family[f];
		int64_t gap = d->foreign ? later(d->min_sync_usec, FOREIGN_USEC) : d->min_sync_usec;
		int64_t t = d->last_usec ? d->last_usec + gap : 0;
		int64_t due = program_due_usec(fam->program);

		if (!fam->enabled)
			continue;
		t = fam->more ? 0 : later(t, fam->retry_at_usec);
		if (program_pending(fam->program) && t < at)
			at = t;
		if (due && later(due, fam->retry_at_usec) < at)
			at = later(due, fam->retry_at_usec);
	}
	sd_event_source_set_time(d->timer, (uint64_t)later(at, 0));
	sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

/* Told once: nothing that we could do about it is ours to do. */
static void check_bridges(const struct dataplane *d)
{
	char bridge[IF_NAMESIZE];
	const char *sysctl;
	prefix_list pods = { 0 };

	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		parse_prefixes(d->pod_cidrs, "podCIDRs", f, &pods);
		if (bridgecheck_broken(pods.v, pods.n, bridge, &sysctl))
			log_warning("pods behind bridge %s cannot reach each other through "
				    "services: %s is not 1",
				    bridge, sysctl);
	}
	vec_fini(&pods);
}

void dataplane_start(struct dataplane *d)
{
	if (d->started)
		return;
	d->started = true;
	check_bridges(d);
	if (!d->zones)
		log_warning(
		    "the kernel has no CONFIG_NF_CONNTRACK_ZONES: a client that reaches one "
		    "endpoint by two nodes needs two source ports");
	d->full_at_usec = clock_mono_usec() + FULL_USEC;
	arm(d);
}

void dataplane_resync(struct dataplane *d)
{
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++)
		program_distrust(d->family[f].program);
	arm(d);
}

/* What it says of itself */

void dataplane_status(const struct dataplane *d, struct dataplane_status *ret)
{
	*ret = (struct dataplane_status){ .started = d->started,
					  .services = d->store.services.count,
					  .endpoints = d->store.endpoints,
					  .service_changes = d->service_changes,
					  .endpoint_changes = d->endpoint_changes,
					  .service_changes_pending = d->service_pending,
					  .endpoint_changes_pending = d->endpoint_pending };
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		const struct dpfamily *fam = &d->family[f];

		ret->family[f].enabled = fam->enabled;
		ret->family[f].last_sync_usec = fam->last_sync_usec;
		ret->family[f].last_queued_usec = fam->last_queued_usec;
		ret->family[f].pending_since_usec = fam->pending_since_usec;
		ret->family[f].sync_failures = fam->sync_failures;
		ret->family[f].cleanup_failures = fam->cleanup_failures;
		ret->family[f].conntrack_deleted = fam->conntrack_deleted;
		memcpy(ret->family[f].no_local_endpoints, program_no_local(fam->program),
		       sizeof(ret->family[f].no_local_endpoints));
	}
}

bool dataplane_health_next(const struct dataplane *d, size_t *cursor, struct dataplane_health *ret)
{
	void *value;

	while (map_next(&d->store.services, cursor, NULL, &value)) {
		const struct svc *svc = value;
		uint32_t n = 0;

		if (!svc->known || !svc->health_port)
			continue;
		for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
			if (svc->family[f].local_endpoints > n)
				n = svc->family[f].local_endpoints;
		}
		*ret = (struct dataplane_health){ .ns = svc->ns,
						  .name = svc->name,
						  .port = svc->health_port,
						  .local_endpoints = n };
		return true;
	}
	return false;
}

/* A service range without that service drops; a service's address without that port rejects. */
static void explain_miss(const struct dataplane *d, const struct addr *to, struct str *out)
{
	const prefix_list *ranges = &d->family[to->len == 4 ? 0 : 1].services;
	void *value;

	for (size_t at = 0; map_next(&d->store.services, &at, NULL, &value);) {
		const struct svc *svc = value;

		if (svc->known && !addr_cmp(&svc->cluster_ip[to->len == 4 ? 0 : 1], to)) {
			str_printf(out, "rejected: service %s has no such port\n", svc->key);
			return;
		}
	}
	for (size_t i = 0; i < ranges->n; i++) {
		if (prefix_has(&ranges->v[i], to)) {
			str_append(out, "dropped: no service has this address\n");
			return;
		}
	}
	str_append(out, "not touched: no service has this address and port\n");
}

int dataplane_explain(const struct dataplane *d, const char *address, uint16_t port,
		      const char *protocol, struct str *out, struct err *e)
{
	uint8_t proto = svcstore_proto(protocol);
	struct addr to;
	const struct dpfamily *fam;
	bool node_port = false;

	if (addr_parse(address, &to, e) < 0)
		return -1;
	if (!proto)
		return err_set(e, ERR_INVALID, "protocol \"%s\" is not TCP, UDP or SCTP", protocol);
	fam = &d->family[to.len == 4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6];
	for (size_t i = 0; i < d->node_ips.n; i++)
		node_port |= !addr_cmp(&d->node_ips.v[i], &to);
	if (!explain_front(fam->program, &d->store, &to, port, proto, node_port, out))
		explain_miss(d, &to, out);
	return 0;
}

int dataplane_cleanup(struct err *e)
{
	const struct peermarks none = { 0 };
	struct nftio *io = NULL;
	struct nftbatch b;
	int r;

	if (nftio_new(NULL, NULL, NULL, &io, e) < 0)
		return -1;
	nftbatch_begin(&b, nftio_seq(io));
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++)
		nftbatch_delete_table(&b, f);
	nftbatch_end(&b);
	r = nftio_commit(io, &b, e);
	nftbatch_fini(&b);
	/* apart: not every kernel knows that family */
	if (r == 0)
		r = egress_write(io, NULL, 0, &none, e);
	nftio_free(io);
	return r;
}
