/* Watched files (contract in filewatch.h). Effect. */
#include "filewatch.h"

#include <libgen.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/mem.h"

/* Writers of whole directories need a moment for the rest. */
enum { SETTLE_MSEC = 200 };

struct filewatch {
	sd_event_source *inotify, *timer;
	void (*changed)(void *ctx);
	void *ctx;
};

static int on_event(sd_event_source *s, const struct inotify_event *event, void *userdata)
{
	struct filewatch *w = userdata;

	(void)s;
	(void)event;
	sd_event_source_set_time_relative(w->timer, SETTLE_MSEC * (uint64_t)USEC_PER_MSEC);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct filewatch *w = userdata;

	(void)s;
	(void)usec;
	w->changed(w->ctx);
	return 0;
}

int filewatch_new(sd_event *loop, const char *path, void (*changed)(void *ctx), void *ctx,
		  struct filewatch **ret, struct err *e)
{
	struct filewatch *w = NEW(struct filewatch);
	AUTO_FREE char *copy = mem_strdup(path);
	int rc;

	w->changed = changed;
	w->ctx = ctx;
	rc =
	    sd_event_add_inotify(loop, &w->inotify, dirname(copy),
				 IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE, on_event, w);
	if (rc >= 0)
		rc = sd_event_add_time(loop, &w->timer, CLOCK_MONOTONIC, UINT64_MAX,
				       TIMER_ACCURACY_USEC, on_timer, w);
	if (rc < 0) {
		filewatch_free(w);
		return err_os(e, -rc, "watch %s", path);
	}
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	*ret = w;
	return 0;
}

void filewatch_free(struct filewatch *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->inotify);
	sd_event_source_disable_unref(w->timer);
	free(w);
}
