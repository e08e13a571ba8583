/* Messages whose JSON is not an object of their fields: times, quantities, raw JSON. Pure. */
#pragma once

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#include "base/err.h"

struct special {
	const ProtobufCMessageDescriptor *type;
	struct json_object *(*to_json)(const void *msg);
	/* fills a fresh message; tree is not null */
	int (*from_json)(struct json_object *tree, void *msg, struct err *e);
};

/* NULL for ordinary messages. */
const struct special *special_find(const ProtobufCMessageDescriptor *type);
