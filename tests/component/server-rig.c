/* The agent's server with an agent of a few lines behind it, for server.py to talk to.
 *
 * usage: server-rig DIRECTORY STREAMING_PORT [self-signed] [no-debug] [anonymous]
 * DIRECTORY holds server.crt, server.key, ca.crt and the log files NAME.log of containers; the rig
 * prints its two ports. A container NAME runs as long as the file NAME.running is there.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/grpc-server.h"
#include "server/server.h"

struct rig {
	const char *dir, *streaming_port;
	unsigned token_reviews, access_reviews;
};

static bool exists(const struct rig *r, const char *name, const char *suffix)
{
	AUTO_FREE char *path = str_fmt("%s/%s%s", r->dir, name, suffix);

	return access(path, F_OK) == 0;
}

static int find_pod(void *ctx, const char *ns, const char *pod, const char *uid,
		    struct server_pod *ret, struct err *e)
{
	(void)ctx;
	if (!str_eq(ns, "default") || !str_eq(pod, "web") || (uid && !str_eq(uid, "u1")))
		return err_set(e, ERR_NOT_FOUND, "no pod");
	*ret = (struct server_pod){ .uid = "u1", .sandbox_id = "sandbox" };
	return 0;
}

static int find_container(void *ctx, const char *ns, const char *pod, const char *uid,
			  const char *container, struct server_container *ret, struct err *e)
{
	static const char *const names[] = { "app", "big", "done", "nolog" };
	struct server_pod found;

	if (find_pod(ctx, ns, pod, uid, &found, e) < 0)
		return -1;
	*ret = (struct server_container){ .in_spec = str_eq(container, "waiting") };
	if (ret->in_spec) {
		ret->has_status = true;
		ret->state = SERVER_WAITING;
		ret->waiting_reason = "ContainerCreating";
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], container))
			*ret = (struct server_container){ .in_spec = true,
							  .has_status = true,
							  .state = SERVER_RUNNING,
							  .id = names[i],
							  .runtime_id = names[i] };
	return 0;
}

static int log_path(void *ctx, const char *id, char **ret, struct err *e)
{
	const struct rig *r = ctx;

	if (str_eq(id, "nolog"))
		return err_set(e, ERR_NOT_FOUND,
			       "unable to retrieve container logs for containerd://%s", id);
	*ret = str_fmt("%s/%s.log", r->dir, id);
	return 0;
}

static bool container_running(void *ctx, const char *id)
{
	return exists(ctx, id, ".running");
}

static char *some_json(void *ctx, struct err *e)
{
	const struct rig *r = ctx;

	(void)e;
	return str_fmt("{\"token_reviews\":%u,\"access_reviews\":%u}", r->token_reviews,
		       r->access_reviews);
}

static int healthy(void *ctx, const char *check, struct err *e)
{
	if (exists(ctx, "sick", ""))
		return err_set(e, ERR_INTERNAL, "%s is sick", check);
	return 0;
}

static void token_review(void *ctx, const char *token, server_token_done done, void *done_ctx)
{
	char *groups[] = { (char *)"masters", NULL };
	struct server_user u = { .name = (char *)"root", .groups = groups };
	struct err e;

	((struct rig *)ctx)->token_reviews++;
	if (str_eq(token, "broken")) {
		err_set(&e, ERR_UNAVAILABLE, "apiserver is away");
		done(done_ctx, NULL, &e);
	} else {
		done(done_ctx, str_eq(token, "good") ? &u : NULL, NULL);
	}
}

static void access_review(void *ctx, const struct server_access *a, server_access_done done,
			  void *done_ctx)
{
	struct err e;

	((struct rig *)ctx)->access_reviews++;
	if (str_eq(a->user->name, "unlucky")) {
		err_set(&e, ERR_UNAVAILABLE, "apiserver is away");
		done(done_ctx, false, &e);
	} else {
		done(done_ctx,
		     strv_has(a->user->groups, "masters") ||
			 (str_eq(a->user->name, "prometheus") &&
			  str_eq(a->subresource, "metrics")) ||
			 str_eq(a->subresource, "healthz"),
		     NULL);
	}
}

static int metrics(void *ctx, const char *which, struct str *out, struct err *e)
{
	(void)ctx;
	(void)e;
	str_printf(out, "kubelet_up{which=\"%s\"} 1\n", which);
	return 0;
}

static void send_url(struct rig *rig, struct grpc_req *req, const char *kind, const char *id)
{
	AUTO_PROTO Cri__ExecResponse *r = proto_new(&cri__exec_response__descriptor);
	AUTO_FREE char *url = str_fmt("http://127.0.0.1:%s/%s/%s", rig->streaming_port, kind, id);
	size_t len;

	/* the three replies look the same on the wire */
	proto_set_str(&r->url, url);
	AUTO_FREE uint8_t *packed = proto_pack(r, &len);
	grpc_req_send(req, packed, len);
	grpc_req_end(req, NULL);
}

static void exec_sync(struct grpc_req *req, const uint8_t *data, size_t len)
{
	AUTO_PROTO Cri__ExecSyncRequest *q =
	    proto_unpack(&cri__exec_sync_request__descriptor, data, len, NULL);
	AUTO_PROTO Cri__ExecSyncResponse *r = proto_new(&cri__exec_sync_response__descriptor);

	for (size_t i = 0; i < q->n_cmd; i++) {
		AUTO_FREE char *before = mem_strdup((char *)r->stdout.data);

		free(r->stdout.data);
		r->stdout.data = (uint8_t *)str_fmt("%s[%s]", str_or(before, ""), q->cmd[i]);
		r->stdout.len = strlen((char *)r->stdout.data);
	}
	r->exit_code = q->n_cmd && str_eq(q->cmd[0], "false");
	AUTO_FREE uint8_t *packed = proto_pack(r, &len);
	grpc_req_send(req, packed, len);
	grpc_req_end(req, NULL);
}

static void serve(void *ctx, struct grpc_req *req, const char *path, const uint8_t *data,
		  size_t len)
{
	struct rig *rig = ctx;
	struct err e;

	if (cri_rpc_of_method(path) == CRI_EXEC_SYNC) {
		exec_sync(req, data, len);
	} else if (cri_rpc_of_method(path) == CRI_EXEC) {
		AUTO_PROTO Cri__ExecRequest *q =
		    proto_unpack(&cri__exec_request__descriptor, data, len, NULL);

		if (q->n_cmd && str_eq(q->cmd[0], "gone")) {
			err_set(&e, ERR_NOT_FOUND, "no such container");
			grpc_req_end(req, &e);
		} else {
			send_url(rig, req, "exec", q->n_cmd ? q->cmd[0] : "none");
		}
	} else if (cri_rpc_of_method(path) == CRI_ATTACH) {
		send_url(rig, req, "attach", "echo");
	} else if (cri_rpc_of_method(path) == CRI_PORT_FORWARD) {
		send_url(rig, req, "portforward", "echo");
	} else {
		err_set(&e, ERR_UNIMPLEMENTED, "%s", path);
		grpc_req_end(req, &e);
	}
}

static int on_term(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	(void)si;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int run(struct rig *rig, sd_event *loop, int argc, char **argv, struct err *e)
{
	static const struct server_ops ops = { .find_pod = find_pod,
					       .find_container = find_container,
					       .log_path = log_path,
					       .container_running = container_running,
					       .pods_json = some_json,
					       .running_pods_json = some_json,
					       .configz_json = some_json,
					       .metrics = metrics,
					       .healthy = healthy,
					       .token_review = token_review,
					       .access_review = access_review };
	AUTO_FREE char *cert = str_fmt("%s/server.crt", rig->dir);
	AUTO_FREE char *key = str_fmt("%s/server.key", rig->dir);
	AUTO_FREE char *ca = str_fmt("%s/ca.crt", rig->dir);
	AUTO_FREE char *socket = str_fmt("%s/cri.sock", rig->dir);
	char *names[] = { (char *)"node1", (char *)"127.0.0.1", NULL };
	struct server_setup setup = { .loop = loop,
				      .ops = &ops,
				      .ops_ctx = rig,
				      .node_name = "node1",
				      .address = "127.0.0.1",
				      .healthz_port = -1,
				      .cert_file = cert,
				      .key_file = key,
				      .cert_dir = rig->dir,
				      .self_signed_names = names,
				      .client_ca_file = ca,
				      .webhook_authentication = true,
				      .webhook_authorization = true,
				      .debugging_handlers = true,
				      .split_log_streams = true };
	struct grpc_server *runtime = NULL;
	struct server *server = NULL;
	int rc = -1;

	for (int i = 3; i < argc; i++) {
		if (str_eq(argv[i], "self-signed"))
			setup.cert_file = setup.key_file = NULL;
		setup.debugging_handlers &= !str_eq(argv[i], "no-debug");
		setup.anonymous |= str_eq(argv[i], "anonymous");
	}
	if (job_pool_new(loop, 2, &setup.jobs, e) == 0 &&
	    grpc_server_new(loop, socket, serve, rig, &runtime, e) == 0 &&
	    cri_new(loop, socket, NULL, &setup.cri, e) == 0 &&
	    server_new(&setup, &server, e) == 0) {
		printf("%u %u\n", server_port(server), server_healthz_port(server));
		fflush(stdout);
		rc = sd_event_loop(loop);
	}
	server_free(server);
	cri_free(setup.cri);
	grpc_server_free(runtime);
	job_pool_free(setup.jobs);
	return rc;
}

int main(int argc, char **argv)
{
	struct rig rig;
	sd_event *loop;
	sigset_t term;
	struct err e;
	int rc;

	if (argc < 3) {
		fprintf(stderr, "usage: server-rig DIRECTORY STREAMING_PORT [option ...]\n");
		return 2;
	}
	rig = (struct rig){ .dir = argv[1], .streaming_port = argv[2] };
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (sd_event_new(&loop) < 0 || sd_event_add_signal(loop, NULL, SIGTERM, on_term, NULL) < 0)
		return 1;
	rc = run(&rig, loop, argc, argv, &e);
	if (rc < 0)
		fprintf(stderr, "%s\n", e.text);
	sd_event_unref(loop);
	return rc < 0;
}
