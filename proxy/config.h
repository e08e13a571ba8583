/* The proxy's configuration: command line and KubeProxyConfiguration v1alpha1, as upstream's
 * kube-proxy takes them. Effect (reads files); immutable once loaded.
 *
 * With --config, the file says everything but what OPTION_FLAG_WINS marks; without one, the flags
 * do. Whatever the mode is called, services are programmed with nftables; the settings are those of
 * the mode's own block, as upstream takes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/flags.h"
#include "conf/load.h"
#include "conf/value.h"

struct config {
	/* the process */
	char *config_file, *write_config_to, *master, *explain;
	bool cleanup, init_only, check, strict;
	char *pod_network; /* none, routes or vxlan */
	char *cni_config;  /* path; "": none is written */
	char *return_path_mark_text;
	uint32_t return_path_mark; /* bits that tell other nodes apart; 0: masquerade instead */
	int32_t verbosity;
	int32_t oom_score_adj;
	struct config_pairs feature_gates;

	/* API */
	char *kubeconfig, *hostname_override;
	double qps;
	int32_t burst;

	/* servers: "IP:port"; "" is none */
	char *healthz_bind_address, *metrics_bind_address;
	bool bind_address_hard_fail;

	/* data plane */
	char *mode;         /* iptables, ipvs or nftables */
	char *bind_address; /* the node's primary address, unless it is unspecified */
	char *detect_local_mode, *bridge_interface, *interface_name_prefix;
	char *cluster_cidr;
	char **node_port_addresses;
	struct config_block {
		int32_t masquerade_bit;
		bool masquerade_all;
		int64_t sync_usec, min_sync_usec;
	} iptables, ipvs, nftables;

	/* connection tracking of the kernel; 0: as it is */
	int32_t conntrack_max_per_core, conntrack_min;
	int64_t tcp_established_usec, tcp_close_wait_usec;
	bool tcp_be_liberal;
	int64_t udp_usec, udp_stream_usec;

	/* what loading found out */
	struct conf_notes notes;
	char *configz; /* {"kubeproxy.config.k8s.io":{…}} */
	char *yaml;    /* the same document for --write-config-to */
};

/* Returns an outcome, or -1: ERR_NOT_FOUND when a file is missing (it may come), ERR_INVALID when
 * the configuration is wrong. CONFIG_VERSION and CONFIG_HELP give no configuration. */
int config_load(int argc, char *const *argv, struct config **ret_config, struct err *e);
void config_free(struct config *c);
DEFINE_FREEP(config_free, struct config)

/* The settings of the mode. ipvs has no masquerade settings of its own: those of iptables. */
struct config_block config_block(const struct config *c);
/* The file that the command line names for a daemon, which may come later; none for a command line
 * that asks for something else. Heap. */
char **config_files(int argc, char *const *argv);
char *config_help(void); /* heap */
