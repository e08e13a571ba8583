/* Calls to the API server (contracts in kube/client.h and call.h). Effect.
 *
 * A call waits for the rate limit, then for a token, then flies, and may wait again for a
 * Retry-After. It leaves the list of calls just before its callback runs.
 */
#include "kube/client.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/str.h"
#include "call.h"
#include "certificate.h"
#include "exec.h"
#include "kube/codec.h"

enum {
	ANSWER_BYTES_MAX = 64 << 20,
	TOKEN_BYTES_MAX = 1 << 16,
	TOKEN_CACHE_SEC = 60,
	CALL_TIMEOUT_SEC = 60,
	HEARTBEAT_TIMEOUT_SEC = 10,
	RETRIES_MAX = 10,
	RETRY_AFTER_MAX_SEC = 60,
	HEARTBEAT_FAILURES_MAX = 2,
	LOOK_SEC = 10,
};

static const char accept_protobuf[] = "application/vnd.kubernetes.protobuf,application/json";
static const char accept_json[] = "application/json";
static const char type_protobuf[] = "application/vnd.kubernetes.protobuf";

struct kube_client {
	struct core *core;
	enum http_lane lane;
};

enum call_state { CALL_LIMITED, CALL_NEEDS_TOKEN, CALL_FLYING, CALL_RETRIES };

struct kube_call {
	struct core *core;
	struct kube_call *prev, *next; /* all calls, oldest first */
	struct call_spec spec;
	struct call_ops ops;
	kube_done_fn done;
	kube_raw_fn raw;
	void *ctx;
	enum http_lane lane;
	enum call_state state;
	struct http_call *http;
	sd_event_source *retry_timer;
	unsigned retries;
};

struct core {
	struct kube_client main, heartbeat;
	sd_event *loop;
	struct kube_credentials *credentials;
	struct http_pool *pool;
	struct kube_client_options options;
	char *user_agent;
	struct kube_call *calls, *last;
	sd_event_source *limiter;
	double tokens; /* of the rate limit */
	int64_t refilled_usec;
	char *file_token;
	int64_t file_token_usec;
	struct exec_credential *exec;
	struct client_hook *hooks;
	unsigned heartbeat_failures;
	bool unreachable, certificate_told;
	int64_t looked_usec; /* when credentials were last read again */
};

sd_event *client_loop(struct kube_client *c)
{
	return c->core->loop;
}

bool client_json_only(const struct kube_client *c)
{
	return c->core->options.json_only;
}

bool kube_client_reachable(const struct kube_client *c)
{
	return !c->core->unreachable;
}

struct kube_client *kube_client_heartbeat(struct kube_client *c)
{
	return &c->core->heartbeat;
}

void client_hook_add(struct kube_client *c, struct client_hook *hook)
{
	hook->next = c->core->hooks;
	c->core->hooks = hook;
}

void client_hook_remove(struct kube_client *c, struct client_hook *hook)
{
	struct client_hook **at = &c->core->hooks;

	while (*at && *at != hook)
		at = &(*at)->next;
	if (*at)
		*at = hook->next;
}

/* ---- list of calls ---- */

static void link_call(struct kube_call *call)
{
	struct core *k = call->core;

	call->prev = k->last;
	if (k->last)
		k->last->next = call;
	else
		k->calls = call;
	k->last = call;
}

static void unlink_call(struct kube_call *call)
{
	struct core *k = call->core;

	if (call->prev)
		call->prev->next = call->next;
	else
		k->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		k->last = call->prev;
}

static void call_free(struct kube_call *call)
{
	http_cancel(call->http);
	sd_event_source_disable_unref(call->retry_timer);
	free(call->spec.path);
	free(call->spec.noun);
	free(call->spec.body);
	free(call);
}

void kube_call_cancel(struct kube_call *call)
{
	if (!call)
		return;
	unlink_call(call);
	call_free(call);
}

/* ---- errors ---- */

static const struct {
	int status;
	const char *reason; /* of the Status; NULL: any */
	enum err_code code;
} status_codes[] = {
	{ 409, "AlreadyExists", ERR_EXISTS },
	{ 400, NULL, ERR_INVALID },
	{ 401, NULL, ERR_UNAUTHORIZED },
	{ 403, NULL, ERR_FORBIDDEN },
	{ 404, NULL, ERR_NOT_FOUND },
	{ 405, NULL, ERR_UNIMPLEMENTED },
	{ 406, NULL, ERR_UNIMPLEMENTED },
	{ 409, NULL, ERR_CONFLICT },
	{ 410, NULL, ERR_GONE },
	{ 413, NULL, ERR_TOO_LARGE },
	{ 415, NULL, ERR_UNIMPLEMENTED },
	{ 422, NULL, ERR_INVALID },
	{ 429, NULL, ERR_BUSY },
	{ 502, NULL, ERR_UNAVAILABLE },
	{ 503, NULL, ERR_UNAVAILABLE },
	{ 504, NULL, ERR_TIMEOUT },
};

static enum err_code code_of(int status, const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_codes); i++) {
		if (status_codes[i].status == status &&
		    (!status_codes[i].reason || str_eq(status_codes[i].reason, reason)))
			return status_codes[i].code;
	}
	return ERR_REMOTE;
}

void client_status_error(const Meta__Status *status, struct err *e)
{
	enum err_code code = code_of(status->code, status->reason);

	/* a watch tells an expired version with this reason and code 410 or none */
	if (str_eq(status->reason, "Expired") || str_eq(status->reason, "Gone"))
		code = ERR_GONE;
	err_set(e, code, "%s",
		str_empty(status->message) ? str_or(status->reason, "no reason given")
					   : status->message);
}

/* The text of an answer that is no Status: what a load balancer or proxy wrote. */
static void plain_error(const struct http_reply *r, struct err *e)
{
	char text[201];
	size_t n = r->len < sizeof(text) - 1 ? r->len : sizeof(text) - 1;

	memcpy(text, r->body, n);
	text[n] = '\0';
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	err_set(e, code_of(r->status, NULL), "HTTP status %d%s%s", r->status, n ? ": " : "", text);
}

static void http_error(const struct http_reply *r, struct err *e)
{
	AUTO_OBJECT struct kube_object *o = NULL;

	if (!client_decode(r->content_type, r->body, r->len, &o, NULL) && o &&
	    o->kind == KUBE_STATUS) {
		Meta__Status *status = (Meta__Status *)o->msg;

		if (!status->code)
			status->code = r->status;
		client_status_error(status, e);
		return;
	}
	plain_error(r, e);
}

/* ---- decoding ---- */

int client_decode_raw(enum kube_kind kind, struct wire_slice raw, struct kube_object **ret_object,
		      struct err *e)
{
	const struct kube_kind_info *info = kube_kind_info(kind);
	size_t len;
	AUTO_FREE uint8_t *lean = wire_strip(raw, &len);
	void *msg = proto_unpack(info->type, lean, len, e);

	if (!msg)
		return -1;
	*ret_object = kube_object_new(kind, msg);
	return 0;
}

static int decode_protobuf(const char *body, size_t len, struct kube_object **ret_object,
			   struct err *e)
{
	struct wire_object envelope;
	enum kube_kind kind;

	if (wire_open((struct wire_slice){ (const uint8_t *)body, len }, &envelope, e))
		return -1;
	kind = kube_kind_find(envelope.api_version, envelope.kind);
	if (kind == KUBE_KIND_COUNT)
		return 0;
	if (client_decode_raw(kind, envelope.raw, ret_object, e))
		return err_wrap(e, "%s", envelope.kind);
	return 0;
}

int client_decode(const char *content_type, const char *body, size_t len,
		  struct kube_object **ret_object, struct err *e)
{
	if (str_starts(content_type, type_protobuf))
		return decode_protobuf(body, len, ret_object, e);
	if (str_starts(content_type, accept_json)) {
		AUTO_JSON struct json_object *tree = NULL;

		if (json_parse(body, len, &tree, e))
			return -1;
		return codec_object_from_json(tree, ret_object, e);
	}
	return err_set(e, ERR_INVALID, "an answer of type \"%s\"", content_type);
}

/* ---- reachability ---- */

static void note_answer(struct core *k, bool answered, const struct err *e)
{
	if (answered == !k->unreachable)
		return;
	k->unreachable = !answered;
	if (!answered) {
		log_err_warning(e, "apiserver %s cannot be reached", k->credentials->server);
		return;
	}
	log_info("apiserver answers again server=%s", k->credentials->server);
	for (struct client_hook *h = k->hooks; h; h = h->next)
		h->reachable(h->ctx);
}

static void note_heartbeat(struct core *k, bool answered)
{
	k->heartbeat_failures = answered ? 0 : k->heartbeat_failures + 1;
	if (k->heartbeat_failures < HEARTBEAT_FAILURES_MAX)
		return;
	k->heartbeat_failures = 0;
	log_warning("two heartbeats in a row got no answer; all connections are made anew");
	http_pool_reset(k->pool, k->credentials, "connections are made anew");
}

/* ---- the life of a call ---- */

static void call_advance(struct kube_call *call);

static void call_finish(struct kube_call *call, const struct http_reply *reply, const struct err *e)
{
	AUTO_OBJECT struct kube_object *o = NULL;
	struct err problem;

	unlink_call(call);
	call->http = NULL;
	if (call->ops.done) {
		call->ops.done(call->ctx, reply, e);
	} else if (call->raw) {
		call->raw(call->ctx, reply ? reply->status : 0, reply ? reply->content_type : "",
			  reply ? reply->body : "", reply ? reply->len : 0, e);
	} else if (call->done) {
		if (!e && reply->len &&
		    client_decode(reply->content_type, reply->body, reply->len, &o, &problem)) {
			err_wrap(&problem, "%s", call->spec.noun);
			e = &problem;
		}
		if (o && o->kind == KUBE_STATUS) {
			kube_object_unref(o);
			o = NULL;
		}
		call->done(call->ctx, o, e);
	}
	call_free(call);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct kube_call *call = userdata;

	(void)usec;
	(void)s;
	call->retry_timer = sd_event_source_disable_unref(call->retry_timer);
	call->state = CALL_NEEDS_TOKEN;
	call_advance(call);
	return 0;
}

static bool call_retry(struct kube_call *call, const struct http_reply *r)
{
	int64_t wait_sec = r->retry_after_sec;

	if ((r->status != 429 && r->status < 500) || wait_sec <= 0 || call->retries >= RETRIES_MAX)
		return false;
	if (wait_sec > RETRY_AFTER_MAX_SEC)
		wait_sec = RETRY_AFTER_MAX_SEC;
	call->retries++;
	call->http = NULL;
	call->state = CALL_RETRIES;
	if (sd_event_add_time_relative(call->core->loop, &call->retry_timer, CLOCK_MONOTONIC,
				       (uint64_t)wait_sec * USEC_PER_SEC, 0, on_retry, call) < 0)
		abort();
	return true;
}

static void call_fly(struct kube_call *call);

/* A server that cannot read protobuf gets the same object as JSON, and only JSON from then on. */
static bool call_resend_json(struct kube_call *call, const struct http_reply *r)
{
	AUTO_OBJECT struct kube_object *o = NULL;

	if (r->status != 415 || call->spec.content_type != type_protobuf ||
	    decode_protobuf((char *)call->spec.body, call->spec.body_len, &o, NULL) || !o)
		return false;
	log_info("the apiserver takes no protobuf; JSON from now on");
	call->core->options.json_only = true;
	free(call->spec.body);
	call->spec.body = (uint8_t *)codec_object_text(o->kind, o->msg);
	call->spec.body_len = strlen((char *)call->spec.body);
	call->spec.content_type = call->spec.accept = accept_json;
	call_fly(call);
	return true;
}

static void forget_token(struct core *k)
{
	free(k->file_token);
	k->file_token = NULL;
	exec_credential_forget(k->exec);
}

/* Says what is wrong with the client certificate, once until it is another. */
static void tell_certificate(struct core *k)
{
	const struct kube_credentials *c = k->credentials;
	struct err e;

	if (k->certificate_told || str_empty(c->cert_pem) ||
	    certificate_check(c->cert_pem, c->cert_file, clock_wall_usec() / USEC_PER_SEC, &e) == 0)
		return;
	k->certificate_told = true;
	log_err(&e, "apiserver %s", c->server);
}

/* Who renews a certificate does so in its file; certificate and key may come one after the other.
 */
static void look_for_new_credentials(struct core *k)
{
	int64_t now = clock_mono_usec();
	struct err e;
	int r;

	if (now - k->looked_usec < LOOK_SEC * (int64_t)USEC_PER_SEC)
		return;
	k->looked_usec = now;
	r = kube_credentials_reload(k->credentials, &e);
	if (r < 0)
		log_err_warning(&e, "the credentials for apiserver %s cannot be read again",
				k->credentials->server);
	if (r <= 0) {
		tell_certificate(k);
		return;
	}
	log_info("the credentials for apiserver %s changed on disk", k->credentials->server);
	k->certificate_told = false;
	http_pool_reset(k->pool, k->credentials, "new credentials");
}

static void on_done(void *ctx, const struct http_reply *reply)
{
	struct kube_call *call = ctx;
	struct core *k = call->core;
	struct err e = { 0 };
	bool answered = reply->status && !reply->e;
	/* an end of our own making, or in the middle of an answer, says nothing about the server */
	bool silent = reply->reset || (reply->status && reply->e);

	if (answered && (call_retry(call, reply) || call_resend_json(call, reply))) {
		note_answer(k, true, NULL);
		return;
	}
	call->http = NULL;
	if (reply->e) {
		e = *reply->e;
		err_wrap(&e, "%s", call->spec.noun);
	} else if (reply->status < 200 || reply->status > 299) {
		http_error(reply, &e);
		err_wrap(&e, "%s", call->spec.noun);
	}
	if (reply->status == 401)
		forget_token(k);
	if (reply->status == 401 || (!answered && !silent))
		look_for_new_credentials(k);
	if (reply->status == 406)
		k->options.json_only = true;
	if (!silent) {
		note_answer(k, answered, &e);
		if (call->lane == HTTP_LANE_HEARTBEAT)
			note_heartbeat(k, answered);
	}
	call_finish(call, reply, e.code ? &e : NULL);
}

static void on_data(void *ctx, const char *content_type, const char *bytes, size_t len)
{
	struct kube_call *call = ctx;

	note_answer(call->core, true, NULL);
	call->ops.data(call->ctx, content_type, bytes, len);
}

static const struct http_ops http_ops = { .data = on_data, .done = on_done };

/* A token file is small and ours, or a projected volume's: on tmpfs. */
static const char *token_from_file(struct core *k)
{
	int64_t now = clock_mono_usec();
	AUTO_FREE char *text = NULL;
	struct err e;
	size_t len;

	if (k->file_token && now - k->file_token_usec < TOKEN_CACHE_SEC * (int64_t)USEC_PER_SEC)
		return k->file_token;
	if (fs_read(k->credentials->token_file, TOKEN_BYTES_MAX, &text, &len, &e)) {
		log_err_warning(&e, "the token file cannot be read");
		return k->file_token;
	}
	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	free(k->file_token);
	k->file_token = TAKE(text);
	k->file_token_usec = now;
	return k->file_token;
}

static char *basic_authorization(const struct kube_credentials *c)
{
	AUTO_FREE char *pair = str_fmt("%s:%s", c->username, str_or(c->password, ""));
	size_t len = strlen(pair);
	AUTO_FREE char *text = mem_calloc(4 * (len / 3 + 1) + 1, 1);

	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)pair, (int)len);
	return str_fmt("Basic %s", text);
}

static char *authorization(struct core *k)
{
	const struct kube_credentials *c = k->credentials;
	const char *token = c->token;

	if (k->exec)
		token = exec_credential_token(k->exec);
	else if (c->token_file)
		token = token_from_file(k);
	if (!str_empty(token))
		return str_fmt("Bearer %s", token);
	return str_empty(c->username) ? NULL : basic_authorization(c);
}

static unsigned timeout_msec(const struct kube_call *call)
{
	const struct kube_client_options *o = &call->core->options;

	if (call->spec.stream)
		return 0;
	if (call->lane == HTTP_LANE_HEARTBEAT)
		return 1000 * (o->heartbeat_timeout_sec ? o->heartbeat_timeout_sec
							: HEARTBEAT_TIMEOUT_SEC);
	return 1000 * (o->call_timeout_sec ? o->call_timeout_sec : CALL_TIMEOUT_SEC);
}

static void call_fly(struct kube_call *call)
{
	AUTO_FREE char *auth = authorization(call->core);
	struct http_request r = {
		.method = call->spec.method,
		.path = call->spec.path,
		.content_type = call->spec.content_type,
		.accept = call->spec.accept,
		.authorization = auth,
		.body = call->spec.body,
		.body_len = call->spec.body_len,
		.body_max = call->spec.body_max ? call->spec.body_max : ANSWER_BYTES_MAX,
		.timeout_ms = timeout_msec(call),
		.lane = call->lane,
		.stream = call->spec.stream,
	};

	call->state = CALL_FLYING;
	call->http = http_send(call->core->pool, &r, &http_ops, call);
}

static void call_advance(struct kube_call *call)
{
	if (call->state == CALL_NEEDS_TOKEN && exec_credential_ready(call->core->exec))
		call_fly(call);
}

/* The plugin answered or failed: everything that waited flies, with or without a token. */
static void on_exec(void *ctx)
{
	struct core *k = ctx;

	if (exec_credential_certificate(k->exec, k->credentials))
		http_pool_reset(k->pool, k->credentials, "new credentials");
	for (struct kube_call *call = k->calls; call; call = call->next)
		call_advance(call);
}

/* ---- rate limit ---- */

static int on_limiter(sd_event_source *s, uint64_t usec, void *userdata);

static void release_limited(struct core *k)
{
	int64_t now = clock_mono_usec();
	struct kube_call *next;

	k->tokens += (double)(now - k->refilled_usec) / USEC_PER_SEC * (double)k->options.qps;
	if (k->tokens > k->options.burst)
		k->tokens = k->options.burst;
	k->refilled_usec = now;
	for (struct kube_call *call = k->calls; call; call = next) {
		next = call->next;
		if (call->state != CALL_LIMITED)
			continue;
		if (k->tokens < 1) {
			double wait = (1 - k->tokens) / (double)k->options.qps;

			sd_event_source_set_time_relative(k->limiter,
							  (uint64_t)(wait * USEC_PER_SEC) + 1000);
			sd_event_source_set_enabled(k->limiter, SD_EVENT_ONESHOT);
			return;
		}
		k->tokens -= 1;
		call->state = CALL_NEEDS_TOKEN;
		call_advance(call);
	}
}

static int on_limiter(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	release_limited(userdata);
	return 0;
}

struct kube_call *call_start(struct kube_client *c, struct call_spec *spec,
			     const struct call_ops *ops, void *ctx)
{
	struct kube_call *call = NEW(struct kube_call);
	bool free_lane = c->lane == HTTP_LANE_HEARTBEAT || c->core->options.qps <= 0;

	call->core = c->core;
	call->spec = *spec;
	call->ops = ops ? *ops : (struct call_ops){ 0 };
	call->ctx = ctx;
	call->lane = c->lane;
	call->state = free_lane ? CALL_NEEDS_TOKEN : CALL_LIMITED;
	link_call(call);
	if (free_lane)
		call_advance(call);
	else
		release_limited(c->core);
	return call;
}

/* ---- typed calls ---- */

static void append_escaped(struct str *s, const char *text)
{
	for (; *text; text++) {
		if (strchr("-._~:", *text) || (*text >= '0' && *text <= '9') ||
		    (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z'))
			str_append_c(s, *text);
		else
			str_printf(s, "%%%02X", (unsigned char)*text);
	}
}

char *client_path(enum kube_kind kind, const char *ns, const char *name, const char *sub)
{
	const struct kube_kind_info *info = kube_kind_info(kind);
	struct str s = { 0 };

	str_printf(&s, "/%s/%s", strchr(info->api_version, '/') ? "apis" : "api",
		   info->api_version);
	if (info->namespaced && ns) {
		str_append(&s, "/namespaces/");
		append_escaped(&s, ns);
	}
	str_printf(&s, "/%s", info->resource);
	if (name) {
		str_append_c(&s, '/');
		append_escaped(&s, name);
	}
	if (sub)
		str_printf(&s, "/%s", sub);
	return str_take(&s);
}

static char *noun_of(const char *verb, enum kube_kind kind, const char *ns, const char *name,
		     const char *sub)
{
	const struct kube_kind_info *info = kube_kind_info(kind);

	return str_fmt("%s %s%s%s%s%s%s%s%s", verb, info->resource, name || ns ? " " : "",
		       info->namespaced && ns ? ns : "", info->namespaced && ns && name ? "/" : "",
		       name ? name : "", sub ? " (" : "", sub ? sub : "", sub ? ")" : "");
}

static struct kube_call *start_typed(struct kube_client *c, struct call_spec *spec, kube_done_fn fn,
				     void *ctx)
{
	struct kube_call *call;

	spec->accept = client_json_only(c) ? accept_json : accept_protobuf;
	call = call_start(c, spec, NULL, ctx);
	call->done = fn;
	return call;
}

struct kube_call *kube_get(struct kube_client *c, enum kube_kind kind, const char *ns,
			   const char *name, kube_done_fn fn, void *ctx)
{
	struct call_spec spec = {
		.method = "GET",
		.path = client_path(kind, ns, name, NULL),
		.noun = noun_of("get", kind, ns, name, NULL),
	};

	return start_typed(c, &spec, fn, ctx);
}

static void set_body(struct kube_client *c, const void *msg, struct call_spec *spec)
{
	enum kube_kind kind = kube_kind_of_message(msg);
	const struct kube_kind_info *info;
	AUTO_FREE uint8_t *raw = NULL;
	size_t len;

	if (kind == KUBE_KIND_COUNT)
		abort();
	info = kube_kind_info(kind);
	if (client_json_only(c)) {
		spec->body = (uint8_t *)codec_object_text(kind, msg);
		spec->body_len = strlen((char *)spec->body);
		spec->content_type = accept_json;
		return;
	}
	raw = proto_pack(msg, &len);
	spec->body = wire_seal(info->api_version, info->kind, (struct wire_slice){ raw, len },
			       &spec->body_len);
	spec->content_type = type_protobuf;
}

struct kube_call *kube_create(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, const char *subresource, const void *msg,
			      kube_done_fn fn, void *ctx)
{
	struct call_spec spec = {
		.method = "POST",
		.path = client_path(kind, ns, name, subresource),
		.noun = noun_of("create", kind, ns, name, subresource),
	};

	set_body(c, msg, &spec);
	return start_typed(c, &spec, fn, ctx);
}

struct kube_call *kube_update(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, const char *subresource, const void *msg,
			      kube_done_fn fn, void *ctx)
{
	struct call_spec spec = {
		.method = "PUT",
		.path = client_path(kind, ns, name, subresource),
		.noun = noun_of("update", kind, ns, name, subresource),
	};

	set_body(c, msg, &spec);
	return start_typed(c, &spec, fn, ctx);
}

struct kube_call *kube_patch(struct kube_client *c, enum kube_kind kind, const char *ns,
			     const char *name, const char *subresource, enum kube_patch_type type,
			     const char *json, kube_done_fn fn, void *ctx)
{
	struct call_spec spec = {
		.method = "PATCH",
		.path = client_path(kind, ns, name, subresource),
		.noun = noun_of("patch", kind, ns, name, subresource),
		.body = (uint8_t *)mem_strdup(json),
		.body_len = strlen(json),
		.content_type = type == KUBE_PATCH_STRATEGIC
				    ? "application/strategic-merge-patch+json"
				    : "application/merge-patch+json",
	};

	return start_typed(c, &spec, fn, ctx);
}

struct kube_call *kube_delete(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, int64_t grace_sec, const char *uid, kube_done_fn fn,
			      void *ctx)
{
	struct json_object *options = json_object_new_object();
	struct call_spec spec = {
		.method = "DELETE",
		.path = client_path(kind, ns, name, NULL),
		.noun = noun_of("delete", kind, ns, name, NULL),
		.content_type = accept_json,
	};

	json_object_object_add(options, "apiVersion", json_object_new_string("v1"));
	json_object_object_add(options, "kind", json_object_new_string("DeleteOptions"));
	if (grace_sec >= 0)
		json_object_object_add(options, "gracePeriodSeconds",
				       json_object_new_int64(grace_sec));
	if (uid) {
		struct json_object *preconditions = json_object_new_object();

		json_object_object_add(preconditions, "uid", json_object_new_string(uid));
		json_object_object_add(options, "preconditions", preconditions);
	}
	spec.body = (uint8_t *)json_text(options);
	spec.body_len = strlen((char *)spec.body);
	json_object_put(options);
	return start_typed(c, &spec, fn, ctx);
}

struct kube_call *kube_raw(struct kube_client *c, const char *method, const char *path_and_query,
			   const char *content_type, const char *body, const char *accept,
			   kube_raw_fn fn, void *ctx)
{
	struct call_spec spec = {
		.method = method,
		.accept = accept,
		.content_type = content_type,
		.path = mem_strdup(path_and_query),
		.noun = str_fmt("%s %s", method, path_and_query),
		.body = (uint8_t *)mem_strdup(body),
		.body_len = body ? strlen(body) : 0,
	};
	struct kube_call *call = call_start(c, &spec, NULL, ctx);

	call->raw = fn;
	return call;
}

/* ---- clients ---- */

int kube_client_new(sd_event *loop, struct kube_credentials *credentials,
		    const struct kube_client_options *options, struct kube_client **ret_client,
		    struct err *e)
{
	struct core *k = NEW(struct core);

	(void)e;
	k->main = (struct kube_client){ k, HTTP_LANE_MAIN };
	k->heartbeat = (struct kube_client){ k, HTTP_LANE_HEARTBEAT };
	k->loop = sd_event_ref(loop);
	k->credentials = credentials;
	k->options = *options;
	k->user_agent = mem_strdup(str_or(options->user_agent, "keelson"));
	k->options.user_agent = k->user_agent;
	if (k->options.burst < 1)
		k->options.burst = 1;
	k->tokens = k->options.burst;
	k->refilled_usec = clock_mono_usec();
	k->pool = http_pool_new(loop, credentials, k->user_agent);
	if (credentials->exec)
		k->exec = exec_credential_new(loop, k->options.spawner, credentials, on_exec, k);
	if (sd_event_add_time(loop, &k->limiter, CLOCK_MONOTONIC, UINT64_MAX, TIMER_ACCURACY_USEC,
			      on_limiter, k) < 0)
		abort();
	sd_event_source_set_enabled(k->limiter, SD_EVENT_OFF);
	tell_certificate(k);
	*ret_client = &k->main;
	return 0;
}

void kube_client_set_credentials(struct kube_client *c, struct kube_credentials *credentials)
{
	struct core *k = c->core;
	struct kube_credentials *before = k->credentials;

	forget_token(k);
	exec_credential_free(k->exec);
	k->exec = NULL;
	k->credentials = credentials;
	http_pool_reset(k->pool, credentials, "new credentials");
	kube_credentials_free(before);
	k->certificate_told = false;
	tell_certificate(k);
	if (credentials->exec)
		k->exec = exec_credential_new(k->loop, k->options.spawner, credentials, on_exec, k);
	for (struct kube_call *call = k->calls; call; call = call->next)
		call_advance(call);
}

int kube_client_reload(struct kube_client *c, struct err *e)
{
	struct core *k = c->core;

	if (kube_credentials_reload(k->credentials, e) < 0)
		return -1;
	forget_token(k);
	http_pool_reset(k->pool, k->credentials, "new credentials");
	return 0;
}

void kube_client_free(struct kube_client *c)
{
	struct core *k;

	if (!c)
		return;
	k = c->core;
	while (k->calls)
		kube_call_cancel(k->calls);
	http_pool_free(k->pool);
	exec_credential_free(k->exec);
	sd_event_source_disable_unref(k->limiter);
	sd_event_unref(k->loop);
	kube_credentials_free(k->credentials);
	free(k->user_agent);
	free(k->file_token);
	free(k);
}
