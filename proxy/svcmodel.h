/* What one service port means to packets: front ends and where they lead. Pure. */
#pragma once

#include "svcstore.h"

/* Where a front end leads: an endpoint list, or an answer. */
enum svc_target { SVC_TO_CLUSTER, SVC_TO_LOCAL, SVC_REJECT, SVC_DROP };

enum svc_front_kind { SVC_CLUSTER_IP, SVC_EXTERNAL_IP, SVC_VIP, SVC_NODE_PORT };

struct svcfront {
	enum svc_front_kind kind;
	struct addr addr; /* of a node port: none, its addresses are the node's */
	uint16_t port;
	enum svc_target inside;  /* for pods and this node */
	enum svc_target outside; /* for all else */
	bool masquerade;         /* whoever asks: the endpoint may be on another node */
	bool firewall;           /* source_ranges hold */
};

struct svcmodel {
	enum dataplane_family family;
	uint8_t proto;
	uint32_t affinity_sec; /* 0: none */
	VEC(struct svcfront) fronts;
	VEC(struct prefix) source_ranges; /* none inside another */
	const struct endpoint *endpoints; /* borrowed: sorted, with cluster and local set */
	size_t n_endpoints;
	size_t count[SVC_POLICIES]; /* endpoints of each list, at most FRONT_ENDPOINTS_MAX */
	bool used[SVC_POLICIES];    /* a front end leads to the list */
	bool truncated;             /* there were more */
	bool no_local_inside,
	    no_local_outside; /* policy Local drops for want of an endpoint here */
};

/* endpoints are the port's, as svcstore_endpoints gives them; their choice is made here. node_ip
 * (len 0: unknown) tells whether the node may use a balancer's address with source ranges. */
void svcmodel_port(const struct svc *svc, const struct svcport *port, enum dataplane_family f,
		   svcendpoints *endpoints, const struct addr *node_ip, struct svcmodel *ret);
void svcmodel_fini(struct svcmodel *m);
/* Whether endpoint e is in that list. */
bool svcmodel_in(const struct endpoint *e, enum svc_policy policy);
