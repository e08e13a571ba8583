/* Probe workers of all pods (contract in probes.h). Effect. */
#include "probes.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "check.h"

enum { TIMEOUT_DEFAULT_SEC = 1, PERIOD_DEFAULT_SEC = 10 };

struct worker {
	struct pod_probes *pod;
	char *container, *container_id;
	int index; /* in the specification */
	enum probe_kind kind;
	struct probe_state state;
	struct check *check;
	sd_event_source *timer;
};

struct pod_probes {
	struct probes *p;
	char *uid;
	struct podspec *spec;
	char *ip;
	bool terminating;
	struct worker **workers;
	size_t n;
};

struct probes {
	sd_event *loop;
	struct checks *checks;
	struct event_recorder *events;
	struct probes_ops ops;
	void *ctx;
	struct map pods; /* uid → struct pod_probes */
	int64_t start_usec;
};

struct probes *probes_new(sd_event *loop, struct checks *checks, struct event_recorder *events,
			  const struct probes_ops *ops, void *ctx)
{
	struct probes *p = NEW(struct probes);

	*p = (struct probes){ .loop = loop, .checks = checks, .events = events, .ops = *ops };
	p->ctx = ctx;
	p->start_usec = clock_mono_usec();
	return p;
}

static void worker_free(struct worker *w)
{
	check_cancel(w->check);
	sd_event_source_disable_unref(w->timer);
	free(w->container);
	free(w->container_id);
	free(w);
}

static void pod_free(struct pod_probes *pp)
{
	for (size_t i = 0; i < pp->n; i++)
		worker_free(pp->workers[i]);
	free(pp->workers);
	podspec_free(pp->spec);
	free(pp->ip);
	free(pp->uid);
	free(pp);
}

void probes_free(struct probes *p)
{
	void *value;

	if (!p)
		return;
	for (size_t cursor = 0; map_next(&p->pods, &cursor, NULL, &value);)
		pod_free(value);
	map_fini(&p->pods);
	free(p);
}

void probes_remove_pod(struct probes *p, const char *uid)
{
	struct pod_probes *pp = map_remove(&p->pods, uid);

	if (pp)
		pod_free(pp);
}

static const Core__Probe *probe_of(const Core__Container *c, enum probe_kind kind)
{
	switch (kind) {
	case PROBE_STARTUP:
		return c->startupprobe;
	case PROBE_READINESS:
		return c->readinessprobe;
	case PROBE_LIVENESS:
		return c->livenessprobe;
	case PROBE_KIND_COUNT:
		break;
	}
	return NULL;
}

static const Core__Probe *spec_of(const struct worker *w)
{
	return probe_of(w->pod->spec->containers[w->index].spec, w->kind);
}

static struct worker *find(const struct pod_probes *pp, const char *container, enum probe_kind kind)
{
	for (size_t i = 0; i < pp->n; i++) {
		if (pp->workers[i]->kind == kind && str_eq(pp->workers[i]->container, container))
			return pp->workers[i];
	}
	return NULL;
}

enum plan_verdict probes_verdict(const struct probes *p, const char *uid, const char *container,
				 enum probe_kind kind, const char *container_id)
{
	const struct pod_probes *pp = map_get(&p->pods, uid);
	const struct worker *w = pp ? find(pp, container, kind) : NULL;

	return w && str_eq(w->container_id, container_id) ? w->state.verdict : VERDICT_UNKNOWN;
}

/* --- one check --- */

static bool is_started(const struct worker *w)
{
	const struct pod_probes *pp = w->pod;
	const struct worker *startup = find(pp, w->container, PROBE_STARTUP);

	return !startup || startup->state.verdict == VERDICT_SUCCESS;
}

static void record(struct worker *w, const char *reason, const char *fmt, const char *output)
{
	static const char *const names[] = { "Startup", "Readiness", "Liveness" };
	AUTO_FREE char *path = podspec_field_path(&w->pod->spec->containers[w->index]);
	AUTO_PROTO Core__ObjectReference *ref = event_reference(w->pod->spec->object, path);

	event_record(w->pod->p->events, ref, "Warning", reason, "%s probe %s: %.800s",
		     names[w->kind], fmt, output);
}

static void on_check(void *ctx, enum check_result result, const char *output)
{
	struct worker *w = ctx;
	struct pod_probes *pp = w->pod;

	w->check = NULL;
	if (result == CHECK_ERROR) {
		/* nothing is known of the container: the result is thrown away */
		record(w, "Unhealthy", "errored and resulted in unknown state", output);
		return;
	}
	if (result == CHECK_WARNING)
		record(w, "ProbeWarning", "warning", output);
	if (result == CHECK_FAILURE)
		record(w, "Unhealthy", "failed", output);
	if (!probestate_result(&w->state, w->kind, spec_of(w), result != CHECK_FAILURE))
		return;
	log_v(3, "probe of %s in %s/%s: verdict %d", w->container, pp->spec->ns, pp->spec->name,
	      w->state.verdict);
	pp->p->ops.changed(pp->p->ctx, pp->uid);
}

static struct check *begin(struct worker *w)
{
	const Core__Probe *probe = spec_of(w);
	const Core__ProbeHandler *h = probe->handler;
	struct checks *checks = w->pod->p->checks;
	int32_t timeout = probe->timeoutseconds > 0 ? probe->timeoutseconds : TIMEOUT_DEFAULT_SEC;
	struct check_target t = {
		.container = w->pod->spec->containers[w->index].spec,
		.container_id = w->container_id,
		.pod_ip = w->pod->ip,
		.agent = "kube-probe",
		.timeout_usec = (int64_t)timeout * USEC_PER_SEC,
	};

	if (h && h->exec)
		return check_exec(checks, &t, h->exec->n_command, h->exec->command, on_check, w);
	if (h && h->httpget)
		return check_http(checks, &t, h->httpget, on_check, w);
	if (h && h->tcpsocket)
		return check_tcp(checks, &t, h->tcpsocket, on_check, w);
	if (h && h->grpc)
		return check_grpc(checks, &t, h->grpc, on_check, w);
	return NULL;
}

static int64_t period_usec(const struct worker *w)
{
	int32_t sec = spec_of(w)->periodseconds;

	return (int64_t)(sec > 0 ? sec : PERIOD_DEFAULT_SEC) * USEC_PER_SEC;
}

static int64_t running_for(const struct obs_container *c)
{
	return clock_wall_usec() - c->started_ns / 1000;
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata);

static void arm(struct worker *w, int64_t after_usec)
{
	if (!w->timer) {
		sd_event_add_time_relative(w->pod->p->loop, &w->timer, CLOCK_MONOTONIC,
					   (uint64_t)after_usec, 50 * USEC_PER_MSEC, on_tick, w);
		return;
	}
	sd_event_source_set_time_relative(w->timer, (uint64_t)after_usec);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct worker *w = userdata;
	struct probe_now now = {
		.running = w->container_id != NULL,
		.started = is_started(w),
		.terminating = w->pod->terminating,
		.running_for_usec = INT64_MAX,
	};

	(void)s;
	(void)usec;
	arm(w, period_usec(w));
	if (!w->check && probestate_due(&w->state, w->kind, spec_of(w), &now))
		w->check = begin(w);
	return 0;
}

/* --- workers follow the pod --- */

static int64_t jitter(int64_t range_usec)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	return (int64_t)((uint64_t)r * (uint64_t)range_usec >> 32);
}

/* The first check comes at once, or when the initial delay is over; after a restart of the agent
 * the workers spread over their period. */
static void start(struct worker *w, const struct obs_container *c)
{
	const Core__Probe *probe = spec_of(w);
	int64_t delay = (int64_t)probe->initialdelayseconds * USEC_PER_SEC - running_for(c);

	if (clock_mono_usec() - w->pod->p->start_usec < period_usec(w))
		delay = delay > 0 ? delay : jitter(period_usec(w));
	arm(w, delay > 0 ? delay : 0);
}

/* A sidecar or container that had started before this agent did is not asked to start again. */
static void seed(struct worker *w, const Core__ContainerStatus *status)
{
	if (w->kind == PROBE_STARTUP && status && status->started &&
	    str_ends(str_or(status->containerid, ""), w->container_id)) {
		w->state.verdict = VERDICT_SUCCESS;
		w->state.on_hold = true;
	}
}

static const Core__ContainerStatus *status_of(const Core__PodStatus *s, const char *name)
{
	for (size_t i = 0; s && i < s->n_containerstatuses; i++) {
		if (str_eq(s->containerstatuses[i]->name, name))
			return s->containerstatuses[i];
	}
	for (size_t i = 0; s && i < s->n_initcontainerstatuses; i++) {
		if (str_eq(s->initcontainerstatuses[i]->name, name))
			return s->initcontainerstatuses[i];
	}
	return NULL;
}

static struct worker *add(struct pod_probes *pp, const char *container, enum probe_kind kind)
{
	struct worker *w = NEW(struct worker);

	w->pod = pp;
	w->container = mem_strdup(container);
	w->kind = kind;
	pp->workers = mem_realloc(pp->workers, pp->n + 1, sizeof(*pp->workers));
	pp->workers[pp->n++] = w;
	return w;
}

static void follow(struct pod_probes *pp, int index, enum probe_kind kind,
		   const struct obs_container *c, const Core__PodStatus *status)
{
	const char *name = pp->spec->containers[index].spec->name;
	struct worker *w = find(pp, name, kind);
	bool running = c && c->state == OBS_RUNNING;

	if (!w)
		w = add(pp, name, kind);
	w->index = index;
	if (running && str_eq(w->container_id, c->id))
		return;
	check_cancel(TAKE(w->check));
	free(TAKE(w->container_id));
	probestate_reset(&w->state);
	if (w->timer)
		sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (!running)
		return;
	w->container_id = mem_strdup(c->id);
	seed(w, status_of(status, name));
	start(w, c);
}

static void set_ip(struct pod_probes *pp, const struct podobs *obs, const char *const *host_ips)
{
	const struct obs_sandbox *sandbox = podobs_sandbox(obs);
	const char *ip = podspec_host_network(pp->spec) ? (host_ips ? host_ips[0] : NULL)
			 : sandbox && sandbox->ips      ? sandbox->ips[0]
							: NULL;

	if (str_eq(ip, pp->ip))
		return;
	free(pp->ip);
	pp->ip = mem_strdup(ip);
}

static bool has_probes(const struct podspec *spec)
{
	for (size_t i = 0; i < spec->n_containers; i++) {
		for (int k = 0; k < PROBE_KIND_COUNT; k++) {
			if (probe_of(spec->containers[i].spec, k))
				return true;
		}
	}
	return false;
}

void probes_sync_pod(struct probes *p, const struct podspec *spec, const struct podobs *obs,
		     const Core__PodStatus *status, const char *const *host_ips)
{
	struct pod_probes *pp = map_get(&p->pods, spec->uid);

	if (!pp && !has_probes(spec))
		return;
	if (!pp) {
		pp = NEW(struct pod_probes);
		pp->p = p;
		pp->uid = mem_strdup(spec->uid);
		map_put(&p->pods, spec->uid, pp);
	}
	if (!pp->spec || pp->spec->object != spec->object) {
		podspec_free(pp->spec);
		pp->spec = podspec_new(spec->object);
	}
	set_ip(pp, obs, host_ips);
	for (size_t i = 0; i < spec->n_containers; i++) {
		for (int k = 0; k < PROBE_KIND_COUNT; k++) {
			if (probe_of(spec->containers[i].spec, k) &&
			    spec->containers[i].kind != CONTAINER_INIT)
				follow(pp, (int)i, k,
				       podobs_latest(obs, spec->containers[i].spec->name), status);
		}
	}
}

void probes_stop_starting(struct probes *p, const char *uid)
{
	struct pod_probes *pp = map_get(&p->pods, uid);

	if (pp)
		pp->terminating = true;
}
