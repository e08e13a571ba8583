/* What the proxy itself needs to know of its Node. Pure. */
#pragma once

#include <stdbool.h>

#include "addr.h"
#include "k8s/core.pb-c.h"

struct nodeinfo {
	bool known;          /* there is such a Node */
	bool leaving;        /* being deleted, or the autoscaler is about to */
	struct addr primary; /* first internal, else external address; len 0: none */
	struct addr other;   /* the first of the other family */
	char **pod_cidrs;    /* strv or NULL */
};

/* node NULL: there is none. */
void nodeinfo_read(const Core__Node *node, struct nodeinfo *ret);
void nodeinfo_fini(struct nodeinfo *n);
/* Appends addresses of the Node, in its order: those of that type, or (NULL) all that are no name.
 * Bad ones are left out and named in *ret_bad (strv, may be NULL). */
void nodeinfo_read_addresses(const Core__Node *node, const char *type, addr_list *out,
			     char ***ret_bad);
void nodeinfo_read_pod_cidrs(const Core__Node *node, prefix_list *out, char ***ret_bad);
/* The address of that family (4 or 16 bytes), or NULL. */
const struct addr *nodeinfo_address(const struct nodeinfo *n, uint8_t len);
