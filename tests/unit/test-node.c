/* The Node object: amounts, addresses, conditions, what is patched; texts of the machine. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/sysctl.h"
#include "config/config.h"
#include "kube/codec.h"
#include "kube/hostname.h"
#include "kube/quantity.h"
#include "kube/time.h"
#include "node/machine.h"
#include "node/nodeaddr.h"
#include "node/nodepatch.h"
#include "node/nodestatus.h"
#include "node/runtimeinfo.h"
#include "node/tunables.h"

enum { GIB = 1 << 30, ARGS_MAX = 16 };

static const int64_t noon_usec = 1800000000LL * 1000000;

static struct config *config_of(const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { "keelson-agent" };
	struct config *c = NULL;
	struct err e = { 0 };
	int argc = 1;

	for (; args && *args; args++)
		argv[argc++] = (char *)*args;
	if (config_load(argc, argv, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static const struct machine machine = {
	.cpus = 4,
	.memory_bytes = 8LL * GIB,
	.disk_bytes = 100000000000,
	.hugepages = { { .page_bytes = 2 << 20, .pages = 8 }, { .page_bytes = GIB, .pages = 0 } },
	.n_hugepages = 2,
	.machine_id = (char *)"mid",
	.system_uuid = (char *)"uuid",
	.boot_id = (char *)"boot",
	.kernel_version = (char *)"6.1",
	.os_image = (char *)"Debian",
	.architecture = (char *)"amd64",
};

/* conditions: "RuntimeReady=true NetworkReady=false reason message" is spelled by the caller */
static Cri__StatusResponse *runtime_of(bool runtime, bool network)
{
	Cri__StatusResponse *r = proto_new(&cri__status_response__descriptor);
	const char *const types[] = { "RuntimeReady", "NetworkReady" };
	const bool on[] = { runtime, network };

	r->status = proto_new(&cri__runtime_status__descriptor);
	for (size_t i = 0; i < 2; i++) {
		Cri__RuntimeCondition *c = proto_new(&cri__runtime_condition__descriptor);

		proto_set_str(&c->type, types[i]);
		c->status = on[i];
		if (!on[i]) {
			proto_set_str(&c->reason, "Bad");
			proto_set_str(&c->message, "not yet");
		}
		proto_push(&r->status->n_conditions, &r->status->conditions, c);
	}
	return r;
}

static struct nodestatus_input input_of(const struct config *c, const Cri__StatusResponse *runtime)
{
	static char *ips[] = { "10.0.0.5", "fd00::5", NULL };

	return (struct nodestatus_input){
		.config = c,
		.machine = &machine,
		.name = "n1",
		.hostname = "n1",
		.ips = ips,
		.now_usec = noon_usec,
		.runtime_name = "containerd",
		.runtime_version = "v2.4.2",
		.runtime = runtime,
	};
}

static const char *amount(const Core__NodeStatus *s, bool allocatable, const char *resource)
{
	size_t n = allocatable ? s->n_allocatable : s->n_capacity;

	for (size_t i = 0; i < n; i++) {
		const char *key = allocatable ? s->allocatable[i]->key : s->capacity[i]->key;

		if (str_eq(key, resource))
			return allocatable ? s->allocatable[i]->value->string
					   : s->capacity[i]->value->string;
	}
	return "(none)";
}

static const Core__NodeCondition *condition(const Core__Node *node, const char *type)
{
	for (size_t i = 0; i < node->status->n_conditions; i++) {
		if (str_eq(node->status->conditions[i]->type, type))
			return node->status->conditions[i];
	}
	fail_msg("no condition %s", type);
	return NULL;
}

static void test_amounts(void **state)
{
	static const struct {
		const char *args[5], *resource, *capacity, *allocatable;
	} cases[] = {
		{ { NULL }, "cpu", "4", "4" },
		{ { NULL }, "memory", "8Gi", "8176Mi" }, /* huge pages are taken out */
		{ { NULL }, "pods", "110", "110" },
		{ { NULL }, "hugepages-2Mi", "16Mi", "16Mi" },
		{ { NULL }, "hugepages-1Gi", "0", "0" },
		{ { NULL }, "ephemeral-storage", "100G", "100G" },
		{ { "--pods-per-core=10" }, "pods", "40", "40" },
		{ { "--pods-per-core=50" }, "pods", "110", "110" },
		{ { "--local-storage-capacity-isolation=false" },
		  "ephemeral-storage",
		  "(none)",
		  "(none)" },
		{ { "--system-reserved=cpu=500m,memory=1Gi", "--kube-reserved=cpu=250m" },
		  "cpu",
		  "4",
		  "3250m" },
		{ { "--system-reserved=cpu=500m,memory=1Gi",
		    "--eviction-hard=memory.available<1Gi" },
		  "memory",
		  "8Gi",
		  "6128Mi" },
		{ { "--eviction-hard=nodefs.available<10%" },
		  "ephemeral-storage",
		  "100G",
		  "89999999851" }, /* upstream's percentages have 24 bits */
		{ { "--eviction-hard=nodefs.available<10%",
		    "--experimental-allocatable-ignore-eviction" },
		  "ephemeral-storage",
		  "100G",
		  "100G" },
		{ { "--system-reserved=cpu=9" }, "cpu", "4", "0" },
		{ { "--system-reserved=cpu=1", "--reserved-cpus=0-1,3" }, "cpu", "4", "1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = config_of(cases[i].args);
		struct nodestatus_input in = input_of(c, NULL);
		AUTO_PROTO Core__Node *node = nodestatus_initial(&in);
		struct nodestatus_events events;

		nodestatus_fill(&in, node, &events);
		assert_string_equal(amount(node->status, false, cases[i].resource),
				    cases[i].capacity);
		assert_string_equal(amount(node->status, true, cases[i].resource),
				    cases[i].allocatable);
	}
}

/* What others put there stays, what vanished goes. */
static void test_amounts_of_others(void **state)
{
	CLEANUP(config_freep) struct config *c = config_of(NULL);
	struct nodestatus_input in = input_of(c, NULL);
	AUTO_PROTO Core__Node *node = NULL;
	AUTO_JSON struct json_object *tree = NULL;
	static const char text[] =
	    "{\"metadata\":{\"name\":\"n1\"},\"status\":{"
	    "\"capacity\":{\"example.com/fan\":\"3\",\"hugepages-64Ki\":\"0\"},"
	    "\"allocatable\":{\"example.com/fan\":\"3\",\"example.com/gone\":\"1\","
	    "\"hugepages-64Ki\":\"0\"},"
	    "\"volumesInUse\":[\"a\"],\"declaredFeatures\":[\"X\"]}}";
	struct nodestatus_events events;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &tree, &e), 0);
	assert_int_equal(codec_from_json(&core__node__descriptor, tree, NULL, (void **)&node, &e),
			 0);
	nodestatus_fill(&in, node, &events);
	assert_string_equal(amount(node->status, false, "example.com/fan"), "3");
	assert_string_equal(amount(node->status, true, "example.com/fan"), "3");
	assert_string_equal(amount(node->status, true, "example.com/gone"), "(none)");
	assert_string_equal(amount(node->status, false, "hugepages-64Ki"), "(none)");
	assert_string_equal(amount(node->status, true, "hugepages-64Ki"), "(none)");
	assert_int_equal(node->status->n_volumesinuse, 1);
	assert_int_equal(node->status->n_declaredfeatures, 0);
}

static void test_ready(void **state)
{
	static const struct {
		bool answered, runtime, network, down;
		const char *problem, *message;
	} cases[] = {
		{ true, true, true, false, NULL, NULL },
		{ true, true, false, false, NULL,
		  "container runtime network not ready: NetworkReady=false reason:Bad "
		  "message:not yet" },
		{ true, false, true, false, NULL,
		  "container runtime not ready: RuntimeReady=false reason:Bad message:not yet" },
		{ false, false, false, false, NULL,
		  "[container runtime status check may not have completed yet, network state "
		  "unknown]" },
		{ true, true, true, true, NULL, "container runtime is down" },
		{ true, true, true, true, "relist is late",
		  "[container runtime is down, relist is late]" },
		{ false, false, false, true, NULL,
		  "[container runtime is down, network state unknown]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(config_freep) struct config *c = config_of(NULL);
		AUTO_PROTO Cri__StatusResponse *r =
		    cases[i].answered ? runtime_of(cases[i].runtime, cases[i].network) : NULL;
		struct nodestatus_input in = input_of(c, r);
		AUTO_PROTO Core__Node *node = nodestatus_initial(&in);
		struct nodestatus_events events;
		const Core__NodeCondition *ready;

		in.runtime_down = cases[i].down;
		in.problem = cases[i].problem;
		nodestatus_fill(&in, node, &events);
		ready = condition(node, "Ready");
		assert_ptr_equal(ready, node->status->conditions[3]);
		assert_int_equal(nodestatus_ready(node), !cases[i].message);
		assert_string_equal(ready->status, cases[i].message ? "False" : "True");
		assert_string_equal(ready->reason,
				    cases[i].message ? "KubeletNotReady" : "KubeletReady");
		assert_string_equal(ready->message,
				    str_or(cases[i].message, "kubelet is posting ready status"));
	}
}

/* Transition times move with the status only; heartbeats always; events tell the change. */
static void test_transitions(void **state)
{
	CLEANUP(config_freep) struct config *c = config_of(NULL);
	AUTO_PROTO Cri__StatusResponse *good = runtime_of(true, true),
				       *bad = runtime_of(true, false);
	struct nodestatus_input in = input_of(c, good);
	AUTO_PROTO Core__Node *node = nodestatus_initial(&in), *before = NULL;
	struct nodestatus_events events;

	(void)state;
	nodestatus_fill(&in, node, &events);
	assert_int_equal(events.n, 3);
	assert_string_equal(events.reasons[0], "NodeHasSufficientMemory");
	assert_string_equal(events.reasons[1], "NodeHasNoDiskPressure");
	assert_string_equal(events.reasons[2], "NodeHasSufficientPID");
	assert_string_equal(condition(node, "DiskPressure")->message,
			    "kubelet has no disk pressure");

	before = proto_dup(node);
	in.now_usec += 10000000;
	nodestatus_fill(&in, node, &events);
	assert_int_equal(events.n, 0);
	assert_false(nodestatus_changed(before, node));
	assert_int_equal(kube_time_usec(condition(node, "Ready")->lasttransitiontime), noon_usec);
	assert_int_equal(kube_time_usec(condition(node, "Ready")->lastheartbeattime),
			 noon_usec + 10000000);

	in.runtime = bad;
	in.memory_pressure = true;
	nodestatus_fill(&in, node, &events);
	assert_true(nodestatus_changed(before, node));
	assert_int_equal(events.n, 2);
	assert_string_equal(events.reasons[0], "NodeHasInsufficientMemory");
	assert_string_equal(events.reasons[1], "NodeNotReady");
	assert_int_equal(kube_time_usec(condition(node, "Ready")->lasttransitiontime),
			 noon_usec + 10000000);
	assert_int_equal(kube_time_usec(condition(node, "PIDPressure")->lasttransitiontime),
			 noon_usec);

	in.runtime = good;
	nodestatus_fill(&in, node, &events);
	assert_int_equal(events.n, 1);
	assert_string_equal(events.reasons[0], "NodeReady");
	assert_false(events.rebooted);
	proto_set_str(&node->status->nodeinfo->bootid, "another");
	nodestatus_fill(&in, node, &events);
	assert_true(events.rebooted);
}

static void push_image(Cri__ListImagesResponse *list, const char *id, uint64_t size, size_t tags)
{
	Cri__Image *image = proto_new(&cri__image__descriptor);

	proto_set_str(&image->id, id);
	image->size = size;
	for (size_t i = 0; i < tags; i++) {
		AUTO_FREE char *tag = str_fmt("%s:%zu", id, i);

		proto_push_str(&image->n_repo_tags, &image->repo_tags, tag);
	}
	proto_push_str(&image->n_repo_digests, &image->repo_digests, "digest");
	proto_push(&list->n_images, &list->images, image);
}

static void test_images(void **state)
{
	CLEANUP(config_freep)
	struct config *c = config_of((const char *[]){ "--node-status-max-images=3", NULL });
	AUTO_PROTO Cri__ListImagesResponse *images =
	    proto_new(&cri__list_images_response__descriptor);
	struct nodestatus_input in = input_of(c, NULL);
	AUTO_PROTO Core__Node *node = nodestatus_initial(&in);
	struct nodestatus_events events;

	(void)state;
	push_image(images, "small", 1, 1);
	push_image(images, "big", 9, 7);
	push_image(images, "a", 5, 1);
	push_image(images, "b", 5, 1);
	in.images = images;
	nodestatus_fill(&in, node, &events);
	assert_int_equal(node->status->n_images, 3);
	assert_int_equal(node->status->images[0]->sizebytes, 9);
	assert_int_equal(node->status->images[0]->n_names, 5);
	assert_string_equal(node->status->images[0]->names[0], "digest");
	assert_string_equal(node->status->images[0]->names[1], "big:0");
	assert_string_equal(node->status->images[1]->names[1], "b:0");
	assert_string_equal(node->status->images[2]->names[1], "a:0");
}

static void test_initial(void **state)
{
	CLEANUP(config_freep)
	struct config *c = config_of(
	    (const char *[]){ "--node-labels=zone=a,kubernetes.io/hostname=other",
			      "--provider-id=cloud://1", "--register-with-taints=k=v:NoExecute",
			      "--cloud-provider=external", "--node-ip=10.0.0.5,fd00::5", NULL });
	struct nodestatus_input in = input_of(c, NULL);
	AUTO_PROTO Core__Node *node = NULL;
	AUTO_JSON struct json_object *tree = NULL;
	struct nodestatus_events events;
	static const char want[] =
	    "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"beta.kubernetes.io/arch\":\"amd64\","
	    "\"beta.kubernetes.io/os\":\"linux\",\"kubernetes.io/arch\":\"amd64\","
	    "\"kubernetes.io/hostname\":\"other\",\"kubernetes.io/os\":\"linux\",\"zone\":\"a\"},"
	    "\"annotations\":{\"alpha.kubernetes.io/provided-node-ip\":\"10.0.0.5,fd00::5\","
	    "\"volumes.kubernetes.io/controller-managed-attach-detach\":\"true\"}},"
	    "\"spec\":{\"providerID\":\"cloud://1\",\"taints\":[{\"key\":\"k\",\"value\":\"v\","
	    "\"effect\":\"NoExecute\"},{\"key\":\"node.cloudprovider.kubernetes.io/uninitialized\","
	    "\"value\":\"true\",\"effect\":\"NoSchedule\"}]}}";
	AUTO_JSON struct json_object *expected = NULL;
	struct err e = { 0 };

	(void)state;
	in.external_cloud = true;
	node = nodestatus_initial(&in);
	nodestatus_fill(&in, node, &events);
	tree = codec_to_json(node);
	json_object_object_del(tree, "status");
	assert_int_equal(json_parse(want, strlen(want), &expected, &e), 0);
	if (!json_object_equal(tree, expected))
		fail_msg("%s", json_object_get_string(tree));
	/* the provider's addresses, once there, stay */
	assert_int_equal(node->status->n_addresses, 3);
	proto_set_str(&node->status->addresses[0]->address, "203.0.113.1");
	nodestatus_fill(&in, node, &events);
	assert_string_equal(node->status->addresses[0]->address, "203.0.113.1");
}

static void test_patch(void **state)
{
	CLEANUP(config_freep) struct config *c = config_of(NULL);
	AUTO_PROTO Cri__StatusResponse *good = runtime_of(true, true),
				       *bad = runtime_of(true, false);
	struct nodestatus_input in = input_of(c, good);
	AUTO_PROTO Core__Node *before = nodestatus_initial(&in), *after = NULL;
	static char *other_ips[] = { "10.0.0.6", NULL };
	struct nodestatus_events events;
	AUTO_FREE char *none = NULL, *patch = NULL, *gone = NULL;

	(void)state;
	nodestatus_fill(&in, before, &events);
	after = proto_dup(before);
	none = nodepatch_text(before, after);
	assert_null(none);
	in.ips = other_ips;
	in.runtime = bad;
	nodestatus_fill(&in, after, &events);
	patch = nodepatch_text(before, after);
	assert_string_equal(
	    patch,
	    "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
	    "\"lastHeartbeatTime\":\"2027-01-15T08:00:00Z\",\"lastTransitionTime\":"
	    "\"2027-01-15T08:00:00Z\",\"reason\":\"KubeletNotReady\",\"message\":"
	    "\"container runtime network not ready: NetworkReady=false reason:Bad message:not "
	    "yet\"}],\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.0.0.6\"},{\"type\":"
	    "\"Hostname\",\"address\":\"n1\"},{\"$patch\":\"replace\"}]}}");
	/* what goes is told to go */
	proto_free(after);
	after = proto_dup(before);
	proto_free(after->status->capacity[--after->status->n_capacity]);
	proto_free(after->metadata->annotations[--after->metadata->n_annotations]);
	gone = nodepatch_text(before, after);
	assert_non_null(strstr(gone, "controller-managed-attach-detach\":null"));
	assert_non_null(strstr(gone, "\"capacity\":{\"hugepages-1Gi\":null}"));
}

static void test_adopt(void **state)
{
	CLEANUP(config_freep)
	struct config *c =
	    config_of((const char *[]){ "--node-labels=topology.kubernetes.io/zone=b,mine=1",
					"--enable-controller-attach-detach=false", NULL });
	struct nodestatus_input in = input_of(c, NULL);
	AUTO_PROTO Core__Node *node = proto_new(&core__node__descriptor);

	(void)state;
	node->metadata = proto_new(&meta__object_meta__descriptor);
	proto_push_pair(&node->metadata->n_labels, &node->metadata->labels,
			&meta__object_meta__labels_entry__descriptor, "kubernetes.io/hostname",
			"old");
	proto_push_pair(&node->metadata->n_annotations, &node->metadata->annotations,
			&meta__object_meta__annotations_entry__descriptor,
			"volumes.kubernetes.io/controller-managed-attach-detach", "true");
	nodestatus_adopt(&in, node);
	assert_int_equal(node->metadata->n_annotations, 0);
	assert_int_equal(node->metadata->n_labels, 6); /* five and the zone; mine is not taken */
	assert_string_equal(node->metadata->labels[0]->value, "n1");
}

static void test_versions(void **state)
{
	static const char *const cases[][2] = {
		{ "v2.4.2", "2.4.2" },
		{ "1.6.20~ds1", "1.6.20" },
		{ "2.0.0-rc.1", "2.0.0-rc.1" },
		{ "1.30.0+git", "1.30.0+git" },
		{ "1.7", "1.7" },
		{ "1.02.3", "1.02.3" },
		{ "weekly", "Unknown" },
		{ "", "Unknown" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *got = nodestatus_version(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
	}
}

static void test_machine_texts(void **state)
{
	static const char meminfo[] = "MemTotal:   24684084 kB\nMemFree: 1 kB\nSwapTotal:  0 kB\n";
	static const char *const names[][2] = {
		{ "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\nX=1\n", "Debian GNU/Linux 12" },
		{ "PRETTY_NAME=Plain", "Plain" },
		{ "NAME=x\n", "Linux" },
	};

	(void)state;
	assert_int_equal(machine_meminfo(meminfo, "MemTotal"), 24684084LL * 1024);
	assert_int_equal(machine_meminfo(meminfo, "SwapTotal"), 0);
	assert_int_equal(machine_meminfo(meminfo, "Mem"), -1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *got = machine_os_name(names[i][0]);

		assert_string_equal(got, names[i][1]);
	}
	assert_string_equal(machine_go_architecture("x86_64"), "amd64");
	assert_string_equal(machine_go_architecture("mips"), "mips");
}

static void test_machine_check(void **state)
{
	CLEANUP(config_freep) struct config *strict = config_of(NULL);
	CLEANUP(config_freep)
	struct config *lax =
	    config_of((const char *[]){ "--fail-cgroupv1=false", "--fail-swap-on=false", NULL });
	struct machine m = { .cgroup_v2 = true };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(machine_check(&m, strict, &e), 0);
	m.swap_on = true;
	assert_int_equal(machine_check(&m, strict, &e), -1);
	assert_non_null(strstr(e.text, "failSwapOn"));
	m.cgroup_v2 = false;
	assert_int_equal(machine_check(&m, strict, &e), -1);
	assert_non_null(strstr(e.text, "failCgroupV1"));
	assert_int_equal(machine_check(&m, lax, &e), 0);
}

/* What is possible on this machine only. */
static void test_machine_check_more(void **state)
{
	static const struct {
		struct config config;
		bool cgroup_v2;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{ { .oom_kills_whole_container = true }, false, "singleProcessOOMKill" },
		{ { .oom_kills_whole_container = true }, true, NULL },
		{ { .swap_behavior = "LimitedSwap" }, false, "memorySwap.swapBehavior" },
		{ { .swap_behavior = "LimitedSwap" }, true, NULL },
		{ { .swap_behavior = "NoSwap" }, false, NULL },
		{ { .reserved_system_cpus = "0,2-3" }, false, NULL },
		{ { .reserved_system_cpus = "1-4" }, false, "CPUs 0 to 3" },
		{ { .reserved_system_cpus = "4,0" }, false, "CPUs 0 to 3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine m = { .cgroup_v2 = cases[i].cgroup_v2, .cpus = 4 };
		struct err e = { 0 };
		int r = machine_check(&m, &cases[i].config, &e);

		assert_int_equal(r, cases[i].says ? -1 : 0);
		if (cases[i].says && !strstr(e.text, cases[i].says))
			fail_msg("%s", e.text);
	}
}

static void test_machine_read(void **state)
{
	struct machine m;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(machine_read("/", &m, &e), 0);
	assert_true(m.cpus > 0);
	assert_true(m.memory_bytes > 1 << 20);
	assert_true(m.disk_bytes > 0);
	assert_int_equal(strlen(m.boot_id), 36);
	machine_fini(&m);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *first, *second;
		bool ok;
	} cases[] = {
		{ "", NULL, NULL, true },
		{ "10.0.0.1", "10.0.0.1", NULL, true },
		{ "fd00:0::1", "fd00::1", NULL, true },
		{ "::", "::", NULL, true },
		{ "10.0.0.1, fd00::1", "10.0.0.1", "fd00::1", true },
		{ "10.0.0.1,10.0.0.2", NULL, NULL, false },
		{ "0.0.0.0,fd00::1", NULL, NULL, false },
		{ "10.0.0.1,fd00::1,fd00::2", NULL, NULL, false },
		{ "10.0.0", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char **ips = NULL;

		assert_int_equal(nodeaddr_parse(cases[i].text, &ips, NULL) == 0, cases[i].ok);
		assert_int_equal(strv_len(ips), !!cases[i].first + !!cases[i].second);
		if (cases[i].first)
			assert_string_equal(ips[0], cases[i].first);
		if (cases[i].second)
			assert_string_equal(ips[1], cases[i].second);
		strv_free(ips);
	}
	assert_true(nodeaddr_is_any("0.0.0.0"));
	assert_false(nodeaddr_is_any("10.0.0.0"));
	assert_int_equal(nodeaddr_check("127.0.0.1", NULL), -1);
	assert_int_equal(nodeaddr_check("fe80::1", NULL), -1);
	assert_int_equal(nodeaddr_check("192.0.2.254", NULL), -1);
}

static void test_hostname(void **state)
{
	AUTO_FREE char *name = NULL, *own = NULL;
	char *none = NULL;

	(void)state;
	assert_int_equal(kube_hostname(" Node-A ", &name, NULL), 0);
	assert_string_equal(name, "node-a");
	assert_int_equal(kube_hostname("", &own, NULL), 0);
	assert_true(*own != 0);
	assert_int_equal(kube_hostname("  ", &none, NULL), -1);
}

static void all_pods_have_what_is_not_reserved(void **state)
{
	static const struct {
		const char *flags[4];
		int64_t shares, memory_bytes, pids;
	} rows[] = {
		{ { NULL }, 4096, 1000, 500 },
		{ { "--system-reserved=cpu=500m,memory=100,pid=100",
		    "--kube-reserved=memory=200,pid=50", NULL },
		  3584,
		  700,
		  350 },
		{ { "--system-reserved=cpu=500m,memory=100,pid=100",
		    "--enforce-node-allocatable=none", NULL },
		  4096,
		  1000,
		  500 },
	};
	const struct machine m = { .cpus = 4, .memory_bytes = 1000, .max_pids = 500 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(config_freep)
		struct config *c = config_of((const char *const *)rows[i].flags);
		struct cgroup_limits l = nodestatus_pods_limits(&m, c);

		assert_int_equal(l.cpu_shares, rows[i].shares);
		assert_int_equal(l.memory_bytes, rows[i].memory_bytes);
		assert_int_equal(l.pids, rows[i].pids);
	}
}

static void containerd_tells_its_cgroup_driver(void **state)
{
	static const struct {
		const char *config, *driver;
	} rows[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "{", NULL },
		{ "[]", NULL },
		{ "{\"containerd\":{}}", NULL },
		{ "{\"containerd\":{\"defaultRuntimeName\":\"runc\",\"runtimes\":{\"kata\":{}}}}",
		  NULL },
		{ "{\"containerd\":{\"defaultRuntimeName\":\"runc\",\"runtimes\":{\"runc\":{}}}}",
		  "cgroupfs" },
		{ "{\"containerd\":{\"defaultRuntimeName\":\"runc\",\"runtimes\":{\"runc\":"
		  "{\"options\":{\"SystemdCgroup\":false}}}}}",
		  "cgroupfs" },
		{ "{\"containerd\":{\"defaultRuntimeName\":\"runc\",\"runtimes\":{\"runc\":"
		  "{\"options\":{\"SystemdCgroup\":true}},\"kata\":{}}}}",
		  "systemd" },
		{ "{\"containerd\":{\"defaultRuntimeName\":\"runc\",\"runtimes\":{\"runc\":"
		  "{\"options\":{\"SystemdCgroup\":\"true\"}}}}}",
		  "cgroupfs" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PROTO Cri__StatusResponse *r = proto_new(&cri__status_response__descriptor);

		proto_push_pair(&r->n_info, &r->info, &cri__status_response__info_entry__descriptor,
				"golang", "\"go1.19\"");
		if (rows[i].config)
			proto_push_pair(&r->n_info, &r->info,
					&cri__status_response__info_entry__descriptor, "config",
					rows[i].config);
		assert_string_equal(str_or(runtimeinfo_cgroup_driver(r), "-"),
				    str_or(rows[i].driver, "-"));
	}
}

/* A root with the settings as they are before. */
static char *make_settings(void)
{
	char *root = mem_strdup("/tmp/keelson-tunables-XXXXXX");

	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < tunables_count; i++) {
		AUTO_FREE char *path = str_fmt("%s/proc/sys/%s", root, tunables[i].name);
		AUTO_FREE char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));

		assert_int_equal(fs_mkdir_all(dir, 0755, NULL), 0);
		assert_int_equal(fs_write_atomic(path, i ? "7\n" : "1\n", 2, 0644, NULL), 0);
	}
	return root;
}

static void kernel_settings_are_made_or_protected(void **state)
{
	AUTO_FREE char *root = make_settings();
	AUTO_FREE char *missing = str_fmt("%s/proc/sys/%s", root, tunables[1].name);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(tunables_apply(root, true, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_null(strstr(e.text, "overcommit_memory"));
	assert_non_null(strstr(e.text, "; kernel/panic is 7, not 10;"));
	assert_int_equal(tunables_apply(root, false, &e), 0);
	for (size_t i = 0; i < tunables_count; i++) {
		AUTO_FREE char *path = str_fmt("%s/proc/sys/%s", root, tunables[i].name);
		int64_t now;

		assert_int_equal(sysctl_read(path, &now, &e), 0);
		assert_int_equal(now, tunables[i].value);
	}
	assert_int_equal(tunables_apply(root, true, &e), 0);
	/* a kernel without one of them */
	unlink(missing);
	assert_int_equal(tunables_apply(root, false, &e), 0);
	assert_int_equal(tunables_apply(root, true, &e), -1);
	fs_remove_all(root, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_amounts_of_others),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_patch),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_machine_texts),
		cmocka_unit_test(test_machine_check),
		cmocka_unit_test(test_machine_check_more),
		cmocka_unit_test(test_machine_read),
		cmocka_unit_test(kernel_settings_are_made_or_protected),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hostname),
		cmocka_unit_test(all_pods_have_what_is_not_reserved),
		cmocka_unit_test(containerd_tells_its_cgroup_driver),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
