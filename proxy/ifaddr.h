/* Addresses as getifaddrs gives them. Pure. */
#pragma once

#include <ifaddrs.h>
#include <stdbool.h>

#include "addr.h"

bool ifaddr_read(const struct ifaddrs *i, struct addr *ret); /* false: not an IP address */
