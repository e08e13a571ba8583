/* Exponential back-off as upstream's flowcontrol.Backoff applies it to crashes and pulls. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	int64_t delay_usec;       /* 0: never backed off */
	int64_t last_update_usec; /* when the delay was set */
};

enum {
	BACKOFF_BASE_SEC = 10,
	BACKOFF_MAX_SEC = 300,
};

/* When the next attempt may begin after something ended at ended_usec. A thing that went well for
 * longer than twice the maximum starts afresh. */
int64_t backoff_due_usec(const struct backoff *b, int64_t ended_usec, int64_t max_usec);
/* Notes that an attempt begins; doubles the delay of the next one. */
void backoff_next(struct backoff *b, int64_t ended_usec, int64_t now_usec, int64_t base_usec,
		  int64_t max_usec);
/* The delay that restart number `restarts` had: what a freshly started agent assumes. */
void backoff_assume(struct backoff *b, unsigned restarts, int64_t now_usec, int64_t base_usec,
		    int64_t max_usec);
