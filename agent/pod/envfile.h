/* Environment files: NAME='value' as a shell would read it, single quotes only. Pure.
 *
 * Upstream's strict subset: leading blanks, blank lines and # comments are skipped; a value may
 * span lines; behind the closing quote only a comment may follow; NAME= 'value' sets NAME to
 * nothing.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* The value of key at its first place, "" when it is nowhere; what follows that place is not read.
 * ERR_INVALID names the line. */
int envfile_get(const char *text, size_t len, const char *key, char **ret_value, struct err *e);
