/* Reads one container's log file, piece by piece, as it grows and is rotated. Effect; blocking:
 * call from jobs. One thread at a time.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "crilog.h"

struct logread;

int logread_open(const char *path, const struct crilog_options *options, struct logread **ret,
		 struct err *e);
void logread_free(struct logread *r);
/* Where the file really is: the directory to watch is its. */
const char *logread_path(const struct logread *r);

enum logread_state {
	LOGREAD_MORE, /* call again */
	LOGREAD_END,  /* all that is in the file now was read */
	LOGREAD_DONE, /* nothing more will ever be asked for: a limit is reached */
};

/* Appends at most a few hundred KiB to out. follow: an unfinished last line waits for its end, and
 * a file that replaced this one is read from its start. Returns the state, < 0 on failure. */
int logread_next(struct logread *r, bool follow, struct str *out, struct err *e);
