/* The RPC table and typed calls over the gRPC client (contract in cri/cri.h). Effect. */
#include "cri/cri.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/grpc.h"

enum { REQUEST_TIMEOUT_MSEC = 120 * 1000, MSEC_PER_SEC = 1000 };

enum service { SERVICE_Runtime, SERVICE_Image, SERVICE_COUNT };

static const struct rpc {
	enum service service;
	const char *method, *operation;
	const ProtobufCMessageDescriptor *request, *reply;
	int timeouts;
} rpcs[CRI_RPC_COUNT] = {
#define CRI_ROW(name, service_, method_, request_, reply_, timeouts_, operation_) \
	[CRI_##name] = { .service = SERVICE_##service_, \
			 .method = "/runtime.v1." #service_ "Service/" #method_, \
			 .operation = operation_, \
			 .request = &cri__##request_##__descriptor, \
			 .reply = &cri__##reply_##__descriptor, \
			 .timeouts = timeouts_ },
	CRI_RPCS(CRI_ROW)
#undef CRI_ROW
};

/* upstream's buckets: 5 ms, each 2.5 times the one before */
static const double latency_bounds_sec[CRI_LATENCY_BUCKETS] = {
	0.005,
	0.0125,
	0.03125,
	0.078125,
	0.1953125,
	0.48828125,
	1.220703125,
	3.0517578125,
	7.62939453125,
	19.073486328125,
	47.6837158203125,
	119.20928955078125,
	298.023223876953125,
	745.0580596923828125,
};

struct cri_call {
	struct cri *cri;
	struct cri_call *next, *prev;
	enum cri_rpc rpc;
	struct grpc_call *call;
	int64_t started_usec;
	cri_done_fn fn;
	void *ctx;
	void *reply;
};

struct cri_stream {
	struct cri *cri;
	struct cri_stream *next, *prev;
	enum cri_rpc rpc;
	struct grpc_call *call;
	void (*message)(void *ctx, const void *message);
	void (*event)(void *ctx, const Cri__ContainerEventResponse *event);
	void (*ended)(void *ctx, const struct err *e);
	void *ctx;
};

struct cri {
	struct grpc *grpc[SERVICE_COUNT]; /* the same one twice when there is one endpoint */
	int64_t request_timeout_msec;
	struct cri_call *calls;
	struct cri_stream *streams;
	struct cri_stats stats[CRI_RPC_COUNT];
};

int cri_new(sd_event *loop, const char *runtime_endpoint, const char *image_endpoint,
	    struct cri **ret, struct err *e)
{
	struct cri *cri = NEW(struct cri);
	bool same = str_empty(image_endpoint) || str_eq(image_endpoint, runtime_endpoint);

	cri->request_timeout_msec = REQUEST_TIMEOUT_MSEC;
	if (grpc_new(loop, runtime_endpoint, &cri->grpc[SERVICE_Runtime], e) < 0) {
		cri_free(cri);
		return err_wrap(e, "container runtime");
	}
	if (same) {
		cri->grpc[SERVICE_Image] = cri->grpc[SERVICE_Runtime];
	} else if (grpc_new(loop, image_endpoint, &cri->grpc[SERVICE_Image], e) < 0) {
		cri_free(cri);
		return err_wrap(e, "image service");
	}
	*ret = cri;
	return 0;
}

void cri_free(struct cri *cri)
{
	if (!cri)
		return;
	while (cri->calls)
		cri_call_cancel(cri->calls);
	while (cri->streams)
		cri_stream_cancel(cri->streams);
	if (cri->grpc[SERVICE_Image] != cri->grpc[SERVICE_Runtime])
		grpc_free(cri->grpc[SERVICE_Image]);
	grpc_free(cri->grpc[SERVICE_Runtime]);
	free(cri);
}

void cri_set_request_timeout(struct cri *cri, int64_t msec)
{
	cri->request_timeout_msec = msec;
}

static int64_t default_timeout_msec(const struct cri *cri, enum cri_rpc rpc, const void *request)
{
	int64_t msec = rpcs[rpc].timeouts * cri->request_timeout_msec;

	if (!rpcs[rpc].timeouts)
		return -1;
	if (rpc == CRI_STOP_CONTAINER)
		return msec + ((const Cri__StopContainerRequest *)request)->timeout * MSEC_PER_SEC;
	if (rpc == CRI_EXEC_SYNC) {
		int64_t sec = ((const Cri__ExecSyncRequest *)request)->timeout;

		return sec ? msec + sec * MSEC_PER_SEC : -1;
	}
	return msec;
}

static void count(struct cri *cri, enum cri_rpc rpc, int64_t usec, bool failed)
{
	struct cri_stats *s = &cri->stats[rpc];
	int b = 0;

	while (b < CRI_LATENCY_BUCKETS && (double)usec > latency_bounds_sec[b] * USEC_PER_SEC)
		b++;
	s->calls++;
	s->errors += failed;
	s->usec_sum += (uint64_t)usec;
	s->buckets[b]++;
}

static void call_free(struct cri_call *c)
{
	*(c->prev ? &c->prev->next : &c->cri->calls) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	proto_free(c->reply);
	free(c);
}

static int call_message(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct cri_call *c = ctx;

	if (c->reply)
		return err_set(e, ERR_REMOTE, "runtime sent two replies to one request");
	c->reply = proto_unpack(rpcs[c->rpc].reply, data, len, e);
	if (c->reply)
		return 0;
	if (e)
		e->code = ERR_REMOTE;
	return -1;
}

/* containerd 2.2 says this with status Unknown */
static void fix_unimplemented(enum cri_rpc rpc, struct err *e)
{
	if (rpc == CRI_UPDATE_POD_SANDBOX_RESOURCES && e->code == ERR_REMOTE &&
	    strstr(e->text, "not implemented"))
		e->code = ERR_UNIMPLEMENTED;
}

static void call_done(void *ctx, const struct err *failure)
{
	struct cri_call *c = ctx;
	cri_done_fn fn = c->fn;
	void *fn_ctx = c->ctx, *reply = TAKE(c->reply);
	struct err e = { 0 };

	if (failure) {
		e = *failure;
		fix_unimplemented(c->rpc, &e);
	} else if (!reply) {
		err_set(&e, ERR_REMOTE, "runtime ended %s without a reply", rpcs[c->rpc].method);
	}
	count(c->cri, c->rpc, clock_mono_usec() - c->started_usec, e.code != ERR_NONE);
	call_free(c);
	if (e.code) {
		proto_free(reply);
		reply = NULL;
	}
	fn(fn_ctx, reply, e.code ? &e : NULL);
}

static struct grpc_call *start(struct cri *cri, enum cri_rpc rpc, const void *request,
			       int64_t timeout_msec, size_t cut_bytes,
			       const struct grpc_handler *handler, void *ctx)
{
	size_t len;
	AUTO_FREE uint8_t *packed = proto_pack(request, &len);
	struct grpc_request r = {
		.method = rpcs[rpc].method,
		.data = packed,
		.len = len,
		.timeout_msec =
		    timeout_msec ? timeout_msec : default_timeout_msec(cri, rpc, request),
		.cut_bytes = cut_bytes,
	};

	return grpc_call_start(cri->grpc[rpcs[rpc].service], &r, handler, ctx);
}

static struct cri_call *call_cut(struct cri *cri, enum cri_rpc rpc, const void *request,
				 int64_t timeout_msec, size_t cut_bytes, cri_done_fn fn, void *ctx)
{
	static const struct grpc_handler handler = { call_message, call_done };
	struct cri_call *c = NEW(struct cri_call);

	*c = (struct cri_call){ .cri = cri,
				.next = cri->calls,
				.rpc = rpc,
				.started_usec = clock_mono_usec(),
				.fn = fn,
				.ctx = ctx };
	if (c->next)
		c->next->prev = c;
	cri->calls = c;
	c->call = start(cri, rpc, request, timeout_msec, cut_bytes, &handler, c);
	return c;
}

struct cri_call *cri_call(struct cri *cri, enum cri_rpc rpc, const void *request,
			  int64_t timeout_msec, cri_done_fn fn, void *ctx)
{
	return call_cut(cri, rpc, request, timeout_msec, 0, fn, ctx);
}

struct cri_call *cri_exec_sync(struct cri *cri, const Cri__ExecSyncRequest *request,
			       size_t max_bytes, cri_done_fn fn, void *ctx)
{
	return call_cut(cri, CRI_EXEC_SYNC, request, 0, max_bytes, fn, ctx);
}

void cri_call_cancel(struct cri_call *c)
{
	if (!c)
		return;
	grpc_call_cancel(c->call);
	call_free(c);
}

static void stream_free(struct cri_stream *s)
{
	*(s->prev ? &s->prev->next : &s->cri->streams) = s->next;
	if (s->next)
		s->next->prev = s->prev;
	free(s);
}

static int stream_message(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct cri_stream *s = ctx;
	AUTO_PROTO void *message = proto_unpack(rpcs[s->rpc].reply, data, len, e);

	if (!message) {
		e->code = ERR_REMOTE;
		return -1;
	}
	if (s->event)
		s->event(s->ctx, message);
	else
		s->message(s->ctx, message);
	return 0;
}

static void stream_done(void *ctx, const struct err *e)
{
	struct cri_stream *s = ctx;
	void (*ended)(void *ctx, const struct err *e) = s->ended;
	void *ended_ctx = s->ctx;

	stream_free(s);
	ended(ended_ctx, e);
}

static struct cri_stream *stream_start(struct cri *cri, const struct cri_stream *init,
				       const void *request)
{
	static const struct grpc_handler handler = { stream_message, stream_done };
	struct cri_stream *s = NEW(struct cri_stream);

	*s = *init;
	s->cri = cri;
	s->next = cri->streams;
	if (s->next)
		s->next->prev = s;
	cri->streams = s;
	s->call = start(cri, s->rpc, request, 0, 0, &handler, s);
	return s;
}

struct cri_stream *cri_stream(struct cri *cri, enum cri_rpc rpc, const void *request,
			      void (*message)(void *ctx, const void *message),
			      void (*ended)(void *ctx, const struct err *e), void *ctx)
{
	struct cri_stream init = { .rpc = rpc, .message = message, .ended = ended, .ctx = ctx };

	return stream_start(cri, &init, request);
}

struct cri_stream *cri_events(struct cri *cri,
			      void (*event)(void *ctx, const Cri__ContainerEventResponse *event),
			      void (*ended)(void *ctx, const struct err *e), void *ctx)
{
	struct cri_stream init = {
		.rpc = CRI_GET_CONTAINER_EVENTS, .event = event, .ended = ended, .ctx = ctx
	};
	AUTO_PROTO void *request = proto_new(rpcs[CRI_GET_CONTAINER_EVENTS].request);

	return stream_start(cri, &init, request);
}

void cri_stream_cancel(struct cri_stream *s)
{
	if (!s)
		return;
	grpc_call_cancel(s->call);
	stream_free(s);
}

const struct cri_stats *cri_stats(const struct cri *cri, enum cri_rpc rpc)
{
	return &cri->stats[rpc];
}

double cri_latency_bound_sec(int bucket)
{
	return latency_bounds_sec[bucket];
}

const char *cri_operation(enum cri_rpc rpc)
{
	return rpcs[rpc].operation;
}

const char *cri_method(enum cri_rpc rpc)
{
	return rpcs[rpc].method;
}

enum cri_rpc cri_rpc_of_method(const char *method)
{
	for (int i = 0; i < CRI_RPC_COUNT; i++)
		if (str_eq(rpcs[i].method, method))
			return (enum cri_rpc)i;
	return CRI_RPC_COUNT;
}

const ProtobufCMessageDescriptor *cri_request_type(enum cri_rpc rpc)
{
	return rpcs[rpc].request;
}

const ProtobufCMessageDescriptor *cri_reply_type(enum cri_rpc rpc)
{
	return rpcs[rpc].reply;
}
