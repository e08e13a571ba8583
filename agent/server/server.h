/* The node's API server: HTTPS for the apiserver and monitoring, plain healthz on loopback. Effect.
 *
 * It knows the agent through struct server_ops only. Strings that an op hands out are borrowed
 * until the loop goes on. Errors whose text the client reads are passed on as they are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "access.h"
#include "base/err.h"
#include "base/job.h"
#include "base/str.h"
#include "cri/cri.h"
#include "user.h"

struct server;

/* A pod by name. */
struct server_pod {
	const char *uid;
	const char *sandbox_id; /* of the newest ready sandbox; NULL: none */
};

enum server_state { SERVER_STATE_NONE, SERVER_WAITING, SERVER_RUNNING, SERVER_TERMINATED };

/* A container of a pod as its published status tells it, ids without "containerd://". */
struct server_container {
	bool in_spec;    /* the pod has a container of that name */
	bool has_status; /* the status has an entry for it */
	enum server_state state;
	const char *waiting_reason;
	const char *id;            /* status.containerID; NULL or "" when there is none */
	const char *terminated_id; /* state.terminated.containerID */
	bool was_terminated;       /* lastState.terminated is there */
	const char *last_id;       /* lastState.terminated.containerID */
	const char *runtime_id;    /* newest one that the runtime knows: exec and attach */
	bool tty;                  /* as the spec says */
};

typedef void (*server_token_done)(void *done_ctx, const struct server_user *user /* NULL: no */,
				  const struct err *e /* the review failed */);
typedef void (*server_access_done)(void *done_ctx, bool allowed, const struct err *e);

struct server_ops {
	/* ERR_NOT_FOUND when there is no such pod. uid NULL: any. */
	int (*find_pod)(void *ctx, const char *ns, const char *pod, const char *uid,
			struct server_pod *ret, struct err *e);
	int (*find_container)(void *ctx, const char *ns, const char *pod, const char *uid,
			      const char *container, struct server_container *ret, struct err *e);
	/* Path of a container's log file (heap), from the runtime's status of it. */
	int (*log_path)(void *ctx, const char *container_id, char **ret_path, struct err *e);
	bool (*container_running)(void *ctx, const char *container_id);

	/* Heap JSON; NULL with e set on failure. */
	char *(*pods_json)(void *ctx, struct err *e);
	char *(*running_pods_json)(void *ctx, struct err *e);
	char *(*configz_json)(void *ctx, struct err *e); /* {"kubeletconfig":{…}} */
	char *(*stats_summary_json)(void *ctx, bool only_cpu_and_memory, struct err *e);
	/* "" , "/cadvisor", "/resource", "/probes", "/slis": Prometheus text; NULL op: not there */
	int (*metrics)(void *ctx, const char *which, struct str *out, struct err *e);
	/* check: "syncloop" or a name from healthz_checks */
	int (*healthy)(void *ctx, const char *check, struct err *e);

	/* done is called once, at once or later. */
	void (*token_review)(void *ctx, const char *token, server_token_done done, void *done_ctx);
	void (*access_review)(void *ctx, const struct server_access *access,
			      server_access_done done, void *done_ctx);
};

struct server_setup {
	sd_event *loop;
	struct job_pool *jobs; /* log files are read here */
	struct cri *cri;
	const struct server_ops *ops;
	void *ops_ctx;
	const char *node_name;

	const char *address; /* numeric; NULL: 0.0.0.0 */
	uint16_t port;       /* 0: any, see server_port */
	const char *healthz_address;
	int healthz_port; /* 0: none; < 0: any, see server_healthz_port */

	const char *cert_file,
	    *key_file; /* both NULL: cert_dir/kubelet.{crt,key}, made if missing */
	const char *cert_dir;
	char *const *self_signed_names; /* host name and addresses */
	const char *client_ca_file;     /* NULL: no x509 authentication */
	const char *tls_min_version;
	char *const *tls_cipher_suites;

	bool anonymous, webhook_authentication, webhook_authorization; /* else AlwaysAllow */
	int64_t token_ttl_sec, allow_ttl_sec, deny_ttl_sec;            /* 0: 120, 300, 30 */
	bool debugging_handlers;                                       /* exec, attach, logs, … */
	bool split_log_streams;                                        /* ?stream=Stdout|Stderr */
};

/* Binds both ports before it returns. */
int server_new(const struct server_setup *setup, struct server **ret, struct err *e);
void server_free(struct server *s);
uint16_t server_port(const struct server *s);
uint16_t server_healthz_port(const struct server *s);
