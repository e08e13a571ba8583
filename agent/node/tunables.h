/* Settings of the kernel that a node's agent is expected to make. Effect. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tunable {
	const char *name; /* path below /proc/sys */
	int64_t value;
};

extern const struct tunable tunables[];
extern const size_t tunables_count;

/* Writes what differs; what cannot be written is told and left. protect: writes nothing, and a
 * difference is an error that names each (protectKernelDefaults). root is "" but in tests. */
int tunables_apply(const char *root, bool protect, struct err *e);
