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

/* What a Node says of itself. */
struct peers_node {
	char *name, *boot_id;
	addr_list addresses;
	prefix_list pod_cidrs;
	bool returns; /* it says so, and has not rebooted since */
	VEC(struct peers_link {
		struct addr addr;
		uint8_t mac[MAC_BYTES];
	}) links;         /* as it says */
	addr_list others; /* addresses that it has and its Node does not name, as it says */
};
struct peers_node *peers_node_read(const Core__Node *node);
void peers_node_free(struct peers_node *n);
bool peers_node_equal(const struct peers_node *a, const struct peers_node *b);
DEFINE_FREEP(peers_node_free, struct peers_node)

/* Whether a plain link was seen to carry other sources' packets to an address and its answers back.
 */
enum peers_proof {
	PEERS_UNPROVEN, /* not known yet */
	PEERS_PROVEN,
	PEERS_REFUTED
};

/* The way to an address, as the kernel would take it. */
struct peers_route {
	struct addr to;
	struct addr via; /* len 0: on the link */
	int dev;
	enum peers_proof proof; /* of the hop: via, else to; over a VXLAN none is needed */
};

struct peers_input {
	const char *self; /* name of the own node */
	const struct peers_node *const *nodes;
	size_t n_nodes;
	const netstate_links *links;
	const netstate_addresses *addresses;
	const netstate_neighbours *tunnels; /* FDB of every VXLAN device */
	const struct peers_route *routes;   /* to each address of peers_targets, in its order */
	size_t n_routes;
};

/* What routes are asked for: an address in each pod range and each address of each other node.
 * Sorted, each once. */
void peers_targets(const struct peers_input *in, addr_list *out);

/* Hops over plain links to nodes that return replies: those that are to be proven. Sorted, each
 * once. */
void peers_hops(const struct peers_input *in, addr_list *out);

/* A sender that may be recognised: packets of a node come with this Ethernet address. */
struct peers_sender {
	int dev;
	uint8_t mac[MAC_BYTES];
	const char *node; /* into the input, as long as that is there */
	uint32_t mark;    /* 0 until peermarks_assign */
};
/* A source that the main table would answer over that sender anyway. */
struct peers_direct {
	int dev;
	uint8_t mac[MAC_BYTES];
	struct prefix from;
};
/* Sources that are the node's own, whatever device they come by. */
struct peers_home {
	uint8_t mac[MAC_BYTES];
	struct prefix from;
};
/* Over that device nothing is masqueraded toward these. */
struct peers_target {
	int dev;
	struct prefix to;
};
/* Sources of another node, and what else is on that node: a packet that comes back to it is
 * answered without leaving it, or dropped as a lie. */
struct peers_pair {
	struct prefix from, to;
};
enum { PEERS_SLOTS = 3 };
struct peers_slot {
	int dev; /* 0: free */
	char name[IFNAMSIZ];
};

/* The number of an Ethernet address, to which packets with it go. */
struct peermark {
	uint32_t mark;
	uint8_t mac[MAC_BYTES];
};

struct peers {
	uint32_t mask;                       /* bits of marks; 0: senders are not told apart */
	struct peers_slot slot[PEERS_SLOTS]; /* devices, as marks number them */
	VEC(struct peers_sender) senders;    /* sorted by device and address */
	VEC(struct peermark) gone;           /* no sender's any more; connections may carry them */
	VEC(struct peers_direct) direct;     /* sorted; those of one sender disjoint */
	VEC(struct peers_home) home;         /* sorted; those of one address disjoint */
	VEC(struct peers_target) symmetric;  /* sorted; those of one device disjoint */
	VEC(struct peers_pair) same_node;    /* sorted, disjoint */
	char **incapable;                    /* strv of sentences: who is masqueraded to, and why */
};
void peers_make(const struct peers_input *in, struct peers *ret);
void peers_fini(struct peers *p);
/* All but the sentences. */
void peers_copy(const struct peers *from, struct peers *ret);
/* The same for the kernel: all but the sentences and names of nodes. */
bool peers_equal(const struct peers *a, const struct peers *b);
/* The length that most ranges of home have, but for single addresses: that of pods' ranges.
 * addr_len: of the family. 0: there are none. */
uint8_t peers_home_bits(const struct peers *p, uint8_t addr_len);

/* Whether the node has published the links of that record. */
bool peers_has_said(const struct peers_node *n, const char *record);
/* The annotation's value for this node: its links that carry an address of the Node, and addresses
 * that the Node does not name. Heap. */
char *peers_record(const char *boot_id, const struct peers_node *self, const netstate_links *links,
		   const netstate_addresses *addresses);
