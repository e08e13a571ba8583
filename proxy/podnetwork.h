/* Keeps the kernel's routes to pods, and the CNI configuration, as podnet.h says. Effect.
 *
 * Every turn reads what is there and changes what differs, so a restart, a lost message and a
 * foreign change are one path. Stopping leaves everything as it is.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/mem.h"
#include "k8s/core.pb-c.h"
#include "podnet.h"

struct podnetwork;

struct podnetwork_settings {
	enum podnet_mode mode;
	const char *node_name;
	const char *cni_path; /* file; NULL: none is written */
};

/* Not for PODNET_NONE. */
int podnetwork_new(sd_event *loop, const struct podnetwork_settings *settings,
		   struct podnetwork **ret, struct err *e);
void podnetwork_free(struct podnetwork *p);
DEFINE_FREEP(podnetwork_free, struct podnetwork)

void podnetwork_put_node(struct podnetwork *p, const Core__Node *node);
void podnetwork_remove_node(struct podnetwork *p, const char *name);
/* What an earlier life made goes. */
int podnetwork_cleanup(struct err *e);
/* Nothing is changed before this: the nodes are complete. */
void podnetwork_start(struct podnetwork *p);
