/* Atomic switch of a volume's content (contract in atomicwriter.h). Effect. */
#include "atomicwriter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define DATA_LINK "..data"
#define NEW_LINK "..data_tmp"

static char *version_name(void)
{
	time_t now = time(NULL);
	uint32_t random = 0;
	struct tm tm;
	char stamp[32];

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "..%Y_%m_%d_%H_%M_%S", &tm);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)getpid();
	return str_fmt("%s.%u", stamp, random);
}

static char *current_version(int dir)
{
	char target[256];
	ssize_t n = readlinkat(dir, DATA_LINK, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	/* only a name of ours below this directory counts */
	return str_starts(target, "..") && !strchr(target, '/') ? mem_strdup(target) : NULL;
}

static bool same_file(int version, const struct payload_file *f, mode_t mode)
{
	AUTO_FD fd = openat(version, f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FREE uint8_t *have = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size != f->len ||
	    (st.st_mode & 07777) != mode)
		return false;
	have = mem_calloc(f->len + 1, 1);
	return read(fd, have, f->len + 1) == (ssize_t)f->len && !memcmp(have, f->data, f->len);
}

static size_t count_files(int dir)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	size_t n = 0;

	if (list)
		rewinddir(list);
	while (list && (d = readdir(list))) {
		struct stat st;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (fstatat(dirfd(list), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode)) {
			AUTO_FD sub = openat(dirfd(list), d->d_name,
					     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			n += sub < 0 ? 0 : count_files(sub);
		} else {
			n++;
		}
	}
	if (list)
		closedir(list);
	return n;
}

/* The mode a file ends up with: an fsGroup may read it. */
static mode_t final_mode(const struct payload_file *f, int64_t fs_group)
{
	return fs_group >= 0 ? f->mode | 0440 : f->mode;
}

static bool same_content(int dir, const char *version, const struct payload *p, int64_t fs_group)
{
	AUTO_FD fd = openat(dir, version, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || count_files(fd) != p->n)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (!same_file(fd, &p->files[i], final_mode(&p->files[i], fs_group)))
			return false;
	}
	return true;
}

static int make_parents(int version, const char *path, int64_t fs_group)
{
	AUTO_FREE char *copy = mem_strdup(path);

	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(version, copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (fs_group >= 0 && (fchownat(version, copy, (uid_t)-1, (gid_t)fs_group, 0) < 0 ||
				      fchmodat(version, copy, 02755, 0) < 0))
			return -errno;
		*p = '/';
	}
	return 0;
}

static int write_file(int version, const struct payload_file *f, int64_t fs_group)
{
	const uint8_t *p = f->data;
	size_t left = f->len;
	AUTO_FD fd = -1;
	int r = make_parents(version, f->path, fs_group);

	if (r < 0)
		return r;
	fd = openat(version, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (left) {
		ssize_t n = write(fd, p, left);

		if (n < 0 && errno != EINTR)
			return -errno;
		p += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	if ((f->uid >= 0 || fs_group >= 0) &&
	    fchown(fd, f->uid >= 0 ? (uid_t)f->uid : (uid_t)-1,
		   fs_group >= 0 ? (gid_t)fs_group : (gid_t)-1) < 0)
		return -errno;
	return fchmod(fd, final_mode(f, fs_group)) < 0 ? -errno : 0;
}

static int write_version(int dir, const char *name, const struct payload *p, int64_t fs_group)
{
	AUTO_FD fd = -1;

	if (mkdirat(dir, name, 0755) < 0)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, fs_group >= 0 ? 02755 : 0755) < 0 ||
	    (fs_group >= 0 && fchown(fd, (uid_t)-1, (gid_t)fs_group) < 0))
		return -errno;
	for (size_t i = 0; i < p->n; i++) {
		int r = write_file(fd, &p->files[i], fs_group);

		if (r < 0)
			return r;
	}
	return 0;
}

static char *top_name(const char *path)
{
	return mem_strndup(path, strcspn(path, "/"));
}

static int link_names(int dir, const struct payload *p, int64_t fs_group)
{
	for (size_t i = 0; i < p->n; i++) {
		AUTO_FREE char *name = top_name(p->files[i].path);
		AUTO_FREE char *target = str_fmt(DATA_LINK "/%s", name);

		if (symlinkat(target, dir, name) < 0 && errno != EEXIST)
			return -errno;
		if ((p->files[i].uid >= 0 || fs_group >= 0) &&
		    fchownat(dir, name, (uid_t)p->files[i].uid, (gid_t)fs_group,
			     AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return 0;
}

static bool has_name(const struct payload *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++) {
		AUTO_FREE char *top = top_name(p->files[i].path);

		if (!strcmp(top, name))
			return true;
	}
	return false;
}

/* Links whose files are gone. */
static void unlink_stale(int dir, const struct payload *p)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;

	if (list)
		rewinddir(list);
	while (list && (d = readdir(list))) {
		if (!str_starts(d->d_name, "..") && strcmp(d->d_name, ".") &&
		    !has_name(p, d->d_name))
			unlinkat(dir, d->d_name, 0);
	}
	if (list)
		closedir(list);
}

static int switch_to(int dir, const char *version)
{
	unlinkat(dir, NEW_LINK, 0);
	if (symlinkat(version, dir, NEW_LINK) < 0 || renameat(dir, NEW_LINK, dir, DATA_LINK) < 0)
		return -errno;
	return 0;
}

static void remove_version(const char *dir, const char *version)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, version);

	fs_remove_all(path, NULL);
}

int atomicwriter_write(const char *dir, const struct payload *p, int64_t fs_group, struct err *e)
{
	AUTO_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FREE char *old = NULL;
	AUTO_FREE char *version = NULL;
	int r;

	if (fd < 0)
		return err_os(e, errno, "open %s", dir);
	old = current_version(fd);
	if (old && same_content(fd, old, p, fs_group))
		return link_names(fd, p, fs_group) < 0 ? err_os(e, errno, "link files of %s", dir)
						       : 0;
	version = version_name();
	r = write_version(fd, version, p, fs_group);
	if (!r)
		r = switch_to(fd, version);
	if (!r)
		r = link_names(fd, p, fs_group);
	if (r < 0) {
		remove_version(dir, version);
		return err_os(e, -r, "write files of %s", dir);
	}
	unlink_stale(fd, p);
	if (old)
		remove_version(dir, old);
	return 0;
}
