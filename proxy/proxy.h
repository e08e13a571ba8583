/* The running proxy. Effect. */
#pragma once

#include "config.h"

#define PROXY_WHAT_STAYS "services keep working"

/* Runs until a signal; returns the exit status. What keeps it from starting, other than the
 * configuration, is told and tried again. Takes the configuration over; argv to load it again. */
int proxy_run(struct config *config, int argc, char *const *argv);
/* --init-only: what needs full privileges, once. Returns the exit status. */
int proxy_init(const struct config *config);
/* Before rules go (--cleanup): the Node must not promise any more what they did. Waits some
 * seconds at most; what hinders is told and no failure, as the cluster may be gone. */
void proxy_withdraw(const struct config *config);
/* --explain: asks the running proxy and prints. Returns the exit status. */
int proxy_explain(const struct config *config);
