/* What is wrong with a pod from a file (contract in manifest.h). Pure.
 *
 * Every problem becomes "path: sentence" of one error. Upstream runs the API's whole validation;
 * here is what the runtime or the agent would stumble over, and what would keep the mirror from
 * being made most often. The API server judges the rest when the mirror is made.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/labels.h"
#include "kube/quantity.h"
#include "manifest.h"

enum { PORT_MAX = 65535, PORT_NAME_MAX = 15, WORDS_MAX = 8, UID_CHARS_MAX = 63 };

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

struct check {
	struct str problems;
	const Core__PodSpec *spec;
};

static void __attribute__((format(printf, 3, 4)))
problem(struct check *c, const char *path, const char *fmt, ...)
{
	va_list ap;

	str_printf(&c->problems, "%s%s: ", c->problems.len ? "; " : "", path);
	va_start(ap, fmt);
	str_vprintf(&c->problems, fmt, ap);
	va_end(ap);
}

/* "a.b" */
static char *below(const char *path, const char *field)
{
	return str_fmt("%s.%s", path, field);
}

/* --- kinds of values --- */

static void dns_label(struct check *c, const char *path, const char *value)
{
	if (!labels_is_dns_label(str_or(value, "")))
		problem(c, path,
			"\"%s\" must be 1 to 63 lower-case letters, digits or '-', with a letter "
			"or digit at both ends",
			str_or(value, ""));
}

/* An empty value has been given its default, or means none. */
static void one_of(struct check *c, const char *path, const char *value, const char *const *words)
{
	if (str_empty(value))
		return;
	for (size_t i = 0; words[i]; i++) {
		if (str_eq(value, words[i]))
			return;
	}
	problem(c, path, "\"%s\" is not one of its values", value);
}

static void number(struct check *c, const char *path, int64_t value, int64_t min, int64_t max)
{
	if (value >= min && value <= max)
		return;
	if (max == INT64_MAX)
		problem(c, path, "must be at least %" PRId64 ", is %" PRId64, min, value);
	else
		problem(c, path, "must be from %" PRId64 " to %" PRId64 ", is %" PRId64, min, max,
			value);
}

static void inner_path(struct check *c, const char *path, const char *value)
{
	AUTO_FREE char *framed = str_fmt("/%s/", str_or(value, ""));

	if (value && value[0] == '/')
		problem(c, path, "\"%s\" must be a relative path", value);
	if (strstr(framed, "/../"))
		problem(c, path, "\"%s\" must not hold '..'", str_or(value, ""));
}

static bool holds_only(const char *text, const char *chars)
{
	return !str_empty(text) && text[strspn(text, chars)] == '\0';
}

static void ip_address(struct check *c, const char *path, const char *value)
{
	const char *ip = str_or(value, "");
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1)
		problem(c, path, "\"%s\" is not an IP address", ip);
}

static void required(struct check *c, const char *at, const char *field, const char *value)
{
	AUTO_FREE char *path = below(at, field);

	if (str_empty(value))
		problem(c, path, "is required");
}

static bool is_port_name(const char *name)
{
	bool letter = false;

	for (const char *p = name; *p; p++) {
		if (*p >= 'a' && *p <= 'z')
			letter = true;
		else if (!(*p >= '0' && *p <= '9') &&
			 !(*p == '-' && p > name && p[1] && p[1] != '-'))
			return false;
	}
	return letter && strlen(name) <= PORT_NAME_MAX;
}

static void port_or_name(struct check *c, const char *at, const Intstr__IntOrString *port)
{
	AUTO_FREE char *path = below(at, "port");

	if (!port)
		problem(c, path, "is required");
	else if (port->type == 0)
		number(c, path, port->intval, 1, PORT_MAX);
	else if (!is_port_name(str_or(port->strval, "")))
		problem(c, path, "\"%s\" is not the name of a port", str_or(port->strval, ""));
}

/* --- volumes --- */

static const Core__Volume *find_volume(const Core__PodSpec *spec, const char *name)
{
	for (size_t i = 0; i < spec->n_volumes; i++) {
		if (str_eq(spec->volumes[i]->name, name))
			return spec->volumes[i];
	}
	return NULL;
}

static unsigned count_sources(const Core__VolumeSource *s)
{
	const ProtobufCMessageDescriptor *d = &core__volume_source__descriptor;
	unsigned n = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		void *p;

		memcpy(&p, (const char *)s + d->fields[i].offset, sizeof(p));
		n += p != NULL;
	}
	return n;
}

static void host_path(struct check *c, const char *at, const Core__HostPathVolumeSource *h)
{
	static const char *const types[] = {
		"DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice",
		"BlockDevice",       NULL
	};
	AUTO_FREE char *path = below(at, "hostPath.path");
	AUTO_FREE char *type = below(at, "hostPath.type");
	AUTO_FREE char *framed = str_fmt("%s/", str_or(h->path, ""));

	if (str_empty(h->path))
		problem(c, path, "is required");
	else if (strstr(framed, "/../"))
		problem(c, path, "\"%s\" must not hold '..'", h->path);
	one_of(c, type, h->type, types);
}

static void check_volume(struct check *c, const char *at, const Core__Volume *v)
{
	const Core__VolumeSource *s = v->volumesource;
	AUTO_FREE char *name = below(at, "name");

	dns_label(c, name, v->name);
	if (find_volume(c->spec, v->name) != v)
		problem(c, name, "\"%s\" is there twice", str_or(v->name, ""));
	if (count_sources(s) != 1)
		problem(c, at, "must have one source, has %u", count_sources(s));
	if (s->hostpath)
		host_path(c, at, s->hostpath);
	if (s->image)
		required(c, at, "image.reference", s->image->reference);
	if (s->emptydir && s->emptydir->medium && strcmp(s->emptydir->medium, "Memory") &&
	    !str_starts(s->emptydir->medium, "HugePages") && *s->emptydir->medium) {
		AUTO_FREE char *path = below(at, "emptyDir.medium");

		problem(c, path, "\"%s\" is not one of its values", s->emptydir->medium);
	}
}

/* --- parts of containers --- */

static void host_port(struct check *c, const char *at, const Core__ContainerPort *p)
{
	AUTO_FREE char *path = below(at, "hostPort");

	if (p->has_hostport && p->hostport)
		number(c, path, p->hostport, 1, PORT_MAX);
	if (c->spec->hostnetwork && p->hostport != p->containerport)
		problem(c, path, "must be the containerPort in the host's network");
}

static void check_ports(struct check *c, const char *at, const Core__Container *k)
{
	static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };

	for (size_t i = 0; i < k->n_ports; i++) {
		const Core__ContainerPort *p = k->ports[i];
		AUTO_FREE char *port = str_fmt("%s.ports[%zu]", at, i);
		AUTO_FREE char *number_path = below(port, "containerPort");
		AUTO_FREE char *protocol = below(port, "protocol");
		AUTO_FREE char *name = below(port, "name");

		number(c, number_path, p->containerport, 1, PORT_MAX);
		host_port(c, port, p);
		one_of(c, protocol, p->protocol, protocols);
		if (str_empty(p->name))
			continue;
		if (!is_port_name(p->name))
			problem(c, name, "\"%s\" is not the name of a port", p->name);
		for (size_t j = 0; j < i; j++) {
			if (str_eq(k->ports[j]->name, p->name))
				problem(c, name, "\"%s\" is there twice", p->name);
		}
	}
}

static void check_mount(struct check *c, const char *at, const Core__Container *k, size_t i)
{
	static const char *const propagations[] = { "None", "HostToContainer", "Bidirectional",
						    NULL };
	const Core__VolumeMount *m = k->volumemounts[i];
	AUTO_FREE char *name = below(at, "name");
	AUTO_FREE char *path = below(at, "mountPath");
	AUTO_FREE char *sub = below(at, "subPath");
	AUTO_FREE char *expr = below(at, "subPathExpr");
	AUTO_FREE char *propagation = below(at, "mountPropagation");

	if (!find_volume(c->spec, m->name))
		problem(c, name, "there is no volume \"%s\"", str_or(m->name, ""));
	if (str_empty(m->mountpath))
		problem(c, path, "is required");
	for (size_t j = 0; j < i; j++) {
		if (str_eq(k->volumemounts[j]->mountpath, m->mountpath))
			problem(c, path, "\"%s\" is there twice", str_or(m->mountpath, ""));
	}
	inner_path(c, sub, m->subpath);
	inner_path(c, expr, m->subpathexpr);
	if (!str_empty(m->subpath) && !str_empty(m->subpathexpr))
		problem(c, expr, "excludes subPath");
	one_of(c, propagation, m->mountpropagation, propagations);
	if (str_eq(m->mountpropagation, "Bidirectional") &&
	    !(k->securitycontext && k->securitycontext->privileged))
		problem(c, propagation, "Bidirectional is for privileged containers");
}

static void check_file_key(struct check *c, const char *at, const Core__FileKeySelector *ref)
{
	AUTO_FREE char *path = below(at, "fileKeyRef.path");

	if (!find_volume(c->spec, ref->volumename))
		problem(c, at, "there is no volume \"%s\"", str_or(ref->volumename, ""));
	required(c, at, "fileKeyRef.path", ref->path);
	required(c, at, "fileKeyRef.key", ref->key);
	inner_path(c, path, ref->path);
}

static void check_variable(struct check *c, const char *at, const Core__EnvVar *v)
{
	const Core__EnvVarSource *from = v->valuefrom;
	AUTO_FREE char *name = below(at, "name");
	AUTO_FREE char *source = below(at, "valueFrom");

	if (str_empty(v->name) || strchr(v->name, '='))
		problem(c, name, "\"%s\" is not the name of a variable", str_or(v->name, ""));
	if (!from)
		return;
	if (!str_empty(v->value))
		problem(c, source, "excludes value");
	if (!!from->fieldref + !!from->resourcefieldref + !!from->configmapkeyref +
		!!from->secretkeyref + !!from->filekeyref !=
	    1)
		problem(c, source, "must have one source");
	if (from->filekeyref)
		check_file_key(c, source, from->filekeyref);
}

static void check_headers(struct check *c, const char *at, const Core__HTTPGetAction *get)
{
	for (size_t i = 0; i < get->n_httpheaders; i++) {
		AUTO_FREE char *path = str_fmt("%s.httpHeaders[%zu].name", at, i);
		const char *name = get->httpheaders[i]->name;

		if (!holds_only(name, LETTERS_AND_DIGITS "-"))
			problem(c, path, "\"%s\" is not the name of a header", str_or(name, ""));
	}
}

/* exec, httpGet and tcpSocket, of probes and hooks. */
static void check_actions(struct check *c, const char *at, const Core__ExecAction *exec,
			  const Core__HTTPGetAction *http, const Core__TCPSocketAction *tcp)
{
	AUTO_FREE char *command = below(at, "exec.command");
	AUTO_FREE char *get = below(at, "httpGet");
	AUTO_FREE char *scheme = below(get, "scheme");
	AUTO_FREE char *socket = below(at, "tcpSocket");
	static const char *const schemes[] = { "HTTP", "HTTPS", NULL };

	if (exec && !exec->n_command)
		problem(c, command, "is required");
	if (http) {
		port_or_name(c, get, http->port);
		one_of(c, scheme, http->scheme, schemes);
		check_headers(c, get, http);
	}
	if (tcp)
		port_or_name(c, socket, tcp->port);
}

static void check_hook(struct check *c, const char *at, const Core__LifecycleHandler *h)
{
	AUTO_FREE char *sleep_path = below(at, "sleep.seconds");

	if (!h)
		return;
	if (h->sleep)
		number(c, sleep_path, h->sleep->seconds, 0, c->spec->terminationgraceperiodseconds);
	if (!!h->exec + !!h->httpget + !!h->tcpsocket + !!h->sleep != 1)
		problem(c, at, "must have one action");
	check_actions(c, at, h->exec, h->httpget, h->tcpsocket);
}

static void check_probe(struct check *c, const char *at, const Core__Probe *p, bool readiness)
{
	const Core__ProbeHandler *h = p ? p->handler : NULL;
	AUTO_FREE char *success = below(at, "successThreshold");
	AUTO_FREE char *grace = below(at, "terminationGracePeriodSeconds");
	AUTO_FREE char *port = below(at, "grpc.port");

	if (!p)
		return;
	const struct {
		const char *field;
		int32_t value;
	} numbers[] = {
		{ "initialDelaySeconds", p->initialdelayseconds },
		{ "timeoutSeconds", p->timeoutseconds },
		{ "periodSeconds", p->periodseconds },
		{ "failureThreshold", p->failurethreshold },
		{ "successThreshold", p->successthreshold },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		AUTO_FREE char *path = below(at, numbers[i].field);

		number(c, path, numbers[i].value, 0, INT64_MAX);
	}
	if (!readiness && p->successthreshold != 1)
		problem(c, success, "must be 1");
	if (p->has_terminationgraceperiodseconds && readiness)
		problem(c, grace, "is not for readiness probes");
	else if (p->has_terminationgraceperiodseconds)
		number(c, grace, p->terminationgraceperiodseconds, 1, INT32_MAX);
	if (!h || !!h->exec + !!h->httpget + !!h->tcpsocket + !!h->grpc != 1) {
		problem(c, at, "must have one action");
		return;
	}
	check_actions(c, at, h->exec, h->httpget, h->tcpsocket);
	if (h->grpc)
		number(c, port, h->grpc->port, 1, PORT_MAX);
}

static const Resource__Quantity *request_of(const Core__ResourceRequirements *r, const char *name)
{
	for (size_t i = 0; i < r->n_requests; i++) {
		if (str_eq(r->requests[i]->key, name))
			return r->requests[i]->value;
	}
	return NULL;
}

static void amount(struct check *c, const char *at, const char *list, const char *name,
		   const Resource__Quantity *value)
{
	AUTO_FREE char *path = str_fmt("%s.resources.%s[%s]", at, list, name);
	struct quantity q, zero = quantity_of(0, QUANTITY_DECIMAL);
	struct err e;

	if (quantity_parse(str_or(value ? value->string : NULL, ""), &q, &e) < 0)
		problem(c, path, "%s", e.text);
	else if (quantity_cmp(&q, &zero) < 0)
		problem(c, path, "must not be negative");
}

static void check_resources(struct check *c, const char *at, const Core__ResourceRequirements *r)
{
	for (size_t i = 0; r && i < r->n_requests; i++)
		amount(c, at, "requests", r->requests[i]->key, r->requests[i]->value);
	for (size_t i = 0; r && i < r->n_limits; i++) {
		const char *name = r->limits[i]->key;
		struct quantity limit = quantity_read(r->limits[i]->value);
		struct quantity request = quantity_read(request_of(r, name));

		amount(c, at, "limits", name, r->limits[i]->value);
		if (quantity_cmp(&request, &limit) > 0) {
			AUTO_FREE char *path = str_fmt("%s.resources.requests[%s]", at, name);

			problem(c, path, "must not be more than the limit");
		}
	}
}

/* --- security contexts --- */

/* Of seccomp or AppArmor. A misspelt one must not mean none. */
static void check_profile(struct check *c, const char *at, const char *type, const char *local)
{
	static const char *const types[] = { "RuntimeDefault", "Unconfined", "Localhost", NULL };
	AUTO_FREE char *type_path = below(at, "type");
	AUTO_FREE char *local_path = below(at, "localhostProfile");

	required(c, at, "type", type);
	one_of(c, type_path, type, types);
	if (str_eq(type, "Localhost"))
		required(c, at, "localhostProfile", local);
	else if (!str_empty(local))
		problem(c, local_path, "is for the type Localhost");
}

static void check_profiles(struct check *c, const char *at, const Core__SeccompProfile *seccomp,
			   const Core__AppArmorProfile *apparmor)
{
	AUTO_FREE char *seccomp_path = below(at, "seccompProfile");
	AUTO_FREE char *apparmor_path = below(at, "appArmorProfile");

	if (seccomp) {
		AUTO_FREE char *file = below(seccomp_path, "localhostProfile");

		check_profile(c, seccomp_path, seccomp->type, seccomp->localhostprofile);
		inner_path(c, file, seccomp->localhostprofile);
	}
	if (apparmor)
		check_profile(c, apparmor_path, apparmor->type, apparmor->localhostprofile);
}

static void check_id(struct check *c, const char *at, const char *field, bool has, int64_t id)
{
	AUTO_FREE char *path = below(at, field);

	if (has)
		number(c, path, id, 0, INT32_MAX);
}

static void check_security(struct check *c, const char *at, const Core__SecurityContext *sc)
{
	static const char *const mounts[] = { "Default", "Unmasked", NULL };
	AUTO_FREE char *path = below(at, "securityContext");
	AUTO_FREE char *mount = below(path, "procMount");

	if (!sc)
		return;
	check_id(c, path, "runAsUser", sc->has_runasuser, sc->runasuser);
	check_id(c, path, "runAsGroup", sc->has_runasgroup, sc->runasgroup);
	one_of(c, mount, sc->procmount, mounts);
	check_profiles(c, path, sc->seccompprofile, sc->apparmorprofile);
}

static void check_pod_security(struct check *c, const Core__PodSecurityContext *sc)
{
	static const char *const policies[] = { "Merge", "Strict", NULL };
	static const char at[] = "spec.securityContext";

	if (!sc)
		return;
	check_id(c, at, "runAsUser", sc->has_runasuser, sc->runasuser);
	check_id(c, at, "runAsGroup", sc->has_runasgroup, sc->runasgroup);
	check_id(c, at, "fsGroup", sc->has_fsgroup, sc->fsgroup);
	for (size_t i = 0; i < sc->n_supplementalgroups; i++)
		check_id(c, at, "supplementalGroups", true, sc->supplementalgroups[i]);
	one_of(c, "spec.securityContext.supplementalGroupsPolicy", sc->supplementalgroupspolicy,
	       policies);
	for (size_t i = 0; i < sc->n_sysctls; i++) {
		AUTO_FREE char *path = str_fmt("%s.sysctls[%zu]", at, i);

		required(c, path, "name", sc->sysctls[i]->name);
	}
	check_profiles(c, at, sc->seccompprofile, sc->apparmorprofile);
}

/* --- containers --- */

static bool is_sidecar(const Core__Container *k)
{
	return str_eq(k->restartpolicy, "Always");
}

static void check_words(struct check *c, const char *at, const Core__Container *k)
{
	static const char *const pulls[] = { "Always", "IfNotPresent", "Never", NULL };
	static const char *const messages[] = { "File", "FallbackToLogsOnError", NULL };
	static const char *const restarts[] = { "Always", "OnFailure", "Never", NULL };
	AUTO_FREE char *pull = below(at, "imagePullPolicy");
	AUTO_FREE char *message = below(at, "terminationMessagePolicy");
	AUTO_FREE char *restart = below(at, "restartPolicy");

	one_of(c, pull, k->imagepullpolicy, pulls);
	one_of(c, message, k->terminationmessagepolicy, messages);
	one_of(c, restart, k->restartpolicy, restarts);
}

static void check_lists(struct check *c, const char *at, const Core__Container *k)
{
	check_ports(c, at, k);
	for (size_t i = 0; i < k->n_volumemounts; i++) {
		AUTO_FREE char *path = str_fmt("%s.volumeMounts[%zu]", at, i);

		check_mount(c, path, k, i);
	}
	for (size_t i = 0; i < k->n_env; i++) {
		AUTO_FREE char *path = str_fmt("%s.env[%zu]", at, i);

		check_variable(c, path, k->env[i]);
	}
}

static void check_life(struct check *c, const char *at, const Core__Container *k, bool init)
{
	AUTO_FREE char *live = below(at, "livenessProbe");
	AUTO_FREE char *ready = below(at, "readinessProbe");
	AUTO_FREE char *startup = below(at, "startupProbe");
	AUTO_FREE char *start = below(at, "lifecycle.postStart");
	AUTO_FREE char *stop = below(at, "lifecycle.preStop");

	if (init && !is_sidecar(k) &&
	    (k->livenessprobe || k->readinessprobe || k->startupprobe || k->lifecycle))
		problem(c, at, "an init container that ends has no probes and no lifecycle");
	check_probe(c, live, k->livenessprobe, false);
	check_probe(c, ready, k->readinessprobe, true);
	check_probe(c, startup, k->startupprobe, false);
	if (!k->lifecycle)
		return;
	check_hook(c, start, k->lifecycle->poststart);
	check_hook(c, stop, k->lifecycle->prestop);
}

static void check_container(struct check *c, const char *at, const Core__Container *k, bool init)
{
	AUTO_FREE char *image = below(at, "image");

	if (str_empty(k->image))
		problem(c, image, "is required");
	else if (strpbrk(k->image, " \t\n"))
		problem(c, image, "\"%s\" must not hold white space", k->image);
	check_words(c, at, k);
	check_lists(c, at, k);
	check_life(c, at, k, init);
	check_resources(c, at, k->resources);
	check_security(c, at, k->securitycontext);
}

static const Core__Container *find_container(const Core__PodSpec *s, const char *name)
{
	for (size_t i = 0; i < s->n_initcontainers; i++) {
		if (str_eq(s->initcontainers[i]->name, name))
			return s->initcontainers[i];
	}
	for (size_t i = 0; i < s->n_containers; i++) {
		if (str_eq(s->containers[i]->name, name))
			return s->containers[i];
	}
	return NULL;
}

static void check_containers(struct check *c, const char *list, Core__Container *const *items,
			     size_t n, bool init)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *at = str_fmt("spec.%s[%zu]", list, i);
		AUTO_FREE char *name = below(at, "name");

		dns_label(c, name, items[i]->name);
		if (!str_empty(items[i]->name) &&
		    find_container(c->spec, items[i]->name) != items[i])
			problem(c, name, "\"%s\" is there twice", items[i]->name);
		check_container(c, at, items[i], init);
	}
}

/* --- references to other objects: a static pod must run without an API server --- */

static const char *container_reference(Core__Container *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < items[i]->n_envfrom; k++) {
			if (items[i]->envfrom[k]->secretref)
				return "secrets";
			if (items[i]->envfrom[k]->configmapref)
				return "configmaps";
		}
		for (size_t k = 0; k < items[i]->n_env; k++) {
			const Core__EnvVarSource *from = items[i]->env[k]->valuefrom;

			if (from && from->secretkeyref)
				return "secrets";
			if (from && from->configmapkeyref)
				return "configmaps";
		}
	}
	return NULL;
}

static const char *projection_reference(const Core__ProjectedVolumeSource *p)
{
	for (size_t i = 0; i < p->n_sources; i++) {
		const Core__VolumeProjection *s = p->sources[i];
		const char *what = s->configmap ? "configmaps (via projected volumes)"
				   : s->secret  ? "secrets (via projected volumes)"
				   : s->serviceaccounttoken
				       ? "serviceaccounts (via projected volumes)"
				   : s->clustertrustbundle ? "clustertrustbundles"
				   : s->podcertificate     ? "podcertificates"
							   : NULL;

		if (what)
			return what;
	}
	return NULL;
}

static const char *volume_reference(const Core__VolumeSource *s)
{
	const struct {
		const void *source;
		const char *what;
	} refused[] = {
		{ s->configmap, "configmaps (via configmap volumes)" },
		{ s->secret, "secrets (via secret volumes)" },
		{ s->csi, "csidrivers (via CSI volumes)" },
		{ s->glusterfs, "endpoints (via glusterFS volumes)" },
		{ s->persistentvolumeclaim, "persistentvolumeclaims" },
		{ s->ephemeral, "persistentvolumeclaims (via ephemeral volumes)" },
		{ s->azurefile, "secrets (via azureFile volumes)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (refused[i].source)
			return refused[i].what;
	}
	return s->projected ? projection_reference(s->projected) : NULL;
}

static const char *reference(const Core__PodSpec *s)
{
	const char *what;

	if (!str_empty(s->serviceaccountname))
		return "serviceaccounts";
	if (s->n_imagepullsecrets)
		return "secrets";
	what = container_reference(s->initcontainers, s->n_initcontainers);
	if (!what)
		what = container_reference(s->containers, s->n_containers);
	if (what || s->n_resourceclaims)
		return what ? what : "resourceclaims";
	for (size_t i = 0; i < s->n_volumes; i++) {
		what = volume_reference(s->volumes[i]->volumesource);
		if (what)
			return what;
	}
	return NULL;
}

/* --- the pod --- */

static void check_metadata(struct check *c, const Meta__ObjectMeta *m)
{
	struct err e;

	if (!labels_is_subdomain(m->name))
		problem(c, "metadata.name",
			"\"%s\" must be lower-case letters, digits, '-' and '.', with a letter or "
			"digit at both ends of each part",
			m->name);
	dns_label(c, "metadata.namespace", m->namespace_);
	/* it becomes the name of directories and cgroups, whose spelling must lead back to it */
	if (strlen(m->uid) > UID_CHARS_MAX || !holds_only(m->uid, LETTERS_AND_DIGITS "-"))
		problem(c, "metadata.uid", "\"%s\" must be 1 to %d letters, digits or '-'", m->uid,
			UID_CHARS_MAX);
	for (size_t i = 0; i < m->n_labels; i++) {
		if (labels_check_key(str_or(m->labels[i]->key, ""), &e) < 0 ||
		    labels_check_value(str_or(m->labels[i]->value, ""), &e) < 0)
			problem(c, "metadata.labels", "%s", e.text);
	}
	for (size_t i = 0; i < m->n_annotations; i++) {
		if (labels_check_key(str_or(m->annotations[i]->key, ""), &e) < 0)
			problem(c, "metadata.annotations", "%s", e.text);
	}
}

static void check_pod_words(struct check *c, const Core__PodSpec *s)
{
	const struct {
		const char *path, *value, *words[WORDS_MAX];
	} rows[] = {
		{ "spec.restartPolicy", s->restartpolicy, { "Always", "OnFailure", "Never" } },
		{ "spec.dnsPolicy",
		  s->dnspolicy,
		  { "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None" } },
		{ "spec.preemptionPolicy",
		  s->preemptionpolicy,
		  { "PreemptLowerPriority", "Never" } },
		{ "spec.os.name", s->os ? s->os->name : NULL, { "linux", "windows" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		one_of(c, rows[i].path, rows[i].value, rows[i].words);
}

static void check_names(struct check *c, const Core__PodSpec *s)
{
	if (!str_empty(s->hostname))
		dns_label(c, "spec.hostname", s->hostname);
	if (!str_empty(s->subdomain))
		dns_label(c, "spec.subdomain", s->subdomain);
	if (str_eq(s->dnspolicy, "None") && !(s->dnsconfig && s->dnsconfig->n_nameservers))
		problem(c, "spec.dnsConfig.nameservers", "is required with dnsPolicy None");
	for (size_t i = 0; i < s->n_hostaliases; i++) {
		AUTO_FREE char *path = str_fmt("spec.hostAliases[%zu].ip", i);

		ip_address(c, path, s->hostaliases[i]->ip);
	}
}

static void check_dns(struct check *c, const Core__PodDNSConfig *d)
{
	for (size_t i = 0; d && i < d->n_nameservers; i++) {
		AUTO_FREE char *path = str_fmt("spec.dnsConfig.nameservers[%zu]", i);

		ip_address(c, path, d->nameservers[i]);
	}
	for (size_t i = 0; d && i < d->n_options; i++) {
		AUTO_FREE char *at = str_fmt("spec.dnsConfig.options[%zu]", i);

		required(c, at, "name", d->options[i]->name);
	}
}

static void check_tolerations(struct check *c, const Core__PodSpec *s)
{
	static const char *const operators[] = { "Exists", "Equal", "Lt", "Gt", NULL };
	static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute",
					       NULL };

	for (size_t i = 0; i < s->n_tolerations; i++) {
		const Core__Toleration *t = s->tolerations[i];
		AUTO_FREE char *operator_ = str_fmt("spec.tolerations[%zu].operator", i);
		AUTO_FREE char *effect = str_fmt("spec.tolerations[%zu].effect", i);

		one_of(c, operator_, t->operator_, operators);
		one_of(c, effect, t->effect, effects);
		if (str_empty(t->key) && !str_eq(t->operator_, "Exists"))
			problem(c, operator_, "must be Exists when there is no key");
	}
}

static void check_spec(struct check *c, const Core__PodSpec *s)
{
	if (!s->n_containers)
		problem(c, "spec.containers", "is required");
	if (s->n_ephemeralcontainers)
		problem(c, "spec.ephemeralContainers", "may not be there from the start");
	if (s->n_schedulinggates)
		problem(c, "spec.schedulingGates", "excludes a pod that has its node");
	if (s->hostpid && s->shareprocessnamespace)
		problem(c, "spec.shareProcessNamespace", "excludes hostPID");
	if (s->has_activedeadlineseconds)
		number(c, "spec.activeDeadlineSeconds", s->activedeadlineseconds, 1, INT32_MAX);
	check_pod_words(c, s);
	check_names(c, s);
	check_dns(c, s->dnsconfig);
	check_pod_security(c, s->securitycontext);
	check_resources(c, "spec", s->resources);
	check_tolerations(c, s);
	for (size_t i = 0; i < s->n_volumes; i++) {
		AUTO_FREE char *at = str_fmt("spec.volumes[%zu]", i);

		check_volume(c, at, s->volumes[i]);
	}
	check_containers(c, "initContainers", s->initcontainers, s->n_initcontainers, true);
	check_containers(c, "containers", s->containers, s->n_containers, false);
	if (reference(s))
		problem(c, "spec", "static pods may not reference %s", reference(s));
}

int manifest_check(const Core__Pod *pod, struct err *e)
{
	struct check c = { .spec = pod->spec };
	AUTO_FREE char *problems = NULL;

	check_metadata(&c, pod->metadata);
	check_spec(&c, pod->spec);
	if (!c.problems.len)
		return 0;
	problems = str_take(&c.problems);
	return err_set(e, ERR_INVALID, "%s", problems);
}
