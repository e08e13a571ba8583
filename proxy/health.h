/* Whether programming keeps up, as load balancers and probes are told. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"

struct health_times {
	int64_t wall_usec, mono_usec; /* now */
	int64_t timeout_usec;         /* a change may wait that long: twice syncPeriod */
};

/* A family that never synced is starting up, which is healthy. */
bool health_ok(const struct dataplane_status *s, const struct health_times *t);

/* The document of /healthz (node_eligible given) or /livez (NULL), as upstream writes it; heap.
 * *ret_ok decides between 200 and 503. */
char *health_json(const struct dataplane_status *s, const struct health_times *t,
		  const bool *node_eligible, bool *ret_ok);
/* The document of a service's healthCheckNodePort; heap. */
char *health_service_json(const char *ns, const char *name, uint32_t local_endpoints, bool ok);
