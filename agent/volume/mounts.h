/* Directories and mounts behind volumes. Effect; blocking: from jobs only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "emptydir.h"

/* tmpfs of at most size_bytes (0: the kernel's default) on dir, unless it is mounted already. */
int mounts_tmpfs(const char *dir, int64_t size_bytes, struct err *e);
bool mounts_is_mount(const char *path);
/* Unmounts everything at or below path, deepest first. */
int mounts_unmount_below(const char *path, struct err *e);
/* An emptyDir: mode 0777, group fs_group with the setgid bit when it is >= 0. */
int mounts_empty_dir(const char *dir, const struct emptydir *what, int64_t fs_group, struct err *e);
/* Checks (and for …OrCreate makes) a hostPath of that type. */
int mounts_host_path(const char *path, const char *type, struct err *e);
