/* Cost of this process (contract in procstat.h). Effect. */
#include "procstat.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { STATM_BYTES = 256 };

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n ? n - 1 : 0; /* without the directory's own */
}

void procstat_read(struct metrics_process *ret)
{
	AUTO_FREE char *text = NULL;
	unsigned long long total = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct rusage usage;
	struct rlimit files;

	if (fs_read("/proc/self/statm", STATM_BYTES, &text, NULL, NULL) == 0)
		(void)sscanf(text, "%llu %llu", &total, &resident);
	ret->virtual_bytes = total * page;
	ret->resident_bytes = resident * page;
	ret->cpu_sec = 0;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret->cpu_sec = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	ret->max_fds = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
	ret->open_fds = count_fds();
}
