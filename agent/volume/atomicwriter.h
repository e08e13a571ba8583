/* Writes a volume's files so that readers see all of a version or none of it. Effect; blocking.
 *
 * Files live in ..<time>; ..data points there; each top-level name points below ..data. A new
 * version is switched to by renaming ..data, as programs that watch it expect.
 */
#pragma once

#include "payload.h"

/* dir exists. fs_group -1: none. Nothing is touched when the content is there already. */
int atomicwriter_write(const char *dir, const struct payload *p, int64_t fs_group, struct err *e);
