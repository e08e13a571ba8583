/* Protobuf from the API server: envelopes, watch frames, lists, stripping. Property: stripping is
 * idempotent, and what unpacks before it unpacks after it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "k8s/core.pb-c.h"
#include "kube/codec.h"
#include "kube/kind.h"
#include "kube/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct wire_slice raw, const ProtobufCMessageDescriptor *type)
{
	size_t len, again_len;
	AUTO_FREE uint8_t *lean = wire_strip(raw, &len);
	AUTO_FREE uint8_t *again = wire_strip((struct wire_slice){ lean, len }, &again_len);
	AUTO_PROTO void *before = proto_unpack(type, raw.p, raw.len, NULL);
	AUTO_PROTO void *after = proto_unpack(type, lean, len, NULL);
	AUTO_JSON struct json_object *tree = NULL;

	assert(len <= raw.len + 16 && len == again_len && !memcmp(lean, again, len));
	assert(!before || after);
	if (after)
		tree = codec_to_json(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_slice all = { data, size }, rest = all;
	struct wire_object o;
	struct wire_event w;
	struct wire_field f;

	check_message(all, &core__pod__descriptor);
	while (!wire_next(&rest, &f))
		assert(f.whole.p >= data && f.whole.p + f.whole.len <= data + size);
	if (!wire_event_open(all, &w, NULL))
		(void)wire_open(w.object, &o, NULL);
	if (!wire_open(all, &o, NULL)) {
		enum kube_kind kind = kube_kind_find(o.api_version, o.kind);

		if (kind != KUBE_KIND_COUNT)
			check_message(o.raw, kube_kind_info(kind)->type);
	}
	return 0;
}
