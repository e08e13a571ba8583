/* --explain: the question to the running proxy's metrics address. Effect. */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/client.h"
#include "proxy.h"
#include "validate.h"

enum { TIMEOUT_SEC = 10 };

struct question {
	sd_event *loop;
	int status; /* to exit with */
};

/* ADDRESS:PORT or [ADDRESS]:PORT, then /PROTOCOL or nothing, to a path of ours. */
static int question_path(const char *text, char **ret_path, struct err *e)
{
	const char *slash = strchr(text, '/');
	AUTO_FREE char *target =
	    slash ? mem_strndup(text, (size_t)(slash - text)) : mem_strdup(text);
	const char *protocol = slash ? slash + 1 : "TCP";
	AUTO_FREE char *host = NULL;
	uint16_t port;

	if (validate_host_port(target, &host, &port, e) < 0)
		return err_wrap(e, "--explain");
	if (!str_eq(protocol, "TCP") && !str_eq(protocol, "UDP") && !str_eq(protocol, "SCTP"))
		return err_set(e, ERR_INVALID, "--explain: \"%s\" is none of TCP, UDP and SCTP",
			       protocol);
	*ret_path =
	    str_fmt("/explain?address=%s&port=%u&protocol=%s", host, (unsigned)port, protocol);
	return 0;
}

/* A wildcard is reached on loopback. */
static char *server_of(const char *address)
{
	if (str_starts(address, "0.0.0.0:"))
		return str_fmt("http://127.0.0.1%s", strrchr(address, ':'));
	if (str_starts(address, "[::]:"))
		return str_fmt("http://[::1]%s", strrchr(address, ':'));
	return str_fmt("http://%s", address);
}

static void on_answer(void *ctx, int status, const char *content_type, const char *body, size_t len,
		      const struct err *e)
{
	struct question *q = ctx;

	(void)content_type;
	if (status)
		fwrite(body, 1, len, status == 200 ? stdout : stderr);
	else
		fprintf(stderr, "keelson-proxy: the running proxy gives no answer: %s\n", e->text);
	q->status = status == 200 ? 0 : 1;
	sd_event_exit(q->loop, 0);
}

static int ask(const struct config *c, struct question *q, struct err *e)
{
	const struct kube_client_options options = { .user_agent = "keelson-proxy",
						     .call_timeout_sec = TIMEOUT_SEC };
	CLEANUP(kube_client_freep) struct kube_client *client = NULL;
	struct kube_credentials *credentials;
	AUTO_FREE char *path = NULL;

	if (question_path(c->explain, &path, e) < 0)
		return -1;
	if (str_empty(c->metrics_bind_address))
		return err_set(e, ERR_INVALID, "--explain needs the proxy's metricsBindAddress");
	credentials = NEW(struct kube_credentials);
	credentials->server = server_of(c->metrics_bind_address);
	if (kube_client_new(q->loop, credentials, &options, &client, e) < 0)
		return -1;
	kube_raw(client, "GET", path, NULL, NULL, "text/plain", on_answer, q);
	if (sd_event_loop(q->loop) < 0)
		return err_set(e, ERR_INTERNAL, "the event loop ended");
	return 0;
}

int proxy_explain(const struct config *config)
{
	struct question q = { .status = 1 };
	struct err e;

	if (sd_event_new(&q.loop) < 0)
		return 1;
	if (ask(config, &q, &e) < 0)
		fprintf(stderr, "keelson-proxy: %s\n", e.text);
	sd_event_unref(q.loop);
	return q.status;
}
