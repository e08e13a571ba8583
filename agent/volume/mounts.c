/* Directories and mounts (contract in mounts.h). Effect. */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

/* Octal escapes of mountinfo (space, tab, newline, backslash). */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* Mount points at or below path, in the order of mounting. */
static char **mount_points(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t len = strlen(path), cap = 0;
	char **found = NULL, *line = NULL;

	while (f && getline(&line, &cap, f) > 0) {
		char *p = line, *end;

		for (int field = 0; p && field < 4; field++)
			p = strchr(p, ' ') ? strchr(p, ' ') + 1 : NULL;
		end = p ? strchr(p, ' ') : NULL;
		if (!end)
			continue;
		*end = '\0';
		unescape(p);
		if (!strncmp(p, path, len) && (!p[len] || p[len] == '/'))
			strv_push(&found, p);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

bool mounts_is_mount(const char *path)
{
	char **points = mount_points(path);
	bool is = strv_has(points, path);

	strv_free(points);
	return is;
}

int mounts_unmount_below(const char *path, struct err *e)
{
	char **points = mount_points(path);
	int r = 0;

	for (size_t i = strv_len(points); i > 0 && r == 0; i--) {
		if (umount2(points[i - 1], MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
		    errno != ENOENT)
			r = err_os(e, errno, "unmount %s", points[i - 1]);
	}
	strv_free(points);
	return r;
}

int mounts_tmpfs(const char *dir, int64_t size_bytes, struct err *e)
{
	AUTO_FREE char *options =
	    size_bytes > 0 ? str_fmt("size=%lld", (long long)size_bytes) : mem_strdup("size=100%");
	AUTO_FREE char *no_swap = str_fmt("%s,noswap", options);

	if (mounts_is_mount(dir))
		return 0;
	/* kernels before 6.4 do not know noswap */
	if (mount("tmpfs", dir, "tmpfs", 0, no_swap) < 0 &&
	    mount("tmpfs", dir, "tmpfs", 0, options) < 0)
		return err_os(e, errno, "mount tmpfs on %s", dir);
	return 0;
}

static int mount_hugepages(const char *dir, int64_t page_bytes, struct err *e)
{
	AUTO_FREE char *options = str_fmt("pagesize=%lld", (long long)page_bytes);

	if (mounts_is_mount(dir))
		return 0;
	return mount("nodev", dir, "hugetlbfs", 0, options) < 0
		   ? err_os(e, errno, "mount hugetlbfs with %s on %s", options, dir)
		   : 0;
}

static mode_t empty_dir_mode(enum emptydir_medium medium, bool has_group)
{
	/* a tmpfs keeps its sticky bit, and huge pages are root's but for a group */
	static const mode_t modes[] = {
		[EMPTYDIR_DISK] = 0777,
		[EMPTYDIR_MEMORY] = 01777,
		[EMPTYDIR_HUGEPAGES] = 0755,
	};

	return modes[medium] | (has_group ? 02070 : 0);
}

int mounts_empty_dir(const char *dir, const struct emptydir *what, int64_t fs_group, struct err *e)
{
	mode_t mode = empty_dir_mode(what->medium, fs_group >= 0);

	if (fs_mkdir_all(dir, 0755, e) < 0)
		return -1;
	if (what->medium == EMPTYDIR_MEMORY && mounts_tmpfs(dir, what->size_bytes, e) < 0)
		return -1;
	if (what->medium == EMPTYDIR_HUGEPAGES && mount_hugepages(dir, what->page_bytes, e) < 0)
		return -1;
	if (fs_group >= 0 && chown(dir, (uid_t)-1, (gid_t)fs_group) < 0)
		return err_os(e, errno, "chown %s", dir);
	return chmod(dir, mode) < 0 ? err_os(e, errno, "chmod %s", dir) : 0;
}

static const struct {
	const char *type;
	mode_t format; /* 0: nothing is checked */
	const char *what;
} host_types[] = {
	{ "Directory", S_IFDIR, "a directory" },
	{ "DirectoryOrCreate", S_IFDIR, "a directory" },
	{ "File", S_IFREG, "a file" },
	{ "FileOrCreate", S_IFREG, "a file" },
	{ "Socket", S_IFSOCK, "a socket file" },
	{ "CharDevice", S_IFCHR, "a character device" },
	{ "BlockDevice", S_IFBLK, "a block device" },
};

static int make_host_path(const char *path, const char *type, struct err *e)
{
	int fd;

	if (str_eq(type, "DirectoryOrCreate"))
		return fs_mkdir_all(path, 0755, e);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_os(e, errno, "create %s", path);
	close(fd);
	return 0;
}

static size_t host_type_row(const char *type)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(host_types) && !str_eq(host_types[i].type, type))
		i++;
	return i;
}

/* The name of what is there, without …OrCreate. */
static const char *found_type(mode_t format)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_types); i++) {
		if (host_types[i].format == format && !str_ends(host_types[i].type, "OrCreate"))
			return host_types[i].type;
	}
	return "unknown";
}

int mounts_host_path(const char *path, const char *type, struct err *e)
{
	size_t row = host_type_row(type);
	struct stat st;

	if (str_empty(type))
		return 0;
	if (row == ARRAY_SIZE(host_types))
		return err_set(e, ERR_INVALID, "hostPath type %s is unknown", type);
	if (stat(path, &st) < 0 && errno == ENOENT && str_ends(type, "OrCreate") &&
	    make_host_path(path, type, e) < 0)
		return err_wrap(e, "hostPath type check failed");
	if (stat(path, &st) < 0)
		return err_set(e, ERR_NOT_FOUND,
			       "hostPath type check failed, %s is not %s, unable to determine its "
			       "type: path \"%s\" does not exist",
			       path, host_types[row].what, path);
	if ((st.st_mode & S_IFMT) == host_types[row].format)
		return 0;
	return err_set(e, ERR_INVALID, "hostPath type check failed: %s is not %s, it's a %s", path,
		       host_types[row].what, found_type(st.st_mode & S_IFMT));
}
