/* Privileges of the proxy (contract in privileges.h). Effect. */
#include "privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/mem.h"

static const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

static bool is_kept(cap_value_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i] == cap)
			return true;
	}
	return false;
}

/* What no program that we start may have either. Needs CAP_SETPCAP: without it there is hardly
 * anything to drop. */
static void shrink_bounding_set(void)
{
	for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++) {
		if (!is_kept(cap) && cap_get_bound(cap) == 1)
			(void)cap_drop_bound(cap);
	}
}

static int shrink_sets(cap_t now, cap_t wanted, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		cap_flag_value_t have = CAP_CLEAR;

		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &have) < 0 || have != CAP_SET)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0)
			return err_os(e, errno, "capabilities");
	}
	return cap_set_proc(wanted) < 0 ? err_os(e, errno, "set capabilities") : 0;
}

int privileges_drop(struct err *e)
{
	cap_t now = cap_get_proc(), wanted = cap_init();
	int r = -1;

	shrink_bounding_set();
	(void)cap_reset_ambient();
	if (!now || !wanted)
		err_os(e, errno, "capabilities");
	else
		r = shrink_sets(now, wanted, e);
	cap_free(now);
	cap_free(wanted);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_os(e, errno, "no_new_privs");
	return r;
}
