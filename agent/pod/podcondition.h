/* The pod conditions that the agent owns. Pure (upstream pkg/kubelet/status/generate.go). */
#pragma once

#include "podstatus.h"

/* Appends to s->conditions: conditions of other owners first, then ours. s has its phase and
 * container statuses already. */
void podcondition_add_all(const struct status_input *in, Core__PodStatus *s);
/* Turns Ready and ContainersReady that are True to False with that reason. */
void podcondition_not_ready(const struct status_input *in, Core__PodStatus *s, const char *reason);
const Core__PodCondition *podcondition_find(const Core__PodStatus *s, const char *type);
