/* Bound service account tokens (contract in tokens.h). Effect. */
#include "tokens.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/authentication.pb-c.h"

enum {
	EXPIRATION_DEFAULT_SEC = 3600,
	REFRESH_MAX_SEC = 24 * 3600,
	REFRESH_JITTER_SEC = 10,
	RETRY_BASE_USEC = 100 * USEC_PER_MSEC,
	RETRY_MAX_USEC = 10 * USEC_PER_SEC,
	QUIET_FAILURES = 4,
};

struct token {
	struct tokens *t;
	char *key, *uid, *ns, *account, *pod_name, *audience;
	int64_t expiration_sec;
	char *text;
	struct err error;
	unsigned failures;
	struct kube_call *call;
	sd_event_source *timer;
	int64_t asked_wall_usec;
};

struct tokens {
	sd_event *loop;
	struct kube_client *client;
	struct tokens_ops ops;
	void *ctx;
	struct map all; /* uid/account/audience/expiration → struct token */
};

struct tokens *tokens_new(sd_event *loop, struct kube_client *client, const struct tokens_ops *ops,
			  void *ctx)
{
	struct tokens *t = NEW(struct tokens);

	t->loop = loop;
	t->client = client;
	t->ops = *ops;
	t->ctx = ctx;
	return t;
}

static void token_free(struct token *k)
{
	kube_call_cancel(k->call);
	sd_event_source_disable_unref(k->timer);
	if (k->text)
		explicit_bzero(k->text, strlen(k->text));
	free(k->text);
	free(k->key);
	free(k->uid);
	free(k->ns);
	free(k->account);
	free(k->pod_name);
	free(k->audience);
	free(k);
}

void tokens_free(struct tokens *t)
{
	void *value;

	if (!t)
		return;
	for (size_t cursor = 0; map_next(&t->all, &cursor, NULL, &value);)
		token_free(value);
	map_fini(&t->all);
	free(t);
}

void tokens_forget(struct tokens *t, const char *uid)
{
	char **gone = NULL;
	void *value;

	for (size_t cursor = 0; map_next(&t->all, &cursor, NULL, &value);) {
		const struct token *k = value;

		if (str_eq(k->uid, uid))
			strv_push(&gone, k->key);
	}
	for (size_t i = 0; gone && gone[i]; i++)
		token_free(map_remove(&t->all, gone[i]));
	strv_free(gone);
}

static void ask(struct token *k);

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct token *k = userdata;

	(void)s;
	(void)usec;
	if (!k->call)
		ask(k);
	return 0;
}

static void ask_later(struct token *k, int64_t usec)
{
	sd_event_source_disable_unref(k->timer);
	k->timer = NULL;
	sd_event_add_time_relative(k->t->loop, &k->timer, CLOCK_MONOTONIC, (uint64_t)usec,
				   usec < USEC_PER_SEC ? USEC_PER_MSEC : USEC_PER_SEC, on_timer, k);
}

/* At four fifths of its life, or after a day (upstream token manager). */
static int64_t refresh_usec(const struct token *k, const Authentication__TokenRequest *r)
{
	int64_t life = EXPIRATION_DEFAULT_SEC, wait;

	if (r->status->expirationtimestamp)
		life = r->status->expirationtimestamp->seconds - k->asked_wall_usec / USEC_PER_SEC;
	wait = life * 8 / 10;
	if (wait > REFRESH_MAX_SEC)
		wait = REFRESH_MAX_SEC;
	wait -= (int64_t)(strlen(k->key) * 7 % REFRESH_JITTER_SEC);
	return (wait > 1 ? wait : 1) * USEC_PER_SEC;
}

/* The API server learns that a pod is on this node a moment after we do: until a few tries failed
 * the token counts as under way. */
static void failed(struct token *k, const struct err *e)
{
	int64_t delay = (int64_t)RETRY_BASE_USEC << (k->failures < 8 ? k->failures : 8);

	if (++k->failures >= QUIET_FAILURES) {
		err_set(&k->error, e ? e->code : ERR_REMOTE, "failed to fetch token: %s",
			e ? e->text : "the answer holds none");
		log_err_warning(&k->error, "service account token of %s/%s", k->ns, k->pod_name);
	}
	ask_later(k, delay < RETRY_MAX_USEC ? delay : RETRY_MAX_USEC);
}

static void on_token(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct token *k = ctx;
	const Authentication__TokenRequest *r = reply ? (const void *)reply->msg : NULL;
	AUTO_FREE char *uid = mem_strdup(k->uid);

	k->call = NULL;
	if (e || !r || reply->kind != KUBE_TOKEN_REQUEST || !r->status ||
	    str_empty(r->status->token)) {
		failed(k, e);
	} else {
		err_clear(&k->error);
		k->failures = 0;
		free(k->text);
		k->text = mem_strdup(r->status->token);
		ask_later(k, refresh_usec(k, r));
	}
	k->t->ops.changed(k->t->ctx, uid);
}

static void ask(struct token *k)
{
	AUTO_PROTO Authentication__TokenRequest *r =
	    proto_new(&authentication__token_request__descriptor);
	Authentication__BoundObjectReference *ref =
	    proto_new(&authentication__bound_object_reference__descriptor);

	r->metadata = proto_new(&meta__object_meta__descriptor);
	r->spec = proto_new(&authentication__token_request_spec__descriptor);
	if (!str_empty(k->audience))
		proto_push_str(&r->spec->n_audiences, &r->spec->audiences, k->audience);
	r->spec->has_expirationseconds = true;
	r->spec->expirationseconds = k->expiration_sec;
	proto_set_str(&ref->kind, "Pod");
	proto_set_str(&ref->apiversion, "v1");
	proto_set_str(&ref->name, k->pod_name);
	proto_set_str(&ref->uid, k->uid);
	r->spec->boundobjectref = ref;
	k->asked_wall_usec = clock_wall_usec();
	k->call = kube_create(k->t->client, KUBE_SERVICE_ACCOUNT, k->ns, k->account, "token", r,
			      on_token, k);
}

int tokens_get(struct tokens *t, const struct podspec *spec,
	       const Core__ServiceAccountTokenProjection *p, const char **ret_token, struct err *e)
{
	const char *account = str_or(spec->pod->spec->serviceaccountname, "default");
	int64_t expiration =
	    p->has_expirationseconds ? p->expirationseconds : EXPIRATION_DEFAULT_SEC;
	AUTO_FREE char *key = str_fmt("%s/%s/%s/%lld", spec->uid, account, str_or(p->audience, ""),
				      (long long)expiration);
	struct token *k = map_get(&t->all, key);

	if (!k) {
		k = NEW(struct token);
		*k = (struct token){ .t = t, .expiration_sec = expiration };
		k->key = mem_strdup(key);
		k->uid = mem_strdup(spec->uid);
		k->ns = mem_strdup(spec->ns);
		k->account = mem_strdup(account);
		k->pod_name = mem_strdup(spec->name);
		k->audience = mem_strdup(str_or(p->audience, ""));
		map_put(&t->all, key, k);
		ask(k);
	}
	if (k->text) {
		*ret_token = k->text;
		return 0;
	}
	if (k->error.code == ERR_NONE)
		return 1;
	*e = k->error;
	return -1;
}
