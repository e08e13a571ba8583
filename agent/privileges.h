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
 * or another process's memory. Programs that the agent starts would be held to it, too; an agent
 * that starts some (plugins: the kubeconfig's credentials come from one) does without. Does nothing
 * in builds with sanitizers. */
int privileges_filter(bool plugins, struct err *e);

/* The tables of what is kept and what is denied, for the manual. */
bool privileges_kept_at(size_t i, const char **ret_name, const char **ret_why);
const char *privileges_denied_at(size_t i); /* NULL behind the last */
