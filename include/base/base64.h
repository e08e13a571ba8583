/* Base64 (RFC 4648). Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

char *base64_encode(const void *data, size_t len); /* heap */
/* Line breaks inside are skipped, padding is required. -1 on anything else; the result is
 * NUL-terminated behind *ret_len bytes. */
int base64_decode(const char *text, size_t len, uint8_t **ret_data, size_t *ret_len);
