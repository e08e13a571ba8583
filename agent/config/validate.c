/* Checks of a configuration (contract in validate.h). Pure.
 *
 * Rules that concern one option are tables; those that compare options are functions.
 */
#include "validate.h"

#include <string.h>

#include "base/mem.h"
#include "checks.h"
#include "ciphers.h"
#include "conf/check.h"
#include "conf/featuregates.h"
#include "conf/value.h"
#include "image/imagename.h"
#include "kube/quantity.h"
#include "labels.h"
#include "node/nodeaddr.h"
#include "options.h"

#define MSEC 1000000LL
#define SEC (1000 * MSEC)

enum { USERNS_UNIT = 65536 };

/* The one release whose hidden metrics may be asked for. */
static const char previous_release[] = "1.36";

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
	{ "syncFrequency", 1, CHECK_ANY },
	{ "runtimeRequestTimeout", 1, CHECK_ANY },
	{ "tracing.samplingRatePerMillion", 0, 1000000 },
	{ "userNamespaces.idsPerPod", USERNS_UNIT, UINT32_MAX },
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
	{ "showHiddenMetricsForVersion", { "", previous_release } },
	{ "--cloud-provider", { "", "external" } },
};

/* An image without tag and digest, or a registry or path with a star in place of the last part. */
static void check_image_pattern(struct check *c, const char *path, const char *pattern)
{
	bool below = str_ends(pattern, "/*");
	AUTO_FREE char *name = mem_strndup(pattern, strlen(pattern) - (below ? 1 : 0));
	AUTO_FREE char *tagged = below ? NULL : imagename_with_tag(name, NULL);
	const char *colon = strrchr(name, ':'), *slash = strrchr(name, '/');

	if (strpbrk(name, "* \t") || !*name || (below && !name[1]))
		check_problem(c, path, "\"%s\" is neither an image nor a path with /* at its end",
			      pattern);
	else if (!below && !tagged)
		check_problem(c, path, "\"%s\" is no name of an image", pattern);
	else if (!below && (strchr(name, '@') || (colon && colon > str_or(slash, name))))
		check_problem(c, path, "\"%s\" holds a tag or a digest", pattern);
}

static void check_image_credentials(struct check *c)
{
	static const char path[] = "preloadedImagesVerificationAllowlist";
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0;

	if (n && !str_eq(check_text(c, "imagePullCredentialsVerificationPolicy"),
			 "NeverVerifyAllowlistedImages"))
		check_problem(c, path,
			      "needs imagePullCredentialsVerificationPolicy: "
			      "NeverVerifyAllowlistedImages");
	for (size_t i = 0; i < n; i++)
		check_image_pattern(c, path,
				    json_object_get_string(json_object_array_get_idx(list, i)));
}

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

static void check_shutdown(struct check *c)
{
	static const char whole_path[] = "shutdownGracePeriod";
	static const char critical_path[] = "shutdownGracePeriodCriticalPods";
	static const char priority_path[] = "shutdownGracePeriodByPodPriority";
	int64_t whole = check_duration_nsec(c, whole_path);
	int64_t critical = check_duration_nsec(c, critical_path);
	struct json_object *by_priority = check_get(c, priority_path);
	bool has_priorities = by_priority && json_object_array_length(by_priority);

	if (!check_gate(c, "GracefulNodeShutdownBasedOnPodPriority") && has_priorities)
		check_problem(c, priority_path,
			      "needs the feature gate GracefulNodeShutdownBasedOnPodPriority");
	else if (has_priorities && (whole > 0 || critical > 0))
		check_problem(c, priority_path, "cannot be set together with %s", whole_path);
	if (!check_gate(c, "GracefulNodeShutdown")) {
		if (whole > 0 || critical > 0)
			check_problem(c, whole_path, "needs the feature gate GracefulNodeShutdown");
		return;
	}
	if (whole < 0 || (whole > 0 && whole < SEC))
		check_problem(c, whole_path, "must be 0 or at least 1s");
	if (critical < 0 || (critical > 0 && critical < SEC))
		check_problem(c, critical_path, "must be 0 or at least 1s");
	if (critical > whole)
		check_problem(c, critical_path, "is longer than %s", whole_path);
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
		if (*effect && !str_eq(effect, "NoSchedule") &&
		    !str_eq(effect, "PreferNoSchedule") && !str_eq(effect, "NoExecute"))
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
	{ "enableSystemLogQuery", "NodeLogQuery" },
	{ "serverTLSBootstrap", "RotateKubeletServerCertificate" },
	{ "crashLoopBackOff.maxContainerRestartPeriod", "KubeletCrashLoopBackOffMax" },
	{ "imagePullCredentialsVerificationPolicy", "KubeletEnsureSecretPulledImages" },
	{ "preloadedImagesVerificationAllowlist", "KubeletEnsureSecretPulledImages" },
};

static void check_gated(struct check *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(gated); i++) {
		const struct option *o = options_find(c->table, gated[i].path);

		if (!value_is_zero(o->type, check_get(c, o->path)) && !check_gate(c, gated[i].gate))
			check_problem(c, o->path, "needs the feature gate %s", gated[i].gate);
	}
	if (check_gate(c, "KubeletCrashLoopBackOffMax") &&
	    !check_get(c, "crashLoopBackOff.maxContainerRestartPeriod"))
		check_problem(c, "crashLoopBackOff.maxContainerRestartPeriod",
			      "must be set when a flag turns KubeletCrashLoopBackOffMax on and "
			      "the file turns it off");
	if (check_is_true(c, "runOnce"))
		check_problem(c, "runOnce", "this mode is gone");
	if (check_is_true(c, "enableSystemLogQuery") && !check_is_true(c, "enableSystemLogHandler"))
		check_problem(c, "enableSystemLogQuery", "needs enableSystemLogHandler");
	if (check_duration_nsec(c, "cpuCFSQuotaPeriod") != 100 * MSEC &&
	    !check_gate(c, "CustomCPUCFSQuotaPeriod"))
		check_problem(c, "cpuCFSQuotaPeriod",
			      "other than 100ms needs the feature gate CustomCPUCFSQuotaPeriod");
}

/* Without the gate only what used to be the default may stay in a file. */
static void check_memory_qos(struct check *c)
{
	static const char path[] = "memoryThrottlingFactor";
	static const double former_default = 0.9;
	struct json_object *value = check_get(c, path);
	double factor = value ? json_object_get_double(value) : 0;
	bool on = check_gate(c, "MemoryQoS");

	if (value && (factor <= 0 || factor > 1))
		check_problem(c, path, "%g is not above 0 and up to 1", factor);
	else if (value && !on && factor != former_default)
		check_problem(c, path, "needs the feature gate MemoryQoS");
	if (str_eq(check_text(c, "memoryReservationPolicy"), "TieredReservation") && !on)
		check_problem(c, "memoryReservationPolicy", "needs the feature gate MemoryQoS");
}

static void check_tls(struct check *c)
{
	static const char suites_path[] = "tlsCipherSuites", curves_path[] = "tlsCurvePreferences";
	static const int64_t curves[] = { 23, 24, 25, 29, 4587, 4588, 4589 };
	struct json_object *suites = check_get(c, suites_path), *list = check_get(c, curves_path);
	size_t n = suites ? json_object_array_length(suites) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(suites, i));

		if (!ciphers_find(name))
			check_problem(c, suites_path, "there is no cipher suite \"%s\"", name);
	}
	n = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < n; i++) {
		int64_t id = value_i64(json_object_array_get_idx(list, i));
		bool known = false, twice = false;

		for (size_t k = 0; k < ARRAY_SIZE(curves); k++)
			known |= curves[k] == id;
		for (size_t k = 0; k < i; k++)
			twice |= value_i64(json_object_array_get_idx(list, k)) == id;
		if (!known || twice)
			check_problem(c, curves_path, "%lld %s", (long long)id,
				      known ? "stands there twice" : "is no known group");
	}
}

static void check_tracing(struct check *c)
{
	static const char path[] = "tracing.endpoint";
	const char *text = check_text(c, path);

	if (strstr(text, "//") && !str_starts(text, "dns:") && !str_starts(text, "unix:") &&
	    !str_starts(text, "unix-abstract:"))
		check_problem(c, path,
			      "\"%s\" begins with none of dns:, unix: and unix-abstract:", text);
}

/* Options that hold one value with a form of its own. */
static void check_forms(struct check *c)
{
	static const char log_size[] = "containerLogMaxSize", name[] = "--hostname-override";
	const char *host = check_text(c, name);
	char **ips = NULL;
	struct quantity q;
	struct err e = { 0 };

	if (quantity_parse(check_text(c, log_size), &q, &e) < 0)
		check_problem(c, log_size, "%s", e.text);
	else if (q.nano % 1000000000)
		check_problem(c, log_size, "\"%s\" is no whole number of bytes",
			      check_text(c, log_size));
	if (check_number(c, "userNamespaces.idsPerPod") % USERNS_UNIT)
		check_problem(c, "userNamespaces.idsPerPod", "is no multiple of %d", USERNS_UNIT);
	if (*host && !host[strspn(host, " \t\n")])
		check_problem(c, name, "holds only blanks");
	if (nodeaddr_parse(check_text(c, "--node-ip"), &ips, &e) < 0)
		check_problem(c, "--node-ip", "%s", e.text);
	strv_free(ips);
	if (!*check_text(c, "--root-dir"))
		check_problem(c, "--root-dir", "must be set");
	if (check_is_true(c, "--exit-on-lock-contention") && !*check_text(c, "--lock-file"))
		check_problem(c, "--exit-on-lock-contention", "needs --lock-file");
}

int validate_values(struct json_object *values, struct err *e)
{
	struct check c = { .table = &config_options, .values = values };

	check_ranges(&c, ranges, ARRAY_SIZE(ranges));
	check_choices(&c, choices, ARRAY_SIZE(choices));
	check_gates(&c);
	check_logging(&c);
	check_images(&c);
	check_image_credentials(&c);
	reservations_check(&c);
	evictions_check(&c);
	managers_check(&c);
	sysctlnames_check(&c);
	check_shutdown(&c);
	check_taints(&c);
	check_node_labels(&c);
	check_paths(&c);
	check_gated(&c);
	check_memory_qos(&c);
	check_tls(&c);
	check_tracing(&c);
	check_forms(&c);
	return check_end(&c, e);
}
