/* Other nodes as senders of packets; a node's number is the end of its Ethernet address. */
#pragma once

#include "addresses.h"
#include "peers.h"

static inline void add_sender(struct peers *p, int dev, uint8_t node)
{
	vec_push(&p->senders, (struct peers_sender){ .dev = dev,
						     .mac = { 2, 0, 0, 0, 0x10, node },
						     .mark = 0x1000u + node });
}

static inline void add_home(struct peers *p, uint8_t node, const char *from)
{
	vec_push(&p->home,
		 (struct peers_home){ .mac = { 2, 0, 0, 0, 0x10, node }, .from = prefix(from) });
}
