/* Which connections are in a zone of a node's own, and that no live one changes it: walked by
 * packets, and lived through with nodes that come and go, others that meddle, and a process that
 * dies. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "addresses.h"
#include "fake-nft.h"
#include "linger.h"
#include "nft-walker.h"
#include "older.h"
#include "program.h"
#include "ruleset.h"
#include "senders.h"
#include "test.h"

enum { NODES = 5, LIVES = 12, STEPS = 50, LAN = 2, TUNNEL = 3, MASK = 0x3f7f };

struct world {
	struct nftio *io;
	struct svcstore store;
	struct program *program;
	struct peers peers;
	uint32_t random;
	int64_t now_usec;
	bool expired; /* something did, and nobody looked since */
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->random = w->random * 1664525 + 1013904223;
	return (w->random >> 8) % sides;
}

/* Elements and rules about peers. */
struct setup {
	struct nftlist list;
	struct skeleton skel;
};

static void set_up(struct setup *s, enum dataplane_family f, const struct peers *peers)
{
	struct skeleton_settings in = { .family = f, .return_mask = MASK, .zones = true };
	nftelems elems = { 0 };

	in.zone.home_bits = peers_home_bits(peers, (uint8_t)nft_addr_len(f));
	ruleset_peers(peers, f, in.zone.home_bits, &elems);
	nftlist_pack(&elems, f, &s->list);
	ruleset_zones(&s->list, f, &in.zone);
	skeleton_make(&in, &s->skel);
	vec_fini(&elems);
}

static void tear_down(struct setup *s)
{
	skeleton_fini(&s->skel);
	nftlist_fini(&s->list);
}

/* --- packets --- */

static void strangers_have_a_zone(void **state)
{
	static const struct {
		const char *saddr;
		int iif;
		uint8_t node;
		uint8_t want[2];
	} table[] = {
		{ "198.51.100.9", LAN, 2, { 0x10, 2 } },
		{ "198.51.100.9", LAN, 3, { 0x10, 3 } },
		/* by whatever device: it is the same node */
		{ "198.51.100.9", TUNNEL, 2, { 0x10, 2 } },
		/* another node's own */
		{ "192.0.2.3", LAN, 2, { 0x10, 2 } },
		{ "10.1.3.7", LAN, 2, { 0x10, 2 } },
		/* its own, by whatever device */
		{ "192.0.2.2", LAN, 2, { 0 } },
		{ "192.0.2.2", TUNNEL, 2, { 0 } },
		{ "10.1.2.0", LAN, 2, { 0 } },
		{ "10.1.2.255", TUNNEL, 2, { 0 } },
		{ "10.1.79.255", LAN, 3, { 0 } },
		{ "10.1.80.0", LAN, 3, { 0x10, 3 } },
		/* whom nobody knows, there or at all */
		{ "198.51.100.9", TUNNEL, 3, { 0 } },
		{ "198.51.100.9", LAN, 4, { 0 } },
	};
	struct peers peers = { .mask = MASK };
	struct walk_table t = { 0 };
	struct setup s;

	(void)state;
	add_sender(&peers, LAN, 2);
	add_sender(&peers, LAN, 3);
	add_sender(&peers, TUNNEL, 2);
	add_home(&peers, 2, "10.1.2.0/24");
	add_home(&peers, 2, "192.0.2.2/32");
	add_home(&peers, 3, "10.1.3.0/24");
	add_home(&peers, 3, "192.0.2.3/32");
	add_home(&peers, 3, "10.1.64.0/20");
	set_up(&s, DATAPLANE_IPV4, &peers);
	t.list = &s.list;
	t.skel = &s.skel;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct walk_packet p = { .saddr = addr(table[i].saddr),
					 .daddr = addr("10.1.1.1"),
					 .proto = 6,
					 .iif_index = (uint32_t)table[i].iif,
					 .ether_saddr = { 2, 0, 0, 0, 0x10, table[i].node } };
		unsigned choices;

		assert_int_equal(walk(&t, &p, SKEL_ZONES, 0, &choices), WALK_PASS);
		assert_memory_equal(&p.zone, table[i].want, sizeof(p.zone));
		assert_false(p.renewed);
		assert_int_equal(p.mark, 0);
	}
	tear_down(&s);
	peers_fini(&peers);
}

/* Nodes that are no senders any more: as long as somebody comes by them. */
static void former_ones_keep_their_zone(void **state)
{
	static const struct {
		const char *saddr;
		int iif;
		uint8_t node, icmp;
		bool want, renewed;
	} table[] = {
		{ "198.51.100.9", LAN, 2, 0, true, true },
		{ "10.1.2.7", LAN, 2, 0, false, true },
		{ "192.0.2.2", LAN, 2, 0, false, true },
		{ "198.51.100.9", LAN, 2, 8, true, true },
		{ "198.51.100.9", TUNNEL, 2, 0, false, false },
		{ "198.51.100.9", LAN, 4, 0, false, false },
	};
	struct peers peers = { .mask = MASK }, none = { .mask = MASK };
	struct skeleton_settings in = { .return_mask = MASK, .zones = true };
	struct walk_table t = { 0 };
	struct setup before, after;
	nftelems elems = { 0 };

	(void)state;
	add_sender(&peers, LAN, 2);
	add_home(&peers, 2, "10.1.2.0/24");
	add_home(&peers, 2, "192.0.2.2/32");
	set_up(&before, DATAPLANE_IPV4, &peers);
	ruleset_peers(&none, DATAPLANE_IPV4, 0, &elems);
	linger(&before.list, DATAPLANE_IPV4, &elems);
	nftlist_pack(&elems, DATAPLANE_IPV4, &after.list);
	assert_int_equal(after.list.n, 3);
	ruleset_zones(&after.list, DATAPLANE_IPV4, &in.zone);
	skeleton_make(&in, &after.skel);
	t.list = &after.list;
	t.skel = &after.skel;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct walk_packet p = { .saddr = addr(table[i].saddr),
					 .daddr = addr("10.1.1.1"),
					 .proto = table[i].icmp ? IPPROTO_ICMP : IPPROTO_TCP,
					 .iif_index = (uint32_t)table[i].iif,
					 .ether_saddr = { 2, 0, 0, 0, 0x10, table[i].node } };
		unsigned choices;

		p.transport[0] = table[i].icmp;
		assert_int_equal(walk(&t, &p, SKEL_ZONES, 0, &choices), WALK_PASS);
		assert_int_equal(p.zone != 0, table[i].want);
		assert_int_equal(p.renewed, table[i].renewed);
	}
	tear_down(&before);
	tear_down(&after);
	vec_fini(&elems);
	peers_fini(&peers);
}

/* Rules are about the devices and ranges that there are. */
static void rules_are_about_what_there_is(void **state)
{
	static const struct {
		int senders;
		const char *home;
		size_t links;
		bool ranges;
	} table[] = {
		{ 0, NULL, 0, false },
		{ 1, NULL, 1, false },
		{ 1, "10.1.1.0/24", 1, false },
		{ 2, "192.0.2.2/32", 2, false },
		{ 2, "10.1.0.0/16", 2, true },
		{ SKEL_LINKS, NULL, SKEL_LINKS, false },
		{ 7, NULL, SKEL_LINKS + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct peers peers = { .mask = MASK };
		struct skel_zones zone = { .home_bits = 24 };
		nftelems elems = { 0 };
		struct nftlist list;

		/* the last byte of a number comes first in a key */
		for (int n = 0; n < table[i].senders; n++)
			add_sender(&peers, 256 + n % 2 - 100 * n, 2);
		if (table[i].senders)
			add_home(&peers, 2, "10.1.2.0/24");
		if (table[i].home)
			add_home(&peers, 2, table[i].home);
		ruleset_peers(&peers, DATAPLANE_IPV4, 24, &elems);
		nftlist_pack(&elems, DATAPLANE_IPV4, &list);
		ruleset_zones(&list, DATAPLANE_IPV4, &zone);
		assert_int_equal(zone.n_links, table[i].links);
		assert_int_equal(zone.home_ranges, table[i].ranges);
		for (size_t n = 1; n < zone.n_links && n < SKEL_LINKS; n++)
			assert_true(zone.link[n - 1] < zone.link[n]);
		nftlist_fini(&list);
		vec_fini(&elems);
		peers_fini(&peers);
	}
}

/* Ranges that are found by hash are not those that others share, or that have no length. */
static void own_ranges_of_any_length(void **state)
{
	static const struct {
		const char *home, *saddr;
	} table[] = {
		{ "0.0.0.0/0", "198.51.100.9" },  { "10.0.0.0/8", "10.1.2.7" },
		{ "10.1.2.7/32", "10.1.2.7" },    { "fd01:2::/64", "fd01:2::7" },
		{ "fd01:2::7/128", "fd01:2::7" }, { "fc00::/6", "fd01:2::7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct walk_packet p = { .saddr = addr(table[i].saddr),
					 .daddr = addr(table[i].saddr),
					 .proto = 6,
					 .iif_index = LAN,
					 .ether_saddr = { 2, 0, 0, 0, 0x10, 2 } };
		enum dataplane_family f = p.saddr.len == 4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6;
		struct peers peers = { .mask = MASK };
		struct walk_table t = { 0 };
		unsigned choices;
		struct setup s;

		for (uint8_t node = 2; node < 5; node++) {
			add_sender(&peers, LAN, node);
			add_home(&peers, node, "fe80::/10");
		}
		add_home(&peers, 2, table[i].home);
		set_up(&s, f, &peers);
		t.list = &s.list;
		t.skel = &s.skel;
		assert_int_equal(walk(&t, &p, SKEL_ZONES, 0, &choices), WALK_PASS);
		assert_int_equal(p.zone, 0);
		tear_down(&s);
		peers_fini(&peers);
	}
}

/* --- connections from before --- */

enum { ESTABLISHED = 3, TIME_WAIT = 7, CLOSED = 8 };

static struct ctentry connection(const char *client, uint16_t port)
{
	return (struct ctentry){ .proto = IPPROTO_TCP,
				 .client = addr(client),
				 .client_port = port,
				 .to = addr("10.1.1.1"),
				 .to_port = 80,
				 .tcp_state = ESTABLISHED };
}

static void older_ones_are_kept(void **state)
{
	static const struct {
		uint16_t port, zone, original_zone;
		uint8_t tcp_state;
		bool want;
	} table[] = {
		{ 1, 0, 0, ESTABLISHED, true },
		{ 2, 0, 0, TIME_WAIT, false },
		{ 3, 0, 0, CLOSED, false },
		{ 4, 0, 7, ESTABLISHED, false },
		{ 5, 9, 0, ESTABLISHED, false },
		{ 6, 0, 0, 0, true },
		/* told twice; one with a zone has another without by accident */
		{ 7, 0, 0, ESTABLISHED, true },
		{ 7, 0, 0, ESTABLISHED, false },
		{ 8, 0, 0, ESTABLISHED, false },
		{ 8, 0, 7, ESTABLISHED, false },
		/* somebody else's zone says nothing of ours */
		{ 9, 9, 0, ESTABLISHED, false },
		{ 9, 0, 0, ESTABLISHED, true },
	};
	struct older o = { .family = DATAPLANE_IPV4 };
	struct ctentry six = connection("fd00::1", 1);
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct ctentry e = connection("198.51.100.9", table[i].port);

		e.zone = table[i].zone;
		e.original_zone = table[i].original_zone;
		e.tcp_state = table[i].tcp_state;
		older_note(&o, &e);
	}
	six.to = addr("fd00::2");
	older_note(&o, &six);
	older_settle(&o);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!table[i].want)
			continue;
		assert_true(n < o.conns.n);
		assert_int_equal(o.conns.v[n].key[13], table[i].port);
		n++;
	}
	assert_int_equal(o.conns.n, n);
	older_fini(&o);
}

/* As many as there may be are messages of at most 64 kB, and none that is known to be another
 * node's is left out for others. */
static void many_older_ones(void **state)
{
	struct older o = { .family = DATAPLANE_IPV4, .mask = MASK };
	struct nftbatch b;
	size_t messages = 0, marked = 0;

	(void)state;
	for (uint32_t i = 0; i < OLDER_MAX + 1000; i++) {
		struct ctentry e = connection("198.51.100.9", (uint16_t)i);

		e.to_port = (uint16_t)(i >> 16);
		e.mark = i % 100 ? (uint32_t)~MASK : 0x1001;
		older_note(&o, &e);
	}
	older_settle(&o);
	assert_int_equal(o.conns.n, OLDER_MAX);
	for (size_t i = 0; i < o.conns.n; i++)
		marked += o.conns.v[i].marked;
	assert_int_equal(marked, OLDER_MAX / 100 + 11);
	nftbatch_begin(&b, 1);
	nftbatch_older(&b, &o);
	nftbatch_end(&b);
	for (size_t at = 0; at < b.len; messages++) {
		const struct nlmsghdr *h = (const void *)(b.p + at);

		assert_in_range(h->nlmsg_len, 1, 65536);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	assert_in_range(messages, 20, 100);
	nftbatch_fini(&b);
	older_fini(&o);
}

static void an_older_one_has_no_zone(void **state)
{
	struct peers peers = { .mask = MASK };
	struct older o = { .family = DATAPLANE_IPV4 };
	struct ctentry e = connection("198.51.100.9", 1234);
	struct walk_table t = { 0 };
	struct setup s;

	(void)state;
	add_sender(&peers, LAN, 2);
	set_up(&s, DATAPLANE_IPV4, &peers);
	older_note(&o, &e);
	older_settle(&o);
	t.list = &s.list;
	t.skel = &s.skel;
	t.older = o.conns.v[0].key;
	for (uint16_t port = 1233; port < 1236; port++) {
		struct walk_packet p = { .saddr = e.client,
					 .daddr = e.to,
					 .proto = e.proto,
					 .sport = port,
					 .dport = e.to_port,
					 .iif_index = LAN,
					 .ether_saddr = { 2, 0, 0, 0, 0x10, 2 } };
		unsigned choices;

		assert_int_equal(walk(&t, &p, SKEL_ZONES, 0, &choices), WALK_PASS);
		assert_int_equal(p.zone == 0, port == 1234);
		assert_int_equal(p.refreshed, port == 1234);
	}
	older_fini(&o);
	tear_down(&s);
	peers_fini(&peers);
}

/* What is behind the IP header of an error of that type about a packet to `to`. */
static void make_error(struct walk_packet *p, uint8_t type, const char *client, const char *server)
{
	struct addr from = addr(server), to = addr(client);
	bool six = to.len == 16;
	uint8_t *quoted = p->transport + 8, *ports = quoted + (six ? 40 : 20);

	memset(p->transport, 0, sizeof(p->transport));
	p->proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	p->transport[0] = type;
	quoted[0] = six ? 0x60 : 0x45;
	quoted[six ? 6 : 9] = IPPROTO_TCP;
	memcpy(quoted + (six ? 8 : 12), from.b, from.len);
	memcpy(quoted + (six ? 24 : 16), to.b, to.len);
	ports[1] = 80;
	ports[2] = 1234 >> 8;
	ports[3] = 1234 & 0xff;
}

/* An error is where what it is about is, whoever says it. */
static void errors_are_in_the_zone(void **state)
{
	static const struct {
		const char *saddr, *client, *server;
		uint8_t type;
		bool options, want;
	} table[] = {
		{ "192.0.2.2", "198.51.100.9", "10.1.1.1", 3, false, true },
		{ "198.51.100.7", "198.51.100.9", "10.1.1.1", 3, false, true },
		{ "192.0.2.2", "198.51.100.9", "10.1.1.1", 11, false, true },
		{ "192.0.2.2", "198.51.100.9", "10.1.1.1", 3, true, false },
		/* for itself and its own */
		{ "192.0.2.2", "192.0.2.2", "10.1.1.1", 3, false, false },
		{ "192.0.2.2", "10.1.2.7", "10.1.1.1", 3, false, false },
		/* none is without a zone */
		{ "192.0.2.2", "198.51.100.8", "10.1.1.1", 3, false, false },
		{ "198.51.100.8", "198.51.100.8", "10.1.1.1", 3, false, false },
		/* no errors */
		{ "192.0.2.2", "198.51.100.9", "10.1.1.1", 8, false, false },
		{ "192.0.2.2", "198.51.100.9", "10.1.1.1", 0, false, false },
		{ "fd00::2", "fd01::9", "fd00:1::1", 1, false, true },
		{ "fd00::2", "fd01::9", "fd00:1::1", 2, false, true },
		{ "fd01::7", "fd01::9", "fd00:1::1", 3, false, true },
		{ "fd00::2", "fd00::2", "fd00:1::1", 2, false, false },
		{ "fd00::2", "fd01::8", "fd00:1::1", 2, false, false },
		{ "fd00::2", "fd01::9", "fd00:1::1", 128, false, false },
		{ "fe80::2", "fd01::9", "fd00:1::1", 135, false, false },
	};
	static const char *const unzoned[][2] = { { "198.51.100.8", "10.1.1.1" },
						  { "fd01::8", "fd00:1::1" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		enum dataplane_family f =
		    addr(table[i].saddr).len == 4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6;
		struct walk_packet p = { .saddr = addr(table[i].saddr),
					 .daddr = addr(table[i].server),
					 .iif_index = LAN,
					 .ether_saddr = { 2, 0, 0, 0, 0x10, 2 } };
		struct ctentry old = connection(unzoned[f][0], 1234);
		struct older o = { .family = f };
		struct peers peers = { .mask = MASK };
		struct walk_table t = { 0 };
		unsigned choices;
		struct setup s;

		add_sender(&peers, LAN, 2);
		add_home(&peers, 2, f == DATAPLANE_IPV4 ? "10.1.2.0/24" : "fe80::/10");
		add_home(&peers, 2, f == DATAPLANE_IPV4 ? "192.0.2.2/32" : "fd00::2/128");
		set_up(&s, f, &peers);
		old.to = addr(unzoned[f][1]);
		older_note(&o, &old);
		older_settle(&o);
		t.list = &s.list;
		t.skel = &s.skel;
		t.older = o.conns.v[0].key;
		make_error(&p, table[i].type, table[i].client, table[i].server);
		if (table[i].options)
			p.transport[8] = 0x46;
		assert_int_equal(walk(&t, &p, SKEL_ZONES, 0, &choices), WALK_PASS);
		assert_int_equal(p.zone != 0, table[i].want);
		older_fini(&o);
		tear_down(&s);
		peers_fini(&peers);
	}
}

static void a_kernel_without_zones(void **state)
{
	struct skeleton_settings in = { .return_mask = MASK };
	struct skeleton s;

	(void)state;
	skeleton_make(&in, &s);
	for (size_t i = 0; i < s.rules.n; i++)
		assert_string_not_equal(s.rules.v[i].chain, "zones");
	skeleton_fini(&s);
}

/* --- lives --- */

static void warned(void *ctx, const struct svc *svc, const char *reason, const char *message)
{
	(void)ctx;
	(void)svc;
	(void)reason;
	(void)message;
}

static void be_born(struct world *w)
{
	struct skeleton_settings s = { .zones = true };
	struct program_node n = { .keep_node_port_ips = true };

	svcstore_init(&w->store, "n1");
	w->program = program_new(DATAPLANE_IPV4, &w->store, w->io, warned, w);
	program_configure(w->program, &s, &n);
	program_set_peers(w->program, &w->peers);
}

static void die(struct world *w)
{
	program_free(w->program);
	svcstore_fini(&w->store);
}

/* Ranges of a node may be another time others, that have something in common with the former ones.
 */
static void choose_peers(struct world *w)
{
	static const char *const pods[][NODES] = {
		{ "10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24", "10.1.4.0/24" },
		{ "10.1.0.0/22", "10.1.0.0/23", "10.1.2.0/25", "10.1.2.0/23", "10.1.4.128/25" },
	};
	static const char *const hosts[] = { "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32",
					     "192.0.2.4/32", "192.0.2.5/32" };
	bool tunnel[NODES] = { 0 };

	peers_fini(&w->peers);
	w->peers.mask = dice(w, 8) ? MASK : 0;
	for (uint8_t i = 0; w->peers.mask && i < NODES; i++) {
		if (dice(w, 3) == 0)
			continue;
		add_sender(&w->peers, LAN, i);
		tunnel[i] = dice(w, 2);
		add_home(&w->peers, i, pods[dice(w, 4) == 0][i]);
		if (dice(w, 4))
			add_home(&w->peers, i, hosts[i]);
	}
	for (uint8_t i = 0; i < NODES; i++) {
		if (tunnel[i])
			add_sender(&w->peers, TUNNEL, i);
	}
	program_set_peers(w->program, &w->peers);
}

static bool find(const struct nftlist *l, const struct nftref *r, struct nftref *ret)
{
	for (size_t at = 0; nftlist_next(l, DATAPLANE_IPV4, &at, ret);) {
		if (!nftref_compare(ret, r))
			return true;
	}
	return false;
}

static bool in_common(const struct nftlist *wanted, const struct nftref *home)
{
	struct nftref w;

	for (size_t at = 0; nftlist_next(wanted, DATAPLANE_IPV4, &at, &w);) {
		if (w.set == NFTSET_HOME && !memcmp(w.key, home->key, 8) &&
		    memcmp(w.key + 8, home->data, 4) <= 0 && memcmp(w.data, home->key + 8, 4) >= 0)
			return true;
	}
	return false;
}

static bool is_sender(enum nftset set)
{
	return set == NFTSET_SENDERS || set == NFTSET_FORMER_SENDERS;
}

/* Whether packets by that device and address may have a zone; wanted: because they shall. */
static bool is_known(const struct nftlist *l, const struct nftref *sender, bool wanted)
{
	struct nftref r;

	for (size_t at = 0; nftlist_next(l, DATAPLANE_IPV4, &at, &r);) {
		if (r.set == (wanted ? NFTSET_SENDERS : NFTSET_FORMER_SENDERS) &&
		    !memcmp(r.key, sender->key, r.key_len))
			return true;
	}
	return false;
}

static bool has_zone(const struct nftlist *l, const struct nftref *home)
{
	struct nftref z;

	for (size_t at = 0; nftlist_next(l, DATAPLANE_IPV4, &at, &z);) {
		if (is_sender(z.set) && !memcmp(z.key + 4, home->key, MAC_BYTES))
			return true;
	}
	return false;
}

static void check_wanted(const struct nftlist *wanted, const struct nftlist *after)
{
	struct nftref w, a;

	for (size_t at = 0; nftlist_next(wanted, DATAPLANE_IPV4, &at, &w);) {
		assert_true(find(after, &w, &a));
		assert_memory_equal(a.data, w.data, w.data_len);
	}
}

/* What was there stays, and expires if nobody wants it; nothing is without a reason. */
static void check_rest(const struct nftlist *before, const struct nftlist *wanted,
		       const struct nftlist *after)
{
	struct nftref b, a, w;

	for (size_t at = 0; nftlist_next(before, DATAPLANE_IPV4, &at, &b);) {
		if (is_sender(b.set))
			assert_int_not_equal(is_known(after, &b, true), is_known(after, &b, false));
		if (b.set == NFTSET_HOME && !in_common(wanted, &b))
			assert_int_equal(find(after, &b, &a), has_zone(after, &b));
	}
	for (size_t at = 0; nftlist_next(after, DATAPLANE_IPV4, &at, &a);) {
		if (is_sender(a.set))
			assert_int_equal(a.set == NFTSET_SENDERS, is_known(wanted, &a, true));
		if (a.set == NFTSET_FORMER_SENDERS)
			assert_true(is_known(before, &a, true) || is_known(before, &a, false));
		if (a.set == NFTSET_HOME)
			assert_true(find(wanted, &a, &w) || find(before, &a, &b));
	}
}

static void sync_now(struct world *w, struct program_result *result)
{
	struct err e;

	while (program_sync(w->program, w->now_usec, result, &e) < 0) {
		assert_int_equal(e.code, ERR_IO); /* planned */
		w->now_usec += 1000;
	}
}

/* Reading it back changes nothing, in this life or the next. */
static void check_rest_is_quiet(struct world *w)
{
	struct program_result result;

	if (dice(w, 2)) {
		die(w);
		be_born(w);
	} else {
		program_distrust(w->program);
	}
	sync_now(w, &result);
	assert_int_equal(result.adds + result.deletes, 0);
}

static void meddle(struct world *w)
{
	switch (dice(w, 8)) {
	case 0:
		fake_nft_fail(w->io, 1);
		break;
	case 1:
		fake_nft_drop_element(w->io, dice(w, 100));
		program_distrust(w->program);
		break;
	case 2: /* days later; nobody is told */
		fake_nft_expire(w->io);
		w->expired = true;
		break;
	default:
		break;
	}
}

static void step(struct world *w)
{
	struct nftlist before, after, wanted;
	struct program_result result;
	nftelems elems = { 0 };

	meddle(w);
	choose_peers(w);
	fake_nft_list(w->io, &before);
	sync_now(w, &result);
	fake_nft_list(w->io, &after);
	ruleset_peers(&w->peers, DATAPLANE_IPV4, peers_home_bits(&w->peers, 4), &elems);
	nftlist_pack(&elems, DATAPLANE_IPV4, &wanted);
	check_wanted(&wanted, &after);
	w->expired &= !result.full;
	if (!w->expired)
		check_rest(&before, &wanted, &after);
	vec_fini(&elems);
	nftlist_fini(&before);
	nftlist_fini(&after);
	nftlist_fini(&wanted);
	if (!w->expired && dice(w, 4) == 0)
		check_rest_is_quiet(w);
}

static void nodes_come_and_go(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= LIVES; seed++) {
		struct world w = { .random = seed, .now_usec = 1000000 };

		w.io = fake_nft_new(DATAPLANE_IPV4);
		be_born(&w);
		for (int i = 0; i < STEPS; i++)
			step(&w);
		die(&w);
		peers_fini(&w.peers);
		fake_nft_free(w.io);
	}
}

/* A table that somebody deletes is made again, with what lingers in it. */
static void a_flush_forgets_nobody(void **state)
{
	struct world w = { .now_usec = 1000000 };
	struct program_result result;
	struct nftlist before, after;

	(void)state;
	w.io = fake_nft_new(DATAPLANE_IPV4);
	be_born(&w);
	w.peers.mask = MASK;
	add_sender(&w.peers, LAN, 1);
	add_home(&w.peers, 1, "10.1.1.0/24");
	program_set_peers(w.program, &w.peers);
	sync_now(&w, &result);
	peers_fini(&w.peers);
	program_set_peers(w.program, &w.peers);
	sync_now(&w, &result);
	fake_nft_list(w.io, &before);
	assert_int_equal(before.n, 2);
	fake_nft_drop_table(w.io);
	program_distrust(w.program);
	sync_now(&w, &result);
	fake_nft_list(w.io, &after);
	assert_true(nftlist_equal(&before, &after));
	nftlist_fini(&before);
	nftlist_fini(&after);
	die(&w);
	fake_nft_free(w.io);
}

static void nest_bytes(struct nlmsghdr *h, uint16_t type, const uint8_t *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(h, nest);
}

/* An earlier version's set of both: who is a sender now is nothing else. */
static void an_upgrade_forgets_nobody(void **state)
{
	uint8_t key[] = { LAN, 0, 0, 0, 2, 0, 0, 0, 0x10, 2, 0, 0 }, buffer[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nftdump d = { .family = DATAPLANE_IPV4 };
	struct peers peers = { .mask = MASK };
	struct nlattr *list, *elem;
	struct nfgenmsg *g;
	nftelems wanted = { 0 };
	struct nftlist before;
	struct err e;

	(void)state;
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = NFPROTO_IPV4;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, "zoned");
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (key[9] = 2; key[9] < 4; key[9]++) {
		elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		nest_bytes(h, NFTA_SET_ELEM_KEY, key, sizeof(key));
		mnl_attr_nest_end(h, elem);
	}
	mnl_attr_nest_end(h, list);
	assert_int_equal(nftparse_message(&d, h, h->nlmsg_len, &e), 0);
	nftlist_pack(&d.elems, DATAPLANE_IPV4, &before);
	add_sender(&peers, LAN, 2);
	ruleset_peers(&peers, DATAPLANE_IPV4, 0, &wanted);
	linger(&before, DATAPLANE_IPV4, &wanted);
	assert_int_equal(wanted.n, 2);
	assert_int_equal(wanted.v[0].set, NFTSET_SENDERS);
	assert_int_equal(wanted.v[1].set, NFTSET_FORMER_SENDERS);
	key[9] = 3;
	assert_memory_equal(wanted.v[1].key, key, sizeof(key));
	vec_fini(&wanted);
	nftlist_fini(&before);
	nftdump_fini(&d);
	peers_fini(&peers);
}

/* Connections are asked for when packets will have a zone that had none, and at no other time. */
static void connections_are_kept_when_zones_grow(void **state)
{
	static const struct {
		const char *pods;  /* of the node; NULL: it says nothing */
		bool other;        /* there is another one */
		const char *flush; /* a chain that somebody empties before */
		bool asks;
		bool off;    /* nobody is told apart for now */
		bool reborn; /* the process died before */
	} table[] = {
		{ "10.1.0.0/23", false, NULL, true }, /* the table is new */
		{ "10.1.0.0/23", false, NULL, false },
		{ NULL, false, NULL, false },
		{ "10.1.0.0/23", false, NULL, false },
		{ "10.1.0.0/23", true, NULL, true },
		{ "10.1.0.0/23", false, NULL, false },
		{ "10.1.0.0/23", true, NULL, false },
		{ "10.1.0.0/24", true, NULL, true },
		{ "10.1.0.0/24", true, "zones", true },
		{ "10.1.0.0/24", true, "from-link", true },
		{ "10.1.0.0/24", true, "from-sender", true },
		{ "10.1.0.0/24", true, "senders", false },
		/* while rules change on purpose */
		{ NULL, true, "zones", true },
		{ "10.1.0.0/24", true, "from-link", true },
		{ NULL, true, NULL, false },
		/* rules that are back are new, whatever they are about */
		{ NULL, false, NULL, false, true },
		{ "10.1.0.0/24", true, NULL, true },
		{ NULL, false, NULL, false, true },
		{ NULL, true, NULL, true },
		/* nodes come and go while nobody looks */
		{ "10.1.0.0/24", true, NULL, false, false, true },
		{ NULL, true, NULL, false, false, true },
		{ NULL, true, "from-link", true, false, true },
		{ "10.1.0.0/24", true, "zones", true, false, true },
		{ NULL, false, NULL, false, true, true },
		{ "10.1.0.0/24", true, NULL, true, false, true },
	};
	struct world w = { .now_usec = 1000000 };
	struct program_result result;

	(void)state;
	w.io = fake_nft_new(DATAPLANE_IPV4);
	be_born(&w);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned before = fake_nft_requests(w.io);

		peers_fini(&w.peers);
		w.peers.mask = table[i].off ? 0 : MASK;
		if (table[i].pods) {
			add_sender(&w.peers, LAN, 1);
			add_home(&w.peers, 1, table[i].pods);
		}
		if (table[i].other) {
			add_sender(&w.peers, LAN, 2);
			add_home(&w.peers, 2, "10.1.7.0/24");
		}
		if (table[i].reborn) {
			die(&w);
			be_born(&w);
		}
		program_set_peers(w.program, &w.peers);
		if (table[i].flush) {
			fake_nft_flush_chain(w.io, table[i].flush);
			program_distrust(w.program);
		}
		sync_now(&w, &result);
		assert_int_equal(fake_nft_requests(w.io) - before, table[i].asks);
	}
	die(&w);
	peers_fini(&w.peers);
	fake_nft_free(w.io);
}

/* Whoever makes up Nodes does not fill the kernel. */
static void there_is_a_limit(void **state)
{
	enum { ROUNDS = 7, MANY = 1000 };
	struct world w = { .now_usec = 1000000 };
	struct program_result result;
	struct nftlist list;

	(void)state;
	w.io = fake_nft_new(DATAPLANE_IPV4);
	be_born(&w);
	for (unsigned round = 0; round < ROUNDS; round++) {
		peers_fini(&w.peers);
		w.peers.mask = MASK;
		for (unsigned i = 0; i < MANY; i++) {
			add_sender(&w.peers, LAN, (uint8_t)i);
			w.peers.senders.v[i].mac[3] = (uint8_t)round;
			w.peers.senders.v[i].mac[4] = (uint8_t)(i >> 8);
		}
		program_set_peers(w.program, &w.peers);
		sync_now(&w, &result);
	}
	fake_nft_list(w.io, &list);
	assert_int_equal(list.n, MANY + 4096);
	nftlist_fini(&list);
	die(&w);
	peers_fini(&w.peers);
	fake_nft_free(w.io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_have_a_zone),
		cmocka_unit_test(former_ones_keep_their_zone),
		cmocka_unit_test(rules_are_about_what_there_is),
		cmocka_unit_test(own_ranges_of_any_length),
		cmocka_unit_test(errors_are_in_the_zone),
		cmocka_unit_test(a_kernel_without_zones),
		cmocka_unit_test(older_ones_are_kept),
		cmocka_unit_test(many_older_ones),
		cmocka_unit_test(an_older_one_has_no_zone),
		cmocka_unit_test(nodes_come_and_go),
		cmocka_unit_test(a_flush_forgets_nobody),
		cmocka_unit_test(an_upgrade_forgets_nobody),
		cmocka_unit_test(connections_are_kept_when_zones_grow),
		cmocka_unit_test(there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
