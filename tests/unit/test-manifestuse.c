/* Whatever is wrong with a manifest, it is refused, or the rest of the agent can work with it: an
 * API server has not looked at it. */
#include "base/json.h"
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kube/codec.h"
#include "pod/manifest.h"
#include "pod/podconfig.h"
#include "pod/podstatus.h"
#include "pod/podunbuilt.h"
#include "resource/cgroupvalues.h"
#include "test.h"
#include "volume/emptydir.h"
#include "volume/payload.h"

/* One of nearly everything. */
static const char rich[] =
    "apiVersion: v1\n"
    "kind: Pod\n"
    "metadata: {name: web, namespace: ns, uid: own, labels: {a: b}, annotations: {c: d},\n"
    "  ownerReferences: [{name: x, uid: z}], finalizers: [a/b], managedFields: [{manager: m}]}\n"
    "spec:\n"
    "  hostname: h\n"
    "  subdomain: s\n"
    "  setHostnameAsFQDN: true\n"
    "  priority: 1\n"
    "  priorityClassName: system-node-critical\n"
    "  activeDeadlineSeconds: 5\n"
    "  terminationGracePeriodSeconds: 5\n"
    "  restartPolicy: Always\n"
    "  dnsPolicy: ClusterFirst\n"
    "  dnsConfig: {nameservers: [1.1.1.1], searches: [a.b], options: [{name: ndots, value: v}]}\n"
    "  hostAliases: [{ip: 1.1.1.1, hostnames: [h]}]\n"
    "  nodeSelector: {a: b}\n"
    "  tolerations: [{key: k, operator: Equal, value: v, effect: NoSchedule}]\n"
    "  readinessGates: [{conditionType: a/b}]\n"
    "  topologySpreadConstraints: [{maxSkew: 1, topologyKey: k}]\n"
    "  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1}]}}\n"
    "  overhead: {cpu: 1m, memory: 1Mi}\n"
    "  resources: {requests: {cpu: 1}, limits: {cpu: 2, memory: 2Gi}}\n"
    "  os: {name: linux}\n"
    "  securityContext: {runAsUser: 1, runAsGroup: 1, fsGroup: 1, supplementalGroups: [2],\n"
    "    supplementalGroupsPolicy: Strict, fsGroupChangePolicy: Always,\n"
    "    sysctls: [{name: net.a, value: '1'}], seLinuxOptions: {level: s0},\n"
    "    seccompProfile: {type: RuntimeDefault}, appArmorProfile: {type: Unconfined}}\n"
    "  volumes:\n"
    "  - {name: e, emptyDir: {sizeLimit: 1Mi}}\n"
    "  - {name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}\n"
    "  - {name: h, hostPath: {path: /h, type: Directory}}\n"
    "  - {name: i, image: {reference: 'x:1', pullPolicy: Always}}\n"
    "  - {name: nfs, nfs: {server: s, path: /p}}\n"
    "  - name: d\n"
    "    downwardAPI: {defaultMode: 420, items: [{path: p, mode: 256,\n"
    "      fieldRef: {fieldPath: 'metadata.labels[''a'']'}}, {path: q,\n"
    "      resourceFieldRef: {containerName: a, resource: limits.cpu, divisor: 1m}}]}\n"
    "  - name: p\n"
    "    projected: {sources: [{downwardAPI: {items: [{path: r,\n"
    "      fieldRef: {fieldPath: metadata.annotations}}]}}]}\n"
    "  initContainers:\n"
    "  - {name: init, image: x}\n"
    "  - {name: side, image: x, restartPolicy: Always, startupProbe: {exec: {command: [c]}}}\n"
    "  containers:\n"
    "  - name: a\n"
    "    image: 'x:1'\n"
    "    command: [c, $(E)]\n"
    "    args: [d]\n"
    "    workingDir: /w\n"
    "    imagePullPolicy: Always\n"
    "    terminationMessagePath: /t\n"
    "    terminationMessagePolicy: File\n"
    "    stdin: true\n"
    "    restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]\n"
    "    resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]\n"
    "    ports: [{name: p, containerPort: 80, hostPort: 81, hostIP: 1.1.1.1, protocol: TCP}]\n"
    "    envFrom: [{prefix: P}]\n"
    "    env: [{name: E, value: v}, {name: F, valueFrom: {fieldRef: {fieldPath: status.podIP}}},\n"
    "      {name: R, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}},\n"
    "      {name: K, valueFrom: {fileKeyRef: {volumeName: e, path: f, key: k, optional: true}}}]\n"
    "    resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 2, memory: 1Gi,\n"
    "      hugepages-2Mi: 4Mi, a.b/c: 1}}\n"
    "    volumeMounts: [{name: e, mountPath: /e, subPath: s, mountPropagation: None},\n"
    "      {name: h, mountPath: /h, subPathExpr: $(E), readOnly: true,\n"
    "       recursiveReadOnly: IfPossible}, {name: i, mountPath: /i}, {name: d, mountPath: /d}]\n"
    "    volumeDevices: [{name: nfs, devicePath: /x}]\n"
    "    livenessProbe: {httpGet: {path: /, port: p, host: h, scheme: HTTP,\n"
    "      httpHeaders: [{name: X-H, value: v}]}, initialDelaySeconds: 1, timeoutSeconds: 1,\n"
    "      periodSeconds: 1, failureThreshold: 1, successThreshold: 1,\n"
    "      terminationGracePeriodSeconds: 1}\n"
    "    readinessProbe: {grpc: {port: 1, service: s}}\n"
    "    startupProbe: {tcpSocket: {port: 1, host: h}}\n"
    "    lifecycle: {postStart: {exec: {command: [c]}}, preStop: {sleep: {seconds: 1}}}\n"
    "    securityContext: {runAsUser: 1, runAsGroup: 1, runAsNonRoot: true, privileged: false,\n"
    "      allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, procMount: Default,\n"
    "      capabilities: {add: [A], drop: [B]}, seLinuxOptions: {user: u},\n"
    "      seccompProfile: {type: Localhost, localhostProfile: p},\n"
    "      appArmorProfile: {type: Localhost, localhostProfile: p}}\n";

enum { PERIOD_USEC = 100000, NODE_BYTES = 1 << 30 };

static const char *const ips[] = { "10.0.0.1", NULL };

/* --- the rest of the agent --- */

static const void *no_object(void *ctx, enum env_source source, const char *name)
{
	(void)ctx;
	(void)source;
	(void)name;
	return NULL;
}

static bool a_file(void *ctx, const Core__FileKeySelector *ref, struct env_file_value *ret_value)
{
	(void)ctx;
	(void)ref;
	*ret_value = (struct env_file_value){ "/f", "value" };
	return true;
}

static struct env_input env_of(const struct podspec *spec, const Core__Container *container)
{
	return (struct env_input){ .spec = spec,
				   .container = container,
				   .find = no_object,
				   .file = a_file,
				   .pod_ips = ips,
				   .host_ips = ips };
}

static void configure_container(const struct podspec *spec, const struct podconfig_node *node,
				size_t i)
{
	const Core__Container *c = spec->containers[i].spec;
	struct env_input env_in = env_of(spec, c);
	CLEANUP(env_list_fini) struct env_list env = { 0 };
	AUTO_PROTO Cri__LinuxContainerSecurityContext *security = NULL;
	AUTO_PROTO Cri__ContainerConfig *config = NULL;
	AUTO_FREE const char **paths = mem_calloc(c->n_volumemounts + 1, sizeof(*paths));
	struct container_input in = { .spec = spec,
				      .container = &spec->containers[i],
				      .node = node,
				      .env = &env,
				      .image_ref = "x",
				      .mount_paths = paths };
	struct err e;

	for (size_t k = 0; k < c->n_volumemounts; k++)
		paths[k] = "/v";
	if (podenv_make(&env_in, &env, &e) < 0 || podconfig_security(&in, &security, &e) < 0)
		return;
	in.security = security;
	(void)podconfig_container(&in, &config, &e);
}

static void configure(const struct podspec *spec)
{
	static const char *const sizes[] = { "2MB", NULL };
	const struct podconfig_node node = {
		.root_dir = "/r",
		.pod_logs_dir = "/l",
		.cgroup_root = "",
		.cgroups_per_qos = true,
		.systemd_cgroups = true,
		.cpu_cfs_quota = true,
		.cpu_period_usec = PERIOD_USEC,
		.memory_capacity_bytes = NODE_BYTES,
		.hugepage_sizes = sizes,
		.cgroup_v2 = true,
		.limits_swap = true,
		.memory_qos = { .on = true, .factor = 0.5, .allocatable_bytes = NODE_BYTES },
		.dns = { .cluster_dns = ips, .cluster_domain = "cluster.local" },
	};
	AUTO_PROTO Cri__PodSandboxConfig *sandbox = NULL;
	AUTO_FREE char *hosts = poddns_hosts_file(spec, ips, "cluster.local", NULL);
	struct cgroup_limits limits =
	    cgroupvalues_of_pod(spec->pod->spec, PERIOD_USEC, 0, node.cpu_cfs_quota);
	struct dns_warning warning;
	struct err e;

	assert_non_null(hosts);
	memoryqos_of_pod(&node.memory_qos, spec->pod->spec, &limits);
	(void)podconfig_sandbox(spec, &node, 0, &sandbox, &warning, &e);
	for (size_t i = 0; i < spec->n_containers; i++)
		configure_container(spec, &node, i);
}

static void fill_volumes(const struct podspec *spec)
{
	const Core__PodSpec *s = spec->pod->spec;
	struct env_input env = env_of(spec, NULL);
	const struct payload_input in = { .spec = spec, .env = &env };

	for (size_t i = 0; i < s->n_volumes; i++) {
		const Core__VolumeSource *source = s->volumes[i]->volumesource;
		CLEANUP(payload_fini) struct payload payload = { 0 };
		struct emptydir empty;
		struct err e;

		if (payload_supported(source))
			(void)payload_make(&in, source, &payload, &e);
		if (source->emptydir)
			(void)emptydir_decide(s, source->emptydir, NODE_BYTES, &empty, &e);
	}
}

static struct podobs *all_running(const struct podspec *spec)
{
	struct podobs *obs = podobs_new(spec->uid, spec->ns, spec->name);
	struct obs_sandbox *sandbox = NEW(struct obs_sandbox);

	sandbox->id = mem_strdup("s");
	sandbox->ready = true;
	strv_push(&sandbox->ips, ips[0]);
	podobs_put_sandbox(obs, sandbox);
	for (size_t i = 0; i < spec->n_containers; i++) {
		struct obs_container *c = NEW(struct obs_container);

		c->id = str_fmt("c%zu", i);
		c->name = mem_strdup(spec->containers[i].spec->name);
		c->sandbox_id = mem_strdup("s");
		c->state = OBS_RUNNING;
		c->started_ns = 1;
		c->cpu_shares = c->cpu_quota = c->cpu_period = c->memory_limit = -1;
		podobs_put_container(obs, c);
	}
	return obs;
}

static void report(const struct podspec *spec, const struct podobs *obs)
{
	AUTO_PROTO Core__PodStatus *old = proto_new(&core__pod_status__descriptor);
	AUTO_FREE struct status_container *facts = mem_calloc(spec->n_containers, sizeof(*facts));

	for (enum pod_phase phase = POD_SYNC; phase < POD_PHASE_COUNT; phase++) {
		const struct status_input in = { .spec = spec,
						 .obs = obs,
						 .old = old,
						 .phase = phase,
						 .containers = facts,
						 .qos_class = "Burstable",
						 .runtime_name = "r",
						 .host_ips = ips };
		Core__PodStatus *now = podstatus_make(&in);

		proto_free(old);
		old = now;
	}
}

static void use(Core__Pod *pod)
{
	struct kube_object *object = kube_object_new(KUBE_POD, pod);
	struct podspec *spec = podspec_new(object);
	struct podobs *none = podobs_new(spec->uid, spec->ns, spec->name);
	struct podobs *all = all_running(spec);
	AUTO_JSON struct json_object *json = codec_to_json(pod);

	assert_non_null(json);
	strv_free(podunbuilt_fields(pod->spec));
	configure(spec);
	fill_volumes(spec);
	report(spec, none);
	report(spec, all);
	podobs_free(none);
	podobs_free(all);
	podspec_free(spec);
	kube_object_unref(object);
}

/* --- what may be wrong --- */

/* Puts with in the place of the n-th value below node; false: there are not so many. */
static bool replace(struct json_object *node, size_t *n, struct json_object *with)
{
	if (json_object_is_type(node, json_type_object)) {
		json_object_object_foreach(node, key, value)
		{
			if (!(*n)--) {
				json_object_object_add(node, key, json_object_get(with));
				return true;
			}
			if (replace(value, n, with))
				return true;
		}
	}
	if (!json_object_is_type(node, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(node); i++) {
		if (!(*n)--) {
			json_object_array_put_idx(node, i, json_object_get(with));
			return true;
		}
		if (replace(json_object_array_get_idx(node, i), n, with))
			return true;
	}
	return false;
}

static bool try(const char *text)
{
	const struct manifest_origin origin = { "n1", "file", "/m" };
	Core__Pod *pod = NULL;
	struct err e = { 0 };

	if (manifest_read(text, strlen(text), &origin, &pod, &e) < 0) {
		assert_true(e.code != ERR_NONE && *e.text);
		return false;
	}
	use(pod);
	return true;
}

static void anything_may_be_wrong(void **state)
{
	static const char *const values[] = { "null", "{}" };
	AUTO_JSON struct json_object *tree = NULL;
	size_t taken = 0, tried = 0;
	struct err e;

	(void)state;
	if (!try(rich)) {
		Core__Pod *pod = NULL;

		(void)manifest_read(rich, strlen(rich),
				    &(struct manifest_origin){ "n1", "file", "/m" }, &pod, &e);
		fail_msg("%s", e.text);
	}
	assert_int_equal(yaml_parse(rich, strlen(rich), &tree, NULL, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		AUTO_JSON struct json_object *with = json_tokener_parse(values[i]);

		for (size_t n = 0;; n++) {
			AUTO_JSON struct json_object *copy = NULL;
			AUTO_FREE char *text = NULL;
			size_t left = n;

			assert_int_equal(json_object_deep_copy(tree, &copy, NULL), 0);
			if (!replace(copy, &left, with))
				break;
			text = json_text(copy);
			tried++;
			taken += try(text);
		}
	}
	assert_true(tried > 500 && taken > 100 && tried - taken > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(anything_may_be_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
