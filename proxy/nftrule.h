/* Rules as libnftnl has them: made from our skeleton, compared with the kernel's. Pure. */
#pragma once

#include "skeleton.h"

struct nftnl_rule;

struct nftnl_rule *nftrule_make(const struct skelrule *r, enum dataplane_family f); /* heap */
void nftrule_free(struct nftnl_rule *r);
/* have may say more than want, as the kernel fills in what was left open. */
bool nftrule_covers(const struct nftnl_rule *have, const struct nftnl_rule *want);
/* The time-out in seconds of the rule's set update; 0: it has none. */
uint32_t nftrule_timeout_sec(const struct nftnl_rule *r);
