/* Bytes from a runtime: gRPC framing, the field cutter, CRI replies, status texts.
 *
 * Input: how to split, what to cut to, which reply, then the stream. Property: the messages do not
 * depend on how the stream was split, and a cut message has no field above its bound.
 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "cri/cri.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 3, MESSAGE_MAX_BYTES = 1 << 16 };

struct sink {
	const ProtobufCMessageDescriptor *type;
	struct str out;
	size_t cut_bytes;
};

static void check_cut(const ProtobufCMessage *m, size_t cut_bytes)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const ProtobufCBinaryData *b = (const void *)((const char *)m + f->offset);

		if (f->type == PROTOBUF_C_TYPE_BYTES && f->label == PROTOBUF_C_LABEL_NONE)
			assert(b->len <= cut_bytes);
	}
}

static int take(void *ctx, const uint8_t *data, size_t len, struct err *e)
{
	struct sink *s = ctx;
	AUTO_PROTO void *m = proto_unpack(s->type, data, len, e);

	str_printf(&s->out, "%zu %d:", len, m != NULL);
	str_append_n(&s->out, data, len);
	if (m && s->cut_bytes)
		check_cut(m, s->cut_bytes);
	return 0;
}

static int feed(struct sink *s, const uint8_t *data, size_t size, size_t piece)
{
	struct wire_reader r = { .max_bytes = MESSAGE_MAX_BYTES, .cut_bytes = s->cut_bytes };
	struct err e;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += piece)
		rc = wire_feed(&r, data + at, size - at < piece ? size - at : piece, take, s, &e);
	if (rc == 0)
		rc = wire_finish(&r, &e);
	wire_reader_fini(&r);
	return rc;
}

static void decode_text(const uint8_t *data, size_t size)
{
	AUTO_STR once = { 0 };
	AUTO_STR twice = { 0 };
	AUTO_STR raw = { 0 };
	int64_t msec;

	wire_message_decode(&once, (const char *)data, size);
	wire_message_encode(&raw, str_text(&once));
	wire_message_decode(&twice, str_text(&raw), raw.len);
	assert(str_eq(str_text(&once), str_text(&twice)));
	if (wire_timeout_parse((const char *)data, size, &msec))
		assert(msec >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink whole = { 0 }, pieces = { 0 };
	int a, b;

	if (size < HEADER_BYTES)
		return 0;
	whole.type = pieces.type = cri_reply_type((enum cri_rpc)(data[2] % CRI_RPC_COUNT));
	whole.cut_bytes = pieces.cut_bytes = data[1];
	a = feed(&whole, data + HEADER_BYTES, size - HEADER_BYTES, size);
	b = feed(&pieces, data + HEADER_BYTES, size - HEADER_BYTES, 1 + data[0] % 16);
	assert(a == b && whole.out.len == pieces.out.len);
	assert(!whole.out.len || !memcmp(whole.out.p, pieces.out.p, whole.out.len));
	str_fini(&whole.out);
	str_fini(&pieces.out);
	decode_text(data + HEADER_BYTES, size - HEADER_BYTES);
	return 0;
}
