/* Which addresses are the node's: --node-ip, else the host's default route. Effect (asks the kernel
 * for interfaces and routes; never resolves names).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Reads --node-ip: "", one address, or one of each family. Pure. Returns a strv of canonical
 * texts in *ret_ips (NULL when empty). */
int nodeaddr_parse(const char *node_ip, char ***ret_ips, struct err *e);
bool nodeaddr_is_any(const char *ip); /* 0.0.0.0 or :: */
/* Whether a node may have this address and this host has it. */
int nodeaddr_check(const char *ip, struct err *e);
/* The addresses to report now: those asked for when they check, else the host name when it is an
 * address, else the default route's (IPv6 first when "::" was asked for). */
int nodeaddr_choose(char *const *asked, const char *hostname, char ***ret_ips, struct err *e);
