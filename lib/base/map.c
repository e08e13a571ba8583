/* Open-addressing hash map (contract in base/map.h). Pure.
 *
 * Entries stand in the order in which they came; an index beside them is probed.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/mem.h"
#include "base/siphash.h"

enum { CAP_MIN = 16, ROOM_MIN = 4 };

/* The key is the random bytes that the kernel gives each process; a hash does not tell them. */
static size_t hash_key(const char *s)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t key[2] = { 0 };

	if (random)
		memcpy(key, random, sizeof(key));
	return (size_t)siphash13(s, strlen(s), key);
}

void map_fini(struct map *m)
{
	for (size_t i = 0; !m->borrows_keys && i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->index);
	*m = (struct map){ .borrows_keys = m->borrows_keys };
}

static struct map_entry *find(const struct map *m, const char *key)
{
	size_t at;

	if (!m->count)
		return NULL;
	for (at = hash_key(key) & (m->cap - 1); m->index[at]; at = (at + 1) & (m->cap - 1)) {
		struct map_entry *s = &m->entries[m->index[at] - 1];

		if (s->key && !strcmp(s->key, key))
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

static void enter(struct map *m, size_t number)
{
	size_t at = hash_key(m->entries[number].key) & (m->cap - 1);

	while (m->index[at])
		at = (at + 1) & (m->cap - 1);
	m->index[at] = (uint32_t)number + 1;
}

/* Doubles when full of live entries; else only sweeps the removed ones out. */
static void rehash(struct map *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->used; i++) {
		if (m->entries[i].key)
			m->entries[kept++] = m->entries[i];
	}
	m->used = kept;
	if (2 * m->count >= m->cap)
		m->cap = m->cap ? 2 * m->cap : CAP_MIN;
	free(m->index);
	m->index = mem_calloc(m->cap, sizeof(*m->index));
	for (size_t i = 0; i < m->used; i++)
		enter(m, i);
}

static void add(struct map *m, const char *key, void *value)
{
	char *own = m->borrows_keys ? (char *)key : mem_strdup(key);

	if (4 * (m->used + 1) > 3 * m->cap)
		rehash(m);
	if (m->used == m->room) {
		m->room = m->room ? m->room + m->room / 2 : ROOM_MIN;
		m->entries = mem_realloc(m->entries, m->room, sizeof(*m->entries));
	}
	m->entries[m->used] = (struct map_entry){ .key = own, .value = value };
	enter(m, m->used++);
	m->count++;
}

void *map_put(struct map *m, const char *key, void *value)
{
	struct map_entry *s = find(m, key);

	if (s) {
		void *before = s->value;

		s->value = value;
		if (m->borrows_keys)
			s->key = (char *)key;
		return before;
	}
	add(m, key, value);
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	struct map_entry *s = find(m, key);
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	if (!m->borrows_keys)
		free(s->key);
	*s = (struct map_entry){ 0 };
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value)
{
	while (*cursor < m->used) {
		const struct map_entry *s = &m->entries[(*cursor)++];

		if (!s->key)
			continue;
		if (ret_key)
			*ret_key = s->key;
		if (ret_value)
			*ret_value = s->value;
		return true;
	}
	return false;
}
