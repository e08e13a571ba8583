/* Checks of a configuration (contract in validate.h). Pure.
 *
 * Rules that concern one option are tables; those that compare options are functions.
 */
#include "validate.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "conf/check.h"
#include "conf/featuregates.h"
#include "conf/value.h"
#include "labels.h"
#include "options.h"
#include "threshold.h"

#define MSEC 1000000LL
#define SEC (1000 * MSEC)

static const struct check_range ranges[] = {
	{ "nodeLeaseDurationSeconds", 1, CHECK_ANY },
	{ "eventBurst", 0, CHECK_ANY },
	{ "eventRecordQPS", 0, CHECK_ANY },
	{ "healthzPort", 0, 65535 },
	{ "port", 1, 65535 },
	{ "readOnlyPort", 0, 65535 },
	{ "imageGCHighThresholdPercent", 0, 100 },
	{ "imageGCLowThresholdPercent", 0, 100 },
	{ "imageMinimumGCAge", 0, CHECK_ANY },
	{ "imageMaximumGCAge", 0, CHECK_ANY },
	{ "iptablesDropBit", 0, 31 },
	{ "iptablesMasqueradeBit", 0, 31 },
	{ "kubeAPIBurst", 0, CHECK_ANY },
	{ "kubeAPIQPS", 0, CHECK_ANY },
	{ "nodeStatusMaxImages", -1, CHECK_ANY },
	{ "maxOpenFiles", 0, CHECK_ANY },
	{ "maxPods", 0, CHECK_ANY },
	{ "oomScoreAdj", -1000, 1000 },
	{ "podsPerCore", 0, CHECK_ANY },
	{ "registryBurst", 0, CHECK_ANY },
	{ "registryPullQPS", 0, CHECK_ANY },
	{ "maxParallelImagePulls", 1, CHECK_ANY },
	{ "cpuCFSQuotaPeriod", MSEC, SEC },
	{ "crashLoopBackOff.maxContainerRestartPeriod", SEC, 300 * SEC },
	{ "containerLogMaxWorkers", 1, CHECK_ANY },
	{ "containerLogMonitorInterval", 3 * SEC, CHECK_ANY },
	{ "containerLogMaxFiles", 2, CHECK_ANY },
	{ "logging.verbosity", 0, CHECK_ANY },
};

static const struct check_choice choices[] = {
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

static void check_images(struct check *c)
{
	int64_t low = check_number(c, "imageGCLowThresholdPercent");
	int64_t high = check_number(c, "imageGCHighThresholdPercent");
	int64_t young = check_duration_nsec(c, "imageMinimumGCAge"),
		old = check_duration_nsec(c, "imageMaximumGCAge");

	if (low >= high)
		check_problem(c, "imageGCLowThresholdPercent",
			      "%lld is not below imageGCHighThresholdPercent, which is %lld",
			      (long long)low, (long long)high);
	if (old > 0 && old <= young)
		check_problem(
		    c, "imageMaximumGCAge", "%s is not above imageMinimumGCAge, which is %s",
		    check_text(c, "imageMaximumGCAge"), check_text(c, "imageMinimumGCAge"));
	if (check_is_true(c, "serializeImagePulls") && check_number(c, "maxParallelImagePulls") > 1)
		check_problem(c, "maxParallelImagePulls",
			      "more than 1 needs serializeImagePulls: false");
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
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0, hits[ARRAY_SIZE(words)] = { 0 };

	for (size_t i = 0; i < n; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));
		size_t w = 0;

		while (w < ARRAY_SIZE(words) && !str_eq(words[w].word, word))
			w++;
		if (w == ARRAY_SIZE(words)) {
			check_problem(c, path, "\"%s\" is unknown", word);
			continue;
		}
		if (hits[w]++)
			check_problem(c, path, "\"%s\" stands there twice", word);
		if (words[w].cgroup && !*check_text(c, words[w].cgroup))
			check_problem(c, words[w].cgroup, "must be set when %s holds \"%s\"", path,
				      word);
		if (str_eq(word, "none") && n > 1)
			check_problem(c, path, "\"none\" stands alone or not at all");
		if (!str_eq(word, "none") && !check_is_true(c, "cgroupsPerQOS"))
			check_problem(c, "cgroupsPerQOS", "must be true when %s holds \"%s\"", path,
				      word);
	}
	if ((hits[2] && hits[3]) || (hits[4] && hits[5]))
		check_problem(c, path, "a reservation is enforced whole or compressible, not both");
}

static void check_reserved(struct check *c, const char *path)
{
	static const char *const resources[] = { "cpu", "memory", "ephemeral-storage", "pid" };
	struct json_object *map = check_get(c, path);

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
			check_problem(c, path, "%s cannot be reserved", resource);
		else if (str_ends(json_object_get_string(value), "%") ||
			 threshold_parse(json_object_get_string(value), &amount, &e) < 0)
			check_problem(c, path, "%s: %s", resource,
				      e.code ? e.text : "a percentage is no amount");
	}
}

static void check_thresholds(struct check *c, const char *path, const char *grace_path)
{
	struct json_object *map = check_get(c, path),
			   *grace = grace_path ? check_get(c, grace_path) : NULL;

	if (!map)
		return;
	json_object_object_foreach(map, signal, value)
	{
		struct threshold t;
		struct err e = { 0 };

		if (!threshold_signal_known(signal))
			check_problem(c, path, "there is no signal %s", signal);
		else if (threshold_parse(json_object_get_string(value), &t, &e) < 0)
			check_problem(c, path, "%s: %s", signal, e.text);
		if (grace_path && !(grace && json_object_object_get_ex(grace, signal, NULL)))
			check_problem(c, grace_path, "%s has no grace period", signal);
	}
}

static void check_shutdown(struct check *c)
{
	int64_t whole = check_duration_nsec(c, "shutdownGracePeriod");
	int64_t critical = check_duration_nsec(c, "shutdownGracePeriodCriticalPods");
	struct json_object *by_priority = check_get(c, "shutdownGracePeriodByPodPriority");

	if (whole < 0 || (whole > 0 && whole < SEC))
		check_problem(c, "shutdownGracePeriod", "must be 0 or at least 1s");
	if (critical < 0 || (critical > 0 && critical < SEC))
		check_problem(c, "shutdownGracePeriodCriticalPods", "must be 0 or at least 1s");
	if (critical > whole)
		check_problem(c, "shutdownGracePeriodCriticalPods",
			      "is longer than shutdownGracePeriod");
	if (by_priority && json_object_array_length(by_priority) && whole + critical > 0)
		check_problem(c, "shutdownGracePeriodByPodPriority",
			      "cannot be set together with shutdownGracePeriod");
}

static void check_taints(struct check *c)
{
	static const char path[] = "registerWithTaints";
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *taint = json_object_array_get_idx(list, i);
		const char *effect = str_or(json_string(taint, "effect"), "");
		struct err e = { 0 };

		if (labels_check_key(str_or(json_string(taint, "key"), ""), &e) < 0 ||
		    labels_check_value(str_or(json_string(taint, "value"), ""), &e) < 0)
			check_problem(c, path, "%s", e.text);
		if (!str_eq(effect, "NoSchedule") && !str_eq(effect, "PreferNoSchedule") &&
		    !str_eq(effect, "NoExecute"))
			check_problem(c, path, "there is no effect \"%s\"", effect);
		if (json_string(taint, "timeAdded"))
			check_problem(c, path, "timeAdded cannot be set");
	}
}

static void check_node_labels(struct check *c)
{
	static const char path[] = "--node-labels";
	struct json_object *map = check_get(c, path);

	if (!map)
		return;
	json_object_object_foreach(map, key, value)
	{
		struct err e = { 0 };

		if (!labels_node_may_set(key))
			check_problem(
			    c, path,
			    "%s lies in the kubernetes.io or k8s.io namespace, where a node may "
			    "only set keys below kubelet.kubernetes.io and node.kubernetes.io and "
			    "the well-known ones",
			    key);
		if (labels_check_key(key, &e) < 0 ||
		    labels_check_value(json_object_get_string(value), &e) < 0)
			check_problem(c, path, "%s", e.text);
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

	if (!*check_text(c, path))
		return;
	if (*check_text(c, "systemReservedCgroup") || *check_text(c, "kubeReservedCgroup"))
		check_problem(c, path, "cannot be set together with a reserved cgroup");
	if (!cpu_list_ok(check_text(c, path)))
		check_problem(c, path, "\"%s\" is not a list of CPUs such as 0-1,4",
			      check_text(c, path));
}

static void check_paths(struct check *c)
{
	const char *dir = check_text(c, "podLogsDir");

	if (*dir != '/')
		check_problem(c, "podLogsDir", "\"%s\" is not an absolute path", dir);
	else if (strstr(dir, "//") || strstr(dir, "/./") || strstr(dir, "/../") ||
		 str_ends(dir, "/..") || str_ends(dir, "/.") || (dir[1] && str_ends(dir, "/")))
		check_problem(c, "podLogsDir", "\"%s\" is not in its shortest form", dir);
	for (const char *p = dir; *p; p++) {
		if ((unsigned char)*p > 127) {
			check_problem(c, "podLogsDir", "\"%s\" holds more than ASCII", dir);
			break;
		}
	}
	if (!*check_text(c, "containerRuntimeEndpoint"))
		check_problem(c, "containerRuntimeEndpoint", "must be set");
	if (*check_text(c, "systemCgroups") && !*check_text(c, "cgroupRoot"))
		check_problem(c, "systemCgroups", "needs cgroupRoot");
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
		const struct option *o = options_find(c->table, gated[i].path);

		if (!value_is_zero(o->type, check_get(c, o->path)) &&
		    featuregates_find(gated[i].gate) && !check_gate(c, gated[i].gate))
			check_problem(c, o->path, "needs the feature gate %s", gated[i].gate);
	}
	if (check_is_true(c, "runOnce"))
		check_problem(c, "runOnce", "this mode is gone");
	if (str_eq(check_text(c, "memoryReservationPolicy"), "TieredReservation") &&
	    !check_gate(c, "MemoryQoS"))
		check_problem(c, "memoryReservationPolicy", "needs the feature gate MemoryQoS");
	if (check_duration_nsec(c, "cpuCFSQuotaPeriod") != 100 * MSEC &&
	    !check_gate(c, "CustomCPUCFSQuotaPeriod"))
		check_problem(c, "cpuCFSQuotaPeriod",
			      "other than 100ms needs the feature gate CustomCPUCFSQuotaPeriod");
}

int validate_values(struct json_object *values, struct err *e)
{
	struct check c = { .table = &config_options, .values = values };

	check_ranges(&c, ranges, ARRAY_SIZE(ranges));
	check_choices(&c, choices, ARRAY_SIZE(choices));
	check_gates(&c);
	check_logging(&c);
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
	return check_end(&c, e);
}
