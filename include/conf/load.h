/* What files, flags and defaults together say: the steps of loading a configuration. Effect (reads
 * files).
 *
 * A set of values is described in conf/decode.h. A program reads its documents, fills in defaults,
 * lays the flags over them, checks (conf/check.h) and stores into its own struct.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "conf/options.h"

/* What loading found out beside the values; embedded in the program's struct. */
struct conf_notes {
	char **warnings;  /* sentences for the log */
	char **not_built; /* "path=value": set to something else than the default, without effect */
};

struct json_object *conf_get(struct json_object *values, const char *key); /* borrowed or NULL */
/* Sets an option as a flag would, without checking; NULL text sets nothing. */
void conf_set(struct json_object *values, const struct option *o, const char *text);

/* One document of at most 1 MiB; a field that stands there twice is a warning. */
int conf_read(const char *path, struct json_object **ret_document, char ***warnings, struct err *e);
/* name is what people call the document. A field that no option has is a warning. */
int conf_decode(const struct option_table *t, const char *name, struct json_object *document,
		struct json_object *values, char ***warnings, struct err *e);
/* What is not set, or set to the zero that means "default". */
void conf_fill_defaults(const struct option_table *t, struct json_object *values);
/* Flags win; feature gates of both count. */
void conf_overlay(struct json_object *values, struct json_object *flags);

/* The document that says what values say. */
struct json_object *conf_document(const struct option_table *t, struct json_object *values);
/* Values into the program's struct, which is zero. */
void conf_store(const struct option_table *t, struct json_object *values, void *target);
void conf_fini(const struct option_table *t, void *target);

void conf_note_not_built(const struct option_table *t, struct json_object *values,
			 struct conf_notes *notes);
void conf_log_notes(const struct conf_notes *notes);
/* Comments of a YAML document; heap. */
char *conf_report(const struct conf_notes *notes);
/* --check-config: prints it and the effective configuration; strict: whether there is nothing to
 * complain of. */
bool conf_check(const struct conf_notes *notes, const char *yaml, bool strict);
void conf_notes_fini(struct conf_notes *notes);
