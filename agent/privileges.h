/* Gives up what the running agent does not need. Effect (this process, for good).
 *
 * What is kept stands in one table (privileges.c) with its reason. Containers are the runtime's
 * children: nothing of this concerns them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Before there are threads, after what needs more was done (limit of open files). Missing
 * capabilities are no error. */
int privileges_drop(struct err *e);

/* From now on system calls fail that no node agent makes: those that change the kernel, its clock,
 * or another process's memory, or make code of what was written. Credential plugins are started by
 * a spawner from before it and are free of it. Does nothing in builds with sanitizers. */
int privileges_filter(struct err *e);

/* The tables of what is kept and what is denied, for the manual. */
bool privileges_kept_at(size_t i, const char **ret_name, const char **ret_why);
const char *privileges_denied_at(size_t i); /* NULL behind the last */
