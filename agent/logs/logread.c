/* Log file reader (contract in logread.h). Effect. */
#include "logread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	BLOCK_BYTES = 64 * 1024,
	PIECE_BYTES = 256 * 1024,
	LINE_MAX_BYTES = 1024 * 1024, /* the runtimes cut at 16 KiB */
};

struct logread {
	char *path;
	int fd;
	off_t at; /* in the file: behind `pending` */
	struct crilog_writer writer;
	struct str pending; /* read, not yet a whole line */
	bool format_known, done;
	int64_t lines_left; /* of a tail without follow; < 0: no bound */
};

void logread_free(struct logread *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	str_fini(&r->pending);
	free(r->path);
	free(r);
}

const char *logread_path(const struct logread *r)
{
	return r->path;
}

static ssize_t read_at(int fd, char *buf, size_t len, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, at);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Where the last `lines` whole lines of the file start; an unfinished one comes on top of them. */
static int find_tail(const struct logread *r, int64_t lines, off_t *ret, struct err *e)
{
	AUTO_FREE char *buf = mem_calloc(BLOCK_BYTES, 1);
	off_t end = lseek(r->fd, 0, SEEK_END);
	int64_t seen = 0;

	if (end < 0)
		return err_os(e, errno, "seek");
	while (end > 0) {
		off_t start = end > BLOCK_BYTES ? end - BLOCK_BYTES : 0;
		ssize_t n = read_at(r->fd, buf, (size_t)(end - start), start);

		if (n < 0)
			return err_os(e, errno, "read");
		for (ssize_t i = n - 1; i >= 0; i--)
			if (buf[i] == '\n' && seen++ == lines) {
				*ret = start + i + 1;
				return 0;
			}
		end = start;
	}
	*ret = 0;
	return 0;
}

int logread_open(const char *path, const struct crilog_options *options, struct logread **ret,
		 struct err *e)
{
	struct logread *r = NEW(struct logread);

	r->fd = -1;
	r->writer.options = *options;
	r->lines_left = options->tail_lines;
	r->path = realpath(path, NULL);
	if (!r->path) {
		err_os(e, errno, "failed to try resolving symlinks in path \"%s\"", path);
		logread_free(r);
		return -1;
	}
	r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (r->fd < 0) {
		err_os(e, errno, "failed to open log file \"%s\"", r->path);
		logread_free(r);
		return -1;
	}
	if (options->tail_lines >= 0 && find_tail(r, options->tail_lines, &r->at, e) < 0) {
		err_wrap(e, "failed to tail %lld lines of log file \"%s\"",
			 (long long)options->tail_lines, r->path);
		logread_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

/* One line, or what there is of the last one. */
static int take_line(struct logread *r, const char *line, size_t len, struct str *out,
		     struct err *e)
{
	struct crilog l;

	if (!crilog_parse(line, len, &l)) {
		if (!r->format_known)
			return err_set(e, ERR_INVALID,
				       "failed to get parse function: unsupported log format: "
				       "\"%.*s\"",
				       (int)(len < 200 ? len : 200), line);
		log_v(2, "line of a log file is not in the CRI format path=%s", r->path);
		return 0;
	}
	r->format_known = true;
	if (!crilog_write(&r->writer, &l, out))
		r->done = true;
	if (r->lines_left > 0)
		r->lines_left--;
	return 0;
}

static bool tail_satisfied(const struct logread *r)
{
	return r->lines_left == 0;
}

/* Takes the whole lines out of `pending`. */
static int take_lines(struct logread *r, struct str *out, struct err *e)
{
	char *start = r->pending.p, *end = start + r->pending.len, *newline;

	while (start < end && !r->done && !tail_satisfied(r)) {
		size_t left = (size_t)(end - start), len = left;

		newline = memchr(start, '\n', left);
		if (newline)
			len = (size_t)(newline - start) + 1;
		else if (left < LINE_MAX_BYTES)
			break;
		if (take_line(r, start, len, out, e) < 0)
			return -1;
		start += len;
	}
	r->pending.len = (size_t)(end - start);
	memmove(r->pending.p, start, r->pending.len);
	r->pending.p[r->pending.len] = '\0';
	return 0;
}

/* The path names another file now, or this one was cut: start again there. Returns 1 if so. */
static int switch_file(struct logread *r)
{
	struct stat now, ours;
	int fd;

	if (fstat(r->fd, &ours) == 0 && ours.st_size < r->at) {
		r->at = 0;
		str_reset(&r->pending);
		return 1;
	}
	if (stat(r->path, &now) < 0 || (now.st_ino == ours.st_ino && now.st_dev == ours.st_dev))
		return 0;
	fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return 0;
	close(r->fd);
	r->fd = fd;
	r->at = 0;
	str_reset(&r->pending);
	return 1;
}

/* Everything that is in the file was read. */
static int at_end(struct logread *r, bool follow, struct str *out, struct err *e)
{
	if (follow)
		return switch_file(r) ? LOGREAD_MORE : LOGREAD_END;
	if (r->pending.len && take_line(r, r->pending.p, r->pending.len, out, e) < 0)
		return -1;
	str_reset(&r->pending);
	return LOGREAD_END;
}

int logread_next(struct logread *r, bool follow, struct str *out, struct err *e)
{
	AUTO_FREE char *buf = mem_calloc(BLOCK_BYTES, 1);

	/* a tail says where a followed log starts, not where it ends */
	if (follow)
		r->lines_left = -1;
	for (size_t seen = 0; seen < PIECE_BYTES;) {
		ssize_t n;

		if (r->done || tail_satisfied(r))
			return LOGREAD_DONE;
		n = read_at(r->fd, buf, BLOCK_BYTES, r->at);
		if (n < 0)
			return err_os(e, errno, "failed to read log file \"%s\"", r->path);
		if (n == 0)
			return at_end(r, follow, out, e);
		r->at += n;
		seen += (size_t)n;
		str_append_n(&r->pending, buf, (size_t)n);
		if (take_lines(r, out, e) < 0)
			return -1;
	}
	return LOGREAD_MORE;
}
