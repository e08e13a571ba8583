/* Volume contents (contract in payload.h). Pure. */
#include "payload.h"

#include "base/mem.h"
#include "base/str.h"

enum { MODE_DEFAULT = 0644, MODE_TOKEN_PRIVATE = 0600, PATH_MAX_BYTES = 4096 };

void payload_fini(struct payload *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->files[i].path);
		free(p->files[i].data);
	}
	free(p->files);
	*p = (struct payload){ 0 };
}

bool payload_supported(const Core__VolumeSource *s)
{
	return s->configmap || s->secret || s->downwardapi || s->projected;
}

/* Relative, no "..", and not a name of the writer's own. */
static bool valid_path(const char *path)
{
	char **parts;
	bool ok;

	if (str_empty(path) || *path == '/' || strlen(path) > PATH_MAX_BYTES ||
	    str_starts(path, ".."))
		return false;
	parts = strv_split(path, '/');
	ok = !strv_has(parts, "..") && parts[0];
	strv_free(parts);
	return ok;
}

/* A later source replaces an earlier file of the same path. */
static int put(struct payload *p, const char *path, const void *data, size_t len, mode_t mode,
	       int64_t uid, struct err *e)
{
	struct payload_file *f = NULL;

	if (!valid_path(path))
		return err_set(e, ERR_INVALID, "invalid path \"%s\" in volume", path ? path : "");
	for (size_t i = 0; i < p->n && !f; i++) {
		if (str_eq(p->files[i].path, path))
			f = &p->files[i];
	}
	if (f) {
		free(f->path);
		free(f->data);
	} else {
		p->files = mem_realloc(p->files, p->n + 1, sizeof(*p->files));
		f = &p->files[p->n++];
	}
	*f = (struct payload_file){ .path = mem_strdup(path),
				    .data = mem_dup(data, len),
				    .len = len,
				    .mode = mode,
				    .uid = uid };
	return 0;
}

/* --- ConfigMap and Secret: lists of (key, bytes) --- */

struct datum {
	const char *key;
	const void *data;
	size_t len;
};

struct data {
	struct datum *items;
	size_t n;
};

static void push_datum(struct data *d, const char *key, const void *data, size_t len)
{
	d->items = mem_realloc(d->items, d->n + 1, sizeof(*d->items));
	d->items[d->n++] = (struct datum){ key, data, len };
}

static struct data config_map_data(const Core__ConfigMap *m)
{
	struct data d = { 0 };

	for (size_t i = 0; i < m->n_data; i++)
		push_datum(&d, m->data[i]->key, str_or(m->data[i]->value, ""),
			   strlen(str_or(m->data[i]->value, "")));
	for (size_t i = 0; i < m->n_binarydata; i++)
		push_datum(&d, m->binarydata[i]->key, m->binarydata[i]->value.data,
			   m->binarydata[i]->value.len);
	return d;
}

static struct data secret_data(const Core__Secret *s)
{
	struct data d = { 0 };

	for (size_t i = 0; i < s->n_data; i++)
		push_datum(&d, s->data[i]->key, s->data[i]->value.data, s->data[i]->value.len);
	return d;
}

static const struct datum *find_datum(const struct data *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++) {
		if (str_eq(d->items[i].key, key))
			return &d->items[i];
	}
	return NULL;
}

static int put_data(struct payload *p, const struct data *d, Core__KeyToPath *const *items,
		    size_t n_items, mode_t mode, bool optional, const char *missing, struct err *e)
{
	for (size_t i = 0; !n_items && i < d->n; i++) {
		if (put(p, d->items[i].key, d->items[i].data, d->items[i].len, mode, -1, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < n_items; i++) {
		const struct datum *datum = find_datum(d, items[i]->key);
		mode_t m = items[i]->has_mode ? (mode_t)items[i]->mode : mode;

		if (!datum && optional)
			continue;
		if (!datum)
			return err_set(e, ERR_NOT_FOUND, "%s key: %s", missing, items[i]->key);
		if (put(p, items[i]->path, datum->data, datum->len, m, -1, e) < 0)
			return -1;
	}
	return 0;
}

static int put_object(struct payload *p, const struct payload_input *in, enum env_source source,
		      const char *name, Core__KeyToPath *const *items, size_t n_items, mode_t mode,
		      bool optional, struct err *e)
{
	const void *object = NULL;
	struct data d;
	int r = in->object(in->ctx, source, name, &object, e);

	if (r)
		return r;
	if (!object)
		return optional ? 0
				: err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found",
					  source == ENV_SECRET ? "secret" : "configmap", name);
	d = source == ENV_SECRET ? secret_data(object) : config_map_data(object);
	r = put_data(p, &d, items, n_items, mode, optional,
		     source == ENV_SECRET ? "references non-existent secret"
					  : "configmap references non-existent config",
		     e);
	free(d.items);
	return r;
}

/* --- downward API --- */

static int put_downward(struct payload *p, const struct payload_input *in,
			const Core__DownwardAPIVolumeFile *f, mode_t mode, struct err *e)
{
	AUTO_FREE char *text = NULL;
	int r = 0;

	if (f->fieldref)
		r = podenv_field(in->spec, str_or(f->fieldref->fieldpath, ""), in->env->pod_ips,
				 in->env->host_ips, &text, e);
	else if (f->resourcefieldref)
		r = podenv_resource(in->env, f->resourcefieldref, &text, e);
	else
		text = mem_strdup("");
	if (r < 0)
		return -1;
	return put(p, f->path, text, strlen(text), f->has_mode ? (mode_t)f->mode : mode, -1, e);
}

static int put_downward_items(struct payload *p, const struct payload_input *in,
			      Core__DownwardAPIVolumeFile *const *items, size_t n, mode_t mode,
			      struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (put_downward(p, in, items[i], mode, e) < 0)
			return -1;
	}
	return 0;
}

/* --- projected --- */

int64_t payload_fs_user(const Core__PodSpec *spec)
{
	const Core__PodSecurityContext *pod = spec->securitycontext;
	int64_t user = -1;

	for (size_t i = 0; i < spec->n_containers + spec->n_initcontainers; i++) {
		const Core__Container *c = i < spec->n_containers
					       ? spec->containers[i]
					       : spec->initcontainers[i - spec->n_containers];
		const Core__SecurityContext *sc = c->securitycontext;
		int64_t u = sc && sc->has_runasuser     ? sc->runasuser
			    : pod && pod->has_runasuser ? pod->runasuser
							: -1;

		if (u < 0 || (user >= 0 && user != u))
			return -1;
		user = u;
	}
	return user;
}

/* What proves who the pod is, is nobody else's to read when it is for one user or group. */
static mode_t identity_mode(const Core__PodSpec *spec, int64_t user, mode_t mode)
{
	const Core__PodSecurityContext *pod = spec->securitycontext;

	return user >= 0 || (pod && pod->has_fsgroup) ? MODE_TOKEN_PRIVATE : mode;
}

static int put_token(struct payload *p, const struct payload_input *in,
		     const Core__ServiceAccountTokenProjection *t, mode_t mode, struct err *e)
{
	const Core__PodSpec *spec = in->spec->pod->spec;
	int64_t user = payload_fs_user(spec);
	const char *text = NULL;
	int r = in->token(in->ctx, t, &text, e);

	if (r)
		return r;
	return put(p, t->path, text, strlen(text), identity_mode(spec, user, mode), user, e);
}

static int put_bundle(struct payload *p, const struct payload_input *in,
		      const Core__ClusterTrustBundleProjection *b, mode_t mode, struct err *e)
{
	AUTO_FREE char *text = NULL;
	int r = in->bundle(in->ctx, b, &text, e);

	if (r)
		return r;
	return put(p, b->path, text, strlen(text), mode, -1, e);
}

static int put_text(struct payload *p, const char *path, const char *text, mode_t mode, int64_t uid,
		    struct err *e)
{
	return str_empty(path) ? 0 : put(p, path, text, strlen(text), mode, uid, e);
}

/* The bundle is key and chain in one file; either part may also go to a file of its own. */
static int put_certificate(struct payload *p, const struct payload_input *in, size_t index,
			   const Core__PodCertificateProjection *c, mode_t mode, struct err *e)
{
	const Core__PodSpec *spec = in->spec->pod->spec;
	int64_t user = payload_fs_user(spec);
	const char *key = NULL, *chain = NULL;
	AUTO_FREE char *bundle = NULL;
	int r = in->certificate(in->ctx, index, c, &key, &chain, e);

	if (r)
		return r;
	mode = identity_mode(spec, user, mode);
	bundle = str_fmt("%s%s", key, chain);
	if (put_text(p, c->credentialbundlepath, bundle, mode, user, e) < 0 ||
	    put_text(p, c->keypath, key, mode, user, e) < 0 ||
	    put_text(p, c->certificatechainpath, chain, mode, user, e) < 0)
		return -1;
	return 0;
}

static const char *ref_name(const Core__LocalObjectReference *ref)
{
	return ref ? str_or(ref->name, "") : "";
}

static int put_source(struct payload *p, const struct payload_input *in, size_t index,
		      const Core__VolumeProjection *s, mode_t mode, struct err *e)
{
	if (s->configmap)
		return put_object(p, in, ENV_CONFIG_MAP,
				  ref_name(s->configmap->localobjectreference), s->configmap->items,
				  s->configmap->n_items, mode, s->configmap->optional, e);
	if (s->secret)
		return put_object(p, in, ENV_SECRET, ref_name(s->secret->localobjectreference),
				  s->secret->items, s->secret->n_items, mode, s->secret->optional,
				  e);
	if (s->downwardapi)
		return put_downward_items(p, in, s->downwardapi->items, s->downwardapi->n_items,
					  mode, e);
	if (s->serviceaccounttoken)
		return put_token(p, in, s->serviceaccounttoken, mode, e);
	if (s->clustertrustbundle)
		return put_bundle(p, in, s->clustertrustbundle, mode, e);
	if (s->podcertificate)
		return put_certificate(p, in, index, s->podcertificate, mode, e);
	return 0;
}

static mode_t mode_or_default(bool has, int32_t mode)
{
	return has ? (mode_t)mode : MODE_DEFAULT;
}

static int make(struct payload *p, const struct payload_input *in, const Core__VolumeSource *s,
		struct err *e)
{
	mode_t mode;

	if (s->configmap)
		return put_object(
		    p, in, ENV_CONFIG_MAP, ref_name(s->configmap->localobjectreference),
		    s->configmap->items, s->configmap->n_items,
		    mode_or_default(s->configmap->has_defaultmode, s->configmap->defaultmode),
		    s->configmap->optional, e);
	if (s->secret)
		return put_object(
		    p, in, ENV_SECRET, str_or(s->secret->secretname, ""), s->secret->items,
		    s->secret->n_items,
		    mode_or_default(s->secret->has_defaultmode, s->secret->defaultmode),
		    s->secret->optional, e);
	if (s->downwardapi)
		return put_downward_items(
		    p, in, s->downwardapi->items, s->downwardapi->n_items,
		    mode_or_default(s->downwardapi->has_defaultmode, s->downwardapi->defaultmode),
		    e);
	mode = mode_or_default(s->projected->has_defaultmode, s->projected->defaultmode);
	for (size_t i = 0; i < s->projected->n_sources; i++) {
		int r = put_source(p, in, i, s->projected->sources[i], mode, e);

		if (r)
			return r;
	}
	return 0;
}

int payload_make(const struct payload_input *in, const Core__VolumeSource *s,
		 struct payload *ret_payload, struct err *e)
{
	struct payload p = { 0 };
	int r = make(&p, in, s, e);

	if (r) {
		payload_fini(&p);
		return r;
	}
	*ret_payload = p;
	return 0;
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *b = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 1099511628211u;
	return (h ^ len) * 1099511628211u;
}

uint64_t payload_hash(const struct payload *p)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < p->n; i++) {
		h = mix(h, p->files[i].path, strlen(p->files[i].path));
		h = mix(h, p->files[i].data, p->files[i].len);
		h = mix(h, &p->files[i].mode, sizeof(p->files[i].mode));
	}
	return h | 1;
}
