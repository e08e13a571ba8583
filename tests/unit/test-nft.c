/* Values of the data plane: topology, lists and their differences, batches and what is read from
 * them, UDP connections. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "ctplan.h"
#include "ids.h"
#include "nftbatch.h"
#include "nftparse.h"
#include "nftsets.h"
#include "test.h"
#include "topology.h"

/* Topology: one letter an endpoint.
 *   r ready, t serving and terminating, s serving but neither ready nor going, d down; capital: on
 * this node behind it: n node hint for us, N for another node, z zone hint for us, Z for another
 * zone */
static size_t endpoints(const char *text, struct endpoint *v)
{
	size_t n = 0;

	for (const char *p = text; *p; p++) {
		struct endpoint *last = n ? &v[n - 1] : NULL;

		switch (*p) {
		case ' ':
			break;
		case 'n':
			last->flags |= ENDPOINT_FOR_NODE | ENDPOINT_NODE_HINTS;
			break;
		case 'N':
			last->flags |= ENDPOINT_NODE_HINTS;
			break;
		case 'z':
			last->flags |= ENDPOINT_FOR_ZONE | ENDPOINT_ZONE_HINTS;
			break;
		case 'Z':
			last->flags |= ENDPOINT_ZONE_HINTS;
			break;
		default:
			v[n] = (struct endpoint){ .port = 1 };
			if (*p == 'R' || *p == 'T' || *p == 'D' || *p == 'S')
				v[n].flags |= ENDPOINT_LOCAL;
			if (*p == 'r' || *p == 'R')
				v[n].flags |= ENDPOINT_READY | ENDPOINT_SERVING;
			if (*p == 's' || *p == 'S')
				v[n].flags |= ENDPOINT_SERVING;
			if (*p == 't' || *p == 'T')
				v[n].flags |= ENDPOINT_SERVING | ENDPOINT_TERMINATING;
			n++;
		}
	}
	return n;
}

static void test_topology(void **state)
{
	/* chosen: one character an endpoint: c cluster, l local, b both, - none */
	static const struct {
		const char *endpoints, *chosen;
		bool any;
	} rows[] = {
		{ "", "", false },         { "r R d", "cb-", true },    { "d D", "--", false },
		{ "s S", "--", false },    { "t T", "cb", true },       { "t T r", "-lc", true },
		{ "T R", "-b", true },     { "t R", "-b", true },       { "T r", "lc", true },
		{ "rz rZ", "c-", true },   { "rz Rz rZ", "cb-", true }, { "rZ RZ", "cb", true },
		{ "rz r", "cc", true },    { "rz RZ", "cl", true },     { "rz tZ", "c-", true },
		{ "rz t", "c-", true },    { "rn rN", "c-", true },     { "rN rN", "cc", true },
		{ "rnZ rNz", "c-", true }, { "rNz rNZ", "c-", true },   { "rn r", "cc", true },
		{ "rnz rz", "cc", true },  { "rnz rZ", "c-", true },    { "d rz dZ", "-c-", true },
		{ "tz tZ", "cc", true },
	};
	const struct topology_uses both = { .cluster = true, .local = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct endpoint v[8];
		char got[9] = "";
		size_t n = endpoints(rows[i].endpoints, v);
		bool any = topology_pick(v, n, &both);

		for (size_t j = 0; j < n; j++)
			got[j] = v[j].cluster && v[j].local ? 'b'
				 : v[j].cluster             ? 'c'
				 : v[j].local               ? 'l'
							    : '-';
		if (strcmp(got, rows[i].chosen) || any != rows[i].any)
			fail_msg("%s: %s %d, want %s %d", rows[i].endpoints, got, any,
				 rows[i].chosen, rows[i].any);
	}
}

static void test_topology_uses(void **state)
{
	struct endpoint v[8];
	size_t n = endpoints("r R", v);

	(void)state;
	assert_true(topology_pick(v, n, &(struct topology_uses){ .local = true }));
	assert_false(v[0].cluster || v[1].cluster || v[0].local);
	assert_true(v[1].local);
	assert_true(topology_pick(v, n, &(struct topology_uses){ .cluster = true }));
	assert_true(v[0].cluster && v[1].cluster && !v[1].local);
}

static void test_classes(void **state)
{
	(void)state;
	for (size_t n = 1; n <= FRONT_ENDPOINTS_MAX; n++) {
		unsigned class = front_class_of(n), slots = front_class_slots(class);

		assert_in_range(class, 1, FRONT_CLASSES);
		assert_true(slots >= n && slots <= FRONT_ENDPOINTS_MAX);
		assert_true(n > 128 ? slots < 2 * n : slots == n);
	}
	assert_true(FRONT_CLASSES < FRONT_CLASS_REJECT);
}

/* Lists */

static unsigned dice(uint32_t *random, unsigned sides)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 8) % sides;
}

/* Few keys and fewer data, so that lists overlap. */
static void random_list(uint32_t *random, enum dataplane_family f, struct nftlist *ret)
{
	nftelems v = { 0 };

	for (unsigned n = dice(random, 30); n; n--) {
		struct nftelem e = { .set = dice(random, NFTSET_COUNT) };

		memset(e.key, (int)dice(random, 3), nftset_key_len(e.set, f));
		e.key[0] = (uint8_t)dice(random, 3);
		memset(e.data, (int)dice(random, 2), nftset_data_len(e.set, f));
		if (nftset_info(e.set)->ranges)
			memset(e.data, 9, nftset_data_len(e.set, f));
		vec_push(&v, e);
	}
	nftlist_pack(&v, f, ret);
	vec_fini(&v);
}

struct patched {
	struct nftlist list;
	enum dataplane_family f;
};

/* Strict: deletes what is there, adds what is not. */
static void patch(void *ctx, enum nft_op op, const struct nftref *e)
{
	struct patched *p = ctx;
	struct nftlist next = { 0 };
	struct nftref h;
	bool found = false;

	for (size_t at = 0; nftlist_next(&p->list, p->f, &at, &h);) {
		bool same = !nftref_compare(&h, e);

		found |= same;
		if (op == NFT_DELETE && same)
			assert_memory_equal(h.data, e->data, h.data_len);
		else
			nftlist_append(&next, &h);
	}
	assert_int_equal(found, op == NFT_DELETE);
	if (op == NFT_ADD)
		nftlist_append(&next, e);
	nftlist_fini(&p->list);
	p->list = next;
}

static void sort(struct nftlist *l, enum dataplane_family f)
{
	const struct nftlist *one = l;
	struct nftlist sorted;

	nftlist_union(&one, 1, f, &sorted);
	nftlist_fini(l);
	*l = sorted;
}

static void test_differences(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		enum dataplane_family f = round % 2;
		struct patched p = { .f = f };
		struct nftlist have, want;

		random_list(&random, f, &have);
		random_list(&random, f, &want);
		nftlist_union((const struct nftlist *[]){ &have }, 1, f, &p.list);
		nftdiff(&have, &want, f, patch, &p);
		sort(&p.list, f);
		assert_true(nftlist_equal(&p.list, &want));
		nftlist_fini(&have);
		nftlist_fini(&p.list);
		nftlist_fini(&want);
	}
}

static void read_batch(const struct nftbatch *b, struct nftdump *d)
{
	struct err e;

	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->p + at);

		assert_true(h->nlmsg_len <= 65536 && h->nlmsg_len <= b->len - at);
		if (nftparse_message(d, h, b->len - at, &e) < 0)
			fail_msg("%s", e.text);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

static void test_elements_survive(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int round = 0; round < 500; round++) {
		enum dataplane_family f = round % 2;
		struct nftdump d = { .family = f };
		struct nftlist list, back;
		struct nftbatch b;

		random_list(&random, f, &list);
		nftbatch_begin(&b, 1);
		nftbatch_elements(&b, f, NFT_ADD, &list);
		nftbatch_end(&b);
		read_batch(&b, &d);
		nftlist_pack(&d.elems, f, &back);
		assert_true(nftlist_equal(&list, &back));
		nftlist_fini(&list);
		nftlist_fini(&back);
		nftdump_fini(&d);
		nftbatch_fini(&b);
	}
}

/* 100,000 elements are messages of at most 64 kB. */
static void test_chunks(void **state)
{
	nftelems v = { 0 };
	struct nftdump d = { 0 };
	struct nftlist list;
	struct nftbatch b;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		struct nftelem e = { .set = NFTSET_ENDPOINTS };

		memcpy(e.key, &i, sizeof(i));
		vec_push(&v, e);
	}
	nftlist_pack(&v, DATAPLANE_IPV4, &list);
	nftbatch_begin(&b, 1);
	nftbatch_elements(&b, DATAPLANE_IPV4, NFT_ADD, &list);
	nftbatch_end(&b);
	read_batch(&b, &d);
	assert_int_equal(d.elems.n, 100000);
	assert_true(b.seq > 50);
	nftlist_fini(&list);
	nftbatch_fini(&b);
	nftdump_fini(&d);
	vec_fini(&v);
}

/* The static part */

static const struct skeleton_settings plain = { .masquerade_mark = 0x4000 };

static void dump_of(const struct skeleton *s, struct nftdump *ret)
{
	struct nftbatch b;

	*ret = (struct nftdump){ .family = s->family };
	nftbatch_begin(&b, 1);
	nftbatch_add_table(&b, s->family);
	nftbatch_add_skeleton(&b, s);
	nftbatch_end(&b);
	read_batch(&b, ret);
	nftbatch_fini(&b);
}

static size_t differing(const struct nftdump *d, const struct skeleton *s)
{
	AUTO_FREE bool *chains = mem_calloc(s->chains.n, sizeof(*chains));
	size_t n = 0;

	nftparse_differing_chains(d, s, chains);
	for (size_t i = 0; i < s->chains.n; i++)
		n += chains[i];
	return n;
}

static void test_frame_is_known_again(void **state)
{
	(void)state;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		struct prefix pods;
		struct skeleton_settings in = plain, other;
		struct skeleton s, t;
		struct nftdump d;

		assert_int_equal(prefix_parse(f ? "fd44::/17" : "10.244.0.0/17", &pods, NULL), 0);
		in.family = f;
		in.timeout_sec[3] = 77;
		other = in;
		other.pods = &pods;
		other.n_pods = 1;
		skeleton_make(&in, &s);
		skeleton_make(&other, &t);
		dump_of(&s, &d);
		assert_int_equal(d.timeout_sec[3], 77);
		assert_true(nftparse_same_frame(&d, &s));
		assert_int_equal(differing(&d, &s), 0);
		/* prerouting and output ask for pods now, from-outside marks */
		assert_true(nftparse_same_frame(&d, &t));
		assert_int_equal(differing(&d, &t), 3);
		d.chains.n--;
		assert_false(nftparse_same_frame(&d, &s));
		d.chains.n++;
		d.vmaps.v[5].key++;
		assert_false(nftparse_same_frame(&d, &s));
		nftdump_fini(&d);
		skeleton_fini(&s);
		skeleton_fini(&t);
	}
}

/* Each chain that a rule leads to exists, and each set that it asks. */
static void test_frame_is_whole(void **state)
{
	struct skeleton s;

	(void)state;
	skeleton_make(&plain, &s);
	for (size_t i = 0; i < s.vmaps.n; i++) {
		bool found = !s.vmaps.v[i].chain[0];

		for (size_t j = 0; j < s.chains.n; j++)
			found |= !strcmp(s.chains.v[j].name, s.vmaps.v[i].chain);
		assert_true(found);
	}
	for (size_t i = 0; i < s.rules.n; i++)
		assert_in_range(s.rules.v[i].n, 1, SKEL_OPS);
	skeleton_fini(&s);
}

static void test_errors_name_the_element(void **state)
{
	nftelems v = { 0 };
	struct nftelem e = { .set = NFTSET_SERVICES,
			     .key = { 10, 96, 0, 1, 6, 0, 0, 0, 1, 187 },
			     .data = { 2 } };
	struct nftlist list;
	struct nftbatch b;
	AUTO_STR text = { 0 };

	(void)state;
	vec_push(&v, e);
	nftlist_pack(&v, DATAPLANE_IPV4, &list);
	nftbatch_begin(&b, 10);
	nftbatch_add_table(&b, DATAPLANE_IPV4);
	nftbatch_elements(&b, DATAPLANE_IPV4, NFT_ADD, &list);
	nftbatch_end(&b);
	nftbatch_explain(&b, 13, 52, &text);
	assert_string_equal(str_text(&text), "new element services 10.96.0.1 . tcp . 443 : 0x2");
	str_reset(&text);
	nftbatch_explain(&b, 13, 0, &text);
	assert_string_equal(str_text(&text), "new element services");
	str_reset(&text);
	nftbatch_explain(&b, 12, 0, &text);
	assert_string_equal(str_text(&text), "new table");
	str_reset(&text);
	nftbatch_explain(&b, 99, 0, &text);
	assert_string_equal(str_text(&text), "transaction");
	nftlist_fini(&list);
	nftbatch_fini(&b);
	vec_fini(&v);
}

static void test_ids(void **state)
{
	struct ids s = { 0 };

	(void)state;
	assert_int_equal(ids_take(&s, 1, 0, 200), 1);
	assert_int_equal(ids_take(&s, 1, 0, 200), 2);
	assert_true(ids_claim(&s, 5));
	assert_false(ids_claim(&s, 5));
	assert_false(ids_claim(&s, 0));
	assert_int_equal(ids_take(&s, 1, 0, 200), 6);
	assert_int_equal(ids_take(&s, 16, 3, 200), 19);
	ids_give(&s, 6, 100);
	assert_int_equal(ids_due_usec(&s), 100);
	ids_tick(&s, 99);
	assert_false(ids_claim(&s, 6));
	ids_tick(&s, 100);
	assert_int_equal(ids_due_usec(&s), 0);
	assert_int_equal(ids_take(&s, 1, 0, 200), 20);
	assert_int_equal(ids_take(&s, 1, 0, 20), 3);
	assert_int_equal(ids_take(&s, 1, 0, 20), 4);
	assert_int_equal(ids_take(&s, 1, 0, 20), 6);
	assert_int_equal(ids_take(&s, 1, 0, 6), 0);
	ids_fini(&s);
}

/* What rules write into is the kernel's memory: it is not read. */
static void test_memories(void **state)
{
	struct nftsetdef def;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < NFTSETS_COUNT; i++) {
		nftsets_get(i, DATAPLANE_IPV4, &def);
		assert_int_equal(nftsets_is_memory(def.name), !!(def.flags & NFT_SET_EVAL));
		n += nftsets_is_memory(def.name);
	}
	assert_int_equal(n, 2);
}

/* UDP connections */

static void put_tuple(struct nlmsghdr *h, uint16_t type, const char *from, uint16_t from_port,
		      const char *to, uint16_t to_port)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, type);
	struct nlattr *ip = mnl_attr_nest_start(h, CTA_TUPLE_IP), *proto;

	mnl_attr_put_u32(h, CTA_IP_V4_SRC, inet_addr(from));
	mnl_attr_put_u32(h, CTA_IP_V4_DST, inet_addr(to));
	mnl_attr_nest_end(h, ip);
	proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(from_port));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(to_port));
	mnl_attr_nest_end(h, proto);
	mnl_attr_nest_end(h, tuple);
}

static struct ctentry entry(const char *to, uint16_t to_port, const char *from, uint16_t from_port)
{
	uint8_t space[512] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	struct ctentry e;

	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	put_tuple(h, CTA_TUPLE_ORIG, "192.0.2.1", 4000, to, to_port);
	put_tuple(h, CTA_TUPLE_REPLY, from, from_port, "192.0.2.1", 4000);
	mnl_attr_put_u32(h, CTA_ID, htonl(5));
	mnl_attr_put_u32(h, CTA_MARK, htonl(0x1234));
	assert_false(ctentry_parse(h, h->nlmsg_len - 4, &e));
	assert_true(ctentry_parse(h, h->nlmsg_len, &e));
	assert_int_equal(e.mark, 0x1234);
	return e;
}

static struct addr parse(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a, NULL), 0);
	return a;
}

static void test_stale_connections(void **state)
{
	static const struct {
		const char *to;
		uint16_t to_port;
		const char *from;
		uint16_t from_port;
		bool stale;
	} rows[] = {
		{ "10.96.0.1", 53, "10.1.1.1", 5353, false },
		{ "10.96.0.1", 53, "10.1.1.2", 5353, true },
		{ "10.96.0.1", 53, "10.1.1.1", 5354, true },
		{ "10.96.0.1", 53, "10.96.0.1", 53, true }, /* before the service was there */
		{ "10.96.0.1", 54, "10.1.1.2", 5353, false },
		{ "10.96.0.2", 53, "10.1.1.1", 5353, true }, /* its service went */
		{ "10.1.1.1", 5353, "10.1.1.1", 5353, false },
		{ "192.168.0.1", 30053, "10.1.1.1", 5353, false },
		{ "192.168.0.1", 30053, "10.1.1.2", 5353, true },
		{ "192.168.0.9", 30053, "10.1.1.2", 5353, false },
	};
	struct addr one = parse("10.1.1.1"), vip = parse("10.96.0.1"), gone = parse("10.96.0.2"),
		    node = parse("192.168.0.1");
	struct ctplan p = { 0 };

	(void)state;
	assert_true(ctplan_empty(&p));
	ctplan_allow(ctplan_front(&p, &vip, 53), &gone, 1);
	ctplan_allow(ctplan_front(&p, &vip, 53), &one, 5353);
	ctplan_allow(ctplan_front(&p, NULL, 30053), &one, 5353);
	ctplan_front(&p, &gone, 53);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ctentry e =
		    entry(rows[i].to, rows[i].to_port, rows[i].from, rows[i].from_port);

		if (ctplan_stale(&p, &e, &node, 1) != rows[i].stale)
			fail_msg("row %zu", i);
		e.proto = IPPROTO_TCP;
		assert_false(ctplan_stale(&p, &e, &node, 1));
	}
	ctplan_fini(&p);
}

/* With node ports on every address a connection that was not rewritten is somebody else's. */
static void test_stale_node_ports_anywhere(void **state)
{
	struct ctplan p = { 0 };
	struct ctentry ours = entry("192.168.0.9", 30053, "10.1.1.2", 5353);
	struct ctentry other = entry("198.51.100.1", 30053, "198.51.100.1", 30053);

	(void)state;
	ctplan_front(&p, NULL, 30053);
	assert_true(ctplan_stale(&p, &ours, NULL, 0));
	assert_false(ctplan_stale(&p, &other, NULL, 0));
	ctplan_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_topology_uses),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_elements_survive),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_frame_is_known_again),
		cmocka_unit_test(test_frame_is_whole),
		cmocka_unit_test(test_errors_name_the_element),
		cmocka_unit_test(test_memories),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_stale_connections),
		cmocka_unit_test(test_stale_node_ports_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
