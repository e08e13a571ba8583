/* rtnetlink of this network namespace: look, change, hear of changes. Effect.
 *
 * Requests are answered by the kernel at once, so calls block for microseconds. Deleting
 * what is not there is success.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/mem.h"
#include "netstate.h"

struct rtnl;

int rtnl_new(struct rtnl **ret, struct err *e);
void rtnl_free(struct rtnl *r);
DEFINE_FREEP(rtnl_free, struct rtnl)

/* Each appends to an empty list; sorted where netstate.h has an order. */
int rtnl_get_links(struct rtnl *r, netstate_links *out, struct err *e);
int rtnl_get_addresses(struct rtnl *r, netstate_addresses *out, struct err *e);
/* Those with NETSTATE_PROTOCOL. */
int rtnl_get_routes(struct rtnl *r, netstate_routes *out, struct err *e);
/* Everybody's, but those to this machine itself and to groups. */
int rtnl_get_all_routes(struct rtnl *r, netstate_routes *out, struct err *e);
/* Permanent ones of one device: addresses of both families and, for a VXLAN device, its table of
 * tunnel ends. */
int rtnl_get_neighbours(struct rtnl *r, int dev, netstate_neighbours *out, struct err *e);
/* All tunnel ends of one VXLAN device, whoever made them. */
int rtnl_get_tunnels(struct rtnl *r, int dev, netstate_neighbours *out, struct err *e);
/* Everybody's. */
int rtnl_get_rules(struct rtnl *r, netstate_rules *out, struct err *e);
/* The way that the kernel would take to an address. ERR_NOT_FOUND: none. */
int rtnl_find_route(struct rtnl *r, const struct addr *to, struct addr *ret_via, int *ret_dev,
		    struct err *e);

/* A route is added only where there is none to the same destination (somebody else's is not ours to
 * take) and replaced only where that is ours; the others are the same by either. */
enum rtnl_op { RTNL_ADD, RTNL_REPLACE, RTNL_DELETE };
int rtnl_route(struct rtnl *r, enum rtnl_op op, const struct netstate_route *route, struct err *e);
int rtnl_neighbour(struct rtnl *r, enum rtnl_op op, const struct netstate_neighbour *n,
		   struct err *e);
int rtnl_address(struct rtnl *r, enum rtnl_op op, const struct netstate_address *a, struct err *e);
/* Always with our protocol number. */
int rtnl_rule(struct rtnl *r, enum rtnl_op op, const struct netstate_rule *rule, struct err *e);
/* link: name, mac, mtu and vxlan. It must not be there; it is up afterwards. */
int rtnl_make_vxlan(struct rtnl *r, const struct netstate_link *link, struct err *e);
int rtnl_delete_link(struct rtnl *r, int index, struct err *e);

/* changed is called from the loop, after links, addresses, routes, rules, tunnel ends, permanent
 * neighbours or a device's settings (reverse path check, forwarding) changed or when news of them
 * were lost; the own changes are heard, too. That somebody deletes a neighbour is heard only of
 * those that rtnl_neighbour made. Ends with r. */
int rtnl_watch(struct rtnl *r, sd_event *loop, void (*changed)(void *ctx), void *ctx,
	       struct err *e);
