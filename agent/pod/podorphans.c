/* Sweeping up behind pods (contract in podorphans.h). Effect. */
#include "podorphans.h"

#include <dirent.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "podobserve.h"
#include "podset.h"
#include "resource/cgroups.h"
#include "volume/volumes.h"

enum { FIRST_USEC = 5 * USEC_PER_SEC, PERIOD_USEC = 300 * USEC_PER_SEC };

struct podorphans {
	struct pod_environment *env;
	sd_event_source *timer;
};

struct scan {
	struct podorphans *o;
	char *pods_dir, *logs_dir;
	const struct podconfig_node *node;
	char **uids;     /* found as directories or cgroups */
	char **log_dirs; /* names below logs_dir */
};

/* <namespace>_<name>_<uid> */
const char *podorphans_log_uid(const char *name)
{
	const char *first = strchr(name, '_'), *last = strrchr(name, '_');

	return first && last > first && last[1] ? last + 1 : NULL;
}

static void list_dir(const char *path, char ***ret_names)
{
	DIR *list = opendir(path);
	struct dirent *d;

	while (list && (d = readdir(list))) {
		if (d->d_name[0] != '.')
			strv_push(ret_names, d->d_name);
	}
	if (list)
		closedir(list);
}

static void push_uid(struct scan *s, const char *uid)
{
	if (!strv_has(s->uids, uid))
		strv_push(&s->uids, uid);
}

static void scan_work(void *arg)
{
	struct scan *s = arg;
	char **names = NULL;

	list_dir(s->pods_dir, &names);
	cgroups_list_pods(s->node, &names);
	for (size_t i = 0; names && names[i]; i++)
		push_uid(s, names[i]);
	strv_free(names);
	list_dir(s->logs_dir, &s->log_dirs);
}

static void scan_free(void *arg)
{
	struct scan *s = arg;

	strv_free(s->uids);
	strv_free(s->log_dirs);
	free(s->pods_dir);
	free(s->logs_dir);
	free(s);
}

static bool known(const struct podorphans *o, const char *uid)
{
	return podset_get(o->env->set, uid) || podobserve_get(o->env->observe, uid);
}

/* --- removal --- */

struct removal {
	struct pod_environment *env;
	char *uid;
	struct err error;
};

static void removal_work(void *arg)
{
	struct removal *r = arg;
	AUTO_FREE char *dir = podconfig_pod_dir(r->env->node, r->uid);

	err_clear(&r->error);
	fs_remove_all(dir, &r->error);
}

static void removal_free(void *arg)
{
	struct removal *r = arg;

	free(r->uid);
	free(r);
}

static void removal_done(void *arg)
{
	struct removal *r = arg;

	if (r->error.code != ERR_NONE)
		log_err_warning(&r->error, "orphaned pod uid=%s", r->uid);
	removal_free(r);
}

static void on_cgroup_removed(void *ctx, const struct err *e)
{
	struct removal *r = ctx;

	if (!e) {
		job_submit(r->env->jobs, removal_work, removal_done, removal_free, r);
		return;
	}
	r->error = *e;
	removal_done(r);
}

static void on_released(void *ctx, const struct err *e)
{
	struct removal *r = ctx;

	if (e)
		log_err_warning(e, "volumes of orphaned pod uid=%s", r->uid);
	cgroups_remove_pod(r->env->cgroups, r->uid,
			   (struct cgroups_end){ on_cgroup_removed, removal_free, r });
}

static void remove_pod(struct podorphans *o, const char *uid)
{
	struct removal *r = NEW(struct removal);

	log_info("pod uid=%s is gone: removing what it left on the node", uid);
	*r = (struct removal){ .env = o->env, .uid = mem_strdup(uid) };
	volumes_release(o->env->volumes, uid, on_released, r);
}

static void log_work(void *arg)
{
	struct err e;

	if (fs_remove_all(arg, &e) < 0)
		log_err_warning(&e, "orphaned pod logs");
}

static void scan_done(void *arg)
{
	struct scan *s = arg;
	struct podorphans *o = s->o;

	for (size_t i = 0; s->uids && s->uids[i]; i++) {
		if (!known(o, s->uids[i]))
			remove_pod(o, s->uids[i]);
	}
	for (size_t i = 0; s->log_dirs && s->log_dirs[i]; i++) {
		const char *uid = podorphans_log_uid(s->log_dirs[i]);

		if (uid && !known(o, uid))
			job_submit(o->env->jobs, log_work, free, free,
				   str_fmt("%s/%s", s->logs_dir, s->log_dirs[i]));
	}
	scan_free(s);
}

/* Nothing is removed before everybody who may know a pod has been heard. */
static int on_timer(sd_event_source *src, uint64_t usec, void *userdata)
{
	struct podorphans *o = userdata;
	bool ready = podset_sources_ready(o->env->set) && podobserve_is_ready(o->env->observe);
	struct scan *s;

	(void)usec;
	sd_event_source_set_time_relative(src, ready ? PERIOD_USEC : FIRST_USEC);
	sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
	if (!ready)
		return 0;
	s = NEW(struct scan);
	s->o = o;
	s->node = o->env->node;
	s->pods_dir = str_fmt("%s/pods", o->env->node->root_dir);
	s->logs_dir = mem_strdup(o->env->node->pod_logs_dir);
	job_submit(o->env->jobs, scan_work, scan_done, scan_free, s);
	return 0;
}

struct podorphans *podorphans_new(struct pod_environment *env)
{
	struct podorphans *o = NEW(struct podorphans);

	o->env = env;
	sd_event_add_time_relative(env->loop, &o->timer, CLOCK_MONOTONIC, FIRST_USEC, USEC_PER_SEC,
				   on_timer, o);
	return o;
}

/* The job pool is gone by now. */
void podorphans_free(struct podorphans *o)
{
	if (!o)
		return;
	sd_event_source_disable_unref(o->timer);
	free(o);
}
