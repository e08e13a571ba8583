/* The kernel's settings of connection tracking, as configured. Effect (writes below /proc/sys).
 *
 * Only what differs is written; what cannot be written is told in one line and left: a proxy
 * without the right to do so is started after one that had it (--init-only).
 */
#pragma once

#include "config.h"

enum { SYSCTLS_MAX = 7 };

struct sysctl {
	const char *name; /* below proc/sys/net/netfilter */
	int64_t value;
	bool at_least; /* a higher value stays */
};

/* Pure: what the configuration asks of a machine with that many CPUs. */
size_t sysctls_plan(const struct config *c, long cpus, struct sysctl ret[SYSCTLS_MAX]);

/* root: "" or where a test keeps its copy of /proc and /sys. Returns how many are not as they
 * should be. */
unsigned sysctls_apply(const struct config *c, const char *root);
