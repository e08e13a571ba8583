/* Privileges of the agent (contract in privileges.h). Effect. */
#include "privileges.h"

#include "base/confine.h"
#include "base/log.h"
#include "base/mem.h"

/* clang-format off: a table */
static const struct {
	cap_value_t cap;
	const char *name, *why;
} kept[] = {
	{ CAP_CHOWN, "CHOWN", "files of volumes belong to the pod's user and group" },
	{ CAP_DAC_OVERRIDE, "DAC_OVERRIDE", "volumes, logs and sockets that belong to others" },
	{ CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH", "the same, to read" },
	{ CAP_FOWNER, "FOWNER", "modes of files that belong to pods" },
	{ CAP_FSETID, "FSETID", "directories of volumes hand down their group" },
	{ CAP_KILL, "KILL", "processes that a dead pod left in its cgroup" },
	{ CAP_NET_BIND_SERVICE, "NET_BIND_SERVICE", "a server port below 1024" },
	{ CAP_SYS_ADMIN, "SYS_ADMIN", "mounts of volumes" },
	{ CAP_SYS_RESOURCE, "SYS_RESOURCE", "own OOM score and limits" },
};
/* clang-format on */

int privileges_drop(struct err *e)
{
	cap_value_t caps[ARRAY_SIZE(kept)];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		caps[i] = kept[i].cap;
		log_v(2, "keeps CAP_%s: %s", kept[i].name, kept[i].why);
	}
	return confine_capabilities(caps, ARRAY_SIZE(caps), e);
}

/* clang-format off */
static const char *const denied[] = {
	/* another kernel, or other parts in it */
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"create_module", "bpf", "perf_event_open", "userfaultfd", "lookup_dcookie", "iopl",
	"ioperm", "modify_ldt", "_sysctl", "nfsservctl", "uselib", "vserver",
	/* the machine */
	"reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "sethostname",
	"setdomainname", "syslog", "vhangup",
	/* its clock */
	"settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64",
	"adjtimex", "stime",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
	"process_madvise", "move_pages", "migrate_pages", "shmat",
	/* namespaces and roots: the runtime's work */
	"unshare", "setns", "chroot", "pivot_root",
	/* keys; handles that pass by permissions; queues that pass by this filter */
	"add_key", "request_key", "keyctl", "open_by_handle_at", "fanotify_init",
	"io_uring_setup", "io_uring_enter", "io_uring_register", "personality", "seccomp",
	/* other users */
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"setfsuid", "setfsgid",
};
/* clang-format on */

int privileges_filter(struct err *e)
{
	return confine_calls(CONFINE_DENY, denied, ARRAY_SIZE(denied), e);
}

bool privileges_kept_at(size_t i, const char **ret_name, const char **ret_why)
{
	if (i >= ARRAY_SIZE(kept))
		return false;
	*ret_name = kept[i].name;
	*ret_why = kept[i].why;
	return true;
}

const char *privileges_denied_at(size_t i)
{
	return i < ARRAY_SIZE(denied) ? denied[i] : NULL;
}
