/* Blocking work off the loop: a small pool of threads.
 *
 * A job's input moves in with `arg`, its result moves out the same way: `work` runs on a pool
 * thread and touches only arg; `done` runs later on the loop's thread. Nothing is shared, so
 * nothing is locked. Only work on our own directories belongs here; anything that may hang (foreign
 * mounts, helpers) is a child process.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"

struct job_pool;

int job_pool_new(sd_event *loop, unsigned max_threads, struct job_pool **ret_pool, struct err *e);
void job_pool_free(
    struct job_pool *pool); /* waits for running jobs; queued ones are dropped without done */

/* A dropped job calls neither work nor done; drop, when not NULL, then frees arg. */
void job_submit(struct job_pool *pool, void (*work)(void *arg), void (*done)(void *arg),
		void (*drop)(void *arg), void *arg);
unsigned job_pool_pending(const struct job_pool *pool);
