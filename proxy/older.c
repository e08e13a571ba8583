/* Connections that are older than their zone (contract in older.h). Pure. */
#include "older.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdlib.h>
#include <string.h>

#include "nftmodel.h"

size_t older_key_len(enum dataplane_family f)
{
	return 2 * nft_addr_len(f) + 3 * sizeof(uint32_t);
}

static void put(uint8_t **at, const void *value, size_t len, size_t padded)
{
	memcpy(*at, value, len);
	*at += padded;
}

static bool is_over(const struct ctentry *e)
{
	return e->tcp_state == TCP_CONNTRACK_TIME_WAIT || e->tcp_state == TCP_CONNTRACK_CLOSE;
}

void older_note(struct older *o, const struct ctentry *e)
{
	struct olderconn c = { .zoned = e->original_zone, .marked = e->mark & o->mask };
	uint16_t ports[] = { htons(e->client_port), htons(e->to_port) };
	uint8_t *at = c.key;

	/* somebody else's zones are out of our rules' sight */
	if (e->zone || is_over(e) || e->client.len != nft_addr_len(o->family) ||
	    e->to.len != nft_addr_len(o->family))
		return;
	put(&at, e->client.b, e->client.len, e->client.len);
	put(&at, e->to.b, e->to.len, e->to.len);
	put(&at, &e->proto, sizeof(e->proto), sizeof(uint32_t));
	put(&at, &ports[0], sizeof(ports[0]), sizeof(uint32_t));
	put(&at, &ports[1], sizeof(ports[1]), sizeof(uint32_t));
	vec_push(&o->conns, c);
}

/* One with a zone comes before one of the same key without. */
static int conn_compare(const void *a, const void *b)
{
	const struct olderconn *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	return r ? r : y->zoned - x->zoned;
}

static int by_mark(const void *a, const void *b)
{
	const struct olderconn *x = a, *y = b;

	return y->marked - x->marked;
}

static bool same_key(const struct olderconn *a, const struct olderconn *b)
{
	return a && !memcmp(a->key, b->key, sizeof(a->key));
}

/* Whoever has a zone already got an entry without one by accident: while there were no rules. */
void older_settle(struct older *o)
{
	vec_sort(&o->conns, conn_compare);
	vec_keep_after(&o->conns, last, c, !same_key(last, c));
	vec_keep(&o->conns, c, !c->zoned);
	if (o->conns.n <= OLDER_MAX)
		return;
	vec_sort(&o->conns, by_mark);
	o->conns.n = OLDER_MAX;
}

void older_fini(struct older *o)
{
	vec_fini(&o->conns);
}
