/* Environment files, as containers write them: the first line is the name that is looked for.
 * Property: a value is a part of the file, and a file that yields one yields it again with more
 * text behind it. */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "pod/envfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *eol = size ? memchr(data, '\n', size) : NULL;
	AUTO_FREE char *key = eol ? mem_strndup((const char *)data, (size_t)(eol - data)) : NULL;
	const char *text = eol ? (const char *)eol + 1 : NULL;
	size_t len = eol ? size - (size_t)(eol - data) - 1 : 0;
	AUTO_FREE char *value = NULL;
	AUTO_FREE char *again = NULL;
	AUTO_STR longer = { 0 };

	if (!eol || envfile_get(text, len, key, &value, NULL) < 0)
		return 0;
	assert(strlen(value) <= len);
	str_append_n(&longer, text, len);
	str_append(&longer, "\nbroken");
	if (*value) {
		assert(envfile_get(longer.p, longer.len, key, &again, NULL) == 0);
		assert(str_eq(value, again));
	}
	return 0;
}
