/* Addresses of the node (contract in nodeaddr.h). Effect. */
#include "nodeaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum { ROUTES_MAX_BYTES = 4 * 1024 * 1024 };

struct address {
	int family; /* AF_INET or AF_INET6 */
	unsigned char bytes[16];
};

static bool read_address(const char *text, struct address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(ret->family, text, ret->bytes) == 1;
}

static char *address_text(const struct address *a)
{
	char text[INET6_ADDRSTRLEN];

	return mem_strdup(inet_ntop(a->family, a->bytes, text, sizeof(text)));
}

static bool is_any(const struct address *a)
{
	static const unsigned char zero[16];

	return !memcmp(a->bytes, zero, a->family == AF_INET ? 4 : 16);
}

static bool is_loopback(const struct address *a)
{
	static const unsigned char one[16] = { [15] = 1 };

	return a->family == AF_INET ? a->bytes[0] == 127 : !memcmp(a->bytes, one, 16);
}

static bool is_multicast(const struct address *a)
{
	return a->family == AF_INET ? (a->bytes[0] & 0xf0) == 0xe0 : a->bytes[0] == 0xff;
}

static bool is_link_local(const struct address *a)
{
	return a->family == AF_INET ? a->bytes[0] == 169 && a->bytes[1] == 254
				    : a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool is_global(const struct address *a)
{
	return !is_any(a) && !is_loopback(a) && !is_multicast(a) && !is_link_local(a);
}

int nodeaddr_parse(const char *node_ip, char ***ret_ips, struct err *e)
{
	char **parts = strv_split(node_ip, ','), **ips = NULL;
	int families[2] = { 0 };
	bool any = false;
	size_t n = 0;

	for (; parts && parts[n]; n++) {
		struct address a;
		AUTO_FREE char *text = NULL;
		size_t skip = strspn(parts[n], " ");

		if (n == 2 || !read_address(parts[n] + skip, &a)) {
			strv_free(parts);
			strv_free(ips);
			return err_set(e, ERR_INVALID,
				       "\"%s\" is not an address, or one of each family", node_ip);
		}
		text = address_text(&a);
		strv_push(&ips, text);
		families[n] = a.family;
		any |= is_any(&a);
	}
	strv_free(parts);
	if (n == 2 && (families[0] == families[1] || any)) {
		strv_free(ips);
		return err_set(e, ERR_INVALID,
			       "\"%s\": two addresses must be one of each family, and "
			       "neither may be 0.0.0.0 or ::",
			       node_ip);
	}
	*ret_ips = ips;
	return 0;
}

bool nodeaddr_is_any(const char *ip)
{
	struct address a;

	return read_address(ip, &a) && is_any(&a);
}

static bool address_of(const struct sockaddr *sa, struct address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (sa && sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		memcpy(ret->bytes, &in.sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, sa, sizeof(in));
		memcpy(ret->bytes, &in.sin6_addr, 16);
	} else {
		return false;
	}
	ret->family = sa->sa_family;
	return true;
}

static bool host_has(const struct address *wanted)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		struct address a;

		found = address_of(i->ifa_addr, &a) && !memcmp(&a, wanted, sizeof(a));
	}
	freeifaddrs(list);
	return found;
}

int nodeaddr_check(const char *ip, struct err *e)
{
	struct address a;

	if (!read_address(ip, &a))
		return err_set(e, ERR_INVALID, "node address %s: not an IP address", ip);
	if (!is_global(&a))
		return err_set(
		    e, ERR_INVALID,
		    "node address %s: loopback, multicast, link-local and zero addresses "
		    "cannot be a node's",
		    ip);
	if (!host_has(&a))
		return err_set(e, ERR_NOT_FOUND,
			       "node address %s: no interface of this host has it", ip);
	return 0;
}

/* The first global address of an interface (NULL: of any that is up and no loopback). */
static char *interface_address(const char *name, int family)
{
	struct ifaddrs *list = NULL;
	char *text = NULL;

	if (getifaddrs(&list) < 0)
		return NULL;
	for (struct ifaddrs *i = list; i && !text; i = i->ifa_next) {
		bool usable = (i->ifa_flags & IFF_UP) &&
			      (name ? str_eq(i->ifa_name, name)
				    : !(i->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT)));
		struct address a;

		if (usable && address_of(i->ifa_addr, &a) && a.family == family && is_global(&a))
			text = address_text(&a);
	}
	freeifaddrs(list);
	return text;
}

/* Interface of a default route of /proc/net/route: "eth0 00000000 gateway flags … mask"; heap. */
static char *default_interface_v4(void)
{
	AUTO_FREE char *text = NULL;

	if (fs_read("/proc/net/route", ROUTES_MAX_BYTES, &text, NULL, NULL) < 0)
		return NULL;
	for (char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
		char name[IF_NAMESIZE + 1];
		unsigned long destination, mask;

		if (sscanf(line + 1, "%16s %lx %*x %*x %*d %*d %*d %lx", name, &destination,
			   &mask) == 3 &&
		    !destination && !mask)
			return mem_strdup(name);
	}
	return NULL;
}

/* Of /proc/net/ipv6_route: destination, prefix length, …, flags, interface; heap. */
static char *default_interface_v6(void)
{
	AUTO_FREE char *text = NULL;
	char *save = NULL;

	if (fs_read("/proc/net/ipv6_route", ROUTES_MAX_BYTES, &text, NULL, NULL) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char destination[33], name[IF_NAMESIZE + 1];
		unsigned prefix;

		if (sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %*s %16s", destination, &prefix,
			   name) == 3 &&
		    !prefix && strspn(destination, "0") == 32 && !str_eq(name, "lo"))
			return mem_strdup(name);
	}
	return NULL;
}

static char *default_address(int family)
{
	AUTO_FREE char *name = family == AF_INET ? default_interface_v4() : default_interface_v6();

	return name ? interface_address(name, family) : NULL;
}

/* Hosts without a default route have no address to offer but the first. */
static char *any_address(int first_family)
{
	int families[] = { first_family, first_family == AF_INET ? AF_INET6 : AF_INET };
	char *text = NULL;

	for (size_t i = 0; i < 2 && !text; i++)
		text = default_address(families[i]);
	for (size_t i = 0; i < 2 && !text; i++)
		text = interface_address(NULL, families[i]);
	return text;
}

int nodeaddr_choose(char *const *asked, const char *hostname, char ***ret_ips, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct address a;
	char **ips = NULL;

	if (asked && asked[0] && !nodeaddr_is_any(asked[0])) {
		for (size_t i = 0; asked[i]; i++) {
			if (nodeaddr_check(asked[i], e) < 0) {
				strv_free(ips);
				return -1;
			}
			strv_push(&ips, asked[i]);
		}
		*ret_ips = ips;
		return 0;
	}
	if (read_address(hostname, &a))
		text = address_text(&a);
	else
		text = any_address(asked && asked[0] && strchr(asked[0], ':') ? AF_INET6 : AF_INET);
	if (!text)
		return err_set(e, ERR_NOT_FOUND,
			       "node %s: no interface has an address that a node can have; "
			       "--node-ip names one",
			       hostname);
	strv_push(&ips, text);
	*ret_ips = ips;
	return 0;
}
