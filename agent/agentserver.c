/* The agent's answers to its API server (contract in agentserver.h). Effect. */
#include "agentserver.h"

#include <json-c/json.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/codec.h"
#include "node/node.h"
#include "parts.h"
#include "pod/containerstatus.h"
#include "pod/mirrors.h"
#include "pod/podobserve.h"
#include "pod/podset.h"
#include "reviews.h"
#include "server/server.h"

enum { RELIST_STALE_USEC = 180 * USEC_PER_SEC };

/* --- finding pods and containers --- */

static struct pod *find(struct agent *a, const char *ns, const char *name, const char *uid,
			struct err *e)
{
	struct pod *p = podset_find(a->env.set, ns, name);

	if (p &&
	    (str_empty(uid) || str_eq(uid, p->uid) || str_eq(uid, mirrors_uid(a->env.mirrors, p))))
		return p;
	err_set(e, ERR_NOT_FOUND, "pod does not exist");
	return NULL;
}

static int find_pod(void *ctx, const char *ns, const char *name, const char *uid,
		    struct server_pod *ret, struct err *e)
{
	struct agent *a = ctx;
	struct pod *p = find(a, ns, name, uid, e);
	const struct podobs *obs;
	const struct obs_sandbox *sandbox;

	if (!p)
		return -1;
	obs = podobserve_get(a->env.observe, p->uid);
	sandbox = obs ? podobs_sandbox(obs) : NULL;
	*ret = (struct server_pod){
		.uid = p->uid,
		.sandbox_id = sandbox && sandbox->ready ? sandbox->id : NULL,
	};
	return 0;
}

static const char *bare_id(const char *id)
{
	const char *sep = id ? strstr(id, "://") : NULL;

	return sep ? sep + 3 : id;
}

static const Core__ContainerStatus *status_of(const Core__PodStatus *s, const char *name)
{
	const Core__ContainerStatus *c;

	if (!s)
		return NULL;
	c = containerstatus_find(s->containerstatuses, s->n_containerstatuses, name);
	if (!c)
		c = containerstatus_find(s->initcontainerstatuses, s->n_initcontainerstatuses,
					 name);
	if (!c)
		c = containerstatus_find(s->ephemeralcontainerstatuses,
					 s->n_ephemeralcontainerstatuses, name);
	return c;
}

static void read_status(const Core__ContainerStatus *s, struct server_container *ret)
{
	ret->has_status = true;
	ret->id = bare_id(s->containerid);
	if (s->state && s->state->waiting) {
		ret->state = SERVER_WAITING;
		ret->waiting_reason = s->state->waiting->reason;
	} else if (s->state && s->state->running) {
		ret->state = SERVER_RUNNING;
	} else if (s->state && s->state->terminated) {
		ret->state = SERVER_TERMINATED;
		ret->terminated_id = bare_id(s->state->terminated->containerid);
	}
	if (s->laststate && s->laststate->terminated) {
		ret->was_terminated = true;
		ret->last_id = bare_id(s->laststate->terminated->containerid);
	}
}

static int find_container(void *ctx, const char *ns, const char *name, const char *uid,
			  const char *container, struct server_container *ret, struct err *e)
{
	struct agent *a = ctx;
	struct pod *p = find(a, ns, name, uid, e);
	const Core__ContainerStatus *s;
	const struct podobs *obs;
	int at;

	if (!p)
		return -1;
	*ret = (struct server_container){ 0 };
	at = podspec_find(p->spec, container);
	ret->in_spec = at >= 0;
	ret->tty = at >= 0 && p->spec->containers[at].spec->tty;
	s = status_of(p->status ? p->status : p->spec->pod->status, container);
	if (s)
		read_status(s, ret);
	obs = podobserve_get(a->env.observe, p->uid);
	if (obs && podobs_latest(obs, container))
		ret->runtime_id = podobs_latest(obs, container)->id;
	return 0;
}

static const struct obs_container *by_id(struct agent *a, const char *id)
{
	const struct podobs *obs;

	for (size_t cursor = 0; podobserve_next(a->env.observe, &cursor, &obs);) {
		const struct obs_container *c = podobs_by_id(obs, id);

		if (c)
			return c;
	}
	return NULL;
}

static int log_path(void *ctx, const char *container_id, char **ret_path, struct err *e)
{
	const struct obs_container *c = by_id(ctx, container_id);

	if (!c || str_empty(c->log_path))
		return err_set(e, ERR_NOT_FOUND,
			       "an error occurred when try to find container \"%s\": not found",
			       container_id);
	*ret_path = mem_strdup(c->log_path);
	return 0;
}

static bool container_running(void *ctx, const char *container_id)
{
	const struct obs_container *c = by_id(ctx, container_id);

	return c && c->state == OBS_RUNNING;
}

/* --- lists --- */

static struct json_object *pod_json(const struct pod *p)
{
	AUTO_PROTO Core__Pod *copy = proto_dup(p->spec->pod);

	if (p->status) {
		proto_free(copy->status);
		copy->status = proto_dup(p->status);
	}
	return codec_to_json(copy);
}

static char *pod_list(struct agent *a, bool running_only)
{
	struct json_object *list = json_object_new_object(), *items = json_object_new_array();
	struct pod *p;
	char *text;

	json_object_object_add(list, "kind", json_object_new_string("PodList"));
	json_object_object_add(list, "apiVersion", json_object_new_string("v1"));
	json_object_object_add(list, "metadata", json_object_new_object());
	for (size_t cursor = 0; podset_next(a->env.set, &cursor, &p);) {
		const struct podobs *obs = podobserve_get(a->env.observe, p->uid);

		if (p->spec && (!running_only || (obs && podobs_any_running(obs))))
			json_object_array_add(items, pod_json(p));
	}
	json_object_object_add(list, "items", items);
	text = mem_strdup(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return text;
}

static char *pods_json(void *ctx, struct err *e)
{
	(void)e;
	return pod_list(ctx, false);
}

static char *running_pods_json(void *ctx, struct err *e)
{
	(void)e;
	return pod_list(ctx, true);
}

static char *configz_json(void *ctx, struct err *e)
{
	struct agent *a = ctx;
	AUTO_JSON struct json_object *root = NULL;
	struct json_object *document;

	if (json_parse(a->config->configz, strlen(a->config->configz), &root, e) < 0)
		return NULL;
	/* what is true, not what was configured: the runtime decides */
	document = json_member(root, "kubeletconfig", json_type_object);
	json_object_object_add(document, "cgroupDriver",
			       json_object_new_string(node_cgroup_driver(a->node)));
	return json_text(root);
}

static int healthy(void *ctx, const char *check, struct err *e)
{
	struct agent *a = ctx;
	int64_t last = podobserve_last_relist_usec(a->env.observe);

	/* the loop answers, so it lives; the runtime's silence shows in the node's conditions */
	if (str_eq(check, "syncloop") && last && clock_mono_usec() - last > RELIST_STALE_USEC)
		return err_set(e, ERR_UNAVAILABLE, "the runtime has not answered for 3 minutes");
	return 0;
}

static const struct server_ops ops = {
	.find_pod = find_pod,
	.find_container = find_container,
	.log_path = log_path,
	.container_running = container_running,
	.pods_json = pods_json,
	.running_pods_json = running_pods_json,
	.configz_json = configz_json,
	.healthy = healthy,
	.token_review = reviews_token,
	.access_review = reviews_access,
};

int agentserver_start(struct agent *a, struct err *e)
{
	const struct config *c = a->config;
	char **names = NULL;
	struct server_setup setup = {
		.loop = a->loop,
		.jobs = a->env.jobs,
		.cri = a->env.cri,
		.ops = &ops,
		.ops_ctx = a,
		.node_name = a->env.node_name,
		.address = c->address,
		.port = (uint16_t)c->port,
		.healthz_address = c->healthz_bind_address,
		.healthz_port = c->healthz_port,
		.cert_file = str_empty(c->tls_cert_file) ? NULL : c->tls_cert_file,
		.key_file = str_empty(c->tls_private_key_file) ? NULL : c->tls_private_key_file,
		.cert_dir = c->cert_dir,
		.client_ca_file = str_empty(c->client_ca_file) ? NULL : c->client_ca_file,
		.tls_min_version = c->tls_min_version,
		.tls_cipher_suites = c->tls_cipher_suites,
		.anonymous = c->anonymous_authn,
		.webhook_authentication = c->webhook_authn,
		.webhook_authorization = str_eq(c->authorization_mode, "Webhook"),
		.token_ttl_sec = c->webhook_authn_ttl_usec / USEC_PER_SEC,
		.allow_ttl_sec = c->webhook_authorized_ttl_usec / USEC_PER_SEC,
		.deny_ttl_sec = c->webhook_unauthorized_ttl_usec / USEC_PER_SEC,
		.debugging_handlers = c->enable_debugging_handlers,
	};
	int r;

	if (!c->enable_server)
		return 0;
	if (!a->env.client && (setup.webhook_authentication || setup.webhook_authorization))
		return err_set(e, ERR_INVALID, "%s: there is no API server to ask (--kubeconfig)",
			       setup.webhook_authentication ? "authentication.webhook.enabled"
							    : "authorization.mode");
	strv_push(&names, a->env.node_name);
	for (size_t i = 0; a->env.host_ips && a->env.host_ips[i]; i++)
		strv_push(&names, a->env.host_ips[i]);
	setup.self_signed_names = names;
	r = server_new(&setup, &a->server, e);
	strv_free(names);
	return r;
}

void agentserver_stop(struct agent *a)
{
	server_free(a->server);
	a->server = NULL;
}
