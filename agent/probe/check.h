/* One check against a container: exec, HTTP GET, TCP connect or gRPC health. Effect.
 *
 * Probes and lifecycle hooks both run these. done is called once, later; a check never blocks the
 * loop and ends at its deadline.
 */
#pragma once

#include "cri/cri.h"
#include "k8s/core.pb-c.h"

struct checks;
struct check;

enum check_result {
	CHECK_SUCCESS,
	CHECK_WARNING, /* success with something to say */
	CHECK_FAILURE,
	CHECK_ERROR, /* the check itself could not be made: nothing is known of the container */
};

typedef void (*check_done_fn)(void *ctx, enum check_result result, const char *output);

struct check_target {
	const Core__Container *container;
	const char *container_id, *pod_ip;
	const char *agent;    /* "kube-probe" or "kube-lifecycle" */
	int64_t timeout_usec; /* <= 0: none */
};

struct checks *checks_new(sd_event *loop, struct cri *cri);
void checks_free(struct checks *c);

struct check *check_exec(struct checks *c, const struct check_target *t, size_t n_command,
			 char *const *command, check_done_fn done, void *ctx);
struct check *check_http(struct checks *c, const struct check_target *t,
			 const Core__HTTPGetAction *get, check_done_fn done, void *ctx);
struct check *check_tcp(struct checks *c, const struct check_target *t,
			const Core__TCPSocketAction *tcp, check_done_fn done, void *ctx);
struct check *check_grpc(struct checks *c, const struct check_target *t,
			 const Core__GRPCAction *grpc, check_done_fn done, void *ctx);
void check_cancel(struct check *k);
