/* Blocking work off the loop: a small pool of threads.
 *
 * A job's input moves in with `arg`, its result moves out the same way: `work` runs on a pool
 * thread and touches only arg; `done` runs later on the loop's thread. Nothing is shared, so
 * nothing is locked. The pool's threads are for our own directories. What touches a file system
 * that somebody else mounted may hang for ever: it is a foreign job, on a thread of its own that
 * nobody waits for.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"

struct job_pool;

int job_pool_new(sd_event *loop, unsigned max_threads, struct job_pool **ret_pool, struct err *e);
/* Waits for running jobs, but not for foreign ones; what did not get done is dropped, a foreign job
 * on its own thread when it ends. */
void job_pool_free(struct job_pool *pool);

/* A dropped job calls neither work nor done; drop, when not NULL, then frees arg. */
void job_submit(struct job_pool *pool, void (*work)(void *arg), void (*done)(void *arg),
		void (*drop)(void *arg), void *arg);
/* The same for a job that may hang. How long its owner waits for done is the owner's business. */
void job_submit_foreign(struct job_pool *pool, void (*work)(void *arg), void (*done)(void *arg),
			void (*drop)(void *arg), void *arg);
unsigned job_pool_pending(const struct job_pool *pool);
