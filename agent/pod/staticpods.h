/* Pods that files of this node or a web server say, with or without an API server. Effect.
 *
 *   path ─inotify, every fileCheckFrequency→ job reads ─┬→ manifest_read (PURE) → podset
 *   URL ─every httpCheckFrequency→ staticurl ───────────┘
 *
 * The path is a directory (one pod a file, names that begin with a dot passed over) or one file; it
 * may come later. A file that turns wrong keeps its pod until the next periodic look, so that half
 * a write ends nothing. Of two files that say the same pod the last one by name counts; a file
 * counts more than the URL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conf/value.h"
#include "podenvironment.h"

struct staticpods;

/* Strings may be empty or NULL: that source is then read at once. They and headers outlive it. */
struct staticpods_setup {
	const char *path, *url;
	const struct config_pairs *headers;
	int64_t file_period_usec, url_period_usec;
};
struct staticpods *staticpods_new(struct pod_environment *env,
				  const struct staticpods_setup *setup);
void staticpods_free(struct staticpods *s);
/* The runtime has answered, and the cgroups of pods are there: files are read from now on. What
 * runs already was perhaps begun by a kubelet. */
void staticpods_start(struct staticpods *s);
/* A pod is gone for good: a file may bring its UID back. NULL is fine. */
void staticpods_again(struct staticpods *s);
