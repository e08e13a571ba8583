/* The proxy's pure parts: health documents, metrics, facts of the Node, settings, sysctls. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "health.h"
#include "kube/time.h"
#include "leftovers.h"
#include "metrics.h"
#include "nodeinfo.h"
#include "settings.h"
#include "sysctls.h"

#define SEC INT64_C(1000000)

/* ---- health ---- */

static void health_documents(void **state)
{
	static const bool yes = true, no = false;
	static const struct {
		int64_t last[2], pending[2]; /* pending: 0 none, else seconds ago */
		const bool *eligible;
		bool ok;
		const char *json;
	} cases[] = {
		/* nothing synced yet: starting up */
		{ { 0, 0 },
		  { 500, 500 },
		  &yes,
		  true,
		  "{\"lastUpdated\":\"2026-11-26T12:00:00Z\",\"currentTime\":"
		  "\"2026-11-26T12:00:00Z\",\"nodeEligible\":true,\"healthy\":true}" },
		{ { 1, 2 },
		  { 0, 0 },
		  &yes,
		  true,
		  "{\"lastUpdated\":\"2026-11-26T12:00:00Z\",\"currentTime\":"
		  "\"2026-11-26T12:00:00Z\",\"nodeEligible\":true,\"healthy\":true,\"status\":{"
		  "\"IPv4\":{\"lastUpdated\":\"1970-01-01T00:00:01.25Z\",\"healthy\":true},"
		  "\"IPv6\":{\"lastUpdated\":\"1970-01-01T00:00:02.25Z\",\"healthy\":true}}}" },
		{ { 1, 0 },
		  { 59, 0 },
		  &no,
		  false,
		  "{\"lastUpdated\":\"1970-01-01T00:00:01.25Z\",\"currentTime\":"
		  "\"2026-11-26T12:00:00Z\",\"nodeEligible\":false,\"healthy\":true,\"status\":{"
		  "\"IPv4\":{\"lastUpdated\":\"1970-01-01T00:00:01.25Z\",\"healthy\":true}}}" },
		{ { 1, 2 },
		  { 60, 59 },
		  NULL,
		  false,
		  "{\"lastUpdated\":\"1970-01-01T00:00:02.25Z\",\"currentTime\":"
		  "\"2026-11-26T12:00:00Z\",\"healthy\":false,\"status\":{"
		  "\"IPv4\":{\"lastUpdated\":\"1970-01-01T00:00:01.25Z\",\"healthy\":false},"
		  "\"IPv6\":{\"lastUpdated\":\"1970-01-01T00:00:02.25Z\",\"healthy\":true}}}" },
	};
	const struct health_times times = { INT64_C(1795694400) * SEC, 1000 * SEC, 60 * SEC };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dataplane_status s = { 0 };
		AUTO_FREE char *json = NULL;
		bool ok = !cases[i].ok;

		for (size_t f = 0; f < 2; f++) {
			int64_t last = cases[i].last[f], pending = cases[i].pending[f];

			s.family[f].last_sync_usec = last ? last * SEC + SEC / 4 : 0;
			s.family[f].pending_since_usec =
			    pending ? times.mono_usec - pending * SEC : 0;
		}
		json = health_json(&s, &times, cases[i].eligible, &ok);
		assert_string_equal(json, cases[i].json);
		assert_int_equal(ok, cases[i].ok);
	}
}

static void service_documents(void **state)
{
	AUTO_FREE char *json = health_service_json("ns", "web", 2, false);

	(void)state;
	assert_string_equal(json, "{\n\t\"service\": {\n\t\t\"namespace\": \"ns\",\n\t\t\"name\": "
				  "\"web\"\n\t},\n\t\"localEndpoints\": 2,\n\t"
				  "\"serviceProxyHealthy\": false\n}");
}

/* ---- metrics ---- */

static bool has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	while (at && ((at != text && at[-1] != '\n') || at[strlen(line)] != '\n'))
		at = strstr(at + 1, line);
	return at != NULL;
}

static void metrics_are_upstreams(void **state)
{
	/* every family of upstream's list for nftables but those of the localhost NodePort proxy */
	static const char *const types[] = {
		"conntrack_reconciler_deleted_entries_total counter",
		"network_programming_duration_seconds histogram",
		"proxy_healthz_total counter",
		"proxy_livez_total counter",
		"sync_full_proxy_rules_duration_seconds histogram",
		"sync_partial_proxy_rules_duration_seconds histogram",
		"sync_proxy_rules_duration_seconds histogram",
		"sync_proxy_rules_endpoint_changes_pending gauge",
		"sync_proxy_rules_endpoint_changes_total counter",
		"sync_proxy_rules_last_queued_timestamp_seconds gauge",
		"sync_proxy_rules_last_timestamp_seconds gauge",
		"sync_proxy_rules_nftables_cleanup_failures_total counter",
		"sync_proxy_rules_nftables_sync_failures_total counter",
		"sync_proxy_rules_no_local_endpoints_total gauge",
		"sync_proxy_rules_service_changes_pending gauge",
		"sync_proxy_rules_service_changes_total counter",
	};
	static const char *const lines[] = {
		"kubeproxy_sync_proxy_rules_endpoint_changes_total 7",
		"kubeproxy_sync_proxy_rules_service_changes_pending 3",
		"kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"IPv4\"} 5",
		"kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"} "
		"1795694400.500000",
		"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv4\","
		"traffic_policy=\"external\"} 2",
		"kubeproxy_proxy_healthz_total{code=\"503\"} 4",
		"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0."
		"001\"} "
		"1",
		"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0."
		"004\"} "
		"2",
		"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"+Inf\"}"
		" 2",
		"kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} 1",
		"kubeproxy_sync_partial_proxy_rules_duration_seconds_sum{ip_family=\"IPv4\"} 0.001",
		"kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le="
		"\"58\"} "
		"0",
		"kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le="
		"\"59\"} "
		"1",
		"kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le="
		"\"300\"} "
		"1",
	};
	const struct metrics_process process = { .cpu_sec = 1.5 };
	struct metrics m = { .healthz = { 0, 4 } };
	struct dataplane_status s = { .endpoint_changes = 7, .service_changes_pending = 3 };
	AUTO_STR text = { 0 };

	(void)state;
	s.family[DATAPLANE_IPV4].enabled = true;
	s.family[DATAPLANE_IPV4].sync_failures = 5;
	s.family[DATAPLANE_IPV4].last_sync_usec = INT64_C(1795694400) * SEC + SEC / 2;
	s.family[DATAPLANE_IPV4].no_local_endpoints[1] = 2;
	metrics_synced(&m, DATAPLANE_IPV4, false, 1000, 0, 0);
	metrics_synced(&m, DATAPLANE_IPV4, true, 3000, 1 * SEC, 60 * SEC);
	metrics_print(&m, &s, &process, &text);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		AUTO_FREE char *line = str_fmt("# TYPE kubeproxy_%s", types[i]);

		if (!has_line(str_text(&text), line))
			fail_msg("no %s", line);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!has_line(str_text(&text), lines[i]))
			fail_msg("no %s in\n%s", lines[i], str_text(&text));
	}
	assert_null(strstr(str_text(&text), "IPv6"));
	assert_true(has_line(str_text(&text), "process_cpu_seconds_total 1.5"));
}

/* ---- the Node ---- */

/* "InternalIP=1.2.3.4" … */
static Core__Node *node_of(const char *const *addresses)
{
	Core__Node *node = proto_new(&core__node__descriptor);

	node->metadata = proto_new(&meta__object_meta__descriptor);
	node->spec = proto_new(&core__node_spec__descriptor);
	node->status = proto_new(&core__node_status__descriptor);
	for (; *addresses; addresses++) {
		Core__NodeAddress *a = proto_new(&core__node_address__descriptor);
		const char *equals = strchr(*addresses, '=');
		AUTO_FREE char *type = mem_strndup(*addresses, (size_t)(equals - *addresses));

		proto_set_str(&a->type, type);
		proto_set_str(&a->address, equals + 1);
		proto_push(&node->status->n_addresses, &node->status->addresses, a);
	}
	return node;
}

static void node_addresses(void **state)
{
	static const struct {
		const char *addresses[6], *primary, *other;
	} cases[] = {
		{ { NULL }, "", "" },
		{ { "Hostname=n", "InternalIP=10.0.0.1" }, "10.0.0.1", "" },
		{ { "ExternalIP=192.0.2.1", "InternalIP=10.0.0.1" }, "10.0.0.1", "" },
		{ { "ExternalIP=192.0.2.1" }, "192.0.2.1", "" },
		{ { "InternalIP=fd00::1", "InternalIP=10.0.0.1", "InternalIP=10.0.0.2" },
		  "fd00::1",
		  "10.0.0.1" },
		{ { "InternalIP=10.0.0.1", "ExternalIP=2001:db8::1" }, "10.0.0.1", "2001:db8::1" },
		{ { "InternalIP=nonsense", "InternalIP=10.0.0.1" }, "10.0.0.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_PROTO Core__Node *node = node_of(cases[i].addresses);
		CLEANUP(nodeinfo_fini) struct nodeinfo n;
		char primary[ADDR_TEXT] = "", other[ADDR_TEXT] = "";

		nodeinfo_read(node, &n);
		if (n.primary.len)
			addr_text(&n.primary, primary);
		if (n.other.len)
			addr_text(&n.other, other);
		assert_string_equal(primary, cases[i].primary);
		assert_string_equal(other, cases[i].other);
		assert_true(n.known && !n.leaving);
	}
}

static void node_that_leaves(void **state)
{
	AUTO_PROTO Core__Node *node = node_of((const char *[]){ NULL });
	Core__Taint *taint = proto_new(&core__taint__descriptor);
	struct nodeinfo n;

	(void)state;
	proto_set_str(&taint->key, "other");
	proto_push(&node->spec->n_taints, &node->spec->taints, taint);
	nodeinfo_read(node, &n);
	assert_false(n.leaving);
	proto_set_str(&taint->key, "ToBeDeletedByClusterAutoscaler");
	nodeinfo_read(node, &n);
	assert_true(n.leaving);
	proto_set_str(&taint->key, "other");
	node->metadata->deletiontimestamp = kube_time_new(SEC);
	nodeinfo_read(node, &n);
	assert_true(n.leaving);
	nodeinfo_read(NULL, &n);
	assert_false(n.known);
}

/* ---- settings ---- */

static struct config *config_of(const char *const *args)
{
	char *argv[16] = { "keelson-proxy" };
	struct config *c = NULL;
	struct err e = { 0 };
	int argc = 1;

	for (; *args; args++)
		argv[argc++] = (char *)*args;
	if (config_load(argc, argv, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static char *joined(char *const *v)
{
	AUTO_STR text = { 0 };

	for (; v && *v; v++)
		str_printf(&text, "%s%s", text.len ? "," : "", *v);
	return str_take(&text);
}

static void settings_follow(void **state)
{
	static const struct {
		const char *args[6], *addresses[4];
		const char *node_ports;
		enum dataplane_local local;
		bool v6;
	} cases[] = {
		{ { NULL }, { NULL }, "0.0.0.0/0,::/0", DATAPLANE_LOCAL_NONE, false },
		{ { "--proxy-mode=nftables", "--cluster-cidr=10.0.0.0/8" },
		  { "InternalIP=10.0.0.1" },
		  "primary",
		  DATAPLANE_LOCAL_CLUSTER_CIDR,
		  false },
		{ { "--nodeport-addresses=localhost,10.0.0.0/8", "--detect-local-mode=NodeCIDR" },
		  { "InternalIP=fd00::1" },
		  "127.0.0.0/8,::1/128,10.0.0.0/8",
		  DATAPLANE_LOCAL_NODE_CIDR,
		  true },
		{ { "--nodeport-addresses=primary", "--bind-address=192.0.2.9",
		    "--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cni0" },
		  { "InternalIP=10.0.0.1", "InternalIP=fd00::1" },
		  "192.0.2.9/32,fd00::1/128",
		  DATAPLANE_LOCAL_BRIDGE_INTERFACE,
		  false },
		{ { "--nodeport-addresses=all,primary", "--bind-address=::1",
		    "--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=veth" },
		  { NULL },
		  "0.0.0.0/0,::/0",
		  DATAPLANE_LOCAL_INTERFACE_NAME_PREFIX,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = config_of(cases[i].args);
		AUTO_PROTO Core__Node *node = node_of(cases[i].addresses);
		CLEANUP(nodeinfo_fini) struct nodeinfo n;
		CLEANUP(settings_fini) struct settings s;
		AUTO_FREE char *ports = NULL;

		nodeinfo_read(node, &n);
		settings_make(c, "n1", &n, &s);
		ports = joined(s.dataplane.node_port_addresses);
		assert_string_equal(ports, cases[i].node_ports);
		assert_int_equal(s.dataplane.local, cases[i].local);
		assert_int_equal(s.v6_primary, cases[i].v6);
		assert_int_equal(s.dataplane.masquerade_bit, 14);
		assert_true(settings_equal(&s, &s));
	}
}

static void settings_are_questioned(void **state)
{
	static const struct {
		const char *args[6], *address, *pod_cidr;
		bool v6;
		const char *warning, *error; /* NULL: none */
	} cases[] = {
		{ { "--proxy-mode=nftables", "--cluster-cidr=10.0.0.0/8" },
		  "10.0.0.1",
		  NULL,
		  true,
		  NULL,
		  NULL },
		{ { "--cluster-cidr=10.0.0.0/8" },
		  "10.0.0.1",
		  NULL,
		  true,
		  "nodePortAddresses is not set",
		  NULL },
		{ { "--proxy-mode=nftables" },
		  "10.0.0.1",
		  NULL,
		  true,
		  "clusterCIDR has no IPv4 range",
		  NULL },
		{ { "--cluster-cidr=fd00::/48" },
		  "10.0.0.1",
		  NULL,
		  true,
		  "clusterCIDR holds only IPv6 ranges",
		  NULL },
		{ { "--cluster-cidr=fd00::/48" },
		  "10.0.0.1",
		  NULL,
		  false,
		  "clusterCIDR holds only IPv6 ranges",
		  "the node is IPv4 only" },
		{ { "--detect-local-mode=NodeCIDR" },
		  "10.0.0.1",
		  "fd00::/64",
		  true,
		  "the Node has no IPv4 podCIDR",
		  "its podCIDRs are IPv6" },
		{ { "--nodeport-addresses=fd00::/8" },
		  "10.0.0.1",
		  NULL,
		  true,
		  "nodePortAddresses holds only IPv6 ranges",
		  NULL },
		{ { "--nodeport-addresses=10.0.0.0/8", "--cluster-cidr=10.0.0.0/8,fd00::/48" },
		  "10.0.0.1",
		  NULL,
		  true,
		  "both families but nodePortAddresses holds only IPv4",
		  NULL },
		{ { "--metrics-bind-address=[fd00::2]:1" },
		  "10.0.0.1",
		  NULL,
		  false,
		  "has only IPv4 but metricsBindAddress is [fd00::2]:1",
		  NULL },
		{ { NULL }, "fd00::1", NULL, false, "clusterCIDR has no IPv6", "is IPv6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = config_of(cases[i].args);
		AUTO_FREE char *address = str_fmt("InternalIP=%s", cases[i].address);
		AUTO_PROTO Core__Node *node = node_of((const char *[]){ address, NULL });
		CLEANUP(nodeinfo_fini) struct nodeinfo n;
		CLEANUP(settings_fini) struct settings s;
		AUTO_FREE char *said = NULL;
		struct err e = { 0 };
		char **lines = NULL;

		if (cases[i].pod_cidr)
			proto_push_str(&node->spec->n_podcidrs, &node->spec->podcidrs,
				       cases[i].pod_cidr);
		nodeinfo_read(node, &n);
		settings_make(c, "n1", &n, &s);
		settings_warn(c, &s, &n, cases[i].v6, &lines);
		said = joined(lines);
		strv_free(lines);
		settings_check(c, &s, &n, cases[i].v6, &e);
		if (cases[i].warning ? !strstr(said, cases[i].warning) : *said)
			fail_msg("%zu: %s", i, said);
		if (cases[i].error ? !strstr(e.text, cases[i].error) : e.code != ERR_NONE)
			fail_msg("%zu: %s", i, e.text);
	}
}

/* ---- sysctls ---- */

static void conntrack_plans(void **state)
{
	static const struct {
		const char *args[6];
		long cpus;
		int64_t max, established, liberal, udp; /* 0: left alone */
	} cases[] = {
		{ { NULL }, 2, 131072, 86400, 0, 0 },
		{ { NULL }, 8, 262144, 86400, 0, 0 },
		{ { NULL }, 200, 1048576, 86400, 0, 0 },
		{ { "--conntrack-max-per-core=0" }, 8, 0, 86400, 0, 0 },
		{ { "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-be-liberal",
		    "--conntrack-udp-timeout=30s" },
		  1,
		  131072,
		  0,
		  1,
		  30 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = config_of(cases[i].args);
		struct sysctl plan[SYSCTLS_MAX];
		size_t n = sysctls_plan(c, cases[i].cpus, plan);
		const struct {
			const char *name;
			int64_t want;
		} wanted[] = {
			{ "nf_conntrack_max", cases[i].max },
			{ "nf_conntrack_tcp_timeout_established", cases[i].established },
			{ "nf_conntrack_tcp_be_liberal", cases[i].liberal },
			{ "nf_conntrack_udp_timeout", cases[i].udp },
		};

		for (size_t w = 0; w < ARRAY_SIZE(wanted); w++) {
			int64_t got = 0;

			for (size_t k = 0; k < n; k++)
				got = str_eq(plan[k].name, wanted[w].name) ? plan[k].value : got;
			assert_int_equal(got, wanted[w].want);
		}
	}
}

static void put(const char *root, const char *path, const char *value)
{
	AUTO_FREE char *full = str_fmt("%s%s", root, path);

	assert_int_equal(fs_write_atomic(full, value, strlen(value), 0644, NULL), 0);
}

static void expect(const char *root, const char *path, const char *value)
{
	AUTO_FREE char *full = str_fmt("%s%s", root, path), *text = NULL;

	assert_int_equal(fs_read(full, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, value);
}

static void conntrack_writes(void **state)
{
	static const char dir[] = "/proc/sys/net/netfilter",
			  hash_dir[] = "/sys/module/nf_conntrack";
	static const char hash[] = "/sys/module/nf_conntrack/parameters/hashsize";
	CLEANUP(config_freep)
	struct config *c = config_of(
	    (const char *[]){ "--conntrack-min=2000000", "--conntrack-max-per-core=1", NULL });
	char root[] = "/tmp/keelson-sysctls-XXXXXX";
	AUTO_FREE char *a = NULL, *b = NULL;

	(void)state;
	assert_non_null(mkdtemp(root));
	a = str_fmt("%s%s", root, dir);
	b = str_fmt("%s%s/parameters", root, hash_dir);
	assert_int_equal(fs_mkdir_all(a, 0755, NULL), 0);
	assert_int_equal(fs_mkdir_all(b, 0755, NULL), 0);
	put(root, "/proc/sys/net/netfilter/nf_conntrack_max", "3000000\n");
	put(root, "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "432000\n");
	put(root, hash, "1024\n");
	/* close_wait is missing here: told, the rest is written */
	assert_int_equal(sysctls_apply(c, root), 1);
	expect(root, "/proc/sys/net/netfilter/nf_conntrack_max", "3000000\n");
	expect(root, "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "86400");
	expect(root, hash, "500000");
	assert_int_equal(fs_remove_all(root, NULL), 0);
}

/* ---- leftovers ---- */

static void only_kube_proxys_chains_go(void **state)
{
	static const char saved[] = "# Generated\n*filter\n:INPUT ACCEPT [1:2]\n"
				    ":KUBE-FIREWALL - [0:0]\n:MINE - [0:0]\n"
				    ":KUBE-ROUTER-INPUT - [0:0]\n:KUBE-POD-FW-A - [0:0]\n"
				    "-A INPUT -j KUBE-FIREWALL\n-A INPUT -j MINE\n"
				    "-A INPUT -j KUBE-ROUTER-INPUT\nCOMMIT\n"
				    "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n"
				    ":KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n"
				    "-A PREROUTING -m comment --comment \"kubernetes -j x\" -j "
				    "KUBE-SERVICES\n-A PREROUTING -j CNI-DN\n"
				    "-A KUBE-SERVICES -j KUBE-SVC-A\n"
				    "-A KUBE-SVC-A -j DNAT --to-destination 10.0.0.1:80\nCOMMIT\n";
	AUTO_STR script = { 0 }, none = { 0 };

	(void)state;
	leftovers_script(saved, &script);
	assert_string_equal(str_text(&script),
			    "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n"
			    "-D PREROUTING -m comment --comment \"kubernetes -j x\" -j "
			    "KUBE-SERVICES\n-X KUBE-SERVICES\n-X KUBE-SVC-A\nCOMMIT\n");
	leftovers_script("", &none);
	leftovers_script("COMMIT\n*nat\n:KUBE-SERVICES - [0:0]\n", &none);
	assert_int_equal(none.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_documents),
		cmocka_unit_test(service_documents),
		cmocka_unit_test(metrics_are_upstreams),
		cmocka_unit_test(node_addresses),
		cmocka_unit_test(node_that_leaves),
		cmocka_unit_test(settings_follow),
		cmocka_unit_test(settings_are_questioned),
		cmocka_unit_test(conntrack_plans),
		cmocka_unit_test(conntrack_writes),
		cmocka_unit_test(only_kube_proxys_chains_go),
	};

	return cmocka_run_group_tests_name("proxyparts", tests, NULL, NULL);
}
