/* Manifests from a web server (contract in staticurl.h). Effect. */
#include "staticurl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/http.h"
#include "kube/version.h"
#include "manifest.h"

enum { TIMEOUT_MSEC = 10000 };

struct staticurl {
	sd_event *loop;
	struct kube_credentials server; /* none but the address */
	char **headers;
	int64_t period_usec;
	void (*got)(void *ctx, const char *text, size_t len);
	void *ctx;
	struct http_pool *pool;
	struct http_call *call;
	sd_event_source *timer;
	char *told; /* the last failure */
};

static void failed(struct staticurl *u, const char *text)
{
	if (!str_eq(u->told, text))
		log_warning("static pods from %s: %s", u->server.server, text);
	free(u->told);
	u->told = mem_strdup(text);
}

static void on_answer(void *ctx, const struct http_reply *reply)
{
	struct staticurl *u = ctx;
	AUTO_FREE char *text = NULL;

	u->call = NULL;
	if (reply->e) {
		failed(u, reply->e->text);
		return;
	}
	if (reply->status != 200) {
		text = str_fmt("the answer is %d", reply->status);
		failed(u, text);
		return;
	}
	free(u->told);
	u->told = NULL;
	u->got(u->ctx, reply->body, reply->len);
}

static const struct http_ops ops = { .done = on_answer };

static int on_period(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct staticurl *u = userdata;
	const struct http_request request = {
		.method = "GET",
		.path = "",
		.headers = u->headers,
		.body_max = MANIFEST_MAX_BYTES,
		.timeout_ms = TIMEOUT_MSEC,
	};

	(void)usec;
	sd_event_source_set_time_relative(s, (uint64_t)u->period_usec);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	if (!u->call)
		u->call = http_send(u->pool, &request, &ops, u);
	return 0;
}

struct staticurl *staticurl_new(sd_event *loop, const char *url, const struct config_pairs *headers,
				int64_t period_usec,
				void (*got)(void *ctx, const char *text, size_t len), void *ctx)
{
	struct staticurl *u = NEW(struct staticurl);

	*u = (struct staticurl){
		.loop = loop,
		.server = { .server = mem_strdup(url) },
		.period_usec = period_usec,
		.got = got,
		.ctx = ctx,
	};
	for (size_t i = 0; i < headers->n; i++) {
		AUTO_FREE char *line = str_fmt("%s: %s", headers->v[i].key, headers->v[i].value);

		strv_push(&u->headers, line);
	}
	u->pool = http_pool_new(loop, &u->server, "keelson-agent/" KUBE_VERSION);
	sd_event_add_time_relative(loop, &u->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				   on_period, u);
	return u;
}

void staticurl_free(struct staticurl *u)
{
	if (!u)
		return;
	http_pool_free(u->pool);
	sd_event_source_disable_unref(u->timer);
	strv_free(u->headers);
	free(u->server.server);
	free(u->told);
	free(u);
}
