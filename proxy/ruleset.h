/* The elements of one service port. Pure: lists' ids and what the kernel holds go in. */
#pragma once

#include "peers.h"
#include "skeleton.h"
#include "svcmodel.h"

/* One endpoint list; id 0: none. have: what is programmed for that id already (more does no harm):
 * endpoints keep their slots, and with affinity their sticky values, so that a change rewrites
 * little and no client moves needlessly. The id of a list with affinity ends in the index of its
 * time-out. */
void ruleset_list(const struct svcmodel *m, enum svc_policy policy, uint32_t id,
		  const struct nftlist *have, nftelems *out);
/* All else of a port: front ends, source ranges, what is local. */
void ruleset_port(const struct svcmodel *m, const uint32_t ids[SVC_POLICIES], nftelems *out);
/* An element of sets that hold plain addresses. */
void ruleset_addr(enum nftset set, const struct addr *a, nftelems *out);
/* Who sent a connection, and toward whom nothing is masqueraded. home_bits: length of the ranges
 * that are found by hash as well, as the rules have it. */
void ruleset_peers(const struct peers *p, enum dataplane_family f, uint8_t home_bits,
		   nftelems *out);
/* What the rules of zones have to be about. ret: its home_bits is left alone. */
void ruleset_zones(const struct nftlist *list, enum dataplane_family f, struct skel_zones *ret);
/* The set and key of a front end. outside: of the set for outside sources. */
struct nftelem ruleset_front_key(const struct svcmodel *m, const struct svcfront *front,
				 bool outside);
