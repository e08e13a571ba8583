/* Names of hosts (contract in kube/hostname.h). Effect. */
#include "kube/hostname.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "base/str.h"

int kube_hostname(const char *override, char **ret_name, struct err *e)
{
	struct utsname name;
	const char *text = override;
	size_t len;
	char *out;

	if (str_empty(text)) {
		if (uname(&name) < 0)
			return err_os(e, errno, "name of this host");
		text = name.nodename;
	}
	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (!len)
		return err_set(e, ERR_INVALID, "the name of this host is empty");
	out = mem_strndup(text, len);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*ret_name = out;
	return 0;
}
