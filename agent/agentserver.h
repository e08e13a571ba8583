/* What the node's API server asks of the agent. Effect. */
#pragma once

#include "base/err.h"

struct agent;

int agentserver_start(struct agent *a, struct err *e);
void agentserver_stop(struct agent *a);
