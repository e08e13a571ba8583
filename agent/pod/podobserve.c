/* Looking at the runtime (contract in podobserve.h). Effect.
 *
 * Invariant: an observation is replaced as a whole, only by a look that got every answer it asked
 * for; a look that fails leaves the old one and is repeated.
 */
#include "podobserve.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/vec.h"
#include "obsdecode.h"
#include "termination.h"

enum {
	RELIST_WITH_EVENTS_USEC = 10 * USEC_PER_SEC,
	RELIST_ALONE_USEC = 1 * USEC_PER_SEC,
	RETRY_USEC = 500 * USEC_PER_MSEC,
	STREAM_RETRY_USEC = 5 * USEC_PER_SEC,
	SECOND_LOOK_USEC = 1 * USEC_PER_SEC,
};

#define UID_LABEL "io.kubernetes.pod.uid"

/* One look at one pod: two lists, then a status per item. */
struct look {
	struct podobserve *o;
	char *uid;
	struct podobs *obs;
	VEC(struct status_call *) asked; /* owned: a call that is cancelled tells nobody */
	unsigned waiting;
	bool failed;
};

/* The reply of ContainerStatus does not say whose the container is. */
struct status_call {
	struct look *look;
	char *sandbox_id;
};

struct entry {
	char *uid;
	struct podobs *obs; /* NULL: nothing of it in the runtime */
	struct look *look;  /* under way */
	bool again;         /* another look is wanted after this one */
};

struct podobserve {
	sd_event *loop;
	struct cri *cri;
	struct podobserve_ops ops;
	void *ctx;
	struct map entries; /* uid → struct entry */
	sd_event_source *relist_timer;
	struct cri_stream *stream;
	int64_t stream_retry_usec;
	Cri__ListPodSandboxResponse *sandboxes; /* of the relist under way */
	unsigned relist_waiting, first_looks;
	bool relist_failed;
	int64_t last_relist_usec;
	bool ready;
};

static void relist_after(struct podobserve *o, int64_t usec);

static struct entry *entry_of(struct podobserve *o, const char *uid)
{
	struct entry *en = map_get(&o->entries, uid);

	if (en)
		return en;
	en = NEW(struct entry);
	en->uid = mem_strdup(uid);
	map_put(&o->entries, uid, en);
	return en;
}

static void entry_free(struct entry *en)
{
	podobs_free(en->obs);
	free(en->uid);
	free(en);
}

static void entry_drop_if_empty(struct podobserve *o, struct entry *en)
{
	if (en->obs || en->look || en->again)
		return;
	map_remove(&o->entries, en->uid);
	entry_free(en);
}

/* --- a look at one pod --- */

static void look_begin(struct podobserve *o, struct entry *en);

static void look_free(struct look *l)
{
	for (size_t i = 0; i < l->asked.n; i++) {
		free(l->asked.v[i]->sandbox_id);
		free(l->asked.v[i]);
	}
	vec_fini(&l->asked);
	podobs_free(l->obs);
	free(l->uid);
	free(l);
}

/* Messages of ended containers are read once: the old observation has them. */
static void keep_messages(const struct podobs *before, struct podobs *now)
{
	for (size_t i = 0; i < now->n_containers; i++) {
		struct obs_container *c = now->containers[i];
		const struct obs_container *old = before ? podobs_by_id(before, c->id) : NULL;

		if (c->state != OBS_EXITED)
			continue;
		if (old && old->state == OBS_EXITED) {
			free(c->message);
			c->message = mem_strdup(old->message);
		} else {
			termination_read_message(c);
		}
	}
}

static void become_ready(struct podobserve *o)
{
	if (o->ready || !o->last_relist_usec || o->first_looks)
		return;
	o->ready = true;
	o->ops.ready(o->ctx);
}

static void look_end(struct look *l)
{
	struct podobserve *o = l->o;
	struct entry *en = map_get(&o->entries, l->uid);
	AUTO_FREE char *uid = mem_strdup(l->uid);
	bool failed = l->failed;

	if (!failed) {
		keep_messages(en->obs, l->obs);
		podobs_free(en->obs);
		en->obs = l->obs->n_containers || l->obs->n_sandboxes ? TAKE(l->obs) : NULL;
	}
	en->look = NULL;
	look_free(l);
	if (failed) {
		en->again = true;
		relist_after(o, RETRY_USEC);
		return;
	}
	if (o->first_looks)
		o->first_looks--;
	if (podobs_reason_may_change(en->obs, clock_wall_usec() * NSEC_PER_USEC))
		relist_after(o, SECOND_LOOK_USEC);
	if (en->again) {
		en->again = false;
		look_begin(o, en);
		return;
	}
	entry_drop_if_empty(o, en);
	if (o->ready)
		o->ops.changed(o->ctx, uid);
	else
		become_ready(o);
}

static void answered(struct look *l)
{
	if (--l->waiting == 0)
		look_end(l);
}

/* A record that vanished between list and status is simply not there any more. */
static bool no_answer(struct look *l, const struct err *e, const char *what)
{
	if (!e)
		return false;
	if (e->code != ERR_NOT_FOUND) {
		log_err_warning(e, "%s uid=%s", what, l->uid);
		l->failed = true;
	}
	return true;
}

static void on_container_status(void *ctx, void *reply, const struct err *e)
{
	struct status_call *sc = ctx;
	Cri__ContainerStatusResponse *r = reply;

	if (!no_answer(sc->look, e, "container status") && r->status)
		podobs_put_container(sc->look->obs, obsdecode_container(r->status, sc->sandbox_id));
	proto_free(r);
	answered(sc->look);
}

static void on_sandbox_status(void *ctx, void *reply, const struct err *e)
{
	struct look *l = ctx;
	Cri__PodSandboxStatusResponse *r = reply;

	if (!no_answer(l, e, "sandbox status") && r->status)
		podobs_put_sandbox(l->obs, obsdecode_sandbox(r->status));
	proto_free(r);
	answered(l);
}

static void ask_container(struct look *l, const Cri__Container *c)
{
	AUTO_PROTO Cri__ContainerStatusRequest *req =
	    proto_new(&cri__container_status_request__descriptor);
	struct status_call *sc = NEW(struct status_call);

	*sc = (struct status_call){ .look = l, .sandbox_id = mem_strdup(c->pod_sandbox_id) };
	proto_set_str(&req->container_id, c->id);
	vec_push(&l->asked, sc);
	l->waiting++;
	cri_call(l->o->cri, CRI_CONTAINER_STATUS, req, 0, on_container_status, sc);
}

static void ask_sandbox(struct look *l, const Cri__PodSandbox *s)
{
	AUTO_PROTO Cri__PodSandboxStatusRequest *req =
	    proto_new(&cri__pod_sandbox_status_request__descriptor);

	proto_set_str(&req->pod_sandbox_id, s->id);
	l->waiting++;
	cri_call(l->o->cri, CRI_POD_SANDBOX_STATUS, req, 0, on_sandbox_status, l);
}

static void on_pod_containers(void *ctx, void *reply, const struct err *e)
{
	struct look *l = ctx;
	Cri__ListContainersResponse *r = reply;

	if (!no_answer(l, e, "list containers")) {
		for (size_t i = 0; i < r->n_containers; i++)
			ask_container(l, r->containers[i]);
	}
	proto_free(r);
	answered(l);
}

/* Pods without a specification are known by what their sandbox says. */
static void name_obs(struct podobs *obs, const Cri__PodSandbox *s)
{
	if (!s->metadata)
		return;
	free(obs->ns);
	free(obs->name);
	obs->ns = mem_strdup(s->metadata->namespace_);
	obs->name = mem_strdup(s->metadata->name);
}

static void on_pod_sandboxes(void *ctx, void *reply, const struct err *e)
{
	struct look *l = ctx;
	Cri__ListPodSandboxResponse *r = reply;

	if (!no_answer(l, e, "list sandboxes")) {
		for (size_t i = 0; i < r->n_items; i++) {
			name_obs(l->obs, r->items[i]);
			ask_sandbox(l, r->items[i]);
		}
	}
	proto_free(r);
	answered(l);
}

static void look_lists(struct look *l)
{
	AUTO_PROTO Cri__ListPodSandboxRequest *sandboxes =
	    proto_new(&cri__list_pod_sandbox_request__descriptor);
	AUTO_PROTO Cri__ListContainersRequest *containers =
	    proto_new(&cri__list_containers_request__descriptor);

	sandboxes->filter = proto_new(&cri__pod_sandbox_filter__descriptor);
	proto_push_pair(&sandboxes->filter->n_label_selector, &sandboxes->filter->label_selector,
			&cri__pod_sandbox_filter__label_selector_entry__descriptor, UID_LABEL,
			l->uid);
	containers->filter = proto_new(&cri__container_filter__descriptor);
	proto_push_pair(&containers->filter->n_label_selector, &containers->filter->label_selector,
			&cri__container_filter__label_selector_entry__descriptor, UID_LABEL,
			l->uid);
	l->waiting = 2;
	cri_call(l->o->cri, CRI_LIST_POD_SANDBOX, sandboxes, 0, on_pod_sandboxes, l);
	cri_call(l->o->cri, CRI_LIST_CONTAINERS, containers, 0, on_pod_containers, l);
}

static void look_begin(struct podobserve *o, struct entry *en)
{
	struct look *l = NEW(struct look);

	l->o = o;
	l->uid = mem_strdup(en->uid);
	l->obs = podobs_new(en->uid, en->obs ? en->obs->ns : "", en->obs ? en->obs->name : "");
	en->look = l;
	look_lists(l);
}

void podobserve_refresh(struct podobserve *o, const char *uid)
{
	struct entry *en = entry_of(o, uid);

	if (en->look)
		en->again = true;
	else
		look_begin(o, en);
}

bool podobserve_pending(const struct podobserve *o, const char *uid)
{
	const struct entry *en = map_get(&o->entries, uid);

	return en && (en->look || en->again);
}

/* --- the relist --- */

static uint64_t item_hash(const char *id, int state)
{
	uint64_t h = 14695981039346656037u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 1099511628211u;
	return (h ^ (unsigned)(state + 1)) * 1099511628211u;
}

/* Order-independent fingerprint of ids and states. */
static uint64_t obs_print(const struct podobs *obs)
{
	uint64_t h = 0;

	for (size_t i = 0; obs && i < obs->n_sandboxes; i++)
		h ^= item_hash(obs->sandboxes[i]->id, obs->sandboxes[i]->ready);
	for (size_t i = 0; obs && i < obs->n_containers; i++)
		h ^= item_hash(obs->containers[i]->id, 8 + obs->containers[i]->state);
	return h;
}

struct listed {
	uint64_t print;
};

static void count_item(struct map *prints, const char *uid, uint64_t hash)
{
	struct listed *l;

	if (str_empty(uid))
		return;
	l = map_get(prints, uid);
	if (!l) {
		l = NEW(struct listed);
		map_put(prints, uid, l);
	}
	l->print ^= hash;
}

static void count_all(const Cri__ListPodSandboxResponse *sandboxes,
		      const Cri__ListContainersResponse *containers, struct map *prints)
{
	for (size_t i = 0; i < sandboxes->n_items; i++) {
		const Cri__PodSandbox *s = sandboxes->items[i];

		count_item(prints, obsdecode_pair(s->n_labels, (void *const *)s->labels, UID_LABEL),
			   item_hash(s->id, s->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY));
	}
	for (size_t i = 0; i < containers->n_containers; i++) {
		const Cri__Container *c = containers->containers[i];

		count_item(prints, obsdecode_pair(c->n_labels, (void *const *)c->labels, UID_LABEL),
			   item_hash(c->id, 8 + (int)obsdecode_state(c->state)));
	}
}

/* Looks at every pod whose items differ from what we know, and at those that vanished. */
static void compare(struct podobserve *o, struct map *prints)
{
	int64_t now_ns = clock_wall_usec() * NSEC_PER_USEC;
	char **stale = NULL;
	const char *uid;
	void *value;

	for (size_t cursor = 0; map_next(prints, &cursor, &uid, &value);) {
		const struct entry *en = map_get(&o->entries, uid);

		if (!en || obs_print(en->obs) != ((struct listed *)value)->print ||
		    podobs_reason_may_change(en->obs, now_ns - SECOND_LOOK_USEC * NSEC_PER_USEC))
			strv_push(&stale, uid);
	}
	for (size_t cursor = 0; map_next(&o->entries, &cursor, &uid, &value);) {
		struct entry *en = value;

		if ((en->again && !en->look) || (en->obs && !map_has(prints, uid)))
			strv_push(&stale, uid);
	}
	for (size_t i = 0; stale && stale[i]; i++) {
		struct entry *en = entry_of(o, stale[i]);

		if (en->look)
			continue;
		/* a first look that failed is still counted */
		o->first_looks += !o->ready && !en->again;
		en->again = false;
		look_begin(o, en);
	}
	strv_free(stale);
}

static void relist_end(struct podobserve *o, Cri__ListContainersResponse *containers)
{
	struct map prints = { 0 };
	void *value;

	if (!o->relist_failed) {
		count_all(o->sandboxes, containers, &prints);
		compare(o, &prints);
		o->last_relist_usec = clock_mono_usec();
		become_ready(o);
	}
	for (size_t cursor = 0; map_next(&prints, &cursor, NULL, &value);)
		free(value);
	map_fini(&prints);
	proto_free(o->sandboxes);
	o->sandboxes = NULL;
	relist_after(o,
		     o->stream && !o->relist_failed ? RELIST_WITH_EVENTS_USEC : RELIST_ALONE_USEC);
}

static void on_all_containers(void *ctx, void *reply, const struct err *e)
{
	struct podobserve *o = ctx;

	if (e) {
		log_err_warning(e, "list containers");
		o->relist_failed = true;
	}
	o->relist_waiting = 0;
	relist_end(o, reply);
	proto_free(reply);
}

static void on_all_sandboxes(void *ctx, void *reply, const struct err *e)
{
	struct podobserve *o = ctx;
	AUTO_PROTO Cri__ListContainersRequest *req =
	    proto_new(&cri__list_containers_request__descriptor);

	if (e) {
		log_err_warning(e, "list sandboxes");
		o->relist_failed = true;
		o->relist_waiting = 0;
		relist_end(o, NULL);
		return;
	}
	o->sandboxes = reply;
	cri_call(o->cri, CRI_LIST_CONTAINERS, req, 0, on_all_containers, o);
}

static void stream_open(struct podobserve *o);

static int on_relist(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct podobserve *o = userdata;
	AUTO_PROTO Cri__ListPodSandboxRequest *req =
	    proto_new(&cri__list_pod_sandbox_request__descriptor);

	(void)s;
	(void)usec;
	if (o->relist_waiting)
		return 0;
	o->relist_waiting = 1;
	o->relist_failed = false;
	if (!o->stream && clock_mono_usec() >= o->stream_retry_usec)
		stream_open(o);
	cri_call(o->cri, CRI_LIST_POD_SANDBOX, req, 0, on_all_sandboxes, o);
	return 0;
}

/* The timer only ever moves closer: an earlier wish wins. */
static void relist_after(struct podobserve *o, int64_t usec)
{
	uint64_t due, wanted = (uint64_t)(clock_mono_usec() + usec);
	int enabled;

	if (sd_event_source_get_enabled(o->relist_timer, &enabled) > 0 &&
	    sd_event_source_get_time(o->relist_timer, &due) >= 0 && due <= wanted)
		return;
	sd_event_source_set_time(o->relist_timer, wanted);
	sd_event_source_set_enabled(o->relist_timer, SD_EVENT_ONESHOT);
}

/* --- events --- */

static void on_event(void *ctx, const Cri__ContainerEventResponse *event)
{
	struct podobserve *o = ctx;
	const Cri__PodSandboxStatus *s = event->pod_sandbox_status;
	const char *uid = s && s->metadata ? s->metadata->uid : NULL;

	if (!str_empty(uid) && o->ready)
		podobserve_refresh(o, uid);
	else
		relist_after(o, 0);
}

/* A runtime without events is asked every second instead. */
static void on_stream_end(void *ctx, const struct err *e)
{
	struct podobserve *o = ctx;

	o->stream = NULL;
	o->stream_retry_usec =
	    e && e->code == ERR_UNIMPLEMENTED ? INT64_MAX : clock_mono_usec() + STREAM_RETRY_USEC;
	if (e && e->code == ERR_UNIMPLEMENTED)
		log_info("the runtime sends no container events: relisting every second");
	else if (e)
		log_err_warning(e, "container event stream ended");
	relist_after(o, 0);
}

static void stream_open(struct podobserve *o)
{
	o->stream = cri_events(o->cri, on_event, on_stream_end, o);
}

/* --- life --- */

struct podobserve *podobserve_new(sd_event *loop, struct cri *cri, const struct podobserve_ops *ops,
				  void *ctx)
{
	struct podobserve *o = NEW(struct podobserve);

	o->loop = loop;
	o->cri = cri;
	o->ops = *ops;
	o->ctx = ctx;
	sd_event_add_time_relative(loop, &o->relist_timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				   on_relist, o);
	return o;
}

/* The CRI client is gone by now, and with it every pending answer. */
void podobserve_free(struct podobserve *o)
{
	void *value;

	if (!o)
		return;
	for (size_t cursor = 0; map_next(&o->entries, &cursor, NULL, &value);) {
		struct entry *en = value;

		if (en->look)
			look_free(en->look);
		entry_free(en);
	}
	map_fini(&o->entries);
	proto_free(o->sandboxes);
	sd_event_source_disable_unref(o->relist_timer);
	free(o);
}

bool podobserve_is_ready(const struct podobserve *o)
{
	return o->ready;
}

int64_t podobserve_last_relist_usec(const struct podobserve *o)
{
	return o->last_relist_usec;
}

const struct podobs *podobserve_get(const struct podobserve *o, const char *uid)
{
	const struct entry *en = map_get(&o->entries, uid);

	return en ? en->obs : NULL;
}

bool podobserve_next(const struct podobserve *o, size_t *cursor, const struct podobs **ret_obs)
{
	void *value;

	while (map_next(&o->entries, cursor, NULL, &value)) {
		*ret_obs = ((struct entry *)value)->obs;
		if (*ret_obs)
			return true;
	}
	return false;
}
