/* Prints a program's option table for its manual pages, as scdoc. Build tool.
 *
 * usage: tables fields | flags
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/options.h"

extern const struct option_table config_options;

static const char *const types[] = {
	[OPTION_BOOL] = "true or false",
	[OPTION_INT32] = "number",
	[OPTION_INT64] = "number",
	[OPTION_FLOAT] = "number with fraction",
	[OPTION_DURATION] = "duration",
	[OPTION_LAX_DURATION] = "duration, or a number of nanoseconds",
	[OPTION_STRING] = "text",
	[OPTION_IP] = "IP address",
	[OPTION_QUANTITY] = "quantity",
	[OPTION_STRINGS] = "list of texts",
	[OPTION_INTS] = "list of numbers",
	[OPTION_MAP] = "map of texts",
	[OPTION_LONE_MAP] = "map of texts",
	[OPTION_LABELS] = "map of texts",
	[OPTION_LANGLE_MAP] = "map of texts",
	[OPTION_BOOL_MAP] = "map of true and false",
	[OPTION_QUANTITY_MAP] = "map of quantities",
	[OPTION_LISTS_MAP] = "map of lists of texts",
	[OPTION_TAINTS] = "list of taints",
	[OPTION_VMODULE] = "list of objects",
	[OPTION_MEMORY] = "list of objects",
	[OPTION_LIST] = "list of objects",
};

/* What scdoc would take for markup stands behind a backslash. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (ispunct((unsigned char)*text) && *text != '-' && *text != '/')
			putchar('\\');
		putchar(*text);
	}
}

static void print_effect(const struct option *o)
{
	if (o->traits & OPTION_NOT_BUILT)
		printf("; without effect yet");
	if (o->traits & OPTION_INERT)
		printf("; means nothing here");
}

static void print_field(const struct option *o)
{
	printf("*");
	print_text(o->path);
	printf("*\n\t%s", types[o->type]);
	if (o->fallback && *o->fallback) {
		printf(", default _");
		print_text(o->fallback);
		printf("_");
	}
	if (o->flag) {
		printf("; flag *--");
		print_text(o->flag);
		printf("*");
	}
	print_effect(o);
	printf("\n\n");
}

/* Flags of fields only: those of the process are explained one by one, by hand. */
static void print_flag(const struct option *o)
{
	printf("*--");
	print_text(o->flag);
	printf("*\n\t");
	print_text(o->path);
	print_effect(o);
	printf("\n\n");
}

int main(int argc, char **argv)
{
	if (argc != 2 || (strcmp(argv[1], "fields") && strcmp(argv[1], "flags"))) {
		fprintf(stderr, "usage: tables fields | flags\n");
		return 2;
	}
	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.rows[i];

		if (!*o->path)
			continue;
		if (!strcmp(argv[1], "fields"))
			print_field(o);
		else if (o->flag)
			print_flag(o);
	}
	return 0;
}
