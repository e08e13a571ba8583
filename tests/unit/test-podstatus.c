/* The status of a pod: phases, conditions and container entries from what the runtime shows. */
#include "podjson.h"

#include "base/str.h"
#include "pod/podcondition.h"
#include "pod/podstatus.h"

#define ALWAYS "{'restartPolicy': 'Always', 'containers': [{'name': 'a'}, {'name': 'b'}]}"
#define ONFAIL "{'restartPolicy': 'OnFailure', 'containers': [{'name': 'a'}, {'name': 'b'}]}"
#define NEVER "{'restartPolicy': 'Never', 'containers': [{'name': 'a'}, {'name': 'b'}]}"
#define INIT(policy) \
	"{'restartPolicy': '" policy "', 'initContainers': [{'name': 'i'}, {'name': 's', " \
	"'restartPolicy': 'Always'}], 'containers': [{'name': 'a'}]}"
#define PROBED \
	"{'containers': [{'name': 'a', 'readinessProbe': {'exec': {}}, 'startupProbe': {'exec': " \
	"{}}}]}"

enum { SEC = 1000000000, NOW_SEC = 1000, AGENT_START_SEC = 500 };

/* "NAME=STATE[:CODE[:RESTARTS]] …", oldest first; STATE: run, exit, created, unknown, old (runs
 * since before the agent started). "-" in front: the sandbox is not ready; "": there is none. */
static struct podobs *observe(const char *text)
{
	struct podobs *obs = podobs_new("uid-1", "ns", "pod");
	AUTO_FREE char *copy = mem_strdup(text);
	struct obs_sandbox *sandbox;
	char *save = NULL;
	int64_t created = 10LL * SEC;

	if (!*text)
		return obs;
	sandbox = NEW(struct obs_sandbox);
	sandbox->id = mem_strdup("s1");
	sandbox->ready = *text != '-';
	strv_push(&sandbox->ips, "10.0.0.2");
	podobs_put_sandbox(obs, sandbox);
	for (char *t = strtok_r(copy + (*text == '-'), " ", &save); t;
	     t = strtok_r(NULL, " ", &save)) {
		struct obs_container *c = NEW(struct obs_container);
		char name[16], state[16];
		int code = 0, restarts = 0;

		assert_true(sscanf(t, "%15[^=]=%15[^:]:%d:%d", name, state, &code, &restarts) >= 2);
		c->id = str_fmt("%s%d", name, restarts);
		c->name = mem_strdup(name);
		c->sandbox_id = mem_strdup("s1");
		c->created_ns = created += SEC;
		c->state = !strcmp(state, "exit")      ? OBS_EXITED
			   : !strcmp(state, "created") ? OBS_CREATED
			   : !strcmp(state, "unknown") ? OBS_UNKNOWN
						       : OBS_RUNNING;
		c->started_ns = (int64_t)(!strcmp(state, "old") ? 100 : 600) * SEC;
		c->finished_ns = c->state == OBS_EXITED ? 700LL * SEC : 0;
		c->exit_code = code;
		c->restart_count = (unsigned)restarts;
		podobs_put_container(obs, c);
	}
	return obs;
}

struct row {
	const char *spec, *obs, *old; /* old: last status, or NULL */
	enum pod_phase phase;
	const char *want;
	struct status_container facts; /* of the first container */
};

static void print_container(struct str *out, const Core__ContainerStatus *c)
{
	str_printf(out, " %s=%s", c->name,
		   c->state->running      ? "run"
		   : c->state->terminated ? "exit"
					  : str_or(c->state->waiting->reason, "?"));
	if (c->state->terminated)
		str_printf(out, ":%d", c->state->terminated->exitcode);
	if (c->laststate && c->laststate->terminated)
		str_printf(out, ",last:%d", c->laststate->terminated->exitcode);
	if (c->restartcount)
		str_printf(out, ",restarts:%d", c->restartcount);
	if (c->ready)
		str_append(out, ",ready");
}

/* "PHASE conditions that are true | containers" */
static char *summary(const Core__PodStatus *s)
{
	static const struct {
		const char *type, *text;
	} types[] = { { "PodReadyToStartContainers", "sandbox" },
		      { "Initialized", "init" },
		      { "ContainersReady", "containers" },
		      { "Ready", "ready" } };
	struct str out = { 0 };

	str_printf(&out, "%s", s->phase);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const Core__PodCondition *c = podcondition_find(s, types[i].type);

		if (c && str_eq(c->status, "True"))
			str_printf(&out, " %s", types[i].text);
	}
	str_append(&out, " |");
	for (size_t i = 0; i < s->n_initcontainerstatuses; i++)
		print_container(&out, s->initcontainerstatuses[i]);
	for (size_t i = 0; i < s->n_containerstatuses; i++)
		print_container(&out, s->containerstatuses[i]);
	return str_take(&out);
}

static Core__PodStatus *make(const struct podspec *spec, const struct podobs *obs,
			     const Core__PodStatus *old, const struct row *row)
{
	AUTO_FREE struct status_container *facts = mem_calloc(spec->n_containers, sizeof(*facts));
	struct status_input in = {
		.spec = spec,
		.obs = obs,
		.old = old,
		.phase = row->phase,
		.containers = facts,
		.qos_class = "BestEffort",
		.runtime_name = "containerd",
		.host_ips = (const char *const[]){ "192.0.2.1", NULL },
		.now_ns = (int64_t)NOW_SEC * SEC,
		.agent_start_ns = (int64_t)AGENT_START_SEC * SEC,
	};

	facts[0] = row->facts;
	return podstatus_make(&in);
}

static const struct row rows[] = {
	/* phases of main containers */
	{ ALWAYS, "", NULL, POD_SYNC, "Pending init | a=ContainerCreating b=ContainerCreating" },
	{ ALWAYS, "a=created", NULL, POD_SYNC,
	  "Pending sandbox init | a=ContainerCreating b=ContainerCreating" },
	{ ALWAYS, "a=run", NULL, POD_SYNC,
	  "Pending sandbox init | a=run,ready b=ContainerCreating" },
	{ ALWAYS, "a=run b=run", NULL, POD_SYNC,
	  "Running sandbox init containers ready | a=run,ready b=run,ready" },
	{ ALWAYS, "a=run b=exit:0", NULL, POD_SYNC, "Running sandbox init | a=run,ready b=exit:0" },
	{ ALWAYS, "a=exit:1 b=exit:0", NULL, POD_SYNC, "Running sandbox init | a=exit:1 b=exit:0" },
	{ ALWAYS, "a=exit:1 a=run:0:1 b=run", NULL, POD_SYNC,
	  "Running sandbox init containers ready | a=run,last:1,restarts:1,ready b=run,ready" },
	{ ONFAIL, "a=exit:0 b=exit:2", NULL, POD_SYNC, "Running sandbox init | a=exit:0 b=exit:2" },
	{ ONFAIL, "a=exit:0 b=exit:0", NULL, POD_SYNC,
	  "Succeeded sandbox init | a=exit:0 b=exit:0" },
	{ NEVER, "a=exit:0 b=run", NULL, POD_SYNC, "Running sandbox init | a=exit:0 b=run,ready" },
	{ NEVER, "a=exit:0 b=exit:0", NULL, POD_SYNC,
	  "Succeeded sandbox init | a=exit:0 b=exit:0" },
	{ NEVER, "a=exit:0 b=exit:3", NULL, POD_SYNC, "Failed sandbox init | a=exit:0 b=exit:3" },
	{ NEVER, "-a=exit:0 b=exit:3", NULL, POD_SYNC, "Failed init | a=exit:0 b=exit:3" },
	{ NEVER, "a=unknown b=run", NULL, POD_SYNC,
	  "Running sandbox init | a=exit:137 b=run,ready" },
	/* init containers and sidecars */
	{ INIT("Always"), "", NULL, POD_SYNC,
	  "Pending | i=PodInitializing s=PodInitializing a=PodInitializing" },
	{ INIT("Always"), "i=run", NULL, POD_SYNC,
	  "Pending sandbox | i=run s=PodInitializing a=PodInitializing" },
	{ INIT("Always"), "i=exit:1", NULL, POD_SYNC,
	  "Pending sandbox | i=exit:1 s=PodInitializing a=PodInitializing" },
	{ INIT("Never"), "i=exit:1", NULL, POD_SYNC,
	  "Failed sandbox | i=exit:1 s=PodInitializing a=PodInitializing" },
	{ INIT("Always"), "i=exit:0 s=run", NULL, POD_SYNC,
	  "Pending sandbox init | i=exit:0,ready s=run,ready a=PodInitializing" },
	{ INIT("Always"), "i=exit:0 s=run a=run", NULL, POD_SYNC,
	  "Running sandbox init containers ready | i=exit:0,ready s=run,ready a=run,ready" },
	/* the record of a finished init container is gone */
	{ INIT("Always"), "s=run a=run", NULL, POD_SYNC,
	  "Running sandbox init containers ready | i=exit:0,ready s=run,ready a=run,ready" },
	/* terminal phases do not regress; none is told while something may run */
	{ ALWAYS, "a=run b=run", "{'phase': 'Succeeded'}", POD_SYNC,
	  "Succeeded sandbox init | a=run,ready b=run,ready" },
	/* a pod that has ended and said so does not change any more */
	{ NEVER, "a=exit:0 b=exit:0", "{'phase': 'Failed'}", POD_FINISHED, "Failed |" },
	{ NEVER, "a=exit:0 b=exit:1", "{'phase': 'Running'}", POD_TERMINATING,
	  "Running sandbox init | a=exit:0 b=exit:1" },
	{ NEVER, "a=exit:0 b=exit:1", "{'phase': 'Running'}", POD_TERMINATED,
	  "Failed sandbox init | a=exit:0 b=exit:1" },
	{ ALWAYS, "a=exit:0 b=exit:0", "{'phase': 'Running'}", POD_TERMINATED,
	  "Succeeded sandbox init | a=exit:0 b=exit:0" },
	/* it was over before anything was seen of it */
	{ ALWAYS, "", "{'phase': 'Pending'}", POD_FINISHED, "Failed init | a=exit:137 b=exit:137" },
	/* what ran and has left no record */
	{ ALWAYS, "b=run",
	  "{'phase': 'Running', 'containerStatuses': [{'name': 'a', 'restartCount': 2, 'state': "
	  "{'running': {}}}]}",
	  POD_SYNC, "Running sandbox init | a=ContainerCreating,last:137,restarts:3 b=run,ready" },
	/* counts never go back */
	{ ALWAYS, "a=run b=run",
	  "{'containerStatuses': [{'name': 'a', 'restartCount': 5, 'state': {}}]}", POD_SYNC,
	  "Running sandbox init containers ready | a=run,restarts:5,ready b=run,ready" },
	/* why a container is not started */
	{ ALWAYS,
	  "a=exit:1 b=run",
	  NULL,
	  POD_SYNC,
	  "Running sandbox init | a=CrashLoopBackOff,last:1 b=run,ready",
	  { .waiting_reason = "CrashLoopBackOff" } },
	{ NEVER,
	  "a=exit:1 b=run",
	  NULL,
	  POD_SYNC,
	  "Running sandbox init | a=exit:1 b=run,ready",
	  { .waiting_reason = "CrashLoopBackOff" } },
	{ ALWAYS,
	  "b=run",
	  NULL,
	  POD_SYNC,
	  "Pending sandbox init | a=ErrImagePull b=run,ready",
	  { .waiting_reason = "ErrImagePull" } },
	/* probes */
	{ PROBED, "a=run", NULL, POD_SYNC, "Running sandbox init | a=run" },
	{ PROBED,
	  "a=run",
	  NULL,
	  POD_SYNC,
	  "Running sandbox init | a=run",
	  { .startup = VERDICT_SUCCESS } },
	{ PROBED,
	  "a=run",
	  NULL,
	  POD_SYNC,
	  "Running sandbox init | a=run",
	  { .startup = VERDICT_FAILURE, .readiness = VERDICT_SUCCESS } },
	{ PROBED,
	  "a=run",
	  NULL,
	  POD_SYNC,
	  "Running sandbox init containers ready | a=run,ready",
	  { .startup = VERDICT_SUCCESS, .readiness = VERDICT_SUCCESS } },
	/* a new agent believes the API until its first probe, of what is older than itself */
	{ PROBED, "a=old",
	  "{'conditions': [{'type': 'Ready', 'status': 'True'}], 'containerStatuses': [{'name': "
	  "'a', 'ready': true, 'started': true, 'state': {'running': {}}}]}",
	  POD_SYNC, "Running sandbox init containers ready | a=run,ready" },
	{ PROBED, "a=run",
	  "{'conditions': [{'type': 'Ready', 'status': 'True'}], 'containerStatuses': [{'name': "
	  "'a', 'ready': true, 'started': true, 'state': {'running': {}}}]}",
	  POD_SYNC, "Running sandbox init | a=run" },
	{ PROBED,
	  "a=old",
	  "{'conditions': [{'type': 'Ready', 'status': 'True'}], 'containerStatuses': [{'name': "
	  "'a', 'ready': true, 'started': true, 'state': {'running': {}}}]}",
	  POD_SYNC,
	  "Running sandbox init | a=run",
	  { .readiness = VERDICT_FAILURE } },
};

static void statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct podspec *spec = podjson_spec(row->spec);
		struct podobs *obs = observe(row->obs);
		AUTO_PROTO Core__PodStatus *old =
		    podjson(&core__pod_status__descriptor, row->old ? row->old : "{}");
		AUTO_PROTO Core__PodStatus *s = make(spec, obs, old, row);
		AUTO_FREE char *have = summary(s);

		if (strcmp(have, row->want))
			fail_msg("row %zu, %s %s: \n%s, not\n%s", i, row->spec, row->obs, have,
				 row->want);
		podobs_free(obs);
		podspec_free(spec);
	}
}

/* Made from its own last status, nothing moves. */
static void statuses_are_stable(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct podspec *spec = podjson_spec(rows[i].spec);
		struct podobs *obs = observe(rows[i].obs);
		AUTO_PROTO Core__PodStatus *empty = podjson(&core__pod_status__descriptor, "{}");
		AUTO_PROTO Core__PodStatus *once = make(spec, obs, empty, &rows[i]);
		AUTO_PROTO Core__PodStatus *twice = make(spec, obs, once, &rows[i]);

		if (!podstatus_equal(once, twice))
			fail_msg("row %zu moves", i);
		podobs_free(obs);
		podspec_free(spec);
	}
}

static void reasons_of_the_killed_may_change(void **state)
{
	static const struct {
		const char *obs, *reason;
		int64_t later_ns;
		bool may;
	} cases[] = {
		{ "a=exit:137", "Error", 0, true },
		{ "a=exit:137", "Error", PODOBS_REASON_NS - 1, true },
		{ "a=exit:137", "Error", PODOBS_REASON_NS, false },
		/* the clock was set back */
		{ "a=exit:137", "Error", -1, true },
		{ "a=exit:137", "Error", -PODOBS_REASON_NS, false },
		{ "a=exit:137", "Error", -600LL * SEC, false },
		{ "a=exit:137", "OOMKilled", 0, false },
		{ "a=exit:1", "Error", 0, false },
		{ "a=run", "Error", 0, false },
		{ "", "", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct podobs *obs = observe(cases[i].obs);

		for (size_t k = 0; k < obs->n_containers; k++)
			proto_set_str(&obs->containers[k]->reason, cases[i].reason);
		assert_int_equal(podobs_reason_may_change(obs, 700LL * SEC + cases[i].later_ns),
				 cases[i].may);
		podobs_free(obs);
	}
	assert_false(podobs_reason_may_change(NULL, 0));
}

/* Whatever is seen later, a pod that is over stays over. */
static void terminal_phases_stay(void **state)
{
	static const char *const phases[] = { "Succeeded", "Failed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(phases); k++) {
			struct podspec *spec = podjson_spec(rows[i].spec);
			struct podobs *obs = observe(rows[i].obs);
			AUTO_PROTO Core__PodStatus *old =
			    podjson(&core__pod_status__descriptor, "{}");
			AUTO_PROTO Core__PodStatus *s = NULL;

			proto_set_str(&old->phase, phases[k]);
			s = make(spec, obs, old, &rows[i]);
			assert_string_equal(s->phase, phases[k]);
			podobs_free(obs);
			podspec_free(spec);
		}
	}
}

static void transition_times_move_with_the_status_only(void **state)
{
	static const struct row row = { ALWAYS, "a=run b=run" };
	struct podspec *spec = podjson_spec(row.spec);
	struct podobs *obs = observe(row.obs);
	AUTO_PROTO Core__PodStatus *old =
	    podjson(&core__pod_status__descriptor,
		    "{'conditions': [{'type': 'Initialized', 'status': 'True', "
		    "'lastTransitionTime': '1970-01-01T00:00:07Z'}, {'type': 'Ready', 'status': "
		    "'False', 'lastTransitionTime': '1970-01-01T00:00:07Z'}]}");
	AUTO_PROTO Core__PodStatus *s = make(spec, obs, old, &row);

	(void)state;
	assert_int_equal(podcondition_find(s, "Initialized")->lasttransitiontime->seconds, 7);
	assert_int_equal(podcondition_find(s, "Ready")->lasttransitiontime->seconds, NOW_SEC);
	podobs_free(obs);
	podspec_free(spec);
}

/* Conditions of others stay, and a readiness gate counts them. */
static void readiness_gates(void **state)
{
	static const struct {
		const char *api, *ready, *reason;
	} table[] = {
		{ "{}", "False", "ReadinessGatesNotReady" },
		{ "{'conditions': [{'type': 'x/gate', 'status': 'False'}]}", "False",
		  "ReadinessGatesNotReady" },
		{ "{'conditions': [{'type': 'x/gate', 'status': 'True'}]}", "True", NULL },
	};
	static const struct row row = { "{'readinessGates': [{'conditionType': 'x/gate'}], "
					"'containers': [{'name': 'a'}]}",
					"a=run" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct podspec *spec = podjson_spec(row.spec);
		Core__Pod *pod = (Core__Pod *)spec->object->msg;
		struct podobs *obs = observe(row.obs);
		AUTO_PROTO Core__PodStatus *s = NULL;

		proto_free(pod->status);
		pod->status = podjson(&core__pod_status__descriptor, table[i].api);
		s = make(spec, obs, pod->status, &row);
		assert_string_equal(podcondition_find(s, "Ready")->status, table[i].ready);
		assert_true(
		    str_eq(str_or(podcondition_find(s, "Ready")->reason, NULL), table[i].reason));
		assert_string_equal(podcondition_find(s, "ContainersReady")->status, "True");
		assert_string_equal(podcondition_find(s, "PodScheduled")->status, "True");
		assert_string_equal(s->hostip, "192.0.2.1");
		assert_string_equal(s->podip, "10.0.0.2");
		assert_int_equal(podcondition_find(s, "x/gate") != NULL,
				 pod->status->n_conditions > 0);
		podobs_free(obs);
		podspec_free(spec);
	}
}

#define ASKS(requests, limits) \
	"{'containers': [{'name': 'a', 'resources': {'requests': " requests ", 'limits': " limits \
	"}}]}"

/* A running container shows what the runtime holds it to. */
static void actual_resources(void **state)
{
	static const struct {
		const char *spec;
		int64_t shares, quota, period, memory; /* as the runtime reports them */
		const char *want;
	} table[] = {
		{ ASKS("{}", "{}"), 2, 0, 100000, 0, "{}" },
		{ ASKS("{}", "{}"), 409, 40000, 100000, 1 << 20, "{}" },
		{ ASKS("{'cpu': '123m'}", "{'cpu': '400m'}"), 125, 40000, 100000, 0,
		  "{'limits': {'cpu': '400m'}, 'requests': {'cpu': '123m'}}" },
		/* limits of the pod */
		{ ASKS("{'memory': '1Mi'}", "{'memory': '1Mi'}"), 409, 40000, 100000, 1 << 20,
		  "{'limits': {'memory': '1Mi', 'cpu': '400m'}, 'requests': {'memory': '1Mi', "
		  "'cpu': '400m'}}" },
		/* less than the kernel can express */
		{ ASKS("{'cpu': '1m'}", "{'cpu': '1m'}"), 2, 1000, 100000, 0,
		  "{'limits': {'cpu': '1m'}, 'requests': {'cpu': '1m'}}" },
		/* a runtime that does not tell */
		{ ASKS("{'cpu': '1'}", "{'memory': '2Mi'}"), -1, -1, -1, -1,
		  "{'limits': {'memory': '2Mi'}, 'requests': {'cpu': '1'}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct row row = { table[i].spec, "a=run" };
		struct podspec *spec = podjson_spec(row.spec);
		struct podobs *obs = observe(row.obs);
		AUTO_PROTO Core__ResourceRequirements *want =
		    podjson(&core__resource_requirements__descriptor, table[i].want);
		AUTO_PROTO Core__PodStatus *s = NULL;
		struct obs_container *c = obs->containers[0];
		struct json_object *x, *y;

		c->cpu_shares = table[i].shares;
		c->cpu_quota = table[i].quota;
		c->cpu_period = table[i].period;
		c->memory_limit = table[i].memory;
		s = make(spec, obs, spec->pod->status, &row);
		x = codec_to_json(s->containerstatuses[0]->resources);
		y = codec_to_json(want);
		assert_string_equal(json_object_to_json_string(x), json_object_to_json_string(y));
		json_object_put(x);
		json_object_put(y);
		podobs_free(obs);
		podspec_free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(statuses_are_stable),
		cmocka_unit_test(reasons_of_the_killed_may_change),
		cmocka_unit_test(terminal_phases_stay),
		cmocka_unit_test(transition_times_move_with_the_status_only),
		cmocka_unit_test(readiness_gates),
		cmocka_unit_test(actual_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
