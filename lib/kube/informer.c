/* Watched copies of objects (contract in kube/informer.h). Effect.
 *
 * States: LIST and WATCHLIST fill the copy anew (a generation), WATCH keeps it, BACKOFF waits. What
 * a generation did not bring is deleted when its list is complete, never before.
 */
#include "kube/informer.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/uuid.h"
#include "call.h"
#include "kube/codec.h"

enum {
	PAGE_OBJECTS = 500,
	FRAME_BYTES_MAX = 16 << 20,
	WATCH_MIN_SEC = 300, /* the server ends a watch after 5 to 10 minutes; spread */
	BACKOFF_MIN_MSEC = 800,
	BACKOFF_MAX_MSEC = 30000,
	BACKOFF_FORGET_SEC = 120,
	REACHABLE_SPREAD_MSEC = 1000,
};

enum state { STATE_WATCHLIST, STATE_LIST, STATE_WATCH, STATE_BACKOFF };

struct entry {
	struct kube_object *object; /* NULL in a thin informer */
	unsigned generation;
	char key[]; /* ns/name; in a thin one its version and packed UID follow */
};

struct informer {
	struct kube_client *client;
	enum kube_kind kind;
	char *ns, *field_selector, *label_selector;
	const struct informer_ops *ops;
	void *ctx;
	struct map entries; /* "ns/name" -> struct entry, which has it */
	unsigned generation;
	enum state state;
	bool synced, no_watchlist, thin;
	bool listed; /* the copy was whole once: a watch may resume from version */
	char *version, *page;
	struct kube_call *call;
	sd_event_source *timer;
	struct client_hook hook;
	struct str frame; /* bytes of an unfinished frame */
	unsigned backoff_msec;
	int64_t failed_usec;
	bool lost; /* the stream told an error; why is in e */
	struct err e;
};

static void start(struct informer *inf);

/* ---- the copy ---- */

static char *key_of(const char *ns, const char *name)
{
	return str_fmt("%s/%s", str_or(ns, ""), name);
}

static void remember_version(struct informer *inf, const char *version)
{
	if (str_empty(version) || str_eq(inf->version, version))
		return;
	free(inf->version);
	inf->version = mem_strdup(version);
}

static const char *behind(const char *text)
{
	return text + strlen(text) + 1;
}

static const char *entry_version(const struct entry *known)
{
	return known->object ? known->object->meta->resourceversion : behind(known->key);
}

/* A UID is a UUID, and takes half as much as bytes; any other text stays as it is. */
enum { UID_PACKED = 'b', UID_PLAIN = 't' };

static size_t pack_uid(const char *uid, char *out)
{
	size_t len = strlen(uid) + 1;

	out[0] = UID_PACKED;
	if (uuid_pack(uid, (uint8_t *)out + 1))
		return 1 + UUID_BYTES;
	out[0] = UID_PLAIN;
	memcpy(out + 1, uid, len);
	return 1 + len;
}

static const char *entry_uid(const struct entry *known, char buf[UUID_TEXT])
{
	const char *packed;

	if (known->object)
		return str_or(known->object->meta->uid, "");
	packed = behind(behind(known->key));
	return *packed == UID_PLAIN ? packed + 1 : uuid_text((const uint8_t *)packed + 1, buf);
}

static struct entry *entry_new(const struct informer *inf, const char *key, struct kube_object *o)
{
	const char *version = str_or(o->meta->resourceversion, ""), *uid = str_or(o->meta->uid, "");
	size_t key_len = strlen(key) + 1, len = strlen(version) + 1, uid_room = 1 + strlen(uid) + 1;
	struct entry *e =
	    mem_calloc(1, sizeof(*e) + key_len + (inf->thin ? len + uid_room + UUID_BYTES : 0));

	e->generation = inf->generation;
	memcpy(e->key, key, key_len);
	if (!inf->thin) {
		e->object = kube_object_ref(o);
		return e;
	}
	memcpy(e->key + key_len, version, len);
	len += key_len + pack_uid(uid, e->key + key_len + len);
	return mem_realloc(e, 1, offsetof(struct entry, key) + len);
}

static void entry_free(struct entry *known)
{
	kube_object_unref(known->object);
	free(known);
}

/* What can still be said of an object of which only the key is left. */
static struct kube_object *remains(const struct informer *inf, const char *key,
				   const struct entry *known)
{
	const char *slash = strchr(key, '/');
	struct kube_object *o =
	    kube_object_new(inf->kind, proto_new(kube_kind_info(inf->kind)->type));
	Meta__ObjectMeta *meta = (Meta__ObjectMeta *)o->meta; /* nobody else has it yet */
	AUTO_FREE char *ns = mem_strndup(key, (size_t)(slash - key));
	char uid[UUID_TEXT];

	proto_set_str(&meta->namespace_, ns);
	proto_set_str(&meta->name, slash + 1);
	proto_set_str(&meta->uid, entry_uid(known, uid));
	return o;
}

static void tell_deleted(struct informer *inf, const char *key, const struct entry *known,
			 struct kube_object *last)
{
	AUTO_OBJECT struct kube_object *made = NULL;

	if (!inf->ops->deleted)
		return;
	if (!last && !known->object)
		made = remains(inf, key, known);
	inf->ops->deleted(inf->ctx, last ? last : made ? made : known->object);
}

static void entry_put(struct informer *inf, const char *key, struct kube_object *o)
{
	struct entry *known = map_get(&inf->entries, key), *now;
	char uid[UUID_TEXT];

	if (known && str_eq(entry_version(known), o->meta->resourceversion)) {
		known->generation = inf->generation;
		return;
	}
	now = entry_new(inf, key, o);
	map_put(&inf->entries, now->key, now);
	/* the same name with another UID is another object */
	if (known && str_eq(entry_uid(known, uid), str_or(o->meta->uid, ""))) {
		if (inf->ops->updated)
			inf->ops->updated(inf->ctx, known->object, o);
	} else {
		if (known)
			tell_deleted(inf, key, known, NULL);
		if (inf->ops->added)
			inf->ops->added(inf->ctx, o);
	}
	if (known)
		entry_free(known);
}

/* last: the state that the deletion came with, or NULL */
static void entry_drop(struct informer *inf, const char *key, struct kube_object *last)
{
	struct entry *known = map_remove(&inf->entries, key);

	if (!known)
		return;
	tell_deleted(inf, key, known, last);
	entry_free(known);
}

static void drop_unseen(struct informer *inf)
{
	char **gone = NULL;
	const char *key;
	size_t cursor = 0;
	void *value;

	while (map_next(&inf->entries, &cursor, &key, &value)) {
		if (((struct entry *)value)->generation != inf->generation)
			strv_push(&gone, key);
	}
	for (size_t i = 0; gone && gone[i]; i++)
		entry_drop(inf, gone[i], NULL);
	strv_free(gone);
}

static void list_complete(struct informer *inf, const char *version)
{
	remember_version(inf, version);
	drop_unseen(inf);
	inf->listed = true;
	inf->state = STATE_WATCH;
	if (inf->synced)
		return;
	inf->synced = true;
	if (inf->ops->synced)
		inf->ops->synced(inf->ctx);
}

/* ---- watch events ---- */

static bool ends_initial_list(const struct kube_object *o)
{
	for (size_t i = 0; i < o->meta->n_annotations; i++) {
		const Meta__ObjectMeta__AnnotationsEntry *a = o->meta->annotations[i];

		if (str_eq(a->key, "k8s.io/initial-events-end"))
			return str_eq(a->value, "true");
	}
	return false;
}

static void lose(struct informer *inf, const struct err *e)
{
	inf->lost = true;
	inf->e = *e;
}

static void event(struct informer *inf, const char *type, struct kube_object *o)
{
	AUTO_FREE char *key = NULL;

	if (!strcmp(type, "ERROR")) {
		struct err e;

		if (o->kind == KUBE_STATUS)
			client_status_error((Meta__Status *)o->msg, &e);
		else
			err_set(&e, ERR_REMOTE, "the watch ended with an error");
		lose(inf, &e);
		return;
	}
	if (o->kind != inf->kind)
		return;
	/* versions of initial events come in no order: only their end says where to resume */
	if (inf->state == STATE_WATCH)
		remember_version(inf, o->meta->resourceversion);
	if (!strcmp(type, "BOOKMARK")) {
		if (inf->state == STATE_WATCHLIST && ends_initial_list(o))
			list_complete(inf, o->meta->resourceversion);
		return;
	}
	key = key_of(o->meta->namespace_, o->meta->name);
	if (!strcmp(type, "DELETED"))
		entry_drop(inf, key, o);
	else
		entry_put(inf, key, o);
}

static int event_protobuf(struct informer *inf, struct wire_slice frame, struct err *e)
{
	AUTO_OBJECT struct kube_object *o = NULL;
	struct wire_event w;

	if (wire_event_open(frame, &w, e))
		return -1;
	if (client_decode("application/vnd.kubernetes.protobuf", (const char *)w.object.p,
			  w.object.len, &o, e))
		return -1;
	if (o)
		event(inf, w.type, o);
	return 0;
}

static int event_json(struct informer *inf, struct wire_slice line, struct err *e)
{
	AUTO_OBJECT struct kube_object *o = NULL;
	AUTO_JSON struct json_object *tree = NULL;
	const char *type;

	if (json_parse((const char *)line.p, line.len, &tree, e))
		return -1;
	type = json_string(tree, "type");
	if (!type)
		return err_set(e, ERR_INVALID, "a watch event without a type");
	if (codec_object_from_json(json_object_object_get(tree, "object"), &o, e))
		return -1;
	if (o)
		event(inf, type, o);
	return 0;
}

/* The next whole frame: 4 bytes of length and a body, or a line of JSON. 1: not there yet. */
static int next_frame(struct wire_slice *rest, bool json, struct wire_slice *ret_frame,
		      struct err *e)
{
	size_t head = json ? 0 : 4, len;

	if (json) {
		const uint8_t *end = memchr(rest->p, '\n', rest->len);

		len = end ? (size_t)(end - rest->p) + 1 : rest->len;
		if (!end)
			return len > FRAME_BYTES_MAX
				   ? err_set(e, ERR_TOO_LARGE, "a watch event is too large")
				   : 1;
	} else {
		if (rest->len < head)
			return 1;
		len = (size_t)rest->p[0] << 24 | (size_t)rest->p[1] << 16 |
		      (size_t)rest->p[2] << 8 | rest->p[3];
		if (len > FRAME_BYTES_MAX)
			return err_set(e, ERR_TOO_LARGE, "a watch frame of %zu bytes", len);
		if (rest->len - head < len)
			return 1;
	}
	*ret_frame = (struct wire_slice){ rest->p + head, len };
	rest->p += head + len;
	rest->len -= head + len;
	return 0;
}

static void on_data(void *ctx, const char *content_type, const char *bytes, size_t len)
{
	struct informer *inf = ctx;
	bool json = str_starts(content_type, "application/json");
	struct wire_slice rest, frame;
	struct err e;
	int r = 0;

	str_append_n(&inf->frame, bytes, len);
	rest = (struct wire_slice){ (uint8_t *)inf->frame.p, inf->frame.len };
	while (!inf->lost && !(r = next_frame(&rest, json, &frame, &e))) {
		r = json ? event_json(inf, frame, &e) : event_protobuf(inf, frame, &e);
		if (r < 0)
			break;
	}
	if (r < 0)
		lose(inf, &e);
	if (inf->lost) {
		str_fini(&inf->frame);
		kube_call_cancel(TAKE(inf->call));
		sd_event_source_set_time_relative(inf->timer, 0);
		sd_event_source_set_enabled(inf->timer, SD_EVENT_ONESHOT);
		inf->state = STATE_BACKOFF;
		return;
	}
	if (!rest.len) {
		str_fini(&inf->frame);
	} else {
		memmove(inf->frame.p, rest.p, rest.len);
		inf->frame.len = rest.len;
	}
}

/* ---- retries ---- */

static unsigned random_below(unsigned n)
{
	return (unsigned)(random() % (long)n);
}

static void retry_in(struct informer *inf, unsigned msec)
{
	inf->state = STATE_BACKOFF;
	sd_event_source_set_time_relative(inf->timer, (uint64_t)msec * USEC_PER_MSEC);
	sd_event_source_set_enabled(inf->timer, SD_EVENT_ONESHOT);
}

static void back_off(struct informer *inf)
{
	int64_t now = clock_mono_usec();

	if (now - inf->failed_usec > BACKOFF_FORGET_SEC * (int64_t)USEC_PER_SEC)
		inf->backoff_msec = 0;
	inf->failed_usec = now;
	inf->backoff_msec = inf->backoff_msec ? 2 * inf->backoff_msec : BACKOFF_MIN_MSEC;
	if (inf->backoff_msec > BACKOFF_MAX_MSEC)
		inf->backoff_msec = BACKOFF_MAX_MSEC;
	retry_in(inf, inf->backoff_msec / 2 + random_below(inf->backoff_msec));
}

/* Decides what an ended list or watch means. e NULL: the server closed it in order. */
static void ended(struct informer *inf, const struct err *e)
{
	str_fini(&inf->frame);
	if (!e) {
		/* at once, but not in a tight loop */
		retry_in(inf, 50 + random_below(100));
		return;
	}
	if (e->code == ERR_GONE) {
		log_v(2, "watch of %s is too old, listing again",
		      kube_kind_info(inf->kind)->resource);
		inf->listed = false;
		free(TAKE(inf->version));
		free(TAKE(inf->page));
		retry_in(inf, 10 + random_below(500));
		return;
	}
	/* the client tells once that the server cannot be reached */
	if (e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT)
		log_err_warning(e, "list and watch of %s is tried again",
				kube_kind_info(inf->kind)->resource);
	back_off(inf);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct informer *inf = userdata;

	(void)s;
	(void)usec;
	if (inf->lost) {
		struct err e = inf->e;

		inf->lost = false;
		ended(inf, &e);
		return 0;
	}
	start(inf);
	return 0;
}

static void on_reachable(void *ctx)
{
	struct informer *inf = ctx;

	if (inf->state == STATE_BACKOFF && !inf->lost)
		retry_in(inf, random_below(REACHABLE_SPREAD_MSEC));
	inf->backoff_msec = 0;
}

/* ---- requests ---- */

static void on_watch_done(void *ctx, const struct http_reply *reply, const struct err *e)
{
	struct informer *inf = ctx;

	(void)reply;
	inf->call = NULL;
	/* servers without WatchList refuse the parameter */
	if (e && e->code == ERR_INVALID && inf->state == STATE_WATCHLIST) {
		inf->no_watchlist = true;
		log_v(2, "no WatchList for %s, using LIST", kube_kind_info(inf->kind)->resource);
		start(inf);
		return;
	}
	ended(inf, e);
}

static const struct call_ops watch_ops = { .data = on_data, .done = on_watch_done };

static void append_query(struct str *s, const char *key, const char *value)
{
	if (str_empty(value))
		return;
	str_printf(s, "%c%s=", strchr(str_text(s), '?') ? '&' : '?', key);
	for (; *value; value++) {
		if (strchr("-._~", *value) || (*value >= '0' && *value <= '9') ||
		    (*value >= 'a' && *value <= 'z') || (*value >= 'A' && *value <= 'Z'))
			str_append_c(s, *value);
		else
			str_printf(s, "%%%02X", (unsigned char)*value);
	}
}

static struct str query_start(const struct informer *inf)
{
	struct str s = { 0 };
	AUTO_FREE char *path = client_path(inf->kind, inf->ns, NULL, NULL);

	str_append(&s, path);
	append_query(&s, "fieldSelector", inf->field_selector);
	append_query(&s, "labelSelector", inf->label_selector);
	return s;
}

static char *noun_of(const struct informer *inf, const char *verb)
{
	return str_fmt("%s %s%s%s", verb, kube_kind_info(inf->kind)->resource,
		       inf->field_selector ? " " : "", str_or(inf->field_selector, ""));
}

static void start_watch(struct informer *inf, bool initial)
{
	struct str query = query_start(inf);
	struct call_spec spec = { .method = "GET", .stream = true, .noun = noun_of(inf, "watch") };
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%u", WATCH_MIN_SEC + random_below(WATCH_MIN_SEC));
	append_query(&query, "watch", "true");
	append_query(&query, "allowWatchBookmarks", "true");
	append_query(&query, "timeoutSeconds", seconds);
	if (initial) {
		append_query(&query, "sendInitialEvents", "true");
		append_query(&query, "resourceVersionMatch", "NotOlderThan");
		append_query(&query, "resourceVersion", inf->version);
		inf->generation++;
	} else {
		append_query(&query, "resourceVersion", inf->version);
	}
	inf->state = initial ? STATE_WATCHLIST : STATE_WATCH;
	spec.path = str_take(&query);
	spec.accept = client_json_only(inf->client)
			  ? "application/json"
			  : "application/vnd.kubernetes.protobuf;stream=watch,application/json";
	inf->call = call_start(inf->client, &spec, &watch_ops, inf);
}

/* ---- lists ---- */

struct page {
	char *version, *next;
};

static void page_fini(struct page *p)
{
	free(p->version);
	free(p->next);
}

static void put_listed(struct informer *inf, struct kube_object *o)
{
	AUTO_FREE char *key = key_of(o->meta->namespace_, o->meta->name);

	entry_put(inf, key, o);
}

static char *slice_text(struct wire_slice s)
{
	return s.len ? mem_strndup((const char *)s.p, s.len) : NULL;
}

/* Every list message has its ListMeta in field 1 and its items in field 2. */
static int list_protobuf(struct informer *inf, const char *body, size_t len, struct page *page,
			 struct err *e)
{
	struct wire_object envelope;
	struct wire_slice rest, text;
	struct wire_field f;
	int r;

	if (wire_open((struct wire_slice){ (const uint8_t *)body, len }, &envelope, e))
		return -1;
	rest = envelope.raw;
	while (!(r = wire_next(&rest, &f))) {
		AUTO_OBJECT struct kube_object *o = NULL;

		if (f.bytes && f.number == 1) {
			if (!wire_find(f.data, 2, &text))
				page->version = slice_text(text);
			if (!wire_find(f.data, 3, &text))
				page->next = slice_text(text);
		} else if (f.bytes && f.number == 2) {
			if (client_decode_raw(inf->kind, f.data, &o, e))
				return -1;
			put_listed(inf, o);
		}
	}
	return r < 0 ? err_set(e, ERR_INVALID, "a list is broken") : 0;
}

static int list_json(struct informer *inf, const char *body, size_t len, struct page *page,
		     struct err *e)
{
	AUTO_JSON struct json_object *tree = NULL;
	struct json_object *meta, *items;

	if (json_parse(body, len, &tree, e))
		return -1;
	meta = json_member(tree, "metadata", json_type_object);
	items = json_member(tree, "items", json_type_array);
	page->version = mem_strdup(json_string(meta, "resourceVersion"));
	page->next = mem_strdup(json_string(meta, "continue"));
	for (size_t i = 0; items && i < json_object_array_length(items); i++) {
		void *msg;
		struct kube_object *o;

		if (codec_from_json(kube_kind_info(inf->kind)->type,
				    json_object_array_get_idx(items, i), NULL, &msg, e))
			return -1;
		o = kube_object_new(inf->kind, msg);
		put_listed(inf, o);
		kube_object_unref(o);
	}
	return 0;
}

static void on_list_done(void *ctx, const struct http_reply *reply, const struct err *e)
{
	struct informer *inf = ctx;
	CLEANUP(page_fini) struct page page = { 0 };
	struct err problem;
	bool json;

	inf->call = NULL;
	if (e) {
		ended(inf, e);
		return;
	}
	json = str_starts(reply->content_type, "application/json");
	if (json ? list_json(inf, reply->body, reply->len, &page, &problem)
		 : list_protobuf(inf, reply->body, reply->len, &page, &problem)) {
		free(TAKE(inf->page));
		ended(inf, &problem);
		return;
	}
	free(inf->page);
	inf->page = str_empty(page.next) ? NULL : TAKE(page.next);
	if (!inf->page)
		list_complete(inf, page.version);
	start(inf);
}

static const struct call_ops list_ops = { .done = on_list_done };

static void start_list(struct informer *inf)
{
	struct str query = query_start(inf);
	struct call_spec spec = { .method = "GET", .noun = noun_of(inf, "list") };
	char limit[16];

	snprintf(limit, sizeof(limit), "%d", PAGE_OBJECTS);
	append_query(&query, "limit", limit);
	append_query(&query, "continue", inf->page);
	if (!inf->page)
		inf->generation++;
	inf->state = STATE_LIST;
	spec.path = str_take(&query);
	spec.accept = client_json_only(inf->client)
			  ? "application/json"
			  : "application/vnd.kubernetes.protobuf,application/json";
	inf->call = call_start(inf->client, &spec, &list_ops, inf);
}

static void start(struct informer *inf)
{
	if (inf->listed)
		start_watch(inf, false);
	else if (inf->no_watchlist)
		start_list(inf);
	else
		start_watch(inf, true);
}

/* ---- informers ---- */

static struct informer *make(struct kube_client *client, enum kube_kind kind, const char *ns,
			     const char *field_selector, const char *label_selector,
			     const struct informer_ops *ops, void *ctx, bool thin)
{
	struct informer *inf = NEW(struct informer);

	inf->thin = thin;
	inf->entries.borrows_keys = true;
	inf->client = client;
	inf->kind = kind;
	inf->ns = mem_strdup(ns);
	inf->field_selector = mem_strdup(field_selector);
	inf->label_selector = mem_strdup(label_selector);
	inf->ops = ops;
	inf->ctx = ctx;
	if (sd_event_add_time(client_loop(client), &inf->timer, CLOCK_MONOTONIC, UINT64_MAX,
			      TIMER_ACCURACY_USEC, on_timer, inf) < 0)
		abort();
	sd_event_source_set_enabled(inf->timer, SD_EVENT_OFF);
	inf->hook = (struct client_hook){ .reachable = on_reachable, .ctx = inf };
	client_hook_add(client, &inf->hook);
	start(inf);
	return inf;
}

struct informer *informer_new(struct kube_client *client, enum kube_kind kind, const char *ns,
			      const char *field_selector, const char *label_selector,
			      const struct informer_ops *ops, void *ctx)
{
	return make(client, kind, ns, field_selector, label_selector, ops, ctx, false);
}

struct informer *informer_new_thin(struct kube_client *client, enum kube_kind kind, const char *ns,
				   const char *field_selector, const char *label_selector,
				   const struct informer_ops *ops, void *ctx)
{
	return make(client, kind, ns, field_selector, label_selector, ops, ctx, true);
}

void informer_free(struct informer *inf)
{
	size_t cursor = 0;
	void *value;

	if (!inf)
		return;
	kube_call_cancel(inf->call);
	client_hook_remove(inf->client, &inf->hook);
	sd_event_source_disable_unref(inf->timer);
	while (map_next(&inf->entries, &cursor, NULL, &value))
		entry_free(value);
	map_fini(&inf->entries);
	str_fini(&inf->frame);
	free(inf->ns);
	free(inf->field_selector);
	free(inf->label_selector);
	free(inf->version);
	free(inf->page);
	free(inf);
}

bool informer_synced(const struct informer *inf)
{
	return inf->synced;
}

struct kube_object *informer_get(const struct informer *inf, const char *ns, const char *name)
{
	AUTO_FREE char *key = key_of(ns, name);
	struct entry *known = map_get(&inf->entries, key);

	return known ? known->object : NULL;
}

size_t informer_count(const struct informer *inf)
{
	return inf->entries.count;
}

struct kube_object *informer_next(const struct informer *inf, size_t *cursor)
{
	void *value;

	return map_next(&inf->entries, cursor, NULL, &value) ? ((struct entry *)value)->object
							     : NULL;
}
