/* UUIDs in 16 bytes. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_TEXT = 37 };

/* Only text that uuid_text gives back the same: lower case, with its dashes. */
bool uuid_pack(const char *text, uint8_t ret[UUID_BYTES]);
const char *uuid_text(const uint8_t bytes[UUID_BYTES], char buf[UUID_TEXT]);
