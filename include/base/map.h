/* Hash map from string keys (copied) to pointers (borrowed). Zero-initialised is a valid empty map.
 *
 * Walk with map_next in insertion-independent order; removing the entry just returned is allowed,
 * adding is not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct map_entry {
	char *key; /* NULL: free slot */
	void *value;
};

struct map {
	struct map_entry *slots;
	size_t count, used, cap; /* used counts removed entries too: probing passes over them */
};

void map_fini(struct map *m); /* frees keys, not values */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
void *map_put(struct map *m, const char *key,
	      void *value);                       /* returns the value replaced, or NULL */
void *map_remove(struct map *m, const char *key); /* returns the value removed, or NULL */
/* *cursor starts at 0; returns false at the end. */
bool map_next(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value);
