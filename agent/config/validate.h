/* Whether a set of values (decode.h) makes sense. Pure. */
#pragma once

#include "base/json.h"

/* All that is wrong, in one error. */
int validate_values(struct json_object *values, struct err *e);
