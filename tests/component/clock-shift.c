/* Preloaded into a program under test: its wall clock is off by as many seconds as the file named
 * by CLOCK_SHIFT_FILE holds (a 64-bit integer), now and whenever the file changes. The monotonic
 * clock stays, as when an operator sets the time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	static const volatile int64_t *shift_sec;
	static int tried;
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	if (!tried) {
		const char *path = getenv("CLOCK_SHIFT_FILE");
		int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		void *map = fd < 0 ? MAP_FAILED
				   : mmap(NULL, sizeof(*shift_sec), PROT_READ, MAP_SHARED, fd, 0);

		tried = 1;
		if (map != MAP_FAILED)
			shift_sec = map;
		if (fd >= 0)
			close(fd);
	}
	rc = real(id, t);
	if (!rc && shift_sec && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += *shift_sec;
	return rc;
}

time_t time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec t;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}
