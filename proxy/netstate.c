/* Links, addresses, routes, neighbours (contract in netstate.h). Pure. */
#include "netstate.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

const struct netstate_link *netstate_link_named(const netstate_links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++) {
		if (str_eq(links->v[i].name, name))
			return &links->v[i];
	}
	return NULL;
}

const struct netstate_link *netstate_link_at(const netstate_links *links, int index)
{
	for (size_t i = 0; i < links->n; i++) {
		if (links->v[i].index == index)
			return &links->v[i];
	}
	return NULL;
}

const struct netstate_address *netstate_own_address(const netstate_addresses *addresses,
						    const struct addr *a)
{
	for (size_t i = 0; i < addresses->n; i++) {
		if (!addr_cmp(&addresses->v[i].addr, a))
			return &addresses->v[i];
	}
	return NULL;
}

const struct netstate_link *netstate_own_link(const netstate_links *links,
					      const netstate_addresses *addresses,
					      const struct addr *a)
{
	const struct netstate_address *own = netstate_own_address(addresses, a);

	return own ? netstate_link_at(links, own->dev) : NULL;
}

static int int_cmp(int a, int b)
{
	return (a > b) - (a < b);
}

static int destination_cmp(const void *a, const void *b)
{
	const struct netstate_route *x = a, *y = b;
	int r = (x->table > y->table) - (x->table < y->table);

	return r ? r : prefix_cmp(&x->dst, &y->dst);
}

bool netstate_has_destination(const netstate_routes *list, const struct netstate_route *route)
{
	return list->n && bsearch(route, list->v, list->n, sizeof(*list->v), destination_cmp);
}

int netstate_route_cmp(const void *a, const void *b)
{
	const struct netstate_route *x = a, *y = b;
	int r = destination_cmp(a, b);

	if (!r)
		r = int_cmp(x->dev, y->dev);
	if (!r)
		r = addr_cmp(&x->via, &y->via);
	if (!r)
		r = int_cmp(x->onlink, y->onlink);
	return r ? r : int_cmp(x->local, y->local);
}

int netstate_neighbour_cmp(const void *a, const void *b)
{
	const struct netstate_neighbour *x = a, *y = b;
	int r = int_cmp(x->fdb, y->fdb);

	if (!r)
		r = int_cmp(x->dev, y->dev);
	if (!r)
		r = x->fdb ? memcmp(x->mac, y->mac, MAC_BYTES) : addr_cmp(&x->addr, &y->addr);
	if (!r)
		r = addr_cmp(&x->addr, &y->addr);
	return r ? r : memcmp(x->mac, y->mac, MAC_BYTES);
}

int netstate_address_cmp(const void *a, const void *b)
{
	const struct netstate_address *x = a, *y = b;
	int r = int_cmp(x->dev, y->dev);

	if (!r)
		r = addr_cmp(&x->addr, &y->addr);
	if (!r)
		r = int_cmp(x->bits, y->bits);
	return r ? r : int_cmp(x->host, y->host);
}

int netstate_rule_cmp(const void *a, const void *b)
{
	const struct netstate_rule *x = a, *y = b;
	const uint32_t keys[][2] = { { x->ipv6, y->ipv6 },   { x->priority, y->priority },
				     { x->mark, y->mark },   { x->mask, y->mask },
				     { x->table, y->table }, { x->ours, y->ours } };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	}
	return 0;
}

int netstate_each_difference(const void *want, size_t n_want, const void *have, size_t n_have,
			     size_t size, int (*cmp)(const void *, const void *),
			     int (*act)(void *ctx, const void *element, bool wanted), void *ctx)
{
	const char *w = want, *h = have;
	int worst = 0;

	while (n_want || n_have) {
		int order = !n_want ? 1 : !n_have ? -1 : cmp(w, h);

		if (order && act(ctx, order < 0 ? w : h, order < 0) < 0)
			worst = -1;
		if (order <= 0) {
			w += size;
			n_want--;
		}
		if (order >= 0) {
			h += size;
			n_have--;
		}
	}
	return worst;
}
