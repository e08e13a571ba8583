/* Waiting for what an administrator or an installer has to bring: a file, a right, room on a disk.
 * Effect.
 *
 * The process stays, so that no supervisor starts it again and again. Why it waits is one line of
 * the log; the supervisor is told the same as STATUS, and READY=1: what is started after us may be
 * what brings it. A loop of its own answers signals and the watchdog meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct await {
	const char *what_stays; /* as for loop_end_on_signals */
	char told[sizeof(((struct err *)0)->text)];
	unsigned delay_sec;
};

/* why NULL tells nothing new.
 *
 * Blocks until one of the paths may have changed (a path may be NULL, or not exist yet), or a time
 * that doubles from 1 s to 60 s has passed. False: a signal ended the wait. */
bool await_retry(struct await *w, const struct err *why, const char *const *paths, size_t n_paths);
