/* Resolver settings, host names and hosts files. */
#include "podjson.h"

#include "base/str.h"
#include "pod/poddns.h"

#define POD(more) "{" more "'containers': [{'name': 'c'}]}"

static const char *const cluster_dns[] = { "10.96.0.10", NULL };

static void print_list(struct str *out, const char *name, char *const *v)
{
	str_printf(out, "%s", name);
	for (size_t i = 0; v && v[i]; i++)
		str_printf(out, " %s", v[i]);
	str_append(out, ";");
}

static char *config_text(const struct dns_config *c)
{
	struct str out = { 0 };

	print_list(&out, "ns", c->servers);
	print_list(&out, "search", c->searches);
	print_list(&out, "opt", c->options);
	return str_take(&out);
}

static void resolv_conf(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "ns;search;opt;" },
		{ "# a comment\nnameserver 1.1.1.1\nnameserver\t9.9.9.9 junk\n",
		  "ns 1.1.1.1 9.9.9.9;search;opt;" },
		{ "search a.example b.example.\nsearch c.example .", "ns;search c.example;opt;" },
		{ "options ndots:2 edns0\noptions edns0", "ns;search;opt ndots:2 edns0;" },
		{ "nameserver\nsearch\noptions\nsortlist 1\n\n  nameserver 2.2.2.2  \r\n",
		  "ns 2.2.2.2;search;opt;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dns_config c;
		AUTO_FREE char *have = NULL;

		poddns_parse_resolv_conf(rows[i].text, &c);
		have = config_text(&c);
		assert_string_equal(have, rows[i].want);
		dns_config_fini(&c);
	}
}

#define CLUSTER \
	"ns 10.96.0.10;search ns.svc.cluster.local svc.cluster.local cluster.local corp.example;" \
	"opt ndots:5;"
#define HOST "ns 192.0.2.53;search corp.example;opt edns0;"

static void policies(void **state)
{
	static const struct {
		const char *spec;
		bool no_cluster_dns;
		const char *want, *reason;
	} rows[] = {
		{ POD(""), false, CLUSTER, NULL },
		{ POD("'dnsPolicy': 'ClusterFirst', "), false, CLUSTER, NULL },
		{ POD("'dnsPolicy': 'ClusterFirst', 'hostNetwork': true, "), false, HOST, NULL },
		{ POD("'dnsPolicy': 'ClusterFirstWithHostNet', 'hostNetwork': true, "), false,
		  CLUSTER, NULL },
		{ POD("'dnsPolicy': 'Default', "), false, HOST, NULL },
		{ POD("'dnsPolicy': 'ClusterFirst', "), true, HOST, "MissingClusterDNS" },
		{ POD("'dnsPolicy': 'None', 'dnsConfig': {'nameservers': ['1.2.3.4'], 'searches': "
		      "['x'], 'options': [{'name': 'a'}, {'name': 'b', 'value': '2'}]}, "),
		  false, "ns 1.2.3.4;search x;opt a b:2;", NULL },
		/* added, without doubles; an option of the same name is replaced */
		{ POD("'dnsConfig': {'nameservers': ['10.96.0.10', '1.2.3.4'], 'searches': "
		      "['corp.example', 'y'], 'options': [{'name': 'ndots', 'value': '1'}]}, "),
		  false,
		  "ns 10.96.0.10 1.2.3.4;search ns.svc.cluster.local svc.cluster.local "
		  "cluster.local corp.example y;opt ndots:1;",
		  NULL },
		{ POD("'dnsPolicy': 'None', 'dnsConfig': {'nameservers': ['1.1.1.1', '2.2.2.2', "
		      "'3.3.3.3', '4.4.4.4']}, "),
		  false, "ns 1.1.1.1 2.2.2.2 3.3.3.3;search;opt;", "DNSConfigForming" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dns_node node = { .cluster_dns = rows[i].no_cluster_dns ? NULL : cluster_dns,
					 .cluster_domain = "cluster.local" };
		struct podspec *spec = podjson_spec(rows[i].spec);
		struct dns_config c;
		struct dns_warning w;
		AUTO_FREE char *have = NULL;

		poddns_parse_resolv_conf(
		    "nameserver 192.0.2.53\nsearch corp.example\noptions edns0\n", &node.host);
		poddns_make(spec, &node, &c, &w);
		have = config_text(&c);
		if (strcmp(have, rows[i].want))
			fail_msg("%s: %s, not %s", rows[i].spec, have, rows[i].want);
		assert_true(str_eq(w.reason, rows[i].reason));
		dns_config_fini(&c);
		dns_config_fini(&node.host);
		podspec_free(spec);
	}
}

static void long_search_lines_are_cut(void **state)
{
	struct podspec *spec = podjson_spec(POD("'dnsPolicy': 'None', 'dnsConfig': {}, "));
	Core__PodDNSConfig *d = spec->pod->spec->dnsconfig;
	struct dns_node node = { 0 };
	struct dns_config c;
	struct dns_warning w;
	char name[300];

	(void)state;
	/* one that is too long by itself is left out, the 33rd too */
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	proto_push_str(&d->n_searches, &d->searches, name);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d.example", i);
		proto_push_str(&d->n_searches, &d->searches, name);
	}
	poddns_make(spec, &node, &c, &w);
	assert_int_equal(strv_len(c.searches), 31);
	assert_string_equal(c.searches[0], "s0.example");
	assert_string_equal(w.reason, "DNSConfigForming");
	dns_config_fini(&c);
	podspec_free(spec);
}

#define LABEL63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"

static void names(void **state)
{
	static const struct {
		const char *spec, *hostname, *domain, *kernel; /* kernel NULL: refused */
	} rows[] = {
		{ POD(""), "pod", "", "pod" },
		{ POD("'hostname': 'h', "), "h", "", "h" },
		{ POD("'hostname': 'h', 'subdomain': 's', "), "h", "s.ns.svc.cluster.local", "h" },
		{ POD("'hostname': 'h', 'subdomain': 's', 'setHostnameAsFQDN': true, "), "h",
		  "s.ns.svc.cluster.local", "h.s.ns.svc.cluster.local" },
		{ POD("'setHostnameAsFQDN': true, "), "pod", "", "pod" },
		{ POD("'hostname': '" LABEL63 "-tail', "), LABEL63, "", LABEL63 },
		/* a cut name does not end in a dash */
		{ POD("'hostname': '" LABEL63 "', 'subdomain': 's', 'setHostnameAsFQDN': true, "),
		  LABEL63, "s.ns.svc.cluster.local", NULL },
		{ POD("'hostname': 'h', 'subdomain': 's', 'hostnameOverride': 'o.example', "),
		  "o.example", "", "o.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct podspec *spec = podjson_spec(rows[i].spec);
		AUTO_FREE char *hostname = NULL;
		AUTO_FREE char *domain = NULL;
		AUTO_FREE char *kernel = NULL;
		struct err e;
		int r;

		poddns_hostname(spec, "cluster.local", &hostname, &domain);
		assert_string_equal(hostname, rows[i].hostname);
		assert_string_equal(domain, rows[i].domain);
		r = poddns_kernel_hostname(spec, "cluster.local", &kernel, &e);
		assert_int_equal(r, rows[i].kernel ? 0 : -1);
		assert_true(str_eq(kernel, rows[i].kernel));
		podspec_free(spec);
	}
}

static void hosts_files(void **state)
{
	static const char *const ips[] = { "10.0.0.2", "fd00::2", NULL };
	struct podspec *spec =
	    podjson_spec(POD("'hostname': 'h', 'subdomain': 's', 'hostAliases': [{'ip': "
			     "'1.2.3.4', 'hostnames': ['a', 'b']}], "));
	AUTO_FREE char *own = poddns_hosts_file(spec, ips, "cluster.local", NULL);
	AUTO_FREE char *node = poddns_hosts_file(spec, NULL, "cluster.local", "127.0.0.1\tme\n");

	(void)state;
	assert_true(str_starts(own, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(own, "\n10.0.0.2\th.s.ns.svc.cluster.local\th\n"
				    "fd00::2\th.s.ns.svc.cluster.local\th\n"
				    "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n"));
	assert_string_equal(node, "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tme\n"
				  "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n");
	podspec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolv_conf),
		cmocka_unit_test(policies),
		cmocka_unit_test(long_search_lines_are_cut),
		cmocka_unit_test(names),
		cmocka_unit_test(hosts_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
