/* The status of the Node object. Pure.
 *
 *   machine + configuration + runtime's answers + the Node as it is → the Node as it should be
 *
 * Works on a copy of the API's Node, field by field, so that what others put there stays: foreign
 * conditions, extended resources, volumesInUse.
 */
#pragma once

#include "cri/runtime.pb-c.h"
#include "k8s/core.pb-c.h"
#include "machine.h"
#include "resource/cgroupvalues.h"

enum { NODESTATUS_EVENTS_MAX = 8, NODESTATUS_NAMES_MAX = 5 };

struct nodestatus_input {
	const struct config *config;
	const struct machine *machine;
	const char *name, *hostname;
	char *const *ips; /* NULL: unknown now, what is there stays */
	bool external_cloud;
	int64_t now_usec; /* wall clock */

	const char *runtime_name, *runtime_version; /* NULL: unknown */
	const Cri__StatusResponse *runtime;         /* last answer, or NULL */
	bool runtime_down;                          /* no good answer for too long */
	const Cri__ListImagesResponse *images;      /* NULL: unknown, what is there stays */
	const char *problem;                        /* whatever else keeps it from being Ready */
	bool memory_pressure, disk_pressure, pid_pressure;
};

/* Events that the change deserves: reason (a literal) and whether the node was rebooted. */
struct nodestatus_events {
	const char *reasons[NODESTATUS_EVENTS_MAX];
	size_t n;
	bool rebooted;
};

void nodestatus_fill(const struct nodestatus_input *in, Core__Node *node,
		     struct nodestatus_events *ret_events);
/* Ignores when conditions were last confirmed. */
bool nodestatus_changed(const Core__Node *before, const Core__Node *after);
bool nodestatus_ready(const Core__Node *node);

/* The Node as it is registered: labels, taints, annotations; status not filled. */
Core__Node *nodestatus_initial(const struct nodestatus_input *in);
/* What a Node that was there before must take over from a new one: labels that the agent owns and
 * the attach-detach annotation. */
void nodestatus_adopt(const struct nodestatus_input *in, Core__Node *node);

/* Why the runtime or its network is not ready, as upstream says it; heap, or NULL. */
char *nodestatus_runtime_problem(const struct nodestatus_input *in);
/* "v2.4.2" and "1.6.20~ds1" as upstream prints them: "2.4.2", "1.6.20"; heap. */
char *nodestatus_version(const char *text);
bool nodestatus_network_ready(const Cri__StatusResponse *runtime);
bool nodestatus_runtime_ready(const Cri__StatusResponse *runtime);
/* Whether that handler ("": the default one) can mount recursively read-only. */
bool nodestatus_recursive_read_only(const Cri__StatusResponse *runtime, const char *handler);

/* Amounts for pods: what a Node's allocatable says, 0 when it says nothing. */
int64_t nodestatus_allocatable_milli(const Core__Node *node, const char *resource);
int64_t nodestatus_allocatable(const Core__Node *node, const char *resource);
/* All pods together, as their cgroup is limited: capacity, without the reservations where those are
 * enforced on pods. */
struct cgroup_limits nodestatus_pods_limits(const struct machine *m, const struct config *c);
