/* What the node knows of its runtime (contract in runtimewatch.h). Effect. */
#include "runtimewatch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/str.h"
#include "nodestatus.h"
#include "runtimeinfo.h"

enum { PERIOD_MSEC = 5000, HURRIED_MSEC = 100, SLACK_USEC = 250000, HURRIED_SLACK_USEC = 10000 };

enum question { ASK_STATUS, ASK_VERSION, ASK_CONFIG, ASK_VERBOSE, ASK_IMAGES, QUESTIONS };

struct runtimewatch {
	sd_event *loop;
	struct cri *cri;
	char *endpoint;
	void (*changed)(void *ctx);
	void *ctx;
	sd_event_source *timer;
	struct cri_call *calls[QUESTIONS];
	Cri__StatusResponse *status;
	Cri__VersionResponse *version;
	Cri__ListImagesResponse *images;
	const char *cgroup_driver;
	bool config_answered, hurried, absent, was_down;
	int64_t start_usec, good_usec; /* monotonic */
};

static void arm(struct runtimewatch *w)
{
	uint64_t now, msec = w->hurried ? HURRIED_MSEC : PERIOD_MSEC;

	if (sd_event_now(w->loop, CLOCK_MONOTONIC, &now) < 0)
		return;
	sd_event_source_set_time(w->timer, now + msec * USEC_PER_MSEC);
	sd_event_source_set_time_accuracy(w->timer, w->hurried ? HURRIED_SLACK_USEC : SLACK_USEC);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void version_answered(void *ctx, void *reply, const struct err *e)
{
	struct runtimewatch *w = ctx;

	w->calls[ASK_VERSION] = NULL;
	if (e) {
		log_err_warning(e, "runtime %s: asking for its version", w->endpoint);
		return;
	}
	proto_free(w->version);
	w->version = reply;
	log_v(1, "runtime %s %s endpoint=%s", w->version->runtime_name, w->version->runtime_version,
	      w->endpoint);
	w->changed(w->ctx);
}

static void verbose_answered(void *ctx, void *reply, const struct err *e)
{
	struct runtimewatch *w = ctx;

	w->calls[ASK_VERBOSE] = NULL;
	if (e) {
		log_err_warning(e, "runtime %s: asking for its configuration", w->endpoint);
		return;
	}
	w->config_answered = true;
	w->cgroup_driver = runtimeinfo_cgroup_driver(reply);
	proto_free(reply);
	w->changed(w->ctx);
}

static void ask_verbose(struct runtimewatch *w)
{
	Cri__StatusRequest request = CRI__STATUS_REQUEST__INIT;

	request.verbose = true;
	if (!w->calls[ASK_VERBOSE])
		w->calls[ASK_VERBOSE] =
		    cri_call(w->cri, CRI_STATUS, &request, 0, verbose_answered, w);
}

/* Runtimes before containerd 2 do not know the call. */
static void config_answered(void *ctx, void *reply, const struct err *e)
{
	struct runtimewatch *w = ctx;
	Cri__RuntimeConfigResponse *r = reply;

	w->calls[ASK_CONFIG] = NULL;
	if (e && e->code == ERR_UNIMPLEMENTED) {
		ask_verbose(w);
		return;
	}
	if (e) {
		log_err_warning(e, "runtime %s: asking for its cgroup driver", w->endpoint);
		return;
	}
	w->config_answered = true;
	if (r && r->linux)
		w->cgroup_driver =
		    r->linux->cgroup_driver == CRI__CGROUP_DRIVER__SYSTEMD ? "systemd" : "cgroupfs";
	proto_free(r);
	w->changed(w->ctx);
}

static void images_answered(void *ctx, void *reply, const struct err *e)
{
	struct runtimewatch *w = ctx;

	w->calls[ASK_IMAGES] = NULL;
	if (e) {
		log_err_warning(e, "runtime %s: listing images", w->endpoint);
		return;
	}
	proto_free(w->images);
	w->images = reply;
	w->changed(w->ctx);
}

static void ask_version(struct runtimewatch *w)
{
	Cri__VersionRequest version = CRI__VERSION_REQUEST__INIT;
	Cri__RuntimeConfigRequest config = CRI__RUNTIME_CONFIG_REQUEST__INIT;

	version.version = (char *)"0.1.0";
	if (!w->calls[ASK_VERSION])
		w->calls[ASK_VERSION] =
		    cri_call(w->cri, CRI_VERSION, &version, 0, version_answered, w);
	if (!w->calls[ASK_CONFIG])
		w->calls[ASK_CONFIG] =
		    cri_call(w->cri, CRI_RUNTIME_CONFIG, &config, 0, config_answered, w);
}

void runtimewatch_list_images(struct runtimewatch *w)
{
	Cri__ListImagesRequest request = CRI__LIST_IMAGES_REQUEST__INIT;

	if (!w->calls[ASK_IMAGES])
		w->calls[ASK_IMAGES] =
		    cri_call(w->cri, CRI_LIST_IMAGES, &request, 0, images_answered, w);
}

static void status_failed(struct runtimewatch *w, const struct err *e)
{
	if (!w->absent)
		log_err_warning(e,
				"runtime %s does not answer: start it, or name another "
				"(containerRuntimeEndpoint); waiting for it",
				w->endpoint);
	w->absent = true;
}

static void status_good(struct runtimewatch *w)
{
	if (w->absent)
		log_info("runtime %s answers again", w->endpoint);
	/* it may be another version now */
	if (w->absent || !runtimewatch_complete(w))
		ask_version(w);
	if (w->absent || !w->images)
		runtimewatch_list_images(w);
	w->absent = false;
	if (nodestatus_runtime_ready(w->status))
		w->good_usec = clock_mono_usec();
}

static void status_answered(void *ctx, void *reply, const struct err *e)
{
	struct runtimewatch *w = ctx;
	bool changed;

	w->calls[ASK_STATUS] = NULL;
	if (e) {
		status_failed(w, e);
	} else {
		proto_free(w->status);
		w->status = reply;
		status_good(w);
	}
	changed = !e || w->was_down != runtimewatch_down(w);
	w->was_down = runtimewatch_down(w);
	arm(w);
	if (changed)
		w->changed(w->ctx);
}

static int tick(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct runtimewatch *w = ctx;
	Cri__StatusRequest request = CRI__STATUS_REQUEST__INIT;

	(void)source;
	(void)usec;
	if (!w->calls[ASK_STATUS])
		w->calls[ASK_STATUS] =
		    cri_call(w->cri, CRI_STATUS, &request, 0, status_answered, w);
	return 0;
}

struct runtimewatch *runtimewatch_new(sd_event *loop, struct cri *cri, const char *endpoint,
				      void (*changed)(void *ctx), void *ctx)
{
	struct runtimewatch *w = NEW(struct runtimewatch);

	w->loop = sd_event_ref(loop);
	w->cri = cri;
	w->endpoint = mem_strdup(endpoint);
	w->changed = changed;
	w->ctx = ctx;
	w->start_usec = clock_mono_usec();
	sd_event_add_time(loop, &w->timer, CLOCK_MONOTONIC, 0, SLACK_USEC, tick, w);
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	sd_event_source_set_description(w->timer, "runtime-status");
	return w;
}

void runtimewatch_free(struct runtimewatch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < QUESTIONS; i++) {
		if (w->calls[i])
			cri_call_cancel(w->calls[i]);
	}
	sd_event_source_disable_unref(w->timer);
	sd_event_unref(w->loop);
	proto_free(w->status);
	proto_free(w->version);
	proto_free(w->images);
	free(w->endpoint);
	free(w);
}

void runtimewatch_start(struct runtimewatch *w)
{
	w->hurried = true;
	tick(NULL, 0, w);
}

void runtimewatch_hurry(struct runtimewatch *w, bool on)
{
	if (w->hurried == on)
		return;
	w->hurried = on;
	if (!w->calls[ASK_STATUS])
		arm(w);
}

bool runtimewatch_complete(const struct runtimewatch *w)
{
	return w->status && w->version && w->config_answered;
}

bool runtimewatch_down(const struct runtimewatch *w)
{
	int64_t since = w->good_usec ? w->good_usec : w->start_usec;

	return clock_mono_usec() - since >= (int64_t)RUNTIMEWATCH_DOWN_SEC * USEC_PER_SEC;
}

const Cri__StatusResponse *runtimewatch_status(const struct runtimewatch *w)
{
	return w->status;
}

const Cri__VersionResponse *runtimewatch_version(const struct runtimewatch *w)
{
	return w->version;
}

const Cri__ListImagesResponse *runtimewatch_images(const struct runtimewatch *w)
{
	return w->images;
}

const char *runtimewatch_cgroup_driver(const struct runtimewatch *w)
{
	return w->cgroup_driver;
}
