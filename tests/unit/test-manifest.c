/* Manifests: what is read, what is filled in, what is refused and with which words. */
#include "base/mem.h"
#include "base/proto.h"
#include "base/str.h"
#include "pod/manifest.h"
#include "test.h"

#define HEAD "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n"
#define ONE HEAD "  containers:\n  - name: a\n    image: x\n"
/* more fields of the one container, or of the specification */
#define IN(text) ONE "    " text "\n"
#define SPEC(text) ONE "  " text "\n"
#define FILE_KEY(text) \
	SPEC("volumes: [{name: v}]\n  initContainers: [{name: i, image: x, env: [{name: a, " \
	     "valueFrom: {fileKeyRef: {" text "}}}]}]")
/* more of its metadata */
#define META(text) \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: web, " text "}\n" \
	"spec: {containers: [{name: a, image: x}]}\n"

static const struct manifest_origin here = { "N1.Example", "file", "/m" };

static Core__Pod *read_as(const char *text, const char *node, const char *path)
{
	Core__Pod *pod = NULL;
	struct err e;

	const struct manifest_origin origin = { node, "file", path };

	if (manifest_read(text, strlen(text), &origin, &pod, &e) < 0)
		fail_msg("%s\n%s", e.text, text);
	return pod;
}

static Core__Pod *read_pod(const char *text)
{
	return read_as(text, "N1.Example", "/m/web.yaml");
}

static const struct {
	const char *text, *says;
} refused[] = {
	{ "", "there are no fields" },
	{ "just text", "there are no fields" },
	{ "a: [", "line" },
	{ "kind: Pod\nspec: {}", "apiVersion: must be v1, is \"\"" },
	{ "apiVersion: v1\nkind: PodList\nitems: []", "kind: must be Pod, is \"PodList\"" },
	{ "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: x}]}",
	  "metadata.name: " },
	{ HEAD "  containers: 5", "spec.containers" },
	{ HEAD "  containers: []", "spec.containers: is required" },
	{ "apiVersion: v1\nkind: Pod\nmetadata: {name: We_b}\nspec: {containers: [{name: a, image: "
	  "x}]}",
	  "metadata.name: \"We_b-n1.example\"" },
	{ "apiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: a.b}\nspec: {containers: "
	  "[{name: a, image: x}]}",
	  "metadata.namespace: \"a.b\"" },
	{ "apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {a: \"b c\"}}\nspec: "
	  "{containers: [{name: a, image: x}]}",
	  "metadata.labels: \"b c\"" },
	/* what would be a path that is not the pod's own */
	{ META("uid: .."), "metadata.uid: \"..\" must be 1 to 63 letters, digits or '-'" },
	{ META("uid: a/../../b"), "metadata.uid: \"a/../../b\"" },
	{ META("uid: a_b"), "metadata.uid: \"a_b\"" },
	{ META("uid: a.slice"), "metadata.uid: \"a.slice\"" },
	{ META("uid: "
	       "a123456789012345678901234567890123456789012345678901234567890123"),
	  "metadata.uid: \"a123" },
	{ HEAD "  containers: [{name: A, image: x}]", "spec.containers[0].name: \"A\"" },
	{ HEAD "  containers: [{name: a}]", "spec.containers[0].image: is required" },
	{ HEAD "  containers: [{name: a, image: x}, {name: a, image: z}]",
	  "spec.containers[1].name: \"a\" is there twice" },
	{ ONE "  initContainers: [{name: a, image: x}]",
	  "spec.containers[0].name: \"a\" is there twice" },
	{ IN("imagePullPolicy: Sometimes"), "spec.containers[0].imagePullPolicy: \"Sometimes\"" },
	{ IN("terminationMessagePolicy: Log"), "terminationMessagePolicy: \"Log\"" },
	{ IN("ports: [{containerPort: 70000}]"),
	  "spec.containers[0].ports[0].containerPort: must be from 1 to 65535" },
	{ IN("ports: [{hostPort: 80}]"), "ports[0].containerPort: must be from 1" },
	{ IN("ports: [{containerPort: 80, protocol: tcp}]"), "ports[0].protocol: \"tcp\"" },
	{ IN("ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]"),
	  "ports[1].name: \"a\" is there twice" },
	{ IN("ports: [{containerPort: 1, name: a-name-too-long}, {containerPort: 2, name: '80'}]"),
	  "ports[1].name: \"80\" is not the name of a port" },
	{ IN("ports: [{containerPort: 80, hostPort: 81}]") "  hostNetwork: true\n",
	  "ports[0].hostPort: must be the containerPort" },
	{ IN("volumeMounts: [{name: v, mountPath: /v}]"),
	  "volumeMounts[0].name: there is no volume \"v\"" },
	{ IN("volumeMounts: [{name: v}]") "  volumes: [{name: v}]\n",
	  "volumeMounts[0].mountPath: is required" },
	{ IN("volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /v}]") "  volumes: "
										   "[{name: v}]\n",
	  "volumeMounts[1].mountPath: \"/v\" is there twice" },
	{ IN("volumeMounts: [{name: v, mountPath: /v, subPath: a/../b}]") "  volumes: [{name: "
									  "v}]\n",
	  "subPath: \"a/../b\" must not hold '..'" },
	{ IN("volumeMounts: [{name: v, mountPath: /v, subPath: /b}]") "  volumes: [{name: v}]\n",
	  "must be a relative path" },
	{ IN("volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}]") "  "
											  "volumes:"
											  " [{name:"
											  " v}]\n",
	  "mountPropagation: Bidirectional is for privileged" },
	{ IN("env: [{value: x}]"), "env[0].name: \"\"" },
	{ IN("env: [{name: a, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"),
	  "env[0].valueFrom: excludes value" },
	{ IN("env: [{name: a, valueFrom: {}}]"), "env[0].valueFrom: must have one source" },
	{ IN("livenessProbe: {periodSeconds: 1}"),
	  "spec.containers[0].livenessProbe: must have one action" },
	{ IN("livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}"),
	  "livenessProbe.successThreshold: must be 1" },
	{ IN("readinessProbe: {tcpSocket: {port: 0}}"),
	  "readinessProbe.tcpSocket.port: must be from 1 to 65535" },
	{ IN("readinessProbe: {httpGet: {port: 80, scheme: http}}"),
	  "readinessProbe.httpGet.scheme: \"http\"" },
	{ IN("readinessProbe: {httpGet: {path: /}}"), "readinessProbe.httpGet.port: " },
	{ IN("readinessProbe: {exec: {}}"), "readinessProbe.exec.command: is required" },
	{ IN("readinessProbe: {grpc: {port: 0}}"), "readinessProbe.grpc.port: must be from 1" },
	{ IN("startupProbe: {tcpSocket: {port: 1}, timeoutSeconds: -1}"),
	  "startupProbe.timeoutSeconds: must be at least 0, is -1" },
	{ IN("livenessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}"),
	  "livenessProbe.terminationGracePeriodSeconds: must be from 1" },
	{ IN("readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 1}"),
	  "terminationGracePeriodSeconds: is not for readiness probes" },
	{ IN("lifecycle: {preStop: {}}"), "lifecycle.preStop: must have one action" },
	{ IN("livenessProbe: {httpGet: {port: 80, httpHeaders: [{value: x}]}}"),
	  "livenessProbe.httpGet.httpHeaders[0].name: \"\" is not the name of a header" },
	{ IN("lifecycle: {postStart: {httpGet: {port: 80, httpHeaders: [{name: 'a b'}]}}}"),
	  "postStart.httpGet.httpHeaders[0].name: \"a b\"" },
	{ IN("lifecycle: {preStop: {sleep: {seconds: -1}}}"),
	  "lifecycle.preStop.sleep.seconds: must be from 0 to 30, is -1" },
	{ IN("lifecycle: {preStop: {sleep: {seconds: 9223372036854775807}}}"),
	  "preStop.sleep.seconds: must be from 0 to 30" },
	{ FILE_KEY("volumeName: v"),
	  "env[0].valueFrom.fileKeyRef.path: is required; "
	  "spec.initContainers[0].env[0].valueFrom.fileKeyRef.key: is required" },
	{ FILE_KEY("volumeName: w, path: a, key: b"), "valueFrom: there is no volume \"w\"" },
	{ FILE_KEY("volumeName: v, path: ../a, key: b"),
	  "fileKeyRef.path: \"../a\" must not hold '..'" },
	{ IN("securityContext: {seccompProfile: {}}"),
	  "spec.containers[0].securityContext.seccompProfile.type: is required" },
	{ IN("securityContext: {seccompProfile: {type: runtimeDefault}}"),
	  "securityContext.seccompProfile.type: \"runtimeDefault\"" },
	{ IN("securityContext: {seccompProfile: {type: Localhost}}"),
	  "seccompProfile.localhostProfile: is required" },
	{ IN("securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}"),
	  "seccompProfile.localhostProfile: \"../a\" must not hold '..'" },
	{ IN("securityContext: {appArmorProfile: {type: Unconfined, localhostProfile: a}}"),
	  "appArmorProfile.localhostProfile: is for the type Localhost" },
	{ IN("securityContext: {runAsUser: -1, procMount: None}"),
	  "securityContext.runAsUser: must be from 0 to 2147483647, is -1; "
	  "spec.containers[0].securityContext.procMount: \"None\"" },
	{ SPEC("securityContext: {seccompProfile: {type: none}, fsGroup: -1}"),
	  "spec.securityContext.fsGroup: must be from 0 to 2147483647, is -1; "
	  "spec.securityContext.seccompProfile.type: \"none\"" },
	{ SPEC("securityContext: {supplementalGroups: [1, -1], supplementalGroupsPolicy: strict}"),
	  "supplementalGroups: must be from 0 to 2147483647, is -1; "
	  "spec.securityContext.supplementalGroupsPolicy: \"strict\"" },
	{ SPEC("securityContext: {sysctls: [{value: '1'}]}"),
	  "spec.securityContext.sysctls[0].name: is required" },
	{ SPEC("dnsConfig: {options: [{value: x}]}"),
	  "spec.dnsConfig.options[0].name: is required" },
	{ SPEC("dnsConfig: {nameservers: [dns.local]}"),
	  "spec.dnsConfig.nameservers[0]: \"dns.local\" is not an IP address" },
	{ IN("resources: {limits: {cpu: 1x}}"), "resources.limits[cpu]: " },
	{ IN("resources: {limits: {cpu: -1}}"), "resources.limits[cpu]: must not be negative" },
	{ SPEC("resources: {limits: {cpu: -1}}"),
	  "spec.resources.limits[cpu]: must not be negative" },
	{ IN("resources: {limits: {cpu: 1}, requests: {cpu: 2}}"),
	  "resources.requests[cpu]: must not be more than the limit" },
	{ ONE "  initContainers: [{name: i, image: x, livenessProbe: {tcpSocket: {port: 1}}}]",
	  "spec.initContainers[0]: an init container that ends has no probes" },
	{ SPEC("restartPolicy: always"),
	  "spec.restartPolicy: \"always\" is not one of its values" },
	{ SPEC("dnsPolicy: none"), "spec.dnsPolicy: \"none\"" },
	{ SPEC("dnsPolicy: None"), "spec.dnsConfig.nameservers: is required" },
	{ SPEC("hostname: a.b"), "spec.hostname: \"a.b\"" },
	{ SPEC("hostAliases: [{ip: x}]"), "spec.hostAliases[0].ip: \"x\"" },
	{ SPEC("activeDeadlineSeconds: 0"), "spec.activeDeadlineSeconds: must be from 1" },
	{ SPEC("ephemeralContainers: [{name: d, image: x}]"), "spec.ephemeralContainers: " },
	{ SPEC("schedulingGates: [{name: d}]"), "spec.schedulingGates: " },
	{ SPEC("{hostPID: true, shareProcessNamespace: true}"), "line" },
	{ SPEC("hostPID: true\n  shareProcessNamespace: true"),
	  "spec.shareProcessNamespace: excludes hostPID" },
	{ SPEC("tolerations: [{effect: Never, operator: Exists}]"),
	  "spec.tolerations[0].effect: \"Never\"" },
	{ SPEC("tolerations: [{value: x}]"), "spec.tolerations[0].operator: must be Exists" },
	{ SPEC("volumes: [{name: v}, {name: v}]"), "spec.volumes[1].name: \"v\" is there twice" },
	{ SPEC("volumes: [{name: V}]"), "spec.volumes[0].name: \"V\"" },
	{ SPEC("volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]"),
	  "spec.volumes[0]: must have one source, has 2" },
	{ SPEC("volumes: [{name: v, hostPath: {}}]"),
	  "spec.volumes[0].hostPath.path: is required" },
	{ SPEC("volumes: [{name: v, hostPath: {path: /a/..}}]"), "hostPath.path: \"/a/..\"" },
	{ SPEC("volumes: [{name: v, hostPath: {path: /, type: dir}}]"), "hostPath.type: \"dir\"" },
	{ SPEC("volumes: [{name: v, emptyDir: {medium: Disk}}]"), "emptyDir.medium: \"Disk\"" },
	{ SPEC("volumes: [{name: v, image: {}}]"), "image.reference: is required" },
	/* what a pod may not need that runs without an API server */
	{ SPEC("serviceAccountName: a"), "static pods may not reference serviceaccounts" },
	{ SPEC("serviceAccount: a"), "static pods may not reference serviceaccounts" },
	{ SPEC("imagePullSecrets: [{name: a}]"), "static pods may not reference secrets" },
	{ IN("envFrom: [{secretRef: {name: a}}]"), "static pods may not reference secrets" },
	{ IN("envFrom: [{configMapRef: {name: a}}]"), "static pods may not reference configmaps" },
	{ IN("env: [{name: a, valueFrom: {secretKeyRef: {name: a, key: b}}}]"),
	  "static pods may not reference secrets" },
	{ IN("env: [{name: a, valueFrom: {configMapKeyRef: {name: a, key: b}}}]"),
	  "static pods may not reference configmaps" },
	{ SPEC("resourceClaims: [{name: a}]"), "static pods may not reference resourceclaims" },
	{ SPEC("volumes: [{name: v, configMap: {name: a}}]"),
	  "reference configmaps (via configmap volumes)" },
	{ SPEC("volumes: [{name: v, secret: {secretName: a}}]"),
	  "reference secrets (via secret volumes)" },
	{ SPEC("volumes: [{name: v, persistentVolumeClaim: {claimName: a}}]"),
	  "reference persistentvolumeclaims" },
	{ SPEC("volumes: [{name: v, csi: {driver: a}}]"),
	  "reference csidrivers (via CSI volumes)" },
	{ SPEC("volumes: [{name: v, ephemeral: {}}]"),
	  "persistentvolumeclaims (via ephemeral volumes)" },
	{ SPEC("volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]"),
	  "serviceaccounts (via projected volumes)" },
	{ SPEC("volumes: [{name: v, projected: {sources: [{downwardAPI: {}}, {secret: {name: "
	       "a}}]}}]"),
	  "secrets (via projected volumes)" },
	{ SPEC("volumes: [{name: v, projected: {sources: [{clusterTrustBundle: {path: t}}]}}]"),
	  "clustertrustbundles" },
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		AUTO_PROTO Core__Pod *pod = NULL;
		struct err e = { 0 };

		if (manifest_read(refused[i].text, strlen(refused[i].text), &here, &pod, &e) == 0)
			fail_msg("taken: %s", refused[i].text);
		assert_int_equal(e.code, ERR_INVALID);
		if (!strstr(e.text, refused[i].says))
			fail_msg("\"%s\" should say \"%s\": %s", e.text, refused[i].says,
				 refused[i].text);
	}
}

/* All that is wrong is told at once. */
static void tells_everything(void **state)
{
	static const char text[] = HEAD "  restartPolicy: x\n  containers: [{name: a}]";
	AUTO_PROTO Core__Pod *pod = NULL;
	struct err e;

	(void)state;
	assert_int_equal(manifest_read(text, strlen(text), &here, &pod, &e), -1);
	assert_non_null(strstr(e.text, "spec.restartPolicy: "));
	assert_non_null(strstr(e.text, "; spec.containers[0].image: "));
}

static const char full[] =
    HEAD "  terminationGracePeriodSeconds: -5\n"
	 "  hostNetwork: true\n"
	 "  noSuchField: 1\n"
	 "  volumes: [{name: v}, {name: p, projected: {sources: [{downwardAPI: {items: [{path: na, "
	 "fieldRef: "
	 "{fieldPath: metadata.name}}]}}]}}, {name: i, image: {reference: 'r/i:1'}}]\n"
	 "  initContainers: [{name: i, image: 'x:latest'}]\n"
	 "  containers:\n"
	 "  - name: a\n"
	 "    image: x@sha256:0123456789012345678901234567890123456789012345678901234567890123\n"
	 "    ports: [{containerPort: 80}]\n"
	 "    resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}\n"
	 "    readinessProbe: {httpGet: {port: http}, periodSeconds: 3}\n"
	 "    lifecycle: {preStop: {httpGet: {port: 80}}}\n"
	 "    env: [{name: NA, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n";

static void fills_in(void **state)
{
	AUTO_PROTO Core__Pod *pod = read_pod(full);
	const Core__PodSpec *s = pod->spec;
	const Core__Container *a = s->containers[0];

	(void)state;
	assert_string_equal(pod->metadata->name, "web-n1.example");
	assert_string_equal(pod->metadata->namespace_, "default");
	assert_string_equal(s->nodename, "N1.Example");
	assert_string_equal(pod->status->phase, "Pending");
	assert_string_equal(s->restartpolicy, "Always");
	assert_string_equal(s->dnspolicy, "ClusterFirst");
	assert_string_equal(s->schedulername, "default-scheduler");
	assert_true(s->has_enableservicelinks && s->enableservicelinks);
	assert_int_equal(s->terminationgraceperiodseconds, 1);
	assert_non_null(s->securitycontext);
	assert_int_equal(s->n_tolerations, 1);
	assert_string_equal(s->tolerations[0]->effect, "NoExecute");
	assert_non_null(s->volumes[0]->volumesource->emptydir);
	assert_int_equal(s->volumes[1]->volumesource->projected->defaultmode, 0644);
	assert_string_equal(s->volumes[1]
				->volumesource->projected->sources[0]
				->downwardapi->items[0]
				->fieldref->apiversion,
			    "v1");
	assert_string_equal(s->volumes[2]->volumesource->image->pullpolicy, "IfNotPresent");
	assert_string_equal(s->initcontainers[0]->imagepullpolicy, "Always");
	assert_string_equal(a->imagepullpolicy, "IfNotPresent");
	assert_string_equal(a->terminationmessagepath, "/dev/termination-log");
	assert_string_equal(a->terminationmessagepolicy, "File");
	assert_string_equal(a->ports[0]->protocol, "TCP");
	assert_int_equal(a->ports[0]->hostport, 80);
	assert_int_equal(a->resources->n_requests, 2);
	assert_string_equal(a->resources->requests[1]->key, "memory");
	assert_string_equal(a->resources->requests[1]->value->string, "1Gi");
	assert_int_equal(a->readinessprobe->periodseconds, 3);
	assert_int_equal(a->readinessprobe->failurethreshold, 3);
	assert_string_equal(a->readinessprobe->handler->httpget->scheme, "HTTP");
	assert_string_equal(a->lifecycle->prestop->httpget->path, "/");
	assert_string_equal(a->env[0]->valuefrom->fieldref->apiversion, "v1");
}

/* As kubeadm writes them. */
static void control_plane(void **state)
{
	AUTO_PROTO Core__Pod *pod = read_pod(
	    "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n"
	    "    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.1:6443\n"
	    "  creationTimestamp: null\n  labels: {component: kube-apiserver, tier: "
	    "control-plane}\n"
	    "  name: kube-apiserver\n  namespace: kube-system\nspec:\n  containers:\n"
	    "  - command: [kube-apiserver, --advertise-address=10.0.0.1, "
	    "'--feature-gates=A=true']\n"
	    "    image: registry.k8s.io/kube-apiserver:v1.37.2\n    imagePullPolicy: IfNotPresent\n"
	    "    livenessProbe: {failureThreshold: 8, httpGet: {host: 10.0.0.1, path: /livez, "
	    "port: "
	    "probe-port, scheme: HTTPS}, initialDelaySeconds: 10, periodSeconds: 10, "
	    "timeoutSeconds: 15}\n"
	    "    name: kube-apiserver\n"
	    "    ports: [{containerPort: 6443, name: probe-port, protocol: TCP}]\n"
	    "    resources: {requests: {cpu: 250m}}\n"
	    "    volumeMounts: [{mountPath: /etc/ssl/certs, name: ca-certs, readOnly: true}]\n"
	    "  hostNetwork: true\n  priority: 2000001000\n  priorityClassName: "
	    "system-node-critical\n"
	    "  securityContext: {seccompProfile: {type: RuntimeDefault}}\n"
	    "  volumes: [{hostPath: {path: /etc/ssl/certs, type: DirectoryOrCreate}, name: "
	    "ca-certs}]\n"
	    "status: {}\n");

	(void)state;
	assert_string_equal(pod->metadata->name, "kube-apiserver-n1.example");
	assert_int_equal(pod->spec->priority, 2000001000);
	assert_int_equal(pod->spec->containers[0]->ports[0]->hostport, 6443);
	assert_null(pod->metadata->creationtimestamp);
}

/* What is written stays; a toleration of the same kind is not doubled. */
static void keeps(void **state)
{
	AUTO_PROTO Core__Pod *pod = read_pod(
	    ONE "  restartPolicy: Never\n  dnsPolicy: Default\n  terminationGracePeriodSeconds: 7\n"
		"  enableServiceLinks: false\n  nodeName: other\n"
		"  tolerations: [{operator: Exists, effect: NoExecute, tolerationSeconds: 5}]\n"
		"status: {phase: Failed}\n");

	(void)state;
	assert_string_equal(pod->spec->restartpolicy, "Never");
	assert_string_equal(pod->spec->dnspolicy, "Default");
	assert_int_equal(pod->spec->terminationgraceperiodseconds, 7);
	assert_false(pod->spec->enableservicelinks);
	assert_string_equal(pod->spec->nodename, "N1.Example");
	assert_string_equal(pod->spec->containers[0]->imagepullpolicy, "Always");
	assert_int_equal(pod->spec->n_tolerations, 1);
	assert_false(pod->spec->tolerations[0]->has_tolerationseconds);
	assert_string_equal(pod->status->phase, "Pending");
}

static void uid_of(const char *text, const char *node, const char *path, char *out)
{
	AUTO_PROTO Core__Pod *pod = read_as(text, node, path);

	assert_true(strlen(pod->metadata->uid) < 64);
	strcpy(out, pod->metadata->uid);
}

/* The same for the same; another one for whatever makes another pod. */
static void identity(void **state)
{
	static const char json[] =
	    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":{\"containers\":[{\"image\":\"x\","
	    "\"name\":\"a\"}]},\"metadata\":{\"name\":\"web\"}}";
	char first[64], other[64];

	(void)state;
	uid_of(ONE, "n1", "/m", first);
	assert_int_equal(strlen(first), 36);
	assert_int_equal(first[14], '8');
	assert_false(manifest_uid_of_kubelet(first));
	assert_true(manifest_uid_of_kubelet("0123456789abcdef0123456789abcdef"));
	uid_of("# a comment\n" ONE, "n1", "/m", other);
	assert_string_equal(first, other);
	uid_of(json, "n1", "/m", other);
	assert_string_equal(first, other);
	uid_of(ONE, "n2", "/m", other);
	assert_string_not_equal(first, other);
	uid_of(ONE, "n1", "/n", other);
	assert_string_not_equal(first, other);
	uid_of(IN("args: [x]"), "n1", "/m", other);
	assert_string_not_equal(first, other);
	uid_of("apiVersion: v1\nkind: Pod\nmetadata: {name: web, uid: mine}\nspec: {containers: "
	       "[{name: a, image: x}]}",
	       "n1", "/m", other);
	assert_string_equal(other, "mine");
}

static const char *annotation(const Core__Pod *pod, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < pod->metadata->n_annotations; i++) {
		if (!strcmp(pod->metadata->annotations[i]->key, key)) {
			assert_null(value);
			value = pod->metadata->annotations[i]->value;
		}
	}
	return value;
}

static void stamps(void **state)
{
	AUTO_PROTO Core__Pod *pod =
	    read_pod("apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: "
		     "{kubernetes.io/config.source: api, own: x}}\n"
		     "spec: {containers: [{name: a, image: x}]}");

	(void)state;
	manifest_stamp(pod, "file", "adopted", "2026-01-01T00:00:00Z");
	assert_string_equal(pod->metadata->uid, "adopted");
	assert_string_equal(annotation(pod, "kubernetes.io/config.hash"), "adopted");
	assert_string_equal(annotation(pod, "kubernetes.io/config.source"), "file");
	assert_string_equal(annotation(pod, "kubernetes.io/config.seen"), "2026-01-01T00:00:00Z");
	assert_string_equal(annotation(pod, "own"), "x");
	assert_null(annotation(pod, "kubernetes.io/config.mirror"));
}

/* What a URL says: one pod or a list, all or nothing; node problems may evict such a pod. */
static void lists(void **state)
{
	static const char two[] =
	    "apiVersion: v1\nkind: PodList\nitems:\n"
	    "- {metadata: {name: a}, spec: {containers: [{name: a, image: x}]}}\n"
	    "- {metadata: {name: b}, spec: {containers: [{name: a, image: x}]}}\n";
	static const char wrong[] =
	    "apiVersion: v1\nkind: PodList\nitems:\n"
	    "- {metadata: {name: a}, spec: {containers: [{name: a, image: x}]}}\n"
	    "- {metadata: {name: b}, spec: {containers: [{name: a}]}}\n";
	static const char none[] = "apiVersion: v1\nkind: PodList\n";
	const struct manifest_origin url = { "n1", "http", "http://h/" };
	Core__Pod **pods = NULL;
	char uid[64];
	struct err e;

	(void)state;
	assert_int_equal(manifest_read_list(ONE, strlen(ONE), &url, &pods, &e), 0);
	assert_non_null(pods[0]);
	assert_null(pods[1]);
	assert_int_equal(pods[0]->spec->n_tolerations, 0);
	uid_of(ONE, "n1", "http://h/", uid);
	assert_string_not_equal(pods[0]->metadata->uid, uid);
	manifest_list_free(pods);
	assert_int_equal(manifest_read_list(two, strlen(two), &url, &pods, &e), 0);
	assert_string_equal(pods[1]->metadata->name, "b-n1");
	assert_null(pods[2]);
	manifest_list_free(pods);
	assert_int_equal(manifest_read_list(none, strlen(none), &url, &pods, &e), 0);
	assert_null(pods[0]);
	manifest_list_free(pods);
	assert_int_equal(manifest_read_list(wrong, strlen(wrong), &url, &pods, &e), -1);
	assert_string_equal(e.text, "items[1]: spec.containers[0].image: is required");
	assert_int_equal(manifest_read_list("kind: Node", 10, &url, &pods, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),  cmocka_unit_test(tells_everything),
		cmocka_unit_test(fills_in), cmocka_unit_test(keeps),
		cmocka_unit_test(identity), cmocka_unit_test(stamps),
		cmocka_unit_test(lists),    cmocka_unit_test(control_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
