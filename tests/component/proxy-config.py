#!/usr/bin/env python3
"""Configurations of the proxy, beside upstream's kube-proxy: both take or refuse, and make the same of them.

usage: proxy-config.py KEELSON_PROXY   needs kube-proxy in the cache (tests/rig/build.sh core), else skips
Each case goes through --write-config-to of both programs, in a network namespace of the test's own.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import apiserver
from configdiff import differences, document, read_yaml

OURS = os.path.abspath(sys.argv[1])
UPSTREAM = os.path.join(apiserver.BIN, "kube-proxy")
HEAD = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}

BOOL = (True, False, "true", 1, None)
INT = (0, 1, -1, 7, 2147483647, 2147483648, "5", 1.5, None)
PERIOD = ("0s", "1s", "90s", "1h30m", "-1s", "5", 5, "", "soon", None)
TEXT = ("", "a b", 7, None)
CIDR = ("10.0.0.0/8", "fd00::/8", "10.0.0.0/8,fd00::/8", "10.0.0.0/8,10.1.0.0/16", "10.0.0.0", "10.0.0.0/33",
        "10.0.0.0/8,fd00::/8,10.0.0.0/8", "10.0.0.0/8,", " 10.0.0.0/8", "")
PLACE = ("", "127.0.0.1", "::1", "[::1]", "1.2.3.4:99", "[::]:99", "::1:99", "localhost:99", "1.2.3.4:0", "1.2.3.4:65536",
         "1.2.3.4:x", ":99", "nonsense", 99)
# path -> values that it is set to, each a case
VALUES = {
    "featureGates": ({}, {"NFTablesProxyMode": True}, {"NFTablesProxyMode": False}, {"KubeProxyIPVS": False},
                     {"AllAlpha": True}, {"NoSuchGate": True}, {"NFTablesNetlink": "yes"}, []),
    "clientConnection.kubeconfig": TEXT, "clientConnection.acceptContentTypes": ("a/b", 1),
    "clientConnection.contentType": ("application/json", "", 1),
    "clientConnection.qps": (0, 5, 2.5, -1, 100000, "5", None), "clientConnection.burst": INT,
    "logging.format": ("text", "json", "xml", "", 1), "logging.flushFrequency": ("1s", 5000000000, "x"),
    "logging.verbosity": (0, 4, -1, "4"),
    "logging.options.json.infoBufferSize": ("1Mi",),
    "logging.vmodule": ([], [{"filePattern": "a", "verbosity": 2}], "a=2"),
    "logging.options.text.splitStream": BOOL, "logging.options.json.splitStream": BOOL,
    "logging.options.text.infoBufferSize": ("0", "1Mi", 100, "x"),
    "hostnameOverride": ("n1", "N-1", "") + TEXT[1:],
    "bindAddress": ("0.0.0.0", "::", "10.0.0.1", "fd00::1", "10.0.0", "host", "", 1),
    "healthzBindAddress": PLACE, "metricsBindAddress": PLACE, "bindAddressHardFail": BOOL, "enableProfiling": BOOL,
    "showHiddenMetricsForVersion": ("", "1.36", "1.35", "x"),
    "mode": ("", "iptables", "ipvs", "nftables", "userspace", "IPVS", 1),
    "iptables.masqueradeBit": INT + (31, 32), "iptables.masqueradeAll": BOOL, "iptables.localhostNodePorts": BOOL,
    "iptables.syncPeriod": PERIOD, "iptables.minSyncPeriod": PERIOD,
    "ipvs.syncPeriod": PERIOD, "ipvs.minSyncPeriod": PERIOD, "ipvs.scheduler": TEXT,
    "ipvs.excludeCIDRs": (["10.0.0.0/8"], ["x"], [], "10.0.0.0/8", [1]), "ipvs.strictARP": BOOL,
    "ipvs.tcpTimeout": PERIOD, "ipvs.tcpFinTimeout": ("-1s", "1s"), "ipvs.udpTimeout": ("-1s", "1s"),
    "nftables.masqueradeBit": INT + (31, 32), "nftables.masqueradeAll": BOOL, "nftables.syncPeriod": PERIOD,
    "nftables.minSyncPeriod": PERIOD,
    "winkernel.networkName": TEXT, "winkernel.sourceVip": ("10.0.0.1",), "winkernel.enableDSR": BOOL,
    "winkernel.rootHnsEndpointName": TEXT, "winkernel.forwardHealthCheckVip": BOOL,
    "detectLocalMode": ("", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", "x", 1),
    "detectLocal.bridgeInterface": TEXT, "detectLocal.interfaceNamePrefix": TEXT,
    "clusterCIDR": CIDR,
    "nodePortAddresses": ([], ["primary"], ["primary", "primary"], ["localhost", "all"], ["10.0.0.0/8"], ["10.0.0.0"],
                          "primary", ["Primary"], None),
    "oomScoreAdj": INT + (-1000, -1001, 1000, 1001),
    "conntrack.maxPerCore": INT, "conntrack.min": INT, "conntrack.tcpEstablishedTimeout": PERIOD,
    "conntrack.tcpCloseWaitTimeout": PERIOD, "conntrack.tcpBeLiberal": BOOL, "conntrack.udpTimeout": PERIOD,
    "conntrack.udpStreamTimeout": PERIOD, "configSyncPeriod": PERIOD, "portRange": TEXT, "windowsRunAsService": BOOL,
    "nosuch": (1,), "iptables.nosuch": (1,), "conntrack": ([], "x"), "logging": (1,),
}
# several fields at once
TOGETHER = (
    # as kubeadm writes it
    {"bindAddress": "0.0.0.0", "clientConnection.qps": 0, "clientConnection.burst": 0, "clientConnection.contentType": "",
     "clientConnection.kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf", "clusterCIDR": "10.244.0.0/16",
     "configSyncPeriod": "0s", "conntrack.maxPerCore": None, "conntrack.min": None, "conntrack.tcpCloseWaitTimeout": None,
     "conntrack.tcpEstablishedTimeout": None, "conntrack.udpTimeout": "0s", "detectLocalMode": "",
     "healthzBindAddress": "", "iptables.localhostNodePorts": None, "iptables.masqueradeBit": None,
     "iptables.minSyncPeriod": "0s", "iptables.syncPeriod": "0s", "ipvs.excludeCIDRs": None, "ipvs.syncPeriod": "0s",
     "logging.flushFrequency": 0, "logging.options.json.infoBufferSize": "0", "logging.verbosity": 0,
     "metricsBindAddress": "", "mode": "iptables", "nftables.syncPeriod": "0s", "nodePortAddresses": None,
     "oomScoreAdj": None},
    {"mode": "nftables", "iptables.masqueradeBit": 40}, {"mode": "nftables", "nftables.masqueradeBit": 40},
    {"mode": "iptables", "nftables.masqueradeBit": 40}, {"mode": "ipvs", "ipvs.tcpTimeout": "-1s"},
    {"mode": "ipvs", "featureGates": {"KubeProxyIPVS": False}}, {"mode": "ipvs", "ipvs.excludeCIDRs": ["x"]},
    {"mode": "ipvs", "ipvs.minSyncPeriod": "31s"}, {"mode": "nftables", "nftables.minSyncPeriod": "31s"},
    {"mode": "nftables", "nftables.syncPeriod": "3s", "iptables.syncPeriod": "4s", "ipvs.syncPeriod": "5s"},
    {"mode": "ipvs", "nftables.syncPeriod": "3s", "iptables.syncPeriod": "4s", "ipvs.syncPeriod": "5s"},
    {"mode": "nftables", "nftables.masqueradeAll": True}, {"mode": "nftables", "iptables.masqueradeAll": True},
    {"mode": "ipvs", "iptables.masqueradeAll": True}, {"mode": "nftables", "nodePortAddresses": []},
    {"bindAddress": "fd00::1", "healthzBindAddress": ""}, {"bindAddress": "::", "metricsBindAddress": "127.0.0.1"},
    {"detectLocalMode": "BridgeInterface", "detectLocal.bridgeInterface": "br0"},
    {"detectLocalMode": "BridgeInterface", "detectLocal.interfaceNamePrefix": "br0"},
    {"detectLocalMode": "InterfaceNamePrefix", "detectLocal.interfaceNamePrefix": "veth"},
    {"logging.format": "json", "logging.vmodule": [{"filePattern": "a", "verbosity": 2}]},
    {"detectLocalMode": "NodeCIDR", "clusterCIDR": "nonsense"},
    {"detectLocalMode": "BridgeInterface", "detectLocal.bridgeInterface": "b", "clusterCIDR": "nonsense"},
)
FLAGS = (
    ["--proxy-mode=nftables"], ["--proxy-mode=ipvs", "--ipvs-sync-period=7s"], ["--proxy-mode=x"],
    ["--proxy-mode=nftables", "--iptables-sync-period=7s", "--masquerade-all"], ["--masquerade-all"],
    ["--proxy-mode=ipvs", "--iptables-min-sync-period=7s", "--ipvs-min-sync-period=3s"], ["--cluster-cidr=10.0.0.0/8,fd00::/8"],
    ["--cluster-cidr="], ["--nodeport-addresses=primary,10.0.0.0/8"], ["--nodeport-addresses=x"], ["--bind-address=fd00::1"],
    ["--bind-address=x"], ["--healthz-bind-address=1.2.3.4"], ["--healthz-bind-address=[::]:1"], ["--kube-api-qps=2.5"],
    ["--kube-api-qps=x"], ["--kube-api-burst=-1"], ["--oom-score-adj=0"], ["--conntrack-min=0", "--conntrack-max-per-core=0"],
    ["--feature-gates=NFTablesNetlink=false"], ["--feature-gates=NoSuch=true"], ["--hostname-override=N1"],
    ["--detect-local-mode=NodeCIDR"], ["--pod-bridge-interface=a"], ["-v=3"], ["--v", "4"], ["--profiling"],
    ["--no-such-flag"], ["argument"], ["--ipvs-exclude-cidrs=10.0.0.0/8,10.1.0.0/16"], ["--config-sync-period=0s"],
    ["--iptables-masquerade-bit=32"], ["--show-hidden-metrics-for-version=1.30"], ["--conntrack-tcp-be-liberal"],
)
# where we differ and mean to: case -> why
DIFFERENT = {
    "--cluster-cidr=": "means what its absence means",
    "--healthz-bind-address=1.2.3.4": "upstream adds the port only when it does not write the file",
}


def outcome(program, folder, name, args):
    """What the program made of it, or None, and what it said."""
    out = os.path.join(folder, name)
    p = subprocess.run([program, "--write-config-to", out, *args], capture_output=True, text=True, timeout=60)
    if p.returncode or not os.path.exists(out):
        return None, p.stderr
    with open(out, encoding="utf-8") as f:
        return read_yaml(f.read()), p.stderr


def check(folder, number, case, args):
    theirs, they_said = outcome(UPSTREAM, folder, f"{number}.upstream", args)
    ours, we_said = outcome(OURS, folder, f"{number}.ours", args)
    if (theirs is None) != (ours is None):
        who, said = ("upstream", they_said) if theirs is None else ("we", we_said)
        return f"{case}: only {who} refuse it: {said.strip().splitlines()[-1][:200] if said.strip() else ''}"
    found = [] if theirs is None else list(differences(theirs, ours))
    if theirs is None and not we_said.strip().startswith("keelson-proxy: "):
        found = ["refused without a sentence"]
    return f"{case}: " + "; ".join(found) if found else None


def main():
    if not os.access(UPSTREAM, os.X_OK):
        apiserver.skip(f"{UPSTREAM} is not there (tests/rig/build.sh core builds it)")
    apiserver.own_network()
    cases = [{}, *({path: v} for path, values in VALUES.items() for v in values), *TOGETHER]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="keelson-proxy-config-") as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        todo = []
        for i, fields in enumerate(cases):
            path = os.path.join(folder, f"{i}.json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(document(HEAD, fields))
            todo.append((json.dumps(fields), ["--config", path]))
        todo += [(" ".join(f), f) for f in FLAGS]
        results = list(pool.map(lambda t: check(folder, t[0], *t[1]), enumerate(todo)))
    for (case, _), problem in zip(todo, results):
        known = DIFFERENT.get(case)
        if problem and not known:
            bad += 1
            print(problem)
        if known and not problem:
            bad += 1
            print(f"{case}: no difference any more: {known}")
    print(f"{len(todo)} configurations, {len(DIFFERENT)} differ on purpose, {bad} differ")
    return 1 if bad else 0


sys.exit(main())
