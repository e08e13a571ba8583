/* Which other nodes send replies back the way they came, so that a connection that this node passes
 * on to them keeps its client's address. Pure.
 *
 * A node that marks connections by the Ethernet source they came with, and routes their replies to
 * that address, says so in an annotation of its Node. Toward such a node nothing needs to be
 * masqueraded, provided that packets get there over a device on which our Ethernet address arrives:
 * a shared link or a VXLAN. A node that says nothing, that rebooted since, or that is reached any
 * other way is masqueraded to; it alone.
 */
#pragma once

#include "base/str.h"
#include "k8s/core.pb-c.h"
#include "netstate.h"

#define PEERS_ANNOTATION "keelson.io/return-path"
enum { PEERS_IDS_MAX = 0xffff, PEERS_DEVICES_MAX = 8 };

/* What a Node says of itself. */
struct peers_node {
	char *name, *boot_id;
	VEC(struct addr) addresses;
	VEC(struct prefix) pod_cidrs;
	bool returns; /* it says so, and has not rebooted since */
	VEC(struct peers_link {
		struct addr addr;
		uint8_t mac[MAC_BYTES];
	}) links; /* as it says */
};
struct peers_node *peers_node_read(const Core__Node *node);
void peers_node_free(struct peers_node *n);
DEFINE_FREEP(peers_node_free, struct peers_node)

/* The way to an address, as the kernel would take it. */
struct peers_route {
	struct addr to;
	struct addr via; /* len 0: on the link */
	int dev;
};

struct peers_input {
	const char *self; /* name of the own node */
	const struct peers_node *const *nodes;
	size_t n_nodes;
	const netstate_links *links;
	const netstate_addresses *addresses;
	const netstate_neighbours *tunnels; /* FDB of every VXLAN device */
	const struct peers_route *routes;   /* to each address that peers_targets names */
	size_t n_routes;
};

/* What routes are asked for: an address in each pod range and each address of each other node. */
typedef VEC(struct addr) peers_addrs;
void peers_targets(const struct peers_input *in, peers_addrs *out);

/* A sender that may be recognised: packets of a node come with this Ethernet address. */
struct peers_sender {
	int dev;
	uint8_t mac[MAC_BYTES];
	const char *node; /* into the input */
};
/* A source that the main table would answer over that sender anyway. */
struct peers_direct {
	uint8_t mac[MAC_BYTES];
	struct prefix from;
};

struct peers {
	VEC(struct peers_sender) senders; /* sorted by device and address */
	VEC(struct peers_direct) direct;  /* sorted */
	VEC(struct prefix) symmetric; /* toward these nothing is masqueraded; sorted, disjoint */
	char **incapable;             /* strv of sentences: who is masqueraded to, and why */
};
void peers_make(const struct peers_input *in, struct peers *ret);
void peers_fini(struct peers *p);

/* The annotation's value for this node: its links that carry an address of the Node. Heap. */
char *peers_record(const char *boot_id, const struct peers_node *self, const netstate_links *links,
		   const netstate_addresses *addresses);
