/* Privileges of the proxy (contract in privileges.h). Effect. */
#include "privileges.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/mem.h"

static const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

static bool is_kept(cap_value_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i] == cap)
			return true;
	}
	return false;
}

/* What no program that we start may have either. Needs CAP_SETPCAP: without it there is hardly
 * anything to drop. */
static void shrink_bounding_set(void)
{
	for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++) {
		if (!is_kept(cap) && cap_get_bound(cap) == 1)
			(void)cap_drop_bound(cap);
	}
}

static int shrink_sets(cap_t now, cap_t wanted, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		cap_flag_value_t have = CAP_CLEAR;

		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &have) < 0 || have != CAP_SET)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0)
			return err_os(e, errno, "capabilities");
	}
	return cap_set_proc(wanted) < 0 ? err_os(e, errno, "set capabilities") : 0;
}

int privileges_drop(struct err *e)
{
	cap_t now = cap_get_proc(), wanted = cap_init();
	int r = -1;

	shrink_bounding_set();
	(void)cap_reset_ambient();
	if (!now || !wanted)
		err_os(e, errno, "capabilities");
	else
		r = shrink_sets(now, wanted, e);
	cap_free(now);
	cap_free(wanted);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_os(e, errno, "no_new_privs");
	return r;
}

/* ---- system calls ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* clang-format off */
static const char *const allowed[] = {
	/* memory and threads of the resolver */
	"brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "futex", "set_robust_list",
	"rseq", "set_tid_address", "clone", "clone3", "exit", "exit_group", "sched_yield",
	"sched_getaffinity", "membarrier", "arch_prctl", "prctl",
	/* files: configuration, credentials, /proc, sysctls */
	"read", "readv", "pread64", "write", "writev", "lseek", "open", "openat", "close", "stat",
	"fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents64", "fcntl", "ioctl", "dup", "uname",
	/* a file that is written: the CNI configuration */
	"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "fsync",
	"fdatasync", "ftruncate", "fchmod", "fchmodat", "umask",
	/* sockets: the API server, our servers, netlink, the supervisor */
	"socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "shutdown",
	"getsockname", "getpeername", "getsockopt", "setsockopt", "sendto", "sendmsg", "sendmmsg",
	"recvfrom", "recvmsg", "recvmmsg",
	/* the loop: descriptors, timers, signals */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll",
	"ppoll", "select", "pselect6", "eventfd2", "pipe2", "timerfd_create", "timerfd_settime",
	"timerfd_gettime", "signalfd4", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
	"tgkill", "restart_syscall", "nanosleep", "clock_nanosleep", "clock_gettime",
	"clock_getres", "gettimeofday", "time",
	/* facts about ourselves */
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "capget",
	"getrandom", "getrusage", "getrlimit", "prlimit64", "sysinfo", "times",
};
/* clang-format on */

/* A name that this architecture does not have is passed over. */
static int allow(scmp_filter_ctx filter, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]), rc = 0;

		if (number >= 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (rc < 0)
			return err_os(e, -rc, "system call filter: %s", allowed[i]);
	}
	return 0;
}

int privileges_filter(struct err *e)
{
	/* as on a kernel without the call: libraries know what to do then */
	scmp_filter_ctx filter = SANITIZED ? NULL : seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = 0, r = 0;

	if (SANITIZED)
		return 0;
	if (!filter)
		return err_set(e, ERR_INTERNAL, "system call filter");
	r = allow(filter, e);
	if (r == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		r = err_os(e, -rc, "system call filter");
	seccomp_release(filter);
	return r;
}
