/* Protobuf envelopes of the API (contract in kube/wire.h). Pure. */
#include "kube/wire.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { FIELD_METADATA = 1, FIELD_MANAGED_FIELDS = 17 };

static const uint8_t magic[4] = { 'k', '8', 's', 0 };

static int take_varint(struct wire_slice *rest, uint64_t *ret_value)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (!rest->len)
			return -1;
		byte = *rest->p++;
		rest->len--;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = v;
			return 0;
		}
	}
	return -1;
}

static int skip(struct wire_slice *rest, uint64_t n)
{
	if (n > rest->len)
		return -1;
	rest->p += n;
	rest->len -= (size_t)n;
	return 0;
}

int wire_next(struct wire_slice *rest, struct wire_field *ret_field)
{
	struct wire_slice at = *rest;
	struct wire_field f = { .whole = { .p = rest->p } };
	uint64_t tag, value;
	int r;

	if (!at.len)
		return 1;
	if (take_varint(&at, &tag) || tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1)
		return -1;
	f.number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case WIRE_VARINT:
		r = take_varint(&at, &value);
		break;
	case WIRE_FIXED64:
		r = skip(&at, 8);
		break;
	case WIRE_FIXED32:
		r = skip(&at, 4);
		break;
	case WIRE_BYTES:
		r = take_varint(&at, &value);
		if (!r) {
			f.bytes = true;
			f.data = (struct wire_slice){ at.p, (size_t)value };
			r = skip(&at, value);
		}
		break;
	default:
		r = -1;
	}
	if (r)
		return -1;
	f.whole.len = (size_t)(at.p - f.whole.p);
	*rest = at;
	*ret_field = f;
	return 0;
}

int wire_find(struct wire_slice message, uint32_t number, struct wire_slice *ret_data)
{
	struct wire_slice found = { message.p, 0 };
	struct wire_field f;
	int r;

	while (!(r = wire_next(&message, &f))) {
		if (f.bytes && f.number == number)
			found = f.data;
	}
	if (r < 0)
		return -1;
	*ret_data = found;
	return 0;
}

static void copy_text(char *to, size_t size, struct wire_slice from)
{
	size_t n = from.len < size ? from.len : size - 1;

	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

int wire_open(struct wire_slice body, struct wire_object *ret_object, struct err *e)
{
	struct wire_slice type, version, kind, raw, unknown;

	if (body.len < sizeof(magic) || memcmp(body.p, magic, sizeof(magic)))
		return err_set(e, ERR_INVALID, "%zu bytes do not start as a protobuf object",
			       body.len);
	unknown = (struct wire_slice){ body.p + sizeof(magic), body.len - sizeof(magic) };
	if (wire_find(unknown, 1, &type) || wire_find(unknown, 2, &raw) ||
	    wire_find(type, 1, &version) || wire_find(type, 2, &kind))
		return err_set(e, ERR_INVALID, "the envelope of a protobuf object is broken");
	copy_text(ret_object->api_version, sizeof(ret_object->api_version), version);
	copy_text(ret_object->kind, sizeof(ret_object->kind), kind);
	ret_object->raw = raw;
	return 0;
}

static void put_varint(struct str *s, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		str_append_c(s, (char)(v | 0x80));
	str_append_c(s, (char)v);
}

static void put_bytes(struct str *s, uint32_t number, const void *data, size_t len)
{
	put_varint(s, (uint64_t)number << 3 | WIRE_BYTES);
	put_varint(s, len);
	str_append_n(s, data, len);
}

uint8_t *wire_seal(const char *api_version, const char *kind, struct wire_slice raw,
		   size_t *ret_len)
{
	struct str type = { 0 }, out = { 0 };

	put_bytes(&type, 1, api_version, strlen(api_version));
	put_bytes(&type, 2, kind, strlen(kind));
	str_append_n(&out, magic, sizeof(magic));
	put_bytes(&out, 1, type.p, type.len);
	put_bytes(&out, 2, raw.p, raw.len);
	str_fini(&type);
	*ret_len = out.len;
	return (uint8_t *)str_take(&out);
}

uint8_t *wire_strip(struct wire_slice object, size_t *ret_len)
{
	struct str out = { 0 }, metadata = { 0 };
	struct wire_slice rest = object, inner;
	struct wire_field f, g;
	int r, broken = 0;

	str_append_n(&out, "", 0);
	while (!(r = wire_next(&rest, &f))) {
		if (!f.bytes || f.number != FIELD_METADATA) {
			str_append_n(&out, f.whole.p, f.whole.len);
			continue;
		}
		str_reset(&metadata);
		inner = f.data;
		while (!(broken = wire_next(&inner, &g))) {
			if (g.number != FIELD_MANAGED_FIELDS)
				str_append_n(&metadata, g.whole.p, g.whole.len);
		}
		if (broken < 0)
			break;
		put_bytes(&out, FIELD_METADATA, str_text(&metadata), metadata.len);
	}
	str_fini(&metadata);
	if (r < 0 || broken < 0) {
		/* whoever unpacks the bytes tells what is wrong with them */
		str_reset(&out);
		str_append_n(&out, object.p, object.len);
	}
	*ret_len = out.len;
	return (uint8_t *)str_take(&out);
}

int wire_event_open(struct wire_slice frame, struct wire_event *ret_event, struct err *e)
{
	struct wire_slice type, extension, raw;

	if (wire_find(frame, 1, &type) || wire_find(frame, 2, &extension) ||
	    wire_find(extension, 1, &raw))
		return err_set(e, ERR_INVALID, "a watch frame of %zu bytes is broken", frame.len);
	copy_text(ret_event->type, sizeof(ret_event->type), type);
	ret_event->object = raw;
	return 0;
}
