/* Pods that files of this node say, with or without an API server. Effect.
 *
 *   path ─inotify, every fileCheckFrequency→ job reads → manifest_read (PURE) → podset
 *
 * The path is a directory (one pod a file, names that begin with a dot passed over) or one file; it
 * may come later. A file that turns wrong keeps its pod until the next periodic look, so that half
 * a write ends nothing. Of two files that say the same pod the last one by name counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "podenvironment.h"

struct staticpods;

/* path empty: there are none, and the source is read at once. */
struct staticpods *staticpods_new(struct pod_environment *env, const char *path,
				  int64_t period_usec);
void staticpods_free(struct staticpods *s);
/* The runtime has answered, and the cgroups of pods are there: files are read from now on. What
 * runs already was perhaps begun by a kubelet. */
void staticpods_start(struct staticpods *s);
/* A static pod is gone for good: a file may bring it back. NULL is fine. */
void staticpods_again(struct staticpods *s);
