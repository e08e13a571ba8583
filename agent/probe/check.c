/* Checks against containers (contract in check.h). Effect. */
#include "check.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/grpc.h"

enum { OUTPUT_MAX_BYTES = 10 * 1024, REDIRECTS_MAX = 10, GRPC_SERVING = 1 };

struct checks {
	sd_event *loop;
	struct cri *cri;
	CURLM *multi;
	sd_event_source *timer;
};

struct check {
	struct checks *c;
	check_done_fn done;
	void *ctx;
	enum check_result result;
	struct str output;
	sd_event_source *defer;
	struct cri_call *rpc;
	struct grpc *channel;
	struct grpc_call *grpc;
	bool grpc_answered;
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	bool tcp;
	unsigned redirects;
	int64_t timeout_usec;
};

/* --- curl on the loop --- */

static void reap(struct checks *c);

static int on_socket_ready(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct checks *c = userdata;
	int mask = (revents & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (revents & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (revents & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	(void)s;
	curl_multi_socket_action(c->multi, fd, mask, &running);
	reap(c);
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct checks *c = userdata;
	sd_event_source *s = socketp;
	uint32_t events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(s);
		curl_multi_assign(c->multi, fd, NULL);
	} else if (s) {
		sd_event_source_set_io_events(s, events);
	} else if (sd_event_add_io(c->loop, &s, fd, events, on_socket_ready, c) >= 0) {
		curl_multi_assign(c->multi, fd, s);
	}
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct checks *c = userdata;
	int running;

	(void)s;
	(void)usec;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(c);
	return 0;
}

static int on_timeout_wanted(CURLM *multi, long msec, void *userdata)
{
	struct checks *c = userdata;

	(void)multi;
	if (msec < 0) {
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
		return 0;
	}
	sd_event_source_set_time_relative(c->timer, (uint64_t)msec * USEC_PER_MSEC);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
	return 0;
}

struct checks *checks_new(sd_event *loop, struct cri *cri)
{
	struct checks *c = NEW(struct checks);

	c->loop = loop;
	c->cri = cri;
	c->multi = curl_multi_init();
	fs_keep_open_files(); /* curl's own */
	sd_event_add_time_relative(loop, &c->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				   on_timer, c);
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return c;
}

void checks_free(struct checks *c)
{
	if (!c)
		return;
	curl_multi_cleanup(c->multi);
	sd_event_source_disable_unref(c->timer);
	free(c);
}

/* --- life of a check --- */

static struct check *check_new(struct checks *c, int64_t timeout_usec, check_done_fn done,
			       void *ctx)
{
	struct check *k = NEW(struct check);

	*k = (struct check){ .c = c, .done = done, .ctx = ctx, .timeout_usec = timeout_usec };
	return k;
}

static void drop_easy(struct check *k)
{
	if (!k->easy)
		return;
	curl_multi_remove_handle(k->c->multi, k->easy);
	curl_easy_cleanup(k->easy);
	k->easy = NULL;
}

static void check_free(struct check *k)
{
	sd_event_source_disable_unref(k->defer);
	cri_call_cancel(k->rpc);
	if (k->grpc)
		grpc_call_cancel(k->grpc);
	grpc_free(k->channel);
	drop_easy(k);
	curl_slist_free_all(k->headers);
	str_fini(&k->output);
	free(k->url);
	free(k);
}

void check_cancel(struct check *k)
{
	if (k)
		check_free(k);
}

static int on_over(sd_event_source *s, void *userdata)
{
	struct check *k = userdata;

	(void)s;
	k->done(k->ctx, k->result, str_text(&k->output));
	check_free(k);
	return 0;
}

/* The callback runs from the loop, whatever the check was doing when it ended. */
static void over(struct check *k, enum check_result result, const char *output)
{
	if (k->defer)
		return;
	k->result = result;
	if (output) {
		str_reset(&k->output);
		str_append(&k->output, output);
	}
	sd_event_add_defer(k->c->loop, &k->defer, on_over, k);
}

/* --- exec --- */

static void on_exec(void *ctx, void *reply, const struct err *e)
{
	struct check *k = ctx;
	AUTO_PROTO Cri__ExecSyncResponse *r = reply;
	AUTO_STR text = { 0 };

	k->rpc = NULL;
	if (e && e->code == ERR_TIMEOUT) {
		str_printf(&text, "command timed out: %s", e->text);
		over(k, CHECK_FAILURE, str_text(&text));
		return;
	}
	if (e) {
		over(k, CHECK_ERROR, e->text);
		return;
	}
	str_append_n(&text, r->stdout.data, r->stdout.len);
	str_append_n(&text, r->stderr.data, r->stderr.len);
	if (text.len > OUTPUT_MAX_BYTES)
		text.p[OUTPUT_MAX_BYTES] = '\0';
	over(k, r->exit_code ? CHECK_FAILURE : CHECK_SUCCESS, str_text(&text));
}

struct check *check_exec(struct checks *c, const struct check_target *t, size_t n_command,
			 char *const *command, check_done_fn done, void *ctx)
{
	struct check *k = check_new(c, t->timeout_usec, done, ctx);
	AUTO_PROTO Cri__ExecSyncRequest *req = proto_new(&cri__exec_sync_request__descriptor);

	proto_set_str(&req->container_id, t->container_id);
	for (size_t i = 0; i < n_command; i++)
		proto_push_str(&req->n_cmd, &req->cmd, command[i]);
	req->timeout =
	    t->timeout_usec > 0 ? (t->timeout_usec + USEC_PER_SEC - 1) / USEC_PER_SEC : 0;
	k->rpc = cri_exec_sync(c->cri, req, OUTPUT_MAX_BYTES, on_exec, k);
	return k;
}

/* --- HTTP and TCP --- */

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct check *k = userdata;
	size_t room = OUTPUT_MAX_BYTES - k->output.len;

	str_append_n(&k->output, data, size * n < room ? size * n : room);
	return size * n;
}

static char *url_part(const char *url, CURLUPart part)
{
	CURLU *u = curl_url();
	char *value = NULL, *copy = NULL;

	if (!curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, part, &value, 0))
		copy = mem_strdup(value);
	curl_free(value);
	curl_url_cleanup(u);
	return copy;
}

static void send_http(struct check *k)
{
	long msec = k->timeout_usec > 0 ? (long)(k->timeout_usec / USEC_PER_MSEC) : 0L;

	k->easy = curl_easy_init();
	curl_easy_setopt(k->easy, CURLOPT_URL, k->url);
	curl_easy_setopt(k->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(k->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(k->easy, CURLOPT_HTTPHEADER, k->headers);
	/* a kubelet never verified who answers a probe, and pods rely on it */
	curl_easy_setopt(k->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(k->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(k->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(k->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(k->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(k->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(k->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(k->easy, CURLOPT_TIMEOUT_MS, msec);
	curl_easy_setopt(k->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(k->easy, CURLOPT_WRITEDATA, k);
	curl_easy_setopt(k->easy, CURLOPT_PRIVATE, k);
	if (k->tcp)
		curl_easy_setopt(k->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_multi_add_handle(k->c->multi, k->easy);
}

/* What Go's client says in the common cases: people and tests search for these words. */
static void fail_transfer(struct check *k, CURLcode code)
{
	AUTO_FREE char *host = url_part(k->url, CURLUPART_HOST);
	AUTO_FREE char *port = url_part(k->url, CURLUPART_PORT);
	AUTO_STR text = { 0 };
	const char *why = curl_easy_strerror(code);

	if (code == CURLE_COULDNT_CONNECT)
		why = "connect: connection refused";
	else if (code == CURLE_OPERATION_TIMEDOUT)
		why = k->tcp ? "i/o timeout" : NULL;
	if (!k->tcp)
		str_printf(&text, "Get \"%s\": ", k->url);
	if (why)
		str_printf(&text, "dial tcp %s:%s: %s", str_or(host, ""), str_or(port, "80"), why);
	else
		str_append(&text, "context deadline exceeded (Client.Timeout exceeded while "
				  "awaiting headers)");
	over(k, CHECK_FAILURE, str_text(&text));
}

/* Redirects are followed on the same host only; another host's answer is not the container's. */
static bool follow(struct check *k)
{
	AUTO_FREE char *here = url_part(k->url, CURLUPART_HOST);
	AUTO_FREE char *there = NULL;
	char *location = NULL;

	curl_easy_getinfo(k->easy, CURLINFO_REDIRECT_URL, &location);
	if (str_empty(location) || ++k->redirects > REDIRECTS_MAX)
		return false;
	there = url_part(location, CURLUPART_HOST);
	if (!str_eq(here, there))
		return false;
	free(k->url);
	k->url = mem_strdup(location);
	str_reset(&k->output);
	drop_easy(k);
	send_http(k);
	return true;
}

static void judge_http(struct check *k)
{
	AUTO_STR text = { 0 };
	long status = 0;

	curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300 && status < 400) {
		if (follow(k))
			return;
		str_printf(&text, "Probe terminated redirects, Response body: %s",
			   str_text(&k->output));
		over(k, CHECK_WARNING, str_text(&text));
	} else if (status >= 200 && status < 300) {
		over(k, CHECK_SUCCESS, NULL);
	} else {
		str_printf(&text, "HTTP probe failed with statuscode: %ld", status);
		over(k, CHECK_FAILURE, str_text(&text));
	}
}

static void reap(struct checks *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = msg->data.result;
		char *private = NULL;
		struct check *k;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		k = (struct check *)(void *)private;
		if (code != CURLE_OK)
			fail_transfer(k, code);
		else if (k->tcp)
			over(k, CHECK_SUCCESS, "");
		else
			judge_http(k);
	}
}

/* A number, or the name of one of the container's ports. 0: neither. */
static int resolve_port(const Intstr__IntOrString *port, const Core__Container *c)
{
	int64_t n;

	if (!port)
		return 0;
	if (port->type == 0)
		return port->intval > 0 && port->intval < 65536 ? port->intval : 0;
	for (size_t i = 0; i < c->n_ports; i++) {
		if (str_eq(c->ports[i]->name, port->strval))
			return c->ports[i]->containerport;
	}
	return str_to_i64(port->strval, &n) && n > 0 && n < 65536 ? (int)n : 0;
}

static void add_header(struct check *k, const char *name, const char *value)
{
	AUTO_FREE char *line = str_fmt(str_empty(value) ? "%s;" : "%s: %s", name, value);

	k->headers = curl_slist_append(k->headers, line);
}

static void add_headers(struct check *k, const char *agent, const Core__HTTPGetAction *get)
{
	AUTO_FREE char *user_agent = str_fmt("%s/1.37", agent);
	bool has_agent = false, has_accept = false;

	for (size_t i = 0; i < get->n_httpheaders; i++) {
		const Core__HTTPHeader *h = get->httpheaders[i];

		has_agent |= !strcasecmp(h->name, "User-Agent");
		has_accept |= !strcasecmp(h->name, "Accept");
		/* an empty Accept asks for none at all */
		if (!strcasecmp(h->name, "Accept") && str_empty(h->value))
			k->headers = curl_slist_append(k->headers, "Accept:");
		else
			add_header(k, h->name, str_or(h->value, ""));
	}
	if (!has_agent)
		add_header(k, "User-Agent", user_agent);
	if (!has_accept)
		add_header(k, "Accept", "*/*");
}

static char *host_for_url(const char *host)
{
	return strchr(host, ':') && host[0] != '[' ? str_fmt("[%s]", host) : mem_strdup(host);
}

struct check *check_http(struct checks *c, const struct check_target *t,
			 const Core__HTTPGetAction *get, check_done_fn done, void *ctx)
{
	struct check *k = check_new(c, t->timeout_usec, done, ctx);
	int port = resolve_port(get->port, t->container);
	AUTO_FREE char *host = host_for_url(str_or(get->host, str_or(t->pod_ip, "")));
	const char *path = str_or(get->path, "/");
	bool https = get->scheme && !strcasecmp(get->scheme, "HTTPS");

	if (!port || !*host) {
		over(k, CHECK_ERROR,
		     !port ? "couldn't find the port to connect to" : "the pod has no IP address");
		return k;
	}
	k->url = str_fmt("%s://%s:%d%s%s", https ? "https" : "http", host, port,
			 *path == '/' ? "" : "/", path);
	add_headers(k, t->agent, get);
	send_http(k);
	return k;
}

struct check *check_tcp(struct checks *c, const struct check_target *t,
			const Core__TCPSocketAction *tcp, check_done_fn done, void *ctx)
{
	struct check *k = check_new(c, t->timeout_usec, done, ctx);
	int port = resolve_port(tcp->port, t->container);
	AUTO_FREE char *host = host_for_url(str_or(tcp->host, str_or(t->pod_ip, "")));

	if (!port || !*host) {
		over(k, CHECK_ERROR,
		     !port ? "couldn't find the port to connect to" : "the pod has no IP address");
		return k;
	}
	k->tcp = true;
	k->url = str_fmt("http://%s:%d/", host, port);
	send_http(k);
	return k;
}

/* --- gRPC health (grpc.health.v1): request {1: service}, answer {1: status} --- */

static int on_health(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct check *k = ctx;
	unsigned status = 0;

	(void)e;
	/* a varint in field 1; an empty message is status 0 */
	if (len >= 2 && data[0] == 0x08)
		status = data[1];
	k->grpc_answered = true;
	if (status == GRPC_SERVING)
		over(k, CHECK_SUCCESS, "service healthy");
	else
		over(k, CHECK_FAILURE, "service unhealthy (responded with \"NOT_SERVING\")");
	return 0;
}

static void on_health_done(void *ctx, const struct err *e)
{
	struct check *k = ctx;
	AUTO_STR text = { 0 };

	k->grpc = NULL;
	if (k->grpc_answered)
		return;
	if (e && e->code == ERR_UNIMPLEMENTED)
		str_printf(&text,
			   "error: this server does not implement the grpc health protocol "
			   "(grpc.health.v1.Health): %s",
			   e->text);
	else if (e && e->code == ERR_TIMEOUT)
		str_append(&text, "timeout: health rpc did not complete within its time limit");
	else
		str_printf(&text, "error: health rpc probe failed: %s", e ? e->text : "no answer");
	over(k, CHECK_FAILURE, str_text(&text));
}

struct check *check_grpc(struct checks *c, const struct check_target *t,
			 const Core__GRPCAction *grpc, check_done_fn done, void *ctx)
{
	static const struct grpc_handler handler = { .message = on_health, .done = on_health_done };
	struct check *k = check_new(c, t->timeout_usec, done, ctx);
	AUTO_FREE char *host = host_for_url(str_or(t->pod_ip, ""));
	AUTO_FREE char *address = str_fmt("tcp://%s:%d", host, grpc->port);
	const char *service = str_or(grpc->service, "");
	AUTO_STR request = { 0 };
	struct err e;

	if (strlen(service) > 127 || grpc_new(c->loop, address, &k->channel, &e) < 0) {
		over(k, CHECK_ERROR, strlen(service) > 127 ? "service name is too long" : e.text);
		return k;
	}
	if (*service) {
		str_append_c(&request, 0x0a);
		str_append_c(&request, (char)strlen(service));
		str_append(&request, service);
	}
	k->grpc = grpc_call_start(
	    k->channel,
	    &(struct grpc_request){
		.method = "/grpc.health.v1.Health/Check",
		.data = str_text(&request),
		.len = request.len,
		.timeout_msec = t->timeout_usec > 0 ? t->timeout_usec / USEC_PER_MSEC : -1,
		.authority = address + strlen("tcp://"),
	    },
	    &handler, k);
	return k;
}
