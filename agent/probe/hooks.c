/* Lifecycle handlers (contract in hooks.h). Effect. */
#include "hooks.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"

struct hooks {
	sd_event *loop;
	struct checks *checks;
};

struct hook_call {
	struct check *check;
	sd_event_source *timer;
	void (*done)(void *ctx, const struct err *e);
	void *ctx;
	const char *what;
};

struct hooks *hooks_new(sd_event *loop, struct checks *checks)
{
	struct hooks *h = NEW(struct hooks);

	*h = (struct hooks){ .loop = loop, .checks = checks };
	return h;
}

void hooks_free(struct hooks *h)
{
	free(h);
}

static void call_free(struct hook_call *c)
{
	check_cancel(c->check);
	sd_event_source_disable_unref(c->timer);
	free(c);
}

void hook_call_cancel(struct hook_call *c)
{
	if (c)
		call_free(c);
}

static void finish(struct hook_call *c, const struct err *e)
{
	void (*done)(void *ctx, const struct err *e) = c->done;
	void *ctx = c->ctx;

	call_free(c);
	done(ctx, e);
}

static void on_check(void *ctx, enum check_result result, const char *output)
{
	struct hook_call *c = ctx;
	struct err e;

	c->check = NULL;
	if (result == CHECK_SUCCESS || result == CHECK_WARNING) {
		finish(c, NULL);
		return;
	}
	err_set(&e, ERR_REMOTE, "%s hook failed: %.600s", c->what, output);
	finish(c, &e);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	finish(userdata, NULL);
	return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct hook_call *c = userdata;
	struct err e;

	(void)s;
	(void)usec;
	err_set(&e, ERR_TIMEOUT, "%s hook did not end within its grace period", c->what);
	finish(c, &e);
	return 0;
}

static void wait_for(struct hooks *h, struct hook_call *c, int64_t usec, sd_event_time_handler_t fn)
{
	sd_event_add_time_relative(h->loop, &c->timer, CLOCK_MONOTONIC,
				   (uint64_t)(usec > 0 ? usec : 0), TIMER_ACCURACY_USEC, fn, c);
}

struct hook_call *hooks_run(struct hooks *h, const struct podspec *spec,
			    const struct container_spec *container, const char *container_id,
			    const char *pod_ip, const Core__LifecycleHandler *handler,
			    int64_t timeout_usec, void (*done)(void *ctx, const struct err *e),
			    void *ctx)
{
	struct hook_call *c = NEW(struct hook_call);
	struct check_target t = {
		.container = container->spec,
		.container_id = container_id,
		.pod_ip = pod_ip,
		.agent = "kube-lifecycle",
		.timeout_usec = timeout_usec,
	};
	bool bounded = timeout_usec > 0;

	(void)spec;
	*c = (struct hook_call){ .done = done, .ctx = ctx };
	if (handler->sleep) {
		int64_t sleep_usec = handler->sleep->seconds * USEC_PER_SEC;

		c->what = "sleep";
		wait_for(h, c, bounded && timeout_usec < sleep_usec ? timeout_usec : sleep_usec,
			 bounded && timeout_usec < sleep_usec ? on_timeout : on_timer);
		return c;
	}
	if (bounded)
		wait_for(h, c, timeout_usec, on_timeout);
	if (handler->exec) {
		c->what = "exec";
		/* the timer bounds it: a deadline in the runtime would leave the process behind */
		t.timeout_usec = 0;
		c->check = check_exec(h->checks, &t, handler->exec->n_command,
				      handler->exec->command, on_check, c);
	} else if (handler->httpget) {
		c->what = "httpGet";
		c->check = check_http(h->checks, &t, handler->httpget, on_check, c);
	} else if (handler->tcpsocket) {
		c->what = "tcpSocket";
		c->check = check_tcp(h->checks, &t, handler->tcpsocket, on_check, c);
	} else {
		c->what = "empty";
		wait_for(h, c, 0, on_timer);
	}
	return c;
}
