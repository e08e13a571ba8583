/* Logging: one line per event to stderr, key=value tail, klog-compatible verbosity.
 *
 * Lines look like klog's text format (severity letter, date, pid, file:line) because log collectors
 * of nodes parse that. Repeats of an identical line within a minute are counted, not printed
 * (log_flush_repeats prints the count).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

/* verbosity as klog's -v; set once by main before threads start */
void log_init(const char *program, int verbosity);
void log_set_verbosity(int verbosity);
int log_verbosity(void);
void log_write(enum log_level level, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* lines actually written since start: tests bound how chatty a fault makes us */
unsigned long log_lines_written(void);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __FILE__, __LINE__, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_v(level, ...) \
	do { \
		if (log_verbosity() >= (level)) \
			log_write(LOG_LEVEL_INFO, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)
/* drops an error: logs its sentence behind the given noun phrase */
#define log_err(e, ...) log_dropped(LOG_LEVEL_ERROR, __FILE__, __LINE__, (e), __VA_ARGS__)
#define log_err_warning(e, ...) log_dropped(LOG_LEVEL_WARNING, __FILE__, __LINE__, (e), __VA_ARGS__)
void log_dropped(enum log_level level, const char *file, int line, const struct err *e,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
