/* The API kinds we speak, as a table. Pure. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

enum kube_kind {
	KUBE_POD,
	KUBE_NODE,
	KUBE_SERVICE,
	KUBE_CONFIG_MAP,
	KUBE_SECRET,
	KUBE_EVENT,
	KUBE_NAMESPACE,
	KUBE_PVC,
	KUBE_PV,
	KUBE_SERVICE_ACCOUNT,
	KUBE_LEASE,
	KUBE_TOKEN_REVIEW,
	KUBE_SUBJECT_ACCESS_REVIEW,
	KUBE_TOKEN_REQUEST,
	KUBE_RUNTIME_CLASS,
	KUBE_CSR,
	KUBE_ENDPOINT_SLICE,
	KUBE_SERVICE_CIDR,
	KUBE_CLUSTER_TRUST_BUNDLE,
	KUBE_POD_CERTIFICATE_REQUEST,
	KUBE_CSI_NODE,
	KUBE_CSI_DRIVER,
	KUBE_VOLUME_ATTACHMENT,
	KUBE_STATUS,
	KUBE_KIND_COUNT
};

struct kube_kind_info {
	const char *kind;
	const char *api_version; /* "v1", "coordination.k8s.io/v1" */
	const char *resource;    /* plural in URLs; NULL when there is no such resource */
	bool namespaced;
	const ProtobufCMessageDescriptor *type;
};

const struct kube_kind_info *kube_kind_info(enum kube_kind kind);
/* KUBE_KIND_COUNT when unknown. */
enum kube_kind kube_kind_of_message(const void *message);
enum kube_kind kube_kind_find(const char *api_version, const char *kind);
