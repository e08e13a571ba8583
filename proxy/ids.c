/* Numbers of endpoint lists (contract in ids.h). Pure. */
#include "ids.h"

#include "base/mem.h"

void ids_fini(struct ids *s)
{
	free(s->word);
	vec_fini(&s->freed);
	*s = (struct ids){ 0 };
}

static void grow(struct ids *s, size_t words)
{
	if (words <= s->n_words)
		return;
	s->word = mem_realloc(s->word, words, sizeof(*s->word));
	memset(s->word + s->n_words, 0, (words - s->n_words) * sizeof(*s->word));
	s->n_words = words;
	s->word[0] |= 1; /* 0 means none */
}

bool ids_claim(struct ids *s, uint32_t id)
{
	uint64_t bit = (uint64_t)1 << id % 64;

	grow(s, id / 64 + 1);
	if (s->word[id / 64] & bit)
		return false;
	s->word[id / 64] |= bit;
	if (id >= s->next)
		s->next = id + 1;
	return true;
}

static uint32_t take_from(struct ids *s, uint32_t from, uint32_t step, uint32_t rest, uint32_t max)
{
	uint32_t id = from / step * step + rest;

	for (id = id < from ? id + step : id; id <= max; id += step) {
		if (ids_claim(s, id))
			return id;
	}
	return 0;
}

uint32_t ids_take(struct ids *s, uint32_t step, uint32_t rest, uint32_t max)
{
	uint32_t id = take_from(s, s->next, step, rest, max);

	return id ? id : take_from(s, 0, step, rest, max);
}

void ids_give(struct ids *s, uint32_t id, int64_t due_usec)
{
	if (id)
		vec_push(&s->freed, (struct ids_freed){ .due_usec = due_usec, .id = id });
}

void ids_tick(struct ids *s, int64_t now_usec)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->freed.n; i++) {
		uint32_t id = s->freed.v[i].id;

		if (s->freed.v[i].due_usec > now_usec)
			s->freed.v[kept++] = s->freed.v[i];
		else if (id / 64 < s->n_words)
			s->word[id / 64] &= ~((uint64_t)1 << id % 64);
	}
	s->freed.n = kept;
}

int64_t ids_due_usec(const struct ids *s)
{
	int64_t due = 0;

	for (size_t i = 0; i < s->freed.n; i++) {
		if (!due || s->freed.v[i].due_usec < due)
			due = s->freed.v[i].due_usec;
	}
	return due;
}
