/* Clocks (contract in base/clock.h). Effect. */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

int64_t clock_mono_usec(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_usec(void)
{
	return read_clock(CLOCK_REALTIME);
}
