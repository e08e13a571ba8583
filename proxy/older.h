/* Connections that are older than the zone that their packets would have from now on: they stay
 * without one, or they would end. Pure.
 */
#pragma once

#include "base/vec.h"
#include "ctplan.h"

enum { OLDER_KEY_MAX = 44, OLDER_MAX = 65536 };

/* A key of set SKEL_OLDER: client, destination, protocol, their ports. */
struct olderconn {
	uint8_t key[OLDER_KEY_MAX];
	bool zoned, marked;
};
struct older {
	enum dataplane_family family;
	uint32_t mask; /* bits of a mark that say that another node passed it on */
	VEC(struct olderconn) conns;
};

size_t older_key_len(enum dataplane_family f);
void older_note(struct older *o, const struct ctentry *e);
/* After the last one: leaves those to be kept, at most OLDER_MAX. Where there are more, those that
 * are known to have been passed on by another node come first. */
void older_settle(struct older *o);
void older_fini(struct older *o);
