/* JSON: bounded strict parsing and printing around json-c. Pure.
 *
 * A NULL json_object is JSON's null, as json-c has it. Trees are for passing through, never for
 * keeping: they cost more than ten times the memory of a struct.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 100 };

/* One JSON text in UTF-8 with nothing but white space behind it. The caller bounds len. */
int json_parse(const char *text, size_t len, struct json_object **ret_value, struct err *e);
/* Compact; sorted puts the keys of every object in byte order. */
void json_print(struct json_object *value, bool sorted, struct str *out);
char *json_text(struct json_object *value); /* compact, heap */
/* A member of the wanted type, or NULL. */
struct json_object *json_member(struct json_object *object, const char *key, enum json_type type);
const char *json_string(struct json_object *object, const char *key); /* NULL when not a string */

void json_putp(struct json_object **value);
#define AUTO_JSON CLEANUP(json_putp)
