/* Growing arrays of any type. Zero-initialised is a valid empty vector.
 *
 *   VEC(int) numbers = { 0 };
 *   vec_push(&numbers, 7);
 *   for (size_t i = 0; i < numbers.n; i++) use(numbers.v[i]);
 *   vec_fini(&numbers);
 */
#pragma once

#include <stdlib.h>

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

/* cmp as qsort has it */
#define vec_sort(vec, cmp) \
	do { \
		if ((vec)->n) \
			qsort((vec)->v, (vec)->n, sizeof(*(vec)->v), cmp); \
	} while (0)

/* Only elements for which the condition holds stay. In it, each points to the element and last to
 * the one that was kept before it, or is NULL. */
#define vec_keep_after(vec, last, each, condition) \
	do { \
		size_t vec_kept = 0; \
		for (size_t vec_at = 0; vec_at < (vec)->n; vec_at++) { \
			__typeof__((vec)->v) each = &(vec)->v[vec_at]; \
			__typeof__((vec)->v) last = vec_kept ? &(vec)->v[vec_kept - 1] : NULL; \
			(void)last; \
			if (condition) \
				(vec)->v[vec_kept++] = *each; \
		} \
		(vec)->n = vec_kept; \
	} while (0)
#define vec_keep(vec, each, condition) vec_keep_after(vec, vec_last, each, condition)

/* Each once. */
#define vec_sort_unique(vec, cmp) \
	do { \
		vec_sort(vec, cmp); \
		vec_keep_after(vec, vec_last, vec_each, !vec_last || cmp(vec_last, vec_each)); \
	} while (0)

#define vec_fini(vec) \
	do { \
		free((vec)->v); \
		(vec)->v = NULL; \
		(vec)->n = (vec)->cap = 0; \
	} while (0)
