/* Log files that containers had a hand in: lines of the CRI format and what is shown of them.
 *
 * Property: what is shown never exceeds the byte limit, and a parsed line lies within its bytes.
 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "logs/crilog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 3 };

static void show(const struct crilog_options *options, const char *text, size_t size)
{
	struct crilog_writer w = { .options = *options };
	AUTO_STR out = { 0 };
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = newline ? (size_t)(newline - text) + 1 : (size_t)(end - text);
		struct crilog l;

		if (crilog_parse(text, len, &l)) {
			assert(l.content >= text && l.content + l.content_len <= text + len);
			if (!crilog_write(&w, &l, &out))
				break;
		}
		text += len;
	}
	assert(options->limit_bytes < 0 || (int64_t)out.len <= options->limit_bytes);
	assert(w.written_bytes == (int64_t)out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crilog_options o;
	int64_t nsec;

	if (size < HEADER_BYTES)
		return 0;
	o = (struct crilog_options){ .timestamps = data[0] & 1,
				     .tail_lines = -1,
				     .limit_bytes = data[1] ? data[1] : -1,
				     .since_nsec = data[0] & 2 ? 1577836804000000000 : INT64_MIN,
				     .streams = data[2] & 3 };
	show(&o, (const char *)data + HEADER_BYTES, size - HEADER_BYTES);
	if (crilog_time((const char *)data, size, &nsec))
		assert(nsec > INT64_MIN);
	return 0;
}
