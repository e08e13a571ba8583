/* Listeners, authorization of every request, the table of endpoints (contract in server.h). Effect.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "conn.h"
#include "serve.h"
#include "tls.h"

enum { CONNECTIONS_MAX = 1024, ACCEPTS_PER_DISPATCH = 16, SEGMENTS_MAX = 8 };

struct listener {
	struct server *server;
	int fd;
	bool plain; /* healthz on loopback: no TLS, nobody is asked who he is */
	sd_event_source *io;
};

struct server {
	struct server_setup setup;
	struct tls *tls;
	struct auth *auth;
	struct listener api, healthz;
	VEC(struct conn *) conns;
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
	struct listener *l = ctx;
	struct auth_ticket *ticket;
	struct pending *p;

	if (l->plain) {
		dispatch(l->server, c, plain_routes, ARRAY_SIZE(plain_routes));
		return;
	}
	p = NEW(struct pending);
	p->server = l->server;
	p->conn = c;
	conn_own(c, &owner, p);
	ticket = auth_start(l->server->auth, c, on_authorized, p);
	/* without a ticket p is gone already */
	if (ticket)
		p->ticket = ticket;
}

static void on_closed(void *ctx, struct conn *c)
{
	struct server *s = ((struct listener *)ctx)->server;

	for (size_t i = 0; i < s->conns.n; i++)
		if (s->conns.v[i] == c) {
			vec_remove(&s->conns, i);
			return;
		}
}

/* Connections that prove nothing must not keep others out: the oldest of them makes room. */
static bool make_room(struct server *s)
{
	for (size_t i = 0; i < s->conns.n; i++)
		if (conn_shaking_hands(s->conns.v[i])) {
			conn_free(s->conns.v[i]);
			return true;
		}
	return false;
}

/* ---- listeners ---- */

static void accept_one(struct listener *l, int fd)
{
	struct server *s = l->server;
	struct conn_setup setup = { .loop = s->setup.loop,
				    .fd = fd,
				    .request = on_request,
				    .closed = on_closed,
				    .ctx = l };
	struct conn *c;
	struct err e;

	if (s->conns.n >= CONNECTIONS_MAX && !make_room(s)) {
		log_warning("more than %d connections, one is turned away", CONNECTIONS_MAX);
		close(fd);
		return;
	}
	if (!l->plain) {
		setup.ssl = tls_accept(s->tls, &e);
		if (!setup.ssl) {
			log_err(&e, "connection");
			close(fd);
			return;
		}
	}
	if (conn_new(&setup, &c, &e) < 0)
		log_err(&e, "connection");
	else
		vec_push(&s->conns, c);
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct listener *l = userdata;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_DISPATCH; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client >= 0)
			accept_one(l, client);
		else if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	return 0;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int parse_address(const char *text, uint16_t port, union address *a, socklen_t *len,
			 struct err *e)
{
	a->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	*len = sizeof(a->in);
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1)
		return 0;
	a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	*len = sizeof(a->in6);
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1)
		return 0;
	return err_set(e, ERR_INVALID, "listen address \"%s\" is not an IP address", text);
}

static int listen_on(struct listener *l, const char *address, uint16_t port, struct err *e)
{
	union address a;
	socklen_t len;
	int one = 1, rc;

	if (parse_address(address, port, &a, &len, e) < 0)
		return -1;
	l->fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_os(e, errno, "socket");
	/* a restart must not wait for old connections to fade */
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l->fd, &a.sa, len) < 0 || listen(l->fd, SOMAXCONN) < 0)
		return err_os(e, errno, "listen on %s port %u", address, port);
	rc = sd_event_add_io(l->server->setup.loop, &l->io, l->fd, EPOLLIN, on_accept, l);
	return rc < 0 ? err_os(e, -rc, "event loop") : 0;
}

static uint16_t bound_port(const struct listener *l)
{
	union address a = { 0 };
	socklen_t len = sizeof(a);

	if (l->fd < 0 || getsockname(l->fd, &a.sa, &len) < 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

uint16_t server_port(const struct server *s)
{
	return bound_port(&s->api);
}

uint16_t server_healthz_port(const struct server *s)
{
	return bound_port(&s->healthz);
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

static int start(struct server *s, struct err *e)
{
	const struct server_setup *u = &s->setup;
	uint16_t healthz_port = u->healthz_port > 0 ? (uint16_t)u->healthz_port : 0;

	if (open_tls(s, e) < 0)
		return -1;
	if (u->healthz_port &&
	    listen_on(&s->healthz, str_or(u->healthz_address, "127.0.0.1"), healthz_port, e) < 0)
		return err_wrap(e, "healthz");
	return listen_on(&s->api, str_or(u->address, "0.0.0.0"), u->port, e);
}

int server_new(const struct server_setup *setup, struct server **ret, struct err *e)
{
	struct server *s = NEW(struct server);

	s->setup = *setup;
	s->node_name = mem_strdup(setup->node_name);
	s->setup.node_name = s->node_name;
	s->auth = auth_new(setup);
	s->api = (struct listener){ .server = s, .fd = -1 };
	s->healthz = (struct listener){ .server = s, .fd = -1, .plain = true };
	if (start(s, e) < 0) {
		server_free(s);
		return err_wrap(e, "server");
	}
	*ret = s;
	return 0;
}

static void listener_fini(struct listener *l)
{
	sd_event_source_disable_unref(l->io);
	if (l->fd >= 0)
		close(l->fd);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	while (s->conns.n)
		conn_free(s->conns.v[0]);
	vec_fini(&s->conns);
	listener_fini(&s->api);
	listener_fini(&s->healthz);
	auth_free(s->auth);
	tls_free(s->tls);
	free(s->node_name);
	free(s);
}
