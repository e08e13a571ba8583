/* Certificates of pods (contract in podcerts.h). Effect.
 *
 * Per source: KEY (a job) → ACCOUNT (its UID) → REQUEST (created) → WAITING (watched) → ISSUED, and
 * at beginRefreshAt from the start again while the old pair stays in use.
 */
#include "podcerts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/certificates.pb-c.h"
#include "pod/podenvironment.h"
#include "podkey.h"

#define PCR_SPEC(field) certificates__pod_certificate_request_spec__##field
#define ANNOTATION_ENTRY (&PCR_SPEC(unverified_user_annotations_entry__descriptor))

enum { EXPIRATION_DEFAULT_SEC = 86400, RETRY_USEC = 10 * USEC_PER_SEC };

struct key_job;

struct cert {
	struct podcerts *p;
	char *id, *uid;
	struct podspec *spec;
	const Core__PodCertificateProjection *projection; /* into spec */
	char *key, *chain;                                /* in use */
	char *next_key;                                   /* of the request under way */
	uint8_t *request;
	size_t request_len;
	char *request_name;
	struct err error;
	struct key_job *job;
	struct kube_call *call;
	sd_event_source *timer;
};

struct key_job {
	struct cert *cert; /* NULL: nobody waits any more */
	char *type, *pem;
	uint8_t *request;
	size_t len;
	struct err error;
};

struct podcerts {
	struct pod_environment *env;
	struct podcerts_ops ops;
	void *ctx;
	struct map certs;          /* uid/volume/source → struct cert */
	struct informer *requests; /* of this node, from the first use on */
};

struct podcerts *podcerts_new(struct pod_environment *env, const struct podcerts_ops *ops,
			      void *ctx)
{
	struct podcerts *p = NEW(struct podcerts);

	p->env = env;
	p->ops = *ops;
	p->ctx = ctx;
	return p;
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void cert_free(struct cert *c)
{
	if (c->job)
		c->job->cert = NULL;
	kube_call_cancel(c->call);
	sd_event_source_disable_unref(c->timer);
	podspec_free(c->spec);
	free_secret(c->key);
	free_secret(c->next_key);
	free(c->chain);
	free(c->request);
	free(c->request_name);
	free(c->id);
	free(c->uid);
	free(c);
}

void podcerts_free(struct podcerts *p)
{
	void *value;

	if (!p)
		return;
	informer_free(p->requests);
	for (size_t cursor = 0; map_next(&p->certs, &cursor, NULL, &value);)
		cert_free(value);
	map_fini(&p->certs);
	free(p);
}

void podcerts_forget(struct podcerts *p, const char *uid)
{
	char **gone = NULL;
	void *value;

	for (size_t cursor = 0; map_next(&p->certs, &cursor, NULL, &value);) {
		if (str_eq(((struct cert *)value)->uid, uid))
			strv_push(&gone, ((struct cert *)value)->id);
	}
	for (size_t i = 0; gone && gone[i]; i++)
		cert_free(map_remove(&p->certs, gone[i]));
	strv_free(gone);
}

/* --- steps --- */

static void make_key(struct cert *c);

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct cert *c = userdata;

	(void)usec;
	c->timer = sd_event_source_unref(s);
	make_key(c);
	return 0;
}

static void again_in(struct cert *c, int64_t usec)
{
	sd_event_source_disable_unref(TAKE(c->timer));
	sd_event_add_time_relative(c->p->env->loop, &c->timer, CLOCK_MONOTONIC,
				   (uint64_t)(usec > USEC_PER_SEC ? usec : USEC_PER_SEC),
				   USEC_PER_SEC, on_timer, c);
}

static void failed(struct cert *c, enum err_code code, const char *text, int64_t retry_usec)
{
	err_set(&c->error, code, "podCertificate: %s", text);
	log_err_warning(&c->error, "certificate of %s/%s", c->spec->ns, c->spec->name);
	if (retry_usec)
		again_in(c, retry_usec);
	c->p->ops.changed(c->p->ctx, c->uid);
}

static void on_request(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct cert *c = ctx;

	c->call = NULL;
	if (e || !reply) {
		failed(c, e ? e->code : ERR_REMOTE, e ? e->text : "no answer", RETRY_USEC);
		return;
	}
	free(c->request_name);
	c->request_name = mem_strdup(reply->meta->name);
}

static Meta__OwnerReference *owner_of(const struct cert *c)
{
	Meta__OwnerReference *o = proto_new(&meta__owner_reference__descriptor);

	proto_set_str(&o->apiversion, "v1");
	proto_set_str(&o->kind, "Pod");
	proto_set_str(&o->name, c->spec->name);
	proto_set_str(&o->uid, c->uid);
	return o;
}

static Certificates__PodCertificateRequestSpec *request_spec(struct cert *c,
							     const char *account_uid)
{
	const Core__PodCertificateProjection *p = c->projection;
	struct kube_object *node = c->p->env->node_object(c->p->env->node_ctx);
	Certificates__PodCertificateRequestSpec *s =
	    proto_new(&certificates__pod_certificate_request_spec__descriptor);

	proto_set_str(&s->signername, p->signername);
	proto_set_str(&s->podname, c->spec->name);
	proto_set_str(&s->poduid, c->uid);
	proto_set_str(&s->serviceaccountname, c->spec->pod->spec->serviceaccountname);
	proto_set_str(&s->serviceaccountuid, account_uid);
	proto_set_str(&s->nodename, c->p->env->node_name);
	proto_set_str(&s->nodeuid, node ? node->meta->uid : "");
	s->has_maxexpirationseconds = true;
	s->maxexpirationseconds =
	    p->has_maxexpirationseconds ? p->maxexpirationseconds : EXPIRATION_DEFAULT_SEC;
	s->has_stubpkcs10request = true;
	s->stubpkcs10request.len = c->request_len;
	s->stubpkcs10request.data = mem_dup(c->request, c->request_len);
	for (size_t i = 0; i < p->n_userannotations; i++)
		proto_push_pair(
		    &s->n_unverifieduserannotations, &s->unverifieduserannotations,
		    ANNOTATION_ENTRY, p->userannotations[i]->key,
		    p->userannotations[i]->value);
	return s;
}

static void on_account(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct cert *c = ctx;
	AUTO_PROTO Certificates__PodCertificateRequest *r =
	    proto_new(&certificates__pod_certificate_request__descriptor);

	c->call = NULL;
	if (e || !reply) {
		failed(c, e ? e->code : ERR_REMOTE, e ? e->text : "no answer", RETRY_USEC);
		return;
	}
	r->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&r->metadata->generatename, "req-");
	proto_set_str(&r->metadata->namespace_, c->spec->ns);
	proto_push(&r->metadata->n_ownerreferences, &r->metadata->ownerreferences, owner_of(c));
	r->spec = request_spec(c, reply->meta->uid);
	c->call = kube_create(c->p->env->client, KUBE_POD_CERTIFICATE_REQUEST, c->spec->ns, NULL,
			      NULL, r, on_request, c);
}

static void key_work(void *arg)
{
	struct key_job *j = arg;

	err_clear(&j->error);
	podkey_make(j->type, &j->pem, &j->request, &j->len, &j->error);
}

static void key_free(void *arg)
{
	struct key_job *j = arg;

	free_secret(j->pem);
	free(j->request);
	free(j->type);
	free(j);
}

static void key_done(void *arg)
{
	struct key_job *j = arg;
	struct cert *c = j->cert;

	if (c) {
		c->job = NULL;
		if (j->error.code != ERR_NONE) {
			failed(c, j->error.code, j->error.text, 0);
		} else {
			free_secret(c->next_key);
			free(c->request);
			c->next_key = TAKE(j->pem);
			c->request = TAKE(j->request);
			c->request_len = j->len;
			c->call =
			    kube_get(c->p->env->client, KUBE_SERVICE_ACCOUNT, c->spec->ns,
				     str_or(c->spec->pod->spec->serviceaccountname, "default"),
				     on_account, c);
		}
	}
	key_free(j);
}

static void make_key(struct cert *c)
{
	struct key_job *j = NEW(struct key_job);

	err_clear(&c->error);
	j->cert = c;
	j->type = mem_strdup(c->projection->keytype);
	c->job = j;
	job_submit(c->p->env->jobs, key_work, key_done, key_free, j);
}

/* --- what the signer says --- */

static const char *refusal(const Certificates__PodCertificateRequestStatus *s)
{
	for (size_t i = 0; i < s->n_conditions; i++) {
		const Meta__Condition *c = s->conditions[i];

		if ((str_eq(c->type, "Denied") || str_eq(c->type, "Failed")) &&
		    str_eq(c->status, "True"))
			return str_or(c->message, c->type);
	}
	return NULL;
}

static void take_answer(struct cert *c, const Certificates__PodCertificateRequestStatus *s)
{
	const char *why = refusal(s);

	if (why) {
		free(TAKE(c->request_name));
		failed(c, ERR_REMOTE, why, 0);
		return;
	}
	if (str_empty(s->certificatechain))
		return;
	free(TAKE(c->request_name));
	free_secret(c->key);
	free(c->chain);
	c->key = TAKE(c->next_key);
	c->chain = mem_strdup(s->certificatechain);
	if (s->beginrefreshat)
		again_in(c, s->beginrefreshat->seconds * USEC_PER_SEC - clock_wall_usec());
	c->p->ops.changed(c->p->ctx, c->uid);
}

static void on_object(void *ctx, struct kube_object *object)
{
	struct podcerts *p = ctx;
	const Certificates__PodCertificateRequest *r = (const void *)object->msg;
	void *value;

	for (size_t cursor = 0; r->status && map_next(&p->certs, &cursor, NULL, &value);) {
		struct cert *c = value;

		if (str_eq(c->request_name, object->meta->name) &&
		    str_eq(c->spec->ns, object->meta->namespace_)) {
			take_answer(c, r->status);
			return;
		}
	}
}

static void on_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_object(ctx, now);
}

static const struct informer_ops request_ops = { .added = on_object, .updated = on_updated };

static void watch_requests(struct podcerts *p)
{
	AUTO_FREE char *selector = NULL;

	if (p->requests)
		return;
	selector = str_fmt("spec.nodeName=%s", p->env->node_name);
	p->requests = informer_new(p->env->client, KUBE_POD_CERTIFICATE_REQUEST, NULL, selector,
				   NULL, &request_ops, p);
}

int podcerts_get(struct podcerts *p, const struct podspec *spec, const char *volume, size_t source,
		 const Core__PodCertificateProjection *projection, const char **ret_key,
		 const char **ret_chain, struct err *e)
{
	AUTO_FREE char *id = str_fmt("%s/%s/%zu", spec->uid, volume, source);
	struct cert *c = map_get(&p->certs, id);

	if (!c) {
		watch_requests(p);
		c = NEW(struct cert);
		c->p = p;
		c->id = mem_strdup(id);
		c->uid = mem_strdup(spec->uid);
		c->spec = podspec_copy(spec); /* keeps the projection alive */
		c->projection = projection;
		map_put(&p->certs, id, c);
		make_key(c);
	}
	if (c->chain) {
		*ret_key = c->key;
		*ret_chain = c->chain;
		return 0;
	}
	if (c->error.code == ERR_NONE)
		return 1;
	*e = c->error;
	return -1;
}
