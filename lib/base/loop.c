/* The end of a program's loop (contract in base/loop.h). Effect. */
#include "base/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/mem.h"

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	const char *what_stays = userdata;

	log_info("signal %u: ending; %s", si->ssi_signo, what_stays);
	sd_notify(0, "STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

void loop_end_on_signals(sd_event *loop, const char *what_stays)
{
	static const int signals[] = { SIGTERM, SIGINT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sd_event_add_signal(loop, NULL, signals[i], on_signal, (void *)what_stays) < 0)
			abort();
	}
}
