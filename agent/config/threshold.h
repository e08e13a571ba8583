/* Eviction thresholds and reservations as they are written in a configuration. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct threshold {
	bool percent;
	float fraction; /* of the capacity, when percent */
	int64_t amount; /* bytes, inodes or processes otherwise */
};

/* "100Mi", "10%". A threshold of 0% or 100% is off: returns 1. */
int threshold_parse(const char *text, struct threshold *ret_threshold, struct err *e);
bool threshold_signal_known(const char *signal);
int64_t threshold_of(const struct threshold *t, int64_t capacity);
