/* The inside of the strict runtime model: what its files share. Pure.
 *
 * fake-runtime.c answers calls, each noun's file says what they do to it. Only those include this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "fake-runtime.h"

enum { NSEC_PER_USEC_INT = 1000, USEC_IN_MSEC = 1000, KILLED = 137 };
/* of gRPC */
enum { NOT_FOUND = 5, INVALID = 3, UNKNOWN = 2, UNIMPLEMENTED = 12 };

enum behaviour { BEHAVE_RUN, BEHAVE_STUBBORN, BEHAVE_EXIT };

struct sandbox {
	char *id, *handler;
	Cri__PodSandboxConfig *config;
	bool ready, unannounced; /* unannounced: the caller was never told of it */
	int64_t created_usec;
	unsigned address;
};

struct container {
	char *id, *image_id;
	struct sandbox *sandbox;
	Cri__ContainerConfig *config;
	Cri__ContainerState state;
	bool unannounced;
	enum behaviour behaviour;
	int exit_code;
	int64_t lifetime_usec; /* of BEHAVE_EXIT */
	bool out_of_memory;
	int64_t created_usec, started_usec, finished_usec;
	int64_t ends_usec; /* < 0: not by itself */
};

struct plan {
	struct fake_fault fault;
	char *text;
	unsigned seen;
};

struct fake_runtime {
	int64_t now_usec;
	unsigned next_id;
	VEC(struct sandbox *) sandboxes;
	VEC(struct container *) containers;
	VEC(Cri__ContainerEventResponse *) events;
	VEC(struct plan) plans;
	char **images, **breaches, **removed;
	unsigned lose_events;
	unsigned calls[CRI_RPC_COUNT];
	bool runtime_ready, network_ready, systemd_cgroups;
	bool unannounced; /* the reply of the call in hand will not arrive */
};

/* Returns the reply, or NULL with e set. */
typedef void *fake_serve(struct fake_runtime *rt, const void *request, struct err *e);

/* --- what every call needs --- */

void fake_breach(struct fake_runtime *rt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Returns NULL. */
void *fake_fail(struct err *e, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
char *fake_new_id(struct fake_runtime *rt, const char *kind);
void *fake_reply(enum cri_rpc rpc); /* an empty one */
/* An id that was never given out is the caller's fault; one that is gone is not. */
void fake_check_id(struct fake_runtime *rt, const char *what, const char *id);
void fake_announce(struct fake_runtime *rt, const char *id, Cri__ContainerEventType type,
		   const struct sandbox *s);

/* Copies of the maps in a config: the entry types differ by name only. Both return n. */
size_t fake_copy_map(size_t n, void *from, void *to);
/* Entries of a foreign map type with the same fields: key, value. */
size_t fake_convert_map(const ProtobufCMessageDescriptor *type, size_t n, void *from, void *to);

#define FAKE_CONVERT(to, from, map, type) \
	((to)->n_##map = \
	     fake_convert_map(&cri__##type##__##map##_entry__descriptor, (from)->n_##map, \
			      (void *)&(from)->map, (void *)&(to)->map))

const char *fake_label(size_t n, void *map, const char *key); /* "": none */
/* Every pair of the selector is in the labels. */
bool fake_selected(size_t n_want, void *want, size_t n_have, void *have);

/* --- faults --- */

/* The fault that hits this call, if any. Every plan counts every call, hit or not. */
const struct plan *fake_find_plan(struct fake_runtime *rt, enum cri_rpc rpc);
bool fake_reply_arrives(enum fake_fault_kind kind);
void fake_spoil(struct fake_runtime *rt, const struct plan *p, struct fake_outcome *o);

/* --- sandboxes --- */

struct sandbox *fake_find_sandbox(const struct fake_runtime *rt, const char *id);
void fake_sandbox_free(struct sandbox *s);
Cri__PodSandboxStatus *fake_sandbox_status(const struct sandbox *s);
bool fake_same_pod(const Cri__PodSandboxMetadata *a, const Cri__PodSandboxMetadata *b);
fake_serve fake_run_sandbox, fake_stop_sandbox, fake_remove_sandbox, fake_status_of_sandbox,
    fake_list_sandboxes;

/* --- containers --- */

struct container *fake_find_container(const struct fake_runtime *rt, const char *id);
void fake_container_free(struct container *c);
Cri__ContainerStatus *fake_container_status(const struct fake_runtime *rt,
					    const struct container *c);
bool fake_running(const struct container *c);
void fake_end_container(struct fake_runtime *rt, struct container *c, int exit_code);
/* The i-th is no more. */
void fake_drop_container(struct fake_runtime *rt, size_t i);
fake_serve fake_create_container, fake_start_container, fake_remove_container,
    fake_status_of_container, fake_list_containers, fake_update_container, fake_exec_sync;
/* What the stop of a container takes: delay until the caller hears of it. */
void *fake_stop_container(struct fake_runtime *rt, const void *request, struct err *e,
			  int64_t *delay_usec);

/* --- images --- */

char *fake_image_id(const char *name); /* heap */
/* Its name as the runtime has it; NULL: never pulled. */
const char *fake_find_image(const struct fake_runtime *rt, const char *name);
fake_serve fake_image_status, fake_pull_image, fake_remove_image, fake_list_images,
    fake_image_fs_info;
