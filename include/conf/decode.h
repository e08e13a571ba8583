/* A configuration document to a set of values. Pure.
 *
 * A set of values is a flat JSON object: "authentication.webhook.enabled" → true (options_key).
 */
#pragma once

#include "base/json.h"
#include "conf/options.h"

/* Puts what the document sets into values; paths of fields that no option has, or that count on the
 * command line only, are appended to *ret_unknown (a strv). */
int decode_document(const struct option_table *table, struct json_object *document,
		    struct json_object *values, char ***ret_unknown, struct err *e);
/* RFC 7386: what change sets replaces, null removes, objects merge. */
void decode_merge(struct json_object *target, struct json_object *change);
