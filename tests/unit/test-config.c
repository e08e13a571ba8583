/* The configuration: every row of the table through a file and its flag, order of the sources,
 * what is refused. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "conf/decode.h"
#include "conf/featuregates.h"
#include "conf/value.h"
#include "config/config.h"
#include "config/labels.h"
#include "config/options.h"
#include "config/threshold.h"

static const char head[] =
    "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

/* A configuration file with this text behind the head; unlinked by the caller. */
static void write_file(const char *path, const char *text)
{
	AUTO_FREE char *whole = str_fmt("%s%s", head, text);
	struct err e = { 0 };

	assert_int_equal(fs_write_atomic(path, whole, strlen(whole), 0600, &e), 0);
}

static char *temp_path(void)
{
	char path[] = "/tmp/keelson-config-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	return mem_strdup(path);
}

enum { ARGS_MAX = 12 };

/* text NULL: no --config. args end with NULL. */
static int load(const char *text, const char *const *args, struct config **ret, struct err *e)
{
	AUTO_FREE char *path = temp_path();
	AUTO_FREE char *option = str_fmt("--config=%s", path);
	char *argv[ARGS_MAX + 2] = { "keelson-agent" };
	int argc = 1, result;

	if (text) {
		write_file(path, text);
		argv[argc++] = option;
	}
	for (; args && *args; args++)
		argv[argc++] = (char *)*args;
	result = config_load(argc, argv, ret, e);
	unlink(path);
	return result;
}

static struct config *must_load(const char *text, const char *const *args)
{
	struct config *c = NULL;
	struct err e = { 0 };

	if (load(text, args, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

/* ---- every row ---- */

/* A value that is not the default, as text, for each type. */
static const char *other_text(const struct option *o)
{
	static const struct {
		const char *path, *text;
	} special[] = {
		{ "authorization.mode", "AlwaysAllow" },
		{ "cgroupDriver", "systemd" },
		{ "topologyManagerPolicy", "restricted" },
		{ "topologyManagerScope", "pod" },
		{ "cpuManagerPolicy", "static" },
		{ "memoryManagerPolicy", "Static" },
		{ "memorySwap.swapBehavior", "NoSwap" },
		{ "hairpinMode", "none" },
		{ "memoryReservationPolicy", "TieredReservation" },
		{ "logging.format", "json" },
		{ "tlsMinVersion", "VersionTLS13" },
		{ "configMapAndSecretChangeDetectionStrategy", "Get" },
		{ "imagePullCredentialsVerificationPolicy", "AlwaysVerify" },
		{ "podLogsDir", "/logs" },
		{ "reservedSystemCPUs", "0-1" },
		{ "enforceNodeAllocatable", "pods" },
		{ "imageGCHighThresholdPercent", "97" },
		{ "imageMinimumGCAge", "1m0s" },
		{ "cpuCFSQuotaPeriod", "10ms" },
		{ "eventRecordQPS", "7" },
		{ "systemReserved", "cpu=1" },
		{ "kubeReserved", "cpu=1" },
		{ "featureGates", "KubeletPSI=true" },
		{ "--cloud-provider", "external" },
		{ "--node-labels", "a=b" },
		{ "--node-ip", "192.0.2.7" },
		{ "cpuManagerPolicyOptions", "full-pcpus-only=true" },
		{ "qosReserved", "memory=50%" },
		{ "evictionSoftGracePeriod", "memory.available=1m" },
		{ "evictionMinimumReclaim", "memory.available=1Mi" },
		{ "containerLogMaxSize", "20Mi" },
		{ "allowedUnsafeSysctls", "net.core.somaxconn" },
		{ "tlsCipherSuites", "TLS_AES_128_GCM_SHA256" },
		{ "reservedMemory", "0:memory=2Gi" },
	};
	char buf[100];

	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		if (str_eq(special[i].path, options_key(o, buf, sizeof(buf))))
			return special[i].text;
	}
	switch (o->type) {
	case OPTION_BOOL:
		return str_eq(o->fallback, "true") ? "false" : "true";
	case OPTION_INT32:
	case OPTION_INT64:
		return "23";
	case OPTION_FLOAT:
		return "0.5";
	case OPTION_DURATION:
	case OPTION_LAX_DURATION:
		return "4m17s";
	case OPTION_IP:
		return "192.0.2.7";
	case OPTION_QUANTITY:
		return "3Mi";
	case OPTION_INTS:
		return "29";
	case OPTION_LANGLE_MAP:
		return "memory.available<1Mi";
	case OPTION_MAP:
	case OPTION_LONE_MAP:
	case OPTION_LABELS:
	case OPTION_QUANTITY_MAP:
		return "x=1";
	case OPTION_BOOL_MAP:
		return "x=true";
	case OPTION_LISTS_MAP:
		return "x:y";
	case OPTION_TAINTS:
		return "k=v:NoSchedule";
	case OPTION_VMODULE:
		return "a*=3";
	case OPTION_MEMORY:
		return "0:memory=1Gi";
	case OPTION_LIST:
		return NULL;
	default:
		return "other";
	}
}

/* {"a":{"b":value}} of the path a.b */
static struct json_object *document_of(const char *path, struct json_object *value)
{
	const char *dot = strchr(path, '.');
	AUTO_FREE char *key = dot ? mem_strndup(path, (size_t)(dot - path)) : mem_strdup(path);
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, key, dot ? document_of(dot + 1, value) : value);
	return object;
}

static void test_rows_decode(void **state)
{
	size_t fields = 0;

	(void)state;
	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.rows[i];
		AUTO_JSON struct json_object *values = json_object_new_object(), *document = NULL;
		struct json_object *value = NULL, *got = NULL;
		char **unknown = NULL;
		struct err e = { 0 };

		fields += *o->path != 0;
		if (!*o->path || strstr(o->path, "[]") || o->type == OPTION_LIST)
			continue;
		if (o->type == OPTION_FLOAT)
			value = json_object_new_double(0.5);
		else if (value_from_text(o->type, other_text(o), NULL, &value, &e) < 0)
			fail_msg("%s: %s", o->path, e.text);
		document = document_of(o->path, json_object_get(value));
		json_object_object_add(document, "apiVersion",
				       json_object_new_string("kubelet.config.k8s.io/v1beta1"));
		json_object_object_add(document, "kind",
				       json_object_new_string("KubeletConfiguration"));
		if (decode_document(&config_options, document, values, &unknown, &e) < 0)
			fail_msg("%s: %s", o->path, e.text);
		assert_int_equal(strv_len(unknown), o->traits & OPTION_FLAG_ONLY ? 1 : 0);
		strv_free(unknown);
		assert_int_equal(json_object_object_get_ex(values, o->path, &got),
				 !(o->traits & OPTION_FLAG_ONLY));
		if (got && !json_object_equal(value, got))
			fail_msg("%s: %s became %s", o->path, json_object_get_string(value),
				 json_object_get_string(got));
		json_object_put(value);
	}
	assert_int_equal(fields, 151 - 2); /* tracing and userNamespaces are objects here */
}

/* The printed configuration holds each row's default, and what its flag sets. */
static void test_rows_flags(void **state)
{
	static const char base[] = "enforceNodeAllocatable: [none]\n"
				   "cpuManagerPolicy: static\n"
				   "systemReserved: {cpu: 200m, memory: 924Mi}\n"
				   "reservedMemory: [{numaNode: 0, limits: {memory: 1Gi}}]\n";

	(void)state;
	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.rows[i];
		AUTO_FREE char *flag = o->flag ? str_fmt("--%s=%s", o->flag, other_text(o)) : NULL;
		const char *args[] = { flag, NULL };
		CLEANUP(config_freep) struct config *plain = NULL, *c = NULL;
		struct err e = { 0 };

		if (!o->flag || str_eq(o->flag, "config") || str_eq(o->flag, "config-dir") ||
		    str_eq(o->flag, "runonce") || str_eq(o->flag, "cpu-manager-policy"))
			continue;
		if (str_eq(o->flag, "system-cgroups") || str_eq(o->flag, "eviction-soft") ||
		    str_eq(o->flag, "exit-on-lock-contention"))
			continue; /* needs another flag beside it */
		if (str_ends(o->flag, "-info-buffer-size") || str_ends(o->flag, "-split-stream"))
			continue; /* needs a feature gate */
		plain = must_load(base, NULL);
		if (load(base, args, &c, &e) < 0)
			fail_msg("%s: %s", flag, e.text);
		if (*o->path && str_eq(plain->configz, c->configz))
			fail_msg("%s changes nothing in %s", flag, c->configz);
	}
}

static void test_defaults(void **state)
{
	CLEANUP(config_freep) struct config *c = must_load("", NULL);
	CLEANUP(config_freep) struct config *bare = must_load(NULL, NULL);

	(void)state;
	assert_true(c->webhook_authn);
	assert_false(c->anonymous_authn);
	assert_string_equal(c->authorization_mode, "Webhook");
	assert_int_equal(c->port, 10250);
	assert_int_equal(c->read_only_port, 0);
	assert_int_equal(c->status_update_usec, 10000000);
	assert_int_equal(c->status_report_usec, 300000000);
	assert_int_equal(c->max_pods, 110);
	assert_int_equal(c->pod_pids_limit, -1);
	assert_string_equal(c->runtime_endpoint, "unix:///run/containerd/containerd.sock");
	assert_string_equal(config_pair_get(&c->eviction_hard, "memory.available"), "100Mi");
	assert_string_equal(c->enforce_node_allocatable[0], "pods");
	assert_null(c->notes.not_built);
	assert_true(config_gate(c, "NodeSwap"));
	assert_false(config_gate(c, "DefaultPodSysctls"));
	/* without a file: as before there were files */
	assert_true(bare->anonymous_authn);
	assert_false(bare->webhook_authn);
	assert_string_equal(bare->authorization_mode, "AlwaysAllow");
	assert_int_equal(bare->read_only_port, 10255);
}

static void test_order(void **state)
{
	static const char text[] = "maxPods: 30\n"
				   "systemReserved: {cpu: 100m, memory: 1Gi}\n"
				   "clusterDNS: [10.96.0.10]\n"
				   "nodeStatusUpdateFrequency: 7s\n"
				   "maxParallelImagePulls: 4\n"
				   "podPidsLimit: -5\n"
				   "featureGates: {KubeletPSI: true}\n"
				   "registerWithTaints: [{key: a, effect: NoExecute}]\n"
				   "port: 0\n";
	static const char *const args[] = { "--max-pods",
					    "31",
					    "--system_reserved=cpu=2",
					    "-v4",
					    "--feature-gates=ImageVolume=true",
					    "--cluster-dns=1.1.1.1,2.2.2.2",
					    "--cluster-dns",
					    "3.3.3.3",
					    NULL };
	CLEANUP(config_freep) struct config *file = must_load(text, NULL);
	CLEANUP(config_freep) struct config *c = must_load(text, args);

	(void)state;
	assert_int_equal(file->max_pods, 30);
	assert_int_equal(file->port, 10250);
	assert_int_equal(file->status_report_usec, 7000000);
	assert_false(file->serialize_image_pulls);
	assert_int_equal(file->max_parallel_image_pulls, 4);
	assert_int_equal(file->pod_pids_limit, -1);
	assert_string_equal(config_pair_get(&file->system_reserved, "memory"), "1Gi");
	assert_int_equal(file->register_with_taints.n, 1);
	assert_string_equal(file->register_with_taints.v[0].key, "a");

	assert_int_equal(c->max_pods, 31);
	assert_int_equal(c->verbosity, 4);
	assert_string_equal(config_pair_get(&c->system_reserved, "cpu"), "2");
	assert_null(config_pair_get(&c->system_reserved, "memory"));
	assert_int_equal(strv_len(c->cluster_dns), 3);
	assert_string_equal(config_pair_get(&c->feature_gates, "KubeletPSI"), "true");
	assert_string_equal(config_pair_get(&c->feature_gates, "ImageVolume"), "true");
}

static void test_drop_ins(void **state)
{
	char dir[] = "/tmp/keelson-drop-XXXXXX";
	AUTO_FREE char *a = NULL, *b = NULL, *other = NULL, *option = NULL;
	CLEANUP(config_freep) struct config *c = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	a = str_fmt("%s/10-a.conf", dir);
	b = str_fmt("%s/20-b.conf", dir);
	other = str_fmt("%s/30-c.yaml", dir);
	option = str_fmt("--config-dir=%s", dir);
	write_file(a, "maxPods: 40\nsystemReserved: {cpu: 100m}\n");
	write_file(b, "maxPods: 41\nsystemReserved: {memory: 1Gi}\n");
	write_file(other, "maxPods: 42\n");
	c = must_load("maxPods: 39\nregisterNode: false\n", (const char *[]){ option, NULL });
	assert_int_equal(c->max_pods, 41);
	assert_int_equal(c->system_reserved.n, 2);
	assert_false(c->register_node);
	assert_int_equal(fs_remove_all(dir, NULL), 0);
}

/* The files of a directory change what already has its defaults. */
static void test_drop_ins_after_defaults(void **state)
{
	char dir[] = "/tmp/keelson-drop-XXXXXX";
	AUTO_FREE char *a = NULL, *hidden = NULL, *option = NULL;
	CLEANUP(config_freep) struct config *c = NULL;
	struct config *refused = NULL;
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	a = str_fmt("%s/10-a.conf", dir);
	hidden = str_fmt("%s/.conf", dir);
	option = str_fmt("--config-dir=%s", dir);
	write_file(hidden, "maxPods: 8\n");
	write_file(a, "evictionHard: {memory.available: 7Mi}\nnodeStatusUpdateFrequency: 7s\n"
		      "port: null\nresolvConf: here\n");
	c = must_load("port: 1\n", (const char *[]){ option, NULL });
	assert_int_equal(c->max_pods, 8);
	assert_int_equal(c->eviction_hard.n, 5);
	assert_int_equal(c->status_report_usec, 300000000);
	assert_int_equal(c->port, 10250);
	assert_string_equal(c->resolv_conf, "here");
	write_file(a, "maxParallelImagePulls: 5\n");
	assert_int_equal(load("", (const char *[]){ option, NULL }, &refused, &e), -1);
	write_file(a, "nosuch: 1\nmaxPods: many\n");
	assert_int_equal(load("", (const char *[]){ option, NULL }, &refused, &e), -1);
	assert_non_null(strstr(e.text, "10-a.conf: maxPods"));
	assert_int_equal(fs_remove_all(dir, NULL), 0);
}

static void test_paths(void **state)
{
	CLEANUP(config_freep)
	struct config *c =
	    must_load("podLogsDir: logs\nresolvConf: ../etc/./resolv.conf\n"
		      "authentication: {x509: {clientCAFile: /a/../b}}\ntlsCertFile: \"\"\n",
		      NULL);

	(void)state;
	assert_string_equal(c->pod_logs_dir, "/tmp/logs");
	assert_string_equal(c->resolv_conf, "/etc/resolv.conf");
	assert_string_equal(c->client_ca_file, "/a/../b");
	assert_string_equal(c->tls_cert_file, "");
	assert_non_null(strstr(c->configz, "\"tlsCertFile\":\"/var/lib/kubelet/pki/kubelet.crt\""));
	assert_non_null(strstr(c->yaml, "podLogsDir: \"/tmp/logs\"\n"));
}

/* The flag is the process's own: the configuration does not show it. */
static void test_seccomp_default(void **state)
{
	CLEANUP(config_freep)
	struct config *flag = must_load("", (const char *[]){ "--seccomp-default", NULL });
	CLEANUP(config_freep)
	struct config *both = must_load("seccompDefault: true\n",
					(const char *[]){ "--seccomp-default=false", NULL });

	(void)state;
	assert_true(flag->seccomp_default);
	assert_non_null(strstr(flag->configz, "\"seccompDefault\":false"));
	assert_true(both->seccomp_default);
}

/* A default that hangs on a gate is not there without it. */
static void test_gated_defaults(void **state)
{
	static const char off[] = "--feature-gates=KubeletEnsureSecretPulledImages=false";
	CLEANUP(config_freep) struct config *c = must_load("", (const char *[]){ off, NULL });
	struct config *bare = NULL;
	struct err e = { 0 };

	(void)state;
	assert_null(strstr(c->configz, "imagePullCredentialsVerificationPolicy"));
	/* without a file the defaults were there before the flag was read, as upstream */
	assert_int_equal(load(NULL, (const char *[]){ off, NULL }, &bare, &e), -1);
	assert_non_null(strstr(e.text, "needs the feature gate KubeletEnsureSecretPulledImages"));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "port: 70000\n", "port (--port): 70000 is not between 1 and 65535" },
		{ "port: \"10\"\n", "port: must be a whole number" },
		{ "syncFrequency: 3\n", "syncFrequency: must be a duration" },
		{ "syncFrequency: 3 days\n", "syncFrequency" },
		{ "cgroupDriver: none\n", "cgroupDriver (--cgroup-driver): \"none\" is none of" },
		{ "systemReserved: {gpu: \"1\"}\n", "systemReserved (--system-reserved): gpu" },
		{ "systemReserved: {cpu: 1}\n", "systemReserved.cpu: must be a string" },
		{ "evictionHard: {memory.free: 1Mi}\n", "there is no signal memory.free" },
		{ "evictionHard: {memory.available: -1}\n", "evictionHard" },
		{ "evictionSoft: {memory.available: 1Mi}\n", "has no grace period" },
		{ "featureGates: {NoSuch: true}\n", "there is no feature gate NoSuch" },
		{ "featureGates: {NodeLogQuery: false}\n", "NodeLogQuery cannot be set to false" },
		{ "enforceNodeAllocatable: [kube-reserved]\n", "kubeReservedCgroup" },
		{ "enforceNodeAllocatable: [none, pods]\n", "stands alone" },
		{ "imageGCLowThresholdPercent: 90\n", "imageGCLowThresholdPercent" },
		{ "serializeImagePulls: true\nmaxParallelImagePulls: 2\n",
		  "maxParallelImagePulls" },
		{ "registerWithTaints: [{key: a, effect: Never}]\n", "no effect \"Never\"" },
		{ "registerWithTaints: {}\n", "registerWithTaints: must be a list" },
		{ "registerWithTaints: [{key: 1}]\n", "registerWithTaints[0].key" },
		{ "reservedSystemCPUs: 1-\n", "reservedSystemCPUs" },
		{ "podLogsDir: /var//log\n", "not in its shortest form" },
		{ "logging: 3\n", "logging: must be an object" },
		{ "crashLoopBackOff: {maxContainerRestartPeriod: 10m}\n",
		  "10m0s is not between 1s and 5m0s" },
		{ "port: [\n", "configuration /tmp/" },
		{ "runOnce: true\n", "runOnce" },
		{ "logging: {options: {text: {infoBufferSize: 1Mi}}}\n", "LoggingAlphaOptions" },
		{ "logging: {format: json, vmodule: [{filePattern: a, verbosity: 1}]}\n",
		  "logging.vmodule (--vmodule): needs logging.format text" },
		{ "syncFrequency: null\n", "syncFrequency: must be a duration, not null" },
		{ "syncFrequency: -1s\n", "syncFrequency (--sync-frequency): -1s is below 1ns" },
		{ "featureGates: {AllAlpha: true}\n", "which is off" },
		{ "featureGates: {GracefulNodeShutdown: false}\n",
		  "GracefulNodeShutdownBasedOnPodPriority is on and needs GracefulNodeShutdown" },
		{ "featureGates: {LoggingBetaOptions: false}\nlogging: {format: json}\n",
		  "LoggingBetaOptions" },
		{ "logging: {flushFrequency: -1}\n", "logging.flushFrequency" },
		{ "logging: {vmodule: [{filePattern: \"a,b\", verbosity: 1}]}\n", "file pattern" },
		{ "allowedUnsafeSysctls: [kernel.pid_max]\n", "kernel.pid_max is not known" },
		{ "allowedUnsafeSysctls: [\"net..x\"]\n", "no name of a sysctl" },
		{ "featureGates: {DefaultPodSysctls: true}\n"
		  "defaultPodSysctls: {net.core.a: \"1\", net/core/a: \"1\"}\n",
		  "net.core.a stands there twice" },
		{ "cpuManagerPolicy: static\n", "static needs a CPU reserved" },
		{ "cpuManagerPolicyOptions: {full-pcpus-only: \"true\"}\n",
		  "needs cpuManagerPolicy" },
		{ "cpuManagerPolicy: static\nsystemReserved: {cpu: 1}\n", "systemReserved.cpu" },
		{ "cpuManagerPolicy: static\nreservedSystemCPUs: \"0\"\n"
		  "cpuManagerPolicyOptions: {align-by-socket: \"true\"}\n",
		  "align-by-socket needs the feature gate CPUManagerPolicyAlphaOptions" },
		{ "topologyManagerPolicy: restricted\n"
		  "topologyManagerPolicyOptions: {max-allowable-numa-nodes: \"7\"}\n",
		  "no number from 8 on" },
		{ "memoryManagerPolicy: Static\n", "memoryManagerPolicy Static needs the same" },
		{ "reservedMemory: [{numaNode: 0, limits: {memory: 0}}]\n", "memory is 0" },
		{ "reservedMemory: [{limits: {memory: 1}}, {limits: {memory: 1}}]\n", "twice" },
		{ "reservedMemory: [{limits: {cpu: 1}}]\n", "neither memory nor hugepages-SIZE" },
		{ "qosReserved: {memory: 50}\n", "qosReserved" },
		{ "evictionHard: {memory.available: 0}\n", "evictionHard" },
		{ "evictionHard: {memory.available: \"0\"}\n", "a threshold of 0 means nothing" },
		{ "evictionMinimumReclaim: {memory.available: 0%}\n", "is not above 0" },
		{ "evictionSoftGracePeriod: {memory.available: -1s}\n", "is below 0" },
		{ "containerLogMaxSize: big\n", "containerLogMaxSize" },
		{ "tlsCipherSuites: [NONE]\n", "there is no cipher suite \"NONE\"" },
		{ "tlsCurvePreferences: [23, 23]\n", "23 stands there twice" },
		{ "tracing: {endpoint: \"http://a\"}\n", "tracing.endpoint" },
		{ "userNamespaces: {idsPerPod: 70000}\n", "no multiple of 65536" },
		{ "memoryThrottlingFactor: 1.5\n", "memoryThrottlingFactor" },
		{ "showHiddenMetricsForVersion: \"1.30\"\n", "showHiddenMetricsForVersion" },
		{ "preloadedImagesVerificationAllowlist: [a]\n", "NeverVerifyAllowlistedImages" },
		{ "imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages\n"
		  "preloadedImagesVerificationAllowlist: [\"a:1\"]\n",
		  "holds a tag" },
		{ "enableSystemLogQuery: true\nenableSystemLogHandler: false\n",
		  "needs enableSystemLogHandler" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		if (load(cases[i].text, NULL, &c, &e) >= 0)
			fail_msg("%s was taken", cases[i].text);
		if (e.code != ERR_INVALID || !strstr(e.text, cases[i].says))
			fail_msg("%s: %s", cases[i].text, e.text);
	}
}

static void test_refused_flags(void **state)
{
	static const struct {
		const char *args[3], *says;
	} cases[] = {
		{ { "--no-such" }, "unknown flag: --no-such" },
		{ { "--port" }, "flag --port needs a value" },
		{ { "--port=x" }, "flag --port: \"x\" is not a whole number" },
		{ { "--port=99999999999" }, "does not fit 32 bits" },
		{ { "--register-node=maybe" }, "flag --register-node" },
		{ { "--address=1.2.3" }, "not an IP address" },
		{ { "--node-labels=kubernetes.io/role=x" }, "kubernetes.io/role lies in" },
		{ { "--node-labels=a b=c" }, "is not a label key" },
		{ { "--register-with-taints=a" }, "key=value:effect" },
		{ { "--cloud-provider=aws" }, "--cloud-provider: \"aws\" is none of" },
		{ { "run" }, "unknown argument" },
		{ { "-x" }, "unknown flag: -x" },
		{ { "--system-reserved=cpu" }, "key=value" },
		{ { "--cpu-manager-policy-options=a" }, "key=value" },
		{ { "--register-with-taints=a=b:NoSchedule,a=c:NoSchedule" }, "twice" },
		{ { "--reserved-memory=0:memory" }, "key=value" },
		{ { "--reserved-memory=memory=1Gi" }, "node:type=amount" },
		{ { "--node-ip=10.0.0.1,10.0.0.2" }, "one of each family" },
		{ { "--hostname-override= " }, "holds only blanks" },
		{ { "--root-dir=" }, "--root-dir: must be set" },
		{ { "--exit-on-lock-contention" }, "needs --lock-file" },
		{ { "--cluster-dns=\"a" }, "a quote is not closed" },
		{ { "--log-text-split-stream" }, "LoggingAlphaOptions" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		if (load(NULL, cases[i].args, &c, &e) >= 0)
			fail_msg("%s was taken", cases[i].args[0]);
		if (e.code != ERR_INVALID || !strstr(e.text, cases[i].says))
			fail_msg("%s: %s", cases[i].args[0], e.text);
	}
}

static void test_outcomes(void **state)
{
	char *missing[] = { "keelson-agent", "--config", "/nowhere/config.yaml" };
	struct config *c = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(load(NULL, (const char *[]){ "--version", NULL }, &c, &e), CONFIG_VERSION);
	assert_int_equal(load(NULL, (const char *[]){ "--version=raw", NULL }, &c, &e),
			 CONFIG_VERSION);
	assert_int_equal(load(NULL, (const char *[]){ "--version=latest", NULL }, &c, &e), -1);
	assert_non_null(strstr(e.text, "--version"));
	assert_int_equal(load(NULL, (const char *[]){ "--help", NULL }, &c, &e), CONFIG_HELP);
	assert_null(c);
	assert_int_equal(config_load(3, missing, &c, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void test_warnings(void **state)
{
	static const char text[] =
	    "prot: 1\nlogging: {verbosity: 2, depth: 1, options: {json: {splitStream: "
	    "true}}}\nmaxPods: 1\n"
	    "maxPods: 2\nregisterWithTaints: [{key: a, effect: NoExecute, "
	    "x: 1}]\npodCIDR: 10.0.0.0/24\nfeatureGates: {EventedPLEG: true, KubeletPSI: true}\n";
	CLEANUP(config_freep) struct config *c = NULL;
	AUTO_FREE char *report = NULL;
	struct config *strict = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(load(text, (const char *[]){ "--check-config", NULL }, &c, &e),
			 CONFIG_CHECK);
	report = conf_report(&c->notes);
	assert_non_null(strstr(report, "there is no field prot\n"));
	assert_non_null(strstr(report, "there is no field logging.depth\n"));
	assert_non_null(strstr(report, "there is no field registerWithTaints[0].x\n"));
	assert_non_null(strstr(report, "field maxPods stands there twice\n"));
	assert_non_null(strstr(report, "logging.options.json.splitStream counts on the command "
				       "line only\n"));
	assert_non_null(strstr(report, "# not implemented: podCIDR=\"10.0.0.0/24\"\n"));
	assert_non_null(strstr(report, "# not implemented: featureGates.EventedPLEG=true\n"));
	assert_null(strstr(report, "KubeletPSI"));
	assert_int_equal(c->max_pods, 2);
	assert_int_equal(load(text, (const char *[]){ "--strict", NULL }, &strict, &e), -1);
}

/* What may hold credentials is in the configuration that is asked for, in no log. */
static void test_secrets(void **state)
{
	static const char good[] = "staticPodURLHeader: {Authorization: [Bearer hush]}\n",
			  bad[] = "staticPodURLHeader: {Authorization: Bearer hush}\n";
	CLEANUP(config_freep) struct config *c = must_load(good, NULL);
	AUTO_FREE char *report = conf_report(&c->notes);
	struct config *none = NULL;
	struct err e = { 0 };

	(void)state;
	assert_non_null(strstr(c->configz, "hush"));
	assert_int_equal(c->static_pod_url_headers.n, 1);
	assert_string_equal(c->static_pod_url_headers.v[0].key, "Authorization");
	assert_string_equal(c->static_pod_url_headers.v[0].value, "Bearer hush");
	assert_true(!report || !strstr(report, "hush"));
	assert_int_equal(load(bad, NULL, &none, &e), -1);
	assert_non_null(strstr(e.text, "staticPodURLHeader"));
	assert_null(strstr(e.text, "hush"));
}

static void test_configz(void **state)
{
	CLEANUP(config_freep) struct config *c = must_load("", NULL);
	AUTO_JSON struct json_object *tree = NULL;
	struct json_object *top, *inner;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_parse(c->configz, strlen(c->configz), &tree, &e), 0);
	top = json_member(tree, "kubeletconfig", json_type_object);
	assert_non_null(top);
	assert_string_equal(json_string(top, "kind"), "KubeletConfiguration");
	assert_string_equal(json_string(top, "syncFrequency"), "1m0s");
	assert_string_equal(json_string(top, "imageMaximumGCAge"), "0s");
	assert_non_null(json_member(top, "memorySwap", json_type_object));
	assert_null(json_member(top, "tracing", json_type_object));
	inner = json_member(top, "authentication", json_type_object);
	inner = json_member(inner, "x509", json_type_object);
	assert_int_equal(json_object_object_length(inner), 0);
}

static void test_labels(void **state)
{
	static const struct {
		const char *key;
		bool ok, may;
	} cases[] = {
		{ "a", true, true },
		{ "example.com/a", true, true },
		{ "kubernetes.io/hostname", true, true },
		{ "kubernetes.io/role", true, false },
		{ "node-role.kubernetes.io/master", true, false },
		{ "x.node.kubernetes.io/a", true, true },
		{ "kubelet.kubernetes.io/a", true, true },
		{ "k8s.io/a", true, false },
		{ "xk8s.io/a", true, true },
		{ "-a", false, true },
		{ "", false, true },
		{ "A.b/c", false, true },
		{ "a..b/c", false, true },
		{ "a/", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(labels_check_key(cases[i].key, NULL) == 0, cases[i].ok);
		assert_int_equal(labels_node_may_set(cases[i].key), cases[i].may);
	}
	assert_int_equal(labels_check_value("", NULL), 0);
	assert_int_equal(labels_check_value("a_b", NULL), 0);
	assert_int_equal(labels_check_value("a b", NULL), -1);
}

static void test_thresholds(void **state)
{
	struct threshold t;

	(void)state;
	assert_int_equal(threshold_parse("10%", &t, NULL), 0);
	assert_int_equal(threshold_of(&t, 1000), 100);
	assert_int_equal(threshold_parse("1Mi", &t, NULL), 0);
	assert_int_equal(threshold_of(&t, 1000), 1 << 20);
	assert_int_equal(threshold_parse("0%", &t, NULL), 1);
	assert_int_equal(threshold_parse("101%", &t, NULL), -1);
	assert_int_equal(threshold_parse("-1", &t, NULL), -1);
	assert_int_equal(threshold_parse("x", &t, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_decode),
		cmocka_unit_test(test_rows_flags),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_flags),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_configz),
		cmocka_unit_test(test_drop_ins_after_defaults),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_gated_defaults),
		cmocka_unit_test(test_seccomp_default),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_thresholds),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
