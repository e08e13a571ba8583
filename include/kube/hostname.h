/* The name that a host has as a node. Effect (asks the kernel). */
#pragma once

#include "base/err.h"

/* The override or the host's name, trimmed and in lower case; heap. */
int kube_hostname(const char *override, char **ret_name, struct err *e);
