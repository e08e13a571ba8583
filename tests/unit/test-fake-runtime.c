/* The strict runtime model itself: what it allows, what it calls a breach, its faults, its socket.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "fake-cri.h"
#include "fake-runtime.h"

static void add_label(size_t *n, void *map, const ProtobufCMessageDescriptor *type, const char *key,
		      const char *value)
{
	Cri__ContainerConfig__LabelsEntry *e = proto_new(type);

	proto_set_str(&e->key, key);
	proto_set_str(&e->value, value);
	proto_push_ptr(n, map, e);
}

static Cri__PodSandboxConfig *sandbox_config(const char *pod, unsigned attempt)
{
	Cri__PodSandboxConfig *c = proto_new(&cri__pod_sandbox_config__descriptor);

	c->metadata = proto_new(&cri__pod_sandbox_metadata__descriptor);
	proto_set_str(&c->metadata->name, pod);
	proto_set_str(&c->metadata->namespace_, "default");
	proto_set_str(&c->metadata->uid, pod);
	c->metadata->attempt = attempt;
	proto_set_str(&c->log_directory, "/var/log/pods/x");
	add_label(&c->n_labels, (void *)&c->labels,
		  &cri__pod_sandbox_config__labels_entry__descriptor, "io.kubernetes.pod.uid", pod);
	return c;
}

struct result {
	char id[80];
	struct err e;
};

/* Runs a call that answers with an id, or with nothing. */
static struct result call(struct fake_runtime *rt, enum cri_rpc rpc, void *request)
{
	struct fake_outcome o;
	struct result r = { 0 };

	fake_runtime_call(rt, rpc, request, &o);
	if (o.reply && rpc == CRI_RUN_POD_SANDBOX)
		strcpy(r.id, ((Cri__RunPodSandboxResponse *)o.reply)->pod_sandbox_id);
	if (o.reply && rpc == CRI_CREATE_CONTAINER)
		strcpy(r.id, ((Cri__CreateContainerResponse *)o.reply)->container_id);
	r.e = o.err;
	proto_free(o.reply);
	proto_free(request);
	return r;
}

static struct result run_sandbox(struct fake_runtime *rt, const char *pod, unsigned attempt)
{
	Cri__RunPodSandboxRequest *q = proto_new(&cri__run_pod_sandbox_request__descriptor);

	q->config = sandbox_config(pod, attempt);
	return call(rt, CRI_RUN_POD_SANDBOX, q);
}

static struct result create(struct fake_runtime *rt, const char *sandbox, const char *pod,
			    const char *name, unsigned attempt, const char *command)
{
	Cri__CreateContainerRequest *q = proto_new(&cri__create_container_request__descriptor);
	Cri__ContainerConfig *c = proto_new(&cri__container_config__descriptor);

	proto_set_str(&q->pod_sandbox_id, sandbox);
	q->sandbox_config = sandbox_config(pod, 0);
	q->config = c;
	c->metadata = proto_new(&cri__container_metadata__descriptor);
	proto_set_str(&c->metadata->name, name);
	c->metadata->attempt = attempt;
	c->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&c->image->image, "reg/image:1");
	proto_push_str(&c->n_command, &c->command, command);
	proto_set_str(&c->log_path, "c/0.log");
	add_label(&c->n_labels, (void *)&c->labels,
		  &cri__container_config__labels_entry__descriptor, "io.kubernetes.pod.uid", pod);
	add_label(&c->n_labels, (void *)&c->labels,
		  &cri__container_config__labels_entry__descriptor, "io.kubernetes.container.name",
		  name);
	return call(rt, CRI_CREATE_CONTAINER, q);
}

/* The requests that hold an id, and StopContainer's grace. */
static struct result with_id(struct fake_runtime *rt, enum cri_rpc rpc, const char *id, int grace)
{
	void *q = proto_new(cri_request_type(rpc));

	/* the id is the first field of them all */
	proto_set_str(&((Cri__StartContainerRequest *)q)->container_id, id);
	if (rpc == CRI_STOP_CONTAINER)
		((Cri__StopContainerRequest *)q)->timeout = grace;
	return call(rt, rpc, q);
}

static void expect_breach(struct fake_runtime *rt, const char *text)
{
	assert_int_equal(fake_runtime_breaches(rt), 1);
	assert_non_null(strstr(fake_runtime_breach(rt, 0), text));
	fake_runtime_free(rt);
}

static struct fake_runtime *with_image(void)
{
	struct fake_runtime *rt = fake_runtime_new();

	fake_runtime_add_image(rt, "reg/image:1");
	return rt;
}

static void a_pods_life_is_no_breach(void **state)
{
	struct fake_runtime *rt = with_image();
	struct result s = run_sandbox(rt, "web", 0);
	struct result c = create(rt, s.id, "web", "app", 0, "exit:3:200ms");
	struct result d = create(rt, s.id, "web", "side", 0, "stubborn");
	Cri__ContainerEventResponse *e;
	int stopped = 0, deleted = 0;

	(void)state;
	fake_runtime_advance(rt, 1000000);
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	with_id(rt, CRI_START_CONTAINER, d.id, 0);
	assert_true(fake_runtime_next_usec(rt) == 1200000);
	fake_runtime_advance(rt, 1200000);
	with_id(rt, CRI_STOP_CONTAINER, d.id, 5);
	assert_true(fake_runtime_next_usec(rt) == 6200000);
	fake_runtime_advance(rt, 7000000);
	with_id(rt, CRI_STOP_POD_SANDBOX, s.id, 0);
	with_id(rt, CRI_REMOVE_CONTAINER, c.id, 0);
	with_id(rt, CRI_REMOVE_CONTAINER, d.id, 0);
	with_id(rt, CRI_REMOVE_CONTAINER, d.id, 0);
	with_id(rt, CRI_REMOVE_POD_SANDBOX, s.id, 0);
	while ((e = fake_runtime_take_event(rt))) {
		stopped +=
		    e->container_event_type == CRI__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT;
		deleted +=
		    e->container_event_type == CRI__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT;
		proto_free(e);
	}
	assert_int_equal(stopped, 3);
	assert_int_equal(deleted, 3);
	assert_int_equal(fake_runtime_breaches(rt), 0);
	fake_runtime_free(rt);
}

static void illegal_steps_are_breaches(void **state)
{
	struct fake_runtime *rt = with_image();
	struct result s = run_sandbox(rt, "web", 0), c;

	(void)state;
	run_sandbox(rt, "web", 1);
	expect_breach(rt, "second ready sandbox");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	assert_non_null(strstr(run_sandbox(rt, "web", 0).e.text, "is reserved"));
	expect_breach(rt, "used twice");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	with_id(rt, CRI_STOP_POD_SANDBOX, s.id, 0);
	create(rt, s.id, "web", "app", 0, "run");
	expect_breach(rt, "not ready");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	c = create(rt, s.id, "web", "app", 0, "run");
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	expect_breach(rt, "not in state created");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	c = create(rt, s.id, "web", "app", 0, "run");
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	create(rt, s.id, "web", "app", 1, "run");
	expect_breach(rt, "second copy");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	c = create(rt, s.id, "web", "app", 0, "run");
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	with_id(rt, CRI_REMOVE_CONTAINER, c.id, 0);
	expect_breach(rt, "which runs");

	rt = with_image();
	s = run_sandbox(rt, "web", 0);
	c = create(rt, s.id, "web", "app", 0, "run");
	with_id(rt, CRI_START_CONTAINER, c.id, 0);
	with_id(rt, CRI_STOP_POD_SANDBOX, s.id, 0);
	expect_breach(rt, "while container app");

	rt = with_image();
	with_id(rt, CRI_START_CONTAINER, "nothing", 0);
	expect_breach(rt, "never was");

	rt = fake_runtime_new();
	s = run_sandbox(rt, "web", 0);
	create(rt, s.id, "web", "app", 0, "run");
	expect_breach(rt, "never pulled");
}

static void faults_hit_the_calls_they_are_planned_for(void **state)
{
	struct fake_runtime *rt = with_image();
	struct fake_fault half = { .rpc = CRI_RUN_POD_SANDBOX, .count = 1, .kind = FAKE_HALF };
	struct fake_fault lost = {
		.rpc = CRI_CREATE_CONTAINER, .skip = 1, .count = 1, .kind = FAKE_LOST_REPLY
	};
	struct fake_fault nospc = { .rpc = CRI_START_CONTAINER,
				    .count = 1,
				    .kind = FAKE_FAIL,
				    .status = 2,
				    .text = "no space left on device" };
	struct result s, c;

	(void)state;
	fake_runtime_plan(rt, &half);
	fake_runtime_plan(rt, &lost);
	fake_runtime_plan(rt, &nospc);
	assert_int_equal(run_sandbox(rt, "web", 0).e.code, ERR_UNAVAILABLE);
	/* the name is taken by what the caller never heard of: its error, not its breach */
	assert_non_null(strstr(run_sandbox(rt, "web", 0).e.text, "is reserved"));
	s = run_sandbox(rt, "web", 1);
	assert_int_equal(create(rt, s.id, "web", "one", 0, "run").e.code, ERR_NONE);
	assert_int_equal(create(rt, s.id, "web", "two", 0, "run").e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(create(rt, s.id, "web", "two", 0, "run").e.text, "is reserved"));
	c = create(rt, s.id, "web", "two", 1, "run");
	assert_string_equal(with_id(rt, CRI_START_CONTAINER, c.id, 0).e.text,
			    "no space left on device");
	assert_int_equal(with_id(rt, CRI_START_CONTAINER, c.id, 0).e.code, ERR_NONE);
	assert_int_equal(fake_runtime_breaches(rt), 0);
	assert_int_equal(fake_runtime_calls(rt, CRI_START_CONTAINER), 2);
	fake_runtime_free(rt);
}

/* ---- over the socket ---- */

struct client {
	int done, events, ended;
	struct err e;
};

static void on_done(void *ctx, void *reply, const struct err *e)
{
	struct client *c = ctx;

	c->done++;
	c->e = e ? *e : (struct err){ 0 };
	proto_free(reply);
}

static void on_event(void *ctx, const Cri__ContainerEventResponse *e)
{
	assert_non_null(e->pod_sandbox_status);
	((struct client *)ctx)->events++;
}

static void on_ended(void *ctx, const struct err *e)
{
	(void)e;
	((struct client *)ctx)->ended++;
}

static void spin(sd_event *loop, const int *flag, int want)
{
	int64_t limit = clock_mono_usec() + 10 * USEC_PER_SEC;

	while (*flag < want) {
		assert_true(clock_mono_usec() < limit);
		assert_true(sd_event_run(loop, 100 * USEC_PER_MSEC) >= 0);
	}
}

static void run_over_socket(struct cri *cri, struct client *c, const char *pod)
{
	AUTO_PROTO Cri__RunPodSandboxRequest *q =
	    proto_new(&cri__run_pod_sandbox_request__descriptor);

	q->config = sandbox_config(pod, 0);
	cri_call(cri, CRI_RUN_POD_SANDBOX, q, 1000, on_done, c);
}

static void the_socket_delays_loses_and_restarts(void **state)
{
	struct fake_runtime *rt = with_image();
	struct fake_fault faults[] = {
		{ .rpc = CRI_RUN_POD_SANDBOX, .count = 1, .kind = FAKE_SLOW, .delay_msec = 200 },
		{ .rpc = CRI_RUN_POD_SANDBOX, .skip = 1, .count = 1, .kind = FAKE_NO_REPLY },
		{ .rpc = CRI_RUN_POD_SANDBOX, .skip = 2, .count = 1, .kind = FAKE_GARBAGE },
	};
	char dir[] = "/tmp/test-fake-XXXXXX";
	AUTO_FREE char *path = str_fmt("%s/s", mkdtemp(dir));
	struct client c = { 0 };
	struct fake_cri *fake;
	struct cri *cri;
	sd_event *loop;
	struct err e;
	int64_t start;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		fake_runtime_plan(rt, &faults[i]);
	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(fake_cri_new(loop, path, rt, &fake, &e), 0);
	assert_int_equal(cri_new(loop, path, NULL, &cri, &e), 0);
	cri_events(cri, on_event, on_ended, &c);
	start = clock_mono_usec();
	run_over_socket(cri, &c, "slow");
	spin(loop, &c.done, 1);
	assert_int_equal(c.e.code, ERR_NONE);
	assert_true(clock_mono_usec() - start >= 195000);
	spin(loop, &c.events, 2);
	run_over_socket(cri, &c, "silent");
	spin(loop, &c.done, 2);
	assert_int_equal(c.e.code, ERR_TIMEOUT);
	run_over_socket(cri, &c, "garbage");
	spin(loop, &c.done, 3);
	assert_int_equal(c.e.code, ERR_REMOTE);
	assert_int_equal(fake_cri_restart(fake, &e), 0);
	spin(loop, &c.ended, 1);
	run_over_socket(cri, &c, "after");
	spin(loop, &c.done, 4);
	assert_int_equal(c.e.code, ERR_NONE);
	cri_free(cri);
	fake_cri_free(fake);
	fake_runtime_free(rt);
	sd_event_unref(loop);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pods_life_is_no_breach),
		cmocka_unit_test(illegal_steps_are_breaches),
		cmocka_unit_test(faults_hit_the_calls_they_are_planned_for),
		cmocka_unit_test(the_socket_delays_loses_and_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
