/* The API server: calls on libcurl's multi interface and sd-event, never blocking.
 *
 * A call's callback runs later, from the loop, exactly once, unless the call is cancelled first. It
 * may start and cancel calls; it must not free the client. Answers 429 and 5xx that carry
 * Retry-After are repeated (10 times at most) before the callback sees them.
 *
 * Two lanes: ordinary calls share a pool of connections and the rate limit; the heartbeat lane
 * (Lease, node status) has a connection of its own and no limit. Two heartbeats in a row that get
 * no answer rebuild every connection, and watches resume from their last version.
 * The program ignores SIGPIPE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "kube/kind.h"
#include "kube/kubeconfig.h"
#include "kube/object.h"

struct kube_client;
struct kube_call;

struct kube_client_options {
	const char *user_agent; /* ours: the server pretty-prints for curl's own */
	float qps;              /* <= 0: no limit */
	int burst;
	unsigned call_timeout_sec;      /* 0: 60 */
	unsigned heartbeat_timeout_sec; /* 0: 10 */
	bool json_only;                 /* no protobuf, for tests and odd proxies */
	struct spawner
	    *spawner; /* starts credential plugins, outlives the client; NULL: none run */
};

/* reply is borrowed (ref to keep); NULL on failure or when the answer is not of a known kind.
 * e is NULL on success. */
typedef void (*kube_done_fn)(void *ctx, struct kube_object *reply, const struct err *e);

/* credentials are taken over, on failure too */
int kube_client_new(sd_event *loop, struct kube_credentials *credentials,
		    const struct kube_client_options *options, struct kube_client **ret_client,
		    struct err *e);
/* Cancels every call. Informers on it must be gone. */
void kube_client_free(struct kube_client *c);
DEFINE_FREEP(kube_client_free, struct kube_client)
/* The same client with calls on the heartbeat lane; lives as long as the client. */
struct kube_client *kube_client_heartbeat(struct kube_client *c);
/* New credentials (taken over): every connection is rebuilt. */
void kube_client_set_credentials(struct kube_client *c, struct kube_credentials *credentials);
/* Reads the files behind the credentials again and rebuilds every connection. */
int kube_client_reload(struct kube_client *c, struct err *e);
/* False from a failed connection until the next answer. */
bool kube_client_reachable(const struct kube_client *c);

struct kube_call *kube_get(struct kube_client *c, enum kube_kind kind, const char *ns,
			   const char *name, kube_done_fn fn, void *ctx);
/* name and subresource come together ("token") or are both NULL. The message may be of another kind
 * (TokenRequest below a ServiceAccount). */
struct kube_call *kube_create(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, const char *subresource, const void *msg,
			      kube_done_fn fn, void *ctx);
struct kube_call *kube_update(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, const char *subresource, const void *msg,
			      kube_done_fn fn, void *ctx);
enum kube_patch_type { KUBE_PATCH_STRATEGIC, KUBE_PATCH_MERGE };
struct kube_call *kube_patch(struct kube_client *c, enum kube_kind kind, const char *ns,
			     const char *name, const char *subresource, enum kube_patch_type type,
			     const char *json, kube_done_fn fn, void *ctx);
/* grace_sec < 0 leaves it out; uid is a precondition, or NULL */
struct kube_call *kube_delete(struct kube_client *c, enum kube_kind kind, const char *ns,
			      const char *name, int64_t grace_sec, const char *uid, kube_done_fn fn,
			      void *ctx);
/* The callback is not called any more. NULL is fine. Not for a call whose callback has run. */
void kube_call_cancel(struct kube_call *call);

/* Any path ("/healthz"), the raw answer. The body is borrowed and NUL-terminated. */
typedef void (*kube_raw_fn)(void *ctx, int status, const char *content_type, const char *body,
			    size_t len, const struct err *e);
struct kube_call *kube_raw(struct kube_client *c, const char *method, const char *path_and_query,
			   const char *content_type, const char *body, const char *accept,
			   kube_raw_fn fn, void *ctx);
