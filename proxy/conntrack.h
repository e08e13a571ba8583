/* Makes the kernel forget UDP connections. Effect (ctnetlink). */
#pragma once

#include "ctplan.h"
#include "nftio.h"

/* Deletes what the plan calls stale. node_ips as in ctplan_stale. */
int conntrack_sweep(struct nftio *io, enum dataplane_family f, const struct ctplan *plan,
		    const struct addr *node_ips, size_t n_node_ips, uint64_t *ret_deleted,
		    struct err *e);
