/* Label keys and values, and which of them a node may give itself. Pure. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

int labels_check_key(const char *key, struct err *e); /* a qualified name: [prefix/]name */
int labels_check_value(const char *value, struct err *e);
bool labels_is_subdomain(const char *text); /* "a-1.b": what most objects may be called */
bool labels_is_dns_label(const char *text); /* one part of it, of at most 63 letters */
/* The keys with a meaning of their own that a node may give itself; NULL ends. */
extern const char *const labels_well_known[];
/* Keys below kubernetes.io and k8s.io belong to the cluster, but for some. */
bool labels_node_may_set(const char *key);
