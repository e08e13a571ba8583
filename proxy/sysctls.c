/* Connection tracking (contract in sysctls.h). Effect. */
#include "sysctls.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sysctl.h"

#define USEC_PER_SEC INT64_C(1000000)

enum { HASH_SHARE = 4 };

/* Beyond it the table costs more memory than it is worth, on however many CPUs. */
static const int64_t conntrack_limit = 1048576;

static const char netfilter_dir[] = "/proc/sys/net/netfilter";
static const char hashsize_path[] = "/sys/module/nf_conntrack/parameters/hashsize";

static int64_t conntrack_max(const struct config *c, long cpus)
{
	int64_t scaled = (int64_t)c->conntrack_max_per_core * cpus;

	if (c->conntrack_max_per_core <= 0)
		return 0;
	if (scaled > conntrack_limit)
		return conntrack_limit;
	return scaled > c->conntrack_min ? scaled : c->conntrack_min;
}

size_t sysctls_plan(const struct config *c, long cpus, struct sysctl ret[SYSCTLS_MAX])
{
	const struct sysctl all[] = {
		{ "nf_conntrack_max", conntrack_max(c, cpus), true },
		{ "nf_conntrack_tcp_timeout_established", c->tcp_established_usec / USEC_PER_SEC,
		  false },
		{ "nf_conntrack_tcp_timeout_close_wait", c->tcp_close_wait_usec / USEC_PER_SEC,
		  false },
		{ "nf_conntrack_tcp_be_liberal", c->tcp_be_liberal, false },
		{ "nf_conntrack_udp_timeout", c->udp_usec / USEC_PER_SEC, false },
		{ "nf_conntrack_udp_timeout_stream", c->udp_stream_usec / USEC_PER_SEC, false },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i].value > 0)
			ret[n++] = all[i];
	}
	return n;
}

/* 0: as it should be now. */
static unsigned apply_one(const char *path, int64_t value, bool at_least)
{
	struct err e;

	if (sysctl_set(path, value, at_least, &e) >= 0)
		return 0;
	log_err_warning(&e, "connection tracking stays as it is");
	return 1;
}

unsigned sysctls_apply(const struct config *c, const char *root)
{
	struct sysctl plan[SYSCTLS_MAX];
	size_t n = sysctls_plan(c, sysconf(_SC_NPROCESSORS_ONLN), plan);
	unsigned failed = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *path = str_fmt("%s%s/%s", root, netfilter_dir, plan[i].name);

		failed += apply_one(path, plan[i].value, plan[i].at_least);
		if (str_eq(plan[i].name, "nf_conntrack_max")) {
			AUTO_FREE char *hash = str_fmt("%s%s", root, hashsize_path);

			failed += apply_one(hash, plan[i].value / HASH_SHARE, true);
		}
	}
	return failed;
}
