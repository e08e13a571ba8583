/* Elements that are out of use and wait for their removal (contract in graves.h). Pure. */
#include "graves.h"

#include <string.h>

struct grave {
	int64_t due_usec;
	size_t raw_len;
	uint8_t raw[]; /* as in a list */
};

void graves_fini(struct graves *g)
{
	void *value;

	for (size_t at = 0; map_next(&g->elems, &at, NULL, &value);)
		free(value);
	map_fini(&g->elems);
	g->due_usec = 0;
}

void graves_bury(struct graves *g, const struct nftref *e, int64_t due_usec)
{
	struct grave *grave = mem_calloc(1, sizeof(*grave) + e->raw_len);
	char key[NFT_KEY_TEXT];

	nftref_key(e, key);
	grave->due_usec = due_usec;
	grave->raw_len = e->raw_len;
	memcpy(grave->raw, e->raw, e->raw_len);
	free(map_put(&g->elems, key, grave));
	if (!g->due_usec || due_usec < g->due_usec)
		g->due_usec = due_usec;
}

static void tell(struct grave *grave, enum dataplane_family f, nftdiff_fn *fn, void *ctx)
{
	struct nftlist one = { .p = grave->raw, .len = grave->raw_len, .n = 1 };
	struct nftref e;

	for (size_t at = 0; nftlist_next(&one, f, &at, &e);)
		fn(ctx, NFT_DELETE, &e);
}

enum graves_found graves_exhume(struct graves *g, const struct nftref *e, enum dataplane_family f,
				nftdiff_fn *fn, void *ctx)
{
	AUTO_FREE struct grave *grave = NULL;
	char key[NFT_KEY_TEXT];

	nftref_key(e, key);
	grave = map_remove(&g->elems, key);
	if (!grave)
		return GRAVES_NONE;
	if (grave->raw_len == e->raw_len && !memcmp(grave->raw, e->raw, e->raw_len))
		return GRAVES_SAME;
	tell(grave, f, fn, ctx);
	return GRAVES_OTHER;
}

static bool any_due(const struct graves *g, int64_t now_usec)
{
	return g->due_usec && g->due_usec <= now_usec;
}

void graves_due(const struct graves *g, int64_t now_usec, enum dataplane_family f, nftdiff_fn *fn,
		void *ctx)
{
	void *value;

	for (size_t at = 0; any_due(g, now_usec) && map_next(&g->elems, &at, NULL, &value);) {
		struct grave *grave = value;

		if (grave->due_usec <= now_usec)
			tell(grave, f, fn, ctx);
	}
}

void graves_forget_due(struct graves *g, int64_t now_usec)
{
	int64_t next = 0;
	const char *key;
	void *value;

	if (!any_due(g, now_usec))
		return;
	for (size_t at = 0; map_next(&g->elems, &at, &key, &value);) {
		struct grave *grave = value;

		if (grave->due_usec <= now_usec) {
			map_remove(&g->elems, key);
			free(grave);
		} else if (!next || grave->due_usec < next) {
			next = grave->due_usec;
		}
	}
	g->due_usec = next;
}
