/* Probes of all pods: workers, verdicts. Effect.
 *
 * A worker exists per (pod, container, kind) with such a probe while the container runs. Verdicts
 * belong to one instance of a container (its id) and are UNKNOWN until the threshold is met once;
 * a change of verdict wakes the pod.
 */
#pragma once

#include <systemd/sd-event.h>

#include "kube/event.h"
#include "probestate.h"

struct probes;

struct probes_ops {
	void (*changed)(void *ctx, const char *uid);
};

struct checks;
struct probes *probes_new(sd_event *loop, struct checks *checks, struct event_recorder *events,
			  const struct probes_ops *ops, void *ctx);
void probes_free(struct probes *p);

/* Makes the workers fit the pod: started for running containers, gone for others. */
void probes_sync_pod(struct probes *p, const struct podspec *spec, const struct podobs *obs,
		     const Core__PodStatus *status, const char *const *host_ips);
/* A terminating pod: startup and liveness probes end, readiness goes on. */
void probes_stop_starting(struct probes *p, const char *uid);
void probes_remove_pod(struct probes *p, const char *uid);
enum plan_verdict probes_verdict(const struct probes *p, const char *uid, const char *container,
				 enum probe_kind kind, const char *container_id);
