/* What a packet to an address would meet (contract in svcexplain.h). Pure. */
#include "svcexplain.h"

#include <string.h>

static const char *const kinds[] = { [SVC_CLUSTER_IP] = "cluster IP",
				     [SVC_EXTERNAL_IP] = "external IP",
				     [SVC_VIP] = "load balancer",
				     [SVC_NODE_PORT] = "node port" };

static void explain_list(const struct svcmodel *m, enum svc_policy policy, struct str *out)
{
	for (size_t i = 0; i < m->n_endpoints; i++) {
		const struct endpoint *e = &m->endpoints[i];
		struct addr a = { .len = (uint8_t)nft_addr_len(m->family) };
		char text[ADDR_TEXT];

		if (!svcmodel_in(e, policy))
			continue;
		memcpy(a.b, e->addr, a.len);
		str_printf(out, a.len == 4 ? "      %s:%u%s%s\n" : "      [%s]:%u%s%s\n",
			   addr_text(&a, text), e->port,
			   e->flags & ENDPOINT_LOCAL ? " on this node" : "",
			   e->flags & ENDPOINT_READY ? "" : ", terminating");
	}
}

static void explain_target(const struct svcmodel *m, const char *who, enum svc_target target,
			   struct str *out)
{
	str_printf(out, "    %s: ", who);
	if (target == SVC_REJECT || target == SVC_DROP) {
		str_append(out,
			   target == SVC_REJECT
			       ? "rejected: the service has no endpoint\n"
			       : "dropped: the policy is Local and no endpoint is on this node\n");
		return;
	}
	if (target == SVC_TO_CLUSTER)
		str_printf(out, "one of %zu endpoints of the cluster\n", m->count[SVC_CLUSTER]);
	else
		str_printf(out, "one of %zu endpoints on this node\n", m->count[SVC_LOCAL]);
	explain_list(m, target == SVC_TO_LOCAL ? SVC_LOCAL : SVC_CLUSTER, out);
}

static void explain_one(const struct svc *svc, const struct svcport *port, const struct svcmodel *m,
			const struct svcfront *front, struct str *out)
{
	char text[PREFIX_TEXT];

	str_printf(out, "service %s, port %s%s%u/%s: %s\n", svc->key, str_or(port->name, ""),
		   port->name ? " " : "", port->port, svcstore_proto_name(port->proto),
		   kinds[front->kind]);
	for (size_t i = 0; front->firewall && i < m->source_ranges.n; i++)
		str_printf(out, "    %s %s\n", i ? "                 and" : "only sources from",
			   prefix_text(&m->source_ranges.v[i], text));
	if (m->affinity_sec)
		str_printf(out, "    a client keeps its endpoint for %u s\n", m->affinity_sec);
	if (front->inside == front->outside) {
		explain_target(m, "from anywhere", front->inside, out);
	} else {
		explain_target(m, "from pods and this node", front->inside, out);
		explain_target(m, "from outside", front->outside, out);
	}
	if (front->masquerade)
		str_append(out, "    toward other nodes the source becomes this node's address\n");
}

static bool front_is(const struct svcfront *front, const struct addr *to, uint16_t port,
		     bool node_port)
{
	if (front->port != port)
		return false;
	return front->kind == SVC_NODE_PORT ? node_port : !addr_cmp(&front->addr, to);
}

size_t explain_front(const struct program *p, const struct svcstore *store, const struct addr *to,
		     uint16_t port, uint8_t proto, bool node_port, struct str *out)
{
	svcendpoints endpoints = { 0 };
	size_t found = 0;
	void *value;

	for (size_t at = 0; map_next(&store->services, &at, NULL, &value);) {
		const struct svc *svc = value;

		for (size_t i = 0; i < svc->ports.n; i++) {
			struct svcmodel m;

			if (svc->ports.v[i].proto != proto)
				continue;
			program_model(p, svc, &svc->ports.v[i], &endpoints, &m);
			for (size_t j = 0; j < m.fronts.n; j++) {
				if (!front_is(&m.fronts.v[j], to, port, node_port))
					continue;
				explain_one(svc, &svc->ports.v[i], &m, &m.fronts.v[j], out);
				found++;
			}
			svcmodel_fini(&m);
		}
	}
	vec_fini(&endpoints);
	return found;
}
