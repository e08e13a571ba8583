/* Pod statuses on their way to the API (contract in statusq.h). Effect. */
#include "statusq.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "podstatus.h"
#include "statuspatch.h"

enum { RETRY_BASE_USEC = 200 * USEC_PER_MSEC, RETRY_MAX_USEC = 10 * USEC_PER_SEC };

struct entry {
	struct statusq *q;
	char *uid, *ns, *name;
	Core__PodStatus *want; /* what the API should show */
	Core__PodStatus *have; /* what it shows as far as we know */
	uint64_t have_version; /* resourceVersion that have belongs to */
	Core__PodStatus *sent; /* in the PATCH under way */
	bool finished, deleting, deleted;
	struct kube_call *call;
	sd_event_source *retry;
	int64_t delay_usec;
};

struct statusq {
	sd_event *loop;
	struct kube_client *client;
	struct map entries; /* uid → struct entry */
};

static void entry_turn(struct entry *en);

struct statusq *statusq_new(sd_event *loop, struct kube_client *client)
{
	struct statusq *q = NEW(struct statusq);

	q->loop = loop;
	q->client = client;
	return q;
}

static void entry_free(struct entry *en)
{
	kube_call_cancel(en->call);
	sd_event_source_disable_unref(en->retry);
	proto_free(en->want);
	proto_free(en->have);
	proto_free(en->sent);
	free(en->uid);
	free(en->ns);
	free(en->name);
	free(en);
}

void statusq_free(struct statusq *q)
{
	void *value;

	if (!q)
		return;
	for (size_t cursor = 0; map_next(&q->entries, &cursor, NULL, &value);)
		entry_free(value);
	map_fini(&q->entries);
	free(q);
}

void statusq_forget(struct statusq *q, const char *uid)
{
	struct entry *en = map_remove(&q->entries, uid);

	if (en)
		entry_free(en);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct entry *en = userdata;

	(void)usec;
	en->retry = sd_event_source_unref(s);
	entry_turn(en);
	return 0;
}

static void retry_later(struct entry *en)
{
	en->delay_usec = en->delay_usec ? 2 * en->delay_usec : RETRY_BASE_USEC;
	if (en->delay_usec > RETRY_MAX_USEC)
		en->delay_usec = RETRY_MAX_USEC;
	if (!en->retry)
		sd_event_add_time_relative(en->q->loop, &en->retry, CLOCK_MONOTONIC,
					   (uint64_t)en->delay_usec, TIMER_ACCURACY_USEC, on_retry,
					   en);
}

/* Versions are opaque to clients but for their order within one resource. */
static uint64_t version_of(const Meta__ObjectMeta *m)
{
	return strtoull(str_or(m->resourceversion, "0"), NULL, 10);
}

/* A conflict is tried again: the object may be another one by now (then we hear of its deletion),
 * or the API server gave up against other writers. */
static void failed(struct entry *en, const struct err *e, const char *what)
{
	bool gone = e->code == ERR_NOT_FOUND;

	if (gone || e->code == ERR_CONFLICT)
		log_v(2, "%s of pod %s/%s uid=%s: %s", what, en->ns, en->name, en->uid, e->text);
	else
		log_err_warning(e, "%s of pod %s/%s", what, en->ns, en->name);
	if (gone)
		en->deleted = true;
	else
		retry_later(en);
}

static void on_deleted(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct entry *en = ctx;

	(void)reply;
	en->call = NULL;
	if (e)
		failed(en, e, "deletion");
	else
		en->deleted = true;
}

static void on_patched(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct entry *en = ctx;

	en->call = NULL;
	if (e) {
		proto_free(en->sent);
		en->sent = NULL;
		failed(en, e, "status");
		return;
	}
	en->delay_usec = 0;
	proto_free(en->have);
	en->have = TAKE(en->sent);
	if (reply) {
		en->deleting = reply->meta->deletiontimestamp != NULL;
		en->have_version = version_of(reply->meta);
	}
	entry_turn(en);
}

static void send_patch(struct entry *en, const char *patch)
{
	en->sent = proto_dup(en->want);
	en->call = kube_patch(en->q->client, KUBE_POD, en->ns, en->name, "status",
			      KUBE_PATCH_STRATEGIC, patch, on_patched, en);
}

static void entry_turn(struct entry *en)
{
	AUTO_FREE char *patch = NULL;

	if (en->call || en->retry || en->deleted)
		return;
	patch = statuspatch_make(en->uid, en->have, en->want);
	if (patch)
		send_patch(en, patch);
	else if (en->finished && en->deleting && podstatus_phase_terminal(en->have->phase))
		en->call = kube_delete(en->q->client, KUBE_POD, en->ns, en->name, 0, en->uid,
				       on_deleted, en);
}

void statusq_put(struct statusq *q, const Core__Pod *pod, const Core__PodStatus *status,
		 bool finished)
{
	const Meta__ObjectMeta *meta = pod->metadata;
	struct entry *en = map_get(&q->entries, meta->uid);
	const Core__PodStatus *api = pod->status;

	if (!en) {
		en = NEW(struct entry);
		en->q = q;
		en->uid = mem_strdup(meta->uid);
		en->ns = mem_strdup(meta->namespace_);
		en->name = mem_strdup(meta->name);
		map_put(&q->entries, meta->uid, en);
	}
	/* the API's own word counts, unless a PATCH of ours is newer than it */
	if (!en->call && api && version_of(meta) > en->have_version) {
		proto_free(en->have);
		en->have = proto_dup(api);
		en->have_version = version_of(meta);
	}
	if (!en->have)
		en->have = proto_new(&core__pod_status__descriptor);
	proto_free(en->want);
	en->want = proto_dup(status);
	en->finished = finished;
	en->deleting = meta->deletiontimestamp != NULL;
	entry_turn(en);
}
