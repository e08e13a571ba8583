/* The kubepods tree (contract in cgroups.h). Effect. */
#include "cgroups.h"

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
#include "resources.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

static const char *const levels[] = { "", "/burstable", "/besteffort" };

bool cgroups_unified(void)
{
	struct statfs s;

	return statfs(CGROUP_MOUNT, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
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

	if (cgroups_unified())
		return make_v2(path, e);
	names = hierarchies();
	for (size_t i = 0; names[i] && r == 0; i++)
		r = make_v1(names[i], path, e);
	strv_free(names);
	return r;
}

static int apply(const char *path, const struct cgroup_limits *l, struct err *e)
{
	bool unified = cgroups_unified();
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

static int refuse_systemd(const struct podconfig_node *node, struct err *e)
{
	return node->systemd_cgroups
		   ? err_set(e, ERR_UNIMPLEMENTED,
			     "cgroupDriver systemd is not implemented: set the runtime and "
			     "cgroupDriver to cgroupfs")
		   : 0;
}

static int make_level(const struct podconfig_node *node, const char *level,
		      const struct cgroup_limits *l, struct err *e)
{
	AUTO_FREE char *path = str_fmt("%s/kubepods%s", node->cgroup_root, level);

	return make_path(path, e) < 0 || apply(path, l, e) < 0 ? -1 : 0;
}

int cgroups_setup(const struct podconfig_node *node, const struct cgroup_limits *node_limits,
		  struct err *e)
{
	const struct cgroup_limits least = { .cpu_shares = CPU_SHARES_MIN };

	if (!node->cgroups_per_qos)
		return 0;
	if (refuse_systemd(node, e) < 0 || make_level(node, "", node_limits, e) < 0 ||
	    make_level(node, "/burstable", &least, e) < 0 ||
	    make_level(node, "/besteffort", &least, e) < 0)
		return err_wrap(e, "cgroups of pods");
	return 0;
}

int cgroups_set_burstable(const struct podconfig_node *node, int64_t cpu_request_milli,
			  struct err *e)
{
	const struct cgroup_limits l = { .cpu_shares = resources_cpu_shares(cpu_request_milli) };
	AUTO_FREE char *path = str_fmt("%s/kubepods/burstable", node->cgroup_root);

	return node->cgroups_per_qos && !node->systemd_cgroups ? apply(path, &l, e) : 0;
}

int cgroups_make_pod(const struct podconfig_node *node, int64_t pids_limit, const Core__Pod *pod,
		     struct err *e)
{
	AUTO_FREE char *path = podconfig_cgroup_parent(node, pod);
	struct cgroup_limits l =
	    cgroupvalues_of_pod(pod->spec, node->cpu_period_usec, pids_limit, node->cpu_cfs_quota);

	if (!node->cgroups_per_qos)
		return 0;
	if (refuse_systemd(node, e) < 0)
		return -1;
	return make_path(path, e) < 0 || apply(path, &l, e) < 0 ? -1 : 0;
}

/* Pods of one QoS level in one hierarchy: any of them tells, as pods have a cgroup in each. */
static void list_level(const char *dir, char ***uids)
{
	DIR *list = opendir(dir);
	struct dirent *d;

	while (list && (d = readdir(list))) {
		if (str_starts(d->d_name, "pod") && !strchr(d->d_name, '.') && d->d_name[3] &&
		    !strv_has(*uids, d->d_name + 3))
			strv_push(uids, d->d_name + 3);
	}
	if (list)
		closedir(list);
}

void cgroups_list_pods(const struct podconfig_node *node, char ***uids)
{
	const char *prefix = cgroups_unified() ? CGROUP_MOUNT : CGROUP_MOUNT "/memory";

	if (!node->cgroups_per_qos || node->systemd_cgroups)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		AUTO_FREE char *dir =
		    str_fmt("%s%s/kubepods%s", prefix, node->cgroup_root, levels[i]);

		list_level(dir, uids);
	}
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

/* What the runtime lost track of (an init process whose start was called off) would hold the
 * cgroup, and with it the pod, for ever. */
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

static int remove_from(const char *prefix, const struct podconfig_node *node, const char *uid,
		       struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		AUTO_FREE char *path =
		    str_fmt("%s%s/kubepods%s/pod%s", prefix, node->cgroup_root, levels[i], uid);
		int r = remove_tree(path);

		if (r == -EBUSY) {
			kill_tree(path);
			r = remove_tree(path);
		}
		if (r < 0)
			return err_os(e, -r, "remove cgroup %s", path);
	}
	return 0;
}

int cgroups_remove_pod(const struct podconfig_node *node, const char *uid, struct err *e)
{
	char **names;
	int r = 0;

	if (!node->cgroups_per_qos || node->systemd_cgroups)
		return 0;
	if (cgroups_unified())
		return remove_from(CGROUP_MOUNT, node, uid, e);
	names = hierarchies();
	for (size_t i = 0; names[i] && r == 0; i++) {
		AUTO_FREE char *prefix = str_fmt(CGROUP_MOUNT "/%s", names[i]);

		r = remove_from(prefix, node, uid, e);
	}
	strv_free(names);
	/* on a hybrid host the runtime made one there, too */
	return r < 0 ? r : remove_from(CGROUP_MOUNT "/unified", node, uid, e);
}

int cgroups_check_root(const char *root, struct err *e)
{
	static const char *const limiting[] = { "", "cpu", "cpuacct", "cpuset", "memory", "pids" };
	size_t from = cgroups_unified() ? 0 : 1, to = cgroups_unified() ? 1 : ARRAY_SIZE(limiting);

	for (size_t i = from; i < to; i++) {
		AUTO_FREE char *mount = str_fmt(CGROUP_MOUNT "/%s", limiting[i]);
		AUTO_FREE char *path = str_fmt("%s/%s", mount, root);

		if (access(mount, F_OK) == 0 && access(path, F_OK) < 0)
			return err_set(e, ERR_INVALID,
				       "cgroupRoot %s: there is no %s: make it in every "
				       "hierarchy, or leave cgroupRoot empty",
				       root, path);
	}
	return 0;
}
