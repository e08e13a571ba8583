/* The event recorder (contract in kube/event.h). Effect: calls the API server. */
#include "kube/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/str.h"
#include "correlate.h"
#include "kube/time.h"

enum { QUEUE_MAX = 1000, TRIES_MAX = 12, RETRY_SEC = 10, LOG_VERBOSITY = 3 };

struct pending {
	struct pending *next;
	Core__Event *event;
};

struct event_recorder {
	struct kube_client *client;
	struct correlator *correlator;
	char *component, *host;
	float qps;
	int burst;
	double tokens;
	int64_t refilled_usec;
	int64_t named_usec;           /* names carry the time: no two events have the same */
	struct pending *first, *last; /* the first is in work when busy */
	unsigned count;
	unsigned tries;
	bool busy, patching, dropped;
	struct kube_call *call;
	sd_event_source *timer;
};

static void work(struct event_recorder *r);

Core__ObjectReference *event_reference_of(enum kube_kind kind, const Meta__ObjectMeta *meta,
					  const char *field_path)
{
	Core__ObjectReference *ref = proto_new(&core__object_reference__descriptor);

	proto_set_str(&ref->kind, kube_kind_info(kind)->kind);
	proto_set_str(&ref->apiversion, kube_kind_info(kind)->api_version);
	proto_set_str(&ref->namespace_, meta->namespace_);
	proto_set_str(&ref->name, meta->name);
	proto_set_str(&ref->uid, meta->uid);
	proto_set_str(&ref->resourceversion, meta->resourceversion);
	proto_set_str(&ref->fieldpath, field_path);
	return ref;
}

Core__ObjectReference *event_reference(const struct kube_object *object, const char *field_path)
{
	return event_reference_of(object->kind, object->meta, field_path);
}

Core__ObjectReference *event_reference_node(const char *node_name)
{
	Core__ObjectReference *ref = proto_new(&core__object_reference__descriptor);

	proto_set_str(&ref->kind, "Node");
	proto_set_str(&ref->apiversion, "v1");
	proto_set_str(&ref->name, node_name);
	proto_set_str(&ref->uid, node_name);
	return ref;
}

/* ---- the queue ---- */

static void pop(struct event_recorder *r)
{
	struct pending *p = r->first;

	r->first = p->next;
	if (!r->first)
		r->last = NULL;
	r->count--;
	r->busy = false;
	r->tries = 0;
	proto_free(p->event);
	free(p);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	work(userdata);
	return 0;
}

static void wake_in(struct event_recorder *r, int64_t usec)
{
	sd_event_source_set_time_relative(r->timer, (uint64_t)usec);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

/* Takes one event's worth off the rate limit, or says how long to wait. */
static int64_t limit_wait_usec(struct event_recorder *r)
{
	int64_t now = clock_mono_usec();

	if (r->qps <= 0)
		return 0;
	r->tokens += (double)(now - r->refilled_usec) / USEC_PER_SEC * (double)r->qps;
	if (r->tokens > r->burst)
		r->tokens = r->burst;
	r->refilled_usec = now;
	if (r->tokens < 1)
		return (int64_t)((1 - r->tokens) / (double)r->qps * USEC_PER_SEC) + 1000;
	r->tokens -= 1;
	return 0;
}

static void on_done(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct event_recorder *r = ctx;
	const Core__Event *event = r->first->event;

	(void)reply;
	r->call = NULL;
	if (e && e->code == ERR_NOT_FOUND && r->patching) {
		/* the event to count on is gone: this one starts anew under its name */
		r->patching = false;
		work(r);
		return;
	}
	if (e && (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT) && ++r->tries < TRIES_MAX) {
		int64_t wait = RETRY_SEC * (int64_t)USEC_PER_SEC;

		wake_in(r, r->tries == 1 ? random() % wait : wait);
		return;
	}
	if (e && e->code != ERR_EXISTS && e->code != ERR_FORBIDDEN)
		log_err_warning(e, "event %s about %s %s is lost", event->reason,
				event->involvedobject->kind, event->involvedobject->name);
	pop(r);
	/* not from here: a queue of refused events would recurse */
	if (r->first)
		wake_in(r, 0);
}

static char *count_patch(const Core__Event *e)
{
	struct json_object *patch = json_object_new_object();
	char when[KUBE_TIME_TEXT], *text;

	kube_time_format(e->lasttimestamp->seconds, when);
	json_object_object_add(patch, "count", json_object_new_int(e->count));
	json_object_object_add(patch, "lastTimestamp", json_object_new_string(when));
	json_object_object_add(patch, "message", json_object_new_string(e->message));
	text = json_text(patch);
	json_object_put(patch);
	return text;
}

static void send_first(struct event_recorder *r)
{
	const Core__Event *e = r->first->event;
	AUTO_FREE char *patch = NULL;

	if (!r->patching) {
		r->call = kube_create(r->client, KUBE_EVENT, e->metadata->namespace_, NULL, NULL, e,
				      on_done, r);
		return;
	}
	patch = count_patch(e);
	r->call = kube_patch(r->client, KUBE_EVENT, e->metadata->namespace_, e->metadata->name,
			     NULL, KUBE_PATCH_STRATEGIC, patch, on_done, r);
}

static void work(struct event_recorder *r)
{
	while (r->first && !r->call) {
		int64_t wait;

		if (!r->busy) {
			enum correlate_outcome outcome =
			    correlate(r->correlator, r->first->event, clock_wall_usec());

			if (outcome == CORRELATE_SKIP) {
				pop(r);
				continue;
			}
			r->busy = true;
			r->patching = outcome == CORRELATE_PATCH;
		}
		wait = limit_wait_usec(r);
		if (wait) {
			wake_in(r, wait);
			return;
		}
		send_first(r);
	}
}

static Core__Event *make_event(struct event_recorder *r, const Core__ObjectReference *about,
			       const char *type, const char *reason, const char *message)
{
	int64_t now = clock_wall_usec();
	Core__Event *e = proto_new(&core__event__descriptor);
	AUTO_FREE char *name = NULL;

	r->named_usec = now > r->named_usec ? now : r->named_usec + 1;
	name = correlate_name(str_or(about->name, "unknown"), r->named_usec);
	e->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&e->metadata->name, name);
	proto_set_str(&e->metadata->namespace_, str_or(about->namespace_, "default"));
	e->involvedobject = proto_dup(about);
	e->source = proto_new(&core__event_source__descriptor);
	proto_set_str(&e->source->component, r->component);
	proto_set_str(&e->source->host, r->host);
	proto_set_str(&e->reportingcomponent, r->component);
	proto_set_str(&e->reportinginstance, r->host);
	proto_set_str(&e->type, type);
	proto_set_str(&e->reason, reason);
	proto_set_str(&e->message, message);
	e->firsttimestamp = kube_time_new(now);
	e->lasttimestamp = kube_time_new(now);
	e->has_count = true;
	e->count = 1;
	return e;
}

static void push(struct event_recorder *r, Core__Event *e)
{
	struct pending *p = NEW(struct pending);

	p->event = e;
	if (r->last)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	r->count++;
}

void event_record(struct event_recorder *r, const Core__ObjectReference *about, const char *type,
		  const char *reason, const char *fmt, ...)
{
	struct str message = { 0 };
	va_list ap;

	va_start(ap, fmt);
	str_vprintf(&message, fmt, ap);
	va_end(ap);
	log_v(LOG_VERBOSITY, "event %s %s: %s kind=%s object=%s/%s", type, reason,
	      str_text(&message), str_or(about->kind, ""), str_or(about->namespace_, ""),
	      str_or(about->name, ""));
	if (r && r->count >= QUEUE_MAX) {
		if (!r->dropped)
			log_warning("more than %d events wait to be sent; new ones are dropped",
				    QUEUE_MAX);
		r->dropped = true;
	} else if (r) {
		r->dropped = false;
		push(r, make_event(r, about, type, reason, str_text(&message)));
		if (r->count == 1)
			wake_in(r, 0);
	}
	str_fini(&message);
}

unsigned event_recorder_pending(const struct event_recorder *r)
{
	return r->count;
}

struct event_recorder *event_recorder_new(struct kube_client *client, sd_event *loop,
					  const char *component, const char *host, float qps,
					  int burst)
{
	struct event_recorder *r = NEW(struct event_recorder);

	r->client = client;
	r->correlator = correlator_new();
	r->component = mem_strdup(component);
	r->host = mem_strdup(host);
	r->qps = qps;
	r->burst = burst < 1 ? 1 : burst;
	r->tokens = r->burst;
	r->refilled_usec = clock_mono_usec();
	if (sd_event_add_time(loop, &r->timer, CLOCK_MONOTONIC, UINT64_MAX, TIMER_ACCURACY_USEC,
			      on_timer, r) < 0)
		abort();
	sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	return r;
}

void event_recorder_free(struct event_recorder *r)
{
	if (!r)
		return;
	kube_call_cancel(r->call);
	while (r->first)
		pop(r);
	sd_event_source_disable_unref(r->timer);
	correlator_free(r->correlator);
	free(r->component);
	free(r->host);
	free(r);
}
