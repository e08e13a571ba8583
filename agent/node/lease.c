/* The heartbeat Lease (contract in lease.h). Effect. */
#include "lease.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/coordination.pb-c.h"
#include "kube/object.h"
#include "kube/time.h"

enum {
	RETRY_FIRST_MSEC = 100,
	RETRY_MAX_MSEC = 7000,
	TIMER_SLACK_USEC = 50000,
	LEASE_PRIORITY = -100,
};

struct lease {
	sd_event *loop;
	struct kube_client *client;
	char *name, *uid;
	int32_t duration_sec;
	struct kube_object *latest; /* as the server has it; NULL: unknown */
	struct kube_call *call;
	sd_event_source *timer;
	int64_t renewed_usec, failing_since_usec;
	unsigned retry_msec;
};

static const char ns[] = "kube-node-lease";

static void forget(struct lease *l)
{
	kube_object_unref(l->latest);
	l->latest = NULL;
}

static void arm(struct lease *l, int64_t msec)
{
	uint64_t now;

	if (sd_event_now(l->loop, CLOCK_MONOTONIC, &now) < 0)
		return;
	sd_event_source_set_time(l->timer, now + (uint64_t)msec * USEC_PER_MSEC);
	sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static Coordination__Lease *desired(const struct lease *l)
{
	Coordination__Lease *lease;

	if (l->latest)
		lease = proto_dup(l->latest->msg);
	else
		lease = proto_new(&coordination__lease__descriptor);
	if (!lease->metadata)
		lease->metadata = proto_new(&meta__object_meta__descriptor);
	if (!lease->spec)
		lease->spec = proto_new(&coordination__lease_spec__descriptor);
	proto_set_str(&lease->metadata->name, l->name);
	proto_set_str(&lease->metadata->namespace_, ns);
	proto_set_str(&lease->spec->holderidentity, l->name);
	lease->spec->leasedurationseconds = l->duration_sec;
	lease->spec->has_leasedurationseconds = true;
	proto_free(lease->spec->renewtime);
	lease->spec->renewtime = kube_micro_time_new(clock_wall_usec());
	if (!lease->metadata->n_ownerreferences) {
		Meta__OwnerReference *owner = proto_new(&meta__owner_reference__descriptor);

		proto_set_str(&owner->apiversion, "v1");
		proto_set_str(&owner->kind, "Node");
		proto_set_str(&owner->name, l->name);
		proto_set_str(&owner->uid, l->uid);
		proto_push(&lease->metadata->n_ownerreferences, &lease->metadata->ownerreferences,
			   owner);
	}
	return lease;
}

static void failed(struct lease *l, const struct err *e, const char *what)
{
	if (!l->failing_since_usec)
		l->failing_since_usec = clock_mono_usec();
	l->retry_msec = l->retry_msec ? 2 * l->retry_msec : RETRY_FIRST_MSEC;
	if (l->retry_msec > RETRY_MAX_MSEC)
		l->retry_msec = RETRY_MAX_MSEC;
	if (l->retry_msec == RETRY_FIRST_MSEC || l->retry_msec == RETRY_MAX_MSEC)
		log_err_warning(e, "lease of node %s: %s fails, trying again", l->name, what);
	arm(l, l->retry_msec);
}

static void succeeded(struct lease *l, struct kube_object *lease)
{
	if (l->failing_since_usec)
		log_info("lease of node %s: renewed again after %lld s", l->name,
			 (long long)(clock_mono_usec() - l->failing_since_usec) / USEC_PER_SEC);
	l->failing_since_usec = 0;
	l->retry_msec = 0;
	l->renewed_usec = clock_mono_usec();
	forget(l);
	l->latest = kube_object_ref(lease);
	arm(l, (int64_t)l->duration_sec * 1000 / 4);
}

static void written(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct lease *l = ctx;

	l->call = NULL;
	if (!e && reply && reply->kind == KUBE_LEASE) {
		succeeded(l, reply);
		return;
	}
	/* what the server has is not what we think: look again */
	if (e && (e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND || e->code == ERR_EXISTS))
		forget(l);
	failed(l, e, "writing");
}

static void write_lease(struct lease *l)
{
	Coordination__Lease *lease = desired(l);

	if (l->latest)
		l->call = kube_update(l->client, KUBE_LEASE, ns, l->name, NULL, lease, written, l);
	else
		l->call = kube_create(l->client, KUBE_LEASE, ns, NULL, NULL, lease, written, l);
	proto_free(lease);
}

static void fetched(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct lease *l = ctx;

	l->call = NULL;
	if (e && e->code != ERR_NOT_FOUND) {
		failed(l, e, "reading");
		return;
	}
	if (!e && reply && reply->kind == KUBE_LEASE)
		l->latest = kube_object_ref(reply);
	write_lease(l);
}

static int tick(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct lease *l = ctx;

	(void)source;
	(void)usec;
	if (l->call || !l->uid)
		return 0;
	if (l->latest)
		write_lease(l);
	else
		l->call = kube_get(l->client, KUBE_LEASE, ns, l->name, fetched, l);
	return 0;
}

struct lease *lease_new(sd_event *loop, struct kube_client *client, const char *node_name,
			int32_t duration_sec)
{
	struct lease *l = NEW(struct lease);

	l->loop = sd_event_ref(loop);
	l->client = kube_client_heartbeat(client);
	l->name = mem_strdup(node_name);
	l->duration_sec = duration_sec;
	sd_event_add_time(loop, &l->timer, CLOCK_MONOTONIC, 0, TIMER_SLACK_USEC, tick, l);
	sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	sd_event_source_set_priority(l->timer, LEASE_PRIORITY);
	sd_event_source_set_description(l->timer, "lease");
	return l;
}

void lease_free(struct lease *l)
{
	if (!l)
		return;
	kube_call_cancel(l->call);
	sd_event_source_disable_unref(l->timer);
	sd_event_unref(l->loop);
	forget(l);
	free(l->name);
	free(l->uid);
	free(l);
}

void lease_set_owner(struct lease *l, const char *node_uid)
{
	bool first = !l->uid;

	free(l->uid);
	l->uid = mem_strdup(node_uid);
	if (first)
		arm(l, 0);
}

int64_t lease_renewed_usec(const struct lease *l)
{
	return l->renewed_usec;
}
