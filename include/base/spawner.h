/* Starts programs that are free of the filters this process has put on itself. Effect.
 *
 * A small server, forked before the filter is set, makes them on request; they are children of this
 * process all the same (CLONE_PARENT), to be watched, waited for and killed like any other. The
 * server goes when this process does. It keeps what was given up before: capabilities,
 * no_new_privs. Children are to be waited for: SIGCHLD is not ignored from then on.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

struct spawner;

int spawner_new(struct spawner **ret, struct err *e);
void spawner_free(struct spawner *s); /* leaves what it has started */
DEFINE_FREEP(spawner_free, struct spawner)

/* Starts argv[0], looked for in PATH, with out_fd as its standard output, nothing on its standard
 * input, no other descriptor than our standard error, no blocked or ignored signal, and as the
 * leader of a process group of its own. env is its whole environment. Waits until it runs, for some
 * seconds; one that begins later is killed at the next start, which fails until then. */
int spawner_start(struct spawner *s, char *const *argv, char *const *env, int out_fd, pid_t *ret,
		  struct err *e);
