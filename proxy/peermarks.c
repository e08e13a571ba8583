/* Marks of senders (contract in peermarks.h). Pure. */
#include "peermarks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void peermarks_fini(struct peermarks *m)
{
	vec_fini(&m->marks);
}

static unsigned width(uint32_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}

/* The bits of value laid out over those of mask, lowest first. */
static uint32_t deposit(uint32_t value, uint32_t mask)
{
	uint32_t out = 0;

	for (uint32_t bit = 1; bit && value; bit <<= 1) {
		if (!(mask & bit))
			continue;
		if (value & 1)
			out |= bit;
		value >>= 1;
	}
	return out;
}

static uint32_t extract(uint32_t mark, uint32_t mask)
{
	uint32_t out = 0, place = 1;

	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(mask & bit))
			continue;
		if (mark & bit)
			out |= place;
		place <<= 1;
	}
	return out;
}

static unsigned id_bits(uint32_t mask)
{
	return width(mask) - PEERMARKS_SLOT_BITS;
}

uint32_t peermarks_slot_bits(uint32_t mask, unsigned slot)
{
	return deposit((slot ? slot : (1u << PEERMARKS_SLOT_BITS) - 1) << id_bits(mask), mask);
}

/* --- slots --- */

/* The number of the device, 1 …; 0: it has none. */
static unsigned slot_of(const struct peers_slot *slots, int dev)
{
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		if (slots[i].dev == dev)
			return i + 1;
	}
	return 0;
}

static bool is_used(const struct peers *p, int dev)
{
	for (size_t i = 0; i < p->senders.n; i++) {
		if (p->senders.v[i].dev == dev)
			return true;
	}
	return false;
}

static void keep_slots(const struct peermarks *have, const netstate_links *names, struct peers *p)
{
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		if (netstate_link_at(names, have->slot[i].dev))
			p->slot[i].dev = have->slot[i].dev;
	}
}

/* The number of a slot that is free, else of one without senders; 0: there is none. */
static unsigned spare_slot(const struct peers *p)
{
	unsigned spare = slot_of(p->slot, 0);

	for (unsigned i = 0; !spare && i < PEERS_SLOTS; i++) {
		if (!is_used(p, p->slot[i].dev))
			spare = i + 1;
	}
	return spare;
}

static int take_slots(struct peers *p, struct err *e)
{
	for (size_t i = 0; i < p->senders.n; i++) {
		unsigned spare;

		if (slot_of(p->slot, p->senders.v[i].dev))
			continue;
		spare = spare_slot(p);
		if (!spare)
			return err_set(e, ERR_UNIMPLEMENTED,
				       "other nodes' packets come in by more than %d devices",
				       PEERS_SLOTS);
		p->slot[spare - 1].dev = p->senders.v[i].dev;
	}
	return 0;
}

static void name_slots(const netstate_links *names, struct peers *p)
{
	for (unsigned i = 0; i < PEERS_SLOTS; i++) {
		const struct netstate_link *l = netstate_link_at(names, p->slot[i].dev);

		if (l)
			memcpy(p->slot[i].name, l->name, IFNAMSIZ);
	}
}

/* --- ids --- */

static bool keeps(const struct peermark *m, uint32_t mask, uint32_t slot)
{
	return (m->mark & ~mask) == 0 && extract(m->mark, mask) >> id_bits(mask) == slot;
}

static struct peers_sender *sender_at(struct peers *p, int dev, const uint8_t *mac)
{
	size_t low = 0, high = p->senders.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct peers_sender *s = &p->senders.v[middle];
		int order = s->dev != dev ? s->dev - dev : memcmp(s->mac, mac, MAC_BYTES);

		if (!order)
			return s;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint32_t max_id(uint32_t mask)
{
	return id_bits(mask) < 16 ? (1u << id_bits(mask)) - 1 : UINT16_MAX;
}

struct ids_of_slot {
	bool *used, *known; /* by id: a sender's; was there before */
	uint32_t max;
};

/* Where the address's end says: should what the kernel holds be lost, it is mostly the same again.
 * Ids that were there before come last: connections may still carry them. */
static uint32_t free_id(const struct ids_of_slot *ids, const uint8_t *mac)
{
	uint32_t first = (uint32_t)(mac[4] << 8 | mac[5]);

	for (int known = 0; known < 2; known++) {
		for (uint32_t i = 0; i < ids->max; i++) {
			uint32_t id = 1 + (first + i) % ids->max;

			if (!ids->used[id] && ids->known[id] == known)
				return id;
		}
	}
	return 0;
}

static void keep_ids(const struct peermarks *have, struct peers *p, uint32_t slot,
		     struct ids_of_slot *ids)
{
	for (size_t i = 0; i < have->marks.n; i++) {
		const struct peermark *m = &have->marks.v[i];
		uint32_t number = extract(m->mark, p->mask);
		struct peers_sender *s;

		if (number >> id_bits(p->mask) == slot)
			ids->known[number & ids->max] = true;
		s = sender_at(p, p->slot[slot - 1].dev, m->mac);
		if (s && keeps(m, p->mask, slot) && (number & ids->max)) {
			s->mark = m->mark;
			ids->used[number & ids->max] = true;
		}
	}
}

static int take_ids(struct peers *p, uint32_t slot, struct ids_of_slot *ids, struct err *e)
{
	for (size_t i = 0; i < p->senders.n; i++) {
		struct peers_sender *s = &p->senders.v[i];
		uint32_t id;

		if (s->dev != p->slot[slot - 1].dev || s->mark)
			continue;
		id = free_id(ids, s->mac);
		if (!id)
			return err_set(e, ERR_INVALID, "mark 0x%x has room for %u nodes a device",
				       p->mask, ids->max);
		ids->used[id] = true;
		s->mark = deposit(slot << id_bits(p->mask) | id, p->mask);
	}
	return 0;
}

/* What is neither a sender's nor was needed for another one. */
static void keep_gone(const struct peermarks *have, struct peers *p, uint32_t slot,
		      const struct ids_of_slot *ids)
{
	if (have->slot[slot - 1].dev != p->slot[slot - 1].dev)
		return;
	for (size_t i = 0; i < have->marks.n; i++) {
		const struct peermark *m = &have->marks.v[i];
		uint32_t id = extract(m->mark, p->mask) & ids->max;

		if (keeps(m, p->mask, slot) && id && !ids->used[id] &&
		    !sender_at(p, p->slot[slot - 1].dev, m->mac))
			vec_push(&p->gone, *m);
	}
}

static void drop_empty_slot(struct peers *p, uint32_t slot)
{
	bool some = is_used(p, p->slot[slot - 1].dev);

	for (size_t i = 0; !some && i < p->gone.n; i++)
		some = keeps(&p->gone.v[i], p->mask, slot);
	if (!some)
		p->slot[slot - 1].dev = 0;
}

static int number_senders(const struct peermarks *have, struct peers *p, struct err *e)
{
	int r = 0;

	for (uint32_t slot = 1; r == 0 && slot <= PEERS_SLOTS; slot++) {
		struct ids_of_slot ids = { .max = max_id(p->mask) };

		if (!p->slot[slot - 1].dev)
			continue;
		ids.used = mem_calloc((size_t)ids.max + 1, sizeof(*ids.used));
		ids.known = mem_calloc((size_t)ids.max + 1, sizeof(*ids.known));
		keep_ids(have, p, slot, &ids);
		r = take_ids(p, slot, &ids, e);
		if (r == 0)
			keep_gone(have, p, slot, &ids);
		free(ids.used);
		free(ids.known);
		drop_empty_slot(p, slot);
	}
	return r;
}

int peermarks_assign(const struct peermarks *have, const netstate_links *names, uint32_t mask,
		     struct peers *p, struct err *e)
{
	int r = 0;

	p->mask = mask;
	if (!p->senders.n && !have->marks.n) {
		p->mask = 0;
		return 0;
	}
	if (width(mask) < PEERMARKS_MIN_BITS)
		r = err_set(e, ERR_INVALID, "mark 0x%x has fewer than %d bits", mask,
			    PEERMARKS_MIN_BITS);
	if (r == 0)
		keep_slots(have, names, p);
	if (r == 0)
		r = take_slots(p, e);
	if (r == 0)
		r = number_senders(have, p, e);
	if (r < 0) {
		p->mask = 0;
		memset(p->slot, 0, sizeof(p->slot));
		p->senders.n = p->gone.n = p->direct.n = 0;
		return -1;
	}
	if (!p->senders.n && !p->gone.n)
		p->mask = 0;
	name_slots(names, p);
	return 0;
}

int peermark_cmp(const void *a, const void *b)
{
	const struct peermark *x = a, *y = b;
	int r = (x->mark > y->mark) - (x->mark < y->mark);

	return r ? r : memcmp(x->mac, y->mac, MAC_BYTES);
}

void peermarks_sort(struct peermarks *m)
{
	vec_sort(&m->marks, peermark_cmp);
}

void peermarks_of(const struct peers *p, struct peermarks *ret)
{
	struct peermarks m = { 0 };

	memcpy(m.slot, p->slot, sizeof(m.slot));
	for (size_t i = 0; i < p->senders.n; i++) {
		struct peermark one = { .mark = p->senders.v[i].mark };

		memcpy(one.mac, p->senders.v[i].mac, MAC_BYTES);
		vec_push(&m.marks, one);
	}
	for (size_t i = 0; i < p->gone.n; i++)
		vec_push(&m.marks, p->gone.v[i]);
	peermarks_sort(&m);
	*ret = m;
}
