/* A private key and the stub request that proves we hold it. Effect: takes time, for jobs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* type: ED25519, ECDSAP256, ECDSAP384, ECDSAP521, RSA3072, RSA4096. *ret_pem is the key (PKCS#8),
 * *ret_request an unnamed PKCS#10 request signed with it (DER); both heap. */
int podkey_make(const char *type, char **ret_pem, uint8_t **ret_request, size_t *ret_len,
		struct err *e);
