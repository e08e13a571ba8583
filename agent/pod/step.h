/* Steps: actions of one pod under way. Private to agent/pod (podstep, podprepare, podstart). */
#pragma once

#include "image/images.h"
#include "pod.h"
#include "podfiles.h"
#include "probe/hooks.h"
#include "volume/objcache.h"
#include "volume/volumes.h"

struct start;
struct prepare_job;

struct step {
	struct step *next;
	struct pod *pod;
	enum plan_action_kind kind;
	int container; /* index at the last look; step_container refreshes it */
	char *container_name, *id;
	unsigned attempt;
	enum plan_kill_reason reason;
	bool will_restart;
	bool in_runtime; /* the runtime is making something: its answer must be awaited */
	int64_t began_usec, grace_sec;
	/* whatever is being waited for; cancelled with the step */
	struct cri_call *rpc;
	struct image_call *image;
	struct hook_call *hook;
	struct volumes_call *volumes;
	struct objcache_wait *objects;
	struct files_call *files;
	struct prepare_job *prepare;
	struct start *start;
};

struct step *step_new(struct pod *p, const struct plan_action *a);
/* Ends the step: a fresh look at the pod and a turn follow. */
void step_done(struct step *s);
struct pod_container *step_container(struct step *s);
const char *step_pod_ip(struct step *s);

void prepare_begin(struct step *s);
void prepare_cancel(struct prepare_job *j);
void start_begin(struct step *s);
void start_free(struct start *st);
/* Notes why the container did not start and when it may be tried again. */
void start_failed(struct step *s, const char *reason, const char *message);
