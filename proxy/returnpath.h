/* Replies go back the way their connections came: routing, marks and frames kept as peers.h, and
 * returnplan.h say. Effect.
 *
 * Every turn looks at what is there and changes what differs. That this node does it is published
 * only after the kernel does, and others' word is trusted only some time after the own one is out:
 * they must know our Ethernet addresses first. Whatever hinders is told once, and connections are
 * masqueraded then. Stopping leaves everything as it is.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/mem.h"
#include "dataplane.h"
#include "k8s/core.pb-c.h"

struct returnpath;

struct returnpath_settings {
	const char *node_name, *boot_id;
	uint32_t mask;       /* bits of marks to use, at least PEERMARKS_MIN_BITS; 0: off */
	bool masquerade_all; /* others' replies only */
	/* Puts that into the own Node's annotation PEERS_ANNOTATION; NULL takes it away. Called
	 * again whenever the Node does not say so. */
	void (*publish)(void *ctx, const char *record);
	/* After each turn. */
	void (*turned)(void *ctx);
	void *ctx;
};

/* Strings are copied. */
int returnpath_new(sd_event *loop, const struct returnpath_settings *settings,
		   struct dataplane *dataplane, struct returnpath **ret, struct err *e);
void returnpath_free(struct returnpath *r);
DEFINE_FREEP(returnpath_free, struct returnpath)
void returnpath_configure(struct returnpath *r, uint32_t mask, bool masquerade_all);

void returnpath_put_node(struct returnpath *r, const Core__Node *node);
void returnpath_remove_node(struct returnpath *r, const char *name);
/* Nothing is changed before this: the nodes are complete. */
void returnpath_start(struct returnpath *r);
/* False while an earlier life's marks are in the kernel and it is not known which of them hold:
 * what the data plane does then would take them away. */
bool returnpath_ready(const struct returnpath *r);
/* Prefixes of other nodes toward which is masqueraded. */
size_t returnpath_incapable(const struct returnpath *r);
/* What an earlier life made of rules and routes goes. */
int returnpath_cleanup(struct err *e);
