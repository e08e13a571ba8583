/* The data plane's core against a strict nf_tables in memory: random services and endpoints come
 * and go, commits fail, others meddle, the process dies; a packet walker compares what packets meet
 * with what the services say. */
#include <json-c/json.h>
#include <string.h>

#include "base/json.h"
#include "base/proto.h"
#include "fake-nft.h"
#include "kube/codec.h"
#include "nft-walker.h"
#include "program.h"
#include "test.h"

enum { SERVICES = 5, ENDPOINTS = 6, LIVES = 12, STEPS = 50 };
/* more time-outs than there is room for, and services behind them */
enum { CROWD = FRONT_TIMEOUT_COUNT + 4 };

enum place { ABSENT, READY, GOING, DOWN, PLACES };

struct thing { /* a service as the test thinks of it */
	bool exists, external_local, internal_local, affinity, ranges, external_ip;
	uint32_t timeout_sec;
	int type; /* 0: cluster IP, 1: node port, 2: balancer */
	bool udp;
	enum place at[ENDPOINTS]; /* even ones are on this node */
};

struct world {
	enum dataplane_family f;
	struct nftio *io;
	struct svcstore store;
	struct program *program;
	struct skeleton_settings settings;
	struct skeleton skel;
	struct prefix pods[2], services[2];
	struct thing things[CROWD]; /* most tests use the first SERVICES */
	struct walk_table table;    /* its clients live on */
	uint32_t random;
	int64_t now_usec;
	int last[SERVICES][2]; /* where clients of each were led, -1: they may go anywhere */
	unsigned warnings;
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->random = w->random * 1664525 + 1013904223;
	return (w->random >> 8) % sides;
}

static void warned(void *ctx, const struct svc *svc, const char *reason, const char *message)
{
	(void)svc;
	(void)reason;
	(void)message;
	((struct world *)ctx)->warnings++;
}

/* Addresses */

static const char *addr_of(const struct world *w, const char *v4, const char *v6, unsigned i)
{
	static char text[4][ADDR_TEXT];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(text[turn], sizeof(text[turn]), w->f == DATAPLANE_IPV4 ? "%s%u" : "%s%x",
		 w->f == DATAPLANE_IPV4 ? v4 : v6, i);
	return text[turn];
}

static const char *endpoint_addr(const struct world *w, unsigned i)
{
	return i % 2 ? addr_of(w, "10.244.2.", "fd44:2::", i + 1)
		     : addr_of(w, "10.244.1.", "fd44:1::", i + 1);
}

static struct addr parse(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a, NULL), 0);
	return a;
}

/* Objects */

static void *from_json(const ProtobufCMessageDescriptor *type, struct str *text)
{
	struct json_object *tree = json_tokener_parse(str_text(text));
	void *msg = NULL;
	struct err e;

	if (!tree || codec_from_json(type, tree, NULL, &msg, &e) < 0)
		fail_msg("%s: %s", str_text(text), tree ? e.text : "not JSON");
	json_object_put(tree);
	return msg;
}

static void mark(struct world *w, struct svc *svc)
{
	if (svc)
		program_mark(w->program, svc);
}

static void put_service(struct world *w, unsigned i)
{
	static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer" };
	const struct thing *t = &w->things[i];
	AUTO_STR text = { 0 };
	AUTO_PROTO void *msg = NULL;

	str_printf(&text, "{\"metadata\":{\"namespace\":\"t\",\"name\":\"s%u\"},\"spec\":{", i);
	str_printf(&text, "\"type\":\"%s\",\"clusterIP\":\"%s\",", types[t->type],
		   addr_of(w, "10.96.0.", "fd96::", i + 1));
	str_printf(&text, "\"ports\":[{\"name\":\"p\",\"port\":80,\"protocol\":\"%s\"",
		   t->udp ? "UDP" : "TCP");
	if (t->type)
		str_printf(&text, ",\"nodePort\":%u", 30000 + i);
	str_append(&text, "}]");
	if (t->external_local)
		str_append(&text, ",\"externalTrafficPolicy\":\"Local\"");
	if (t->internal_local)
		str_append(&text, ",\"internalTrafficPolicy\":\"Local\"");
	if (t->affinity)
		str_printf(&text,
			   ",\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{"
			   "\"clientIP\":{\"timeoutSeconds\":%u}}",
			   t->timeout_sec);
	if (t->ranges)
		str_append(&text, ",\"loadBalancerSourceRanges\":[\"9.0.0.0/8\",\"9.9.0.0/16\","
				  "\"fd09::/16\",\"fd09:9::/32\"]");
	if (t->external_ip)
		str_printf(&text, ",\"externalIPs\":[\"%s\"]",
			   addr_of(w, "198.51.100.", "fd98::", i + 1));
	str_append(&text, "}");
	if (t->type == 2)
		str_printf(&text, ",\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"%s\"}]}}",
			   addr_of(w, "203.0.113.", "fd13::", i + 1));
	str_append(&text, "}");
	msg = from_json(&core__service__descriptor, &text);
	mark(w, svcstore_put_service(&w->store, msg));
}

static void put_slice(struct world *w, unsigned i)
{
	static const char *const conditions[] = {
		[READY] = "{}",
		[GOING] = "{\"ready\":false,\"serving\":true,\"terminating\":true}",
		[DOWN] = "{\"ready\":false,\"serving\":false}"
	};
	const struct thing *t = &w->things[i];
	AUTO_STR text = { 0 };
	AUTO_PROTO void *msg = NULL;
	struct svc *other;
	const char *comma = "";

	str_printf(&text,
		   "{\"metadata\":{\"namespace\":\"t\",\"name\":\"s%u-x\",\"labels\":{"
		   "\"kubernetes.io/service-name\":\"s%u\"}},\"addressType\":\"%s\","
		   "\"ports\":[{\"name\":\"p\",\"port\":8080,\"protocol\":\"%s\"}],\"endpoints\":[",
		   i, i, w->f == DATAPLANE_IPV4 ? "IPv4" : "IPv6", t->udp ? "UDP" : "TCP");
	for (unsigned j = 0; j < ENDPOINTS; j++) {
		if (t->at[j] == ABSENT)
			continue;
		str_printf(&text,
			   "%s{\"addresses\":[\"%s\"],\"nodeName\":\"n%u\",\"conditions\":%s}",
			   comma, endpoint_addr(w, j), j % 2 + 1, conditions[t->at[j]]);
		comma = ",";
	}
	str_append(&text, "]}");
	msg = from_json(&discovery__endpoint_slice__descriptor, &text);
	mark(w, svcstore_put_slice(&w->store, msg, &other));
}

static void change_service(struct world *w, unsigned i)
{
	struct thing *t = &w->things[i];

	w->last[i][0] = w->last[i][1] = -1;
	if (t->exists && dice(w, 3) == 0) {
		char name[8];

		t->exists = false;
		snprintf(name, sizeof(name), "s%u", i);
		mark(w, svcstore_remove_service(&w->store, "t", name));
		return;
	}
	t->exists = true;
	t->type = (int)dice(w, 3);
	t->udp = dice(w, 4) == 0;
	t->external_local = dice(w, 2);
	t->internal_local = dice(w, 4) == 0;
	t->affinity = dice(w, 2);
	t->timeout_sec = 1 + dice(w, 30); /* more than there is room for at a time */
	t->ranges = t->type == 2 && dice(w, 2);
	t->external_ip = dice(w, 4) == 0;
	put_service(w, i);
	put_slice(w, i);
}

static void change_endpoints(struct world *w, unsigned i)
{
	struct thing *t = &w->things[i];

	if (dice(w, 8) == 0) {
		for (unsigned j = 0; j < ENDPOINTS; j++)
			t->at[j] = dice(w, 2) ? (enum place)dice(w, PLACES) : ABSENT;
	} else {
		t->at[dice(w, ENDPOINTS)] = dice(w, 2) ? READY : (enum place)dice(w, PLACES);
	}
	put_slice(w, i);
}

/* What services say should happen, read from them without our code */

enum source { FROM_POD, FROM_NODE, FROM_FRIEND, FROM_STRANGER, SOURCES };
enum front { TO_CLUSTER_IP, TO_EXTERNAL_IP, TO_VIP, TO_NODE_PORT, FRONTS };

struct expected {
	enum walk_verdict verdict;
	bool to[ENDPOINTS];
};

static bool is_outside(enum source s)
{
	return s == FROM_FRIEND || s == FROM_STRANGER;
}

/* Those ready, else those going, of all or of this node's. */
static unsigned eligible(const struct thing *t, bool local, bool *to)
{
	unsigned n = 0;

	for (enum place place = READY; !n && place <= GOING; place++) {
		for (unsigned i = 0; i < ENDPOINTS; i++) {
			to[i] = t->at[i] == place && (!local || i % 2 == 0);
			n += to[i];
		}
	}
	return n;
}

static void expect(const struct thing *t, enum front front, enum source source,
		   struct expected *ret)
{
	bool local =
	    front == TO_CLUSTER_IP ? t->internal_local : t->external_local && is_outside(source);
	bool any[ENDPOINTS];

	*ret = (struct expected){ .verdict = WALK_DNAT };
	if (front == TO_VIP && t->ranges && source != FROM_FRIEND)
		ret->verdict = WALK_DROP;
	else if (!eligible(t, false, any))
		ret->verdict = t->udp ? WALK_REJECT : WALK_RESET;
	else if (!eligible(t, local, ret->to))
		ret->verdict = WALK_DROP;
}

static bool has_front(const struct thing *t, enum front front)
{
	if (!t->exists)
		return false;
	switch (front) {
	case TO_CLUSTER_IP:
		return true;
	case TO_EXTERNAL_IP:
		return t->external_ip;
	case TO_VIP:
		return t->type == 2;
	default:
		return t->type > 0;
	}
}

static bool expect_masquerade(const struct thing *t, enum front front, enum source source,
			      unsigned endpoint)
{
	if (endpoint % 2 == 0)
		return false;
	if (source != FROM_POD)
		return true;
	return front != TO_CLUSTER_IP && !t->external_local;
}

/* Packets */

static struct walk_packet packet(const struct world *w, unsigned i, enum front front,
				 enum source source)
{
	struct walk_packet p = { .proto = w->things[i].udp ? 17 : 6, .dport = 80, .mark = 0x20000 };
	bool v4 = w->f == DATAPLANE_IPV4;

	switch (front) {
	case TO_CLUSTER_IP:
		p.daddr = parse(addr_of(w, "10.96.0.", "fd96::", i + 1));
		break;
	case TO_EXTERNAL_IP:
		p.daddr = parse(addr_of(w, "198.51.100.", "fd98::", i + 1));
		break;
	case TO_VIP:
		p.daddr = parse(addr_of(w, "203.0.113.", "fd13::", i + 1));
		break;
	default:
		p.daddr = parse(v4 ? "192.168.50.1" : "fd50::1");
		p.dport = (uint16_t)(30000 + i);
		p.local_daddr = true;
		break;
	}
	switch (source) {
	case FROM_POD:
		p.saddr = parse(v4 ? "10.244.1.99" : "fd44:1::99");
		break;
	case FROM_NODE:
		p.saddr = parse(v4 ? "192.168.50.1" : "fd50::1");
		break;
	case FROM_FRIEND:
		p.saddr = parse(v4 ? "9.9.9.9" : "fd09:9::9");
		break;
	default:
		p.saddr = parse(v4 ? "8.8.8.8" : "fd08::8");
		break;
	}
	return p;
}

static int which_endpoint(const struct world *w, const struct walk_packet *p)
{
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		struct addr a = parse(endpoint_addr(w, i));

		if (!addr_cmp(&a, &p->daddr) && p->dport == 8080)
			return (int)i;
	}
	return -1;
}

/* Every choice the rules may make. */
static void walk_all(struct world *w, unsigned i, enum front front, enum source source,
		     struct expected *ret)
{
	unsigned choices = 1;

	*ret = (struct expected){ 0 };
	for (unsigned c = 0; c < choices; c++) {
		struct walk_table t = { .skel = w->table.skel, .list = w->table.list };
		struct walk_packet p = packet(w, i, front, source);
		enum walk_verdict v =
		    walk(&t, &p, source == FROM_NODE ? SKEL_OUTPUT : SKEL_PREROUTING, c, &choices);

		if (t.clients.n)
			assert_int_equal(t.clients.v[0].timeout_sec, w->things[i].timeout_sec);
		vec_fini(&t.clients);
		if (c)
			assert_int_equal(v, ret->verdict);
		ret->verdict = v;
		if (v != WALK_DNAT)
			continue;
		assert_true(which_endpoint(w, &p) >= 0);
		ret->to[which_endpoint(w, &p)] = true;
		assert_int_equal(p.masquerade, expect_masquerade(&w->things[i], front, source,
								 (unsigned)which_endpoint(w, &p)));
		/* other agents' bits survive, ours leave nothing behind */
		assert_int_equal(p.mark, 0x20000);
		assert_int_equal(p.priority, 0);
	}
}

static void check_packets(struct world *w)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		for (enum front front = 0; front < FRONTS; front++) {
			for (enum source source = 0; source < SOURCES; source++) {
				struct expected want = { 0 }, got;

				if (has_front(&w->things[i], front))
					expect(&w->things[i], front, source, &want);
				else if (front == TO_CLUSTER_IP)
					want.verdict = WALK_DROP; /* of no service */
				walk_all(w, i, front, source, &got);
				if (got.verdict != want.verdict ||
				    (want.verdict == WALK_DNAT &&
				     memcmp(got.to, want.to, sizeof(got.to))))
					fail_msg("service %u front %d source %d: %d, want %d", i,
						 front, source, got.verdict, want.verdict);
			}
		}
	}
}

static void check_client(struct world *w, unsigned i, enum front front, enum source source,
			 int *last)
{
	struct expected want;

	expect(&w->things[i], front, source, &want);
	if (*last >= 0 && !want.to[*last])
		*last = -1;
	for (unsigned c = 0; want.verdict == WALK_DNAT && c < 4; c++) {
		struct walk_packet p = packet(w, i, front, source);
		unsigned choices;
		enum walk_verdict v = walk(&w->table, &p, SKEL_PREROUTING, dice(w, 100), &choices);
		int to = which_endpoint(w, &p);

		assert_int_equal(v, WALK_DNAT);
		assert_true(to >= 0 && want.to[to]);
		assert_true(*last < 0 || *last == to);
		*last = to;
	}
}

/* A client that comes again is led where it was led before, while that is an answer at all. */
static void check_clients(struct world *w)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		if (!w->things[i].exists || !w->things[i].affinity)
			continue;
		check_client(w, i, TO_CLUSTER_IP, FROM_POD, &w->last[i][0]);
		if (has_front(&w->things[i], TO_NODE_PORT))
			check_client(w, i, TO_NODE_PORT, FROM_FRIEND, &w->last[i][1]);
	}
}

/* A walk that leaves nothing behind. */
static enum walk_verdict glance(const struct world *w, struct walk_table t, struct walk_packet *p,
				unsigned choice, unsigned *ret_choices)
{
	enum walk_verdict v;

	for (size_t i = 0; i < w->table.clients.n; i++)
		vec_push(&t.clients, w->table.clients.v[i]);
	v = walk(&t, p, SKEL_PREROUTING, choice, ret_choices);
	vec_fini(&t.clients);
	return v;
}

/* What a client that is not remembered may meet there. */
static enum walk_verdict strangers(const struct world *w, const struct skeleton *rules,
				   const struct nftlist *list, unsigned i, bool *to)
{
	struct walk_table t = { .skel = rules, .list = list };
	unsigned choices = 1;
	enum walk_verdict v = WALK_PASS;

	for (unsigned c = 0; c < choices; c++) {
		struct walk_packet p = packet(w, i, TO_CLUSTER_IP, FROM_STRANGER);

		v = glance(w, t, &p, c, &choices);
		if (v == WALK_DNAT)
			to[which_endpoint(w, &p)] = true;
	}
	return v;
}

/* What a service's packets meet before and after a transaction. */
struct change {
	enum walk_verdict old, new;
	bool to[ENDPOINTS];
};

static void check_straddler(struct world *w, const struct walk_table *t, const struct change *c,
			    const struct walk_packet *sent)
{
	unsigned choices = 1;

	for (unsigned choice = 0; choice < choices; choice++) {
		struct walk_packet p = *sent;
		enum walk_verdict v = glance(w, *t, &p, choice, &choices);

		assert_true(v == c->old || v == c->new);
		assert_true(v != WALK_DNAT || c->to[which_endpoint(w, &p)]);
	}
}

/* A packet that a transaction overtakes between any two lookups keeps to the rules from before; it
 * meets what was there or what is, whether its client is remembered or not. */
static void check_straddlers(struct world *w, const struct skeleton *rules,
			     const struct nftlist *before, const struct nftlist *after)
{
	enum { LOOKUPS = 10 };
	struct walk_table t = { .skel = rules, .list = before, .later = after };

	for (unsigned i = 0; i < SERVICES; i++) {
		struct change c = { 0 };

		c.old = strangers(w, rules, before, i, c.to);
		c.new = strangers(w, &w->skel, after, i, c.to);
		/* with another policy, a list that was asked may hold others */
		for (unsigned j = 0; j < ENDPOINTS; j++)
			c.to[j] |= w->things[i].at[j] == READY || w->things[i].at[j] == GOING;
		for (unsigned n = 0; c.old == WALK_DNAT && n < LOOKUPS * SOURCES; n++) {
			struct walk_packet p = packet(w, i, TO_CLUSTER_IP, n % SOURCES);

			t.later_after = n / SOURCES;
			check_straddler(w, &t, &c, &p);
		}
	}
}

/* Life */

static void configure(struct world *w)
{
	bool v4 = w->f == DATAPLANE_IPV4;
	struct addr node = parse(v4 ? "192.168.50.1" : "fd50::1");
	struct program_node n = { .node_port_ips = &node, .n_node_port_ips = 1, .node_ip = node };

	assert_int_equal(prefix_parse(v4 ? "10.244.0.0/16" : "fd44::/16", &w->pods[0], NULL), 0);
	assert_int_equal(prefix_parse(v4 ? "10.96.0.0/16" : "fd96::/16", &w->services[0], NULL), 0);
	w->settings = (struct skeleton_settings){ .family = w->f,
						  .pods = w->pods,
						  .n_pods = 1,
						  .service_cidrs = w->services,
						  .n_service_cidrs = 1,
						  .masquerade_mark = 0x4000 };
	program_configure(w->program, &w->settings, &n);
	skeleton_fini(&w->skel);
	skeleton_make(&w->settings, &w->skel);
}

/* The rules as they are: time-outs come and go. */
static void read_rules(struct world *w)
{
	struct nftdump d = { .family = w->f };
	struct err e;

	assert_int_equal(nftio_dump(w->io, false, &d, &e), 0);
	memcpy(w->settings.timeout_sec, d.timeout_sec, sizeof(d.timeout_sec));
	nftdump_fini(&d);
	skeleton_fini(&w->skel);
	skeleton_make(&w->settings, &w->skel);
}

static void be_born(struct world *w)
{
	svcstore_init(&w->store, "n1");
	w->program = program_new(w->f, &w->store, w->io, warned, w);
	configure(w);
	for (unsigned i = 0; i < CROWD; i++) {
		if (w->things[i].exists)
			put_service(w, i);
		if (i < SERVICES || w->things[i].exists)
			put_slice(w, i);
	}
}

static void die(struct world *w)
{
	program_free(w->program);
	svcstore_fini(&w->store);
}

static int sync_now(struct world *w, struct program_result *result)
{
	struct err e;
	int r = program_sync(w->program, w->now_usec, result, &e);

	if (r < 0 && e.code != ERR_IO)
		fail_msg("sync: %s", e.text);
	return r;
}

static void quiet(struct world *w)
{
	struct program_result result;

	for (int i = 0; i < 8 && (program_pending(w->program) || program_due_usec(w->program));
	     i++) {
		w->now_usec += 1500000;
		sync_now(w, &result);
	}
	assert_false(program_pending(w->program));
	assert_int_equal(program_due_usec(w->program), 0);
}

static void show(void *ctx, enum nft_op op, const struct nftref *e)
{
	const struct world *w = ctx;
	AUTO_STR text = { 0 };

	nftref_print(e, w->f, &text);
	print_error("%c %s\n", op == NFT_ADD ? '+' : '-', str_text(&text));
}

static void show_difference(struct world *w, const struct nftlist *before)
{
	struct nftlist now;

	fake_nft_list(w->io, &now);
	nftdiff(before, &now, w->f, show, w);
	nftlist_fini(&now);
}

/* What was programmed over time is what a newborn would leave alone. */
static void check_restart(struct world *w)
{
	struct program_result result;
	struct nftlist kernel;
	unsigned commits;

	quiet(w);
	commits = fake_nft_commits(w->io);
	fake_nft_list(w->io, &kernel);
	die(w);
	be_born(w);
	assert_int_equal(sync_now(w, &result), 0);
	if (result.adds + result.deletes)
		show_difference(w, &kernel);
	nftlist_fini(&kernel);
	assert_int_equal(result.adds + result.deletes, 0);
	assert_int_equal(program_due_usec(w->program), 0);
	assert_int_equal(fake_nft_commits(w->io), commits);
}

static void forget_clients(struct world *w)
{
	for (unsigned i = 0; i < SERVICES; i++)
		w->last[i][0] = w->last[i][1] = -1;
}

/* A kernel, and a proxy that knows of what exists already. */
static void begin(struct world *w)
{
	w->io = fake_nft_new(w->f);
	forget_clients(w);
	be_born(w);
}

static void end(struct world *w)
{
	die(w);
	skeleton_fini(&w->skel);
	vec_fini(&w->table.clients);
	fake_nft_free(w->io);
}

/* The kernel's table as packets meet it; the caller frees the list. */
static void look(struct world *w, struct nftlist *ret)
{
	read_rules(w);
	fake_nft_list(w->io, ret);
	w->table.list = ret;
	w->table.skel = &w->skel;
}

static void meddle(struct world *w)
{
	switch (dice(w, 5)) {
	case 2:
		/* what the kernel would let nobody do by itself, but all the same */
		fake_nft_drop_frame(w->io, dice(w, 2000));
		break;
	case 0:
		fake_nft_fail(w->io, 1 + dice(w, 2));
		return;
	case 1:
		fake_nft_drop_table(w->io);
		vec_fini(&w->table.clients);
		forget_clients(w);
		break;
	default:
		fake_nft_drop_element(w->io, dice(w, 1000));
		break;
	}
	program_distrust(w->program);
}

static void change(struct world *w)
{
	for (unsigned n = 1 + dice(w, 3); n; n--) {
		if (dice(w, 4) == 0)
			change_service(w, dice(w, SERVICES));
		else
			change_endpoints(w, dice(w, SERVICES));
	}
}

static void step(struct world *w)
{
	struct skeleton rules;
	struct nftlist before, after;
	struct program_result result;
	bool meddled = dice(w, 10) == 0;

	change(w);
	if (meddled) {
		meddle(w);
	} else if (dice(w, 10) == 0) {
		die(w);
		be_born(w);
		read_rules(w);
	}
	fake_nft_list(w->io, &before);
	w->now_usec += dice(w, 2) ? 1000 : 700000;
	while (sync_now(w, &result) < 0)
		w->now_usec += 1000;
	rules = w->skel;
	w->skel = (struct skeleton){ 0 };
	look(w, &after);
	if (!meddled && before.n)
		check_straddlers(w, &rules, &before, &after);
	skeleton_fini(&rules);
	check_packets(w);
	check_clients(w);
	nftlist_fini(&before);
	nftlist_fini(&after);
	if (dice(w, 12) == 0)
		check_restart(w);
}

static void live(enum dataplane_family f, uint32_t seed)
{
	struct world w = { .f = f, .random = seed, .now_usec = 1000000 };

	begin(&w);
	for (int i = 0; i < STEPS; i++)
		step(&w);
	check_restart(&w);
	end(&w);
}

static void test_random_lives(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= LIVES; seed++)
		live(seed % 4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6, seed);
}

static void set_endpoints(struct world *w, const char *ready)
{
	for (unsigned i = 0; i < ENDPOINTS; i++)
		w->things[0].at[i] = ready[i] == 'x' ? READY : ABSENT;
	put_slice(w, 0);
}

/* One endpoint that goes or comes changes its own slot, the last one's, and the count. */
static void test_changes_are_small(void **state)
{
	static const struct {
		const char *ready;
		uint64_t adds, deletes;
	} rows[] = {
		{ "xxxxx.", 0, 0 }, /* the first is not counted */
		{ ".xxxx.", 2, 2 }, { "xxxxx.", 2, 1 }, { "xxxxxx", 2, 1 }, { "xx.xxx", 2, 2 },
	};
	struct world w = { .now_usec = 1000000 };
	struct program_result result;

	(void)state;
	begin(&w);
	w.things[0] = (struct thing){ .exists = true, .internal_local = false };
	put_service(&w, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set_endpoints(&w, rows[i].ready);
		assert_int_equal(sync_now(&w, &result), 0);
		w.now_usec += 2000000;
		/* elements of this node's own come beside: one address, one hairpin */
		if (i && (result.adds > rows[i].adds + 2 || result.deletes > rows[i].deletes + 2))
			fail_msg("row %zu: %d adds, %d deletes", i, (int)result.adds,
				 (int)result.deletes);
	}
	end(&w);
}

/* More time-outs over time than there is room for at once: those in use are left alone, and so are
 * clients of a service whose time-out is edited, when it was nobody else's. */
static void test_many_timeouts(void **state)
{
	struct world w = { .now_usec = 1000000 };
	struct program_result result;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < 2; i++) {
		w.things[i] =
		    (struct thing){ .exists = true, .affinity = true, .timeout_sec = 777 };
		for (unsigned j = 0; j < ENDPOINTS; j++)
			w.things[i].at[j] = READY;
		put_service(&w, i);
		put_slice(&w, i);
	}
	for (uint32_t sec = 1; sec < 3 * FRONT_TIMEOUT_COUNT; sec++) {
		struct nftlist list;

		w.things[1].timeout_sec = sec;
		put_service(&w, 1);
		assert_int_equal(sync_now(&w, &result), 0);
		w.now_usec += 2000000;
		look(&w, &list);
		check_packets(&w);
		check_clients(&w);
		nftlist_fini(&list);
	}
	end(&w);
}

/* A service whose time-out there is no room for keeps its list when we start again, too. */
static void test_crowded_timeouts(void **state)
{
	struct world w = { .now_usec = 1000000 };
	struct program_result result;

	(void)state;
	for (unsigned i = 0; i < CROWD; i++) {
		w.things[i] = (struct thing){ .exists = true, .affinity = true };
		w.things[i].timeout_sec = i < FRONT_TIMEOUT_COUNT + 2 ? 100 + i : 100;
		w.things[i].at[0] = READY;
	}
	begin(&w);
	assert_int_equal(sync_now(&w, &result), 0);
	check_restart(&w);
	end(&w);
}

/* Endpoints that come and go, more often than there are sticky values: who was led to one that
 * stays stays with it, whoever else led it there before. */
static void test_affinity_outlives_others(void **state)
{
	struct world w = { .now_usec = 1000000 };
	struct program_result result;
	unsigned moves = 0;

	(void)state;
	begin(&w);
	w.things[0] = (struct thing){ .exists = true, .affinity = true, .timeout_sec = 777 };
	for (unsigned i = 0; i < ENDPOINTS; i++)
		w.things[0].at[i] = READY;
	put_service(&w, 0);
	for (unsigned turn = 0; turn < 2 * FRONT_ENDPOINTS_MAX; turn++) {
		int before = w.last[0][0];
		struct nftlist list;

		/* three of four changes leave the client's endpoint alone */
		if (before >= 0 && turn % 4 == 0)
			w.things[0].at[before] = ABSENT;
		else
			w.things[0].at[dice(&w, ENDPOINTS)] = READY;
		put_slice(&w, 0);
		assert_int_equal(sync_now(&w, &result), 0);
		w.now_usec += dice(&w, 2) ? 1000 : 1100000;
		look(&w, &list);
		check_clients(&w);
		moves += before != w.last[0][0];
		nftlist_fini(&list);
	}
	assert_in_range(moves, FRONT_ENDPOINTS_MAX / 4, FRONT_ENDPOINTS_MAX);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_are_small),
		cmocka_unit_test(test_many_timeouts),
		cmocka_unit_test(test_crowded_timeouts),
		cmocka_unit_test(test_affinity_outlives_others),
		cmocka_unit_test(test_random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
