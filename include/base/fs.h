/* Files: whole-file reads with a bound, atomic writes, directory trees. Effect; blocking: call from
 * jobs for anything that is not a small file of our own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads a whole regular file of at most max_bytes; *ret_text is NUL-terminated behind *ret_len
 * bytes. ret_len may be NULL. */
int fs_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len, struct err *e);
/* Writes beside the target, fsyncs and renames over it. */
int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e);
/* For a path that a person names: a regular file, or one that is new, as fs_write_atomic does; what
 * is a device, a pipe or a link is written to and stays what it is. */
int fs_write_named(const char *path, const void *data, size_t len, mode_t mode, struct err *e);
/* mkdir -p; the mode applies to directories that it makes. An existing directory is success. */
int fs_mkdir_all(const char *path, mode_t mode, struct err *e);
/* Deletes a tree without following symbolic links or crossing into another mount. A missing path is
 * success. */
int fs_remove_all(const char *path, struct err *e);
/* Opens a path below dir_fd that no symbolic link or ".." leads out of (openat2 RESOLVE_BENEATH).
 * Returns fd or -1. */
int fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e);
/* The deepest directory on the way to path that exists, and the name in it that leads on; heap. For
 * watching what may not be there yet. */
void fs_nearest(const char *path, char **ret_dir, char **ret_name);
/* Whoever makes a file writes it next and closes it; links and directories are complete. */
bool fs_just_begun(const char *dir, const char *name);
void fs_closep(int *fd);

#define AUTO_FD CLEANUP(fs_closep) int
/* Descriptors that a library opened without O_CLOEXEC: from now on no program that this process
 * starts gets what is open now (but 0, 1 and 2). */
void fs_keep_open_files(void);
