/* An annotation of the own Node (contract in nodeannotation.h). Effect. */
#include "nodeannotation.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

enum { RETRY_MIN_SEC = 5, RETRY_MAX_SEC = 320 };

struct nodeannotation {
	sd_event_source *retry;
	struct kube_client *client;
	struct kube_call *call;
	char *node, *key, *value;
	bool told;
	unsigned wait_sec;
};

static void write_value(struct nodeannotation *a);

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	write_value(userdata);
	return 0;
}

static void try_later(struct nodeannotation *a)
{
	a->wait_sec = a->wait_sec ? 2 * a->wait_sec : RETRY_MIN_SEC;
	if (a->wait_sec > RETRY_MAX_SEC)
		a->wait_sec = RETRY_MAX_SEC;
	sd_event_source_set_time_relative(a->retry, a->wait_sec * (uint64_t)USEC_PER_SEC);
	sd_event_source_set_enabled(a->retry, SD_EVENT_ONESHOT);
}

static void written(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct nodeannotation *a = ctx;

	(void)reply;
	a->call = NULL;
	if (!e) {
		a->wait_sec = 0;
		a->told = false;
		return;
	}
	if (!a->told)
		log_err_warning(e,
				"annotation %s of node %s (the right to patch nodes: "
				"contrib/rbac.yaml)",
				a->key, a->node);
	a->told = true;
	try_later(a);
}

static void write_value(struct nodeannotation *a)
{
	AUTO_JSON struct json_object *patch = json_object_new_object();
	struct json_object *meta = json_object_new_object(), *all = json_object_new_object();
	AUTO_FREE char *text = NULL;

	json_object_object_add(all, a->key, a->value ? json_object_new_string(a->value) : NULL);
	json_object_object_add(meta, "annotations", all);
	json_object_object_add(patch, "metadata", meta);
	text = json_text(patch);
	kube_call_cancel(a->call);
	a->call = kube_patch(a->client, KUBE_NODE, NULL, a->node, NULL, KUBE_PATCH_MERGE, text,
			     written, a);
}

struct nodeannotation *nodeannotation_new(sd_event *loop, struct kube_client *client,
					  const char *node, const char *key)
{
	struct nodeannotation *a = NEW(struct nodeannotation);

	a->client = client;
	a->node = mem_strdup(node);
	a->key = mem_strdup(key);
	if (sd_event_add_time_relative(loop, &a->retry, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_retry,
				       a) >= 0)
		sd_event_source_set_enabled(a->retry, SD_EVENT_OFF);
	return a;
}

void nodeannotation_free(struct nodeannotation *a)
{
	if (!a)
		return;
	kube_call_cancel(a->call);
	sd_event_source_disable_unref(a->retry);
	free(a->node);
	free(a->key);
	free(a->value);
	free(a);
}

void nodeannotation_set(struct nodeannotation *a, const char *value)
{
	/* under way, or refused and waiting */
	if ((a->call || a->wait_sec) && str_eq(a->value, value))
		return;
	free(a->value);
	a->value = mem_strdup(value);
	write_value(a);
}
