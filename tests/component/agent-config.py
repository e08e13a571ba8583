#!/usr/bin/env python3
"""Configurations of the agent, beside upstream's kubelet: both take or refuse, and make the same of them.

usage: agent-config.py KEELSON_AGENT FAKE_CRI [--every] [--all] [--seed N] [--only TEXT]   needs the kubelet in the
       cache (tests/rig/build.sh core), else skips; without --every it takes half of the cases that set one field

Each case is a file, files of a drop-in directory, and flags. The agent reads it with --check-config; the kubelet logs
the configuration it made of a case, in the form of /configz, checks it, and is then stopped by one more flag, its last
check before it looks at the machine. What it refuses only later (LATE) is given to it once more without that flag,
before a runtime that is never ready, until /configz answers, and so is the agent. So is every case with --all. All of
it happens in a network and mount namespace of the test's own; without a runtime neither touches pods or cgroups.
"""
import collections
import concurrent.futures
import json
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

import apiserver
import podrig
from configdiff import differences, document, read_yaml

OURS, FAKE_CRI = (os.path.abspath(x) for x in sys.argv[1:3])
UPSTREAM = os.path.join(apiserver.BIN, "kubelet")
HEAD = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
STOP = "cannot exit on lock file contention: no lock file specified"
FIRST_PORT = 20000
SERVED_SEC = 10
ALL = "--all" in sys.argv
EVERY = ALL or "--every" in sys.argv or "--only" in sys.argv
UNCHECKED = ssl._create_unverified_context()   # pylint: disable=protected-access
CGROUP_V1 = not os.path.exists("/sys/fs/cgroup/cgroup.controllers")

BOOL = (True, False, "true", 1, None)
INT = (0, 1, -1, 7, 2147483647, 2147483648, "5", 1.5, None)
PERIOD = ("0s", "1s", "90s", "1h30m", "-1s", "5", 5, "", "soon", None)
TEXT = ("", "a b", 7, None)
FILE = ("", "/var/lib/x", "x/../y", "./x", 7)
MAP = ({}, {"a": "b"}, {"a": 1}, [], "a=b", None)
PAIR = dict(feature=("MemoryQoS", "GracefulNodeShutdown", "KubeletCrashLoopBackOffMax"))
AMOUNTS = ({"cpu": "100m", "memory": "1Gi", "ephemeral-storage": "1Gi", "pid": "100"}, {"cpu": "0.0001"}, {"cpu": "-1"},
           {"gpu": "1"}, {"cpu": "10%"}, {"cpu": "x"}, {"cpu": ""}, {"memory": "1e3"}, {"memory": 5}, {})
SIGNALS = ({"memory.available": "100Mi", "nodefs.available": "10%", "pid.available": "5"}, {"memory.free": "1Mi"},
           {"memory.available": "-1"}, {"memory.available": "0"}, {"memory.available": "0%"}, {"memory.available": "101%"},
           {"memory.available": "100%"}, {"memory.available": "-1%"}, {"memory.available": "x%"}, {"memory.available": ""},
           {"imagefs.inodesFree": "5%", "containerfs.available": "1Gi"}, {}, [], None)
# path -> values that it is set to, each a case
VALUES = {
    "enableServer": BOOL, "staticPodPath": FILE, "podLogsDir": FILE + ("/var//log", "/var/log/", "/vär/log", "/var/../log"),
    "syncFrequency": PERIOD, "fileCheckFrequency": PERIOD, "httpCheckFrequency": PERIOD, "staticPodURL": TEXT,
    "staticPodURLHeader": ({"a": ["b", "c"]}, {"a": "b"}, {}),
    "address": ("0.0.0.0", "::", "fd00::1", "", 1), "port": INT + (65535, 65536), "readOnlyPort": INT + (65535, 65536),
    "tlsCertFile": FILE, "tlsPrivateKeyFile": FILE,
    "tlsCipherSuites": (["TLS_AES_128_GCM_SHA256"], ["TLS_RSA_WITH_RC4_128_SHA"], ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"],
                        ["NONE"], [""], [], "TLS_AES_128_GCM_SHA256", [1]),
    "tlsCurvePreferences": ([23, 29], [4588], [23, 23], [0], [-1], [65536], [1], ["23"], []),
    "tlsMinVersion": ("VersionTLS10", "VersionTLS13", "", "TLS1.2", 1),
    "rotateCertificates": BOOL, "serverTLSBootstrap": BOOL,
    "authentication.x509.clientCAFile": FILE, "authentication.webhook.enabled": BOOL,
    "authentication.webhook.cacheTTL": PERIOD, "authentication.anonymous.enabled": BOOL,
    "authorization.mode": ("Webhook", "AlwaysAllow", "", "x", 1), "authorization.webhook.cacheAuthorizedTTL": PERIOD,
    "authorization.webhook.cacheUnauthorizedTTL": PERIOD,
    "registryPullQPS": INT, "registryBurst": INT,
    "imagePullCredentialsVerificationPolicy": ("NeverVerify", "NeverVerifyPreloadedImages", "AlwaysVerify", "", "x",
                                               "NeverVerifyAllowlistedImages"),
    "preloadedImagesVerificationAllowlist": (["a"], [], "a"),
    "eventRecordQPS": INT, "eventBurst": INT, "enableDebuggingHandlers": BOOL, "enableContentionProfiling": BOOL,
    "healthzPort": INT + (65535, 65536), "healthzBindAddress": ("0.0.0.0", "::1", "", 1),
    "oomScoreAdj": INT + (-1000, -1001, 1000, 1001), "clusterDomain": TEXT,
    "clusterDNS": (["10.96.0.10"], ["fd00::1", "10.0.0.1"], [], "10.96.0.10", [1]),
    "streamingConnectionIdleTimeout": PERIOD, "nodeStatusUpdateFrequency": PERIOD, "nodeStatusReportFrequency": PERIOD,
    "nodeLeaseDurationSeconds": INT, "imageMinimumGCAge": PERIOD, "imageMaximumGCAge": PERIOD + ("2m", "2m1s"),
    "imageGCHighThresholdPercent": (0, 80, 81, 100, 101, -1, "85", None), "imageGCLowThresholdPercent": (0, 84, 85, 101, -1, None),
    "volumeStatsAggPeriod": PERIOD, "kubeletCgroups": TEXT, "systemCgroups": ("", "/system"), "cgroupRoot": TEXT,
    "cgroupsPerQOS": BOOL, "cgroupDriver": ("cgroupfs", "systemd", "", 1),
    "cpuManagerPolicy": ("none", "", 1), "singleProcessOOMKill": (True, None, "true"),
    "cpuManagerPolicyOptions": ({}, {"a": 1}, None), "cpuManagerReconcilePeriod": PERIOD,
    "memoryManagerPolicy": ("None", "", 1),
    "topologyManagerPolicy": ("none", "best-effort", "restricted", "single-numa-node", "", "x", 1),
    "topologyManagerScope": ("container", "pod", "", "x"), "topologyManagerPolicyOptions": MAP,
    "qosReserved": ({"memory": "50%"}, {}, [], {"memory": 50}),
    "runtimeRequestTimeout": PERIOD, "hairpinMode": ("promiscuous-bridge", "hairpin-veth", "none", "", "x"), "maxPods": INT,
    "podCIDR": ("10.0.0.0/24", "", 1), "podPidsLimit": INT + (-2, -1), "resolvConf": FILE + (None,), "runOnce": BOOL,
    "cpuCFSQuota": BOOL, "cpuCFSQuotaPeriod": PERIOD + ("1ms", "999us", "1001ms", "100ms"), "nodeStatusMaxImages": INT + (-2,),
    "maxOpenFiles": INT, "contentType": TEXT, "kubeAPIQPS": INT, "kubeAPIBurst": INT, "serializeImagePulls": BOOL,
    "maxParallelImagePulls": INT, "evictionHard": ({"memory.available": "100Mi", "nodefs.available": "10%"}, {}, [], None,
                                                   {"memory.available": 5}),
    "evictionSoft": ({},), "evictionSoftGracePeriod": ({"memory.available": "1m"}, {}),
    "evictionPressureTransitionPeriod": PERIOD, "evictionMaxPodGracePeriod": INT,
    "evictionMinimumReclaim": ({"memory.available": "0Mi"}, {"nodefs.available": "10%"}, {}),
    "mergeDefaultEvictionSettings": BOOL, "podsPerCore": INT, "enableControllerAttachDetach": BOOL,
    "protectKernelDefaults": BOOL, "makeIPTablesUtilChains": BOOL, "iptablesMasqueradeBit": INT + (31, 32),
    "iptablesDropBit": INT + (31, 32),
    "featureGates": ({}, {"NodeSwap": True}, {"NodeSwap": False}, {"AllAlpha": True}, {"AllAlpha": False}, {"AllBeta": False},
                     {"AllBeta": True}, {"NoSuchGate": True}, {"MemoryQoS": "yes"}, {"MemoryQoS": None}, [], None,
                     {"KubeletCrashLoopBackOffMax": False}, {"KubeletEnsureSecretPulledImages": False},
                     {"GracefulNodeShutdown": False}, {"PodLevelResources": False}, {"WatchListClient": False},
                     {"InOrderInformers": False}, {"EventedPLEG": True}, {"KubeletInUserNamespace": True}, {"KMSv1": True},
                     {"GenericWorkload": False, "TopologyAwareWorkloadScheduling": True}, {"MemoryQoS": False},
                     {"APIServerIdentity": False}, {"nodeSwap": True}),
    "failSwapOn": BOOL, "memorySwap.swapBehavior": ("NoSwap", "", "x", 1), "memorySwap": ({}, None, []),
    "containerLogMaxSize": ("10Mi", "", "-1", 5), "containerLogMaxFiles": INT + (2,), "containerLogMaxWorkers": INT,
    "containerLogMonitorInterval": PERIOD + ("3s", "2999ms"),
    "configMapAndSecretChangeDetectionStrategy": ("Get", "Cache", "Watch", "", 1),
    "systemReserved": ({"cpu": "100m", "memory": "1Gi"}, {}, [], {"cpu": 1}), "kubeReserved": ({"cpu": "100m"}, {}),
    "reservedSystemCPUs": ("0", "0-1", "", "0,", "1-0", "x", "-1", "0-", 0),
    "showHiddenMetricsForVersion": ("", "1.36", "1.37", "1.35", "x"),
    "systemReservedCgroup": TEXT, "kubeReservedCgroup": TEXT,
    "enforceNodeAllocatable": (["pods"], ["none"], [], ["pods", "pods"], ["none", "pods"], ["x"], ["system-reserved"],
                               ["kube-reserved-compressible"], "pods", None),
    "allowedUnsafeSysctls": (["net.core.somaxconn", "kernel.msg*"], [], "net.*"),
    "defaultPodSysctls": ({"net.core.somaxconn": "1"}, {}), "volumePluginDir": FILE, "providerID": TEXT,
    "kernelMemcgNotification": BOOL,
    "logging.format": ("text", "json", "xml", "", 1), "logging.flushFrequency": ("1s", "0s", "-1s", 5000000000, 0, -1, "x", None),
    "logging.verbosity": (0, 4, -1, "4", 4294967296), "logging": (1, {}, None),
    "logging.vmodule": ([], [{"filePattern": "a", "verbosity": 2}], [{"filePattern": ""}], [{"filePattern": "a,b"}], "a=2"),
    "logging.options.text.splitStream": BOOL, "logging.options.json.splitStream": BOOL,
    "logging.options.text.infoBufferSize": ("0", "1Mi", 100, "x"), "logging.options.json.infoBufferSize": ("1Mi",),
    "enableSystemLogHandler": BOOL, "enableSystemLogQuery": BOOL, "shutdownGracePeriod": PERIOD + ("999ms",),
    "shutdownGracePeriodCriticalPods": PERIOD,
    "shutdownGracePeriodByPodPriority": ([{"priority": 1, "shutdownGracePeriodSeconds": 5}], [{}], [], {}, [{"priority": "1"}]),
    "crashLoopBackOff.maxContainerRestartPeriod": ("1s", "300s", "301s", "999ms", "0s", "x", None), "crashLoopBackOff": ({}, None),
    "reservedMemory": ([{"numaNode": 0, "limits": {"memory": "1Gi"}}], [{"limits": {"memory": "0"}}], [{"limits": {"cpu": "1"}}],
                       [{"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1Gi"}}], [{"limits": {"hugepages-2Mi": "2Mi"}}],
                       [], {}, [{"numaNode": "0"}], [{"numaNode": 0}], [{}], [{"numaNode": 1, "limits": {"memory": 5}}]),
    "enableProfilingHandler": BOOL, "enableDebugFlagsHandler": BOOL, "seccompDefault": BOOL,
    "memoryThrottlingFactor": (0.9, 1, 0, -0.5, 1.5, 0.25, "0.9", None),
    "memoryReservationPolicy": ("None", "TieredReservation", "", "x"),
    "registerWithTaints": ([{"key": "a", "effect": "NoSchedule"}], [{"key": "a/b", "value": "c", "effect": "NoExecute"}],
                           [{"key": "a"}], [{"key": "", "effect": "NoSchedule"}], [{"key": "a", "effect": "Never"}],
                           [{"key": "a", "value": "b c", "effect": "NoSchedule"}], [], {}, [{"key": 1}],
                           [{"key": "a", "effect": "NoSchedule", "timeAdded": "2024-01-01T00:00:00Z"}]),
    "registerNode": BOOL, "tracing.endpoint": ("localhost:4317", "unix:///x", "http://x", "dns:///a", 1),
    "tracing.samplingRatePerMillion": (0, 1000000, 1000001, -1), "localStorageCapacityIsolation": BOOL,
    "containerRuntimeEndpoint": ("unix:///x.sock", "", 1), "imageServiceEndpoint": ("unix:///x.sock", "", 1),
    "userNamespaces": ({}, None, [], {"nosuch": 1}), "tracing": ({}, None, []),
    "userNamespaces.idsPerPod": (65536, 131072, 65535, 70000, 4294967296, -65536, 4294901760, None),
    "failCgroupV1": BOOL,
    "nosuch": (1,), "authentication.nosuch": (1,), "maxpods": (5,), "MaxPods": (5,),
    "registerWithTaints[]": (1,), "authentication": ([], None), "apiVersion": ("kubelet.config.k8s.io/v1", "v1", "", None),
    "kind": ("KubeletConfig", "Kubeletconfiguration", "", None),
}
# several fields at once
TOGETHER = (
    # as kubeadm writes it
    {"authentication": {"anonymous": {"enabled": False}, "webhook": {"cacheTTL": "0s", "enabled": True},
                        "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}},
     "authorization": {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s"}},
     "cgroupDriver": "systemd", "clusterDNS": ["10.96.0.10"], "clusterDomain": "cluster.local",
     "containerRuntimeEndpoint": "", "cpuManagerReconcilePeriod": "0s", "crashLoopBackOff": {},
     "evictionPressureTransitionPeriod": "0s", "fileCheckFrequency": "0s", "healthzBindAddress": "127.0.0.1",
     "healthzPort": 10248, "httpCheckFrequency": "0s", "imageMaximumGCAge": "0s", "imageMinimumGCAge": "0s",
     "logging": {"flushFrequency": 0, "options": {"json": {"infoBufferSize": "0"}, "text": {"infoBufferSize": "0"}},
                 "verbosity": 0}, "memorySwap": {}, "nodeStatusReportFrequency": "0s", "nodeStatusUpdateFrequency": "0s",
     "rotateCertificates": True, "runtimeRequestTimeout": "0s", "shutdownGracePeriod": "0s",
     "shutdownGracePeriodCriticalPods": "0s", "staticPodPath": "/etc/kubernetes/manifests",
     "streamingConnectionIdleTimeout": "0s", "syncFrequency": "0s", "volumeStatsAggPeriod": "0s"},
    {"nodeStatusUpdateFrequency": "7s"}, {"nodeStatusUpdateFrequency": "7s", "nodeStatusReportFrequency": "9s"},
    {"maxParallelImagePulls": 5, "serializeImagePulls": True}, {"maxParallelImagePulls": 1, "serializeImagePulls": True},
    {"imageGCHighThresholdPercent": 60, "imageGCLowThresholdPercent": 60}, {"imageMinimumGCAge": "5m", "imageMaximumGCAge": "5m"},
    {"evictionHard": {"memory.available": "1Mi"}, "mergeDefaultEvictionSettings": True},
    {"evictionHard": {}, "mergeDefaultEvictionSettings": True},
    {"featureGates": {"KubeletCrashLoopBackOffMax": False}, "crashLoopBackOff.maxContainerRestartPeriod": "10s"},
    {"featureGates": {"KubeletEnsureSecretPulledImages": False}, "imagePullCredentialsVerificationPolicy": "AlwaysVerify"},
    {"featureGates": {"KubeletEnsureSecretPulledImages": False}, "preloadedImagesVerificationAllowlist": ["a"]},
    *({"imagePullCredentialsVerificationPolicy": "NeverVerifyAllowlistedImages", "preloadedImagesVerificationAllowlist": [p]}
      for p in ("a", "a/b", "a/*", "*", "/*", "a*", "a:1", " a", "a/*/b", "registry.example:5000/x", "a@sha256:" + "0" * 64, "A", "")),
    {"featureGates": {"GracefulNodeShutdown": False, "GracefulNodeShutdownBasedOnPodPriority": False, "WindowsGracefulNodeShutdown": False}},
    {"featureGates": {"GracefulNodeShutdown": False, "GracefulNodeShutdownBasedOnPodPriority": False, "WindowsGracefulNodeShutdown": False},
     "shutdownGracePeriod": "5s"},
    {"featureGates": {"GracefulNodeShutdownBasedOnPodPriority": False},
     "shutdownGracePeriodByPodPriority": [{"priority": 1, "shutdownGracePeriodSeconds": 5}]},
    {"shutdownGracePeriod": "5s", "shutdownGracePeriodCriticalPods": "6s"},
    {"shutdownGracePeriod": "5s", "shutdownGracePeriodCriticalPods": "2s"},
    {"shutdownGracePeriod": "5s", "shutdownGracePeriodByPodPriority": [{"priority": 1, "shutdownGracePeriodSeconds": 5}]},
    {"featureGates": {"MemoryQoS": False}, "memoryThrottlingFactor": 0.9},
    {"featureGates": {"MemoryQoS": False}, "memoryThrottlingFactor": 0.8},
    {"featureGates": {"MemoryQoS": False}, "memoryReservationPolicy": "TieredReservation"},
    {"featureGates": {"CustomCPUCFSQuotaPeriod": False}, "cpuCFSQuotaPeriod": "10ms"},
    {"featureGates": {"CustomCPUCFSQuotaPeriod": False}, "cpuCFSQuotaPeriod": "100ms"},
    {"featureGates": {"RotateKubeletServerCertificate": False}, "serverTLSBootstrap": True},
    {"featureGates": {"DefaultPodSysctls": True}, "defaultPodSysctls": {"net.core.somaxconn": "1", "kernel.shmmax": "5"}},
    {"featureGates": {"DefaultPodSysctls": True}, "defaultPodSysctls": {"kernel.pid_max": "1"}},
    {"featureGates": {"DefaultPodSysctls": True}, "defaultPodSysctls": {"Net.a": "1"}},
    {"featureGates": {"DefaultPodSysctls": True}, "defaultPodSysctls": {"net.a.b": "1", "net/a/b": "1"}},
    {"enableSystemLogQuery": True, "enableSystemLogHandler": False},
    {"systemCgroups": "/system", "cgroupRoot": "/"},
    {"enforceNodeAllocatable": ["system-reserved"], "systemReservedCgroup": "/s"},
    {"enforceNodeAllocatable": ["system-reserved", "system-reserved-compressible"], "systemReservedCgroup": "/s"},
    {"enforceNodeAllocatable": ["kube-reserved", "kube-reserved-compressible"], "kubeReservedCgroup": "/s"},
    {"enforceNodeAllocatable": ["pods"], "cgroupsPerQOS": False}, {"enforceNodeAllocatable": ["none"], "cgroupsPerQOS": False},
    {"enforceNodeAllocatable": [], "cgroupsPerQOS": False},
    {"reservedSystemCPUs": "0", "systemReservedCgroup": "/s"}, {"reservedSystemCPUs": "0", "kubeReservedCgroup": "/s"},
    {"logging.format": "json", "logging.vmodule": [{"filePattern": "a", "verbosity": 2}]},
    {"logging.format": "json", "featureGates": {"LoggingBetaOptions": False}},
    {"logging.options.text.infoBufferSize": "1Mi", "featureGates": {"LoggingAlphaOptions": True}},
    {"tlsCertFile": "/a", "tlsPrivateKeyFile": "/b"}, {"port": 0, "readOnlyPort": 10250}, {"healthzPort": 10250},
    {"port": 99999, "maxPods": -1, "oomScoreAdj": 4000},
)
# refused, if at all, only when the kubelet looks at the machine
LATE = (
    *({"systemReserved": v} for v in AMOUNTS), {"kubeReserved": {"cpu": "-1"}}, {"kubeReserved": {"memory": "x"}},
    *({"evictionHard": v} for v in SIGNALS), {"evictionSoft": {"memory.available": "1Gi"}},
    {"evictionSoft": {"memory.available": "1Gi"}, "evictionSoftGracePeriod": {"memory.available": "1m"}},
    {"evictionSoft": {"memory.available": "0%"}}, {"evictionSoft": {"x": "1Gi"}},
    {"evictionSoftGracePeriod": {"memory.available": "-1m"}}, {"evictionSoftGracePeriod": {"memory.available": "x"}},
    {"evictionSoftGracePeriod": {"x": "1m"}},
    {"evictionMinimumReclaim": {"memory.available": "0%"}}, {"evictionMinimumReclaim": {"memory.available": "-1"}},
    {"evictionMinimumReclaim": {"memory.available": "x"}}, {"evictionMinimumReclaim": {"x": "1"}},
    {"qosReserved": {"memory": "101%"}}, {"qosReserved": {"memory": "50"}}, {"qosReserved": {"cpu": "50%"}},
    {"authorization.mode": "x"}, {"containerLogMaxSize": "big"}, {"containerLogMaxSize": "100m"}, {"containerLogMaxSize": "-1"},
    {"syncFrequency": "-1s"}, {"cgroupDriver": "x"}, {"configMapAndSecretChangeDetectionStrategy": "x"}, {"clusterDNS": ["x"]},
    {"address": "x"}, {"healthzBindAddress": "x"}, {"healthzBindAddress": "localhost"}, {"nodeStatusUpdateFrequency": "-1s"},
    {"podCIDR": "x"}, {"memorySwap.swapBehavior": "LimitedSwap"}, {"singleProcessOOMKill": False}, {"reservedSystemCPUs": "0-63"},
    {"reservedSystemCPUs": "0", "systemReserved": {"cpu": "200m"}, "kubeReserved": {"cpu": "1"}},
    {"staticPodURLHeader": {"a": ["b", "c"]}}, {"tlsCertFile": "/a"}, {"authentication.x509.clientCAFile": "/nonexistent"},
    {"containerRuntimeEndpoint": ""}, {"cgroupRoot": "/nonexistent"}, {"cgroupDriver": "systemd"}, {"staticPodURL": "x y"},
    {"allowedUnsafeSysctls": ["net.core.somaxconn", "kernel.msg*"]}, {"allowedUnsafeSysctls": ["kernel.pid_max"]},
    {"allowedUnsafeSysctls": ["*"]}, {"allowedUnsafeSysctls": ["net.*"]}, {"allowedUnsafeSysctls": ["net..a"]},
    {"allowedUnsafeSysctls": [""]}, {"allowedUnsafeSysctls": ["net/ipv4/a"]}, {"allowedUnsafeSysctls": ["net.*.a"]},
    {"cpuManagerPolicy": "x"}, {"cpuManagerPolicy": "static"}, {"cpuManagerPolicy": "static", "systemReserved": {"cpu": "200m"}},
    {"cpuManagerPolicy": "static", "reservedSystemCPUs": "0"}, {"cpuManagerPolicy": "static", "systemReserved": {"cpu": "0"}},
    {"cpuManagerPolicy": "none", "cpuManagerPolicyOptions": {"full-pcpus-only": "true"}},
    *({"cpuManagerPolicy": "static", "reservedSystemCPUs": "0", "cpuManagerPolicyOptions": o, "featureGates": g} for o, g in (
        ({"strict-cpu-reservation": "true"}, {}), ({"strict-cpu-reservation": "maybe"}, {}), ({"nosuch": "true"}, {}),
        ({"distribute-cpus-across-numa": "true"}, {}), ({"distribute-cpus-across-numa": "true"}, {"CPUManagerPolicyBetaOptions": False}),
        ({"align-by-socket": "true"}, {}), ({"align-by-socket": "false"}, {"CPUManagerPolicyAlphaOptions": True}),
        ({"distribute-cpus-across-cores": "true", "full-pcpus-only": "true"}, {"CPUManagerPolicyAlphaOptions": True}),
        ({"prefer-align-cpus-by-uncorecache": "true", "distribute-cpus-across-numa": "true"}, {}))),
    {"memoryManagerPolicy": "x"}, {"memoryManagerPolicy": "Static"},
    {"memoryManagerPolicy": "Static", "reservedMemory": [{"numaNode": 0, "limits": {"memory": "100Mi"}}]},
    {"memoryManagerPolicy": "Static", "systemReserved": {"memory": "924Mi"},
     "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}]},
    {"memoryManagerPolicy": "Static", "reservedMemory": [{"numaNode": 0, "limits": {"memory": "100Mi", "hugepages-2Mi": "2Mi"}}]},
    {"topologyManagerPolicy": "restricted", "topologyManagerPolicyOptions": {"prefer-closest-numa-nodes": "true"}},
    {"topologyManagerPolicy": "restricted", "topologyManagerPolicyOptions": {"prefer-closest-numa-nodes": "x"}},
    {"topologyManagerPolicy": "restricted", "topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "7"}},
    {"topologyManagerPolicy": "restricted", "topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "9"}},
    {"topologyManagerPolicy": "restricted", "topologyManagerPolicyOptions": {"nosuch": "9"}},
    {"topologyManagerPolicy": "none", "topologyManagerPolicyOptions": {"nosuch": "9"}},
)
FLAGS = (
    ["--max-pods=5"], ["--max_pods=5"], ["--max-pods", "5"], ["--max-pods=x"], ["--max-pods=0x10"], ["--max-pods"], ["-v=3"],
    ["--v", "4"], ["-v4"], ["-v=-1"], ["--no-such-flag"], ["argument"], ["--"], ["--", "x"], ["--register-node=false"],
    ["--register-node", "false"], ["--register-node=x"], ["--fail-swap-on=false"], ["--node-labels=a=b,c"],
    ["--node-labels=kubernetes.io/role=x"], ["--node-labels=node.kubernetes.io/x=y"], ["--node-labels=a b=c"], ["--node-labels=a=b c"],
    ["--node-labels="], ["--register-with-taints=a=b:NoSchedule,c:NoExecute"], ["--register-with-taints=a"],
    ["--register-with-taints=a=b:Never"], ["--register-with-taints=a:NoSchedule,a=b:NoSchedule"], ["--register-with-taints=a-"],
    ["--register-with-taints=a=:NoSchedule"], ["--register-with-taints=a:NoSchedule", "--register-with-taints=b:NoSchedule"],
    ["--register-with-taints="], ["--system-reserved=cpu=1,memory=1Gi"], ["--system-reserved=cpu=1", "--system-reserved=memory=1Gi"],
    ["--system-reserved=cpu"], ["--kube-reserved="], ["--cluster-dns=10.0.0.1,10.0.0.2", "--cluster-dns=10.0.0.3"], ["--cluster-dns="],
    ["--cluster-dns=10.0.0.1, 10.0.0.2"], ["--enforce-node-allocatable="], ["--enforce-node-allocatable=none"],
    ["--eviction-hard=memory.available<1Gi,nodefs.available<5%"], ["--eviction-hard="], ["--eviction-hard=memory.available=1Gi"],
    ["--feature-gates=MemoryQoS=false"], ["--feature-gates=NoSuch=true"], ["--feature-gates=MemoryQoS"], ["--feature-gates=MemoryQoS=x"],
    ["--feature-gates=NodeSwap=false"], ["--feature-gates=AllAlpha=true"],
    ["--feature-gates=KubeletCrashLoopBackOffMax=false"], ["--feature-gates=KubeletEnsureSecretPulledImages=false"],
    ["--address=10.0.0.1"], ["--address="], ["--address=x"], ["--healthz-bind-address=::1"], ["--authorization-mode=AlwaysAllow"],
    ["--anonymous-auth=false"], ["--authentication-token-webhook"], ["--read-only-port=0"], ["--read-only-port=70000"],
    ["--cgroup-driver=systemd"], ["--container-runtime-endpoint=unix:///run/x.sock"], ["--container-runtime-endpoint="],
    ["--pod-infra-container-image=x"], ["--network-plugin=cni"], ["--container-runtime=remote"], ["--cloud-config=x"],
    ["--cloud-provider=external"], ["--seccomp-default"], ["--reserved-memory=0:memory=1Gi;1:memory=2Gi"],
    ["--reserved-memory=0:memory=1Gi", "--reserved-memory=1:memory=2Gi"], ["--reserved-memory=0:cpu=1"], ["--reserved-memory=memory=1"],
    ["--reserved-cpus=0"], ["--qos-reserved=memory=50%"], ["--cpu-manager-policy-options=full-pcpus-only=true"],
    ["--cpu-manager-policy-options=a=b,c=d"], ["--cpu-manager-policy-options=a"], ["--topology-manager-policy=pod"],
    ["--vmodule=a=2,b*=3"], ["--vmodule=a"], ["--logging-format=json"], ["--log-flush-frequency=0s"], ["--log-text-split-stream"],
    ["--log-text-split-stream", "--feature-gates=LoggingAlphaOptions=true"], ["--log-text-info-buffer-size=1Mi"],
    ["--node-status-update-frequency=7s"], ["--sync-frequency=5"], ["--image-gc-high-threshold=70"], ["--runonce"],
    ["--manifest-url-header=a:b,a:c"], ["--manifest-url-header=a"], ["--tls-cipher-suites=TLS_AES_128_GCM_SHA256"],
    ["--tls-cipher-suites=x"], ["--tls-min-version=VersionTLS12"], ["--tls-min-version=x"], ["--rotate-certificates"],
    ["--pod-manifest-path=manifests"], ["--resolv-conf="], ["--resolv-conf=x"], ["--provider-id=a://b"], ["--hostname-override=N1"],
    ["--show-hidden-metrics-for-version=1.36"], ["--housekeeping-interval=5s"], ["--experimental-allocatable-ignore-eviction"],
    ["--minimum-container-ttl-duration=5s"], ["--maximum-dead-containers=5"], ["--runtime-cgroups=/x"], ["--allowed-unsafe-sysctls=net.*"],
    ["--config-dir="], ["--config-dir=/nonexistent"],
)
# the same for flags
LATE_FLAGS = (
    ["--node-ip=10.0.0.1"], ["--node-ip=10.0.0.1,fd00::1"], ["--node-ip=10.0.0.1,10.0.0.2"], ["--node-ip=x"], ["--node-ip=x,10.0.0.1"],
    ["--node-ip=::"], ["--node-ip=0.0.0.0,::"], ["--node-ip="], ["--node-ip=10.0.0.1,fd00::1,fd00::2"],
    ["--cloud-provider=external"], ["--cloud-provider=aws"], ["--hostname-override=N1"], ["--hostname-override= "], ["--root-dir="],
    ["--experimental-allocatable-ignore-eviction", "--memory-manager-policy=Static"],
    ["--image-credential-provider-config=/nonexistent"], ["--lock-file=/nonexistent/lock"], ["--seccomp-default"],
)
# beside this file
FLAG_FILE = {"maxPods": 7, "systemReserved": {"cpu": "100m"}, "clusterDNS": ["10.96.0.10"], "featureGates": {"MemoryQoS": True},
             "registerWithTaints": [{"key": "f", "effect": "NoExecute"}], "nodeStatusUpdateFrequency": "9s"}
# a file (None: no --config) and the drop-ins by name
DROP_INS = (
    ({}, {"10.conf": {"maxPods": 5}}), ({"maxPods": 4}, {"10.conf": {"maxPods": 5}, "20.conf": {"maxPods": 6}}),
    ({}, {"20.conf": {"maxPods": 6}, "10.conf": {"maxPods": 5}}), ({"maxPods": 4}, {"10.yaml": {"maxPods": 5}}),
    ({}, {".hidden.conf": {"maxPods": 5}}), ({}, {".conf": {"maxPods": 5}}), ({}, {"a/10.conf": {"maxPods": 5}, "b.conf": {"maxPods": 6}}),
    ({}, {"c/10.conf": {"maxPods": 5}, "b.conf": {"maxPods": 6}}), ({}, {"c.conf/10.conf": {"maxPods": 5}}),
    ({"systemReserved": {"cpu": "1"}}, {"1.conf": {"systemReserved": {"memory": "1Gi"}}}),
    ({"systemReserved": {"cpu": "1"}}, {"1.conf": {"systemReserved": {"cpu": None}}}),
    ({"clusterDNS": ["10.0.0.1", "10.0.0.2"]}, {"1.conf": {"clusterDNS": ["10.0.0.3"]}}),
    ({"clusterDNS": ["10.0.0.1"]}, {"1.conf": {"clusterDNS": []}}), ({"clusterDNS": ["10.0.0.1"]}, {"1.conf": {"clusterDNS": None}}),
    ({"registerWithTaints": [{"key": "a", "effect": "NoExecute"}]}, {"1.conf": {"registerWithTaints": [{"key": "b", "effect": "NoExecute"}]}}),
    ({}, {"1.conf": {"evictionHard": {"memory.available": "7Mi"}}}), ({"evictionHard": {}}, {"1.conf": {"maxPods": 5}}),
    ({"evictionHard": {"memory.available": "1Mi"}}, {"1.conf": {"mergeDefaultEvictionSettings": True}}),
    ({}, {"1.conf": {"nodeStatusUpdateFrequency": "7s"}}), ({}, {"1.conf": {"maxParallelImagePulls": 5}}),
    ({}, {"1.conf": {"maxParallelImagePulls": 5, "serializeImagePulls": False}}),
    ({"port": 1}, {"1.conf": {"port": 0}}), ({"port": 1}, {"1.conf": {"port": None}}), ({"syncFrequency": "5s"}, {"1.conf": {"syncFrequency": None}}),
    ({"enforceNodeAllocatable": []}, {"1.conf": {}}), ({"registerNode": False}, {"1.conf": {"registerNode": None}}),
    ({"resolvConf": "x"}, {"1.conf": {"staticPodPath": "y"}}), ({}, {"1.conf": {"authentication.anonymous.enabled": True}}),
    ({}, {"1.conf": {"nosuch": 1}}), ({}, {"1.conf": {"maxPods": "x"}}), ({}, {"1.conf": {"maxPods": -1}}),
    ({}, {"1.conf": {"kind": "Other"}}), ({}, {"1.conf": {"apiVersion": None}}), ({}, {"1.conf": {"kind": None}}), ({}, {"1.conf": ""}),
    ({}, {"1.conf": "["}), ({}, {"1.conf": "[]"}), ({}, {"1.conf": "# only a comment\n"}),
    ({}, {"1.conf": json.dumps(HEAD)[:-1] + ', "maxPods": 1, "maxPods": 2}'}),
    ({}, {"1.conf": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 1\nmaxPods: 2\n"}),
    ({}, {"1.conf": {"featureGates": {"MemoryQoS": False}}, "2.conf": {"featureGates": {"EventedPLEG": True}}}),
    ({}, {"1.conf": {"featureGates": {"NoSuchGate": False}}}), ({}, {"1.conf": {"featureGates": {"KubeletCrashLoopBackOffMax": False}}}),
    ({}, {"1.conf": {"logging.verbosity": 3}}), ({"logging.verbosity": 3}, {"1.conf": {"logging": None}}),
    ({}, {"1.conf": {"crashLoopBackOff.maxContainerRestartPeriod": "7s"}}), ({}, {"1.conf": {"tracing.endpoint": "a"}}),
    ({"tracing.endpoint": "a"}, {"1.conf": {"tracing": None}}), ({}, {}),
    (None, {"1.conf": {"maxPods": 5}}), (None, {}), (None, {"1.conf": {"evictionHard": {"memory.available": "7Mi"}}}),
    (None, {"1.conf": {"authorization.mode": "Webhook"}}), (None, {"1.conf": {"systemReserved": {"cpu": "1"}}}),
    (None, {"1.conf": {"podLogsDir": "x"}}),
)
DROP_IN_FLAGS = (
    ({"maxPods": 1}, {"1.conf": {"maxPods": 2}}, ["--max-pods=3"]),
    ({}, {"1.conf": {"systemReserved": {"cpu": "1"}}}, ["--system-reserved=memory=1Gi"]),
    (None, {"1.conf": {"systemReserved": {"cpu": "1"}}}, ["--system-reserved=memory=1Gi"]),
    (None, {"1.conf": {"featureGates": {"EventedPLEG": True}}}, ["--feature-gates=MemoryQoS=false"]),
    ({}, {"1.conf": {"featureGates": {"EventedPLEG": True}}}, ["--feature-gates=EventedPLEG=false"]),
    (None, {"1.conf": {"clusterDNS": ["10.0.0.1"]}}, ["--cluster-dns=10.0.0.2"]),
    (None, {"1.conf": {"nodeStatusUpdateFrequency": "7s"}}, ["--node-status-update-frequency=6s"]),
    *((file, None, flags) for file, flags in (
        ({"logging.vmodule": [{"filePattern": "f", "verbosity": 1}]}, ["--vmodule=a=2"]),
        ({"reservedMemory": [{"numaNode": 1, "limits": {"memory": "1Gi"}}]}, ["--reserved-memory=0:memory=2Gi"]),
        ({"staticPodURLHeader": {"a": ["b"]}}, ["--manifest-url-header=c:d"]), ({"evictionHard": {"pid.available": "5"}}, ["--eviction-hard=memory.available<1Mi"]),
        ({"cpuManagerPolicyOptions": {"a": "b"}, "cpuManagerPolicy": "static", "reservedSystemCPUs": "0"},
         ["--cpu-manager-policy-options=strict-cpu-reservation=true"]),
        ({"allowedUnsafeSysctls": ["net.a"]}, ["--allowed-unsafe-sysctls=net.b", "--allowed-unsafe-sysctls=net.c,net.d"]),
        ({"seccompDefault": True}, ["--seccomp-default=false"]), ({"address": "10.0.0.1"}, ["--address="]),
        ({"featureGates": {"KubeletCrashLoopBackOffMax": True}}, ["--feature-gates=KubeletCrashLoopBackOffMax=false"]),
        ({"featureGates": {"KubeletCrashLoopBackOffMax": False}}, ["--feature-gates=KubeletCrashLoopBackOffMax=true"]),
        ({"featureGates": {"AllAlpha": False}}, ["--feature-gates=AllBeta=false"]))),
)
# files that are no JSON of fields
RAW = (*(json.dumps(HEAD)[:-1] + ", " + x + "}" for x in (
           '"logging.format": "json"', '"registerWithTaints[].key": "a"', '"maxPods": 1, "maxPods": 2', '"maxPods": 5.0', '"port": 1e3',
           '"MAXPODS": 5', '"maxPods ": 5', '"": 5', '"systemReserved": {"cpu": null}', '"clusterDNS": [null]')),
       "", "[", "[]", "null", "# nothing\n", "{}", "apiVersion: kubelet.config.k8s.io/v1beta1\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 1\nmaxPods: 2\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 010\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nregisterNode: no\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 7\nclusterDomain: &x y\nproviderID: *x\n",
       "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 7\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 7\n---\nmaxPods: 8\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\tmaxPods: 7\n",
       "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: ~\nclusterDomain: 'a'\n")
HALF_A_PAIR = "certificate without key, or key without certificate: ours serves with its own, upstream's serves nothing"
NO_HTTP2 = "upstream's HTTP/2 needs one suite more and ends the kubelet"
# where we differ and mean to: case -> why
DIFFERENT = {
    '{"cgroupDriver": "x"}': "a driver that there is not is refused, even though the runtime decides",
    '{"healthzBindAddress": "x"}': "upstream starts, and serves no health",
    '{"healthzBindAddress": "localhost"}': "an address, no name",
    '{"reservedSystemCPUs": "0", "systemReserved": {"cpu": "200m"}, "kubeReserved": {"cpu": "1"}}':
        "upstream's /configz shows what it then computes with",
    '{"tlsCertFile": "/a"}': HALF_A_PAIR,
    "{} --node-ip=x": "upstream goes on without it", "{} --node-ip=x,10.0.0.1": "upstream goes on with the other one",
    "{} --image-credential-provider-config=/nonexistent": "not implemented",
    "{} --lock-file=/nonexistent/lock": "not implemented",
}
# the same where only both programs' start shows it
DIFFERENT_WHOLE = {
    **{f'{{"{key}": "{path}"}}': HALF_A_PAIR for key in ("tlsCertFile", "tlsPrivateKeyFile")
       for path in ("/var/lib/x", "x/../y", "./x")},
    '{"serverTLSBootstrap": true}': "not implemented: our own certificate serves, where upstream waits for one",
    '{"maxPods": 2147483647}': "so many user namespaces are too many", '{"userNamespaces.idsPerPod": 4294901760}': "the same",
    '{"imageServiceEndpoint": "unix:///x.sock"}': "what does not answer is waited for",
    '{"tlsCurvePreferences": [4588]}': "not implemented: who asks here cannot do that one, and upstream nothing else",
    **{f'{{"maxOpenFiles": {n}}}': "so few end the kubelet; ours takes 256" for n in (1, 7)},
    **{head + "--container-runtime-endpoint=unix:///run/x.sock": "what does not answer is waited for"
       for head in ("", json.dumps(FLAG_FILE) + " ")},
    f"{json.dumps(FLAG_FILE)} --reserved-cpus=0": "upstream's /configz shows what it then computes with",
    **{f'{{"tlsCipherSuites": ["{name}"]}}': NO_HTTP2
       for name in ("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305")},
    "--tls-cipher-suites=TLS_AES_128_GCM_SHA256": NO_HTTP2,
    f"{json.dumps(FLAG_FILE)} --tls-cipher-suites=TLS_AES_128_GCM_SHA256": NO_HTTP2,
}


class Case:
    """file: fields, a text, or None; drops: name -> the same."""
    def __init__(self, file=None, drops=None, flags=(), late=False):
        self.file, self.drops, self.flags, self.late = file, drops, list(flags), late

    def __str__(self):
        parts = [] if self.file is None else [self.file if isinstance(self.file, str) else json.dumps(self.file)]
        if self.drops is not None:
            parts.append("drop-ins " + json.dumps(self.drops))
        return " ".join(parts + self.flags)

    def write(self, folder):
        """The flags that give it to a program."""
        args = []
        os.makedirs(folder)
        if self.file is not None:
            args += ["--config", self.put(os.path.join(folder, "kubelet.conf"), self.file)]
        if self.drops is not None:
            at = os.path.join(folder, "drops")
            os.makedirs(at)
            for name, content in self.drops.items():
                os.makedirs(os.path.dirname(os.path.join(at, name)), exist_ok=True)
                self.put(os.path.join(at, name), content)
            args += ["--config-dir", at]
        # the host's cgroups are not what is asked about
        if CGROUP_V1 and "failCgroupV1" not in str(self):
            args.append("--fail-cgroupv1=false")
        return args + self.flags

    @staticmethod
    def put(path, content):
        with open(path, "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else document(HEAD, content))
        return path


def drawn(some):
    """All of them with --every; else about half, by the seed."""
    seed = sys.argv[sys.argv.index("--seed") + 1] if "--seed" in sys.argv else "1"
    return (c for c in some if EVERY or random.Random(seed + str(c)).random() < 0.5)


def gates():
    """(name, default) of each gate that we know."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib/conf/featuregates.c")
    with open(source, encoding="utf-8") as f:
        return [(n, d == "true") for n, d in re.findall(r'\{ "(\w+)", GATE_\w+, (true|false), (?:true|false) \}', f.read())]


def cases():
    yield Case()
    yield Case({})
    yield from drawn(Case({path: v}) for path, values in VALUES.items() for v in values)
    yield from (Case(fields) for fields in TOGETHER)
    yield from (Case(fields, late=True) for fields in LATE)
    yield from (Case(text) for text in RAW)
    yield from (Case({}, flags=flags, late=True) for flags in LATE_FLAGS)
    yield from drawn(Case({"featureGates": {name: not default}}) for name, default in gates())
    for flags in FLAGS:
        yield Case(flags=flags)
        yield Case(FLAG_FILE, flags=flags)
    yield from (Case(file, drops) for file, drops in DROP_INS)
    yield from (Case(file, drops, flags) for file, drops, flags in DROP_IN_FLAGS)


def logged_configuration(log):
    """What the kubelet says it made of the case, in either format of its log; None when it did not come to that."""
    m = re.search(r'"Effective KubeletConfiguration" config=<\n(.*?)\n >', log, re.S)
    if m:
        return read_yaml("\n".join(x.removeprefix("\t") for x in m[1].split("\n")))
    m = re.search(r'^\{.*"msg":"Effective KubeletConfiguration".*\}$', log, re.M)
    return read_yaml(json.loads(m[0])["config"]) if m else None


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.count = collections.Counter()
        self.pki = os.path.join(folder, "pki")
        os.makedirs(self.pki)
        apiserver.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.pki + "/kubelet.key", "-out",
                          self.pki + "/kubelet.crt", "-days", "2", "-subj", "/CN=test")
        self.kubeconfig = Case.put(os.path.join(folder, "kubeconfig"), json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        self.cri = "unix://" + os.path.join(folder, "cri.sock")
        control = os.path.join(folder, "control.sock")
        self.runtime = subprocess.Popen([FAKE_CRI, self.cri.removeprefix("unix://"), control], stdout=subprocess.PIPE,
                                        preexec_fn=podrig.die_with_parent)
        self.runtime.stdout.readline()
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(control)
            c.sendall(b'{"do": "ready", "runtime": false, "network": false}\n')
            c.recv(1000)

    def close(self):
        self.runtime.kill()
        self.runtime.wait()
        with open("/proc/self/mounts", encoding="utf-8") as f:
            points = [x.split()[1] for x in f]
        for point in reversed([x for x in points if x.startswith(self.folder)]):
            subprocess.run(["umount", "-l", point], check=True)

    def common(self, number):
        return ["--cert-dir", self.pki, "--root-dir", os.path.join(self.folder, f"root-{number}")]

    def early(self, number, args):
        """(taken or not, configuration, what was said): the kubelet up to its last check of the case itself."""
        p = subprocess.run([UPSTREAM, *self.common(number), *args, "--exit-on-lock-contention"], capture_output=True,
                           text=True, timeout=120, env=dict(os.environ, GOGC="400"))
        said = p.stderr + p.stdout
        return STOP in said, logged_configuration(said), said

    def whole(self, program, number, args):
        """The same of a program that is let go on; the configuration is /configz, None where it is not served."""
        path = os.path.join(self.folder, f"{number}.{os.path.basename(program)}.log")
        with open(path, "w+", encoding="utf-8") as log:
            p = subprocess.Popen([program, *self.common(number), *args], stdout=log, stderr=log,
                                 preexec_fn=podrig.die_with_parent)
            end, shown = time.monotonic() + SERVED_SEC, None
            try:
                while p.poll() is None and not shown and time.monotonic() < end:
                    time.sleep(0.03)
                    shown = configz(FIRST_PORT + number)
                lives = p.poll() is None
            finally:
                p.kill()
                p.wait()
            log.seek(0)
            said = log.read()
        # where the kubelet ends, to be started again, ours waits
        lives = lives and not (shown is None and re.search("it is tried again|waiting for it", said))
        # sockets of the one before may linger
        return self.whole(program, number, args) if "address already in use" in said.lower() else (lives, shown, said)

    def ours(self, number, args):
        p = subprocess.run([OURS, *self.common(number), *args, "--check-config"], capture_output=True, text=True, timeout=120)
        if p.returncode not in (0, 78):
            raise AssertionError(f"{args}: exit status {p.returncode}: {p.stderr}")
        if p.returncode:
            return False, None, p.stderr
        return True, read_yaml("\n".join(x for x in p.stdout.splitlines() if not x.startswith("#"))), p.stderr

    def compare(self, number, case):
        try:
            return self.compare_case(number, case)
        except Exception:   # the others are still worth knowing  # pylint: disable=broad-except
            return traceback.format_exc()

    def compare_case(self, number, case):
        args = case.write(os.path.join(self.folder, str(number)))
        theirs = self.early(number, args)
        ours = self.ours(number, args)
        whole = theirs[0] and (case.late or ALL or not ours[0])
        self.count["taken" if ours[0] else "refused"] += 1
        self.count["whole"] += whole
        if theirs[0] and ours[0]:
            # what the kubelet chooses, or hides, as it logs the configuration
            for key in ("tlsCertFile", "tlsPrivateKeyFile"):
                if key not in theirs[1] and ours[1].get(key, "").startswith(self.pki):
                    del ours[1][key]
            for name in ours[1].get("staticPodURLHeader", {}):
                ours[1]["staticPodURLHeader"][name] = ["<masked>"]
        if ours[0] and not theirs[0]:   # we may find out as we start
            return judge(theirs, self.whole(OURS, number, self.reachable(number, case) + args))
        if not whole:
            return judge(theirs, ours)
        args = self.reachable(number, case) + args
        theirs, ours, checked = self.whole(UPSTREAM, number, args), self.whole(OURS, number, args), self.ours(number, args)
        if checked[0] and ours[1]:
            checked[1]["cgroupDriver"] = ours[1]["cgroupDriver"]   # the runtime tells
            if checked[1] != ours[1]:
                return "--check-config says otherwise than /configz: " + "; ".join(differences(checked[1], ours[1]))
        return judge(theirs, ours)

    def reachable(self, number, case):
        """Flags that let a program answer here; those of the case come later and win."""
        args = ["--kubeconfig", self.kubeconfig, "--container-runtime-endpoint", self.cri, "--port", str(FIRST_PORT + number),
                "--healthz-port=0", "--read-only-port=0", "--anonymous-auth", "--authentication-token-webhook=false"]
        return args if "authorization.mode" in str(case) else args + ["--authorization-mode=AlwaysAllow"]


def configz(port):
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/configz", timeout=5, context=UNCHECKED) as reply:
            return json.load(reply)["kubeletconfig"]
    except (OSError, urllib.error.URLError):
        return None


def judge(theirs, ours):
    """Each (taken or not, configuration, what was said); what differs, or None."""
    if theirs[0] != ours[0]:
        who, said = ("upstream", theirs[2]) if ours[0] else ("we", ours[2])
        return f"only {who} refuse it: {reason(said)}"
    if not ours[0]:
        told = re.search("keelson-agent: |cannot start: |it is tried again|waiting for it", ours[2])
        return None if told else "refused without a sentence"
    return "; ".join(differences(theirs[1] or {}, ours[1] or {})) or None


def reason(said):
    lines = [x for x in said.strip().splitlines() if "failed" in x or "rror" in x or "keelson-agent" in x or "panic" in x]
    return (lines or said.strip().splitlines() or [""])[-1][-300:]


def main():
    if not os.access(UPSTREAM, os.X_OK):
        apiserver.skip(f"{UPSTREAM} is not there (tests/rig/build.sh core builds it)")
    podrig.own_mounts()
    for place in ("/var/lib", "/usr/libexec"):   # where a kubelet makes directories whatever it is told
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    apiserver.own_network()
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    todo = [c for c in cases() if only in str(c)]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="keelson-agent-config-") as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        bench = Bench(folder)
        try:
            results = list(pool.map(lambda t: bench.compare(*t), enumerate(todo)))
        finally:
            bench.close()
    seen = set()
    different = {**DIFFERENT, **(DIFFERENT_WHOLE if ALL else {})}
    for case, problem in zip(todo, results):
        known = different.get(str(case))
        seen.add(str(case))
        if bool(problem) != bool(known):
            bad += 1
            print(f"{case}: {problem or 'no difference any more: ' + known}")
    if not only:
        for name in set(different) - seen:
            bad += 1
            print(f"{name}: no such case")
    print(f"{len(todo)} configurations: {bench.count['taken']} taken, {bench.count['refused']} refused; {bench.count['whole']} of both "
          f"let go on; {len(different)} differ on purpose, {bad} differ")
    return 1 if bad else 0


sys.exit(main())
