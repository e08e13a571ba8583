/* Small pods for tests of pure agent code. */
#pragma once

#include "base/mem.h"
#include "base/proto.h"
#include "pod/podspec.h"

static inline Core__Pod *podgen_pod(const char *restart_policy)
{
	Core__Pod *pod = proto_new(&core__pod__descriptor);

	pod->metadata = proto_new(&meta__object_meta__descriptor);
	proto_set_str(&pod->metadata->name, "pod");
	proto_set_str(&pod->metadata->namespace_, "ns");
	proto_set_str(&pod->metadata->uid, "uid-1");
	pod->spec = proto_new(&core__pod_spec__descriptor);
	proto_set_str(&pod->spec->restartpolicy, restart_policy);
	pod->status = proto_new(&core__pod_status__descriptor);
	return pod;
}

static inline Core__Container *podgen_container(const char *name)
{
	Core__Container *c = proto_new(&core__container__descriptor);

	proto_set_str(&c->name, name);
	proto_set_str(&c->image, "img");
	return c;
}

static inline Core__Container *podgen_main(Core__Pod *pod, const char *name)
{
	Core__Container *c = podgen_container(name);

	proto_push(&pod->spec->n_containers, &pod->spec->containers, c);
	return c;
}

static inline Core__Container *podgen_init(Core__Pod *pod, const char *name, bool sidecar)
{
	Core__Container *c = podgen_container(name);

	if (sidecar)
		proto_set_str(&c->restartpolicy, "Always");
	proto_push(&pod->spec->n_initcontainers, &pod->spec->initcontainers, c);
	return c;
}

/* Takes pod over. */
static inline struct podspec *podgen_spec(Core__Pod *pod)
{
	struct kube_object *o = kube_object_new(KUBE_POD, pod);
	struct podspec *s = podspec_new(o);

	kube_object_unref(o);
	return s;
}
