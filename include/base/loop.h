/* What every program's event loop needs. Effect. */
#pragma once

#include <systemd/sd-event.h>

/* SIGTERM and SIGINT leave the loop with 0; SIGPIPE is ignored. what_stays is for the log line and
 * not copied: "pods keep running". Before any thread starts. */
void loop_end_on_signals(sd_event *loop, const char *what_stays);
