/* The pod network that needs no other software: which routes, neighbours and tunnel ends lead to
 * the pods of every node, and the CNI configuration for the own ones. Pure.
 *
 * Nothing is translated: a packet between pods or nodes keeps its addresses. A peer that shares a
 * link with this node is routed to directly; any other one through one VXLAN device without
 * learning, whose Ethernet addresses follow from the nodes' addresses, so that nobody has to
 * publish them.
 */
#pragma once

#include "base/str.h"
#include "k8s/core.pb-c.h"
#include "netstate.h"

enum podnet_mode { PODNET_NONE, PODNET_ROUTES, PODNET_VXLAN };

#define PODNET_DEVICE "keelson.vxlan"
/* Of the outer headers, so that the own VXLAN cannot meet another one's. */
enum {
	PODNET_VXLAN_ID = 75,
	PODNET_VXLAN_PORT = 8475,
	PODNET_OVERHEAD_IPV4 = 50,
	PODNET_OVERHEAD_IPV6 = 70
};

/* What of a Node matters here. */
struct podnet_node {
	char *name;
	addr_list addresses; /* InternalIP, in the Node's order */
	prefix_list pod_cidrs;
};
/* Bad addresses are left out and named in *ret_bad (strv, may be NULL). */
struct podnet_node *podnet_node_read(const Core__Node *node, char ***ret_bad);
void podnet_node_free(struct podnet_node *n);
bool podnet_node_equal(const struct podnet_node *a, const struct podnet_node *b);
DEFINE_FREEP(podnet_node_free, struct podnet_node)

struct podnet_input {
	enum podnet_mode mode;
	const struct podnet_node *self;
	const struct podnet_node *const *nodes; /* peers; self may be among them */
	size_t n_nodes;
	const netstate_links *links;
	const netstate_addresses *addresses; /* this node's */
};

/* Whether some peer needs the tunnel, and how its device must be. */
struct podnet_device {
	bool wanted;
	struct addr local;
	uint8_t mac[MAC_BYTES];
	uint32_t mtu;
	int under; /* link that carries it */
};

struct podnet {
	struct podnet_device device;
	netstate_routes routes;         /* sorted */
	netstate_neighbours neighbours; /* sorted */
	netstate_addresses addresses;   /* of the device; sorted: what nodes talk to pods from */
	char **unreachable;             /* strv of sentences: peers that this mode cannot reach */
};

/* device_index: of PODNET_DEVICE, or 0 while it is not there (then nothing leads through it). */
void podnet_make(const struct podnet_input *in, int device_index, struct podnet *ret);
void podnet_fini(struct podnet *p);
/* The tunnel's Ethernet address of the node with that address. */
void podnet_mac(const struct addr *node, uint8_t ret[MAC_BYTES]);

/* A CNI network list for the packaged plugins (ptp, host-local, portmap); heap. mtu 0: the
 * plugin's own choice. */
char *podnet_cni(const struct podnet_node *self, uint32_t mtu);
