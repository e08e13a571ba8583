/* The side table of the schema: what Go's struct tags say and protobuf descriptors do not. Pure. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	FIELD_POINTER = 1,   /* absent and zero differ */
	FIELD_KEEP = 2,      /* in JSON even when empty */
	FIELD_OMIT_ZERO = 4, /* a message that JSON leaves out when it is zero */
	FIELD_INLINE = 8,    /* its JSON fields stand in the parent */
	FIELD_RENAMED = 16,  /* its JSON name is another */
};

struct field_flags {
	unsigned short number, flags;
};

struct field_message {
	const char *name;
	unsigned short first, count; /* rows in field_tables.flags, in the order of field numbers */
	bool list;                   /* the JSON form is the bare list */
};

struct field_rename {
	const char *message, *field, *json;
};

/* Lists that a strategic merge patch merges: by key, or as a set when key is NULL. */
struct field_merge {
	const char *message, *field, *key;
	bool retain_keys;
};

/* messages, renames and merges are sorted by name */
struct field_tables {
	const struct field_flags *flags;
	const struct field_message *messages;
	const struct field_rename *renames;
	const struct field_merge *merges;
	size_t n_messages, n_renames, n_merges;
};

extern const struct field_tables field_tables;
