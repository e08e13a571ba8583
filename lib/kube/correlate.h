/* What becomes of an event: new, a count on an earlier one, part of a combined one, or nothing.
 * Pure: the time comes in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "k8s/core.pb-c.h"

struct correlator;

struct correlator *correlator_new(void);
void correlator_free(struct correlator *c);

enum correlate_outcome {
	CORRELATE_CREATE, /* send the event as it now is */
	CORRELATE_PATCH,  /* raise count, lastTimestamp and message of the event with its name */
	CORRELATE_SKIP,   /* held back */
};

/* Changes the event: name, message, count, firstTimestamp. */
enum correlate_outcome correlate(struct correlator *c, Core__Event *event, int64_t now_usec);
/* "pod.17a2b3c4d5e6f708" */
char *correlate_name(const char *about, int64_t now_usec);
