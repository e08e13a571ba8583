/* Listeners, authorization of every request, the table of endpoints (contract in server.h). Effect.
 */
#include "server.h"

#include <stdlib.h>

#include "auth.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/conn.h"
#include "http/listen.h"
#include "serve.h"
#include "tls.h"

struct server {
	struct server_setup setup;
	struct tls *tls;
	struct auth *auth;
	struct listener *api, *healthz;
	char *node_name;
};

/* ---- answers without a file of their own ---- */

void serve_http_error(struct conn *c, int status, const char *text)
{
	AUTO_FREE char *line = str_fmt("%s\n", text);

	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_reply_text(c, status, line);
}

static void reply_json(struct conn *c, char *json, const struct err *e)
{
	if (json)
		conn_reply(c, 200, "application/json", json, strlen(json));
	else
		conn_reply_text(c, 500, e->text);
	free(json);
}

static void serve_pods(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	struct err e = { 0 };

	(void)t;
	reply_json(c, s->ops->pods_json(s->ops_ctx, &e), &e);
}

static void serve_running_pods(const struct server_setup *s, struct conn *c,
			       const struct serve_target *t)
{
	struct err e = { 0 };

	(void)t;
	reply_json(c, s->ops->running_pods_json(s->ops_ctx, &e), &e);
}

static void serve_configz(const struct server_setup *s, struct conn *c,
			  const struct serve_target *t)
{
	struct err e = { 0 };

	(void)t;
	reply_json(c, s->ops->configz_json(s->ops_ctx, &e), &e);
}

static void serve_summary(const struct server_setup *s, struct conn *c,
			  const struct serve_target *t)
{
	AUTO_FREE char *only = http_query(conn_head(c), "only_cpu_and_memory");
	struct err e = { 0 };

	(void)t;
	if (s->ops->stats_summary_json)
		reply_json(c, s->ops->stats_summary_json(s->ops_ctx, str_eq(only, "true"), &e), &e);
	else
		conn_reply_text(c, 404, "404: Page Not Found");
}

static void serve_metrics(const struct server_setup *s, struct conn *c,
			  const struct serve_target *t)
{
	AUTO_STR out = { 0 };
	struct err e = { 0 };

	(void)t;
	if (!s->ops->metrics)
		conn_reply_text(c, 404, "404: Page Not Found");
	else if (s->ops->metrics(s->ops_ctx, conn_head(c)->path + strlen("/metrics"), &out, &e) < 0)
		conn_reply_text(c, 500, e.text);
	else
		conn_reply(c, 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
			   str_text(&out), out.len);
}

/* ---- healthz ---- */

static int check(const struct server_setup *s, const char *name, struct err *e)
{
	/* that we answer and that our log is written is what these two claim */
	if (str_eq(name, "ping") || str_eq(name, "log"))
		return 0;
	return s->ops->healthy(s->ops_ctx, name, e);
}

static bool run_checks(const struct server_setup *s, const char *const *names,
		       char *const *excluded, struct str *out)
{
	bool ok = true;

	for (; *names; names++) {
		struct err e;

		if (strv_has((char **)(uintptr_t)excluded, *names)) {
			str_printf(out, "[+]%s excluded: ok\n", *names);
		} else if (check(s, *names, &e) == 0) {
			str_printf(out, "[+]%s ok\n", *names);
		} else {
			/* the reason is for those who may see it: our log */
			log_err(&e, "health check %s", *names);
			str_printf(out, "[-]%s failed: reason withheld\n", *names);
			ok = false;
		}
	}
	return ok;
}

static void reply_health(const struct server_setup *s, struct conn *c, const char *const *names)
{
	const struct http_head *h = conn_head(c);
	char **excluded = http_query_all(h, "exclude"), **verbose = http_query_all(h, "verbose");
	AUTO_STR out = { 0 };
	bool ok = run_checks(s, names, excluded, &out);

	if (!ok) {
		str_append(&out, "healthz check failed");
		serve_http_error(c, 500, str_text(&out));
	} else {
		str_append(&out, "healthz check passed\n");
		conn_add_header(c, "X-Content-Type-Options", "nosniff");
		conn_reply_text(c, 200, verbose ? str_text(&out) : "ok");
	}
	strv_free(excluded);
	strv_free(verbose);
}

static void serve_healthz(const struct server_setup *s, struct conn *c,
			  const struct serve_target *t)
{
	static const char *const names[] = { "ping", "log", "syncloop", NULL };

	(void)t;
	reply_health(s, c, names);
}

static void serve_health_check(const struct server_setup *s, struct conn *c,
			       const struct serve_target *t)
{
	struct err e;

	(void)t;
	if (check(s, conn_head(c)->path + strlen("/healthz/"), &e) == 0) {
		conn_reply_text(c, 200, "ok");
	} else {
		AUTO_FREE char *text = str_fmt("internal server error: %s", e.text);

		serve_http_error(c, 500, text);
	}
}

/* ---- endpoints ---- */

enum { GET = 1, POST = 2 };

/* shape: the segments behind the root, n = namespace, p = pod, u = uid, c = container. */
static const struct route {
	const char *root, *shape;
	unsigned methods;
	bool debugging;
	serve_fn serve;
} routes[] = {
	{ "/healthz", "", GET, false, serve_healthz },
	{ "/healthz/ping", "", GET, false, serve_health_check },
	{ "/healthz/log", "", GET, false, serve_health_check },
	{ "/healthz/syncloop", "", GET, false, serve_health_check },
	{ "/pods", "", GET, false, serve_pods },
	{ "/stats/summary", "", GET, false, serve_summary },
	{ "/metrics", "", GET, false, serve_metrics },
	{ "/metrics/cadvisor", "", GET, false, serve_metrics },
	{ "/metrics/resource", "", GET, false, serve_metrics },
	{ "/metrics/probes", "", GET, false, serve_metrics },
	{ "/metrics/slis", "", GET, false, serve_metrics },
	{ "/run", "npc", POST, true, serve_run },
	{ "/run", "npuc", POST, true, serve_run },
	{ "/exec", "npc", GET | POST, true, serve_exec },
	{ "/exec", "npuc", GET | POST, true, serve_exec },
	{ "/attach", "npc", GET | POST, true, serve_attach },
	{ "/attach", "npuc", GET | POST, true, serve_attach },
	{ "/portForward", "np", GET | POST, true, serve_port_forward },
	{ "/portForward", "npu", GET | POST, true, serve_port_forward },
	{ "/containerLogs", "npc", GET, true, serve_logs },
	{ "/configz", "", GET, true, serve_configz },
	{ "/runningpods", "", GET, true, serve_running_pods },
};

static const struct route plain_routes[] = {
	{ "/healthz", "", GET, false, serve_healthz },
	{ "/healthz/ping", "", GET, false, serve_health_check },
};

static unsigned method_bit(const char *method)
{
	if (str_eq(method, "GET") || str_eq(method, "HEAD"))
		return GET;
	return str_eq(method, "POST") ? POST : 0;
}

static char **parameter(struct serve_target *t, char kind)
{
	switch (kind) {
	case 'n':
		return (char **)&t->ns;
	case 'p':
		return (char **)&t->pod;
	case 'u':
		return (char **)&t->uid;
	default:
		return (char **)&t->container;
	}
}

/* Segments are borrowed from rest, which strv_split made of the path. */
static bool match_shape(const char *shape, char **rest, struct serve_target *ret)
{
	*ret = (struct serve_target){ 0 };
	if (strv_len(rest) != strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++)
		*parameter(ret, shape[i]) = rest[i];
	return true;
}

static bool below(const char *path, const char *root, const char **ret_rest)
{
	size_t n = strlen(root);

	*ret_rest = path + n;
	return !strncmp(path, root, n) && (path[n] == '\0' || path[n] == '/');
}

/* What is disabled with the debugging handlers answers 405; configz is then not there at all. */
static bool disabled(const struct server *s, const struct route *r)
{
	return r->debugging && !s->setup.debugging_handlers;
}

static void reply_not_allowed(struct conn *c, unsigned methods)
{
	conn_add_header(c, "Allow",
			methods == (GET | POST) ? "GET, POST"
			: methods == GET        ? "GET"
						: "POST");
	conn_reply_text(c, 405, "405: Method Not Allowed");
}

/* Serves the route if path and method fit; adds to *methods those that would have. */
static bool try_route(struct server *s, struct conn *c, const struct route *r, unsigned *methods)
{
	const struct http_head *h = conn_head(c);
	struct serve_target target;
	const char *rest;
	char **segments;
	bool fits;

	if (!below(h->path, r->root, &rest))
		return false;
	if (disabled(s, r)) {
		if (r->serve == serve_configz)
			return false;
		serve_http_error(c, 405, "Debug endpoints are disabled.");
		return true;
	}
	segments = strv_split(rest, '/');
	fits = match_shape(r->shape, segments, &target);
	if (fits)
		*methods |= r->methods;
	fits = fits && (r->methods & method_bit(h->method));
	if (fits)
		r->serve(&s->setup, c, &target);
	strv_free(segments);
	return fits;
}

static void dispatch(struct server *s, struct conn *c, const struct route *table, size_t n)
{
	unsigned methods = 0;

	for (size_t i = 0; i < n; i++)
		if (try_route(s, c, &table[i], &methods))
			return;
	if (methods)
		reply_not_allowed(c, methods);
	else
		conn_reply_text(c, 404, "404: Page Not Found");
}

/* ---- requests ---- */

/* A request whose sender is being checked. */
struct pending {
	struct server *server;
	struct conn *conn;
	struct auth_ticket *ticket;
};

static void on_gone(void *ctx)
{
	struct pending *p = ctx;

	auth_cancel(p->ticket);
	free(p);
}

static void on_authorized(void *ctx, int status, const char *text)
{
	static const struct conn_owner nobody = { NULL, NULL };
	struct pending *p = ctx;
	struct server *s = p->server;
	struct conn *c = p->conn;

	conn_own(c, &nobody, NULL);
	free(p);
	if (status == 200)
		dispatch(s, c, routes, ARRAY_SIZE(routes));
	else
		conn_reply_text(c, status, text);
}

static void on_request(void *ctx, struct conn *c)
{
	static const struct conn_owner owner = { on_gone, NULL };
	struct auth_ticket *ticket;
	struct pending *p = NEW(struct pending);

	p->server = ctx;
	p->conn = c;
	conn_own(c, &owner, p);
	ticket = auth_start(p->server->auth, c, on_authorized, p);
	/* without a ticket p is gone already */
	if (ticket)
		p->ticket = ticket;
}

/* Healthz on loopback: nobody is asked who he is. */
static void on_plain_request(void *ctx, struct conn *c)
{
	dispatch(ctx, c, plain_routes, ARRAY_SIZE(plain_routes));
}

uint16_t server_port(const struct server *s)
{
	return listener_port(s->api);
}

uint16_t server_healthz_port(const struct server *s)
{
	return listener_port(s->healthz);
}

/* ---- life ---- */

static int open_tls(struct server *s, struct err *e)
{
	const struct server_setup *u = &s->setup;
	bool own = str_empty(u->cert_file) || str_empty(u->key_file);
	AUTO_FREE char *cert =
	    own ? str_fmt("%s/kubelet.crt", u->cert_dir) : mem_strdup(u->cert_file);
	AUTO_FREE char *key =
	    own ? str_fmt("%s/kubelet.key", u->cert_dir) : mem_strdup(u->key_file);
	struct tls_setup setup = { .cert_file = cert,
				   .key_file = key,
				   .client_ca_file = u->client_ca_file,
				   .min_version = u->tls_min_version,
				   .cipher_suites = u->tls_cipher_suites };

	if (own && (fs_mkdir_all(u->cert_dir, 0755, e) < 0 ||
		    tls_self_signed(cert, key, u->node_name, u->self_signed_names, e) < 0))
		return err_wrap(e, "serving certificate in %s", u->cert_dir);
	return tls_new(&setup, &s->tls, e);
}

static SSL *new_tls(void *ctx, struct err *e)
{
	struct server *s = ctx;

	return tls_accept(s->tls, e);
}

static int start(struct server *s, struct err *e)
{
	const struct server_setup *u = &s->setup;
	const struct listener_setup healthz = {
		.loop = u->loop,
		.address = str_or(u->healthz_address, "127.0.0.1"),
		.port = u->healthz_port > 0 ? (uint16_t)u->healthz_port : 0,
		.request = on_plain_request,
		.ctx = s,
	};
	const struct listener_setup api = {
		.loop = u->loop,
		.address = str_or(u->address, "0.0.0.0"),
		.port = u->port,
		.accept_tls = new_tls,
		.request = on_request,
		.ctx = s,
	};

	if (open_tls(s, e) < 0)
		return -1;
	if (u->healthz_port && listener_new(&healthz, &s->healthz, e) < 0)
		return err_wrap(e, "healthz");
	return listener_new(&api, &s->api, e);
}

int server_new(const struct server_setup *setup, struct server **ret, struct err *e)
{
	struct server *s = NEW(struct server);

	s->setup = *setup;
	s->node_name = mem_strdup(setup->node_name);
	s->setup.node_name = s->node_name;
	s->auth = auth_new(setup);
	if (start(s, e) < 0) {
		server_free(s);
		return err_wrap(e, "server");
	}
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	listener_free(s->api);
	listener_free(s->healthz);
	auth_free(s->auth);
	tls_free(s->tls);
	free(s->node_name);
	free(s);
}
