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
	const prefix_list *pods; /* the own pods' ranges */
};
/* Without a default route by that device: no. What others decide by rules is not known.
 * why_not: a sentence, when there is more to choose from. */
bool exits_are_one(const struct exits *x, bool ipv6, int dev, struct str *why_not);
