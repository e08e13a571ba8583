/* Rights given up (contract in base/confine.h). Effect. */
#include "base/confine.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/mem.h"

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

static bool is_kept(const cap_value_t *kept, size_t n, cap_value_t cap)
{
	for (size_t i = 0; i < n; i++) {
		if (kept[i] == cap)
			return true;
	}
	return false;
}

/* What no program that we start may have either. Needs CAP_SETPCAP: without it there is hardly
 * anything to drop. */
static void shrink_bounding_set(const cap_value_t *kept, size_t n)
{
	for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++) {
		if (!is_kept(kept, n, cap) && cap_get_bound(cap) == 1)
			(void)cap_drop_bound(cap);
	}
}

static int shrink_sets(const cap_value_t *kept, size_t n, cap_t now, cap_t wanted, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		cap_flag_value_t have = CAP_CLEAR;

		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &have) < 0 || have != CAP_SET)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0)
			return err_os(e, errno, "capabilities");
	}
	return cap_set_proc(wanted) < 0 ? err_os(e, errno, "set capabilities") : 0;
}

int confine_capabilities(const cap_value_t *kept, size_t n, struct err *e)
{
	cap_t now = cap_get_proc(), wanted = cap_init();
	int r = -1;

	shrink_bounding_set(kept, n);
	(void)cap_reset_ambient();
	if (!now || !wanted)
		err_os(e, errno, "capabilities");
	else
		r = shrink_sets(kept, n, now, wanted, e);
	cap_free(now);
	cap_free(wanted);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_os(e, errno, "no_new_privs");
	return r;
}

/* What systemd's MemoryDenyWriteExecute denies, too: the protection is the third argument, and may
 * not have all of these bits. */
static const struct {
	const char *name;
	scmp_datum_t bits;
} memory_calls[] = {
	{ "mmap", PROT_WRITE | PROT_EXEC },
	{ "mmap2", PROT_WRITE | PROT_EXEC },
	{ "mprotect", PROT_EXEC },
	{ "pkey_mprotect", PROT_EXEC },
};

static int add_memory_rule(scmp_filter_ctx filter, uint32_t action, int number, scmp_datum_t bits,
			   bool allow)
{
	int rc = 0;

	if (!allow)
		return seccomp_rule_add(filter, action, number, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, bits, bits));
	for (scmp_datum_t bit = 1; bit <= bits && rc == 0; bit <<= 1) {
		if (bits & bit)
			rc = seccomp_rule_add(filter, action, number, 1,
					      SCMP_A2(SCMP_CMP_MASKED_EQ, bit, 0));
	}
	return rc;
}

static int add_memory_rules(scmp_filter_ctx filter, uint32_t action, bool allow, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(memory_calls); i++) {
		int number = seccomp_syscall_resolve_name(memory_calls[i].name), rc = 0;

		if (number >= 0)
			rc = add_memory_rule(filter, action, number, memory_calls[i].bits, allow);
		if (rc < 0)
			return err_os(e, -rc, "system call filter: %s", memory_calls[i].name);
	}
	return 0;
}

static int add_rules(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n,
		     struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]), rc = 0;

		if (number >= 0)
			rc = seccomp_rule_add(filter, action, number, 0);
		if (rc < 0)
			return err_os(e, -rc, "system call filter: %s", names[i]);
	}
	return 0;
}

int confine_calls(enum confine_list kind, const char *const *names, size_t n, struct err *e)
{
	bool allow = kind == CONFINE_ALLOW;
	uint32_t others = allow ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW;
	uint32_t listed = allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx filter = SANITIZED ? NULL : seccomp_init(others);
	int rc = 0, r;

	if (SANITIZED)
		return 0;
	if (!filter)
		return err_set(e, ERR_INTERNAL, "system call filter");
	r = add_rules(filter, listed, names, n, e);
	if (r == 0)
		r = add_memory_rules(filter, listed, allow, e);
	if (r == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0 && rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		r = err_os(e, -rc, "system call filter");
	seccomp_release(filter);
	return r;
}
