/* UUIDs (contract in base/uuid.h). Pure. */
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *uuid_text(const uint8_t b[UUID_BYTES], char buf[UUID_TEXT])
{
	snprintf(buf, UUID_TEXT,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	return buf;
}

bool uuid_pack(const char *text, uint8_t ret[UUID_BYTES])
{
	char again[UUID_TEXT];
	const char *p = text;

	if (strlen(text) != UUID_TEXT - 1)
		return false;
	for (int i = 0; i < UUID_BYTES; i++) {
		int high, low;

		p += *p == '-';
		high = str_hex_digit(p[0]);
		low = high < 0 ? -1 : str_hex_digit(p[1]);
		if (low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
		p += 2;
	}
	return !strcmp(uuid_text(ret, again), text);
}
