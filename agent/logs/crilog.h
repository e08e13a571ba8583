/* The CRI log format: "TIME stdout|stderr TAGS CONTENT\n" and what readers ask of it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum crilog_stream { CRILOG_STDOUT = 1, CRILOG_STDERR = 2 };

struct crilog {
	int64_t time_nsec;
	const char *stamp; /* its text */
	size_t stamp_len;
	enum crilog_stream stream;
	const char *content; /* with its newline, unless the line is partial */
	size_t content_len;
};

/* line: with its newline if it has one. Returns false for anything else. */
bool crilog_parse(const char *line, size_t len, struct crilog *ret);
/* RFC 3339 with up to nine digits of fraction, in nanoseconds since 1970. */
bool crilog_time(const char *text, size_t len, int64_t *ret_nsec);

struct crilog_options {
	bool timestamps;
	int64_t tail_lines;  /* < 0: all */
	int64_t limit_bytes; /* < 0: none */
	int64_t since_nsec;  /* INT64_MIN: none */
	unsigned streams;    /* CRILOG_STDOUT | CRILOG_STDERR */
};

/* Turns parsed lines into what the reader gets. Zero-initialise, then set options. */
struct crilog_writer {
	struct crilog_options options;
	int64_t written_bytes;
	bool inside_line; /* the last one written was partial: no time stamp in front of the next */
};

/* Returns false when the byte limit is reached: nothing more will come. */
bool crilog_write(struct crilog_writer *w, const struct crilog *line, struct str *out);
