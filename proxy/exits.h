/* Whether packets leave this node by one device, wherever they go. Pure.
 *
 * Then a mark has nothing to say about the device, and no rule needs to look at it. That is worth
 * knowing: the first rule of its own that a network namespace has makes each lookup of a route
 * slower, for good, and with no reverse path check one lookup a packet becomes two.
 */
#pragma once

#include "base/str.h"
#include "netstate.h"

struct exits {
	const netstate_rules *rules;
	const netstate_routes *routes; /* everybody's */
	const netstate_links *links;
	const netstate_addresses *addresses; /* this machine's */
	const prefix_list *pods;             /* the own pods' ranges */
	bool promised;                       /* others count on replies' way back */
};

enum exits_answer {
	EXITS_UNKNOWN,
	EXITS_ONE,
	EXITS_NOWHERE, /* nothing leaves by another device, but there is no default route */
	EXITS_SEVERAL  /* or a rule decides; what others decide by rules is not known */
};
/* why_not: a sentence, when it is not one. */
enum exits_answer exits_look(const struct exits *x, bool ipv6, int dev, struct str *why_not);

/* What is there for a moment only (links come up, their configuration is read again) is no reason
 * for a first rule: a default route is waited for, and anything while nothing is promised to
 * others. Where there ever was a rule, also somebody else's, one more costs nothing. */
struct exits_patience {
	bool paid;
	int64_t since_usec; /* when a rule was first missed while the device was up; 0: it is not */
};
enum { EXITS_PATIENCE_SEC = 5 };
/* Whether there is no rule yet. ret_left_usec: when to look again; 0: at the next news. */
bool exits_wait(struct exits_patience *p, const struct exits *x, bool ipv6, int dev,
		enum exits_answer answer, int64_t now_usec, int64_t *ret_left_usec);
