/* Runs a fuzz target over every file of its corpus, so that what was found once stays found.
 *
 * usage: fuzz-NAME FILE|DIRECTORY ...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 4 * 1024 * 1024 };

static int replay_file(const char *path)
{
	AUTO_FREE char *text = NULL;
	uint8_t *exact;
	size_t len;
	struct err e;

	if (fs_read(path, INPUT_MAX_BYTES, &text, &len, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	/* no byte behind the input: a read past its end is then seen by the sanitizer */
	exact = mem_calloc(len ? len : 1, 1);
	memcpy(exact, text, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

static int replay(const char *path)
{
	struct stat st;
	struct dirent *d;
	DIR *dir;
	int total = 0;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (total >= 0 && (d = readdir(dir))) {
		AUTO_FREE char *file = str_fmt("%s/%s", path, d->d_name);
		int n;

		if (d->d_name[0] == '.')
			continue;
		n = replay_file(file);
		total = n < 0 ? -1 : total + n;
	}
	closedir(dir);
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs replayed\n", total);
	return total > 0 ? 0 : 1;
}
