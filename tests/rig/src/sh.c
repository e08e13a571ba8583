/*
 * /bin/sh of the test images. The suite expects the error texts of busybox's ash, but Debian's
 * busybox 1.35 drops environment names that are no shell identifiers ("data-1"), which other
 * tests print. So: ash, unless such a name is there; then bash, which passes it on.
 */
#include <ctype.h>
#include <stdbool.h>
#include <unistd.h>

extern char **environ;

static bool is_identifier(const char *entry)
{
	const char *p = entry;

	if (!isalpha((unsigned char)*p) && *p != '_')
		return false;
	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return *p == '=';
}

int main(int argc, char **argv)
{
	const char *shell = "/bin/ash";

	(void)argc;
	for (char **e = environ; *e; e++)
		if (!is_identifier(*e))
			shell = "/bin/bash";
	execv(shell, argv);
	return 127;
}
