/* Kernel settings of a node (contract in tunables.h). Effect. */
#include "tunables.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sysctl.h"

const struct tunable tunables[] = {
	{ "vm/overcommit_memory", 1 },
	{ "vm/panic_on_oom", 0 },
	{ "kernel/panic", 10 },
	{ "kernel/panic_on_oops", 1 },
	{ "kernel/keys/root_maxkeys", 1000000 },
	{ "kernel/keys/root_maxbytes", 25000000 },
};
const size_t tunables_count = ARRAY_SIZE(tunables);

static char *path_of(const char *root, const struct tunable *t)
{
	return str_fmt("%s/proc/sys/%s", root, t->name);
}

static void apply_one(const char *root, const struct tunable *t)
{
	AUTO_FREE char *path = path_of(root, t);
	struct err e;

	if (sysctl_set(path, t->value, false, &e) < 0)
		log_err_warning(&e, "kernel setting %s stays as it is, not %lld", t->name,
				(long long)t->value);
}

static void compare_one(const char *root, const struct tunable *t, struct str *differences)
{
	AUTO_FREE char *path = path_of(root, t);
	int64_t have = 0;
	struct err e;

	if (sysctl_read(path, &have, &e) < 0)
		str_printf(differences, "; %s", e.text);
	else if (have != t->value)
		str_printf(differences, "; %s is %lld, not %lld", t->name, (long long)have,
			   (long long)t->value);
}

int tunables_apply(const char *root, bool protect, struct err *e)
{
	AUTO_STR differences = { 0 };

	for (size_t i = 0; i < tunables_count; i++) {
		if (protect)
			compare_one(root, &tunables[i], &differences);
		else
			apply_one(root, &tunables[i]);
	}
	if (!differences.len)
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "kernel settings differ, and protectKernelDefaults keeps the agent from "
		       "setting them: set them with sysctl, or protectKernelDefaults: false%s",
		       str_text(&differences));
}
