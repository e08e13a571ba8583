/* gRPC server of the strict runtime model (contract in fake-cri.h). Effect. */
#include "fake-cri.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/vec.h"
#include "cri/grpc-server.h"

enum { SUBSCRIBER_MAX_BYTES = 1024 * 1024 };

/* A reply that waits for its time; without a timer it waits for ever. */
struct pending {
	struct fake_cri *f;
	struct grpc_req *req;
	sd_event_source *timer;
	struct fake_outcome outcome;
};

struct subscriber {
	struct fake_cri *f;
	struct grpc_req *req;
};

struct fake_cri {
	sd_event *loop;
	char *path;
	struct fake_runtime *rt;
	struct grpc_server *server;
	sd_event_source *timer;
	VEC(struct pending *) pending;
	VEC(struct subscriber *) subscribers;
	struct fake_kill kill;
};

/* ---- replies ---- */

static void answer(struct grpc_req *req, const struct fake_outcome *o)
{
	static const uint8_t noise[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00 };
	size_t len;

	if (o->garbage)
		grpc_req_send(req, noise, sizeof(noise));
	if (!o->garbage && o->reply) {
		AUTO_FREE uint8_t *packed = proto_pack(o->reply, &len);

		grpc_req_send(req, packed, len);
	}
	grpc_req_end(req, o->err.code ? &o->err : NULL);
	proto_free(o->reply);
}

static void pending_drop(struct pending *p)
{
	for (size_t i = 0; i < p->f->pending.n; i++)
		if (p->f->pending.v[i] == p) {
			vec_remove(&p->f->pending, i);
			break;
		}
	sd_event_source_disable_unref(p->timer);
	free(p);
}

static void pending_answer(struct pending *p)
{
	struct fake_outcome o = p->outcome;
	struct grpc_req *req = p->req;

	pending_drop(p);
	answer(req, &o);
}

static int on_due(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct pending *p = userdata;
	struct fake_cri *f = p->f;

	(void)s;
	(void)usec;
	/* what the delay was for has happened when the caller hears of it */
	fake_cri_poke(f);
	pending_answer(p);
	return 0;
}

static void on_cancel(void *ctx)
{
	pending_answer(ctx);
}

static void hold(struct fake_cri *f, struct grpc_req *req, const struct fake_outcome *o)
{
	struct pending *p = NEW(struct pending);

	*p = (struct pending){ .f = f, .req = req, .outcome = *o };
	vec_push(&f->pending, p);
	grpc_req_on_cancel(req, on_cancel, p);
	if (!o->silent && sd_event_add_time_relative(f->loop, &p->timer, CLOCK_MONOTONIC,
						     (uint64_t)o->delay_usec, 1000, on_due, p) < 0)
		abort();
}

/* ---- events ---- */

static void subscriber_gone(void *ctx)
{
	struct subscriber *s = ctx;

	for (size_t i = 0; i < s->f->subscribers.n; i++)
		if (s->f->subscribers.v[i] == s) {
			vec_remove(&s->f->subscribers, i);
			break;
		}
	grpc_req_end(s->req, NULL);
	free(s);
}

static void subscribe(struct fake_cri *f, struct grpc_req *req)
{
	struct subscriber *s = NEW(struct subscriber);

	*s = (struct subscriber){ f, req };
	vec_push(&f->subscribers, s);
	grpc_req_on_cancel(req, subscriber_gone, s);
}

/* A reader that does not keep up loses events, as with containerd. */
static void send_events(struct fake_cri *f)
{
	Cri__ContainerEventResponse *e;

	while ((e = fake_runtime_take_event(f->rt))) {
		size_t len;
		AUTO_FREE uint8_t *packed = proto_pack(e, &len);

		for (size_t i = 0; i < f->subscribers.n; i++)
			if (grpc_req_queued_bytes(f->subscribers.v[i]->req) < SUBSCRIBER_MAX_BYTES)
				grpc_req_send(f->subscribers.v[i]->req, packed, len);
		proto_free(e);
	}
}

/* ---- time ---- */

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	fake_cri_poke(userdata);
	return 0;
}

void fake_cri_poke(struct fake_cri *f)
{
	int64_t now = clock_wall_usec(), next;

	fake_runtime_advance(f->rt, now);
	send_events(f);
	next = fake_runtime_next_usec(f->rt);
	if (next < 0) {
		sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(f->timer, next > now ? (uint64_t)(next - now) : 0);
	sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

/* ---- calls ---- */

static bool changes(enum cri_rpc rpc)
{
	static const enum cri_rpc list[] = {
		CRI_RUN_POD_SANDBOX,  CRI_STOP_POD_SANDBOX, CRI_REMOVE_POD_SANDBOX,
		CRI_CREATE_CONTAINER, CRI_START_CONTAINER,  CRI_STOP_CONTAINER,
		CRI_REMOVE_CONTAINER, CRI_PULL_IMAGE,       CRI_REMOVE_IMAGE,
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == rpc)
			return true;
	return false;
}

/* Is this the call at which the client dies? */
static bool kill_due(struct fake_cri *f, enum cri_rpc rpc)
{
	const struct fake_kill *k = &f->kill;

	if (!k->pid || (k->rpc != CRI_RPC_COUNT && k->rpc != rpc) || (k->changes && !changes(rpc)))
		return false;
	return f->kill.skip-- == 0;
}

static void kill_client(struct fake_cri *f)
{
	kill(f->kill.pid, SIGKILL);
	f->kill.pid = 0;
}

void fake_cri_kill_at(struct fake_cri *f, const struct fake_kill *k)
{
	f->kill = *k;
}

bool fake_cri_kill_pending(const struct fake_cri *f)
{
	return f->kill.pid != 0;
}

static void serve(void *ctx, struct grpc_req *req, const char *path, const uint8_t *data,
		  size_t len)
{
	struct fake_cri *f = ctx;
	enum cri_rpc rpc = cri_rpc_of_method(path);
	struct fake_outcome o;
	bool dies;
	struct err e;

	if (rpc == CRI_RPC_COUNT) {
		err_set(&e, ERR_UNIMPLEMENTED, "unknown method %s", path);
		grpc_req_end(req, &e);
		return;
	}
	AUTO_PROTO void *request = proto_unpack(cri_request_type(rpc), data, len, &e);
	if (!request) {
		grpc_req_end(req, &e);
		return;
	}
	fake_runtime_advance(f->rt, clock_wall_usec());
	if (rpc == CRI_GET_CONTAINER_EVENTS) {
		subscribe(f, req);
		return;
	}
	dies = kill_due(f, rpc);
	if (dies && !f->kill.after) {
		kill_client(f);
		err_set(&e, ERR_UNAVAILABLE, "the client is dead");
		grpc_req_end(req, &e);
		return;
	}
	fake_runtime_call(f->rt, rpc, request, &o);
	if (dies)
		kill_client(f);
	if (o.silent || o.delay_usec)
		hold(f, req, &o);
	else
		answer(req, &o);
	fake_cri_poke(f);
}

/* ---- life ---- */

void fake_cri_down(struct fake_cri *f)
{
	/* requests end before their server: each is freed by its own end */
	while (f->pending.n)
		pending_answer(f->pending.v[0]);
	while (f->subscribers.n)
		subscriber_gone(f->subscribers.v[0]);
	grpc_server_free(f->server);
	f->server = NULL;
	unlink(f->path);
}

int fake_cri_restart(struct fake_cri *f, struct err *e)
{
	fake_cri_down(f);
	return grpc_server_new(f->loop, f->path, serve, f, &f->server, e);
}

int fake_cri_new(sd_event *loop, const char *socket_path, struct fake_runtime *rt,
		 struct fake_cri **ret, struct err *e)
{
	struct fake_cri *f = NEW(struct fake_cri);
	int rc;

	f->loop = sd_event_ref(loop);
	f->path = mem_strdup(socket_path);
	f->rt = rt;
	fake_runtime_advance(rt, clock_wall_usec());
	rc = sd_event_add_time_relative(loop, &f->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, f);
	if (rc < 0 || grpc_server_new(loop, socket_path, serve, f, &f->server, e) < 0) {
		fake_cri_free(f);
		return -1;
	}
	*ret = f;
	return 0;
}

void fake_cri_free(struct fake_cri *f)
{
	if (!f)
		return;
	fake_cri_down(f);
	sd_event_source_disable_unref(f->timer);
	vec_fini(&f->pending);
	vec_fini(&f->subscribers);
	sd_event_unref(f->loop);
	free(f->path);
	free(f);
}
