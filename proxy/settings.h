/* The data plane's settings out of the configuration and the Node. Pure. */
#pragma once

#include "config.h"
#include "dataplane.h"
#include "nodeinfo.h"

struct settings {
	struct dataplane_settings dataplane; /* points into the rest */
	char *node_name, *local_interface;
	char **cluster_cidrs, **node_port_addresses;
	bool v6_primary;
};

void settings_make(const struct config *c, const char *node_name, const struct nodeinfo *node,
		   struct settings *ret);
void settings_fini(struct settings *s);
bool settings_equal(const struct settings *a, const struct settings *b);

/* What an operator should know about them: sentences appended to the strv. v6: the host has
 * IPv6. */
void settings_warn(const struct config *c, const struct settings *s, const struct nodeinfo *node,
		   bool v6, char ***ret_lines);
/* What makes them useless. */
int settings_check(const struct config *c, const struct settings *s, const struct nodeinfo *node,
		   bool v6, struct err *e);
