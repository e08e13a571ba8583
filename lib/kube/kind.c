/* The table of API kinds (contract in kube/kind.h). Pure. */
#include "kube/kind.h"

#include <string.h>

#include "base/mem.h"
#include "k8s/authentication.pb-c.h"
#include "k8s/authorization.pb-c.h"
#include "k8s/certificates.pb-c.h"
#include "k8s/coordination.pb-c.h"
#include "k8s/core.pb-c.h"
#include "k8s/discovery.pb-c.h"
#include "k8s/networking.pb-c.h"
#include "k8s/node.pb-c.h"
#include "k8s/storage.pb-c.h"

/* clang-format off: a table */
static const struct kube_kind_info kinds[KUBE_KIND_COUNT] = {
	[KUBE_POD] = { "Pod", "v1", "pods", true, &core__pod__descriptor },
	[KUBE_NODE] = { "Node", "v1", "nodes", false, &core__node__descriptor },
	[KUBE_SERVICE] = { "Service", "v1", "services", true, &core__service__descriptor },
	[KUBE_CONFIG_MAP] = { "ConfigMap", "v1", "configmaps", true,
			      &core__config_map__descriptor },
	[KUBE_SECRET] = { "Secret", "v1", "secrets", true, &core__secret__descriptor },
	[KUBE_EVENT] = { "Event", "v1", "events", true, &core__event__descriptor },
	[KUBE_NAMESPACE] = { "Namespace", "v1", "namespaces", false, &core__namespace__descriptor },
	[KUBE_PVC] = { "PersistentVolumeClaim", "v1", "persistentvolumeclaims", true,
		       &core__persistent_volume_claim__descriptor },
	[KUBE_PV] = { "PersistentVolume", "v1", "persistentvolumes", false,
		      &core__persistent_volume__descriptor },
	[KUBE_SERVICE_ACCOUNT] = { "ServiceAccount", "v1", "serviceaccounts", true,
				   &core__service_account__descriptor },
	[KUBE_LEASE] = { "Lease", "coordination.k8s.io/v1", "leases", true,
			 &coordination__lease__descriptor },
	[KUBE_TOKEN_REVIEW] = { "TokenReview", "authentication.k8s.io/v1", "tokenreviews", false,
				&authentication__token_review__descriptor },
	[KUBE_SUBJECT_ACCESS_REVIEW] = { "SubjectAccessReview", "authorization.k8s.io/v1",
					 "subjectaccessreviews", false,
					 &authorization__subject_access_review__descriptor },
	[KUBE_TOKEN_REQUEST] = { "TokenRequest", "authentication.k8s.io/v1", NULL, true,
				 &authentication__token_request__descriptor },
	[KUBE_RUNTIME_CLASS] = { "RuntimeClass", "node.k8s.io/v1", "runtimeclasses", false,
				 &node__runtime_class__descriptor },
	[KUBE_CSR] = { "CertificateSigningRequest", "certificates.k8s.io/v1",
		       "certificatesigningrequests", false,
		       &certificates__certificate_signing_request__descriptor },
	[KUBE_ENDPOINT_SLICE] = { "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", true,
				  &discovery__endpoint_slice__descriptor },
	[KUBE_SERVICE_CIDR] = { "ServiceCIDR", "networking.k8s.io/v1", "servicecidrs", false,
				&networking__service_cidr__descriptor },
	[KUBE_CLUSTER_TRUST_BUNDLE] = { "ClusterTrustBundle", "certificates.k8s.io/v1",
					"clustertrustbundles", false,
					&certificates__cluster_trust_bundle__descriptor },
	[KUBE_POD_CERTIFICATE_REQUEST] = { "PodCertificateRequest", "certificates.k8s.io/v1",
					   "podcertificaterequests", true,
					   &certificates__pod_certificate_request__descriptor },
	[KUBE_CSI_NODE] = { "CSINode", "storage.k8s.io/v1", "csinodes", false,
			    &storage__csinode__descriptor },
	[KUBE_CSI_DRIVER] = { "CSIDriver", "storage.k8s.io/v1", "csidrivers", false,
			      &storage__csidriver__descriptor },
	[KUBE_VOLUME_ATTACHMENT] = { "VolumeAttachment", "storage.k8s.io/v1", "volumeattachments",
				     false, &storage__volume_attachment__descriptor },
	[KUBE_STATUS] = { "Status", "v1", NULL, false, &meta__status__descriptor },
};
/* clang-format on */

const struct kube_kind_info *kube_kind_info(enum kube_kind kind)
{
	return &kinds[kind];
}

enum kube_kind kube_kind_of_message(const void *message)
{
	const ProtobufCMessage *m = message;
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) && kinds[i].type != m->descriptor)
		i++;
	return (enum kube_kind)i;
}

enum kube_kind kube_kind_find(const char *api_version, const char *kind)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) &&
	       (strcmp(kinds[i].kind, kind) || strcmp(kinds[i].api_version, api_version)))
		i++;
	return (enum kube_kind)i;
}
