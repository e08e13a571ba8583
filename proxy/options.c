/* The table behind the command line and KubeProxyConfiguration v1alpha1. Pure.
 *
 * Rows of one object stand together and in upstream's order: /configz prints them that way.
 */
#include "options.h"

#include "base/mem.h"
#include "conf/logging.h"
#include "config.h"

#define AT(member) offsetof(struct config, member)
#define NO OPTION_NOWHERE
#define P OPTION_PTR
#define PK (OPTION_PTR | OPTION_KEEP)
#define K OPTION_KEEP
#define NB OPTION_NOT_BUILT
#define IN OPTION_INERT
#define W OPTION_FLAG_WINS

/* clang-format off: a table */
static const struct option rows[] = {
	{ "", "config", OPTION_STRING, "", AT(config_file), W },
	{ "", "write-config-to", OPTION_STRING, "", AT(write_config_to), W },
	{ "", "cleanup", OPTION_BOOL, "false", AT(cleanup), W },
	{ "", "init-only", OPTION_BOOL, "false", AT(init_only), W },
	{ "", "master", OPTION_STRING, "", AT(master), W },
	{ "", "healthz-port", OPTION_INT32, "10256", NO, 0 },
	{ "", "metrics-port", OPTION_INT32, "10249", NO, 0 },
	{ "", "iptables-sync-period", OPTION_DURATION, NULL, NO, 0 },
	{ "", "iptables-min-sync-period", OPTION_DURATION, NULL, NO, 0 },
	{ "", "ipvs-sync-period", OPTION_DURATION, NULL, NO, 0 },
	{ "", "ipvs-min-sync-period", OPTION_DURATION, NULL, NO, 0 },
	{ "", "masquerade-all", OPTION_BOOL, NULL, NO, 0 },
	{ "", "boot-id-file", OPTION_STRING, "", NO, IN | W },
	{ "", "machine-id-file", OPTION_STRING, "", NO, IN | W },
	{ "", "check-config", OPTION_BOOL, "false", AT(check), W },
	{ "", "strict", OPTION_BOOL, "false", AT(strict), W },
	{ "", "explain", OPTION_STRING, "", AT(explain), W },
	{ "", "pod-network", OPTION_STRING, "none", AT(pod_network), W },
	{ "", "return-path-mark", OPTION_STRING, "0x3f7f", AT(return_path_mark_text), W },
	{ "", "cni-config", OPTION_STRING, "/etc/cni/net.d/10-keelson.conflist", AT(cni_config),
	  W },

	{ "featureGates", "feature-gates", OPTION_BOOL_MAP, NULL, AT(feature_gates), 0 },
	{ "clientConnection.kubeconfig", "kubeconfig", OPTION_STRING, "", AT(kubeconfig), K },
	{ "clientConnection.acceptContentTypes", NULL, OPTION_STRING, "", NO, K | IN },
	{ "clientConnection.contentType", "kube-api-content-type", OPTION_STRING,
	  "application/vnd.kubernetes.protobuf", NO, K | IN },
	{ "clientConnection.qps", "kube-api-qps", OPTION_FLOAT, "5", AT(qps), K },
	{ "clientConnection.burst", "kube-api-burst", OPTION_INT32, "10", AT(burst), K },
	CONF_LOGGING_ROWS(AT(verbosity), W),
	{ "hostnameOverride", "hostname-override", OPTION_STRING, "", AT(hostname_override),
	  K | W },
	{ "bindAddress", "bind-address", OPTION_IP, "0.0.0.0", AT(bind_address), K },
	{ "healthzBindAddress", "healthz-bind-address", OPTION_STRING, NULL,
	  AT(healthz_bind_address), K },
	{ "metricsBindAddress", "metrics-bind-address", OPTION_STRING, NULL,
	  AT(metrics_bind_address), K },
	{ "bindAddressHardFail", "bind-address-hard-fail", OPTION_BOOL, "false",
	  AT(bind_address_hard_fail), K },
	{ "enableProfiling", "profiling", OPTION_BOOL, "false", NO, K | NB },
	{ "showHiddenMetricsForVersion", "show-hidden-metrics-for-version", OPTION_STRING, "", NO,
	  K | IN },
	{ "mode", "proxy-mode", OPTION_STRING, "iptables", AT(mode), K },
	{ "iptables.masqueradeBit", "iptables-masquerade-bit", OPTION_INT32, "14",
	  AT(iptables.masquerade_bit), PK },
	{ "iptables.masqueradeAll", NULL, OPTION_BOOL, "false", AT(iptables.masquerade_all), K },
	{ "iptables.localhostNodePorts", "iptables-localhost-nodeports", OPTION_BOOL, "true", NO,
	  PK | IN },
	{ "iptables.syncPeriod", NULL, OPTION_DURATION, "30s", AT(iptables.sync_usec), K },
	{ "iptables.minSyncPeriod", NULL, OPTION_DURATION, "1s", AT(iptables.min_sync_usec), K },
	{ "ipvs.syncPeriod", NULL, OPTION_DURATION, "30s", AT(ipvs.sync_usec), K },
	{ "ipvs.minSyncPeriod", NULL, OPTION_DURATION, "0s", AT(ipvs.min_sync_usec), K },
	{ "ipvs.scheduler", "ipvs-scheduler", OPTION_STRING, "", NO, K | IN },
	{ "ipvs.excludeCIDRs", "ipvs-exclude-cidrs", OPTION_STRINGS, NULL, NO,
	  K | OPTION_NULL | IN },
	{ "ipvs.strictARP", "ipvs-strict-arp", OPTION_BOOL, "false", NO, K | IN },
	{ "ipvs.tcpTimeout", "ipvs-tcp-timeout", OPTION_DURATION, "0s", NO, K | IN },
	{ "ipvs.tcpFinTimeout", "ipvs-tcpfin-timeout", OPTION_DURATION, "0s", NO, K | IN },
	{ "ipvs.udpTimeout", "ipvs-udp-timeout", OPTION_DURATION, "0s", NO, K | IN },
	{ "nftables.masqueradeBit", NULL, OPTION_INT32, "14", AT(nftables.masquerade_bit), PK },
	{ "nftables.masqueradeAll", NULL, OPTION_BOOL, "false", AT(nftables.masquerade_all), K },
	{ "nftables.syncPeriod", NULL, OPTION_DURATION, "30s", AT(nftables.sync_usec), K },
	{ "nftables.minSyncPeriod", NULL, OPTION_DURATION, "1s", AT(nftables.min_sync_usec), K },
	{ "winkernel.networkName", NULL, OPTION_STRING, "", NO, K | IN },
	{ "winkernel.sourceVip", NULL, OPTION_STRING, "", NO, K | IN },
	{ "winkernel.enableDSR", NULL, OPTION_BOOL, "false", NO, K | IN },
	{ "winkernel.rootHnsEndpointName", NULL, OPTION_STRING, "", NO, K | IN },
	{ "winkernel.forwardHealthCheckVip", NULL, OPTION_BOOL, "false", NO, K | IN },
	{ "detectLocalMode", "detect-local-mode", OPTION_STRING, "ClusterCIDR",
	  AT(detect_local_mode), K },
	{ "detectLocal.bridgeInterface", "pod-bridge-interface", OPTION_STRING, "",
	  AT(bridge_interface), K },
	{ "detectLocal.interfaceNamePrefix", "pod-interface-name-prefix", OPTION_STRING, "",
	  AT(interface_name_prefix), K },
	{ "clusterCIDR", "cluster-cidr", OPTION_STRING, "", AT(cluster_cidr), K },
	{ "nodePortAddresses", "nodeport-addresses", OPTION_STRINGS, NULL, AT(node_port_addresses),
	  K | OPTION_NULL },
	{ "oomScoreAdj", "oom-score-adj", OPTION_INT32, "-999", AT(oom_score_adj), PK },
	{ "conntrack.maxPerCore", "conntrack-max-per-core", OPTION_INT32, "32768",
	  AT(conntrack_max_per_core), PK },
	{ "conntrack.min", "conntrack-min", OPTION_INT32, "131072", AT(conntrack_min), PK },
	{ "conntrack.tcpEstablishedTimeout", "conntrack-tcp-timeout-established", OPTION_DURATION,
	  "24h0m0s", AT(tcp_established_usec), PK },
	{ "conntrack.tcpCloseWaitTimeout", "conntrack-tcp-timeout-close-wait", OPTION_DURATION,
	  "1h0m0s", AT(tcp_close_wait_usec), PK },
	{ "conntrack.tcpBeLiberal", "conntrack-tcp-be-liberal", OPTION_BOOL, "false",
	  AT(tcp_be_liberal), K },
	{ "conntrack.udpTimeout", "conntrack-udp-timeout", OPTION_DURATION, "0s", AT(udp_usec), K },
	{ "conntrack.udpStreamTimeout", "conntrack-udp-timeout-stream", OPTION_DURATION, "0s",
	  AT(udp_stream_usec), K },
	{ "configSyncPeriod", "config-sync-period", OPTION_DURATION, "15m0s", NO, K | IN },
	{ "portRange", NULL, OPTION_STRING, "", NO, K | IN },
	{ "windowsRunAsService", NULL, OPTION_BOOL, "false", NO, IN },
};
/* clang-format on */

const struct option_table config_options = {
	.rows = rows,
	.n = ARRAY_SIZE(rows),
	.api_version = "kubeproxy.config.k8s.io/v1alpha1",
	.kind = "KubeProxyConfiguration",
	.help = "usage: keelson-proxy [flags]\n"
		"       keelson-proxy --explain ADDRESS:PORT[/PROTOCOL] [flags]\n\n"
		"The flags of upstream's kube-proxy. Most set the field of KubeProxyConfiguration "
		"named\nbeside them; --config sets all of them, and such flags count only without "
		"it.\n\n",
};
