/* Why a container ended: the termination message. Effect: reads our own files, bounded.
 *
 * At most the last 4096 bytes of the file behind terminationMessagePath; with the policy
 * FallbackToLogsOnError and an empty file, the last 2048 bytes or 80 lines of the log.
 */
#pragma once

#include "podobs.h"

/* Replaces c->message when there is something to say. */
void termination_read_message(struct obs_container *c);
/* The text of the last CRI log lines in raw (pure): at most max_lines and max_bytes. Heap. */
char *termination_log_tail(const char *raw, size_t len, size_t max_lines, size_t max_bytes);
