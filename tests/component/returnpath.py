#!/usr/bin/env python3
"""Who a pod sees when a connection reaches it by another node: three nodes, each with the whole keelson-proxy before a
real kube-apiserver, a client outside the cluster, captures at client, ingress node and server.

usage: returnpath.py KEELSON_PROXY [SCENARIO ...]     exits 77 when it cannot run here

Every row prints source, way in, place of the endpoint, protocol, family, the address that the server saw and whether
that is a translation.
"""
import ctypes
import ipaddress
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import apiserver
from podrig import LIBC, CLONE_NEWNS, Failed, check, wait

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORT = 8080
API = "192.168.50.250"
FAMILIES = ("IPv4", "IPv6")
PLACES = {  # place of the endpoint: (node, namespace, IPv4, IPv6)
    "local": (1, "p11", "10.244.1.11", "fd44:1::11"), "remote": (2, "p21", "10.244.2.21", "fd44:2::21"),
    "third": (3, "p31", "10.244.3.31", "fd44:3::31"), "host": (2, "n2", "192.168.50.2", "fd50::2")}
SOURCES = {  # name: (namespace, IPv4, IPv6)
    "client": ("c", "192.168.50.100", "fd50::100"), "pod of n3": ("p31", "10.244.3.31", "fd44:3::31"),
    "pod of n2": ("p22", "10.244.2.22", "fd44:2::22"), "endpoint": ("p21", "10.244.2.21", "fd44:2::21"),
    "n3": ("n3", "192.168.50.3", "fd50::3"), "n2": ("n2", "192.168.50.2", "fd50::2"), "n1": ("n1", "192.168.50.1", "fd50::1"),
    "pod of n1": ("p11", "10.244.1.11", "fd44:1::11")}
FIELD = {"IPv4": 1, "IPv6": 2}


def masks():
    """What of mounts this test changes is its own."""
    if LIBC.unshare(CLONE_NEWNS):
        apiserver.skip("no right to make a mount namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)


class Capture(threading.Thread):
    """Every IP packet of a device, as (outgoing, source, its port, destination, its port)."""

    def __init__(self, ns, dev):
        super().__init__(daemon=True)
        self.s = ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.s.bind((dev, 3))
        self.s.settimeout(0.2)
        self.seen, self.over = [], False
        self.start()

    def run(self):
        while not self.over:
            try:
                data, where = self.s.recvfrom(2048)
            except TimeoutError:
                continue
            except OSError:     # its device went
                break
            packet = self.parse(data, where[1])
            if packet:
                self.seen.append((where[2] == socket.PACKET_OUTGOING, *packet))
        self.s.close()

    @staticmethod
    def parse(data, ethertype):
        if ethertype == 0x0800 and data[9] in (6, 17):
            head, source, to = (data[0] & 15) * 4, data[12:16], data[16:20]
        elif ethertype == 0x86dd and data[6] in (6, 17):
            head, source, to = 40, data[8:24], data[24:40]
        else:
            return None
        ports = struct.unpack("!HH", data[head:head + 4])
        return str(ipaddress.ip_address(source)), ports[0], str(ipaddress.ip_address(to)), ports[1]


class Cluster:
    def __init__(self, program):
        self.program = program
        self.api = apiserver.Apiserver("--bind-address=0.0.0.0", "--service-cluster-ip-range=10.96.0.0/16,fd96::/112",
                                       "--service-node-port-range=30000-32000")
        masks()
        import netlab       # remembers the namespace it is loaded in: the API server's
        self.netlab = netlab
        self.dir = tempfile.mkdtemp(prefix="keelson-return-")
        self.proxies, self.args, self.ports = {}, {}, {}
        self.lab = netlab.Lab(f"kr{os.getpid()}", {1: [1, 2], 2: [1, 2], 3: [1]})
        self.join_api()
        for n in (2, 3):    # host sockets need a route before anything is rewritten
            for family, cidr, via in (("-4", "10.96.0.0/16", "192.168.50.254"), ("-6", "fd96::/112", "fd50::254")):
                self.lab.nodes[n].ip(family, "route", "add", cidr, "via", via)
        for place, (_, ns, *_) in PLACES.items():
            self.lab.serve(self.ns(ns), place, PORT)
        self.node_of = {1: "n1", 2: "n2", 3: "n3"}
        self.credentials()

    def ns(self, name):
        if name == "c":
            return self.lab.client
        return self.lab.pods.get(name) or self.lab.nodes[int(name[1:])]

    def join_api(self):
        run = self.netlab.run
        run("ip", "link", "add", "api0", "type", "veth", "peer", "name", "api", "netns", self.lab.sw.name)
        self.lab.sw.ip("link", "set", "api", "master", "br0", "up")
        run("ip", "addr", "add", API + "/24", "dev", "api0")
        run("ip", "link", "set", "api0", "up")

    def credentials(self):
        """What a node's own credentials may, with contrib/rbac.yaml applied."""
        self.api.server = "https://127.0.0.1:6443"
        env = dict(os.environ, KUBECONFIG=self.api.path("admin.kubeconfig"))
        done = subprocess.run([os.path.join(apiserver.BIN, "kubectl"), "apply", "-f", ROOT + "/contrib/rbac.yaml"],
                              env=env, capture_output=True, text=True)
        check(done.returncode == 0, done.stderr)
        for n in self.node_of:
            self.api.cert(f"node{n}", f"/O=system:nodes/CN=system:node:n{n}")
            self.api.server = f"https://{API}:6443"
            self.api.kubeconfig(f"node{n}.kubeconfig", f"client-certificate: node{n}.crt, client-key: node{n}.key",
                                ", tls-server-name: kubernetes.test")
        self.api.server = "https://127.0.0.1:6443"

    def call(self, method, path, body=None, kind="application/json"):
        request = urllib.request.Request(self.api.server + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": "Bearer secret-token", "Content-Type": kind})
        context = ssl.create_default_context(cafile=self.api.path("ca.crt"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            return json.load(opener.open(request, timeout=30))
        except urllib.error.HTTPError as e:
            raise Failed(f"{method} {path}: {e.read().decode()}")

    def boot_id(self):
        with open("/proc/sys/kernel/random/boot_id") as f:
            return f.read().strip()

    def add_node(self, n):
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": f"n{n}"},
                                            "spec": {"podCIDRs": [f"10.244.{n}.0/24", f"fd44:{n}::/64"],
                                                     "podCIDR": f"10.244.{n}.0/24"}})
        status = {"addresses": [{"type": "InternalIP", "address": f"192.168.50.{n}"},
                                {"type": "InternalIP", "address": f"fd50::{n}"}],
                  "nodeInfo": {k: "" for k in ("machineID", "systemUUID", "kernelVersion", "osImage", "containerRuntimeVersion",
                                               "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture")}
                  | {"bootID": self.boot_id()}}
        self.call("PATCH", f"/api/v1/nodes/n{n}/status", {"status": status}, "application/merge-patch+json")

    def node(self, n):
        return self.call("GET", f"/api/v1/nodes/n{n}")

    def record(self, n):
        return self.node(n)["metadata"].get("annotations", {}).get("keelson.io/return-path")

    def add_service(self, place, number, policy="Cluster", name=None):
        name = name or place
        node, _, v4, v6 = PLACES[place]
        ports = [{"name": p.lower(), "protocol": p, "port": 80, "targetPort": PORT, "nodePort": 30000 + number}
                 for p in ("TCP", "UDP")]
        spec = {"type": "LoadBalancer", "externalTrafficPolicy": policy, "ipFamilyPolicy": "RequireDualStack",
                "clusterIPs": [f"10.96.0.{number}", f"fd96::{number}"], "clusterIP": f"10.96.0.{number}",
                "ipFamilies": ["IPv4", "IPv6"], "ports": ports,
                "externalIPs": [f"203.0.113.{number}", f"fd00:113::{number}"]}
        self.call("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": spec})
        ingress = [{"ip": f"203.0.113.{100 + number}", "ipMode": "VIP"}, {"ip": f"fd00:113::{100 + number}", "ipMode": "VIP"}]
        self.call("PATCH", f"/api/v1/namespaces/default/services/{name}/status",
                  {"status": {"loadBalancer": {"ingress": ingress}}}, "application/merge-patch+json")
        for family, address in (("IPv4", v4), ("IPv6", v6)):
            self.call("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
                      {"metadata": {"name": f"{name}-{family.lower()}", "labels": {"kubernetes.io/service-name": name}},
                       "addressType": family, "ports": [{"name": p.lower(), "protocol": p, "port": PORT} for p in ("TCP", "UDP")],
                       "endpoints": [{"addresses": [address], "nodeName": f"n{node}", "conditions": {"ready": True}}]})
        self.ports[name] = number

    def start(self, n, *more):
        log = open(self.log_path(n), "ab")
        args = [self.program, f"--hostname-override=n{n}", f"--kubeconfig={self.api.path(f'node{n}.kubeconfig')}",
                "--proxy-mode=nftables", "--cluster-cidr=10.244.0.0/16,fd44::/16", "--conntrack-max-per-core=0",
                "--nodeport-addresses=0.0.0.0/0,::/0", "--v=3", *self.args.get(n, []), *more]
        self.proxies[n] = self.lab.nodes[n].popen(args, stdout=log, stderr=log)

    def stop(self, n, how=signal.SIGTERM):
        proxy = self.proxies.pop(n)
        proxy.send_signal(how)
        code = proxy.wait(20)
        check(code == (0 if how == signal.SIGTERM else -how), f"n{n}: the proxy exits {code}: {self.log(n)}")

    def cleanup(self, n):
        self.lab.nodes[n].exec(self.program, "--cleanup")

    def log_path(self, n):
        return f"{self.dir}/n{n}.log"

    def log(self, n):
        with open(self.log_path(n), errors="replace") as f:
            return f.read()

    def nft(self, n, *args):
        return self.lab.nodes[n].exec("nft", *(args or ("list", "ruleset")))

    def elements(self, n, family, name):
        text = json.loads(self.lab.nodes[n].exec("nft", "-j", "list", "set" if name != "senders" else "map", family, "keelson",
                                                 name))
        return [e for o in text["nftables"] for kind in ("set", "map") for e in o.get(kind, {}).get("elem", [])]

    def settled(self, pairs):
        """Each node knows the others' senders and masquerades toward none of them."""
        def ready():
            try:
                return all(len(self.elements(n, f, "symmetric")) >= symmetric and len(self.elements(n, f, "senders")) >= senders
                           for n, (symmetric, senders) in pairs.items() for f in ("ip", "ip6"))
            except (subprocess.CalledProcessError, json.JSONDecodeError):
                return False
        wait(ready, 30, lambda: "\n".join(f"n{n}: {self.log(n)[-1500:]}\n{self.nft(n)[-6000:]}" for n in self.proxies))

    def close(self):
        for n in list(self.proxies):
            self.proxies[n].kill()
            self.proxies[n].wait()
        self.lab.close()
        self.api.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def front_of(cluster, service, way, family):
    """Address and port by which a service is reached through n1."""
    number, six = cluster.ports[service], family == "IPv6"
    return {"NodePort": ("fd50::1" if six else "192.168.50.1", 30000 + number),
            "ClusterIP": (f"fd96::{number}" if six else f"10.96.0.{number}", 80),
            "ExternalIP": (f"fd00:113::{number}" if six else f"203.0.113.{number}", 80),
            "LoadBalancer": (f"fd00:113::{100 + number}" if six else f"203.0.113.{100 + number}", 80)}[way]


ROWS = [(source, way, place)
        for source, ways, places in (
            ("client", ("NodePort", "ClusterIP", "ExternalIP", "LoadBalancer"), ("local", "remote", "third", "host")),
            ("pod of n3", ("NodePort",), ("local", "remote", "third", "host")),
            ("pod of n2", ("NodePort", "ClusterIP"), ("local", "remote", "third", "host")),
            ("endpoint", ("NodePort", "ClusterIP"), ("remote",)),
            ("n3", ("NodePort", "ClusterIP"), ("local", "remote", "third", "host")),
            ("n2", ("NodePort",), ("local", "remote", "third", "host")),
            ("n1", ("NodePort", "ClusterIP"), ("local", "remote", "third", "host")),
            ("pod of n1", ("NodePort", "ClusterIP"), ("local", "remote", "third", "host")))
        for way in ways for place in places]


def translated(source, way, place):
    """Why a row's client address must be another one: the only reasons there are."""
    if SOURCES[source][0] == PLACES[place][1]:
        return "hairpin"
    if source in ("n2", "n3") and int(source[1]) == PLACES[place][0] and way == "NodePort":
        return "back to its own node"
    return None


def run_row(cluster, row, proto, family, expect_snat, captures):
    source, way, place = row
    service = place
    address, port = front_of(cluster, service, way, family)
    ns, own = cluster.ns(SOURCES[source][0]), SOURCES[source][FIELD[family]]
    for c in captures.values():
        c.seen.clear()
    got = cluster.netlab.probe(ns, proto, address, port, timeout=1.5)
    check(isinstance(got, tuple) and got[0] == place, f"{row} {proto} {family}: {got}")
    snat = got[1] != own
    print(f"{source:10} {way:12} {place:7} {proto} {family}  seen {got[1]:16} {'SNAT: ' + str(expect_snat) if snat else ''}", flush=True)
    check(snat == bool(expect_snat), f"{row} {proto} {family}: the server saw {got[1]}, own address {own}")
    if source == "client":
        check_wire(row, proto, family, captures, own, got[1], address, port, PLACES[place])


def check_wire(row, proto, family, captures, own, seen, address, port, place):
    """Addresses at the client, at the ingress node and at the server."""
    server = place[FIELD[family] + 1]
    normal = lambda a: str(ipaddress.ip_address(a))
    time.sleep(0.02)
    at = {name: list(c.seen) for name, c in captures.items()}
    sent = [p for p in at["client"] if p[0] and p[3:] == (normal(address), port) and p[1] == normal(own)]
    back = [p for p in at["client"] if not p[0] and p[1:3] == (normal(address), port) and p[3] == normal(own)]
    stray = [p for p in at["client"] if not p[0] and p[1] == normal(server) and p[2] == PORT]
    check(sent and back and not stray, f"{row} {proto} {family} at the client: {at['client']}")
    if place[0] == 1:
        return
    there = [p for p in at["ingress"] if p[0] and p[1] == normal(seen) and p[3:] == (normal(server), PORT)]
    home = [p for p in at["ingress"] if not p[0] and p[1:3] == (normal(server), PORT) and p[3] == normal(seen)]
    check(there and home, f"{row} {proto} {family} at the ingress node: {at['ingress']}")
    if "server " + place[1] in at:
        seen_there = at["server " + place[1]]
        check([p for p in seen_there if p[1] == normal(seen) and p[3:] == (normal(server), PORT)],
              f"{row} {proto} {family} at the server: {seen_there}")


def table(cluster, incapable=(), expected_rows=len(ROWS)):
    """Every row in both protocols and families; incapable: nodes toward which is masqueraded."""
    captures = {"client": Capture(cluster.lab.client, "eth0"), "ingress": Capture(cluster.lab.nodes[1], cluster.uplink(1)),
                "server p21": Capture(cluster.lab.pods["p21"], "eth0"), "server p31": Capture(cluster.lab.pods["p31"], "eth0")}
    n = 0
    try:
        for row in ROWS:
            for proto in ("TCP", "UDP"):
                for family in FAMILIES:
                    why = translated(*row)
                    if not why:
                        why = cluster.why_masqueraded(row, incapable)
                    run_row(cluster, row, proto, family, why, captures)
                    n += 1
    finally:
        for c in captures.values():
            c.over = True
    check(n == 4 * expected_rows, n)
    return n


class Link(Cluster):
    """Nodes share a link and route to each other's pods over it."""

    def uplink(self, _):
        return "eth0"

    def why_masqueraded(self, row, incapable):
        source, way, place = row
        node = PLACES[place][0]
        # the node that chooses the endpoint translates toward another one that does not say it returns replies
        chooser = int(SOURCES[source][0][1]) if way == "ClusterIP" and source != "client" else 1
        if source == "client" or way == "NodePort":
            chooser = 1
        if node != chooser and (node in incapable or chooser in incapable):
            pods = {"pod of n1", "pod of n2", "pod of n3", "endpoint"}
            if way == "ClusterIP" and source in pods:
                return None     # a pod's own service address is never masqueraded
            return "peer without a return path"
        return None


def prepare(cluster):
    for n in cluster.node_of:
        cluster.add_node(n)
    for number, place in enumerate(PLACES, 11):
        cluster.add_service(place, number)


def scenario_shared_link(cluster):
    for n in cluster.node_of:
        cluster.start(n)
    cluster.settled({n: (4, 2) for n in cluster.node_of})
    for n in cluster.node_of:
        check("table netdev keelson" in cluster.nft(n), "nft does not list the netdev table")
    print(table(cluster), "rows")


def main():
    scenarios = {"shared_link": (Link, scenario_shared_link)}
    chosen = sys.argv[2:] or list(scenarios)
    failed = []
    cluster = Link(os.path.abspath(sys.argv[1]))
    try:
        prepare(cluster)
        for name in chosen:
            start = time.monotonic()
            try:
                scenarios[name][1](cluster)
                verdict = "ok"
            except (Failed, OSError, subprocess.CalledProcessError) as failure:
                verdict = f"FAILED: {failure}"
                failed.append(name)
            print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    finally:
        if os.environ.get("KEEP"):
            for n in (1, 2, 3):
                print(f"--- n{n}\n{cluster.log(n)[-2500:]}\n{cluster.nft(n)[-3000:]}")
        cluster.close()
    return 1 if failed else 0


sys.exit(main())
