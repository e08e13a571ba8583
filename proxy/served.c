/* Served addresses (contract in served.h). Effect. */
#include "served.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/listen.h"
#include "validate.h"

enum { RETRY_SEC = 5 };

struct served {
	struct served_setup setup;
	char *address;
	struct listener *listener;
	sd_event_source *timer;
	bool failing;
};

static int try(struct served *s, struct err *e)
{
	AUTO_FREE char *host = NULL;
	struct listener_setup setup = {
		.loop = s->setup.loop,
		.request = s->setup.request,
		.ctx = s->setup.ctx,
	};

	if (validate_host_port(s->address, &host, &setup.port, e) < 0)
		return -1;
	setup.address = host;
	return listener_new(&setup, &s->listener, e);
}

static void open_or_retry(struct served *s)
{
	struct err e;

	if (str_empty(s->address))
		return;
	if (try(s, &e) == 0) {
		log_v(3, "serving %s on %s", s->setup.noun, s->address);
		if (s->failing)
			s->setup.mended(s->setup.ctx);
		s->failing = false;
		return;
	}
	s->failing = true;
	log_err(&e, "%s cannot be served on %s, tried again in %d s", s->setup.noun, s->address,
		RETRY_SEC);
	sd_event_source_set_time_relative(s->timer, RETRY_SEC * (uint64_t)USEC_PER_SEC);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	s->setup.failed(s->setup.ctx, s->setup.noun, &e);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	open_or_retry(userdata);
	return 0;
}

struct served *served_new(const struct served_setup *setup)
{
	struct served *s = NEW(struct served);

	s->setup = *setup;
	if (sd_event_add_time(setup->loop, &s->timer, CLOCK_MONOTONIC, UINT64_MAX, USEC_PER_SEC,
			      on_timer, s) < 0)
		abort();
	sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	return s;
}

void served_free(struct served *s)
{
	if (!s)
		return;
	listener_free(s->listener);
	sd_event_source_disable_unref(s->timer);
	free(s->address);
	free(s);
}

void served_set(struct served *s, const char *address)
{
	if (str_eq(s->address, address))
		return;
	free(s->address);
	s->address = mem_strdup(address);
	listener_free(TAKE(s->listener));
	sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	open_or_retry(s);
}

void served_dispatch(struct conn *c, const struct served_endpoint *table, size_t n, void *ctx)
{
	const struct http_head *h = conn_head(c);

	for (size_t i = 0; i < n; i++) {
		if (!str_eq(table[i].path, h->path))
			continue;
		if (str_eq(h->method, "GET") || str_eq(h->method, "HEAD")) {
			table[i].serve(ctx, c);
			return;
		}
		conn_add_header(c, "Allow", "GET");
		conn_reply_text(c, 405, "405 method not allowed\n");
		return;
	}
	conn_add_header(c, "X-Content-Type-Options", "nosniff");
	conn_reply_text(c, 404, "404 page not found\n");
}
