/* The command line to a set of values (conf/decode.h). Pure. */
#pragma once

#include "base/json.h"
#include "conf/options.h"

/* What the command line asks for; CONFIG_RUN (0) is to run. */
enum config_outcome { CONFIG_RUN, CONFIG_VERSION, CONFIG_HELP, CONFIG_CHECK };

/* Returns an outcome, or -1. */
int flags_parse(const struct option_table *table, int argc, char *const *argv,
		struct json_object *values, struct err *e);
char *flags_help(const struct option_table *table); /* heap */
