/* Which endpoints of a service port this node uses (contract in topology.h). Pure. */
#include "topology.h"

enum scope { SCOPE_ALL, SCOPE_ZONE, SCOPE_NODE };

static bool ready(const struct endpoint *e)
{
	return e->flags & ENDPOINT_READY;
}

/* What is used when nothing is ready: it is going, but still answers. */
static bool lingering(const struct endpoint *e)
{
	return (e->flags & ENDPOINT_SERVING) && (e->flags & ENDPOINT_TERMINATING);
}

/* Hints count only when every ready endpoint has one and one of them is for us: otherwise part of
 * the endpoints would get no traffic from anywhere, or we had none. */
static enum scope scope_of(const struct endpoint *v, size_t n)
{
	unsigned all = ENDPOINT_NODE_HINTS | ENDPOINT_ZONE_HINTS, any = 0;

	for (size_t i = 0; i < n; i++) {
		if (!ready(&v[i]))
			continue;
		all &= v[i].flags;
		any |= v[i].flags;
	}
	if ((all & ENDPOINT_NODE_HINTS) && (any & ENDPOINT_FOR_NODE))
		return SCOPE_NODE;
	if ((all & ENDPOINT_ZONE_HINTS) && (any & ENDPOINT_FOR_ZONE))
		return SCOPE_ZONE;
	return SCOPE_ALL;
}

static bool in_scope(const struct endpoint *e, enum scope scope)
{
	return scope == SCOPE_ALL ||
	       (e->flags & (scope == SCOPE_NODE ? ENDPOINT_FOR_NODE : ENDPOINT_FOR_ZONE));
}

static void pick_cluster(struct endpoint *v, size_t n)
{
	enum scope scope = scope_of(v, n);
	bool some = false;

	for (size_t i = 0; i < n; i++)
		some |= v[i].cluster = ready(&v[i]) && in_scope(&v[i], scope);
	for (size_t i = 0; !some && i < n; i++)
		v[i].cluster = lingering(&v[i]);
}

static void pick_local(struct endpoint *v, size_t n)
{
	bool some = false;

	for (size_t i = 0; i < n; i++)
		some |= v[i].local = (v[i].flags & ENDPOINT_LOCAL) && ready(&v[i]);
	for (size_t i = 0; !some && i < n; i++)
		v[i].local = (v[i].flags & ENDPOINT_LOCAL) && lingering(&v[i]);
}

bool topology_pick(struct endpoint *v, size_t n, const struct topology_uses *uses)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		v[i].cluster = v[i].local = false;
		any |= ready(&v[i]) || lingering(&v[i]);
	}
	if (uses->cluster)
		pick_cluster(v, n);
	if (uses->local)
		pick_local(v, n);
	return any;
}
