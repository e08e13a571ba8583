/* Programs started by a server, while this process may not start any. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/spawner.h"
#include "base/str.h"
#include "test.h"

static char *const env[] = { "PATH=/bin:/usr/bin", "WHAT=word", NULL };

static pid_t start(struct spawner *s, const char *script, int *ret_fd)
{
	char *argv[] = { "sh", "-c", (char *)script, "name", "", "last word", NULL };
	int fds[2];
	pid_t pid;
	struct err e;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	if (spawner_start(s, argv, env, fds[1], &pid, &e) < 0)
		fail_msg("%s", e.text);
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
}

static void runs_as_our_child(void **state)
{
	struct spawner *s = *state;
	char text[512];
	int fd, status;
	pid_t pid =
	    start(s,
		  "echo \"$#:$1:$2:$WHAT:$(env | grep -c .)\"; ls /proc/$$/fd | tr -d '\\n'; "
		  "cat; grep -E '^Sig(Blk|Ign)' /proc/self/status; exit 3",
		  &fd);

	assert_int_equal(getpgid(pid), pid);
	read_all(fd, text, sizeof(text));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	if (strncmp(text, "2::last word:word:", 18) || !strstr(text, "\n012") ||
	    !strstr(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"))
		fail_msg("%s", text);
}

static void is_killed_as_a_group(void **state)
{
	int fd, status;
	pid_t pid = start(*state, "sleep 100 & echo ready; wait", &fd);
	char text[16];

	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_int_equal(kill(-pid, SIGKILL), 0);
	read_all(fd, text, sizeof(text)); /* ends: nobody holds the other end any more */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void refuses(struct spawner *s, char *const *argv, const char *why)
{
	struct err e;
	pid_t pid;

	assert_int_equal(spawner_start(s, argv, env, STDOUT_FILENO, &pid, &e), -1);
	if (!strstr(e.text, why))
		fail_msg("%s", e.text);
}

static void says_why_it_cannot(void **state)
{
	AUTO_FREE char *big = mem_calloc(1, 200 << 10);
	char *absent[] = { "/no/such/program", NULL }, *folder[] = { "/", NULL };
	char *words[3000] = { "true" }, *long_word[] = { "true", NULL, NULL },
	     *nothing[] = { NULL };
	struct err e;
	pid_t pid;

	refuses(*state, absent, "/no/such/program: No such file or directory");
	refuses(*state, folder, "/: Permission denied");
	refuses(*state, nothing, "Invalid argument");
	for (size_t i = 1; i + 1 < ARRAY_SIZE(words); i++)
		words[i] = "x";
	refuses(*state, words, "too long");
	words[1000] = NULL;
	assert_int_equal(spawner_start(*state, words, env, STDOUT_FILENO, &pid, &e), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	memset(big, 'x', (200 << 10) - 1);
	long_word[1] = big;
	refuses(*state, long_word, "too long");
	/* nothing is left behind by what did not start */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
}

static int youngest_child(pid_t pid)
{
	AUTO_FREE char *path = str_fmt("/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *children = fopen(path, "r");
	int child = 0, next;

	assert_non_null(children);
	while (fscanf(children, "%d", &next) == 1)
		child = next;
	fclose(children);
	return child;
}

static void ends_with_us(void **state)
{
	int ready[2], server, status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	child = fork();
	if (child == 0) {
		struct spawner *s;
		struct err e;

		if (spawner_new(&s, &e) == 0)
			(void)!write(ready[1], "r", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &status, 1), 1);
	close(ready[0]);
	close(ready[1]);
	server = youngest_child(child);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_true(WIFEXITED(status));
}

static void a_dead_server_is_told(void **state)
{
	char *argv[] = { "true", NULL };
	struct spawner *s;
	struct err e;
	pid_t pid;

	(void)state;
	assert_int_equal(spawner_new(&s, &e), 0);
	kill(youngest_child(getpid()), SIGKILL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(spawner_start(s, argv, env, STDOUT_FILENO, &pid, &e), -1);
	spawner_free(s);
}

/* A program that begins too late is not taken for the next one, and does not run on. */
static void late_answers_are_dropped(void **state)
{
	char *slow[] = { "sh", "-c", "exec sleep 100", NULL };
	struct spawner *s;
	int server, fd, status;
	char text[16];
	struct err e;
	pid_t pid;

	(void)state;
	assert_int_equal(spawner_new(&s, &e), 0);
	server = youngest_child(getpid());
	kill(server, SIGSTOP);
	assert_int_equal(spawner_start(s, slow, env, STDOUT_FILENO, &pid, &e), -1);
	refuses(s, slow, "has not begun yet");
	kill(server, SIGCONT);
	for (int i = 0; i < 100 && youngest_child(getpid()) == server; i++)
		usleep(50000);
	usleep(200000); /* its answer, after it has become what was asked for */
	pid = start(s, "echo next", &fd);
	read_all(fd, text, sizeof(text));
	assert_string_equal(text, "next\n");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	spawner_free(s);
}

/* A server that waits for a program keeps nobody from ending. */
static void a_stuck_server_ends(void **state)
{
	struct spawner *s;
	struct err e;

	(void)state;
	assert_int_equal(spawner_new(&s, &e), 0);
	kill(youngest_child(getpid()), SIGSTOP);
	spawner_free(s);
}

static int status_of_child(int (*run)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(run());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int start_and_wait(void)
{
	char *argv[] = { "sh", "-c", "exit 3", NULL };
	struct spawner *s;
	struct err e;
	int status;
	pid_t pid;

	if (spawner_new(&s, &e) < 0 || spawner_start(s, argv, env, STDOUT_FILENO, &pid, &e) < 0)
		return 4;
	if (waitpid(pid, &status, 0) != pid)
		return 5;
	spawner_free(s);
	return WEXITSTATUS(status);
}

static int start_with_ends_ignored(void)
{
	signal(SIGCHLD, SIG_IGN);
	return start_and_wait();
}

/* As in a container: its filter can't look into what clone3 is asked for. */
static int start_without_clone3(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 6;
	return start_and_wait();
}

static void whoever_started_us(void **state)
{
	(void)state;
	assert_int_equal(status_of_child(start_with_ends_ignored), 3);
	assert_int_equal(status_of_child(start_without_clone3), 3);
}

/* What is printed by a program that a confined process starts: its own filter. */
static int confined_child(enum confine_list kind, const char *const *names, size_t n)
{
	char text[64];
	struct spawner *s;
	struct err e;
	int fd;
	void *p;

	if (spawner_new(&s, &e) < 0 || confine_calls(kind, names, n, &e) < 0)
		return 2;
	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return 77; /* a sanitizer's build */
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0) != MAP_FAILED)
		return 3;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) < 0 ||
	    mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0)
		return 4;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 5;
	if (kill(getpid(), 0) == 0)
		return 6;
	(void)start(s, "kill -0 $$ && grep Seccomp: /proc/self/status", &fd);
	read_all(fd, text, sizeof(text));
	return str_eq(text, "Seccomp:\t0\n") ? 0 : 7;
}

static void is_free_of_the_filter(void **state)
{
	static const char *const denied[] = { "kill" };
	static const char *const allowed[] = { "munmap",    "brk",        "read",     "write",
					       "close",     "fstat",      "sendmsg",  "prctl",
					       "pipe2",     "exit_group", "recvfrom", "getpid",
					       "newfstatat" };

	(void)state;
	for (int list = 0; list < 2; list++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			_exit(list ? confined_child(CONFINE_ALLOW, allowed, ARRAY_SIZE(allowed))
				   : confined_child(CONFINE_DENY, denied, ARRAY_SIZE(denied)));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static int setup(void **state)
{
	struct spawner *s;
	struct err e;

	if (spawner_new(&s, &e) < 0)
		return -1;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	spawner_free(*state);
	return waitpid(-1, NULL, WNOHANG) == -1 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_as_our_child),
		cmocka_unit_test(is_killed_as_a_group),
		cmocka_unit_test(says_why_it_cannot),
		cmocka_unit_test(is_free_of_the_filter),
		cmocka_unit_test(ends_with_us),
		cmocka_unit_test(a_dead_server_is_told),
		cmocka_unit_test(a_stuck_server_ends),
		cmocka_unit_test(whoever_started_us),
		cmocka_unit_test(late_answers_are_dropped),
	};

	signal(SIGUSR1, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
