/* Whether a set of values (conf/decode.h) makes sense for the proxy. Pure. */
#pragma once

#include "base/json.h"

/* All that is wrong, in one error. */
int validate_values(struct json_object *values, struct err *e);
/* Bits of a mark, "0x…": none, or as many as peermarks.h needs. */
int validate_mark(const char *text, uint32_t *ret, struct err *e);
/* "IP:port" or "[IP]:port"; ret_host is heap. */
int validate_host_port(const char *text, char **ret_host, uint16_t *ret_port, struct err *e);
