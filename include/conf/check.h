/* Whether a set of values makes sense: rules that any table of options can have. Pure.
 *
 * All that is wrong becomes one error; each problem names the field and its flag.
 */
#pragma once

#include <stdint.h>

#include "base/json.h"
#include "base/str.h"
#include "conf/options.h"

enum { CHECK_WORDS_MAX = 6 };
#define CHECK_ANY INT64_MAX

struct check {
	const struct option_table *table;
	struct json_object *values;
	struct str problems;
};

struct check_range {
	const char *path;
	int64_t min, max; /* durations in nanoseconds; CHECK_ANY: no limit */
};

struct check_choice {
	const char *path, *words[CHECK_WORDS_MAX];
};

/* Readers: the zero of the type when it is not set. */
struct json_object *check_get(const struct check *c, const char *path);
const char *check_text(const struct check *c, const char *path);
bool check_is_true(const struct check *c, const char *path);
int64_t check_number(const struct check *c, const char *path);
int64_t check_duration_nsec(const struct check *c, const char *path);
bool check_gate(const struct check *c, const char *name); /* on or off */

/* "<path> (--flag): <sentence>" */
void check_problem(struct check *c, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void check_ranges(struct check *c, const struct check_range *ranges, size_t n);
void check_choices(struct check *c, const struct check_choice *choices, size_t n);
void check_gates(struct check *c);   /* those that featureGates names */
void check_logging(struct check *c); /* what the rows of conf/logging.h need of each other */
/* The verdict; the check is empty again. */
int check_end(struct check *c, struct err *e);
