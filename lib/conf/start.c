/* Waiting for a configuration (contract in conf/start.h). Effect. */
#include "conf/start.h"

#include <stdbool.h>

#include "base/await.h"
#include "base/str.h"

int conf_start(const struct conf_start *s, int argc, char *const *argv, struct config **ret_config,
	       struct err *e)
{
	struct await wait = { .what_stays = s->what_stays };
	char **files = s->files(argc, argv);
	size_t n = strv_len(files);
	bool missing, goes_on = true;
	int outcome;

	do {
		outcome = s->load(argc, argv, ret_config, e);
		missing = outcome < 0 && e->code == ERR_NOT_FOUND && n;
		if (missing)
			goes_on = await_retry(&wait, e, (const char *const *)files, n);
	} while (missing && goes_on);
	strv_free(files);
	return goes_on ? outcome : err_set(e, ERR_CANCELLED, "a signal ended the wait");
}
