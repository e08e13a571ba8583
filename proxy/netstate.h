/* What the kernel's routing holds, as values: links, addresses, routes, neighbours. Pure.
 *
 * Ours are only the routes and neighbours with our protocol number and what is on our own device;
 * everything else is read and never changed.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "base/vec.h"

enum { NETSTATE_PROTOCOL = 75 }; /* rtm_protocol and NDA_PROTOCOL of what we make */

struct netstate_vxlan {
	uint32_t id;
	uint16_t port;
	bool learning;
	struct addr local;
};

struct netstate_link {
	int index;
	unsigned flags; /* IFF_… */
	uint32_t mtu;
	char name[IFNAMSIZ];
	char kind[16]; /* "vxlan", "bridge", …; "" for plain devices */
	uint8_t mac[MAC_BYTES];
	struct netstate_vxlan vxlan; /* of kind vxlan */
};

struct netstate_address {
	int dev;
	struct addr addr;
	uint8_t bits; /* of its network */
	bool host;    /* its scope: nobody chooses it as the source of what leaves this machine */
};

struct netstate_route {
	uint32_t table; /* RT_TABLE_MAIN, … */
	struct prefix dst;
	struct addr via; /* len 0: the device's own link */
	int dev;         /* 0: several, none, or it depends */
	bool onlink;     /* via is behind dev although no address says so */
	bool local;      /* dst is this machine itself */
};

/* lladdr of an address on a device, or (fdb) the tunnel end behind an Ethernet address. */
struct netstate_neighbour {
	bool fdb;
	int dev;
	struct addr addr;
	uint8_t mac[MAC_BYTES];
};

/* Packets with that mark are routed by that table. */
struct netstate_rule {
	bool ipv6;
	uint32_t priority, mark, mask, table; /* table 0: the rule does something else */
	bool ours;                            /* has our protocol number */
	bool choosy;                          /* it looks at more than the mark */
};

typedef VEC(struct netstate_rule) netstate_rules;
typedef VEC(struct netstate_link) netstate_links;
typedef VEC(struct netstate_address) netstate_addresses;
typedef VEC(struct netstate_route) netstate_routes;
typedef VEC(struct netstate_neighbour) netstate_neighbours;

/* NULL when there is none */
const struct netstate_link *netstate_link_named(const netstate_links *links, const char *name);
const struct netstate_link *netstate_link_at(const netstate_links *links, int index);
/* The address of this machine that is that one. */
const struct netstate_address *netstate_own_address(const netstate_addresses *addresses,
						    const struct addr *a);
/* The link that has it. */
const struct netstate_link *netstate_own_link(const netstate_links *links,
					      const netstate_addresses *addresses,
					      const struct addr *a);

/* By what identifies one (destination; device and address), then by the rest. */
int netstate_route_cmp(const void *a, const void *b);
int netstate_neighbour_cmp(const void *a, const void *b);
int netstate_address_cmp(const void *a, const void *b);
int netstate_rule_cmp(const void *a, const void *b);
/* Whether a sorted list has one to the same destination in the same table. */
bool netstate_has_destination(const netstate_routes *list, const struct netstate_route *route);

/* Walks two sorted lists of elements of that size; act hears of each element that is in one of them
 * only, and goes on when it fails. -1 when any failed. */
int netstate_each_difference(const void *want, size_t n_want, const void *have, size_t n_have,
			     size_t size, int (*cmp)(const void *, const void *),
			     int (*act)(void *ctx, const void *element, bool wanted), void *ctx);
