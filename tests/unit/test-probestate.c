/* Probe workers' decisions: thresholds, delays, holding. */
#include "test.h"

#include "base/mem.h"
#include "base/proto.h"
#include "probe/probestate.h"

#define RUNS \
	{ \
		.running = true, .started = true, .running_for_usec = 10000000 \
	}

static void due(void **state)
{
	static const struct {
		enum probe_kind kind;
		int delay_sec;
		bool on_hold;
		struct probe_now now;
		bool want;
	} rows[] = {
		{ PROBE_LIVENESS, 0, false, RUNS, true },
		{ PROBE_READINESS, 0, false, RUNS, true },
		{ PROBE_LIVENESS, 0, true, RUNS, false },
		{ PROBE_LIVENESS, 0, false, { .running = false, .started = true }, false },
		/* nobody else is asked before the startup probe has passed, which then rests */
		{ PROBE_LIVENESS, 0, false, { .running = true }, false },
		{ PROBE_READINESS, 0, false, { .running = true }, false },
		{ PROBE_STARTUP, 0, false, { .running = true }, true },
		{ PROBE_STARTUP, 0, false, RUNS, false },
		{ PROBE_LIVENESS, 10, false, RUNS, true },
		{ PROBE_LIVENESS, 11, false, RUNS, false },
		{ PROBE_LIVENESS,
		  10,
		  false,
		  { .running = true, .started = true, .running_for_usec = 9999999 },
		  false },
		/* a pod that ends is only asked whether it is ready */
		{ PROBE_LIVENESS, 0, false, { true, true, true, 1 }, false },
		{ PROBE_READINESS, 0, false, { true, true, true, 1 }, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PROTO Core__Probe *spec = proto_new(&core__probe__descriptor);
		struct probe_state s = { .on_hold = rows[i].on_hold };

		spec->initialdelayseconds = rows[i].delay_sec;
		if (probestate_due(&s, rows[i].kind, spec, &rows[i].now) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

/* results: s, f; want after each: U, S, F (upper case: changed) and u, s, f (not). */
static void results(void **state)
{
	static const struct {
		enum probe_kind kind;
		int success, failure; /* thresholds, 0: default */
		const char *results, *want;
		bool on_hold;
	} rows[] = {
		{ PROBE_READINESS, 0, 0, "sfffs", "SssFS", false },
		{ PROBE_READINESS, 2, 1, "ssfss", "uSFfS", false },
		{ PROBE_READINESS, 1, 2, "ffsfsf", "uFSsss", false },
		{ PROBE_LIVENESS, 0, 3, "ffsffsfff", "uuSsssssF", true },
		{ PROBE_LIVENESS, 0, 1, "sf", "SF", true },
		{ PROBE_STARTUP, 0, 2, "fs", "uS", true },
		{ PROBE_STARTUP, 0, 2, "ff", "uF", true },
	};
	static const char names[][4] = { "usf", "USF" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PROTO Core__Probe *spec = proto_new(&core__probe__descriptor);
		struct probe_state s;

		probestate_reset(&s);
		spec->successthreshold = rows[i].success;
		spec->failurethreshold = rows[i].failure;
		for (size_t k = 0; rows[i].results[k]; k++) {
			bool changed =
			    probestate_result(&s, rows[i].kind, spec, rows[i].results[k] == 's');
			int verdict = s.verdict == VERDICT_SUCCESS   ? 1
				      : s.verdict == VERDICT_FAILURE ? 2
								     : 0;

			if (names[changed][verdict] != rows[i].want[k])
				fail_msg("row %zu, result %zu: %c", i, k, names[changed][verdict]);
		}
		assert_int_equal(s.on_hold, rows[i].on_hold);
		probestate_reset(&s);
		assert_false(s.on_hold);
		assert_int_equal(s.verdict, VERDICT_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(due), cmocka_unit_test(results) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
