/* The sandbox's configuration (contract in podconfig.h). Pure. */
#include "podconfig.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "podnamespace.h"
#include "resource/cgroupname.h"
#include "resource/resources.h"

char *podconfig_pod_dir(const struct podconfig_node *node, const char *uid)
{
	return str_fmt("%s/pods/%s", node->root_dir, uid);
}

char *podconfig_log_dir(const struct podconfig_node *node, const char *ns, const char *name,
			const char *uid)
{
	return str_fmt("%s/%s_%s_%s", node->pod_logs_dir, ns, name, uid);
}

char *podconfig_cgroup_parent(const struct podconfig_node *node, const Core__Pod *pod)
{
	if (!node->cgroups_per_qos)
		return mem_strdup("");
	return cgroupname_path(node->cgroup_root, node->systemd_cgroups,
			       cgroupname_level(resources_qos(pod->spec)), pod->metadata->uid);
}

void podconfig_annotate_ptr(const struct podspec *spec, size_t *n, void ***items,
			    const ProtobufCMessageDescriptor *entry)
{
	static const char *const own[] = { PODSPEC_SEEN, PODSPEC_SOURCE };
	const Meta__ObjectMeta *m = spec->pod->metadata;

	for (size_t i = 0; i < m->n_annotations; i++) {
		if (!podspec_overrides(spec, m->annotations[i]->key))
			proto_push_pair_ptr(n, items, entry, m->annotations[i]->key,
					    m->annotations[i]->value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (podspec_overrides(spec, own[i]))
			proto_push_pair_ptr(n, items, entry, own[i],
					    podspec_any_annotation(spec, own[i]));
	}
}

static void add_labels(const struct podspec *spec, Cri__PodSandboxConfig *c)
{
	const ProtobufCMessageDescriptor *entry =
	    &cri__pod_sandbox_config__labels_entry__descriptor;
	const Meta__ObjectMeta *m = spec->pod->metadata;

	for (size_t i = 0; i < m->n_labels; i++)
		proto_push_pair(&c->n_labels, &c->labels, entry, m->labels[i]->key,
				m->labels[i]->value);
	proto_push_pair(&c->n_labels, &c->labels, entry, "io.kubernetes.pod.name", spec->name);
	proto_push_pair(&c->n_labels, &c->labels, entry, "io.kubernetes.pod.namespace", spec->ns);
	proto_push_pair(&c->n_labels, &c->labels, entry, "io.kubernetes.pod.uid", spec->uid);
	podconfig_annotate(spec, &c->n_annotations, &c->annotations,
			   &cri__pod_sandbox_config__annotations_entry__descriptor);
}

static Cri__Protocol protocol_of(const char *name)
{
	if (str_eq(name, "UDP"))
		return CRI__PROTOCOL__UDP;
	return str_eq(name, "SCTP") ? CRI__PROTOCOL__SCTP : CRI__PROTOCOL__TCP;
}

static void add_port_mappings(const struct podspec *spec, Cri__PodSandboxConfig *c)
{
	for (size_t i = spec->n_init; i < spec->n_init + spec->n_main; i++) {
		const Core__Container *container = spec->containers[i].spec;

		for (size_t k = 0; k < container->n_ports; k++) {
			const Core__ContainerPort *p = container->ports[k];
			Cri__PortMapping *m = proto_new(&cri__port_mapping__descriptor);

			m->protocol = protocol_of(p->protocol);
			m->container_port = p->containerport;
			m->host_port = p->hostport;
			proto_set_str(&m->host_ip, str_or(p->hostip, ""));
			proto_push(&c->n_port_mappings, &c->port_mappings, m);
		}
	}
}

static void add_dns(const struct podspec *spec, const struct podconfig_node *node,
		    Cri__PodSandboxConfig *c, struct dns_warning *ret_warning)
{
	CLEANUP(dns_config_fini) struct dns_config dns = { 0 };
	Cri__DNSConfig *d = proto_new(&cri__dnsconfig__descriptor);

	poddns_make(spec, &node->dns, &dns, ret_warning);
	for (size_t i = 0; dns.servers && dns.servers[i]; i++)
		proto_push_str(&d->n_servers, &d->servers, dns.servers[i]);
	for (size_t i = 0; dns.searches && dns.searches[i]; i++)
		proto_push_str(&d->n_searches, &d->searches, dns.searches[i]);
	for (size_t i = 0; dns.options && dns.options[i]; i++)
		proto_push_str(&d->n_options, &d->options, dns.options[i]);
	c->dns_config = d;
}

static bool any_privileged(const struct podspec *spec)
{
	for (size_t i = 0; i < spec->n_containers; i++) {
		const Core__SecurityContext *sc = spec->containers[i].spec->securitycontext;

		if (sc && sc->privileged)
			return true;
	}
	return false;
}

static Cri__LinuxSandboxSecurityContext *sandbox_security(const struct podspec *spec)
{
	const Core__PodSecurityContext *sc = spec->pod->spec->securitycontext;
	Cri__LinuxSandboxSecurityContext *s =
	    proto_new(&cri__linux_sandbox_security_context__descriptor);

	s->privileged = any_privileged(spec);
	s->seccomp = proto_new(&cri__security_profile__descriptor);
	s->namespace_options = podnamespace_options(spec->pod->spec);
	if (!sc)
		return s;
	if (sc->has_runasuser)
		s->run_as_user = podnamespace_int64(sc->runasuser);
	if (sc->has_runasgroup)
		s->run_as_group = podnamespace_int64(sc->runasgroup);
	podnamespace_groups(sc, &s->n_supplemental_groups, &s->supplemental_groups);
	if (str_eq(sc->supplementalgroupspolicy, "Strict"))
		s->supplemental_groups_policy = CRI__SUPPLEMENTAL_GROUPS_POLICY__Strict;
	s->selinux_options = podnamespace_selinux(sc->selinuxoptions);
	return s;
}

Cri__LinuxContainerResources *podconfig_granted(const struct amounts *a,
						const struct podconfig_node *node)
{
	Cri__LinuxContainerResources *r = proto_new(&cri__linux_container_resources__descriptor);

	r->cpu_shares =
	    resources_cpu_shares(a->has_cpu_request ? a->cpu_request_milli : a->cpu_limit_milli);
	r->memory_limit_in_bytes = a->memory_limit_bytes;
	if (node->cpu_cfs_quota) {
		r->cpu_period = node->cpu_period_usec;
		r->cpu_quota = resources_cpu_quota_usec(a->cpu_limit_milli, node->cpu_period_usec);
	}
	return r;
}

static Cri__LinuxContainerResources *sandbox_resources(const struct podspec *spec,
						       const struct podconfig_node *node)
{
	struct amounts a;

	resources_of_pod(spec->pod->spec, false, &a);
	return podconfig_granted(&a, node);
}

static Cri__LinuxContainerResources *overhead_resources(const struct podspec *spec,
							const struct podconfig_node *node)
{
	Cri__LinuxContainerResources *r = proto_new(&cri__linux_container_resources__descriptor);
	struct amounts with, without;

	if (!spec->pod->spec->n_overhead)
		return r;
	resources_of_pod(spec->pod->spec, true, &with);
	resources_of_pod(spec->pod->spec, false, &without);
	with.cpu_request_milli -= without.cpu_request_milli;
	r->cpu_shares = resources_cpu_shares(with.cpu_request_milli);
	r->memory_limit_in_bytes = with.memory_request_bytes - without.memory_request_bytes;
	if (node->cpu_cfs_quota) {
		r->cpu_period = node->cpu_period_usec;
		r->cpu_quota =
		    resources_cpu_quota_usec(with.cpu_request_milli, node->cpu_period_usec);
	}
	return r;
}

static Cri__LinuxPodSandboxConfig *sandbox_linux(const struct podspec *spec,
						 const struct podconfig_node *node)
{
	const Core__PodSecurityContext *sc = spec->pod->spec->securitycontext;
	Cri__LinuxPodSandboxConfig *l = proto_new(&cri__linux_pod_sandbox_config__descriptor);

	l->cgroup_parent = podconfig_cgroup_parent(node, spec->pod);
	l->security_context = sandbox_security(spec);
	for (size_t i = 0; sc && i < sc->n_sysctls; i++)
		proto_push_pair(&l->n_sysctls, &l->sysctls,
				&cri__linux_pod_sandbox_config__sysctls_entry__descriptor,
				sc->sysctls[i]->name, sc->sysctls[i]->value);
	l->resources = sandbox_resources(spec, node);
	l->overhead = overhead_resources(spec, node);
	return l;
}

int podconfig_sandbox(const struct podspec *spec, const struct podconfig_node *node,
		      unsigned attempt, Cri__PodSandboxConfig **ret_config,
		      struct dns_warning *ret_warning, struct err *e)
{
	AUTO_PROTO Cri__PodSandboxConfig *c = proto_new(&cri__pod_sandbox_config__descriptor);

	c->metadata = proto_new(&cri__pod_sandbox_metadata__descriptor);
	proto_set_str(&c->metadata->name, spec->name);
	proto_set_str(&c->metadata->namespace_, spec->ns);
	proto_set_str(&c->metadata->uid, spec->uid);
	c->metadata->attempt = attempt;
	if (!podspec_host_network(spec)) {
		char *hostname;

		if (poddns_kernel_hostname(spec, node->dns.cluster_domain, &hostname, e) < 0)
			return -1;
		c->hostname = hostname;
	}
	c->log_directory = podconfig_log_dir(node, spec->ns, spec->name, spec->uid);
	add_labels(spec, c);
	add_dns(spec, node, c, ret_warning);
	add_port_mappings(spec, c);
	c->linux = sandbox_linux(spec, node);
	*ret_config = TAKE(c);
	return 0;
}
