/* Hash map from string keys (copied) to pointers (borrowed). Zero-initialised is a valid empty map.
 *
 * Walk with map_next in the order in which the keys came; removing the entry just returned is
 * allowed, adding is not. Where a key stands is decided anew in each process, so that nobody can
 * choose keys that meet; no order follows from it.
 *
 * With borrows_keys, set while the map is empty, keys are not copied: a key stays as long as it is
 * in the map, mostly as a part of its value; that of a value which map_put replaces is let go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
	char *key; /* NULL: removed */
	void *value;
};

struct map {
	struct map_entry *entries;
	uint32_t *index;          /* number of an entry, from 1; 0: free */
	size_t count, used, room; /* used counts removed entries too: probing passes over them */
	size_t cap;               /* of the index */
	bool borrows_keys;
};

void map_fini(struct map *m); /* frees keys, not values */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
void *map_put(struct map *m, const char *key,
	      void *value);                       /* returns the value replaced, or NULL */
void *map_remove(struct map *m, const char *key); /* returns the value removed, or NULL */
/* *cursor starts at 0; returns false at the end. */
bool map_next(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value);
