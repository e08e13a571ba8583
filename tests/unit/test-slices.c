/* systemd's slices over a manager that is played here, and the names of the tree. */
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "test.h"

#include "base/mem.h"
#include "base/str.h"
#include "resource/cgroupname.h"
#include "resource/slices.h"

#define UNIT "kubepods-burstable-pod1_2.slice"

/* --- a manager that answers by a script, one word for each call --- */

struct manager {
	sd_event *loop;
	int fd;
	char path[108];
	sd_bus *bus;
	const char *script; /* j: job done; f: job failed; e: exists; n: no such unit; o: plain
			     * answer; h: hang up; s: silence */
	struct str log;
	unsigned jobs;
};

static void log_properties(struct manager *m, sd_bus_message *msg)
{
	const char *name, *type;

	assert_true(sd_bus_message_enter_container(msg, 'a', "(sv)") > 0);
	while (sd_bus_message_enter_container(msg, 'r', "sv") > 0) {
		uint64_t number = 0;
		const char *text = NULL;
		int flag = 0;

		sd_bus_message_read(msg, "s", &name);
		sd_bus_message_peek_type(msg, NULL, &type);
		if (str_eq(type, "t")) {
			sd_bus_message_read(msg, "v", "t", &number);
			str_printf(&m->log, " %s=%llu", name, (unsigned long long)number);
		} else if (str_eq(type, "b")) {
			sd_bus_message_read(msg, "v", "b", &flag);
			str_printf(&m->log, " %s=%s", name, flag ? "yes" : "no");
		} else {
			sd_bus_message_read(msg, "v", "s", &text);
		}
		sd_bus_message_exit_container(msg);
	}
	sd_bus_message_exit_container(msg);
}

static void job_removed(struct manager *m, sd_bus_message *msg, const char *unit,
			const char *result)
{
	AUTO_FREE char *path = str_fmt("/org/freedesktop/systemd1/job/%u", ++m->jobs);

	/* somebody else's comes first */
	sd_bus_emit_signal(m->bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
			   "JobRemoved", "uoss", 999, "/org/freedesktop/systemd1/job/999", unit,
			   "failed");
	sd_bus_reply_method_return(msg, "o", path);
	sd_bus_emit_signal(m->bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
			   "JobRemoved", "uoss", m->jobs, path, unit, result);
}

static void answer(struct manager *m, sd_bus_message *msg, const char *unit)
{
	char word = *m->script ? *m->script++ : 's';

	switch (word) {
	case 'j':
		job_removed(m, msg, unit, "done");
		break;
	case 'f':
		job_removed(m, msg, unit, "failed");
		break;
	case 'e':
		sd_bus_reply_method_errorf(msg, "org.freedesktop.systemd1.UnitExists", "exists");
		break;
	case 'n':
		sd_bus_reply_method_errorf(msg, "org.freedesktop.systemd1.NoSuchUnit", "not there");
		break;
	case 'o':
		sd_bus_reply_method_return(msg, NULL);
		break;
	case 'w': /* the job is begun and never ends: systemd starts itself anew */
		sd_bus_reply_method_return(msg, "o", "/org/freedesktop/systemd1/job/7");
		sd_bus_flush(m->bus);
		/* fallthrough */
	case 'h':
		sd_bus_close(m->bus);
		break;
	default:
		break;
	}
}

static int on_call(sd_bus_message *msg, void *ctx, sd_bus_error *e)
{
	struct manager *m = ctx;
	const char *method = sd_bus_message_get_member(msg), *unit, *mode;
	int runtime;

	(void)e;
	if (str_eq(method, "Subscribe") || str_eq(method, "ResetFailedUnit")) {
		if (str_eq(method, "ResetFailedUnit"))
			str_append(&m->log, "reset;");
		sd_bus_reply_method_return(msg, NULL);
		return 1;
	}
	assert_true(sd_bus_message_read(msg, "s", &unit) > 0);
	str_printf(&m->log, "%s %s", method, unit);
	if (str_eq(method, "SetUnitProperties")) {
		assert_true(sd_bus_message_read(msg, "b", &runtime) > 0 && runtime);
		log_properties(m, msg);
	} else {
		assert_true(sd_bus_message_read(msg, "s", &mode) > 0);
		assert_string_equal(mode, "replace");
		if (str_eq(method, "StartTransientUnit"))
			log_properties(m, msg);
	}
	str_append(&m->log, ";");
	answer(m, msg, unit);
	return 1;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct manager *m = ctx;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sd_id128_t id =
	    SD_ID128_MAKE(01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11, 12, 13, 14, 15, 16);

	(void)source;
	(void)events;
	assert_true(client >= 0);
	sd_bus_close_unref(m->bus);
	assert_true(sd_bus_new(&m->bus) >= 0);
	assert_true(sd_bus_set_fd(m->bus, client, client) >= 0);
	assert_true(sd_bus_set_server(m->bus, 1, id) >= 0);
	assert_true(sd_bus_set_anonymous(m->bus, 1) >= 0);
	assert_true(sd_bus_add_filter(m->bus, NULL, on_call, m) >= 0);
	assert_true(sd_bus_start(m->bus) >= 0);
	assert_true(sd_bus_attach_event(m->bus, m->loop, 0) >= 0);
	return 0;
}

static void manager_start(struct manager *m, sd_event *loop)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	*m = (struct manager){ .loop = loop, .script = "" };
	snprintf(m->path, sizeof(m->path), "/tmp/test-slices-%d", getpid());
	unlink(m->path);
	memcpy(a.sun_path, m->path, sizeof(m->path));
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(m->fd, 5), 0);
	assert_true(sd_event_add_io(loop, NULL, m->fd, EPOLLIN, on_client, m) >= 0);
}

static void manager_stop(struct manager *m)
{
	sd_bus_close_unref(m->bus);
	close(m->fd);
	unlink(m->path);
	str_fini(&m->log);
}

/* --- tests --- */

struct result {
	int calls;
	enum err_code code;
	char text[200];
};

static void on_done(void *ctx, const struct err *e)
{
	struct result *r = ctx;

	r->calls++;
	r->code = e ? e->code : ERR_NONE;
	snprintf(r->text, sizeof(r->text), "%.*s", (int)sizeof(r->text) - 1, e ? e->text : "");
}

static void run_until_called(sd_event *loop, const struct result *r, int calls)
{
	for (int i = 0; i < 1000 && r->calls < calls; i++)
		assert_true(sd_event_run(loop, 2 * 1000 * 1000) >= 0);
	assert_int_equal(r->calls, calls);
}

static const struct cgroup_limits limits = { .cpu_shares = 1024,
					     .cpu_quota_usec = 50000,
					     .cpu_period_usec = 100000,
					     .memory_bytes = 1 << 20,
					     .pids = 99 };
#define LIMITS \
	" CPUWeight=39 CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=500000 MemoryMax=1048576 " \
	"TasksMax=99;"
#define START \
	"StartTransientUnit " UNIT " DefaultDependencies=no CPUAccounting=yes " \
	"MemoryAccounting=yes IOAccounting=yes TasksAccounting=yes" LIMITS

static void calls_follow_what_systemd_answers(void **state)
{
	static const struct {
		bool stop;
		const char *script, *log;
		enum err_code code;
		const char *text;
	} rows[] = {
		{ false, "j", START, ERR_NONE, "" },
		{ false, "eoj", START "SetUnitProperties " UNIT LIMITS "StartUnit " UNIT ";",
		  ERR_NONE, "" },
		{ false, "f", START "reset;", ERR_REMOTE, "systemd, starting " UNIT ": failed" },
		{ false, "n", START, ERR_REMOTE, "systemd, asked to start " UNIT ": not there" },
		{ false, "en", START "SetUnitProperties " UNIT LIMITS, ERR_REMOTE,
		  "systemd, asked to start " UNIT ": not there" },
		{ true, "j", "StopUnit " UNIT ";reset;", ERR_NONE, "" },
		{ true, "f", "StopUnit " UNIT ";reset;", ERR_NONE, "" },
		{ true, "n", "StopUnit " UNIT ";", ERR_NONE, "" },
		{ true, "e", "StopUnit " UNIT ";", ERR_REMOTE,
		  "systemd, asked to stop " UNIT ": exists" },
		{ false, "h", START, ERR_UNAVAILABLE, NULL },
		{ false, "w", START, ERR_UNAVAILABLE,
		  "systemd ended the connection while it worked on " UNIT },
		/* and the next call finds its way again */
		{ false, "j", START, ERR_NONE, "" },
	};
	AUTO_FREE char *address = NULL;
	struct manager m;
	struct slices *s;
	sd_event *loop;

	(void)state;
	assert_true(sd_event_new(&loop) >= 0);
	manager_start(&m, loop);
	address = str_fmt("unix:path=%s", m.path);
	s = slices_new(loop, address);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result r = { 0 };

		m.script = rows[i].script;
		str_reset(&m.log);
		if (rows[i].stop)
			slices_stop(s, UNIT, on_done, &r);
		else
			slices_ensure(s, UNIT, &limits, on_done, &r);
		assert_int_equal(r.calls, 0);
		run_until_called(loop, &r, 1);
		while (sd_event_run(loop, 20 * 1000) > 0)
			; /* what is told and not waited for */
		assert_int_equal(r.calls, 1);
		assert_int_equal(r.code, rows[i].code);
		if (rows[i].text)
			assert_string_equal(r.text, rows[i].text);
		assert_string_equal(str_text(&m.log), rows[i].log);
	}
	slices_free(s);
	manager_stop(&m);
	sd_event_unref(loop);
}

static void many_calls_at_once(void **state)
{
	AUTO_FREE char *address = NULL;
	struct result r = { 0 };
	struct manager m;
	struct slices *s;
	sd_event *loop;

	(void)state;
	assert_true(sd_event_new(&loop) >= 0);
	manager_start(&m, loop);
	address = str_fmt("unix:path=%s", m.path);
	s = slices_new(loop, address);
	m.script = "jjjjjjjj";
	for (int i = 0; i < 8; i++) {
		AUTO_FREE char *unit = str_fmt("kubepods-pod%d.slice", i);

		slices_stop(s, unit, on_done, &r);
	}
	run_until_called(loop, &r, 8);
	/* what is under way at the end ends in silence */
	m.script = "s";
	slices_ensure(s, UNIT, &limits, on_done, &r);
	while (sd_event_run(loop, 20 * 1000) > 0)
		;
	slices_free(s);
	assert_int_equal(r.calls, 8);
	manager_stop(&m);
	sd_event_unref(loop);
}

static void without_systemd_one_sentence(void **state)
{
	struct result r = { 0 };
	struct slices *s;
	sd_event *loop;

	(void)state;
	assert_true(sd_event_new(&loop) >= 0);
	s = slices_new(loop, "unix:path=/nowhere/at/all");
	slices_ensure(s, UNIT, &limits, on_done, &r);
	assert_int_equal(r.calls, 0);
	run_until_called(loop, &r, 1);
	assert_int_equal(r.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(r.text, "systemd cannot be reached (No such file or directory)"));
	assert_non_null(strstr(r.text, "cgroupfs"));
	slices_free(s);
	sd_event_unref(loop);
}

static void names_are_spelt_for_each_driver(void **state)
{
	static const struct {
		const char *root, *qos, *uid, *plain, *slice;
	} rows[] = {
		{ "", "Guaranteed", NULL, "/kubepods", "/kubepods.slice" },
		{ "", "Burstable", NULL, "/kubepods/burstable",
		  "/kubepods.slice/kubepods-burstable.slice" },
		{ "", "BestEffort", "a-b", "/kubepods/besteffort/poda-b",
		  "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-poda_b.slice" },
		{ "", "Guaranteed", "a-b-c", "/kubepods/poda-b-c",
		  "/kubepods.slice/kubepods-poda_b_c.slice" },
		{ "/rig/node-1", "Burstable", "0f", "/rig/node-1/kubepods/burstable/pod0f",
		  "/rig.slice/rig-node_1.slice/rig-node_1-kubepods.slice/"
		  "rig-node_1-kubepods-burstable.slice/"
		  "rig-node_1-kubepods-burstable-pod0f.slice" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum cgroup_level level = cgroupname_level(rows[i].qos);
		AUTO_FREE char *plain = cgroupname_path(rows[i].root, false, level, rows[i].uid);
		AUTO_FREE char *slice = cgroupname_path(rows[i].root, true, level, rows[i].uid);
		AUTO_FREE char *uid = cgroupname_uid(cgroupname_unit(plain), false);
		AUTO_FREE char *from_slice = cgroupname_uid(cgroupname_unit(slice), true);

		assert_string_equal(plain, rows[i].plain);
		assert_string_equal(slice, rows[i].slice);
		assert_string_equal(str_or(uid, ""), str_or(rows[i].uid, ""));
		assert_string_equal(str_or(from_slice, ""), str_or(rows[i].uid, ""));
	}
}

static void roots_are_spelt_for_each_driver(void **state)
{
	AUTO_FREE char *plain = cgroupname_root("/rig/node-1", false);
	AUTO_FREE char *slice = cgroupname_root("/rig/node-1", true);
	AUTO_FREE char *none = cgroupname_root("", true);

	(void)state;
	assert_string_equal(plain, "/rig/node-1");
	assert_string_equal(slice, "/rig.slice/rig-node_1.slice");
	assert_string_equal(none, "");
}

static void only_pods_are_pods(void **state)
{
	static const struct {
		const char *name;
		bool systemd;
	} rows[] = {
		{ "pod", false },
		{ "podium.scope", false },
		{ "burstable", false },
		{ "init.scope", true },
		{ "kubepods-burstable.slice", true },
		{ "kubepods-pod.slice", true },
		{ "kubepods-pod1.scope", true },
		{ "pod1.slice", true },
		{ "kubepods", true },
		{ "", false },
		{ "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_null(cgroupname_uid(rows[i].name, rows[i].systemd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_follow_what_systemd_answers),
		cmocka_unit_test(many_calls_at_once),
		cmocka_unit_test(without_systemd_one_sentence),
		cmocka_unit_test(names_are_spelt_for_each_driver),
		cmocka_unit_test(roots_are_spelt_for_each_driver),
		cmocka_unit_test(only_pods_are_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
