/* The API client against a real server; kube-client.py starts it and obeys our "!" lines. */
#include "test.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/spawner.h"
#include "base/str.h"
#include "k8s/authentication.pb-c.h"
#include "k8s/coordination.pb-c.h"
#include "k8s/core.pb-c.h"
#include "kube/client.h"
#include "kube/codec.h"
#include "kube/event.h"
#include "kube/informer.h"
#include "kube/kubeconfig.h"
#include "kube/time.h"

static struct {
	const char *dir;
	sd_event *loop;
	struct spawner *spawner;
	struct kube_client *client;
} t;

/* ---- waiting ---- */

struct answer {
	bool done;
	struct kube_object *object;
	struct err e;
};

static void on_done(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct answer *a = ctx;

	a->done = true;
	a->object = kube_object_ref(reply);
	a->e = e ? *e : (struct err){ 0 };
}

static bool run_until(const bool *flag, int seconds)
{
	int64_t end = clock_mono_usec() + seconds * (int64_t)USEC_PER_SEC;

	while (!*flag && clock_mono_usec() < end)
		assert_true(sd_event_run(t.loop, 100000) >= 0);
	return *flag;
}

static void expect_done(struct answer *a)
{
	assert_true(run_until(&a->done, 30));
	if (a->e.code)
		print_message("answer: %s\n", a->e.text);
}

static void expect_object(struct answer *a)
{
	expect_done(a);
	assert_int_equal(a->e.code, 0);
	assert_non_null(a->object);
}

static void ask(const char *word)
{
	char line[16];

	printf("%s\n", word);
	fflush(stdout);
	assert_non_null(fgets(line, sizeof(line), stdin));
}

/* ---- things ---- */

static struct kube_client *client_from(const char *kubeconfig, bool json_only)
{
	AUTO_FREE char *path = str_fmt("%s/%s", t.dir, kubeconfig);
	struct kube_client_options options = { .user_agent = "keelson-test",
					       .spawner = t.spawner,
					       .json_only = json_only };
	struct kube_credentials *k = NULL;
	struct kube_client *c = NULL;
	struct err e;

	if (kubeconfig_load(path, &k, &e) || kube_client_new(t.loop, k, &options, &c, &e))
		fail_msg("%s", e.text);
	return c;
}

static Core__Pod *pod_of(const char *name, const char *node)
{
	AUTO_FREE char *text = str_fmt(
	    "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":\"%"
	    "s\","
	    "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"limits\":{\"cpu\":1."
	    "5,"
	    "\"memory\":\"1.5Gi\"}},\"livenessProbe\":{\"httpGet\":{\"port\":\"web\"}},\"ports\":[{"
	    "\"name\":\"web\",\"containerPort\":80}]}],\"volumes\":[{\"name\":\"v\",\"configMap\":"
	    "{\"name\":\"x\"}}],\"automountServiceAccountToken\":false,\"hostNetwork\":false}}",
	    name, node);
	AUTO_JSON struct json_object *tree = NULL;
	void *msg = NULL;
	struct err e;

	if (json_parse(text, strlen(text), &tree, &e) ||
	    codec_from_json(&core__pod__descriptor, tree, NULL, &msg, &e))
		fail_msg("%s", e.text);
	return msg;
}

static void create_pod(struct kube_client *c, const char *name, const char *node)
{
	AUTO_PROTO Core__Pod *pod = pod_of(name, node);
	struct answer a = { 0 };

	kube_create(c, KUBE_POD, "default", NULL, NULL, pod, on_done, &a);
	expect_object(&a);
	kube_object_unref(a.object);
}

static void delete_pod(struct kube_client *c, const char *name)
{
	struct answer a = { 0 };

	kube_delete(c, KUBE_POD, "default", name, 0, NULL, on_done, &a);
	expect_done(&a);
	assert_int_equal(a.e.code, 0);
	kube_object_unref(a.object);
}

/* ---- calls ---- */

static void creates_patches_and_deletes(void **state)
{
	struct answer a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	const char *uid;

	(void)state;
	create_pod(t.client, "one", "n1");
	kube_get(t.client, KUBE_POD, "default", "one", on_done, &a);
	expect_object(&a);
	uid = a.object->meta->uid;
	assert_string_equal(a.object->meta->name, "one");
	assert_int_equal(a.object->meta->n_managedfields, 0);

	kube_patch(t.client, KUBE_POD, "default", "one", "status", KUBE_PATCH_STRATEGIC,
		   "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		   "\"status\":\"True\"}]}}",
		   on_done, &b);
	expect_object(&b);
	assert_string_equal(((Core__Pod *)b.object->msg)->status->phase, "Running");

	kube_delete(t.client, KUBE_POD, "default", "one", 0, "not-this-uid", on_done, &c);
	expect_done(&c);
	assert_int_equal(c.e.code, ERR_CONFLICT);
	kube_delete(t.client, KUBE_POD, "default", "one", 0, uid, on_done, &d);
	expect_done(&d);
	assert_int_equal(d.e.code, 0);
	kube_object_unref(a.object);
	kube_object_unref(b.object);
	kube_object_unref(d.object);
}

static void errors_have_codes(void **state)
{
	AUTO_PROTO Core__Pod *pod = pod_of("twice", "n1"), *bad = pod_of("BAD_NAME", "n1");
	struct answer a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	(void)state;
	kube_get(t.client, KUBE_POD, "default", "missing", on_done, &a);
	expect_done(&a);
	assert_int_equal(a.e.code, ERR_NOT_FOUND);
	assert_non_null(strstr(a.e.text, "default/missing"));
	create_pod(t.client, "twice", "n1");
	kube_create(t.client, KUBE_POD, "default", NULL, NULL, pod, on_done, &b);
	expect_done(&b);
	assert_int_equal(b.e.code, ERR_EXISTS);
	kube_create(t.client, KUBE_POD, "default", NULL, NULL, bad, on_done, &c);
	expect_done(&c);
	assert_int_equal(c.e.code, ERR_INVALID);
	proto_set_str(&pod->metadata->resourceversion, "1");
	kube_update(t.client, KUBE_POD, "default", "twice", NULL, pod, on_done, &d);
	expect_done(&d);
	assert_int_equal(d.e.code, ERR_CONFLICT);
	delete_pod(t.client, "twice");
}

static void cancelled_calls_stay_silent(void **state)
{
	struct answer a = { 0 }, b = { 0 };

	(void)state;
	kube_call_cancel(kube_get(t.client, KUBE_NODE, NULL, "x", on_done, &a));
	kube_get(t.client, KUBE_NODE, NULL, "x", on_done, &b);
	expect_done(&b);
	assert_false(a.done);
}

static void subresources_answer_with_their_kind(void **state)
{
	AUTO_PROTO Authentication__TokenRequest *r =
	    proto_new(&authentication__token_request__descriptor);
	AUTO_PROTO Authentication__TokenReview *review =
	    proto_new(&authentication__token_review__descriptor);
	AUTO_PROTO Core__ServiceAccount *account = proto_new(&core__service_account__descriptor);
	struct answer a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	account->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&account->metadata->name, "me");
	kube_create(t.client, KUBE_SERVICE_ACCOUNT, "default", NULL, NULL, account, on_done, &c);
	expect_object(&c);
	r->spec = proto_new(&authentication__token_request_spec__descriptor);
	kube_create(t.client, KUBE_SERVICE_ACCOUNT, "default", "me", "token", r, on_done, &a);
	expect_object(&a);
	assert_int_equal(a.object->kind, KUBE_TOKEN_REQUEST);
	review->spec = proto_new(&authentication__token_review_spec__descriptor);
	proto_set_str(&review->spec->token,
		      ((Authentication__TokenRequest *)a.object->msg)->status->token);
	kube_create(t.client, KUBE_TOKEN_REVIEW, NULL, NULL, NULL, review, on_done, &b);
	expect_object(&b);
	assert_string_equal(((Authentication__TokenReview *)b.object->msg)->status->user->username,
			    "system:serviceaccount:default:me");
	kube_object_unref(a.object);
	kube_object_unref(b.object);
	kube_object_unref(c.object);
}

/* ---- JSON as the server writes it ---- */

struct text {
	bool done;
	int status;
	char *body;
};

static void on_raw(void *ctx, int status, const char *type, const char *body, size_t len,
		   const struct err *e)
{
	struct text *x = ctx;

	(void)type;
	(void)len;
	(void)e;
	x->done = true;
	x->status = status;
	x->body = mem_strdup(body);
}

static char *sorted(struct json_object *tree)
{
	struct str s = { 0 };

	json_print(tree, true, &s);
	return str_take(&s);
}

static void json_equals_the_servers(void **state)
{
	struct text x = { 0 };
	struct answer a = { 0 };
	AUTO_JSON struct json_object *theirs = NULL, *ours = NULL;
	AUTO_FREE char *theirs_text = NULL, *ours_text = NULL;

	(void)state;
	create_pod(t.client, "shape", "n1");
	kube_raw(t.client, "GET", "/api/v1/namespaces/default/pods/shape", NULL, NULL,
		 "application/json", on_raw, &x);
	assert_true(run_until(&x.done, 30));
	assert_int_equal(x.status, 200);
	kube_get(t.client, KUBE_POD, "default", "shape", on_done, &a);
	expect_object(&a);
	assert_int_equal(json_parse(x.body, strlen(x.body), &theirs, NULL), 0);
	json_object_object_del(json_object_object_get(theirs, "metadata"), "managedFields");
	ours = codec_object_to_json(KUBE_POD, a.object->msg);
	theirs_text = sorted(theirs);
	ours_text = sorted(ours);
	assert_string_equal(ours_text, theirs_text);
	delete_pod(t.client, "shape");
	kube_object_unref(a.object);
	free(x.body);
}

/* ---- informers ---- */

struct log {
	struct str text; /* "+one ~one -one." */
	bool synced, changed;
};

static void note(struct log *l, char what, const struct kube_object *o)
{
	str_printf(&l->text, "%c%s ", what, o->meta->name);
	l->changed = true;
}

static void on_added(void *ctx, struct kube_object *o)
{
	note(ctx, '+', o);
}

static void on_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	note(ctx, '~', now);
}

static void on_deleted(void *ctx, struct kube_object *o)
{
	note(ctx, '-', o);
}

static void on_synced(void *ctx)
{
	struct log *l = ctx;

	str_append_c(&l->text, '.');
	l->synced = true;
}

static const struct informer_ops ops = { on_added, on_updated, on_deleted, on_synced };

static void expect_text(struct log *l, const char *want)
{
	int64_t end = clock_mono_usec() + 60 * (int64_t)USEC_PER_SEC;

	while (strcmp(str_text(&l->text), want) && clock_mono_usec() < end)
		assert_true(sd_event_run(t.loop, 100000) >= 0);
	assert_string_equal(str_text(&l->text), want);
}

static void watch_story(struct kube_client *c)
{
	struct log l = { 0 };
	struct answer a = { 0 };
	struct informer *inf;

	create_pod(c, "w1", "n1");
	create_pod(c, "w2", "n1");
	create_pod(c, "other", "n2");
	inf = informer_new(c, KUBE_POD, NULL, "spec.nodeName=n1", NULL, &ops, &l);
	expect_text(&l, "+w1 +w2 .");
	assert_true(informer_synced(inf));
	assert_int_equal(informer_count(inf), 2);
	assert_non_null(informer_get(inf, "default", "w1"));
	create_pod(c, "w3", "n1");
	expect_text(&l, "+w1 +w2 .+w3 ");
	kube_patch(c, KUBE_POD, "default", "w3", NULL, KUBE_PATCH_MERGE,
		   "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", on_done, &a);
	expect_object(&a);
	expect_text(&l, "+w1 +w2 .+w3 ~w3 ");
	delete_pod(c, "w2");
	expect_text(&l, "+w1 +w2 .+w3 ~w3 ~w2 -w2 ");
	assert_null(informer_get(inf, "default", "w2"));
	informer_free(inf);
	delete_pod(c, "w1");
	delete_pod(c, "w3");
	delete_pod(c, "other");
	kube_object_unref(a.object);
	str_fini(&l.text);
}

static void informer_follows(void **state)
{
	(void)state;
	watch_story(t.client);
}

static void informer_follows_in_json(void **state)
{
	struct kube_client *c = client_from("admin.kubeconfig", true);

	(void)state;
	watch_story(c);
	kube_client_free(c);
}

static void informer_survives_a_restart_of_the_server(void **state)
{
	struct log l = { 0 };
	struct informer *inf;
	unsigned long lines;
	struct answer a = { 0 };

	(void)state;
	create_pod(t.client, "r1", "n1");
	inf = informer_new(t.client, KUBE_POD, "default", NULL, NULL, &ops, &l);
	expect_text(&l, "+r1 .");
	lines = log_lines_written();
	ask("!stop");
	kube_get(t.client, KUBE_POD, "default", "r1", on_done, &a);
	expect_done(&a);
	assert_int_equal(a.e.code, ERR_UNAVAILABLE);
	assert_false(kube_client_reachable(t.client));
	for (int i = 0; i < 30; i++)
		sd_event_run(t.loop, 100000);
	ask("!start");
	create_pod(t.client, "r2", "n1");
	expect_text(&l, "+r1 .+r2 ");
	assert_true(kube_client_reachable(t.client));
	assert_true(log_lines_written() - lines <= 5);
	informer_free(inf);
	delete_pod(t.client, "r1");
	delete_pod(t.client, "r2");
	str_fini(&l.text);
}

/* ---- many watches and the heartbeat ---- */

enum { SECRETS = 300 };

static void heartbeat_beside_many_watches(void **state)
{
	struct log logs[SECRETS] = { 0 };
	struct informer *informers[SECRETS];
	struct kube_client *beat = kube_client_heartbeat(t.client);
	AUTO_PROTO Coordination__Lease *lease = proto_new(&coordination__lease__descriptor);
	int64_t slowest_usec = 0;
	struct answer made = { 0 };

	(void)state;
	for (int i = 0; i < SECRETS; i++) {
		AUTO_FREE char *selector = str_fmt("metadata.name=s%d", i);

		informers[i] =
		    informer_new(t.client, KUBE_SECRET, "default", selector, NULL, &ops, &logs[i]);
	}
	lease->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&lease->metadata->name, "n1");
	lease->spec = proto_new(&coordination__lease_spec__descriptor);
	kube_create(beat, KUBE_LEASE, "default", NULL, NULL, lease, on_done, &made);
	expect_object(&made);
	for (int i = 0; i < SECRETS; i++) {
		struct answer a = { 0 };
		int64_t start = clock_mono_usec();

		assert_true(run_until(&logs[i].synced, 60));
		if (i % 10)
			continue;
		kube_patch(beat, KUBE_LEASE, "default", "n1", NULL, KUBE_PATCH_MERGE,
			   "{\"spec\":{\"renewTime\":\"2026-01-01T00:00:00.000000Z\"}}", on_done,
			   &a);
		expect_object(&a);
		if (clock_mono_usec() - start > slowest_usec)
			slowest_usec = clock_mono_usec() - start;
		kube_object_unref(a.object);
	}
	print_message("slowest of 30 heartbeats beside %d watches: %lld ms\n", SECRETS,
		      (long long)(slowest_usec / 1000));
	assert_true(slowest_usec < 5 * (int64_t)USEC_PER_SEC);
	for (int i = 0; i < SECRETS; i++) {
		informer_free(informers[i]);
		str_fini(&logs[i].text);
	}
	kube_object_unref(made.object);
}

/* ---- events ---- */

static void on_any_event(void *ctx, struct kube_object *o)
{
	const Core__Event *e = (Core__Event *)o->msg;
	struct log *l = ctx;

	str_printf(&l->text, "%s*%d ", e->message, e->count);
}

static void on_counted_event(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_any_event(ctx, now);
}

static const struct informer_ops event_ops = { on_any_event, on_counted_event, NULL, on_synced };

static void events_are_counted_and_combined(void **state)
{
	struct event_recorder *r = event_recorder_new(t.client, t.loop, "keelson", "n1", 50, 100);
	AUTO_PROTO Core__ObjectReference *about = event_reference_node("n1");
	struct log l = { 0 };
	struct informer *inf = informer_new(t.client, KUBE_EVENT, "default",
					    "involvedObject.name=n1", NULL, &event_ops, &l);

	(void)state;
	expect_text(&l, ".");
	for (int i = 0; i < 3; i++)
		event_record(r, about, EVENT_NORMAL, "Same", "same");
	expect_text(&l, ".same*1 same*2 same*3 ");
	str_reset(&l.text);
	for (int i = 0; i < 11; i++)
		event_record(r, about, EVENT_WARNING, "Differs", "%d", i);
	expect_text(&l, "0*1 1*1 2*1 3*1 4*1 5*1 6*1 7*1 8*1 (combined from similar events): 9*1 "
			"(combined from similar events): 10*2 ");
	for (int i = 0; i < 40; i++)
		event_record(r, about, EVENT_WARNING, "Spam", "spam");
	for (int i = 0; i < 1000 && event_recorder_pending(r); i++)
		sd_event_run(t.loop, 100000);
	assert_int_equal(event_recorder_pending(r), 0);
	informer_free(inf);
	event_recorder_free(r);
	str_fini(&l.text);
}

/* ---- credentials ---- */

static void write_file(const char *name, mode_t mode, const char *text)
{
	AUTO_FREE char *path = str_fmt("%s/%s", t.dir, name);
	struct err e;

	if (fs_write_atomic(path, text, strlen(text), mode, &e))
		fail_msg("%s", e.text);
}

static void write_kubeconfig(const char *name, const char *cluster, const char *user)
{
	AUTO_FREE char *text =
	    str_fmt("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
		    "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
		    "clusters: [{name: c, cluster: {server: \"https://127.0.0.1:6443/\", %s}}]\n"
		    "users: [{name: u, user: {%s}}]\n",
		    cluster, user);

	write_file(name, 0600, text);
}

static enum err_code try_credentials(const char *cluster, const char *user)
{
	struct kube_client *c;
	struct answer a = { 0 };

	write_kubeconfig("try.kubeconfig", cluster, user);
	c = client_from("try.kubeconfig", false);
	kube_get(c, KUBE_NAMESPACE, NULL, "default", on_done, &a);
	expect_done(&a);
	kube_object_unref(a.object);
	kube_client_free(c);
	return a.e.code;
}

static void credentials_of_every_kind(void **state)
{
	static const char ca[] = "certificate-authority: ca.crt";

	(void)state;
	assert_int_equal(try_credentials(ca, "token: secret-token"), 0);
	assert_int_equal(try_credentials(ca, "token: wrong"), ERR_UNAUTHORIZED);
	write_file("token", 0600, "secret-token\n");
	assert_int_equal(try_credentials(ca, "tokenFile: token"), 0);
	assert_int_equal(try_credentials("insecure-skip-tls-verify: true", "token: secret-token"),
			 0);
	assert_int_equal(try_credentials("insecure-skip-tls-verify: false", "token: secret-token"),
			 ERR_UNAVAILABLE);
	assert_int_equal(try_credentials("certificate-authority: ca.crt, tls-server-name: "
					 "kubernetes.test",
					 "token: secret-token"),
			 0);
	assert_int_equal(
	    try_credentials("certificate-authority: ca.crt, tls-server-name: other.test",
			    "token: secret-token"),
	    ERR_UNAVAILABLE);
	write_file(
	    "plugin", 0700,
	    "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" | grep -q '\"interactive\":false' || exit "
	    "3\n[ \"$(ls /proc/self/fd | tr -d '\\n')\" = 0123 ] || exit 4\n"
	    "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
	    "\"ExecCredential\",\"status\":{\"token\":\"'$1-$WHAT'\"}}'\n");
	assert_int_equal(try_credentials(ca,
					 "exec: {apiVersion: client.authentication.k8s.io/v1, "
					 "command: ./plugin, args: [secret], env: [{name: WHAT, "
					 "value: token}]}"),
			 0);
	assert_int_equal(try_credentials(ca, "exec: {apiVersion: client.authentication.k8s.io/v1, "
					     "command: ./absent}"),
			 ERR_FORBIDDEN);
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	if (sd_event_new(&t.loop) < 0 || spawner_new(&t.spawner, &e) < 0)
		return -1;
	t.client = client_from("admin.kubeconfig", false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kube_client_free(t.client);
	spawner_free(t.spawner);
	sd_event_unref(t.loop);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates_patches_and_deletes),
		cmocka_unit_test(errors_have_codes),
		cmocka_unit_test(cancelled_calls_stay_silent),
		cmocka_unit_test(subresources_answer_with_their_kind),
		cmocka_unit_test(json_equals_the_servers),
		cmocka_unit_test(informer_follows),
		cmocka_unit_test(informer_follows_in_json),
		cmocka_unit_test(informer_survives_a_restart_of_the_server),
		cmocka_unit_test(heartbeat_beside_many_watches),
		cmocka_unit_test(events_are_counted_and_combined),
		cmocka_unit_test(credentials_of_every_kind),
	};

	if (argc != 2)
		return 2;
	t.dir = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
