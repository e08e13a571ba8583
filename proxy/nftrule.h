/* Rules in netlink: made from our skeleton by libnftnl, compared with the kernel's as attributes.
 * Pure.
 *
 * The kernel's are not handed to libnftnl: it takes too much on trust.
 */
#pragma once

#include <linux/netlink.h>

#include "skeleton.h"

/* Table, chain and expressions into the message, that has room for them. */
void nftrule_encode(const struct skelrule *r, enum dataplane_family f, struct nlmsghdr *h);
/* Two lists of expressions; have may say more than want, as the kernel fills in what was left open.
 */
bool nftrule_covers(const struct nlattr *have, const struct nlattr *want);
/* The same for a rule of ours. */
bool nftrule_equals(const struct nlattr *have, const struct skelrule *want,
		    enum dataplane_family f);
/* The time-out in seconds of a set update among the expressions; 0: there is none. */
uint32_t nftrule_timeout_sec(const struct nlattr *expressions);
