/* A packet's way through our table (contract in nft-walker.h). Pure. */
#include "nft-walker.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "older.h"

enum { WORDS = 16, DEPTH_MAX = 16 };

enum step { NEXT_OP, NEXT_RULE, RETURNED, ENDED };

struct state {
	struct walk_table *t;
	struct walk_packet *p;
	uint8_t reg[4 * WORDS];
	unsigned choice, choices, lookups;
	enum walk_verdict verdict;
	int depth;
};

static enum step run_chain(struct state *s, const char *chain);

static void fail(const char *what, const char *name)
{
	fprintf(stderr, "nft-walker: %s: %s\n", what, name);
	abort();
}

static uint32_t get(const struct state *s, uint32_t word)
{
	uint32_t v;

	memcpy(&v, s->reg + 4 * word, sizeof(v));
	return v;
}

static void set(struct state *s, uint32_t word, uint32_t v)
{
	memcpy(s->reg + 4 * word, &v, sizeof(v));
}

static void set_bytes(struct state *s, uint32_t word, const void *bytes, size_t n)
{
	set(s, word, 0);
	memcpy(s->reg + 4 * word, bytes, n);
}

static bool in_range(const struct nftref *e, const uint8_t *key)
{
	size_t fixed = e->key_len - e->data_len;
	size_t len = e->data_len / nftset_info(e->set)->ranges;
	bool in = !memcmp(e->key, key, fixed);

	for (size_t at = 0; at < e->data_len; at += len)
		in &= memcmp(key + fixed + at, e->key + fixed + at, len) >= 0 &&
		      memcmp(key + fixed + at, e->data + at, len) <= 0;
	return in;
}

static bool find(struct state *s, const char *name, const uint8_t *key, struct nftref *ret)
{
	const struct nftlist *list = s->t->list;

	if (!strcmp(name, SKEL_OLDER))
		return s->t->older && !memcmp(s->t->older, key, older_key_len(s->t->skel->family));
	if (s->t->later && s->lookups++ >= s->t->later_after)
		list = s->t->later;
	for (size_t at = 0; nftlist_next(list, s->t->skel->family, &at, ret);) {
		const struct nftset_info *info = nftset_info(ret->set);

		if (strcmp(info->name, name))
			continue;
		if (info->ranges ? in_range(ret, key) : !memcmp(ret->key, key, ret->key_len))
			return true;
	}
	return false;
}

static size_t client_len(const struct state *s)
{
	return 4 + nft_addr_len(s->t->skel->family);
}

static bool lookup_data(struct state *s, const struct skelop *o)
{
	struct nftref e;

	if (!strcmp(o->name, SKEL_AFFINITY)) {
		for (size_t i = 0; i < s->t->clients.n; i++) {
			if (!memcmp(s->t->clients.v[i].key, s->reg + 4 * o->a, client_len(s))) {
				set(s, o->b, s->t->clients.v[i].value);
				return true;
			}
		}
		return false;
	}
	if (!find(s, o->name, s->reg + 4 * o->a, &e))
		return false;
	memcpy(s->reg + 4 * o->b, e.data, e.data_len);
	return true;
}

static void update(struct state *s, const struct skelop *o)
{
	struct walk_client c = { .value = get(s, o->b), .timeout_sec = o->c };

	memcpy(c.key, s->reg + 4 * o->a, client_len(s));
	for (size_t i = 0; i < s->t->clients.n; i++) {
		if (!memcmp(s->t->clients.v[i].key, c.key, sizeof(c.key)))
			return;
	}
	vec_push(&s->t->clients, c);
}

static enum step jump_to(struct state *s, const char *chain, bool back)
{
	enum step step = run_chain(s, chain);

	return step == ENDED ? ENDED : back ? NEXT_OP : RETURNED;
}

static enum step vmap(struct state *s, const struct skelop *o)
{
	for (size_t i = 0; i < s->t->skel->vmaps.n; i++) {
		const struct skelvmap *v = &s->t->skel->vmaps.v[i];

		if (strcmp(v->name, o->name) || v->key != get(s, o->a))
			continue;
		if (v->chain[0])
			return jump_to(s, v->chain, false);
		s->verdict = WALK_DROP;
		return ENDED;
	}
	return NEXT_RULE;
}

static void load(struct state *s, const struct skelop *o)
{
	const struct walk_packet *p = s->p;
	uint16_t port = htons(p->dport), from = htons(p->sport);
	char name[16] = "";

	switch (o->op) {
	case SKEL_LOAD_DADDR:
		set_bytes(s, o->a, p->daddr.b, p->daddr.len);
		break;
	case SKEL_LOAD_SADDR:
		set_bytes(s, o->a, p->saddr.b, p->saddr.len);
		break;
	case SKEL_LOAD_PROTO:
		set_bytes(s, o->a, &p->proto, 1);
		break;
	case SKEL_LOAD_DPORT:
		set_bytes(s, o->a, &port, 2);
		break;
	case SKEL_LOAD_SPORT:
		set_bytes(s, o->a, &from, 2);
		break;
	case SKEL_LOAD_TRANSPORT:
		if (o->b + o->c > sizeof(p->transport))
			fail("read behind the packet", "");
		set_bytes(s, o->a, p->transport + o->b, o->c);
		break;
	case SKEL_LOAD_PRIORITY:
		set(s, o->a, p->priority);
		break;
	case SKEL_LOAD_MARK:
		set(s, o->a, p->mark);
		break;
	case SKEL_LOAD_IIFNAME:
		snprintf(name, sizeof(name), "%s", p->iif ? p->iif : "");
		memcpy(s->reg + 4 * o->a, name, sizeof(name));
		break;
	case SKEL_LOAD_IIF:
		set(s, o->a, p->iif_index);
		break;
	case SKEL_LOAD_OIF:
		set(s, o->a, p->oif_index);
		break;
	case SKEL_LOAD_ETHER_SADDR:
		set(s, o->a + 1, 0);
		memcpy(s->reg + 4 * o->a, p->ether_saddr, MAC_BYTES);
		break;
	case SKEL_LOAD_ETHER_SADDR_END:
		set_bytes(s, o->a, p->ether_saddr + MAC_BYTES - 2, 2);
		break;
	case SKEL_LOAD_CT_MARK:
		set(s, o->a, p->ct_mark);
		break;
	case SKEL_LOAD_CT_DIRECTION:
		set(s, o->a, p->reply);
		break;
	case SKEL_LOAD_CT_STATUS:
		set(s, o->a, p->dnat ? IPS_DST_NAT : 0);
		break;
	case SKEL_LOAD_ADDR_TYPE:
		set(s, o->a, p->local_daddr ? RTN_LOCAL : RTN_UNICAST);
		break;
	case SKEL_ZERO:
		set(s, o->a, 0);
		break;
	default:
		fail("unknown operation", "");
	}
}

static void mask_addr(struct state *s, const struct skelop *o)
{
	struct addr a = { .len = (uint8_t)nft_addr_len(s->t->skel->family) };
	struct prefix p;

	memcpy(a.b, s->reg + 4 * o->a, a.len);
	p = prefix_of(&a, (uint8_t)o->b);
	memcpy(s->reg + 4 * o->a, p.addr.b, a.len);
}

static void dnat(struct state *s, const struct skelop *o)
{
	struct walk_packet *p = s->p;
	uint16_t port;

	p->daddr.len = (uint8_t)nft_addr_len(s->t->skel->family);
	memcpy(p->daddr.b, s->reg + 4 * o->a, p->daddr.len);
	memcpy(&port, s->reg + 4 * o->a + p->daddr.len, sizeof(port));
	p->dport = ntohs(port);
	p->dnat = true;
	s->verdict = WALK_DNAT;
}

static enum step match(bool yes)
{
	return yes ? NEXT_OP : NEXT_RULE;
}

static enum step act(struct state *s, const struct skelop *o)
{
	switch (o->op) {
	case SKEL_REFRESH:
		if (!strcmp(o->name, SKEL_OLDER))
			s->p->refreshed = true;
		else
			s->p->renewed = true;
		return NEXT_OP;
	case SKEL_UPDATE:
		update(s, o);
		return NEXT_OP;
	case SKEL_FORGET:
		vec_keep(&s->t->clients, c, memcmp(c->key, s->reg + 4 * o->a, client_len(s)));
		return NEXT_OP;
	case SKEL_SET_PRIORITY:
		s->p->priority = get(s, o->a);
		return NEXT_OP;
	case SKEL_SET_MARK:
		s->p->mark = get(s, o->a);
		return NEXT_OP;
	case SKEL_SET_CT_MARK:
		s->p->ct_mark = get(s, o->a);
		return NEXT_OP;
	case SKEL_SET_CT_ZONE:
		memcpy(&s->p->zone, s->reg + 4 * o->a, sizeof(s->p->zone));
		return NEXT_OP;
	case SKEL_JUMP:
		return jump_to(s, o->name, true);
	case SKEL_GOTO:
		return jump_to(s, o->name, false);
	case SKEL_RETURN:
		return RETURNED;
	case SKEL_MASQUERADE:
		s->p->masquerade = true;
		return ENDED;
	case SKEL_DNAT:
		dnat(s, o);
		return ENDED;
	case SKEL_DROP:
	case SKEL_REJECT:
	case SKEL_REJECT_RESET:
		s->verdict = o->op == SKEL_DROP     ? WALK_DROP
			     : o->op == SKEL_REJECT ? WALK_REJECT
						    : WALK_RESET;
		return ENDED;
	default:
		load(s, o);
		return NEXT_OP;
	}
}

static enum step run_op(struct state *s, const struct skelop *o)
{
	struct nftref e;

	switch (o->op) {
	case SKEL_MASK:
		set(s, o->a, (get(s, o->a) & o->b) ^ o->c);
		return NEXT_OP;
	case SKEL_MASK_ADDR:
		mask_addr(s, o);
		return NEXT_OP;
	case SKEL_SWAP:
		set(s, o->a, htonl(get(s, o->a)));
		return NEXT_OP;
	case SKEL_IS:
		return match(get(s, o->a) == o->b);
	case SKEL_IS_NOT:
		return match(get(s, o->a) != o->b);
	case SKEL_IS_BYTES:
		return match(!memcmp(s->reg + 4 * o->a, o->bytes, o->len));
	case SKEL_IS_NOT_BYTES:
		return match(memcmp(s->reg + 4 * o->a, o->bytes, o->len) != 0);
	case SKEL_RANDOM:
		s->choices = o->b;
		set(s, o->a, s->choice % o->b);
		return NEXT_OP;
	case SKEL_LOOKUP:
		return match(find(s, o->name, s->reg + 4 * o->a, &e));
	case SKEL_LOOKUP_NOT:
		return match(!find(s, o->name, s->reg + 4 * o->a, &e));
	case SKEL_LOOKUP_DATA:
		return match(lookup_data(s, o));
	case SKEL_VMAP:
		return vmap(s, o);
	default:
		return act(s, o);
	}
}

static enum step run_rule(struct state *s, const struct skelrule *r)
{
	enum step step = NEXT_OP;

	for (size_t i = 0; step == NEXT_OP && i < r->n; i++)
		step = run_op(s, &r->op[i]);
	return step;
}

static enum step run_chain(struct state *s, const char *chain)
{
	enum step step = NEXT_RULE;
	bool known = false;

	if (++s->depth > DEPTH_MAX)
		fail("the kernel allows 16 jumps", chain);
	for (size_t i = 0; i < s->t->skel->chains.n; i++)
		known |= !strcmp(s->t->skel->chains.v[i].name, chain);
	if (!known)
		fail("no such chain", chain);
	for (size_t i = 0; i < s->t->skel->rules.n; i++) {
		if (strcmp(s->t->skel->rules.v[i].chain, chain))
			continue;
		step = run_rule(s, &s->t->skel->rules.v[i]);
		if (step == RETURNED || step == ENDED)
			break;
	}
	s->depth--;
	return step == ENDED ? ENDED : RETURNED;
}

static const char *base_chain(const struct skeleton *skel, enum skel_hook hook)
{
	for (size_t i = 0; i < skel->chains.n; i++) {
		if (skel->chains.v[i].hook == hook)
			return skel->chains.v[i].name;
	}
	fail("no base chain", "");
	return NULL;
}

enum walk_verdict walk(struct walk_table *t, struct walk_packet *p, enum skel_hook hook,
		       unsigned choice, unsigned *ret_choices)
{
	struct state s = { .t = t, .p = p, .choice = choice, .choices = 1 };

	run_chain(&s, base_chain(t->skel, hook));
	*ret_choices = s.choices;
	if (s.verdict == WALK_PASS || s.verdict == WALK_DNAT)
		run_chain(&s, base_chain(t->skel, SKEL_POSTROUTING));
	return s.verdict;
}
