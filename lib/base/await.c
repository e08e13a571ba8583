/* Waiting for what is not there yet (contract in base/await.h). Effect. */
#include "base/await.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { DELAY_MAX_SEC = 60, AGAIN = 1 };

/* ---- what to say ---- */

static const struct {
	int os;
	const char *text;
} remedies[] = {
	{ ENOENT, "waiting for it" },
	{ ENOSPC, "free space there; it is tried again" },
	{ EDQUOT, "raise the quota there; it is tried again" },
	{ EACCES, "give this program the right to it; it is tried again" },
	{ EPERM, "give this program the right to it; it is tried again" },
	{ EROFS, "make that file system writable; it is tried again" },
	{ EADDRINUSE, "end what listens there or configure another address; it is tried again" },
};

static const char *remedy(const struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++) {
		if (remedies[i].os == e->os)
			return remedies[i].text;
	}
	return "put it right; it is tried again";
}

static void tell(struct await *w, const struct err *why)
{
	if (!why || str_eq(w->told, why->text))
		return;
	memcpy(w->told, why->text, sizeof(w->told));
	w->delay_sec = 0;
	log_warning("%s: %s", why->text, remedy(why));
	sd_notifyf(0, "READY=1\nSTATUS=waiting: %s: %s", why->text, remedy(why));
}

/* ---- watched paths ---- */

/* A directory that exists, and the name in it that leads to the path. */
struct watch {
	char *dir, *name;
	sd_event_source *source; /* a floating one would keep the loop from going */
};

static int on_event(sd_event_source *s, const struct inotify_event *event, void *userdata)
{
	const struct watch *w = userdata;

	if (event->len && !str_eq(event->name, w->name))
		return 0;
	if (event->len && event->mask & IN_CREATE && fs_just_begun(w->dir, w->name))
		return 0;
	return sd_event_exit(sd_event_source_get_event(s), AGAIN);
}

static void watch_fini(struct watch *w)
{
	sd_event_source_disable_unref(w->source);
	free(w->dir);
	free(w->name);
}

static void watch_start(sd_event *loop, const char *path, struct watch *w)
{
	const uint32_t mask =
	    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
	int rc;

	fs_nearest(path, &w->dir, &w->name);
	rc = sd_event_add_inotify(loop, &w->source, w->dir, mask, on_event, w);
	if (rc < 0)
		log_v(2, "%s is looked for, not watched: %s", path, strerror(-rc));
}

/* ---- the wait ---- */

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)usec;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(s), AGAIN);
}

static unsigned next_delay(unsigned delay_sec)
{
	if (!delay_sec)
		return 1;
	return 2 * delay_sec < DELAY_MAX_SEC ? 2 * delay_sec : DELAY_MAX_SEC;
}

bool await_retry(struct await *w, const struct err *why, const char *const *paths, size_t n_paths)
{
	struct watch *watches = mem_calloc(n_paths + 1, sizeof(*watches));
	sd_event *loop = NULL;
	int rc;

	tell(w, why);
	w->delay_sec = next_delay(w->delay_sec);
	if (sd_event_new(&loop) < 0 ||
	    sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC,
				       w->delay_sec * (uint64_t)USEC_PER_SEC, 0, on_timer, w) < 0)
		abort();
	loop_end_on_signals(loop, w->what_stays);
	sd_event_set_watchdog(loop, true);
	for (size_t i = 0; i < n_paths; i++) {
		if (!str_empty(paths[i]))
			watch_start(loop, paths[i], &watches[i]);
	}
	rc = sd_event_loop(loop);
	for (size_t i = 0; i < n_paths; i++)
		watch_fini(&watches[i]);
	sd_event_unref(loop);
	free(watches);
	return rc != 0;
}
