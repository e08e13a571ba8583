/* What one service port means to packets (contract in svcmodel.h). Pure. */
#include "svcmodel.h"

#include <string.h>

bool svcmodel_in(const struct endpoint *e, enum svc_policy policy)
{
	return policy == SVC_LOCAL ? e->local : e->cluster;
}

void svcmodel_fini(struct svcmodel *m)
{
	vec_fini(&m->fronts);
	vec_fini(&m->source_ranges);
}

static bool is_family(const struct addr *a, enum dataplane_family f)
{
	return a->len == nft_addr_len(f);
}

static bool reachable_from_outside(const struct svc *svc, const struct svcport *port,
				   enum dataplane_family f)
{
	const struct svcaddresses *a = svc_addresses(svc);
	bool some = port->node_port;

	for (size_t i = 0; i < a->vips.n; i++)
		some |= is_family(&a->vips.v[i], f);
	for (size_t i = 0; i < a->external_ips.n; i++)
		some |= is_family(&a->external_ips.v[i], f);
	return some;
}

static void add_front(struct svcmodel *m, struct svcfront front)
{
	const enum svc_target targets[] = { front.inside, front.outside };

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		if (targets[i] == SVC_TO_CLUSTER)
			m->used[SVC_CLUSTER] = true;
		else if (targets[i] == SVC_TO_LOCAL)
			m->used[SVC_LOCAL] = true;
	}
	vec_push(&m->fronts, front);
}

static enum svc_target list_target(const struct svcmodel *m, enum svc_policy policy)
{
	if (!m->count[policy])
		return SVC_DROP;
	return policy == SVC_LOCAL ? SVC_TO_LOCAL : SVC_TO_CLUSTER;
}

/* Pods and the node itself short-circuit an external address: they reach every endpoint, as if
 * they had gone out to the balancer and come back in. */
static struct svcfront external_front(const struct svcmodel *m, const struct svc *svc, bool any)
{
	struct svcfront front = { .inside = SVC_REJECT, .outside = SVC_REJECT };

	if (!any)
		return front;
	front.inside = list_target(m, SVC_CLUSTER);
	front.outside = list_target(m, svc->external_local ? SVC_LOCAL : SVC_CLUSTER);
	front.masquerade = !svc->external_local;
	return front;
}

/* An address may stand in several of a service's lists: the first that adds it says what it means,
 * so what restricts sources comes before what does not. */
static void add_address_front(struct svcmodel *m, struct svcfront front, const struct addr *addr)
{
	if (!is_family(addr, m->family))
		return;
	for (size_t i = 0; i < m->fronts.n; i++) {
		if (!addr_cmp(&m->fronts.v[i].addr, addr))
			return;
	}
	front.addr = *addr;
	add_front(m, front);
}

static void add_external_fronts(struct svcmodel *m, const struct svc *svc,
				const struct svcport *port, bool any)
{
	struct svcfront front = external_front(m, svc, any);
	const struct svcaddresses *a = svc_addresses(svc);

	front.port = port->port;
	front.kind = SVC_VIP;
	front.firewall = m->source_ranges.n;
	for (size_t i = 0; i < a->vips.n; i++)
		add_address_front(m, front, &a->vips.v[i]);
	front.kind = SVC_EXTERNAL_IP;
	front.firewall = false;
	for (size_t i = 0; i < a->external_ips.n; i++)
		add_address_front(m, front, &a->external_ips.v[i]);
	if (port->node_port) {
		front.kind = SVC_NODE_PORT;
		front.port = port->node_port;
		front.addr = (struct addr){ 0 };
		add_front(m, front);
	}
	m->no_local_outside = any && svc->external_local && !m->count[SVC_LOCAL];
}

static void add_cluster_front(struct svcmodel *m, const struct svc *svc, const struct svcport *port,
			      bool any)
{
	struct svcfront front = { .kind = SVC_CLUSTER_IP,
				  .addr = svc->cluster_ip[m->family],
				  .port = port->port };

	front.inside = front.outside =
	    any ? list_target(m, svc->internal_local ? SVC_LOCAL : SVC_CLUSTER) : SVC_REJECT;
	add_front(m, front);
	m->no_local_inside = any && svc->internal_local && !m->count[SVC_LOCAL];
}

/* Keeps the list free of prefixes inside one another: the kernel refuses overlaps. */
static void add_range(struct svcmodel *m, const struct prefix *p)
{
	for (size_t i = m->source_ranges.n; i-- > 0;) {
		const struct prefix *q = &m->source_ranges.v[i];

		if (q->bits <= p->bits && prefix_has(q, &p->addr))
			return;
		if (p->bits <= q->bits && prefix_has(p, &q->addr))
			vec_remove(&m->source_ranges, i);
	}
	vec_push(&m->source_ranges, *p);
}

static void read_ranges(struct svcmodel *m, const struct svc *svc, const struct addr *node_ip)
{
	const struct svcaddresses *a = svc_addresses(svc);
	bool node = false;

	if (svc->any_source[m->family])
		return;
	for (size_t i = 0; i < a->source_ranges.n; i++) {
		const struct prefix *p = &a->source_ranges.v[i];

		if (!is_family(&p->addr, m->family))
			continue;
		node |= node_ip->len && prefix_has(p, node_ip);
		add_range(m, p);
	}
	/* where the node holds the balancer's address, its own requests come from that address */
	for (size_t i = 0; node && i < a->vips.n; i++) {
		struct prefix p = prefix_of(&a->vips.v[i], (uint8_t)(8 * a->vips.v[i].len));

		if (is_family(&p.addr, m->family))
			add_range(m, &p);
	}
}

static void count_list(struct svcmodel *m, svcendpoints *endpoints, enum svc_policy policy)
{
	for (size_t i = 0; i < endpoints->n; i++) {
		struct endpoint *e = &endpoints->v[i];
		bool *in = policy == SVC_LOCAL ? &e->local : &e->cluster;

		if (*in && m->count[policy] >= FRONT_ENDPOINTS_MAX) {
			*in = false;
			m->truncated = true;
		}
		m->count[policy] += *in;
	}
}

void svcmodel_port(const struct svc *svc, const struct svcport *port, enum dataplane_family f,
		   svcendpoints *endpoints, const struct addr *node_ip, struct svcmodel *ret)
{
	bool outside = reachable_from_outside(svc, port, f), any;
	struct topology_uses uses = { .cluster = !svc->internal_local || outside,
				      .local =
					  svc->internal_local || (svc->external_local && outside) };

	*ret = (struct svcmodel){ .family = f, .proto = port->proto };
	ret->affinity_sec = svc->affinity ? svc->affinity_sec : 0;
	any = topology_pick(endpoints->v, endpoints->n, &uses);
	count_list(ret, endpoints, SVC_CLUSTER);
	count_list(ret, endpoints, SVC_LOCAL);
	ret->endpoints = endpoints->v;
	ret->n_endpoints = endpoints->n;
	if (!svc->cluster_ip[f].len)
		return;
	read_ranges(ret, svc, node_ip);
	add_cluster_front(ret, svc, port, any);
	add_external_fronts(ret, svc, port, any);
}
