/* Static pods (contract in staticpods.h). Effect. */
#include "staticpods.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "manifest.h"
#include "podobserve.h"
#include "podset.h"
#include "staticurl.h"

enum { SETTLE_USEC = 50 * USEC_PER_MSEC, PERIOD_MIN_USEC = 100 * USEC_PER_MSEC };

/* --- reading, in a job --- */

struct scanned {
	char *path, *text; /* text NULL: error says why */
	size_t len;
	int64_t changed_ns; /* wall clock: the file's ctime */
	struct err error;
};

struct scan {
	struct staticpods *owner;
	char *path;
	bool periodic;
	struct scanned *files;
	size_t n;
	struct err error; /* of the path itself */
};

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* It may have gone since the directory was listed. */
static void drop_vanished(struct scan *s)
{
	struct scanned *f = &s->files[s->n - 1];
	struct stat st;

	if (f->error.code != ERR_NOT_FOUND || lstat(f->path, &st) == 0)
		return;
	free(f->path);
	s->n--;
}

static void read_file(struct scan *s, const char *path)
{
	struct scanned *f;
	struct stat st;

	s->files = mem_realloc(s->files, s->n + 1, sizeof(*s->files));
	f = &s->files[s->n++];
	*f = (struct scanned){ .path = mem_strdup(path) };
	if (stat(path, &st) < 0)
		err_os(&f->error, errno, "read it");
	else if (!S_ISREG(st.st_mode))
		err_set(&f->error, ERR_INVALID, "not a regular file");
	else if (fs_read(path, MANIFEST_MAX_BYTES, &f->text, &f->len, &f->error) == 0)
		f->changed_ns = nanoseconds(&st.st_ctim);
	drop_vanished(s);
}

static int is_manifest(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_directory(struct scan *s)
{
	struct dirent **names;
	int n = scandir(s->path, &names, is_manifest, by_name);

	if (n < 0) {
		err_os(&s->error, errno, "read %s", s->path);
		return;
	}
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_fmt("%s/%s", s->path, names[i]->d_name);

		read_file(s, path);
		free(names[i]);
	}
	free(names);
}

/* A path that is not there yet says that there are no static pods. */
static void scan_work(void *arg)
{
	struct scan *s = arg;
	struct stat st;

	if (stat(s->path, &st) < 0) {
		if (errno != ENOENT)
			err_os(&s->error, errno, "%s", s->path);
	} else if (S_ISDIR(st.st_mode)) {
		read_directory(s);
	} else {
		read_file(s, s->path);
	}
}

static void scan_free(void *arg)
{
	struct scan *s = arg;

	for (size_t i = 0; i < s->n; i++) {
		free(s->files[i].path);
		free(s->files[i].text);
	}
	free(s->files);
	free(s->path);
	free(s);
}

/* --- what files said --- */

struct source_file {
	char *path, *text;
	size_t len;
	char *uid;               /* as manifest_read gave it */
	struct kube_object *pod; /* or NULL */
	char *wrong;             /* what is wrong with it now, or NULL */
	char *loses;             /* to which file, or NULL */
};

struct staticpods {
	struct pod_environment *env;
	char *path;
	struct source_file **files; /* by name */
	size_t n;
	bool started, reading, again, read_once;
	struct staticpods_setup setup;
	struct staticurl *url;
	struct source_file **url_pods; /* one for each pod that the URL says */
	size_t n_url;
	char *url_text, *url_wrong; /* as last taken; what is wrong with a later answer */
	size_t url_len;
	bool url_read;
	char *told;                       /* what is wrong with the path, or NULL */
	char *watched_dir, *watched_name; /* name NULL: all in it */
	sd_event_source *watch, *settle, *period;
};

static void file_free(struct source_file *f)
{
	if (!f)
		return;
	kube_object_unref(f->pod);
	free(f->path);
	free(f->text);
	free(f->uid);
	free(f->wrong);
	free(f->loses);
	free(f);
}

static struct source_file *file_of(struct staticpods *s, const char *path)
{
	struct source_file *f;

	for (size_t i = 0; i < s->n; i++) {
		if (s->files[i] && str_eq(s->files[i]->path, path)) {
			f = s->files[i];
			s->files[i] = NULL;
			return f;
		}
	}
	f = NEW(struct source_file);
	f->path = mem_strdup(path);
	return f;
}

/* Once for each thing that is wrong. */
static void tell(char **told, const char *path, const char *text)
{
	if (text && !str_eq(*told, text))
		log_error("static pod: %s: %s", path, text);
	free(*told);
	*told = mem_strdup(text);
}

/* --- what a kubelet left running --- */

static bool containers_match(const Core__PodSpec *spec, struct kube_object *object,
			     const struct podobs *obs)
{
	struct podspec *s = podspec_new(object);
	bool match = true;

	for (size_t i = 0; i < s->n_containers; i++) {
		const struct obs_container *c = podobs_latest(obs, s->containers[i].spec->name);

		match &=
		    c ? c->hash == s->containers[i].hash : s->containers[i].kind != CONTAINER_MAIN;
	}
	for (size_t i = 0; i < obs->n_containers; i++)
		match &= podspec_find(s, obs->containers[i]->name) >= 0;
	podspec_free(s);
	return match && spec->n_containers;
}

static bool runs_for_kubelet(struct kube_object *object, const struct podobs *obs,
			     int64_t changed_ns)
{
	const struct obs_sandbox *sandbox = podobs_sandbox(obs);

	return sandbox && sandbox->ready && sandbox->source == OBS_FROM_FILE &&
	       sandbox->created_ns > changed_ns && manifest_uid_of_kubelet(obs->uid) &&
	       str_eq(obs->ns, object->meta->namespace_) && str_eq(obs->name, object->meta->name) &&
	       containers_match(((const Core__Pod *)object->msg)->spec, object, obs);
}

/* A kubelet gives another UID to the same manifest. What it runs since the file last changed is
 * that pod: it goes on under the UID that it has. */
static const char *running_uid(struct staticpods *s, struct kube_object *object, int64_t changed_ns)
{
	const struct podobs *obs;

	for (size_t cursor = 0; podobserve_next(s->env->observe, &cursor, &obs);) {
		if (runs_for_kubelet(object, obs, changed_ns))
			return obs->uid;
	}
	return NULL;
}

/* --- a file's turn --- */

static void take_pod(struct staticpods *s, struct source_file *f, Core__Pod *pod,
		     int64_t changed_ns)
{
	struct kube_object *object = kube_object_new(KUBE_POD, pod);
	char seen[48];
	AUTO_FREE char *uid = NULL;

	if (f->pod && str_eq(f->uid, pod->metadata->uid))
		uid = mem_strdup(f->pod->meta->uid);
	free(f->uid);
	f->uid = mem_strdup(pod->metadata->uid);
	if (!uid && !s->read_once && !podobserve_get(s->env->observe, f->uid))
		uid = mem_strdup(running_uid(s, object, changed_ns));
	podset_seen_text(seen, sizeof(seen));
	manifest_stamp(pod, "file", uid, seen);
	kube_object_unref(f->pod);
	f->pod = object;
}

static void drop_pod(struct source_file *f)
{
	kube_object_unref(f->pod);
	f->pod = NULL;
	free(f->text);
	f->text = NULL;
}

static void file_turn(struct staticpods *s, struct source_file *f, struct scanned *now,
		      bool periodic)
{
	const struct manifest_origin origin = { s->env->node_name, "file", f->path };
	Core__Pod *pod;

	if (now->text && f->text && now->len == f->len && !memcmp(now->text, f->text, f->len)) {
		tell(&f->wrong, f->path, NULL);
		return;
	}
	if (now->text && manifest_read(now->text, now->len, &origin, &pod, &now->error) == 0) {
		free(f->text);
		f->text = TAKE(now->text);
		f->len = now->len;
		tell(&f->wrong, f->path, NULL);
		take_pod(s, f, pod, now->changed_ns);
		return;
	}
	/* this may be half a write */
	if (periodic && f->wrong)
		drop_pod(f);
	tell(&f->wrong, f->path, now->error.text);
}

/* --- what all files say together --- */

static bool same_pod(const struct kube_object *a, const struct kube_object *b)
{
	return str_eq(a->meta->uid, b->meta->uid) ||
	       (str_eq(a->meta->namespace_, b->meta->namespace_) &&
		str_eq(a->meta->name, b->meta->name));
}

static bool overruled(struct source_file **all, size_t n, size_t i)
{
	struct source_file *f = all[i];
	AUTO_FREE char *text = NULL;

	for (size_t k = i + 1; k < n; k++) {
		if (!all[k]->pod || !same_pod(f->pod, all[k]->pod))
			continue;
		text = str_fmt("says the same pod as %s, which counts", all[k]->path);
		tell(&f->loses, f->path, text);
		return true;
	}
	tell(&f->loses, f->path, NULL);
	return false;
}

static void apply(struct staticpods *s)
{
	size_t n = s->n_url + s->n;
	AUTO_FREE struct source_file **all = mem_calloc(n + 1, sizeof(struct source_file *));
	struct map wanted = { 0 };
	const char *uid;
	void *object;

	for (size_t i = 0; i < n; i++)
		all[i] = i < s->n_url ? s->url_pods[i] : s->files[i - s->n_url];
	for (size_t i = 0; i < n; i++) {
		if (all[i]->pod && !overruled(all, n, i))
			map_put(&wanted, all[i]->pod->meta->uid, all[i]->pod);
	}
	podset_keep_static(s->env->set, &wanted);
	for (size_t cursor = 0; map_next(&wanted, &cursor, &uid, &object);)
		podset_put_static(s->env->set, object);
	map_fini(&wanted);
}

void staticpods_again(struct staticpods *s)
{
	if (s && (s->read_once || s->url_read))
		apply(s);
}

static void take_files(struct staticpods *s, struct scan *scan)
{
	struct source_file **files = mem_calloc(scan->n + 1, sizeof(struct source_file *));

	for (size_t i = 0; i < scan->n; i++) {
		files[i] = file_of(s, scan->files[i].path);
		file_turn(s, files[i], &scan->files[i], scan->periodic);
	}
	for (size_t i = 0; i < s->n; i++)
		file_free(s->files[i]);
	free(s->files);
	s->files = files;
	s->n = scan->n;
}

/* --- what the URL said --- */

static void free_files(struct source_file **files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		file_free(files[i]);
	free(files);
}

static void take_list(struct staticpods *s, Core__Pod **pods)
{
	char seen[48];
	size_t n = 0;

	podset_seen_text(seen, sizeof(seen));
	free_files(s->url_pods, s->n_url);
	while (pods && pods[n])
		n++;
	s->url_pods = mem_calloc(n + 1, sizeof(struct source_file *));
	s->n_url = n;
	for (size_t i = 0; i < n; i++) {
		struct source_file *f = NEW(struct source_file);

		manifest_stamp(pods[i], "http", NULL, seen);
		f->path = mem_strdup(s->setup.url);
		f->pod = kube_object_new(KUBE_POD, pods[i]);
		s->url_pods[i] = f;
	}
	free(pods);
}

/* An answer without bytes says that there are no pods; one that is wrong says nothing. */
static void on_url(void *ctx, const char *text, size_t len)
{
	struct staticpods *s = ctx;
	const struct manifest_origin origin = { s->env->node_name, "http", s->setup.url };
	Core__Pod **pods = NULL;
	struct err e;

	if (s->url_read && len == s->url_len && (!len || !memcmp(text, s->url_text, len))) {
		tell(&s->url_wrong, s->setup.url, NULL);
		return;
	}
	if (len && manifest_read_list(text, len, &origin, &pods, &e) < 0) {
		tell(&s->url_wrong, s->setup.url, e.text);
		return;
	}
	tell(&s->url_wrong, s->setup.url, NULL);
	free(s->url_text);
	s->url_text = len ? mem_dup(text, len) : NULL;
	s->url_len = len;
	take_list(s, pods);
	apply(s);
	if (s->url_read)
		return;
	s->url_read = true;
	podset_source_ready(s->env->set, POD_SOURCE_URL);
}

/* --- when to read --- */

static void watch(struct staticpods *s);

static void read_path(struct staticpods *s, bool periodic);

static void scan_done(void *arg)
{
	struct scan *scan = arg;
	struct staticpods *s = scan->owner;
	bool failed = scan->error.code != ERR_NONE;

	s->reading = false;
	tell(&s->told, s->path, failed ? scan->error.text : NULL);
	/* a path that cannot be read says nothing: what runs goes on */
	if (!failed) {
		take_files(s, scan);
		apply(s);
		if (!s->read_once) {
			s->read_once = true;
			podset_source_ready(s->env->set, POD_SOURCE_FILES);
		}
	}
	scan_free(scan);
	if (!s->again)
		return;
	s->again = false;
	read_path(s, false);
}

static void read_path(struct staticpods *s, bool periodic)
{
	struct scan *scan;

	if (s->reading) {
		s->again = true;
		return;
	}
	s->reading = true;
	watch(s);
	scan = NEW(struct scan);
	*scan = (struct scan){ .owner = s, .path = mem_strdup(s->path), .periodic = periodic };
	job_submit(s->env->jobs, scan_work, scan_done, scan_free, scan);
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct staticpods *s = userdata;

	(void)usec;
	s->settle = sd_event_source_unref(source);
	read_path(s, false);
	return 0;
}

static int on_period(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct staticpods *s = userdata;

	(void)usec;
	sd_event_source_set_time_relative(source, (uint64_t)s->setup.file_period_usec);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	read_path(s, true);
	return 0;
}

static bool concerns(const struct staticpods *s, const struct inotify_event *event)
{
	if (!event->len)
		return true;
	if (s->watched_name ? !str_eq(event->name, s->watched_name) : event->name[0] == '.')
		return false;
	return !(event->mask & IN_CREATE) || !fs_just_begun(s->watched_dir, event->name);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct staticpods *s = userdata;

	(void)source;
	/* the directory itself went: another one of its name is another one */
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
		s->watch = sd_event_source_disable_unref(s->watch);
	else if (!concerns(s, event))
		return 0;
	if (!s->settle)
		sd_event_add_time_relative(s->env->loop, &s->settle, CLOCK_MONOTONIC, SETTLE_USEC,
					   0, on_settled, s);
	return 0;
}

/* Watches the directory, or what is nearest to it or to the file. */
static void watch(struct staticpods *s)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
			      IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *name = NULL;
	struct stat st;
	int rc;

	if (stat(s->path, &st) == 0 && S_ISDIR(st.st_mode))
		dir = mem_strdup(s->path);
	else
		fs_nearest(s->path, &dir, &name);
	if (s->watch && str_eq(dir, s->watched_dir) && str_eq(name, s->watched_name))
		return;
	s->watch = sd_event_source_disable_unref(s->watch);
	free(s->watched_dir);
	free(s->watched_name);
	s->watched_dir = TAKE(dir);
	s->watched_name = TAKE(name);
	rc = sd_event_add_inotify(s->env->loop, &s->watch, s->watched_dir, mask, on_change, s);
	if (rc < 0)
		log_v(1, "%s is looked at periodically, not watched: %s", s->path, strerror(-rc));
}

/* --- life --- */

/* The configuration takes any number. */
static void bound_period(int64_t *usec)
{
	if (*usec < PERIOD_MIN_USEC)
		*usec = PERIOD_MIN_USEC;
}

struct staticpods *staticpods_new(struct pod_environment *env, const struct staticpods_setup *setup)
{
	struct staticpods *s = NEW(struct staticpods);
	const char *path = str_or(setup->path, "");
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	s->env = env;
	s->setup = *setup;
	bound_period(&s->setup.file_period_usec);
	bound_period(&s->setup.url_period_usec);
	s->path = n ? mem_strndup(path, n) : NULL;
	if (!s->path)
		podset_source_ready(env->set, POD_SOURCE_FILES);
	if (str_empty(setup->url))
		podset_source_ready(env->set, POD_SOURCE_URL);
	return s;
}

void staticpods_start(struct staticpods *s)
{
	if (s->started)
		return;
	s->started = true;
	if (!str_empty(s->setup.url))
		s->url = staticurl_new(s->env->loop, s->setup.url, s->setup.headers,
				       s->setup.url_period_usec, on_url, s);
	if (!s->path)
		return;
	sd_event_add_time_relative(s->env->loop, &s->period, CLOCK_MONOTONIC,
				   (uint64_t)s->setup.file_period_usec, TIMER_ACCURACY_USEC,
				   on_period, s);
	read_path(s, true);
}

void staticpods_free(struct staticpods *s)
{
	if (!s)
		return;
	staticurl_free(s->url);
	free_files(s->url_pods, s->n_url);
	free(s->url_text);
	free(s->url_wrong);
	free_files(s->files, s->n);
	sd_event_source_disable_unref(s->watch);
	sd_event_source_disable_unref(s->settle);
	sd_event_source_disable_unref(s->period);
	free(s->watched_dir);
	free(s->watched_name);
	free(s->told);
	free(s->path);
	free(s);
}
