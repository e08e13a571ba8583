/* The rules that bring replies back the way their connections came, walked by packets. */
#include <string.h>

#include "addresses.h"
#include "frames.h"
#include "nft-walker.h"
#include "peermarks.h"
#include "ruleset.h"
#include "test.h"

enum { LAN = 2, TUNNEL = 3, OTHER = 9, MASK = 0x3f7f, MASQUERADE = 0x4000 };

static const uint8_t n2_lan[MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t n2_tunnel[MAC_BYTES] = { 2, 0xaa, 0, 0, 0, 2 };
static const uint8_t stranger[MAC_BYTES] = { 2, 0, 0, 0, 0, 0x99 };

struct bed {
	struct peers peers;
	struct skeleton skel;
	struct nftlist list;
	struct walk_table table;
};

static void add_sender(struct peers *p, int dev, const uint8_t *mac, uint32_t mark)
{
	struct peers_sender s = { .dev = dev, .mark = mark };

	memcpy(s.mac, mac, MAC_BYTES);
	vec_push(&p->senders, s);
}

static void add_direct(struct peers *p, int dev, const uint8_t *mac, const char *from)
{
	struct peers_direct d = { .dev = dev, .from = prefix(from) };

	memcpy(d.mac, mac, MAC_BYTES);
	vec_push(&p->direct, d);
}

static void add_pair(struct peers *p, const char *from, const char *to)
{
	struct peers_pair pair = { .from = prefix(from), .to = prefix(to) };

	vec_push(&p->same_node, pair);
}

/* n2: 192.0.2.2 on the link, pods 10.1.2.0/24 over the tunnel; IPv6 alike. */
static void make(struct bed *b, enum dataplane_family f)
{
	struct skeleton_settings in = { .family = f,
					.masquerade_mark = MASQUERADE,
					.return_mask = MASK };
	nftelems elems = { 0 };

	*b = (struct bed){ .peers = { .mask = MASK,
				      .slot = { { .dev = LAN }, { .dev = TUNNEL } } } };
	add_sender(&b->peers, LAN, n2_lan, 0x1001);
	add_sender(&b->peers, TUNNEL, n2_tunnel, 0x2002);
	add_direct(&b->peers, LAN, n2_lan, f ? "fd00::2/128" : "192.0.2.2/32");
	add_direct(&b->peers, TUNNEL, n2_tunnel, f ? "fd01:2::/64" : "10.1.2.0/24");
	vec_push(&b->peers.symmetric,
		 (struct peers_target){ LAN, prefix(f ? "fd00::2/128" : "192.0.2.2/32") });
	vec_push(&b->peers.symmetric,
		 (struct peers_target){ TUNNEL, prefix(f ? "fd01:2::/64" : "10.1.2.0/24") });
	add_pair(&b->peers, f ? "fd00::2/128" : "192.0.2.2/32", f ? "fd01:2::/64" : "10.1.2.0/24");
	add_pair(&b->peers, f ? "fd01:2::/64" : "10.1.2.0/24", f ? "fd01:2::/64" : "10.1.2.0/24");
	skeleton_make(&in, &b->skel);
	ruleset_peers(&b->peers, f, 0, &elems);
	nftlist_pack(&elems, f, &b->list);
	vec_fini(&elems);
	b->table = (struct walk_table){ .skel = &b->skel, .list = &b->list };
}

static void unmake(struct bed *b)
{
	skeleton_fini(&b->skel);
	nftlist_fini(&b->list);
	peers_fini(&b->peers);
}

static void go(struct bed *b, struct walk_packet *p, enum skel_hook hook)
{
	unsigned choices;

	assert_int_equal(walk(&b->table, p, hook, 0, &choices), WALK_PASS);
}

/* Who passed a connection on is remembered, unless its source is answered there anyway. */
static void senders_are_remembered(void **state)
{
	static const struct {
		const char *saddr[DATAPLANE_FAMILIES];
		int iif;
		const uint8_t *mac;
		uint32_t before, want;
	} table[] = {
		{ { "198.51.100.9", "fd99::9" }, LAN, n2_lan, 0, 0x1001 },
		{ { "198.51.100.9", "fd99::9" }, TUNNEL, n2_tunnel, 0, 0x2002 },
		/* somebody else's bits stay, ours are written anew */
		{ { "198.51.100.9", "fd99::9" }, LAN, n2_lan, 0xffff0080, 0xffff1081 },
		{ { "198.51.100.9", "fd99::9" }, LAN, n2_lan, 0x80003f7f, 0x80001001 },
		/* the node itself, and its pods */
		{ { "192.0.2.2", "fd00::2" }, LAN, n2_lan, 0, 0 },
		{ { "10.1.2.7", "fd01:2::7" }, TUNNEL, n2_tunnel, 0, 0 },
		/* each the other way in: they would be answered elsewhere */
		{ { "192.0.2.2", "fd00::2" }, TUNNEL, n2_tunnel, 0, 0x2002 },
		{ { "10.1.2.7", "fd01:2::7" }, LAN, n2_lan, 0, 0x1001 },
		/* whom nobody knows, and an address of another device */
		{ { "198.51.100.9", "fd99::9" }, LAN, stranger, 0, 0 },
		{ { "198.51.100.9", "fd99::9" }, OTHER, n2_lan, 0, 0 },
		{ { "198.51.100.9", "fd99::9" }, OTHER, n2_lan, 0x80, 0x80 },
	};

	(void)state;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		struct bed b;

		make(&b, f);
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			struct walk_packet p = { .saddr = addr(table[i].saddr[f]),
						 .daddr = addr(f ? "fd01:1::1" : "10.1.1.1"),
						 .proto = 6,
						 .iif_index = (uint32_t)table[i].iif,
						 .ct_mark = table[i].before };

			memcpy(p.ether_saddr, table[i].mac, MAC_BYTES);
			go(&b, &p, SKEL_SENDERS);
			assert_int_equal(p.ct_mark, table[i].want);
			assert_int_equal(p.priority, 0);
			assert_int_equal(p.mark, 0);
		}
		unmake(&b);
	}
}

/* What answers such a connection carries its mark, other bits stay. */
static void replies_carry_the_mark(void **state)
{
	static const struct {
		bool reply;
		uint32_t ct_mark, before, want;
	} table[] = {
		{ true, 0x1001, 0, 0x1001 },
		{ true, 0xffff1001, 0, 0x1001 },
		{ true, 0x1001, 0x10000, 0x11001 },
		{ true, 0x1001, 0x3f7f, 0x1001 },
		{ true, 0x1001, 0xffffc080, 0xffffd081 },
		{ false, 0x1001, 0, 0 },
		{ false, 0x1001, 0x80, 0x80 },
		{ true, 0, 0x80, 0x80 },
		{ true, 0xffff0080, 0, 0 },
	};
	static const enum skel_hook hooks[] = { SKEL_REPLIES, SKEL_REPLIES_OUTPUT,
						SKEL_REPLIES_LAST };
	struct bed b;

	(void)state;
	make(&b, DATAPLANE_IPV4);
	for (size_t i = 0; i < ARRAY_SIZE(hooks) * ARRAY_SIZE(table); i++) {
		size_t row = i / ARRAY_SIZE(hooks);
		struct walk_packet p = { .saddr = addr("10.1.1.1"),
					 .daddr = addr("198.51.100.9"),
					 .proto = 6,
					 .reply = table[row].reply,
					 .oif_index = LAN,
					 .ct_mark = table[row].ct_mark,
					 .mark = table[row].before };
		/* bits 0x4000 mean something to the chain behind */
		uint32_t want = table[row].want & ~(uint32_t)MASQUERADE;

		go(&b, &p, hooks[i % ARRAY_SIZE(hooks)]);
		assert_int_equal(p.mark & ~(uint32_t)MASQUERADE, want);
		assert_int_equal(p.ct_mark, table[row].ct_mark);
	}
	unmake(&b);
}

/* In the end only on the device that the mark leads to: another way is somebody else's choice. */
static void marks_keep_to_their_device(void **state)
{
	static const struct {
		uint32_t ct_mark;
		int oif;
		bool want;
	} table[] = {
		{ 0x1001, LAN, true },     { 0x2002, TUNNEL, true }, { 0x1001, TUNNEL, false },
		{ 0x2002, LAN, false },    { 0x1001, OTHER, false }, { 0x0001, LAN, false },
		{ 0xffff1001, LAN, true },
	};
	struct bed b;

	(void)state;
	make(&b, DATAPLANE_IPV6);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct walk_packet p = { .saddr = addr("fd01:1::1"),
					 .daddr = addr("fd99::9"),
					 .proto = 6,
					 .reply = true,
					 .oif_index = (uint32_t)table[i].oif,
					 .ct_mark = table[i].ct_mark,
					 .mark = 0x80000 };

		go(&b, &p, SKEL_REPLIES_LAST);
		assert_int_equal(p.mark, 0x80000 | (table[i].want ? table[i].ct_mark & MASK : 0));
	}
	unmake(&b);
}

/* Toward a node that returns replies nothing is masqueraded, on the device where it does. */
static void who_is_masqueraded(void **state)
{
	static const struct {
		const char *saddr[DATAPLANE_FAMILIES], *daddr[DATAPLANE_FAMILIES];
		int oif;
		bool want;
	} table[] = {
		{ { "198.51.100.9", "fd99::9" }, { "10.1.2.7", "fd01:2::7" }, TUNNEL, false },
		{ { "198.51.100.9", "fd99::9" }, { "10.1.2.255", "fd01:2::ffff" }, TUNNEL, false },
		{ { "198.51.100.9", "fd99::9" }, { "10.1.3.0", "fd01:3::" }, TUNNEL, true },
		{ { "198.51.100.9", "fd99::9" }, { "10.1.2.7", "fd01:2::7" }, LAN, true },
		{ { "198.51.100.9", "fd99::9" }, { "192.0.2.2", "fd00::2" }, LAN, false },
		{ { "198.51.100.9", "fd99::9" }, { "192.0.2.3", "fd00::3" }, LAN, true },
		/* back to its own node */
		{ { "192.0.2.2", "fd00::2" }, { "10.1.2.7", "fd01:2::7" }, TUNNEL, true },
		{ { "192.0.2.3", "fd00::3" }, { "10.1.2.7", "fd01:2::7" }, TUNNEL, false },
		{ { "10.1.2.9", "fd01:2::9" }, { "10.1.2.7", "fd01:2::7" }, TUNNEL, true },
		{ { "10.1.3.9", "fd01:3::9" }, { "10.1.2.7", "fd01:2::7" }, TUNNEL, false },
	};

	(void)state;
	for (unsigned f = 0; f < DATAPLANE_FAMILIES; f++) {
		struct bed b;

		make(&b, f);
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			struct walk_packet p = { .saddr = addr(table[i].saddr[f]),
						 .daddr = addr(table[i].daddr[f]),
						 .proto = 6,
						 .oif_index = (uint32_t)table[i].oif,
						 .dnat = true,
						 .mark = MASQUERADE };

			/* nothing for that hook to do: postrouting follows */
			go(&b, &p, SKEL_SENDERS);
			assert_int_equal(p.masquerade, table[i].want);
			assert_int_equal(p.mark, 0);
		}
		unmake(&b);
	}
}

/* Without a mask the four chains are there and empty. */
static void nobody_to_tell_apart(void **state)
{
	struct skeleton_settings in = { .masquerade_mark = MASQUERADE };
	struct skeleton s;
	size_t bases = 0;

	(void)state;
	skeleton_make(&in, &s);
	for (size_t i = 0; i < s.chains.n; i++) {
		if (s.chains.v[i].hook < SKEL_SENDERS)
			continue;
		bases++;
		for (size_t k = 0; k < s.rules.n; k++)
			assert_string_not_equal(s.rules.v[k].chain, s.chains.v[i].name);
	}
	assert_int_equal(bases, 4);
	skeleton_fini(&s);
}

static void read_batch(const struct nftbatch *b, struct frames *f)
{
	struct err e;

	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->p + at);

		assert_int_equal(frames_message(f, h, b->len - at, &e), 0);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	peermarks_sort(&f->marks);
}

static bool change(const struct frames *have, uint32_t mask, const struct peermarks *want,
		   size_t *ret_bytes)
{
	struct nftbatch b;
	bool some;

	nftbatch_begin(&b, 1);
	some = frames_change(have, mask, want, &b);
	*ret_bytes = b.len;
	nftbatch_fini(&b);
	return some;
}

/* What was written is known again; a node that comes or goes is its own element only. */
static void frames_are_known_again(void **state)
{
	enum { NODES = 1500, SMALL = 400 };
	struct peermarks want = { .slot = { { LAN, "eth0" }, { TUNNEL, "flannel.1" } } };
	struct frames nothing = { 0 }, have = { 0 };
	netstate_links links = { 0 };
	struct nftbatch b;
	size_t bytes;

	(void)state;
	for (unsigned i = 1; i <= NODES; i++)
		vec_push(&want.marks,
			 (struct peermark){ i, { 2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i } });
	nftbatch_begin(&b, 1);
	assert_true(frames_change(&nothing, MASK, &want, &b));
	read_batch(&b, &have);
	nftbatch_fini(&b);
	assert_false(change(&have, MASK, &want, &bytes));
	assert_int_equal(have.marks.marks.n, NODES);

	vec_push(&links, (struct netstate_link){ .index = LAN, .name = "eth0" });
	vec_push(&links, (struct netstate_link){ .index = OTHER, .name = "flannel.1" });
	frames_name_slots(&have, &links);
	assert_int_equal(have.marks.slot[0].dev, LAN);
	assert_int_equal(have.marks.slot[1].dev, OTHER);

	want.marks.v[7].mac[5] ^= 0x80;
	assert_true(change(&have, MASK, &want, &bytes));
	assert_in_range(bytes, 1, SMALL);
	want.marks.v[7].mac[5] ^= 0x80;
	/* other bits, another device, a rule too few: all of it anew; no bits: it goes */
	assert_true(change(&have, 0xff00, &want, &bytes));
	assert_in_range(bytes, NODES, SIZE_MAX);
	snprintf(want.slot[1].name, IFNAMSIZ, "flannel.2");
	assert_true(change(&have, MASK, &want, &bytes));
	snprintf(want.slot[1].name, IFNAMSIZ, "flannel.1");
	free(have.rules.v[--have.rules.n].expressions);
	assert_true(change(&have, MASK, &want, &bytes));
	assert_in_range(bytes, NODES, SIZE_MAX);
	assert_true(change(&have, 0, &want, &bytes));
	assert_in_range(bytes, 1, SMALL);
	assert_false(change(&nothing, 0, &want, &bytes));
	frames_fini(&have);
	peermarks_fini(&want);
	vec_fini(&links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(senders_are_remembered),
		cmocka_unit_test(replies_carry_the_mark),
		cmocka_unit_test(marks_keep_to_their_device),
		cmocka_unit_test(who_is_masqueraded),
		cmocka_unit_test(nobody_to_tell_apart),
		cmocka_unit_test(frames_are_known_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
