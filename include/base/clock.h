/* Clocks: monotonic for grace, back-off and leases; wall clock for times in the API. Effect (reads
 * the clock). */
#pragma once

#include <stdint.h>

int64_t clock_mono_usec(void);
int64_t clock_wall_usec(void); /* since 1970-01-01 UTC */

enum { NSEC_PER_USEC = 1000, USEC_PER_MSEC = 1000, USEC_PER_SEC = 1000000 };

/* For timers that someone waits on: sd-event's own default (0) may fire 250 ms late. */
enum { TIMER_ACCURACY_USEC = 1000 };
