/* The strict runtime model as a process, with a control socket for tests in any language.
 *
 * usage: fake-cri CRI_SOCKET CONTROL_SOCKET
 * Each line on the control socket is a JSON object {"do": …}, each answer one line of JSON:
 *   dump | clear | down | restart | quit
 *   plan {rpc, kind, skip, count, status, text, delay_msec}   rpc is upstream's operation name or
 *        "any"; kind: fail, lost, silent, slow, garbage, half
 *   lose-events {count} | add-image {name} | exit {id, code} | kill-sandbox {id}
 *   rename {pod, uid} | ready {runtime, network} | cgroup-driver {systemd}   systemd: 1 or 0
 *   kill {pid, rpc, skip, after}   SIGKILL at a call; rpc as above, or "change": any that changes
 *        something; pid 0: not any more | killed   fails while that call has not come
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "fake-cri.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

struct control {
	sd_event *loop;
	struct fake_runtime *rt;
	struct fake_cri *cri;
};

struct peer {
	struct control *control;
	int fd;
	sd_event_source *io;
	struct str in;
};

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static int number_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int(v) : 0;
}

static enum cri_rpc rpc_named(const char *name)
{
	for (int i = 0; i < CRI_RPC_COUNT; i++)
		if (str_eq(cri_operation((enum cri_rpc)i), name))
			return (enum cri_rpc)i;
	return CRI_RPC_COUNT;
}

static const char *do_plan(struct control *c, struct json_object *o)
{
	static const char *const kinds[FAKE_FAULT_KINDS] = { "fail", "lost",    "silent",
							     "slow", "garbage", "half" };
	struct fake_fault f = { .rpc = rpc_named(text_of(o, "rpc")),
				.skip = (unsigned)number_of(o, "skip"),
				.count = (unsigned)number_of(o, "count"),
				.status = number_of(o, "status"),
				.text = text_of(o, "text")[0] ? text_of(o, "text") : NULL,
				.delay_msec = number_of(o, "delay_msec") };

	if (f.rpc == CRI_RPC_COUNT && !str_eq(text_of(o, "rpc"), "any"))
		return "unknown rpc";
	while (f.kind < FAKE_FAULT_KINDS && !str_eq(kinds[f.kind], text_of(o, "kind")))
		f.kind++;
	if (f.kind == FAKE_FAULT_KINDS)
		return "unknown kind";
	fake_runtime_plan(c->rt, &f);
	return NULL;
}

static const char *do_kill(struct control *c, struct json_object *o)
{
	struct fake_kill k = { .pid = number_of(o, "pid"),
			       .rpc = rpc_named(text_of(o, "rpc")),
			       .changes = str_eq(text_of(o, "rpc"), "change"),
			       .skip = (unsigned)number_of(o, "skip"),
			       .after = number_of(o, "after") };

	if (k.rpc == CRI_RPC_COUNT && !k.changes && !str_eq(text_of(o, "rpc"), "any"))
		return "unknown rpc";
	if (k.pid < 0)
		return "no pid";
	fake_cri_kill_at(c->cri, &k);
	return NULL;
}

/* Returns what went wrong, or NULL. */
static const char *act(struct control *c, const char *what, struct json_object *o)
{
	struct err e;

	if (str_eq(what, "plan"))
		return do_plan(c, o);
	if (str_eq(what, "clear"))
		fake_runtime_clear_plan(c->rt);
	else if (str_eq(what, "lose-events"))
		fake_runtime_lose_events(c->rt, (unsigned)number_of(o, "count"));
	else if (str_eq(what, "add-image"))
		fake_runtime_add_image(c->rt, text_of(o, "name"));
	else if (str_eq(what, "exit"))
		return fake_runtime_exit(c->rt, text_of(o, "id"), number_of(o, "code"))
			   ? NULL
			   : "does not run";
	else if (str_eq(what, "kill-sandbox"))
		return fake_runtime_kill_sandbox(c->rt, text_of(o, "id")) ? NULL : "is not ready";
	else if (str_eq(what, "ready"))
		fake_runtime_set_ready(c->rt, number_of(o, "runtime"), number_of(o, "network"));
	else if (str_eq(what, "rename"))
		fake_runtime_rename(c->rt, text_of(o, "pod"), text_of(o, "uid"));
	else if (str_eq(what, "cgroup-driver"))
		fake_runtime_set_systemd_cgroups(c->rt, number_of(o, "systemd"));
	else if (str_eq(what, "down"))
		fake_cri_down(c->cri);
	else if (str_eq(what, "restart"))
		return fake_cri_restart(c->cri, &e) < 0 ? "cannot listen" : NULL;
	else if (str_eq(what, "kill"))
		return do_kill(c, o);
	else if (str_eq(what, "killed"))
		return fake_cri_kill_pending(c->cri) ? "lives" : NULL;
	else if (str_eq(what, "quit"))
		sd_event_exit(c->loop, 0);
	else
		return "unknown command";
	return NULL;
}

static char *handle(struct control *c, const char *line)
{
	struct json_object *o = json_tokener_parse(line);
	const char *what = o ? text_of(o, "do") : "", *wrong;
	char *out;

	if (str_eq(what, "dump")) {
		out = fake_runtime_json(c->rt);
	} else {
		wrong = o ? act(c, what, o) : "not JSON";
		fake_cri_poke(c->cri);
		out = wrong ? str_fmt("{\"error\":\"%s\"}", wrong) : mem_strdup("{}");
	}
	json_object_put(o);
	return out;
}

static void peer_free(struct peer *p)
{
	sd_event_source_disable_unref(p->io);
	close(p->fd);
	str_fini(&p->in);
	free(p);
}

/* Tests read what they ask for: a plain blocking write is enough here. */
static void reply(struct peer *p, const char *line)
{
	AUTO_FREE char *answer = handle(p->control, line);
	AUTO_FREE char *text = str_fmt("%s\n", answer);
	size_t at = 0, len = strlen(text);

	while (at < len) {
		ssize_t n = send(p->fd, text + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static int on_line(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct peer *p = userdata;
	char buf[4096], *newline;
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)s;
	(void)revents;
	if (n <= 0 || p->in.len > LINE_MAX_BYTES) {
		peer_free(p);
		return 0;
	}
	str_append_n(&p->in, buf, (size_t)n);
	while ((newline = memchr(p->in.p, '\n', p->in.len))) {
		size_t used = (size_t)(newline - p->in.p) + 1;

		*newline = '\0';
		reply(p, p->in.p);
		p->in.len -= used;
		memmove(p->in.p, p->in.p + used, p->in.len + 1);
	}
	return 0;
}

static int on_control(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct peer *p = NEW(struct peer);

	(void)s;
	(void)revents;
	p->control = userdata;
	p->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (p->fd < 0 || sd_event_add_io(p->control->loop, &p->io, p->fd, EPOLLIN, on_line, p) < 0)
		peer_free(p);
	return 0;
}

static int listen_control(struct control *c, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 5) < 0)
		return -1;
	return sd_event_add_io(c->loop, NULL, fd, EPOLLIN, on_control, c);
}

static int on_term(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	(void)si;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

int main(int argc, char **argv)
{
	struct control c = { 0 };
	sigset_t term;
	struct err e;
	int rc;

	if (argc != 3) {
		fprintf(stderr, "usage: fake-cri CRI_SOCKET CONTROL_SOCKET\n");
		return 2;
	}
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	c.rt = fake_runtime_new();
	if (sd_event_new(&c.loop) < 0 ||
	    sd_event_add_signal(c.loop, NULL, SIGTERM, on_term, NULL) < 0 ||
	    listen_control(&c, argv[2]) < 0) {
		perror("fake-cri");
		return 1;
	}
	if (fake_cri_new(c.loop, argv[1], c.rt, &c.cri, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	rc = sd_event_loop(c.loop);
	fake_cri_free(c.cri);
	fake_runtime_free(c.rt);
	sd_event_unref(c.loop);
	return rc < 0;
}
