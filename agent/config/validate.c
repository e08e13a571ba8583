/* Checks of a configuration (contract in validate.h). Pure.
 *
 * Rules that concern one option are tables; those that compare options are functions.
 */
#include "validate.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "featuregates.h"
#include "labels.h"
#include "options.h"
#include "threshold.h"
#include "value.h"

#define MSEC 1000000LL
#define SEC (1000 * MSEC)
#define ANY INT64_MAX

struct check {
	struct json_object *values;
	struct str problems;
};

static struct json_object *get(struct check *c, const char *path)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(c->values, path, &value);
	return value;
}

static const char *text_of(struct check *c, const char *path)
{
	struct json_object *value = get(c, path);

	return value ? json_object_get_string(value) : "";
}

static bool is_true(struct check *c, const char *path)
{
	return json_object_get_boolean(get(c, path));
}

static int64_t duration(struct check *c, const char *path)
{
	return value_duration_nsec(get(c, path));
}

/* "<path> (--flag): <sentence>" */
__attribute__((format(printf, 3, 4))) static void problem(struct check *c, const char *path,
							  const char *fmt, ...)
{
	const struct option *o = options_find(path);
	va_list ap;

	str_append(&c->problems, c->problems.len ? "; " : "");
	str_append(&c->problems, path);
	if (o && o->flag)
		str_printf(&c->problems, " (--%s)", o->flag);
	str_append(&c->problems, ": ");
	va_start(ap, fmt);
	str_vprintf(&c->problems, fmt, ap);
	va_end(ap);
}

static const struct {
	const char *path;
	int64_t min, max; /* durations in nanoseconds */
} ranges[] = {
	{ "nodeLeaseDurationSeconds", 1, ANY },
	{ "eventBurst", 0, ANY },
	{ "eventRecordQPS", 0, ANY },
	{ "healthzPort", 0, 65535 },
	{ "port", 1, 65535 },
	{ "readOnlyPort", 0, 65535 },
	{ "imageGCHighThresholdPercent", 0, 100 },
	{ "imageGCLowThresholdPercent", 0, 100 },
	{ "imageMinimumGCAge", 0, ANY },
	{ "imageMaximumGCAge", 0, ANY },
	{ "iptablesDropBit", 0, 31 },
	{ "iptablesMasqueradeBit", 0, 31 },
	{ "kubeAPIBurst", 0, ANY },
	{ "kubeAPIQPS", 0, ANY },
	{ "nodeStatusMaxImages", -1, ANY },
	{ "maxOpenFiles", 0, ANY },
	{ "maxPods", 0, ANY },
	{ "oomScoreAdj", -1000, 1000 },
	{ "podsPerCore", 0, ANY },
	{ "registryBurst", 0, ANY },
	{ "registryPullQPS", 0, ANY },
	{ "maxParallelImagePulls", 1, ANY },
	{ "cpuCFSQuotaPeriod", MSEC, SEC },
	{ "crashLoopBackOff.maxContainerRestartPeriod", SEC, 300 * SEC },
	{ "containerLogMaxWorkers", 1, ANY },
	{ "containerLogMonitorInterval", 3 * SEC, ANY },
	{ "containerLogMaxFiles", 2, ANY },
	{ "logging.verbosity", 0, ANY },
};

static void check_range(struct check *c, const char *path, int64_t min, int64_t max)
{
	const struct option *o = options_find(path);
	struct json_object *value = get(c, path);
	int64_t number = o->type == OPTION_DURATION ? value_duration_nsec(value) : value_i64(value);
	AUTO_JSON struct json_object *low = NULL, *high = NULL;

	if (!value || (number >= min && number <= max))
		return;
	if (o->type == OPTION_DURATION) {
		AUTO_FREE char *a = str_fmt("%lldns", (long long)min);
		AUTO_FREE char *b = str_fmt("%lldns", (long long)max);

		value_from_text(o->type, a, NULL, &low, NULL);
		value_from_text(o->type, b, NULL, &high, NULL);
	} else {
		low = json_object_new_int64(min);
		high = json_object_new_int64(max);
	}
	if (max == ANY)
		problem(c, path, "%s is below %s", json_object_get_string(value),
			json_object_get_string(low));
	else
		problem(c, path, "%s is not between %s and %s", json_object_get_string(value),
			json_object_get_string(low), json_object_get_string(high));
}

static const struct {
	const char *path, *words[6];
} choices[] = {
	{ "authorization.mode", { "AlwaysAllow", "Webhook" } },
	{ "cgroupDriver", { "cgroupfs", "systemd" } },
	{ "topologyManagerPolicy", { "none", "best-effort", "restricted", "single-numa-node" } },
	{ "topologyManagerScope", { "container", "pod" } },
	{ "cpuManagerPolicy", { "none", "static" } },
	{ "memoryManagerPolicy", { "None", "Static" } },
	{ "memorySwap.swapBehavior", { "", "NoSwap", "LimitedSwap" } },
	{ "hairpinMode", { "promiscuous-bridge", "hairpin-veth", "none" } },
	{ "memoryReservationPolicy", { "None", "TieredReservation" } },
	{ "logging.format", { "text", "json" } },
	{ "tlsMinVersion", { "", "VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13" } },
	{ "configMapAndSecretChangeDetectionStrategy", { "Get", "Cache", "Watch" } },
	{ "imagePullCredentialsVerificationPolicy",
	  { "NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages",
	    "AlwaysVerify" } },
	{ "--cloud-provider", { "", "external" } },
};

static void check_choice(struct check *c, const char *path, const char *const *words, size_t n)
{
	AUTO_STR list = { 0 };

	if (!get(c, path))
		return;
	for (size_t i = 0; i < n && words[i]; i++) {
		if (str_eq(words[i], text_of(c, path)))
			return;
		str_printf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
	}
	problem(c, path, "\"%s\" is none of %s", text_of(c, path), str_text(&list));
}

bool validate_gate(struct json_object *values, const char *name)
{
	const struct feature_gate *gate = featuregates_find(name);
	struct json_object *gates = NULL, *value = NULL;
	const char *group;

	if (!gate)
		return false;
	json_object_object_get_ex(values, "featureGates", &gates);
	if (gates && json_object_object_get_ex(gates, name, &value))
		return json_object_get_boolean(value);
	group = gate->stage == GATE_ALPHA ? "AllAlpha" : gate->stage == GATE_BETA ? "AllBeta" : "";
	if (gates && json_object_object_get_ex(gates, group, &value))
		return json_object_get_boolean(value);
	return gate->fallback;
}

static void check_gates(struct check *c)
{
	struct json_object *gates = get(c, "featureGates");

	if (!gates)
		return;
	json_object_object_foreach(gates, name, value)
	{
		const struct feature_gate *gate = featuregates_find(name);
		bool on = json_object_get_boolean(value);

		if (!gate && !str_eq(name, "AllAlpha") && !str_eq(name, "AllBeta"))
			problem(c, "featureGates", "there is no feature gate %s", name);
		else if (gate && gate->locked && on != gate->fallback)
			problem(c, "featureGates", "%s cannot be set to %s any more", name,
				on ? "true" : "false");
	}
}

static void check_images(struct check *c)
{
	int64_t low = value_i64(get(c, "imageGCLowThresholdPercent"));
	int64_t high = value_i64(get(c, "imageGCHighThresholdPercent"));
	int64_t young = duration(c, "imageMinimumGCAge"), old = duration(c, "imageMaximumGCAge");

	if (low >= high)
		problem(c, "imageGCLowThresholdPercent",
			"%lld is not below imageGCHighThresholdPercent, which is %lld",
			(long long)low, (long long)high);
	if (old > 0 && old <= young)
		problem(c, "imageMaximumGCAge", "%s is not above imageMinimumGCAge, which is %s",
			text_of(c, "imageMaximumGCAge"), text_of(c, "imageMinimumGCAge"));
	if (is_true(c, "serializeImagePulls") && value_i64(get(c, "maxParallelImagePulls")) > 1)
		problem(c, "maxParallelImagePulls", "more than 1 needs serializeImagePulls: false");
}

static void check_allocatable(struct check *c)
{
	static const struct {
		const char *word, *cgroup, *rival;
	} words[] = {
		{ "pods", NULL, NULL },
		{ "none", NULL, NULL },
		{ "system-reserved", "systemReservedCgroup", "system-reserved-compressible" },
		{ "system-reserved-compressible", "systemReservedCgroup", "system-reserved" },
		{ "kube-reserved", "kubeReservedCgroup", "kube-reserved-compressible" },
		{ "kube-reserved-compressible", "kubeReservedCgroup", "kube-reserved" },
	};
	static const char path[] = "enforceNodeAllocatable";
	struct json_object *list = get(c, path);
	size_t n = list ? json_object_array_length(list) : 0, hits[ARRAY_SIZE(words)] = { 0 };

	for (size_t i = 0; i < n; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		size_t w = 0;

		while (w < ARRAY_SIZE(words) && !str_eq(words[w].word, word))
			w++;
		if (w == ARRAY_SIZE(words)) {
			problem(c, path, "\"%s\" is unknown", word);
			continue;
		}
		if (hits[w]++)
			problem(c, path, "\"%s\" stands there twice", word);
		if (words[w].cgroup && !*text_of(c, words[w].cgroup))
			problem(c, words[w].cgroup, "must be set when %s holds \"%s\"", path, word);
		if (str_eq(word, "none") && n > 1)
			problem(c, path, "\"none\" stands alone or not at all");
		if (!str_eq(word, "none") && !is_true(c, "cgroupsPerQOS"))
			problem(c, "cgroupsPerQOS", "must be true when %s holds \"%s\"", path,
				word);
	}
	if ((hits[2] && hits[3]) || (hits[4] && hits[5]))
		problem(c, path, "a reservation is enforced whole or compressible, not both");
}

static void check_reserved(struct check *c, const char *path)
{
	static const char *const resources[] = { "cpu", "memory", "ephemeral-storage", "pid" };
	struct json_object *map = get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, resource, value)
	{
		struct threshold amount;
		struct err e = { 0 };
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
			known |= str_eq(resources[i], resource);
		if (!known)
			problem(c, path, "%s cannot be reserved", resource);
		else if (str_ends(json_object_get_string(value), "%") ||
			 threshold_parse(json_object_get_string(value), &amount, &e) < 0)
			problem(c, path, "%s: %s", resource,
				e.code ? e.text : "a percentage is no amount");
	}
}

static void check_thresholds(struct check *c, const char *path, const char *grace_path)
{
	struct json_object *map = get(c, path), *grace = grace_path ? get(c, grace_path) : NULL;

	if (!map)
		return;
	json_object_object_foreach(map, signal, value)
	{
		struct threshold t;
		struct err e = { 0 };

		if (!threshold_signal_known(signal))
			problem(c, path, "there is no signal %s", signal);
		else if (threshold_parse(json_object_get_string(value), &t, &e) < 0)
			problem(c, path, "%s: %s", signal, e.text);
		if (grace_path && !(grace && json_object_object_get_ex(grace, signal, NULL)))
			problem(c, grace_path, "%s has no grace period", signal);
	}
}

static void check_shutdown(struct check *c)
{
	int64_t whole = duration(c, "shutdownGracePeriod");
	int64_t critical = duration(c, "shutdownGracePeriodCriticalPods");
	struct json_object *by_priority = get(c, "shutdownGracePeriodByPodPriority");

	if (whole < 0 || (whole > 0 && whole < SEC))
		problem(c, "shutdownGracePeriod", "must be 0 or at least 1s");
	if (critical < 0 || (critical > 0 && critical < SEC))
		problem(c, "shutdownGracePeriodCriticalPods", "must be 0 or at least 1s");
	if (critical > whole)
		problem(c, "shutdownGracePeriodCriticalPods", "is longer than shutdownGracePeriod");
	if (by_priority && json_object_array_length(by_priority) && whole + critical > 0)
		problem(c, "shutdownGracePeriodByPodPriority",
			"cannot be set together with shutdownGracePeriod");
}

static void check_taints(struct check *c)
{
	static const char path[] = "registerWithTaints";
	struct json_object *list = get(c, path);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *taint = json_object_array_get_idx(list, i);
		const char *effect = str_or(json_string(taint, "effect"), "");
		struct err e = { 0 };

		if (labels_check_key(str_or(json_string(taint, "key"), ""), &e) < 0 ||
		    labels_check_value(str_or(json_string(taint, "value"), ""), &e) < 0)
			problem(c, path, "%s", e.text);
		if (!str_eq(effect, "NoSchedule") && !str_eq(effect, "PreferNoSchedule") &&
		    !str_eq(effect, "NoExecute"))
			problem(c, path, "there is no effect \"%s\"", effect);
		if (json_string(taint, "timeAdded"))
			problem(c, path, "timeAdded cannot be set");
	}
}

static void check_node_labels(struct check *c)
{
	static const char path[] = "--node-labels";
	struct json_object *map = get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, key, value)
	{
		struct err e = { 0 };

		if (!labels_node_may_set(key))
			problem(
			    c, path,
			    "%s lies in the kubernetes.io or k8s.io namespace, where a node may "
			    "only set keys below kubelet.kubernetes.io and node.kubernetes.io and "
			    "the well-known ones",
			    key);
		if (labels_check_key(key, &e) < 0 ||
		    labels_check_value(json_object_get_string(value), &e) < 0)
			problem(c, path, "%s", e.text);
	}
}

static bool cpu_list_ok(const char *text)
{
	for (const char *p = text; *p;) {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;

		if (end == p || !isdigit((unsigned char)*p))
			return false;
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p || !isdigit((unsigned char)*p))
				return false;
		}
		if (to < from || (*end && *end != ',') || (*end == ',' && !end[1]))
			return false;
		p = *end ? end + 1 : end;
	}
	return true;
}

static void check_cpus(struct check *c)
{
	static const char path[] = "reservedSystemCPUs";

	if (!*text_of(c, path))
		return;
	if (*text_of(c, "systemReservedCgroup") || *text_of(c, "kubeReservedCgroup"))
		problem(c, path, "cannot be set together with a reserved cgroup");
	if (!cpu_list_ok(text_of(c, path)))
		problem(c, path, "\"%s\" is not a list of CPUs such as 0-1,4", text_of(c, path));
}

static void check_paths(struct check *c)
{
	const char *dir = text_of(c, "podLogsDir");

	if (*dir != '/')
		problem(c, "podLogsDir", "\"%s\" is not an absolute path", dir);
	else if (strstr(dir, "//") || strstr(dir, "/./") || strstr(dir, "/../") ||
		 str_ends(dir, "/..") || str_ends(dir, "/.") || (dir[1] && str_ends(dir, "/")))
		problem(c, "podLogsDir", "\"%s\" is not in its shortest form", dir);
	for (const char *p = dir; *p; p++) {
		if ((unsigned char)*p > 127) {
			problem(c, "podLogsDir", "\"%s\" holds more than ASCII", dir);
			break;
		}
	}
	if (!*text_of(c, "containerRuntimeEndpoint"))
		problem(c, "containerRuntimeEndpoint", "must be set");
	if (*text_of(c, "systemCgroups") && !*text_of(c, "cgroupRoot"))
		problem(c, "systemCgroups", "needs cgroupRoot");
}

/* Options that a feature gate guards: refused when set while the gate is off. */
static const struct {
	const char *path, *gate;
} gated[] = {
	{ "defaultPodSysctls", "DefaultPodSysctls" },
	{ "memoryThrottlingFactor", "MemoryQoS" },
	{ "enableSystemLogQuery", "NodeLogQuery" },
	{ "serverTLSBootstrap", "RotateKubeletServerCertificate" },
	{ "tlsCurvePreferences", "TLSCurvePreferences" },
};

static void check_gated(struct check *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(gated); i++) {
		const struct option *o = options_find(gated[i].path);

		if (!value_is_zero(o->type, get(c, o->path)) && featuregates_find(gated[i].gate) &&
		    !validate_gate(c->values, gated[i].gate))
			problem(c, o->path, "needs the feature gate %s", gated[i].gate);
	}
	if (is_true(c, "runOnce"))
		problem(c, "runOnce", "this mode is gone");
	if (str_eq(text_of(c, "memoryReservationPolicy"), "TieredReservation") &&
	    !validate_gate(c->values, "MemoryQoS"))
		problem(c, "memoryReservationPolicy", "needs the feature gate MemoryQoS");
	if (duration(c, "cpuCFSQuotaPeriod") != 100 * MSEC &&
	    !validate_gate(c->values, "CustomCPUCFSQuotaPeriod"))
		problem(c, "cpuCFSQuotaPeriod",
			"other than 100ms needs the feature gate CustomCPUCFSQuotaPeriod");
}

int validate_values(struct json_object *values, struct err *e)
{
	struct check c = { .values = values };
	AUTO_FREE char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		check_range(&c, ranges[i].path, ranges[i].min, ranges[i].max);
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		check_choice(&c, choices[i].path, choices[i].words, ARRAY_SIZE(choices[i].words));
	check_gates(&c);
	check_images(&c);
	check_allocatable(&c);
	check_reserved(&c, "systemReserved");
	check_reserved(&c, "kubeReserved");
	check_thresholds(&c, "evictionHard", NULL);
	check_thresholds(&c, "evictionSoft", "evictionSoftGracePeriod");
	check_shutdown(&c);
	check_taints(&c);
	check_node_labels(&c);
	check_cpus(&c);
	check_paths(&c);
	check_gated(&c);
	text = str_take(&c.problems);
	return *text ? err_set(e, ERR_INVALID, "%s", text) : 0;
}
