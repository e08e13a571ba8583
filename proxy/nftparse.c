/* What the kernel says our table holds (contract in nftparse.h). Pure. */
#include "nftparse.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "nftattr.h"
#include "nftrule.h"
#include "nftsets.h"

void nftdump_fini(struct nftdump *d)
{
	for (size_t i = 0; i < d->rules.n; i++)
		free(d->rules.v[i].expressions);
	vec_fini(&d->rules);
	vec_fini(&d->elems);
	vec_fini(&d->chains);
	vec_fini(&d->sets);
	vec_fini(&d->vmaps);
}

/* Elements */

static bool read_interval_end(const struct nftattrs *a, struct nftelem *e, size_t key_len,
			      size_t len)
{
	const uint8_t *end = nftattr_value(a->of[NFTA_SET_ELEM_KEY_END], key_len);

	if (end)
		memcpy(e->data, end + key_len - len, len);
	return end;
}

/* In milliseconds, network order; 0: it does not expire. */
static bool read_element(enum nftset set, enum dataplane_family f, const struct nlattr *elem,
			 bool key_only, struct nftelem *ret)
{
	size_t key_len = nftset_key_len(set, f), data_len = nftset_data_len(set, f);
	struct nftelem e = { .set = set };
	const void *data;
	struct nftattrs a;

	nftattrs_nested(elem, &a);
	data = nftattr_value(a.of[NFTA_SET_ELEM_KEY], key_len);
	if (!data)
		return false;
	memcpy(e.key, data, key_len);
	if (nftset_info(set)->ranges && !read_interval_end(&a, &e, key_len, data_len))
		return false;
	if (!nftset_info(set)->ranges && data_len && !key_only) {
		data = nftattr_value(a.of[NFTA_SET_ELEM_DATA], data_len);
		if (!data)
			return false;
		memcpy(e.data, data, data_len);
	}
	*ret = e;
	return true;
}

static bool read_vmap(const char *map, const struct nlattr *elem, struct skelvmap *ret)
{
	struct skelvmap v = { .name = map };
	struct nftattrs a, data, verdict;
	const void *key;
	uint32_t code;

	nftattrs_nested(elem, &a);
	key = nftattr_value(a.of[NFTA_SET_ELEM_KEY], sizeof(v.key));
	nftattrs_nested(a.of[NFTA_SET_ELEM_DATA], &data);
	nftattrs_nested(data.of[NFTA_DATA_VERDICT], &verdict);
	code = nftattr_number(verdict.of[NFTA_VERDICT_CODE]);
	if (!key || !verdict.of[NFTA_VERDICT_CODE])
		return false;
	memcpy(&v.key, key, sizeof(v.key));
	if (code == (uint32_t)NFT_GOTO)
		nftattr_copy(verdict.of[NFTA_VERDICT_CHAIN], v.chain, sizeof(v.chain));
	else if (code != NF_DROP)
		return false;
	*ret = v;
	return true;
}

/* An earlier version has senders and former ones in one set: its table is made anew, but who is
 * forgotten must not be. */
#define SENDERS_AND_FORMER "zoned"

/* The place of a set among ours, NFTSETS_COUNT: none. */
static size_t find_set(const struct nlattr *name, enum dataplane_family f, struct nftsetdef *ret)
{
	size_t i;

	for (i = 0; i < NFTSETS_COUNT; i++) {
		nftsets_get(i, f, ret);
		if (nftattr_is(name, ret->name) ||
		    (i == NFTSET_FORMER_SENDERS && nftattr_is(name, SENDERS_AND_FORMER)))
			break;
	}
	return i;
}

static int parse_elements(struct nftdump *d, const struct nftattrs *a, struct err *e)
{
	const struct nlattr *list = a->of[NFTA_SET_ELEM_LIST_ELEMENTS], *elem;
	struct nftsetdef def;
	size_t set = find_set(a->of[NFTA_SET_ELEM_LIST_SET], d->family, &def);

	if (!list || set == NFTSETS_COUNT || nftsets_is_memory(def.name))
		return 0;
	mnl_attr_for_each_nested(elem, list)
	{
		struct nftelem x;
		struct skelvmap v;
		bool ok = set < NFTSET_COUNT
			      ? read_element((enum nftset)set, d->family, elem, false, &x)
			      : read_vmap(def.name, elem, &v);

		if (!ok)
			return err_set(e, ERR_REMOTE, "an element of set %s is none of ours",
				       def.name);
		if (set < NFTSET_COUNT)
			vec_push(&d->elems, x);
		else
			vec_push(&d->vmaps, v);
	}
	return 0;
}

bool nftparse_print(const struct nlmsghdr *h, const struct nlattr *elem, struct str *out)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	enum dataplane_family f = g->nfgen_family == NFPROTO_IPV4 ? DATAPLANE_IPV4 : DATAPLANE_IPV6;
	bool key_only = (h->nlmsg_type & 0xff) == NFT_MSG_DELSETELEM;
	struct nftsetdef def;
	struct nftelem x;
	struct nftref r;
	struct nftattrs a;
	size_t set;

	nftattrs_read(h, &a);
	set = find_set(a.of[NFTA_SET_ELEM_LIST_SET], f, &def);
	if (set >= NFTSET_COUNT || !read_element((enum nftset)set, f, elem, key_only, &x))
		return false;
	r = (struct nftref){ .set = x.set, .key = x.key, .data = x.data };
	r.key_len = nftset_key_len(x.set, f);
	r.data_len = key_only && !nftset_info(x.set)->ranges ? 0 : nftset_data_len(x.set, f);
	nftref_print(&r, f, out);
	return true;
}

/* Chains, sets, rules */

static void parse_chain(struct nftdump *d, const struct nftattrs *a)
{
	struct skelchain c = { .hook = SKEL_NO_HOOK };
	struct nftattrs hook;
	bool known = !a->of[NFTA_CHAIN_HOOK];

	nftattrs_nested(a->of[NFTA_CHAIN_HOOK], &hook);
	for (unsigned i = SKEL_PREROUTING; !known && i < SKEL_HOOKS; i++) {
		const struct skel_place *place = skel_place(i);

		known = hook.of[NFTA_HOOK_HOOKNUM] &&
			nftattr_number(hook.of[NFTA_HOOK_HOOKNUM]) == place->hook &&
			(int32_t)nftattr_number(hook.of[NFTA_HOOK_PRIORITY]) == place->priority &&
			nftattr_is(a->of[NFTA_CHAIN_TYPE], place->type);
		if (known)
			c.hook = i;
	}
	if (!nftattr_copy(a->of[NFTA_CHAIN_NAME], c.name, sizeof(c.name)) || !known)
		d->foreign = true;
	else
		vec_push(&d->chains, c);
}

static void parse_set(struct nftdump *d, const struct nftattrs *a)
{
	struct nftdumpset s = { .flags = nftattr_number(a->of[NFTA_SET_FLAGS]),
				.key_type = nftattr_number(a->of[NFTA_SET_KEY_TYPE]),
				.key_len = nftattr_number(a->of[NFTA_SET_KEY_LEN]),
				.data_type = nftattr_number(a->of[NFTA_SET_DATA_TYPE]),
				.data_len = nftattr_number(a->of[NFTA_SET_DATA_LEN]) };

	if (nftattr_copy(a->of[NFTA_SET_NAME], s.name, sizeof(s.name)))
		vec_push(&d->sets, s);
	else
		d->foreign = true;
}

static void parse_rule(struct nftdump *d, const struct nftattrs *a)
{
	const struct nlattr *list = a->of[NFTA_RULE_EXPRESSIONS];
	struct nftdumprule r = { 0 };
	unsigned n;

	if (!list || !nftattr_copy(a->of[NFTA_RULE_CHAIN], r.chain, sizeof(r.chain))) {
		d->foreign = true;
		return;
	}
	r.expressions = mem_dup(list, mnl_attr_get_len(list));
	if (sscanf(r.chain, "remember%u", &n) == 1 && n < FRONT_TIMEOUT_COUNT &&
	    nftrule_timeout_sec(r.expressions))
		d->timeout_sec[n] = nftrule_timeout_sec(r.expressions);
	vec_push(&d->rules, r);
}

int nftparse_message(struct nftdump *d, const struct nlmsghdr *h, size_t len, struct err *e)
{
	struct nftattrs a;
	int r = nftattrs_message(h, len, d->family == DATAPLANE_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
				 NFT_TABLE, &a, e);

	if (r <= 0)
		return r;
	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_NEWTABLE:
		d->table = true;
		return 0;
	case NFT_MSG_NEWCHAIN:
		parse_chain(d, &a);
		return 0;
	case NFT_MSG_NEWSET:
		parse_set(d, &a);
		return 0;
	case NFT_MSG_NEWRULE:
		parse_rule(d, &a);
		return 0;
	case NFT_MSG_NEWSETELEM:
		return parse_elements(d, &a, e);
	default:
		return 0;
	}
}

/* Comparison */

static bool same_sets(const struct nftdump *d)
{
	size_t found = 0;

	for (size_t i = 0; i < d->sets.n; i++) {
		const struct nftdumpset *s = &d->sets.v[i];

		for (size_t j = 0; j < NFTSETS_COUNT; j++) {
			struct nftsetdef w;

			nftsets_get(j, d->family, &w);
			found += str_eq(w.name, s->name) && w.key_type == s->key_type &&
				 w.key_len == s->key_len && w.data_type == s->data_type &&
				 (!w.data_len || w.data_len == s->data_len) &&
				 (s->flags & w.flags) == w.flags;
		}
	}
	return found == NFTSETS_COUNT && d->sets.n == NFTSETS_COUNT;
}

/* The same n values, in whatever order. */
static bool same_values(const void *a, const void *b, size_t n, size_t size,
			int (*compare)(const void *, const void *))
{
	AUTO_FREE char *x = mem_dup(a, n * size);
	AUTO_FREE char *y = mem_dup(b, n * size);
	bool same = true;

	qsort(x, n, size, compare);
	qsort(y, n, size, compare);
	for (size_t i = 0; i < n; i++)
		same &= !compare(x + i * size, y + i * size);
	return same;
}

static int chain_compare(const void *a, const void *b)
{
	const struct skelchain *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->hook > y->hook) - (x->hook < y->hook);
}

static bool same_chains(const struct nftdump *d, const struct skeleton *want)
{
	return d->chains.n == want->chains.n &&
	       same_values(d->chains.v, want->chains.v, want->chains.n, sizeof(*want->chains.v),
			   chain_compare);
}

static int vmap_compare(const void *a, const void *b)
{
	const struct skelvmap *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (!r)
		r = (x->key > y->key) - (x->key < y->key);
	return r ? r : strcmp(x->chain, y->chain);
}

static bool same_vmaps(const struct nftdump *d, const struct skeleton *want)
{
	return d->vmaps.n == want->vmaps.n && same_values(d->vmaps.v, want->vmaps.v, want->vmaps.n,
							  sizeof(*want->vmaps.v), vmap_compare);
}

bool nftparse_same_frame(const struct nftdump *d, const struct skeleton *want)
{
	return d->table && !d->foreign && same_sets(d) && same_chains(d, want) &&
	       same_vmaps(d, want);
}

/* The first rule of that chain at or after i: n or d->rules.n, there is none. */
static size_t next_have(const struct nftdump *d, const char *chain, size_t i)
{
	while (i < d->rules.n && strcmp(d->rules.v[i].chain, chain))
		i++;
	return i;
}

static size_t next_want(const struct skeleton *s, const char *chain, size_t i)
{
	while (i < s->rules.n && strcmp(s->rules.v[i].chain, chain))
		i++;
	return i;
}

bool nftparse_same_chain(const struct nftdump *d, const struct skeleton *want, const char *chain)
{
	size_t h = next_have(d, chain, 0), w = next_want(want, chain, 0);

	while (h < d->rules.n && w < want->rules.n) {
		if (!nftrule_equals(d->rules.v[h].expressions, &want->rules.v[w], want->family))
			return false;
		h = next_have(d, chain, h + 1);
		w = next_want(want, chain, w + 1);
	}
	return h == d->rules.n && w == want->rules.n;
}

bool nftparse_differing_chains(const struct nftdump *d, const struct skeleton *want, bool *differs)
{
	bool some = false;

	for (size_t i = 0; i < want->chains.n; i++)
		some |= differs[i] = !nftparse_same_chain(d, want, want->chains.v[i].name);
	return some;
}
