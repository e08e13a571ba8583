/* IP addresses and CIDRs of either family as bytes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane.h"

enum { NETADDR_TEXT = 46 };

/* IPv4 in the first 4 bytes, the rest zero. */
struct netaddr {
	uint8_t b[16];
	uint8_t family; /* enum dataplane_family */
};

struct netcidr {
	struct netaddr addr; /* host bits zero */
	uint8_t bits;
};

size_t netaddr_len(enum dataplane_family f); /* bytes: 4 or 16 */
/* IPv4 mapped into IPv6 counts as IPv4. */
bool netaddr_parse(const char *text, struct netaddr *ret);
void netaddr_format(enum dataplane_family f, const uint8_t *bytes, char *out /* NETADDR_TEXT */);
bool netcidr_parse(const char *text, struct netcidr *ret);
bool netcidr_holds(const struct netcidr *c, const struct netaddr *a);
void netcidr_last(const struct netcidr *c, uint8_t *ret /* 16 bytes */);
bool netaddr_is_loopback(const struct netaddr *a);
