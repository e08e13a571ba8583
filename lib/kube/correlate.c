/* The event correlator (contract in correlate.h). Pure.
 *
 * Three caches of what was seen lately, each bounded and oldest-used first out: groups of similar
 * events, events with their counts, and budgets of sources. Keys are 64-bit hashes: a collision
 * miscounts one event in 10^12.
 */
#include "correlate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/time.h"

enum {
	CACHE_ENTRIES = 4096,
	COMBINE_AT = 10, /* different texts */
	COMBINE_WINDOW_SEC = 600,
	SPAM_BURST = 25,
	SPAM_REFILL_SEC = 300,
};

#define USEC ((int64_t)1000000)

struct item {
	struct item *newer, *older;
	char key[20];
	union {
		struct {
			uint64_t texts[COMBINE_AT];
			unsigned n_texts;
			int64_t last_usec;
		} group;
		struct {
			int32_t count;
			int64_t first_usec;
			char *name;
		} seen;
		struct {
			double tokens;
			int64_t refilled_usec;
		} budget;
	};
};

struct cache {
	struct map items;
	struct item *newest, *oldest;
	bool names;
};

struct correlator {
	struct cache groups, seen, budgets;
};

static void unlink_item(struct cache *c, struct item *i)
{
	*(i->newer ? &i->newer->older : &c->newest) = i->older;
	*(i->older ? &i->older->newer : &c->oldest) = i->newer;
}

static void link_newest(struct cache *c, struct item *i)
{
	i->newer = NULL;
	i->older = c->newest;
	if (c->newest)
		c->newest->newer = i;
	else
		c->oldest = i;
	c->newest = i;
}

static void drop_item(struct cache *c, struct item *i)
{
	unlink_item(c, i);
	map_remove(&c->items, i->key);
	if (c->names)
		free(i->seen.name);
	free(i);
}

/* The entry for a key, new and zero when there was none. */
static struct item *use(struct cache *c, uint64_t hash, bool *ret_new)
{
	char key[20];
	struct item *i;

	snprintf(key, sizeof(key), "%016llx", (unsigned long long)hash);
	i = map_get(&c->items, key);
	*ret_new = !i;
	if (i) {
		unlink_item(c, i);
	} else {
		if (c->items.count >= CACHE_ENTRIES)
			drop_item(c, c->oldest);
		i = NEW(struct item);
		memcpy(i->key, key, sizeof(key));
		map_put(&c->items, key, i);
	}
	link_newest(c, i);
	return i;
}

static void cache_fini(struct cache *c)
{
	while (c->oldest)
		drop_item(c, c->oldest);
	map_fini(&c->items);
}

struct correlator *correlator_new(void)
{
	struct correlator *c = NEW(struct correlator);

	c->seen.names = true;
	return c;
}

void correlator_free(struct correlator *c)
{
	if (!c)
		return;
	cache_fini(&c->groups);
	cache_fini(&c->seen);
	cache_fini(&c->budgets);
	free(c);
}

static uint64_t mix(uint64_t hash, const char *text)
{
	for (text = str_or(text, ""); *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	/* a separator, so that "ab","c" and "a","bc" differ */
	return (hash ^ 0xff) * 1099511628211u;
}

static uint64_t source_and_object(const Core__Event *e)
{
	const Core__ObjectReference *o = e->involvedobject;
	uint64_t h = 14695981039346656037u;

	h = mix(h, e->source->component);
	h = mix(h, e->source->host);
	h = mix(h, o->kind);
	h = mix(h, o->namespace_);
	h = mix(h, o->name);
	h = mix(h, o->uid);
	h = mix(h, o->apiversion);
	return mix(h, e->type);
}

char *correlate_name(const char *about, int64_t now_usec)
{
	char *name = str_fmt("%s.%llx", about, (unsigned long long)now_usec * 1000);

	/* names of nodes and pods may hold what a name of an event may not, or be too long */
	for (char *c = name; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", *c))
			*c = '-';
	}
	if (strlen(name) > 253)
		memmove(name, name + strlen(name) - 200, 201);
	while (*name == '-' || *name == '.')
		*name = 'x';
	return name;
}

static bool note_text(struct item *group, uint64_t text)
{
	for (unsigned i = 0; i < group->group.n_texts; i++) {
		if (group->group.texts[i] == text)
			return false;
	}
	group->group.texts[group->group.n_texts++] = text;
	return true;
}

/* Returns the key to count the event under, and turns the tenth of a kind into a combined one. */
static uint64_t combine(struct correlator *c, Core__Event *e, int64_t now_usec)
{
	uint64_t group_key = mix(source_and_object(e), e->reason), text = mix(0, e->message);
	uint64_t own_key = mix(mix(group_key, e->involvedobject->fieldpath), e->message);
	bool is_new;
	struct item *group = use(&c->groups, group_key, &is_new);
	AUTO_FREE char *message = NULL, *name = NULL;

	if (is_new || now_usec - group->group.last_usec > COMBINE_WINDOW_SEC * USEC)
		group->group.n_texts = 0;
	note_text(group, text);
	group->group.last_usec = now_usec;
	if (group->group.n_texts < COMBINE_AT)
		return own_key;
	group->group.n_texts--;
	message = str_fmt("(combined from similar events): %s", e->message);
	name = correlate_name(e->involvedobject->name, now_usec);
	proto_set_str(&e->message, message);
	proto_set_str(&e->metadata->name, name);
	proto_set_str(&e->reportingcomponent, NULL);
	proto_set_str(&e->reportinginstance, NULL);
	return group_key;
}

static bool over_budget(struct correlator *c, const Core__Event *e, int64_t now_usec)
{
	bool is_new;
	struct item *i = use(&c->budgets, source_and_object(e), &is_new);
	double gained = is_new ? SPAM_BURST
			       : (double)(now_usec - i->budget.refilled_usec) /
				     (double)(SPAM_REFILL_SEC * USEC);

	if (gained > 0)
		i->budget.tokens += gained;
	if (i->budget.tokens > SPAM_BURST)
		i->budget.tokens = SPAM_BURST;
	i->budget.refilled_usec = now_usec;
	if (i->budget.tokens < 1)
		return true;
	i->budget.tokens -= 1;
	return false;
}

enum correlate_outcome correlate(struct correlator *c, Core__Event *e, int64_t now_usec)
{
	uint64_t key = combine(c, e, now_usec);
	bool is_new;
	struct item *i = use(&c->seen, key, &is_new);

	if (is_new) {
		i->seen.first_usec = now_usec;
		i->seen.name = mem_strdup(e->metadata->name);
	} else {
		proto_set_str(&e->metadata->name, i->seen.name);
		proto_free(e->firsttimestamp);
		e->firsttimestamp = kube_time_new(i->seen.first_usec);
	}
	i->seen.count++;
	e->has_count = true;
	e->count = i->seen.count;
	if (over_budget(c, e, now_usec))
		return CORRELATE_SKIP;
	return is_new ? CORRELATE_CREATE : CORRELATE_PATCH;
}
