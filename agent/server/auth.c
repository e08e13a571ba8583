/* Authentication and authorization of requests (contract in auth.h). Effect. */
#include "auth.h"

#include <openssl/evp.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "tls.h"

enum { CACHE_MAX = 1024, TOKEN_MAX_BYTES = 64 * 1024 };

/* One remembered answer. */
struct answer {
	int64_t until_usec;
	bool yes;
	struct server_user user; /* tokens only */
};

struct auth {
	const struct server_ops *ops;
	void *ops_ctx;
	char *node;
	bool anonymous, tokens, webhook;
	int64_t token_usec, allow_usec, deny_usec;
	struct map token_cache, access_cache;
	struct auth_ticket *tickets;
};

struct auth_ticket {
	struct auth *auth; /* NULL: cancelled, waits only for its review to come back */
	struct auth_ticket *next;
	auth_done done;
	void *ctx;
	struct server_user user;
	char *verb, *key; /* key of the answer that is being fetched */
	const char *subresources[ACCESS_SUBRESOURCES_MAX];
	size_t n_subresources, at;
	bool starting, reviewing, finished;
};

static void answer_free(struct answer *a)
{
	if (!a)
		return;
	server_user_fini(&a->user);
	free(a);
}

static void cache_clear(struct map *m)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_next(m, &cursor, &key, &value))
		answer_free(value);
	map_fini(m);
	*m = (struct map){ 0 };
}

static const struct answer *cache_get(const struct map *m, const char *key)
{
	const struct answer *a = map_get(m, key);

	return a && a->until_usec > clock_mono_usec() ? a : NULL;
}

static struct answer *cache_put(struct map *m, const char *key, bool yes, int64_t ttl_usec)
{
	struct answer *a;

	/* a full cache starts anew: simple, and an attacker gains nothing but reviews */
	if (m->count >= CACHE_MAX)
		cache_clear(m);
	a = NEW(struct answer);
	a->yes = yes;
	a->until_usec = clock_mono_usec() + ttl_usec;
	answer_free(map_put(m, key, a));
	return a;
}

static int64_t ttl(int64_t sec, int64_t otherwise_sec)
{
	return (sec ? sec : otherwise_sec) * USEC_PER_SEC;
}

struct auth *auth_new(const struct server_setup *s)
{
	struct auth *a = NEW(struct auth);

	*a = (struct auth){ .ops = s->ops,
			    .ops_ctx = s->ops_ctx,
			    .node = mem_strdup(s->node_name),
			    .anonymous = s->anonymous,
			    .tokens = s->webhook_authentication,
			    .webhook = s->webhook_authorization,
			    .token_usec = ttl(s->token_ttl_sec, 120),
			    .allow_usec = ttl(s->allow_ttl_sec, 300),
			    .deny_usec = ttl(s->deny_ttl_sec, 30) };
	return a;
}

static void ticket_free(struct auth_ticket *t)
{
	server_user_fini(&t->user);
	free(t->verb);
	free(t->key);
	free(t);
}

static void ticket_unlink(struct auth_ticket *t)
{
	for (struct auth_ticket **p = &t->auth->tickets; *p; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			break;
		}
	t->auth = NULL;
}

void auth_cancel(struct auth_ticket *t)
{
	ticket_unlink(t);
	/* a review under way comes back to this ticket */
	if (!t->reviewing)
		ticket_free(t);
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	while (a->tickets)
		auth_cancel(a->tickets);
	cache_clear(&a->token_cache);
	cache_clear(&a->access_cache);
	free(a->node);
	free(a);
}

/* The end of a ticket; it is freed here unless auth_start still holds it. */
static void finish(struct auth_ticket *t, int status, const char *text)
{
	auth_done done = t->done;
	void *ctx = t->ctx;

	t->finished = true;
	ticket_unlink(t);
	if (!t->starting)
		ticket_free(t);
	done(ctx, status, text);
}

/* ---- authorization ---- */

static void authorize(struct auth_ticket *t);

static char *access_key(const struct auth_ticket *t)
{
	AUTO_FREE char *user = server_user_key(&t->user);

	return str_fmt("%s|%s|%s", t->verb, t->subresources[t->at], user);
}

static void on_access(void *done_ctx, bool allowed, const struct err *e)
{
	struct auth_ticket *t = done_ctx;
	struct auth *a = t->auth;

	t->reviewing = false;
	if (!a) {
		if (!t->starting)
			ticket_free(t);
		return;
	}
	if (e) {
		AUTO_FREE char *text =
		    str_fmt("Authorization error (user=%s, verb=%s, resource=nodes, "
			    "subresource=%s)",
			    t->user.name, t->verb, t->subresources[t->at]);

		log_err(e, "%s", text);
		finish(t, 500, text);
		return;
	}
	cache_put(&a->access_cache, t->key, allowed, allowed ? a->allow_usec : a->deny_usec);
	if (allowed) {
		finish(t, 200, "");
		return;
	}
	t->at++;
	authorize(t);
}

static void forbid(struct auth_ticket *t)
{
	AUTO_STR text = { 0 };

	access_forbidden(&text, t->user.name, t->verb, t->subresources, t->n_subresources);
	log_v(2, "forbidden user=%s verb=%s subresource=%s", t->user.name, t->verb,
	      t->subresources[0]);
	finish(t, 403, str_text(&text));
}

/* Asks for one subresource after the other, from t->at on. */
static void authorize(struct auth_ticket *t)
{
	struct auth *a = t->auth;

	if (!a->webhook) {
		finish(t, 200, "");
		return;
	}
	for (; t->at < t->n_subresources; t->at++) {
		const struct answer *known;

		free(t->key);
		t->key = access_key(t);
		known = cache_get(&a->access_cache, t->key);
		if (known && known->yes) {
			finish(t, 200, "");
			return;
		}
		if (!known) {
			struct server_access access = { &t->user, t->verb, t->subresources[t->at],
							a->node };

			t->reviewing = true;
			a->ops->access_review(a->ops_ctx, &access, on_access, t);
			return;
		}
	}
	forbid(t);
}

/* ---- authentication ---- */

static void authenticated(struct auth_ticket *t)
{
	if (!strv_has(t->user.groups, "system:authenticated"))
		strv_push(&t->user.groups, "system:authenticated");
	authorize(t);
}

static void reject(struct auth_ticket *t)
{
	finish(t, 401, "Unauthorized");
}

static void on_token(void *done_ctx, const struct server_user *user, const struct err *e)
{
	struct auth_ticket *t = done_ctx;
	struct auth *a = t->auth;
	struct answer *known;

	t->reviewing = false;
	if (!a) {
		if (!t->starting)
			ticket_free(t);
		return;
	}
	if (e) {
		log_err(e, "token review");
		reject(t);
		return;
	}
	known = cache_put(&a->token_cache, t->key, user != NULL, a->token_usec);
	if (!user) {
		reject(t);
		return;
	}
	server_user_copy(&known->user, user);
	server_user_copy(&t->user, user);
	authenticated(t);
}

/* Tokens are remembered by digest only. */
static char *token_key(const char *token)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	struct str s = { 0 };

	EVP_Digest(token, strlen(token), digest, &len, EVP_sha256(), NULL);
	for (unsigned i = 0; i < len; i++)
		str_printf(&s, "%02x", digest[i]);
	return str_take(&s);
}

static void check_token(struct auth_ticket *t, const char *token)
{
	struct auth *a = t->auth;
	const struct answer *known;

	t->key = token_key(token);
	known = cache_get(&a->token_cache, t->key);
	if (known && !known->yes) {
		reject(t);
	} else if (known) {
		server_user_copy(&t->user, &known->user);
		authenticated(t);
	} else {
		t->reviewing = true;
		a->ops->token_review(a->ops_ctx, token, on_token, t);
	}
}

static const char *bearer_token(const struct http_head *h)
{
	const char *text = http_header(h, "authorization");

	if (!text || strncasecmp(text, "Bearer ", 7))
		return NULL;
	text += 7 + strspn(text + 7, " ");
	return *text && strlen(text) <= TOKEN_MAX_BYTES ? text : NULL;
}

static void authenticate(struct auth_ticket *t, struct conn *c)
{
	const char *token = bearer_token(conn_head(c));
	struct err e;
	int rc = conn_ssl(c) ? tls_identity(conn_ssl(c), &t->user, &e) : 1;

	if (rc == 0) {
		authenticated(t);
		return;
	}
	if (rc < 0)
		log_v(2, "%s peer=%s", e.text, conn_peer(c));
	if (token && t->auth->tokens) {
		check_token(t, token);
	} else if (rc > 0 && t->auth->anonymous) {
		t->user.name = mem_strdup("system:anonymous");
		strv_push(&t->user.groups, "system:unauthenticated");
		authorize(t);
	} else {
		reject(t);
	}
}

struct auth_ticket *auth_start(struct auth *a, struct conn *c, auth_done done, void *ctx)
{
	const struct http_head *h = conn_head(c);
	struct auth_ticket *t = NEW(struct auth_ticket);

	t->auth = a;
	t->done = done;
	t->ctx = ctx;
	t->verb = mem_strdup(access_verb(h->method));
	t->n_subresources = access_subresources(h->path, t->subresources);
	t->next = a->tickets;
	a->tickets = t;
	t->starting = true;
	authenticate(t, c);
	t->starting = false;
	if (!t->finished)
		return t;
	ticket_free(t);
	return NULL;
}
