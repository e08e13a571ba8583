/* Settings of the data plane (contract in settings.h). Pure. */
#include "settings.h"

#include <string.h>

#include "addr.h"
#include "base/mem.h"
#include "validate.h"

enum { V4_BYTES = 4, V6_BYTES = 16 };

static const char v4_all[] = "0.0.0.0/0", v6_all[] = "::/0";

static const struct {
	const char *mode;
	enum dataplane_local local;
} local_modes[] = {
	{ "ClusterCIDR", DATAPLANE_LOCAL_CLUSTER_CIDR },
	{ "NodeCIDR", DATAPLANE_LOCAL_NODE_CIDR },
	{ "BridgeInterface", DATAPLANE_LOCAL_BRIDGE_INTERFACE },
	{ "InterfaceNamePrefix", DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX },
};

/* bindAddress, unless it says nothing. */
static bool bound_address(const struct config *c, struct addr *ret)
{
	static const struct addr zero;

	return addr_parse(str_or(c->bind_address, ""), ret, NULL) == 0 &&
	       memcmp(ret->b, zero.b, ret->len) != 0;
}

static void push_host(char ***list, const struct addr *a)
{
	struct prefix host = prefix_of(a, (uint8_t)(8 * a->len));
	char text[PREFIX_TEXT];

	if (!addr_is_loopback(a))
		strv_push(list, prefix_text(&host, text));
}

/* The data plane knows the node's addresses by itself; only an override has to be spelt out. */
static void push_primary(const struct config *c, const struct nodeinfo *node, char ***list)
{
	const struct addr *other;
	struct addr bound;

	if (!bound_address(c, &bound)) {
		strv_push(list, "primary");
		return;
	}
	push_host(list, &bound);
	other = nodeinfo_address(node, bound.len == V4_BYTES ? V6_BYTES : V4_BYTES);
	if (other)
		push_host(list, other);
}

static char **node_ports(const struct config *c, const struct nodeinfo *node)
{
	char **list = NULL;

	for (char **a = c->node_port_addresses; a && *a; a++) {
		if (str_eq(*a, "primary")) {
			push_primary(c, node, &list);
		} else if (str_eq(*a, "localhost")) {
			strv_push(&list, "127.0.0.0/8");
			strv_push(&list, "::1/128");
		} else if (str_eq(*a, "all")) {
			strv_push(&list, v4_all);
			strv_push(&list, v6_all);
		} else {
			strv_push(&list, *a);
		}
	}
	/* unset, in the modes that do not mean "primary" by that */
	if (!list) {
		strv_push(&list, v4_all);
		strv_push(&list, v6_all);
	}
	return list;
}

static enum dataplane_local local_mode(const struct config *c, char *const *cluster_cidrs)
{
	for (size_t i = 0; i < ARRAY_SIZE(local_modes); i++) {
		enum dataplane_local local = local_modes[i].local;

		if (str_eq(local_modes[i].mode, c->detect_local_mode))
			return local == DATAPLANE_LOCAL_CLUSTER_CIDR && !strv_len(cluster_cidrs)
				   ? DATAPLANE_LOCAL_NONE
				   : local;
	}
	return DATAPLANE_LOCAL_NONE;
}

void settings_make(const struct config *c, const char *node_name, const struct nodeinfo *node,
		   struct settings *ret)
{
	const struct config_block block = config_block(c);
	struct addr bound;
	struct settings s = {
		.node_name = mem_strdup(node_name),
		.cluster_cidrs = strv_split(c->cluster_cidr, ','),
		.node_port_addresses = node_ports(c, node),
		.v6_primary =
		    (bound_address(c, &bound) ? bound.len : node->primary.len) == V6_BYTES,
	};

	s.dataplane = (struct dataplane_settings){
		.node_name = s.node_name,
		.local = local_mode(c, s.cluster_cidrs),
		.cluster_cidrs = s.cluster_cidrs,
		.node_port_addresses = s.node_port_addresses,
		.masquerade_all = block.masquerade_all,
		.masquerade_bit = block.masquerade_bit,
		.min_sync_usec = block.min_sync_usec,
		.sync_usec = block.sync_usec,
	};
	if (s.dataplane.local == DATAPLANE_LOCAL_BRIDGE_INTERFACE)
		s.local_interface = mem_strdup(c->bridge_interface);
	if (s.dataplane.local == DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX)
		s.local_interface = mem_strdup(c->interface_name_prefix);
	s.dataplane.local_interface = s.local_interface;
	*ret = s;
}

void settings_fini(struct settings *s)
{
	free(s->node_name);
	free(s->local_interface);
	strv_free(s->cluster_cidrs);
	strv_free(s->node_port_addresses);
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	const struct dataplane_settings *x = &a->dataplane, *y = &b->dataplane;

	return str_eq(x->node_name, y->node_name) && x->local == y->local &&
	       str_eq(x->local_interface, y->local_interface) &&
	       strv_equal(x->cluster_cidrs, y->cluster_cidrs) &&
	       strv_equal(x->node_port_addresses, y->node_port_addresses) &&
	       x->masquerade_all == y->masquerade_all && x->masquerade_bit == y->masquerade_bit &&
	       x->min_sync_usec == y->min_sync_usec && x->sync_usec == y->sync_usec;
}

/* ---- what may be wrong with them ---- */

/* How many of the ranges are of that family; those that are none count for no family. */
static size_t count_family(char *const *cidrs, uint8_t len)
{
	size_t n = 0;

	for (; cidrs && *cidrs; cidrs++) {
		struct prefix p;

		n += prefix_parse(*cidrs, &p, NULL) == 0 && p.addr.len == len;
	}
	return n;
}

static bool only_family(char *const *cidrs, uint8_t len)
{
	return strv_len(cidrs) && count_family(cidrs, len) == strv_len(cidrs);
}

static bool both_families(char *const *cidrs)
{
	return count_family(cidrs, V4_BYTES) && count_family(cidrs, V6_BYTES);
}

static const char *family_name(bool v6)
{
	return v6 ? "IPv6" : "IPv4";
}

__attribute__((format(printf, 2, 3))) static void warn(char ***lines, const char *fmt, ...)
{
	AUTO_STR line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&line, fmt, ap);
	va_end(ap);
	strv_push(lines, str_text(&line));
}

static void warn_node_ports(const struct config *c, const struct settings *s,
			    const struct nodeinfo *node, char ***lines)
{
	bool dual = both_families(s->cluster_cidrs) || both_families(c->node_port_addresses) ||
		    both_families(node->pod_cidrs);
	uint8_t primary = s->v6_primary ? V6_BYTES : V4_BYTES;
	uint8_t secondary = s->v6_primary ? V4_BYTES : V6_BYTES;
	size_t all = strv_len(c->node_port_addresses);

	if (!all)
		warn(lines, "nodePortAddresses is not set: NodePorts are accepted on all local "
			    "addresses; \"primary\" narrows them to the node's own");
	else if (count_family(c->node_port_addresses, secondary) == all)
		warn(lines, "the node is %s but nodePortAddresses holds only %s ranges",
		     family_name(s->v6_primary), family_name(!s->v6_primary));
	else if (dual && count_family(c->node_port_addresses, primary) == all)
		warn(lines,
		     "the cluster has both families but nodePortAddresses holds only %s "
		     "ranges",
		     family_name(s->v6_primary));
}

static void warn_server(const char *field, const char *address, bool v6_primary, char ***lines)
{
	AUTO_FREE char *host = NULL;
	struct addr a;
	uint16_t port;

	if (str_empty(address) || validate_host_port(address, &host, &port, NULL) < 0 ||
	    addr_parse(host, &a, NULL) < 0)
		return;
	if ((a.len == V6_BYTES) != v6_primary && !str_eq(host, "0.0.0.0") && !str_eq(host, "::"))
		warn(lines, "the node has only %s but %s is %s", family_name(v6_primary), field,
		     address);
}

static void warn_local(const struct config *c, const struct settings *s,
		       const struct nodeinfo *node, char ***lines)
{
	uint8_t primary = s->v6_primary ? V6_BYTES : V4_BYTES;

	if (str_eq(c->detect_local_mode, "ClusterCIDR") && !count_family(s->cluster_cidrs, primary))
		warn(lines,
		     "detectLocalMode is ClusterCIDR but clusterCIDR has no %s range: what "
		     "comes from pods cannot be told apart",
		     family_name(s->v6_primary));
	if (str_eq(c->detect_local_mode, "NodeCIDR") && node->known &&
	    !count_family(node->pod_cidrs, primary))
		warn(lines, "detectLocalMode is NodeCIDR but the Node has no %s podCIDR",
		     family_name(s->v6_primary));
}

void settings_warn(const struct config *c, const struct settings *s, const struct nodeinfo *node,
		   bool v6, char ***ret_lines)
{
	uint8_t wrong = s->v6_primary ? V4_BYTES : V6_BYTES;

	warn_node_ports(c, s, node, ret_lines);
	warn_local(c, s, node, ret_lines);
	if (only_family(s->cluster_cidrs, wrong))
		warn(ret_lines, "the node is %s but clusterCIDR holds only %s ranges",
		     family_name(s->v6_primary), family_name(!s->v6_primary));
	if (v6)
		return;
	warn_server("healthzBindAddress", c->healthz_bind_address, s->v6_primary, ret_lines);
	warn_server("metricsBindAddress", c->metrics_bind_address, s->v6_primary, ret_lines);
}

int settings_check(const struct config *c, const struct settings *s, const struct nodeinfo *node,
		   bool v6, struct err *e)
{
	uint8_t wrong = s->v6_primary ? V4_BYTES : V6_BYTES;

	if (s->v6_primary && !v6)
		return err_set(e, ERR_INVALID,
			       "the node's primary address is IPv6, which this kernel has not");
	if (!v6 && str_eq(c->detect_local_mode, "ClusterCIDR") &&
	    only_family(s->cluster_cidrs, wrong))
		return err_set(
		    e, ERR_INVALID, "clusterCIDR %s: the node is %s only, the ranges are %s",
		    c->cluster_cidr, family_name(s->v6_primary), family_name(!s->v6_primary));
	if (str_eq(c->detect_local_mode, "NodeCIDR") && only_family(node->pod_cidrs, wrong))
		return err_set(e, ERR_INVALID,
			       "detectLocalMode NodeCIDR: the node is %s, its podCIDRs are %s",
			       family_name(s->v6_primary), family_name(!s->v6_primary));
	return 0;
}
