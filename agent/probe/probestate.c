/* Decisions of a probe worker (contract in probestate.h). Pure. */
#include "probestate.h"

enum { FAILURE_THRESHOLD_DEFAULT = 3, SUCCESS_THRESHOLD_DEFAULT = 1 };

void probestate_reset(struct probe_state *s)
{
	*s = (struct probe_state){ .verdict = VERDICT_UNKNOWN };
}

bool probestate_due(const struct probe_state *s, enum probe_kind kind, const Core__Probe *spec,
		    const struct probe_now *now)
{
	if (s->on_hold || !now->running)
		return false;
	if (now->terminating && kind != PROBE_READINESS)
		return false;
	/* upstream compares whole seconds */
	if (now->running_for_usec / 1000000 < spec->initialdelayseconds)
		return false;
	return kind == PROBE_STARTUP ? !now->started : now->started;
}

static unsigned threshold(const Core__Probe *spec, bool success)
{
	int32_t n = success ? spec->successthreshold : spec->failurethreshold;

	if (n > 0)
		return (unsigned)n;
	return success ? SUCCESS_THRESHOLD_DEFAULT : FAILURE_THRESHOLD_DEFAULT;
}

bool probestate_result(struct probe_state *s, enum probe_kind kind, const Core__Probe *spec,
		       bool success)
{
	enum plan_verdict verdict = success ? VERDICT_SUCCESS : VERDICT_FAILURE;
	bool changed;

	s->run = s->run && s->last_success == success ? s->run + 1 : 1;
	s->last_success = success;
	if (s->run < threshold(spec, success))
		return false;
	changed = s->verdict != verdict;
	s->verdict = verdict;
	if (kind == PROBE_STARTUP || (kind == PROBE_LIVENESS && !success)) {
		s->on_hold = true;
		s->run = 0;
	}
	return changed;
}
