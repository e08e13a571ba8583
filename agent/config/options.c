/* The table behind the command line and KubeletConfiguration v1beta1. Pure.
 *
 * Rows of one object stand together and in upstream's order: /configz prints them that way.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

#define AT(member) offsetof(struct config, member)
#define NO OPTION_NOWHERE
#define P OPTION_PTR
#define PK (OPTION_PTR | OPTION_KEEP)
#define K OPTION_KEEP
#define NB OPTION_NOT_BUILT
#define IN OPTION_INERT

/* clang-format off: a table */
static const struct option options[] = {
	{ "", "config", OPTION_STRING, "", AT(config_file), 0 },
	{ "", "config-dir", OPTION_STRING, "", AT(config_dir), 0 },
	{ "", "kubeconfig", OPTION_STRING, "", AT(kubeconfig), 0 },
	{ "", "bootstrap-kubeconfig", OPTION_STRING, "", AT(bootstrap_kubeconfig), NB },
	{ "", "hostname-override", OPTION_STRING, "", AT(hostname_override), 0 },
	{ "", "node-ip", OPTION_STRING, "", AT(node_ip), 0 },
	{ "", "node-labels", OPTION_MAP, "", AT(node_labels), 0 },
	{ "", "cert-dir", OPTION_STRING, "/var/lib/kubelet/pki", AT(cert_dir), 0 },
	{ "", "cloud-provider", OPTION_STRING, "", AT(cloud_provider), 0 },
	{ "", "cloud-config", OPTION_STRING, "", NO, IN },
	{ "", "root-dir", OPTION_STRING, "/var/lib/kubelet", AT(root_dir), 0 },
	{ "", "runtime-cgroups", OPTION_STRING, "", NO, NB },
	{ "", "image-credential-provider-config", OPTION_STRING, "", AT(credential_provider_config),
	  NB },
	{ "", "image-credential-provider-bin-dir", OPTION_STRING, "",
	  AT(credential_provider_bin_dir), NB },
	{ "", "lock-file", OPTION_STRING, "", NO, NB },
	{ "", "exit-on-lock-contention", OPTION_BOOL, "false", NO, NB },
	{ "", "minimum-container-ttl-duration", OPTION_DURATION, "0s",
	  AT(min_container_gc_age_usec), 0 },
	{ "", "maximum-dead-containers-per-container", OPTION_INT32, "1",
	  AT(max_dead_per_container), 0 },
	{ "", "maximum-dead-containers", OPTION_INT32, "-1", AT(max_dead_containers), 0 },
	{ "", "experimental-mounter-path", OPTION_STRING, "", NO, NB },
	{ "", "experimental-allocatable-ignore-eviction", OPTION_BOOL, "false",
	  AT(ignore_eviction_in_allocatable), 0 },
	{ "", "housekeeping-interval", OPTION_DURATION, "10s", NO, IN },
	{ "", "check-config", OPTION_BOOL, "false", AT(check), 0 },
	{ "", "strict", OPTION_BOOL, "false", AT(strict), 0 },

	{ "enableServer", "enable-server", OPTION_BOOL, "true", AT(enable_server), PK },
	{ "staticPodPath", "pod-manifest-path", OPTION_STRING, "", AT(static_pod_path), NB },
	{ "podLogsDir", NULL, OPTION_STRING, "/var/log/pods", AT(pod_logs_dir), 0 },
	{ "syncFrequency", "sync-frequency", OPTION_DURATION, "1m0s", AT(sync_frequency_usec), K },
	{ "fileCheckFrequency", "file-check-frequency", OPTION_DURATION, "20s", AT(file_check_usec),
	  K | NB },
	{ "httpCheckFrequency", "http-check-frequency", OPTION_DURATION, "20s", NO, K | NB },
	{ "staticPodURL", "manifest-url", OPTION_STRING, "", NO, NB },
	{ "staticPodURLHeader", "manifest-url-header", OPTION_LISTS_MAP, NULL, NO, NB },
	{ "address", "address", OPTION_IP, "0.0.0.0", AT(address), 0 },
	{ "port", "port", OPTION_INT32, "10250", AT(port), 0 },
	{ "readOnlyPort", "read-only-port", OPTION_INT32, "0", AT(read_only_port), NB },
	{ "tlsCertFile", "tls-cert-file", OPTION_STRING, "", AT(tls_cert_file), 0 },
	{ "tlsPrivateKeyFile", "tls-private-key-file", OPTION_STRING, "", AT(tls_private_key_file),
	  0 },
	{ "tlsCipherSuites", "tls-cipher-suites", OPTION_STRINGS, NULL, AT(tls_cipher_suites), 0 },
	{ "tlsCurvePreferences", NULL, OPTION_INTS, NULL, NO, NB },
	{ "tlsMinVersion", "tls-min-version", OPTION_STRING, "", AT(tls_min_version), 0 },
	{ "rotateCertificates", "rotate-certificates", OPTION_BOOL, "false",
	  AT(rotate_certificates), NB },
	{ "serverTLSBootstrap", "rotate-server-certificates", OPTION_BOOL, "false",
	  AT(server_tls_bootstrap), NB },
	{ "authentication.x509.clientCAFile", "client-ca-file", OPTION_STRING, "",
	  AT(client_ca_file), 0 },
	{ "authentication.webhook.enabled", "authentication-token-webhook", OPTION_BOOL, "true",
	  AT(webhook_authn), PK },
	{ "authentication.webhook.cacheTTL", "authentication-token-webhook-cache-ttl",
	  OPTION_DURATION, "2m0s", AT(webhook_authn_ttl_usec), K },
	{ "authentication.anonymous.enabled", "anonymous-auth", OPTION_BOOL, "false",
	  AT(anonymous_authn), PK },
	{ "authorization.mode", "authorization-mode", OPTION_STRING, "Webhook",
	  AT(authorization_mode), 0 },
	{ "authorization.webhook.cacheAuthorizedTTL", "authorization-webhook-cache-authorized-ttl",
	  OPTION_DURATION, "5m0s", AT(webhook_authorized_ttl_usec), K },
	{ "authorization.webhook.cacheUnauthorizedTTL",
	  "authorization-webhook-cache-unauthorized-ttl", OPTION_DURATION, "30s",
	  AT(webhook_unauthorized_ttl_usec), K },
	{ "registryPullQPS", "registry-qps", OPTION_INT32, "5", AT(registry_qps), PK | NB },
	{ "registryBurst", "registry-burst", OPTION_INT32, "10", AT(registry_burst), NB },
	{ "imagePullCredentialsVerificationPolicy", NULL, OPTION_STRING,
	  "NeverVerifyPreloadedImages", NO, NB },
	{ "preloadedImagesVerificationAllowlist", NULL, OPTION_STRINGS, NULL, NO, NB },
	{ "eventRecordQPS", "event-qps", OPTION_INT32, "50", AT(event_qps), PK },
	{ "eventBurst", "event-burst", OPTION_INT32, "100", AT(event_burst), 0 },
	{ "enableDebuggingHandlers", "enable-debugging-handlers", OPTION_BOOL, "true",
	  AT(enable_debugging_handlers), PK },
	{ "enableContentionProfiling", "contention-profiling", OPTION_BOOL, "false", NO, IN },
	{ "healthzPort", "healthz-port", OPTION_INT32, "10248", AT(healthz_port), PK },
	{ "healthzBindAddress", "healthz-bind-address", OPTION_IP, "127.0.0.1",
	  AT(healthz_bind_address), 0 },
	{ "oomScoreAdj", "oom-score-adj", OPTION_INT32, "-999", AT(oom_score_adj), PK },
	{ "clusterDomain", "cluster-domain", OPTION_STRING, "", AT(cluster_domain), 0 },
	{ "clusterDNS", "cluster-dns", OPTION_STRINGS, NULL, AT(cluster_dns), 0 },
	{ "streamingConnectionIdleTimeout", "streaming-connection-idle-timeout", OPTION_DURATION,
	  "4h0m0s", AT(streaming_idle_timeout_usec), K },
	{ "nodeStatusUpdateFrequency", "node-status-update-frequency", OPTION_DURATION, "10s",
	  AT(status_update_usec), K },
	{ "nodeStatusReportFrequency", NULL, OPTION_DURATION, "5m0s", AT(status_report_usec), K },
	{ "nodeLeaseDurationSeconds", NULL, OPTION_INT32, "40", AT(lease_duration_sec), 0 },
	{ "imageMinimumGCAge", "minimum-image-ttl-duration", OPTION_DURATION, "2m0s", NO, K | NB },
	{ "imageMaximumGCAge", NULL, OPTION_DURATION, "0s", NO, K | NB },
	{ "imageGCHighThresholdPercent", "image-gc-high-threshold", OPTION_INT32, "85", NO,
	  PK | NB },
	{ "imageGCLowThresholdPercent", "image-gc-low-threshold", OPTION_INT32, "80", NO, PK | NB },
	{ "volumeStatsAggPeriod", "volume-stats-agg-period", OPTION_DURATION, "1m0s", NO, K | NB },
	{ "kubeletCgroups", "kubelet-cgroups", OPTION_STRING, "", NO, NB },
	{ "systemCgroups", "system-cgroups", OPTION_STRING, "", NO, NB },
	{ "cgroupRoot", "cgroup-root", OPTION_STRING, "", AT(cgroup_root), 0 },
	{ "cgroupsPerQOS", "cgroups-per-qos", OPTION_BOOL, "true", AT(cgroups_per_qos), PK },
	{ "cgroupDriver", "cgroup-driver", OPTION_STRING, "cgroupfs", AT(cgroup_driver), 0 },
	{ "cpuManagerPolicy", "cpu-manager-policy", OPTION_STRING, "none", NO, NB },
	{ "singleProcessOOMKill", NULL, OPTION_BOOL, NULL, NO, P | NB },
	{ "cpuManagerPolicyOptions", "cpu-manager-policy-options", OPTION_MAP, NULL, NO, NB },
	{ "cpuManagerReconcilePeriod", "cpu-manager-reconcile-period", OPTION_DURATION, "10s", NO,
	  K | NB },
	{ "memoryManagerPolicy", "memory-manager-policy", OPTION_STRING, "None", NO, NB },
	{ "topologyManagerPolicy", "topology-manager-policy", OPTION_STRING, "none", NO, NB },
	{ "topologyManagerScope", "topology-manager-scope", OPTION_STRING, "container", NO, NB },
	{ "topologyManagerPolicyOptions", "topology-manager-policy-options", OPTION_MAP, NULL, NO,
	  NB },
	{ "qosReserved", "qos-reserved", OPTION_MAP, NULL, NO, NB },
	{ "runtimeRequestTimeout", "runtime-request-timeout", OPTION_DURATION, "2m0s",
	  AT(runtime_timeout_usec), K },
	{ "hairpinMode", "hairpin-mode", OPTION_STRING, "promiscuous-bridge", NO, IN },
	{ "maxPods", "max-pods", OPTION_INT32, "110", AT(max_pods), 0 },
	{ "podCIDR", "pod-cidr", OPTION_STRING, "", NO, NB },
	{ "podPidsLimit", "pod-max-pids", OPTION_INT64, "-1", AT(pod_pids_limit), PK },
	{ "resolvConf", "resolv-conf", OPTION_STRING, "/etc/resolv.conf", AT(resolv_conf), PK },
	{ "runOnce", "runonce", OPTION_BOOL, "false", NO, 0 },
	{ "cpuCFSQuota", "cpu-cfs-quota", OPTION_BOOL, "true", AT(cpu_cfs_quota), PK },
	{ "cpuCFSQuotaPeriod", "cpu-cfs-quota-period", OPTION_DURATION, "100ms",
	  AT(cpu_cfs_quota_period_usec), PK },
	{ "nodeStatusMaxImages", "node-status-max-images", OPTION_INT32, "50",
	  AT(status_max_images), PK },
	{ "maxOpenFiles", "max-open-files", OPTION_INT64, "1000000", AT(max_open_files), 0 },
	{ "contentType", "kube-api-content-type", OPTION_STRING,
	  "application/vnd.kubernetes.protobuf", AT(content_type), 0 },
	{ "kubeAPIQPS", "kube-api-qps", OPTION_INT32, "50", AT(kube_api_qps), PK },
	{ "kubeAPIBurst", "kube-api-burst", OPTION_INT32, "100", AT(kube_api_burst), 0 },
	{ "serializeImagePulls", "serialize-image-pulls", OPTION_BOOL, "true",
	  AT(serialize_image_pulls), PK },
	{ "maxParallelImagePulls", NULL, OPTION_INT32, NULL, AT(max_parallel_image_pulls), P },
	{ "evictionHard", "eviction-hard", OPTION_LANGLE_MAP, NULL, AT(eviction_hard), 0 },
	{ "evictionSoft", "eviction-soft", OPTION_LANGLE_MAP, NULL, AT(eviction_soft), NB },
	{ "evictionSoftGracePeriod", "eviction-soft-grace-period", OPTION_MAP, NULL, NO, NB },
	{ "evictionPressureTransitionPeriod", "eviction-pressure-transition-period",
	  OPTION_DURATION, "5m0s", NO, K | NB },
	{ "evictionMaxPodGracePeriod", "eviction-max-pod-grace-period", OPTION_INT32, "0", NO, NB },
	{ "evictionMinimumReclaim", "eviction-minimum-reclaim", OPTION_MAP, NULL, NO, NB },
	{ "mergeDefaultEvictionSettings", NULL, OPTION_BOOL, "false", NO, PK },
	{ "podsPerCore", "pods-per-core", OPTION_INT32, "0", AT(pods_per_core), 0 },
	{ "enableControllerAttachDetach", "enable-controller-attach-detach", OPTION_BOOL, "true",
	  AT(attach_detach_by_controller), PK },
	{ "protectKernelDefaults", "protect-kernel-defaults", OPTION_BOOL, "false",
	  AT(protect_kernel_defaults), 0 },
	{ "makeIPTablesUtilChains", "make-iptables-util-chains", OPTION_BOOL, "true", NO, PK | IN },
	{ "iptablesMasqueradeBit", NULL, OPTION_INT32, "14", NO, PK | IN },
	{ "iptablesDropBit", NULL, OPTION_INT32, "15", NO, PK | IN },
	{ "featureGates", "feature-gates", OPTION_BOOL_MAP, NULL, AT(feature_gates), 0 },
	{ "failSwapOn", "fail-swap-on", OPTION_BOOL, "true", AT(fail_swap_on), PK },
	{ "memorySwap.swapBehavior", NULL, OPTION_STRING, "", NO, NB },
	{ "containerLogMaxSize", "container-log-max-size", OPTION_STRING, "10Mi", AT(log_max_size),
	  NB },
	{ "containerLogMaxFiles", "container-log-max-files", OPTION_INT32, "5", AT(log_max_files),
	  PK | NB },
	{ "containerLogMaxWorkers", NULL, OPTION_INT32, "1", NO, PK | NB },
	{ "containerLogMonitorInterval", NULL, OPTION_DURATION, "10s", NO, PK | NB },
	{ "configMapAndSecretChangeDetectionStrategy", NULL, OPTION_STRING, "Watch", NO, NB },
	{ "systemReserved", "system-reserved", OPTION_MAP, NULL, AT(system_reserved), 0 },
	{ "kubeReserved", "kube-reserved", OPTION_MAP, NULL, AT(kube_reserved), 0 },
	{ "reservedSystemCPUs", "reserved-cpus", OPTION_STRING, "", AT(reserved_system_cpus), 0 },
	{ "showHiddenMetricsForVersion", "show-hidden-metrics-for-version", OPTION_STRING, "", NO,
	  NB },
	{ "systemReservedCgroup", "system-reserved-cgroup", OPTION_STRING, "", NO, NB },
	{ "kubeReservedCgroup", "kube-reserved-cgroup", OPTION_STRING, "", NO, NB },
	{ "enforceNodeAllocatable", "enforce-node-allocatable", OPTION_STRINGS, "pods",
	  AT(enforce_node_allocatable), 0 },
	{ "allowedUnsafeSysctls", "allowed-unsafe-sysctls", OPTION_STRINGS, NULL,
	  AT(allowed_unsafe_sysctls), 0 },
	{ "defaultPodSysctls", NULL, OPTION_MAP, NULL, NO, NB },
	{ "volumePluginDir", "volume-plugin-dir", OPTION_STRING,
	  "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/", NO, NB },
	{ "providerID", "provider-id", OPTION_STRING, "", AT(provider_id), 0 },
	{ "kernelMemcgNotification", "kernel-memcg-notification", OPTION_BOOL, "false", NO, NB },
	{ "logging.format", "logging-format", OPTION_STRING, "text", NO, NB },
	{ "logging.flushFrequency", "log-flush-frequency", OPTION_LAX_DURATION, "5s", NO, K | IN },
	{ "logging.verbosity", "v", OPTION_INT32, "0", AT(verbosity), K },
	{ "logging.vmodule", "vmodule", OPTION_VMODULE, NULL, NO, NB },
	{ "logging.vmodule[].filePattern", NULL, OPTION_STRING, "", NO, K },
	{ "logging.vmodule[].verbosity", NULL, OPTION_INT32, "0", NO, K },
	{ "logging.options.text.splitStream", "log-text-split-stream", OPTION_BOOL, "false", NO,
	  NB },
	{ "logging.options.text.infoBufferSize", "log-text-info-buffer-size", OPTION_QUANTITY, "0",
	  NO, K | NB },
	{ "logging.options.json.splitStream", "log-json-split-stream", OPTION_BOOL, "false", NO,
	  NB },
	{ "logging.options.json.infoBufferSize", "log-json-info-buffer-size", OPTION_QUANTITY, "0",
	  NO, K | NB },
	{ "enableSystemLogHandler", NULL, OPTION_BOOL, "true", AT(enable_system_log_handler),
	  PK | NB },
	{ "enableSystemLogQuery", NULL, OPTION_BOOL, "false", AT(enable_system_log_query),
	  PK | NB },
	{ "shutdownGracePeriod", NULL, OPTION_DURATION, "0s", NO, K | NB },
	{ "shutdownGracePeriodCriticalPods", NULL, OPTION_DURATION, "0s", NO, K | NB },
	{ "shutdownGracePeriodByPodPriority", NULL, OPTION_LIST, NULL, NO, NB },
	{ "shutdownGracePeriodByPodPriority[].priority", NULL, OPTION_INT32, "0", NO, K },
	{ "shutdownGracePeriodByPodPriority[].shutdownGracePeriodSeconds", NULL, OPTION_INT64, "0",
	  NO, K },
	{ "crashLoopBackOff.maxContainerRestartPeriod", NULL, OPTION_DURATION, "5m0s",
	  AT(max_restart_period_usec), PK },
	{ "reservedMemory", "reserved-memory", OPTION_MEMORY, NULL, NO, NB },
	{ "reservedMemory[].numaNode", NULL, OPTION_INT32, "0", NO, K },
	{ "reservedMemory[].limits", NULL, OPTION_QUANTITY_MAP, NULL, NO, K },
	{ "enableProfilingHandler", NULL, OPTION_BOOL, "true", AT(enable_profiling_handler),
	  PK | NB },
	{ "enableDebugFlagsHandler", NULL, OPTION_BOOL, "true", AT(enable_debug_flags_handler),
	  PK | NB },
	{ "seccompDefault", "seccomp-default", OPTION_BOOL, "false", AT(seccomp_default), PK },
	{ "memoryThrottlingFactor", NULL, OPTION_FLOAT, NULL, NO, P | NB },
	{ "memoryReservationPolicy", NULL, OPTION_STRING, "None", NO, NB },
	{ "registerWithTaints", "register-with-taints", OPTION_TAINTS, NULL,
	  AT(register_with_taints), 0 },
	{ "registerWithTaints[].key", NULL, OPTION_STRING, "", NO, K },
	{ "registerWithTaints[].value", NULL, OPTION_STRING, "", NO, 0 },
	{ "registerWithTaints[].effect", NULL, OPTION_STRING, "", NO, K },
	{ "registerWithTaints[].timeAdded", NULL, OPTION_STRING, NULL, NO, P },
	{ "registerNode", "register-node", OPTION_BOOL, "true", AT(register_node), PK },
	{ "tracing.endpoint", NULL, OPTION_STRING, NULL, NO, P | OPTION_LAZY | NB },
	{ "tracing.samplingRatePerMillion", NULL, OPTION_INT32, NULL, NO, P | OPTION_LAZY | NB },
	{ "localStorageCapacityIsolation", "local-storage-capacity-isolation", OPTION_BOOL, "true",
	  AT(local_storage_isolation), PK },
	{ "containerRuntimeEndpoint", "container-runtime-endpoint", OPTION_STRING,
	  "unix:///run/containerd/containerd.sock", AT(runtime_endpoint), K },
	{ "imageServiceEndpoint", "image-service-endpoint", OPTION_STRING, "", AT(image_endpoint),
	  0 },
	{ "failCgroupV1", "fail-cgroupv1", OPTION_BOOL, "true", AT(fail_cgroup_v1), PK },
	{ "userNamespaces.idsPerPod", NULL, OPTION_INT64, NULL, NO, P | OPTION_LAZY | NB },
};
/* clang-format on */

const struct option *options_at(size_t i)
{
	return i < ARRAY_SIZE(options) ? &options[i] : NULL;
}

const struct option *options_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (*options[i].path && str_eq(options[i].path, path))
			return &options[i];
	}
	return NULL;
}

const struct option *options_find_flag(const char *flag)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].flag && str_eq(options[i].flag, flag))
			return &options[i];
	}
	return NULL;
}

bool options_is_group(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (str_starts(options[i].path, path) && options[i].path[len] == '.')
			return true;
	}
	return false;
}

const char *options_key(const struct option *o, char *buf, size_t size)
{
	if (*o->path)
		return o->path;
	snprintf(buf, size, "--%s", o->flag);
	return buf;
}

bool options_is_list(enum option_type type)
{
	return type == OPTION_LIST || type == OPTION_TAINTS || type == OPTION_VMODULE ||
	       type == OPTION_MEMORY;
}
