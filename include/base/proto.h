/* Protobuf messages: construction, packing, copies. Pure.
 *
 * The generated code carries no init or pack helpers (they cost 160 KiB); these calls work from the
 * descriptors, so one set serves every message. Field names in C are lower-case (protoc-c 1.4):
 * hostNetwork is hostnetwork.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A message with every default in place (proto3 strings are "", never NULL). Free with proto_free.
 */
void *proto_new(const ProtobufCMessageDescriptor *type);
void proto_free(void *message); /* deep; NULL is fine */
/* Bounded by the caller: data of at most a few MiB. Returns NULL with e set when the bytes are not
 * such a message. */
void *proto_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
		   struct err *e);
/* Heap buffer with the encoded message. */
uint8_t *proto_pack(const void *message, size_t *ret_len);
void *proto_dup(const void *message); /* deep copy */

void proto_freep_impl(void *p);
#define AUTO_PROTO CLEANUP(proto_freep_impl)

/* Owned fields of a message under construction. proto_set_str frees what was there. */
void proto_set_str(char **field, const char *value);
/* Appends to a repeated pointer field: proto_push(&m->n_items, &m->items, item) takes item over. */
void proto_push_ptr(size_t *n, void ***items, void *item);
#define proto_push(n, items, item) proto_push_ptr((n), (void ***)(items), (item))
void proto_push_str(size_t *n, char ***items, const char *value);
/* Appends an entry to a map<string, string> field, whatever message holds it: the entries of all
 * such maps share one layout. */
void proto_push_pair_ptr(size_t *n, void ***items, const ProtobufCMessageDescriptor *entry,
			 const char *key, const char *value);
#define proto_push_pair(n, items, entry, key, value) \
	proto_push_pair_ptr((n), (void ***)(items), (entry), (key), (value))
