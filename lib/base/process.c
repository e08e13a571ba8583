/* The own process (contract in base/process.h). Effect. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

void process_hold_standard_files(void)
{
	int fd;

	/* not for us alone: a plugin's complaints go to our standard error */
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		(void)fcntl(fd, F_SETFD, 0);
	if (fd >= 0)
		close(fd);
}

void process_set_oom_score(int adjust)
{
	AUTO_FREE char *text = str_fmt("%d", adjust);
	AUTO_FD fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* less than the least that the process ever had needs CAP_SYS_RESOURCE */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_v(2, "oomScoreAdj stays as it is: %s", strerror(errno));
}

void process_set_open_files(uint64_t most)
{
	struct rlimit files = { .rlim_cur = (rlim_t)most, .rlim_max = (rlim_t)most };
	struct rlimit now;

	if (most && setrlimit(RLIMIT_NOFILE, &files) == 0)
		return;
	if (most)
		log_warning("%llu open files (maxOpenFiles) cannot be had: %s",
			    (unsigned long long)most, strerror(errno));
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	now.rlim_cur = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		log_v(2, "the limit of open files stays as it is: %s", strerror(errno));
}
