/* What the machine is: processors, memory, disk, names of hardware and system. Effect (reads /proc,
 * /sys, /etc and the root directory's file system; small files that do not block).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"

struct machine_hugepages {
	int64_t page_bytes, pages;
};

enum { MACHINE_HUGEPAGES_MAX = 16 };

struct machine {
	int cpus;
	int64_t memory_bytes, swap_bytes;
	int64_t max_pids;   /* tasks that the kernel allows; 0: unknown */
	int64_t disk_bytes; /* of the file system under the root directory; 0: unknown */
	struct machine_hugepages hugepages[MACHINE_HUGEPAGES_MAX];
	size_t n_hugepages;
	char *machine_id, *system_uuid, *boot_id;
	char *kernel_version, *os_image, *architecture;
	bool swap_on, cgroup_v2, user_namespace;
};

int machine_read(const char *root_dir, struct machine *ret_machine, struct err *e);
void machine_fini(struct machine *m);
/* Whether the configuration lets us run here (failCgroupV1, failSwapOn). Pure. */
int machine_check(const struct machine *m, const struct config *c, struct err *e);
/* "x86_64" to "amd64" and so on; the same name when unknown. Pure. */
const char *machine_go_architecture(const char *uname_machine);
/* A field of "Name:   123 kB" lines, in bytes; -1 when it is not there. Pure. */
int64_t machine_meminfo(const char *text, const char *name);
/* PRETTY_NAME of an os-release file; heap. Pure. */
char *machine_os_name(const char *text);
