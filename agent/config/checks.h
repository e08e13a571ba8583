/* The parts of a configuration's check (validate.h). Pure: each adds its problems to the check. */
#pragma once

#include "conf/check.h"

/* reservations.c: what is kept from pods, and who enforces it */
void reservations_check(struct check *c);
/* evictions.c: thresholds, grace periods, reclaims */
void evictions_check(struct check *c);
/* managers.c: CPU, memory and topology manager, as far as the machine does not matter */
void managers_check(struct check *c);
/* sysctlnames.c: sysctls that pods may set, and those they begin with */
void sysctlnames_check(struct check *c);
