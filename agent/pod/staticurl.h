/* Manifests that a web server gives (staticPodURL): asked for again and again. Effect.
 *
 * got is called with every answer 200, changed or not; the bytes are borrowed. What goes wrong is
 * one line in the log for each kind of failure, and changes nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "conf/value.h"

struct staticurl;

struct staticurl *staticurl_new(sd_event *loop, const char *url, const struct config_pairs *headers,
				int64_t period_usec,
				void (*got)(void *ctx, const char *text, size_t len), void *ctx);
void staticurl_free(struct staticurl *u);
