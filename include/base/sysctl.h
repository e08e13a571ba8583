/* Numbers that the kernel shows and takes as files. Effect. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int sysctl_read(const char *path, int64_t *ret, struct err *e);
/* Writes only what differs; at_least leaves more as it is. 1: written; 0: it was right. */
int sysctl_set(const char *path, int64_t value, bool at_least, struct err *e);
