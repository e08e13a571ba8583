/* What packets meet while nodes come and go, others meddle and processes die: after every step the
 * rules and elements that the kernel holds are walked, and compared with a model that knows nothing
 * of sets and rules: who was a sender without a gap has a zone, but for what is its own. */
#include <string.h>

#include "addresses.h"
#include "fake-nft.h"
#include "nft-walker.h"
#include "program.h"
#include "ruleset.h"
#include "senders.h"
#include "test.h"

enum { NODES = 4, DEVICES = 9, LIVES = 6, STEPS = 60, LAN = 2, MASK = 0x3f7f };

static const char *const pods[DATAPLANE_FAMILIES][4][NODES] = {
	{ { "10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24" },
	  { "10.1.0.0/22", "10.1.1.0/25", "10.1.2.128/25", "10.1.2.0/23" },
	  { "10.1.0.1/32", "10.1.1.0/24", "10.1.2.1/32", "10.1.0.0/20" },
	  { NULL, "10.1.1.0/24", NULL, NULL } },
	{ { "fd01:0:0::/64", "fd01:0:1::/64", "fd01:0:2::/64", "fd01:0:3::/64" },
	  { "fd01:0:0::/62", "fd01:0:1::/80", "fd01:0:2:8000::/65", "fd01:0:2::/47" },
	  { "fd01:0:0::1/128", "fd01:0:1::/64", "fd01:0:2::1/128", "fd01::/32" },
	  { NULL, "fd01:0:1::/64", NULL, NULL } },
};
static const char *const hosts[DATAPLANE_FAMILIES][NODES] = {
	{ "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32" },
	{ "fd02::1/128", "fd02::2/128", "fd02::3/128", "fd02::4/128" },
};
/* Whom packets are from. */
enum { SOURCES = 15 };
static const char *const sources[DATAPLANE_FAMILIES][SOURCES] = {
	{ "198.51.100.9", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "10.1.0.1",
	  "10.1.0.200", "10.1.1.1", "10.1.1.200", "10.1.2.1", "10.1.2.200", "10.1.3.1",
	  "10.1.3.200", "10.1.15.255", "10.2.0.0" },
	{ "2001:db8::9", "fd02::1", "fd02::2", "fd02::3", "fd02::4", "fd01:0:0::1", "fd01::9000:1",
	  "fd01:0:1::1", "fd01:0:1::1:0:0:1", "fd01:0:2::1", "fd01:0:2:8000::1", "fd01:0:3::1",
	  "fd01:0:3::9:1", "fd01:ffff::1", "fe80::1" },
};

struct node {
	bool known[DEVICES]; /* by that device, without a gap */
	prefix_list own;
};

struct life {
	enum dataplane_family family;
	struct nftio *io;
	struct svcstore store;
	struct program *program;
	struct peers peers;
	struct node node[NODES];            /* the model */
	bool zone[DEVICES][NODES][SOURCES]; /* who had one after the last step */
	uint32_t random;
	int tunnel; /* the index of a device that others make again and again */
	int64_t now_usec;
	bool expired; /* something did, and nobody looked since */
	bool lost;    /* somebody took elements away: the model does not know which */
};

static unsigned dice(struct life *l, unsigned sides)
{
	l->random = l->random * 1664525 + 1013904223;
	return (l->random >> 8) % sides;
}

static void warned(void *ctx, const struct svc *svc, const char *reason, const char *message)
{
	(void)ctx;
	(void)svc;
	(void)reason;
	(void)message;
}

static void be_born(struct life *l)
{
	struct skeleton_settings s = { .zones = true };
	struct program_node n = { .keep_node_port_ips = true };

	svcstore_init(&l->store, "n1");
	l->program = program_new(l->family, &l->store, l->io, warned, l);
	program_configure(l->program, &s, &n);
	program_set_peers(l->program, &l->peers);
}

static void die(struct life *l)
{
	program_free(l->program);
	svcstore_fini(&l->store);
}

static bool wants(const struct life *l, int dev, uint8_t node)
{
	for (size_t i = 0; i < l->peers.senders.n; i++) {
		if (l->peers.senders.v[i].dev == dev && l->peers.senders.v[i].mac[5] == node)
			return true;
	}
	return false;
}

/* Of a node that is there: what it says of itself. */
static void add_node(struct life *l, uint8_t node, unsigned kind)
{
	const char *range = pods[l->family][kind][node];

	if (dice(l, 8))
		add_sender(&l->peers, LAN, node);
	if (dice(l, 2) && !(dice(l, 4) && wants(l, LAN, node)))
		add_sender(&l->peers, l->tunnel, node);
	if (l->family == DATAPLANE_IPV6)
		add_home(&l->peers, node, "fe80::/10");
	if (range)
		add_home(&l->peers, node, range);
	if (dice(l, 4))
		add_home(&l->peers, node, hosts[l->family][node]);
}

static void choose_peers(struct life *l)
{
	unsigned kind = dice(l, 3) ? 0 : dice(l, 4);

	peers_fini(&l->peers);
	l->peers.mask = dice(l, 8) ? MASK : 0;
	if (dice(l, 5) == 0)
		l->tunnel = LAN + 1 + (int)dice(l, DEVICES - LAN - 1);
	for (uint8_t i = 0; l->peers.mask && i < NODES; i++) {
		if (dice(l, 3))
			add_node(l, i, dice(l, 4) ? kind : dice(l, 4));
	}
	program_set_peers(l->program, &l->peers);
}

/* --- the model --- */

static bool in_common(const struct prefix *a, const struct prefix *b)
{
	return prefix_has(a, &b->addr) || prefix_has(b, &a->addr);
}

/* What was a node's own stays so until the node says otherwise of the same addresses. */
static void note_own(struct life *l, uint8_t node)
{
	prefix_list *own = &l->node[node].own;
	prefix_list now = { 0 };
	bool known = false;

	for (int dev = 0; dev < DEVICES; dev++)
		known |= l->node[node].known[dev];
	for (size_t i = 0; i < l->peers.home.n; i++) {
		const struct peers_home *h = &l->peers.home.v[i];

		if (h->mac[5] == node)
			vec_push(&now, h->from);
	}
	for (size_t i = 0, n = now.n; known && i < own->n; i++) {
		bool again = false;

		for (size_t k = 0; k < n; k++)
			again |= in_common(&now.v[k], &own->v[i]);
		if (!again)
			vec_push(&now, own->v[i]);
	}
	vec_fini(own);
	*own = now;
}

static void note_nodes(struct life *l)
{
	for (uint8_t i = 0; i < NODES; i++) {
		for (int dev = 0; dev < DEVICES; dev++)
			l->node[i].known[dev] |= wants(l, dev, i);
		note_own(l, i);
	}
}

/* After a loss: whatever is there. */
static void learn_nodes(struct life *l, const struct nftlist *list)
{
	size_t len = nft_addr_len(l->family);
	struct nftref r;

	for (uint8_t i = 0; i < NODES; i++) {
		memset(l->node[i].known, 0, sizeof(l->node[i].known));
		l->node[i].own.n = 0;
	}
	for (size_t at = 0; nftlist_next(list, l->family, &at, &r);) {
		struct prefix own = { .addr.len = (uint8_t)len, .bits = (uint8_t)(8 * len) };
		uint32_t dev;

		memcpy(&dev, r.key, sizeof(dev));
		if (r.set == NFTSET_SENDERS || r.set == NFTSET_FORMER_SENDERS)
			l->node[r.key[4 + 5]].known[dev] = true;
		if (r.set != NFTSET_HOME)
			continue;
		memcpy(own.addr.b, r.key + 8, len);
		for (struct addr last = prefix_last(&own); memcmp(last.b, r.data, len) < 0;
		     last = prefix_last(&own))
			own.bits--;
		vec_push(&l->node[r.key[5]].own, own);
	}
}

static bool model_zone(const struct life *l, int dev, uint8_t node, const struct addr *from)
{
	const struct node *n = &l->node[node];

	for (size_t i = 0; i < n->own.n; i++) {
		if (prefix_has(&n->own.v[i], from))
			return false;
	}
	return l->peers.mask && n->known[dev] && !addr_is_link_local(from);
}

/* --- what is there --- */

/* The rules that belong to these elements. */
static void make_rules(const struct life *l, const struct nftlist *list, struct skeleton *ret)
{
	struct skeleton_settings in = { .family = l->family,
					.return_mask = l->peers.mask,
					.zones = true };

	in.zone.home_bits = peers_home_bits(&l->peers, (uint8_t)nft_addr_len(l->family));
	ruleset_zones(list, l->family, &in.zone);
	skeleton_make(&in, ret);
}

static bool is_of_zones(const char *chain)
{
	static const char *const chains[] = { "zones",  "from-link", "from-sender",
					      "errors", "messages",  "quoted" };

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		if (str_eq(chain, chains[i]))
			return true;
	}
	return false;
}

/* Rules about nobody stay as they are. */
static bool are_about_somebody(const struct life *l, const struct nftlist *list)
{
	bool some = !l->peers.mask;
	struct nftref r;

	for (size_t at = 0; nftlist_next(list, l->family, &at, &r);)
		some |= r.set == NFTSET_SENDERS || r.set == NFTSET_FORMER_SENDERS;
	return some;
}

static void check_rules(struct life *l, const struct nftlist *list, const struct skeleton *skel)
{
	bool *differs = mem_calloc(skel->chains.n, sizeof(*differs));
	bool some = are_about_somebody(l, list);
	struct nftdump d = { .family = l->family };
	struct err e;

	assert_int_equal(nftio_dump(l->io, false, &d, &e), 0);
	nftparse_differing_chains(&d, skel, differs);
	for (size_t i = 0; some && i < skel->chains.n; i++) {
		if (is_of_zones(skel->chains.v[i].name))
			assert_false(differs[i]);
	}
	nftdump_fini(&d);
	free(differs);
}

static bool walk_zone(const struct life *l, struct walk_table *t, int dev, uint8_t node,
		      const char *from)
{
	struct walk_packet p = { .saddr = addr(from),
				 .daddr = addr(l->family ? "fd01:0:9::1" : "10.1.9.1"),
				 .proto = 6,
				 .iif_index = (uint32_t)dev,
				 .ether_saddr = { 2, 0, 0, 0, 0x10, node } };
	unsigned choices;

	walk(t, &p, SKEL_ZONES, 0, &choices);
	return p.zone;
}

/* asked: for the connections that there are, which somebody's new zone would end. */
static void check_packets(struct life *l, const struct nftlist *list, bool asked)
{
	struct skeleton skel;
	struct walk_table t = { .skel = &skel, .list = list };

	make_rules(l, list, &skel);
	check_rules(l, list, &skel);
	vec_keep(&skel.rules, r, is_of_zones(r->chain));
	for (int dev = LAN; dev < DEVICES; dev++) {
		for (uint8_t n = 0; n < NODES; n++) {
			for (size_t i = 0; i < SOURCES; i++) {
				const char *from = sources[l->family][i];
				struct addr a = addr(from);
				bool zone = walk_zone(l, &t, dev, n, from);

				if (zone != model_zone(l, dev, n, &a))
					fail_msg("node %u, device %d: %s has %s zone", n, dev, from,
						 zone ? "a" : "no");
				if (zone && !l->zone[dev][n][i] && !asked)
					fail_msg("node %u, device %d: %s gets a zone unasked", n,
						 dev, from);
				l->zone[dev][n][i] = zone;
			}
		}
	}
	skeleton_fini(&skel);
}

/* --- lives --- */

static void meddle(struct life *l)
{
	static const char *const chains[] = { "zones", "from-link", "from-sender" };

	switch (dice(l, 16)) {
	case 0: /* the world goes on after a failure */
		fake_nft_fail(l->io, 1);
		break;
	case 1:
		fake_nft_drop_element(l->io, dice(l, 100));
		program_distrust(l->program);
		l->lost = true;
		break;
	case 2: /* days later; nobody is told, mostly */
		fake_nft_expire(l->io);
		l->expired = true;
		if (dice(l, 2))
			program_distrust(l->program);
		break;
	case 3:
		fake_nft_flush_chain(l->io, chains[dice(l, ARRAY_SIZE(chains))]);
		program_distrust(l->program);
		memset(l->zone, 0, sizeof(l->zone));
		break;
	case 4:
		die(l);
		be_born(l);
		break;
	case 5:
		program_distrust(l->program);
		break;
	case 6:
		fake_nft_drop_table(l->io);
		program_distrust(l->program);
		memset(l->zone, 0, sizeof(l->zone));
		l->lost = true;
		break;
	default:
		break;
	}
}

static void sync_now(struct life *l, struct program_result *result)
{
	struct err e;

	while (program_sync(l->program, l->now_usec, result, &e) < 0) {
		assert_int_equal(e.code, ERR_IO); /* planned */
		if (dice(l, 2))
			choose_peers(l);
		l->now_usec += 1000;
	}
}

/* Another life writes nothing, and asks for nothing. */
static void check_restart(struct life *l)
{
	unsigned commits = fake_nft_commits(l->io), requests = fake_nft_requests(l->io);
	struct program_result result;

	die(l);
	be_born(l);
	sync_now(l, &result);
	assert_int_equal(result.adds + result.deletes, 0);
	assert_int_equal(fake_nft_commits(l->io), commits);
	assert_int_equal(fake_nft_requests(l->io), requests);
}

static void sync_and_check(struct life *l)
{
	unsigned requests = fake_nft_requests(l->io);
	struct program_result result;
	struct nftlist list;

	sync_now(l, &result);
	fake_nft_list(l->io, &list);
	l->lost |= l->expired && result.full;
	l->expired &= !result.full;
	if (l->lost)
		learn_nodes(l, &list);
	else if (!l->expired)
		note_nodes(l);
	if (!l->expired)
		check_packets(l, &list, l->lost || fake_nft_requests(l->io) > requests);
	l->lost = false;
	if (!l->expired && are_about_somebody(l, &list) && dice(l, 4) == 0)
		check_restart(l);
	nftlist_fini(&list);
}

static void live(enum dataplane_family f, uint32_t seed)
{
	struct life l = { .family = f, .random = seed, .now_usec = 1000000, .tunnel = LAN + 1 };

	l.io = fake_nft_new(f);
	be_born(&l);
	/* a table that is never empty: what is lost is read from it */
	l.peers.mask = MASK;
	add_sender(&l.peers, LAN, 0);
	program_set_peers(l.program, &l.peers);
	sync_and_check(&l);
	for (int i = 0; i < STEPS; i++) {
		meddle(&l);
		if (dice(&l, 3) == 0)
			meddle(&l);
		choose_peers(&l);
		sync_and_check(&l);
	}
	for (size_t i = 0; i < NODES; i++)
		vec_fini(&l.node[i].own);
	die(&l);
	peers_fini(&l.peers);
	fake_nft_free(l.io);
}

static void packets_keep_their_zones(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= LIVES; seed++) {
		live(DATAPLANE_IPV4, seed);
		live(DATAPLANE_IPV6, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_keep_their_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
