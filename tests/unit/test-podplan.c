/* The planner: single decisions as tables, and convergence against a strict model of a runtime.
 *
 * The model refuses what no runtime should be asked (two ready sandboxes, two running instances of
 * a container, a start outside a ready sandbox, removal of what runs), so that a planner which gets
 * there by luck does not pass.
 */
#include "test.h"

#include "base/mem.h"
#include "base/str.h"
#include "pod/podplan.h"
#include "podgen.h"

enum { STEPS_MAX = 400, SEEDS = 3000, FAIL_PERCENT = 10 };

/* --- the strict model --- */

struct world {
	struct podspec *spec;
	struct podobs *obs;
	struct plan_container *facts;
	bool prepared, gone;
	enum pod_phase phase;
	unsigned seed;
	int64_t now, next_id;
	int exit_code[16]; /* what the container ends with; -1: runs on */
};

static int chance(struct world *w, int percent)
{
	return rand_r(&w->seed) % 100 < percent;
}

static struct obs_container *any_by_id(struct world *w, const char *id)
{
	for (size_t i = 0; i < w->obs->n_containers; i++) {
		if (!strcmp(w->obs->containers[i]->id, id))
			return w->obs->containers[i];
	}
	fail_msg("the planner named container %s, which is not there", id);
	return NULL;
}

static struct obs_sandbox *any_sandbox(struct world *w, const char *id)
{
	for (size_t i = 0; i < w->obs->n_sandboxes; i++) {
		if (!strcmp(w->obs->sandboxes[i]->id, id))
			return w->obs->sandboxes[i];
	}
	fail_msg("the planner named sandbox %s, which is not there", id);
	return NULL;
}

static size_t ready_sandboxes(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->obs->n_sandboxes; i++)
		n += w->obs->sandboxes[i]->ready;
	return n;
}

static void model_create_sandbox(struct world *w, const struct plan_action *a)
{
	struct obs_sandbox *s = NEW(struct obs_sandbox);

	assert_int_equal(ready_sandboxes(w), 0);
	assert_false(podobs_any_running(w->obs));
	assert_int_equal(w->phase, POD_SYNC);
	for (size_t i = 0; i < w->obs->n_sandboxes; i++)
		assert_true(w->obs->sandboxes[i]->attempt < a->attempt);
	s->id = str_fmt("s%lld", (long long)w->next_id++);
	s->attempt = a->attempt;
	/* a sandbox may come up without an address or die at once */
	s->ready = !chance(w, 5);
	if (!chance(w, 5))
		strv_push(&s->ips, "10.0.0.1");
	s->created_ns = ++w->now;
	podobs_put_sandbox(w->obs, s);
}

/* The record of a finished init container may have been removed. */
static bool later_init_seen(struct world *w, size_t i)
{
	for (size_t k = i + 1; k < w->spec->n_init; k++) {
		if (podobs_active(w->obs, w->spec->containers[k].spec->name))
			return true;
	}
	return false;
}

static void require_order(struct world *w, const struct container_spec *c)
{
	size_t self = (size_t)(c - w->spec->containers);

	if (c->kind == CONTAINER_EPHEMERAL || podplan_initialized(w->spec, w->obs))
		return;
	for (size_t i = 0; i < self && i < w->spec->n_init; i++) {
		const struct obs_container *o =
		    podobs_active(w->obs, w->spec->containers[i].spec->name);

		if (!o && later_init_seen(w, i))
			continue;
		if (w->spec->containers[i].kind == CONTAINER_SIDECAR)
			assert_true(o != NULL);
		else
			assert_true(o && o->state == OBS_EXITED && o->exit_code == 0);
	}
}

static void run_or_end(struct world *w, struct obs_container *c, int at)
{
	c->started_ns = ++w->now;
	c->state = OBS_RUNNING;
	if (w->exit_code[at] < 0)
		return;
	c->state = OBS_EXITED;
	c->exit_code = w->exit_code[at];
	c->finished_ns = ++w->now;
	/* what fails now may succeed the next time */
	if (c->exit_code && chance(w, 40))
		w->exit_code[at] = w->spec->containers[at].kind == CONTAINER_INIT ? 0 : -1;
}

static void model_start(struct world *w, const struct plan_action *a)
{
	const struct container_spec *spec = &w->spec->containers[a->container];
	struct obs_container *c = NEW(struct obs_container);

	assert_int_equal(w->phase, POD_SYNC);
	assert_int_equal(ready_sandboxes(w), 1);
	assert_true(podobs_sandbox(w->obs)->ready);
	require_order(w, spec);
	for (size_t i = 0; i < w->obs->n_containers; i++) {
		const struct obs_container *o = w->obs->containers[i];

		if (strcmp(o->name, spec->spec->name))
			continue;
		assert_true(o->state == OBS_EXITED || o->state == OBS_CREATED);
		assert_true(o->restart_count < a->attempt);
	}
	c->id = str_fmt("c%lld", (long long)w->next_id++);
	c->name = mem_strdup(spec->spec->name);
	c->sandbox_id = mem_strdup(podobs_sandbox(w->obs)->id);
	c->hash = spec->hash;
	c->restart_count = a->attempt;
	c->created_ns = ++w->now;
	c->state = OBS_CREATED;
	/* the answer to the start may be lost: created, never started */
	if (!chance(w, 10))
		run_or_end(w, c, a->container);
	podobs_put_container(w->obs, c);
}

static void model_apply(struct world *w, const struct plan_action *a)
{
	struct obs_container *c;

	switch (a->kind) {
	case PLAN_PREPARE:
		assert_false(w->prepared);
		w->prepared = true;
		break;
	case PLAN_CREATE_SANDBOX:
		model_create_sandbox(w, a);
		break;
	case PLAN_START_CONTAINER:
		model_start(w, a);
		break;
	case PLAN_RESUME_CONTAINER:
		c = any_by_id(w, a->id);
		assert_int_equal(c->state, OBS_CREATED);
		run_or_end(w, c, a->container);
		break;
	case PLAN_KILL_CONTAINER:
		c = any_by_id(w, a->id);
		assert_true(c->state == OBS_RUNNING || c->state == OBS_UNKNOWN);
		c->state = OBS_EXITED;
		c->exit_code = 137;
		c->finished_ns = ++w->now;
		break;
	case PLAN_STOP_SANDBOX:
		assert_false(podobs_any_running(w->obs));
		any_sandbox(w, a->id)->ready = false;
		break;
	case PLAN_REMOVE_CONTAINER:
		c = any_by_id(w, a->id);
		assert_true(c->state == OBS_EXITED || c->state == OBS_CREATED);
		podobs_drop_container(w->obs, a->id);
		break;
	case PLAN_REMOVE_SANDBOX:
		assert_false(any_sandbox(w, a->id)->ready);
		for (size_t i = 0; i < w->obs->n_containers; i++)
			assert_string_not_equal(w->obs->containers[i]->sandbox_id, a->id);
		podobs_drop_sandbox(w->obs, a->id);
		break;
	default:
		fail_msg("unexpected action %s", plan_action_name(a->kind));
	}
}

/* --- random pods in random states --- */

static struct podspec *random_spec(struct world *w)
{
	static const char *const policies[] = { "Always", "OnFailure", "Never" };
	Core__Pod *pod = podgen_pod(policies[rand_r(&w->seed) % 3]);
	char name[8];

	for (int i = rand_r(&w->seed) % 3; i > 0; i--) {
		snprintf(name, sizeof(name), "i%d", i);
		podgen_init(pod, name, chance(w, 30));
	}
	for (int i = 1 + rand_r(&w->seed) % 3; i > 0; i--) {
		snprintf(name, sizeof(name), "m%d", i);
		podgen_main(pod, name);
	}
	return podgen_spec(pod);
}

static void leftover(struct world *w, size_t i, enum obs_container_state state, int exit_code)
{
	struct obs_container *c = NEW(struct obs_container);

	c->id = str_fmt("c%lld", (long long)w->next_id++);
	c->name = mem_strdup(w->spec->containers[i].spec->name);
	c->sandbox_id = mem_strdup(w->obs->sandboxes[0]->id);
	c->hash = chance(w, 90) ? w->spec->containers[i].hash : 1;
	c->state = state;
	c->exit_code = exit_code;
	c->created_ns = ++w->now;
	podobs_put_container(w->obs, c);
}

/* Initialisation got as far as some container; all before it are done or forgotten. */
static void leftover_containers(struct world *w)
{
	size_t reached = (size_t)rand_r(&w->seed) % (w->spec->n_init + 1);

	if (!w->obs->n_sandboxes || chance(w, 30))
		return;
	for (size_t i = 0; i < reached; i++) {
		if (w->spec->containers[i].kind == CONTAINER_SIDECAR)
			leftover(w, i, OBS_RUNNING, 0);
		else if (chance(w, 70))
			leftover(w, i, OBS_EXITED, 0);
	}
	if (reached < w->spec->n_init) {
		leftover(w, reached, (enum obs_container_state)(rand_r(&w->seed) % 4),
			 rand_r(&w->seed) % 2);
		return;
	}
	for (size_t i = w->spec->n_init; i < w->spec->n_containers; i++) {
		if (chance(w, 60))
			leftover(w, i, (enum obs_container_state)(rand_r(&w->seed) % 4),
				 rand_r(&w->seed) % 2);
	}
}

/* Whatever an earlier agent, a crash or a runtime may have left. */
static void random_leftovers(struct world *w)
{
	for (int i = rand_r(&w->seed) % 3; i > 0; i--) {
		struct obs_sandbox *s = NEW(struct obs_sandbox);

		s->id = str_fmt("s%lld", (long long)w->next_id++);
		s->attempt = w->obs->n_sandboxes ? w->obs->sandboxes[0]->attempt + 1 : 0;
		s->ready = chance(w, 50);
		if (chance(w, 80))
			strv_push(&s->ips, "10.0.0.2");
		s->created_ns = ++w->now;
		podobs_put_sandbox(w->obs, s);
	}
	leftover_containers(w);
}

static void world_init(struct world *w, unsigned seed)
{
	*w = (struct world){ .seed = seed, .now = 1000 };
	w->spec = random_spec(w);
	w->obs = podobs_new("uid-1", "ns", "pod");
	w->facts = mem_calloc(w->spec->n_containers, sizeof(*w->facts));
	for (size_t i = 0; i < w->spec->n_containers; i++)
		w->exit_code[i] = w->spec->containers[i].kind == CONTAINER_INIT
				      ? (chance(w, 30) ? 1 : 0)
				  : chance(w, 50) ? -1
						  : rand_r(&w->seed) % 2;
	random_leftovers(w);
}

static void world_fini(struct world *w)
{
	podobs_free(w->obs);
	podspec_free(w->spec);
	free(w->facts);
}

static void make_plan(struct world *w, struct plan *plan)
{
	struct plan_input in = {
		.spec = w->spec,
		.obs = w->obs,
		.phase = w->phase,
		.containers = w->facts,
		.prepared = w->prepared,
		.network_ready = true,
		.gone = w->gone,
		.now_usec = w->now,
	};

	podplan_next(&in, plan);
}

/* Init containers end by themselves. Returns true when one did. */
static bool time_passes(struct world *w)
{
	bool ended = false;

	for (size_t i = 0; i < w->obs->n_containers; i++) {
		struct obs_container *c = w->obs->containers[i];
		int at = podspec_find(w->spec, c->name);

		if (c->state != OBS_RUNNING || w->spec->containers[at].kind != CONTAINER_INIT)
			continue;
		c->state = OBS_EXITED;
		c->exit_code = w->exit_code[at];
		ended = true;
	}
	return ended;
}

/* One turn. Returns true while there was something to do. */
static bool turn(struct world *w)
{
	struct plan plan;
	bool busy;

	make_plan(w, &plan);
	busy = plan.n > 0 || time_passes(w);
	for (size_t i = 0; i < plan.n; i++) {
		if (!chance(w, FAIL_PERCENT))
			model_apply(w, &plan.actions[i]);
	}
	if (plan.outcome == PLAN_POD_DONE)
		w->phase = POD_TERMINATING;
	if (plan.outcome == PLAN_STOPPED)
		w->phase = POD_FINISHED;
	busy |= plan.outcome == PLAN_POD_DONE || plan.outcome == PLAN_STOPPED;
	plan_fini(&plan);
	return busy;
}

static void settle(struct world *w, unsigned seed)
{
	int idle = 0;

	for (int i = 0; i < STEPS_MAX && idle < 2; i++) {
		if (turn(w))
			idle = 0;
		else
			idle++;
		/* crash loops go on for ever: at some point the containers stay up */
		if (i == STEPS_MAX / 2) {
			for (size_t k = 0; k < w->spec->n_containers; k++)
				w->exit_code[k] =
				    w->spec->containers[k].kind == CONTAINER_INIT ? 0 : -1;
		}
	}
	if (idle < 2)
		fail_msg("seed %u does not settle in phase %s", seed, pod_phase_name(w->phase));
}

/* What a settled pod must look like. */
static void check_settled(struct world *w)
{
	if (w->phase == POD_FINISHED) {
		assert_false(podobs_any_running(w->obs));
		assert_int_equal(ready_sandboxes(w), 0);
		return;
	}
	assert_int_equal(ready_sandboxes(w), 1);
	assert_null(podplan_sandbox_changed(w->spec, w->obs, NULL));
	for (size_t i = w->spec->n_init; i < w->spec->n_containers; i++) {
		const struct obs_container *c =
		    podobs_latest(w->obs, w->spec->containers[i].spec->name);

		assert_non_null(c);
		if (c->state != OBS_RUNNING)
			assert_false(
			    podspec_should_restart(w->spec, &w->spec->containers[i], c->exit_code));
		else
			assert_int_equal(c->hash, w->spec->containers[i].hash);
	}
}

static void converges_from_any_state(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_init(&w, seed);
		settle(&w, seed);
		check_settled(&w);
		/* deletion at any point ends with nothing left */
		if (w.phase < POD_TERMINATING)
			w.phase = POD_TERMINATING;
		settle(&w, seed);
		assert_int_equal(w.phase, POD_FINISHED);
		check_settled(&w);
		w.gone = true;
		settle(&w, seed);
		assert_int_equal(w.obs->n_containers, 0);
		assert_int_equal(w.obs->n_sandboxes, 0);
		world_fini(&w);
	}
}

/* The same input gives the same plan, and an interrupted turn can be repeated. */
static void remembers_nothing(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct world w;
		struct plan a, b;

		world_init(&w, seed);
		make_plan(&w, &a);
		make_plan(&w, &b);
		assert_int_equal(a.n, b.n);
		if (a.n)
			assert_memory_equal(a.actions, b.actions, a.n * sizeof(*a.actions));
		plan_fini(&a);
		plan_fini(&b);
		world_fini(&w);
	}
}

/* --- single decisions --- */

static void put(struct podobs *obs, const struct podspec *spec, const char *name,
		enum obs_container_state s, int exit_code)
{
	struct obs_container *c = NEW(struct obs_container);
	int at = podspec_find(spec, name);

	c->id = str_fmt("id-%s", name);
	c->name = mem_strdup(name);
	c->sandbox_id = mem_strdup("s0");
	c->state = s;
	c->exit_code = exit_code;
	c->hash = at >= 0 ? spec->containers[at].hash : 0;
	podobs_put_container(obs, c);
}

static struct podobs *with_sandbox(void)
{
	struct podobs *obs = podobs_new("uid-1", "ns", "pod");
	struct obs_sandbox *s = NEW(struct obs_sandbox);

	s->id = mem_strdup("s0");
	s->ready = true;
	strv_push(&s->ips, "10.0.0.1");
	podobs_put_sandbox(obs, s);
	return obs;
}

static struct plan plan_of(const struct podspec *spec, const struct podobs *obs,
			   struct plan_container *facts, enum pod_phase phase)
{
	struct plan_input in = { .spec = spec,
				 .obs = obs,
				 .phase = phase,
				 .containers = facts,
				 .prepared = true,
				 .network_ready = true,
				 .now_usec = 100 };
	struct plan p;

	podplan_next(&in, &p);
	return p;
}

static void main_containers_start_in_turn(void **state)
{
	Core__Pod *pod = podgen_pod("Always");
	struct plan_container facts[2] = { 0 };
	struct podobs *obs = with_sandbox();
	struct podspec *spec;
	struct plan p;

	(void)state;
	podgen_main(pod, "a");
	podgen_main(pod, "b");
	spec = podgen_spec(pod);
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.actions[0].container, 0);
	plan_fini(&p);
	facts[0].busy = PLAN_STARTING;
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.n, 0);
	plan_fini(&p);
	/* one that waits for its back-off does not hold the next one up */
	facts[0] = (struct plan_container){ .not_before_usec = 500 };
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.actions[0].kind, PLAN_BACK_OFF);
	assert_int_equal(p.actions[1].kind, PLAN_START_CONTAINER);
	assert_int_equal(p.wake_usec, 500);
	plan_fini(&p);
	podobs_free(obs);
	podspec_free(spec);
}

static void failed_liveness_kills_and_restarts(void **state)
{
	Core__Pod *pod = podgen_pod("Always");
	struct plan_container facts[1] = { { .liveness = VERDICT_FAILURE } };
	struct podobs *obs = with_sandbox();
	struct podspec *spec;
	struct plan p;

	(void)state;
	podgen_main(pod, "a");
	spec = podgen_spec(pod);
	put(obs, spec, "a", OBS_RUNNING, 0);
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.actions[0].kind, PLAN_KILL_CONTAINER);
	assert_int_equal(p.actions[0].reason, KILL_LIVENESS);
	assert_true(p.actions[0].will_restart);
	plan_fini(&p);
	podobs_free(obs);
	podspec_free(spec);
}

/* The last container that lives and may not restart is ended as the pod is, not on its own. */
static void failed_liveness_ends_a_pod_that_never_restarts(void **state)
{
	Core__Pod *pod = podgen_pod("Never");
	struct plan_container facts[2] = { { .liveness = VERDICT_FAILURE } };
	struct podobs *obs = with_sandbox();
	struct podspec *spec;
	struct plan p;

	(void)state;
	podgen_main(pod, "a");
	podgen_main(pod, "b");
	spec = podgen_spec(pod);
	put(obs, spec, "a", OBS_RUNNING, 0);
	put(obs, spec, "b", OBS_RUNNING, 0);
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.outcome, PLAN_GOING_ON);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.actions[0].id, "id-a");
	assert_int_equal(p.actions[0].reason, KILL_LIVENESS);
	assert_false(p.actions[0].will_restart);
	plan_fini(&p);
	put(obs, spec, "b", OBS_EXITED, 0);
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.outcome, PLAN_POD_DONE);
	assert_int_equal(p.n, 0);
	plan_fini(&p);
	podobs_free(obs);
	podspec_free(spec);
}

static void failed_init_ends_a_pod_that_never_restarts(void **state)
{
	Core__Pod *pod = podgen_pod("Never");
	struct plan_container facts[2] = { 0 };
	struct podobs *obs = with_sandbox();
	struct podspec *spec;
	struct plan p;

	(void)state;
	podgen_init(pod, "i", false);
	podgen_main(pod, "a");
	spec = podgen_spec(pod);
	put(obs, spec, "i", OBS_EXITED, 1);
	p = plan_of(spec, obs, facts, POD_SYNC);
	assert_int_equal(p.outcome, PLAN_POD_DONE);
	assert_int_equal(p.n, 0);
	plan_fini(&p);
	podobs_free(obs);
	podspec_free(spec);
}

static void sidecars_end_after_main_containers(void **state)
{
	Core__Pod *pod = podgen_pod("Always");
	struct plan_container facts[3] = { 0 };
	struct podobs *obs = with_sandbox();
	struct podspec *spec;
	struct plan p;

	(void)state;
	podgen_init(pod, "s1", true);
	podgen_init(pod, "s2", true);
	podgen_main(pod, "a");
	spec = podgen_spec(pod);
	put(obs, spec, "s1", OBS_RUNNING, 0);
	put(obs, spec, "s2", OBS_RUNNING, 0);
	put(obs, spec, "a", OBS_RUNNING, 0);
	p = plan_of(spec, obs, facts, POD_TERMINATING);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.actions[0].id, "id-a");
	plan_fini(&p);
	put(obs, spec, "a", OBS_EXITED, 0);
	p = plan_of(spec, obs, facts, POD_TERMINATING);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.actions[0].id, "id-s2");
	plan_fini(&p);
	podobs_free(obs);
	podspec_free(spec);
}

/* Vector of upstream: a takeover with another value would restart every container. */
static void container_hash_is_upstreams(void **state)
{
	Core__Pod *pod = podgen_pod("Always");
	Core__Container *c = podgen_main(pod, "test_container");
	struct podspec *spec;

	(void)state;
	proto_set_str(&c->image, "foo/image:v1");
	spec = podgen_spec(pod);
	assert_int_equal(spec->containers[0].hash, 0x8e45cbd0);
	podspec_free(spec);
}

static void every_action_and_phase_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < PLAN_ACTION_KIND_COUNT; i++)
		assert_non_null(plan_action_name((enum plan_action_kind)i));
	for (int i = 0; i < POD_PHASE_COUNT; i++)
		assert_non_null(pod_phase_name((enum pod_phase)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converges_from_any_state),
		cmocka_unit_test(remembers_nothing),
		cmocka_unit_test(main_containers_start_in_turn),
		cmocka_unit_test(failed_liveness_kills_and_restarts),
		cmocka_unit_test(failed_liveness_ends_a_pod_that_never_restarts),
		cmocka_unit_test(failed_init_ends_a_pod_that_never_restarts),
		cmocka_unit_test(sidecars_end_after_main_containers),
		cmocka_unit_test(container_hash_is_upstreams),
		cmocka_unit_test(every_action_and_phase_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
