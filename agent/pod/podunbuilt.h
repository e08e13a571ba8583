/* Fields of a pod that ask for something this agent does not do yet. Pure.
 *
 * Each becomes one Warning event (reason NotImplemented) that names the field: a pod never gets
 * less than it asked for in silence.
 */
#pragma once

#include "k8s/core.pb-c.h"

/* NULL-terminated heap strings ("spec.hostUsers=false"), or NULL when there is nothing to say. */
char **podunbuilt_fields(const Core__PodSpec *spec);
