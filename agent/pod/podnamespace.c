/* Shared pieces of security contexts (contract in podnamespace.h). Pure. */
#include "podnamespace.h"

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"

Cri__NamespaceOption *podnamespace_options(const Core__PodSpec *spec)
{
	Cri__NamespaceOption *o = proto_new(&cri__namespace_option__descriptor);

	o->network = spec->hostnetwork ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
	o->ipc = spec->hostipc ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
	o->pid = spec->hostpid                 ? CRI__NAMESPACE_MODE__NODE
		 : spec->shareprocessnamespace ? CRI__NAMESPACE_MODE__POD
					       : CRI__NAMESPACE_MODE__CONTAINER;
	o->userns_options = proto_new(&cri__user_namespace__descriptor);
	o->userns_options->mode = CRI__NAMESPACE_MODE__NODE;
	return o;
}

Cri__Int64Value *podnamespace_int64(int64_t value)
{
	Cri__Int64Value *v = proto_new(&cri__int64_value__descriptor);

	v->value = value;
	return v;
}

void podnamespace_groups(const Core__PodSecurityContext *sc, size_t *ret_n, int64_t **ret_groups)
{
	size_t n = 0;
	int64_t *groups = mem_calloc(sc->n_supplementalgroups + 1, sizeof(*groups));

	if (sc->has_fsgroup)
		groups[n++] = sc->fsgroup;
	for (size_t i = 0; i < sc->n_supplementalgroups; i++)
		groups[n++] = sc->supplementalgroups[i];
	*ret_n = n;
	*ret_groups = groups;
}

Cri__SELinuxOption *podnamespace_selinux(const Core__SELinuxOptions *o)
{
	Cri__SELinuxOption *s;

	if (!o)
		return NULL;
	s = proto_new(&cri__selinux_option__descriptor);
	proto_set_str(&s->user, str_or(o->user, ""));
	proto_set_str(&s->role, str_or(o->role, ""));
	proto_set_str(&s->type, str_or(o->type, ""));
	proto_set_str(&s->level, str_or(o->level, ""));
	return s;
}
