/* Numbers of endpoint lists: given out, taken back, never two lists with one. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
	uint64_t *word; /* bit i: number i is in use */
	size_t n_words;
	uint32_t next; /* above all that were ever taken */
};

void ids_fini(struct ids *s);
/* The next one ≥ 1 that was not used yet, else the lowest free one: what somebody may remember of a
 * number is long forgotten when it is used again. step and rest: of numbers with value % step ==
 * rest only. 0: none left up to max. */
uint32_t ids_take(struct ids *s, uint32_t step, uint32_t rest, uint32_t max);
bool ids_claim(struct ids *s, uint32_t id); /* false: in use */
void ids_give(struct ids *s, uint32_t id);
