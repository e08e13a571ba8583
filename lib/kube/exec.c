/* Credential plugins (contract in exec.h). Effect: runs a child.
 *
 * The child's answer and its end arrive over the loop; its deadline kills the whole process group.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawner.h"
#include "base/str.h"
#include "kube/time.h"

enum {
	ANSWER_BYTES_MAX = 1 << 20,
	DEADLINE_SEC = 60,
	RETRY_SEC = 10, /* after a failure; calls go without credentials until then */
};

extern char **environ;

struct exec_credential {
	sd_event *loop;
	struct spawner *spawner;
	const struct kube_credentials *credentials;
	void (*done)(void *ctx);
	void *ctx;
	sd_event_source *answer_source, *end_source, *deadline;
	pid_t pid;
	int answer_fd, pid_fd;
	struct str answer;
	char *token, *cert_pem, *key_pem;
	int64_t expires_usec; /* wall clock; INT64_MAX: never; 0: nothing held */
	int64_t failed_until_usec;
	bool running;
};

static void add_text(struct json_object *to, const char *key, const char *text)
{
	if (!str_empty(text))
		json_object_object_add(to, key, json_object_new_string(text));
}

static struct json_object *cluster_info(const struct kube_credentials *c)
{
	struct json_object *cluster = json_object_new_object();
	AUTO_FREE char *ca = c->ca_pem ? base64_encode(c->ca_pem, strlen(c->ca_pem)) : NULL;

	add_text(cluster, "server", c->server);
	add_text(cluster, "tls-server-name", c->tls_server_name);
	if (c->insecure)
		json_object_object_add(cluster, "insecure-skip-tls-verify",
				       json_object_new_boolean(1));
	add_text(cluster, "certificate-authority-data", ca);
	add_text(cluster, "proxy-url", c->proxy_url);
	return cluster;
}

/* What the plugin is told about us. */
static char *exec_info(const struct kube_credentials *c)
{
	struct json_object *info = json_object_new_object(), *spec = json_object_new_object();
	char *text;

	if (c->exec->provide_cluster_info)
		json_object_object_add(spec, "cluster", cluster_info(c));
	json_object_object_add(spec, "interactive", json_object_new_boolean(0));
	add_text(info, "apiVersion", c->exec->api_version);
	add_text(info, "kind", "ExecCredential");
	json_object_object_add(info, "spec", spec);
	text = json_text(info);
	json_object_put(info);
	return text;
}

static char **child_environment(const struct kube_credentials *c)
{
	AUTO_FREE char *info = exec_info(c);
	AUTO_FREE char *info_line = str_fmt("KUBERNETES_EXEC_INFO=%s", info);
	char **env = NULL;

	/* the first of equal names counts, so ours go in front */
	strv_push(&env, info_line);
	for (size_t i = 0; c->exec->env && c->exec->env[i]; i++)
		strv_push(&env, c->exec->env[i]);
	for (size_t i = 0; environ[i]; i++)
		strv_push(&env, environ[i]);
	return env;
}

static char **child_arguments(const struct kube_exec *x)
{
	char **argv = NULL;

	strv_push(&argv, x->command);
	for (size_t i = 0; x->args && x->args[i]; i++)
		strv_push(&argv, x->args[i]);
	return argv;
}

static int spawn(struct exec_credential *x, int out_fd, struct err *e)
{
	const struct kube_exec *exec = x->credentials->exec;
	char **argv, **env;
	int r;

	if (!x->spawner)
		return err_set(e, ERR_UNAVAILABLE,
			       "the kubeconfig had no plugin at the start of this process");
	argv = child_arguments(exec);
	env = child_environment(x->credentials);
	r = spawner_start(x->spawner, argv, env, out_fd, &x->pid, e);
	strv_free(argv);
	strv_free(env);
	return r;
}

static void forget_child(struct exec_credential *x)
{
	x->answer_source = sd_event_source_disable_unref(x->answer_source);
	x->end_source = sd_event_source_disable_unref(x->end_source);
	x->deadline = sd_event_source_disable_unref(x->deadline);
	fs_closep(&x->answer_fd);
	fs_closep(&x->pid_fd);
	x->answer_fd = x->pid_fd = -1;
	str_fini(&x->answer);
	x->running = false;
}

static void kill_child(const struct exec_credential *x)
{
	kill(-x->pid, SIGKILL);
	kill(x->pid, SIGKILL); /* it may have left its group */
}

static void end_child(const struct exec_credential *x)
{
	if (!x->running)
		return;
	kill_child(x);
	waitpid(x->pid, NULL, 0);
}

static void take_text(char **field, struct json_object *status, const char *key)
{
	free(*field);
	*field = mem_strdup(json_string(status, key));
}

static int read_answer(struct exec_credential *x, struct err *e)
{
	AUTO_JSON struct json_object *tree = NULL;
	struct json_object *status;
	const char *expires;
	int64_t sec;

	if (json_parse(str_text(&x->answer), x->answer.len, &tree, e))
		return -1;
	status = json_member(tree, "status", json_type_object);
	if (!str_eq(json_string(tree, "kind"), "ExecCredential") || !status)
		return err_set(e, ERR_INVALID, "the answer is no ExecCredential with a status");
	if (!str_eq(json_string(tree, "apiVersion"), x->credentials->exec->api_version))
		return err_set(e, ERR_INVALID, "the answer has apiVersion %s, want %s",
			       str_or(json_string(tree, "apiVersion"), "none"),
			       x->credentials->exec->api_version);
	take_text(&x->token, status, "token");
	take_text(&x->cert_pem, status, "clientCertificateData");
	take_text(&x->key_pem, status, "clientKeyData");
	if (!x->cert_pem != !x->key_pem || (!x->token && !x->cert_pem))
		return err_set(e, ERR_INVALID,
			       "the answer has neither a token nor a certificate with its key");
	x->expires_usec = INT64_MAX;
	expires = json_string(status, "expirationTimestamp");
	if (expires) {
		if (kube_time_parse(expires, &sec, NULL, e))
			return -1;
		x->expires_usec = sec * USEC_PER_SEC;
	}
	return 0;
}

static void drop_credential(struct exec_credential *x)
{
	free(TAKE(x->token));
	free(TAKE(x->cert_pem));
	free(TAKE(x->key_pem));
}

static void finish(struct exec_credential *x, struct err *e)
{
	forget_child(x);
	if (e) {
		const struct kube_exec *exec = x->credentials->exec;

		drop_credential(x); /* half of one may be there */
		x->expires_usec = 0;
		x->failed_until_usec = clock_mono_usec() + RETRY_SEC * (int64_t)USEC_PER_SEC;
		log_err_warning(e, "credential plugin %s failed%s%s", exec->command,
				exec->install_hint ? "; " : "", str_or(exec->install_hint, ""));
	}
	x->done(x->ctx);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct exec_credential *x = userdata;
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)revents;
	if (n > 0 && x->answer.len + (size_t)n <= ANSWER_BYTES_MAX) {
		str_append_n(&x->answer, chunk, (size_t)n);
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	return 0;
}

static void drain(struct exec_credential *x)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(x->answer_fd, chunk, sizeof(chunk))) > 0 &&
	       x->answer.len + (size_t)n <= ANSWER_BYTES_MAX)
		str_append_n(&x->answer, chunk, (size_t)n);
}

static int on_end(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct exec_credential *x = userdata;
	siginfo_t info = { 0 };
	struct err e;

	(void)s;
	(void)revents;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0) {
		err_os(&e, errno, "its end cannot be learned");
		finish(x, &e);
		return 0;
	}
	if (!info.si_pid)
		return 0;
	drain(x);
	if (info.si_code != CLD_EXITED || info.si_status) {
		err_set(&e, ERR_REMOTE, "it ended with %s %d",
			info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
		finish(x, &e);
		return 0;
	}
	finish(x, read_answer(x, &e) ? &e : NULL);
	return 0;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct exec_credential *x = userdata;

	(void)s;
	(void)usec;
	/* its end arrives like any other */
	kill_child(x);
	return 0;
}

static int start(struct exec_credential *x, struct err *e)
{
	int pipe_fds[2], r;
	AUTO_FD out_fd = -1;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return err_os(e, errno, "pipe");
	x->answer_fd = pipe_fds[0];
	out_fd = pipe_fds[1];
	fcntl(x->answer_fd, F_SETFL, O_NONBLOCK);
	if (spawn(x, out_fd, e))
		return -1;
	x->running = true;
	x->pid_fd = (int)syscall(SYS_pidfd_open, x->pid, 0);
	if (x->pid_fd < 0)
		return err_os(e, errno, "pidfd_open");
	r = sd_event_add_io(x->loop, &x->answer_source, x->answer_fd, EPOLLIN, on_answer, x);
	if (r >= 0)
		r = sd_event_add_io(x->loop, &x->end_source, x->pid_fd, EPOLLIN, on_end, x);
	if (r >= 0)
		r = sd_event_add_time_relative(x->loop, &x->deadline, CLOCK_MONOTONIC,
					       (uint64_t)DEADLINE_SEC * USEC_PER_SEC, 0,
					       on_deadline, x);
	return r < 0 ? err_os(e, -r, "watch the credential plugin") : 0;
}

bool exec_credential_ready(struct exec_credential *x)
{
	struct err e;

	if (!x || clock_wall_usec() < x->expires_usec)
		return true;
	if (x->running)
		return false;
	if (clock_mono_usec() < x->failed_until_usec)
		return true;
	if (!start(x, &e))
		return false;
	x->failed_until_usec = clock_mono_usec() + RETRY_SEC * (int64_t)USEC_PER_SEC;
	log_err_warning(&e, "credential plugin %s cannot be run", x->credentials->exec->command);
	end_child(x);
	forget_child(x);
	return true;
}

const char *exec_credential_token(const struct exec_credential *x)
{
	return clock_wall_usec() < x->expires_usec ? x->token : NULL;
}

bool exec_credential_certificate(struct exec_credential *x, struct kube_credentials *credentials)
{
	if (!x->cert_pem)
		return false;
	free(credentials->cert_pem);
	free(credentials->key_pem);
	credentials->cert_pem = TAKE(x->cert_pem);
	credentials->key_pem = TAKE(x->key_pem);
	return true;
}

void exec_credential_forget(struct exec_credential *x)
{
	if (x)
		x->expires_usec = 0;
}

struct exec_credential *exec_credential_new(sd_event *loop, struct spawner *spawner,
					    const struct kube_credentials *credentials,
					    void (*done)(void *ctx), void *ctx)
{
	struct exec_credential *x = NEW(struct exec_credential);

	x->loop = sd_event_ref(loop);
	x->spawner = spawner;
	x->credentials = credentials;
	x->done = done;
	x->ctx = ctx;
	x->answer_fd = x->pid_fd = -1;
	return x;
}

void exec_credential_free(struct exec_credential *x)
{
	if (!x)
		return;
	end_child(x);
	forget_child(x);
	drop_credential(x);
	sd_event_unref(x->loop);
	free(x);
}
