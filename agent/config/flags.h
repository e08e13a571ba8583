/* The command line to a set of values (decode.h). Pure. */
#pragma once

#include "base/json.h"
#include "config.h"

/* Returns an outcome of config.h, or -1. */
int flags_parse(int argc, char *const *argv, struct json_object *values, struct err *e);
char *flags_help(void); /* heap */
