/* Prints what the agent keeps and what it denies itself for its manual page, as scdoc. Build tool.
 *
 * usage: rights capabilities | calls
 */
#include <stdio.h>
#include <string.h>

#include "privileges.h"

/* "_" is markup */
static void print_name(const char *name)
{
	for (; *name; name++) {
		if (*name == '_')
			putchar('\\');
		putchar(*name);
	}
}

static void print_capabilities(void)
{
	const char *name, *why;

	for (size_t i = 0; privileges_kept_at(i, &name, &why); i++) {
		printf("*CAP\\_");
		print_name(name);
		printf("*\n\t%s\n\n", why);
	}
}

static void print_calls(void)
{
	const char *name;

	for (size_t i = 0; (name = privileges_denied_at(i)); i++) {
		printf("%s", i ? ", " : "");
		print_name(name);
	}
	printf(".\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "capabilities"))
		print_capabilities();
	else if (argc == 2 && !strcmp(argv[1], "calls"))
		print_calls();
	else
		return 2;
	return 0;
}
