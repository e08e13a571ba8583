/* Links, addresses, routes, neighbours (contract in netstate.h). Pure. */
#include "netstate.h"

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

static int int_cmp(int a, int b)
{
	return (a > b) - (a < b);
}

int netstate_route_cmp(const void *a, const void *b)
{
	const struct netstate_route *x = a, *y = b;
	int r = prefix_cmp(&x->dst, &y->dst);

	if (!r)
		r = int_cmp(x->dev, y->dev);
	if (!r)
		r = addr_cmp(&x->via, &y->via);
	return r ? r : int_cmp(x->onlink, y->onlink);
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
	return r ? r : int_cmp(x->bits, y->bits);
}
