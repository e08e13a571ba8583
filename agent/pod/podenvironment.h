/* What pods need around them: the services of the agent, passed as one value. */
#pragma once

#include <systemd/sd-event.h>

#include "base/job.h"
#include "cri/cri.h"
#include "kube/client.h"
#include "kube/event.h"
#include "kube/informer.h"
#include "podconfig.h"

struct podobserve;
struct podset;
struct statusq;
struct images;
struct objcache;
struct volumes;
struct probes;
struct hooks;
struct cgroups;
struct staticpods;
struct mirrors;

struct pod_environment {
	sd_event *loop;
	struct kube_client *client;
	struct cri *cri;
	struct job_pool *jobs;
	struct cgroups *cgroups;
	struct event_recorder *events;
	struct podobserve *observe;
	struct podset *set;
	struct staticpods *staticpods;
	struct mirrors *mirrors;
	struct statusq *statusq;
	struct images *images;
	struct objcache *objects;
	struct volumes *volumes;
	struct probes *probes;
	struct hooks *hooks;
	int64_t pod_pids_limit; /* 0: none */
	char **allowed_unsafe_sysctls;
	int64_t max_pods;
	struct kube_object *(*node_object)(void *ctx); /* borrowed; NULL before registration */
	/* whether that handler of the runtime can mount recursively read-only */
	bool (*recursive_read_only)(void *ctx, const char *handler);
	/* brings the host's DNS settings in node up to date */
	int (*read_resolv_conf)(void *ctx, struct err *e);
	void *node_ctx;
	struct informer *services, *runtime_classes;
	const struct podconfig_node *node;
	const char *node_name, *runtime_name;
	char **host_ips;    /* NULL-terminated */
	bool network_ready; /* of the runtime */
	int64_t start_wall_ns;
	int64_t max_crash_backoff_usec;
	int64_t allocatable_cpu_milli, allocatable_memory_bytes, allocatable_ephemeral_bytes;
};
