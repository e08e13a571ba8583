/* Whether pods behind one bridge can reach each other through services. Effect (reads /proc, /sys).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/* Replies between two ports of one bridge are translated back only when bridged packets pass
 * netfilter. true: a bridge that has an address of these ranges is here and they do not; its name
 * is in ret_bridge, the switch to turn in ret_sysctl (static). */
bool bridgecheck_broken(const struct prefix *pods, size_t n, char *ret_bridge /* IF_NAMESIZE */,
			const char **ret_sysctl);
