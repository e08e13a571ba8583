/* Services, endpoint slices and the own node as compact values. Pure.
 *
 * Holds what routing needs and nothing else: 8 bytes an IPv4 endpoint, 20 an IPv6 one. Slices may
 * come before their service: the record is made by whichever comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "base/map.h"
#include "base/vec.h"
#include "dataplane.h"
#include "nftmodel.h"
#include "topology.h"

enum svc_policy { SVC_CLUSTER, SVC_LOCAL, SVC_POLICIES };

struct svcport {
	const char *name; /* of the store's; NULL: "" */
	uint16_t port, node_port;
	uint8_t proto; /* IPPROTO_TCP, … */
	/* The data plane's: ids of the endpoint lists, 0: none. They outlive a replacement of the
	 * service as long as name and protocol stay. */
	uint32_t id[DATAPLANE_FAMILIES][SVC_POLICIES];
};

struct svcsliceport {
	const char *name; /* of the store's; NULL: "" */
	uint16_t port;
	uint8_t proto;
};

struct svcslice {
	struct svcslice *next; /* of the same service */
	struct svc *svc;
	struct svcsliceport *ports;
	uint8_t *endpoints; /* packed */
	uint32_t n, n_ports;
	enum dataplane_family family;
	int64_t trigger_usec; /* wall clock, 0: none */
	char key[];           /* ns/name */
};

/* What few services have. */
struct svcaddresses {
	VEC(struct addr) external_ips, vips;
	VEC(struct prefix) source_ranges;
};

struct svc {
	const char *ns, *name; /* into key's memory */
	bool touched;          /* the data plane's: on its list of what changed */
	bool known;            /* a service, not only slices of one */
	bool affinity, external_local, internal_local;
	bool any_source[DATAPLANE_FAMILIES];
	uint16_t health_port;
	uint32_t affinity_sec;
	int64_t created_sec; /* 0: unknown */
	struct addr cluster_ip[DATAPLANE_FAMILIES];
	struct svcaddresses *more; /* NULL: none; svc_addresses() */
	VEC(struct svcport) ports;
	struct svcslice *slices;
	/* The data plane's: what it last programmed or is about to. */
	struct {
		struct nftlist list;
		bool dirty, blocked; /* blocked: a front end of it belongs to another service */
		bool truncated;      /* more endpoints than a list holds; told */
		bool no_local[2];    /* internal, external */
		uint32_t local_endpoints;
	} family[DATAPLANE_FAMILIES];
	VEC(struct svcport) gone; /* ports whose ids are to be released */
	char key[];               /* ns/name */
};

/* Never NULL. */
const struct svcaddresses *svc_addresses(const struct svc *svc);

struct svchint {
	char *text; /* "zone,…|node,…"; NULL: the place is free */
	uint8_t flags;
	size_t uses; /* endpoints that have it */
};

struct svcstore {
	char *node_name, *zone;
	struct map services, slices; /* their keys are those of the values */
	struct map names;            /* of ports, each once */
	VEC(struct svchint) hints;   /* the first is for those that have none */
	VEC(uint16_t) free_hints;
	struct map hint_by_text;
	uint64_t endpoints;
};

/* The store stays where it is. */
void svcstore_init(struct svcstore *s, const char *node_name);
void svcstore_fini(struct svcstore *s);
/* Names of ports that went are let go, once their ids were released. */
void svcstore_clear_gone(struct svc *svc);
/* Each returns the service that changed, or NULL when nothing did. A record that is neither known
 * nor has slices stays until svcstore_forget. */
struct svc *svcstore_put_service(struct svcstore *s, const Core__Service *service);
struct svc *svcstore_remove_service(struct svcstore *s, const char *ns, const char *name);
/* A slice may move from one service to another: the former one is in *ret_other. */
struct svc *svcstore_put_slice(struct svcstore *s, const Discovery__EndpointSlice *slice,
			       struct svc **ret_other);
struct svc *svcstore_remove_slice(struct svcstore *s, const char *ns, const char *name);
/* Frees a record that holds nothing any more; its lists must be empty. */
void svcstore_forget(struct svcstore *s, struct svc *svc);
/* true: hints mean something else now */
bool svcstore_set_zone(struct svcstore *s, const char *zone);

typedef VEC(struct endpoint) svcendpoints;
/* The endpoints of a service port in all its slices, each address and port once, sorted. */
void svcstore_endpoints(const struct svcstore *s, const struct svc *svc, const struct svcport *port,
			enum dataplane_family f, svcendpoints *ret);
/* Endpoints of a slice that are ready and on this node. */
uint32_t svcstore_local_ready(const struct svcslice *slice);
/* NULL: no such protocol */
const char *svcstore_proto_name(uint8_t proto);
uint8_t svcstore_proto(const char *name); /* 0: unknown */
