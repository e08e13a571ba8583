/* The Node's status (contract in nodestatus.h). Pure. */
#include "nodestatus.h"

#include <stdlib.h>
#include <string.h>

#include "base/proto.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/labels.h"
#include "config/threshold.h"
#include "kube/quantity.h"
#include "kube/time.h"
#include "kube/version.h"
#include "resource/resources.h"

/* ---- amounts ---- */

typedef Core__NodeStatus__CapacityEntry capacity_entry;
typedef Core__NodeStatus__AllocatableEntry allocatable_entry;

static void set_amount(Resource__Quantity **field, const struct quantity *q)
{
	proto_free(*field);
	*field = quantity_message(q);
}

static void set_capacity(Core__NodeStatus *s, const char *resource, struct quantity q)
{
	capacity_entry *entry;

	for (size_t i = 0; i < s->n_capacity; i++) {
		if (str_eq(s->capacity[i]->key, resource)) {
			set_amount(&s->capacity[i]->value, &q);
			return;
		}
	}
	entry = proto_new(&core__node_status__capacity_entry__descriptor);
	proto_set_str(&entry->key, resource);
	set_amount(&entry->value, &q);
	proto_push(&s->n_capacity, &s->capacity, entry);
}

static void set_allocatable(Core__NodeStatus *s, const char *resource, struct quantity q)
{
	allocatable_entry *entry;

	for (size_t i = 0; i < s->n_allocatable; i++) {
		if (str_eq(s->allocatable[i]->key, resource)) {
			set_amount(&s->allocatable[i]->value, &q);
			return;
		}
	}
	entry = proto_new(&core__node_status__allocatable_entry__descriptor);
	proto_set_str(&entry->key, resource);
	set_amount(&entry->value, &q);
	proto_push(&s->n_allocatable, &s->allocatable, entry);
}

static const Resource__Quantity *capacity_of(const Core__NodeStatus *s, const char *resource)
{
	for (size_t i = 0; i < s->n_capacity; i++) {
		if (str_eq(s->capacity[i]->key, resource))
			return s->capacity[i]->value;
	}
	return NULL;
}

static bool is_extended(const char *resource)
{
	return strchr(resource, '/') && !strstr(resource, "kubernetes.io/");
}

static bool is_hugepages(const char *resource)
{
	return str_starts(resource, "hugepages-");
}

/* Pages of a size that the kernel no longer has. */
static void drop_hugepages(Core__NodeStatus *s, const struct machine *m)
{
	for (size_t i = 0; i < s->n_capacity; i++) {
		bool known = !is_hugepages(s->capacity[i]->key);

		for (size_t h = 0; h < m->n_hugepages && !known; h++) {
			struct quantity size =
			    quantity_of(m->hugepages[h].page_bytes, QUANTITY_BINARY);
			char text[QUANTITY_TEXT];

			quantity_text(&size, text);
			known = str_eq(s->capacity[i]->key + strlen("hugepages-"), text);
		}
		if (known)
			continue;
		proto_free(s->capacity[i]);
		s->capacity[i--] = s->capacity[--s->n_capacity];
	}
}

static void fill_capacity(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	const struct machine *m = in->machine;
	const struct config *c = in->config;
	int64_t pods = c->max_pods;

	if (c->pods_per_core > 0 && (int64_t)m->cpus * c->pods_per_core < pods)
		pods = (int64_t)m->cpus * c->pods_per_core;
	set_capacity(s, "cpu", quantity_of_milli((int64_t)m->cpus * 1000, QUANTITY_DECIMAL));
	set_capacity(s, "memory", quantity_of(m->memory_bytes, QUANTITY_BINARY));
	set_capacity(s, "pods", quantity_of(pods, QUANTITY_DECIMAL));
	if (c->local_storage_isolation && m->disk_bytes)
		set_capacity(s, "ephemeral-storage", quantity_of(m->disk_bytes, QUANTITY_DECIMAL));
	drop_hugepages(s, m);
	for (size_t i = 0; i < m->n_hugepages; i++) {
		const struct machine_hugepages *h = &m->hugepages[i];
		struct quantity size = quantity_of(h->page_bytes, QUANTITY_BINARY);
		char text[QUANTITY_TEXT];
		AUTO_FREE char *name = NULL;

		quantity_text(&size, text);
		name = str_fmt("hugepages-%s", text);
		set_capacity(s, name, quantity_of(h->page_bytes * h->pages, QUANTITY_BINARY));
	}
}

static void add_reserved(struct quantity *sum, const struct config_pairs *pairs,
			 const char *resource)
{
	const char *text = config_pair_get(pairs, resource);
	struct quantity q;

	if (text && quantity_parse(text, &q, NULL) == 0)
		quantity_add(sum, &q);
}

/* What hard eviction keeps free of a resource. */
static void add_eviction(struct quantity *sum, const struct config *c, const char *resource,
			 int64_t capacity)
{
	const char *signal = str_eq(resource, "memory")              ? "memory.available"
			     : str_eq(resource, "ephemeral-storage") ? "nodefs.available"
								     : NULL;
	const char *text = signal ? config_pair_get(&c->eviction_hard, signal) : NULL;
	struct threshold t;
	struct quantity q;

	if (!text || c->ignore_eviction_in_allocatable || threshold_parse(text, &t, NULL) != 0)
		return;
	q = quantity_of(threshold_of(&t, capacity), QUANTITY_BINARY);
	quantity_add(sum, &q);
}

/* CPUs set aside by name take the place of what the reservations say of cpu. */
static bool reserved_cpus(const struct config *c, struct quantity *sum)
{
	int64_t cpus = 0;

	if (str_empty(c->reserved_system_cpus))
		return false;
	for (const char *p = c->reserved_system_cpus; *p;) {
		char *end;
		long from = strtol(p, &end, 10), to = from;

		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		cpus += to - from + 1;
		p = *end ? end + 1 : end;
	}
	*sum = quantity_of_milli(cpus * 1000, QUANTITY_DECIMAL);
	return true;
}

static struct quantity reservation(const struct config *c, const char *resource,
				   const struct quantity *capacity)
{
	struct quantity sum = { 0 };

	if (str_eq(resource, "cpu") && reserved_cpus(c, &sum))
		return sum;
	add_reserved(&sum, &c->system_reserved, resource);
	add_reserved(&sum, &c->kube_reserved, resource);
	add_eviction(&sum, c, resource, quantity_value(capacity));
	return sum;
}

static void drop_vanished(Core__NodeStatus *s)
{
	for (size_t i = 0; i < s->n_allocatable; i++) {
		const char *key = s->allocatable[i]->key;

		if (capacity_of(s, key) || (!is_extended(key) && !is_hugepages(key)))
			continue;
		proto_free(s->allocatable[i]);
		s->allocatable[i--] = s->allocatable[--s->n_allocatable];
	}
}

static void fill_allocatable(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	struct quantity memory = { 0 }, zero = { 0 };

	drop_vanished(s);
	for (size_t i = 0; i < s->n_capacity; i++) {
		struct quantity q, reserved;

		q = quantity_read(s->capacity[i]->value);
		reserved = reservation(in->config, s->capacity[i]->key, &q);
		quantity_sub(&q, &reserved);
		if (q.nano < 0)
			q.nano = 0;
		if (str_eq(s->capacity[i]->key, "memory"))
			memory = q;
		set_allocatable(s, s->capacity[i]->key, q);
	}
	/* huge pages are taken from memory */
	for (size_t i = 0; i < s->n_capacity; i++) {
		struct quantity q = quantity_read(s->capacity[i]->value);

		if (is_hugepages(s->capacity[i]->key))
			quantity_sub(&memory, &q);
	}
	if (quantity_cmp(&memory, &zero) < 0)
		memory.nano = 0;
	set_allocatable(s, "memory", memory);
}

static const Resource__Quantity *allocatable_of(const Core__Node *node, const char *resource)
{
	for (size_t i = 0; node->status && i < node->status->n_allocatable; i++) {
		if (str_eq(node->status->allocatable[i]->key, resource))
			return node->status->allocatable[i]->value;
	}
	return NULL;
}

int64_t nodestatus_allocatable_milli(const Core__Node *node, const char *resource)
{
	struct quantity q = quantity_read(allocatable_of(node, resource));

	return quantity_milli(&q);
}

int64_t nodestatus_allocatable(const Core__Node *node, const char *resource)
{
	struct quantity q = quantity_read(allocatable_of(node, resource));

	return quantity_value(&q);
}

/* Left of a capacity, in units or thousandths of them. */
static int64_t for_pods(const struct config *c, const char *resource, int64_t capacity,
			int64_t (*amount)(const struct quantity *q))
{
	struct quantity sum = { 0 };

	if (strv_has(c->enforce_node_allocatable, "pods")) {
		add_reserved(&sum, &c->system_reserved, resource);
		add_reserved(&sum, &c->kube_reserved, resource);
	}
	return amount(&sum) < capacity ? capacity - amount(&sum) : 0;
}

struct cgroup_limits nodestatus_pods_limits(const struct machine *m, const struct config *c)
{
	int64_t cpu_milli = for_pods(c, "cpu", (int64_t)m->cpus * 1000, quantity_milli);

	return (struct cgroup_limits){
		.cpu_shares = resources_cpu_shares(cpu_milli),
		.memory_bytes = for_pods(c, "memory", m->memory_bytes, quantity_value),
		.pids = for_pods(c, "pid", m->max_pids, quantity_value),
	};
}

/* ---- names ---- */

static void push_address(Core__NodeStatus *s, const char *type, const char *address)
{
	Core__NodeAddress *a = proto_new(&core__node_address__descriptor);

	proto_set_str(&a->type, type);
	proto_set_str(&a->address, address);
	proto_push(&s->n_addresses, &s->addresses, a);
}

/* An external cloud provider's addresses win over ours once they are there. */
static void fill_addresses(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	if ((!in->ips && !in->external_cloud) || (in->external_cloud && s->n_addresses))
		return;
	for (size_t i = 0; i < s->n_addresses; i++)
		proto_free(s->addresses[i]);
	s->n_addresses = 0;
	for (size_t i = 0; in->ips && in->ips[i]; i++)
		push_address(s, "InternalIP", in->ips[i]);
	push_address(s, "Hostname", in->hostname);
}

/* Three numbers, then perhaps -pre and +build: a semantic version, printed whole. */
static bool is_semantic(const char *text)
{
	for (int i = 0; i < 3; i++) {
		size_t digits = strspn(text, "0123456789");

		if (!digits || (digits > 1 && *text == '0'))
			return false;
		text += digits;
		if (i < 2 && *text++ != '.')
			return false;
	}
	return !*text || ((*text == '-' || *text == '+') && text[1] &&
			  !text[1 + strspn(text + 1, "0123456789.-+abcdefghijklmnopqrstuvwxyz"
						     "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]);
}

char *nodestatus_version(const char *text)
{
	size_t len = 0;

	text += strspn(text, " ");
	text += *text == 'v';
	if (is_semantic(text))
		return mem_strdup(text);
	for (;;) {
		size_t digits = strspn(text + len, "0123456789");

		if (!digits)
			break;
		len += digits;
		if (text[len] != '.' || !strspn(text + len + 1, "0123456789"))
			break;
		len++;
	}
	return len ? mem_strndup(text, len) : mem_strdup("Unknown");
}

static void fill_info(const struct nodestatus_input *in, Core__NodeStatus *s,
		      struct nodestatus_events *events)
{
	const struct machine *m = in->machine;
	AUTO_FREE char *version = nodestatus_version(str_or(in->runtime_version, ""));
	AUTO_FREE char *runtime = str_fmt("%s://%s", str_or(in->runtime_name, ""), version);
	Core__NodeSystemInfo *info;

	if (!s->nodeinfo)
		s->nodeinfo = proto_new(&core__node_system_info__descriptor);
	info = s->nodeinfo;
	events->rebooted =
	    !str_empty(info->bootid) && !str_eq(info->bootid, m->boot_id) && *m->boot_id;
	proto_set_str(&info->machineid, m->machine_id);
	proto_set_str(&info->systemuuid, m->system_uuid);
	proto_set_str(&info->bootid, m->boot_id);
	proto_set_str(&info->kernelversion, m->kernel_version);
	proto_set_str(&info->osimage, m->os_image);
	/* an unknown runtime leaves what the last one said */
	if (in->runtime_version || str_empty(info->containerruntimeversion))
		proto_set_str(&info->containerruntimeversion, runtime);
	proto_set_str(&info->kubeletversion, KUBE_VERSION);
	proto_set_str(&info->kubeproxyversion, "");
	proto_set_str(&info->operatingsystem, "linux");
	proto_set_str(&info->architecture, m->architecture);
	if (m->swap_bytes > 0) {
		if (!info->swap)
			info->swap = proto_new(&core__node_swap_status__descriptor);
		info->swap->capacity = m->swap_bytes;
		info->swap->has_capacity = true;
	}
	info->runninginusernamespace = m->user_namespace;
	info->has_runninginusernamespace = true;
}

static void fill_endpoint(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	if (!s->daemonendpoints)
		s->daemonendpoints = proto_new(&core__node_daemon_endpoints__descriptor);
	if (!s->daemonendpoints->kubeletendpoint)
		s->daemonendpoints->kubeletendpoint = proto_new(&core__daemon_endpoint__descriptor);
	s->daemonendpoints->kubeletendpoint->port = in->config->port;
	s->daemonendpoints->kubeletendpoint->has_port = true;
}

/* ---- what the runtime told ---- */

static int larger_first(const void *a, const void *b)
{
	const Cri__Image *x = *(Cri__Image *const *)a, *y = *(Cri__Image *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return -strcmp(x->id, y->id);
}

static void push_names(Core__ContainerImage *image, char *const *names, size_t n)
{
	for (size_t i = 0; i < n && image->n_names < NODESTATUS_NAMES_MAX; i++)
		proto_push_str(&image->n_names, &image->names, names[i]);
}

static void fill_images(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	size_t n = in->images ? in->images->n_images : 0, max;
	AUTO_FREE Cri__Image **sorted = NULL;

	if (!in->images)
		return;
	sorted = mem_calloc(n + 1, sizeof(*sorted));
	if (n)
		memcpy(sorted, in->images->images, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), larger_first);
	for (size_t i = 0; i < s->n_images; i++)
		proto_free(s->images[i]);
	s->n_images = 0;
	max = in->config->status_max_images < 0 ? n : (size_t)in->config->status_max_images;
	for (size_t i = 0; i < n && i < max; i++) {
		Core__ContainerImage *image = proto_new(&core__container_image__descriptor);

		push_names(image, sorted[i]->repo_digests, sorted[i]->n_repo_digests);
		push_names(image, sorted[i]->repo_tags, sorted[i]->n_repo_tags);
		image->sizebytes = (int64_t)sorted[i]->size;
		image->has_sizebytes = true;
		proto_push(&s->n_images, &s->images, image);
	}
}

static int by_handler(const void *a, const void *b)
{
	const Cri__RuntimeHandler *x = *(Cri__RuntimeHandler *const *)a;
	const Cri__RuntimeHandler *y = *(Cri__RuntimeHandler *const *)b;

	return strcmp(x->name, y->name);
}

static Core__NodeRuntimeHandler *handler_of(const Cri__RuntimeHandler *from)
{
	Core__NodeRuntimeHandler *h = proto_new(&core__node_runtime_handler__descriptor);

	proto_set_str(&h->name, from->name);
	h->features = proto_new(&core__node_runtime_handler_features__descriptor);
	h->features->has_recursivereadonlymounts = h->features->has_usernamespaces = true;
	if (from->features) {
		h->features->recursivereadonlymounts = from->features->recursive_read_only_mounts;
		h->features->usernamespaces = from->features->user_namespaces;
	}
	return h;
}

bool nodestatus_recursive_read_only(const Cri__StatusResponse *runtime, const char *handler)
{
	for (size_t i = 0; runtime && i < runtime->n_runtime_handlers; i++) {
		const Cri__RuntimeHandler *h = runtime->runtime_handlers[i];

		if (str_eq(h->name, handler))
			return h->features && h->features->recursive_read_only_mounts;
	}
	return false;
}

/* Another agent's claims are not ours: the scheduler acts on them. */
static void drop_declared(Core__NodeStatus *s)
{
	for (size_t i = 0; i < s->n_declaredfeatures; i++)
		free(s->declaredfeatures[i]);
	s->n_declaredfeatures = 0;
}

/* A runtime that is not ready says nothing of handlers: the last ones stay. */
static void fill_handlers(const struct nodestatus_input *in, Core__NodeStatus *s)
{
	const Cri__StatusResponse *r = in->runtime;
	AUTO_FREE Cri__RuntimeHandler **sorted = NULL;

	if (!nodestatus_runtime_ready(r))
		return;
	sorted = mem_calloc(r->n_runtime_handlers + 1, sizeof(*sorted));
	if (r->n_runtime_handlers)
		memcpy(sorted, r->runtime_handlers, r->n_runtime_handlers * sizeof(*sorted));
	qsort(sorted, r->n_runtime_handlers, sizeof(*sorted), by_handler);
	for (size_t i = 0; i < s->n_runtimehandlers; i++)
		proto_free(s->runtimehandlers[i]);
	s->n_runtimehandlers = 0;
	for (size_t i = 0; i < r->n_runtime_handlers; i++)
		proto_push(&s->n_runtimehandlers, &s->runtimehandlers, handler_of(sorted[i]));
	if (!r->features)
		return;
	if (!s->features)
		s->features = proto_new(&core__node_features__descriptor);
	s->features->supplementalgroupspolicy = r->features->supplemental_groups_policy;
	s->features->has_supplementalgroupspolicy = true;
}

/* ---- conditions ---- */

static Core__NodeCondition *find_condition(Core__NodeStatus *s, const char *type)
{
	for (size_t i = 0; i < s->n_conditions; i++) {
		if (str_eq(s->conditions[i]->type, type))
			return s->conditions[i];
	}
	return NULL;
}

static void set_time(Meta__Time **field, int64_t usec)
{
	proto_free(*field);
	*field = kube_time_new(usec);
}

/* Returns whether the condition's status changed; *ret_new when it was not there. */
static bool put_condition(Core__NodeStatus *s, const char *type, bool on, int64_t now_usec,
			  Core__NodeCondition **ret_condition, bool *ret_new)
{
	Core__NodeCondition *c = find_condition(s, type);
	const char *status = on ? "True" : "False";
	bool changed;

	*ret_new = !c;
	if (!c) {
		c = proto_new(&core__node_condition__descriptor);
		proto_set_str(&c->type, type);
		proto_push(&s->n_conditions, &s->conditions, c);
	}
	changed = !str_eq(c->status, status);
	set_time(&c->lastheartbeattime, now_usec);
	if (changed) {
		proto_set_str(&c->status, status);
		set_time(&c->lasttransitiontime, now_usec);
	}
	*ret_condition = c;
	return changed;
}

static void push_event(struct nodestatus_events *events, const char *reason)
{
	if (events->n < NODESTATUS_EVENTS_MAX)
		events->reasons[events->n++] = reason;
}

/* on/off: reason, message, event */
struct pressure {
	const char *type;
	const char *on[3], *off[3];
};

static const struct pressure memory_pressure = {
	"MemoryPressure",
	{ "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
	  "NodeHasInsufficientMemory" },
	{ "KubeletHasSufficientMemory", "kubelet has sufficient memory available",
	  "NodeHasSufficientMemory" },
};
static const struct pressure disk_pressure = {
	"DiskPressure",
	{ "KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure" },
	{ "KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure" },
};
static const struct pressure pid_pressure = {
	"PIDPressure",
	{ "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
	  "NodeHasInsufficientPID" },
	{ "KubeletHasSufficientPID", "kubelet has sufficient PID available",
	  "NodeHasSufficientPID" },
};

static void fill_pressure(const struct pressure *p, bool on, int64_t now_usec, Core__NodeStatus *s,
			  struct nodestatus_events *events)
{
	const char *const *words = on ? p->on : p->off;
	Core__NodeCondition *c;
	bool is_new;

	if (!put_condition(s, p->type, on, now_usec, &c, &is_new))
		return;
	proto_set_str(&c->reason, words[0]);
	proto_set_str(&c->message, words[1]);
	push_event(events, words[2]);
}

static const Cri__RuntimeCondition *runtime_condition(const Cri__StatusResponse *r,
						      const char *type)
{
	for (size_t i = 0; r && r->status && i < r->status->n_conditions; i++) {
		if (str_eq(r->status->conditions[i]->type, type))
			return r->status->conditions[i];
	}
	return NULL;
}

bool nodestatus_network_ready(const Cri__StatusResponse *runtime)
{
	const Cri__RuntimeCondition *c = runtime_condition(runtime, "NetworkReady");

	return c && c->status;
}

bool nodestatus_runtime_ready(const Cri__StatusResponse *runtime)
{
	const Cri__RuntimeCondition *c = runtime_condition(runtime, "RuntimeReady");

	return c && c->status;
}

static void push_not_ready(char ***problems, const char *what, const Cri__StatusResponse *r,
			   const char *type)
{
	const Cri__RuntimeCondition *c = runtime_condition(r, type);
	AUTO_FREE char *text = NULL;

	if (c && c->status)
		return;
	if (c)
		text = str_fmt("%s: %s=%s reason:%s message:%s", what, c->type,
			       c->status ? "true" : "false", c->reason, c->message);
	else
		text = str_fmt("%s: <nil>", what);
	strv_push(problems, text);
}

static char **runtime_problems(const struct nodestatus_input *in)
{
	char **problems = NULL;

	if (in->runtime_down)
		strv_push(&problems, "container runtime is down");
	else if (!in->runtime)
		strv_push(&problems, "container runtime status check may not have completed yet");
	if (in->runtime) {
		push_not_ready(&problems, "container runtime not ready", in->runtime,
			       "RuntimeReady");
		push_not_ready(&problems, "container runtime network not ready", in->runtime,
			       "NetworkReady");
	} else {
		strv_push(&problems, "network state unknown");
	}
	return problems;
}

/* One error stands alone, several in brackets; heap, NULL for none. */
static char *joined(char *const *problems)
{
	AUTO_STR text = { 0 };

	if (!problems || !problems[0])
		return NULL;
	if (!problems[1])
		return mem_strdup(problems[0]);
	for (size_t i = 0; problems[i]; i++)
		str_printf(&text, "%s%s", i ? ", " : "[", problems[i]);
	str_append_c(&text, ']');
	return str_take(&text);
}

char *nodestatus_runtime_problem(const struct nodestatus_input *in)
{
	char **problems = runtime_problems(in);
	char *text = joined(problems);

	strv_free(problems);
	return text;
}

static void push_missing(char ***problems, const struct nodestatus_input *in,
			 const Core__NodeStatus *s)
{
	static const char *const needed[] = { "cpu", "memory", "pods", "ephemeral-storage" };
	size_t n = ARRAY_SIZE(needed) - !in->config->local_storage_isolation;
	AUTO_STR missing = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (!capacity_of(s, needed[i]))
			str_printf(&missing, "%s%s", missing.len ? ", " : "", needed[i]);
	}
	if (missing.len) {
		AUTO_FREE char *text =
		    str_fmt("missing node capacity for resources: %s", str_text(&missing));

		strv_push(problems, text);
	}
}

/* Ready comes last: controllers of other versions count on it. */
static void fill_ready(const struct nodestatus_input *in, Core__NodeStatus *s,
		       struct nodestatus_events *events)
{
	char **problems = runtime_problems(in);
	AUTO_FREE char *text = NULL;
	Core__NodeCondition *c;
	bool is_new;

	if (in->problem)
		strv_push(&problems, in->problem);
	push_missing(&problems, in, s);
	text = joined(problems);
	strv_free(problems);
	if (put_condition(s, "Ready", !text, in->now_usec, &c, &is_new) && !is_new)
		push_event(events, text ? "NodeNotReady" : "NodeReady");
	proto_set_str(&c->reason, text ? "KubeletNotReady" : "KubeletReady");
	proto_set_str(&c->message, text ? text : "kubelet is posting ready status");
}

bool nodestatus_ready(const Core__Node *node)
{
	for (size_t i = 0; node->status && i < node->status->n_conditions; i++) {
		const Core__NodeCondition *c = node->status->conditions[i];

		if (str_eq(c->type, "Ready"))
			return str_eq(c->status, "True");
	}
	return false;
}

/* ---- the whole ---- */

static void put_label(Core__Node *node, const char *key, const char *value)
{
	Meta__ObjectMeta *meta = node->metadata;

	for (size_t i = 0; i < meta->n_labels; i++) {
		if (str_eq(meta->labels[i]->key, key)) {
			proto_set_str(&meta->labels[i]->value, value);
			return;
		}
	}
	proto_push_pair(&meta->n_labels, &meta->labels,
			&meta__object_meta__labels_entry__descriptor, key, value);
}

static void put_annotation(Core__Node *node, const char *key, const char *value)
{
	Meta__ObjectMeta *meta = node->metadata;

	for (size_t i = 0; i < meta->n_annotations; i++) {
		if (!str_eq(meta->annotations[i]->key, key))
			continue;
		if (value) {
			proto_set_str(&meta->annotations[i]->value, value);
			return;
		}
		proto_free(meta->annotations[i]);
		meta->annotations[i] = meta->annotations[--meta->n_annotations];
		return;
	}
	if (value)
		proto_push_pair(&meta->n_annotations, &meta->annotations,
				&meta__object_meta__annotations_entry__descriptor, key, value);
}

/* Tells an external cloud provider which address the operator chose. */
static void fill_provided_ip(const struct nodestatus_input *in, Core__Node *node)
{
	static const char key[] = "alpha.kubernetes.io/provided-node-ip";
	AUTO_STR ips = { 0 };

	for (size_t i = 0; in->external_cloud && in->ips && in->ips[i]; i++)
		str_printf(&ips, "%s%s", i ? "," : "", in->ips[i]);
	put_annotation(node, key, ips.len && *in->config->node_ip ? str_text(&ips) : NULL);
}

void nodestatus_fill(const struct nodestatus_input *in, Core__Node *node,
		     struct nodestatus_events *ret_events)
{
	struct nodestatus_events events = { .n = 0 };
	Core__NodeStatus *s;

	if (!node->status)
		node->status = proto_new(&core__node_status__descriptor);
	s = node->status;
	put_label(node, "kubernetes.io/os", "linux");
	put_label(node, "kubernetes.io/arch", in->machine->architecture);
	fill_provided_ip(in, node);
	fill_addresses(in, s);
	fill_capacity(in, s);
	fill_allocatable(in, s);
	fill_info(in, s, &events);
	fill_endpoint(in, s);
	fill_images(in, s);
	fill_handlers(in, s);
	drop_declared(s);
	fill_pressure(&memory_pressure, in->memory_pressure, in->now_usec, s, &events);
	fill_pressure(&disk_pressure, in->disk_pressure, in->now_usec, s, &events);
	fill_pressure(&pid_pressure, in->pid_pressure, in->now_usec, s, &events);
	fill_ready(in, s, &events);
	*ret_events = events;
}

/* Packed labels, annotations and status without heartbeats. */
static uint8_t *essence(const Core__Node *node, size_t *ret_len)
{
	Core__Node *copy = proto_dup(node);
	uint8_t *bytes;

	for (size_t i = 0; copy->status && i < copy->status->n_conditions; i++)
		set_time(&copy->status->conditions[i]->lastheartbeattime, 0);
	bytes = proto_pack(copy, ret_len);
	proto_free(copy);
	return bytes;
}

bool nodestatus_changed(const Core__Node *before, const Core__Node *after)
{
	size_t a_len, b_len;
	AUTO_FREE uint8_t *a = essence(before, &a_len), *b = essence(after, &b_len);

	return a_len != b_len || memcmp(a, b, a_len);
}

/* ---- registration ---- */

static void push_taint(Core__NodeSpec *spec, const char *key, const char *value, const char *effect)
{
	Core__Taint *t = proto_new(&core__taint__descriptor);

	proto_set_str(&t->key, key);
	proto_set_str(&t->value, value);
	proto_set_str(&t->effect, effect);
	proto_push(&spec->n_taints, &spec->taints, t);
}

static void put_own_labels(const struct nodestatus_input *in, Core__Node *node)
{
	put_label(node, "kubernetes.io/hostname", in->hostname);
	put_label(node, "kubernetes.io/os", "linux");
	put_label(node, "kubernetes.io/arch", in->machine->architecture);
	put_label(node, "beta.kubernetes.io/os", "linux");
	put_label(node, "beta.kubernetes.io/arch", in->machine->architecture);
}

static const char attach_detach[] = "volumes.kubernetes.io/controller-managed-attach-detach";

Core__Node *nodestatus_initial(const struct nodestatus_input *in)
{
	const struct config *c = in->config;
	Core__Node *node = proto_new(&core__node__descriptor);

	node->metadata = proto_new(&meta__object_meta__descriptor);
	node->spec = proto_new(&core__node_spec__descriptor);
	proto_set_str(&node->metadata->name, in->name);
	put_own_labels(in, node);
	for (size_t i = 0; i < c->node_labels.n; i++)
		put_label(node, c->node_labels.v[i].key, c->node_labels.v[i].value);
	put_annotation(node, attach_detach, c->attach_detach_by_controller ? "true" : NULL);
	for (size_t i = 0; i < c->register_with_taints.n; i++) {
		const struct config_taint *t = &c->register_with_taints.v[i];

		push_taint(node->spec, t->key, t->value, t->effect);
	}
	if (in->external_cloud)
		push_taint(node->spec, "node.cloudprovider.kubernetes.io/uninitialized", "true",
			   "NoSchedule");
	if (*c->provider_id)
		proto_set_str(&node->spec->providerid, c->provider_id);
	return node;
}

void nodestatus_adopt(const struct nodestatus_input *in, Core__Node *node)
{
	put_own_labels(in, node);
	for (size_t i = 0; labels_well_known[i]; i++) {
		const char *value = config_pair_get(&in->config->node_labels, labels_well_known[i]);

		if (value)
			put_label(node, labels_well_known[i], value);
	}
	put_annotation(node, attach_detach,
		       in->config->attach_detach_by_controller ? "true" : NULL);
}
