/* What the runtime shows of one pod: sandboxes and containers, newest first. A value; pure.
 *
 * Filled from CRI replies by podobserve and handed to the planner and the status writer, which
 * never ask the runtime themselves.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

enum obs_container_state { OBS_CREATED, OBS_RUNNING, OBS_EXITED, OBS_UNKNOWN };

#define PODOBS_REASON_NS (1500LL * 1000 * 1000)

struct obs_container {
	char *id, *name, *sandbox_id;
	enum obs_container_state state;
	int64_t created_ns, started_ns, finished_ns; /* wall clock, 0 = not yet */
	int exit_code;
	char *reason, *message;
	char *image, *image_ref, *image_id;
	uint64_t hash;
	unsigned restart_count;
	char *log_path;             /* absolute */
	char *termination_log_path; /* on the host, NULL when there is none */
	char *termination_policy;   /* annotation value: File or FallbackToLogsOnError */
	int64_t grace_sec;          /* annotation terminationGracePeriod, -1 when absent */
	bool has_user;
	int64_t uid, gid;
	int64_t *groups;
	size_t n_groups;
	/* as the runtime reports them for a running container; -1 = unknown */
	int64_t cpu_shares, cpu_quota, cpu_period, memory_limit;
};

/* Who said the pod, whichever agent heard it. */
enum obs_source { OBS_FROM_API, OBS_FROM_FILE, OBS_FROM_URL };

struct obs_sandbox {
	char *id;
	unsigned attempt;
	bool ready;
	bool host_network;
	enum obs_source source;
	int64_t created_ns;
	char **ips; /* NULL-terminated, may be NULL */
};

struct podobs {
	char *uid, *ns, *name;
	struct obs_sandbox **sandboxes; /* newest first */
	size_t n_sandboxes;
	struct obs_container **containers; /* newest first */
	size_t n_containers;
};

struct podobs *podobs_new(const char *uid, const char *ns, const char *name);
void podobs_free(struct podobs *obs);
DEFINE_FREEP(podobs_free, struct podobs)
void obs_container_free(struct obs_container *c);
void obs_sandbox_free(struct obs_sandbox *s);

/* Take the value over, replacing one of the same id, and keep the order. */
void podobs_put_container(struct podobs *obs, struct obs_container *c);
void podobs_put_sandbox(struct podobs *obs, struct obs_sandbox *s);
void podobs_drop_container(struct podobs *obs, const char *id);
void podobs_drop_sandbox(struct podobs *obs, const char *id);

/* Newest container of that name, or NULL. */
const struct obs_container *podobs_latest(const struct podobs *obs, const char *container_name);
/* The one before the latest, or NULL. */
const struct obs_container *podobs_previous(const struct podobs *obs, const char *container_name);
/* The latest, only when it belongs to the newest sandbox. */
const struct obs_container *podobs_active(const struct podobs *obs, const char *container_name);
const struct obs_container *podobs_by_id(const struct podobs *obs, const char *id);
const struct obs_sandbox *podobs_sandbox(const struct podobs *obs); /* newest, or NULL */
/* When it ended; a container that never started ended when it was made. */
int64_t podobs_ended_ns(const struct obs_container *c);
enum obs_source podobs_source(const struct podobs *obs);
/* The runtime tells that a container was killed before it knows that the kernel did it for want of
 * memory: for a moment (PODOBS_REASON_NS) the reason Error may become OOMKilled. */
bool podobs_reason_may_change(const struct podobs *obs, int64_t now_ns);
bool podobs_any_running(const struct podobs *obs);
