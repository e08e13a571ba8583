/* The planner of one pod (contract in podplan.h). Pure. */
#include "podplan.h"

#include "base/mem.h"
#include "base/str.h"

static const char *const action_names[PLAN_ACTION_KIND_COUNT] = {
	[PLAN_PREPARE] = "prepare",
	[PLAN_CREATE_SANDBOX] = "create-sandbox",
	[PLAN_START_CONTAINER] = "start-container",
	[PLAN_RESUME_CONTAINER] = "resume-container",
	[PLAN_KILL_CONTAINER] = "kill-container",
	[PLAN_STOP_SANDBOX] = "stop-sandbox",
	[PLAN_REMOVE_CONTAINER] = "remove-container",
	[PLAN_REMOVE_SANDBOX] = "remove-sandbox",
	[PLAN_BACK_OFF] = "back-off",
	[PLAN_WAIT_NETWORK] = "wait-network",
};

static const char *const phase_names[POD_PHASE_COUNT] = {
	[POD_SYNC] = "sync",
	[POD_TERMINATING] = "terminating",
	[POD_TERMINATED] = "terminated",
	[POD_FINISHED] = "finished",
};

const char *plan_action_name(enum plan_action_kind kind)
{
	return action_names[kind];
}

const char *pod_phase_name(enum pod_phase phase)
{
	return phase_names[phase];
}

void plan_fini(struct plan *p)
{
	free(p->actions);
	*p = (struct plan){ 0 };
}

static void add(struct plan *p, struct plan_action a)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 8;
		p->actions = mem_realloc(p->actions, p->cap, sizeof(*p->actions));
	}
	p->actions[p->n++] = a;
}

static void wake_at(struct plan *p, int64_t usec)
{
	if (!p->wake_usec || usec < p->wake_usec)
		p->wake_usec = usec;
}

const char *podplan_sandbox_changed(const struct podspec *spec, const struct podobs *obs,
				    unsigned *ret_attempt)
{
	const struct obs_sandbox *newest = podobs_sandbox(obs);
	size_t ready = 0;

	if (ret_attempt)
		*ret_attempt = newest ? newest->attempt + 1 : 0;
	if (!newest)
		return "no pod sandbox exists";
	for (size_t i = 0; i < obs->n_sandboxes; i++)
		ready += obs->sandboxes[i]->ready;
	if (ready > 1)
		return "multiple pod sandboxes are ready and need to be reconciled";
	if (!newest->ready)
		return "pod sandbox is not ready";
	if (newest->host_network != podspec_host_network(spec))
		return "network namespace mode changed and sandbox needs to be recreated";
	if (!newest->host_network && (!newest->ips || !newest->ips[0]))
		return "pod sandbox has no IP address";
	return NULL;
}

bool podplan_wants_start(const struct podspec *spec, const struct podobs *obs, size_t container)
{
	const struct container_spec *c = &spec->containers[container];
	const struct obs_container *latest = podobs_latest(obs, c->spec->name);

	if (spec->pod->metadata->deletiontimestamp)
		return false;
	if (!latest || latest->state == OBS_CREATED)
		return true;
	if (latest->state == OBS_RUNNING)
		return false;
	if (latest->state == OBS_UNKNOWN)
		return c->kind != CONTAINER_EPHEMERAL;
	return podspec_should_restart(spec, c, latest->exit_code);
}

bool podplan_initialized(const struct podspec *spec, const struct podobs *obs)
{
	for (size_t i = spec->n_init; i < spec->n_init + spec->n_main; i++) {
		const struct obs_container *c = podobs_active(obs, spec->containers[i].spec->name);

		if (c && c->state != OBS_CREATED)
			return true;
	}
	return !spec->n_init;
}

static bool any_main_created(const struct plan_input *in)
{
	for (size_t i = in->spec->n_init; i < in->spec->n_init + in->spec->n_main; i++) {
		if (podobs_latest(in->obs, in->spec->containers[i].spec->name))
			return true;
	}
	return false;
}

static bool anything_busy(const struct plan_input *in)
{
	for (size_t i = 0; i < in->spec->n_containers; i++) {
		if (in->containers[i].busy != PLAN_IDLE)
			return true;
	}
	return in->sandbox != PLAN_IDLE || in->prepare_busy;
}

static void kill(struct plan *p, const struct plan_input *in, const struct obs_container *c,
		 enum plan_kill_reason reason, bool will_restart)
{
	int at = podspec_find(in->spec, c->name);

	if (at >= 0 && in->containers[at].busy == PLAN_STOPPING)
		return;
	add(p, (struct plan_action){ .kind = PLAN_KILL_CONTAINER,
				     .container = at,
				     .id = c->id,
				     .reason = reason,
				     .will_restart = will_restart });
}

/* Kills what runs; returns how many containers still run or are being started. */
static size_t kill_all(struct plan *p, const struct plan_input *in, enum plan_kill_reason reason)
{
	size_t left = 0;

	for (size_t i = 0; i < in->obs->n_containers; i++) {
		const struct obs_container *c = in->obs->containers[i];

		if (c->state != OBS_RUNNING && c->state != OBS_UNKNOWN)
			continue;
		left++;
		kill(p, in, c, reason, false);
	}
	for (size_t i = 0; i < in->spec->n_containers; i++)
		left += in->containers[i].busy != PLAN_IDLE;
	return left;
}

/* Stops every sandbox that is not known to be stopped; returns how many are left. */
static size_t stop_sandboxes(struct plan *p, const struct plan_input *in)
{
	size_t left = 0;

	for (size_t i = 0; i < in->obs->n_sandboxes; i++) {
		if (!in->obs->sandboxes[i]->ready)
			continue;
		left++;
		if (in->sandbox == PLAN_IDLE && in->now_usec >= in->sandbox_not_before_usec)
			add(p, (struct plan_action){ .kind = PLAN_STOP_SANDBOX,
						     .container = -1,
						     .id = in->obs->sandboxes[i]->id });
		else
			wake_at(p, in->sandbox_not_before_usec);
	}
	return left;
}

/* Starts container i, or says that it waits for its back-off. Returns true when it starts. */
static bool start(struct plan *p, const struct plan_input *in, size_t i)
{
	const struct plan_container *facts = &in->containers[i];
	const struct container_spec *c = &in->spec->containers[i];
	const struct obs_container *latest = podobs_latest(in->obs, c->spec->name);
	const struct obs_container *active = podobs_active(in->obs, c->spec->name);

	if (facts->busy != PLAN_IDLE)
		return false;
	if (in->now_usec < facts->not_before_usec) {
		add(p, (struct plan_action){ .kind = PLAN_BACK_OFF, .container = (int)i });
		wake_at(p, facts->not_before_usec);
		return false;
	}
	if (active && active->state == OBS_CREATED && active->hash == c->hash) {
		add(p, (struct plan_action){
			   .kind = PLAN_RESUME_CONTAINER, .container = (int)i, .id = active->id });
		return true;
	}
	add(p, (struct plan_action){ .kind = PLAN_START_CONTAINER,
				     .container = (int)i,
				     .attempt = latest ? latest->restart_count + 1 : 0 });
	return true;
}

enum wrong { NOT_WRONG, WRONG_RESTARTS, WRONG_ENDS };

/* Kills a running container that must not go on running as it is; says what becomes of it. */
static enum wrong kill_if_wrong(struct plan *p, const struct plan_input *in, size_t i,
				const struct obs_container *c)
{
	const struct container_spec *spec = &in->spec->containers[i];
	const struct plan_container *facts = &in->containers[i];
	bool restarts = str_empty(spec->spec->restartpolicy)
			    ? strcmp(podspec_restart_policy(in->spec), "Never") != 0
			    : strcmp(spec->spec->restartpolicy, "Never") != 0;

	if (facts->busy != PLAN_IDLE)
		return WRONG_RESTARTS;
	if (c->hash != spec->hash && spec->kind != CONTAINER_EPHEMERAL) {
		kill(p, in, c, KILL_SPEC_CHANGED, true);
		return WRONG_RESTARTS;
	}
	if (facts->liveness == VERDICT_FAILURE)
		kill(p, in, c, KILL_LIVENESS, restarts);
	else if (facts->startup == VERDICT_FAILURE)
		kill(p, in, c, KILL_STARTUP, restarts);
	else
		return NOT_WRONG;
	/* rules judge the exit code, which is not known yet */
	return restarts || spec->spec->n_restartpolicyrules ? WRONG_RESTARTS : WRONG_ENDS;
}

/* --- creation of the sandbox --- */

static bool nothing_left_to_start(const struct plan_input *in)
{
	for (size_t i = in->spec->n_init; i < in->spec->n_init + in->spec->n_main; i++) {
		const struct container_spec *c = &in->spec->containers[i];
		const struct obs_container *latest = podobs_latest(in->obs, c->spec->name);
		const char *policy =
		    str_or(c->spec->restartpolicy, podspec_restart_policy(in->spec));

		if (!latest || strcmp(policy, "OnFailure") || latest->state != OBS_EXITED ||
		    latest->exit_code)
			return false;
	}
	return true;
}

/* The pod has run and may not run again (upstream: do not create a sandbox only to tear it down).
 */
static bool ends_with_sandbox(const struct plan_input *in)
{
	if (!in->obs->n_sandboxes || !in->obs->n_containers)
		return false;
	if (!strcmp(podspec_restart_policy(in->spec), "Never"))
		return true;
	return any_main_created(in) && nothing_left_to_start(in);
}

static void plan_sandbox(struct plan *p, const struct plan_input *in, unsigned attempt)
{
	if (kill_all(p, in, KILL_SANDBOX_CHANGED) || stop_sandboxes(p, in))
		return;
	if (ends_with_sandbox(in)) {
		p->outcome = anything_busy(in) ? PLAN_GOING_ON : PLAN_POD_DONE;
		return;
	}
	if (in->sandbox != PLAN_IDLE)
		return;
	if (!in->network_ready && !podspec_host_network(in->spec)) {
		add(p, (struct plan_action){ .kind = PLAN_WAIT_NETWORK, .container = -1 });
		return;
	}
	if (in->now_usec < in->sandbox_not_before_usec) {
		wake_at(p, in->sandbox_not_before_usec);
		return;
	}
	add(p, (struct plan_action){
		   .kind = PLAN_CREATE_SANDBOX, .container = -1, .attempt = attempt });
}

/* --- init containers --- */

enum init_progress { INIT_DONE, INIT_WAITS, INIT_FAILED };

/* A sidecar counts as up once it runs and its startup probe, if any, has passed. */
static bool sidecar_up(const struct plan_input *in, size_t i, const struct obs_container *c)
{
	return c && c->state == OBS_RUNNING &&
	       (!in->spec->containers[i].spec->startupprobe ||
		in->containers[i].startup == VERDICT_SUCCESS);
}

/* One init container of the current sandbox. INIT_DONE: the next one may go. */
static enum init_progress plan_init(struct plan *p, const struct plan_input *in, size_t i)
{
	const struct container_spec *spec = &in->spec->containers[i];
	const struct obs_container *c = podobs_active(in->obs, spec->spec->name);

	if (!c || c->state == OBS_CREATED) {
		start(p, in, i);
		return INIT_WAITS;
	}
	if (c->state == OBS_UNKNOWN) {
		kill(p, in, c, KILL_UNKNOWN_STATE, true);
		return INIT_WAITS;
	}
	if (c->state == OBS_RUNNING) {
		if (spec->kind == CONTAINER_INIT || kill_if_wrong(p, in, i, c) != NOT_WRONG)
			return INIT_WAITS;
		return sidecar_up(in, i, c) ? INIT_DONE : INIT_WAITS;
	}
	if (spec->kind == CONTAINER_INIT && c->exit_code == 0)
		return INIT_DONE;
	if (!podspec_should_restart(in->spec, spec, c->exit_code))
		return INIT_FAILED;
	start(p, in, i);
	return INIT_WAITS;
}

/* The newest init container that left a trace: all before it are done, even when their records were
 * removed (upstream walks backwards for the same reason). */
static size_t first_open_init(const struct plan_input *in)
{
	for (size_t i = in->spec->n_init; i > 0; i--) {
		if (podobs_active(in->obs, in->spec->containers[i - 1].spec->name))
			return i - 1;
	}
	return 0;
}

static void keep_sidecars(struct plan *p, const struct plan_input *in, size_t end)
{
	for (size_t i = 0; i < end; i++) {
		if (in->spec->containers[i].kind == CONTAINER_SIDECAR)
			plan_init(p, in, i);
	}
}

static enum init_progress plan_inits(struct plan *p, const struct plan_input *in)
{
	size_t first;

	if (podplan_initialized(in->spec, in->obs)) {
		keep_sidecars(p, in, in->spec->n_init);
		return INIT_DONE;
	}
	first = first_open_init(in);
	keep_sidecars(p, in, first);
	for (size_t i = first; i < in->spec->n_init; i++) {
		enum init_progress r = plan_init(p, in, i);

		if (r != INIT_DONE)
			return r;
	}
	return INIT_DONE;
}

/* --- main containers --- */

/* Returns true when the container runs or will run. Main containers start one after another, the
 * next when the one before is up and its postStart hook is over, as users of that hook rely on;
 * *turn says whether it is this one's turn. */
static bool plan_main(struct plan *p, const struct plan_input *in, size_t i, bool *turn)
{
	const struct obs_container *c = podobs_latest(in->obs, in->spec->containers[i].spec->name);

	if (in->containers[i].busy != PLAN_IDLE) {
		*turn &= in->containers[i].busy != PLAN_STARTING;
		return true;
	}
	/* the last one that lives and will not again takes the whole pod with it */
	if (c && c->state == OBS_RUNNING)
		return kill_if_wrong(p, in, i, c) != WRONG_ENDS;
	if (!podplan_wants_start(in->spec, in->obs, i))
		return false;
	if (c && c->state == OBS_UNKNOWN) {
		kill(p, in, c, KILL_UNKNOWN_STATE, true);
		return true;
	}
	if (*turn)
		*turn = !start(p, in, i);
	return true;
}

static void plan_ephemerals(struct plan *p, const struct plan_input *in)
{
	for (size_t i = in->spec->n_init + in->spec->n_main; i < in->spec->n_containers; i++) {
		const struct obs_container *c =
		    podobs_latest(in->obs, in->spec->containers[i].spec->name);

		/* ephemeral containers are never restarted */
		if (!c || c->state == OBS_CREATED)
			start(p, in, i);
	}
}

/* The newest dead instance of a name that is not the one shown: lastState is read from it. */
static bool worth_keeping(const struct plan_input *in, const struct obs_container *c)
{
	const struct obs_container *latest = podobs_latest(in->obs, c->name);

	return c == latest ||
	       (latest->state != OBS_EXITED && c == podobs_previous(in->obs, c->name));
}

/* One dead instance of each name is kept. While an instance is being started nothing is removed. */
static void prune(struct plan *p, const struct plan_input *in)
{
	for (size_t i = 0; i < in->obs->n_containers; i++) {
		const struct obs_container *c = in->obs->containers[i];
		int at = podspec_find(in->spec, c->name);

		if (c->state == OBS_EXITED && at >= 0 && in->containers[at].busy == PLAN_IDLE &&
		    !worth_keeping(in, c))
			add(p, (struct plan_action){
				   .kind = PLAN_REMOVE_CONTAINER, .container = at, .id = c->id });
	}
}

static bool sandbox_has_containers(const struct podobs *obs, const char *id)
{
	for (size_t i = 0; i < obs->n_containers; i++) {
		if (str_eq(obs->containers[i]->sandbox_id, id))
			return true;
	}
	return false;
}

/* Sandboxes of earlier attempts go once nothing refers to them. */
static void prune_sandboxes(struct plan *p, const struct plan_input *in)
{
	for (size_t i = 1; i < in->obs->n_sandboxes; i++) {
		const struct obs_sandbox *s = in->obs->sandboxes[i];

		if (!s->ready && !sandbox_has_containers(in->obs, s->id))
			add(p, (struct plan_action){
				   .kind = PLAN_REMOVE_SANDBOX, .container = -1, .id = s->id });
	}
}

static void plan_containers(struct plan *p, const struct plan_input *in)
{
	bool alive = false, turn = true;
	enum init_progress init;

	plan_ephemerals(p, in);
	init = plan_inits(p, in);
	if (init == INIT_FAILED) {
		p->n = 0;
		p->outcome = anything_busy(in) ? PLAN_GOING_ON : PLAN_POD_DONE;
		return;
	}
	if (init == INIT_WAITS)
		return;
	for (size_t i = in->spec->n_init; i < in->spec->n_init + in->spec->n_main; i++)
		alive |= plan_main(p, in, i, &turn);
	if (!alive) {
		p->n = 0;
		p->outcome = anything_busy(in) ? PLAN_GOING_ON : PLAN_POD_DONE;
	}
}

static void plan_sync(struct plan *p, const struct plan_input *in)
{
	unsigned attempt;

	if (!in->prepared) {
		if (!in->prepare_busy)
			add(p, (struct plan_action){ .kind = PLAN_PREPARE, .container = -1 });
		/* what runs already goes on running (and its probes count) while a restarted
		 * agent looks after the volumes again */
		if (!podobs_any_running(in->obs))
			return;
	}
	if (podplan_sandbox_changed(in->spec, in->obs, &attempt)) {
		if (in->prepared)
			plan_sandbox(p, in, attempt);
		return;
	}
	if (in->sandbox != PLAN_IDLE || !in->prepared)
		return;
	plan_containers(p, in);
	if (p->outcome != PLAN_GOING_ON)
		return;
	prune(p, in);
	if (!p->n)
		prune_sandboxes(p, in);
}

/* --- the end of a pod --- */

static bool is_sidecar_of(const struct plan_input *in, const struct obs_container *c)
{
	int at = podspec_find(in->spec, c->name);

	return at >= 0 && in->spec->containers[at].kind == CONTAINER_SIDECAR;
}

static bool runs(const struct obs_container *c)
{
	return c->state == OBS_RUNNING || c->state == OBS_UNKNOWN;
}

/* Main containers first; sidecars in reverse order after them. */
static size_t kill_in_order(struct plan *p, const struct plan_input *in)
{
	const struct obs_container *last_sidecar = NULL;
	int last_at = -1;
	size_t mains = 0, busy = 0;

	for (size_t i = 0; i < in->obs->n_containers; i++) {
		const struct obs_container *c = in->obs->containers[i];

		if (!runs(c))
			continue;
		if (!is_sidecar_of(in, c)) {
			mains++;
			kill(p, in, c, KILL_POD_ENDS, false);
		} else if (podspec_find(in->spec, c->name) > last_at) {
			last_at = podspec_find(in->spec, c->name);
			last_sidecar = c;
		}
	}
	for (size_t i = 0; i < in->spec->n_containers; i++)
		busy += in->containers[i].busy != PLAN_IDLE;
	if (!mains && last_sidecar)
		kill(p, in, last_sidecar, KILL_POD_ENDS, false);
	return mains + (last_sidecar != NULL) + busy;
}

static void plan_terminating(struct plan *p, const struct plan_input *in)
{
	if (kill_in_order(p, in) || anything_busy(in))
		return;
	if (!stop_sandboxes(p, in))
		p->outcome = PLAN_STOPPED;
}

/* While the API object exists its containers keep their newest records: logs are read from them.
 * Containers go before their sandbox. */
static void plan_finished(struct plan *p, const struct plan_input *in)
{
	if (!in->gone) {
		prune(p, in);
		return;
	}
	if (anything_busy(in))
		return;
	for (size_t i = 0; i < in->obs->n_containers; i++)
		add(p, (struct plan_action){
			   .kind = PLAN_REMOVE_CONTAINER,
			   .container = podspec_find(in->spec, in->obs->containers[i]->name),
			   .id = in->obs->containers[i]->id });
	if (in->obs->n_containers)
		return;
	for (size_t i = 0; i < in->obs->n_sandboxes; i++)
		add(p, (struct plan_action){ .kind = PLAN_REMOVE_SANDBOX,
					     .container = -1,
					     .id = in->obs->sandboxes[i]->id });
	if (!in->obs->n_sandboxes)
		p->outcome = PLAN_REMOVED;
}

void podplan_next(const struct plan_input *in, struct plan *ret_plan)
{
	*ret_plan = (struct plan){ 0 };
	switch (in->phase) {
	case POD_SYNC:
		plan_sync(ret_plan, in);
		break;
	case POD_TERMINATING:
		plan_terminating(ret_plan, in);
		break;
	case POD_FINISHED:
		plan_finished(ret_plan, in);
		break;
	case POD_TERMINATED:
	case POD_PHASE_COUNT:
		break;
	}
}
