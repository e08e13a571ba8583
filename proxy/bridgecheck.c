/* Whether pods behind one bridge can reach each other through services (contract in bridgecheck.h).
 * Effect. */
#include "bridgecheck.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "ifaddr.h"

static bool passes_netfilter(bool six, const char **ret_sysctl)
{
	static const char *const names[] = { "net.bridge.bridge-nf-call-iptables",
					     "net.bridge.bridge-nf-call-ip6tables" };
	static const char *const paths[] = { "/proc/sys/net/bridge/bridge-nf-call-iptables",
					     "/proc/sys/net/bridge/bridge-nf-call-ip6tables" };
	AUTO_FREE char *text = NULL;
	size_t len;

	*ret_sysctl = names[six];
	return fs_read(paths[six], 16, &text, &len, NULL) == 0 && len && text[0] == '1';
}

static bool is_bridge(const char *name)
{
	char path[sizeof("/sys/class/net//bridge") + IF_NAMESIZE];

	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", name);
	return access(path, F_OK) == 0;
}

static bool is_pods(const struct ifaddrs *i, const struct prefix *pods, size_t n, bool *ret_six)
{
	struct addr a;

	if (!ifaddr_read(i, &a))
		return false;
	*ret_six = a.len == 16;
	for (size_t j = 0; j < n; j++) {
		if (prefix_has(&pods[j], &a))
			return true;
	}
	return false;
}

bool bridgecheck_broken(const struct prefix *pods, size_t n, char *ret_bridge,
			const char **ret_sysctl)
{
	struct ifaddrs *list = NULL;
	bool broken = false, six;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i && !broken; i = i->ifa_next) {
		broken = is_pods(i, pods, n, &six) && is_bridge(i->ifa_name) &&
			 !passes_netfilter(six, ret_sysctl);
		if (broken)
			snprintf(ret_bridge, IF_NAMESIZE, "%s", i->ifa_name);
	}
	freeifaddrs(list);
	return broken;
}
