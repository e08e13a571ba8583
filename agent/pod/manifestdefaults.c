/* What the API server fills in for a pod that a file leaves out (contract in manifest.h). Pure.
 *
 * For one reason each: the rest of the agent reads it (policies, grace, thresholds, requests), or
 * /pods and the mirror show it.
 */
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "image/imagename.h"
#include "manifest.h"

enum { GRACE_SEC = 30, FILE_MODE = 0644 };

static void text(char **field, const char *value)
{
	if (str_empty(*field))
		proto_set_str(field, value);
}

/* "Always" when no tag says which version is meant. */
static const char *pull_policy(const char *image)
{
	AUTO_FREE char *name = imagename_with_tag(str_or(image, ""), NULL);

	if (!name || strchr(name, '@'))
		return "IfNotPresent";
	return str_ends(name, ":latest") ? "Always" : "IfNotPresent";
}

/* --- fields that appear in many places --- */

static void field_ref(Core__ObjectFieldSelector *ref)
{
	if (ref)
		text(&ref->apiversion, "v1");
}

static void http_get(Core__HTTPGetAction *get)
{
	if (!get)
		return;
	text(&get->path, "/");
	text(&get->scheme, "HTTP");
}

static void probe(Core__Probe *p)
{
	if (!p)
		return;
	const struct {
		protobuf_c_boolean *has;
		int32_t *value, fallback;
	} numbers[] = {
		{ &p->has_timeoutseconds, &p->timeoutseconds, 1 },
		{ &p->has_periodseconds, &p->periodseconds, 10 },
		{ &p->has_successthreshold, &p->successthreshold, 1 },
		{ &p->has_failurethreshold, &p->failurethreshold, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (*numbers[i].value)
			continue;
		*numbers[i].has = true;
		*numbers[i].value = numbers[i].fallback;
	}
	if (p->handler)
		http_get(p->handler->httpget);
}

static void hook(Core__LifecycleHandler *h)
{
	if (h)
		http_get(h->httpget);
}

static void mode(protobuf_c_boolean *has, int32_t *value)
{
	if (!*has)
		*value = FILE_MODE;
	*has = true;
}

/* --- containers --- */

static void ports(Core__Container *c, bool host_network)
{
	for (size_t i = 0; i < c->n_ports; i++) {
		Core__ContainerPort *p = c->ports[i];

		text(&p->protocol, "TCP");
		if (!host_network || p->hostport)
			continue;
		p->has_hostport = true;
		p->hostport = p->containerport;
	}
}

static bool requests(const Core__ResourceRequirements *r, const char *resource)
{
	for (size_t i = 0; i < r->n_requests; i++) {
		if (str_eq(r->requests[i]->key, resource))
			return true;
	}
	return false;
}

/* A limit without a request asks for as much. */
static void resources(Core__ResourceRequirements *r)
{
	for (size_t i = 0; r && i < r->n_limits; i++) {
		Core__ResourceRequirements__RequestsEntry *request;

		if (requests(r, r->limits[i]->key))
			continue;
		request = proto_new(&core__resource_requirements__requests_entry__descriptor);
		proto_set_str(&request->key, r->limits[i]->key);
		if (r->limits[i]->value)
			request->value = proto_dup(r->limits[i]->value);
		proto_push(&r->n_requests, &r->requests, request);
	}
}

static void container(Core__Container *c, bool host_network)
{
	text(&c->imagepullpolicy, pull_policy(c->image));
	text(&c->terminationmessagepath, "/dev/termination-log");
	text(&c->terminationmessagepolicy, "File");
	ports(c, host_network);
	resources(c->resources);
	probe(c->livenessprobe);
	probe(c->readinessprobe);
	probe(c->startupprobe);
	if (c->lifecycle) {
		hook(c->lifecycle->poststart);
		hook(c->lifecycle->prestop);
	}
	for (size_t i = 0; i < c->n_env; i++) {
		if (c->env[i]->valuefrom)
			field_ref(c->env[i]->valuefrom->fieldref);
	}
}

/* --- volumes --- */

static bool has_source(const Core__VolumeSource *s)
{
	const ProtobufCMessageDescriptor *d = &core__volume_source__descriptor;
	void *p;

	for (unsigned i = 0; s && i < d->n_fields; i++) {
		memcpy(&p, (const char *)s + d->fields[i].offset, sizeof(p));
		if (p)
			return true;
	}
	return false;
}

static void downward_files(size_t n, Core__DownwardAPIVolumeFile *const *items)
{
	for (size_t i = 0; i < n; i++)
		field_ref(items[i]->fieldref);
}

static void projections(Core__ProjectedVolumeSource *p)
{
	mode(&p->has_defaultmode, &p->defaultmode);
	for (size_t i = 0; i < p->n_sources; i++) {
		Core__DownwardAPIProjection *d = p->sources[i]->downwardapi;

		if (d)
			downward_files(d->n_items, d->items);
	}
}

static void volume(Core__Volume *v)
{
	Core__VolumeSource *s;

	if (!has_source(v->volumesource)) {
		proto_free(v->volumesource);
		v->volumesource = proto_new(&core__volume_source__descriptor);
		v->volumesource->emptydir = proto_new(&core__empty_dir_volume_source__descriptor);
	}
	s = v->volumesource;
	if (s->image)
		text(&s->image->pullpolicy, pull_policy(s->image->reference));
	if (s->projected)
		projections(s->projected);
	if (!s->downwardapi)
		return;
	mode(&s->downwardapi->has_defaultmode, &s->downwardapi->defaultmode);
	downward_files(s->downwardapi->n_items, s->downwardapi->items);
}

/* --- the pod --- */

/* Node problems evict no pod that the node itself would bring back. */
void manifest_tolerate(Core__PodSpec *spec)
{
	Core__Toleration *t;

	for (size_t i = 0; i < spec->n_tolerations; i++) {
		t = spec->tolerations[i];
		if (str_empty(t->key) && str_eq(t->operator_, "Exists") && str_empty(t->value) &&
		    str_eq(t->effect, "NoExecute")) {
			t->has_tolerationseconds = false;
			return;
		}
	}
	t = proto_new(&core__toleration__descriptor);
	proto_set_str(&t->operator_, "Exists");
	proto_set_str(&t->effect, "NoExecute");
	proto_push(&spec->n_tolerations, &spec->tolerations, t);
}

static void grace(Core__PodSpec *spec)
{
	if (!spec->has_terminationgraceperiodseconds)
		spec->terminationgraceperiodseconds = GRACE_SEC;
	else if (spec->terminationgraceperiodseconds < 0)
		spec->terminationgraceperiodseconds = 1;
	spec->has_terminationgraceperiodseconds = true;
}

void manifest_default(Core__Pod *pod)
{
	Core__PodSpec *s = pod->spec;

	text(&s->restartpolicy, "Always");
	text(&s->dnspolicy, "ClusterFirst");
	text(&s->schedulername, "default-scheduler");
	text(&s->serviceaccountname, s->serviceaccount);
	proto_set_str(&s->serviceaccount, s->serviceaccountname);
	grace(s);
	if (!s->has_enableservicelinks)
		s->enableservicelinks = true;
	s->has_enableservicelinks = true;
	if (!s->securitycontext)
		s->securitycontext = proto_new(&core__pod_security_context__descriptor);
	for (size_t i = 0; i < s->n_containers; i++)
		container(s->containers[i], s->hostnetwork);
	for (size_t i = 0; i < s->n_initcontainers; i++)
		container(s->initcontainers[i], s->hostnetwork);
	for (size_t i = 0; i < s->n_volumes; i++)
		volume(s->volumes[i]);
	proto_set_str(&pod->status->phase, "Pending");
}
