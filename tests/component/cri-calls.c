/* Read-only CRI calls against a real runtime: each line says what came back.
 *
 * usage: cri-calls SOCKET 1|2     the generation of containerd behind it: 2 has RuntimeConfig and
 * container events, 1 answers them with Unimplemented
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/cri.h"
#include "cri/grpc.h"

struct run {
	sd_event *loop;
	struct cri *cri;
	bool new_runtime;
	int failures;
	bool done;
	void *reply;
	struct err e;
	int events, stream_ends;
	struct err stream_end;
};

static void check(struct run *r, bool ok, const char *what)
{
	char text[1200] = "";

	if (!ok && r->e.code)
		grpc_err_text(&r->e, text, sizeof(text));
	printf("%s %s%s%s\n", ok ? "ok" : "FAIL", what, text[0] ? ": " : "", text);
	r->failures += !ok;
}

static void on_done(void *ctx, void *reply, const struct err *e)
{
	struct run *r = ctx;

	r->done = true;
	r->reply = reply;
	if (e)
		r->e = *e;
}

static void *call(struct run *r, enum cri_rpc rpc, void *request)
{
	proto_free(r->reply);
	r->reply = NULL;
	r->done = false;
	err_clear(&r->e);
	cri_call(r->cri, rpc, request, 10000, on_done, r);
	while (!r->done)
		if (sd_event_run(r->loop, UINT64_MAX) < 0)
			abort();
	proto_free(request);
	return r->reply;
}

static void *empty(enum cri_rpc rpc)
{
	return proto_new(cri_request_type(rpc));
}

static void identity(struct run *r)
{
	const Cri__VersionResponse *v = call(r, CRI_VERSION, empty(CRI_VERSION));
	const Cri__StatusResponse *s;

	check(r, v && str_eq(v->runtime_name, "containerd"), "Version names containerd");
	if (v)
		printf("   %s %s, %s\n", v->runtime_name, v->runtime_version,
		       v->runtime_api_version);
	s = call(r, CRI_STATUS, empty(CRI_STATUS));
	check(r, s && s->status && s->status->n_conditions >= 2, "Status has its conditions");
	for (size_t i = 0; s && s->status && i < s->status->n_conditions; i++)
		printf("   %s=%d\n", s->status->conditions[i]->type,
		       s->status->conditions[i]->status);
}

static void lists(struct run *r)
{
	static const enum cri_rpc rpcs[] = { CRI_LIST_POD_SANDBOX, CRI_LIST_CONTAINERS,
					     CRI_LIST_CONTAINER_STATS, CRI_LIST_IMAGES,
					     CRI_IMAGE_FS_INFO };

	for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++) {
		AUTO_FREE char *what = str_fmt("%s answers", cri_method(rpcs[i]));

		check(r, call(r, rpcs[i], empty(rpcs[i])) != NULL, what);
	}
}

static void images(struct run *r)
{
	Cri__ImageStatusRequest *s = empty(CRI_IMAGE_STATUS);
	Cri__PullImageRequest *p = empty(CRI_PULL_IMAGE);
	const Cri__ImageStatusResponse *got;

	s->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&s->image->image, "registry.invalid/nothing:1");
	got = call(r, CRI_IMAGE_STATUS, s);
	check(r, got && !got->image, "ImageStatus of an unknown image is empty");
	p->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&p->image->image, "registry.invalid/nothing:1");
	call(r, CRI_PULL_IMAGE, p);
	check(r, r->e.code != ERR_NONE && strstr(r->e.text, "registry.invalid"),
	      "PullImage of an unknown image fails with its name");
	printf("   %s: %s\n", err_code_name(r->e.code), r->e.text);
}

static void unknown_ids(struct run *r)
{
	Cri__ContainerStatusRequest *c = empty(CRI_CONTAINER_STATUS);
	Cri__PodSandboxStatusRequest *p = empty(CRI_POD_SANDBOX_STATUS);
	Cri__StartContainerRequest *s = empty(CRI_START_CONTAINER);
	Cri__RemovePodSandboxRequest *rm = empty(CRI_REMOVE_POD_SANDBOX);

	proto_set_str(&c->container_id, "nothing");
	call(r, CRI_CONTAINER_STATUS, c);
	check(r, r->e.code == ERR_NOT_FOUND, "ContainerStatus of an unknown id is NotFound");
	proto_set_str(&p->pod_sandbox_id, "nothing");
	call(r, CRI_POD_SANDBOX_STATUS, p);
	check(r, r->e.code == ERR_NOT_FOUND, "PodSandboxStatus of an unknown id is NotFound");
	proto_set_str(&s->container_id, "nothing");
	call(r, CRI_START_CONTAINER, s);
	check(r, r->e.code == ERR_NOT_FOUND, "StartContainer of an unknown id is NotFound");
	proto_set_str(&rm->pod_sandbox_id, "nothing");
	check(r, call(r, CRI_REMOVE_POD_SANDBOX, rm) != NULL,
	      "RemovePodSandbox of an unknown id is done already");
}

static void on_event(void *ctx, const Cri__ContainerEventResponse *event)
{
	(void)event;
	((struct run *)ctx)->events++;
}

static void on_ended(void *ctx, const struct err *e)
{
	struct run *r = ctx;

	r->stream_ends++;
	if (e)
		r->stream_end = *e;
}

static void optional(struct run *r)
{
	const Cri__RuntimeConfigResponse *c =
	    call(r, CRI_RUNTIME_CONFIG, empty(CRI_RUNTIME_CONFIG));
	int64_t until = clock_mono_usec() + 500 * USEC_PER_MSEC;
	struct cri_stream *events;

	if (r->new_runtime)
		check(r, c && c->linux, "RuntimeConfig tells the cgroup driver");
	else
		check(r, r->e.code == ERR_UNIMPLEMENTED, "RuntimeConfig is Unimplemented");
	events = cri_events(r->cri, on_event, on_ended, r);
	while (clock_mono_usec() < until && !r->stream_ends)
		if (sd_event_run(r->loop, 50 * USEC_PER_MSEC) < 0)
			abort();
	if (r->new_runtime) {
		check(r, r->stream_ends == 0, "the event stream stays open");
		cri_stream_cancel(events);
	} else {
		check(r, r->stream_end.code == ERR_UNIMPLEMENTED, "events are Unimplemented");
	}
	check(r, call(r, CRI_VERSION, empty(CRI_VERSION)) != NULL,
	      "calls go on after a stream ended");
}

/* The numbers that a choice of design rests on: what a call costs. */
static void cost(struct run *r)
{
	enum { CALLS = 500 };
	int64_t t0 = clock_mono_usec();

	for (int i = 0; i < CALLS; i++)
		if (!call(r, CRI_LIST_CONTAINERS, empty(CRI_LIST_CONTAINERS)))
			break;
	printf("   ListContainers: %lld us a call\n", (long long)(clock_mono_usec() - t0) / CALLS);
	check(r, r->e.code == ERR_NONE, "500 calls on one connection");
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	struct err e;

	if (argc != 3) {
		fprintf(stderr, "usage: cri-calls SOCKET 1|2\n");
		return 2;
	}
	r.new_runtime = argv[2][0] == '2';
	if (sd_event_new(&r.loop) < 0 || cri_new(r.loop, argv[1], NULL, &r.cri, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	identity(&r);
	lists(&r);
	images(&r);
	unknown_ids(&r);
	optional(&r);
	cost(&r);
	proto_free(r.reply);
	cri_free(r.cri);
	sd_event_unref(r.loop);
	printf("%d failures\n", r.failures);
	return r.failures ? 1 : 0;
}
