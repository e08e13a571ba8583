/* Leftovers of kube-proxy (contract in leftovers.h). Effect. */
#include "leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

extern char **environ;

enum { OUTPUT_MAX_BYTES = 64 * 1024 * 1024 };

/* ---- iptables ---- */

/* Those of kube-proxy in any mode. Others begin with KUBE-, too: the node agent, and kube-router
 * with network policies that must not go. A dash at the end: what follows is a hash. */
static const char *const proxy_chains[] = {
	"KUBE-SERVICES",
	"KUBE-EXTERNAL-SERVICES",
	"KUBE-NODEPORTS",
	"KUBE-NODE-PORT",
	"KUBE-POSTROUTING",
	"KUBE-FORWARD",
	"KUBE-MARK-MASQ",
	"KUBE-PROXY-FIREWALL",
	"KUBE-PROXY-CANARY",
	"KUBE-LOAD-BALANCER",
	"KUBE-SOURCE-RANGES-FIREWALL",
	"KUBE-IPVS-FILTER",
	"KUBE-IPVS-OUT-FILTER",
	"KUBE-SVC-",
	"KUBE-SVL-",
	"KUBE-SEP-",
	"KUBE-EXT-",
	"KUBE-FW-",
};

static bool is_proxy_chain(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxy_chains); i++) {
		size_t want = strlen(proxy_chains[i]);
		bool hashed = proxy_chains[i][want - 1] == '-';

		if ((hashed ? len > want : len == want) && !strncmp(proxy_chains[i], name, want))
			return true;
	}
	return false;
}

/* ":KUBE-SERVICES - [0:0]" */
static bool declares_proxy_chain(const char *line, size_t *ret_len)
{
	*ret_len = *line == ':' ? strcspn(line + 1, " ") : 0;
	return *line == ':' && is_proxy_chain(line + 1, *ret_len);
}

/* "-A PREROUTING … -j KUBE-SERVICES" of a chain that stays. A comment may hold anything. */
static bool leads_to_proxy_chain(const char *line)
{
	if (!str_starts(line, "-A ") || is_proxy_chain(line + 3, strcspn(line + 3, " ")))
		return false;
	for (const char *at = line; (at = strstr(at, " -j ")); at++) {
		if (is_proxy_chain(at + 4, strcspn(at + 4, " ")))
			return true;
	}
	return false;
}

/* Chains are emptied first: they refer to one another. */
static void table_script(const char *head, char *const *lines, size_t n, struct str *out)
{
	AUTO_STR jumps = { 0 }, ends = { 0 };
	size_t len;

	for (size_t i = 0; i < n; i++) {
		if (declares_proxy_chain(lines[i], &len)) {
			if (!ends.len)
				str_printf(out, "%s\n", head);
			str_printf(out, ":%.*s - [0:0]\n", (int)len, lines[i] + 1);
			str_printf(&ends, "-X %.*s\n", (int)len, lines[i] + 1);
		} else if (leads_to_proxy_chain(lines[i])) {
			str_printf(&jumps, "-D %s\n", lines[i] + 3);
		}
	}
	if (ends.len)
		str_printf(out, "%s%sCOMMIT\n", str_text(&jumps), str_text(&ends));
}

void leftovers_script(const char *saved, struct str *out)
{
	char **lines = strv_split(saved, '\n');
	size_t n = strv_len(lines), start = 0;

	for (size_t i = 0; i < n; i++) {
		if (*lines[i] == '*')
			start = i;
		else if (str_eq(lines[i], "COMMIT") && *lines[start] == '*')
			table_script(lines[start], lines + start + 1, i - start - 1, out);
	}
	strv_free(lines);
}

/* ---- programs ---- */

/* Waits for the program. Returns its exit status, -1 when it cannot be run: ERR_NOT_FOUND where it
 * is not installed. */
static int run_between(char *const *argv, int in, int out, struct err *e)
{
	posix_spawn_file_actions_t files;
	int rc, status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (rc)
		return err_os(e, rc, "run %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_os(e, errno, "wait for %s", argv[0]);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int read_back(int fd, struct str *out, struct err *e)
{
	char buf[16 * 1024];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_os(e, errno, "output");
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		str_append_n(out, buf, (size_t)n);
		if (out->len > OUTPUT_MAX_BYTES)
			return err_set(e, ERR_TOO_LARGE, "output of a program");
	}
	return n < 0 ? err_os(e, errno, "output") : 0;
}

/* Files in memory: neither side waits for the other. */
static int run(char *const *argv, const char *input, struct str *output, struct err *e)
{
	AUTO_FD in = memfd_create("input", MFD_CLOEXEC);
	AUTO_FD out = memfd_create("output", MFD_CLOEXEC);
	size_t len = strlen(input);
	int status;

	if (in < 0 || out < 0)
		return err_os(e, errno, "memory file");
	if (write(in, input, len) != (ssize_t)len || lseek(in, 0, SEEK_SET) < 0)
		return err_os(e, errno, "input of %s", argv[0]);
	status = run_between(argv, in, out, e);
	if (status >= 0 && read_back(out, output, e) < 0)
		return -1;
	return status;
}

static int remove_chains(const char *save, const char *restore, struct err *e)
{
	char *const save_argv[] = { (char *)save, NULL };
	char *const restore_argv[] = { (char *)restore, "--noflush", "--wait", NULL };
	AUTO_STR saved = { 0 }, script = { 0 }, nothing = { 0 };
	int status = run(save_argv, "", &saved, e);

	if (status < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	if (status)
		return err_set(e, ERR_REMOTE, "%s ended with status %d", save, status);
	leftovers_script(str_text(&saved), &script);
	if (!script.len)
		return 0;
	status = run(restore_argv, str_text(&script), &nothing, e);
	if (status > 0)
		return err_set(e, ERR_REMOTE, "%s ended with status %d", restore, status);
	if (status == 0)
		log_info("removed kube-proxy's chains with %s", restore);
	return status;
}

static int remove_table(const char *family, struct err *e)
{
	char *const list[] = { "nft", "list", "table", (char *)family, "kube-proxy", NULL };
	char *const delete[] = { "nft", "delete", "table", (char *)family, "kube-proxy", NULL };
	AUTO_STR nothing = { 0 };
	int status = run(list, "", &nothing, e);

	if (status < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	if (status > 0) /* there is none */
		return 0;
	status = run(delete, "", &nothing, e);
	if (status > 0)
		return err_set(e, ERR_REMOTE, "nft delete table %s kube-proxy: status %d", family,
			       status);
	if (status == 0)
		log_info("removed kube-proxy's table family=%s", family);
	return status;
}

int leftovers_remove(struct err *e)
{
	/* both backends: either may have been the default when kube-proxy ran */
	static const char *const programs[][2] = {
		{ "iptables-nft-save", "iptables-nft-restore" },
		{ "ip6tables-nft-save", "ip6tables-nft-restore" },
		{ "iptables-legacy-save", "iptables-legacy-restore" },
		{ "ip6tables-legacy-save", "ip6tables-legacy-restore" },
	};
	static const char *const families[] = { "ip", "ip6" };
	int r = 0;
	struct err last;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (remove_table(families[i], &last) < 0)
			r = err_set(e, last.code, "%s", last.text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (remove_chains(programs[i][0], programs[i][1], &last) < 0)
			r = err_set(e, last.code, "%s", last.text);
	}
	return r;
}
