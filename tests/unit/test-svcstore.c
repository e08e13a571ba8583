/* Services and slices as compact values: what is taken over from objects, and what is not. */
#include <json-c/json.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/proto.h"
#include "kube/codec.h"
#include "svcmodel.h"
#include "svcstore.h"
#include "test.h"

/* Objects from JSON with ' for ". */
static void *object(const ProtobufCMessageDescriptor *type, const char *text)
{
	AUTO_FREE char *json = mem_strdup(text);
	struct json_object *tree;
	void *msg = NULL;
	struct err e;

	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	tree = json_tokener_parse(json);
	if (!tree || codec_from_json(type, tree, NULL, &msg, &e) < 0)
		fail_msg("%s: %s", text, tree ? e.text : "not JSON");
	json_object_put(tree);
	return msg;
}

static struct svc *put_service(struct svcstore *s, const char *name, const char *spec,
			       const char *status)
{
	AUTO_FREE char *text =
	    str_fmt("{'metadata': {'namespace': 'ns', 'name': '%s'}, 'spec': {%s}, 'status': {%s}}",
		    name, spec, status);
	AUTO_PROTO void *msg = object(&core__service__descriptor, text);

	return svcstore_put_service(s, msg);
}

static struct svc *put_slice(struct svcstore *s, const char *name, const char *service,
			     const char *rest, struct svc **ret_other)
{
	AUTO_FREE char *text = str_fmt("{'metadata': {'namespace': 'ns', 'name': '%s', 'labels': "
				       "{'kubernetes.io/service-name': '%s'}}, %s}",
				       name, service, rest);
	AUTO_PROTO void *msg = object(&discovery__endpoint_slice__descriptor, text);

	return svcstore_put_slice(s, msg, ret_other);
}

#define ONE_PORT "'clusterIP': '10.96.0.1', 'ports': [{'name': 'p', 'port': 80, 'protocol': 'TCP'}]"
#define V4_PORT "'addressType': 'IPv4', 'ports': [{'name': 'p', 'port': 8080, 'protocol': 'TCP'}]"

/* "10.0.0.1:8080/rst-lnNzZ …": r ready, s serving, t terminating, l local, n N z Z hints */
static char *endpoints(const struct svcstore *s, const struct svc *svc, enum dataplane_family f)
{
	static const char letters[] = "rstlNnZz";
	svcendpoints v = { 0 };
	struct str out = { 0 };

	svcstore_endpoints(s, svc, &svc->ports.v[0], f, &v);
	for (size_t i = 0; i < v.n; i++) {
		struct addr a = { .len = f == DATAPLANE_IPV4 ? 4 : 16 };
		char text[ADDR_TEXT];

		memcpy(a.b, v.v[i].addr, a.len);
		str_printf(&out, "%s%s:%u/", i ? " " : "", addr_text(&a, text), v.v[i].port);
		for (int bit = 0; bit < 8; bit++) {
			if (v.v[i].flags >> bit & 1)
				str_append_c(&out, letters[bit]);
		}
	}
	vec_fini(&v);
	return str_take(&out);
}

static void expect(const struct svcstore *s, const struct svc *svc, enum dataplane_family f,
		   const char *want)
{
	AUTO_FREE char *got = endpoints(s, svc, f);

	assert_string_equal(got, want);
}

static void test_conditions(void **state)
{
	struct svcstore s;
	struct svc *svc, *other;

	(void)state;
	svcstore_init(&s, "n1");
	svc = put_service(&s, "a", ONE_PORT, "");
	put_slice(&s, "a-1", "a",
		  V4_PORT
		  ", 'endpoints': [{'addresses': ['10.0.0.2', '10.0.0.99']},"
		  "{'addresses': ['10.0.0.1'], 'nodeName': 'n1', 'conditions': {'ready': false}},"
		  "{'addresses': ['10.0.0.3'], 'nodeName': 'n2', 'conditions': {'ready': false, "
		  "'serving': true, 'terminating': true}},"
		  "{'addresses': []}, {'addresses': ['fd00::1']}, {'addresses': ['x']}]",
		  &other);
	/* absent conditions mean ready; of several addresses the first one counts */
	expect(&s, svc, DATAPLANE_IPV4, "10.0.0.1:8080/sl 10.0.0.2:8080/rs 10.0.0.3:8080/st");
	expect(&s, svc, DATAPLANE_IPV6, "");
	assert_int_equal(s.endpoints, 3);
	svcstore_fini(&s);
}

/* A pod that moves from one slice to another is in both for a while; an address may be that of a
 * new pod already while the old one is still going. */
static void test_many_slices(void **state)
{
	struct svcstore s;
	struct svc *svc, *other;

	(void)state;
	svcstore_init(&s, "n1");
	put_slice(&s, "a-1", "a",
		  V4_PORT
		  ", 'endpoints': [{'addresses': ['10.0.0.1'], 'conditions': {'ready': false, "
		  "'serving': true, 'terminating': true}}, {'addresses': ['10.0.0.2']}]",
		  &other);
	put_slice(&s, "a-2", "a",
		  V4_PORT
		  ", 'endpoints': [{'addresses': ['10.0.0.1']}, {'addresses': ['10.0.0.2']}]",
		  &other);
	put_slice(&s, "a-3", "a",
		  "'addressType': 'IPv4', 'ports': [{'name': 'q', 'port': 1, 'protocol': 'TCP'}, "
		  "{'name': 'p', 'port': 9090, 'protocol': 'TCP'}, {'name': 'p', 'port': 5, "
		  "'protocol': 'UDP'}, {'name': 'p', 'protocol': 'TCP'}],"
		  "'endpoints': [{'addresses': ['10.0.0.1']}]",
		  &other);
	put_slice(
	    &s, "a-6", "a",
	    "'addressType': 'IPv6', 'ports': [{'name': 'p', 'port': 8080, 'protocol': 'TCP'}],"
	    "'endpoints': [{'addresses': ['fd00::1']}]",
	    &other);
	put_slice(&s, "a-f", "a", "'addressType': 'FQDN', 'endpoints': [{'addresses': ['x.org']}]",
		  &other);
	svc = put_service(&s, "a", ONE_PORT, "");
	expect(&s, svc, DATAPLANE_IPV4, "10.0.0.1:8080/rs 10.0.0.1:9090/rs 10.0.0.2:8080/rs");
	expect(&s, svc, DATAPLANE_IPV6, "fd00::1:8080/rs");
	assert_ptr_equal(svcstore_remove_slice(&s, "ns", "a-2"), svc);
	expect(&s, svc, DATAPLANE_IPV4, "10.0.0.1:8080/st 10.0.0.1:9090/rs 10.0.0.2:8080/rs");
	assert_null(svcstore_remove_slice(&s, "ns", "a-2"));
	svcstore_fini(&s);
}

static void test_a_slice_changes_its_service(void **state)
{
	struct svcstore s;
	struct svc *a, *b, *other;

	(void)state;
	svcstore_init(&s, "n1");
	a = put_slice(&s, "x", "a", V4_PORT ", 'endpoints': [{'addresses': ['10.0.0.1']}]", &other);
	assert_null(other);
	b = put_slice(&s, "x", "b", V4_PORT ", 'endpoints': [{'addresses': ['10.0.0.1']}]", &other);
	assert_ptr_equal(other, a);
	assert_true(a != b && !a->slices && b->slices);
	svcstore_forget(&s, a);
	svcstore_forget(&s, b); /* has a slice: stays */
	assert_int_equal(s.services.count, 1);
	svcstore_fini(&s);
}

static void test_hints_follow_the_zone(void **state)
{
	struct svcstore s;
	struct svc *svc, *other;

	(void)state;
	svcstore_init(&s, "n1");
	assert_true(svcstore_set_zone(&s, "z1"));
	assert_false(svcstore_set_zone(&s, "z1"));
	svc = put_service(&s, "a", ONE_PORT, "");
	put_slice(
	    &s, "a-1", "a",
	    V4_PORT
	    ", 'endpoints': [{'addresses': ['10.0.0.1'], 'hints': {'forZones': [{'name': 'z1'}]}},"
	    "{'addresses': ['10.0.0.2'], 'hints': {'forZones': [{'name': 'z2'}, {'name': 'z3'}]}},"
	    "{'addresses': ['10.0.0.3'], 'hints': {'forNodes': [{'name': 'n1'}]}},"
	    "{'addresses': ['10.0.0.4'], 'hints': {'forNodes': [{'name': 'z2'}]}}]",
	    &other);
	expect(&s, svc, DATAPLANE_IPV4,
	       "10.0.0.1:8080/rsZz 10.0.0.2:8080/rsZ 10.0.0.3:8080/rsNn 10.0.0.4:8080/rsN");
	assert_true(svcstore_set_zone(&s, "z2"));
	expect(&s, svc, DATAPLANE_IPV4,
	       "10.0.0.1:8080/rsZ 10.0.0.2:8080/rsZz 10.0.0.3:8080/rsNn 10.0.0.4:8080/rsN");
	assert_true(svcstore_set_zone(&s, NULL));
	expect(&s, svc, DATAPLANE_IPV4,
	       "10.0.0.1:8080/rsZ 10.0.0.2:8080/rsZ 10.0.0.3:8080/rsNn 10.0.0.4:8080/rsN");
	svcstore_fini(&s);
}

/* Nodes come and go, and with them the hints that name them. */
static void test_hints_take_the_place_of_old_ones(void **state)
{
	struct svcstore s;
	struct svc *svc, *other;

	(void)state;
	svcstore_init(&s, "m100");
	svc = put_service(&s, "a", ONE_PORT, "");
	for (int i = 0; i < 100; i++) {
		AUTO_FREE char *slice =
		    str_fmt(V4_PORT ", 'endpoints': [{'addresses': ['10.0.0.1'], 'hints': "
				    "{'forNodes': [{'name': 'm%d'}]}}, {'addresses': ['10.0.0.2'], "
				    "'hints': {'forNodes': [{'name': 'm%d'}]}}]",
			    i, i + 1);

		put_slice(&s, i % 2 ? "odd" : "even", "a", slice, &other);
	}
	expect(&s, svc, DATAPLANE_IPV4, "10.0.0.1:8080/rsN 10.0.0.2:8080/rsNn");
	assert_in_range(s.hints.n, 4, 6);
	assert_false(svcstore_set_zone(&s, NULL));
	svcstore_remove_slice(&s, "ns", "odd");
	svcstore_remove_slice(&s, "ns", "even");
	assert_int_equal(s.hint_by_text.count, 0);
	assert_true(svcstore_set_zone(&s, "z"));
	svcstore_fini(&s);
}

static void test_what_is_no_service_of_ours(void **state)
{
	static const char *const specs[] = {
		"'clusterIP': 'None', 'ports': [{'port': 80}]",
		"'ports': [{'port': 80}]",
		"'type': 'ExternalName', 'clusterIP': '10.96.0.1', 'externalName': 'x.org'",
	};
	struct svcstore s;

	(void)state;
	svcstore_init(&s, "n1");
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		assert_null(put_service(&s, "a", specs[i], ""));
		assert_non_null(put_service(&s, "a", ONE_PORT, ""));
		/* one that becomes such a service goes */
		assert_non_null(put_service(&s, "a", specs[i], ""));
	}
	svcstore_fini(&s);
}

static void test_bad_fields_are_left_out(void **state)
{
	struct svcstore s;
	struct svc *svc;

	(void)state;
	svcstore_init(&s, "n1");
	svc = put_service(
	    &s, "a",
	    "'clusterIP': '10.96.0.1', 'clusterIPs': ['10.96.0.1', 'fd96::1', 'y'], 'type': "
	    "'LoadBalancer', 'externalIPs': ['1.2.3.4', '1.2.3', 'fd01::1'],"
	    "'loadBalancerSourceRanges': [' 10.0.0.0/8 ', '10.0.0.0', '::/0'],"
	    "'ports': [{'port': 80, 'protocol': 'XTP'}, {'port': 0}, {'port': 81}, {'port': 82, "
	    "'nodePort': 70000}]",
	    "'loadBalancer': {'ingress': [{'ip': '203.0.113.1'}, {'hostname': 'x.org'}, {'ip': "
	    "'203.0.113.2', 'ipMode': 'Proxy'}, {'ip': '203.0.113.3', 'ipMode': 'VIP'}]}");
	assert_int_equal(svc->cluster_ip[DATAPLANE_IPV4].len, 4);
	assert_int_equal(svc->cluster_ip[DATAPLANE_IPV6].len, 16);
	assert_int_equal(svc_addresses(svc)->external_ips.n, 2);
	assert_int_equal(svc_addresses(svc)->vips.n, 2);
	assert_int_equal(svc_addresses(svc)->source_ranges.n, 2);
	assert_false(svc->any_source[DATAPLANE_IPV4]);
	assert_true(svc->any_source[DATAPLANE_IPV6]);
	assert_int_equal(svc->ports.n, 1);
	assert_int_equal(svc->ports.v[0].port, 81);
	assert_int_equal(svc->ports.v[0].proto, IPPROTO_TCP);
	svcstore_fini(&s);
}

static void test_policies(void **state)
{
	static const struct {
		const char *spec;
		bool external_local, internal_local;
		int health_port, affinity_sec;
	} rows[] = {
		{ "'type': 'ClusterIP'", false, false, 0, 0 },
		{ "'type': 'ClusterIP', 'externalTrafficPolicy': 'Local'", false, false, 0, 0 },
		{ "'externalTrafficPolicy': 'Local', 'externalIPs': ['1.2.3.4']", true, false, 0,
		  0 },
		{ "'type': 'NodePort', 'externalTrafficPolicy': 'Local', 'healthCheckNodePort': 9",
		  true, false, 0, 0 },
		{ "'type': 'LoadBalancer', 'externalTrafficPolicy': 'Local', "
		  "'healthCheckNodePort': 9",
		  true, false, 9, 0 },
		{ "'type': 'LoadBalancer', 'healthCheckNodePort': 9", false, false, 0, 0 },
		{ "'internalTrafficPolicy': 'Local'", false, true, 0, 0 },
		{ "'sessionAffinity': 'ClientIP'", false, false, 0, 10800 },
		{ "'sessionAffinity': 'None', 'sessionAffinityConfig': {'clientIP': "
		  "{'timeoutSeconds': 7}}",
		  false, false, 0, 0 },
		{ "'sessionAffinity': 'ClientIP', 'sessionAffinityConfig': {'clientIP': "
		  "{'timeoutSeconds': 7}}",
		  false, false, 0, 7 },
	};
	struct svcstore s;

	(void)state;
	svcstore_init(&s, "n1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *spec = str_fmt(ONE_PORT ", %s", rows[i].spec);
		struct svc *svc = put_service(&s, "a", spec, "");

		assert_int_equal(svc->external_local, rows[i].external_local);
		assert_int_equal(svc->internal_local, rows[i].internal_local);
		assert_int_equal(svc->health_port, rows[i].health_port);
		assert_int_equal(svc->affinity ? svc->affinity_sec : 0, rows[i].affinity_sec);
	}
	svcstore_fini(&s);
}

/* Numbers of lists stay with a port's name and protocol, those of ports that went are kept apart.
 */
static void test_ids_stay_with_their_port(void **state)
{
	struct svcstore s;
	struct svc *svc;

	(void)state;
	svcstore_init(&s, "n1");
	svc = put_service(
	    &s, "a",
	    "'clusterIP': '10.96.0.1', 'ports': [{'name': 'p', 'port': 80}, {'name': 'q', "
	    "'port': 81}, {'name': 'r', 'port': 82}]",
	    "");
	for (uint32_t i = 0; i < 3; i++)
		svc->ports.v[i].id[DATAPLANE_IPV4][SVC_CLUSTER] = i + 1;
	put_service(
	    &s, "a",
	    "'clusterIP': '10.96.0.1', 'ports': [{'name': 'q', 'port': 8081}, {'name': 'p', "
	    "'port': 80}, {'name': 'r', 'port': 82, 'protocol': 'UDP'}]",
	    "");
	assert_int_equal(svc->ports.v[0].id[DATAPLANE_IPV4][SVC_CLUSTER], 2);
	assert_int_equal(svc->ports.v[1].id[DATAPLANE_IPV4][SVC_CLUSTER], 1);
	assert_int_equal(svc->ports.v[2].id[DATAPLANE_IPV4][SVC_CLUSTER], 0);
	assert_int_equal(svc->gone.n, 1);
	assert_int_equal(svc->gone.v[0].id[DATAPLANE_IPV4][SVC_CLUSTER], 3);
	svcstore_clear_gone(svc);
	svcstore_remove_service(&s, "ns", "a");
	assert_int_equal(svc->gone.n, 3);
	svcstore_fini(&s);
}

/* Ranges inside one another would be refused by the kernel; where the node is allowed, so is what
 * its own requests to the balancer's address come from. */
static void test_source_ranges(void **state)
{
	struct svcstore s;
	struct svc *svc;
	struct svcmodel m;
	svcendpoints none = { 0 };
	struct addr node;
	char text[PREFIX_TEXT];

	(void)state;
	svcstore_init(&s, "n1");
	assert_int_equal(addr_parse("10.1.0.1", &node, NULL), 0);
	svc =
	    put_service(&s, "a",
			ONE_PORT ", 'type': 'LoadBalancer', 'loadBalancerSourceRanges': "
				 "['10.1.2.0/24', '10.1.0.0/16', '10.1.3.0/24', '10.2.0.0/16', "
				 "'10.1.0.0/16', 'fd00::/8']",
			"'loadBalancer': {'ingress': [{'ip': '203.0.113.1'}, {'ip': 'fd13::1'}]}");
	svcmodel_port(svc, &svc->ports.v[0], DATAPLANE_IPV4, &none, &node, &m);
	assert_int_equal(m.source_ranges.n, 3);
	assert_string_equal(prefix_text(&m.source_ranges.v[0], text), "10.1.0.0/16");
	assert_string_equal(prefix_text(&m.source_ranges.v[1], text), "10.2.0.0/16");
	assert_string_equal(prefix_text(&m.source_ranges.v[2], text), "203.0.113.1/32");
	svcmodel_fini(&m);
	node.b[1] = 9;
	svcmodel_port(svc, &svc->ports.v[0], DATAPLANE_IPV4, &none, &node, &m);
	assert_int_equal(m.source_ranges.n, 2);
	svcmodel_fini(&m);
	svcstore_fini(&s);
}

/* The balancer's address is restricted by the source ranges even where it is an external IP, too.
 */
static void test_an_address_in_two_lists(void **state)
{
	struct svcstore s;
	struct svc *svc;
	struct svcmodel m;
	svcendpoints none = { 0 };
	const struct addr node = { 0 };
	char text[ADDR_TEXT];

	(void)state;
	svcstore_init(&s, "n1");
	svc = put_service(&s, "a",
			  ONE_PORT ", 'type': 'LoadBalancer', 'externalIPs': ['203.0.113.1', "
				   "'203.0.113.2', '203.0.113.2', '10.96.0.1'], "
				   "'loadBalancerSourceRanges': ['10.1.0.0/16']",
			  "'loadBalancer': {'ingress': [{'ip': '203.0.113.1'}]}");
	svcmodel_port(svc, &svc->ports.v[0], DATAPLANE_IPV4, &none, &node, &m);
	assert_int_equal(m.fronts.n, 3);
	assert_int_equal(m.fronts.v[0].kind, SVC_CLUSTER_IP);
	assert_int_equal(m.fronts.v[1].kind, SVC_VIP);
	assert_true(m.fronts.v[1].firewall);
	assert_string_equal(addr_text(&m.fronts.v[1].addr, text), "203.0.113.1");
	assert_int_equal(m.fronts.v[2].kind, SVC_EXTERNAL_IP);
	assert_false(m.fronts.v[2].firewall);
	assert_string_equal(addr_text(&m.fronts.v[2].addr, text), "203.0.113.2");
	svcmodel_fini(&m);
	svcstore_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_many_slices),
		cmocka_unit_test(test_a_slice_changes_its_service),
		cmocka_unit_test(test_hints_follow_the_zone),
		cmocka_unit_test(test_hints_take_the_place_of_old_ones),
		cmocka_unit_test(test_what_is_no_service_of_ours),
		cmocka_unit_test(test_bad_fields_are_left_out),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_ids_stay_with_their_port),
		cmocka_unit_test(test_source_ranges),
		cmocka_unit_test(test_an_address_in_two_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
