/* Tables of what a program can be configured with: name, type, default, flag, place. Pure.
 *
 * Each program has one table; parser, defaults, --help and /configz walk it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum option_type {
	OPTION_BOOL,         /* bool */
	OPTION_INT32,        /* int32_t */
	OPTION_INT64,        /* int64_t */
	OPTION_FLOAT,        /* double */
	OPTION_DURATION,     /* "1m30s"; int64_t microseconds */
	OPTION_LAX_DURATION, /* the same, or a number of nanoseconds, which stays one */
	OPTION_STRING,       /* char * */
	OPTION_IP,           /* char * */
	OPTION_QUANTITY,     /* text; char * */
	OPTION_STRINGS,      /* char ** */
	OPTION_INTS,
	OPTION_MAP,        /* struct config_pairs; flag k=v,k=v */
	OPTION_LONE_MAP,   /* the same; flag k=v, one pair */
	OPTION_LABELS,     /* the same; flag k=v,k */
	OPTION_LANGLE_MAP, /* the same; flag k<v,k<v */
	OPTION_BOOL_MAP,   /* the same with "true" and "false" */
	OPTION_QUANTITY_MAP,
	OPTION_LISTS_MAP, /* struct config_pairs, a key for each value; flag k:v,k:v */
	OPTION_TAINTS,    /* struct config_taints; flag k=v:effect,… */
	OPTION_VMODULE,   /* list of {filePattern, verbosity}; flag pattern=N,… */
	OPTION_MEMORY,    /* list of {numaNode, limits}; flag N:type=amount,…;N:… */
	OPTION_LIST,      /* objects whose members are the rows "<path>[].…" */
};

enum option_trait {
	OPTION_PTR = 1,         /* an explicit zero is a value, not "take the default" */
	OPTION_KEEP = 2,        /* printed even when zero */
	OPTION_LAZY = 4,        /* the object around it is printed only when it was set */
	OPTION_NOT_BUILT = 8,   /* parsed and kept, without effect yet */
	OPTION_INERT = 16,      /* means nothing for this program, whatever its value */
	OPTION_NULL = 32,       /* printed as null when it is not set */
	OPTION_SECRET = 256,    /* may hold credentials: no log shows its value */
	OPTION_FLAG_ONLY = 128, /* upstream reads it in a document and forgets it */
	OPTION_FLAG_WINS =
	    64, /* the flag counts beside a configuration file, too, where others do not */
};

#define OPTION_NOWHERE ((size_t)-1)

/* path "" is a flag of the process that no file can set. */
struct option {
	const char *path, *flag;
	enum option_type type;
	const char *fallback; /* as on a command line; NULL: unset */
	size_t offset;        /* in the program's struct */
	unsigned traits;
};

struct option_table {
	const struct option *rows;
	size_t n;
	const char *api_version, *kind; /* of the document that holds the paths */
	const char *help;               /* what --help says before the flags */
};

const struct option *options_find(const struct option_table *t, const char *path);
const struct option *options_find_flag(const struct option_table *t, const char *flag);
/* Whether the path names an object that holds options. */
bool options_is_group(const struct option_table *t, const char *path);
/* The same for one that is printed only when it was set: it is then a key in a set of values. */
bool options_is_lazy_group(const struct option_table *t, const char *path);
/* The key of its value in a set of values: the path, or "--flag". Into buf. */
const char *options_key(const struct option *o, char *buf, size_t size);
bool options_is_list(enum option_type type);  /* of objects */
bool options_is_item(const struct option *o); /* a member of such an object */
