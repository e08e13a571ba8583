/* ClusterTrustBundles (contract in trustbundle.h). Effect. */
#include "trustbundle.h"

#include "base/mem.h"
#include "base/str.h"
#include "k8s/certificates.pb-c.h"
#include "kube/informer.h"

struct trustbundle {
	struct kube_client *client;
	struct trustbundle_ops ops;
	void *ctx;
	struct informer *informer; /* from the first use on */
	char **users;              /* UIDs */
};

struct trustbundle *trustbundle_new(struct kube_client *client, const struct trustbundle_ops *ops,
				    void *ctx)
{
	struct trustbundle *t = NEW(struct trustbundle);

	t->client = client;
	t->ops = *ops;
	t->ctx = ctx;
	return t;
}

void trustbundle_free(struct trustbundle *t)
{
	if (!t)
		return;
	informer_free(t->informer);
	strv_free(t->users);
	free(t);
}

void trustbundle_forget(struct trustbundle *t, const char *uid)
{
	size_t n = 0;

	for (size_t i = 0; t->users && t->users[i]; i++) {
		if (str_eq(t->users[i], uid))
			free(t->users[i]);
		else
			t->users[n++] = t->users[i];
	}
	if (t->users)
		t->users[n] = NULL;
}

static void tell_users(void *ctx)
{
	struct trustbundle *t = ctx;

	for (size_t i = 0; t->users && t->users[i]; i++)
		t->ops.changed(t->ctx, t->users[i]);
}

static void on_object(void *ctx, struct kube_object *object)
{
	(void)object;
	tell_users(ctx);
}

static void on_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	(void)now;
	tell_users(ctx);
}

static const struct informer_ops ops = {
	.added = on_object,
	.updated = on_updated,
	.deleted = on_object,
	.synced = tell_users,
};

static const char *label_of(const Meta__ObjectMeta *m, const char *key)
{
	for (size_t i = 0; i < m->n_labels; i++) {
		if (str_eq(m->labels[i]->key, key))
			return str_or(m->labels[i]->value, "");
	}
	return NULL;
}

static bool in_values(const Meta__LabelSelectorRequirement *r, const char *value)
{
	for (size_t i = 0; i < r->n_values; i++) {
		if (str_eq(r->values[i], value))
			return true;
	}
	return false;
}

static bool requirement_met(const Meta__LabelSelectorRequirement *r, const Meta__ObjectMeta *m)
{
	const char *value = label_of(m, r->key);

	if (str_eq(r->operator_, "Exists"))
		return value != NULL;
	if (str_eq(r->operator_, "DoesNotExist"))
		return value == NULL;
	if (str_eq(r->operator_, "NotIn"))
		return !value || !in_values(r, value);
	return value && in_values(r, value);
}

static bool selected(const Meta__LabelSelector *s, const Meta__ObjectMeta *m)
{
	/* no selector selects nothing, an empty one everything */
	if (!s)
		return false;
	for (size_t i = 0; i < s->n_matchlabels; i++) {
		if (!str_eq(label_of(m, s->matchlabels[i]->key), s->matchlabels[i]->value))
			return false;
	}
	for (size_t i = 0; i < s->n_matchexpressions; i++) {
		if (!requirement_met(s->matchexpressions[i], m))
			return false;
	}
	return true;
}

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

/* Appends each certificate of pem that is not in out already. */
static void append_certificates(struct str *out, const char *pem)
{
	const char *p = pem, *end;

	while (p && (p = strstr(p, PEM_BEGIN)) && (end = strstr(p, PEM_END))) {
		AUTO_FREE char *block = mem_strndup(p, (size_t)(end - p) + strlen(PEM_END));

		if (!strstr(str_text(out), block))
			str_printf(out, "%s\n", block);
		p = end + strlen(PEM_END);
	}
}

static bool wanted(const Core__ClusterTrustBundleProjection *p,
		   const Certificates__ClusterTrustBundle *b)
{
	if (!str_empty(p->name))
		return str_eq(b->metadata->name, p->name);
	return b->spec && str_eq(b->spec->signername, p->signername) &&
	       selected(p->labelselector, b->metadata);
}

int trustbundle_get(struct trustbundle *t, const char *uid,
		    const Core__ClusterTrustBundleProjection *p, char **ret_pem, struct err *e)
{
	struct str pem = { 0 };
	struct kube_object *o;
	size_t cursor = 0;

	if (!t->informer)
		t->informer =
		    informer_new(t->client, KUBE_CLUSTER_TRUST_BUNDLE, NULL, NULL, NULL, &ops, t);
	if (!strv_has(t->users, uid))
		strv_push(&t->users, uid);
	if (!informer_synced(t->informer))
		return 1;
	while ((o = informer_next(t->informer, &cursor))) {
		const Certificates__ClusterTrustBundle *b = (const void *)o->msg;

		if (wanted(p, b) && b->spec)
			append_certificates(&pem, b->spec->trustbundle);
	}
	if (!pem.len && !p->optional) {
		str_fini(&pem);
		if (!str_empty(p->name))
			return err_set(e, ERR_NOT_FOUND,
				       "clustertrustbundle.certificates.k8s.io \"%s\" not found",
				       p->name);
		return err_set(e, ERR_NOT_FOUND,
			       "combination of signerName and labelSelector "
			       "matched zero ClusterTrustBundles");
	}
	*ret_pem = str_take(&pem);
	return 0;
}
