#!/usr/bin/env python3
"""The data plane with real packets: every service type × policy × source × place of the endpoint, both families.

usage: dataplane.py DRIVER [-k WORD]    needs root; all traffic stays in namespaces that it makes
"""
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

from netlab import Conn, Lab, probe, sctp_init

CLIENT, N1, N2 = 100, 1, 2
V4 = {"c": "192.168.50.100", "n1": "192.168.50.1", "n2": "192.168.50.2", "p11": "10.244.1.11", "p12": "10.244.1.12",
      "p21": "10.244.2.21", "vip": "203.0.113.", "svc": "10.96.0."}
V6 = {"c": "fd50::100", "n1": "fd50::1", "n2": "fd50::2", "p11": "fd44:1::11", "p12": "fd44:1::12",
      "p21": "fd44:2::21", "vip": "fd00:113::", "svc": "fd96::"}
PORT = 8080


class Driver:
    """The data plane in node 1's namespace."""

    def __init__(self, path, ns, settings):
        self.path, self.ns, self.settings = path, ns, settings
        self.objects = {}
        self.start()

    def start(self):
        self.p = self.ns.popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.send(settings=self.settings)
        for kind, o in self.objects.values():
            self.send(**{kind: o})
        self.send(start=True)

    def send(self, **commands):
        self.p.stdin.write(json.dumps(commands) + "\n")
        self.p.stdin.flush()

    def put(self, kind, o):
        self.objects[kind, o["metadata"].get("namespace"), o["metadata"]["name"]] = kind, o
        self.send(**{kind: o})

    def remove_silently(self, kind, ns, name):
        del self.objects[kind, ns, name]

    def remove(self, kind, ns, name):
        self.remove_silently(kind, ns, name)
        self.send(**{f"remove-{kind}": f"{ns}/{name}"})

    def ask(self, command, value=True):
        self.send(**{command: value})
        return json.loads(self.p.stdout.readline())

    def sync(self):
        r = self.ask("wait")
        assert not r["failures"], r
        return r

    def kill(self):
        self.p.kill()
        self.p.wait()

    def restart(self):
        self.kill()
        self.start()
        return self.sync()

    def close(self):
        self.p.stdin.close()
        assert self.p.wait(20) == 0, "the driver's end"


class Bed:
    """Lab, driver, and short words for services."""

    def __init__(self, driver):
        self.lab = Lab(f"dp{os.getpid()}", {1: (1, 2), 2: (1,)})
        try:
            self.fill(driver)
        except BaseException:
            self.lab.close()
            raise

    def fill(self, driver):
        self.ns = {"c": self.lab.client, "n1": self.lab.nodes[1], "n2": self.lab.nodes[2], **self.lab.pods}
        for name in ("p11", "p12", "p21", "n1", "n2"):
            self.lab.serve(self.ns[name], name, PORT)
        self.lab.serve(self.ns["p11"], "p11b", PORT + 1)
        self.d = Driver(driver, self.ns["n1"], {"node": "n1", "clusterCIDRs": ["10.244.0.0/16", "fd44::/16"]})
        self.node()
        self.d.objects["cidrs", "", ""] = "cidrs", ["10.96.0.0/16", "fd96::/112"]
        self.d.send(cidrs=["10.96.0.0/16", "fd96::/112"])

    def node(self, zone="z1"):
        self.d.put("node", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": zone}},
                            "spec": {"podCIDRs": ["10.244.1.0/24", "fd44:1::/64"]},
                            "status": {"addresses": [{"type": "InternalIP", "address": a["n1"]} for a in (V4, V6)]}})

    def service(self, n, ports=None, vip=None, **spec):
        """Service number n: addresses end in n."""
        ports = ports or [{"name": p.lower(), "port": 80, "protocol": p,
                           **({"nodePort": 30000 + n} if spec.get("type") in ("NodePort", "LoadBalancer") else {})}
                          for p in ("TCP", "UDP", "SCTP")]
        o = {"metadata": {"namespace": "t", "name": f"s{n}"},
             "spec": {"type": "ClusterIP", "clusterIP": f"10.96.0.{n}", "clusterIPs": [f"10.96.0.{n}", f"fd96::{n}"],
                      "ports": ports, **spec}}
        if spec.get("type") == "LoadBalancer":
            o["status"] = {"loadBalancer": {"ingress": [{"ip": a["vip"] + str(n), **(vip or {})} for a in (V4, V6)]}}
        self.d.put("service", o)

    def endpoints(self, n, names, port=PORT, **common):
        """names: "p11", or ("p11", {conditions and hints})"""
        for family, a in (("IPv4", V4), ("IPv6", V6)):
            eps = []
            for name in names:
                name, more = name if isinstance(name, tuple) else (name, {})
                node = {"p1": "n1", "p2": "n2"}.get(name[:2], name)
                eps.append({"addresses": [a[name]], "nodeName": node, **common, **more})
            self.d.put("slice", {"metadata": {"namespace": "t", "name": f"s{n}-{family.lower()}",
                                              "labels": {"kubernetes.io/service-name": f"s{n}"}},
                                 "addressType": family, "endpoints": eps,
                                 "ports": [{"name": p.lower(), "port": port, "protocol": p}
                                           for p in ("TCP", "UDP", "SCTP")]})

    def seen(self, source, to, port, proto="TCP", want=(), tries=60):
        """All that happens to packets from source, until it is what is wanted and a little longer."""
        got, extra = set(), 6
        for _ in range(tries):
            got.add(probe(self.ns[source], proto, to, port, 0.4 if "timeout" in want else 3))
            if got >= set(want):
                extra -= 1
            if extra < 0 or got & {"timeout"}:
                break
        return got

    def close(self):
        self.d.close()
        self.lab.close()


def check(bed, what, source, to, port, want, proto):
    if source == "n1" and proto == "UDP":
        # dropped or rejected on its way out, sendto fails either way
        want = ["EPERM" if isinstance(x, str) else x for x in want]
    got = bed.seen(source, to, port, proto, want)
    assert got == set(want), f"{what}: from {source} to {to}:{port}/{proto}: got {got}, want {set(want)}"


def targets(a, n):
    return {"cluster": (a["svc"] + str(n), 80), "vip": (a["vip"] + str(n), 80), "node": (a["n1"], 30000 + n),
            "external": (a["vip"] + "1" + str(n), 80)}


def expand(a, seen):
    """("p11", "c") → (server, the address it saw)"""
    return {x if isinstance(x, str) else (x[0], a[x[1]]) for x in seen}


# service type × policy × source × place: (number, spec, endpoints, {front: {source: what happens}})
C, P, N = "c", "p12", "n1"
BOTH_DIRECT = [("p11", P), ("p21", P)]
OWN_CLUSTER = {C: [("p11", C), ("p21", N)], P: BOTH_DIRECT, N: [("p11", N), ("p21", N)]}
# local endpoints see the client, remote ones this node: it must see the replies
EXTERNAL = {C: [("p11", C), ("p21", N)], P: [("p11", P), ("p21", N)], N: [("p11", N), ("p21", N)]}
LOCAL = {C: [("p11", C)], P: BOTH_DIRECT, N: [("p11", N), ("p21", N)]}
REFUSED = {s: ["refused"] for s in (C, P, N)}
DROPPED = {s: ["timeout"] for s in (C, P, N)}
BOTH = ["p11", "p21"]
GOING = {"conditions": {"ready": False, "serving": True, "terminating": True}}
DOWN = {"conditions": {"ready": False, "serving": False}}
TABLE = [
    (10, {}, BOTH, {"cluster": OWN_CLUSTER}),
    (11, {"type": "NodePort"}, BOTH, {"cluster": OWN_CLUSTER, "node": EXTERNAL}),
    (12, {"type": "LoadBalancer"}, BOTH, {"cluster": OWN_CLUSTER, "node": EXTERNAL, "vip": EXTERNAL}),
    (13, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, BOTH,
     {"cluster": OWN_CLUSTER, "node": LOCAL, "vip": LOCAL}),
    (14, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, ["p21"],
     {"cluster": {C: [("p21", N)], P: [("p21", P)], N: [("p21", N)]},
      "node": {C: ["timeout"], P: [("p21", P)], N: [("p21", N)]},
      "vip": {C: ["timeout"], P: [("p21", P)], N: [("p21", N)]}}),
    (15, {"internalTrafficPolicy": "Local"}, BOTH, {"cluster": {C: [("p11", C)], P: [("p11", P)], N: [("p11", N)]}}),
    (16, {"internalTrafficPolicy": "Local"}, ["p21"], {"cluster": DROPPED}),
    (17, {"type": "LoadBalancer", "internalTrafficPolicy": "Local"}, ["p21"],
     {"cluster": DROPPED, "vip": {C: [("p21", N)], P: [("p21", N)], N: [("p21", N)]}}),
    (18, {"type": "LoadBalancer"}, [], {"cluster": REFUSED, "node": REFUSED, "vip": REFUSED}),
    (19, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, [("p11", DOWN)],
     {"cluster": REFUSED, "node": REFUSED, "vip": REFUSED}),
    (20, {}, [("p11", GOING), ("p21", GOING)], {"cluster": OWN_CLUSTER}),
    (21, {}, [("p11", GOING), "p21"], {"cluster": {C: [("p21", N)], P: [("p21", P)], N: [("p21", N)]}}),
    (22, {"type": "NodePort", "externalTrafficPolicy": "Local"}, [("p11", GOING), "p21"],
     {"node": {C: [("p11", C)], P: [("p21", P)], N: [("p21", N)]}}),
    (23, {}, [("p11", {"hints": {"forZones": [{"name": "z1"}]}}), ("p21", {"hints": {"forZones": [{"name": "z2"}]}})],
     {"cluster": {C: [("p11", C)], P: [("p11", P)], N: [("p11", N)]}}),
    (24, {}, [("p11", {"hints": {"forZones": [{"name": "z1"}]}}), "p21"], {"cluster": OWN_CLUSTER}),
    (25, {}, [("p11", {"hints": {"forNodes": [{"name": "n2"}], "forZones": [{"name": "z1"}]}}),
              ("p21", {"hints": {"forNodes": [{"name": "n1"}], "forZones": [{"name": "z1"}]}})],
     {"cluster": {C: [("p21", N)], P: [("p21", P)]}}),
    (26, {"type": "NodePort"}, ["n1", "n2"], {"cluster": {P: [("n1", P), ("n2", P)]}, "node": {C: [("n1", C), ("n2", N)]}}),
    (27, {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.168.50.100/32", "192.168.50.0/25", "fd50::100/128"]},
     ["p11"], {"vip": {C: [("p11", C)], P: ["timeout"]}, "node": {P: [("p11", P)]}}),
    (28, {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "fd44::/16"]}, [],
     {"vip": {C: ["timeout"], P: ["refused"]}}),
    (29, {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 100}}}, ["p21"],
     {"cluster": {C: [("p21", N)], P: [("p21", P)]}}),
]


def test_table(bed):
    for n, spec, eps, _ in TABLE:
        bed.service(n, **spec)
        bed.endpoints(n, eps)
    bed.d.sync()
    rows = 0
    for n, spec, eps, fronts in TABLE:
        for family, a in ((4, V4), (6, V6)):
            for front, sources in fronts.items():
                for source, want in sources.items():
                    for proto in ("TCP", "UDP"):
                        check(bed, f"service {n} {spec} IPv{family} {front}", source, *targets(a, n)[front],
                              expand(a, want), proto)
                        rows += 1
    print(f"  {rows} rows of service × front × source × protocol")
    for n, *_ in TABLE:
        bed.d.remove("service", "t", f"s{n}")
        for family in ("ipv4", "ipv6"):
            bed.d.remove("slice", "t", f"s{n}-{family}")
    bed.d.sync()


def test_addresses(bed):
    """External addresses, balancers that proxy, unknown ports and addresses, other addresses of the node."""
    bed.service(30, type="LoadBalancer", externalIPs=[V4["vip"] + "130", V6["vip"] + "130"])
    bed.endpoints(30, BOTH)
    bed.service(31, type="LoadBalancer", vip={"ipMode": "Proxy"})
    bed.endpoints(31, BOTH)
    bed.d.sync()
    for a in (V4, V6):
        check(bed, "external IP", "c", a["vip"] + "130", 80, expand(a, EXTERNAL[C]), "TCP")
        got = bed.seen("p12", a["vip"] + "31", 80)
        assert not any(isinstance(x, tuple) for x in got), f"ipMode Proxy is captured: {got}"
        for source in (C, P, N):
            check(bed, "unknown port", source, a["svc"] + "30", 81, ["refused"], "TCP")
            check(bed, "unknown port", source, a["svc"] + "30", 81, ["refused"], "UDP")
            check(bed, "address of no service", source, a["svc"] + "99", 80, ["timeout"], "TCP")
        other = "192.168.50.201" if a is V4 else "fd50::201"
        bed.ns["n1"].ip("addr", "add", other + ("/24" if a is V4 else "/64"), "dev", "eth0",
                        *([] if a is V4 else ["nodad", "preferred_lft", "0"]))
        check(bed, "node port on another address", "c", other, 30030, ["refused"], "TCP")
        bed.d.send(settings={**bed.d.settings, "nodePortAddresses": ["192.168.50.200/29", "fd50::200/120"]})
        bed.d.sync()
        check(bed, "node port on a chosen address", "c", other, 30030, expand(a, EXTERNAL[C]), "TCP")
        check(bed, "node port elsewhere", "c", a["n1"], 30030, ["refused"], "TCP")
        bed.d.send(settings={**bed.d.settings, "nodePortAddresses": ["0.0.0.0/0", "::/0"]})
        bed.d.sync()
        check(bed, "node port anywhere", "c", other, 30030, expand(a, EXTERNAL[C]), "TCP")
        check(bed, "node port anywhere", "n1", a["n1"], 30030, expand(a, EXTERNAL[N]), "TCP")
        bed.d.send(settings=bed.d.settings)
        bed.d.sync()


def test_hairpin(bed):
    bed.service(32, type="NodePort")
    bed.endpoints(32, ["p11"])
    bed.d.sync()
    for a in (V4, V6):
        for proto in "TCP", "UDP":
            check(bed, "a pod reaches itself", "p11", a["svc"] + "32", 80, [("p11", a["n1"] if a is V4 else seen_by_pod(bed))],
                  proto)


def seen_by_pod(bed):
    """The node's IPv6 address toward its pod's veth: the kernel's choice."""
    out = bed.ns["n1"].exec("ip", "-6", "-j", "route", "get", V6["p11"])
    return json.loads(out)[0]["prefsrc"]


def test_masquerade_settings(bed):
    bed.service(33)
    bed.endpoints(33, ["p21"])
    for settings, source, want in (({"masqueradeAll": True}, "p12", "n1"), ({"local": "none"}, "p12", "p12"),
                                   ({"local": "node"}, "p12", "p12"),
                                   ({"local": "prefix", "interface": "v"}, "p12", "p12"),
                                   ({"local": "bridge", "interface": "v12"}, "p12", "p12"),
                                   ({"local": "bridge", "interface": "v11"}, "p12", "n1")):
        bed.d.send(settings={**bed.d.settings, **settings})
        bed.d.sync()
        for a in (V4, V6):
            check(bed, f"{settings}", source, a["svc"] + "33", 80, [("p21", a[want])], "TCP")
    bed.d.send(settings=bed.d.settings)
    bed.d.sync()


def test_ports(bed):
    """One port, several protocols, other target ports; SCTP by raw packets."""
    bed.service(34, type="NodePort", ports=[
        {"name": "a", "port": 80, "protocol": "TCP", "nodePort": 30034},
        {"name": "b", "port": 80, "protocol": "UDP", "nodePort": 30034},
        {"name": "c", "port": 80, "protocol": "SCTP", "nodePort": 30034},
        {"name": "d", "port": 81, "protocol": "TCP", "nodePort": 30035}])
    for family, a in (("IPv4", V4), ("IPv6", V6)):
        bed.d.put("slice", {"metadata": {"namespace": "t", "name": f"s34-{family.lower()}",
                                         "labels": {"kubernetes.io/service-name": "s34"}},
                            "addressType": family, "endpoints": [{"addresses": [a["p11"]], "nodeName": "n1"}],
                            "ports": [{"name": "a", "port": PORT, "protocol": "TCP"},
                                      {"name": "b", "port": PORT + 1, "protocol": "UDP"},
                                      {"name": "c", "port": 7000, "protocol": "SCTP"},
                                      {"name": "d", "port": PORT + 1, "protocol": "TCP"}]})
    bed.d.sync()
    for a in (V4, V6):
        check(bed, "port a", "c", a["n1"], 30034, [("p11", a["c"])], "TCP")
        check(bed, "port b", "c", a["n1"], 30034, [("p11b", a["c"])], "UDP")
        check(bed, "port d", "c", a["n1"], 30035, [("p11b", a["c"])], "TCP")
        for to, port in ((a["n1"], 30034), (a["svc"] + "34", 80)):
            s = bed.ns["p11"].socket(socket.AF_INET if a is V4 else socket.AF_INET6, socket.SOCK_RAW, 132)
            s.settimeout(2)
            sctp_init(bed.ns["c"], to, port, 5000 + random.randrange(1000))
            data, peer = s.recvfrom(2048)
            s.close()
            data = data[20:] if a is V4 else data
            assert peer[0] == a["c"] and data[2:4] == (7000).to_bytes(2, "big"), (peer, data[:12])


def test_affinity(bed):
    for n, spec in ((40, {}), (41, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"})):
        bed.service(n, sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 2 if n == 41 else 10800}},
                    **spec)
    bed.endpoints(40, ["p11", "p12", "p21"])
    bed.endpoints(41, ["p11", "p12", "p21"])
    bed.d.sync()
    for a in (V4, V6):
        to = a["svc"] + "40"
        first = probe(bed.ns["c"], "TCP", to, 80)[0]
        for _ in range(15):
            assert probe(bed.ns["c"], "TCP", to, 80)[0] == first, "a client moved"
        bed.d.restart()
        assert {probe(bed.ns["c"], "TCP", to, 80)[0] for _ in range(15)} == {first}, "a restart moved a client"
        left = [x for x in ("p11", "p12", "p21") if x != first]
        bed.endpoints(40, left)
        bed.d.sync()
        second = {probe(bed.ns["c"], "TCP", to, 80)[0] for _ in range(15)}
        assert len(second) == 1 and second < set(left), second
        # whoever comes and goes besides: the client is remembered with its new endpoint now
        second, other = *second, *(set(left) - second)
        for pods in ([first, second, other], [second, other], [first, second], [second, first, other], left) * 2:
            bed.endpoints(40, pods)
            bed.d.sync()
            assert {probe(bed.ns["c"], "TCP", to, 80)[0] for _ in range(5)} == {second}, (pods, second)
        bed.endpoints(40, [])
        bed.d.sync()
        assert probe(bed.ns["c"], "TCP", to, 80) == "refused"
        time.sleep(1.2)
        bed.endpoints(40, ["p12"])
        bed.d.sync()
        assert probe(bed.ns["c"], "TCP", to, 80)[0] == "p12"
        bed.endpoints(40, ["p11", "p12", "p21"])
        bed.d.sync()
        # a time-out that is over lets clients move: over many rounds both local endpoints are met
        got = set()
        for _ in range(12):
            got.add(probe(bed.ns["c"], "TCP", a["vip"] + "41", 80)[0])
            if len(got) > 1:
                break
            time.sleep(2.3)
        assert got == {"p11", "p12"}, got


def test_affinity_outlives_others(bed):
    """A client whose endpoint went stays with its next one, however often others come and go, and whoever dies when."""
    bed.service(42, sessionAffinity="ClientIP")
    bed.endpoints(42, ["p11", "p12", "p21"])
    bed.d.sync()
    tos = [a["svc"] + "42" for a in (V4, V6)]
    for gone in {probe(bed.ns["c"], "TCP", to, 80)[0] for to in tos}:
        bed.endpoints(42, [x for x in ("p11", "p12", "p21") if x != gone])
        bed.d.sync()
        at = [probe(bed.ns["c"], "TCP", to, 80)[0] for to in tos]
    kept = set(at)
    for turn in range(120):
        for pods in kept, {"p11", "p12", "p21"}:
            bed.endpoints(42, sorted(pods))
            if turn % 30 == 29:
                bed.d.restart()     # what was removed a moment ago is still there
            bed.d.sync()
            assert [probe(bed.ns["c"], "TCP", to, 80)[0] for to in tos] == at, (turn, pods, at)


def nft(bed, *args, check=True):
    return bed.ns["n1"].exec("nft", *args, check=check)


def contents(bed, *args):
    """Lines of a listing, in any order, without what clients are remembered."""
    lines = nft(bed, "list", *args, check=False).splitlines()
    return sorted(x.strip() for x in lines if "expires" not in x and x.strip() not in ("", "}"))


class Monitor:
    """What nft sees change in node 1."""

    def __init__(self, bed):
        self.p = bed.ns["n1"].popen(["nft", "monitor"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)

    def stop(self):
        time.sleep(0.2)
        self.p.terminate()
        return [x for x in self.p.communicate()[0].splitlines() if x and "new generation" not in x]


def test_restart_changes_nothing(bed):
    bed.service(50, type="LoadBalancer", sessionAffinity="ClientIP", loadBalancerSourceRanges=["192.168.0.0/16"])
    bed.endpoints(50, ["p11", "p12", "p21"])
    bed.service(51)
    bed.endpoints(51, ["p11", "p12", "p21"])
    bed.d.sync()
    bed.endpoints(51, ["p12", "p21"])
    bed.d.sync()
    time.sleep(1.3)
    bed.d.sync()
    before = contents(bed, "ruleset")
    m = Monitor(bed)
    for _ in range(3):
        bed.d.restart()
    bed.d.send(resync=True)
    bed.d.sync()
    lines = m.stop()
    assert not lines, lines[:5]
    assert contents(bed, "ruleset") == before


def test_small_changes(bed):
    """An endpoint that comes or goes is a few elements."""
    bed.service(52)
    bed.endpoints(52, ["p11", "p12"])
    bed.d.sync()
    m = Monitor(bed)
    bed.endpoints(52, ["p11", "p12", "p21"])
    bed.d.sync()
    lines = m.stop()
    assert len(lines) <= 18, lines  # 2 families × 3 ports × (old count, new count, endpoint)
    m = Monitor(bed)
    bed.endpoints(52, ["p12", "p21"])
    bed.d.sync()
    time.sleep(1.3)
    lines = m.stop()
    assert len(lines) <= 36, lines


def test_foreign_changes(bed):
    bed.service(53)
    bed.endpoints(53, ["p11"])
    bed.d.sync()
    nft(bed, "add", "table", "ip", "other")
    nft(bed, "add", "chain", "ip", "other", "c")
    before = contents(bed, "table", "ip", "keelson")
    for damage in (["delete", "element", "ip", "keelson", "services", "{ 10.96.0.53 . tcp . 80 }"],
                   ["add", "element", "ip", "keelson", "local", "{ 1.2.3.4 }"],
                   ["flush", "chain", "ip", "keelson", "dispatch"],
                   ["insert", "rule", "ip", "keelson", "prerouting", "drop"],
                   ["flush", "map", "ip", "keelson", "endpoints"],
                   ["add", "chain", "ip", "keelson", "stranger"],
                   ["delete", "table", "ip", "keelson"]):
        nft(bed, *damage)
        end = time.monotonic() + 8
        while contents(bed, "table", "ip", "keelson") != before and time.monotonic() < end:
            time.sleep(0.1)
        assert contents(bed, "table", "ip", "keelson") == before, f"{damage} was not healed"
        check(bed, f"healed from {damage}", "p12", "10.96.0.53", 80, [("p11", V4["p12"])], "TCP")
    assert "chain c" in nft(bed, "list", "table", "ip", "other"), "somebody else's table was touched"
    nft(bed, "flush", "ruleset")
    time.sleep(2.5)
    check(bed, "healed from flush ruleset", "p12", "10.96.0.53", 80, [("p11", V4["p12"])], "TCP")
    check(bed, "healed from flush ruleset", "p12", "fd96::53", 80, [("p11", V6["p12"])], "TCP")


def test_busy_neighbour(bed):
    """Somebody changes another table all the time: ours is read back all the same, and nothing is rewritten."""
    for n in range(2000, 3000):
        bed.service(n, clusterIP=f"10.97.{n >> 8}.{n & 255}", clusterIPs=[f"10.97.{n >> 8}.{n & 255}"])
    bed.d.sync()
    nft(bed, "add", "table", "ip", "neighbour")
    loop = "while :; do nft 'add chain ip neighbour c; delete chain ip neighbour c'; done"
    writers = [bed.ns["n1"].popen(["sh", "-c", loop]) for _ in range(3)]
    try:
        time.sleep(0.5)
        for _ in range(5):
            bed.d.restart()     # a sync that failed fails it
    finally:
        for w in writers:
            w.kill()
            w.wait()
    for n in range(2000, 3000):
        bed.d.remove("service", "t", f"s{n}")
    bed.d.sync()


def test_established_live_on(bed):
    """Endpoints that go get no new connections; those they have stay."""
    bed.service(54, type="NodePort")
    bed.endpoints(54, ["p11"])
    bed.d.sync()
    held = [Conn(bed.ns["c"], "TCP", a["n1"], 30054) for a in (V4, V6)]
    for h in held:
        assert h.ask()[0] == "p11"
    for change in (lambda: bed.endpoints(54, ["p21"]), bed.d.restart,
                   lambda: bed.d.remove("service", "t", "s54")):
        change()
        bed.d.sync()
        for h in held:
            assert h.ask()[0] == "p11", "a connection was cut"
    time.sleep(1.3)
    for h in held:
        assert h.ask()[0] == "p11"
        h.close()
    check(bed, "service is gone", "c", V4["n1"], 30054, ["refused"], "TCP")


def flows(bed, family):
    """UDP connections that node 1 knows of, to service 60."""
    out = bed.ns["n1"].exec("conntrack", "-L", "-f", family, "-p", "udp", check=False)
    return [x for x in out.splitlines() if "dst=10.96.0.60 " in x or "dst=fd96::60 " in x or "dport=30060 " in x]


def test_udp_connections(bed):
    """A client that keeps its source port follows the endpoints; nothing of a gone service stays."""
    bed.service(60, type="NodePort")
    bed.endpoints(60, ["p11"])
    bed.d.sync()
    kept = [Conn(bed.ns["c"], "UDP", *to, source_port=4000 + i)
            for i, to in enumerate((a[front], port) for a in (V4, V6)
                                   for front, port in (("svc", 80), ("n1", 30060))
                                   for a in ({**a, "svc": a["svc"] + "60"},))]
    for c in kept:
        assert c.ask()[0] == "p11"
    bed.endpoints(60, ["p11", "p12"])
    bed.d.sync()
    for c in kept:
        assert c.ask()[0] == "p11", "a connection to an endpoint that is there was moved"
    bed.endpoints(60, ["p12", ("p11", GOING)])
    bed.d.sync()
    for c in kept:
        assert c.ask()[0] == "p11", "a connection to an endpoint that still serves was moved"
    bed.endpoints(60, ["p12"])
    bed.d.sync()
    for c in kept:
        assert c.ask()[0] == "p12", "a connection to an endpoint that went stays with it"
    bed.d.kill()
    bed.d.remove_silently("slice", "t", "s60-ipv4")
    bed.d.remove_silently("slice", "t", "s60-ipv6")
    bed.d.start()
    bed.d.sync()
    assert not flows(bed, "ipv4") + flows(bed, "ipv6"), "connections of endpoints that went meanwhile"
    bed.endpoints(60, ["p11"])
    bed.d.sync()
    for c in kept:
        assert c.ask()[0] == "p11"
    bed.d.remove("service", "t", "s60")
    bed.d.sync()
    assert not flows(bed, "ipv4") + flows(bed, "ipv6"), "connections of a service that went"
    for c in kept:
        c.close()


def test_udp_connections_in_a_zone(bed):
    """The same for packets that are in a zone of their own, as another node's are."""
    bed.ns["n1"].exec("nft", """
        table inet zones {
            chain c { type filter hook prerouting priority -300; iif eth0 ct original zone set 77; }
        }""")
    try:
        test_udp_connections(bed)
    finally:
        bed.ns["n1"].exec("nft", "delete table inet zones")


def test_udp_before_the_service(bed):
    """Who sends before the service is there gets through once it is."""
    bed.d.send(cidrs=[])
    bed.d.sync()
    bed.ns["n1"].ip("route", "replace", "10.96.0.61/32", "via", "192.168.50.2")
    c = Conn(bed.ns["c"], "UDP", "10.96.0.61", 80, timeout=0.3, source_port=4100)
    for _ in range(2):
        try:
            c.ask()
            raise AssertionError("answered by nobody")
        except TimeoutError:
            pass
    bed.service(61)
    bed.endpoints(61, ["p12"])
    bed.d.sync()
    assert c.ask()[0] == "p12"
    c.close()
    bed.d.send(cidrs=["10.96.0.0/16", "fd96::/112"])
    bed.d.sync()


def test_conflict(bed):
    """One address, two services: the first keeps it, the second gets it when it is free."""
    for n in 55, 56:
        bed.service(n, externalIPs=["203.0.113.77"])
        bed.d.sync() if n == 55 else None
    bed.endpoints(55, ["p11"])
    bed.endpoints(56, ["p12"])
    r = bed.d.sync()
    assert "AddressInUse" in r["warning"], r
    check(bed, "conflict", "c", "203.0.113.77", 80, [("p11", V4["c"])], "TCP")
    bed.d.remove("service", "t", "s55")
    bed.d.sync()
    check(bed, "conflict is over", "c", "203.0.113.77", 80, [("p12", V4["c"])], "TCP")


def test_cluster_ip_is_its_own(bed):
    """An external address that is another service's cluster address takes nothing, whoever came first; so after a restart."""
    bed.service(59, externalIPs=["10.96.0.60"])
    bed.endpoints(59, ["p11"])
    bed.d.sync()
    check(bed, "nobody else has it", "p12", "10.96.0.60", 80, [("p11", V4["p12"])], "TCP")
    bed.service(60)
    bed.endpoints(60, ["p12"])
    r = bed.d.sync()
    assert "AddressInUse" in r["warning"] and "t/s60" in r["warning"], r
    for when in "at once", "after a restart":
        check(bed, when, "p11", "10.96.0.60", 80, [("p12", V4["p11"])], "TCP")
        bed.d.restart()
        bed.d.sync()
    bed.d.remove("service", "t", "s60")
    bed.d.sync()
    check(bed, "given back", "p12", "10.96.0.60", 80, [("p11", V4["p12"])], "TCP")
    bed.d.remove("service", "t", "s59")
    bed.d.sync()


def test_spread(bed):
    """Every endpoint gets its share; so with more than one class of sizes."""
    bed.service(57)
    bed.endpoints(57, ["p11", "p12", "p21"])
    bed.d.sync()
    count = {}
    for _ in range(300):
        name = probe(bed.ns["n1"], "UDP", "10.96.0.57", 80)[0]
        count[name] = count.get(name, 0) + 1
    assert sorted(count) == ["p11", "p12", "p21"] and min(count.values()) > 60, count


class Clients(threading.Thread):
    """Connects again and again; what does not reach a server is kept."""

    def __init__(self, bed, source, to, port, proto):
        super().__init__(daemon=True)
        self.args = bed.ns[source], proto, to, port, 5
        self.what = f"from {source} to {to}:{port}/{proto}"
        self.done, self.count, self.failures = False, 0, []
        self.start()

    def run(self):
        while not self.done:
            r = probe(*self.args)
            self.count += 1
            if not isinstance(r, tuple):
                self.failures.append(r)


def test_killed_under_load(bed):
    """Endpoints come and go, the process is killed at any moment; all servers live: nobody may notice."""
    names = ["p11", "p12", "p21"]
    bed.service(70, type="NodePort")
    bed.service(71, sessionAffinity="ClientIP")
    bed.endpoints(70, names)
    bed.endpoints(71, names)
    bed.d.sync()
    clients = [Clients(bed, "c", V4["n1"], 30070, "TCP"), Clients(bed, "p12", "fd96::70", 80, "TCP"),
               Clients(bed, "n1", "10.96.0.70", 80, "TCP"), Clients(bed, "c", "10.96.0.71", 80, "TCP")]
    dice, end, kills = random.Random(1), time.monotonic() + 12, 0
    while time.monotonic() < end:
        for n in 70, 71:
            bed.endpoints(n, dice.sample(names, dice.randint(1, 3)))
        time.sleep(0.05)
        if dice.random() < 0.1:
            bed.d.kill()
            kills += 1
            bed.d.start()
    for c in clients:
        c.done = True
        c.join()
        assert not c.failures and c.count > 20, f"{c.what}: {c.count} tries, {c.failures[:5]}"
    bed.d.sync()
    time.sleep(1.3)
    bed.d.sync()
    before = contents(bed, "ruleset")
    bed.d.restart()
    time.sleep(1.3)
    bed.d.sync()
    assert contents(bed, "ruleset") == before, "something was left behind"
    print(f"  {kills} kills, {sum(c.count for c in clients)} connections")


def test_explain(bed):
    bed.service(58, type="NodePort", externalTrafficPolicy="Local")
    bed.endpoints(58, BOTH)
    bed.d.sync()
    text = bed.d.ask("explain", f"{V4['n1']} 30058 TCP")["text"]
    assert "t/s58" in text and "10.244.1.11:8080" in text and "from outside" in text, text
    assert "dropped" in bed.d.ask("explain", "10.96.0.99 80 TCP")["text"]
    assert "rejected" in bed.d.ask("explain", "10.96.0.58 99 TCP")["text"]
    assert "error" in bed.d.ask("explain", "x 80 TCP")


def test_listing(bed):
    for args in (["list", "ruleset"], ["-j", "list", "ruleset"]):
        out = subprocess.run(["ip", "netns", "exec", bed.ns["n1"].name, "nft", *args], capture_output=True, text=True)
        # nft 1.0.6 cannot say updates of maps in JSON, and says so
        errors = [x for x in out.stderr.splitlines() if "stmt ops map" not in x]
        assert out.returncode == 0 and not errors and "keelson" in out.stdout, out.stderr[:300]


def main():
    word = sys.argv[3] if sys.argv[2:3] == ["-k"] else ""
    if os.geteuid() != 0:
        print("needs root")
        return 77
    tests = [f for name, f in globals().items() if name.startswith("test_") and word in name]
    bed = Bed(sys.argv[1])
    failed = 0
    try:
        bed.d.sync()
        for test in tests:
            begin = time.monotonic()
            try:
                test(bed)
                print(f"ok {test.__name__} {time.monotonic() - begin:.1f} s", flush=True)
            except (AssertionError, OSError, TypeError, ValueError, subprocess.SubprocessError) as e:
                failed += 1
                print(f"FAILED {test.__name__}: {type(e).__name__}: {e}", flush=True)
    finally:
        bed.close()
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
