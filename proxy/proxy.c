/* Joining the parts of the proxy (contract in proxy.h). Effect.
 *
 * Everything runs on one loop. What the API and the files say is taken in as it comes; the data
 * plane starts once it is complete, and keeps programming when they change or go away.
 */
#include "proxy.h"

#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/await.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/proto.h"
#include "base/spawner.h"
#include "base/str.h"
#include "k8s/networking.pb-c.h"
#include "kube/hostname.h"
#include "kube/version.h"
#include "parts.h"
#include "privileges.h"
#include "sysctls.h"

enum { PATIENCE_SEC = 30, WITHDRAW_SEC = 5, SYSCTL_BYTES = 64 };

static const char service_fields[] = "spec.clusterIP!=None";
static const char service_labels[] = "!service.kubernetes.io/service-proxy-name";
static const char slice_labels[] = "!service.kubernetes.io/headless";

/* ---- events ---- */

void proxy_node_event(struct proxy *p, const char *type, const char *reason, const char *message)
{
	const Meta__ObjectMeta meta = { .name = p->node_name };
	Core__ObjectReference *about = event_reference_of(KUBE_NODE, &meta, NULL);

	event_record(p->events, about, type, reason, "%s", message);
	proto_free(about);
}

static void on_warn(void *ctx, const char *ns, const char *service, const char *reason,
		    const char *message)
{
	struct proxy *p = ctx;
	const Meta__ObjectMeta meta = { .name = (char *)service, .namespace_ = (char *)ns };
	Core__ObjectReference *about = event_reference_of(KUBE_SERVICE, &meta, NULL);

	event_record(p->events, about, EVENT_WARNING, reason, "%s", message);
	proto_free(about);
}

/* ---- the data plane ---- */

static void on_synced(void *ctx, enum dataplane_family family, bool full, int64_t took_usec,
		      int64_t trigger_usec, const struct err *e)
{
	struct proxy *p = ctx;

	if (!e)
		metrics_synced(&p->metrics, family, full, took_usec, trigger_usec,
			       clock_wall_usec());
}

static void on_health_changed(void *ctx)
{
	proxyserver_sync_services(ctx);
}

static const struct dataplane_ops dataplane_ops = {
	.synced = on_synced,
	.health_changed = on_health_changed,
	.warn = on_warn,
};

/* Each sentence once, until it is no longer true. */
static void tell_warnings(struct proxy *p)
{
	char **lines = NULL;

	settings_warn(p->config, &p->settings, &p->node, p->v6, &lines);
	for (size_t i = 0; lines && lines[i]; i++) {
		if (!strv_has(p->warned, lines[i]))
			log_warning("%s", lines[i]);
	}
	strv_free(p->warned);
	p->warned = lines;
}

/* The settings follow the configuration and the Node. */
static void refresh_settings(struct proxy *p)
{
	struct settings now;
	struct err e;

	settings_make(p->config, p->node_name, &p->node, &now);
	if (!settings_equal(&now, &p->settings) &&
	    dataplane_configure(p->dataplane, &now.dataplane, &e) < 0) {
		log_err(&e, "the data plane keeps its settings");
		settings_fini(&now);
		return;
	}
	settings_fini(&p->settings);
	p->settings = now;
	if (p->node.known)
		tell_warnings(p);
	proxyserver_sync_services(p);
}

/* ---- the start ---- */

static bool node_complete(const struct proxy *p)
{
	/* a local mode that needs the podCIDRs would take every pod for a stranger without */
	if (p->settings.dataplane.local == DATAPLANE_LOCAL_NODE_CIDR && !p->node.pod_cidrs)
		return false;
	return informer_synced(p->nodes) && (p->node.primary.len || p->patience_over);
}

void proxy_try_start(struct proxy *p)
{
	struct err e;

	if (p->started || !informer_synced(p->services) || !informer_synced(p->slices) ||
	    !node_complete(p) || !(informer_synced(p->service_cidrs) || p->patience_over) ||
	    !(proxypeers_ready(p) || p->patience_over))
		return;
	if (settings_check(p->config, &p->settings, &p->node, p->v6, &e) < 0) {
		if (!p->useless)
			log_err(&e, "nothing is programmed");
		p->useless = true;
		return;
	}
	if (!p->node.primary.len)
		log_warning("node %s has no address yet: NodePorts start when it has one",
			    p->node_name);
	if (!informer_synced(p->service_cidrs))
		log_warning(
		    "ServiceCIDRs cannot be listed: addresses that belong to no service are "
		    "not refused");
	p->started = true;
	log_info("programming starts node=%s mode=nftables configured=%s", p->node_name,
		 p->config->mode);
	dataplane_start(p->dataplane);
}

static int on_patience(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct proxy *p = userdata;

	(void)s;
	(void)usec;
	p->patience_over = true;
	if (!p->started)
		log_warning(
		    "still waiting:%s%s%s%s%s", informer_synced(p->services) ? "" : " services",
		    informer_synced(p->slices) ? "" : " endpoint slices",
		    informer_synced(p->service_cidrs) ? "" : " service CIDRs",
		    node_complete(p) ? "" : " own node", proxypeers_ready(p) ? "" : " other nodes");
	proxy_try_start(p);
	return 0;
}

/* ---- what the API says ---- */

static void on_list_synced(void *ctx)
{
	proxy_try_start(ctx);
}

static void on_service(void *ctx, struct kube_object *o)
{
	struct proxy *p = ctx;

	dataplane_put_service(p->dataplane, (const Core__Service *)o->msg);
}

static void on_service_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_service(ctx, now);
}

static void on_service_deleted(void *ctx, struct kube_object *last)
{
	struct proxy *p = ctx;

	dataplane_remove_service(p->dataplane, last->meta->namespace_, last->meta->name);
}

static const struct informer_ops service_ops = { on_service, on_service_updated, on_service_deleted,
						 on_list_synced };

static void on_slice(void *ctx, struct kube_object *o)
{
	struct proxy *p = ctx;

	dataplane_put_slice(p->dataplane, (const Discovery__EndpointSlice *)o->msg);
}

static void on_slice_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_slice(ctx, now);
}

static void on_slice_deleted(void *ctx, struct kube_object *last)
{
	struct proxy *p = ctx;

	dataplane_remove_slice(p->dataplane, last->meta->namespace_, last->meta->name);
}

static const struct informer_ops slice_ops = { on_slice, on_slice_updated, on_slice_deleted,
					       on_list_synced };

/* There are few: the ranges of all of them are collected anew. */
static void collect_service_cidrs(struct proxy *p)
{
	struct kube_object *o;
	char **cidrs = NULL;
	size_t cursor = 0;

	while ((o = informer_next(p->service_cidrs, &cursor))) {
		const Networking__ServiceCIDR *s = (const Networking__ServiceCIDR *)o->msg;

		for (size_t i = 0; s->spec && i < s->spec->n_cidrs; i++)
			strv_push(&cidrs, s->spec->cidrs[i]);
	}
	dataplane_set_service_cidrs(p->dataplane, cidrs);
	strv_free(cidrs);
}

static void on_service_cidr(void *ctx, struct kube_object *o)
{
	(void)o;
	collect_service_cidrs(ctx);
}

static void on_service_cidr_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_service_cidr(ctx, now);
}

static const struct informer_ops service_cidr_ops = { on_service_cidr, on_service_cidr_updated,
						      on_service_cidr, on_list_synced };

static void take_node(struct proxy *p, const Core__Node *node)
{
	struct nodeinfo now;

	nodeinfo_read(node, &now);
	nodeinfo_fini(&p->node);
	p->node = now;
	refresh_settings(p);
	proxy_try_start(p);
}

static bool is_own(const struct proxy *p, const struct kube_object *node)
{
	return str_eq(node->meta->name, p->node_name);
}

static void on_node(void *ctx, struct kube_object *o)
{
	struct proxy *p = ctx;

	dataplane_put_node(p->dataplane, (const Core__Node *)o->msg);
	if (is_own(p, o))
		take_node(p, (const Core__Node *)o->msg);
}

static void on_node_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_node(ctx, now);
}

static void on_node_deleted(void *ctx, struct kube_object *last)
{
	struct proxy *p = ctx;

	dataplane_remove_node(p->dataplane, last->meta->name);
	if (is_own(p, last))
		take_node(p, NULL);
}

static const struct informer_ops node_ops = { on_node, on_node_updated, on_node_deleted,
					      on_list_synced };

/* ---- files ---- */

static int load_credentials(const struct config *c, struct kube_credentials **ret, struct err *e)
{
	struct kube_credentials *credentials = NULL;

	if (!str_empty(c->kubeconfig)) {
		if (kubeconfig_load(c->kubeconfig, &credentials, e) < 0) {
			/* whatever is wrong with it: whoever writes it may not be done yet */
			if (e->code == ERR_INVALID)
				e->code = ERR_UNAVAILABLE;
			return err_wrap(e, "kubeconfig");
		}
	} else if (!str_empty(c->master)) {
		credentials = NEW(struct kube_credentials);
	} else if (kubeconfig_in_cluster(NULL, &credentials, e) < 0) {
		return err_wrap(e, "neither clientConnection.kubeconfig nor --master is set");
	}
	if (!str_empty(c->master)) {
		free(credentials->server);
		credentials->server = mem_strdup(c->master);
	}
	*ret = credentials;
	return 0;
}

static void append_list(struct str *text, char *const *list)
{
	for (; list && *list; list++)
		str_printf(text, "\n%s", *list);
}

/* All that tells one set of credentials from another. */
static char *credentials_text(const struct kube_credentials *c)
{
	const char *const parts[] = { c->server,   c->tls_server_name, c->proxy_url, c->ca_pem,
				      c->cert_pem, c->key_pem,         c->token,     c->token_file,
				      c->username, c->password };
	AUTO_STR text = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		str_printf(&text, "%s\n", str_or(parts[i], ""));
	str_printf(&text, "%d", c->insecure);
	if (c->exec) {
		str_printf(&text, "\n%s", c->exec->command);
		append_list(&text, c->exec->args);
		append_list(&text, c->exec->env);
	}
	return str_take(&text);
}

/* Its directory changed: a rebuilt connection pool is too much for a neighbour of the file. */
static void on_kubeconfig_changed(void *ctx)
{
	struct proxy *p = ctx;
	struct kube_credentials *credentials;
	AUTO_FREE char *text = NULL;
	struct err e;

	if (load_credentials(p->config, &credentials, &e) < 0) {
		log_err(&e, "the credentials stay as they were");
		return;
	}
	text = credentials_text(credentials);
	if (str_eq(text, p->credentials)) {
		kube_credentials_free(credentials);
		return;
	}
	if (credentials->exec && !p->spawner)
		log_warning(
		    "the kubeconfig has a credential plugin now: it runs with the next start");
	log_v(2, "kubeconfig read again");
	free(p->credentials);
	p->credentials = TAKE(text);
	kube_client_set_credentials(p->client, credentials);
}

static void watch_kubeconfig(struct proxy *p)
{
	struct err e;

	filewatch_free(TAKE(p->kubeconfig_watch));
	if (!str_empty(p->config->kubeconfig) &&
	    filewatch_new(p->loop, p->config->kubeconfig, on_kubeconfig_changed, p,
			  &p->kubeconfig_watch, &e) < 0)
		log_err_warning(&e, "changes of the kubeconfig are not seen");
}

/* What an open client or a running watch was made from. */
static void tell_what_needs_a_restart(const struct config *before, const struct config *now)
{
	if (before->qps != now->qps || before->burst != now->burst)
		log_warning("clientConnection.qps and burst change with the next start");
	if (!str_eq(before->hostname_override, now->hostname_override))
		log_warning("hostnameOverride changes with the next start");
}

static void on_config_changed(void *ctx)
{
	struct proxy *p = ctx;
	struct config *now = NULL, *before = p->config;
	struct err e;

	if (config_load(p->argc, p->argv, &now, &e) < 0) {
		log_err(&e, "the configuration stays as it was");
		return;
	}
	if (str_eq(now->configz, before->configz)) {
		config_free(now);
		return;
	}
	log_info("the configuration changed");
	conf_log_notes(&now->notes);
	tell_what_needs_a_restart(before, now);
	log_set_verbosity(now->verbosity);
	p->config = now;
	p->useless = false;
	refresh_settings(p);
	proxypeers_configure(p);
	proxyserver_set(p);
	if (!str_eq(now->kubeconfig, before->kubeconfig)) {
		watch_kubeconfig(p);
		on_kubeconfig_changed(p);
	}
	sysctls_apply(now, "");
	config_free(before);
	proxy_try_start(p);
}

static void watch_files(struct proxy *p)
{
	struct err e;

	watch_kubeconfig(p);
	if (!str_empty(p->config->config_file) &&
	    filewatch_new(p->loop, p->config->config_file, on_config_changed, p, &p->config_watch,
			  &e) < 0)
		log_err_warning(&e, "changes of the configuration are not seen");
}

/* ---- making ---- */

static bool host_has_v6(void)
{
	AUTO_FREE char *disabled = NULL;

	if (access("/proc/net/if_inet6", F_OK) < 0)
		return false;
	return fs_read("/proc/sys/net/ipv6/conf/all/disable_ipv6", SYSCTL_BYTES, &disabled, NULL,
		       NULL) < 0 ||
	       *disabled != '1';
}

static int make_client(struct proxy *p, struct err *e)
{
	const struct config *c = p->config;
	struct kube_credentials *credentials = NULL;
	struct kube_client_options options = {
		.user_agent = "keelson-proxy/" KUBE_VERSION,
		.qps = (float)c->qps,
		.burst = c->burst,
	};

	if (load_credentials(c, &credentials, e) < 0)
		return -1;
	/* before the filter */
	if (credentials->exec && spawner_new(&p->spawner, e) < 0) {
		kube_credentials_free(credentials);
		return -1;
	}
	options.spawner = p->spawner;
	p->credentials = credentials_text(credentials);
	if (kube_client_new(p->loop, credentials, &options, &p->client, e) < 0)
		return err_wrap(e, "API server client");
	p->events = event_recorder_new(p->client, p->loop, "kube-proxy", p->node_name,
				       (float)c->qps, c->burst);
	return 0;
}

static void make_informers(struct proxy *p)
{
	AUTO_FREE char *own = str_fmt("metadata.name=%s", p->node_name);

	p->services = informer_new_thin(p->client, KUBE_SERVICE, NULL, service_fields,
					service_labels, &service_ops, p);
	p->slices = informer_new_thin(p->client, KUBE_ENDPOINT_SLICE, NULL, NULL, slice_labels,
				      &slice_ops, p);
	p->service_cidrs =
	    informer_new(p->client, KUBE_SERVICE_CIDR, NULL, NULL, NULL, &service_cidr_ops, p);
	p->nodes = informer_new_thin(p->client, KUBE_NODE, NULL, own, NULL, &node_ops, p);
}

static int make_all(struct proxy *p, struct err *e)
{
	p->v6 = host_has_v6();
	if (kube_hostname(p->config->hostname_override, &p->node_name, e) < 0 ||
	    make_client(p, e) < 0)
		return -1;
	settings_make(p->config, p->node_name, &p->node, &p->settings);
	if (dataplane_new(p->loop, &p->settings.dataplane, &dataplane_ops, p, &p->dataplane, e) < 0)
		return err_wrap(e, "data plane");
	sd_notify(0, "STATUS=running");
	proxyserver_start(p);
	if (sd_event_add_time_relative(p->loop, &p->patience, CLOCK_MONOTONIC,
				       PATIENCE_SEC * (uint64_t)USEC_PER_SEC, USEC_PER_SEC,
				       on_patience, p) < 0)
		return err_set(e, ERR_INTERNAL, "no timer");
	make_informers(p);
	if (proxypeers_start(p, e) < 0)
		return -1;
	watch_files(p);
	if (privileges_filter(e) < 0)
		log_err_warning(e, "may make any system call");
	proxy_node_event(p, EVENT_NORMAL, "Starting", "");
	/* ready is: configuration valid, the health address bound or told; the API server may be
	 * reached through this very proxy */
	sd_notify(0, "READY=1");
	sd_event_set_watchdog(p->loop, true);
	return 0;
}

/* The kernel stays as it is. Answers stop coming when the client goes. */
static void unmake(struct proxy *p)
{
	filewatch_free(p->config_watch);
	filewatch_free(p->kubeconfig_watch);
	informer_free(p->services);
	informer_free(p->slices);
	informer_free(p->service_cidrs);
	informer_free(p->nodes);
	proxypeers_stop(p);
	event_recorder_free(p->events);
	kube_client_free(p->client);
	spawner_free(p->spawner);
	proxyserver_stop(p);
	dataplane_free(p->dataplane);
	proxypeers_free(p);
	sd_event_source_disable_unref(p->patience);
	settings_fini(&p->settings);
	nodeinfo_fini(&p->node);
	strv_free(p->warned);
	free(p->credentials);
	free(p->node_name);
}

static void withdrawn(void *ctx, struct kube_object *reply, const struct err *e)
{
	(void)reply;
	if (e && e->code != ERR_NOT_FOUND)
		log_err_warning(e, "the Node may still say that replies return through it "
				   "(annotation " PEERS_ANNOTATION ")");
	sd_event_exit(ctx, 0);
}

static int give_up(sd_event_source *s, uint64_t usec, void *userdata)
{
	const struct err e = { .code = ERR_TIMEOUT, .text = "the API server does not answer" };

	(void)s;
	(void)usec;
	withdrawn(userdata, NULL, &e);
	return 0;
}

void proxy_withdraw(const struct config *config)
{
	static const char patch[] =
	    "{\"metadata\":{\"annotations\":{\"" PEERS_ANNOTATION "\":null}}}";
	struct proxy p = { .config = (struct config *)config };
	sd_event_source *timer = NULL;
	struct err e;

	if (sd_event_new(&p.loop) < 0)
		return;
	if (kube_hostname(config->hostname_override, &p.node_name, &e) < 0 ||
	    make_client(&p, &e) < 0) {
		log_v(1, "%s: the Node is left as it is", e.text);
	} else if (sd_event_add_time_relative(p.loop, &timer, CLOCK_MONOTONIC,
					      WITHDRAW_SEC * (uint64_t)USEC_PER_SEC, 0, give_up,
					      p.loop) >= 0) {
		kube_patch(p.client, KUBE_NODE, NULL, p.node_name, NULL, KUBE_PATCH_MERGE, patch,
			   withdrawn, p.loop);
		sd_event_loop(p.loop);
	}
	sd_event_source_disable_unref(timer);
	event_recorder_free(p.events);
	kube_client_free(p.client);
	free(p.credentials);
	free(p.node_name);
	sd_event_unref(p.loop);
}

int proxy_init(const struct config *config)
{
	return sysctls_apply(config, "") ? 1 : 0;
}

/* One life: 0 or 1, the exit status; -1: it did not begin, and nothing of it remains. *config is
 * the last one that was taken. */
static int live(struct config **config, int argc, char *const *argv, struct err *e)
{
	struct proxy p = { .argc = argc, .argv = argv, .config = *config };
	int r = -1;

	p.start_usec = clock_wall_usec();
	if (sd_event_new(&p.loop) < 0)
		return 1;
	loop_end_on_signals(p.loop, PROXY_WHAT_STAYS);
	if (make_all(&p, e) == 0)
		r = sd_event_loop(p.loop) ? 1 : 0;
	unmake(&p);
	sd_event_unref(p.loop);
	*config = p.config;
	return r;
}

static int live_until_end(struct config **config, int argc, char *const *argv)
{
	struct await wait = { .what_stays = PROXY_WHAT_STAYS };
	struct err e;
	int r;

	while ((r = live(config, argc, argv, &e)) < 0) {
		const char *const awaited[] = { (*config)->kubeconfig };

		if (e.code == ERR_INVALID) {
			log_err(&e, "cannot start");
			return CONFIG_EXIT_STATUS;
		}
		if (!await_retry(&wait, &e, awaited, ARRAY_SIZE(awaited)))
			return 0;
	}
	return r;
}

int proxy_run(struct config *config, int argc, char *const *argv)
{
	struct err e;
	int r;

	process_set_oom_score(config->oom_score_adj);
	/* every health port takes connections of strangers: they must not use up our own files */
	process_set_open_files(0);
	sysctls_apply(config, "");
	if (privileges_drop(&e) < 0)
		log_err_warning(&e, "keeps more privileges than it needs");
	r = live_until_end(&config, argc, argv);
	config_free(config);
	return r;
}
