/* The agent as a whole: makes its parts, joins them, runs the loop. Effect. */
#pragma once

#include "config/config.h"

#define AGENT_WHAT_STAYS "pods keep running"

/* Runs until a signal ends it. What keeps it from starting, other than the configuration, is told
 * and tried again. Returns the process's exit status. */
int agent_run(const struct config *config);
