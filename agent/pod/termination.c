/* Termination messages (contract in termination.h). Effect. */
#include "termination.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/codec.h"

enum {
	MESSAGE_MAX_BYTES = 4096,
	LOG_TAIL_BYTES = 2048,
	LOG_TAIL_LINES = 80,
	LOG_READ_BYTES = 16384,
};

static void append(struct str *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i])
			str_append_c(out, bytes[i]);
		else
			str_append(out, CODEC_NUL);
	}
}

/* The last max bytes of a regular file; NULL when it cannot be read. */
static char *read_tail(const char *path, size_t max, size_t *ret_len)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *buf;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	buf = mem_calloc(max + 1, 1);
	n = pread(fd, buf, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
	*ret_len = n > 0 ? (size_t)n : 0;
	buf[*ret_len] = '\0';
	return buf;
}

/* "time stream tag text": returns the text, or NULL for a line that is not of that form. */
static const char *log_text(const char *line, const char *end, bool *ret_partial)
{
	const char *p = line;

	for (int field = 0; field < 3; field++) {
		const char *space = memchr(p, ' ', (size_t)(end - p));

		if (!space)
			return NULL;
		if (field == 2)
			*ret_partial = *p == 'P';
		p = space + 1;
	}
	return p;
}

char *termination_log_tail(const char *raw, size_t len, size_t max_lines, size_t max_bytes)
{
	struct str out = { 0 };
	const char *end = raw + len, *start;
	size_t lines = 0;

	/* back to the start of the first wanted line */
	start = len && end[-1] == '\n' ? end - 1 : end;
	while (start > raw && lines < max_lines) {
		start--;
		lines += *start == '\n';
	}
	if (start > raw || (len && *start == '\n'))
		start++;
	while (start < end) {
		const char *eol = memchr(start, '\n', (size_t)(end - start));
		bool partial = false;
		const char *text = log_text(start, eol ? eol : end, &partial);

		if (text)
			append(&out, text, (size_t)((eol ? eol : end) - text));
		if (text && !partial)
			str_append_c(&out, '\n');
		start = eol ? eol + 1 : end;
	}
	if (out.len > max_bytes) {
		memmove(out.p, out.p + out.len - max_bytes, max_bytes);
		out.len = max_bytes;
		out.p[out.len] = '\0';
	}
	return str_take(&out);
}

static char *message_from_log(const struct obs_container *c)
{
	size_t len;
	AUTO_FREE char *raw =
	    str_empty(c->log_path) ? NULL : read_tail(c->log_path, LOG_READ_BYTES, &len);

	return raw ? termination_log_tail(raw, len, LOG_TAIL_LINES, LOG_TAIL_BYTES) : NULL;
}

void termination_read_message(struct obs_container *c)
{
	bool failed = c->exit_code != 0;
	size_t len = 0;
	AUTO_FREE char *raw = NULL;
	AUTO_FREE char *text = NULL;
	struct str message = { 0 };

	if (c->termination_log_path)
		raw = read_tail(c->termination_log_path, MESSAGE_MAX_BYTES, &len);
	if (raw)
		append(&message, raw, len);
	text = str_take(&message);
	if (str_empty(text) && failed && str_eq(c->termination_policy, "FallbackToLogsOnError")) {
		free(text);
		text = message_from_log(c);
	}
	if (str_empty(text))
		return;
	free(c->message);
	c->message = TAKE(text);
}
