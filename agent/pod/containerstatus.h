/* ContainerStatus entries of a pod, one list per kind of container. Pure. */
#pragma once

#include "podstatus.h"

/* Statuses of all containers of one list (init with sidecars, main, ephemeral), in the order that
 * upstream gives them: main and ephemeral by name, init as in the specification. */
void containerstatus_list(const struct status_input *in, size_t first, size_t count,
			  Core__ContainerStatus *const *old, size_t n_old, size_t *ret_n,
			  Core__ContainerStatus ***ret_items);
const Core__ContainerStatus *containerstatus_find(Core__ContainerStatus *const *items, size_t n,
						  const char *name);
