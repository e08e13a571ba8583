/* Addresses (contract in addr.h). Pure. */
#include "addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

int addr_parse(const char *text, struct addr *ret, struct err *e)
{
	struct addr a = { 0 };
	int af = text && strchr(text, ':') ? AF_INET6 : AF_INET;

	if (!text || inet_pton(af, text, a.b) != 1)
		return err_set(e, ERR_INVALID, "\"%s\" is not an IP address", str_or(text, ""));
	a.len = af == AF_INET ? 4 : 16;
	*ret = a;
	return 0;
}

int addr_af(const struct addr *a)
{
	return a->len == 4 ? AF_INET : AF_INET6;
}

static void clear_host_bits(struct prefix *p)
{
	for (unsigned i = 0; i < p->addr.len; i++) {
		unsigned keep = p->bits > 8 * i ? p->bits - 8 * i : 0;

		if (keep < 8)
			p->addr.b[i] &= (uint8_t)(0xff00 >> keep);
	}
}

struct prefix prefix_of(const struct addr *a, uint8_t bits)
{
	struct prefix p = { .addr = *a, .bits = bits };

	clear_host_bits(&p);
	return p;
}

int prefix_parse(const char *text, struct prefix *ret, struct err *e)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	AUTO_FREE char *head = slash ? mem_strndup(text, (size_t)(slash - text)) : NULL;
	struct addr a;
	int64_t bits;

	if (!slash || addr_parse(head, &a, NULL) < 0 || slash[1] == '+' ||
	    !str_to_i64(slash + 1, &bits) || bits < 0 || bits > 8 * a.len ||
	    (slash[1] == '0' && slash[2]))
		return err_set(e, ERR_INVALID, "\"%s\" is not a CIDR", str_or(text, ""));
	*ret = prefix_of(&a, (uint8_t)bits);
	return 0;
}

const char *addr_text(const struct addr *a, char buf[ADDR_TEXT])
{
	if (!a->len || !inet_ntop(addr_af(a), a->b, buf, ADDR_TEXT))
		snprintf(buf, ADDR_TEXT, "none");
	return buf;
}

const char *prefix_text(const struct prefix *p, char buf[PREFIX_TEXT])
{
	char addr[ADDR_TEXT];

	snprintf(buf, PREFIX_TEXT, "%s/%u", addr_text(&p->addr, addr), p->bits);
	return buf;
}

const char *mac_text(const uint8_t mac[MAC_BYTES], char buf[MAC_TEXT])
{
	snprintf(buf, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return buf;
}

int mac_parse(const char *text, uint8_t ret[MAC_BYTES], struct err *e)
{
	uint8_t mac[MAC_BYTES];
	const char *p = str_or(text, "");

	for (int i = 0; i < MAC_BYTES; i++) {
		int high = str_hex_digit(p[0]), low = high < 0 ? -1 : str_hex_digit(p[1]);

		if (low < 0 || p[2] != (i < MAC_BYTES - 1 ? ':' : '\0'))
			return err_set(e, ERR_INVALID, "\"%s\" is not an Ethernet address",
				       str_or(text, ""));
		mac[i] = (uint8_t)(high << 4 | low);
		p += 3;
	}
	memcpy(ret, mac, MAC_BYTES);
	return 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct addr one = { .len = 16, .b = { [15] = 1 } };

	return a->len == 4 ? a->b[0] == 127 : !addr_cmp(a, &one);
}

bool addr_is_link_local(const struct addr *a)
{
	return a->len == 4 ? a->b[0] == 169 && a->b[1] == 254
			   : a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	return a->len != b->len ? (a->len < b->len ? -1 : 1) : memcmp(a->b, b->b, a->len);
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int r = addr_cmp(&a->addr, &b->addr);

	return r ? r : (a->bits > b->bits) - (a->bits < b->bits);
}

bool addr_list_equal(const addr_list *a, const addr_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !addr_cmp(&a->v[i], &b->v[i]);
	return same;
}

bool prefix_list_equal(const prefix_list *a, const prefix_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !prefix_cmp(&a->v[i], &b->v[i]);
	return same;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	struct prefix at = prefix_of(a, p->bits);

	return a->len == p->addr.len && !addr_cmp(&at.addr, &p->addr);
}

struct addr prefix_last(const struct prefix *p)
{
	struct addr last = p->addr;

	for (unsigned i = 0; i < last.len; i++) {
		unsigned keep = p->bits > 8 * i ? p->bits - 8 * i : 0;

		if (keep < 8)
			last.b[i] |= (uint8_t)(0xff >> keep);
	}
	return last;
}
