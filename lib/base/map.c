/* Open-addressing hash map (contract in base/map.h). Pure. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A removed entry keeps this key so that probing goes on behind it. */
static char tombstone[] = "";

static bool live(const struct map_entry *s)
{
	return s->key && s->key != tombstone;
}

static unsigned hash_key(const char *s)
{
	unsigned h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

void map_fini(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++) {
		if (live(&m->slots[i]))
			free(m->slots[i].key);
	}
	free(m->slots);
	*m = (struct map){ 0 };
}

static struct map_entry *find(const struct map *m, const char *key)
{
	unsigned hash = hash_key(key);

	for (size_t i = 0; i < m->cap; i++) {
		struct map_entry *s = &m->slots[(hash + i) & (m->cap - 1)];

		if (!s->key)
			return NULL;
		if (s->key != tombstone && !strcmp(s->key, key))
			return s;
	}
	return NULL;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *s = find(m, key);

	return s ? s->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
	return find(m, key) != NULL;
}

static void insert(struct map *m, char *key, void *value)
{
	unsigned hash = hash_key(key);

	for (size_t i = 0;; i++) {
		struct map_entry *s = &m->slots[(hash + i) & (m->cap - 1)];

		if (live(s))
			continue;
		m->used += s->key == NULL;
		*s = (struct map_entry){ .key = key, .value = value };
		m->count++;
		return;
	}
}

/* Doubles when full of live entries; else only sweeps the removed ones out. */
static void rehash(struct map *m)
{
	struct map old = *m;

	*m = (struct map){ .cap = !old.cap ? 16 : 2 * old.count > old.cap ? 2 * old.cap : old.cap };
	m->slots = mem_calloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++) {
		if (live(&old.slots[i]))
			insert(m, old.slots[i].key, old.slots[i].value);
	}
	free(old.slots);
}

void *map_put(struct map *m, const char *key, void *value)
{
	struct map_entry *s = find(m, key);

	if (s) {
		void *before = s->value;

		s->value = value;
		return before;
	}
	if (4 * (m->used + 1) > 3 * m->cap)
		rehash(m);
	insert(m, mem_strdup(key), value);
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	struct map_entry *s = find(m, key);
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	free(s->key);
	s->key = tombstone;
	s->value = NULL;
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value)
{
	while (*cursor < m->cap) {
		const struct map_entry *s = &m->slots[(*cursor)++];

		if (!live(s))
			continue;
		if (ret_key)
			*ret_key = s->key;
		if (ret_value)
			*ret_value = s->value;
		return true;
	}
	return false;
}
