/* Calls below the typed ones: what client.c offers to the informers. Effect. */
#pragma once

#include "base/err.h"
#include "kube/http.h"
#include "kube/client.h"
#include "kube/wire.h"

/* Strings are taken over (method, accept and content_type are literals). */
struct call_spec {
	const char *method, *accept, *content_type;
	char *path; /* with query */
	char *noun; /* "get pods web/db", in front of every error */
	uint8_t *body;
	size_t body_len, body_max;
	bool stream;
};

struct call_ops {
	void (*data)(void *ctx, const char *content_type, const char *bytes, size_t len);
	/* e covers failed transfers and HTTP errors; reply is then what came, or NULL */
	void (*done)(void *ctx, const struct http_reply *reply, const struct err *e);
};

struct kube_call *call_start(struct kube_client *c, struct call_spec *spec,
			     const struct call_ops *ops, void *ctx);

sd_event *client_loop(struct kube_client *c);
bool client_json_only(const struct kube_client *c);
/* "/api/v1/namespaces/x/pods/y/status"; ns, name and sub may be NULL */
char *client_path(enum kube_kind kind, const char *ns, const char *name, const char *sub);
/* Decodes "k8s\0" envelopes and JSON; managedFields are dropped. *ret_object stays NULL for unknown
 * kinds. */
int client_decode(const char *content_type, const char *body, size_t len,
		  struct kube_object **ret_object, struct err *e);
/* An envelope's raw bytes to an object. */
int client_decode_raw(enum kube_kind kind, struct wire_slice raw, struct kube_object **ret_object,
		      struct err *e);
/* What a Status says, as an error. */
void client_status_error(const Meta__Status *status, struct err *e);

/* Called when the server answers again after it could not be reached. */
struct client_hook {
	struct client_hook *next;
	void (*reachable)(void *ctx);
	void *ctx;
};
void client_hook_add(struct kube_client *c, struct client_hook *hook);
void client_hook_remove(struct kube_client *c, struct client_hook *hook);
