/* Images (contract in images.h). Effect. */
#include "images.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/vec.h"
#include "cri/grpc.h"
#include "imagename.h"
#include "pod/backoff.h"

#define PULL_ERROR_MAX 1024

struct pull;

/* One asker. */
struct image_call {
	struct images *m;
	char *owner_uid, *requested, *image, *policy, *runtime_handler;
	Cri__AuthConfig **auths;
	size_t n_auths;
	Cri__PodSandboxConfig *sandbox;
	void (*event)(void *ctx, const char *type, const char *reason, const char *message);
	void (*done)(void *ctx, const struct image_result *result);
	void *ctx;
	struct cri_call *rpc;
	sd_event_source *defer;
	struct pull *pull;
	int64_t began_usec;
	char *reason, *message;
	int64_t retry_usec;
	bool pulled;
};

/* One pull, with everybody who waits for it. */
struct pull {
	struct images *m;
	char *key;
	VEC(struct image_call *) waiters;
	struct cri_call *rpc;
	Cri__PullImageRequest *request;
	Cri__AuthConfig **auths;
	size_t n_auths, next_auth;
	int64_t began_usec;
};

struct failure {
	struct backoff backoff;
	char *message; /* "ErrImagePull: …" of the last attempt, or another reason */
};

struct images {
	sd_event *loop;
	struct cri *cri;
	struct map pulls;    /* image → struct pull */
	struct map failures; /* uid_image → struct failure */
};

struct images *images_new(sd_event *loop, struct cri *cri)
{
	struct images *m = NEW(struct images);

	m->loop = loop;
	m->cri = cri;
	return m;
}

static void failure_free(struct failure *f)
{
	if (f)
		free(f->message);
	free(f);
}

static void pull_free(struct pull *p)
{
	cri_call_cancel(p->rpc);
	proto_free(p->request);
	for (size_t i = 0; i < p->n_auths; i++)
		proto_free(p->auths[i]);
	free(p->auths);
	vec_fini(&p->waiters);
	free(p->key);
	free(p);
}

void images_free(struct images *m)
{
	void *value;

	if (!m)
		return;
	for (size_t cursor = 0; map_next(&m->pulls, &cursor, NULL, &value);)
		pull_free(value);
	for (size_t cursor = 0; map_next(&m->failures, &cursor, NULL, &value);)
		failure_free(value);
	map_fini(&m->pulls);
	map_fini(&m->failures);
	free(m);
}

void images_forget_pod(struct images *m, const char *uid)
{
	char **gone = NULL;
	const char *key;

	for (size_t cursor = 0; map_next(&m->failures, &cursor, &key, NULL);) {
		if (str_starts(key, uid))
			strv_push(&gone, key);
	}
	for (size_t i = 0; gone && gone[i]; i++)
		failure_free(map_remove(&m->failures, gone[i]));
	strv_free(gone);
}

static void call_free(struct image_call *c)
{
	for (size_t i = 0; i < c->n_auths; i++)
		proto_free(c->auths[i]);
	free(c->auths);
	proto_free(c->sandbox);
	sd_event_source_disable_unref(c->defer);
	free(c->owner_uid);
	free(c->requested);
	free(c->image);
	free(c->policy);
	free(c->runtime_handler);
	free(c->reason);
	free(c->message);
	free(c);
}

/* A pull with other credentials may have taken the image's place in the list. */
static void unlist(struct pull *p)
{
	if (map_get(&p->m->pulls, p->key) == p)
		map_remove(&p->m->pulls, p->key);
}

static void leave_pull(struct image_call *c)
{
	struct pull *p = c->pull;

	if (!p)
		return;
	for (size_t i = 0; i < p->waiters.n; i++) {
		if (p->waiters.v[i] == c) {
			vec_remove(&p->waiters, i);
			break;
		}
	}
	c->pull = NULL;
	if (p->waiters.n)
		return;
	unlist(p);
	pull_free(p);
}

void image_call_cancel(struct image_call *c)
{
	if (!c)
		return;
	cri_call_cancel(c->rpc);
	leave_pull(c);
	call_free(c);
}

static void finish(struct image_call *c, struct image_result *r)
{
	c->done(c->ctx, r);
	call_free(c);
}

static void fail(struct image_call *c, const char *reason, const char *message, int64_t retry_usec)
{
	struct image_result r = { .reason = reason, .message = message, .retry_usec = retry_usec };

	finish(c, &r);
}

/* --- inspection --- */

static void inspect(struct image_call *c, void (*fn)(void *, void *, const struct err *))
{
	AUTO_PROTO Cri__ImageStatusRequest *req = proto_new(&cri__image_status_request__descriptor);

	req->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&req->image->image, c->image);
	proto_set_str(&req->image->runtime_handler, str_or(c->runtime_handler, ""));
	c->rpc = cri_call(c->m->cri, CRI_IMAGE_STATUS, req, 0, fn, c);
}

static void succeed(struct image_call *c, const Cri__Image *image)
{
	struct image_result r = {
		.ref = image->id,
		.has_uid = image->uid != NULL,
		.uid = image->uid ? image->uid->value : 0,
		.username = image->username,
	};

	finish(c, &r);
}

static void fail_inspect(struct image_call *c, const char *why)
{
	AUTO_FREE char *message = str_fmt("Failed to inspect image \"%s\": %s", c->image, why);

	c->event(c->ctx, "Warning", "InspectFailed", message);
	fail(c, "ImageInspectError", message, 0);
}

static void report_pulled(struct image_call *c, uint64_t size)
{
	int64_t msec = (clock_mono_usec() - c->began_usec) / USEC_PER_MSEC;
	AUTO_FREE char *took = msec < 1000
				   ? str_fmt("%" PRId64 "ms", msec)
				   : str_fmt("%" PRId64 ".%03ds", msec / 1000, (int)(msec % 1000));
	AUTO_FREE char *message =
	    str_fmt("Successfully pulled image \"%s\" in %s (%s including waiting). Image "
		    "size: %" PRIu64 " bytes.",
		    c->requested, took, took, size);

	c->event(c->ctx, "Normal", "Pulled", message);
}

static void on_pulled_status(void *ctx, void *reply, const struct err *e)
{
	struct image_call *c = ctx;
	AUTO_PROTO Cri__ImageStatusResponse *r = reply;

	c->rpc = NULL;
	if (e || !r->image) {
		fail_inspect(c, e ? e->text : "the image is gone again");
		return;
	}
	report_pulled(c, r->image->size);
	succeed(c, r->image);
}

/* --- pulling --- */

static char *failure_key(const struct image_call *c)
{
	return str_fmt("%s_%s", c->owner_uid, c->requested);
}

static void note_failure(struct image_call *c, const char *reason, const char *message)
{
	AUTO_FREE char *key = failure_key(c);
	struct failure *f = map_get(&c->m->failures, key);
	int64_t now = clock_mono_usec();

	if (!f) {
		f = NEW(struct failure);
		map_put(&c->m->failures, key, f);
	}
	backoff_next(&f->backoff, now, now, BACKOFF_BASE_SEC * USEC_PER_SEC,
		     BACKOFF_MAX_SEC * USEC_PER_SEC);
	free(f->message);
	f->message = str_fmt("%s: %s", reason, message);
}

/* Failures that the runtime names in front of its text have a reason of their own. */
static const struct {
	const char *reason, *what;
} named_failures[] = {
	{ "RegistryUnavailable", "the registry is unavailable" },
	{ "SignatureValidationFailed", "the signature validation failed" },
};

static void pull_failed(struct image_call *c, const struct err *e)
{
	char buf[PULL_ERROR_MAX];
	const char *why = grpc_err_text(e, buf, sizeof(buf)), *reason = "ErrImagePull";
	AUTO_FREE char *text = str_fmt("Failed to pull image \"%s\": %s", c->requested, why);
	AUTO_FREE char *message = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(named_failures) && !message; i++) {
		if (!str_starts(why, named_failures[i].reason))
			continue;
		reason = named_failures[i].reason;
		message = str_fmt("image pull failed for %s because %s%s", c->requested,
				  named_failures[i].what, why + strlen(reason));
	}
	c->event(c->ctx, "Warning", "Failed", text);
	note_failure(c, reason, message ? message : why);
	fail(c, reason, message ? message : why, 0);
}

static void pull_try(struct pull *p);

static void on_pull(void *ctx, void *reply, const struct err *e)
{
	struct pull *p = ctx;
	AUTO_PROTO Cri__PullImageResponse *r = reply;
	struct err failure;

	p->rpc = NULL;
	if (e && p->next_auth < p->n_auths) {
		pull_try(p);
		return;
	}
	if (e)
		failure = *e;
	unlist(p);
	while (p->waiters.n) {
		struct image_call *c = p->waiters.v[0];

		vec_remove(&p->waiters, 0);
		c->pull = NULL;
		if (e)
			pull_failed(c, &failure);
		else
			inspect(c, on_pulled_status);
	}
	pull_free(p);
	(void)r;
}

/* Credentials in turn until one is accepted. */
static void pull_try(struct pull *p)
{
	proto_free(p->request->auth);
	p->request->auth = NULL;
	if (p->next_auth < p->n_auths)
		p->request->auth = proto_dup(p->auths[p->next_auth++]);
	p->rpc = cri_call(p->m->cri, CRI_PULL_IMAGE, p->request, -1, on_pull, p);
}

static struct pull *pull_begin(struct image_call *c)
{
	struct pull *p = NEW(struct pull);

	p->m = c->m;
	p->key = mem_strdup(c->image);
	p->request = proto_new(&cri__pull_image_request__descriptor);
	p->request->image = proto_new(&cri__image_spec__descriptor);
	proto_set_str(&p->request->image->image, c->image);
	for (size_t i = 0; c->sandbox && i < c->sandbox->n_annotations; i++)
		proto_push_pair(&p->request->image->n_annotations, &p->request->image->annotations,
				&cri__image_spec__annotations_entry__descriptor,
				c->sandbox->annotations[i]->key, c->sandbox->annotations[i]->value);
	p->request->sandbox_config = c->sandbox ? proto_dup(c->sandbox) : NULL;
	p->auths = TAKE(c->auths);
	p->n_auths = c->n_auths;
	c->n_auths = 0;
	p->began_usec = clock_mono_usec();
	map_put(&c->m->pulls, p->key, p);
	pull_try(p);
	return p;
}

/* Returns true when the last failure is too fresh; the asker has its answer then. */
static bool backed_off(struct image_call *c)
{
	AUTO_FREE char *key = failure_key(c);
	struct failure *f = map_get(&c->m->failures, key);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *full = NULL;
	int64_t due;

	if (!f)
		return false;
	due = f->backoff.last_update_usec + f->backoff.delay_usec;
	if (clock_mono_usec() >= due)
		return false;
	text = str_fmt("Back-off pulling image \"%s\"", c->requested);
	full = f->message ? str_fmt("%s: %s", text, f->message) : mem_strdup(text);
	c->event(c->ctx, "Normal", "BackOff", text);
	fail(c, "ImagePullBackOff", full, due);
	return true;
}

/* Equal images with different credentials are different pulls. */
static void pull(struct image_call *c)
{
	AUTO_FREE char *text = NULL;
	struct pull *p;

	if (backed_off(c))
		return;
	text = str_fmt("Pulling image \"%s\"", c->requested);
	c->event(c->ctx, "Normal", "Pulling", text);
	c->began_usec = clock_mono_usec();
	p = c->n_auths ? NULL : map_get(&c->m->pulls, c->image);
	if (!p || p->n_auths)
		p = pull_begin(c);
	c->pull = p;
	vec_push(&p->waiters, c);
}

static void on_local_status(void *ctx, void *reply, const struct err *e)
{
	struct image_call *c = ctx;
	AUTO_PROTO Cri__ImageStatusResponse *r = reply;
	AUTO_FREE char *text = NULL;

	c->rpc = NULL;
	if (e) {
		fail_inspect(c, e->text);
	} else if (r->image && !str_empty(r->image->id)) {
		text = str_fmt("Container image \"%s\" already present on machine and can be "
			       "accessed by the pod",
			       c->requested);
		c->event(c->ctx, "Normal", "Pulled", text);
		succeed(c, r->image);
	} else if (str_eq(c->policy, "Never")) {
		text = str_fmt("Container image \"%s\" is not present with pull policy of Never",
			       c->requested);
		c->event(c->ctx, "Warning", "ErrImageNeverPull", text);
		fail(c, "ErrImageNeverPull", text, 0);
	} else {
		pull(c);
	}
}

static int on_begin(sd_event_source *s, void *userdata)
{
	struct image_call *c = userdata;
	struct err e;

	c->defer = sd_event_source_unref(s);
	c->image = imagename_with_tag(c->requested, &e);
	if (!c->image) {
		AUTO_FREE char *text =
		    str_fmt("Failed to apply default image tag \"%s\": %s", c->requested, e.text);

		c->event(c->ctx, "Warning", "InspectFailed", text);
		fail(c, "InvalidImageName", text, 0);
	} else if (str_eq(c->policy, "Always")) {
		pull(c);
	} else {
		inspect(c, on_local_status);
	}
	return 0;
}

struct image_call *images_ensure(struct images *m, const struct image_request *request)
{
	struct image_call *c = NEW(struct image_call);

	c->m = m;
	c->owner_uid = mem_strdup(request->owner_uid);
	c->requested = mem_strdup(request->image);
	c->policy = mem_strdup(str_or(request->policy, "IfNotPresent"));
	c->runtime_handler = mem_strdup(request->runtime_handler);
	for (size_t i = 0; i < request->n_auths; i++)
		proto_push(&c->n_auths, &c->auths, proto_dup(request->auths[i]));
	c->sandbox = request->sandbox ? proto_dup(request->sandbox) : NULL;
	c->event = request->event;
	c->done = request->done;
	c->ctx = request->ctx;
	sd_event_add_defer(m->loop, &c->defer, on_begin, c);
	return c;
}
