/* Tells when a file may have changed: written, replaced, or behind a symbolic link that was moved,
 * as mounted ConfigMaps are. Effect (inotify on the file's directory).
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/err.h"

struct filewatch;

/* changed is called from the loop, a moment after the last event. */
int filewatch_new(sd_event *loop, const char *path, void (*changed)(void *ctx), void *ctx,
		  struct filewatch **ret, struct err *e);
void filewatch_free(struct filewatch *w);
