/* The TLS cipher suites that a configuration may name. Pure. */
#pragma once

/* OpenSSL's name of it, "" for one that cannot be chosen (TLS 1.3), NULL when there is none such.
 */
const char *ciphers_find(const char *name);
