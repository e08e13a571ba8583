/* The proxy's configuration: every field with upstream's name, type and default, what flags do with
 * and without a file, what is refused. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/yaml.h"
#include "config.h"
#include "options.h"

static const char head[] =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

enum { ARGS_MAX = 12 };

/* text NULL: no --config. args end with NULL. */
static int load(const char *text, const char *const *args, struct config **ret, struct err *e)
{
	char path[] = "/tmp/keelson-proxyconfig-XXXXXX";
	int fd = mkstemp(path), argc = 1, result;
	AUTO_FREE char *option = str_fmt("--config=%s", path);
	AUTO_FREE char *whole = str_fmt("%s%s", head, text ? text : "");
	char *argv[ARGS_MAX + 2] = { "keelson-proxy" };

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fs_write_atomic(path, whole, strlen(whole), 0600, e), 0);
	if (text)
		argv[argc++] = option;
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

/* Upstream's fields: path, type, and the default as /configz prints it in mode iptables ("-": not
 * printed). */
static const struct {
	const char *path;
	enum option_type type;
	const char *json;
} fields[] = {
	{ "featureGates", OPTION_BOOL_MAP, "-" },
	{ "clientConnection.kubeconfig", OPTION_STRING, "\"\"" },
	{ "clientConnection.acceptContentTypes", OPTION_STRING, "\"\"" },
	{ "clientConnection.contentType", OPTION_STRING,
	  "\"application/vnd.kubernetes.protobuf\"" },
	{ "clientConnection.qps", OPTION_FLOAT, "5" },
	{ "clientConnection.burst", OPTION_INT32, "10" },
	{ "logging.format", OPTION_STRING, "\"text\"" },
	{ "logging.flushFrequency", OPTION_LAX_DURATION, "\"5s\"" },
	{ "logging.verbosity", OPTION_INT32, "0" },
	{ "logging.vmodule", OPTION_VMODULE, "-" },
	{ "logging.vmodule[].filePattern", OPTION_STRING, "-" },
	{ "logging.vmodule[].verbosity", OPTION_INT32, "-" },
	{ "logging.options.text.splitStream", OPTION_BOOL, "-" },
	{ "logging.options.text.infoBufferSize", OPTION_QUANTITY, "\"0\"" },
	{ "logging.options.json.splitStream", OPTION_BOOL, "-" },
	{ "logging.options.json.infoBufferSize", OPTION_QUANTITY, "\"0\"" },
	{ "hostnameOverride", OPTION_STRING, "\"\"" },
	{ "bindAddress", OPTION_IP, "\"0.0.0.0\"" },
	{ "healthzBindAddress", OPTION_STRING, "\"0.0.0.0:10256\"" },
	{ "metricsBindAddress", OPTION_STRING, "\"127.0.0.1:10249\"" },
	{ "bindAddressHardFail", OPTION_BOOL, "false" },
	{ "enableProfiling", OPTION_BOOL, "false" },
	{ "showHiddenMetricsForVersion", OPTION_STRING, "\"\"" },
	{ "mode", OPTION_STRING, "\"iptables\"" },
	{ "iptables.masqueradeBit", OPTION_INT32, "14" },
	{ "iptables.masqueradeAll", OPTION_BOOL, "false" },
	{ "iptables.localhostNodePorts", OPTION_BOOL, "true" },
	{ "iptables.syncPeriod", OPTION_DURATION, "\"30s\"" },
	{ "iptables.minSyncPeriod", OPTION_DURATION, "\"1s\"" },
	{ "ipvs.syncPeriod", OPTION_DURATION, "\"0s\"" },
	{ "ipvs.minSyncPeriod", OPTION_DURATION, "\"0s\"" },
	{ "ipvs.scheduler", OPTION_STRING, "\"\"" },
	{ "ipvs.excludeCIDRs", OPTION_STRINGS, "null" },
	{ "ipvs.strictARP", OPTION_BOOL, "false" },
	{ "ipvs.tcpTimeout", OPTION_DURATION, "\"0s\"" },
	{ "ipvs.tcpFinTimeout", OPTION_DURATION, "\"0s\"" },
	{ "ipvs.udpTimeout", OPTION_DURATION, "\"0s\"" },
	{ "nftables.masqueradeBit", OPTION_INT32, "14" },
	{ "nftables.masqueradeAll", OPTION_BOOL, "false" },
	{ "nftables.syncPeriod", OPTION_DURATION, "\"0s\"" },
	{ "nftables.minSyncPeriod", OPTION_DURATION, "\"0s\"" },
	{ "winkernel.networkName", OPTION_STRING, "\"\"" },
	{ "winkernel.sourceVip", OPTION_STRING, "\"\"" },
	{ "winkernel.enableDSR", OPTION_BOOL, "false" },
	{ "winkernel.rootHnsEndpointName", OPTION_STRING, "\"\"" },
	{ "winkernel.forwardHealthCheckVip", OPTION_BOOL, "false" },
	{ "detectLocalMode", OPTION_STRING, "\"ClusterCIDR\"" },
	{ "detectLocal.bridgeInterface", OPTION_STRING, "\"\"" },
	{ "detectLocal.interfaceNamePrefix", OPTION_STRING, "\"\"" },
	{ "clusterCIDR", OPTION_STRING, "\"\"" },
	{ "nodePortAddresses", OPTION_STRINGS, "null" },
	{ "oomScoreAdj", OPTION_INT32, "-999" },
	{ "conntrack.maxPerCore", OPTION_INT32, "32768" },
	{ "conntrack.min", OPTION_INT32, "131072" },
	{ "conntrack.tcpEstablishedTimeout", OPTION_DURATION, "\"24h0m0s\"" },
	{ "conntrack.tcpCloseWaitTimeout", OPTION_DURATION, "\"1h0m0s\"" },
	{ "conntrack.tcpBeLiberal", OPTION_BOOL, "false" },
	{ "conntrack.udpTimeout", OPTION_DURATION, "\"0s\"" },
	{ "conntrack.udpStreamTimeout", OPTION_DURATION, "\"0s\"" },
	{ "configSyncPeriod", OPTION_DURATION, "\"15m0s\"" },
	{ "portRange", OPTION_STRING, "\"\"" },
	{ "windowsRunAsService", OPTION_BOOL, "-" },
};

/* The text of what stands at a.b.c below the printed document; "-" when nothing does. */
static char *printed(const struct config *c, const char *path)
{
	AUTO_JSON struct json_object *tree = NULL;
	struct json_object *at = NULL;
	char **parts = strv_split(path, '.');
	char *text = NULL;
	struct err e;

	assert_int_equal(json_parse(c->configz, strlen(c->configz), &tree, &e), 0);
	at = json_member(tree, "kubeproxy.config.k8s.io", json_type_object);
	assert_non_null(at);
	for (size_t i = 0; parts[i] && !text; i++) {
		struct json_object *next = NULL;

		if (!json_object_object_get_ex(at, parts[i], &next))
			text = mem_strdup("-");
		at = next;
	}
	strv_free(parts);
	return text ? text : json_text(at);
}

static void every_field_has_its_default(void **state)
{
	CLEANUP(config_freep) struct config *c = must_load("", NULL);
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < config_options.n; i++)
		rows += *config_options.rows[i].path != 0;
	assert_int_equal(rows, 62);
	assert_int_equal(ARRAY_SIZE(fields), 62);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct option *o = options_find(&config_options, fields[i].path);
		AUTO_FREE char *got = o ? printed(c, fields[i].path) : NULL;

		if (!o || o->type != fields[i].type || !str_eq(got, fields[i].json))
			fail_msg("%s: %s", fields[i].path, str_or(got, "no row"));
	}
	assert_null(c->notes.not_built);
}

static void flags_without_a_file(void **state)
{
	static const struct {
		const char *args[4], *path, *json;
	} cases[] = {
		{ { "--proxy-mode=nftables" }, "nftables.syncPeriod", "\"30s\"" },
		{ { "--proxy-mode=nftables" }, "iptables.syncPeriod", "\"0s\"" },
		{ { "--proxy-mode=nftables" }, "nodePortAddresses", "[\"primary\"]" },
		{ { "--proxy-mode=nftables", "--masquerade-all" },
		  "nftables.masqueradeAll",
		  "true" },
		{ { "--masquerade-all" }, "iptables.masqueradeAll", "true" },
		{ { "--masquerade-all" }, "nftables.masqueradeAll", "false" },
		{ { "--proxy-mode=nftables", "--iptables-sync-period=7s" },
		  "nftables.syncPeriod",
		  "\"7s\"" },
		{ { "--proxy-mode=ipvs", "--iptables-sync-period=7s" },
		  "ipvs.syncPeriod",
		  "\"30s\"" },
		{ { "--proxy-mode=ipvs", "--ipvs-min-sync-period=7s" },
		  "ipvs.minSyncPeriod",
		  "\"7s\"" },
		{ { "--healthz-port=0" }, "healthzBindAddress", "\"\"" },
		{ { "--metrics-bind-address=0.0.0.0" }, "metricsBindAddress", "\"0.0.0.0:10249\"" },
		{ { "--healthz-bind-address=::" }, "healthzBindAddress", "\"[::]:10256\"" },
		{ { "--hostname-override= NODE-1 " }, "hostnameOverride", "\"node-1\"" },
		{ { "--kube-api-qps=2.5" }, "clientConnection.qps", "2.5" },
		{ { "--nodeport-addresses=10.0.0.0/8,localhost" },
		  "nodePortAddresses",
		  "[\"10.0.0.0/8\",\"localhost\"]" },
		{ { "--oom-score-adj=0" }, "oomScoreAdj", "0" },
		{ { "--conntrack-max-per-core=0" }, "conntrack.maxPerCore", "0" },
		{ { "-v4" }, "logging.verbosity", "4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = must_load(NULL, cases[i].args);
		AUTO_FREE char *got = printed(c, cases[i].path);

		if (!str_eq(got, cases[i].json))
			fail_msg("%s: %s is %s", cases[i].args[0], cases[i].path, got);
	}
}

static void a_file_silences_flags(void **state)
{
	static const char *const args[] = { "--hostname-override=n2",    "--v=3",
					    "--cluster-cidr=10.0.0.0/8", "--kubeconfig=/other",
					    "--oom-score-adj=5",         NULL };
	CLEANUP(config_freep)
	struct config *c =
	    must_load("hostnameOverride: n1\nclientConnection: {kubeconfig: /mine}\n"
		      "mode: nftables\nbindAddress: 'fd00::1'\nhealthzBindAddress: 127.0.0.1\n"
		      "conntrack: {min: 0}\nnftables: {syncPeriod: 4s, minSyncPeriod: 0s}\n",
		      args);
	struct config_block block = config_block(c);

	(void)state;
	assert_string_equal(c->hostname_override, "n2");
	assert_int_equal(c->verbosity, 3);
	assert_string_equal(c->kubeconfig, "/mine");
	assert_string_equal(c->cluster_cidr, "");
	assert_int_equal(c->oom_score_adj, -999);
	assert_string_equal(c->healthz_bind_address, "127.0.0.1:10256");
	assert_string_equal(c->metrics_bind_address, "[::1]:10249");
	assert_int_equal(c->conntrack_min, 0);
	assert_int_equal(block.sync_usec, 4000000);
	assert_int_equal(block.min_sync_usec, 1000000); /* 0 in a file is the default */
	assert_string_equal(c->node_port_addresses[0], "primary");
	assert_int_equal(strv_len(c->notes.warnings), 3);
	assert_non_null(strstr(c->notes.warnings[0], "counts for nothing beside --config"));
}

static void other_modes_are_told(void **state)
{
	CLEANUP(config_freep)
	struct config *c = must_load(
	    "mode: ipvs\niptables: {masqueradeAll: true}\nipvs: {minSyncPeriod: 2s}\n", NULL);
	CLEANUP(config_freep) struct config *nft = must_load("mode: nftables\n", NULL);
	struct config_block block = config_block(c);

	(void)state;
	assert_non_null(strstr(c->notes.warnings[0], "mode: ipvs is programmed with nftables"));
	assert_true(block.masquerade_all);
	assert_int_equal(block.min_sync_usec, 2000000);
	assert_null(c->node_port_addresses);
	assert_null(nft->notes.warnings);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "mode: userspace\n", "mode (--proxy-mode): \"userspace\" is none of" },
		{ "mode: ipvs\nfeatureGates: {KubeProxyIPVS: false}\n", "needs the feature gate" },
		{ "featureGates: {NoSuch: true}\n", "there is no feature gate NoSuch" },
		{ "bindAddress: 1.2.3\n", "bindAddress: \"1.2.3\" is not an IP address" },
		{ "healthzBindAddress: localhost:1\n",
		  "healthzBindAddress (--healthz-bind-address): " },
		{ "metricsBindAddress: '1.2.3.4:0'\n", "has no valid port" },
		{ "iptables: {masqueradeBit: 32}\n", "32 is not between 0 and 31" },
		{ "mode: nftables\nnftables: {masqueradeBit: -1}\n", "nftables.masqueradeBit" },
		{ "iptables: {minSyncPeriod: 31s}\n", "iptables.syncPeriod: 30s is below" },
		{ "iptables: {syncPeriod: -1s}\n", "iptables.syncPeriod: -1s is not above 0" },
		{ "nodePortAddresses: [primary, primary]\n", "\"primary\" stands there twice" },
		{ "nodePortAddresses: [10.0.0.0]\n", "nodePortAddresses (--nodeport-addresses): "
						     "\"10.0.0.0\" is not a CIDR" },
		{ "detectLocalMode: Bridge\n", "detectLocalMode (--detect-local-mode): " },
		{ "detectLocalMode: BridgeInterface\n", "detectLocal.bridgeInterface" },
		{ "detectLocalMode: InterfaceNamePrefix\n", "detectLocal.interfaceNamePrefix" },
		{ "clusterCIDR: 10.0.0.0/33\n", "clusterCIDR (--cluster-cidr): " },
		{ "clusterCIDR: '10.0.0.0/8,10.1.0.0/16'\n", "two CIDRs of one family" },
		{ "clusterCIDR: '10.0.0.0/8,fd00::/8,fd01::/8'\n", "more than one CIDR" },
		{ "oomScoreAdj: -1001\n", "oomScoreAdj (--oom-score-adj)" },
		{ "conntrack: {maxPerCore: -1}\n", "conntrack.maxPerCore" },
		{ "conntrack: {tcpEstablishedTimeout: -1s}\n", "conntrack.tcpEstablishedTimeout" },
		{ "configSyncPeriod: -1s\n", "configSyncPeriod" },
		{ "clientConnection: {burst: -1}\n", "clientConnection.burst" },
		{ "clientConnection: {qps: fast}\n", "clientConnection.qps: must be a number" },
		{ "showHiddenMetricsForVersion: '1.30'\n", "showHiddenMetricsForVersion" },
		{ "hostnameOverride: '  '\n", "hostnameOverride" },
		{ "conntrack: []\n", "conntrack: must be an object" },
		{ "oomScoreAdj: [\n", "configuration /tmp/" },
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

static void settings_of_other_modes_may_be_anything(void **state)
{
	CLEANUP(config_freep)
	struct config *c = must_load("nftables: {masqueradeBit: 99, syncPeriod: -1s}\n"
				     "ipvs: {tcpTimeout: -1s, excludeCIDRs: [x]}\nnosuch: 1\n",
				     NULL);
	struct config *strict = NULL;
	struct err e = { 0 };

	(void)state;
	assert_non_null(strstr(c->notes.warnings[0], "there is no field nosuch"));
	assert_int_equal(load("nosuch: 1\n", (const char *[]){ "--strict", NULL }, &strict, &e),
			 -1);
}

/* What --write-config-to writes is read back as the same configuration. */
static void the_written_file_reads_back(void **state)
{
	static const char *const args[] = { "--proxy-mode=nftables",
					    "--cluster-cidr=10.1.0.0/16,fd00::/48",
					    "--feature-gates=NFTablesNetlink=true",
					    "--nodeport-addresses=localhost", NULL };
	CLEANUP(config_freep) struct config *c = must_load(NULL, args), *again = NULL;
	AUTO_JSON struct json_object *tree = NULL;
	struct err e = { 0 };
	const char *rest;

	(void)state;
	assert_int_equal(yaml_parse(c->yaml, strlen(c->yaml), &tree, NULL, &e), 0);
	/* the head stands in front of it here */
	rest = strstr(c->yaml, "featureGates");
	assert_non_null(rest);
	again = must_load(rest, NULL);
	assert_string_equal(c->configz, again->configz);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_has_its_default),
		cmocka_unit_test(flags_without_a_file),
		cmocka_unit_test(a_file_silences_flags),
		cmocka_unit_test(other_modes_are_told),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(settings_of_other_modes_may_be_anything),
		cmocka_unit_test(the_written_file_reads_back),
	};

	return cmocka_run_group_tests_name("proxyconfig", tests, NULL, NULL);
}
