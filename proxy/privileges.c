/* Privileges of the proxy (contract in privileges.h). Effect. */
#include "privileges.h"

#include "base/confine.h"
#include "base/mem.h"

static const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

int privileges_drop(struct err *e)
{
	return confine_capabilities(kept, ARRAY_SIZE(kept), e);
}

/* clang-format off */
static const char *const allowed[] = {
	/* memory and threads of the resolver */
	"brk", "munmap", "mremap", "madvise", "futex", "set_robust_list",
	"rseq", "set_tid_address", "clone", "clone3", "exit", "exit_group", "sched_yield",
	"sched_getaffinity", "membarrier", "arch_prctl", "prctl",
	/* files: configuration, credentials, /proc, sysctls */
	"read", "readv", "pread64", "write", "writev", "lseek", "open", "openat", "close", "stat",
	"fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents64", "fcntl", "ioctl", "dup", "uname",
	"close_range",
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
	/* a credential plugin: its end is waited for, or made */
	"pidfd_open", "waitid", "wait4", "kill",
	/* facts about ourselves */
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "capget",
	"getrandom", "getrusage", "getrlimit", "prlimit64", "sysinfo", "times",
};
/* clang-format on */

int privileges_filter(struct err *e)
{
	return confine_calls(CONFINE_ALLOW, allowed, ARRAY_SIZE(allowed), e);
}
