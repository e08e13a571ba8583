/* Growing arrays of any type. Zero-initialised is a valid empty vector.
 *
 *   VEC(int) numbers = { 0 };
 *   vec_push(&numbers, 7);
 *   for (size_t i = 0; i < numbers.n; i++) use(numbers.v[i]);
 *   vec_fini(&numbers);
 */
#pragma once

#include "base/mem.h"

#define VEC(type) \
	struct { \
		type *v; \
		size_t n, cap; \
	}

#define vec_push(vec, ...) \
	do { \
		if ((vec)->n == (vec)->cap) { \
			(vec)->cap = (vec)->cap ? 2 * (vec)->cap : 4; \
			(vec)->v = mem_realloc((vec)->v, (vec)->cap, sizeof(*(vec)->v)); \
		} \
		(vec)->v[(vec)->n++] = (__VA_ARGS__); \
	} while (0)

/* removes element i, keeping the order */
#define vec_remove(vec, i) \
	do { \
		size_t vec_at = (i); \
		memmove(&(vec)->v[vec_at], &(vec)->v[vec_at + 1], \
			((vec)->n - vec_at - 1) * sizeof(*(vec)->v)); \
		(vec)->n--; \
	} while (0)

#define vec_fini(vec) \
	do { \
		free((vec)->v); \
		(vec)->v = NULL; \
		(vec)->n = (vec)->cap = 0; \
	} while (0)
