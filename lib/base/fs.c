/* Files and directory trees (contract in base/fs.h). Effect. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

void fs_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fs_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len, struct err *e)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_STR text = { 0 };
	struct stat st;
	char chunk[8192];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, errno, "open %s", path);
	/* a pipe that nobody writes to would hold its reader for ever */
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is not a regular file", path);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_os(e, errno, "read %s", path);
		if (text.len + (size_t)n > max_bytes)
			return err_set(e, ERR_TOO_LARGE, "%s is larger than %zu bytes", path,
				       max_bytes);
		str_append_n(&text, chunk, (size_t)n);
	}
	if (ret_len)
		*ret_len = text.len;
	*ret_text = str_take(&text);
	return 0;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	AUTO_FREE char *tmp = str_fmt("%s.tmp-%d", path, (int)gettid());
	AUTO_FD fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return err_os(e, errno, "create %s", tmp);
	r = write_all(fd, data, len);
	if (!r && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (r) {
		unlink(tmp);
		return err_os(e, -r, "write %s", path);
	}
	return 0;
}

int fs_write_named(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	AUTO_FD fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return fs_write_atomic(path, data, len, mode, e);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_os(e, errno, "open %s", path);
	r = write_all(fd, data, len);
	return r ? err_os(e, -r, "write %s", path) : 0;
}

/* What is there already is a directory, or the way to it ends here. */
static int mkdir_once(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs_mkdir_all(const char *path, mode_t mode, struct err *e)
{
	AUTO_FREE char *copy = mem_strdup(path);
	int r = 0;

	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = mkdir_once(copy, mode);
		if (r < 0)
			return err_os(e, -r, "mkdir %s", copy);
		*p = '/';
	}
	r = mkdir_once(copy, mode);
	return r < 0 ? err_os(e, -r, "mkdir %s", path) : 0;
}

/* Whoever filled the tree may have made it deeper than our stack and descriptors go: what lies
 * below DEPTH_MAX is moved up to the top and met again there. */
enum { DEPTH_MAX = 32 };

struct removal {
	int top;
	unsigned moved;
	bool again;
};

static int remove_entries(struct removal *r, int dir_fd, unsigned depth);

static int move_up(struct removal *r, int dir_fd, const char *name)
{
	int rc;

	do {
		AUTO_FREE char *to = str_fmt("..removed-%u", r->moved++);

		rc = renameat2(dir_fd, name, r->top, to, RENAME_NOREPLACE);
	} while (rc < 0 && errno == EEXIST);
	r->again = true;
	return rc < 0 ? -errno : 0;
}

/* A bind mount of the same file system is another mount, too: its files are not ours. */
static int open_same_mount(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx dir, sub;

	if (fd < 0)
		return -errno;
	if (statx(dir_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &dir) == 0 &&
	    statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sub) == 0 &&
	    dir.stx_mnt_id == sub.stx_mnt_id && dir.stx_dev_major == sub.stx_dev_major &&
	    dir.stx_dev_minor == sub.stx_dev_minor)
		return fd;
	close(fd);
	return -EBUSY;
}

static int remove_at(struct removal *r, int dir_fd, const char *name, unsigned depth)
{
	struct stat st;
	int fd, rc;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	fd = open_same_mount(dir_fd, name);
	if (fd < 0)
		return fd;
	if (depth == DEPTH_MAX) {
		close(fd);
		return move_up(r, dir_fd, name);
	}
	rc = remove_entries(r, fd, depth + 1);
	if (!rc && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

/* Takes dir_fd over and closes it. */
static int remove_entries(struct removal *r, int dir_fd, unsigned depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *d;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		close(dir_fd);
		return rc;
	}
	while (!rc && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			rc = remove_at(r, dirfd(dir), d->d_name, depth);
	}
	closedir(dir);
	return rc;
}

static int remove_tree(const char *path)
{
	AUTO_FD top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct removal r = { .top = top };
	int rc;

	if (top < 0)
		return -errno;
	do {
		/* another description: reading starts at the first entry again */
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r.again = false;
		rc = fd < 0 ? -errno : remove_entries(&r, fd, 1);
	} while (!rc && r.again);
	return !rc && rmdir(path) < 0 ? -errno : rc;
}

int fs_remove_all(const char *path, struct err *e)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_os(e, errno, "stat %s", path);
	r = S_ISDIR(st.st_mode) ? remove_tree(path) : unlink(path) < 0 ? -errno : 0;
	return r && r != -ENOENT ? err_os(e, -r, "remove %s", path) : 0;
}

int fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e)
{
	struct open_how how = {
		.flags = (unsigned long long)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? err_os(e, errno, "open %s beneath its directory", path) : (int)fd;
}

void fs_keep_open_files(void)
{
	enum { FIRST = 3 };

	close_range(FIRST, ~0U, CLOSE_RANGE_CLOEXEC);
}

void fs_nearest(const char *path, char **ret_dir, char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char *dir = !slash         ? mem_strdup(".")
		    : slash > path ? mem_strndup(path, (size_t)(slash - path))
				   : mem_strdup("/");

	if (access(dir, F_OK) == 0 || str_eq(dir, "/") || str_eq(dir, ".")) {
		*ret_dir = dir;
		*ret_name = mem_strdup(slash ? slash + 1 : path);
		return;
	}
	fs_nearest(dir, ret_dir, ret_name);
	free(dir);
}

bool fs_just_begun(const char *dir, const char *name)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, name);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}
