/* The environment of a container (contract in podenv.h). Pure. */
#include "podenv.h"

#include <ctype.h>

#include "base/mem.h"
#include "base/str.h"
#include "resource/resources.h"

void env_list_fini(struct env_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->names[i]);
		free(l->values[i]);
	}
	free(l->names);
	free(l->values);
	*l = (struct env_list){ 0 };
}

const char *env_list_get(const struct env_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->names[i], name))
			return l->values[i];
	}
	return NULL;
}

/* Takes value over. */
static void set(struct env_list *l, const char *name, char *value)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->names[i], name))
			continue;
		free(l->values[i]);
		l->values[i] = value;
		return;
	}
	l->names = mem_realloc(l->names, l->n + 1, sizeof(*l->names));
	l->values = mem_realloc(l->values, l->n + 1, sizeof(*l->values));
	l->names[l->n] = mem_strdup(name);
	l->values[l->n++] = value;
}

static char *join(const char *const *items, const char *sep)
{
	struct str out = { 0 };

	for (size_t i = 0; items && items[i]; i++)
		str_printf(&out, "%s%s", i ? sep : "", items[i]);
	return str_take(&out);
}

/* --- expansion of $(NAME) --- */

/* Two scopes: what the container declared hides what services gave. */
struct scopes {
	const struct env_list *inner, *outer;
};

static const char *lookup(const struct scopes *s, const char *name)
{
	const char *v = env_list_get(s->inner, name);

	return v || !s->outer ? v : env_list_get(s->outer, name);
}

/* Returns the names that no scope has or that are empty there, each once; NULL for none. */
static char **expand_into(struct str *out, const struct scopes *s, const char *text)
{
	char **missing = NULL;

	for (const char *p = text; *p; p++) {
		const char *end;

		if (*p == '$' && p[1] == '$') {
			str_append_c(out, *p++);
		} else if (*p == '$' && p[1] == '(' && (end = strchr(p, ')'))) {
			AUTO_FREE char *name = mem_strndup(p + 2, (size_t)(end - p - 2));
			const char *v = lookup(s, name);

			if (v)
				str_append(out, v);
			else
				str_append_n(out, p, (size_t)(end - p) + 1);
			if (str_empty(v) && !strv_has(missing, name))
				strv_push(&missing, name);
			p = end;
		} else {
			str_append_c(out, *p);
		}
	}
	return missing;
}

static char *expand(const struct scopes *s, const char *text)
{
	struct str out = { 0 };

	strv_free(expand_into(&out, s, text));
	return str_take(&out);
}

char *podenv_expand(const struct env_list *env, const char *text)
{
	return expand(&(struct scopes){ .inner = env }, text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *podenv_expand_strict(const struct env_list *env, const char *text, struct err *e)
{
	struct str out = { 0 };
	AUTO_FREE char *names = NULL;
	char **missing = expand_into(&out, &(struct scopes){ .inner = env }, text);

	if (!missing)
		return str_take(&out);
	str_fini(&out);
	qsort(missing, strv_len(missing), sizeof(*missing), by_text);
	names = join((const char *const *)missing, ", ");
	strv_free(missing);
	err_set(e, ERR_INVALID, "missing value for %s", names);
	return NULL;
}

/* --- service variables --- */

static char *variable_name(const char *service)
{
	char *name = mem_strdup(service);

	for (char *p = name; *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return name;
}

static void set_fmt(struct env_list *l, char *name, char *value)
{
	set(l, name, value);
	free(name);
}

static void add_port_links(struct env_list *l, const char *prefix, const char *ip,
			   const Core__ServicePort *port, bool first)
{
	const char *protocol = str_or(port->protocol, "TCP");
	AUTO_FREE char *lower = mem_strdup(protocol);
	AUTO_FREE char *url = NULL;
	AUTO_FREE char *base = str_fmt("%s_PORT_%d_%s", prefix, port->port, protocol);

	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	url = str_fmt(strchr(ip, ':') ? "%s://[%s]:%d" : "%s://%s:%d", lower, ip, port->port);
	if (first)
		set_fmt(l, str_fmt("%s_PORT", prefix), mem_strdup(url));
	set(l, base, mem_strdup(url));
	set_fmt(l, str_fmt("%s_PROTO", base), mem_strdup(lower));
	set_fmt(l, str_fmt("%s_PORT", base), str_fmt("%d", port->port));
	set_fmt(l, str_fmt("%s_ADDR", base), mem_strdup(ip));
}

static void add_service(struct env_list *l, const Core__Service *service)
{
	const Core__ServiceSpec *spec = service->spec;
	AUTO_FREE char *prefix = variable_name(service->metadata->name);

	if (str_empty(spec->clusterip) || str_eq(spec->clusterip, "None") || !spec->n_ports)
		return;
	set_fmt(l, str_fmt("%s_SERVICE_HOST", prefix), mem_strdup(spec->clusterip));
	set_fmt(l, str_fmt("%s_SERVICE_PORT", prefix), str_fmt("%d", spec->ports[0]->port));
	for (size_t i = 0; i < spec->n_ports; i++) {
		AUTO_FREE char *port = variable_name(str_or(spec->ports[i]->name, ""));

		if (!str_empty(port))
			set_fmt(l, str_fmt("%s_SERVICE_PORT_%s", prefix, port),
				str_fmt("%d", spec->ports[i]->port));
		add_port_links(l, prefix, spec->clusterip, spec->ports[i], i == 0);
	}
}

static void add_services(const struct env_input *in, struct env_list *l)
{
	const Core__PodSpec *spec = in->spec->pod->spec;
	bool links = !spec->has_enableservicelinks || spec->enableservicelinks;

	for (size_t i = 0; i < in->n_services; i++) {
		const Core__Service *s = (const Core__Service *)in->services[i]->msg;
		bool master = str_eq(s->metadata->namespace_, "default") &&
			      str_eq(s->metadata->name, "kubernetes");

		if (master || (links && str_eq(s->metadata->namespace_, in->spec->ns)))
			add_service(l, s);
	}
}

/* --- the downward API --- */

/* key="value" lines sorted by key, as Go prints quoted strings. */
static void append_quoted(struct str *out, const char *s)
{
	str_append_c(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			str_printf(out, "\\%c", *s);
		else if (*s == '\n')
			str_append(out, "\\n");
		else if (*s == '\t')
			str_append(out, "\\t");
		else if (*s == '\r')
			str_append(out, "\\r");
		else
			str_append_c(out, *s);
	}
	str_append_c(out, '"');
}

struct pair {
	const char *key, *value;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static char *format_map(struct pair *pairs, size_t n)
{
	struct str out = { 0 };

	if (n)
		qsort(pairs, n, sizeof(*pairs), by_key);
	for (size_t i = 0; i < n; i++) {
		str_printf(&out, "%s%s=", i ? "\n" : "", pairs[i].key);
		append_quoted(&out, pairs[i].value);
	}
	return str_take(&out);
}

static char *all_labels(const Meta__ObjectMeta *m)
{
	AUTO_FREE struct pair *pairs = mem_calloc(m->n_labels, sizeof(*pairs));

	for (size_t i = 0; i < m->n_labels; i++)
		pairs[i] = (struct pair){ m->labels[i]->key, str_or(m->labels[i]->value, "") };
	return format_map(pairs, m->n_labels);
}

static char *all_annotations(const struct podspec *spec)
{
	static const char *const own[] = { PODSPEC_SEEN, PODSPEC_SOURCE };
	const Meta__ObjectMeta *m = spec->pod->metadata;
	AUTO_FREE struct pair *pairs =
	    mem_calloc(m->n_annotations + ARRAY_SIZE(own), sizeof(*pairs));
	size_t n = 0;

	for (size_t i = 0; i < m->n_annotations; i++) {
		if (!podspec_overrides(spec, m->annotations[i]->key))
			pairs[n++] = (struct pair){ m->annotations[i]->key,
						    str_or(m->annotations[i]->value, "") };
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (podspec_overrides(spec, own[i]))
			pairs[n++] = (struct pair){ own[i], podspec_any_annotation(spec, own[i]) };
	}
	return format_map(pairs, n);
}

/* The KEY of name['KEY'], or NULL when the path has another form. */
static char *subscript(const char *path, const char *name)
{
	size_t n = strlen(name), len = strlen(path);

	if (!str_starts(path, name) || len < n + 4 || strncmp(path + n, "['", 2) ||
	    strcmp(path + len - 2, "']"))
		return NULL;
	return mem_strndup(path + n + 2, len - n - 4);
}

int podenv_field(const struct podspec *spec, const char *path, const char *const *pod_ips,
		 const char *const *host_ips, char **ret_value, struct err *e)
{
	const Core__PodSpec *s = spec->pod->spec;
	AUTO_FREE char *label = subscript(path, "metadata.labels");
	AUTO_FREE char *annotation = subscript(path, "metadata.annotations");
	const struct {
		const char *path, *value;
	} plain[] = {
		{ "metadata.name", spec->name },
		{ "metadata.namespace", spec->ns },
		{ "metadata.uid", spec->uid },
		{ "spec.nodeName", s->nodename },
		{ "spec.serviceAccountName", s->serviceaccountname },
		{ "status.podIP", pod_ips ? pod_ips[0] : NULL },
		{ "status.hostIP", host_ips ? host_ips[0] : NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (!strcmp(plain[i].path, path)) {
			*ret_value = mem_strdup(str_or(plain[i].value, ""));
			return 0;
		}
	}
	if (label)
		*ret_value = mem_strdup(str_or(podspec_label(spec->pod, label), ""));
	else if (annotation)
		*ret_value = mem_strdup(str_or(podspec_any_annotation(spec, annotation), ""));
	else if (!strcmp(path, "metadata.labels"))
		*ret_value = all_labels(spec->pod->metadata);
	else if (!strcmp(path, "metadata.annotations"))
		*ret_value = all_annotations(spec);
	else if (!strcmp(path, "status.podIPs"))
		*ret_value = join(pod_ips, ",");
	else if (!strcmp(path, "status.hostIPs"))
		*ret_value = join(host_ips, ",");
	else
		return err_set(e, ERR_INVALID, "field path \"%s\" is not supported", path);
	return 0;
}

static const Core__Container *find_container(const struct env_input *in, const char *name)
{
	int at = str_empty(name) ? -1 : podspec_find(in->spec, name);

	return at >= 0 ? in->spec->containers[at].spec : in->container;
}

/* The amount in units of the resource's base: millis for cpu, bytes else. A limit that is not set
 * is what the node could give. */
static int64_t amount_of(const struct env_input *in, const Core__Container *c, const char *what,
			 bool limit)
{
	const char *text =
	    limit ? resources_limit(c->resources, what) : resources_request(c->resources, what);
	bool cpu = !strcmp(what, "cpu");

	if (text)
		return cpu ? resources_milli(text) : resources_value(text);
	if (!limit)
		return 0;
	if (cpu)
		return in->allocatable_cpu_milli;
	if (!strcmp(what, "memory"))
		return in->allocatable_memory_bytes;
	return !strcmp(what, "ephemeral-storage") ? in->allocatable_ephemeral_bytes : 0;
}

int podenv_resource(const struct env_input *in, const Core__ResourceFieldSelector *ref,
		    char **ret_value, struct err *e)
{
	const Core__Container *c = find_container(in, ref->containername);
	const char *divisor = ref->divisor ? str_or(ref->divisor->string, "0") : "0";
	const char *path = str_or(ref->resource, "");
	bool limit = str_starts(path, "limits.");
	const char *what = strchr(path, '.') ? strchr(path, '.') + 1 : "";
	bool cpu = !strcmp(what, "cpu");
	int64_t by, amount;

	if (!c || (!limit && !str_starts(path, "requests.")))
		return err_set(e, ERR_INVALID, "resourceFieldRef \"%s\" is not supported", path);
	amount = amount_of(in, c, what, limit);
	by = cpu ? resources_milli(divisor) : resources_value(divisor);
	if (by <= 0)
		by = cpu ? 1000 : 1;
	*ret_value = str_fmt("%lld", (long long)((amount + by - 1) / by));
	return 0;
}

/* --- ConfigMaps and Secrets --- */

void podenv_refs(const Core__Container *c,
		 void (*visit)(void *ctx, enum env_source source, const char *name), void *ctx)
{
	for (size_t i = 0; i < c->n_envfrom; i++) {
		const Core__EnvFromSource *f = c->envfrom[i];

		if (f->configmapref && f->configmapref->localobjectreference)
			visit(ctx, ENV_CONFIG_MAP, f->configmapref->localobjectreference->name);
		if (f->secretref && f->secretref->localobjectreference)
			visit(ctx, ENV_SECRET, f->secretref->localobjectreference->name);
	}
	for (size_t i = 0; i < c->n_env; i++) {
		const Core__EnvVarSource *f = c->env[i]->valuefrom;

		if (f && f->configmapkeyref && f->configmapkeyref->localobjectreference)
			visit(ctx, ENV_CONFIG_MAP, f->configmapkeyref->localobjectreference->name);
		if (f && f->secretkeyref && f->secretkeyref->localobjectreference)
			visit(ctx, ENV_SECRET, f->secretkeyref->localobjectreference->name);
	}
}

static int not_found(struct err *e, enum env_source source, const char *name)
{
	return err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found",
		       source == ENV_SECRET ? "secret" : "configmap", name);
}

static char *bytes_text(const ProtobufCBinaryData *b)
{
	return mem_strndup((const char *)b->data, b->len);
}

static int add_config_map(struct env_list *l, const struct env_input *in, const char *prefix,
			  const Core__ConfigMapEnvSource *ref, struct err *e)
{
	const char *name = ref->localobjectreference ? ref->localobjectreference->name : "";
	const Core__ConfigMap *m = in->find(in->ctx, ENV_CONFIG_MAP, name);

	if (!m)
		return ref->optional ? 0 : not_found(e, ENV_CONFIG_MAP, name);
	for (size_t i = 0; i < m->n_data; i++)
		set_fmt(l, str_fmt("%s%s", prefix, m->data[i]->key),
			mem_strdup(str_or(m->data[i]->value, "")));
	return 0;
}

static int add_secret(struct env_list *l, const struct env_input *in, const char *prefix,
		      const Core__SecretEnvSource *ref, struct err *e)
{
	const char *name = ref->localobjectreference ? ref->localobjectreference->name : "";
	const Core__Secret *s = in->find(in->ctx, ENV_SECRET, name);

	if (!s)
		return ref->optional ? 0 : not_found(e, ENV_SECRET, name);
	for (size_t i = 0; i < s->n_data; i++)
		set_fmt(l, str_fmt("%s%s", prefix, s->data[i]->key),
			s->data[i]->has_value ? bytes_text(&s->data[i]->value) : mem_strdup(""));
	return 0;
}

static int add_env_from(struct env_list *l, const struct env_input *in, struct err *e)
{
	for (size_t i = 0; i < in->container->n_envfrom; i++) {
		const Core__EnvFromSource *f = in->container->envfrom[i];
		const char *prefix = str_or(f->prefix, "");

		if (f->configmapref && add_config_map(l, in, prefix, f->configmapref, e) < 0)
			return -1;
		if (f->secretref && add_secret(l, in, prefix, f->secretref, e) < 0)
			return -1;
	}
	return 0;
}

/* Returns 1 when an optional reference leads nowhere: the variable is left out. */
static int config_map_key(const struct env_input *in, const Core__ConfigMapKeySelector *ref,
			  char **ret_value, struct err *e)
{
	const char *name = ref->localobjectreference ? ref->localobjectreference->name : "";
	const Core__ConfigMap *m = in->find(in->ctx, ENV_CONFIG_MAP, name);

	if (!m)
		return ref->optional ? 1 : not_found(e, ENV_CONFIG_MAP, name);
	for (size_t i = 0; i < m->n_data; i++) {
		if (str_eq(m->data[i]->key, ref->key)) {
			*ret_value = mem_strdup(str_or(m->data[i]->value, ""));
			return 0;
		}
	}
	return ref->optional ? 1
			     : err_set(e, ERR_NOT_FOUND, "couldn't find key %s in ConfigMap %s/%s",
				       ref->key, in->spec->ns, name);
}

static int secret_key(const struct env_input *in, const Core__SecretKeySelector *ref,
		      char **ret_value, struct err *e)
{
	const char *name = ref->localobjectreference ? ref->localobjectreference->name : "";
	const Core__Secret *s = in->find(in->ctx, ENV_SECRET, name);

	if (!s)
		return ref->optional ? 1 : not_found(e, ENV_SECRET, name);
	for (size_t i = 0; i < s->n_data; i++) {
		if (str_eq(s->data[i]->key, ref->key)) {
			*ret_value =
			    s->data[i]->has_value ? bytes_text(&s->data[i]->value) : mem_strdup("");
			return 0;
		}
	}
	return ref->optional ? 1
			     : err_set(e, ERR_NOT_FOUND, "couldn't find key %s in Secret %s/%s",
				       ref->key, in->spec->ns, name);
}

static int file_key(const struct env_input *in, const Core__FileKeySelector *ref, char **ret_value,
		    struct err *e)
{
	struct env_file_value v;

	if (!in->file(in->ctx, ref, &v))
		return err_set(e, ERR_NOT_FOUND,
			       "cannot find the volume \"%s\" referenced by FileKeyRef",
			       ref->volumename);
	if (!v.value)
		return err_set(e, ERR_INVALID, "couldn't parse env file");
	if (str_empty(v.value))
		return ref->optional
			   ? 1
			   : err_set(e, ERR_NOT_FOUND,
				     "environment variable key \"%s\" not found in file \"%s\"",
				     ref->key, v.path);
	*ret_value = mem_strdup(v.value);
	return 0;
}

static int value_from(const struct env_input *in, const Core__EnvVarSource *f, char **ret_value,
		      struct err *e)
{
	if (f->fieldref)
		return podenv_field(in->spec, str_or(f->fieldref->fieldpath, ""), in->pod_ips,
				    in->host_ips, ret_value, e);
	if (f->resourcefieldref)
		return podenv_resource(in, f->resourcefieldref, ret_value, e);
	if (f->configmapkeyref)
		return config_map_key(in, f->configmapkeyref, ret_value, e);
	if (f->secretkeyref)
		return secret_key(in, f->secretkeyref, ret_value, e);
	if (f->filekeyref)
		return file_key(in, f->filekeyref, ret_value, e);
	*ret_value = mem_strdup("");
	return 0;
}

static int add_env(struct env_list *l, const struct env_list *services, const struct env_input *in,
		   struct err *e)
{
	struct scopes scopes = { .inner = l, .outer = services };

	for (size_t i = 0; i < in->container->n_env; i++) {
		const Core__EnvVar *v = in->container->env[i];
		char *value = NULL;
		int r = 0;

		if (!str_empty(v->value))
			value = expand(&scopes, v->value);
		else if (v->valuefrom)
			r = value_from(in, v->valuefrom, &value, e);
		else
			value = mem_strdup("");
		if (r < 0)
			return -1;
		if (r == 0)
			set(l, v->name, value);
	}
	return 0;
}

int podenv_make(const struct env_input *in, struct env_list *ret_env, struct err *e)
{
	CLEANUP(env_list_fini) struct env_list services = { 0 };
	struct env_list env = { 0 };

	add_services(in, &services);
	if (add_env_from(&env, in, e) < 0 || add_env(&env, &services, in, e) < 0) {
		env_list_fini(&env);
		return -1;
	}
	for (size_t i = 0; i < services.n; i++) {
		if (!env_list_get(&env, services.names[i]))
			set(&env, services.names[i], mem_strdup(services.values[i]));
	}
	*ret_env = env;
	return 0;
}
