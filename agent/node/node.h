/* This machine's Node: registered, its status reported, its Lease renewed. Effect.
 *
 *   WAITING ─runtime answered (or 30 s)→ REGISTERING ─created or adopted→ JOINING ─read back→
 * RUNNING
 *
 * No status is written before the runtime's first complete answer, unless the runtime stays away
 * for 30 s: then the Node says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "config/config.h"
#include "cri/cri.h"
#include "kube/client.h"
#include "kube/event.h"
#include "kube/object.h"
#include "machine.h"
#include "resource/cgroupvalues.h"

struct node;

enum { NODE_MEMORY_PRESSURE = 1, NODE_DISK_PRESSURE = 2, NODE_PID_PRESSURE = 4 };

/* Any may be NULL. Called from the loop; they may not free the node. */
struct node_ops {
	/* Once: the runtime's name, version and cgroup driver are known. */
	void (*runtime_known)(void *ctx);
	/* The runtime answers and says it is ready; false after 30 s without that. */
	void (*runtime_changed)(void *ctx, bool up);
	void (*network_changed)(void *ctx, bool ready);
	/* Once: the Node object exists and has been read. */
	void (*registered)(void *ctx);
	/* The Node object; before is NULL the first time. */
	void (*changed)(void *ctx, struct kube_object *before, struct kube_object *now);
	/* Asked for each status: what else keeps the node from being Ready, or NULL. */
	const char *(*problem)(void *ctx);
	/* Asked for each status: bits of pressure. */
	unsigned (*pressure)(void *ctx);
};

/* Reads the machine and checks that the configuration allows it (ERR_INVALID when not: cgroup v1,
 * swap, addresses). client NULL: no API server, only the runtime is watched. events may be NULL;
 * its host is kube_hostname(config->hostname_override). */
int node_new(sd_event *loop, const struct config *config, struct kube_client *client,
	     struct cri *cri, struct event_recorder *events, const struct node_ops *ops, void *ctx,
	     struct node **ret_node, struct err *e);
void node_free(struct node *n);
DEFINE_FREEP(node_free, struct node)
void node_start(struct node *n);
/* Something that ops answer has changed: report now. */
void node_report(struct node *n);
/* An image came or went. */
void node_images_changed(struct node *n);

/* What pods need to know of their node. Runtime name and cgroup driver are as the configuration
 * suggests until the runtime has told them. */
const char *node_name(const struct node *n);
char **node_host_ips(const struct node *n); /* NULL-terminated, or NULL when there is none yet */
const char *const *node_hugepage_sizes(const struct node *n); /* "2MB", …, NULL-terminated */
const char *node_runtime_name(const struct node *n);
const char *node_runtime_version(const struct node *n); /* "" while unknown */
const char *node_cgroup_driver(const struct node *n);
int64_t node_allocatable_cpu_milli(const struct node *n);
int64_t node_allocatable_memory_bytes(const struct node *n);
int64_t node_allocatable_ephemeral_bytes(const struct node *n);
/* Of all pods together: allocatable and what eviction keeps free. */
struct cgroup_limits node_pods_limits(const struct node *n);
int64_t node_capacity_pods(const struct node *n);
const struct machine *node_machine(const struct node *n);
bool node_network_ready(const struct node *n);
bool node_runtime_ready(const struct node *n);
/* Whether that handler of the runtime ("": the default one) can mount recursively read-only. */
bool node_recursive_read_only(const struct node *n, const char *handler);
/* The Node as last seen, borrowed; NULL before. */
struct kube_object *node_object(const struct node *n);
/* For events about the node; borrowed. */
const Core__ObjectReference *node_reference(const struct node *n);
/* Monotonic time of the last Lease renewal; 0: none. */
int64_t node_lease_renewed_usec(const struct node *n);
