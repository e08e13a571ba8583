"""Three nodes, each with the whole keelson-proxy before a real kube-apiserver, and a client outside the cluster: for
returnpath.py and what belongs to it.
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
import tempfile
import threading
import urllib.request

import apiserver
from podrig import LIBC, CLONE_NEWNS
from waiting import Failed, check, wait

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
        self.proxies, self.ports = {}, {}
        self.lab = netlab.Lab(f"kr{os.getpid()}", {1: [1, 2], 2: [1, 2], 3: [1]})
        self.join_api()
        for n in (2, 3):    # host sockets need a route before anything is rewritten
            for family, cidr, via in (("-4", "10.96.0.0/16", "192.168.50.254"), ("-6", "fd96::/112", "fd50::254")):
                self.lab.nodes[n].ip(family, "route", "add", cidr, "via", via)
        for place, (_, ns, v4, v6) in PLACES.items():
            # a host's answers have the address of the way out, unless its socket has one
            for address in (("::ffff:" + v4, v6) if place == "host" else ("::",)):
                self.lab.serve(self.ns(ns), place, PORT, address)
        self.node_of = {1: "n1", 2: "n2", 3: "n3"}
        self.build()
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

    def node_addresses(self, n):
        return f"192.168.50.{n}", f"fd50::{n}"

    def sources(self):
        return SOURCES

    def boot_id(self):
        with open("/proc/sys/kernel/random/boot_id") as f:
            return f.read().strip()

    def add_node(self, n):
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": f"n{n}"},
                                            "spec": {"podCIDRs": [f"10.244.{n}.0/24", f"fd44:{n}::/64"],
                                                     "podCIDR": f"10.244.{n}.0/24"}})
        status = {"addresses": [{"type": "InternalIP", "address": a} for a in self.node_addresses(n)],
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
                "--nodeport-addresses=0.0.0.0/0,::/0", "--v=3", *self.more, *more]
        self.proxies[n] = self.lab.nodes[n].popen(args, stdout=log, stderr=log)

    def stop(self, n, how=signal.SIGTERM):
        proxy = self.proxies.pop(n)
        proxy.send_signal(how)
        code = proxy.wait(20)
        check(code == (0 if how == signal.SIGTERM else -how), f"n{n}: the proxy exits {code}: {self.log(n)[-2000:]}")

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
        wait(ready, 30, lambda: "\n".join(f"n{n}: {self.log(n)[-700:]}" for n in self.proxies))

    def masqueraded(self):
        """keelson_masqueraded_ranges of each node's metrics."""
        out = {}
        for n in self.proxies:
            with self.ns(f"n{n}").socket(socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(2)
                try:
                    s.connect(("127.0.0.1", 10249))
                    s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
                except OSError:
                    continue
            out[n] = int(text.split("\nkeelson_masqueraded_ranges ")[1].split("\n")[0])
        return out

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


class Link(Cluster):
    """Nodes share a link and route to each other's pods over it."""
    more = ()

    def uplink(self):
        return "eth0"

    def incapable(self):
        """How many ranges of other nodes each node masquerades toward."""
        return {1: 0, 2: 0, 3: 0}

    def senders(self):
        return {n: (4, 2) for n in self.node_of}

    def build(self):
        pass

    def no_routes(self):
        """Whoever makes the pod network makes its routes."""
        for node in self.lab.nodes.values():
            for m in self.lab.nodes:
                for family, net in (("-4", f"10.244.{m}.0/24"), ("-6", f"fd44:{m}::/64")):
                    node.exec("ip", family, "route", "del", net, check=False)


class OneExit(Link):
    """All leaves the nodes by the link they share, toward a router, behind which another client is."""

    def build(self):
        router, self.far = self.lab.ns("r"), self.lab.ns("f")
        self.lab.lan(router, 254)
        router.sysctl("ipv4/ip_forward", 1)
        router.sysctl("ipv6/conf/all/forwarding", 1)
        self.far.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1", "netns", router.name)
        for ns, dev, last in ((router, "eth1", "fe"), (self.far, "eth0", "9")):
            ns.ip("addr", "add", f"198.51.100.{int(last, 16)}/24", "dev", dev)
            ns.ip("addr", "add", f"fd51::{last}/64", "dev", dev, "nodad")
            ns.ip("link", "set", dev, "up")
        self.far.ip("route", "add", "default", "via", "198.51.100.254")
        self.far.ip("-6", "route", "add", "default", "via", "fd51::fe")
        for node in self.lab.nodes.values():
            node.ip("route", "add", "default", "via", "192.168.50.254")
            node.ip("-6", "route", "add", "default", "via", "fd50::254")


class Foreign(Link):
    """Somebody else's VXLAN between the pods of the nodes, with a device and an Ethernet address a node."""

    def uplink(self):
        return "flannel.1"

    def senders(self):
        return {n: (4, 4) for n in self.node_of}

    def mac(self, n):
        return f"02:aa:00:00:00:{n:02x}"

    def build(self):
        for n, node in self.lab.nodes.items():
            node.ip("link", "add", "flannel.1", "address", self.mac(n), "type", "vxlan", "id", "1", "dstport", "8472",
                    "local", f"192.168.50.{n}", "dev", "eth0", "nolearning")
            node.ip("addr", "add", f"10.244.{n}.0/32", "dev", "flannel.1")
            node.ip("link", "set", "flannel.1", "up")
            node.ip("addr", "add", f"fd44:{n}::/128", "dev", "flannel.1", "nodad")
            # as distributions set it: what comes in by a tunnel from strangers would be dropped
            node.sysctl("ipv4/conf/flannel.1/rp_filter", 1)
        self.no_routes()
        for n, node in self.lab.nodes.items():
            for m in self.lab.nodes:
                if m == n:
                    continue
                node.exec("bridge", "fdb", "append", self.mac(m), "dev", "flannel.1", "dst", f"192.168.50.{m}")
                for family, net, via in (("-4", f"10.244.{m}.0/24", f"10.244.{m}.0"), ("-6", f"fd44:{m}::/64", f"fd44:{m}::")):
                    node.ip(family, "neigh", "replace", via, "lladdr", self.mac(m), "dev", "flannel.1", "nud", "permanent")
                    node.ip(family, "route", "replace", net, "via", via, "dev", "flannel.1", "onlink")


class Routed(Link):
    """n3 stands behind a router: its pods are reached over the proxy's own VXLAN, itself without a return path."""
    more = ("--pod-network=vxlan", "--cni-config=")

    def uplink(self):
        return "keelson.vxlan"

    def incapable(self):
        return {1: 2, 2: 2, 3: 4}

    def senders(self):
        return {1: (3, 2), 2: (3, 2), 3: (2, 2)}

    def node_addresses(self, n):
        return ("198.51.100.3", "fd51::3") if n == 3 else super().node_addresses(n)

    def build(self):
        router = self.lab.ns("r")
        self.lab.lan(router, 254)
        router.sysctl("ipv4/ip_forward", 1)
        router.sysctl("ipv6/conf/all/forwarding", 1)
        n3 = self.lab.nodes[3]
        n3.ip("link", "del", "eth0")
        n3.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1", "netns", router.name)
        router.ip("link", "set", "eth1", "up")
        n3.ip("link", "set", "eth0", "up")
        for ns, dev, last in ((router, "eth1", "fe"), (n3, "eth0", "3")):
            ns.ip("addr", "add", f"198.51.100.{int(last, 16)}/24", "dev", dev)
            ns.ip("addr", "add", f"fd51::{last}/64", "dev", dev, "nodad")
        n3.ip("route", "add", "default", "via", "198.51.100.254")
        n3.ip("-6", "route", "add", "default", "via", "fd51::fe")
        for ns in (self.lab.client, self.lab.nodes[1], self.lab.nodes[2]):
            ns.ip("route", "add", "198.51.100.0/24", "via", "192.168.50.254")
            ns.ip("-6", "route", "add", "fd51::/64", "via", "fd50::254")
        self.netlab.run("ip", "route", "add", "198.51.100.0/24", "via", "192.168.50.254", "dev", "api0")
        self.no_routes()

    def sources(self):
        return dict(SOURCES, n3=("n3", "198.51.100.3", "fd51::3"))


def prepare(cluster):
    for n in cluster.node_of:
        cluster.add_node(n)
    for number, place in enumerate(PLACES, 11):
        cluster.add_service(place, number)
    for number, place in enumerate(("local", "remote"), 31):
        cluster.add_service(place, number, "Local", "only-" + place)


def start_all(cluster):
    for n in cluster.node_of:
        cluster.start(n)
    cluster.settled(cluster.senders())
    check(cluster.masqueraded() == cluster.incapable(), cluster.masqueraded())
