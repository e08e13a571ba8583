/* systemd's slices (contract in slices.h). Effect. */
#include "slices.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define SERVICE "org.freedesktop.systemd1"
#define MANAGER SERVICE ".Manager"
#define OBJECT "/org/freedesktop/systemd1"
#define LOCAL "org.freedesktop.DBus.Local"

enum { TIMEOUT_USEC = 30 * USEC_PER_SEC, SLACK_USEC = 250000 };

struct call {
	struct call *next;
	struct slices *slices;
	char *unit, *job;
	bool stop;
	struct cgroup_limits limits;
	slices_done *done;
	void *ctx;
	sd_bus_slot *slot;      /* an answer is awaited */
	sd_event_source *timer; /* the end of patience; at once when the call failed by itself */
	struct err error;
};

struct slices {
	sd_event *loop;
	char *address;
	sd_bus *bus;
	struct call *calls;
};

/* --- a call's end --- */

static void call_free(struct call *c)
{
	sd_bus_slot_unref(c->slot);
	sd_event_source_disable_unref(c->timer);
	free(c->unit);
	free(c->job);
	free(c);
}

static void call_end(struct call *c, const struct err *e)
{
	struct call **at = &c->slices->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->done(c->ctx, e);
	call_free(c);
}

/* For failures found while somebody else is on the stack. */
static void end_later(struct call *c)
{
	c->slot = sd_bus_slot_unref(c->slot);
	sd_event_source_set_time(c->timer, 0);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct call *c = ctx;

	(void)source;
	(void)usec;
	if (c->error.code == ERR_NONE)
		err_set(&c->error, ERR_TIMEOUT, "systemd did not %s %s in %d s",
			c->stop ? "stop" : "start", c->unit, (int)(TIMEOUT_USEC / USEC_PER_SEC));
	call_end(c, &c->error);
	return 0;
}

/* --- connection --- */

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *unused);
static int on_disconnected(sd_bus_message *m, void *ctx, sd_bus_error *unused);

static int connect_to(struct slices *s, const char *address, bool is_bus)
{
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, is_bus);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r >= 0)
		r = sd_bus_attach_event(bus, s->loop, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_match_signal_async(bus, NULL, NULL, OBJECT, MANAGER, "JobRemoved",
					      on_job_removed, NULL, s);
	if (r >= 0)
		r = sd_bus_match_signal_async(bus, NULL, LOCAL, NULL, LOCAL, "Disconnected",
					      on_disconnected, NULL, s);
	/* on its own socket systemd tells everything to everybody anyway */
	if (r >= 0)
		r = sd_bus_call_method_async(bus, NULL, SERVICE, OBJECT, MANAGER, "Subscribe", NULL,
					     NULL, NULL);
	if (r >= 0)
		s->bus = bus;
	else
		sd_bus_close_unref(bus);
	return r;
}

static int connect_bus(struct slices *s, struct err *e)
{
	int r;

	if (s->bus && sd_bus_is_open(s->bus) > 0)
		return 0;
	s->bus = sd_bus_close_unref(s->bus);
	r = connect_to(s, str_or(s->address, "unix:path=/run/systemd/private"), false);
	if (r < 0 && !s->address)
		r = connect_to(s, "unix:path=/run/dbus/system_bus_socket", true);
	if (r < 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "systemd cannot be reached (%s), which the cgroup driver systemd "
			       "needs: without systemd, set the runtime and cgroupDriver to "
			       "cgroupfs",
			       strerror(-r));
	return 0;
}

/* --- requests --- */

static int add_properties(sd_bus_message *m, const struct call *c, bool create)
{
	static const char *const accounting[] = { "CPUAccounting", "MemoryAccounting",
						  "IOAccounting", "TasksAccounting" };
	struct cgroup_value values[CGROUP_VALUES_MAX];
	size_t n = cgroupvalues_make(&c->limits, CGROUP_SYSTEMD, values);
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	if (r >= 0 && create)
		r = sd_bus_message_append(m, "(sv)(sv)", "Description", "s", "Kubernetes pods",
					  "DefaultDependencies", "b", false);
	for (size_t i = 0; r >= 0 && create && i < ARRAY_SIZE(accounting); i++)
		r = sd_bus_message_append(m, "(sv)", accounting[i], "b", true);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = sd_bus_message_append(m, "(sv)", values[i].name, "t", values[i].number);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int add_arguments(sd_bus_message *m, const struct call *c, const char *method)
{
	int r;

	if (str_eq(method, "SetUnitProperties")) {
		/* runtime: until the next boot, as the slice itself */
		r = sd_bus_message_append(m, "sb", c->unit, true);
		return r < 0 ? r : add_properties(m, c, false);
	}
	r = sd_bus_message_append(m, "ss", c->unit, "replace");
	if (r < 0 || !str_eq(method, "StartTransientUnit"))
		return r;
	r = add_properties(m, c, true);
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static void send_call(struct call *c, const char *method, sd_bus_message_handler_t answered)
{
	sd_bus_message *m = NULL;
	int r;

	c->slot = sd_bus_slot_unref(c->slot);
	if (connect_bus(c->slices, &c->error) < 0) {
		end_later(c);
		return;
	}
	r = sd_bus_message_new_method_call(c->slices->bus, &m, SERVICE, OBJECT, MANAGER, method);
	if (r >= 0)
		r = add_arguments(m, c, method);
	if (r >= 0)
		r = sd_bus_call_async(c->slices->bus, &c->slot, m, answered, c, 0);
	sd_bus_message_unref(m);
	if (r < 0) {
		err_os(&c->error, -r, "ask systemd to %s %s", method, c->unit);
		end_later(c);
	}
}

/* --- answers --- */

static void refused(struct call *c, sd_bus_message *m)
{
	const sd_bus_error *bus_error = sd_bus_message_get_error(m);
	bool lost = sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY) > 0;

	err_set(&c->error, lost ? ERR_UNAVAILABLE : ERR_REMOTE, "systemd, asked to %s %s: %s",
		c->stop ? "stop" : "start", c->unit,
		str_or(bus_error->message, str_or(bus_error->name, "refused")));
	call_end(c, &c->error);
}

static void await_job(struct call *c, sd_bus_message *m)
{
	const char *job;
	int r = sd_bus_message_read(m, "o", &job);

	c->slot = sd_bus_slot_unref(c->slot);
	if (r >= 0) {
		c->job = mem_strdup(job);
		return;
	}
	err_os(&c->error, -r, "systemd's answer about %s", c->unit);
	call_end(c, &c->error);
}

static int on_job(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
	struct call *c = ctx;

	(void)unused;
	if (sd_bus_message_is_method_error(m, SERVICE ".NoSuchUnit") > 0 && c->stop)
		call_end(c, NULL);
	else if (sd_bus_message_is_method_error(m, NULL) > 0)
		refused(c, m);
	else
		await_job(c, m);
	return 0;
}

static int on_set(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
	struct call *c = ctx;

	(void)unused;
	if (sd_bus_message_is_method_error(m, NULL) > 0)
		refused(c, m);
	else
		send_call(c, "StartUnit", on_job);
	return 0;
}

static int on_started(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
	struct call *c = ctx;

	if (sd_bus_message_is_method_error(m, SERVICE ".UnitExists") <= 0)
		return on_job(m, ctx, unused);
	send_call(c, "SetUnitProperties", on_set);
	return 0;
}

/* A slice that failed would stay in systemd's lists. */
static void forget_failure(struct call *c)
{
	sd_bus_call_method_async(c->slices->bus, NULL, SERVICE, OBJECT, MANAGER, "ResetFailedUnit",
				 NULL, NULL, "s", c->unit);
}

static struct call *find_job(struct slices *s, const char *job)
{
	struct call *c = s->calls;

	while (c && !str_eq(c->job, job))
		c = c->next;
	return c;
}

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
	const char *job, *unit, *result;
	struct call *c;
	uint32_t id;

	(void)unused;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	c = find_job(ctx, job);
	if (!c)
		return 0;
	if (c->stop || !str_eq(result, "done"))
		forget_failure(c);
	if (!c->stop && !str_eq(result, "done"))
		err_set(&c->error, ERR_REMOTE, "systemd, starting %s: %s", unit, result);
	call_end(c, c->error.code == ERR_NONE ? NULL : &c->error);
	return 0;
}

/* Calls that await an answer have been told by their own handlers. */
static int on_disconnected(sd_bus_message *m, void *ctx, sd_bus_error *unused)
{
	struct slices *s = ctx;

	(void)m;
	(void)unused;
	for (struct call *c = s->calls; c; c = c->next) {
		if (!c->job)
			continue;
		err_set(&c->error, ERR_UNAVAILABLE,
			"systemd ended the connection while it worked on %s", c->unit);
		end_later(c);
	}
	return 0;
}

/* --- what callers see --- */

struct slices *slices_new(sd_event *loop, const char *address)
{
	struct slices *s = NEW(struct slices);

	s->loop = sd_event_ref(loop);
	s->address = mem_strdup(address);
	return s;
}

void slices_free(struct slices *s)
{
	struct call *c, *next;

	if (!s)
		return;
	for (c = s->calls; c; c = next) {
		next = c->next;
		call_free(c);
	}
	sd_bus_close_unref(s->bus);
	sd_event_unref(s->loop);
	free(s->address);
	free(s);
}

static struct call *call_new(struct slices *s, const char *unit, slices_done *done, void *ctx)
{
	struct call *c = NEW(struct call);

	c->slices = s;
	c->unit = mem_strdup(unit);
	c->done = done;
	c->ctx = ctx;
	c->next = s->calls;
	s->calls = c;
	sd_event_add_time_relative(s->loop, &c->timer, CLOCK_MONOTONIC, TIMEOUT_USEC, SLACK_USEC,
				   on_timer, c);
	return c;
}

void slices_ensure(struct slices *s, const char *unit, const struct cgroup_limits *limits,
		   slices_done *done, void *ctx)
{
	struct call *c = call_new(s, unit, done, ctx);

	c->limits = *limits;
	send_call(c, "StartTransientUnit", on_started);
}

void slices_stop(struct slices *s, const char *unit, slices_done *done, void *ctx)
{
	struct call *c = call_new(s, unit, done, ctx);

	c->stop = true;
	send_call(c, "StopUnit", on_job);
}
