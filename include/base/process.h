/* What a daemon asks of the kernel for its own process. Effect; each is told and left when it is
 * refused. */
#pragma once

#include <stdint.h>

void process_set_oom_score(int adjust);
/* Limit of open files; 0: as many as the hard limit allows. Beyond the hard limit needs
 * CAP_SYS_RESOURCE: without it the limit becomes the hard one. */
void process_set_open_files(uint64_t most);
