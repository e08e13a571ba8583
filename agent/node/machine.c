/* Facts of the machine (contract in machine.h). Effect (small reads of /proc, /sys and /etc). */
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

enum { FILE_MAX_BYTES = 1024 * 1024, KIBI = 1024 };

/* The first of these files that can be read, without white space around; NULL ends the list. */
static char *first_text(const char *const *paths)
{
	for (; *paths; paths++) {
		char *text = NULL, *start;
		size_t len;

		if (fs_read(*paths, FILE_MAX_BYTES, &text, &len, NULL) < 0)
			continue;
		while (len && isspace((unsigned char)text[len - 1]))
			text[--len] = 0;
		for (start = text; isspace((unsigned char)*start);)
			start++;
		memmove(text, start, strlen(start) + 1);
		return text;
	}
	return mem_strdup("");
}

int64_t machine_meminfo(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10) * KIBI;
	}
	return -1;
}

char *machine_os_name(const char *text)
{
	static const char key[] = "PRETTY_NAME=";

	for (const char *line = text; line; line = strchr(line, '\n')) {
		size_t len;

		line += *line == '\n';
		if (!str_starts(line, key))
			continue;
		line += strlen(key);
		len = strcspn(line, "\n");
		if (len >= 2 && (*line == '"' || *line == '\'') && line[len - 1] == *line)
			return mem_strndup(line + 1, len - 2);
		return mem_strndup(line, len);
	}
	return mem_strdup("Linux");
}

const char *machine_go_architecture(const char *uname_machine)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" },    { "aarch64", "arm64" },       { "i686", "386" },
		{ "armv7l", "arm" },      { "armv6l", "arm" },          { "ppc64le", "ppc64le" },
		{ "riscv64", "riscv64" }, { "loongarch64", "loong64" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq(names[i][0], uname_machine))
			return names[i][1];
	}
	return uname_machine;
}

static int64_t pages_in(const char *dir)
{
	AUTO_FREE char *path = str_fmt("/sys/kernel/mm/hugepages/%s/nr_hugepages", dir);
	AUTO_FREE char *text = first_text((const char *[]){ path, NULL });

	return strtoll(text, NULL, 10);
}

static int by_size(const void *a, const void *b)
{
	const struct machine_hugepages *x = a, *y = b;

	return (x->page_bytes > y->page_bytes) - (x->page_bytes < y->page_bytes);
}

/* Directories are named hugepages-2048kB. */
static void read_hugepages(struct machine *m)
{
	static const char prefix[] = "hugepages-";
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && m->n_hugepages < MACHINE_HUGEPAGES_MAX) {
		char *end;
		int64_t size_kib;

		if (!str_starts(entry->d_name, prefix))
			continue;
		size_kib = strtoll(entry->d_name + strlen(prefix), &end, 10);
		if (size_kib <= 0 || !str_eq(end, "kB"))
			continue;
		m->hugepages[m->n_hugepages++] = (struct machine_hugepages){
			.page_bytes = size_kib * KIBI,
			.pages = pages_in(entry->d_name),
		};
	}
	if (dir)
		closedir(dir);
	qsort(m->hugepages, m->n_hugepages, sizeof(*m->hugepages), by_size);
}

static int read_memory(struct machine *m, struct err *e)
{
	AUTO_FREE char *text = NULL, *swaps = NULL;

	if (fs_read("/proc/meminfo", FILE_MAX_BYTES, &text, NULL, e) < 0)
		return -1;
	m->memory_bytes = machine_meminfo(text, "MemTotal");
	m->swap_bytes = machine_meminfo(text, "SwapTotal");
	if (m->memory_bytes <= 0)
		return err_set(e, ERR_INVALID, "/proc/meminfo tells no MemTotal");
	/* the first line is the heading */
	if (fs_read("/proc/swaps", FILE_MAX_BYTES, &swaps, NULL, NULL) == 0) {
		const char *line = strchr(swaps, '\n');

		m->swap_on = line && line[1];
	}
	return 0;
}

static void read_max_pids(struct machine *m)
{
	static const char *const files[] = { "/proc/sys/kernel/pid_max",
					     "/proc/sys/kernel/threads-max" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_FREE char *text = first_text((const char *[]){ files[i], NULL });
		int64_t limit;

		if (str_to_i64(text, &limit) && (!m->max_pids || limit < m->max_pids))
			m->max_pids = limit;
	}
}

static void read_names(struct machine *m)
{
	AUTO_FREE char *os =
	    first_text((const char *[]){ "/etc/os-release", "/usr/lib/os-release", NULL });
	AUTO_FREE char *ids = first_text((const char *[]){ "/proc/self/uid_map", NULL });
	unsigned long inside = 0, outside = 0, count = 0;
	struct utsname name;

	uname(&name);
	m->kernel_version = mem_strdup(name.release);
	m->architecture = mem_strdup(machine_go_architecture(name.machine));
	m->os_image = machine_os_name(os);
	m->machine_id =
	    first_text((const char *[]){ "/etc/machine-id", "/var/lib/dbus/machine-id", NULL });
	m->boot_id = first_text((const char *[]){ "/proc/sys/kernel/random/boot_id", NULL });
	m->system_uuid = first_text((const char *[]){
	    "/sys/class/dmi/id/product_uuid", "/proc/device-tree/system-id",
	    "/proc/device-tree/vm,uuid", "/etc/machine-id", "/var/lib/dbus/machine-id", NULL });
	m->user_namespace = sscanf(ids, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
			    (inside || outside || count != 4294967295UL);
}

int machine_read(const char *root_dir, struct machine *ret_machine, struct err *e)
{
	struct machine m = { 0 };
	struct statvfs disk;
	struct statfs cgroup;

	if (read_memory(&m, e) < 0)
		return -1;
	m.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (statvfs(root_dir, &disk) == 0)
		m.disk_bytes = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize;
	m.cgroup_v2 =
	    statfs("/sys/fs/cgroup", &cgroup) == 0 && cgroup.f_type == CGROUP2_SUPER_MAGIC;
	read_max_pids(&m);
	read_hugepages(&m);
	read_names(&m);
	*ret_machine = m;
	return 0;
}

void machine_fini(struct machine *m)
{
	free(m->machine_id);
	free(m->system_uuid);
	free(m->boot_id);
	free(m->kernel_version);
	free(m->os_image);
	free(m->architecture);
	memset(m, 0, sizeof(*m));
}

/* The highest number in a list such as 0-1,4; -1 when it is empty. */
static long highest_cpu(const char *list)
{
	long highest = -1;

	while (list && *list) {
		char *end;
		long cpu = strtol(list, &end, 10);

		highest = cpu > highest ? cpu : highest;
		list = *end ? end + 1 : end;
	}
	return highest;
}

int machine_check(const struct machine *m, const struct config *c, struct err *e)
{
	if (!m->cgroup_v2 && c->fail_cgroup_v1)
		return err_set(e, ERR_INVALID,
			       "this host uses cgroup v1, which failCgroupV1 refuses: boot with "
			       "cgroup v2, or set failCgroupV1: false");
	if (!m->cgroup_v2 && c->oom_kills_whole_container)
		return err_set(e, ERR_INVALID,
			       "this host uses cgroup v1, where singleProcessOOMKill cannot be "
			       "false: boot with cgroup v2, or take it out");
	if (!m->cgroup_v2 && str_eq(c->swap_behavior, "LimitedSwap"))
		return err_set(e, ERR_INVALID,
			       "this host uses cgroup v1, where memorySwap.swapBehavior cannot be "
			       "LimitedSwap: boot with cgroup v2, or set NoSwap");
	if (m->swap_on && c->fail_swap_on)
		return err_set(
		    e, ERR_INVALID,
		    "swap is on, which failSwapOn refuses: switch it off (swapoff -a), or "
		    "set failSwapOn: false");
	if (highest_cpu(c->reserved_system_cpus) >= m->cpus)
		return err_set(e, ERR_INVALID,
			       "reservedSystemCPUs %s: this host has the CPUs 0 to %d",
			       c->reserved_system_cpus, m->cpus - 1);
	return 0;
}
