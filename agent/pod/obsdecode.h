/* CRI statuses as observation values. Pure. */
#pragma once

#include "cri/runtime.pb-c.h"
#include "podobs.h"

struct obs_container *obsdecode_container(const Cri__ContainerStatus *s, const char *sandbox_id);
enum obs_container_state obsdecode_state(Cri__ContainerState s);
struct obs_sandbox *obsdecode_sandbox(const Cri__PodSandboxStatus *s);
/* Value of a label or annotation in a list of string pairs, or NULL. */
const char *obsdecode_pair(size_t n, void *const *entries, const char *key);
