/* SipHash-1-3: a hash whose collisions nobody can look for who does not know the key. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const void *bytes, size_t len, const uint64_t key[2]);
