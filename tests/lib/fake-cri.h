/* The strict runtime model behind a gRPC socket: real time, late and lost replies, events. Effect.
 */
#pragma once

#include <systemd/sd-event.h>

#include "fake-runtime.h"

struct fake_cri;

/* rt is borrowed; its time is the wall clock from now on. */
int fake_cri_new(sd_event *loop, const char *socket_path, struct fake_runtime *rt,
		 struct fake_cri **ret, struct err *e);
void fake_cri_free(struct fake_cri *f);
/* After rt was changed behind its back: events go out, timers follow. */
void fake_cri_poke(struct fake_cri *f);
/* The runtime's process dies and comes back: connections break, its containers live on. */
int fake_cri_restart(struct fake_cri *f, struct err *e);
void fake_cri_down(struct fake_cri *f); /* dies; fake_cri_restart brings it back */
