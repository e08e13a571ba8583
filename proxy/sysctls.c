/* Connection tracking (contract in sysctls.h). Effect. */
#include "sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"

#define USEC_PER_SEC INT64_C(1000000)

enum { VALUE_BYTES = 64, HASH_SHARE = 4 };

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

static int read_value(const char *path, int64_t *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (fs_read(path, VALUE_BYTES, &text, NULL, e) < 0)
		return -1;
	text[strcspn(text, "\n")] = 0;
	return str_to_i64(text, ret) ? 0 : err_set(e, ERR_INVALID, "%s holds no number", path);
}

static int write_value(const char *path, int64_t value, struct err *e)
{
	AUTO_FREE char *text = str_fmt("%lld", (long long)value);
	AUTO_FD fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return err_os(e, errno, "open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_os(e, errno, "write %s to %s", text, path);
	return 0;
}

/* 0: as it should be now. */
static unsigned apply_one(const char *path, int64_t value, bool at_least)
{
	int64_t have = 0;
	struct err e;

	if (read_value(path, &have, &e) == 0 && (have == value || (at_least && have > value)))
		return 0;
	if (write_value(path, value, &e) == 0) {
		log_v(2, "set %s=%lld was=%lld", path, (long long)value, (long long)have);
		return 0;
	}
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
