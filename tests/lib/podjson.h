/* Messages for tests from JSON text with ' for " (and ` for '), so that tables show what a user
 * would write. */
#pragma once

#include "base/mem.h"
#include "base/proto.h"
#include "kube/codec.h"
#include "pod/podspec.h"
#include "test.h"

/* Unknown fields fail the test: they would be a typing error in a table. */
static inline void *podjson(const ProtobufCMessageDescriptor *type, const char *text)
{
	AUTO_FREE char *json = mem_strdup(text);
	struct codec_notes notes = { 0 };
	struct json_object *tree;
	void *msg = NULL;
	struct err e;

	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	tree = json_tokener_parse(json);
	if (!tree || codec_from_json(type, tree, &notes, &msg, &e) < 0)
		fail_msg("%s: %s", text, tree ? e.text : "not JSON");
	if (notes.unknown)
		fail_msg("%s: unknown field %s", text, notes.unknown[0]);
	codec_notes_fini(&notes);
	json_object_put(tree);
	return msg;
}

/* Pod ns/pod, uid-1, with this spec. */
static inline struct podspec *podjson_spec(const char *spec)
{
	Core__Pod *pod = proto_new(&core__pod__descriptor);
	struct kube_object *o;
	struct podspec *s;

	pod->metadata = podjson(&meta__object_meta__descriptor,
				"{'name': 'pod', 'namespace': 'ns', 'uid': 'uid-1', 'labels': "
				"{'b': '2', 'a': '1'}, 'annotations': {'note': 'say \\'hi\\''}}");
	pod->spec = podjson(&core__pod_spec__descriptor, spec);
	pod->status = proto_new(&core__pod_status__descriptor);
	o = kube_object_new(KUBE_POD, pod);
	s = podspec_new(o);
	kube_object_unref(o);
	return s;
}
