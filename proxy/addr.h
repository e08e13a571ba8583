/* IP addresses, prefixes and Ethernet addresses as values. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

enum { ADDR_TEXT = 46, PREFIX_TEXT = 50, MAC_TEXT = 18, MAC_BYTES = 6 };

struct addr {
	uint8_t len; /* 4 or 16; 0: none */
	uint8_t b[16];
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t bits;
};

typedef VEC(struct addr) addr_list;
typedef VEC(struct prefix) prefix_list;

/* Strict: no zone, no leading zeros. */
int addr_parse(const char *text, struct addr *ret, struct err *e);
/* "10.0.0.0/8"; host bits are cleared, as upstream's parser does. */
int prefix_parse(const char *text, struct prefix *ret, struct err *e);
const char *addr_text(const struct addr *a, char buf[ADDR_TEXT]);
const char *prefix_text(const struct prefix *p, char buf[PREFIX_TEXT]);
const char *mac_text(const uint8_t mac[MAC_BYTES], char buf[MAC_TEXT]);
int mac_parse(const char *text, uint8_t ret[MAC_BYTES], struct err *e);

/* A total order: by family, then by bytes. */
int addr_cmp(const struct addr *a, const struct addr *b);
int prefix_cmp(const struct prefix *a, const struct prefix *b);
/* The same ones in the same order. */
bool addr_list_equal(const addr_list *a, const addr_list *b);
bool prefix_list_equal(const prefix_list *a, const prefix_list *b);
bool prefix_has(const struct prefix *p, const struct addr *a);
/* The prefix of that length around an address. */
struct prefix prefix_of(const struct addr *a, uint8_t bits);
/* The highest address in it. */
struct addr prefix_last(const struct prefix *p);
/* AF_INET or AF_INET6. */
int addr_af(const struct addr *a);
/* Every machine has such ones of its own. */
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
