/* Kernel settings (contract in base/sysctl.h). Effect. */
#include "base/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { VALUE_BYTES = 64 };

int sysctl_read(const char *path, int64_t *ret, struct err *e)
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

int sysctl_set(const char *path, int64_t value, bool at_least, struct err *e)
{
	int64_t have = 0;

	if (sysctl_read(path, &have, e) == 0 && (have == value || (at_least && have > value)))
		return 0;
	if (write_value(path, value, e) < 0)
		return -1;
	log_v(2, "set %s=%lld was=%lld", path, (long long)value, (long long)have);
	return 1;
}
