/* One family's table: from services to transactions. Effect (netlink).
 *
 * Invariant: after a sync that succeeded the kernel holds exactly the union of all lists, the
 * node's own, and elements that wait for their removal: what other elements pointed at stays a
 * second longer, for packets that are between two lookups.
 */
#pragma once

#include "ctplan.h"
#include "nftio.h"
#include "peers.h"
#include "skeleton.h"
#include "svcmodel.h"

struct program;

struct program_node {
	const struct addr *node_port_ips; /* of any family */
	size_t n_node_port_ips;
	bool keep_node_port_ips; /* they could not be read: those from before stay */
	struct addr node_ip;     /* of this family, len 0: unknown */
};

struct program_result {
	uint64_t adds, deletes; /* elements */
	bool full;              /* the kernel's table was read back */
	bool more; /* services are left for the next transaction: it should come at once */
};

typedef void program_warn_fn(void *ctx, const struct svc *svc, const char *reason,
			     const char *message);

struct program *program_new(enum dataplane_family f, struct svcstore *store, struct nftio *io,
			    program_warn_fn *warn, void *ctx);
void program_free(struct program *p);

/* What changed since the last sync. */
void program_mark(struct program *p, struct svc *svc);
void program_mark_all(struct program *p);
void program_distrust(struct program *p); /* read the kernel's table back at the next sync */
/* Copied but for pods and service_cidrs, which are borrowed until the next call. */
void program_configure(struct program *p, const struct skeleton_settings *s,
		       const struct program_node *node);

/* Who sends replies back the way they came; borrowed until the next call, NULL: nobody. */
void program_set_peers(struct program *p, const struct peers *peers);

bool program_pending(const struct program *p);
/* One transaction. now: monotonic. */
int program_sync(struct program *p, int64_t now_usec, struct program_result *ret, struct err *e);
/* When waiting removals are due, 0: none wait. */
int64_t program_due_usec(const struct program *p);
/* Services that policy Local leaves without an endpoint here: inside, outside. */
const uint64_t *program_no_local(const struct program *p);

/* UDP front ends that changed since their connections were last looked at; the caller empties it.
 */
struct ctplan *program_ctplan(struct program *p);

/* The model of a service port as it is programmed. endpoints is the caller's scratch space. */
void program_model(const struct program *p, const struct svc *svc, const struct svcport *port,
		   svcendpoints *endpoints, struct svcmodel *ret);
