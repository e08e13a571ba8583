/* Before the sandbox and after the end: directories, cgroup, volumes. Effect. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "podset.h"
#include "resource/cgroups.h"
#include "resource/resources.h"
#include "statusq.h"
#include "step.h"

enum { RETRY_BASE_USEC = 500 * USEC_PER_MSEC, RETRY_MAX_USEC = 30 * USEC_PER_SEC };

/* --- cgroup, then directories, then volumes --- */

struct prepare_job {
	struct step *step; /* NULL: cancelled */
	struct job_pool *jobs;
	char *pod_dir, *log_dir;
	struct err error;
};

static void prepare_work(void *arg)
{
	static const char *const subdirs[] = { "", "/volumes", "/plugins" };
	struct prepare_job *j = arg;

	err_clear(&j->error);
	for (size_t i = 0; i < ARRAY_SIZE(subdirs); i++) {
		AUTO_FREE char *dir = str_fmt("%s%s", j->pod_dir, subdirs[i]);

		if (fs_mkdir_all(dir, 0750, &j->error) < 0)
			return;
	}
	fs_mkdir_all(j->log_dir, 0755, &j->error);
}

static void prepare_free(void *arg)
{
	struct prepare_job *j = arg;

	free(j->pod_dir);
	free(j->log_dir);
	free(j);
}

static void prepare_failed(struct step *s, const char *reason, const char *fmt, const char *text)
{
	struct pod *p = s->pod;
	int64_t delay = RETRY_BASE_USEC;

	for (unsigned i = 0; i < p->prepare_failures && delay < RETRY_MAX_USEC; i++)
		delay *= 2;
	p->prepare_failures++;
	p->prepare_not_before_usec = clock_mono_usec() + delay;
	pod_event(p, "Warning", reason, "%s%s", fmt, text);
	log_warning("pod %s/%s: %s%s", p->spec->ns, p->spec->name, fmt, text);
	pod_wake_at(p, p->prepare_not_before_usec);
	step_done(s);
}

static void on_volumes(void *ctx, const struct err *e)
{
	struct step *s = ctx;

	s->volumes = NULL;
	if (e) {
		prepare_failed(s, "FailedMount", "", e->text);
		return;
	}
	s->pod->prepared = true;
	s->pod->prepare_failures = 0;
	step_done(s);
}

static void prepare_done(void *arg)
{
	struct prepare_job *j = arg;
	struct step *s = j->step;

	if (s) {
		s->prepare = NULL;
		if (s->pod->phase != POD_SYNC)
			step_done(s);
		else if (j->error.code != ERR_NONE)
			prepare_failed(s, "FailedMountVolume",
				       "error making pod data directories: ", j->error.text);
		else
			s->volumes =
			    volumes_prepare(s->pod->env->volumes, s->pod->spec, on_volumes, s);
	}
	prepare_free(j);
}

static void prepare_cgroup_done(void *ctx, const struct err *e)
{
	struct prepare_job *j = ctx;
	struct step *s = j->step;

	if (s && !e && s->pod->phase == POD_SYNC) {
		job_submit(j->jobs, prepare_work, prepare_done, prepare_free, j);
		return;
	}
	if (s) {
		s->prepare = NULL;
		if (s->pod->phase != POD_SYNC)
			step_done(s);
		else
			prepare_failed(s, "FailedCreatePodContainer",
				       "unable to ensure pod container exists: ", e->text);
	}
	prepare_free(j);
}

void prepare_cancel(struct prepare_job *j)
{
	if (j)
		j->step = NULL;
}

/* A pod that has no more processes asks for nothing. */
void podset_weigh(struct podset *set, struct cgroups *cgroups)
{
	struct cgroup_sums sums = { 0 };
	struct pod *p;

	for (size_t cursor = 0; podset_next(set, &cursor, &p);) {
		struct amounts a;
		const char *qos;

		if (!p->spec || p->phase >= POD_TERMINATED)
			continue;
		qos = resources_qos(p->spec->pod->spec);
		resources_of_pod(p->spec->pod->spec, true, &a);
		if (str_eq(qos, "Guaranteed"))
			sums.guaranteed_memory_bytes += a.memory_request_bytes;
		if (!str_eq(qos, "Burstable"))
			continue;
		sums.burstable_memory_bytes += a.memory_request_bytes;
		sums.burstable_cpu_milli += a.cpu_request_milli;
	}
	cgroups_weigh(cgroups, &sums);
}

void prepare_begin(struct step *s)
{
	struct pod *p = s->pod;
	const struct pod_environment *env = p->env;
	struct prepare_job *j = NEW(struct prepare_job);
	const Core__Pod *pod = p->spec->pod;
	struct cgroup_limits limits = cgroupvalues_of_pod(
	    pod->spec, env->node->cpu_period_usec, env->pod_pids_limit, env->node->cpu_cfs_quota);

	memoryqos_of_pod(&env->node->memory_qos, pod->spec, &limits);
	*j = (struct prepare_job){
		.step = s,
		.jobs = env->jobs,
		.pod_dir = podconfig_pod_dir(env->node, p->uid),
		.log_dir = podconfig_log_dir(env->node, p->spec->ns, p->spec->name, p->uid),
	};
	s->prepare = j;
	podset_weigh(env->set, env->cgroups);
	cgroups_make_pod(env->cgroups, pod, &limits,
			 (struct cgroups_end){ prepare_cgroup_done, prepare_free, j });
}

/* --- release --- */

struct release_job {
	struct pod_environment *env;
	char *uid;
};

/* A pod is looked up by its UID: it may have been dropped meanwhile. */
static void release_end(struct pod_environment *env, const char *uid, const struct err *e,
			const char *what)
{
	struct pod *p = podset_get(env->set, uid);
	int64_t delay = RETRY_BASE_USEC;

	if (e)
		log_err_warning(e, "%s of pod uid=%s", what, uid);
	if (!p)
		return;
	p->releasing = false;
	p->released = !e;
	if (!e) {
		pod_wake(p);
		return;
	}
	for (unsigned i = 0; i < p->release_failures && delay < RETRY_MAX_USEC; i++)
		delay *= 2;
	p->release_failures++;
	p->release_not_before_usec = clock_mono_usec() + delay;
	pod_wake_at(p, p->release_not_before_usec);
}

static void release_free(void *arg)
{
	struct release_job *j = arg;

	free(j->uid);
	free(j);
}

static void cgroup_done(void *ctx, const struct err *e)
{
	struct release_job *j = ctx;

	release_end(j->env, j->uid, e, "cgroup");
	podset_weigh(j->env->set, j->env->cgroups);
	release_free(j);
}

static void on_volumes_released(void *ctx, const struct err *e)
{
	struct release_job *j = ctx;

	if (e) {
		release_end(j->env, j->uid, e, "volumes");
		release_free(j);
		return;
	}
	cgroups_remove_pod(j->env->cgroups, j->uid,
			   (struct cgroups_end){ cgroup_done, release_free, j });
}

void podstep_release(struct pod *p)
{
	struct release_job *j = NEW(struct release_job);

	p->releasing = true;
	objcache_release(p->env->objects, p->uid);
	images_forget_pod(p->env->images, p->uid);
	*j = (struct release_job){ .env = p->env, .uid = mem_strdup(p->uid) };
	volumes_release(p->env->volumes, p->uid, on_volumes_released, j);
}
