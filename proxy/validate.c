/* Checks of a configuration (contract in validate.h). Pure.
 *
 * As upstream checks: settings of another mode's block may hold anything.
 */
#include "validate.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "base/mem.h"
#include "conf/check.h"
#include "conf/value.h"
#include "options.h"
#include "peermarks.h"

/* The one release whose hidden metrics may be asked for. */
static const char previous_release[] = "1.36";

static const struct check_range ranges[] = {
	{ "iptables.masqueradeBit", 0, 31 },
	{ "clientConnection.burst", 0, CHECK_ANY },
	{ "oomScoreAdj", -1000, 1000 },
	{ "conntrack.maxPerCore", 0, CHECK_ANY },
	{ "conntrack.min", 0, CHECK_ANY },
	{ "conntrack.tcpEstablishedTimeout", 0, CHECK_ANY },
	{ "conntrack.tcpCloseWaitTimeout", 0, CHECK_ANY },
	{ "conntrack.udpTimeout", 0, CHECK_ANY },
	{ "conntrack.udpStreamTimeout", 0, CHECK_ANY },
	{ "configSyncPeriod", 1, CHECK_ANY },
	{ "logging.verbosity", 0, CHECK_ANY },
};

static const struct check_range nftables_ranges[] = {
	{ "nftables.masqueradeBit", 0, 31 },
};

static const struct check_range ipvs_ranges[] = {
	{ "ipvs.tcpTimeout", 0, CHECK_ANY },
	{ "ipvs.tcpFinTimeout", 0, CHECK_ANY },
	{ "ipvs.udpTimeout", 0, CHECK_ANY },
};

static const struct check_choice choices[] = {
	{ "mode", { "iptables", "ipvs", "nftables" } },
	{ "detectLocalMode",
	  { "BridgeInterface", "ClusterCIDR", "InterfaceNamePrefix", "NodeCIDR" } },
	{ "logging.format", { "text", "json" } },
	{ "--pod-network", { "none", "routes", "vxlan" } },
};

int validate_host_port(const char *text, char **ret_host, uint16_t *ret_port, struct err *e)
{
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[' && colon && colon > text && colon[-1] == ']';
	AUTO_FREE char *host = NULL;
	struct addr address;
	int64_t port;

	if (!colon)
		return err_set(e, ERR_INVALID, "\"%s\" is not of the form IP:port", text);
	host = bracket ? mem_strndup(text + 1, (size_t)(colon - text - 2))
		       : mem_strndup(text, (size_t)(colon - text));
	if (addr_parse(host, &address, NULL) < 0 || (!bracket && strchr(host, ':')))
		return err_set(e, ERR_INVALID,
			       "\"%s\" has no valid IP address in front of the port", text);
	if (!str_to_i64(colon + 1, &port) || port < 1 || port > 65535)
		return err_set(e, ERR_INVALID, "\"%s\" has no valid port", text);
	*ret_host = TAKE(host);
	*ret_port = (uint16_t)port;
	return 0;
}

int validate_mark(const char *text, uint32_t *ret, struct err *e)
{
	bool hex = str_starts(text, "0x");
	const char *digits = hex ? text + 2 : text;
	size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0");

	if (!n || n > 8 || digits[n])
		return err_set(e, ERR_INVALID, "\"%s\" is not a number of the form 0x3f7f", text);
	*ret = (uint32_t)strtoul(digits, NULL, 16);
	if (*ret && __builtin_popcount(*ret) < PEERMARKS_MIN_BITS)
		return err_set(e, ERR_INVALID, "%s has fewer than %d bits", text,
			       PEERMARKS_MIN_BITS);
	return 0;
}

static void check_mark(struct check *c, const char *path)
{
	uint32_t mark;
	struct err e;

	if (validate_mark(check_text(c, path), &mark, &e) < 0)
		check_problem(c, path, "%s", e.text);
}

static void check_host_port(struct check *c, const char *path)
{
	AUTO_FREE char *host = NULL;
	uint16_t port;
	struct err e;

	if (*check_text(c, path) && validate_host_port(check_text(c, path), &host, &port, &e) < 0)
		check_problem(c, path, "%s", e.text);
}

static void check_periods(struct check *c)
{
	const char *mode = check_text(c, "mode");
	bool own = str_eq(mode, "ipvs") || str_eq(mode, "nftables");
	AUTO_FREE char *sync = str_fmt("%s.syncPeriod", own ? mode : "iptables");
	AUTO_FREE char *least = str_fmt("%s.minSyncPeriod", own ? mode : "iptables");
	int64_t sync_nsec = check_duration_nsec(c, sync);
	int64_t least_nsec = check_duration_nsec(c, least);

	if (sync_nsec <= 0)
		check_problem(c, sync, "%s is not above 0", check_text(c, sync));
	if (least_nsec < 0)
		check_problem(c, least, "%s is below 0", check_text(c, least));
	if (least_nsec > sync_nsec)
		check_problem(c, sync, "%s is below %s, which is %s", check_text(c, sync), least,
			      check_text(c, least));
}

static bool is_keyword(const char *text)
{
	return str_eq(text, "primary") || str_eq(text, "localhost") || str_eq(text, "all");
}

/* Every element is a CIDR or, where they may be, one of the keywords, each once. */
static void check_cidrs(struct check *c, const char *path, bool keywords)
{
	struct json_object *list = check_get(c, path);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		bool keyword = keywords && is_keyword(text), twice = false;
		struct prefix prefix;

		for (size_t j = 0; keyword && j < i; j++)
			twice |= str_eq(text,
					json_object_get_string(json_object_array_get_idx(list, j)));
		if (twice)
			check_problem(c, path, "\"%s\" stands there twice", text);
		else if (!keyword && prefix_parse(text, &prefix, NULL) < 0)
			check_problem(c, path, "\"%s\" is not a CIDR%s", text,
				      keywords ? " and none of primary, localhost and all" : "");
	}
}

static void check_cluster_cidr(struct check *c)
{
	static const char path[] = "clusterCIDR";
	const char *text = check_text(c, path);
	char **parts = strv_split(text, ',');
	size_t n = strv_len(parts), known = 0;
	struct prefix cidrs[2];

	if (n > 2)
		check_problem(c, path, "\"%s\" holds more than one CIDR of each family", text);
	for (size_t i = 0; i < n && n <= 2; i++) {
		if (prefix_parse(parts[i], &cidrs[i], NULL) == 0)
			known++;
		else
			check_problem(c, path, "\"%s\" is not a CIDR", parts[i]);
	}
	/* splitting passes over empty pieces */
	if (*text == ',' || str_ends(text, ",") || strstr(text, ",,"))
		check_problem(c, path, "\"%s\" has an empty piece", text);
	if (n == 2 && known == 2 && cidrs[0].addr.len == cidrs[1].addr.len)
		check_problem(c, path, "\"%s\" holds two CIDRs of one family", text);
	strv_free(parts);
}

static void check_detect_local(struct check *c)
{
	static const struct {
		const char *mode, *path;
	} interfaces[] = {
		{ "BridgeInterface", "detectLocal.bridgeInterface" },
		{ "InterfaceNamePrefix", "detectLocal.interfaceNamePrefix" },
	};
	const char *mode = check_text(c, "detectLocalMode");

	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
		if (str_eq(mode, interfaces[i].mode) && !*check_text(c, interfaces[i].path))
			check_problem(c, interfaces[i].path,
				      "must be set when detectLocalMode is %s", mode);
	}
	if (str_eq(mode, "ClusterCIDR") && *check_text(c, "clusterCIDR"))
		check_cluster_cidr(c);
}

static void check_mode(struct check *c)
{
	const char *mode = check_text(c, "mode");

	if (str_eq(mode, "nftables"))
		check_ranges(c, nftables_ranges, ARRAY_SIZE(nftables_ranges));
	if (!str_eq(mode, "ipvs"))
		return;
	check_ranges(c, ipvs_ranges, ARRAY_SIZE(ipvs_ranges));
	check_cidrs(c, "ipvs.excludeCIDRs", false);
	if (!check_gate(c, "KubeProxyIPVS"))
		check_problem(c, "mode", "ipvs needs the feature gate KubeProxyIPVS");
}

int validate_values(struct json_object *values, struct err *e)
{
	struct check c = { .table = &config_options, .values = values };
	const char *hidden = check_text(&c, "showHiddenMetricsForVersion");

	check_ranges(&c, ranges, ARRAY_SIZE(ranges));
	check_choices(&c, choices, ARRAY_SIZE(choices));
	check_gates(&c);
	check_logging(&c);
	check_mode(&c);
	check_periods(&c);
	check_host_port(&c, "healthzBindAddress");
	check_host_port(&c, "metricsBindAddress");
	check_mark(&c, "--return-path-mark");
	check_cidrs(&c, "nodePortAddresses", true);
	check_detect_local(&c);
	if (*hidden && !str_eq(hidden, previous_release))
		check_problem(&c, "showHiddenMetricsForVersion", "\"%s\" is not %s", hidden,
			      previous_release);
	return check_end(&c, e);
}
