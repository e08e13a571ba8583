/* What protobuf cannot say about fields: pointers, always-written, inlined, merge keys. Pure; a
 * table.
 *
 * Written by proto/generate.py. Messages without a row have only plain fields.
 */
#include "fields.h"

/* clang-format off: a table */
static const struct field_flags flags[] = {
	/* authentication.BoundObjectReference */
	{ 4, FIELD_RENAMED }, /* uID */
	/* authentication.TokenRequest */
	{ 2, FIELD_KEEP }, /* spec */
	/* authentication.TokenRequestSpec */
	{ 1, FIELD_KEEP }, /* audiences */
	{ 3, FIELD_POINTER | FIELD_KEEP }, /* boundObjectRef */
	{ 4, FIELD_POINTER | FIELD_KEEP }, /* expirationSeconds */
	/* authentication.TokenRequestStatus */
	{ 1, FIELD_KEEP }, /* token */
	{ 2, FIELD_KEEP }, /* expirationTimestamp */
	/* authentication.TokenReview */
	{ 2, FIELD_KEEP }, /* spec */
	/* authorization.LocalSubjectAccessReview */
	{ 2, FIELD_KEEP }, /* spec */
	/* authorization.NonResourceRule */
	{ 1, FIELD_KEEP }, /* verbs */
	/* authorization.ResourceAttributes */
	{ 8, FIELD_POINTER }, /* fieldSelector */
	{ 9, FIELD_POINTER }, /* labelSelector */
	/* authorization.ResourceRule */
	{ 1, FIELD_KEEP }, /* verbs */
	/* authorization.SelfSubjectAccessReview */
	{ 2, FIELD_KEEP }, /* spec */
	/* authorization.SelfSubjectAccessReviewSpec */
	{ 1, FIELD_POINTER }, /* resourceAttributes */
	{ 2, FIELD_POINTER }, /* nonResourceAttributes */
	/* authorization.SelfSubjectRulesReview */
	{ 2, FIELD_KEEP }, /* spec */
	/* authorization.SubjectAccessReview */
	{ 2, FIELD_KEEP }, /* spec */
	/* authorization.SubjectAccessReviewSpec */
	{ 1, FIELD_POINTER }, /* resourceAttributes */
	{ 2, FIELD_POINTER }, /* nonResourceAttributes */
	/* authorization.SubjectAccessReviewStatus */
	{ 1, FIELD_KEEP }, /* allowed */
	/* authorization.SubjectRulesReviewStatus */
	{ 1, FIELD_KEEP }, /* resourceRules */
	{ 2, FIELD_KEEP }, /* nonResourceRules */
	{ 3, FIELD_KEEP }, /* incomplete */
	/* certificates.CertificateSigningRequest */
	{ 2, FIELD_KEEP }, /* spec */
	/* certificates.CertificateSigningRequestCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 6, FIELD_KEEP }, /* status */
	/* certificates.CertificateSigningRequestList */
	{ 2, FIELD_KEEP }, /* items */
	/* certificates.CertificateSigningRequestSpec */
	{ 1, FIELD_KEEP }, /* request */
	{ 7, FIELD_KEEP }, /* signerName */
	{ 8, FIELD_POINTER }, /* expirationSeconds */
	/* certificates.ClusterTrustBundle */
	{ 2, FIELD_KEEP }, /* spec */
	/* certificates.ClusterTrustBundleList */
	{ 2, FIELD_KEEP }, /* items */
	/* certificates.ClusterTrustBundleSpec */
	{ 2, FIELD_KEEP }, /* trustBundle */
	/* certificates.PodCertificateRequest */
	{ 2, FIELD_KEEP }, /* spec */
	/* certificates.PodCertificateRequestList */
	{ 2, FIELD_KEEP }, /* items */
	/* certificates.PodCertificateRequestSpec */
	{ 1, FIELD_KEEP }, /* signerName */
	{ 2, FIELD_KEEP }, /* podName */
	{ 3, FIELD_KEEP }, /* podUID */
	{ 4, FIELD_KEEP }, /* serviceAccountName */
	{ 5, FIELD_KEEP }, /* serviceAccountUID */
	{ 6, FIELD_KEEP }, /* nodeName */
	{ 7, FIELD_KEEP }, /* nodeUID */
	{ 8, FIELD_POINTER }, /* maxExpirationSeconds */
	{ 12, FIELD_KEEP }, /* stubPKCS10Request */
	/* certificates.PodCertificateRequestStatus */
	{ 4, FIELD_POINTER }, /* notBefore */
	{ 5, FIELD_POINTER }, /* beginRefreshAt */
	{ 6, FIELD_POINTER }, /* notAfter */
	/* coordination.LeaseList */
	{ 2, FIELD_KEEP }, /* items */
	/* coordination.LeaseSpec */
	{ 1, FIELD_POINTER }, /* holderIdentity */
	{ 2, FIELD_POINTER }, /* leaseDurationSeconds */
	{ 3, FIELD_POINTER }, /* acquireTime */
	{ 4, FIELD_POINTER }, /* renewTime */
	{ 5, FIELD_POINTER }, /* leaseTransitions */
	{ 6, FIELD_POINTER }, /* strategy */
	{ 7, FIELD_POINTER }, /* preferredHolder */
	/* core.AWSElasticBlockStoreVolumeSource */
	{ 1, FIELD_KEEP }, /* volumeID */
	/* core.Affinity */
	{ 1, FIELD_POINTER }, /* nodeAffinity */
	{ 2, FIELD_POINTER }, /* podAffinity */
	{ 3, FIELD_POINTER }, /* podAntiAffinity */
	/* core.AppArmorProfile */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_POINTER }, /* localhostProfile */
	/* core.AttachedVolume */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* devicePath */
	/* core.AzureDiskVolumeSource */
	{ 1, FIELD_KEEP }, /* diskName */
	{ 2, FIELD_KEEP }, /* diskURI */
	{ 3, FIELD_POINTER }, /* cachingMode */
	{ 4, FIELD_POINTER }, /* fsType */
	{ 5, FIELD_POINTER }, /* readOnly */
	{ 6, FIELD_POINTER }, /* kind */
	/* core.AzureFilePersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* secretName */
	{ 2, FIELD_KEEP }, /* shareName */
	{ 4, FIELD_POINTER | FIELD_KEEP }, /* secretNamespace */
	/* core.AzureFileVolumeSource */
	{ 1, FIELD_KEEP }, /* secretName */
	{ 2, FIELD_KEEP }, /* shareName */
	/* core.Binding */
	{ 2, FIELD_KEEP }, /* target */
	/* core.CSIPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* driver */
	{ 2, FIELD_KEEP }, /* volumeHandle */
	{ 6, FIELD_POINTER }, /* controllerPublishSecretRef */
	{ 7, FIELD_POINTER }, /* nodeStageSecretRef */
	{ 8, FIELD_POINTER }, /* nodePublishSecretRef */
	{ 9, FIELD_POINTER }, /* controllerExpandSecretRef */
	{ 10, FIELD_POINTER }, /* nodeExpandSecretRef */
	/* core.CSIVolumeSource */
	{ 1, FIELD_KEEP }, /* driver */
	{ 2, FIELD_POINTER }, /* readOnly */
	{ 3, FIELD_POINTER }, /* fsType */
	{ 5, FIELD_POINTER }, /* nodePublishSecretRef */
	/* core.CephFSPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* monitors */
	{ 5, FIELD_POINTER }, /* secretRef */
	/* core.CephFSVolumeSource */
	{ 1, FIELD_KEEP }, /* monitors */
	{ 5, FIELD_POINTER }, /* secretRef */
	/* core.CinderPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* volumeID */
	{ 4, FIELD_POINTER }, /* secretRef */
	/* core.CinderVolumeSource */
	{ 1, FIELD_KEEP }, /* volumeID */
	{ 4, FIELD_POINTER }, /* secretRef */
	/* core.ClientIPConfig */
	{ 1, FIELD_POINTER }, /* timeoutSeconds */
	/* core.ClusterTrustBundleProjection */
	{ 1, FIELD_POINTER }, /* name */
	{ 2, FIELD_POINTER }, /* signerName */
	{ 3, FIELD_POINTER }, /* labelSelector */
	{ 4, FIELD_KEEP }, /* path */
	{ 5, FIELD_POINTER }, /* optional */
	{ 6, FIELD_POINTER }, /* user */
	/* core.ComponentCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.ComponentStatusList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ConfigMap */
	{ 4, FIELD_POINTER }, /* immutable */
	/* core.ConfigMapEnvSource */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 2, FIELD_POINTER }, /* optional */
	/* core.ConfigMapKeySelector */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 2, FIELD_KEEP }, /* key */
	{ 3, FIELD_POINTER }, /* optional */
	/* core.ConfigMapList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ConfigMapNodeConfigSource */
	{ 1, FIELD_KEEP }, /* namespace */
	{ 2, FIELD_KEEP }, /* name */
	{ 5, FIELD_KEEP }, /* kubeletConfigKey */
	/* core.ConfigMapProjection */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 4, FIELD_POINTER }, /* optional */
	/* core.ConfigMapVolumeSource */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 3, FIELD_POINTER }, /* defaultMode */
	{ 4, FIELD_POINTER }, /* optional */
	{ 5, FIELD_POINTER }, /* defaultUser */
	/* core.Container */
	{ 1, FIELD_KEEP }, /* name */
	{ 10, FIELD_POINTER }, /* livenessProbe */
	{ 11, FIELD_POINTER }, /* readinessProbe */
	{ 12, FIELD_POINTER }, /* lifecycle */
	{ 15, FIELD_POINTER }, /* securityContext */
	{ 22, FIELD_POINTER }, /* startupProbe */
	{ 24, FIELD_POINTER }, /* restartPolicy */
	/* core.ContainerExtendedResourceRequest */
	{ 1, FIELD_KEEP }, /* containerName */
	{ 2, FIELD_KEEP }, /* resourceName */
	{ 3, FIELD_KEEP }, /* requestName */
	/* core.ContainerImage */
	{ 1, FIELD_KEEP }, /* names */
	/* core.ContainerPort */
	{ 3, FIELD_KEEP }, /* containerPort */
	/* core.ContainerResizePolicy */
	{ 1, FIELD_KEEP }, /* resourceName */
	{ 2, FIELD_KEEP }, /* restartPolicy */
	/* core.ContainerRestartRule */
	{ 2, FIELD_POINTER }, /* exitCodes */
	/* core.ContainerState */
	{ 1, FIELD_POINTER }, /* waiting */
	{ 2, FIELD_POINTER }, /* running */
	{ 3, FIELD_POINTER }, /* terminated */
	/* core.ContainerStateTerminated */
	{ 1, FIELD_KEEP }, /* exitCode */
	/* core.ContainerStatus */
	{ 1, FIELD_KEEP }, /* name */
	{ 4, FIELD_KEEP }, /* ready */
	{ 5, FIELD_KEEP }, /* restartCount */
	{ 6, FIELD_KEEP }, /* image */
	{ 7, FIELD_KEEP }, /* imageID */
	{ 9, FIELD_POINTER }, /* started */
	{ 11, FIELD_POINTER }, /* resources */
	{ 13, FIELD_POINTER }, /* user */
	{ 15, FIELD_POINTER }, /* stopSignal */
	/* core.ContainerUser */
	{ 1, FIELD_POINTER }, /* linux */
	/* core.DaemonEndpoint */
	{ 1, FIELD_KEEP }, /* Port */
	/* core.DownwardAPIVolumeFile */
	{ 1, FIELD_KEEP }, /* path */
	{ 2, FIELD_POINTER }, /* fieldRef */
	{ 3, FIELD_POINTER }, /* resourceFieldRef */
	{ 4, FIELD_POINTER }, /* mode */
	{ 5, FIELD_POINTER }, /* user */
	/* core.DownwardAPIVolumeSource */
	{ 2, FIELD_POINTER }, /* defaultMode */
	{ 3, FIELD_POINTER }, /* defaultUser */
	/* core.EmptyDirVolumeSource */
	{ 2, FIELD_POINTER }, /* sizeLimit */
	{ 3, FIELD_POINTER }, /* mode */
	/* core.EndpointAddress */
	{ 1, FIELD_KEEP }, /* ip */
	{ 2, FIELD_POINTER }, /* targetRef */
	{ 4, FIELD_POINTER }, /* nodeName */
	/* core.EndpointPort */
	{ 2, FIELD_KEEP }, /* port */
	{ 4, FIELD_POINTER }, /* appProtocol */
	/* core.EndpointsList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.EnvFromSource */
	{ 2, FIELD_POINTER }, /* configMapRef */
	{ 3, FIELD_POINTER }, /* secretRef */
	/* core.EnvVar */
	{ 1, FIELD_KEEP }, /* name */
	{ 3, FIELD_POINTER }, /* valueFrom */
	/* core.EnvVarSource */
	{ 1, FIELD_POINTER }, /* fieldRef */
	{ 2, FIELD_POINTER }, /* resourceFieldRef */
	{ 3, FIELD_POINTER }, /* configMapKeyRef */
	{ 4, FIELD_POINTER }, /* secretKeyRef */
	{ 5, FIELD_POINTER }, /* fileKeyRef */
	/* core.EphemeralContainer */
	{ 1, FIELD_INLINE }, /* ephemeralContainerCommon */
	/* core.EphemeralContainerCommon */
	{ 1, FIELD_KEEP }, /* name */
	{ 10, FIELD_POINTER }, /* livenessProbe */
	{ 11, FIELD_POINTER }, /* readinessProbe */
	{ 12, FIELD_POINTER }, /* lifecycle */
	{ 15, FIELD_POINTER }, /* securityContext */
	{ 22, FIELD_POINTER }, /* startupProbe */
	{ 24, FIELD_POINTER }, /* restartPolicy */
	/* core.EphemeralVolumeSource */
	{ 1, FIELD_POINTER }, /* volumeClaimTemplate */
	/* core.Event */
	{ 1, FIELD_KEEP }, /* metadata */
	{ 2, FIELD_KEEP }, /* involvedObject */
	{ 11, FIELD_POINTER }, /* series */
	{ 13, FIELD_POINTER }, /* related */
	{ 14, FIELD_KEEP }, /* reportingComponent */
	{ 15, FIELD_KEEP }, /* reportingInstance */
	/* core.EventList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.EvictionResponder */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_POINTER | FIELD_KEEP }, /* priority */
	/* core.FCVolumeSource */
	{ 2, FIELD_POINTER }, /* lun */
	/* core.FileKeySelector */
	{ 1, FIELD_KEEP }, /* volumeName */
	{ 2, FIELD_KEEP }, /* path */
	{ 3, FIELD_KEEP }, /* key */
	{ 4, FIELD_POINTER }, /* optional */
	/* core.FlexPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* driver */
	{ 3, FIELD_POINTER }, /* secretRef */
	/* core.FlexVolumeSource */
	{ 1, FIELD_KEEP }, /* driver */
	{ 3, FIELD_POINTER }, /* secretRef */
	/* core.GCEPersistentDiskVolumeSource */
	{ 1, FIELD_KEEP }, /* pdName */
	/* core.GRPCAction */
	{ 1, FIELD_KEEP }, /* port */
	{ 2, FIELD_POINTER | FIELD_KEEP }, /* service */
	{ 3, FIELD_POINTER }, /* mode */
	/* core.GitRepoVolumeSource */
	{ 1, FIELD_KEEP }, /* repository */
	/* core.GlusterfsPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* endpoints */
	{ 2, FIELD_KEEP }, /* path */
	{ 4, FIELD_POINTER }, /* endpointsNamespace */
	/* core.GlusterfsVolumeSource */
	{ 1, FIELD_KEEP }, /* endpoints */
	{ 2, FIELD_KEEP }, /* path */
	/* core.HTTPGetAction */
	{ 2, FIELD_KEEP }, /* port */
	{ 6, FIELD_POINTER }, /* protocol */
	/* core.HTTPHeader */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* value */
	/* core.HostAlias */
	{ 1, FIELD_KEEP }, /* ip */
	/* core.HostIP */
	{ 1, FIELD_KEEP }, /* ip */
	/* core.HostPathVolumeSource */
	{ 1, FIELD_KEEP }, /* path */
	{ 2, FIELD_POINTER }, /* type */
	/* core.ISCSIPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* targetPortal */
	{ 2, FIELD_KEEP }, /* iqn */
	{ 3, FIELD_KEEP }, /* lun */
	{ 10, FIELD_POINTER }, /* secretRef */
	{ 12, FIELD_POINTER }, /* initiatorName */
	/* core.ISCSIVolumeSource */
	{ 1, FIELD_KEEP }, /* targetPortal */
	{ 2, FIELD_KEEP }, /* iqn */
	{ 3, FIELD_KEEP }, /* lun */
	{ 10, FIELD_POINTER }, /* secretRef */
	{ 12, FIELD_POINTER }, /* initiatorName */
	/* core.KeyToPath */
	{ 1, FIELD_KEEP }, /* key */
	{ 2, FIELD_KEEP }, /* path */
	{ 3, FIELD_POINTER }, /* mode */
	{ 4, FIELD_POINTER }, /* user */
	/* core.Lifecycle */
	{ 1, FIELD_POINTER }, /* postStart */
	{ 2, FIELD_POINTER }, /* preStop */
	{ 3, FIELD_POINTER }, /* stopSignal */
	/* core.LifecycleHandler */
	{ 1, FIELD_POINTER }, /* exec */
	{ 2, FIELD_POINTER }, /* httpGet */
	{ 3, FIELD_POINTER }, /* tcpSocket */
	{ 4, FIELD_POINTER }, /* sleep */
	/* core.LimitRangeItem */
	{ 1, FIELD_KEEP }, /* type */
	/* core.LimitRangeList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.LimitRangeSpec */
	{ 1, FIELD_KEEP }, /* limits */
	/* core.LinuxContainerUser */
	{ 1, FIELD_KEEP }, /* uid */
	{ 2, FIELD_KEEP }, /* gid */
	/* core.List */
	{ 2, FIELD_KEEP }, /* items */
	/* core.LoadBalancerIngress */
	{ 3, FIELD_POINTER }, /* ipMode */
	/* core.LocalVolumeSource */
	{ 1, FIELD_KEEP }, /* path */
	{ 2, FIELD_POINTER }, /* fsType */
	/* core.ModifyVolumeStatus */
	{ 2, FIELD_KEEP }, /* status */
	/* core.NFSVolumeSource */
	{ 1, FIELD_KEEP }, /* server */
	{ 2, FIELD_KEEP }, /* path */
	/* core.NamespaceCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.NamespaceList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.NodeAddress */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* address */
	/* core.NodeAffinity */
	{ 1, FIELD_POINTER }, /* requiredDuringSchedulingIgnoredDuringExecution */
	/* core.NodeAllocatableMappedResources */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_POINTER | FIELD_KEEP }, /* quantity */
	/* core.NodeAllocatableOverheadResources */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_POINTER }, /* perPod */
	{ 3, FIELD_POINTER }, /* perContainer */
	/* core.NodeAllocatableResourceClaimStatus */
	{ 1, FIELD_KEEP }, /* resourceClaimName */
	/* core.NodeCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.NodeConfigSource */
	{ 2, FIELD_POINTER }, /* configMap */
	/* core.NodeConfigStatus */
	{ 1, FIELD_POINTER }, /* assigned */
	{ 2, FIELD_POINTER }, /* active */
	{ 3, FIELD_POINTER }, /* lastKnownGood */
	/* core.NodeFeatures */
	{ 1, FIELD_POINTER }, /* supplementalGroupsPolicy */
	/* core.NodeList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.NodeRuntimeHandler */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_POINTER }, /* features */
	/* core.NodeRuntimeHandlerFeatures */
	{ 1, FIELD_POINTER }, /* recursiveReadOnlyMounts */
	{ 2, FIELD_POINTER }, /* userNamespaces */
	/* core.NodeSelector */
	{ 1, FIELD_KEEP }, /* nodeSelectorTerms */
	/* core.NodeSelectorRequirement */
	{ 1, FIELD_KEEP }, /* key */
	{ 2, FIELD_KEEP }, /* operator */
	/* core.NodeSpec */
	{ 6, FIELD_POINTER }, /* configSource */
	{ 8, FIELD_POINTER }, /* podPreemptionPolicy */
	/* core.NodeStatus */
	{ 11, FIELD_POINTER }, /* config */
	{ 13, FIELD_POINTER }, /* features */
	/* core.NodeSwapStatus */
	{ 1, FIELD_POINTER }, /* capacity */
	/* core.NodeSystemInfo */
	{ 1, FIELD_KEEP }, /* machineID */
	{ 2, FIELD_KEEP }, /* systemUUID */
	{ 3, FIELD_KEEP }, /* bootID */
	{ 4, FIELD_KEEP }, /* kernelVersion */
	{ 5, FIELD_KEEP }, /* osImage */
	{ 6, FIELD_KEEP }, /* containerRuntimeVersion */
	{ 7, FIELD_KEEP }, /* kubeletVersion */
	{ 8, FIELD_KEEP }, /* kubeProxyVersion */
	{ 9, FIELD_KEEP }, /* operatingSystem */
	{ 10, FIELD_KEEP }, /* architecture */
	{ 11, FIELD_POINTER }, /* swap */
	{ 12, FIELD_POINTER }, /* runningInUserNamespace */
	/* core.ObjectFieldSelector */
	{ 2, FIELD_KEEP }, /* fieldPath */
	/* core.PersistentVolumeClaimCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.PersistentVolumeClaimList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.PersistentVolumeClaimSpec */
	{ 4, FIELD_POINTER }, /* selector */
	{ 5, FIELD_POINTER }, /* storageClassName */
	{ 6, FIELD_POINTER }, /* volumeMode */
	{ 7, FIELD_POINTER }, /* dataSource */
	{ 8, FIELD_POINTER }, /* dataSourceRef */
	{ 9, FIELD_POINTER }, /* volumeAttributesClassName */
	/* core.PersistentVolumeClaimStatus */
	{ 8, FIELD_POINTER }, /* currentVolumeAttributesClassName */
	{ 9, FIELD_POINTER }, /* modifyVolumeStatus */
	{ 10, FIELD_POINTER }, /* healthStatus */
	/* core.PersistentVolumeClaimTemplate */
	{ 2, FIELD_KEEP }, /* spec */
	/* core.PersistentVolumeClaimVolumeSource */
	{ 1, FIELD_KEEP }, /* claimName */
	/* core.PersistentVolumeList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.PersistentVolumeSource */
	{ 1, FIELD_POINTER }, /* gcePersistentDisk */
	{ 2, FIELD_POINTER }, /* awsElasticBlockStore */
	{ 3, FIELD_POINTER }, /* hostPath */
	{ 4, FIELD_POINTER }, /* glusterfs */
	{ 5, FIELD_POINTER }, /* nfs */
	{ 6, FIELD_POINTER }, /* rbd */
	{ 7, FIELD_POINTER }, /* iscsi */
	{ 8, FIELD_POINTER }, /* cinder */
	{ 9, FIELD_POINTER }, /* cephfs */
	{ 10, FIELD_POINTER }, /* fc */
	{ 11, FIELD_POINTER }, /* flocker */
	{ 12, FIELD_POINTER }, /* flexVolume */
	{ 13, FIELD_POINTER }, /* azureFile */
	{ 14, FIELD_POINTER }, /* vsphereVolume */
	{ 15, FIELD_POINTER }, /* quobyte */
	{ 16, FIELD_POINTER }, /* azureDisk */
	{ 17, FIELD_POINTER }, /* photonPersistentDisk */
	{ 18, FIELD_POINTER }, /* portworxVolume */
	{ 19, FIELD_POINTER }, /* scaleIO */
	{ 20, FIELD_POINTER }, /* local */
	{ 21, FIELD_POINTER }, /* storageos */
	{ 22, FIELD_POINTER }, /* csi */
	/* core.PersistentVolumeSpec */
	{ 2, FIELD_INLINE }, /* persistentVolumeSource */
	{ 4, FIELD_POINTER }, /* claimRef */
	{ 8, FIELD_POINTER }, /* volumeMode */
	{ 9, FIELD_POINTER }, /* nodeAffinity */
	{ 10, FIELD_POINTER }, /* volumeAttributesClassName */
	/* core.PersistentVolumeStatus */
	{ 4, FIELD_POINTER }, /* lastPhaseTransitionTime */
	/* core.PhotonPersistentDiskVolumeSource */
	{ 1, FIELD_KEEP }, /* pdID */
	/* core.PodAffinityTerm */
	{ 1, FIELD_POINTER }, /* labelSelector */
	{ 3, FIELD_KEEP }, /* topologyKey */
	{ 4, FIELD_POINTER }, /* namespaceSelector */
	/* core.PodCertificateProjection */
	{ 3, FIELD_POINTER }, /* maxExpirationSeconds */
	{ 8, FIELD_POINTER }, /* user */
	/* core.PodCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.PodDNSConfigOption */
	{ 2, FIELD_POINTER }, /* value */
	/* core.PodExecOptions */
	{ 6, FIELD_KEEP }, /* command */
	/* core.PodExtendedResourceClaimStatus */
	{ 1, FIELD_KEEP }, /* requestMappings */
	{ 2, FIELD_KEEP }, /* resourceClaimName */
	/* core.PodIP */
	{ 1, FIELD_KEEP }, /* ip */
	/* core.PodList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.PodLogOptions */
	{ 4, FIELD_POINTER }, /* sinceSeconds */
	{ 5, FIELD_POINTER }, /* sinceTime */
	{ 7, FIELD_POINTER }, /* tailLines */
	{ 8, FIELD_POINTER }, /* limitBytes */
	{ 10, FIELD_POINTER }, /* stream */
	/* core.PodOS */
	{ 1, FIELD_KEEP }, /* name */
	/* core.PodReadinessGate */
	{ 1, FIELD_KEEP }, /* conditionType */
	/* core.PodResourceClaim */
	{ 1, FIELD_KEEP }, /* name */
	{ 3, FIELD_POINTER }, /* resourceClaimName */
	{ 4, FIELD_POINTER }, /* resourceClaimTemplateName */
	/* core.PodResourceClaimStatus */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_POINTER }, /* resourceClaimName */
	/* core.PodSchedulingGate */
	{ 1, FIELD_KEEP }, /* name */
	/* core.PodSchedulingGroup */
	{ 1, FIELD_POINTER }, /* podGroupName */
	/* core.PodSecurityContext */
	{ 1, FIELD_POINTER }, /* seLinuxOptions */
	{ 2, FIELD_POINTER }, /* runAsUser */
	{ 3, FIELD_POINTER }, /* runAsNonRoot */
	{ 5, FIELD_POINTER }, /* fsGroup */
	{ 6, FIELD_POINTER }, /* runAsGroup */
	{ 8, FIELD_POINTER }, /* windowsOptions */
	{ 9, FIELD_POINTER }, /* fsGroupChangePolicy */
	{ 10, FIELD_POINTER }, /* seccompProfile */
	{ 11, FIELD_POINTER }, /* appArmorProfile */
	{ 12, FIELD_POINTER }, /* supplementalGroupsPolicy */
	{ 13, FIELD_POINTER }, /* seLinuxChangePolicy */
	/* core.PodSpec */
	{ 2, FIELD_KEEP }, /* containers */
	{ 4, FIELD_POINTER }, /* terminationGracePeriodSeconds */
	{ 5, FIELD_POINTER }, /* activeDeadlineSeconds */
	{ 14, FIELD_POINTER }, /* securityContext */
	{ 18, FIELD_POINTER }, /* affinity */
	{ 21, FIELD_POINTER }, /* automountServiceAccountToken */
	{ 25, FIELD_POINTER }, /* priority */
	{ 26, FIELD_POINTER }, /* dnsConfig */
	{ 27, FIELD_POINTER }, /* shareProcessNamespace */
	{ 29, FIELD_POINTER }, /* runtimeClassName */
	{ 30, FIELD_POINTER }, /* enableServiceLinks */
	{ 31, FIELD_POINTER }, /* preemptionPolicy */
	{ 35, FIELD_POINTER }, /* setHostnameAsFQDN */
	{ 36, FIELD_POINTER }, /* os */
	{ 37, FIELD_POINTER }, /* hostUsers */
	{ 40, FIELD_POINTER }, /* resources */
	{ 41, FIELD_POINTER }, /* hostnameOverride */
	{ 43, FIELD_POINTER }, /* schedulingGroup */
	/* core.PodStatus */
	{ 7, FIELD_POINTER }, /* startTime */
	{ 18, FIELD_POINTER }, /* extendedResourceClaimStatus */
	{ 20, FIELD_POINTER }, /* resources */
	/* core.PodTemplateList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.PodVolumeHealth */
	{ 1, FIELD_KEEP }, /* name */
	/* core.PortStatus */
	{ 1, FIELD_KEEP }, /* port */
	{ 2, FIELD_KEEP }, /* protocol */
	{ 3, FIELD_POINTER }, /* error */
	/* core.PortworxVolumeSource */
	{ 1, FIELD_KEEP }, /* volumeID */
	/* core.PreferredSchedulingTerm */
	{ 1, FIELD_KEEP }, /* weight */
	{ 2, FIELD_KEEP }, /* preference */
	/* core.Probe */
	{ 1, FIELD_INLINE }, /* handler */
	{ 7, FIELD_POINTER }, /* terminationGracePeriodSeconds */
	/* core.ProbeHandler */
	{ 1, FIELD_POINTER }, /* exec */
	{ 2, FIELD_POINTER }, /* httpGet */
	{ 3, FIELD_POINTER }, /* tcpSocket */
	{ 4, FIELD_POINTER }, /* grpc */
	/* core.ProjectedVolumeSource */
	{ 1, FIELD_KEEP }, /* sources */
	{ 2, FIELD_POINTER }, /* defaultMode */
	{ 3, FIELD_POINTER }, /* defaultUser */
	/* core.QuobyteVolumeSource */
	{ 1, FIELD_KEEP }, /* registry */
	{ 2, FIELD_KEEP }, /* volume */
	/* core.RBDPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* monitors */
	{ 2, FIELD_KEEP }, /* image */
	{ 7, FIELD_POINTER }, /* secretRef */
	/* core.RBDVolumeSource */
	{ 1, FIELD_KEEP }, /* monitors */
	{ 2, FIELD_KEEP }, /* image */
	{ 7, FIELD_POINTER }, /* secretRef */
	/* core.RangeAllocation */
	{ 2, FIELD_KEEP }, /* range */
	{ 3, FIELD_KEEP }, /* data */
	/* core.ReplicationControllerCondition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	/* core.ReplicationControllerList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ReplicationControllerSpec */
	{ 1, FIELD_POINTER }, /* replicas */
	{ 3, FIELD_POINTER }, /* template */
	/* core.ReplicationControllerStatus */
	{ 1, FIELD_KEEP }, /* replicas */
	/* core.ResourceClaim */
	{ 1, FIELD_KEEP }, /* name */
	/* core.ResourceFieldSelector */
	{ 2, FIELD_KEEP }, /* resource */
	/* core.ResourceHealth */
	{ 1, FIELD_KEEP }, /* resourceID */
	{ 6, FIELD_POINTER }, /* message */
	/* core.ResourceQuotaList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ResourceQuotaSpec */
	{ 3, FIELD_POINTER }, /* scopeSelector */
	/* core.ResourceStatus */
	{ 1, FIELD_KEEP }, /* name */
	/* core.ScaleIOPersistentVolumeSource */
	{ 1, FIELD_KEEP }, /* gateway */
	{ 2, FIELD_KEEP }, /* system */
	{ 3, FIELD_POINTER | FIELD_KEEP }, /* secretRef */
	/* core.ScaleIOVolumeSource */
	{ 1, FIELD_KEEP }, /* gateway */
	{ 2, FIELD_KEEP }, /* system */
	{ 3, FIELD_POINTER | FIELD_KEEP }, /* secretRef */
	/* core.ScopedResourceSelectorRequirement */
	{ 1, FIELD_KEEP }, /* scopeName */
	{ 2, FIELD_KEEP }, /* operator */
	/* core.SeccompProfile */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_POINTER }, /* localhostProfile */
	/* core.Secret */
	{ 5, FIELD_POINTER }, /* immutable */
	/* core.SecretEnvSource */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 2, FIELD_POINTER }, /* optional */
	/* core.SecretKeySelector */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 2, FIELD_KEEP }, /* key */
	{ 3, FIELD_POINTER }, /* optional */
	/* core.SecretList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.SecretProjection */
	{ 1, FIELD_INLINE }, /* localObjectReference */
	{ 4, FIELD_POINTER }, /* optional */
	/* core.SecretVolumeSource */
	{ 3, FIELD_POINTER }, /* defaultMode */
	{ 4, FIELD_POINTER }, /* optional */
	{ 5, FIELD_POINTER }, /* defaultUser */
	/* core.SecurityContext */
	{ 1, FIELD_POINTER }, /* capabilities */
	{ 2, FIELD_POINTER }, /* privileged */
	{ 3, FIELD_POINTER }, /* seLinuxOptions */
	{ 4, FIELD_POINTER }, /* runAsUser */
	{ 5, FIELD_POINTER }, /* runAsNonRoot */
	{ 6, FIELD_POINTER }, /* readOnlyRootFilesystem */
	{ 7, FIELD_POINTER }, /* allowPrivilegeEscalation */
	{ 8, FIELD_POINTER }, /* runAsGroup */
	{ 9, FIELD_POINTER }, /* procMount */
	{ 10, FIELD_POINTER }, /* windowsOptions */
	{ 11, FIELD_POINTER }, /* seccompProfile */
	{ 12, FIELD_POINTER }, /* appArmorProfile */
	/* core.ServiceAccount */
	{ 4, FIELD_POINTER }, /* automountServiceAccountToken */
	/* core.ServiceAccountList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ServiceAccountTokenProjection */
	{ 2, FIELD_POINTER }, /* expirationSeconds */
	{ 3, FIELD_KEEP }, /* path */
	{ 4, FIELD_POINTER }, /* user */
	/* core.ServiceList */
	{ 2, FIELD_KEEP }, /* items */
	/* core.ServicePort */
	{ 3, FIELD_KEEP }, /* port */
	{ 6, FIELD_POINTER }, /* appProtocol */
	/* core.ServiceSpec */
	{ 14, FIELD_POINTER }, /* sessionAffinityConfig */
	{ 17, FIELD_POINTER }, /* ipFamilyPolicy */
	{ 20, FIELD_POINTER }, /* allocateLoadBalancerNodePorts */
	{ 21, FIELD_POINTER }, /* loadBalancerClass */
	{ 22, FIELD_POINTER }, /* internalTrafficPolicy */
	{ 23, FIELD_POINTER }, /* trafficDistribution */
	/* core.SessionAffinityConfig */
	{ 1, FIELD_POINTER }, /* clientIP */
	/* core.SleepAction */
	{ 1, FIELD_KEEP }, /* seconds */
	/* core.StorageOSPersistentVolumeSource */
	{ 5, FIELD_POINTER }, /* secretRef */
	/* core.StorageOSVolumeSource */
	{ 5, FIELD_POINTER }, /* secretRef */
	/* core.Sysctl */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* value */
	/* core.TCPSocketAction */
	{ 1, FIELD_KEEP }, /* port */
	/* core.Taint */
	{ 1, FIELD_KEEP }, /* key */
	{ 3, FIELD_KEEP }, /* effect */
	{ 4, FIELD_POINTER }, /* timeAdded */
	/* core.Toleration */
	{ 5, FIELD_POINTER }, /* tolerationSeconds */
	/* core.TopologySelectorLabelRequirement */
	{ 1, FIELD_KEEP }, /* key */
	{ 2, FIELD_KEEP }, /* values */
	/* core.TopologySpreadConstraint */
	{ 1, FIELD_KEEP }, /* maxSkew */
	{ 2, FIELD_KEEP }, /* topologyKey */
	{ 3, FIELD_KEEP }, /* whenUnsatisfiable */
	{ 4, FIELD_POINTER }, /* labelSelector */
	{ 5, FIELD_POINTER }, /* minDomains */
	{ 6, FIELD_POINTER }, /* nodeAffinityPolicy */
	{ 7, FIELD_POINTER }, /* nodeTaintsPolicy */
	/* core.TypedLocalObjectReference */
	{ 1, FIELD_POINTER | FIELD_KEEP }, /* apiGroup */
	{ 2, FIELD_KEEP }, /* kind */
	{ 3, FIELD_KEEP }, /* name */
	/* core.TypedObjectReference */
	{ 1, FIELD_POINTER | FIELD_KEEP }, /* apiGroup */
	{ 2, FIELD_KEEP }, /* kind */
	{ 3, FIELD_KEEP }, /* name */
	{ 4, FIELD_POINTER }, /* namespace */
	/* core.Volume */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_INLINE }, /* volumeSource */
	/* core.VolumeDevice */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* devicePath */
	/* core.VolumeHealthCondition */
	{ 1, FIELD_KEEP }, /* status */
	{ 2, FIELD_KEEP }, /* reason */
	/* core.VolumeMount */
	{ 1, FIELD_KEEP }, /* name */
	{ 3, FIELD_KEEP }, /* mountPath */
	{ 5, FIELD_POINTER }, /* mountPropagation */
	{ 7, FIELD_POINTER }, /* recursiveReadOnly */
	/* core.VolumeMountStatus */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* mountPath */
	{ 4, FIELD_POINTER }, /* recursiveReadOnly */
	{ 5, FIELD_POINTER }, /* volumeStatus */
	/* core.VolumeNodeAffinity */
	{ 1, FIELD_POINTER }, /* required */
	/* core.VolumeProjection */
	{ 1, FIELD_POINTER }, /* secret */
	{ 2, FIELD_POINTER }, /* downwardAPI */
	{ 3, FIELD_POINTER }, /* configMap */
	{ 4, FIELD_POINTER }, /* serviceAccountToken */
	{ 5, FIELD_POINTER }, /* clusterTrustBundle */
	{ 6, FIELD_POINTER }, /* podCertificate */
	/* core.VolumeSource */
	{ 1, FIELD_POINTER }, /* hostPath */
	{ 2, FIELD_POINTER }, /* emptyDir */
	{ 3, FIELD_POINTER }, /* gcePersistentDisk */
	{ 4, FIELD_POINTER }, /* awsElasticBlockStore */
	{ 5, FIELD_POINTER }, /* gitRepo */
	{ 6, FIELD_POINTER }, /* secret */
	{ 7, FIELD_POINTER }, /* nfs */
	{ 8, FIELD_POINTER }, /* iscsi */
	{ 9, FIELD_POINTER }, /* glusterfs */
	{ 10, FIELD_POINTER }, /* persistentVolumeClaim */
	{ 11, FIELD_POINTER }, /* rbd */
	{ 12, FIELD_POINTER }, /* flexVolume */
	{ 13, FIELD_POINTER }, /* cinder */
	{ 14, FIELD_POINTER }, /* cephfs */
	{ 15, FIELD_POINTER }, /* flocker */
	{ 16, FIELD_POINTER }, /* downwardAPI */
	{ 17, FIELD_POINTER }, /* fc */
	{ 18, FIELD_POINTER }, /* azureFile */
	{ 19, FIELD_POINTER }, /* configMap */
	{ 20, FIELD_POINTER }, /* vsphereVolume */
	{ 21, FIELD_POINTER }, /* quobyte */
	{ 22, FIELD_POINTER }, /* azureDisk */
	{ 23, FIELD_POINTER }, /* photonPersistentDisk */
	{ 24, FIELD_POINTER }, /* portworxVolume */
	{ 25, FIELD_POINTER }, /* scaleIO */
	{ 26, FIELD_POINTER }, /* projected */
	{ 27, FIELD_POINTER }, /* storageos */
	{ 28, FIELD_POINTER }, /* csi */
	{ 29, FIELD_POINTER }, /* ephemeral */
	{ 30, FIELD_POINTER }, /* image */
	/* core.VolumeStatus */
	{ 1, FIELD_POINTER }, /* image */
	/* core.VsphereVirtualDiskVolumeSource */
	{ 1, FIELD_KEEP }, /* volumePath */
	/* core.WeightedPodAffinityTerm */
	{ 1, FIELD_KEEP }, /* weight */
	{ 2, FIELD_KEEP }, /* podAffinityTerm */
	/* core.WindowsSecurityContextOptions */
	{ 1, FIELD_POINTER }, /* gmsaCredentialSpecName */
	{ 2, FIELD_POINTER }, /* gmsaCredentialSpec */
	{ 3, FIELD_POINTER }, /* runAsUserName */
	{ 4, FIELD_POINTER }, /* hostProcess */
	/* discovery.Endpoint */
	{ 1, FIELD_KEEP }, /* addresses */
	{ 3, FIELD_POINTER }, /* hostname */
	{ 4, FIELD_POINTER }, /* targetRef */
	{ 6, FIELD_POINTER }, /* nodeName */
	{ 7, FIELD_POINTER }, /* zone */
	{ 8, FIELD_POINTER }, /* hints */
	/* discovery.EndpointConditions */
	{ 1, FIELD_POINTER }, /* ready */
	{ 2, FIELD_POINTER }, /* serving */
	{ 3, FIELD_POINTER }, /* terminating */
	/* discovery.EndpointPort */
	{ 1, FIELD_POINTER }, /* name */
	{ 2, FIELD_POINTER }, /* protocol */
	{ 3, FIELD_POINTER }, /* port */
	{ 4, FIELD_POINTER }, /* appProtocol */
	/* discovery.EndpointSlice */
	{ 2, FIELD_KEEP }, /* endpoints */
	{ 3, FIELD_KEEP }, /* ports */
	{ 4, FIELD_KEEP }, /* addressType */
	/* discovery.EndpointSliceList */
	{ 2, FIELD_KEEP }, /* items */
	/* discovery.ForNode */
	{ 1, FIELD_KEEP }, /* name */
	/* discovery.ForZone */
	{ 1, FIELD_KEEP }, /* name */
	/* events.Event */
	{ 1, FIELD_KEEP }, /* metadata */
	{ 2, FIELD_KEEP }, /* eventTime */
	{ 3, FIELD_POINTER }, /* series */
	{ 9, FIELD_POINTER }, /* related */
	/* events.EventList */
	{ 2, FIELD_KEEP }, /* items */
	/* events.EventSeries */
	{ 1, FIELD_KEEP }, /* count */
	{ 2, FIELD_KEEP }, /* lastObservedTime */
	/* intstr.IntOrString */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* intVal */
	{ 3, FIELD_KEEP }, /* strVal */
	/* meta.APIGroup */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* versions */
	/* meta.APIGroupList */
	{ 1, FIELD_KEEP }, /* groups */
	/* meta.APIResource */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* namespaced */
	{ 3, FIELD_KEEP }, /* kind */
	{ 4, FIELD_KEEP }, /* verbs */
	{ 6, FIELD_KEEP }, /* singularName */
	/* meta.APIResourceList */
	{ 1, FIELD_KEEP }, /* groupVersion */
	{ 2, FIELD_KEEP }, /* resources */
	/* meta.APIVersions */
	{ 1, FIELD_KEEP }, /* versions */
	{ 2, FIELD_KEEP }, /* serverAddressByClientCIDRs */
	/* meta.Condition */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* status */
	{ 4, FIELD_KEEP }, /* lastTransitionTime */
	{ 5, FIELD_KEEP }, /* reason */
	{ 6, FIELD_KEEP }, /* message */
	/* meta.DeleteOptions */
	{ 1, FIELD_POINTER }, /* gracePeriodSeconds */
	{ 2, FIELD_POINTER }, /* preconditions */
	{ 3, FIELD_POINTER }, /* orphanDependents */
	{ 4, FIELD_POINTER }, /* propagationPolicy */
	{ 6, FIELD_POINTER }, /* ignoreStoreReadErrorWithClusterBreakingPotential */
	/* meta.FieldSelectorRequirement */
	{ 1, FIELD_KEEP }, /* key */
	{ 2, FIELD_KEEP }, /* operator */
	/* meta.FieldsV1 */
	{ 1, FIELD_KEEP }, /* Raw */
	/* meta.GroupVersionForDiscovery */
	{ 1, FIELD_KEEP }, /* groupVersion */
	{ 2, FIELD_KEEP }, /* version */
	/* meta.LabelSelectorRequirement */
	{ 1, FIELD_KEEP }, /* key */
	{ 2, FIELD_KEEP }, /* operator */
	/* meta.ListMeta */
	{ 4, FIELD_POINTER }, /* remainingItemCount */
	{ 5, FIELD_POINTER }, /* shardInfo */
	/* meta.ListOptions */
	{ 5, FIELD_POINTER }, /* timeoutSeconds */
	{ 11, FIELD_POINTER }, /* sendInitialEvents */
	/* meta.ManagedFieldsEntry */
	{ 4, FIELD_POINTER }, /* time */
	{ 7, FIELD_POINTER }, /* fieldsV1 */
	/* meta.ObjectMeta */
	{ 8, FIELD_OMIT_ZERO }, /* creationTimestamp */
	{ 9, FIELD_POINTER }, /* deletionTimestamp */
	{ 10, FIELD_POINTER }, /* deletionGracePeriodSeconds */
	/* meta.OwnerReference */
	{ 1, FIELD_KEEP }, /* kind */
	{ 3, FIELD_KEEP }, /* name */
	{ 4, FIELD_KEEP }, /* uid */
	{ 5, FIELD_KEEP }, /* apiVersion */
	{ 6, FIELD_POINTER }, /* controller */
	{ 7, FIELD_POINTER }, /* blockOwnerDeletion */
	/* meta.PartialObjectMetadataList */
	{ 2, FIELD_KEEP }, /* items */
	/* meta.PatchOptions */
	{ 2, FIELD_POINTER }, /* force */
	/* meta.Preconditions */
	{ 1, FIELD_POINTER }, /* uid */
	{ 2, FIELD_POINTER }, /* resourceVersion */
	/* meta.ServerAddressByClientCIDR */
	{ 1, FIELD_KEEP }, /* clientCIDR */
	{ 2, FIELD_KEEP }, /* serverAddress */
	/* meta.ShardInfo */
	{ 1, FIELD_KEEP }, /* selector */
	/* meta.Status */
	{ 5, FIELD_POINTER }, /* details */
	/* meta.WatchEvent */
	{ 1, FIELD_KEEP }, /* type */
	{ 2, FIELD_KEEP }, /* object */
	/* networking.HTTPIngressPath */
	{ 2, FIELD_KEEP }, /* backend */
	{ 3, FIELD_POINTER | FIELD_KEEP }, /* pathType */
	/* networking.HTTPIngressRuleValue */
	{ 1, FIELD_KEEP }, /* paths */
	/* networking.IPAddressList */
	{ 2, FIELD_KEEP }, /* items */
	/* networking.IPAddressSpec */
	{ 1, FIELD_POINTER }, /* parentRef */
	/* networking.IPBlock */
	{ 1, FIELD_KEEP }, /* cidr */
	/* networking.IngressBackend */
	{ 3, FIELD_POINTER }, /* resource */
	{ 4, FIELD_POINTER }, /* service */
	/* networking.IngressClassList */
	{ 2, FIELD_KEEP }, /* items */
	/* networking.IngressClassParametersReference */
	{ 1, FIELD_POINTER | FIELD_RENAMED }, /* aPIGroup */
	{ 2, FIELD_KEEP }, /* kind */
	{ 3, FIELD_KEEP }, /* name */
	{ 4, FIELD_POINTER | FIELD_KEEP }, /* scope */
	{ 5, FIELD_POINTER }, /* namespace */
	/* networking.IngressClassSpec */
	{ 2, FIELD_POINTER }, /* parameters */
	/* networking.IngressList */
	{ 2, FIELD_KEEP }, /* items */
	/* networking.IngressPortStatus */
	{ 1, FIELD_KEEP }, /* port */
	{ 2, FIELD_KEEP }, /* protocol */
	{ 3, FIELD_POINTER }, /* error */
	/* networking.IngressRule */
	{ 2, FIELD_INLINE }, /* ingressRuleValue */
	/* networking.IngressRuleValue */
	{ 1, FIELD_POINTER }, /* http */
	/* networking.IngressServiceBackend */
	{ 1, FIELD_KEEP }, /* name */
	/* networking.IngressSpec */
	{ 1, FIELD_POINTER }, /* defaultBackend */
	{ 4, FIELD_POINTER }, /* ingressClassName */
	/* networking.NetworkPolicyList */
	{ 2, FIELD_KEEP }, /* items */
	/* networking.NetworkPolicyPeer */
	{ 1, FIELD_POINTER }, /* podSelector */
	{ 2, FIELD_POINTER }, /* namespaceSelector */
	{ 3, FIELD_POINTER }, /* ipBlock */
	/* networking.NetworkPolicyPort */
	{ 1, FIELD_POINTER }, /* protocol */
	{ 2, FIELD_POINTER }, /* port */
	{ 3, FIELD_POINTER }, /* endPort */
	/* networking.NetworkPolicySpec */
	{ 1, FIELD_KEEP }, /* podSelector */
	/* networking.ServiceCIDRList */
	{ 2, FIELD_KEEP }, /* items */
	/* node.RuntimeClass */
	{ 2, FIELD_KEEP }, /* handler */
	{ 3, FIELD_POINTER }, /* overhead */
	{ 4, FIELD_POINTER }, /* scheduling */
	/* node.RuntimeClassList */
	{ 2, FIELD_KEEP }, /* items */
	/* runtime.RawExtension */
	{ 1, FIELD_KEEP }, /* raw */
	/* storage.CSIDriver */
	{ 2, FIELD_KEEP }, /* spec */
	/* storage.CSIDriverList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.CSIDriverSpec */
	{ 1, FIELD_POINTER }, /* attachRequired */
	{ 2, FIELD_POINTER }, /* podInfoOnMount */
	{ 4, FIELD_POINTER }, /* storageCapacity */
	{ 5, FIELD_POINTER }, /* fsGroupPolicy */
	{ 7, FIELD_POINTER }, /* requiresRepublish */
	{ 8, FIELD_POINTER }, /* seLinuxMount */
	{ 9, FIELD_POINTER }, /* nodeAllocatableUpdatePeriodSeconds */
	{ 10, FIELD_POINTER }, /* serviceAccountTokenInSecrets */
	{ 11, FIELD_POINTER }, /* preventPodSchedulingIfMissing */
	/* storage.CSINode */
	{ 2, FIELD_KEEP }, /* spec */
	/* storage.CSINodeDriver */
	{ 1, FIELD_KEEP }, /* name */
	{ 2, FIELD_KEEP }, /* nodeID */
	{ 3, FIELD_KEEP }, /* topologyKeys */
	{ 4, FIELD_POINTER }, /* allocatable */
	/* storage.CSINodeList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.CSINodeSpec */
	{ 1, FIELD_KEEP }, /* drivers */
	/* storage.CSIStorageCapacity */
	{ 2, FIELD_POINTER }, /* nodeTopology */
	{ 3, FIELD_KEEP }, /* storageClassName */
	{ 4, FIELD_POINTER }, /* capacity */
	{ 5, FIELD_POINTER }, /* maximumVolumeSize */
	/* storage.CSIStorageCapacityList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.StorageClass */
	{ 2, FIELD_KEEP }, /* provisioner */
	{ 4, FIELD_POINTER }, /* reclaimPolicy */
	{ 6, FIELD_POINTER }, /* allowVolumeExpansion */
	{ 7, FIELD_POINTER }, /* volumeBindingMode */
	/* storage.StorageClassList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.StorageHealth */
	{ 1, FIELD_KEEP }, /* name */
	/* storage.StorageHealthCondition */
	{ 1, FIELD_KEEP }, /* status */
	{ 2, FIELD_KEEP }, /* reason */
	{ 4, FIELD_POINTER }, /* accessMode */
	{ 5, FIELD_POINTER }, /* volumeMode */
	/* storage.TokenRequest */
	{ 1, FIELD_KEEP }, /* audience */
	{ 2, FIELD_POINTER }, /* expirationSeconds */
	/* storage.VolumeAttachment */
	{ 2, FIELD_KEEP }, /* spec */
	/* storage.VolumeAttachmentList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.VolumeAttachmentSource */
	{ 1, FIELD_POINTER }, /* persistentVolumeName */
	{ 2, FIELD_POINTER }, /* inlineVolumeSpec */
	/* storage.VolumeAttachmentSpec */
	{ 1, FIELD_KEEP }, /* attacher */
	{ 2, FIELD_KEEP }, /* source */
	{ 3, FIELD_KEEP }, /* nodeName */
	/* storage.VolumeAttachmentStatus */
	{ 1, FIELD_KEEP }, /* attached */
	{ 3, FIELD_POINTER }, /* attachError */
	{ 4, FIELD_POINTER }, /* detachError */
	/* storage.VolumeAttributesClass */
	{ 2, FIELD_KEEP }, /* driverName */
	/* storage.VolumeAttributesClassList */
	{ 2, FIELD_KEEP }, /* items */
	/* storage.VolumeError */
	{ 3, FIELD_POINTER }, /* errorCode */
	/* storage.VolumeNodeResources */
	{ 1, FIELD_POINTER }, /* count */
};

static const struct field_message messages[] = {
	{ "authentication.AttestationValue", 0, 0, true },
	{ "authentication.BoundObjectReference", 0, 1, false },
	{ "authentication.ExtraValue", 1, 0, true },
	{ "authentication.TokenRequest", 1, 1, false },
	{ "authentication.TokenRequestSpec", 2, 3, false },
	{ "authentication.TokenRequestStatus", 5, 2, false },
	{ "authentication.TokenReview", 7, 1, false },
	{ "authorization.ExtraValue", 8, 0, true },
	{ "authorization.LocalSubjectAccessReview", 8, 1, false },
	{ "authorization.NonResourceRule", 9, 1, false },
	{ "authorization.ResourceAttributes", 10, 2, false },
	{ "authorization.ResourceRule", 12, 1, false },
	{ "authorization.SelfSubjectAccessReview", 13, 1, false },
	{ "authorization.SelfSubjectAccessReviewSpec", 14, 2, false },
	{ "authorization.SelfSubjectRulesReview", 16, 1, false },
	{ "authorization.SubjectAccessReview", 17, 1, false },
	{ "authorization.SubjectAccessReviewSpec", 18, 2, false },
	{ "authorization.SubjectAccessReviewStatus", 20, 1, false },
	{ "authorization.SubjectRulesReviewStatus", 21, 3, false },
	{ "certificates.CertificateSigningRequest", 24, 1, false },
	{ "certificates.CertificateSigningRequestCondition", 25, 2, false },
	{ "certificates.CertificateSigningRequestList", 27, 1, false },
	{ "certificates.CertificateSigningRequestSpec", 28, 3, false },
	{ "certificates.ClusterTrustBundle", 31, 1, false },
	{ "certificates.ClusterTrustBundleList", 32, 1, false },
	{ "certificates.ClusterTrustBundleSpec", 33, 1, false },
	{ "certificates.ExtraValue", 34, 0, true },
	{ "certificates.PodCertificateRequest", 34, 1, false },
	{ "certificates.PodCertificateRequestList", 35, 1, false },
	{ "certificates.PodCertificateRequestSpec", 36, 9, false },
	{ "certificates.PodCertificateRequestStatus", 45, 3, false },
	{ "coordination.LeaseList", 48, 1, false },
	{ "coordination.LeaseSpec", 49, 7, false },
	{ "core.AWSElasticBlockStoreVolumeSource", 56, 1, false },
	{ "core.Affinity", 57, 3, false },
	{ "core.AppArmorProfile", 60, 2, false },
	{ "core.AttachedVolume", 62, 2, false },
	{ "core.AzureDiskVolumeSource", 64, 6, false },
	{ "core.AzureFilePersistentVolumeSource", 70, 3, false },
	{ "core.AzureFileVolumeSource", 73, 2, false },
	{ "core.Binding", 75, 1, false },
	{ "core.CSIPersistentVolumeSource", 76, 7, false },
	{ "core.CSIVolumeSource", 83, 4, false },
	{ "core.CephFSPersistentVolumeSource", 87, 2, false },
	{ "core.CephFSVolumeSource", 89, 2, false },
	{ "core.CinderPersistentVolumeSource", 91, 2, false },
	{ "core.CinderVolumeSource", 93, 2, false },
	{ "core.ClientIPConfig", 95, 1, false },
	{ "core.ClusterTrustBundleProjection", 96, 6, false },
	{ "core.ComponentCondition", 102, 2, false },
	{ "core.ComponentStatusList", 104, 1, false },
	{ "core.ConfigMap", 105, 1, false },
	{ "core.ConfigMapEnvSource", 106, 2, false },
	{ "core.ConfigMapKeySelector", 108, 3, false },
	{ "core.ConfigMapList", 111, 1, false },
	{ "core.ConfigMapNodeConfigSource", 112, 3, false },
	{ "core.ConfigMapProjection", 115, 2, false },
	{ "core.ConfigMapVolumeSource", 117, 4, false },
	{ "core.Container", 121, 7, false },
	{ "core.ContainerExtendedResourceRequest", 128, 3, false },
	{ "core.ContainerImage", 131, 1, false },
	{ "core.ContainerPort", 132, 1, false },
	{ "core.ContainerResizePolicy", 133, 2, false },
	{ "core.ContainerRestartRule", 135, 1, false },
	{ "core.ContainerState", 136, 3, false },
	{ "core.ContainerStateTerminated", 139, 1, false },
	{ "core.ContainerStatus", 140, 9, false },
	{ "core.ContainerUser", 149, 1, false },
	{ "core.DaemonEndpoint", 150, 1, false },
	{ "core.DownwardAPIVolumeFile", 151, 5, false },
	{ "core.DownwardAPIVolumeSource", 156, 2, false },
	{ "core.EmptyDirVolumeSource", 158, 2, false },
	{ "core.EndpointAddress", 160, 3, false },
	{ "core.EndpointPort", 163, 2, false },
	{ "core.EndpointsList", 165, 1, false },
	{ "core.EnvFromSource", 166, 2, false },
	{ "core.EnvVar", 168, 2, false },
	{ "core.EnvVarSource", 170, 5, false },
	{ "core.EphemeralContainer", 175, 1, false },
	{ "core.EphemeralContainerCommon", 176, 7, false },
	{ "core.EphemeralVolumeSource", 183, 1, false },
	{ "core.Event", 184, 6, false },
	{ "core.EventList", 190, 1, false },
	{ "core.EvictionResponder", 191, 2, false },
	{ "core.FCVolumeSource", 193, 1, false },
	{ "core.FileKeySelector", 194, 4, false },
	{ "core.FlexPersistentVolumeSource", 198, 2, false },
	{ "core.FlexVolumeSource", 200, 2, false },
	{ "core.GCEPersistentDiskVolumeSource", 202, 1, false },
	{ "core.GRPCAction", 203, 3, false },
	{ "core.GitRepoVolumeSource", 206, 1, false },
	{ "core.GlusterfsPersistentVolumeSource", 207, 3, false },
	{ "core.GlusterfsVolumeSource", 210, 2, false },
	{ "core.HTTPGetAction", 212, 2, false },
	{ "core.HTTPHeader", 214, 2, false },
	{ "core.HostAlias", 216, 1, false },
	{ "core.HostIP", 217, 1, false },
	{ "core.HostPathVolumeSource", 218, 2, false },
	{ "core.ISCSIPersistentVolumeSource", 220, 5, false },
	{ "core.ISCSIVolumeSource", 225, 5, false },
	{ "core.KeyToPath", 230, 4, false },
	{ "core.Lifecycle", 234, 3, false },
	{ "core.LifecycleHandler", 237, 4, false },
	{ "core.LimitRangeItem", 241, 1, false },
	{ "core.LimitRangeList", 242, 1, false },
	{ "core.LimitRangeSpec", 243, 1, false },
	{ "core.LinuxContainerUser", 244, 2, false },
	{ "core.List", 246, 1, false },
	{ "core.LoadBalancerIngress", 247, 1, false },
	{ "core.LocalVolumeSource", 248, 2, false },
	{ "core.ModifyVolumeStatus", 250, 1, false },
	{ "core.NFSVolumeSource", 251, 2, false },
	{ "core.NamespaceCondition", 253, 2, false },
	{ "core.NamespaceList", 255, 1, false },
	{ "core.NodeAddress", 256, 2, false },
	{ "core.NodeAffinity", 258, 1, false },
	{ "core.NodeAllocatableMappedResources", 259, 2, false },
	{ "core.NodeAllocatableOverheadResources", 261, 3, false },
	{ "core.NodeAllocatableResourceClaimStatus", 264, 1, false },
	{ "core.NodeCondition", 265, 2, false },
	{ "core.NodeConfigSource", 267, 1, false },
	{ "core.NodeConfigStatus", 268, 3, false },
	{ "core.NodeFeatures", 271, 1, false },
	{ "core.NodeList", 272, 1, false },
	{ "core.NodeRuntimeHandler", 273, 2, false },
	{ "core.NodeRuntimeHandlerFeatures", 275, 2, false },
	{ "core.NodeSelector", 277, 1, false },
	{ "core.NodeSelectorRequirement", 278, 2, false },
	{ "core.NodeSpec", 280, 2, false },
	{ "core.NodeStatus", 282, 2, false },
	{ "core.NodeSwapStatus", 284, 1, false },
	{ "core.NodeSystemInfo", 285, 12, false },
	{ "core.ObjectFieldSelector", 297, 1, false },
	{ "core.PersistentVolumeClaimCondition", 298, 2, false },
	{ "core.PersistentVolumeClaimList", 300, 1, false },
	{ "core.PersistentVolumeClaimSpec", 301, 6, false },
	{ "core.PersistentVolumeClaimStatus", 307, 3, false },
	{ "core.PersistentVolumeClaimTemplate", 310, 1, false },
	{ "core.PersistentVolumeClaimVolumeSource", 311, 1, false },
	{ "core.PersistentVolumeList", 312, 1, false },
	{ "core.PersistentVolumeSource", 313, 22, false },
	{ "core.PersistentVolumeSpec", 335, 5, false },
	{ "core.PersistentVolumeStatus", 340, 1, false },
	{ "core.PhotonPersistentDiskVolumeSource", 341, 1, false },
	{ "core.PodAffinityTerm", 342, 3, false },
	{ "core.PodCertificateProjection", 345, 2, false },
	{ "core.PodCondition", 347, 2, false },
	{ "core.PodDNSConfigOption", 349, 1, false },
	{ "core.PodExecOptions", 350, 1, false },
	{ "core.PodExtendedResourceClaimStatus", 351, 2, false },
	{ "core.PodIP", 353, 1, false },
	{ "core.PodList", 354, 1, false },
	{ "core.PodLogOptions", 355, 5, false },
	{ "core.PodOS", 360, 1, false },
	{ "core.PodReadinessGate", 361, 1, false },
	{ "core.PodResourceClaim", 362, 3, false },
	{ "core.PodResourceClaimStatus", 365, 2, false },
	{ "core.PodSchedulingGate", 367, 1, false },
	{ "core.PodSchedulingGroup", 368, 1, false },
	{ "core.PodSecurityContext", 369, 11, false },
	{ "core.PodSpec", 380, 18, false },
	{ "core.PodStatus", 398, 3, false },
	{ "core.PodTemplateList", 401, 1, false },
	{ "core.PodVolumeHealth", 402, 1, false },
	{ "core.PortStatus", 403, 3, false },
	{ "core.PortworxVolumeSource", 406, 1, false },
	{ "core.PreferredSchedulingTerm", 407, 2, false },
	{ "core.Probe", 409, 2, false },
	{ "core.ProbeHandler", 411, 4, false },
	{ "core.ProjectedVolumeSource", 415, 3, false },
	{ "core.QuobyteVolumeSource", 418, 2, false },
	{ "core.RBDPersistentVolumeSource", 420, 3, false },
	{ "core.RBDVolumeSource", 423, 3, false },
	{ "core.RangeAllocation", 426, 2, false },
	{ "core.ReplicationControllerCondition", 428, 2, false },
	{ "core.ReplicationControllerList", 430, 1, false },
	{ "core.ReplicationControllerSpec", 431, 2, false },
	{ "core.ReplicationControllerStatus", 433, 1, false },
	{ "core.ResourceClaim", 434, 1, false },
	{ "core.ResourceFieldSelector", 435, 1, false },
	{ "core.ResourceHealth", 436, 2, false },
	{ "core.ResourceQuotaList", 438, 1, false },
	{ "core.ResourceQuotaSpec", 439, 1, false },
	{ "core.ResourceStatus", 440, 1, false },
	{ "core.ScaleIOPersistentVolumeSource", 441, 3, false },
	{ "core.ScaleIOVolumeSource", 444, 3, false },
	{ "core.ScopedResourceSelectorRequirement", 447, 2, false },
	{ "core.SeccompProfile", 449, 2, false },
	{ "core.Secret", 451, 1, false },
	{ "core.SecretEnvSource", 452, 2, false },
	{ "core.SecretKeySelector", 454, 3, false },
	{ "core.SecretList", 457, 1, false },
	{ "core.SecretProjection", 458, 2, false },
	{ "core.SecretVolumeSource", 460, 3, false },
	{ "core.SecurityContext", 463, 12, false },
	{ "core.ServiceAccount", 475, 1, false },
	{ "core.ServiceAccountList", 476, 1, false },
	{ "core.ServiceAccountTokenProjection", 477, 3, false },
	{ "core.ServiceList", 480, 1, false },
	{ "core.ServicePort", 481, 2, false },
	{ "core.ServiceSpec", 483, 6, false },
	{ "core.SessionAffinityConfig", 489, 1, false },
	{ "core.SleepAction", 490, 1, false },
	{ "core.StorageOSPersistentVolumeSource", 491, 1, false },
	{ "core.StorageOSVolumeSource", 492, 1, false },
	{ "core.Sysctl", 493, 2, false },
	{ "core.TCPSocketAction", 495, 1, false },
	{ "core.Taint", 496, 3, false },
	{ "core.Toleration", 499, 1, false },
	{ "core.TopologySelectorLabelRequirement", 500, 2, false },
	{ "core.TopologySpreadConstraint", 502, 7, false },
	{ "core.TypedLocalObjectReference", 509, 3, false },
	{ "core.TypedObjectReference", 512, 4, false },
	{ "core.Volume", 516, 2, false },
	{ "core.VolumeDevice", 518, 2, false },
	{ "core.VolumeHealthCondition", 520, 2, false },
	{ "core.VolumeMount", 522, 4, false },
	{ "core.VolumeMountStatus", 526, 4, false },
	{ "core.VolumeNodeAffinity", 530, 1, false },
	{ "core.VolumeProjection", 531, 6, false },
	{ "core.VolumeSource", 537, 30, false },
	{ "core.VolumeStatus", 567, 1, false },
	{ "core.VsphereVirtualDiskVolumeSource", 568, 1, false },
	{ "core.WeightedPodAffinityTerm", 569, 2, false },
	{ "core.WindowsSecurityContextOptions", 571, 4, false },
	{ "discovery.Endpoint", 575, 6, false },
	{ "discovery.EndpointConditions", 581, 3, false },
	{ "discovery.EndpointPort", 584, 4, false },
	{ "discovery.EndpointSlice", 588, 3, false },
	{ "discovery.EndpointSliceList", 591, 1, false },
	{ "discovery.ForNode", 592, 1, false },
	{ "discovery.ForZone", 593, 1, false },
	{ "events.Event", 594, 4, false },
	{ "events.EventList", 598, 1, false },
	{ "events.EventSeries", 599, 2, false },
	{ "intstr.IntOrString", 601, 3, false },
	{ "meta.APIGroup", 604, 2, false },
	{ "meta.APIGroupList", 606, 1, false },
	{ "meta.APIResource", 607, 5, false },
	{ "meta.APIResourceList", 612, 2, false },
	{ "meta.APIVersions", 614, 2, false },
	{ "meta.Condition", 616, 5, false },
	{ "meta.DeleteOptions", 621, 5, false },
	{ "meta.FieldSelectorRequirement", 626, 2, false },
	{ "meta.FieldsV1", 628, 1, false },
	{ "meta.GroupVersionForDiscovery", 629, 2, false },
	{ "meta.LabelSelectorRequirement", 631, 2, false },
	{ "meta.ListMeta", 633, 2, false },
	{ "meta.ListOptions", 635, 2, false },
	{ "meta.ManagedFieldsEntry", 637, 2, false },
	{ "meta.ObjectMeta", 639, 3, false },
	{ "meta.OwnerReference", 642, 6, false },
	{ "meta.PartialObjectMetadataList", 648, 1, false },
	{ "meta.PatchOptions", 649, 1, false },
	{ "meta.Preconditions", 650, 2, false },
	{ "meta.ServerAddressByClientCIDR", 652, 2, false },
	{ "meta.ShardInfo", 654, 1, false },
	{ "meta.Status", 655, 1, false },
	{ "meta.Verbs", 656, 0, true },
	{ "meta.WatchEvent", 656, 2, false },
	{ "networking.HTTPIngressPath", 658, 2, false },
	{ "networking.HTTPIngressRuleValue", 660, 1, false },
	{ "networking.IPAddressList", 661, 1, false },
	{ "networking.IPAddressSpec", 662, 1, false },
	{ "networking.IPBlock", 663, 1, false },
	{ "networking.IngressBackend", 664, 2, false },
	{ "networking.IngressClassList", 666, 1, false },
	{ "networking.IngressClassParametersReference", 667, 5, false },
	{ "networking.IngressClassSpec", 672, 1, false },
	{ "networking.IngressList", 673, 1, false },
	{ "networking.IngressPortStatus", 674, 3, false },
	{ "networking.IngressRule", 677, 1, false },
	{ "networking.IngressRuleValue", 678, 1, false },
	{ "networking.IngressServiceBackend", 679, 1, false },
	{ "networking.IngressSpec", 680, 2, false },
	{ "networking.NetworkPolicyList", 682, 1, false },
	{ "networking.NetworkPolicyPeer", 683, 3, false },
	{ "networking.NetworkPolicyPort", 686, 3, false },
	{ "networking.NetworkPolicySpec", 689, 1, false },
	{ "networking.ServiceCIDRList", 690, 1, false },
	{ "node.RuntimeClass", 691, 3, false },
	{ "node.RuntimeClassList", 694, 1, false },
	{ "runtime.RawExtension", 695, 1, false },
	{ "storage.CSIDriver", 696, 1, false },
	{ "storage.CSIDriverList", 697, 1, false },
	{ "storage.CSIDriverSpec", 698, 9, false },
	{ "storage.CSINode", 707, 1, false },
	{ "storage.CSINodeDriver", 708, 4, false },
	{ "storage.CSINodeList", 712, 1, false },
	{ "storage.CSINodeSpec", 713, 1, false },
	{ "storage.CSIStorageCapacity", 714, 4, false },
	{ "storage.CSIStorageCapacityList", 718, 1, false },
	{ "storage.StorageClass", 719, 4, false },
	{ "storage.StorageClassList", 723, 1, false },
	{ "storage.StorageHealth", 724, 1, false },
	{ "storage.StorageHealthCondition", 725, 4, false },
	{ "storage.TokenRequest", 729, 2, false },
	{ "storage.VolumeAttachment", 731, 1, false },
	{ "storage.VolumeAttachmentList", 732, 1, false },
	{ "storage.VolumeAttachmentSource", 733, 2, false },
	{ "storage.VolumeAttachmentSpec", 735, 3, false },
	{ "storage.VolumeAttachmentStatus", 738, 3, false },
	{ "storage.VolumeAttributesClass", 741, 1, false },
	{ "storage.VolumeAttributesClassList", 742, 1, false },
	{ "storage.VolumeError", 743, 1, false },
	{ "storage.VolumeNodeResources", 744, 1, false },
};

static const struct field_rename renames[] = {
	{ "authentication.BoundObjectReference", "uID", "uid" },
	{ "networking.IngressClassParametersReference", "aPIGroup", "apiGroup" },
};

static const struct field_merge merges[] = {
	{ "certificates.PodCertificateRequestStatus", "conditions", "type", false },
	{ "core.ComponentStatus", "conditions", "type", false },
	{ "core.Container", "env", "name", false },
	{ "core.Container", "ports", "containerPort", false },
	{ "core.Container", "volumeDevices", "devicePath", false },
	{ "core.Container", "volumeMounts", "mountPath", false },
	{ "core.ContainerStatus", "allocatedResourcesStatus", "name", false },
	{ "core.ContainerStatus", "volumeMounts", "mountPath", false },
	{ "core.EphemeralContainerCommon", "env", "name", false },
	{ "core.EphemeralContainerCommon", "ports", "containerPort", false },
	{ "core.EphemeralContainerCommon", "volumeDevices", "devicePath", false },
	{ "core.EphemeralContainerCommon", "volumeMounts", "mountPath", false },
	{ "core.NamespaceStatus", "conditions", "type", false },
	{ "core.NodeAllocatableResourceClaimStatus", "mapping", "name", false },
	{ "core.NodeAllocatableResourceClaimStatus", "overhead", "name", false },
	{ "core.NodeSpec", "podCIDRs", NULL, false },
	{ "core.NodeStatus", "addresses", "type", false },
	{ "core.NodeStatus", "conditions", "type", false },
	{ "core.PersistentVolumeClaimStatus", "conditions", "type", false },
	{ "core.PodSpec", "containers", "name", false },
	{ "core.PodSpec", "ephemeralContainers", "name", false },
	{ "core.PodSpec", "evictionResponders", "name", false },
	{ "core.PodSpec", "hostAliases", "ip", false },
	{ "core.PodSpec", "imagePullSecrets", "name", false },
	{ "core.PodSpec", "initContainers", "name", false },
	{ "core.PodSpec", "resourceClaims", "name", true },
	{ "core.PodSpec", "schedulingGates", "name", false },
	{ "core.PodSpec", "topologySpreadConstraints", "topologyKey", false },
	{ "core.PodSpec", "volumes", "name", true },
	{ "core.PodStatus", "conditions", "type", false },
	{ "core.PodStatus", "hostIPs", "ip", false },
	{ "core.PodStatus", "nodeAllocatableResourceClaimStatuses", "resourceClaimName", false },
	{ "core.PodStatus", "podIPs", "ip", false },
	{ "core.PodStatus", "resourceClaimStatuses", "name", true },
	{ "core.PodVolumeHealth", "healthConditions", "status", false },
	{ "core.ReplicationControllerStatus", "conditions", "type", false },
	{ "core.ServiceAccount", "secrets", "name", false },
	{ "core.ServiceSpec", "ports", "port", false },
	{ "core.ServiceStatus", "conditions", "type", false },
	{ "core.VolumeHealthStatus", "healthConditions", "status", false },
	{ "meta.ObjectMeta", "finalizers", NULL, false },
	{ "meta.ObjectMeta", "ownerReferences", "uid", false },
	{ "networking.ServiceCIDRStatus", "conditions", "type", false },
	{ "storage.CSINodeSpec", "drivers", "name", false },
	{ "storage.CSINodeStatus", "storageHealth", "name", false },
};

const struct field_tables field_tables = {
	.flags = flags,
	.messages = messages, .n_messages = sizeof(messages) / sizeof(*messages),
	.renames = renames, .n_renames = sizeof(renames) / sizeof(*renames),
	.merges = merges, .n_merges = sizeof(merges) / sizeof(*merges),
};
