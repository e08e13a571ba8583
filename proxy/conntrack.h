/* The kernel's connections: makes it forget some, tells them. Effect (ctnetlink). */
#pragma once

#include "ctplan.h"
#include "nftio.h"
#include "older.h"

/* Deletes what the plan calls stale. node_ips as in ctplan_stale. */
int conntrack_sweep(struct nftio *io, enum dataplane_family f, const struct ctplan *plan,
		    const struct addr *node_ips, size_t n_node_ips, uint64_t *ret_deleted,
		    struct err *e);

/* Those that have no zone, and had better stay so: into o, that is without any. */
int conntrack_older(struct nftio *io, struct older *o, struct err *e);
