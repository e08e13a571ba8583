/* exec, attach, portForward and run: asks the runtime, then relays or answers. Effect.
 *
 * While the runtime is asked the request is owned here; a client that leaves cancels the call.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "cri/grpc.h"
#include "serve.h"

enum { PORTS_MAX = 64 };

struct ask {
	const struct server_setup *server;
	struct conn *conn;
	struct cri_call *call;
	enum cri_rpc rpc;
	char *command; /* of run, for its error */
};

static void ask_free(struct ask *a)
{
	free(a->command);
	free(a);
}

static void on_gone(void *ctx)
{
	struct ask *a = ctx;

	cri_call_cancel(a->call);
	ask_free(a);
}

static struct ask *ask_new(const struct server_setup *s, struct conn *c, enum cri_rpc rpc)
{
	static const struct conn_owner owner = { on_gone, NULL };
	struct ask *a = NEW(struct ask);

	*a = (struct ask){ .server = s, .conn = c, .rpc = rpc };
	conn_own(c, &owner, a);
	return a;
}

/* The runtime said no. */
static void reply_error(struct conn *c, const struct err *e)
{
	char text[sizeof(e->text) + 100];
	int status = 500;

	if (e->code == ERR_NOT_FOUND)
		status = 404;
	if (e->code == ERR_BUSY) {
		status = 429;
		conn_add_header(c, "Retry-After", "60");
	}
	conn_reply_text(c, status, grpc_err_text(e, text, sizeof(text)));
}

static const char *url_of(enum cri_rpc rpc, const void *reply)
{
	if (rpc == CRI_EXEC)
		return ((const Cri__ExecResponse *)reply)->url;
	if (rpc == CRI_ATTACH)
		return ((const Cri__AttachResponse *)reply)->url;
	return ((const Cri__PortForwardResponse *)reply)->url;
}

static void on_url(void *ctx, void *reply, const struct err *e)
{
	static const struct conn_owner nobody = { NULL, NULL };
	struct ask *a = ctx;
	struct conn *c = a->conn;

	conn_own(c, &nobody, NULL);
	if (e)
		reply_error(c, e);
	else if (!conn_head(c)->upgrade)
		serve_http_error(c, 500, "Upgrade request required");
	else
		relay_start(a->server->loop, c, url_of(a->rpc, reply));
	proto_free(reply);
	ask_free(a);
}

/* ---- exec and attach ---- */

struct streams {
	bool in, out, err, tty;
};

static bool is_one(const struct http_head *h, const char *name)
{
	AUTO_FREE char *v = http_query(h, name);

	return str_eq(v, "1");
}

static int parse_streams(const struct http_head *h, struct streams *ret)
{
	*ret = (struct streams){ is_one(h, "input"), is_one(h, "output"), is_one(h, "error"),
				 is_one(h, "tty") };
	/* a terminal has one output */
	if (ret->tty)
		ret->err = false;
	return ret->in || ret->out || ret->err ? 0 : -1;
}

/* Finds the container; answers itself when it cannot. */
static int find(const struct server_setup *s, struct conn *c, const struct serve_target *t,
		struct server_container *view, const char *missing)
{
	struct server_pod pod;
	struct err e;

	if (s->ops->find_pod(s->ops_ctx, t->ns, t->pod, NULL, &pod, &e) < 0) {
		conn_reply_text(c, 404, "pod does not exist");
		return -1;
	}
	if (s->ops->find_container(s->ops_ctx, t->ns, t->pod, t->uid, t->container, view, &e) < 0 ||
	    str_empty(view->runtime_id)) {
		conn_reply_text(c, 500, missing);
		return -1;
	}
	return 0;
}

static bool check_streams(struct conn *c, struct streams *streams)
{
	if (parse_streams(conn_head(c), streams) == 0)
		return true;
	conn_reply_text(c, 400, "you must specify at least 1 of stdin, stdout, stderr");
	return false;
}

void serve_exec(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	AUTO_FREE char *missing = str_fmt("container not found (\"%s\")", t->container);
	AUTO_PROTO Cri__ExecRequest *r = proto_new(&cri__exec_request__descriptor);
	struct server_container view = { 0 };
	struct streams streams;
	char **command;
	struct ask *a;

	if (!check_streams(c, &streams) || find(s, c, t, &view, missing) < 0)
		return;
	command = http_query_all(conn_head(c), "command");
	for (size_t i = 0; command && command[i]; i++)
		proto_push_str(&r->n_cmd, &r->cmd, command[i]);
	strv_free(command);
	proto_set_str(&r->container_id, view.runtime_id);
	r->tty = streams.tty;
	r->stdin = streams.in;
	r->stdout = streams.out;
	r->stderr = streams.err;
	a = ask_new(s, c, CRI_EXEC);
	a->call = cri_call(s->cri, CRI_EXEC, r, 0, on_url, a);
}

void serve_attach(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	AUTO_FREE char *missing =
	    str_fmt("container %s not found in pod %s_%s", t->container, t->pod, t->ns);
	AUTO_PROTO Cri__AttachRequest *r = proto_new(&cri__attach_request__descriptor);
	struct server_container view = { 0 };
	struct streams streams;
	struct ask *a;

	if (!check_streams(c, &streams) || find(s, c, t, &view, missing) < 0)
		return;
	proto_set_str(&r->container_id, view.runtime_id);
	/* whether there is a terminal was settled when the container was made */
	r->tty = view.tty;
	r->stdin = streams.in;
	r->stdout = streams.out;
	r->stderr = streams.err && !view.tty;
	a = ask_new(s, c, CRI_ATTACH);
	a->call = cri_call(s->cri, CRI_ATTACH, r, 0, on_url, a);
}

/* ---- portForward ---- */

static int add_ports(Cri__PortForwardRequest *r, const char *list, struct err *e)
{
	char **ports = strv_split(list, ',');
	int rc = 0;

	if (!*list)
		rc = err_set(e, ERR_INVALID, "query parameter \"port\" cannot be empty");
	for (size_t i = 0; rc == 0 && ports && ports[i]; i++) {
		int64_t port;

		if (!str_to_i64(ports[i], &port) || port < 0 || port > UINT16_MAX)
			rc = err_set(e, ERR_INVALID, "unable to parse \"%s\" as a port", list);
		else if (port < 1)
			rc = err_set(e, ERR_INVALID, "port \"%s\" must be > 0", list);
		else if (r->n_port == PORTS_MAX)
			rc = err_set(e, ERR_INVALID, "more than %d ports", PORTS_MAX);
		else {
			r->port = mem_realloc(r->port, r->n_port + 1, sizeof(*r->port));
			r->port[r->n_port++] = (int32_t)port;
		}
	}
	strv_free(ports);
	return rc;
}

/* SPDY names its ports in its streams, WebSockets in the query. */
static int websocket_ports(const struct http_head *h, Cri__PortForwardRequest *r, struct err *e)
{
	char **lists;
	int rc = 0;

	if (!http_header_has(h, "upgrade", "websocket"))
		return 0;
	lists = http_query_all(h, "port");
	if (!lists)
		return err_set(e, ERR_INVALID, "query parameter \"port\" is required");
	for (size_t i = 0; rc == 0 && lists[i]; i++)
		rc = add_ports(r, lists[i], e);
	strv_free(lists);
	return rc;
}

void serve_port_forward(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	AUTO_PROTO Cri__PortForwardRequest *r = proto_new(&cri__port_forward_request__descriptor);
	AUTO_FREE char *missing = str_fmt("pod not found (\"%s_%s\")", t->pod, t->ns);
	struct server_pod pod = { 0 };
	struct err e;
	struct ask *a;

	if (websocket_ports(conn_head(c), r, &e) < 0) {
		conn_reply_text(c, 400, e.text);
		return;
	}
	if (s->ops->find_pod(s->ops_ctx, t->ns, t->pod, NULL, &pod, &e) < 0) {
		conn_reply_text(c, 404, "pod does not exist");
		return;
	}
	if (!str_empty(t->uid) && !str_eq(t->uid, pod.uid)) {
		conn_reply_text(c, 404, "pod not found");
		return;
	}
	if (str_empty(pod.sandbox_id)) {
		conn_reply_text(c, 500, missing);
		return;
	}
	proto_set_str(&r->pod_sandbox_id, pod.sandbox_id);
	a = ask_new(s, c, CRI_PORT_FORWARD);
	a->call = cri_call(s->cri, CRI_PORT_FORWARD, r, 0, on_url, a);
}

/* ---- run ---- */

static void reply_output(struct conn *c, const char *command, const Cri__ExecSyncResponse *r)
{
	AUTO_STR out = { 0 };

	if (r->exit_code) {
		str_printf(&out, "command '%s' exited with %d: ", command, r->exit_code);
		if (r->stderr.len)
			str_append_n(&out, r->stderr.data, r->stderr.len);
		conn_reply_text(c, 500, str_text(&out));
		return;
	}
	/* absent bytes have no address */
	if (r->stdout.len)
		str_append_n(&out, r->stdout.data, r->stdout.len);
	if (r->stderr.len)
		str_append_n(&out, r->stderr.data, r->stderr.len);
	conn_reply(c, 200, "application/json", str_text(&out), out.len);
}

static void on_output(void *ctx, void *reply, const struct err *e)
{
	struct ask *a = ctx;

	if (e)
		reply_error(a->conn, e);
	else
		reply_output(a->conn, a->command, reply);
	proto_free(reply);
	ask_free(a);
}

void serve_run(const struct server_setup *s, struct conn *c, const struct serve_target *t)
{
	AUTO_FREE char *missing = str_fmt("container not found (\"%s\")", t->container);
	AUTO_PROTO Cri__ExecSyncRequest *r = proto_new(&cri__exec_sync_request__descriptor);
	AUTO_FREE char *command = http_query(conn_head(c), "cmd");
	struct server_container view = { 0 };
	char **words;
	struct ask *a;

	if (find(s, c, t, &view, missing) < 0)
		return;
	words = strv_split(str_or(command, ""), ' ');
	for (size_t i = 0; words && words[i]; i++)
		proto_push_str(&r->n_cmd, &r->cmd, words[i]);
	strv_free(words);
	proto_set_str(&r->container_id, view.runtime_id);
	a = ask_new(s, c, CRI_EXEC_SYNC);
	a->command = mem_strdup(str_or(command, ""));
	a->call = cri_call(s->cri, CRI_EXEC_SYNC, r, 0, on_output, a);
}
