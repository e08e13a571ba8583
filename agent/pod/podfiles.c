/* Files of a container (contract in podfiles.h). Effect. */
#include "podfiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "envfile.h"

enum { ENV_FILE_MAX_BYTES = 1 << 20 };

struct files_call {
	struct files *files;
	void (*done)(void *ctx, struct files *files); /* NULL: cancelled */
	void *ctx;
};

void files_free(struct files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_mounts; i++) {
		free(f->mounts[i].volume);
		free(f->mounts[i].volume_path);
		free(f->mounts[i].sub_path);
		free(f->mounts[i].bind_path);
		free(f->mounts[i].path);
	}
	for (size_t i = 0; i < f->n_variables; i++) {
		free(f->variables[i].volume);
		free(f->variables[i].path);
		free(f->variables[i].key);
		free(f->variables[i].volume_path);
		free(f->variables[i].file_path);
		free(f->variables[i].value);
	}
	free(f->variables);
	free(f->mounts);
	free(f->container);
	free(f->container_dir);
	free(f->log_dir);
	free(f->termination_path);
	free(f->hosts_path);
	free(f->hosts_text);
	free(f);
}

/* A new file with an unguessable name: instances of one container must not share it. */
static int make_termination_file(struct files *f)
{
	uint32_t random;
	int fd;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_os(&f->error, errno, "getrandom");
	if (fs_mkdir_all(f->container_dir, 0750, &f->error) < 0)
		return -1;
	f->termination_path = str_fmt("%s/%08x", f->container_dir, random);
	fd = open(f->termination_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) < 0) {
		err_os(&f->error, errno, "create %s", f->termination_path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* --- subPath --- */

/* Makes the missing directories of sub_path below volume_fd, each opened before the next is made.
 */
static int make_beneath(int volume_fd, const char *sub_path, mode_t mode, struct err *e)
{
	char **parts = strv_split(sub_path, '/');
	int fd = fcntl(volume_fd, F_DUPFD_CLOEXEC, 3), r = 0;

	for (size_t i = 0; parts[i] && r == 0; i++) {
		bool made;
		int next;

		if (!strcmp(parts[i], "."))
			continue;
		made = mkdirat(fd, parts[i], mode) == 0;
		if (!made && errno != EEXIST)
			r = err_os(e, errno, "create subPath directory");
		/* what we made has another name or is gone when the container was faster */
		next = r < 0 ? -1
			     : fs_open_beneath(fd, parts[i],
					       made ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW : O_PATH,
					       0, e);
		/* the mode of the volume, whatever the umask */
		if (next >= 0 && made && fchmod(next, mode) < 0)
			r = err_os(e, errno, "chmod subPath directory");
		if (next < 0)
			r = -1;
		close(fd);
		fd = next;
	}
	if (fd >= 0)
		close(fd);
	strv_free(parts);
	return r;
}

/* An existing subPath is taken as it is, through links inside the volume too. */
static int open_sub_path(int volume_fd, const char *sub_path, bool *ret_making, struct err *e)
{
	struct stat st;
	struct err missing;
	int fd = fs_open_beneath(volume_fd, sub_path, O_PATH, 0, &missing);

	if (fd >= 0)
		return fd;
	if (missing.code != ERR_NOT_FOUND) {
		*e = missing;
		return -1;
	}
	if (fstat(volume_fd, &st) < 0)
		return err_os(e, errno, "stat volume");
	*ret_making = true;
	if (make_beneath(volume_fd, sub_path, st.st_mode & 07777, e) < 0)
		return -1;
	*ret_making = false;
	return fs_open_beneath(volume_fd, sub_path, O_PATH, 0, e);
}

static int make_bind_target(const char *path, bool directory, struct err *e)
{
	AUTO_FREE char *parent = mem_strdup(path);
	int fd;

	*strrchr(parent, '/') = '\0';
	if (fs_mkdir_all(parent, 0750, e) < 0)
		return -1;
	if (directory)
		return mkdir(path, 0750) < 0 && errno != EEXIST ? err_os(e, errno, "mkdir %s", path)
								: 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_os(e, errno, "create %s", path);
	close(fd);
	return 0;
}

/* *ret_making: it failed because a directory could not be made. */
static int bind_sub_path(struct files_mount *m, bool *ret_making, struct err *e)
{
	AUTO_FD volume = open(m->volume_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD fd = -1;
	AUTO_FREE char *proc = NULL;
	struct stat st;

	if (volume < 0)
		return err_os(e, errno, "open %s", m->volume_path);
	fd = open_sub_path(volume, m->sub_path, ret_making, e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_os(e, errno, "stat subPath");
	/* a bind that an earlier attempt left behind may show something that was replaced since */
	umount2(m->bind_path, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (make_bind_target(m->bind_path, S_ISDIR(st.st_mode), e) < 0)
		return -1;
	proc = str_fmt("/proc/self/fd/%d", fd);
	if (mount(proc, m->bind_path, NULL, MS_BIND, NULL) < 0)
		return err_os(e, errno, "bind %s", m->bind_path);
	m->path = mem_strdup(m->bind_path);
	return 0;
}

static int valid_sub_path(const char *sub_path, struct err *e)
{
	char **parts;
	bool escapes;

	if (*sub_path == '/')
		return err_set(e, ERR_INVALID, "error SubPath `%s` must not be an absolute path",
			       sub_path);
	parts = strv_split(sub_path, '/');
	escapes = strv_has(parts, "..");
	strv_free(parts);
	return escapes
		   ? err_set(e, ERR_INVALID,
			     "unable to provision SubPath `%s`: must not contain '..'", sub_path)
		   : 0;
}

/* The pod's owner is not told details: they could tell of the host's files. */
static int resolve_mount(const struct files *f, struct files_mount *m, struct err *e)
{
	bool making = false;

	/* no volume path: an image volume, whose subPath is the runtime's to resolve */
	if (str_empty(m->sub_path) || str_empty(m->volume_path)) {
		m->path = mem_strdup(m->volume_path);
		return 0;
	}
	if (valid_sub_path(m->sub_path, e) < 0)
		return -1;
	if (bind_sub_path(m, &making, e) == 0)
		return 0;
	log_err_warning(e, "subPath of volume %s in %s", m->volume, f->container_dir);
	return err_set(e, e->code, "failed to %s for volumeMount \"%s\" of container \"%s\"",
		       making ? "create subPath directory" : "prepare subPath", m->volume,
		       f->container);
}

static int make_all(struct files *f)
{
	if (f->hosts_path && fs_write_atomic(f->hosts_path, f->hosts_text, strlen(f->hosts_text),
					     0644, &f->error) < 0)
		return -1;
	for (size_t i = 0; i < f->n_mounts; i++) {
		if (resolve_mount(f, &f->mounts[i], &f->error) < 0)
			return -1;
	}
	/* last: an attempt that failed before leaves nothing behind */
	if (fs_mkdir_all(f->log_dir, 0755, &f->error) < 0)
		return -1;
	return f->termination ? make_termination_file(f) : 0;
}

static void make_work(void *arg)
{
	struct files_call *c = arg;

	make_all(c->files);
}

/* --- variables from files --- */

/* No link leads out of the volume, and no device or FIFO that a container made is opened. */
static int read_beneath(const char *dir, const char *path, char **ret_text, size_t *ret_len,
			struct err *e)
{
	AUTO_FD volume = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD fd = -1;
	AUTO_FREE char *proc = NULL;
	struct stat st;

	if (volume < 0)
		return err_os(e, errno, "open %s", dir);
	fd = fs_open_beneath(volume, path + strspn(path, "/"), O_PATH, 0, e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "not a regular file");
	proc = str_fmt("/proc/self/fd/%d", fd);
	return fs_read(proc, ENV_FILE_MAX_BYTES, ret_text, ret_len, e);
}

static void read_work(void *arg)
{
	struct files *f = ((struct files_call *)arg)->files;

	for (size_t i = 0; i < f->n_variables; i++) {
		struct files_variable *v = &f->variables[i];
		AUTO_FREE char *text = NULL;
		struct err e;
		size_t len;

		if (read_beneath(v->volume_path, v->path, &text, &len, &e) < 0 ||
		    envfile_get(text, len, v->key, &v->value, &e) < 0)
			log_err_warning(&e, "environment file %s", v->file_path);
	}
}

/* --- the job --- */

static void done(void *arg)
{
	struct files_call *c = arg;

	if (c->done)
		c->done(c->ctx, c->files);
	else
		files_free(c->files);
	free(c);
}

static void drop(void *arg)
{
	struct files_call *c = arg;

	files_free(c->files);
	free(c);
}

/* A subPath is looked for in its volume, and only the volumes below our root are ours. */
static bool has_foreign(const struct files *f)
{
	for (size_t i = 0; i < f->n_mounts; i++) {
		if (!str_empty(f->mounts[i].sub_path) && f->mounts[i].foreign)
			return true;
	}
	return false;
}

static struct files_call *submit(struct job_pool *jobs, struct files *files, void (*work)(void *),
				 void (*fn)(void *ctx, struct files *files), void *ctx)
{
	struct files_call *c = NEW(struct files_call);

	*c = (struct files_call){ .files = files, .done = fn, .ctx = ctx };
	err_clear(&files->error);
	(has_foreign(files) ? job_submit_foreign : job_submit)(jobs, work, done, drop, c);
	return c;
}

struct files_call *podfiles_make(struct job_pool *jobs, struct files *files,
				 void (*fn)(void *ctx, struct files *files), void *ctx)
{
	return submit(jobs, files, make_work, fn, ctx);
}

struct files_call *podfiles_read(struct job_pool *jobs, struct files *files,
				 void (*fn)(void *ctx, struct files *files), void *ctx)
{
	return submit(jobs, files, read_work, fn, ctx);
}

/* The job runs to its end; nobody hears of it. */
void files_call_cancel(struct files_call *c)
{
	if (c)
		c->done = NULL;
}

/* --- logs --- */

#define LEGACY_LOG_DIR "/var/log/containers"
enum { LEGACY_NAME_MAX = 251 };

/* The name keeps room for the id; upstream cuts the rest at 251 bytes with the suffix. */
static char *legacy_link(const char *ns, const char *pod, const char *container, const char *id)
{
	AUTO_FREE char *head = str_fmt("%s_%s_%s", pod, ns, container);
	size_t room = LEGACY_NAME_MAX - strlen(id) - strlen("-.log");

	if (strlen(head) > room)
		head[room] = '\0';
	return str_fmt(LEGACY_LOG_DIR "/%s-%s.log", head, id);
}

void containerlog_link(const char *ns, const char *pod, const char *container, const char *id,
		       const char *log_path)
{
	AUTO_FREE char *link = legacy_link(ns, pod, container, id);
	struct err e;

	if (access(log_path, F_OK) < 0)
		return;
	if (fs_mkdir_all(LEGACY_LOG_DIR, 0755, &e) < 0) {
		log_err_warning(&e, "log link of %s/%s", ns, pod);
		return;
	}
	if (symlink(log_path, link) < 0 && errno != EEXIST) {
		err_os(&e, errno, "symlink %s", link);
		log_err_warning(&e, "log link of %s/%s", ns, pod);
	}
}

/* The instance's log and its rotated pieces: N.log, N.log.<time>, N.log.<time>.gz. */
static void remove_logs(const char *log_path)
{
	AUTO_FREE char *dir = mem_strdup(log_path);
	char *base = strrchr(dir, '/');
	struct dirent *d;
	DIR *list;

	if (!base)
		return;
	*base++ = '\0';
	list = opendir(dir);
	while (list && (d = readdir(list))) {
		if (str_starts(d->d_name, base))
			unlinkat(dirfd(list), d->d_name, 0);
	}
	if (list)
		closedir(list);
}

void containerlog_remove(const struct podobs *obs, const struct obs_container *c)
{
	AUTO_FREE char *link = legacy_link(obs->ns, obs->name, c->name, c->id);

	unlink(link);
	if (!str_empty(c->log_path) && c->log_path[0] == '/')
		remove_logs(c->log_path);
}

unsigned containerlog_restarts(const char *log_dir)
{
	DIR *list = opendir(log_dir);
	struct dirent *d;
	unsigned next = 0;

	while (list && (d = readdir(list))) {
		unsigned n;
		char tail[8] = "";

		if (sscanf(d->d_name, "%u.%7s", &n, tail) == 2 && str_starts(tail, "log") &&
		    n + 1 > next)
			next = n + 1;
	}
	if (list)
		closedir(list);
	return next;
}
