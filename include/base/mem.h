/* Allocation that cannot fail and scope-bound ownership.
 *
 * Out of memory ends the process: every daemon here is level-triggered, so a restart is the one
 * recovery path and no allocation has an untested error branch. Sizes that come from outside are
 * bounded before they reach these calls.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *p, size_t count, size_t size);
void *mem_dup(const void *p, size_t size_bytes);
char *mem_strdup(const char *s); /* NULL gives NULL */
char *mem_strndup(const char *s, size_t max_len);

#define NEW(type) ((type *)mem_calloc(1, sizeof(type)))

/* CLEANUP(x_freep) runs x_freep(&variable) at the end of the scope; TAKE(p) moves the pointer out
 * before that. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p) \
	({ \
		__typeof__(p) take_tmp = (p); \
		(p) = NULL; \
		take_tmp; \
	})

/* DEFINE_FREEP(x_free, struct x) gives x_freep for CLEANUP. */
#define DEFINE_FREEP(fn, type) \
	__attribute__((unused)) static inline void fn##p(type **p) \
	{ \
		fn(*p); \
	}

static inline void mem_freep(void *p)
{
	void *v;

	memcpy(&v, p, sizeof(v));
	free(v);
}

#define AUTO_FREE CLEANUP(mem_freep)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
