/* The strict runtime model behind a gRPC socket: real time, late and lost replies, events. Effect.
 */
#pragma once

#include <sys/types.h>
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

/* The client dies by SIGKILL at one of its calls: before it has had an effect, or after it, when
 * the reply is on its way. */
struct fake_kill {
	pid_t pid;        /* 0: none is planned */
	enum cri_rpc rpc; /* CRI_RPC_COUNT: any */
	bool changes;     /* calls that change nothing pass uncounted */
	unsigned skip;    /* so many calls pass first */
	bool after;
};
void fake_cri_kill_at(struct fake_cri *f, const struct fake_kill *k);
bool fake_cri_kill_pending(const struct fake_cri *f);
