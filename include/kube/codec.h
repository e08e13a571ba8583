/* Any message of the schema to and from Kubernetes JSON, by its descriptor. Pure.
 *
 * JSON follows Go's presence rules: what upstream's encoder writes for the same object. Keys come
 * in the order of field numbers.
 */
#pragma once

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#include "base/err.h"
#include "kube/kind.h"
#include "kube/object.h"

/* Paths of fields that the schema does not know ("spec.containers[0].nmae"): strvs. duplicates is
 * for yaml_parse to fill. */
struct codec_notes {
	char **unknown, **duplicates;
};
void codec_notes_fini(struct codec_notes *n);

/* How a NUL stands in text that goes to JSON: a C string cannot hold it, and UTF-8 has no such
 * sequence. */
#define CODEC_NUL "\xC0\x80"

/* Without kind and apiVersion. NULL gives null. */
struct json_object *codec_to_json(const void *msg);
/* Errors name the path. kind and apiVersion are accepted on objects with metadata, and ignored.
 * notes may be NULL. */
int codec_from_json(const ProtobufCMessageDescriptor *type, struct json_object *tree,
		    struct codec_notes *notes, void **ret_msg, struct err *e);

/* With kind and apiVersion in front. */
struct json_object *codec_object_to_json(enum kube_kind kind, const void *msg);
char *codec_object_text(enum kube_kind kind, const void *msg); /* compact, heap */
/* By the tree's own kind and apiVersion; *ret_object stays NULL when they are unknown to us. */
int codec_object_from_json(struct json_object *tree, struct kube_object **ret_object,
			   struct err *e);
