/* Gives up rights of this process, for good: capabilities and system calls. Effect.
 *
 * Capabilities belong to a thread: give them up before there are others. Programs that the process
 * starts inherit all of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>

#include "base/err.h"

/* Keeps these of the capabilities it has, and sets no_new_privs. What is missing is no error: who
 * cannot act is told so by the kernel. */
int confine_capabilities(const cap_value_t *kept, size_t n, struct err *e);

enum confine_list {
	CONFINE_ALLOW, /* all but these fail with ENOSYS: libraries know what to do then */
	CONFINE_DENY,  /* these fail with EPERM */
};

/* For all threads. Memory that can be written can't be made to run, whatever is listed; the calls
 * that map and protect memory are therefore not for the list. A name that this architecture does
 * not have is passed over. Does nothing in builds with sanitizers, which make calls of their own.
 */
int confine_calls(enum confine_list kind, const char *const *names, size_t n, struct err *e);
