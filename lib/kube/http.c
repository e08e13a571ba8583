/* Connections and transfers (contract in http.h). Effect.
 *
 * curl's callbacks only buffer and note; what they noted is told to the callers after curl has
 * returned, so a caller may start and cancel calls at will.
 */
#include "kube/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
	KEEPALIVE_IDLE_SEC = 10,
	KEEPALIVE_INTERVAL_SEC = 5,
	KEEPALIVE_COUNT = 3,
	USER_TIMEOUT_MSEC = 30000,
	CONNECT_TIMEOUT_MSEC = 10000,
	STREAM_BUFFER_BYTES = 8192,
};

struct connection {
	struct http_pool *pool;
	struct connection *next;
	CURLM *multi;
	sd_event_source *timer;
	enum http_lane lane;
	unsigned calls, streams;
	bool http1, widened;
};

struct http_call {
	struct http_pool *pool;
	struct connection *connection; /* NULL once off the wire */
	struct http_call *prev, *next; /* all calls of the pool */
	struct http_call *ready_next;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	const struct http_ops *ops;
	void *ctx;
	struct str body, chunk; /* chunk: stream bytes not yet told */
	size_t body_max;
	struct err e;
	char curl_text[CURL_ERROR_SIZE];
	bool stream, finished, failed, reset, ready, telling, cancelled;
};

struct http_pool {
	sd_event *loop;
	sd_event_source *tell;
	const struct kube_credentials *credentials;
	char *user_agent;
	struct connection *connections;
	struct http_call *calls;
	struct http_call *ready, *ready_last;
};

/* ---- telling callers ---- */

static void mark_ready(struct http_call *c)
{
	struct http_pool *p = c->pool;

	if (c->ready)
		return;
	c->ready = true;
	c->ready_next = NULL;
	if (p->ready)
		p->ready_last->ready_next = c;
	else
		p->ready = c;
	p->ready_last = c;
	sd_event_source_set_enabled(p->tell, SD_EVENT_ONESHOT);
}

static void detach(struct http_call *c)
{
	if (!c->connection)
		return;
	curl_multi_remove_handle(c->connection->multi, c->easy);
	c->connection->calls--;
	c->connection->streams -= c->stream;
	c->connection = NULL;
}

static void call_free(struct http_call *c)
{
	detach(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->pool->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	str_fini(&c->body);
	str_fini(&c->chunk);
	free(c);
}

static void tell_done(struct http_call *c)
{
	struct http_reply reply = { .body = str_text(&c->body), .len = c->body.len };
	long status = 0;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &reply.content_type);
	curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (!reply.content_type)
		reply.content_type = "";
	reply.status = (int)status;
	reply.retry_after_sec = retry_after;
	reply.e = c->failed ? &c->e : NULL;
	reply.reset = c->reset;
	c->ops->done(c->ctx, &reply);
}

static void tell_data(struct http_call *c)
{
	struct str bytes = c->chunk;
	char *type = NULL;

	c->chunk = (struct str){ 0 };
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
	c->ops->data(c->ctx, type ? type : "", str_text(&bytes), bytes.len);
	str_fini(&bytes);
}

static void tell(struct http_call *c)
{
	c->telling = true;
	if (!c->cancelled && c->chunk.len)
		tell_data(c);
	if (!c->cancelled && c->finished) {
		tell_done(c);
		c->cancelled = true;
	}
	c->telling = false;
	if (c->cancelled)
		call_free(c);
}

static void connection_free(struct connection *conn)
{
	struct connection **at = &conn->pool->connections;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
	curl_multi_cleanup(conn->multi);
	sd_event_source_disable_unref(conn->timer);
	free(conn);
}

/* Connections that carry nothing go, but for the oldest of each lane. */
static void drop_idle(struct http_pool *p)
{
	bool kept[HTTP_LANE_COUNT] = { false };
	struct connection *next;

	for (struct connection *c = p->connections; c; c = next) {
		next = c->next;
		if (!c->calls && kept[c->lane])
			connection_free(c);
		else
			kept[c->lane] = true;
	}
}

static int on_tell(sd_event_source *s, void *userdata)
{
	struct http_pool *p = userdata;
	struct http_call *batch = p->ready;

	(void)s;
	p->ready = p->ready_last = NULL;
	while (batch) {
		struct http_call *c = batch;

		batch = c->ready_next;
		c->ready = false;
		tell(c);
	}
	drop_idle(p);
	return 0;
}

/* ---- curl's side ---- */

static void collect_finished(struct connection *conn)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(conn->multi, &left))) {
		CURLcode code = msg->data.result;
		struct http_call *c;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		c->finished = true;
		if (code != CURLE_OK && !c->failed) {
			c->failed = true;
			err_set(&c->e,
				code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE,
				"%s", *c->curl_text ? c->curl_text : curl_easy_strerror(code));
		}
		detach(c);
		mark_ready(c);
	}
	if (conn->http1 && !conn->widened) {
		conn->widened = true;
		curl_multi_setopt(conn->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 0L);
	}
}

static int on_socket_ready(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct connection *conn = userdata;
	int what = 0, running;

	(void)s;
	what |= revents & EPOLLIN ? CURL_CSELECT_IN : 0;
	what |= revents & EPOLLOUT ? CURL_CSELECT_OUT : 0;
	what |= revents & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
	curl_multi_socket_action(conn->multi, fd, what, &running);
	collect_finished(conn);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct connection *conn = userdata;
	int running;

	(void)s;
	(void)usec;
	curl_multi_socket_action(conn->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(conn);
	return 0;
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct connection *conn = userdata;
	sd_event_source *source = socketp;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		curl_multi_assign(conn->multi, fd, NULL);
		return 0;
	}
	events |= what & CURL_POLL_IN ? EPOLLIN : 0;
	events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(conn->pool->loop, &source, fd, events, on_socket_ready, conn) < 0)
		return -1;
	if (conn->lane == HTTP_LANE_HEARTBEAT)
		sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
	curl_multi_assign(conn->multi, fd, source);
	return 0;
}

static int curl_wants_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct connection *conn = userdata;

	(void)multi;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(conn->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	sd_event_source_set_time_relative(conn->timer, (uint64_t)timeout_ms * 1000);
	return sd_event_source_set_enabled(conn->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static size_t curl_gives_bytes(char *bytes, size_t size, size_t n, void *userdata)
{
	struct http_call *c = userdata;
	long status = 0, version = 0;

	n *= size;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_HTTP_VERSION, &version);
	if (version < CURL_HTTP_VERSION_2_0 && c->connection)
		c->connection->http1 = true;
	if (c->stream && status == 200) {
		str_append_n(&c->chunk, bytes, n);
		mark_ready(c);
		return n;
	}
	if (c->body.len + n > c->body_max) {
		c->failed = true;
		err_set(&c->e, ERR_TOO_LARGE, "the answer is larger than %zu bytes", c->body_max);
		return 0;
	}
	str_append_n(&c->body, bytes, n);
	return n;
}

/* A dead peer is noticed in half a minute, data in flight or not. Programs that we start have no
 * part in it. */
static int curl_made_socket(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	const int count = KEEPALIVE_COUNT, timeout = USER_TIMEOUT_MSEC;

	(void)userdata;
	(void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	return CURL_SOCKOPT_OK;
}

/* ---- connections ---- */

static struct connection *connection_new(struct http_pool *p, enum http_lane lane)
{
	struct connection *conn = NEW(struct connection), **at = &p->connections;

	conn->pool = p;
	conn->lane = lane;
	conn->multi = curl_multi_init();
	fs_keep_open_files(); /* curl's own */
	if (!conn->multi || sd_event_add_time(p->loop, &conn->timer, CLOCK_MONOTONIC, UINT64_MAX,
					      TIMER_ACCURACY_USEC, on_timer, conn) < 0)
		abort();
	sd_event_source_set_enabled(conn->timer, SD_EVENT_OFF);
	if (lane == HTTP_LANE_HEARTBEAT)
		sd_event_source_set_priority(conn->timer, SD_EVENT_PRIORITY_IMPORTANT);
	curl_multi_setopt(conn->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl_multi_setopt(conn->multi, CURLMOPT_SOCKETDATA, conn);
	curl_multi_setopt(conn->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
	curl_multi_setopt(conn->multi, CURLMOPT_TIMERDATA, conn);
	curl_multi_setopt(conn->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(conn->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
	while (*at)
		at = &(*at)->next;
	*at = conn;
	return conn;
}

static struct connection *connection_for(struct http_pool *p, enum http_lane lane, bool stream)
{
	for (struct connection *c = p->connections; c; c = c->next) {
		if (c->lane == lane && !(stream && c->streams >= HTTP_STREAMS_MAX))
			return c;
	}
	return connection_new(p, lane);
}

unsigned http_pool_connections(const struct http_pool *p)
{
	unsigned n = 0;

	for (const struct connection *c = p->connections; c; c = c->next)
		n++;
	return n;
}

/* ---- requests ---- */

static void add_line(struct http_call *c, const char *line)
{
	struct curl_slist *longer = curl_slist_append(c->headers, line);

	if (!longer)
		abort();
	c->headers = longer;
}

static void add_header(struct http_call *c, const char *name, const char *value)
{
	AUTO_FREE char *line = NULL;

	if (!value)
		return;
	line = str_fmt("%s: %s", name, value);
	add_line(c, line);
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (!pem)
		return;
	blob.data = (void *)(uintptr_t)pem;
	blob.len = strlen(pem);
	curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct kube_credentials *k)
{
	set_blob(easy, CURLOPT_CAINFO_BLOB, k->ca_pem);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, k->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, k->key_pem);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, k->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, k->insecure ? 0L : 2L);
}

static bool is_this_host(const char *server)
{
	static const char *const names[] = { "127.", "localhost:", "localhost/", "[::1]" };
	const char *host = strstr(server, "://");

	host = host ? host + strlen("://") : server;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_starts(host, names[i]))
			return true;
	}
	return str_eq(host, "localhost");
}

/* As upstream's clients: the kubeconfig's proxy for everything; the environment's (HTTPS_PROXY,
 * NO_PROXY) for all but this host. */
static void set_proxy(CURL *easy, const struct kube_credentials *k)
{
	if (k->proxy_url)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	if (k->proxy_url || is_this_host(k->server))
		curl_easy_setopt(easy, CURLOPT_PROXY, str_or(k->proxy_url, ""));
}

/* curl takes the TLS name from the URL: the URL then carries that name, and CONNECT_TO and Host the
 * real one. */
static void set_url(struct http_call *c, const struct kube_credentials *k, const char *path)
{
	AUTO_FREE char *url = NULL;
	const char *host = strstr(k->server, "://"), *port;

	if (!k->tls_server_name || !host) {
		url = str_fmt("%s%s", k->server, path);
		curl_easy_setopt(c->easy, CURLOPT_URL, url);
		return;
	}
	host += 3;
	port = strrchr(host, ':');
	if (port && strchr(port, ']'))
		port = NULL;
	url = str_fmt("https://%s%s%s", k->tls_server_name, port ? port : "", path);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	add_header(c, "Host", host);
}

static void set_transfer(struct http_call *c, const struct http_request *r)
{
	CURL *easy = c->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->curl_text);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_gives_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, c->pool->user_agent);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	if (r->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, (const char *)r->body);
	}
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MSEC);
	if (r->stream)
		curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)STREAM_BUFFER_BYTES);
}

static void set_connection(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_SEC);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_SEC);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, curl_made_socket);
}

static void set_headers(struct http_call *c, const struct http_request *r)
{
	add_header(c, "Accept", r->accept);
	add_header(c, "Authorization", r->authorization);
	/* curl would call every body a form, and wait for 100-continue with a large one */
	add_header(c, "Content-Type", r->content_type ? r->content_type : "");
	add_header(c, "Expect", "");
	for (size_t i = 0; r->headers && r->headers[i]; i++)
		add_line(c, r->headers[i]);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void set_connect_to(struct http_call *c, const struct kube_credentials *k)
{
	const char *host = strstr(k->server, "://"), *port;
	AUTO_FREE char *rule = NULL;

	if (!k->tls_server_name || !host)
		return;
	host += 3;
	port = strrchr(host, ':');
	rule = port && !strchr(port, ']') ? str_fmt("::%s", host) : str_fmt("::%s:443", host);
	c->connect_to = curl_slist_append(NULL, rule);
	curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
}

struct http_call *http_send(struct http_pool *p, const struct http_request *request,
			    const struct http_ops *ops, void *ctx)
{
	struct http_call *c = NEW(struct http_call);

	c->pool = p;
	c->ops = ops;
	c->ctx = ctx;
	c->stream = request->stream;
	c->body_max = request->body_max;
	c->easy = curl_easy_init();
	if (!c->easy)
		abort();
	c->next = p->calls;
	if (p->calls)
		p->calls->prev = c;
	p->calls = c;
	set_url(c, p->credentials, request->path);
	set_connect_to(c, p->credentials);
	set_tls(c->easy, p->credentials);
	set_proxy(c->easy, p->credentials);
	set_transfer(c, request);
	set_connection(c->easy);
	set_headers(c, request);
	c->connection = connection_for(p, request->lane, request->stream);
	c->connection->calls++;
	c->connection->streams += request->stream;
	if (curl_multi_add_handle(c->connection->multi, c->easy) != CURLM_OK)
		abort();
	return c;
}

void http_cancel(struct http_call *c)
{
	if (!c)
		return;
	c->cancelled = true;
	detach(c);
	/* whoever holds it frees it: the teller, or the ready queue */
	if (!c->telling && !c->ready)
		call_free(c);
}

/* ---- pools ---- */

struct http_pool *http_pool_new(sd_event *loop, const struct kube_credentials *credentials,
				const char *user_agent)
{
	struct http_pool *p = NEW(struct http_pool);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	p->loop = sd_event_ref(loop);
	p->credentials = credentials;
	p->user_agent = mem_strdup(user_agent);
	if (sd_event_add_defer(loop, &p->tell, on_tell, p) < 0)
		abort();
	sd_event_source_set_enabled(p->tell, SD_EVENT_OFF);
	return p;
}

void http_pool_reset(struct http_pool *p, const struct kube_credentials *credentials,
		     const char *why)
{
	for (struct http_call *c = p->calls; c; c = c->next) {
		if (c->finished || c->cancelled)
			continue;
		detach(c);
		c->finished = c->failed = c->reset = true;
		err_set(&c->e, ERR_UNAVAILABLE, "%s", why);
		mark_ready(c);
	}
	while (p->connections)
		connection_free(p->connections);
	p->credentials = credentials;
}

void http_pool_free(struct http_pool *p)
{
	if (!p)
		return;
	while (p->calls)
		call_free(p->calls);
	while (p->connections)
		connection_free(p->connections);
	sd_event_source_disable_unref(p->tell);
	sd_event_unref(p->loop);
	free(p->user_agent);
	free(p);
}
