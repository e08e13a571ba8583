/* Whether a link carries what is passed on: a connection to each peer from an address that is no
 * node's, answered only if the peer got it, knew who sent it, and sent its answer back here.
 * Effect.
 *
 * A switch that lets every node send for itself only (source checks of clouds), one that puts its
 * own Ethernet address on frames, a peer that does not recognise this node yet: all of them show in
 * no other way, and all of them lose clients' connections that are not masqueraded.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/mem.h"
#include "peers.h"

struct prober;

/* Where all nodes' probes come from. */
struct prefix prober_range(bool v6);
/* The source of a node's probes: link-local, unique as far as hashing goes; two nodes that share
 * one prove nothing to each other. v6: unique local. */
struct addr prober_source(const char *node_name, bool v6);

/* changed: a peer's answer came, or stayed away long enough to count. Called from the loop. */
int prober_new(sd_event *loop, const char *node_name, void (*changed)(void *ctx), void *ctx,
	       struct prober **ret, struct err *e);
void prober_free(struct prober *p);
DEFINE_FREEP(prober_free, struct prober)
/* The peers to ask, sorted, each once; what is known of the others is forgotten. The source must be
 * local to this node by then. */
void prober_want(struct prober *p, const struct addr *addrs, size_t n);
/* PEERS_UNPROVEN: no try has ended yet. */
enum peers_proof prober_proof(const struct prober *p, const struct addr *a);
/* Some have not been tried to the end yet. */
bool prober_busy(const struct prober *p);
