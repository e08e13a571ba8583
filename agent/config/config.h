/* The agent's configuration: command line and KubeletConfiguration v1beta1, as upstream's kubelet
 * takes them. Effect (reads files); immutable once loaded.
 *
 * Order: defaults < --config < --config-dir < flags. One table (options.c) says what exists, of
 * which type, its default, and where it goes in here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/flags.h"
#include "conf/load.h"
#include "conf/value.h"

struct config {
	/* the process */
	char *config_file, *config_dir, *kubeconfig, *bootstrap_kubeconfig;
	char *hostname_override, *node_ip, *cert_dir, *cloud_provider, *root_dir;
	char *credential_provider_config, *credential_provider_bin_dir;
	struct config_pairs node_labels;
	int32_t max_dead_containers, max_dead_per_container;
	int64_t min_container_gc_age_usec;

	/* server */
	bool enable_server, enable_debugging_handlers;
	bool enable_profiling_handler, enable_debug_flags_handler;
	bool enable_system_log_handler, enable_system_log_query;
	char *address, *healthz_bind_address;
	int32_t port, read_only_port, healthz_port;
	char *tls_cert_file, *tls_private_key_file, *tls_min_version;
	char **tls_cipher_suites;
	bool rotate_certificates, server_tls_bootstrap;
	char *client_ca_file;
	bool webhook_authn, anonymous_authn;
	int64_t webhook_authn_ttl_usec;
	char *authorization_mode;
	int64_t webhook_authorized_ttl_usec, webhook_unauthorized_ttl_usec;
	int64_t streaming_idle_timeout_usec;

	/* API */
	int32_t kube_api_qps, kube_api_burst, event_qps, event_burst;
	char *content_type;

	/* node */
	bool register_node;
	struct config_taints register_with_taints;
	char *provider_id;
	int64_t status_update_usec, status_report_usec;
	int32_t lease_duration_sec;
	int32_t status_max_images;
	int32_t max_pods, pods_per_core;
	int64_t pod_pids_limit;
	struct config_pairs system_reserved, kube_reserved;
	struct config_pairs eviction_hard, eviction_soft;
	char *reserved_system_cpus;
	char **enforce_node_allocatable;
	bool attach_detach_by_controller;
	bool local_storage_isolation;
	bool ignore_eviction_in_allocatable;
	bool fail_swap_on, fail_cgroup_v1, protect_kernel_defaults;
	bool oom_kills_whole_container; /* singleProcessOOMKill: false */
	char *swap_behavior;
	int32_t oom_score_adj;
	int64_t max_open_files;

	/* runtime and cgroups */
	char *runtime_endpoint, *image_endpoint;
	int64_t runtime_timeout_usec;
	char *cgroup_driver, *cgroup_root;
	bool cgroups_per_qos;
	bool single_process_oom_kill;    /* cgroup v2 only; v1 cannot do otherwise */
	double memory_throttling_factor; /* 0: none */
	char *memory_reservation_policy;
	bool cpu_cfs_quota;
	int64_t cpu_cfs_quota_period_usec;
	bool serialize_image_pulls;
	int32_t max_parallel_image_pulls; /* 0: no limit was given */
	int32_t registry_qps, registry_burst;

	/* pods */
	char *static_pod_path, *static_pod_url, *pod_logs_dir;
	struct config_pairs static_pod_url_headers; /* a header may be there more than once */
	int64_t sync_frequency_usec, file_check_usec, http_check_usec;
	char *cluster_domain, *resolv_conf;
	char **cluster_dns;
	bool seccomp_default, seccomp_default_flag;
	char **allowed_unsafe_sysctls;
	int64_t max_restart_period_usec;
	char *log_max_size;
	int32_t log_max_files;

	int32_t verbosity;
	struct config_pairs feature_gates; /* as named: "true" or "false" */

	/* what loading found out */
	struct conf_notes notes;
	char *configz; /* {"kubeletconfig":{…}} */
	char *yaml;    /* the same document, for people */
	bool check, strict;
};

/* Returns an outcome, or -1: ERR_NOT_FOUND when a file is missing (it may come), ERR_INVALID when
 * the configuration is wrong. CONFIG_VERSION and CONFIG_HELP give no configuration. */
int config_load(int argc, char *const *argv, struct config **ret_config, struct err *e);
void config_free(struct config *c);
DEFINE_FREEP(config_free, struct config)

/* Whether a gate is on: as configured, else its default; false for unknown names. */
bool config_gate(const struct config *c, const char *name);
/* The files and directories that the command line names, which may come later; heap. */
char **config_files(int argc, char *const *argv);
char *config_help(void); /* heap */
