/* Numbers of endpoint lists: given out, taken back, never two lists with one. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct ids_freed {
	int64_t due_usec;
	uint32_t id;
};

struct ids {
	uint64_t *word; /* bit i: number i is in use */
	size_t n_words;
	uint32_t next; /* above all that were ever taken */
	VEC(struct ids_freed) freed;
};

void ids_fini(struct ids *s);
/* The next one ≥ 1 that was not used yet, else the lowest free one: what somebody may remember of a
 * number is long forgotten when it is used again. step and rest: of numbers with value % step ==
 * rest only. 0: none left up to max. */
uint32_t ids_take(struct ids *s, uint32_t step, uint32_t rest, uint32_t max);
bool ids_claim(struct ids *s, uint32_t id); /* false: in use */
/* Free for others from then on; ids_tick carries it out. */
void ids_give(struct ids *s, uint32_t id, int64_t due_usec);
void ids_tick(struct ids *s, int64_t now_usec);
int64_t ids_due_usec(const struct ids *s); /* of the first, 0: there is none */
