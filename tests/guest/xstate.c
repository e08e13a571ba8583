/* Before user mode Linux (LD_PRELOAD): processors with AMX.
 *
 * It keeps 2,696 bytes of each guest process's extended registers, which is all but AMX's tiles, and
 * the kernel outside takes them back only as the whole: 11,008 bytes on such a processor, else EFAULT.
 * Guests use no tiles, so what is missing is what the process has.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { XSTATE_MAX_BYTES = 32768 };

typedef long ptrace_fn(enum __ptrace_request request, pid_t pid, void *addr, void *data);

static ptrace_fn *real_ptrace(void)
{
	static ptrace_fn *fn;

	if (!fn)
		fn = (ptrace_fn *)dlsym(RTLD_NEXT, "ptrace");
	return fn;
}

static long set_whole(pid_t pid, void *addr, const struct iovec *part)
{
	/* not on the stack: the guest's kernel has 16 KiB of it; there is one thread */
	static unsigned char whole[XSTATE_MAX_BYTES];
	struct iovec v = { whole, sizeof(whole) };

	if (real_ptrace()(PTRACE_GETREGSET, pid, addr, &v) < 0)
		return -1;
	if (part->iov_len < v.iov_len)
		memcpy(whole, part->iov_base, part->iov_len);
	else
		v = *part;
	return real_ptrace()(PTRACE_SETREGSET, pid, addr, &v);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t pid;
	void *addr, *data;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return set_whole(pid, addr, data);
	return real_ptrace()(request, pid, addr, data);
}
