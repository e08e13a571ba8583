/* The API client when the server misbehaves; kube-faults.py is that server. */
#include "test.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/core.pb-c.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "kube/kubeconfig.h"

static const char *server;

struct fixture {
	sd_event *loop;
	struct kube_client *client;
	struct str text;
	bool done, thin;
	struct err e;
	struct kube_object *object;
};

static void note(struct fixture *f, char what, const struct kube_object *o)
{
	str_printf(&f->text, "%c%s ", what, o->meta->name);
}

static void on_added(void *ctx, struct kube_object *o)
{
	note(ctx, '+', o);
}

static void on_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	struct fixture *f = ctx;

	assert_int_equal(before == NULL, f->thin);
	note(f, '~', now);
}

static void on_deleted(void *ctx, struct kube_object *o)
{
	note(ctx, '-', o);
}

static void on_synced(void *ctx)
{
	str_append_c(&((struct fixture *)ctx)->text, '.');
}

static const struct informer_ops ops = { on_added, on_updated, on_deleted, on_synced };

static void on_done(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct fixture *f = ctx;

	f->done = true;
	f->e = e ? *e : (struct err){ 0 };
	f->object = kube_object_ref(reply);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	struct kube_credentials *k = NEW(struct kube_credentials);
	const struct kube_client_options options = { .user_agent = "keelson-test",
						     .heartbeat_timeout_sec = 1 };

	k->server = mem_strdup(server);
	sd_event_new(&f->loop);
	if (kube_client_new(f->loop, k, &options, &f->client, NULL))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kube_object_unref(f->object);
	kube_client_free(f->client);
	sd_event_unref(f->loop);
	str_fini(&f->text);
	free(f);
	return 0;
}

static void run_done(struct fixture *f, int seconds)
{
	int64_t end = clock_mono_usec() + seconds * (int64_t)USEC_PER_SEC;

	while (!f->done && clock_mono_usec() < end)
		sd_event_run(f->loop, 100000);
	assert_true(f->done);
}

static void expect_informer(struct fixture *f, struct informer *inf, const char *want)
{
	int64_t end = clock_mono_usec() + 30 * (int64_t)USEC_PER_SEC;

	while (strcmp(str_text(&f->text), want) && clock_mono_usec() < end)
		sd_event_run(f->loop, 100000);
	assert_string_equal(str_text(&f->text), want);
	informer_free(inf);
}

/* The same of an informer that keeps the objects and of one that does not. */
static void expect_story(struct fixture *f, const char *ns, const char *want)
{
	AUTO_FREE char *thin = str_fmt("thin-%s", ns);

	f->thin = false;
	expect_informer(f, informer_new(f->client, KUBE_POD, ns, NULL, NULL, &ops, f), want);
	f->thin = true;
	str_reset(&f->text);
	expect_informer(f, informer_new_thin(f->client, KUBE_POD, thin, NULL, NULL, &ops, f), want);
}

static void lists_again_when_too_old(void **state)
{
	expect_story(*state, "gone", "+a +b .~b +c -a ");
}

static void lists_again_when_the_resume_is_too_old(void **state)
{
	expect_story(*state, "gonehttp", "+a .+z -a ");
}

static void lists_in_pages_without_watchlist(void **state)
{
	expect_story(*state, "nolist", "+p1 +p2 .~p2 ");
}

static void resumes_where_it_was_cut(void **state)
{
	expect_story(*state, "cut", "+a .+b +c -a ");
}

static void never_resumes_half_a_list(void **state)
{
	expect_story(*state, "halflist", "+a +b -a .");
}

static void survives_garbage(void **state)
{
	expect_story(*state, "garbage", "+a .+b ");
}

static void waits_as_told(void **state)
{
	struct fixture *f = *state;
	int64_t start = clock_mono_usec();

	kube_get(f->client, KUBE_POD, "busy", "p", on_done, f);
	run_done(f, 20);
	assert_int_equal(f->e.code, 0);
	assert_non_null(f->object);
	assert_true(clock_mono_usec() - start >= 2 * (int64_t)USEC_PER_SEC);
}

static void quotes_what_a_proxy_said(void **state)
{
	struct fixture *f = *state;

	kube_get(f->client, KUBE_POD, "sick", "p", on_done, f);
	run_done(f, 20);
	assert_int_equal(f->e.code, ERR_UNAVAILABLE);
	assert_string_equal(f->e.text, "get pods sick/p: HTTP status 503: upstream is sick");
}

static void rebuilds_after_two_mute_heartbeats(void **state)
{
	struct fixture *f = *state;
	struct informer *inf = informer_new(f->client, KUBE_POD, "mute", NULL, NULL, &ops, f);
	int64_t end = clock_mono_usec() + 20 * (int64_t)USEC_PER_SEC;

	while (!strstr(str_text(&f->text), ".") && clock_mono_usec() < end)
		sd_event_run(f->loop, 100000);
	for (int i = 0; i < 2; i++) {
		f->done = false;
		kube_get(kube_client_heartbeat(f->client), KUBE_LEASE, "mute", "n", on_done, f);
		run_done(f, 10);
		assert_int_equal(f->e.code, ERR_TIMEOUT);
	}
	while (strcmp(str_text(&f->text), "+a .+b ") && clock_mono_usec() < end)
		sd_event_run(f->loop, 100000);
	assert_string_equal(str_text(&f->text), "+a .+b ");
	informer_free(inf);
}

static void falls_back_to_json(void **state)
{
	struct fixture *f = *state;
	AUTO_PROTO Core__Pod *pod = proto_new(&core__pod__descriptor);

	pod->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&pod->metadata->name, "p");
	kube_create(f->client, KUBE_POD, "unsupported", NULL, NULL, pod, on_done, f);
	run_done(f, 10);
	assert_int_equal(f->e.code, 0);
	assert_string_equal(f->object->meta->name, "p");
}

static void on_counted(void *ctx, struct kube_object *reply, const struct err *e)
{
	(void)reply;
	(void)e;
	++*(int *)ctx;
}

static int64_t time_calls(struct fixture *f, struct kube_client *c, int n)
{
	int64_t start = clock_mono_usec();
	int done = 0;

	for (int i = 0; i < n; i++)
		kube_get(c, KUBE_POD, "sick", "p", on_counted, &done);
	while (done < n && clock_mono_usec() - start < 10 * (int64_t)USEC_PER_SEC)
		sd_event_run(f->loop, 100000);
	assert_int_equal(done, n);
	return clock_mono_usec() - start;
}

/* 10 a second with a burst of 2: seven calls take half a second; heartbeats are not held back. */
static void keeps_the_rate_limit(void **state)
{
	struct fixture *f = *state;
	const struct kube_client_options options = { .user_agent = "t", .qps = 10, .burst = 2 };
	struct kube_credentials *k = NEW(struct kube_credentials);
	struct kube_client *c = NULL;
	int64_t took;

	k->server = mem_strdup(server);
	assert_int_equal(kube_client_new(f->loop, k, &options, &c, NULL), 0);
	assert_true(time_calls(f, kube_client_heartbeat(c), 7) < 400000);
	took = time_calls(f, c, 7);
	kube_client_free(c);
	assert_true(took >= 450000 && took < 3 * (int64_t)USEC_PER_SEC);
}

int main(int argc, char **argv)
{
#define STORY(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		STORY(lists_again_when_too_old),
		STORY(lists_again_when_the_resume_is_too_old),
		STORY(lists_in_pages_without_watchlist),
		STORY(resumes_where_it_was_cut),
		STORY(never_resumes_half_a_list),
		STORY(survives_garbage),
		STORY(waits_as_told),
		STORY(quotes_what_a_proxy_said),
		STORY(rebuilds_after_two_mute_heartbeats),
		STORY(falls_back_to_json),
		STORY(keeps_the_rate_limit),
	};

	if (argc != 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	server = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
