/* A server that starts programs (contract in base/spawner.h). Effect.
 *
 * The server may have been forked while there were other threads, so it calls nothing but the
 * kernel: no allocation, no log. A request is one message: how many arguments, then each word with
 * its NUL, arguments first; the descriptor of the standard output goes along.
 */
#include "base/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

enum {
	WORDS_MAX = 2048,
	BYTES_MAX = 128 << 10, /* a message of that size passes with the usual socket buffers */
	PATIENCE_SEC = 10,
};

struct spawner {
	pid_t server;
	int fd;
	bool late; /* an answer that nobody waits for is still to come */
};

struct answer {
	int32_t pid, failed; /* failed: an errno, 0 when it runs */
};

union fd_message {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* --- in the server --- */

_Noreturn static void become(char **argv, char **env, int out_fd, int report_fd)
{
	sigset_t none;
	int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), failed;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	if (in_fd >= 0 && dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0 &&
	    setpgid(0, 0) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		execvpe(argv[0], argv, env);
	failed = errno;
	(void)!write(report_fd, &failed, sizeof(failed));
	_exit(127);
}

/* A copy of this process whose parent is ours. Not clone3, of which the filters of containers say
 * that it is not there, as they cannot look into its argument. */
static pid_t copy(void)
{
#ifdef __s390__
	return (pid_t)syscall(SYS_clone, 0L, (long)CLONE_PARENT, 0L, 0L, 0L);
#else
	return (pid_t)syscall(SYS_clone, (long)CLONE_PARENT, 0L, 0L, 0L, 0L);
#endif
}

/* The new process's pid, or -1 and errno. */
static pid_t start(char **argv, char **env, int out_fd)
{
	int report[2], failed = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	pid = copy();
	if (pid == 0)
		become(argv, env, out_fd, report[1]);
	if (pid < 0)
		failed = errno;
	close(report[1]);
	if (pid > 0)
		(void)!read(report[0], &failed, sizeof(failed)); /* nothing: it runs */
	close(report[0]);
	errno = failed;
	return pid;
}

/* How many words a message holds; what follows them in words is NULL. */
static size_t split(char *bytes, size_t n, char **words)
{
	size_t count = 0;

	for (char *p = bytes; p < bytes + n && count < WORDS_MAX; p += strlen(p) + 1)
		words[count++] = p;
	words[count] = NULL;
	return count;
}

static struct answer serve_request(char *bytes, size_t n, int out_fd)
{
	char *words[WORDS_MAX + 1], *argv[WORDS_MAX + 1];
	uint32_t n_argv;
	size_t count;
	pid_t pid;

	if (out_fd < 0 || n <= sizeof(n_argv) || bytes[n - 1])
		return (struct answer){ .pid = -1, .failed = EINVAL };
	memcpy(&n_argv, bytes, sizeof(n_argv));
	count = split(bytes + sizeof(n_argv), n - sizeof(n_argv), words);
	if (!n_argv || n_argv > count)
		return (struct answer){ .pid = -1, .failed = EINVAL };
	memcpy(argv, words, n_argv * sizeof(*argv));
	argv[n_argv] = NULL;
	pid = start(argv, words + n_argv, out_fd);
	return (struct answer){ .pid = pid, .failed = errno };
}

_Noreturn static void serve(int fd)
{
	char bytes[BYTES_MAX];
	union fd_message control;
	sigset_t all;

	/* signals are for the process that asks: the server ends with it */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "keelson-spawner");
	dup2(fd, STDERR_FILENO + 1);
	fd = STDERR_FILENO + 1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	close_range((unsigned)fd + 1, ~0U, 0);
	for (;;) {
		struct iovec v = { .iov_base = bytes, .iov_len = sizeof(bytes) };
		struct msghdr m = { .msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = &control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
		struct answer answer;
		int out_fd = -1;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(&out_fd, CMSG_DATA(c), sizeof(out_fd));
		answer = serve_request(bytes, (size_t)n, out_fd);
		if (out_fd >= 0)
			close(out_fd);
		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}

/* --- in the process that asks --- */

int spawner_new(struct spawner **ret, struct err *e)
{
	const struct timeval patience = { .tv_sec = PATIENCE_SEC };
	struct spawner *s;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_os(e, errno, "socket pair");
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* whoever started us may have it ignored, and then nobody's end can be learned */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == 0)
		serve(fds[1]);
	close(fds[1]);
	if (pid < 0) {
		int failed = errno;

		close(fds[0]);
		return err_os(e, failed, "fork");
	}
	s = NEW(struct spawner);
	s->server = pid;
	s->fd = fds[0];
	*ret = s;
	return 0;
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void spawner_free(struct spawner *s)
{
	if (!s)
		return;
	close(s->fd);
	kill(s->server, SIGKILL); /* it may wait for a program that does not begin */
	wait_for(s->server);
	free(s);
}

static uint32_t put_words(struct str *message, char *const *words)
{
	uint32_t n = 0;

	for (; words[n]; n++)
		str_append_n(message, words[n], strlen(words[n]) + 1);
	return n;
}

/* Lets nothing run that was begun too slowly. */
static int drop_late(struct spawner *s, struct err *e)
{
	struct answer answer = { .pid = -1 };

	if (!s->late)
		return 0;
	if (recv(s->fd, &answer, sizeof(answer), MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return err_set(e, ERR_TIMEOUT, "a program asked for before has not begun yet");
	s->late = false;
	if (answer.pid <= 0)
		return 0;
	kill(-answer.pid, SIGKILL);
	kill(answer.pid, SIGKILL);
	wait_for(answer.pid);
	return 0;
}

static int ask(struct spawner *s, const struct str *message, int out_fd, struct answer *ret,
	       struct err *e)
{
	union fd_message control = { .bytes = { 0 } };
	struct iovec v = { .iov_base = message->p, .iov_len = message->len };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(out_fd));
	memcpy(CMSG_DATA(c), &out_fd, sizeof(out_fd));
	if (drop_late(s, e) < 0)
		return -1;
	if (sendmsg(s->fd, &m, MSG_NOSIGNAL) < 0)
		return err_os(e, errno, "ask the process that starts programs");
	do
		n = recv(s->fd, ret, sizeof(*ret), 0);
	while (n < 0 && errno == EINTR);
	if (n == sizeof(*ret))
		return 0;
	/* an answer that comes late must not be taken for the next one's */
	s->late = n < 0 && errno == EAGAIN;
	return err_os(e, n < 0 ? errno : EPIPE, "the process that starts programs does not answer");
}

int spawner_start(struct spawner *s, char *const *argv, char *const *env, int out_fd, pid_t *ret,
		  struct err *e)
{
	struct str message = { 0 };
	struct answer answer;
	uint32_t n = 0, n_env;
	int r = -1;

	str_append_n(&message, (const char *)&n, sizeof(n));
	n = put_words(&message, argv);
	n_env = put_words(&message, env);
	memcpy(message.p, &n, sizeof(n));
	if (n + n_env > WORDS_MAX || message.len > BYTES_MAX)
		err_set(e, ERR_INVALID, "arguments and environment are too long");
	else
		r = ask(s, &message, out_fd, &answer, e);
	str_fini(&message);
	if (r < 0)
		return -1;
	if (answer.failed) {
		if (answer.pid > 0)
			wait_for(answer.pid);
		return err_os(e, answer.failed, "%s", argv[0]);
	}
	*ret = answer.pid;
	return 0;
}
