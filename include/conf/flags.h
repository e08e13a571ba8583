/* The command line to a set of values (conf/decode.h). Pure. */
#pragma once

#include "base/json.h"
#include "conf/options.h"

/* What the command line asks for; CONFIG_RUN (0) is to run. */
enum config_outcome { CONFIG_RUN, CONFIG_VERSION, CONFIG_HELP, CONFIG_CHECK };

/* The exit status of a program whose configuration is wrong: starting it again does not help. */
enum { CONFIG_EXIT_STATUS = 78 };

/* Returns an outcome, or -1. */
int flags_parse(const struct option_table *table, int argc, char *const *argv,
		struct json_object *values, struct err *e);
/* What text flags are set to, in the order of names (NULL-terminated), for a command line that asks
 * to run; empty for any other. Heap, NULL-terminated. */
char **flags_texts(const struct option_table *table, int argc, char *const *argv,
		   const char *const *names);
char *flags_help(const struct option_table *table); /* heap */
