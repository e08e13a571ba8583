/* Errors: a code that decides behaviour and a sentence that a person reads.
 *
 * struct err lives on the caller's stack and owns nothing. The function that fails fills it and
 * returns -1; each level that adds a noun wraps it ("volume tls: mount /x: Permission denied").
 * Whoever drops the error logs it, once. Behaviour depends on the code only, never on the text.
 */
#pragma once

#include <stdarg.h>

enum err_code {
	ERR_NONE = 0,
	ERR_INVALID, /* input breaks its contract: a field, a flag, a frame */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_CONFLICT,     /* a precondition did not hold (resourceVersion, UID) */
	ERR_GONE,         /* the version asked for is no longer kept (HTTP 410) */
	ERR_UNAUTHORIZED, /* no or bad credentials */
	ERR_FORBIDDEN,
	ERR_UNAVAILABLE, /* the peer cannot be reached or says so; trying later may help */
	ERR_BUSY,        /* the peer asks to slow down (HTTP 429) */
	ERR_TIMEOUT,
	ERR_CANCELLED,
	ERR_UNIMPLEMENTED,
	ERR_TOO_LARGE,
	ERR_IO,     /* the operating system refused; os holds errno */
	ERR_REMOTE, /* the peer failed for a reason of its own */
	ERR_INTERNAL,
	ERR_CODE_COUNT
};

struct err {
	enum err_code code;
	int os; /* errno behind ERR_IO and its kin, else 0 */
	char text[1000];
};

/* Both return -1, so that a caller writes: return err_set(e, …). e may be NULL: the error is then
 * only a return value. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
/* Appends ": <strerror>"; ENOENT, EEXIST, EACCES/EPERM, ETIMEDOUT and ECONNREFUSED get their own
 * codes, all else ERR_IO. */
int err_os(struct err *e, int os_error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "<noun>: " in front of the text. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *e);
const char *err_code_name(enum err_code code);
