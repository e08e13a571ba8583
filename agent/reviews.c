/* Reviews of who asks and what they may (contract in reviews.h). Effect. */
#include "reviews.h"

#include "base/mem.h"
#include "base/proto.h"
#include "k8s/authentication.pb-c.h"
#include "k8s/authorization.pb-c.h"
#include "parts.h"

struct review {
	server_token_done token_done;
	server_access_done access_done;
	void *done_ctx;
};

/* --- who --- */

static void read_user(const Authentication__UserInfo *info, struct server_user *u)
{
	u->name = mem_strdup(info->username);
	u->uid = mem_strdup(info->uid);
	for (size_t i = 0; i < info->n_groups; i++)
		strv_push(&u->groups, info->groups[i]);
	for (size_t i = 0; i < info->n_extra; i++) {
		char **values = NULL;

		for (size_t k = 0; info->extra[i]->value && k < info->extra[i]->value->n_items; k++)
			strv_push(&values, info->extra[i]->value->items[k]);
		server_user_add_extra(u, info->extra[i]->key, values);
		strv_free(values);
	}
}

static void on_token_review(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct review *r = ctx;
	const Authentication__TokenReview *t =
	    reply && reply->kind == KUBE_TOKEN_REVIEW ? (const void *)reply->msg : NULL;
	CLEANUP(server_user_fini) struct server_user user = { 0 };
	bool known = t && t->status && t->status->authenticated && t->status->user;

	if (known)
		read_user(t->status->user, &user);
	r->token_done(r->done_ctx, known ? &user : NULL, e);
	free(r);
}

void reviews_token(void *ctx, const char *token, server_token_done done, void *done_ctx)
{
	struct agent *a = ctx;
	AUTO_PROTO Authentication__TokenReview *t =
	    proto_new(&authentication__token_review__descriptor);
	struct review *r = NEW(struct review);

	*r = (struct review){ .token_done = done, .done_ctx = done_ctx };
	t->metadata = proto_new(&meta__object_meta__descriptor);
	t->spec = proto_new(&authentication__token_review_spec__descriptor);
	proto_set_str(&t->spec->token, token);
	kube_create(a->env.client, KUBE_TOKEN_REVIEW, NULL, NULL, NULL, t, on_token_review, r);
}

/* --- what --- */

static void on_access_review(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct review *r = ctx;
	const Authorization__SubjectAccessReview *s =
	    reply && reply->kind == KUBE_SUBJECT_ACCESS_REVIEW ? (const void *)reply->msg : NULL;

	r->access_done(r->done_ctx, s && s->status && s->status->allowed && !s->status->denied, e);
	free(r);
}

static void add_extra(Authorization__SubjectAccessReviewSpec *spec, const struct user_extra *x)
{
	Authorization__SubjectAccessReviewSpec__ExtraEntry *entry =
	    proto_new(&authorization__subject_access_review_spec__extra_entry__descriptor);

	proto_set_str(&entry->key, x->key);
	entry->value = proto_new(&authorization__extra_value__descriptor);
	for (size_t i = 0; x->values && x->values[i]; i++)
		proto_push_str(&entry->value->n_items, &entry->value->items, x->values[i]);
	proto_push(&spec->n_extra, &spec->extra, entry);
}

static Authorization__SubjectAccessReviewSpec *review_spec(const struct server_access *access)
{
	const struct server_user *u = access->user;
	Authorization__SubjectAccessReviewSpec *spec =
	    proto_new(&authorization__subject_access_review_spec__descriptor);
	Authorization__ResourceAttributes *attrs =
	    proto_new(&authorization__resource_attributes__descriptor);

	proto_set_str(&attrs->verb, access->verb);
	proto_set_str(&attrs->version, "v1");
	proto_set_str(&attrs->resource, "nodes");
	proto_set_str(&attrs->subresource, access->subresource);
	proto_set_str(&attrs->name, access->node);
	spec->resourceattributes = attrs;
	proto_set_str(&spec->user, u->name);
	proto_set_str(&spec->uid, u->uid);
	for (size_t i = 0; u->groups && u->groups[i]; i++)
		proto_push_str(&spec->n_groups, &spec->groups, u->groups[i]);
	for (size_t i = 0; i < u->n_extra; i++)
		add_extra(spec, &u->extra[i]);
	return spec;
}

void reviews_access(void *ctx, const struct server_access *access, server_access_done done,
		    void *done_ctx)
{
	struct agent *a = ctx;
	AUTO_PROTO Authorization__SubjectAccessReview *s =
	    proto_new(&authorization__subject_access_review__descriptor);
	struct review *r = NEW(struct review);

	*r = (struct review){ .access_done = done, .done_ctx = done_ctx };
	s->metadata = proto_new(&meta__object_meta__descriptor);
	s->spec = review_spec(access);
	kube_create(a->env.client, KUBE_SUBJECT_ACCESS_REVIEW, NULL, NULL, NULL, s,
		    on_access_review, r);
}
