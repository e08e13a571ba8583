/* IP addresses and CIDRs of either family as bytes. Pure. */
#include "netaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

size_t netaddr_len(enum dataplane_family f)
{
	return f == DATAPLANE_IPV4 ? 4 : 16;
}

bool netaddr_parse(const char *text, struct netaddr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct netaddr a = { .family = DATAPLANE_IPV4 };
	uint8_t six[16];

	if (!text)
		return false;
	if (inet_pton(AF_INET, text, a.b) != 1) {
		if (inet_pton(AF_INET6, text, six) != 1)
			return false;
		if (!memcmp(six, mapped, sizeof(mapped))) {
			memcpy(a.b, six + 12, 4);
		} else {
			a.family = DATAPLANE_IPV6;
			memcpy(a.b, six, sizeof(six));
		}
	}
	*ret = a;
	return true;
}

void netaddr_format(enum dataplane_family f, const uint8_t *bytes, char *out)
{
	if (!inet_ntop(f == DATAPLANE_IPV4 ? AF_INET : AF_INET6, bytes, out, NETADDR_TEXT))
		out[0] = 0;
}

/* The bits behind the prefix: 0 cleared, 1 set. */
static void fill_host(uint8_t *b, size_t len, unsigned bits, bool ones)
{
	for (size_t i = 0; i < len; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = keep >= 8 ? 0 : (uint8_t)(0xff >> keep);

		b[i] = ones ? b[i] | mask : b[i] & (uint8_t)~mask;
	}
}

bool netcidr_parse(const char *text, struct netcidr *ret)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	struct netcidr c = { 0 };
	int64_t bits;
	AUTO_FREE char *addr = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;

	if (!slash || !netaddr_parse(addr, &c.addr) || !str_to_i64(slash + 1, &bits) || bits < 0 ||
	    (size_t)bits > 8 * netaddr_len(c.addr.family))
		return false;
	c.bits = (uint8_t)bits;
	fill_host(c.addr.b, netaddr_len(c.addr.family), c.bits, false);
	*ret = c;
	return true;
}

bool netcidr_holds(const struct netcidr *c, const struct netaddr *a)
{
	struct netaddr net = *a;

	if (c->addr.family != a->family)
		return false;
	fill_host(net.b, netaddr_len(net.family), c->bits, false);
	return !memcmp(net.b, c->addr.b, sizeof(net.b));
}

void netcidr_last(const struct netcidr *c, uint8_t *ret)
{
	memcpy(ret, c->addr.b, sizeof(c->addr.b));
	fill_host(ret, netaddr_len(c->addr.family), c->bits, true);
}

bool netaddr_is_loopback(const struct netaddr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == DATAPLANE_IPV4 ? a->b[0] == 127 : !memcmp(a->b, one, sizeof(one));
}
