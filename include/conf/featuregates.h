/* The feature gates that a configuration may name. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/value.h"

enum gate_stage { GATE_ALPHA, GATE_BETA, GATE_GA, GATE_DEPRECATED };

struct feature_gate {
	const char *name;
	enum gate_stage stage;
	bool fallback;
	bool locked; /* may be named with its default only */
};

const struct feature_gate *featuregates_at(size_t i); /* NULL behind the last */
const struct feature_gate *featuregates_find(const char *name);
/* Whether a gate is on: as configured ("true" or "false"), else its default; false for unknown
 * names. */
bool featuregates_on(const struct config_pairs *set, const char *name);
/* Walks the pairs of a gate that is on and one that it needs and that is off; *cursor begins at 0.
 */
bool featuregates_unmet(const struct config_pairs *set, size_t *cursor, const char **ret_gate,
			const char **ret_needs);
