/* Error values (contract in base/err.h). Pure. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[ERR_CODE_COUNT] = {
	[ERR_NONE] = "none",
	[ERR_INVALID] = "invalid",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_EXISTS] = "exists",
	[ERR_CONFLICT] = "conflict",
	[ERR_GONE] = "gone",
	[ERR_UNAUTHORIZED] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_BUSY] = "busy",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CANCELLED] = "cancelled",
	[ERR_UNIMPLEMENTED] = "unimplemented",
	[ERR_TOO_LARGE] = "too-large",
	[ERR_IO] = "io",
	[ERR_REMOTE] = "remote",
	[ERR_INTERNAL] = "internal",
};

const char *err_code_name(enum err_code code)
{
	return (unsigned)code < ERR_CODE_COUNT ? code_names[code] : "unknown";
}

void err_clear(struct err *e)
{
	if (!e)
		return;
	e->code = ERR_NONE;
	e->os = 0;
	e->text[0] = '\0';
}

int err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	char text[sizeof(e->text)];

	if (!e)
		return -1;
	/* through a copy: the arguments may point into e->text */
	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(e->text, text, sizeof(text));
	e->code = code;
	e->os = 0;
	return -1;
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	return -1;
}

static enum err_code code_of_errno(int os_error)
{
	switch (os_error) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_FORBIDDEN;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
		return ERR_UNAVAILABLE;
	case ECANCELED:
		return ERR_CANCELLED;
	default:
		return ERR_IO;
	}
}

int err_os(struct err *e, int os_error, const char *fmt, ...)
{
	char noun[sizeof(e->text) / 2];
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(noun, sizeof(noun), fmt, ap);
	va_end(ap);
	err_set(e, code_of_errno(os_error), "%s: %s", noun,
		strerror_r(os_error, reason, sizeof(reason)));
	if (e)
		e->os = os_error;
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;
	size_t used;
	int n;

	if (!e)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	used = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	snprintf(text + used, sizeof(text) - used, ": %s", e->text);
	memcpy(e->text, text, sizeof(text));
	return -1;
}
