/* Checks of the eviction settings (contract in checks.h). Pure. */
#include "base/mem.h"
#include "checks.h"
#include "kube/quantity.h"
#include "kube/time.h"
#include "threshold.h"

static void check_threshold(struct check *c, const char *path, const char *signal, const char *text)
{
	struct threshold t;
	struct err e = { 0 };
	int r = threshold_parse(text, &t, &e);

	if (r < 0)
		check_problem(c, path, "%s: %s", signal, e.text);
	else if (!t.percent && !t.amount)
		check_problem(c, path, "%s: a threshold of 0 means nothing: write 0%%", signal);
}

static void check_thresholds(struct check *c, const char *path)
{
	struct json_object *map = check_get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, signal, value)
	{
		if (!threshold_signal_known(signal))
			check_problem(c, path, "there is no signal %s", signal);
		else
			check_threshold(c, path, signal, json_object_get_string(value));
	}
}

static void check_grace_periods(struct check *c)
{
	static const char path[] = "evictionSoftGracePeriod";
	struct json_object *periods = check_get(c, path), *soft = check_get(c, "evictionSoft");

	if (soft) {
		json_object_object_foreach(soft, signal, value)
		{
			bool off = str_eq(json_object_get_string(value), "0%") ||
				   str_eq(json_object_get_string(value), "100%");

			if (!off && !json_object_object_get_ex(periods, signal, NULL))
				check_problem(c, path, "%s has no grace period", signal);
		}
	}
	if (!periods)
		return;
	json_object_object_foreach(periods, signal, value)
	{
		struct err e = { 0 };
		int64_t nsec;

		if (!threshold_signal_known(signal))
			check_problem(c, path, "there is no signal %s", signal);
		else if (kube_duration_parse(json_object_get_string(value), &nsec, &e) < 0)
			check_problem(c, path, "%s: %s", signal, e.text);
		else if (nsec < 0)
			check_problem(c, path, "%s: %s is below 0", signal,
				      json_object_get_string(value));
	}
}

static void check_reclaims(struct check *c)
{
	static const char path[] = "evictionMinimumReclaim";
	struct json_object *map = check_get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, signal, value)
	{
		const char *text = json_object_get_string(value);
		struct threshold t;
		struct quantity q;
		struct err e = { 0 };

		if (!threshold_signal_known(signal))
			check_problem(c, path, "there is no signal %s", signal);
		else if (str_ends(text, "%") && threshold_parse(text, &t, &e) < 0)
			check_problem(c, path, "%s: %s", signal, e.text);
		else if (str_ends(text, "%") && t.fraction == 0)
			check_problem(c, path, "%s: %s is not above 0", signal, text);
		else if (!str_ends(text, "%") && quantity_parse(text, &q, &e) < 0)
			check_problem(c, path, "%s: %s", signal, e.text);
		else if (!str_ends(text, "%") && q.nano < 0)
			check_problem(c, path, "%s: %s is below 0", signal, text);
	}
}

void evictions_check(struct check *c)
{
	check_thresholds(c, "evictionHard");
	check_thresholds(c, "evictionSoft");
	check_grace_periods(c);
	check_reclaims(c);
}
