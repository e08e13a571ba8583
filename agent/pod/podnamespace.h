/* Pieces of security contexts that sandboxes and containers share. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cri/runtime.pb-c.h"
#include "k8s/core.pb-c.h"

Cri__NamespaceOption *podnamespace_options(const Core__PodSpec *spec);
Cri__Int64Value *podnamespace_int64(int64_t value);
/* fsGroup, then supplementalGroups. */
void podnamespace_groups(const Core__PodSecurityContext *sc, size_t *ret_n, int64_t **ret_groups);
Cri__SELinuxOption *podnamespace_selinux(const Core__SELinuxOptions *o); /* NULL gives NULL */
