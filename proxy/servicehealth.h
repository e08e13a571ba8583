/* The health ports of services (healthCheckNodePort): whether this node has endpoints. Effect. */
#pragma once

#include <systemd/sd-event.h>

#include "dataplane.h"
#include "nodeinfo.h"

struct servicehealth;

struct servicehealth_setup {
	sd_event *loop;
	bool (*healthy)(void *ctx); /* programming keeps up */
	/* The port cannot be had; tried again with the next sync. */
	void (*failed)(void *ctx, const char *ns, const char *name, uint16_t port,
		       const struct err *e);
	void *ctx;
};

struct servicehealth *servicehealth_new(const struct servicehealth_setup *setup);
void servicehealth_free(struct servicehealth *h);
/* Where to listen: of nodePortAddresses ("primary" or CIDRs). Listeners that are open move. */
void servicehealth_set_addresses(struct servicehealth *h, char *const *node_port_addresses,
				 const struct nodeinfo *node, bool v6);
/* Opens and closes ports so that they are those of the data plane's services. */
void servicehealth_sync(struct servicehealth *h, const struct dataplane *d);
