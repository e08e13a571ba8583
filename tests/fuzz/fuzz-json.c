/* JSON text into messages. Property: what was accepted prints, reads back, and prints the same. */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "k8s/core.pb-c.h"
#include "kube/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_type(const ProtobufCMessageDescriptor *type, struct json_object *tree)
{
	AUTO_PROTO void *m = NULL;
	AUTO_PROTO void *again = NULL;
	AUTO_JSON struct json_object *out = NULL, *twice = NULL;
	struct codec_notes notes = { 0 };
	struct str a = { 0 }, b = { 0 };
	struct err e;

	if (!codec_from_json(type, tree, &notes, &m, &e)) {
		out = codec_to_json(m);
		assert(!codec_from_json(type, out, NULL, &again, &e));
		twice = codec_to_json(again);
		json_print(out, true, &a);
		json_print(twice, true, &b);
		assert(str_eq(a.p, b.p));
	}
	codec_notes_fini(&notes);
	str_fini(&a);
	str_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON struct json_object *tree = NULL;
	AUTO_OBJECT struct kube_object *o = NULL;

	if (json_parse((const char *)data, size, &tree, NULL))
		return 0;
	check_type(&core__pod__descriptor, tree);
	check_type(&core__node__descriptor, tree);
	if (json_object_is_type(tree, json_type_object))
		(void)codec_object_from_json(tree, &o, NULL);
	return 0;
}
