/* API objects as the informers hand them out: counted, immutable once made. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/mem.h"
#include "k8s/meta.pb-c.h"
#include "kube/kind.h"

struct kube_object {
	unsigned refs;
	enum kube_kind kind;
	const Meta__ObjectMeta *meta; /* into msg; never NULL, empty for kinds without metadata */
	ProtobufCMessage *msg;        /* of kube_kind_info(kind)->type */
};

struct kube_object *kube_object_new(enum kube_kind kind, void *msg); /* takes msg over */
struct kube_object *kube_object_ref(struct kube_object *o);
void kube_object_unref(struct kube_object *o);
DEFINE_FREEP(kube_object_unref, struct kube_object)
#define AUTO_OBJECT CLEANUP(kube_object_unrefp)
