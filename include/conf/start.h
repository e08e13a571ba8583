/* Loading at the start of a daemon: files that cannot be read yet are waited for. Effect. */
#pragma once

#include "base/err.h"

struct config; /* the program's own */

struct conf_start {
	int (*load)(int argc, char *const *argv, struct config **ret_config, struct err *e);
	/* what the command line names and may come later; heap */
	char **(*files)(int argc, char *const *argv);
	const char *what_stays; /* as for loop_end_on_signals */
};

/* As load, but does not return while the system does not let one of the files be read (missing, no
 * right to it); -1 with ERR_CANCELLED: a signal ended the wait. */
int conf_start(const struct conf_start *s, int argc, char *const *argv, struct config **ret_config,
	       struct err *e);
