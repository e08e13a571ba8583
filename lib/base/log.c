/* Log lines to stderr (contract in base/log.h). Effect; owns the only mutable globals of the
 * library. */
#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT_SLOTS = 64, REPEAT_WINDOW_SEC = 60, LINE_MAX_BYTES = 2048, READER_WAIT_MSEC = 100 };

struct repeat {
	unsigned hash;
	unsigned count;
	time_t since;
};

static struct {
	pthread_mutex_t lock;
	const char *program;
	int verbosity;
	unsigned long lines, lost;
	struct repeat repeats[REPEAT_SLOTS];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .program = "keelson" };

void log_init(const char *program, int verbosity)
{
	state.program = program;
	state.verbosity = verbosity;
}

void log_set_verbosity(int verbosity)
{
	state.verbosity = verbosity;
}

int log_verbosity(void)
{
	return state.verbosity;
}

unsigned long log_lines_written(void)
{
	return state.lines;
}

static unsigned hash_text(const char *s)
{
	unsigned h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* Returns how many equal lines were swallowed before this one, or -1 to swallow this one too. */
static int repeat_check(const char *text, time_t now)
{
	unsigned hash = hash_text(text);
	struct repeat *r = &state.repeats[hash % REPEAT_SLOTS];
	int swallowed = 0;

	if (r->hash == hash && now - r->since < REPEAT_WINDOW_SEC) {
		r->count++;
		return -1;
	}
	if (r->hash == hash)
		swallowed = (int)r->count;
	*r = (struct repeat){ .hash = hash, .since = now };
	return swallowed;
}

/* A reader that is stuck must not hold the daemon: a pipe that can be written to has room for a
 * line of ours, and one that cannot is given a moment. */
static bool has_reader(void)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&fd, 1, state.lost ? 0 : READER_WAIT_MSEC) != 0;
}

static void emit(enum log_level level, const char *file, int line, const char *text, int swallowed)
{
	static const char letters[] = "EWI";
	const char *base = strrchr(file, '/');
	char out[LINE_MAX_BYTES + 256];
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = (size_t)snprintf(out, sizeof(out), "%c%02d%02d %02d:%02d:%02d.%06ld %7d %s:%d] %s",
			     letters[level], tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			     tm.tm_sec, now.tv_nsec / 1000, (int)getpid(), base ? base + 1 : file,
			     line, text);
	if (n >= sizeof(out))
		n = sizeof(out) - 1;
	if (swallowed > 0 && n < sizeof(out) - 40)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " repeated=%d", swallowed);
	if (state.lost && n < sizeof(out) - 40)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " lost=%lu", state.lost);
	if (n > sizeof(out) - 2)
		n = sizeof(out) - 2;
	out[n++] = '\n';
	/* a full or closed stderr must not stop the daemon */
	if (!has_reader() || write(STDERR_FILENO, out, n) < 0) {
		state.lost++;
		return;
	}
	state.lost = 0;
	state.lines++;
}

static void log_text(enum log_level level, const char *file, int line, char *text)
{
	struct timespec now;
	int swallowed = 0;

	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&state.lock);
	if (level != LOG_LEVEL_INFO)
		swallowed = repeat_check(text, now.tv_sec);
	if (swallowed >= 0)
		emit(level, file, line, text, swallowed);
	pthread_mutex_unlock(&state.lock);
}

void log_write(enum log_level level, const char *file, int line, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_text(level, file, line, text);
}

void log_dropped(enum log_level level, const char *file, int line, const struct err *e,
		 const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	size_t n;
	int w;

	va_start(ap, fmt);
	w = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = w < 0 ? 0 : (size_t)w < sizeof(text) ? (size_t)w : sizeof(text) - 1;
	snprintf(text + n, sizeof(text) - n, ": %s code=%s", e->text, err_code_name(e->code));
	log_text(level, file, line, text);
}
