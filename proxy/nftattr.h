/* Attributes of nf_tables messages, every length checked. Pure. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { NFTATTR_MAX = 32 };

/* The last of each type, by its number. */
struct nftattrs {
	const struct nlattr *of[NFTATTR_MAX];
};
void nftattrs_read(const struct nlmsghdr *h, struct nftattrs *ret);
void nftattrs_nested(const struct nlattr *nest /* may be NULL */, struct nftattrs *ret);

/* 1: a message of nf_tables about that table of that family (NFPROTO_…), 0: about another one, -1:
 * it is cut short. len: bytes at h. */
int nftattrs_message(const struct nlmsghdr *h, size_t len, uint8_t family, const char *table,
		     struct nftattrs *ret, struct err *e);

/* attr may be NULL: it is not there. */
bool nftattr_is(const struct nlattr *attr, const char *text);
/* false: none, or longer than out; the rest of out is zero */
bool nftattr_copy(const struct nlattr *attr, char *out, size_t size);
uint32_t nftattr_number(const struct nlattr *attr); /* of network order; 0: none */
/* The bytes of a data attribute when there are exactly so many, else NULL. */
const void *nftattr_value(const struct nlattr *nest, size_t len);
