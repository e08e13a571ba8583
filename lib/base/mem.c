/* Allocation that ends the process on failure (contract in base/mem.h). Effect: abort only. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>

static void out_of_memory(size_t size)
{
	fprintf(stderr, "out of memory allocating %zu bytes\n", size);
	abort();
}

void *mem_calloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory(count * size);
	return p;
}

void *mem_realloc(void *p, size_t count, size_t size)
{
	void *q;

	if (size && count > SIZE_MAX / size)
		out_of_memory(SIZE_MAX);
	q = realloc(p, count && size ? count * size : 1);
	if (!q)
		out_of_memory(count * size);
	return q;
}

void *mem_dup(const void *p, size_t size_bytes)
{
	void *q = mem_realloc(NULL, size_bytes, 1);

	if (size_bytes)
		memcpy(q, p, size_bytes);
	return q;
}

char *mem_strdup(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *mem_strndup(const char *s, size_t max_len)
{
	size_t len = strnlen(s, max_len);
	char *p = mem_realloc(NULL, len + 1, 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}
