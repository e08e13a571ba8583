/* What this process costs. Effect (reads /proc/self). */
#pragma once

#include "metrics.h"

/* start_sec is left alone; what cannot be read is 0. */
void procstat_read(struct metrics_process *ret);
