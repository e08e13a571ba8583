/* One option's value: from a command line or a file, in one normal form. Pure.
 *
 * Values are JSON: durations and quantities as canonical text, maps and lists as objects and
 * arrays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "conf/options.h"

struct config_pair {
	char *key, *value;
};
struct config_pairs {
	struct config_pair *v;
	size_t n;
};
struct config_taint {
	char *key, *value, *effect;
};
struct config_taints {
	struct config_taint *v;
	size_t n;
};

const char *config_pair_get(const struct config_pairs *pairs, const char *key); /* or NULL */

/* From a flag. before is what the same command line gave so far (lists and maps grow) or NULL. */
int value_from_text(enum option_type type, const char *text, struct json_object *before,
		    struct json_object **ret_value, struct err *e);
/* From a file; not for lists of objects. path is for the error. */
int value_from_json(enum option_type type, const char *path, struct json_object *tree,
		    struct json_object **ret_value, struct err *e);
/* false, 0, "", empty, "0s", or not there */
bool value_is_zero(enum option_type type, struct json_object *value);
bool value_equal(struct json_object *a, struct json_object *b);
/* Puts a value into the struct's member of that type; NULL stores the zero. */
void value_store(enum option_type type, struct json_object *value, void *member);
void value_fini(enum option_type type, void *member);

/* Readers for checks: 0 when absent. */
int64_t value_i64(struct json_object *value);
int64_t value_duration_nsec(struct json_object *value);
