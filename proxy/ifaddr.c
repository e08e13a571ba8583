/* Addresses as getifaddrs gives them (contract in ifaddr.h). Pure. */
#include "ifaddr.h"

#include <netinet/in.h>
#include <string.h>

bool ifaddr_read(const struct ifaddrs *i, struct addr *ret)
{
	struct addr a = { 0 };

	if (!i->ifa_addr)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		a.len = 4;
		memcpy(a.b, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
	} else if (i->ifa_addr->sa_family == AF_INET6) {
		a.len = 16;
		memcpy(a.b, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr,
		       16);
	} else {
		return false;
	}
	*ret = a;
	return true;
}
