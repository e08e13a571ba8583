/* Eviction thresholds (contract in threshold.h). Pure. */
#include "threshold.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/quantity.h"

static int parse_percent(const char *text, struct threshold *ret_threshold, struct err *e)
{
	char *end;
	float percent = strtof(text, &end); /* as upstream: allocatable agrees to the byte */

	if (end == text || !str_eq(end, "%") || percent < 0 || percent > 100)
		return err_set(e, ERR_INVALID, "\"%s\" is not a percentage from 0%% to 100%%",
			       text);
	*ret_threshold = (struct threshold){ .percent = true, .fraction = percent / 100 };
	return percent == 0 || percent == 100;
}

int threshold_parse(const char *text, struct threshold *ret_threshold, struct err *e)
{
	struct quantity q;

	if (str_ends(text, "%"))
		return parse_percent(text, ret_threshold, e);
	if (quantity_parse(text, &q, e) < 0)
		return -1;
	if (q.nano < 0)
		return err_set(e, ERR_INVALID, "\"%s\" is negative", text);
	*ret_threshold = (struct threshold){ .amount = quantity_value(&q) };
	return 0;
}

bool threshold_signal_known(const char *signal)
{
	static const char *const signals[] = {
		"memory.available",      "allocatableMemory.available", "nodefs.available",
		"nodefs.inodesFree",     "imagefs.available",           "imagefs.inodesFree",
		"containerfs.available", "containerfs.inodesFree",      "pid.available",
	};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (str_eq(signals[i], signal))
			return true;
	}
	return false;
}

int64_t threshold_of(const struct threshold *t, int64_t capacity)
{
	return t->percent ? (int64_t)((double)capacity * (double)t->fraction) : t->amount;
}
