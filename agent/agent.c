/* Joining the parts of the agent (contract in agent.h). Effect.
 *
 * Everything runs on one loop. Order of making is order of need; the order of unmaking is its
 * reverse, with the runtime's and the API's clients first so that nothing answers any more.
 */
#include "agent.h"

#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agentserver.h"
#include "base/await.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/spawner.h"
#include "base/str.h"
#include "image/images.h"
#include "kube/hostname.h"
#include "kube/version.h"
#include "node/machine.h"
#include "node/node.h"
#include "node/nodeaddr.h"
#include "node/tunables.h"
#include "parts.h"
#include "pod/mirrors.h"
#include "pod/podobserve.h"
#include "pod/podorphans.h"
#include "pod/podset.h"
#include "pod/staticpods.h"
#include "pod/statusq.h"
#include "privileges.h"
#include "probe/check.h"
#include "probe/hooks.h"
#include "probe/probes.h"
#include "resource/cgroupfs.h"
#include "resource/cgroupname.h"
#include "resource/cgroups.h"
#include "resource/resources.h"
#include "volume/objcache.h"
#include "volume/volumes.h"

enum {
	JOB_THREADS = 4,
	RESOLV_CONF_MAX_BYTES = 65536,
	CGROUPS_RETRY_USEC = 10 * USEC_PER_SEC,
};

/* --- what happens around pods --- */

static void on_observed(void *ctx, const char *uid)
{
	struct agent *a = ctx;

	podset_observed(a->env.set, uid);
}

/* Static pods need nothing but the runtime and their cgroups: the API server may be one of them. */
static void start_static_pods_if_due(struct agent *a)
{
	if (a->runtime_known && podobserve_is_ready(a->env.observe))
		staticpods_start(a->env.staticpods);
}

static void on_runtime_ready(void *ctx)
{
	struct agent *a = ctx;

	podset_runtime_ready(a->env.set);
	start_static_pods_if_due(a);
}

static const struct podobserve_ops observe_ops = {
	.changed = on_observed,
	.ready = on_runtime_ready,
};

static void on_object_changed(void *ctx, const char *holder)
{
	struct agent *a = ctx;

	volumes_object_changed(a->env.volumes, holder);
	podset_wake(a->env.set, holder);
}

static const struct objcache_ops object_ops = { .changed = on_object_changed };

static void on_probe_changed(void *ctx, const char *uid)
{
	struct agent *a = ctx;

	podset_wake(a->env.set, uid);
}

static const struct probes_ops probe_ops = { .changed = on_probe_changed };

static void on_pod(void *ctx, struct kube_object *object)
{
	struct agent *a = ctx;

	if (mirrors_is_mirror(object))
		mirrors_put(a->env.mirrors, object);
	else
		podset_put(a->env.set, object);
}

static void on_pod_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	on_pod(ctx, now);
}

static void on_pod_deleted(void *ctx, struct kube_object *last)
{
	struct agent *a = ctx;

	statusq_forget(a->env.statusq, last->meta->uid);
	if (mirrors_is_mirror(last))
		mirrors_remove(a->env.mirrors, last);
	else
		podset_remove(a->env.set, last);
}

static void on_pods_synced(void *ctx)
{
	struct agent *a = ctx;

	podset_weigh(a->env.set, a->env.cgroups);
	podset_source_ready(a->env.set, POD_SOURCE_API);
	mirrors_source_ready(a->env.mirrors);
}

static const struct informer_ops pod_ops = {
	.added = on_pod,
	.updated = on_pod_updated,
	.deleted = on_pod_deleted,
	.synced = on_pods_synced,
};

/* --- what happens around the node --- */

/* Pods are watched once this node is registered (else the API server shows us none), the runtime is
 * known (their cgroups depend on it) and services have been read (a container made earlier would
 * miss their variables). */
static void watch_pods_if_due(struct agent *a)
{
	AUTO_FREE char *selector = NULL;

	if (a->pods || !a->registered || !a->runtime_known || !informer_synced(a->env.services))
		return;
	selector = str_fmt("spec.nodeName=%s", a->env.node_name);
	a->pods = informer_new(a->env.client, KUBE_POD, NULL, selector, NULL, &pod_ops, a);
}

static void on_services_synced(void *ctx)
{
	watch_pods_if_due(ctx);
}

static const struct informer_ops service_ops = { .synced = on_services_synced };
static const struct informer_ops no_ops = { 0 };

static bool limits_pods(const struct agent *a)
{
	return strv_has(a->config->enforce_node_allocatable, "pods");
}

static void make_cgroups(struct agent *a);

static int on_cgroups_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	make_cgroups(ctx);
	return 0;
}

/* Told when it is new; tried again for ever, as what is missing may come. */
static void cgroups_failed(struct agent *a, const struct err *e)
{
	if (!str_eq(a->trouble, e->text)) {
		log_err(e, "no pod can run");
		free(a->trouble);
		a->trouble = mem_strdup(e->text);
		node_report(a->node);
	}
	sd_event_source_set_time_relative(a->cgroups_timer, CGROUPS_RETRY_USEC);
	sd_event_source_set_enabled(a->cgroups_timer, SD_EVENT_ONESHOT);
}

static void cgroups_made(void *ctx, const struct err *e)
{
	struct agent *a = ctx;

	if (e) {
		cgroups_failed(a, e);
		return;
	}
	free(a->trouble);
	a->trouble = NULL;
	if (limits_pods(a))
		event_record(a->env.events, node_reference(a->node), "Normal",
			     "NodeAllocatableEnforced",
			     "Updated Node Allocatable limit across pods");
	a->runtime_known = true;
	watch_pods_if_due(a);
	start_static_pods_if_due(a);
	node_report(a->node);
}

static void make_cgroups(struct agent *a)
{
	struct cgroup_limits limits = node_pods_limits(a->node);

	cgroups_setup(a->env.cgroups, &limits,
		      (struct cgroups_end){ .done = cgroups_made, .ctx = a });
}

static void on_runtime_known(void *ctx)
{
	struct agent *a = ctx;

	a->env.runtime_name = node_runtime_name(a->node);
	a->facts.systemd_cgroups = str_eq(node_cgroup_driver(a->node), "systemd");
	make_cgroups(a);
}

static void on_registered(void *ctx)
{
	struct agent *a = ctx;

	a->registered = true;
	a->env.host_ips = node_host_ips(a->node);
	watch_pods_if_due(a);
}

/* The addresses may have changed with it. */
static void on_node(void *ctx, struct kube_object *before, struct kube_object *now)
{
	struct agent *a = ctx;

	(void)before;
	(void)now;
	a->env.host_ips = node_host_ips(a->node);
	mirrors_wake(a->env.mirrors);
}

static void on_network(void *ctx, bool ready)
{
	struct agent *a = ctx;

	a->env.network_ready = ready;
	if (ready)
		podset_wake_all(a->env.set);
}

static const char *node_trouble(void *ctx)
{
	struct agent *a = ctx;

	return a->trouble;
}

static const struct node_ops node_ops = {
	.runtime_known = on_runtime_known,
	.network_changed = on_network,
	.registered = on_registered,
	.changed = on_node,
	.problem = node_trouble,
};

static struct kube_object *node_object_of(void *ctx)
{
	struct agent *a = ctx;

	return node_object(a->node);
}

static bool recursive_read_only_of(void *ctx, const char *handler)
{
	struct agent *a = ctx;

	return node_recursive_read_only(a->node, handler);
}

/* --- facts that pods are configured from --- */

/* As upstream, for each sandbox: what changed the host's file since counts. */
static int read_resolv_conf(void *ctx, struct err *e)
{
	struct agent *a = ctx;
	AUTO_FREE char *text = NULL;

	if (str_empty(a->config->resolv_conf))
		return 0;
	if (fs_read(a->config->resolv_conf, RESOLV_CONF_MAX_BYTES, &text, NULL, e) < 0)
		return err_wrap(e, "resolvConf");
	dns_config_fini(&a->facts.dns.host);
	poddns_parse_resolv_conf(text, &a->facts.dns.host);
	return 0;
}

/* The runtime, which is not asked yet, may use another driver than the configuration says, and the
 * name depends on it: one of the two has to be there. */
static int check_cgroup_root(struct agent *a, struct err *e)
{
	bool systemd = str_eq(a->config->cgroup_driver, "systemd");
	AUTO_FREE char *path = cgroupname_root(a->cgroup_root, systemd);
	AUTO_FREE char *other = cgroupname_root(a->cgroup_root, !systemd);

	if (!a->config->cgroups_per_qos || cgroupfs_check_root(a->cgroup_root, other, NULL) == 0)
		return 0;
	return cgroupfs_check_root(a->cgroup_root, path, e);
}

static int make_facts(struct agent *a, struct err *e)
{
	const struct config *c = a->config;

	a->cgroup_root =
	    str_eq(c->cgroup_root, "/") ? mem_strdup("") : mem_strdup(str_or(c->cgroup_root, ""));
	a->facts = (struct podconfig_node){
		.root_dir = c->root_dir,
		.pod_logs_dir = c->pod_logs_dir,
		.cgroup_root = a->cgroup_root,
		.cgroups_per_qos = c->cgroups_per_qos,
		.seccomp_default = c->seccomp_default,
		.cpu_cfs_quota = c->cpu_cfs_quota,
		.cpu_period_usec = c->cpu_cfs_quota_period_usec,
		.cgroup_v2 = cgroupfs_unified(),
		.limits_swap = cgroupfs_limits_swap(),
		.oom_kills_one = c->single_process_oom_kill,
		.memory_qos = { .on = config_gate(c, "MemoryQoS"),
				.tiered = str_eq(c->memory_reservation_policy, "TieredReservation"),
				.factor = c->memory_throttling_factor },
		.apparmor = access("/sys/kernel/security/apparmor/profiles", F_OK) == 0,
		.dns = { .cluster_dns = (const char *const *)c->cluster_dns,
			 .cluster_domain = c->cluster_domain },
	};
	if (check_cgroup_root(a, e) < 0)
		return -1;
	if (read_resolv_conf(a, e) < 0)
		log_err_warning(e, "pods cannot start without it");
	return 0;
}

static void node_facts(struct agent *a)
{
	a->facts.memory_capacity_bytes = node_machine(a->node)->memory_bytes;
	a->facts.memory_qos.allocatable_bytes = node_allocatable_memory_bytes(a->node);
	a->facts.hugepage_sizes = node_hugepage_sizes(a->node);
	a->env.node_name = node_name(a->node);
	a->env.host_ips = node_host_ips(a->node);
	a->env.allocatable_cpu_milli = node_allocatable_cpu_milli(a->node);
	a->env.allocatable_memory_bytes = node_allocatable_memory_bytes(a->node);
	a->env.allocatable_ephemeral_bytes = node_allocatable_ephemeral_bytes(a->node);
	a->env.max_pods = node_capacity_pods(a->node);
}

/* --- making --- */

static int make_api_client(struct agent *a, struct err *e)
{
	const struct config *c = a->config;
	struct kube_credentials *credentials;
	struct kube_client_options options = {
		.user_agent = "keelson-agent/" KUBE_VERSION,
		.qps = (float)c->kube_api_qps,
		.burst = c->kube_api_burst,
	};

	/* alone: pods from files are all there are */
	if (str_empty(c->kubeconfig) && str_empty(c->bootstrap_kubeconfig))
		return 0;
	if (str_empty(c->kubeconfig))
		return err_set(e, ERR_INVALID,
			       "--kubeconfig is required with --bootstrap-kubeconfig");
	if (kubeconfig_load(c->kubeconfig, &credentials, e) < 0) {
		/* whatever is wrong with it: whoever writes it may not be done yet */
		if (e->code == ERR_INVALID)
			e->code = ERR_UNAVAILABLE;
		return err_wrap(e, "kubeconfig%s",
				str_empty(c->bootstrap_kubeconfig)
				    ? ""
				    : " (no certificate is requested with the bootstrap one yet)");
	}
	/* before there are threads, and before the filter */
	if (credentials->exec && spawner_new(&a->spawner, e) < 0) {
		kube_credentials_free(credentials);
		return -1;
	}
	options.spawner = a->spawner;
	if (kube_client_new(a->loop, credentials, &options, &a->env.client, e) < 0)
		return err_wrap(e, "API server client");
	return 0;
}

static int make_clients(struct agent *a, struct err *e)
{
	const struct config *c = a->config;

	if (make_api_client(a, e) < 0)
		return -1;
	if (cri_new(a->loop, c->runtime_endpoint, c->image_endpoint, &a->env.cri, e) < 0)
		return err_wrap(e, "container runtime client");
	cri_set_request_timeout(a->env.cri, c->runtime_timeout_usec / USEC_PER_MSEC);
	return job_pool_new(a->loop, JOB_THREADS, &a->env.jobs, e);
}

static void make_pod_services(struct agent *a)
{
	struct pod_environment *env = &a->env;

	env->cgroups = cgroups_new(a->loop, env->jobs, &a->facts);
	sd_event_add_time_relative(a->loop, &a->cgroups_timer, CLOCK_MONOTONIC, CGROUPS_RETRY_USEC,
				   USEC_PER_SEC, on_cgroups_timer, a);
	sd_event_source_set_enabled(a->cgroups_timer, SD_EVENT_OFF);
	env->statusq = statusq_new(a->loop, env->client);
	env->images = images_new(a->loop, env->cri);
	env->objects = objcache_new(a->loop, env->client, &object_ops, a);
	env->volumes = volumes_new(env);
	a->checks = checks_new(a->loop, env->cri);
	env->hooks = hooks_new(a->loop, a->checks);
	env->probes = probes_new(a->loop, a->checks, env->events, &probe_ops, a);
	env->set = podset_new(env);
	env->staticpods = staticpods_new(env, &(struct staticpods_setup){
						  .path = a->config->static_pod_path,
						  .url = a->config->static_pod_url,
						  .headers = &a->config->static_pod_url_headers,
						  .file_period_usec = a->config->file_check_usec,
						  .url_period_usec = a->config->http_check_usec,
					      });
	env->observe = podobserve_new(a->loop, env->cri, &observe_ops, a);
	a->orphans = podorphans_new(env);
}

/* Without an API server it has said all that it will. */
static void make_api_sources(struct agent *a)
{
	struct pod_environment *env = &a->env;

	if (!env->client) {
		podset_source_ready(env->set, POD_SOURCE_API);
		return;
	}
	env->mirrors = mirrors_new(env);
	env->services = informer_new(env->client, KUBE_SERVICE, NULL, NULL, NULL, &service_ops, a);
	env->runtime_classes =
	    informer_new(env->client, KUBE_RUNTIME_CLASS, NULL, NULL, NULL, &no_ops, a);
}

static int make_all(struct agent *a, struct err *e)
{
	const struct config *c = a->config;
	AUTO_FREE char *host = NULL;

	a->env.loop = a->loop;
	a->env.node = &a->facts;
	a->env.start_wall_ns = clock_wall_usec() * 1000;
	a->env.max_crash_backoff_usec = c->max_restart_period_usec > 0
					    ? c->max_restart_period_usec
					    : (int64_t)BACKOFF_MAX_SEC * USEC_PER_SEC;
	a->env.pod_pids_limit = c->pod_pids_limit > 0 ? c->pod_pids_limit : 0;
	a->env.allowed_unsafe_sysctls = c->allowed_unsafe_sysctls;
	a->env.node_object = node_object_of;
	a->env.recursive_read_only = recursive_read_only_of;
	a->env.read_resolv_conf = read_resolv_conf;
	a->env.node_ctx = a;
	if (tunables_apply("", c->protect_kernel_defaults, e) < 0 || make_facts(a, e) < 0 ||
	    make_clients(a, e) < 0)
		return -1;
	if (kube_hostname(c->hostname_override, &host, e) < 0)
		return -1;
	if (a->env.client)
		a->env.events = event_recorder_new(a->env.client, a->loop, "kubelet", host,
						   (float)c->event_qps, c->event_burst);
	if (node_new(a->loop, c, a->env.client, a->env.cri, a->env.events, &node_ops, a, &a->node,
		     e) < 0)
		return -1;
	node_facts(a);
	make_pod_services(a);
	make_api_sources(a);
	if (agentserver_start(a, e) < 0)
		return -1;
	if (privileges_filter(e) < 0)
		log_err_warning(e, "may make any system call");
	node_start(a->node);
	/* ready is: configuration valid and the health port bound; waiting for the API server would
	 * deadlock a node whose API server is one of its own pods */
	sd_notify(0, "READY=1\nSTATUS=running");
	sd_event_set_watchdog(a->loop, true);
	return 0;
}

/* Steps let go of their jobs before the pool drops these; jobs are waited for before what they work
 * on goes; answers stop coming when the clients go. */
static void unmake(struct agent *a)
{
	struct pod_environment *env = &a->env;

	agentserver_stop(a);
	podset_free(env->set);
	staticpods_free(env->staticpods);
	mirrors_free(env->mirrors);
	job_pool_free(env->jobs);
	sd_event_source_disable_unref(a->cgroups_timer);
	cgroups_free(env->cgroups);
	podorphans_free(a->orphans);
	informer_free(a->pods);
	informer_free(env->services);
	informer_free(env->runtime_classes);
	volumes_free(env->volumes);
	objcache_free(env->objects);
	probes_free(env->probes);
	hooks_free(env->hooks);
	checks_free(a->checks);
	images_free(env->images);
	statusq_free(env->statusq);
	node_free(a->node);
	event_recorder_free(env->events);
	cri_free(env->cri);
	podobserve_free(env->observe);
	kube_client_free(env->client);
	spawner_free(a->spawner);
	dns_config_fini(&a->facts.dns.host);
	free(a->cgroup_root);
	free(a->trouble);
}

/* What the process was started with: the modes that pods count on do not depend on who starts it.
 */
static void set_process(const struct config *c)
{
	umask(0022);
	process_set_open_files((uint64_t)c->max_open_files);
	process_set_oom_score(c->oom_score_adj);
}

/* One life: 0 or 1, the exit status; -1: it did not begin, and nothing of it remains. */
static int live(const struct config *config, struct err *e)
{
	struct agent a = { .config = config };
	int r = -1;

	if (sd_event_new(&a.loop) < 0)
		return 1;
	loop_end_on_signals(a.loop, AGENT_WHAT_STAYS);
	if (make_all(&a, e) == 0)
		r = sd_event_loop(a.loop) < 0 ? 1 : 0;
	unmake(&a);
	sd_event_unref(a.loop);
	return r;
}

int agent_run(const struct config *config)
{
	struct await wait = { .what_stays = AGENT_WHAT_STAYS };
	const char *const awaited[] = { config->kubeconfig, config->client_ca_file,
					config->tls_cert_file, config->tls_private_key_file,
					config->resolv_conf };
	struct err e;
	int r;

	set_process(config);
	if (privileges_drop(&e) < 0)
		log_err_warning(&e, "keeps more privileges than it needs");
	while ((r = live(config, &e)) < 0) {
		if (e.code == ERR_INVALID) {
			log_err(&e, "cannot start");
			return CONFIG_EXIT_STATUS;
		}
		if (!await_retry(&wait, &e, awaited, ARRAY_SIZE(awaited)))
			return 0;
	}
	return r;
}
