/* The node's client certificate (contract in apicert.h). Effect. */
#include "apicert.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/kubeconfig.h"
#include "kube/time.h"

enum {
	PERIOD_USEC = 60 * USEC_PER_SEC,
	HURRIED_USEC = 5 * USEC_PER_SEC,
	SLACK_USEC = USEC_PER_SEC
};

struct apicert {
	sd_event *loop;
	struct kube_client *client;
	sd_event_source *timer;
	bool expired, unreadable;
};

static void tell_expired(const struct kube_credentials *c, int64_t expiry_sec)
{
	char when[KUBE_TIME_TEXT];

	kube_time_format(expiry_sec, when);
	log_error(
	    "the client certificate%s%s expired at %s, so the API server refuses this node: put "
	    "a new one in its place (no restart is needed)",
	    c->cert_file ? " " : "", str_or(c->cert_file, ""), when);
}

static void look(struct apicert *a)
{
	const struct kube_credentials *c = kube_client_credentials(a->client);
	int64_t expiry_sec = kube_credentials_expiry(c);
	bool expired = expiry_sec && clock_wall_usec() / USEC_PER_SEC >= expiry_sec;

	if (expired && !a->expired)
		tell_expired(c, expiry_sec);
	a->expired = expired;
	sd_event_source_set_time_relative(a->timer, expired ? HURRIED_USEC : PERIOD_USEC);
	sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

static void reload(struct apicert *a)
{
	struct err e;
	int r = kube_client_reload(a->client, &e);

	if (r > 0)
		log_info("the API server's client uses new certificates from now on");
	if (r < 0 && !a->unreadable)
		log_err_warning(&e, "certificates for the API server cannot be read again, the old "
				    "ones stay");
	a->unreadable = r < 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	reload(ctx);
	look(ctx);
	return 0;
}

struct apicert *apicert_new(sd_event *loop, struct kube_client *client)
{
	struct apicert *a = NEW(struct apicert);

	a->loop = sd_event_ref(loop);
	a->client = client;
	sd_event_add_time_relative(loop, &a->timer, CLOCK_MONOTONIC, PERIOD_USEC, SLACK_USEC,
				   on_timer, a);
	look(a);
	return a;
}

void apicert_free(struct apicert *a)
{
	if (!a)
		return;
	sd_event_source_disable_unref(a->timer);
	sd_event_unref(a->loop);
	free(a);
}
