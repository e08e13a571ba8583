/* What the proxy serves: health for load balancers, metrics and status for people. Effect. */
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "health.h"
#include "kube/version.h"
#include "parts.h"
#include "procstat.h"

/* ---- health ---- */

static struct health_times times_of(const struct proxy *p)
{
	return (struct health_times){
		.wall_usec = clock_wall_usec(),
		.mono_usec = clock_mono_usec(),
		.timeout_usec = 2 * p->settings.dataplane.sync_usec,
	};
}

static void reply_health(struct proxy *p, struct conn *c, const bool *eligible, uint64_t counts[2])
{
	const struct health_times times = times_of(p);
	struct dataplane_status status;
	AUTO_FREE char *body = NULL;
	bool ok;

	dataplane_status(p->dataplane, &status);
	body = health_json(&status, &times, eligible, &ok);
	counts[ok ? 0 : 1]++;
	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_reply(c, ok ? 200 : 503, "application/json", body, strlen(body));
}

static void serve_healthz(void *ctx, struct conn *c)
{
	struct proxy *p = ctx;
	bool eligible = p->node.known && !p->node.leaving;

	reply_health(p, c, &eligible, p->metrics.healthz);
}

static void serve_livez(void *ctx, struct conn *c)
{
	struct proxy *p = ctx;

	reply_health(p, c, NULL, p->metrics.livez);
}

static const struct served_endpoint health_endpoints[] = {
	{ "/healthz", serve_healthz },
	{ "/livez", serve_livez },
};

static void on_health_request(void *ctx, struct conn *c)
{
	served_dispatch(c, health_endpoints, ARRAY_SIZE(health_endpoints), ctx);
}

static bool programming_healthy(void *ctx)
{
	struct proxy *p = ctx;
	const struct health_times times = times_of(p);
	struct dataplane_status status;

	dataplane_status(p->dataplane, &status);
	return health_ok(&status, &times);
}

/* ---- for people and monitoring ---- */

static void serve_ok(void *ctx, struct conn *c)
{
	(void)ctx;
	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_reply_text(c, 200, "ok");
}

static void serve_mode(void *ctx, struct conn *c)
{
	(void)ctx;
	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_reply_text(c, 200, "nftables");
}

static void serve_configz(void *ctx, struct conn *c)
{
	const struct proxy *p = ctx;

	conn_reply(c, 200, "application/json", p->config->configz, strlen(p->config->configz));
}

static void reply_metrics(struct conn *c, const struct str *text)
{
	conn_reply(c, 200, "text/plain; version=0.0.4; charset=utf-8", str_text(text), text->len);
}

static void serve_metrics(void *ctx, struct conn *c)
{
	struct proxy *p = ctx;
	struct metrics_process process;
	struct dataplane_status status;
	AUTO_STR text = { 0 };

	procstat_read(&process);
	process.start_sec = (double)p->start_usec / USEC_PER_SEC;
	dataplane_status(p->dataplane, &status);
	p->metrics.masqueraded = proxypeers_masqueraded(p);
	metrics_print(&p->metrics, &status, &process, &text);
	reply_metrics(c, &text);
}

static void serve_slis(void *ctx, struct conn *c)
{
	AUTO_STR text = { 0 };

	(void)ctx;
	str_append(&text, "# HELP kubernetes_healthcheck Result of the last health check\n"
			  "# TYPE kubernetes_healthcheck gauge\n"
			  "kubernetes_healthcheck{name=\"ping\",type=\"healthz\"} 1\n");
	reply_metrics(c, &text);
}

/* ?address=…&port=…&protocol=… */
static void serve_explain(void *ctx, struct conn *c)
{
	const struct proxy *p = ctx;
	const struct http_head *h = conn_head(c);
	AUTO_FREE char *address = http_query(h, "address"), *port = http_query(h, "port");
	AUTO_FREE char *protocol = http_query(h, "protocol");
	AUTO_STR text = { 0 };
	int64_t number = 0;
	struct err e;

	if (!address || !port || !str_to_i64(port, &number) || number < 1 || number > 65535) {
		conn_reply_text(c, 400, "address and port (1 to 65535) are needed\n");
		return;
	}
	if (dataplane_explain(p->dataplane, address, (uint16_t)number, str_or(protocol, "TCP"),
			      &text, &e) < 0) {
		str_printf(&text, "%s\n", e.text);
		conn_reply_text(c, e.code == ERR_NOT_FOUND ? 404 : 400, str_text(&text));
		return;
	}
	conn_reply_text(c, 200, str_text(&text));
}

static void serve_statusz(void *ctx, struct conn *c);

static const struct served_endpoint monitor_endpoints[] = {
	{ "/configz", serve_configz }, { "/explain", serve_explain },
	{ "/healthz", serve_ok },      { "/healthz/ping", serve_ok },
	{ "/metrics", serve_metrics }, { "/metrics/slis", serve_slis },
	{ "/proxyMode", serve_mode },  { "/statusz", serve_statusz },
};

static void serve_statusz(void *ctx, struct conn *c)
{
	const struct proxy *p = ctx;
	struct dataplane_status status;
	AUTO_STR text = { 0 };

	dataplane_status(p->dataplane, &status);
	str_printf(&text,
		   "kube-proxy statusz\n\nUp: %lld s\nBinary version: %s\nImplementation: keelson "
		   "%s\nNode: %s\nProgramming: %s\nServices: %llu\nEndpoints: %llu\nPaths:",
		   (long long)((clock_wall_usec() - p->start_usec) / USEC_PER_SEC),
		   &KUBE_VERSION[1], KEELSON_VERSION, p->node_name,
		   status.started ? "yes" : "not yet", (unsigned long long)status.services,
		   (unsigned long long)status.endpoints);
	for (size_t i = 0; i < ARRAY_SIZE(monitor_endpoints); i++)
		str_printf(&text, " %s", monitor_endpoints[i].path);
	str_append_c(&text, '\n');
	conn_reply_text(c, 200, str_text(&text));
}

static void on_monitor_request(void *ctx, struct conn *c)
{
	served_dispatch(c, monitor_endpoints, ARRAY_SIZE(monitor_endpoints), ctx);
}

/* ---- life ---- */

static int on_given_up(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)usec;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(s), 1);
}

/* The event gets a moment to leave. */
static void on_failed(void *ctx, const char *noun, const struct err *e)
{
	struct proxy *p = ctx;

	sd_notifyf(0, "STATUS=running, but %s cannot be served: %s", noun, e->text);
	if (!p->config->bind_address_hard_fail || p->failed)
		return;
	proxy_node_event(p, EVENT_WARNING,
			 str_eq(noun, "healthz") ? "FailedToStartProxierHealthcheck"
						 : "FailedToStartMetricServer",
			 e->text);
	log_error("%s must be served (bindAddressHardFail): ending", noun);
	p->failed = true;
	if (sd_event_add_time_relative(p->loop, NULL, CLOCK_MONOTONIC, USEC_PER_SEC, 0, on_given_up,
				       p) < 0)
		sd_event_exit(p->loop, 1);
}

static void on_mended(void *ctx)
{
	(void)ctx;
	sd_notify(0, "STATUS=running");
}

static void on_port_failed(void *ctx, const char *ns, const char *name, uint16_t port,
			   const struct err *e)
{
	struct proxy *p = ctx;
	const Meta__ObjectMeta meta = { .name = (char *)name, .namespace_ = (char *)ns };
	Core__ObjectReference *about = event_reference_of(KUBE_SERVICE, &meta, NULL);

	log_err(e, "health port %u of service %s/%s", port, ns, name);
	event_record(p->events, about, EVENT_WARNING, "FailedToStartServiceHealthcheck",
		     "node %s failed to start healthcheck \"%s/%s\" on port %u: %s", p->node_name,
		     ns, name, port, e->text);
	proto_free(about);
}

void proxyserver_start(struct proxy *p)
{
	const struct served_setup healthz = { p->loop,   "healthz", on_health_request,
					      on_failed, on_mended, p };
	const struct served_setup monitor = { p->loop,   "metrics", on_monitor_request,
					      on_failed, on_mended, p };
	const struct servicehealth_setup ports = { p->loop, programming_healthy, on_port_failed,
						   p };

	p->healthz = served_new(&healthz);
	p->monitor = served_new(&monitor);
	p->service_health = servicehealth_new(&ports);
	proxyserver_set(p);
}

void proxyserver_set(struct proxy *p)
{
	served_set(p->healthz, p->config->healthz_bind_address);
	served_set(p->monitor, p->config->metrics_bind_address);
}

void proxyserver_sync_services(struct proxy *p)
{
	servicehealth_set_addresses(p->service_health, p->settings.node_port_addresses, &p->node,
				    p->v6);
	servicehealth_sync(p->service_health, p->dataplane);
}

void proxyserver_stop(struct proxy *p)
{
	servicehealth_free(p->service_health);
	served_free(p->healthz);
	served_free(p->monitor);
}
