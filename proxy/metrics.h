/* What /metrics shows: upstream's families for nftables. Pure.
 *
 * Gauges and counters that the data plane keeps are read when asked; durations are collected here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "dataplane.h"

enum metrics_histogram {
	METRICS_SYNC,
	METRICS_SYNC_FULL,
	METRICS_SYNC_PARTIAL,
	METRICS_PROGRAMMING, /* from the change of an endpoint to its rules */
	METRICS_HISTOGRAMS
};

enum { METRICS_BUCKETS_MAX = 80 };

struct metrics_buckets {
	uint64_t counts[METRICS_BUCKETS_MAX + 1]; /* not cumulative; the last is +Inf */
	uint64_t n;
	double sum;
};

struct metrics {
	struct metrics_buckets histograms[METRICS_HISTOGRAMS][DATAPLANE_FAMILIES];
	uint64_t healthz[2], livez[2]; /* answers: 200, 503 */
	uint64_t masqueraded;          /* ranges of other nodes whose clients are not kept */
};

/* trigger_usec and now_usec: CLOCK_REALTIME; 0: no trigger. */
void metrics_synced(struct metrics *m, enum dataplane_family family, bool full, int64_t took_usec,
		    int64_t trigger_usec, int64_t now_usec);

/* What the process costs. */
struct metrics_process {
	double cpu_sec, start_sec; /* start: since 1970 */
	uint64_t resident_bytes, virtual_bytes, open_fds, max_fds;
};
void metrics_print(const struct metrics *m, const struct dataplane_status *s,
		   const struct metrics_process *process, struct str *out);
