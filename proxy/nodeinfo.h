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
/* The address of that family (4 or 16 bytes), or NULL. */
const struct addr *nodeinfo_address(const struct nodeinfo *n, uint8_t len);
