/* Admission of pods on this node (contract in admit.h). Pure. */
#include "admit.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "node/nodestatus.h"
#include "podset.h"
#include "resource/resources.h"

static const char *const safe_sysctls[] = {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_wmem",
	"net.ipv4.tcp_notsent_lowat",
	"net.ipv4.tcp_slow_start_after_idle",
};

bool admit_sysctl_allowed(const char *name, char *const *allowed_unsafe)
{
	for (size_t i = 0; i < ARRAY_SIZE(safe_sysctls); i++) {
		if (str_eq(safe_sysctls[i], name))
			return true;
	}
	for (size_t i = 0; allowed_unsafe && allowed_unsafe[i]; i++) {
		size_t n = strlen(allowed_unsafe[i]);

		if (n && allowed_unsafe[i][n - 1] == '*' &&
		    !strncmp(allowed_unsafe[i], name, n - 1))
			return true;
		if (str_eq(allowed_unsafe[i], name))
			return true;
	}
	return false;
}

static bool check_sysctls(struct pod *p, struct admit_verdict *v)
{
	const Core__PodSecurityContext *sc = p->spec->pod->spec->securitycontext;

	for (size_t i = 0; sc && i < sc->n_sysctls; i++) {
		AUTO_FREE char *name = mem_strdup(sc->sysctls[i]->name);

		for (char *c = name; c && *c; c++)
			*c = *c == '/' ? '.' : *c;
		if (admit_sysctl_allowed(name, p->env->allowed_unsafe_sysctls))
			continue;
		v->reason = "SysctlForbidden";
		snprintf(v->message, sizeof(v->message), "forbidden sysctl: \"%s\" not allowlisted",
			 name);
		return false;
	}
	return true;
}

static bool holds_resources(const struct pod *other, const struct pod *p)
{
	return other != p && other->spec && !other->gone && other->admitted &&
	       !other->failed_reason && other->phase < POD_TERMINATED;
}

struct usage {
	int64_t cpu_milli, memory_bytes, pods;
};

static struct usage usage_beside(const struct pod *p)
{
	struct usage u = { 0 };
	struct pod *other;
	struct amounts a;

	for (size_t cursor = 0; podset_next(p->env->set, &cursor, &other);) {
		if (!holds_resources(other, p))
			continue;
		resources_of_pod(other->spec->pod->spec, true, &a);
		u.cpu_milli += a.cpu_request_milli;
		u.memory_bytes += a.memory_request_bytes;
		u.pods++;
	}
	return u;
}

static bool exceeds(struct admit_verdict *v, const char *resource, int64_t wanted, int64_t used,
		    int64_t capacity)
{
	if (!wanted || wanted <= capacity - used)
		return false;
	snprintf(v->out_of, sizeof(v->out_of), "OutOf%s", resource);
	v->reason = v->out_of;
	snprintf(v->message, sizeof(v->message),
		 "Node didn't have enough resource: %s, requested: %" PRId64 ", used: %" PRId64
		 ", capacity: %" PRId64,
		 resource, wanted, used, capacity);
	return true;
}

static Core__ResourceRequirements *requests_of(const Core__PodSpec *spec)
{
	Core__ResourceRequirements *r = proto_new(&core__resource_requirements__descriptor);

	resources_sum_requests(spec, &core__resource_requirements__requests_entry__descriptor,
			       &r->n_requests, (void ***)&r->requests);
	return r;
}

static int64_t used_beside(const struct pod *p, const char *resource)
{
	struct pod *other;
	int64_t used = 0;

	for (size_t cursor = 0; podset_next(p->env->set, &cursor, &other);) {
		AUTO_PROTO Core__ResourceRequirements *r = NULL;

		if (!holds_resources(other, p))
			continue;
		r = requests_of(other->spec->pod->spec);
		used += resources_value(resources_request(r, resource));
	}
	return used;
}

static struct kube_object *node_of(struct pod *p)
{
	return p->env->node_object ? p->env->node_object(p->env->node_ctx) : NULL;
}

/* What few pods ask for; extended resources that the node does not know are nobody's business. */
static bool check_rare_resources(struct pod *p, struct admit_verdict *v)
{
	AUTO_PROTO Core__ResourceRequirements *r = requests_of(p->spec->pod->spec);
	struct kube_object *node = node_of(p);

	for (size_t i = 0; node && i < r->n_requests; i++) {
		const char *name = r->requests[i]->key;

		if (!str_starts(name, "hugepages-") && !str_eq(name, "ephemeral-storage"))
			continue;
		if (exceeds(v, name, resources_value(resources_request(r, name)),
			    used_beside(p, name),
			    nodestatus_allocatable((const Core__Node *)node->msg, name)))
			return false;
	}
	return true;
}

static bool check_resources(struct pod *p, struct admit_verdict *v)
{
	struct usage u = usage_beside(p);
	struct amounts a;

	resources_of_pod(p->spec->pod->spec, true, &a);
	return !exceeds(v, "pods", 1, u.pods, p->env->max_pods) &&
	       !exceeds(v, "cpu", a.cpu_request_milli, u.cpu_milli,
			p->env->allocatable_cpu_milli) &&
	       !exceeds(v, "memory", a.memory_request_bytes, u.memory_bytes,
			p->env->allocatable_memory_bytes) &&
	       check_rare_resources(p, v);
}

/* --- host ports --- */

static bool any_address(const char *ip)
{
	return str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
}

static bool ports_clash(const Core__ContainerPort *a, const Core__ContainerPort *b)
{
	return a->hostport && a->hostport == b->hostport &&
	       str_eq(str_or(a->protocol, "TCP"), str_or(b->protocol, "TCP")) &&
	       (any_address(a->hostip) || any_address(b->hostip) || str_eq(a->hostip, b->hostip));
}

static bool port_taken(const Core__PodSpec *spec, const Core__ContainerPort *port)
{
	for (size_t i = 0; i < spec->n_containers; i++) {
		for (size_t k = 0; k < spec->containers[i]->n_ports; k++) {
			if (ports_clash(spec->containers[i]->ports[k], port))
				return true;
		}
	}
	return false;
}

static bool pods_clash(const Core__PodSpec *mine, const Core__PodSpec *other)
{
	for (size_t i = 0; i < mine->n_containers; i++) {
		for (size_t k = 0; k < mine->containers[i]->n_ports; k++) {
			if (port_taken(other, mine->containers[i]->ports[k]))
				return true;
		}
	}
	return false;
}

static bool check_ports(struct pod *p, struct admit_verdict *v)
{
	struct pod *other;

	for (size_t cursor = 0; podset_next(p->env->set, &cursor, &other);) {
		if (!holds_resources(other, p) ||
		    !pods_clash(p->spec->pod->spec, other->spec->pod->spec))
			continue;
		v->reason = "NodePorts";
		snprintf(v->message, sizeof(v->message),
			 "Predicate NodePorts failed: node(s) didn't have free ports for the "
			 "requested pod ports");
		return false;
	}
	return true;
}

static const char *node_label(const Core__Node *node, const char *key)
{
	for (size_t i = 0; i < node->metadata->n_labels; i++) {
		if (str_eq(node->metadata->labels[i]->key, key))
			return str_or(node->metadata->labels[i]->value, "");
	}
	return NULL;
}

static bool check_selector(struct pod *p, struct admit_verdict *v)
{
	struct kube_object *o = node_of(p);
	const Core__PodSpec *spec = p->spec->pod->spec;

	for (size_t i = 0; o && i < spec->n_nodeselector; i++) {
		const char *have =
		    node_label((const Core__Node *)o->msg, spec->nodeselector[i]->key);

		if (have && str_eq(have, str_or(spec->nodeselector[i]->value, "")))
			continue;
		v->reason = "NodeAffinity";
		snprintf(v->message, sizeof(v->message),
			 "Predicate NodeAffinity failed: node(s) didn't match Pod's node "
			 "affinity/selector");
		return false;
	}
	return true;
}

static bool check_os(struct pod *p, struct admit_verdict *v)
{
	const Core__PodOS *os = p->spec->pod->spec->os;

	if (!os || str_eq(os->name, "linux") || str_empty(os->name))
		return true;
	v->reason = "PodOSNotSupported";
	snprintf(v->message, sizeof(v->message),
		 "Failed to admit pod as the OS field doesn't match node OS");
	return false;
}

/* Isolation that is asked for and cannot be given is no matter for a warning. */
static bool check_features(struct pod *p, struct admit_verdict *v)
{
	const Core__PodSpec *spec = p->spec->pod->spec;

	if (!spec->has_hostusers || spec->hostusers)
		return true;
	v->reason = "PodFeatureUnsupported";
	snprintf(v->message, sizeof(v->message),
		 "spec.hostUsers=false is not implemented by this node agent");
	return false;
}

static bool asks_apparmor(const Core__AppArmorProfile *profile)
{
	return profile && !str_eq(profile->type, "Unconfined");
}

/* A profile that nobody enforces is worse than no pod. */
static bool check_apparmor(struct pod *p, struct admit_verdict *v)
{
	const Core__PodSecurityContext *pod = p->spec->pod->spec->securitycontext;
	bool asked = pod && asks_apparmor(pod->apparmorprofile);

	for (size_t i = 0; i < p->spec->n_containers; i++) {
		const Core__SecurityContext *sc = p->spec->containers[i].spec->securitycontext;

		asked |= sc && asks_apparmor(sc->apparmorprofile);
	}
	if (!asked || p->env->node->apparmor)
		return true;
	v->reason = "AppArmor";
	snprintf(v->message, sizeof(v->message),
		 "Cannot enforce AppArmor: AppArmor is not enabled on the host");
	return false;
}

bool admit_pod(struct pod *p, struct admit_verdict *ret_verdict)
{
	*ret_verdict = (struct admit_verdict){ 0 };
	return check_sysctls(p, ret_verdict) && check_resources(p, ret_verdict) &&
	       check_ports(p, ret_verdict) && check_selector(p, ret_verdict) &&
	       check_os(p, ret_verdict) && check_apparmor(p, ret_verdict) &&
	       check_features(p, ret_verdict);
}
