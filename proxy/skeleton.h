/* The static part of our table: chains and rules, as a list of operations. Pure.
 *
 * Nothing here depends on services: it changes with settings only. Rules are values that nftbatch
 * turns into netlink and that are compared with what the kernel holds in libnftnl's own notation.
 */
#pragma once

#include "addr.h"
#include "base/vec.h"
#include "nftmodel.h"

enum skel_op {
	SKEL_END,
	SKEL_LOAD_DADDR, /* a: register in words (0…15) */
	SKEL_LOAD_SADDR,
	SKEL_LOAD_PROTO,
	SKEL_LOAD_SPORT,
	SKEL_LOAD_DPORT,
	SKEL_LOAD_TRANSPORT, /* a: register, b: offset behind the IP header, c: bytes */
	SKEL_LOAD_PRIORITY,
	SKEL_LOAD_MARK,
	SKEL_LOAD_IIFNAME,
	SKEL_LOAD_IIF, /* index */
	SKEL_LOAD_OIF,
	SKEL_LOAD_ETHER_SADDR,
	SKEL_LOAD_ETHER_SADDR_END, /* its last two bytes */
	SKEL_LOAD_CT_MARK,
	SKEL_LOAD_CT_DIRECTION,
	SKEL_LOAD_CT_STATUS,
	SKEL_LOAD_ADDR_TYPE, /* what the FIB says of the destination */
	SKEL_MASK,           /* a: register, b: and, c: xor */
	SKEL_MASK_ADDR,      /* a: register, bits: prefix length */
	SKEL_SWAP,           /* a: register: host to network order */
	SKEL_IS,             /* a: register, b: value */
	SKEL_IS_NOT,
	SKEL_IS_BYTES, /* a: register, bytes */
	SKEL_IS_NOT_BYTES,
	SKEL_RANDOM,       /* a: register, b: modulus */
	SKEL_LOOKUP,       /* a: register, set: must hold */
	SKEL_LOOKUP_NOT,   /* a: register, set: must not hold */
	SKEL_LOOKUP_DATA,  /* a: register, b: register of the data, set */
	SKEL_VMAP,         /* a: register, set */
	SKEL_UPDATE,       /* a: register of key, b: register of data, c: time-out in s, set */
	SKEL_FORGET,       /* a: register of key, b: of any data, set: holds it no more */
	SKEL_REFRESH,      /* a: register of key, c: time-out in s, of an element that has one */
	SKEL_ZERO,         /* a: register */
	SKEL_SET_PRIORITY, /* a: register */
	SKEL_SET_MARK,
	SKEL_SET_CT_MARK,
	SKEL_SET_CT_ZONE,     /* a: register; of the original direction */
	SKEL_SET_ETHER_DADDR, /* a: register */
	SKEL_DNAT,            /* a: register of the address, the port is behind it */
	SKEL_MASQUERADE,
	SKEL_REJECT_RESET,
	SKEL_REJECT,
	SKEL_DROP,
	SKEL_RETURN,
	SKEL_JUMP, /* chain */
	SKEL_GOTO,
};

struct skelop {
	enum skel_op op;
	uint32_t a, b, c;
	const char *name; /* set or chain */
	uint8_t bytes[16], len;
};

enum { SKEL_OPS = 16 };

struct skelrule {
	const char *chain; /* into skeleton.chains */
	struct skelop op[SKEL_OPS];
	size_t n;
};

enum skel_hook {
	SKEL_NO_HOOK,
	SKEL_PREROUTING,
	SKEL_OUTPUT,
	SKEL_POSTROUTING,
	SKEL_ZONES,          /* before conntrack */
	SKEL_SENDERS,        /* where a connection came from */
	SKEL_REPLIES,        /* of pods */
	SKEL_REPLIES_OUTPUT, /* of the node itself */
	SKEL_REPLIES_LAST,   /* of both, after everybody else's marks */
	SKEL_HOOKS
};

/* Where in the kernel a chain hangs. */
struct skel_place {
	const char *type; /* of the chain */
	uint32_t hook;    /* NF_INET_… */
	int32_t priority;
};
const struct skel_place *skel_place(enum skel_hook hook);

struct skelchain {
	char name[24];
	enum skel_hook hook;
};

/* A map from values to chains that never changes. */
struct skelvmap {
	const char *name;
	uint32_t key;
	char chain[24]; /* "": drop */
};

struct skeleton {
	enum dataplane_family family;
	VEC(struct skelchain) chains;
	VEC(struct skelrule) rules;
	VEC(struct skelvmap) vmaps;
};

/* Names of the maps that are ours but not in nftmodel: contents static, or the kernel's own. */
#define SKEL_CLASSES "classes"
#define SKEL_STICKY_CLASSES "sticky-classes"
#define SKEL_TIMEOUTS "timeouts"
#define SKEL_AFFINITY "affinity"
#define SKEL_OLDER "older" /* connections from before their packets had a zone */

/* How long the kernel tracks a TCP connection that says nothing, unless told otherwise. */
enum { SKEL_IDLE_SEC = 5 * 24 * 3600 };

/* What the rules of zones are about: not more than there is. */
enum { SKEL_LINKS = 4 };
struct skel_zones {
	uint32_t link[SKEL_LINKS]; /* the devices of SENDERS and FORMER_SENDERS */
	size_t n_links;            /* more than SKEL_LINKS: any device may be one */
	bool formers;              /* FORMER_SENDERS has some */
	uint8_t home_bits;         /* length of the ranges in HOME_PODS, 0: there are none */
	bool home_ranges;          /* HOME has some that HOME_PODS and HOME_HOSTS have not */
};

struct skeleton_settings {
	enum dataplane_family family;
	enum dataplane_local local;
	const char *local_interface;
	const struct prefix *pods; /* of this family */
	size_t n_pods;
	const struct prefix *service_cidrs;
	size_t n_service_cidrs;
	bool masquerade_all;
	bool all_node_ports; /* any local address serves node ports */
	uint32_t masquerade_mark;
	uint32_t return_mask; /* bits of marks that tell the nodes apart; 0: there is no need to */
	bool zones;           /* the kernel has zones of connections */
	struct skel_zones zone;
	uint32_t timeout_sec[FRONT_TIMEOUT_COUNT]; /* 0: not used */
};

void skeleton_make(const struct skeleton_settings *in, struct skeleton *ret);
void skeleton_fini(struct skeleton *s);
