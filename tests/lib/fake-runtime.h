/* A container runtime in memory that refuses illegal steps and remembers every breach. Pure: time
 * is told to it, effects are states.
 *
 * It answers CRI requests as containerd does, but is stricter than it: removing what runs, starting
 * twice, a second ready sandbox for a pod, a name that was never released and the like are
 * breaches, even where containerd would shrug. A fault plan makes it fail in the ways that runtimes
 * do.
 *
 * What a container does is its first command or argument, else the last part of its image's name up
 * to the colon: "run" lives until it is stopped; "stubborn" only dies when its grace is over;
 * "exit:CODE:MSECms" exits by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cri/cri.h"

struct fake_runtime;

struct fake_runtime *fake_runtime_new(void);
void fake_runtime_free(struct fake_runtime *rt);

/* Time in microseconds; what is due by then happens. It never goes back. */
void fake_runtime_advance(struct fake_runtime *rt, int64_t now_usec);
int64_t fake_runtime_next_usec(const struct fake_runtime *rt); /* the next thing due; < 0: none */

enum fake_fault_kind {
	FAKE_FAIL,       /* nothing happens, the call fails */
	FAKE_LOST_REPLY, /* it happens, the call fails */
	FAKE_NO_REPLY,   /* it happens, nobody hears of it */
	FAKE_SLOW,       /* it happens, the reply takes delay_msec */
	FAKE_GARBAGE,    /* it happens, the reply is noise */
	FAKE_HALF,       /* RunPodSandbox: a sandbox that is not ready, its name taken, an error */
	FAKE_FAULT_KINDS
};

struct fake_fault {
	enum cri_rpc rpc; /* CRI_RPC_COUNT: any */
	unsigned skip;    /* so many calls pass first */
	unsigned count;   /* then so many are hit; 0: all */
	enum fake_fault_kind kind;
	int status;       /* of gRPC; 0: 14, Unavailable */
	const char *text; /* NULL: "planned fault" */
	int delay_msec;
};
void fake_runtime_plan(struct fake_runtime *rt, const struct fake_fault *fault);
void fake_runtime_clear_plan(struct fake_runtime *rt);
void fake_runtime_lose_events(struct fake_runtime *rt, unsigned count); /* the next so many */

struct fake_outcome {
	void *reply; /* proto_free; NULL: see err */
	struct err err;
	int64_t delay_usec; /* before the caller hears of it */
	bool silent;        /* it never does */
	bool garbage;       /* noise instead of the reply */
};
void fake_runtime_call(struct fake_runtime *rt, enum cri_rpc rpc, const void *request,
		       struct fake_outcome *ret);

/* The oldest event that was not taken; NULL: none. The caller frees it. */
Cri__ContainerEventResponse *fake_runtime_take_event(struct fake_runtime *rt);

void fake_runtime_add_image(struct fake_runtime *rt, const char *name);
/* A container ends by itself now. false: it does not run. */
bool fake_runtime_exit(struct fake_runtime *rt, const char *container_id, int exit_code);
/* A sandbox's network or pause process dies: it is not ready, its containers are dead. */
bool fake_runtime_kill_sandbox(struct fake_runtime *rt, const char *sandbox_id);
/* A pod's sandboxes and containers carry another UID from now on, as if somebody else had made
 * them. */
void fake_runtime_rename(struct fake_runtime *rt, const char *pod, const char *uid);
void fake_runtime_set_ready(struct fake_runtime *rt, bool runtime, bool network);
void fake_runtime_set_systemd_cgroups(struct fake_runtime *rt, bool systemd);

size_t fake_runtime_breaches(const struct fake_runtime *rt);
const char *fake_runtime_breach(const struct fake_runtime *rt, size_t i);
unsigned fake_runtime_calls(const struct fake_runtime *rt, enum cri_rpc rpc);
char *fake_runtime_json(const struct fake_runtime *rt); /* heap */
