/* Descriptor-driven protobuf helpers (contract in base/proto.h). Pure. */
#include "base/proto.h"

#include <string.h>

#include "base/mem.h"

/* Writes the default of one singular field; protobuf-c's unpack does the same for absent fields. */
static void set_default(void *message, const ProtobufCFieldDescriptor *f)
{
	void *at = (char *)message + f->offset;

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return;
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		char *value = f->default_value ? (char *)(uintptr_t)f->default_value : NULL;

		if (!value && f->label == PROTOBUF_C_LABEL_NONE)
			value = (char *)(uintptr_t)protobuf_c_empty_string;
		memcpy(at, &value, sizeof(value));
	}
}

void *proto_new(const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = mem_calloc(1, type->sizeof_message);

	m->descriptor = type;
	for (unsigned i = 0; i < type->n_fields; i++)
		set_default(m, &type->fields[i]);
	return m;
}

void proto_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}

void proto_freep_impl(void *p)
{
	void *m;

	memcpy(&m, p, sizeof(m));
	proto_free(m);
}

void *proto_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
		   struct err *e)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, len, data);

	if (!m)
		err_set(e, ERR_INVALID, "%zu bytes are not a protobuf %s", len, type->name);
	return m;
}

uint8_t *proto_pack(const void *message, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *out = mem_calloc(len, 1);

	*ret_len = protobuf_c_message_pack(message, out);
	return out;
}

void *proto_dup(const void *message)
{
	const ProtobufCMessage *m = message;
	size_t len;
	AUTO_FREE uint8_t *bytes = proto_pack(m, &len);

	return proto_unpack(m->descriptor, bytes, len, NULL);
}

void proto_set_str(char **field, const char *value)
{
	if (*field && *field != protobuf_c_empty_string)
		free(*field);
	*field = mem_strdup(value);
}

void proto_push_ptr(size_t *n, void ***items, void *item)
{
	*items = mem_realloc(*items, *n + 1, sizeof(**items));
	(*items)[(*n)++] = item;
}

void proto_push_str(size_t *n, char ***items, const char *value)
{
	proto_push(n, items, mem_strdup(value));
}

struct string_pair {
	ProtobufCMessage base;
	char *key, *value;
};

void proto_push_pair_ptr(size_t *n, void ***items, const ProtobufCMessageDescriptor *entry,
			 const char *key, const char *value)
{
	struct string_pair *p = proto_new(entry);

	proto_set_str(&p->key, key);
	proto_set_str(&p->value, value ? value : "");
	proto_push_ptr(n, items, p);
}
