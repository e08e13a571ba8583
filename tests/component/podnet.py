#!/usr/bin/env python3
"""The pod network on three nodes: two share a link, the third is behind a router. Pods come from the packaged plugins.

usage: podnet.py PODNET_RIG     exits 77 when it cannot run here

Every connection is checked at both ends: who the server sees is who the client is.
"""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from apiserver import skip
from podrig import LIBC, CLONE_NEWNS
from waiting import Failed, check, wait

PREFIX = f"kpn{os.getpid()}-"
PLUGINS = "/usr/lib/cni"
PORT = 8080
BULK = 300_000      # more than any window of a path whose MTU is wrong would let through
NODES = {   # name: (link, host part)
    "n1": ("a", 1), "n2": ("a", 2), "n3": ("b", 3)}
LINKS = {"a": ("192.0.2.", "fd00:a::"), "b": ("198.51.100.", "fd00:b::")}


def serve(listener):
    """Answers each connection with the client's address, then sends and takes BULK bytes."""
    def one(s):
        with s:
            try:
                s.settimeout(10)
                s.sendall(f"{s.getpeername()[0]}\n".encode() + b"x" * BULK)
                left = BULK
                while left > 0:
                    data = s.recv(65536)
                    if not data:
                        return
                    left -= len(data)
                s.sendall(b"ok")
            except OSError:
                pass
    while True:
        try:
            s, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(s,), daemon=True).start()


def listen(ns):
    s = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", PORT))
    s.listen(64)
    threading.Thread(target=serve, args=(s,), daemon=True).start()


def call(ns, address):
    """Connects from ns: (own address, address that the server saw) after BULK bytes each way."""
    with ns.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect((address, PORT))
        data = b""
        while data.count(b"\n") < 1 or len(data) < data.index(b"\n") + 1 + BULK:
            more = s.recv(65536)
            check(more, f"{ns.name} -> {address}: cut after {len(data)} bytes")
            data += more
        s.sendall(b"y" * BULK)
        check(s.recv(2) == b"ok", f"{ns.name} -> {address}: not taken")
        return s.getsockname()[0], data[:data.index(b"\n")].decode().replace("::ffff:", "")


class Lab:
    def __init__(self, rig):
        import netlab       # remembers the namespace it is loaded in
        self.netlab = netlab
        self.rig, self.dir = rig, tempfile.mkdtemp(prefix="keelson-podnet-")
        self.drivers, self.pods, self.ns = {}, {}, {}
        self.mode = "vxlan"

    def add_ns(self, name):
        ns = self.ns[name] = self.netlab.Ns(PREFIX + name)
        return ns

    def build(self):
        """Two switches joined by a router, and nodes on them."""
        router = self.add_ns("r")
        for link, (v4, v6) in LINKS.items():
            router.ip("link", "add", "br-" + link, "type", "bridge")
            router.ip("addr", "add", v4 + "254/24", "dev", "br-" + link)
            router.ip("addr", "add", v6 + "fe/64", "dev", "br-" + link, "nodad")
            router.ip("link", "set", "br-" + link, "up")
        for name, (link, host) in NODES.items():
            v4, v6 = LINKS[link]
            node = self.add_ns(name)
            node.ip("link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", router.name)
            router.ip("link", "set", name, "master", "br-" + link, "up")
            node.ip("link", "set", "eth0", "up")
            node.ip("addr", "add", f"{v4}{host}/24", "dev", "eth0")
            node.ip("addr", "add", f"{v6}{host}/64", "dev", "eth0", "nodad")
            node.ip("route", "add", "default", "via", v4 + "254")
            node.ip("-6", "route", "add", "default", "via", v6 + "fe")
        for ns in self.ns.values():
            ns.sysctl("ipv4/ip_forward", 1)
            ns.sysctl("ipv6/conf/all/forwarding", 1)

    def addresses(self, name):
        link, host = NODES[name]
        return [f"{prefix}{host}" for prefix in LINKS[link]]

    def node(self, name):
        host = NODES[name][1]
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
                "spec": {"podCIDRs": [f"10.201.{host}.0/24", f"fd01:{host}::/64"]},
                "status": {"addresses": [{"type": "InternalIP", "address": a} for a in self.addresses(name)]}}

    def write_nodes(self, *names):
        with open(self.dir + "/nodes.new", "w") as f:
            json.dump([self.node(n) for n in names], f)
        os.rename(self.dir + "/nodes.new", self.dir + "/nodes.json")
        for driver in self.drivers.values():
            driver.send_signal(signal.SIGHUP)

    def cni_path(self, name):
        return f"{self.dir}/{name}.conflist"

    def start(self, name):
        log = open(f"{self.dir}/{name}.log", "ab")
        self.drivers[name] = self.ns[name].popen([self.rig, self.mode, name, self.dir + "/nodes.json", self.cni_path(name)],
                                                 stdout=log, stderr=log)

    def stop(self, name, how=signal.SIGTERM):
        driver = self.drivers.pop(name)
        driver.send_signal(how)
        code = driver.wait(20)
        check(code == (0 if how == signal.SIGTERM else -how), f"{name}: the driver exits {code}: {self.log(name)}")

    def log(self, name):
        with open(f"{self.dir}/{name}.log", errors="replace") as f:
            return f.read()[-3000:]

    def add_pod(self, node):
        """A pod by the plugins that the configuration names, as a runtime calls them."""
        pod = "p-" + node
        ns = self.add_ns(pod)
        with open(self.cni_path(node)) as f:
            conf = json.load(f)
        result = None
        for plugin in conf["plugins"]:
            if plugin["type"] == "portmap":     # nothing to map: it would only ask for iptables
                continue
            stdin = dict(plugin, cniVersion=conf["cniVersion"], name=conf["name"])
            if result:
                stdin["prevResult"] = result
            env = dict(os.environ, CNI_COMMAND="ADD", CNI_CONTAINERID=pod, CNI_IFNAME="eth0", CNI_PATH=PLUGINS,
                       CNI_NETNS="/run/netns/" + ns.name)
            done = self.ns[node].popen([f"{PLUGINS}/{plugin['type']}"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            said, _ = done.communicate(json.dumps(stdin))
            check(done.returncode == 0, f"{plugin['type']}: {said}")
            result = json.loads(said)
        self.pods[pod] = [i["address"].split("/")[0] for i in result["ips"]]
        check(len(self.pods[pod]) == 2, result)
        listen(ns)

    def routes(self, name):
        return [r for family in ("-4", "-6") for r in self.ns[name].ip(family, "route", "show", "proto", "75").splitlines()]

    def close(self):
        for driver in self.drivers.values():
            driver.kill()
            driver.wait()
        for ns in self.ns.values():
            ns.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def everyone_reaches_every_pod(lab):
    calls = 0
    for pod, addresses in lab.pods.items():
        for address in addresses:
            for other in lab.pods:
                own, seen = call(lab.ns[other], address)
                check(own == seen and seen in lab.pods[other], f"{other} {own} -> {pod} {address}: seen as {seen}")
                calls += 1
            for node in NODES:
                own, seen = call(lab.ns[node], address)
                check(own == seen, f"{node} {own} -> {pod} {address}: seen as {seen}")
                calls += 1
    check(calls == len(lab.pods) * 2 * (len(lab.pods) + len(NODES)), calls)


def scenario_all_pairs(lab):
    everyone_reaches_every_pod(lab)
    check(len(lab.routes("n1")) == 4, lab.routes("n1"))
    through = [r for r in lab.routes("n1") if "keelson.vxlan" in r]
    check(len(through) == 2 and all("10.201.3." in r or "fd01:3:" in r for r in through), lab.routes("n1"))
    said = news(lab, "n1", 2, lambda: None)
    check(not said, f"changes without a cause: {said}")
    detail = lab.ns["n1"].ip("-d", "link", "show", "keelson.vxlan")
    check("nolearning" in detail and "mtu 1450" in detail, detail)


def news(lab, name, seconds, action):
    """What the kernel tells of our routes and device from an action until some seconds later."""
    monitor = lab.ns[name].popen(["ip", "monitor", "route", "link", "address"], stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    action()
    time.sleep(seconds)
    monitor.terminate()
    return [line for line in monitor.communicate()[0].splitlines() if "proto 75" in line or "keelson" in line]


def scenario_restart_changes_nothing(lab):
    """kill -9 and a new life: no message of the kernel tells of a change."""
    def restart():
        lab.stop("n1", signal.SIGKILL)
        everyone_reaches_every_pod(lab)
        lab.start("n1")
    said = news(lab, "n1", 1, restart)
    check(not said, said)


def scenario_foreign_change_is_healed(lab):
    before = lab.routes("n1")
    lab.ns["n1"].ip("route", "del", "10.201.2.0/24")
    lab.ns["n1"].ip("-6", "route", "del", "fd01:3::/64")
    wait(lambda: lab.routes("n1") == before, 5, lambda: f"{lab.routes('n1')} {lab.log('n1')}")
    lab.ns["n3"].ip("link", "del", "keelson.vxlan")
    wait(lambda: len(lab.routes("n3")) == 4, 5, lambda: f"{lab.routes('n3')} {lab.log('n3')}")
    lab.ns["n1"].ip("link", "set", "keelson.vxlan", "down")
    wait(lambda: lab.routes("n1") == before, 5, lambda: f"{lab.routes('n1')} {lab.log('n1')}")
    for family, gateway in (("-4", "10.201.3.0"), ("-6", "fd01:3::")):
        show = (family, "neigh", "show", gateway, "dev", "keelson.vxlan", "nud", "permanent")
        wait(lambda: lab.ns["n1"].ip(*show), 5, lambda: lab.log("n1"))
        time.sleep(1)       # news of the last repair are over: this damage must be heard of itself
        lab.ns["n1"].ip(family, "neigh", "del", gateway, "dev", "keelson.vxlan")
        wait(lambda: lab.ns["n1"].ip(*show), 1.5, lambda: lab.log("n1"))
    everyone_reaches_every_pod(lab)


def scenario_links_come_and_go(lab):
    """Lists of links that change while they are read, as pods come and go: it works on afterwards."""
    before = lab.routes("n1")
    def batch(*lines):
        done = subprocess.run(["ip", "-n", lab.ns["n1"].name, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True)
        check(done.returncode == 0, done.stderr)
    batch(*(f"link add kv{i} type veth peer name kw{i}" for i in range(150)))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        batch(*(["link add kx type veth peer name ky", "link del kx"] * 20))
    batch(*(f"link del kv{i}" for i in range(150)))
    lab.ns["n1"].ip("route", "del", "10.201.2.0/24")
    wait(lambda: lab.routes("n1") == before, 40, lambda: f"{lab.routes('n1')} {lab.log('n1')}")


def scenario_nodes_come_and_go(lab):
    foreign = "10.201.99.0/24"
    lab.ns["n1"].ip("route", "add", foreign, "via", "192.0.2.254", "proto", "static")
    lab.write_nodes("n1", "n2")
    wait(lambda: len(lab.routes("n1")) == 2, 5, lambda: lab.routes("n1"))
    wait(lambda: "keelson" not in lab.ns["n1"].ip("link"), 5, "the tunnel stays without a peer")
    # the own Node away: whatever is there stays
    lab.write_nodes("n2", "n3")
    time.sleep(0.5)
    check(len(lab.routes("n1")) == 2, lab.routes("n1"))
    lab.write_nodes(*NODES)
    wait(lambda: len(lab.routes("n1")) == 4 and len(lab.routes("n3")) == 4, 5, lambda: lab.routes("n1"))
    everyone_reaches_every_pod(lab)
    check(foreign in lab.ns["n1"].ip("route"), "a route of somebody else is gone")


def scenario_somebody_elses_route(lab):
    """A destination that is taken is not taken over: it is told, and all others are served."""
    lab.stop("n1")
    lab.ns["n1"].ip("route", "del", "10.201.2.0/24")
    lab.ns["n1"].ip("route", "add", "10.201.2.0/24", "via", "192.0.2.254", "proto", "static")
    lab.ns["n1"].ip("-6", "route", "del", "fd01:2::/64")
    lab.start("n1")
    wait(lambda: "add route to 10.201.2.0/24" in lab.log("n1"), 5, lambda: lab.log("n1"))
    wait(lambda: len(lab.routes("n1")) == 3, 5, lambda: lab.routes("n1"))
    check("via 192.0.2.254" in lab.ns["n1"].ip("route", "show", "10.201.2.0/24"), "it was taken over")
    lab.ns["n1"].ip("route", "del", "10.201.2.0/24")
    wait(lambda: len(lab.routes("n1")) == 4, 40, lambda: lab.routes("n1"))
    everyone_reaches_every_pod(lab)


def scenario_other_modes(lab):
    lab.mode = "routes"
    for name in NODES:
        lab.stop(name)
        lab.start(name)
    wait(lambda: [len(lab.routes(n)) for n in NODES] == [2, 2, 0], 5, lambda: [lab.routes(n) for n in NODES])
    wait(lambda: "keelson" not in lab.ns["n1"].ip("link"), 5, "the tunnel stays in mode routes")
    wait(lambda: "cannot be reached" in lab.log("n1"), 5, lambda: lab.log("n1"))
    lab.mode = "none"
    lab.stop("n1")
    lab.start("n1")
    wait(lambda: not lab.routes("n1"), 5, lambda: lab.routes("n1"))
    check("10.201.99.0/24" in lab.ns["n1"].ip("route"), "a route of somebody else is gone")


def own_mounts():
    """Names of namespaces and the plugins' records are this test's own."""
    if os.geteuid():
        skip("needs root")
    if LIBC.unshare(CLONE_NEWNS):
        skip("no right to make a mount namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for path in ("/var/lib/cni", "/run/netns"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)


def main():
    if not os.path.exists(PLUGINS + "/ptp"):
        skip("containernetworking-plugins is not installed")
    own_mounts()
    lab, failed = Lab(os.path.abspath(sys.argv[1])), []
    try:
        lab.build()
        lab.write_nodes(*NODES)
        for name in NODES:
            lab.start(name)
        for name in NODES:
            wait(lambda: os.path.exists(lab.cni_path(name)), 10, lambda: lab.log(name))
            lab.add_pod(name)
        for scenario in (scenario_all_pairs, scenario_restart_changes_nothing, scenario_foreign_change_is_healed,
                         scenario_links_come_and_go, scenario_nodes_come_and_go, scenario_somebody_elses_route, scenario_other_modes):
            start = time.monotonic()
            try:
                scenario(lab)
                verdict = "ok"
            except (Failed, OSError, subprocess.CalledProcessError) as failure:
                verdict = f"FAILED: {failure}"
                failed.append(scenario.__name__)
            print(f"{scenario.__name__}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
        for name in list(lab.drivers):
            lab.stop(name)
    finally:
        lab.close()
    return 1 if failed else 0


sys.exit(main())
