/* What the runtime is told of a pod and its containers. Pure.
 *
 *   specification + facts of the node + prepared paths → PodSandboxConfig, ContainerConfig
 *
 * Field by field as upstream's kuberuntime fills them; labels and annotations are state that any
 * node agent must be able to take over.
 */
#pragma once

#include "base/err.h"
#include "cri/runtime.pb-c.h"
#include "poddns.h"
#include "podenv.h"
#include "resource/memoryqos.h"

/* Facts of the node, from configuration and machine; strings live as long as the agent. */
struct podconfig_node {
	const char *root_dir;     /* /var/lib/kubelet */
	const char *pod_logs_dir; /* /var/log/pods */
	const char *cgroup_root;  /* "" or /rig/node1 */
	bool cgroups_per_qos, systemd_cgroups;
	bool seccomp_default, cpu_cfs_quota;
	int64_t cpu_period_usec;
	int64_t memory_capacity_bytes;
	const char *const *hugepage_sizes; /* "2MB", …, NULL-terminated */
	bool cgroup_v2;
	bool limits_swap;   /* the kernel's memory controller can */
	bool oom_kills_one; /* not all of a container's processes (cgroup v2) */
	struct memory_qos memory_qos;
	bool apparmor; /* the kernel enforces it */
	struct dns_node dns;
};

char *podconfig_pod_dir(const struct podconfig_node *node, const char *uid);
char *podconfig_log_dir(const struct podconfig_node *node, const char *ns, const char *name,
			const char *uid);
/* The pod's cgroup, as the runtime is told it and as it is found below the hierarchy's mount; ""
 * when pods have none. */
char *podconfig_cgroup_parent(const struct podconfig_node *node, const Core__Pod *pod);

/* The pod's annotations and those of the agent, appended to any map<string, string> field. */
#define podconfig_annotate(spec, n, items, entry) \
	podconfig_annotate_ptr((spec), (n), (void ***)(items), (entry))
void podconfig_annotate_ptr(const struct podspec *spec, size_t *n, void ***items,
			    const ProtobufCMessageDescriptor *entry);

int podconfig_sandbox(const struct podspec *spec, const struct podconfig_node *node,
		      unsigned attempt, Cri__PodSandboxConfig **ret_config,
		      struct dns_warning *ret_warning, struct err *e);

/* What the effects found out before a container is made. podconfig_security needs what stands above
 * security. */
struct container_input {
	const struct podspec *spec;
	const struct container_spec *container;
	const struct podconfig_node *node;
	bool image_has_uid;
	int64_t image_uid;
	const char *image_username;
	const char *target_id; /* ephemeral: container whose PID namespace is joined */
	const Cri__LinuxContainerSecurityContext *security;
	const struct env_list *env;
	unsigned restart_count;
	const char *image_ref;
	const char *const *mount_paths;  /* parallel to volumeMounts: where each volume is */
	const char *const *mount_images; /* the same: ref of an image volume, or NULL */
	const char *hosts_path;          /* the managed hosts file, or NULL */
	const char *termination_path;    /* host file behind terminationMessagePath, or NULL */
	bool recursive_read_only;        /* the pod's runtime handler can mount so */
};

/* Whether the mount is made recursively read-only by a runtime handler that supports it or not. */
int podconfig_recursive_read_only(const Core__VolumeMount *m, bool supported, bool *ret_on,
				  struct err *e);

/* Refuses a user that the pod's own rules forbid: before anything is made for the container. */
int podconfig_security(const struct container_input *in,
		       Cri__LinuxContainerSecurityContext **ret_context, struct err *e);
int podconfig_container(const struct container_input *in, Cri__ContainerConfig **ret_config,
			struct err *e);
struct amounts;
/* Amounts (resource/resources.h) as cgroup values. */
Cri__LinuxContainerResources *podconfig_granted(const struct amounts *a,
						const struct podconfig_node *node);
/* CPU and memory as the container's cgroup gets them. */
Cri__LinuxContainerResources *podconfig_resources(const struct podspec *spec,
						  const Core__Container *c,
						  const struct podconfig_node *node);
