/* Exponential back-off (contract in backoff.h). Pure. */
#include "backoff.h"

int64_t backoff_due_usec(const struct backoff *b, int64_t ended_usec, int64_t max_usec)
{
	if (!b->delay_usec || ended_usec - b->last_update_usec > 2 * max_usec)
		return ended_usec;
	return ended_usec + b->delay_usec;
}

void backoff_next(struct backoff *b, int64_t ended_usec, int64_t now_usec, int64_t base_usec,
		  int64_t max_usec)
{
	bool fresh = !b->delay_usec || ended_usec - b->last_update_usec > 2 * max_usec;

	b->delay_usec = fresh ? base_usec : 2 * b->delay_usec;
	if (b->delay_usec > max_usec)
		b->delay_usec = max_usec;
	b->last_update_usec = now_usec;
}

void backoff_assume(struct backoff *b, unsigned restarts, int64_t now_usec, int64_t base_usec,
		    int64_t max_usec)
{
	b->delay_usec = 0;
	b->last_update_usec = now_usec;
	for (unsigned i = 0; i < restarts && b->delay_usec < max_usec; i++)
		b->delay_usec = b->delay_usec ? 2 * b->delay_usec : base_usec;
	if (b->delay_usec > max_usec)
		b->delay_usec = max_usec;
}
