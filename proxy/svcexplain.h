/* What a packet to an address would meet, for people. Pure. */
#pragma once

#include "program.h"

/* Appends lines about every service port that a packet to that address and port meets. Returns how
 * many there are. node_port_ips: the addresses that serve node ports. */
size_t explain_front(const struct program *p, const struct svcstore *store, const struct addr *to,
		     uint16_t port, uint8_t proto, bool node_port, struct str *out);
