/* YAML to a JSON tree: YAML 1.1 scalars, anchors, merge keys, many documents. Pure.
 *
 * JSON is YAML, so this also reads JSON files and then reports their duplicate keys. Aliases share
 * the node they name; the number of nodes that a walk of the tree would meet is bounded, so a small
 * file cannot stand for a huge one.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum { YAML_NODES_MAX = 200000, YAML_DEPTH_MAX = 100 };

/* The first document (null when there is none). Paths of duplicate keys ("spec.containers[0].name")
 * are appended to *ret_duplicates (a strv) unless that is NULL; the last value wins. */
int yaml_parse(const char *text, size_t len, struct json_object **ret_value, char ***ret_duplicates,
	       struct err *e);
/* All documents as a JSON array. */
int yaml_parse_all(const char *text, size_t len, struct json_object **ret_list,
		   char ***ret_duplicates, struct err *e);
/* Block mappings; what is in lists, and texts, as in JSON. */
void yaml_print(struct json_object *value, struct str *out);
