/* Base64 (contract in base/base64.h). Pure. */
#include "base/base64.h"

#include <string.h>

#include "base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const uint8_t *in = data;
	char *out = mem_calloc(len / 3 + 2, 4), *to = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned v = (unsigned)in[i] << 16;

		v |= n > 1 ? (unsigned)in[i + 1] << 8 : 0;
		v |= n > 2 ? in[i + 2] : 0;
		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*to++ = n > 2 ? alphabet[v & 63] : '=';
	}
	return out;
}

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

int base64_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len)
{
	AUTO_FREE uint8_t *out = mem_calloc(len / 4 * 3 + 4, 1);
	size_t n = 0, digits = 0, padding = 0;
	unsigned v = 0;

	for (size_t i = 0; i < len; i++) {
		int digit = value_of(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=') {
			padding++;
			continue;
		}
		if (digit < 0 || padding)
			return -1;
		v = v << 6 | (unsigned)digit;
		if (++digits % 4)
			continue;
		out[n++] = (uint8_t)(v >> 16);
		out[n++] = (uint8_t)(v >> 8);
		out[n++] = (uint8_t)v;
	}
	if (digits % 4 == 1 || padding != (4 - digits % 4) % 4)
		return -1;
	if (digits % 4 >= 2)
		out[n++] = (uint8_t)(v >> (digits % 4 == 2 ? 4 : 10));
	if (digits % 4 == 3)
		out[n++] = (uint8_t)(v >> 2);
	out[n] = 0;
	*ret_len = n;
	*ret_data = TAKE(out);
	return 0;
}
