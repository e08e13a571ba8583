/* What stays in the sets of zones (contract in linger.h). Pure. */
#include "linger.h"

#include <stdlib.h>
#include <string.h>

#include "netstate.h"

struct ether {
	uint8_t b[MAC_BYTES];
};
typedef VEC(struct ether) ethers;

static int ether_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ether));
}

static void note(ethers *v, const uint8_t *mac)
{
	struct ether e;

	memcpy(e.b, mac, sizeof(e.b));
	vec_push(v, e);
}

static bool knows(const ethers *v, const uint8_t *mac)
{
	return v->n && bsearch(mac, v->v, v->n, sizeof(*v->v), ether_compare);
}

static struct nftelem elem_of(const struct nftref *r)
{
	struct nftelem e = { .set = r->set };

	memcpy(e.key, r->key, r->key_len);
	memcpy(e.data, r->data, r->data_len);
	return e;
}

/* Where the last of the sorted elements is that is not behind e; n: there is none. */
static size_t last_before(const nftelems *sorted, size_t n, const struct nftelem *e)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (nftelem_compare(&sorted->v[middle], e) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : n;
}

static bool has(const nftelems *sorted, size_t n, const struct nftelem *e)
{
	size_t at = last_before(sorted, n, e);

	return at < n && !nftelem_compare(&sorted->v[at], e);
}

/* Whether a wanted range of the same address has something in common with that one; wanted ones of
 * one address are disjoint. */
static bool overlaps(const nftelems *sorted, size_t n, const struct nftelem *e,
		     enum dataplane_family f)
{
	size_t ether = nft_type_len(NFT_TYPE_ETHER, f), len = nft_addr_len(f), at;
	struct nftelem end = *e;
	const struct nftelem *w;

	memcpy(end.key + ether, e->data, len);
	at = last_before(sorted, n, &end);
	w = &sorted->v[at];
	return at < n && w->set == e->set && !memcmp(w->key, e->key, ether) &&
	       memcmp(w->data, e->key + ether, len) >= 0;
}

static const uint8_t *ether_of(const struct nftelem *sender)
{
	return sender->key + nft_type_len(NFT_TYPE_DEVICE, DATAPLANE_IPV4);
}

static bool is_sender(enum nftset set)
{
	return set == NFTSET_SENDERS || set == NFTSET_FORMER_SENDERS;
}

static void linger_senders(const struct nftlist *before, enum dataplane_family f, size_t n,
			   nftelems *wanted)
{
	struct nftref r;

	for (size_t at = 0; nftlist_next(before, f, &at, &r);) {
		struct nftelem e = { .set = NFTSET_SENDERS };

		if (!is_sender(r.set) || wanted->n - n == LINGER_MAX)
			continue;
		memcpy(e.key, r.key, r.key_len);
		if (has(wanted, n, &e))
			continue;
		e.set = NFTSET_FORMER_SENDERS;
		vec_push(wanted, e);
	}
}

static void linger_home(const struct nftlist *before, enum dataplane_family f, size_t n,
			const ethers *senders, nftelems *wanted)
{
	size_t had = wanted->n;
	struct nftref r;

	for (size_t at = 0; nftlist_next(before, f, &at, &r);) {
		struct nftelem e;

		if (r.set != NFTSET_HOME || wanted->n - had == LINGER_MAX)
			continue;
		e = elem_of(&r);
		if (knows(senders, e.key) && !overlaps(wanted, n, &e, f))
			vec_push(wanted, e);
	}
}

void linger(const struct nftlist *before, enum dataplane_family f, nftelems *wanted)
{
	size_t n = wanted->n;
	ethers senders = { 0 };

	vec_sort(wanted, nftelem_compare);
	linger_senders(before, f, n, wanted);
	for (size_t i = 0; i < wanted->n; i++) {
		if (is_sender(wanted->v[i].set))
			note(&senders, ether_of(&wanted->v[i]));
	}
	vec_sort(&senders, ether_compare);
	linger_home(before, f, n, &senders, wanted);
	vec_fini(&senders);
}
