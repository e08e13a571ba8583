/* Counted API objects (contract in kube/object.h). Pure. */
#include "kube/object.h"

#include <string.h>

#include "base/proto.h"

/* Metadata is field 1 of every kind that has it; it is made when absent, so that meta is never
 * NULL. */
static const Meta__ObjectMeta *metadata_of(ProtobufCMessage *msg)
{
	static const Meta__ObjectMeta none = { .base.descriptor = &meta__object_meta__descriptor };
	const ProtobufCFieldDescriptor *f =
	    protobuf_c_message_descriptor_get_field(msg->descriptor, 1);
	Meta__ObjectMeta *meta;

	if (!f || f->descriptor != &meta__object_meta__descriptor)
		return &none;
	memcpy(&meta, (char *)msg + f->offset, sizeof(meta));
	if (!meta) {
		meta = proto_new(&meta__object_meta__descriptor);
		memcpy((char *)msg + f->offset, &meta, sizeof(meta));
	}
	return meta;
}

struct kube_object *kube_object_new(enum kube_kind kind, void *msg)
{
	struct kube_object *o = NEW(struct kube_object);

	*o = (struct kube_object){ .refs = 1, .kind = kind, .msg = msg };
	o->meta = metadata_of(msg);
	return o;
}

struct kube_object *kube_object_ref(struct kube_object *o)
{
	if (o)
		o->refs++;
	return o;
}

void kube_object_unref(struct kube_object *o)
{
	if (!o || --o->refs)
		return;
	proto_free(o->msg);
	free(o);
}
