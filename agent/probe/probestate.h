/* What one probe worker decides. Pure.
 *
 * Thresholds, initial delay, holding after a verdict: as upstream's prober worker.
 */
#pragma once

#include "k8s/core.pb-c.h"
#include "pod/podplan.h"

enum probe_kind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS, PROBE_KIND_COUNT };

struct probe_state {
	bool last_success;
	unsigned run; /* how often the last result came in a row */
	bool on_hold; /* until there is a new instance of the container */
	enum plan_verdict verdict;
};

struct probe_now {
	bool running,
	    started; /* of the instance; started: the startup probe has passed or is absent */
	bool terminating;
	int64_t running_for_usec;
};

/* A new instance: forgets what was known of the old one. */
void probestate_reset(struct probe_state *s);
/* Whether the check is to be made now. */
bool probestate_due(const struct probe_state *s, enum probe_kind kind, const Core__Probe *spec,
		    const struct probe_now *now);
/* Takes a result in; true when the verdict changed. */
bool probestate_result(struct probe_state *s, enum probe_kind kind, const Core__Probe *spec,
		       bool success);
