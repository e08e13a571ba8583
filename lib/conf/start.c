/* Waiting for a configuration (contract in conf/start.h). Effect. */
#include "conf/start.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "base/await.h"
#include "base/str.h"

/* A file that came while we waited for it may be read in the middle of its writing. */
enum { SETTLED_SEC = 3 };

static bool just_written(char *const *files)
{
	time_t now = time(NULL);
	struct stat st;

	for (; *files; files++) {
		if (stat(*files, &st) == 0 && now - st.st_mtime < SETTLED_SEC &&
		    st.st_mtime - now < SETTLED_SEC)
			return true;
	}
	return false;
}

int conf_start(const struct conf_start *s, int argc, char *const *argv, struct config **ret_config,
	       struct err *e)
{
	struct await wait = { .what_stays = s->what_stays };
	char **files = s->files(argc, argv);
	size_t n = strv_len(files);
	bool waited = false, waits, goes_on = true;
	int outcome;

	do {
		bool refused, unfinished;

		outcome = s->load(argc, argv, ret_config, e);
		refused = outcome < 0 && e->os && n;
		unfinished = outcome < 0 && waited && just_written(files);
		waits = refused || unfinished;
		if (waits)
			goes_on =
			    await_retry(&wait, refused ? e : NULL, (const char *const *)files, n);
		waited = true;
	} while (waits && goes_on);
	strv_free(files);
	return goes_on ? outcome : err_set(e, ERR_CANCELLED, "a signal ended the wait");
}
