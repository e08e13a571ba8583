/* What a daemon asks of the kernel for its own process. Effect; each is told and left when it is
 * refused. */
#pragma once

#include <stdint.h>

/* Whoever started us may have closed 0, 1 or 2: what we open next would get that number, and our
 * log lines would go there. */
void process_hold_standard_files(void);
void process_set_oom_score(int adjust);
/* Limit of open files; 0: as many as the hard limit allows. Beyond the hard limit needs
 * CAP_SYS_RESOURCE: without it the limit becomes the hard one. */
void process_set_open_files(uint64_t most);
