/* The agent as a whole: makes its parts, joins them, runs the loop. Effect. */
#pragma once

#include "config/config.h"

/* Runs until a signal ends it. Returns the process's exit status. */
int agent_run(const struct config *config);
