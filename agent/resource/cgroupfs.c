/* Directories and files of cgroups (contract in cgroupfs.h). Effect; blocking. */
#include "cgroupfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

bool cgroupfs_unified(void)
{
	struct statfs s;

	return statfs(CGROUP_MOUNT, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
}

/* The root of v2 has no limits: our own cgroup tells. */
bool cgroupfs_limits_swap(void)
{
	AUTO_FREE char *own = NULL;
	AUTO_FREE char *path = NULL;
	struct err e;

	if (!cgroupfs_unified())
		return access(CGROUP_MOUNT "/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
	if (fs_read("/proc/self/cgroup", 4096, &own, NULL, &e) < 0 || !str_starts(own, "0::"))
		return false;
	own[strcspn(own, "\n")] = '\0';
	path = str_fmt(CGROUP_MOUNT "%s/memory.swap.max", own + 3);
	return access(path, F_OK) == 0;
}

/* Names of the v1 hierarchies, without links (cpu → cpu,cpuacct) and the unified one. */
static char **hierarchies(void)
{
	DIR *list = opendir(CGROUP_MOUNT);
	char **names = mem_calloc(1, sizeof(*names));
	struct dirent *d;

	while (list && (d = readdir(list))) {
		struct stat st;

		if (d->d_name[0] == '.' || !strcmp(d->d_name, "unified") ||
		    fstatat(dirfd(list), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		strv_push(&names, d->d_name);
	}
	if (list)
		closedir(list);
	return names;
}

static int write_value(const char *dir, const char *name, const char *text, struct err *e)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, name);
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_os(e, errno, "write %s to %s", text, path);
	return 0;
}

/* A cpuset without cpus takes no process: it starts with its parent's. */
static int inherit_cpuset(const char *dir, const char *name, struct err *e)
{
	AUTO_FREE char *path = str_fmt("%s/%s", dir, name);
	AUTO_FREE char *parent = str_fmt("%s/../%s", dir, name);
	AUTO_FREE char *have = NULL;
	AUTO_FREE char *want = NULL;

	if (fs_read(path, 4096, &have, NULL, e) < 0)
		return -1;
	if (have[strspn(have, " \n")])
		return 0;
	if (fs_read(parent, 4096, &want, NULL, e) < 0)
		return -1;
	want[strcspn(want, "\n")] = '\0';
	return write_value(dir, name, want, e);
}

/* Makes path below one v1 hierarchy, level by level so that cpusets inherit. */
static int make_v1(const char *hierarchy, const char *path, struct err *e)
{
	AUTO_FREE char *dir = str_fmt(CGROUP_MOUNT "/%s", hierarchy);
	char **parts = strv_split(path, '/');
	int r = 0;

	for (size_t i = 0; parts[i] && r == 0; i++) {
		char *next = str_fmt("%s/%s", dir, parts[i]);

		free(dir);
		dir = next;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			r = err_os(e, errno, "mkdir %s", dir);
		else if (!strcmp(hierarchy, "cpuset"))
			r = inherit_cpuset(dir, "cpuset.cpus", e) < 0 ||
				    inherit_cpuset(dir, "cpuset.mems", e) < 0
				? -1
				: 0;
	}
	strv_free(parts);
	return r;
}

/* Controllers must be enabled in every parent before a child can have them. */
static int make_v2(const char *path, struct err *e)
{
	AUTO_FREE char *dir = mem_strdup(CGROUP_MOUNT);
	char **parts = strv_split(path, '/');
	int r = 0;

	for (size_t i = 0; parts[i] && r == 0; i++) {
		static const char *const controllers[] = { "+cpu",  "+cpuset",  "+memory",
							   "+pids", "+hugetlb", "+io" };
		char *next = str_fmt("%s/%s", dir, parts[i]);

		for (size_t k = 0; k < ARRAY_SIZE(controllers); k++)
			write_value(dir, "cgroup.subtree_control", controllers[k], NULL);
		free(dir);
		dir = next;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			r = err_os(e, errno, "mkdir %s", dir);
	}
	strv_free(parts);
	return r;
}

static int make_path(const char *path, struct err *e)
{
	char **names;
	int r = 0;

	if (cgroupfs_unified())
		return make_v2(path, e);
	names = hierarchies();
	for (size_t i = 0; names[i] && r == 0; i++)
		r = make_v1(names[i], path, e);
	strv_free(names);
	return r;
}

static int apply(const char *path, const struct cgroup_limits *l, struct err *e)
{
	bool unified = cgroupfs_unified();
	struct cgroup_value values[CGROUP_VALUES_MAX];
	size_t n = cgroupvalues_make(l, unified ? CGROUP_V2 : CGROUP_V1, values);

	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *dir =
		    unified ? str_fmt(CGROUP_MOUNT "%s", path)
			    : str_fmt(CGROUP_MOUNT "/%s%s", values[i].controller, path);

		if (write_value(dir, values[i].name, values[i].text, e) < 0)
			return -1;
	}
	return 0;
}

int cgroupfs_ensure(const char *path, const struct cgroup_limits *l, struct err *e)
{
	return make_path(path, e) < 0 || apply(path, l, e) < 0 ? -1 : 0;
}

/* Any hierarchy tells, as pods have a cgroup in each. */
static char *where(const char *path)
{
	return str_fmt("%s%s", cgroupfs_unified() ? CGROUP_MOUNT : CGROUP_MOUNT "/memory", path);
}

bool cgroupfs_exists(const char *path)
{
	AUTO_FREE char *dir = where(path);

	return access(dir, F_OK) == 0;
}

void cgroupfs_list(const char *path, char ***names)
{
	AUTO_FREE char *dir = where(path);
	DIR *list = opendir(dir);
	struct dirent *d;

	while (list && (d = readdir(list))) {
		if (d->d_name[0] != '.' && d->d_type == DT_DIR)
			strv_push(names, d->d_name);
	}
	if (list)
		closedir(list);
}

/* --- removal --- */

/* rmdir of the tree, children first; processes that linger give EBUSY. */
static int remove_tree(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *d;
	int r = 0;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (d = readdir(list))) {
		AUTO_FREE char *child = NULL;
		struct stat st;

		if (d->d_name[0] == '.' ||
		    fstatat(dirfd(list), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		child = str_fmt("%s/%s", path, d->d_name);
		r = remove_tree(child);
	}
	closedir(list);
	if (!r && rmdir(path) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static void kill_tree(const char *path)
{
	AUTO_FREE char *procs = str_fmt("%s/cgroup.procs", path);
	FILE *f = fopen(procs, "re");
	DIR *list = opendir(path);
	struct dirent *d;
	int pid;

	/* 0 is a process of another PID namespace; to kill() it is our own group */
	while (f && fscanf(f, "%d", &pid) == 1) {
		if (pid > 1 && pid != getpid())
			kill(pid, SIGKILL);
	}
	if (f)
		fclose(f);
	while (list && (d = readdir(list))) {
		AUTO_FREE char *child = str_fmt("%s/%s", path, d->d_name);

		if (d->d_name[0] != '.' && d->d_type == DT_DIR)
			kill_tree(child);
	}
	if (list)
		closedir(list);
}

void cgroupfs_kill(const char *path)
{
	AUTO_FREE char *dir = where(path);

	kill_tree(dir);
}

static int remove_from(const char *hierarchy, const char *path, struct err *e)
{
	AUTO_FREE char *dir = str_fmt(CGROUP_MOUNT "%s%s", hierarchy, path);
	int r = remove_tree(dir);

	if (r == -EBUSY) {
		kill_tree(dir);
		r = remove_tree(dir);
	}
	return r < 0 ? err_os(e, -r, "remove cgroup %s", dir) : 0;
}

int cgroupfs_remove(const char *path, struct err *e)
{
	char **names;
	int r = 0;

	if (cgroupfs_unified())
		return remove_from("", path, e);
	names = hierarchies();
	for (size_t i = 0; names[i] && r == 0; i++) {
		AUTO_FREE char *hierarchy = str_fmt("/%s", names[i]);

		r = remove_from(hierarchy, path, e);
	}
	strv_free(names);
	/* on a hybrid host the runtime made one there, too */
	return r < 0 ? r : remove_from("/unified", path, e);
}

int cgroupfs_check_root(const char *root, const char *path, struct err *e)
{
	static const char *const limiting[] = { "", "cpu", "cpuacct", "cpuset", "memory", "pids" };
	bool unified = cgroupfs_unified();

	for (size_t i = unified ? 0 : 1; i < (unified ? 1 : ARRAY_SIZE(limiting)); i++) {
		AUTO_FREE char *mount = str_fmt(CGROUP_MOUNT "/%s", limiting[i]);
		AUTO_FREE char *dir = str_fmt("%s/%s", mount, path);

		if (access(mount, F_OK) == 0 && access(dir, F_OK) < 0)
			return err_set(e, ERR_NOT_FOUND,
				       "cgroupRoot %s: there is no %s: make it in every "
				       "hierarchy, or leave cgroupRoot empty",
				       root, dir);
	}
	return 0;
}
