/* The Node object of this machine (contract and states in node.h). Effect. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/proto.h"
#include "base/str.h"
#include "kube/hostname.h"
#include "kube/informer.h"
#include "lease.h"
#include "nodeaddr.h"
#include "nodepatch.h"
#include "nodestatus.h"
#include "runtimewatch.h"

enum node_state { NODE_WAITING, NODE_REGISTERING, NODE_JOINING, NODE_RUNNING, NODE_STATES };

static const char *const state_names[NODE_STATES] = { "waiting for the runtime", "registering",
						      "joining", "running" };
static const unsigned state_next[NODE_STATES] = {
	[NODE_WAITING] = 1u << NODE_REGISTERING | 1u << NODE_JOINING,
	[NODE_REGISTERING] = 1u << NODE_JOINING,
	[NODE_JOINING] = 1u << NODE_RUNNING,
};

/* Amounts and names for pods, from machine and configuration. */
struct facts {
	char **hugepage_sizes;
	const char *runtime_name, *runtime_version, *cgroup_driver;
	int64_t cpu_milli, memory_bytes, ephemeral_bytes, pods;
};

enum {
	RETRY_FIRST_MSEC = 100,
	RETRY_MAX_MSEC = 7000,
	HURRY_SEC = 120,
	ROOT_DIR_MODE = 0750,
	SLACK_USEC = 250000,
};

struct node {
	sd_event *loop;
	const struct config *config;
	struct kube_client *client, *heartbeat;
	struct cri *cri;
	struct event_recorder *events;
	const struct node_ops *ops;
	void *ctx;

	char *name, **asked_ips, **ips;
	struct machine machine;
	struct facts facts;
	Core__ObjectReference *reference;

	enum node_state state;
	struct runtimewatch *runtime;
	struct lease *lease;
	struct informer *informer;
	struct kube_object *latest; /* the newest of what informer and patches told */
	struct kube_call *call;     /* registration or status, one at a time */
	struct cri_call *cidr_call;
	Core__Node *sent; /* what the call under way wants it to be */
	struct nodestatus_events sent_events;
	sd_event_source *timer, *retry_timer;
	unsigned retry_msec;
	bool again; /* report once more when the call is done */
	bool runtime_told, network_told, network_ready, runtime_up;
	bool was_ready, was_unschedulable, addresses_failed, announced;
	int64_t start_usec, reported_usec, report_delay_usec, machine_usec;
	char *pod_cidrs, *runtime_name, *runtime_version;
};

static void step(struct node *n);

static void node_enter(struct node *n, enum node_state state)
{
	if (!(state_next[n->state] & 1u << state)) {
		log_error("node %s: no way from %s to %s", n->name, state_names[n->state],
			  state_names[state]);
		return;
	}
	log_info("node %s: %s → %s", n->name, state_names[n->state], state_names[state]);
	n->state = state;
}

/* ---- timers ---- */

static void arm(sd_event_source *timer, int64_t usec)
{
	sd_event_source_set_time_relative(timer, (uint64_t)usec);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void retry_later(struct node *n)
{
	n->retry_msec = n->retry_msec ? 2 * n->retry_msec : RETRY_FIRST_MSEC;
	if (n->retry_msec > RETRY_MAX_MSEC)
		n->retry_msec = RETRY_MAX_MSEC;
	arm(n->retry_timer, (int64_t)n->retry_msec * USEC_PER_MSEC);
}

/* The first failure and those at the slowest pace are worth a line. */
static bool retry_worth_a_line(const struct node *n)
{
	return n->retry_msec == 0 || n->retry_msec == RETRY_MAX_MSEC;
}

/* ---- facts ---- */

static void read_machine(struct node *n)
{
	struct machine fresh;
	struct err e = { 0 };

	if (machine_read(n->config->root_dir, &fresh, &e) < 0) {
		log_err(&e, "node %s: reading the machine again", n->name);
		return;
	}
	machine_fini(&n->machine);
	n->machine = fresh;
	n->machine_usec = clock_mono_usec();
}

static void choose_addresses(struct node *n)
{
	struct err e = { 0 };
	char **ips = NULL;

	if (nodeaddr_choose(n->asked_ips, n->name, &ips, &e) < 0) {
		if (!n->addresses_failed)
			log_err(&e, "node %s: keeps the addresses that it has", n->name);
		n->addresses_failed = true;
		return;
	}
	n->addresses_failed = false;
	/* pods hold on to the array: it changes only when the addresses do */
	for (size_t i = 0; n->ips && (ips[i] || n->ips[i]); i++) {
		if (!str_eq(ips[i], n->ips[i])) {
			strv_free(n->ips);
			n->ips = NULL;
			break;
		}
	}
	if (n->ips)
		strv_free(ips);
	else
		n->ips = ips;
}

static struct nodestatus_input input_of(struct node *n)
{
	const Cri__VersionResponse *version = runtimewatch_version(n->runtime);
	unsigned pressure = n->ops->pressure ? n->ops->pressure(n->ctx) : 0;
	bool external = str_eq(n->config->cloud_provider, "external");

	return (struct nodestatus_input){
		.config = n->config,
		.machine = &n->machine,
		.name = n->name,
		.hostname = n->name,
		.ips = external && !n->asked_ips ? NULL : n->ips,
		.external_cloud = external,
		.now_usec = clock_wall_usec(),
		.runtime_name = version ? version->runtime_name : NULL,
		.runtime_version = version ? version->runtime_version : NULL,
		.runtime = runtimewatch_status(n->runtime),
		.runtime_down = runtimewatch_down(n->runtime),
		.images = runtimewatch_images(n->runtime),
		.problem = n->ops->problem ? n->ops->problem(n->ctx) : NULL,
		.memory_pressure = pressure & NODE_MEMORY_PRESSURE,
		.disk_pressure = pressure & NODE_DISK_PRESSURE,
		.pid_pressure = pressure & NODE_PID_PRESSURE,
	};
}

/* ---- events ---- */

static void emit(struct node *n, const struct nodestatus_events *events)
{
	for (size_t i = 0; i < events->n; i++)
		event_record(n->events, n->reference, EVENT_NORMAL, events->reasons[i],
			     "Node %s status is now: %s", n->name, events->reasons[i]);
	if (events->rebooted)
		event_record(n->events, n->reference, EVENT_WARNING, "Rebooted",
			     "Node %s has been rebooted, boot id: %s", n->name, n->machine.boot_id);
}

static void emit_schedulable(struct node *n, const Core__Node *now)
{
	bool unschedulable = now->spec && now->spec->unschedulable;
	const char *reason = unschedulable ? "NodeNotSchedulable" : "NodeSchedulable";

	if (unschedulable == n->was_unschedulable)
		return;
	n->was_unschedulable = unschedulable;
	event_record(n->events, n->reference, EVENT_NORMAL, reason, "Node %s status is now: %s",
		     n->name, reason);
}

/* ---- the object ---- */

static void cidr_told(void *ctx, void *reply, const struct err *e)
{
	struct node *n = ctx;

	n->cidr_call = NULL;
	proto_free(reply);
	if (!e)
		return;
	log_err_warning(e, "node %s: telling the runtime of the pod range %s", n->name,
			n->pod_cidrs);
	free(n->pod_cidrs);
	n->pod_cidrs = NULL;
}

/* Runtimes that write their own CNI configuration want the range of the node's pods. */
static void tell_pod_cidrs(struct node *n)
{
	const Core__Node *node = n->latest ? (const Core__Node *)n->latest->msg : NULL;
	Cri__UpdateRuntimeConfigRequest request = CRI__UPDATE_RUNTIME_CONFIG_REQUEST__INIT;
	Cri__RuntimeConfig config = CRI__RUNTIME_CONFIG__INIT;
	Cri__NetworkConfig network = CRI__NETWORK_CONFIG__INIT;
	AUTO_STR text = { 0 };

	for (size_t i = 0; node && node->spec && i < node->spec->n_podcidrs; i++)
		str_printf(&text, "%s%s", i ? "," : "", node->spec->podcidrs[i]);
	if (!text.len || n->cidr_call || str_eq(str_text(&text), n->pod_cidrs) ||
	    !nodestatus_runtime_ready(runtimewatch_status(n->runtime)))
		return;
	free(n->pod_cidrs);
	n->pod_cidrs = str_take(&text);
	network.pod_cidr = n->pod_cidrs;
	config.network_config = &network;
	request.runtime_config = &config;
	n->cidr_call = cri_call(n->cri, CRI_UPDATE_RUNTIME_CONFIG, &request, 0, cidr_told, n);
}

static uint64_t version_of(const struct kube_object *o)
{
	return strtoull(o->meta->resourceversion, NULL, 10);
}

/* Patches are answered before the watch tells: what comes late must not undo it. */
static bool is_news(const struct node *n, const struct kube_object *o)
{
	return !n->latest || !str_eq(n->latest->meta->uid, o->meta->uid) ||
	       version_of(o) > version_of(n->latest);
}

static void take_object(struct node *n, struct kube_object *o)
{
	struct kube_object *before = n->latest;

	if (!is_news(n, o))
		return;
	n->latest = kube_object_ref(o);
	if (!before || !str_eq(before->meta->uid, o->meta->uid)) {
		proto_set_str(&n->reference->uid, o->meta->uid);
		lease_set_owner(n->lease, o->meta->uid);
	}
	emit_schedulable(n, (const Core__Node *)o->msg);
	if (n->ops->changed)
		n->ops->changed(n->ctx, before, o);
	kube_object_unref(before);
	tell_pod_cidrs(n);
}

static void object_added(void *ctx, struct kube_object *o)
{
	struct node *n = ctx;

	/* one that stands from before is ours only once it was adopted */
	if (n->state >= NODE_JOINING) {
		take_object(n, o);
		step(n);
	}
}

static void object_updated(void *ctx, struct kube_object *before, struct kube_object *now)
{
	(void)before;
	object_added(ctx, now);
}

static void object_deleted(void *ctx, struct kube_object *last)
{
	struct node *n = ctx;

	(void)last;
	if (n->state == NODE_RUNNING)
		log_warning("node %s: the Node object was deleted; a restart registers it again",
			    n->name);
	kube_object_unref(n->latest);
	n->latest = NULL;
}

/* ---- registration ---- */

/* Events wait for the Node: only those that carry its UID are found by it. */
static void announce(struct node *n)
{
	if (!n->announced)
		event_record(n->events, n->reference, EVENT_NORMAL, "Starting",
			     "Starting kubelet.");
	if (!n->announced && !n->machine.cgroup_v2)
		event_record(n->events, n->reference, EVENT_WARNING, "CgroupV1",
			     "This node runs on cgroup v1, which is deprecated: move it to cgroup "
			     "v2.");
	n->announced = true;
}

static void registered(struct node *n, const char *how, struct kube_object *o)
{
	log_info("node %s: %s", n->name, how);
	n->retry_msec = 0;
	n->reported_usec = clock_mono_usec();
	node_enter(n, NODE_JOINING);
	if (o && o->kind == KUBE_NODE)
		take_object(n, o);
	announce(n);
	emit(n, &n->sent_events);
	step(n);
}

static void register_failed(struct node *n, const struct err *e)
{
	if (retry_worth_a_line(n))
		log_err_warning(e, "node %s: registration fails, trying again", n->name);
	retry_later(n);
}

static void adopted(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct node *n = ctx;

	n->call = NULL;
	if (e)
		register_failed(n, e);
	else
		registered(n, "adopted the Node that was there", reply);
}

static void existing_read(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct node *n = ctx;
	struct nodestatus_input in = input_of(n);
	AUTO_PROTO Core__Node *wanted = NULL;
	AUTO_FREE char *patch = NULL;

	n->call = NULL;
	if (e || !reply || reply->kind != KUBE_NODE) {
		register_failed(n, e);
		return;
	}
	wanted = proto_dup(reply->msg);
	n->was_ready = nodestatus_ready(wanted);
	nodestatus_adopt(&in, wanted);
	nodestatus_fill(&in, wanted, &n->sent_events);
	patch = nodepatch_text((const Core__Node *)reply->msg, wanted);
	if (!patch) {
		registered(n, "the Node that was there is as it should be", reply);
		return;
	}
	n->call = kube_patch(n->client, KUBE_NODE, NULL, n->name, "status", KUBE_PATCH_STRATEGIC,
			     patch, adopted, n);
}

static void created(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct node *n = ctx;

	n->call = NULL;
	if (!e)
		registered(n, "registered", reply);
	else if (e->code == ERR_EXISTS || e->code == ERR_CONFLICT || e->code == ERR_FORBIDDEN)
		n->call = kube_get(n->client, KUBE_NODE, NULL, n->name, existing_read, n);
	else
		register_failed(n, e);
}

static void try_register(struct node *n)
{
	struct nodestatus_input in = input_of(n);
	AUTO_PROTO Core__Node *node = nodestatus_initial(&in);

	if (n->call)
		return;
	nodestatus_fill(&in, node, &n->sent_events);
	n->was_ready = nodestatus_ready(node);
	if (n->was_ready) /* born ready: nobody sees it become so */
		n->sent_events.reasons[n->sent_events.n++] = "NodeReady";
	n->call = kube_create(n->client, KUBE_NODE, NULL, NULL, NULL, node, created, n);
}

/* ---- status ---- */

static void random_delay(struct node *n)
{
	double part = (double)random() / (double)RAND_MAX - 0.5;

	n->report_delay_usec = (int64_t)(part * (double)n->config->status_report_usec);
}

static void status_failed(struct node *n, const struct err *e)
{
	if (retry_worth_a_line(n))
		log_err_warning(e, "node %s: reporting its status fails, trying again", n->name);
	retry_later(n);
}

static void status_read(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct node *n = ctx;

	n->call = NULL;
	if (e || !reply || reply->kind != KUBE_NODE) {
		status_failed(n, e);
		return;
	}
	kube_object_unref(TAKE(n->latest));
	take_object(n, reply);
	node_report(n);
}

static void status_written(void *ctx, struct kube_object *reply, const struct err *e)
{
	struct node *n = ctx;
	bool ready;

	n->call = NULL;
	if (e && (e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND || e->code == ERR_INVALID)) {
		status_failed(n, e);
		n->call = kube_get(n->heartbeat, KUBE_NODE, NULL, n->name, status_read, n);
		sd_event_source_set_enabled(n->retry_timer, SD_EVENT_OFF);
		return;
	}
	if (e) {
		status_failed(n, e);
		return;
	}
	n->retry_msec = 0;
	n->reported_usec = clock_mono_usec();
	emit(n, &n->sent_events);
	ready = nodestatus_ready(n->sent);
	if (ready != n->was_ready)
		log_info("node %s: %s", n->name, ready ? "Ready" : "not Ready");
	n->was_ready = ready;
	if (reply && reply->kind == KUBE_NODE)
		take_object(n, reply);
	if (n->again)
		node_report(n);
}

void node_report(struct node *n)
{
	int64_t now = clock_mono_usec();
	struct nodestatus_input in;
	AUTO_FREE char *patch = NULL;
	bool changed, due;

	n->again = n->call != NULL;
	if (n->state != NODE_RUNNING || n->call || !n->latest)
		return;
	choose_addresses(n);
	if (now - n->machine_usec >= n->config->status_report_usec) {
		read_machine(n);
		runtimewatch_list_images(n->runtime);
	}
	in = input_of(n);
	proto_free(n->sent);
	n->sent = proto_dup(n->latest->msg);
	nodestatus_fill(&in, n->sent, &n->sent_events);
	changed = nodestatus_changed((const Core__Node *)n->latest->msg, n->sent);
	due = now - n->reported_usec >= n->config->status_report_usec + n->report_delay_usec;
	if (!changed && !due)
		return;
	if (changed)
		random_delay(n);
	else
		n->report_delay_usec = 0;
	patch = nodepatch_text((const Core__Node *)n->latest->msg, n->sent);
	if (patch)
		n->call = kube_patch(n->heartbeat, KUBE_NODE, NULL, n->name, "status",
				     KUBE_PATCH_STRATEGIC, patch, status_written, n);
}

/* ---- the machine of states ---- */

static bool waited_enough(const struct node *n)
{
	return runtimewatch_complete(n->runtime) || runtimewatch_down(n->runtime);
}

static void join(struct node *n)
{
	struct kube_object *o = informer_get(n->informer, NULL, n->name);

	if (o)
		take_object(n, o);
	if (!n->latest)
		return;
	node_enter(n, NODE_RUNNING);
	announce(n);
	random_delay(n);
	if (n->ops->registered)
		n->ops->registered(n->ctx);
	node_report(n);
}

static void step(struct node *n)
{
	if (!n->client)
		return;
	if (n->state == NODE_WAITING && waited_enough(n))
		node_enter(n, n->config->register_node ? NODE_REGISTERING : NODE_JOINING);
	if (n->state == NODE_REGISTERING)
		try_register(n);
	else if (n->state == NODE_JOINING)
		join(n);
}

static void take_runtime_facts(struct node *n)
{
	const Cri__VersionResponse *version = runtimewatch_version(n->runtime);
	const char *driver = runtimewatch_cgroup_driver(n->runtime);
	const char *configured = n->config->cgroup_driver;

	n->runtime_name = mem_strdup(version->runtime_name);
	n->runtime_version = nodestatus_version(version->runtime_version);
	n->facts.runtime_name = n->runtime_name;
	n->facts.runtime_version = n->runtime_version;
	n->facts.cgroup_driver = str_or(driver, configured);
	if (!driver)
		log_info(
		    "runtime %s %s does not tell its cgroup driver: %s is taken, as configured",
		    n->runtime_name, n->runtime_version, configured);
	else if (!str_eq(driver, configured))
		log_warning("runtime %s uses the cgroup driver %s, the configuration says %s "
			    "(cgroupDriver): the runtime's is used; set cgroupDriver: %s",
			    n->runtime_name, driver, configured, driver);
}

static void tell_runtime(struct node *n)
{
	bool up = !runtimewatch_down(n->runtime) && node_runtime_ready(n);

	if (!n->runtime_told && runtimewatch_complete(n->runtime)) {
		n->runtime_told = true;
		take_runtime_facts(n);
		if (n->ops->runtime_known)
			n->ops->runtime_known(n->ctx);
	}
	if (up != n->runtime_up) {
		n->runtime_up = up;
		if (n->ops->runtime_changed)
			n->ops->runtime_changed(n->ctx, up);
		node_report(n);
	}
	if (!n->network_told || node_network_ready(n) != n->network_ready) {
		n->network_ready = node_network_ready(n);
		n->network_told = true;
		if (n->ops->network_changed)
			n->ops->network_changed(n->ctx, n->network_ready);
		node_report(n);
	}
}

static void runtime_changed(void *ctx)
{
	struct node *n = ctx;
	bool late = clock_mono_usec() - n->start_usec > (int64_t)HURRY_SEC * USEC_PER_SEC;

	tell_runtime(n);
	runtimewatch_hurry(n->runtime, !late && !(n->network_ready && n->runtime_up));
	tell_pod_cidrs(n);
	if (n->state == NODE_WAITING)
		step(n);
}

static int status_tick(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct node *n = ctx;

	(void)source;
	(void)usec;
	arm(n->timer, n->config->status_update_usec);
	if (n->state == NODE_WAITING)
		step(n);
	node_report(n);
	return 0;
}

static int retry_tick(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct node *n = ctx;

	(void)source;
	(void)usec;
	step(n);
	node_report(n);
	return 0;
}

/* ---- life ---- */

/* As the hugetlb cgroup names them: 64KB, 2MB, 1GB. */
static void name_hugepages(struct node *n)
{
	static const char units[] = "KMG";

	n->facts.hugepage_sizes = mem_calloc(n->machine.n_hugepages + 1, sizeof(char *));
	for (size_t i = 0; i < n->machine.n_hugepages; i++) {
		int64_t size = n->machine.hugepages[i].page_bytes / 1024;
		size_t unit = 0;

		for (; size >= 1024 && size % 1024 == 0 && units[unit + 1]; unit++)
			size /= 1024;
		n->facts.hugepage_sizes[i] = str_fmt("%lld%cB", (long long)size, units[unit]);
	}
}

/* Its file system is what the node has to give, from the first status on; drivers and plugins,
 * which are pods themselves, mount what is below it as directories that exist. */
static int make_directories(const struct node *n, struct err *e)
{
	static const char *const below[] = { "", "/pods", "/plugins", "/plugins_registry",
					     "/pod-resources" };

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		AUTO_FREE char *path = str_fmt("%s%s", n->config->root_dir, below[i]);

		if (fs_mkdir_all(path, ROOT_DIR_MODE, e) < 0)
			return err_wrap(e, "--root-dir");
	}
	if (fs_mkdir_all(n->config->pod_logs_dir, ROOT_DIR_MODE, e) < 0)
		return err_wrap(e, "podLogsDir");
	return 0;
}

static int read_facts(struct node *n, struct err *e)
{
	if (make_directories(n, e) < 0 || machine_read(n->config->root_dir, &n->machine, e) < 0 ||
	    machine_check(&n->machine, n->config, e) < 0 ||
	    kube_hostname(n->config->hostname_override, &n->name, e) < 0 ||
	    nodeaddr_parse(n->config->node_ip, &n->asked_ips, e) < 0)
		return -1;
	n->machine_usec = clock_mono_usec();
	name_hugepages(n);
	choose_addresses(n);
	return 0;
}

/* Amounts come from a Node made for the purpose: no API server is needed for them. */
static void make_facts(struct node *n)
{
	struct nodestatus_input in = input_of(n);
	AUTO_PROTO Core__Node *model = nodestatus_initial(&in);
	struct nodestatus_events events;
	struct facts *f = &n->facts;

	nodestatus_fill(&in, model, &events);
	f->runtime_name = strstr(n->config->runtime_endpoint, "crio") ? "cri-o" : "containerd";
	f->runtime_version = "";
	f->cgroup_driver = n->config->cgroup_driver;
	f->cpu_milli = nodestatus_allocatable_milli(model, "cpu");
	f->memory_bytes = nodestatus_allocatable(model, "memory");
	f->ephemeral_bytes = nodestatus_allocatable(model, "ephemeral-storage");
	f->pods = nodestatus_allocatable(model, "pods");
}

static void watch_object(struct node *n)
{
	static const struct informer_ops ops = {
		.added = object_added,
		.updated = object_updated,
		.deleted = object_deleted,
	};
	AUTO_FREE char *selector = str_fmt("metadata.name=%s", n->name);

	n->informer = informer_new(n->client, KUBE_NODE, NULL, selector, NULL, &ops, n);
}

int node_new(sd_event *loop, const struct config *config, struct kube_client *client,
	     struct cri *cri, struct event_recorder *events, const struct node_ops *ops, void *ctx,
	     struct node **ret_node, struct err *e)
{
	CLEANUP(node_freep) struct node *n = NEW(struct node);

	n->loop = sd_event_ref(loop);
	n->config = config;
	n->client = client;
	n->cri = cri;
	n->events = events;
	n->ops = ops;
	n->ctx = ctx;
	n->start_usec = clock_mono_usec();
	if (read_facts(n, e) < 0)
		return -1;
	n->reference = event_reference_node(n->name);
	proto_set_str(&n->reference->uid, "");
	n->runtime = runtimewatch_new(loop, cri, config->runtime_endpoint, runtime_changed, n);
	sd_event_add_time(loop, &n->timer, CLOCK_MONOTONIC, 0, SLACK_USEC, status_tick, n);
	sd_event_source_set_enabled(n->timer, SD_EVENT_OFF);
	sd_event_source_set_description(n->timer, "node-status");
	sd_event_add_time(loop, &n->retry_timer, CLOCK_MONOTONIC, 0, SLACK_USEC / 10, retry_tick,
			  n);
	sd_event_source_set_enabled(n->retry_timer, SD_EVENT_OFF);
	sd_event_source_set_description(n->retry_timer, "node-retry");
	make_facts(n);
	if (client) {
		n->heartbeat = kube_client_heartbeat(client);
		n->lease = lease_new(loop, client, n->name, config->lease_duration_sec);
	}
	*ret_node = TAKE(n);
	return 0;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	kube_call_cancel(n->call);
	if (n->cidr_call)
		cri_call_cancel(n->cidr_call);
	lease_free(n->lease);
	informer_free(n->informer);
	runtimewatch_free(n->runtime);
	sd_event_source_disable_unref(n->timer);
	sd_event_source_disable_unref(n->retry_timer);
	kube_object_unref(n->latest);
	proto_free(n->sent);
	strv_free(n->facts.hugepage_sizes);
	free(n->runtime_name);
	free(n->runtime_version);
	proto_free(n->reference);
	machine_fini(&n->machine);
	strv_free(n->asked_ips);
	strv_free(n->ips);
	free(n->pod_cidrs);
	free(n->name);
	sd_event_unref(n->loop);
	free(n);
}

void node_start(struct node *n)
{
	if (n->client)
		watch_object(n);
	runtimewatch_start(n->runtime);
	arm(n->timer, n->config->status_update_usec);
}

void node_images_changed(struct node *n)
{
	runtimewatch_list_images(n->runtime);
}

/* ---- readers ---- */

const char *node_name(const struct node *n)
{
	return n->name;
}

char **node_host_ips(const struct node *n)
{
	return n->ips;
}

const char *const *node_hugepage_sizes(const struct node *n)
{
	return (const char *const *)n->facts.hugepage_sizes;
}

const char *node_runtime_name(const struct node *n)
{
	return n->facts.runtime_name;
}

const char *node_runtime_version(const struct node *n)
{
	return n->facts.runtime_version;
}

const char *node_cgroup_driver(const struct node *n)
{
	return n->facts.cgroup_driver;
}

int64_t node_allocatable_cpu_milli(const struct node *n)
{
	return n->facts.cpu_milli;
}

int64_t node_allocatable_memory_bytes(const struct node *n)
{
	return n->facts.memory_bytes;
}

int64_t node_allocatable_ephemeral_bytes(const struct node *n)
{
	return n->facts.ephemeral_bytes;
}

struct cgroup_limits node_pods_limits(const struct node *n)
{
	return nodestatus_pods_limits(&n->machine, n->config);
}

int64_t node_capacity_pods(const struct node *n)
{
	return n->facts.pods;
}

const struct machine *node_machine(const struct node *n)
{
	return &n->machine;
}

bool node_network_ready(const struct node *n)
{
	return nodestatus_network_ready(runtimewatch_status(n->runtime));
}

bool node_runtime_ready(const struct node *n)
{
	return nodestatus_runtime_ready(runtimewatch_status(n->runtime));
}

bool node_recursive_read_only(const struct node *n, const char *handler)
{
	return nodestatus_recursive_read_only(runtimewatch_status(n->runtime), handler);
}

struct kube_object *node_object(const struct node *n)
{
	return n->latest;
}

const Core__ObjectReference *node_reference(const struct node *n)
{
	return n->reference;
}

int64_t node_lease_renewed_usec(const struct node *n)
{
	return n->lease ? lease_renewed_usec(n->lease) : 0;
}
