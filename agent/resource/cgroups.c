/* The kubepods tree (contract in cgroups.h). Effect.
 *
 *   make    [slices, one after the other] → files, in a job
 *   remove  [what lives there is ended, in a job → slices] → directories, in a job
 *
 * What is in brackets is the systemd driver's.
 */
#include "cgroups.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cgroupfs.h"
#include "cgroupname.h"
#include "resources.h"
#include "slices.h"

struct target {
	char *path;
	struct cgroup_limits limits;
	bool there; /* removal: it was found */
};

struct op {
	struct op *next;
	struct cgroups *cgroups;
	char *uid; /* NULL: the levels */
	bool remove, started;
	struct target targets[CGROUP_LEVELS];
	size_t n, at;
	struct cgroups_end end;
	struct err error;
};

struct cgroups {
	struct job_pool *jobs;
	const struct podconfig_node *node;
	struct slices *slices;
	struct op *ops; /* in the order they were asked for */
	struct cgroup_sums sums;
	bool weighed; /* by these sums; false: not yet, or it failed */
};

/* --- order --- */

static void clear_targets(struct op *o)
{
	while (o->n)
		free(o->targets[--o->n].path);
}

static void op_free(struct op *o)
{
	clear_targets(o);
	free(o->uid);
	free(o);
}

static bool waits(const struct op *o)
{
	for (const struct op *before = o->cgroups->ops; before != o; before = before->next) {
		if (str_eq(before->uid, o->uid))
			return true;
	}
	return false;
}

static void op_start(struct op *o);

static void start_waiting(struct cgroups *c)
{
	for (struct op *o = c->ops; o; o = o->next) {
		if (!o->started && !waits(o))
			op_start(o);
	}
}

static void op_end(struct op *o)
{
	struct cgroups *c = o->cgroups;
	struct op **at = &c->ops;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	if (o->end.done)
		o->end.done(o->end.ctx, o->error.code == ERR_NONE ? NULL : &o->error);
	op_free(o);
	start_waiting(c);
}

/* --- steps --- */

static void files_work(void *arg)
{
	struct op *o = arg;

	for (size_t i = 0; i < o->n && o->error.code == ERR_NONE; i++) {
		if (o->remove)
			cgroupfs_remove(o->targets[i].path, &o->error);
		else
			cgroupfs_ensure(o->targets[i].path, &o->targets[i].limits, &o->error);
	}
}

static void files_done(void *arg)
{
	op_end(arg);
}

static void do_files(struct op *o)
{
	job_submit(o->cgroups->jobs, files_work, files_done, NULL, o);
}

static void next_slice(struct op *o);

static void on_slice(void *ctx, const struct err *e)
{
	struct op *o = ctx;

	if (e) {
		o->error = *e;
		do_files(o);
		return;
	}
	o->at++;
	next_slice(o);
}

static void next_slice(struct op *o)
{
	struct slices *s = o->cgroups->slices;
	const struct target *t;

	while (o->remove && o->at < o->n && !o->targets[o->at].there)
		o->at++;
	if (o->at == o->n) {
		do_files(o);
		return;
	}
	t = &o->targets[o->at];
	if (o->remove)
		slices_stop(s, cgroupname_unit(t->path), on_slice, o);
	else
		slices_ensure(s, cgroupname_unit(t->path), &t->limits, on_slice, o);
}

/* A slice with processes in it would be stopped as politely as a service: for 90 s. */
static void kill_work(void *arg)
{
	struct op *o = arg;

	for (size_t i = 0; i < o->n; i++) {
		o->targets[i].there = cgroupfs_exists(o->targets[i].path);
		if (o->targets[i].there)
			cgroupfs_kill(o->targets[i].path);
	}
}

static void kill_done(void *arg)
{
	next_slice(arg);
}

static void op_start(struct op *o)
{
	o->started = true;
	if (!o->cgroups->node->systemd_cgroups || o->error.code != ERR_NONE)
		do_files(o);
	else if (o->remove)
		job_submit(o->cgroups->jobs, kill_work, kill_done, NULL, o);
	else
		next_slice(o);
}

/* --- what callers see --- */

struct cgroups *cgroups_new(sd_event *loop, struct job_pool *jobs,
			    const struct podconfig_node *node)
{
	struct cgroups *c = NEW(struct cgroups);

	c->jobs = jobs;
	c->node = node;
	c->slices = slices_new(loop, NULL);
	return c;
}

void cgroups_free(struct cgroups *c)
{
	struct op *o, *next;

	if (!c)
		return;
	slices_free(c->slices);
	for (o = c->ops; o; o = next) {
		next = o->next;
		if (o->end.drop)
			o->end.drop(o->end.ctx);
		op_free(o);
	}
	free(c);
}

static struct op *op_new(struct cgroups *c, const char *uid, struct cgroups_end end)
{
	struct op *o = NEW(struct op), **last = &c->ops;

	o->cgroups = c;
	o->uid = mem_strdup(uid);
	o->end = end;
	while (*last)
		last = &(*last)->next;
	*last = o;
	return o;
}

static void add_target(struct op *o, enum cgroup_level level, const struct cgroup_limits *limits)
{
	const struct podconfig_node *node = o->cgroups->node;
	struct target *t = &o->targets[o->n];

	if (!node->cgroups_per_qos)
		return;
	o->n++;
	t->path = cgroupname_path(node->cgroup_root, node->systemd_cgroups, level, o->uid);
	t->limits = node->systemd_cgroups ? cgroupvalues_for_slice(*limits) : *limits;
}

void cgroups_setup(struct cgroups *c, const struct cgroup_limits *pods, struct cgroups_end end)
{
	static const struct cgroup_limits least = { .cpu_shares = CPU_SHARES_MIN };
	const struct memory_qos *q = &c->node->memory_qos;
	struct cgroup_limits burstable = { 0 }; /* its pods are not known yet */
	struct cgroup_limits all = *pods;
	struct op *o = op_new(c, NULL, end);

	if (c->node->systemd_cgroups && !cgroupfs_unified())
		err_set(&o->error, ERR_UNIMPLEMENTED,
			"the cgroup driver systemd needs cgroup v2, and this machine has v1: boot "
			"with systemd.unified_cgroup_hierarchy=1, or set the runtime and "
			"cgroupDriver to cgroupfs");
	/* what an agent of other settings may have left */
	if (!q->on || !q->tiered) {
		burstable.memory_low_bytes = CGROUP_NOTHING;
		all.memory_min_bytes = all.memory_low_bytes = CGROUP_NOTHING;
	}
	add_target(o, CGROUP_PODS, &all);
	add_target(o, CGROUP_BURSTABLE, &burstable);
	add_target(o, CGROUP_BESTEFFORT, &least);
	start_waiting(c);
}

static void weigh_done(void *ctx, const struct err *e)
{
	struct cgroups *c = ctx;

	if (!e)
		return;
	c->weighed = false;
	log_err_warning(e, "limits of the levels of pods");
}

/* A change that waits for its turn, or NULL. */
static struct op *waiting_change(struct cgroups *c)
{
	struct op *o = c->ops;

	while (o && (o->started || o->end.done != weigh_done))
		o = o->next;
	return o;
}

static int64_t or_nothing(int64_t bytes)
{
	return bytes ? bytes : CGROUP_NOTHING;
}

static void set_levels(struct op *o)
{
	const struct cgroups *c = o->cgroups;
	const struct cgroup_sums *sums = &c->sums;
	struct cgroup_limits pods = { 0 };
	struct cgroup_limits burstable = {
		.cpu_shares = resources_cpu_shares(sums->burstable_cpu_milli),
	};

	if (c->node->memory_qos.on && c->node->memory_qos.tiered) {
		burstable.memory_low_bytes = or_nothing(sums->burstable_memory_bytes);
		pods.memory_low_bytes = burstable.memory_low_bytes;
		pods.memory_min_bytes =
		    or_nothing(sums->burstable_memory_bytes + sums->guaranteed_memory_bytes);
		add_target(o, CGROUP_PODS, &pods);
	}
	add_target(o, CGROUP_BURSTABLE, &burstable);
}

void cgroups_weigh(struct cgroups *c, const struct cgroup_sums *sums)
{
	struct op *o = waiting_change(c);

	if (c->weighed && !memcmp(&c->sums, sums, sizeof(*sums)))
		return;
	c->sums = *sums;
	c->weighed = true;
	if (o)
		clear_targets(o);
	else
		o = op_new(c, NULL, (struct cgroups_end){ .done = weigh_done, .ctx = c });
	set_levels(o);
	start_waiting(c);
}

void cgroups_make_pod(struct cgroups *c, const Core__Pod *pod, const struct cgroup_limits *limits,
		      struct cgroups_end end)
{
	struct op *o = op_new(c, pod->metadata->uid, end);

	add_target(o, cgroupname_level(resources_qos(pod->spec)), limits);
	start_waiting(c);
}

void cgroups_remove_pod(struct cgroups *c, const char *uid, struct cgroups_end end)
{
	static const struct cgroup_limits none = { 0 };
	struct op *o = op_new(c, uid, end);

	o->remove = true;
	for (enum cgroup_level level = 0; level < CGROUP_LEVELS; level++)
		add_target(o, level, &none);
	start_waiting(c);
}

static void list_level(const struct podconfig_node *node, enum cgroup_level level, char ***uids)
{
	AUTO_FREE char *path =
	    cgroupname_path(node->cgroup_root, node->systemd_cgroups, level, NULL);
	char **names = NULL;

	cgroupfs_list(path, &names);
	for (size_t i = 0; names && names[i]; i++) {
		AUTO_FREE char *uid = cgroupname_uid(names[i], node->systemd_cgroups);

		if (uid && !strv_has(*uids, uid))
			strv_push(uids, uid);
	}
	strv_free(names);
}

void cgroups_list_pods(const struct podconfig_node *node, char ***uids)
{
	for (enum cgroup_level level = 0; node->cgroups_per_qos && level < CGROUP_LEVELS; level++)
		list_level(node, level, uids);
}
