/* Services in the kernel: API objects go in, nftables transactions come out. Effect.
 *
 * Everything above it (informers, servers, configuration) knows the data plane by this header only.
 * Objects are borrowed for the call and copied into compact structs; none is kept. Nothing is
 * programmed before dataplane_start(), which the owner calls once Services, EndpointSlices,
 * ServiceCIDRs and its own Node are complete (a restart must not take for deleted what is merely
 * not listed yet). After it, changes are coalesced: the first one is programmed at once, the next
 * ones at least min_sync_usec later. One transaction per sync; what the kernel refuses is read
 * back, compared and tried again with a bounded back-off. Stopping leaves the kernel as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/str.h"
#include "k8s/core.pb-c.h"
#include "k8s/discovery.pb-c.h"
#include "peermarks.h"

struct dataplane;

enum dataplane_family { DATAPLANE_IPV4, DATAPLANE_IPV6, DATAPLANE_FAMILIES };

/* How a packet's source is known to be a pod of this cluster (KubeProxyConfiguration
 * detectLocalMode). */
enum dataplane_local {
	DATAPLANE_LOCAL_CLUSTER_CIDR,
	DATAPLANE_LOCAL_NODE_CIDR, /* podCIDRs of the own Node */
	DATAPLANE_LOCAL_BRIDGE_INTERFACE,
	DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX,
	DATAPLANE_LOCAL_NONE, /* nothing is known to be local */
};

struct dataplane_settings {
	const char *node_name;
	enum dataplane_local local;
	const char *local_interface;      /* bridge or prefix */
	char *const *cluster_cidrs;       /* strv, both families; NULL: none */
	char *const *node_port_addresses; /* strv of CIDRs or "primary"; NULL: primary */
	bool masquerade_all;
	int masquerade_bit; /* 0..31 */
	int64_t min_sync_usec, sync_usec;
};

/* What the owner wants to hear; any may be NULL. Called from the loop, never inside a call below.
 */
struct dataplane_ops {
	/* A family's sync ended: e is NULL on success. trigger_usec: CLOCK_REALTIME of the oldest
	 * endpoints.kubernetes.io/last-change-trigger-time that it brought, 0 without one. */
	void (*synced)(void *ctx, enum dataplane_family family, bool full, int64_t took_usec,
		       int64_t trigger_usec, const struct err *e);
	/* healthCheckNodePort services changed: walk them again with dataplane_health_next. */
	void (*health_changed)(void *ctx);
	/* A Warning for an object ("Service"): more endpoints than the map holds, a front end that
	 * another service owns already, ... */
	void (*warn)(void *ctx, const char *ns, const char *service, const char *reason,
		     const char *message);
};

/* Settings are copied. */
int dataplane_new(sd_event *loop, const struct dataplane_settings *settings,
		  const struct dataplane_ops *ops, void *ctx, struct dataplane **ret,
		  struct err *e);
void dataplane_free(struct dataplane *d);
/* The same settings as new ones, without a restart. */
int dataplane_configure(struct dataplane *d, const struct dataplane_settings *settings,
			struct err *e);

/* Objects as the watch brings them: a put of one that is known replaces it. Bad fields (addresses,
 * CIDRs) are left out with one log line each. */
void dataplane_put_service(struct dataplane *d, const Core__Service *service);
void dataplane_remove_service(struct dataplane *d, const char *ns, const char *name);
void dataplane_put_slice(struct dataplane *d, const Discovery__EndpointSlice *slice);
void dataplane_remove_slice(struct dataplane *d, const char *ns, const char *name);
/* Any node; the one of settings.node_name brings own addresses, podCIDRs and topology labels. */
void dataplane_put_node(struct dataplane *d, const Core__Node *node);
void dataplane_remove_node(struct dataplane *d, const char *name);
/* All ranges of all ServiceCIDR objects. */
void dataplane_set_service_cidrs(struct dataplane *d, char *const *cidrs);

struct frames;
/* What the kernel holds of senders' marks, for peermarks_assign; links: by what names its devices
 * go. */
int dataplane_get_frames(struct dataplane *d, const netstate_links *links, struct frames *ret,
			 struct err *e);
/* Who sends replies back the way they came, with marks assigned; taken over. have: what
 * dataplane_get_frames just told, or NULL. When the kernel refuses the rewriting of frames, e says
 * so and nobody is told apart until the next call. */
int dataplane_set_peers(struct dataplane *d, const struct frames *have, struct peers *peers,
			struct err *e);

void dataplane_start(struct dataplane *d);
/* Programs all at once, whatever is known to be in the kernel. */
void dataplane_resync(struct dataplane *d);

/* What the health servers and the metrics show. */
struct dataplane_status {
	bool started;
	uint64_t services, endpoints;               /* in the store */
	uint64_t service_changes, endpoint_changes; /* since start */
	uint64_t service_changes_pending, endpoint_changes_pending;
	struct {
		bool enabled; /* the kernel and the node have this family */
		int64_t last_sync_usec, last_queued_usec; /* CLOCK_REALTIME; 0: never */
		int64_t
		    pending_since_usec; /* CLOCK_MONOTONIC of the oldest unsynced change; 0: none */
		uint64_t sync_failures, cleanup_failures;
		uint64_t no_local_endpoints[2]; /* services: internal, external policy Local */
		uint64_t conntrack_deleted;
	} family[DATAPLANE_FAMILIES];
};
void dataplane_status(const struct dataplane *d, struct dataplane_status *ret);

/* Services with a healthCheckNodePort. *cursor starts at 0; false at the end. Borrowed until the
 * loop goes on. */
struct dataplane_health {
	const char *ns, *name;
	uint16_t port;
	uint32_t local_endpoints;
};
bool dataplane_health_next(const struct dataplane *d, size_t *cursor, struct dataplane_health *ret);

/* What a packet to that address would meet: service, policy, endpoints, rules; for people. */
int dataplane_explain(const struct dataplane *d, const char *address, uint16_t port,
		      const char *protocol /* "TCP", … */, struct str *out, struct err *e);

/* Deletes our own tables (and nothing else): --cleanup. */
int dataplane_cleanup(struct err *e);
