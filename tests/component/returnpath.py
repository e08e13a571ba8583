#!/usr/bin/env python3
"""Who a pod sees when a connection reaches it by another node: three nodes, each with the whole keelson-proxy before a
real kube-apiserver, a client outside the cluster, captures at client, ingress node and server.

usage: returnpath.py KEELSON_PROXY [SCENARIO ...]     exits 77 when it cannot run here

Every row prints source, way in, place of the endpoint, protocol, family, the address that the server saw and whether
that is a translation.
"""
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import apiserver
import returnexits
import returnzones
from returnlab import (FAMILIES, FIELD, PLACES, PORT, SOURCES, Capture, Foreign, Link, OneExit, Routed, front_of, prepare,
                       start_all)
from waiting import Failed, check, wait

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
    """Why a row's client address must be another one: the only reasons there are. What another node sends back to its own
    node would be answered without leaving it (a bridge), or dropped (its own address)."""
    if SOURCES[source][0] == PLACES[place][1]:
        return "hairpin"
    home = int(SOURCES[source][1].split(".")[-1 if SOURCES[source][1].startswith("192.") else 2])
    if source != "client" and home != 1 and home == PLACES[place][0] and way == "NodePort":
        return "back to its own node"
    return None


def run_row(cluster, row, proto, family, expect_snat, captures):
    source, way, place = row
    service = place
    address, port = front_of(cluster, service, way, family)
    where = cluster.sources()[source]
    ns, own = cluster.ns(where[0]), where[FIELD[family]]
    for c in captures.values():
        c.seen.clear()
    got = cluster.netlab.probe(ns, proto, address, port, timeout=1.5)
    check(isinstance(got, tuple) and got[0] == place, f"{row} {proto} {family}: {got}")
    snat = got[1] != own
    print(f"{source:10} {way:12} {place:7} {proto} {family}  seen {got[1]:16} {'SNAT: ' + str(expect_snat) if snat else ''}", flush=True)
    masked = expect_snat and expect_snat.startswith("peer") and got[1] == own     # its own address is that already
    check(masked or snat == bool(expect_snat), f"{row} {proto} {family}: the server saw {got[1]}, own address {own}")
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
    passed = at["ingress"] + at["tunnel"]
    there = [p for p in passed if p[0] and p[1] == normal(seen) and p[3:] == (normal(server), PORT)]
    home = [p for p in passed if not p[0] and p[1:3] == (normal(server), PORT) and p[3] == normal(seen)]
    check(there and home, f"{row} {proto} {family} at the ingress node: {passed}")
    if "server " + place[1] in at:
        seen_there = at["server " + place[1]]
        check([p for p in seen_there if p[1] == normal(seen) and p[3:] == (normal(server), PORT)],
              f"{row} {proto} {family} at the server: {seen_there}")


def incapable_of(row, incapable):
    """The node that chooses the endpoint masquerades toward another one unless both return replies; a pod's own way to a
    service address is never masqueraded."""
    source, way, place = row
    chooser = int(SOURCES[source][0][1]) if way == "ClusterIP" and source != "client" else 1
    node = PLACES[place][0]
    if node == chooser or not {node, chooser} & set(incapable):
        return None
    pod = source in ("pod of n1", "pod of n2", "pod of n3", "endpoint")
    return None if pod and way == "ClusterIP" else "peer without a return path"


def table(cluster, incapable=()):
    """Every row in both protocols and families; incapable: nodes toward which is masqueraded."""
    captures = {"client": Capture(cluster.lab.client, "eth0"), "ingress": Capture(cluster.lab.nodes[1], "eth0"),
                "tunnel": Capture(cluster.lab.nodes[1], cluster.uplink()),
                "server p21": Capture(cluster.lab.pods["p21"], "eth0"), "server p31": Capture(cluster.lab.pods["p31"], "eth0")}
    n = 0
    try:
        for row in ROWS:
            for proto in ("TCP", "UDP"):
                for family in FAMILIES:
                    why = translated(*row) or incapable_of(row, incapable)
                    run_row(cluster, row, proto, family, why, captures)
                    n += 1
    finally:
        for c in captures.values():
            c.over = True
    check(n == 4 * len(ROWS), n)


def scenario_table(cluster):
    """Nobody is masqueraded but hairpins and what would come back to its own node."""
    start_all(cluster)
    for n in cluster.node_of:
        check("table netdev keelson" in cluster.nft(n), "nft does not list the netdev table")
    table(cluster)


def scenario_policy_local(cluster):
    for proto in ("TCP", "UDP"):
        for family in FAMILIES:
            for service, want in (("only-local", ("local", SOURCES["client"][FIELD[family]])), ("only-remote", "timeout")):
                got = cluster.netlab.probe(cluster.lab.client, proto, *front_of(cluster, service, "NodePort", family), timeout=0.5)
                check(got == want, f"{service} {proto} {family}: {got}")


def held_connections(cluster):
    return [cluster.netlab.Conn(cluster.lab.client, proto, *front_of(cluster, place, "NodePort", family), timeout=2)
            for place in ("remote", "third") for proto in ("TCP", "UDP") for family in FAMILIES]


def ask_all(conns, when):
    for c in conns:
        try:
            c.ask()
        except OSError as e:
            raise Failed(f"{when}: {c.s} {e}")


def scenario_restart_changes_nothing(cluster):
    """kill -9 everywhere and a new life: no element, rule or route is rewritten, connections go on."""
    conns = held_connections(cluster)
    ask_all(conns, "before")
    monitors = [cluster.lab.nodes[n].popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                for n in cluster.node_of for argv in (["nft", "monitor"], ["ip", "monitor", "route", "rule", "neigh"])]
    time.sleep(0.5)
    for n in cluster.node_of:
        cluster.stop(n, signal.SIGKILL)
    ask_all(conns, "while the proxies are away")
    for n in cluster.node_of:
        cluster.start(n)
    wait(lambda: all(cluster.masqueraded().get(n) == cluster.incapable()[n] for n in cluster.node_of), 20, "metrics")
    time.sleep(5)
    ask_all(conns, "after")
    for m in monitors:
        m.terminate()
        said = [x for x in m.communicate()[0].splitlines()
                if "keelson" in x or "proto 75" in x or "75.75" in x or "4b4b" in x or "lookup 75" in x]
        check(not said, "\n".join(said[:20]))
    for c in conns:
        c.close()


def scenario_foreign_changes_are_healed(cluster):
    conns = held_connections(cluster)
    node = cluster.lab.nodes[2]
    node.sysctl("ipv4/conf/eth0/rp_filter", 2)
    before = looked(cluster, node)
    check(all(before.values()), before)
    for damage in (["nft", "delete", "table", "netdev", "keelson"], ["nft", "flush", "chain", "netdev", "keelson", "to-sender"],
                   ["nft", "flush", "map", "netdev", "keelson", "senders"], ["ip", "rule", "del", "pref", "75"],
                   ["ip", "-6", "rule", "del", "pref", "75"], ["ip", "route", "flush", "table", "7501"],
                   ["ip", "neigh", "del", "169.254.75.75", "dev", "eth0"], ["ip", "-6", "neigh", "del", "fe80::4b4b", "dev", "eth0"],
                   ["sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=1"],
                   ["nft", "flush", "map", "ip", "keelson", "senders"], ["nft", "flush", "ruleset"]):
        time.sleep(1.5)     # news of the last repair are over: this damage must be heard of itself
        node.exec(*damage)
        start = time.monotonic()
        wait(lambda: looked(cluster, node) == before, 8,
             lambda: f"{damage}: {looked(cluster, node)} {before} {cluster.log(2)[-800:]}")
        if damage[0] != "nft":
            check(time.monotonic() - start < 1.5, f"{damage}: seen after {time.monotonic() - start:.1f} s only")
        ask_all(conns, f"after {' '.join(damage)}")
    for c in conns:
        c.close()


def scenario_busy_link(cluster):
    """Neighbours that come and go with traffic do not even wake the proxy."""
    node, pid = cluster.lab.nodes[2], cluster.proxies[2].pid

    def wakes():
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])
    time.sleep(2)
    start = wakes()
    time.sleep(2)
    idle = wakes() - start
    for state in ("reachable", "stale", "failed") * 10:
        for i in range(20):
            node.ip("neigh", "replace", f"192.168.50.{150 + i}", "lladdr", "02:ee:00:00:00:01", "dev", "eth0", "nud", state)
    busy = wakes() - start - idle
    node.ip("neigh", "flush", "dev", "eth0", "to", "192.168.50.144/28")
    check(busy < idle + 100, f"600 changes of neighbours woke it {busy} times, {idle} times in 2 s without them")


def looked(cluster, node):
    """What is there, whatever order it is told in."""
    return {what: sorted(x.strip() for x in re.split("[,{}\n]", node.exec(*argv, check=False)))
            for what, argv in look_at(cluster).items()}


def look_at(cluster):
    return {"rules": ["ip", "rule", "show", "pref", "75"], "rules6": ["ip", "-6", "rule", "show", "pref", "75"],
            "routes": ["ip", "route", "show", "table", "7501"], "frames": ["nft", "list", "table", "netdev", "keelson"],
            "hops": ["ip", "neigh", "show", "nud", "permanent", "to", "169.254.75.75"],
            "hops6": ["ip", "-6", "neigh", "show", "nud", "permanent", "to", "fe80::4b4b"],
            "check": ["sysctl", "-n", "net.ipv4.conf.eth0.rp_filter"],
            "senders": ["nft", "list", "map", "ip", "keelson", "senders"]}


def scenario_incapable_peer(cluster):
    """n3 does not return replies: it alone is masqueraded to, and connections go on across the change."""
    cluster.stop(3)
    cluster.start(3, "--return-path-mark=0")
    wait(lambda: not cluster.record(3), 10, "n3 still says that it returns replies")
    wait(lambda: cluster.masqueraded() == {1: 4, 2: 4, 3: 0}, 10, lambda: cluster.masqueraded())
    wait(lambda: len(cluster.elements(1, "ip", "symmetric")) == 2, 5, "symmetric")
    check(not cluster.lab.nodes[3].exec("ip", "rule", "show", "pref", "75"), "a rule stays")
    table(cluster, incapable=(3,))
    cluster.stop(3)
    cluster.start(3)
    cluster.settled(cluster.senders())
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 10, lambda: cluster.masqueraded())


def scenario_node_that_vanishes(cluster):
    """A Node that is deleted and made anew, or says nothing any more: what it passed on before goes on."""
    conns = held_connections(cluster)
    ask_all(conns, "before")
    cluster.call("DELETE", "/api/v1/nodes/n1")
    wait(lambda: not [e for e in cluster.elements(2, "ip", "senders") if "02:00:00:00:00:01" in str(e)], 10, "n1 is known still")
    ask_all(conns, "without the Node")
    cluster.add_node(1)
    cluster.settled(cluster.senders())
    ask_all(conns, "with the Node again")
    cluster.stop(1)
    cluster.start(1, "--return-path-mark=0")
    wait(lambda: cluster.masqueraded() == {1: 0, 2: 4, 3: 4}, 20, lambda: cluster.masqueraded())
    ask_all(conns, "while n1 returns nothing")
    cluster.stop(2, signal.SIGKILL)
    cluster.start(2)
    wait(lambda: cluster.masqueraded().get(2) == 4, 20, lambda: cluster.masqueraded())
    ask_all(conns, "after n2's proxy restarted")
    cluster.stop(1)
    cluster.start(1)
    cluster.settled(cluster.senders())
    ask_all(conns, "when n1 returns replies again")
    for c in conns:
        c.close()
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())


def scenario_lost_while_away(cluster):
    """Somebody flushes everything while the proxy is dead: the marks are the same again."""
    conns = held_connections(cluster)
    ask_all(conns, "before")
    for damage in (["nft", "delete", "table", "netdev", "keelson"], ["ip", "rule", "del", "pref", "75"],
                   ["ip", "route", "flush", "table", "7501"], ["nft", "flush", "ruleset"]):
        cluster.stop(2, signal.SIGKILL)
        cluster.lab.nodes[2].exec(*damage)
        cluster.start(2)
        wait(lambda: cluster.masqueraded().get(2) == 0, 20, lambda: cluster.masqueraded())
        time.sleep(1)
        ask_all(conns, f"after {' '.join(damage)}")
    for c in conns:
        c.close()


def scenario_dead_nodes(cluster):
    """Hundreds of Nodes whose machines are off: a new life serves at once, and the living ones keep their clients."""
    n1 = cluster.lab.nodes[1]
    names = [f"dead{i}" for i in range(400)]
    n1.ip("addr", "add", "192.168.48.1/22", "dev", "eth0")
    n1.ip("-6", "addr", "add", "fd50::1:1/64", "dev", "eth0", "nodad")
    info = cluster.node(1)["status"]["nodeInfo"]
    for i, name in enumerate(names):
        four, six = f"192.168.{48 + i // 250}.{2 + i % 250}", f"fd50::dead:{i}"
        links = {a: f"02:dd:00:00:{i >> 8:02x}:{i & 255:02x}" for a in (four, six)}
        said = json.dumps({"bootID": cluster.boot_id(), "links": links})
        cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "annotations": {"keelson.io/return-path": said}}})
        status = {"addresses": [{"type": "InternalIP", "address": a} for a in (four, six)], "nodeInfo": info}
        cluster.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, "application/merge-patch+json")
    try:
        wait(lambda: len(cluster.elements(1, "ip", "senders")) > len(names), 10, "senders")
        cluster.stop(1, signal.SIGKILL)
        seen, start = cluster.log(1).count("programming starts"), time.monotonic()
        cluster.start(1)
        wait(lambda: cluster.log(1).count("programming starts") > seen, 30, lambda: cluster.log(1)[-800:])
        check(time.monotonic() - start < 7, f"services wait {time.monotonic() - start:.1f} s")
        wait(lambda: cluster.masqueraded().get(1) == 2 * len(names), 20, lambda: cluster.masqueraded())
    finally:
        for name in names:
            cluster.call("DELETE", f"/api/v1/nodes/{name}")
        n1.ip("addr", "del", "192.168.48.1/22", "dev", "eth0")
        n1.ip("-6", "addr", "del", "fd50::1:1/64", "dev", "eth0")
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())


def scenario_numbers_of_somebody_else(cluster):
    """Packets that somebody numbers for traffic control, without an IP rule: none is lost."""
    n2 = cluster.lab.nodes[2]
    for number in ("0x5", "0x37f", "0x4000"):
        n2.exec("nft", f"""
            table inet somebody {{
                chain f {{ type filter hook forward priority 0; ct mark 0 meta mark set {number}; }}
                chain o {{ type filter hook output priority 0; ct mark 0 meta mark set {number}; }}
            }}""")
        try:
            for ns in ("p21", "n2"):
                for family in FAMILIES:
                    front = ("192.168.50.3", 30000 + cluster.ports["third"]) if family == "IPv4" else \
                        ("fd50::3", 30000 + cluster.ports["third"])
                    got = cluster.netlab.probe(cluster.ns(ns), "TCP", *front, timeout=1.5)
                    check(isinstance(got, tuple) and got[0] == "third", f"{ns} {family} mark {number}: {got}")
        finally:
            n2.exec("nft", "delete table inet somebody")


def scenario_marks_that_are_overwritten(cluster):
    """Somebody gives every packet a mark of its own when its route is chosen: replies go the way they came all the same."""
    n2 = cluster.lab.nodes[2]
    n2.exec("nft", """
        table inet somebody {
            chain f { type filter hook forward priority 0; meta mark set 0x80005; }
            chain o { type filter hook output priority 0; meta mark set 0x5; }
            chain p { type filter hook postrouting priority 200; meta mark set 0x7f; }
        }""")
    try:
        for place in ("remote", "host"):
            for proto in ("TCP", "UDP"):
                for family in FAMILIES:
                    got = cluster.netlab.probe(cluster.lab.client, proto, *front_of(cluster, place, "NodePort", family), timeout=1.5)
                    check(got == (place, SOURCES["client"][FIELD[family]]), f"{place} {proto} {family}: {got}")
    finally:
        n2.exec("nft", "delete table inet somebody")


def scenario_marks_of_somebody_else(cluster):
    """An IP rule that looks at our bits: told, taken back, and again when it is gone."""
    n3 = cluster.lab.nodes[3]
    n3.ip("rule", "add", "pref", "900", "fwmark", "0x100/0xf00", "lookup", "main")
    wait(lambda: "choose bits that nobody uses" in cluster.log(3), 10, lambda: cluster.log(3)[-600:])
    wait(lambda: not cluster.record(3), 10, "n3 still says that it returns replies")
    wait(lambda: cluster.masqueraded()[1] == 4, 10, lambda: cluster.masqueraded())
    wait(lambda: len(cluster.elements(1, "ip", "symmetric")) == 2, 5, "symmetric")
    got = cluster.netlab.probe(cluster.lab.client, "TCP", *front_of(cluster, "third", "NodePort", "IPv4"))
    check(got == ("third", "192.168.50.1"), got)
    check(not n3.exec("ip", "rule", "show", "pref", "75"), "somebody else's packets are taken for replies")
    n3.ip("rule", "del", "pref", "900")
    wait(lambda: cluster.record(3), 40, "n3 says nothing again")
    cluster.settled(cluster.senders())


def scenario_no_forwarding(cluster):
    """A node that passes nothing on promises nothing."""
    cluster.lab.nodes[3].sysctl("ipv4/ip_forward", 0)
    cluster.stop(3)
    cluster.start(3)
    wait(lambda: "ipv4/ip_forward is 0" in cluster.log(3), 10, lambda: cluster.log(3)[-600:])
    wait(lambda: not cluster.record(3), 10, "n3 still says that it returns replies")
    cluster.lab.nodes[3].sysctl("ipv4/ip_forward", 1)
    wait(lambda: cluster.record(3), 40, "n3 says nothing again")
    cluster.settled(cluster.senders())


def scenario_fabric_with_source_checks(cluster):
    """A switch that lets n3 send for itself and its pods only, as clouds do: told, and masqueraded; so toward it."""
    sw = cluster.lab.sw
    sw.exec("nft", """
        table bridge fabric {
            chain c { type filter hook forward priority 0; policy accept;
                iifname p3 ip saddr != { 192.168.50.3, 10.244.3.0/24 } drop
                iifname p3 ip6 saddr != { fe80::/10, fd50::3, fd44:3::/64 } drop
            }
        }""")
    try:
        # what was proven before holds until it is asked again
        cluster.stop(3)
        cluster.start(3)
        wait(lambda: cluster.masqueraded().get(3) == 8, 20, lambda: f"{cluster.masqueraded()} {cluster.log(3)[-800:]}")
        wait(lambda: cluster.log(3).count("does not answer to a source that is no node") >= 8, 15, lambda: cluster.log(3)[-800:])
        wait(lambda: not cluster.elements(3, "ip", "symmetric"), 5, "symmetric")
        for place in ("local", "remote", "host"):
            number = cluster.ports[place]
            for proto in ("TCP", "UDP"):
                got = cluster.netlab.probe(cluster.lab.client, proto, "192.168.50.3", 30000 + number, timeout=1.5)
                check(got == (place, "192.168.50.3"), f"{place} {proto} through n3: {got}")
    finally:
        sw.exec("nft", "delete table bridge fabric")
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 90, lambda: cluster.masqueraded())


def scenario_fabric_with_its_own_address(cluster):
    """A switch whose frames carry its own Ethernet address: nobody knows who sent them."""
    cluster.lab.sw.exec("nft", """
        table bridge fabric {
            chain c { type filter hook postrouting priority 0; policy accept;
                oifname { p2, p3 } ether saddr 02:00:00:00:00:01 ether saddr set 02:99:00:00:00:01
            }
        }""")
    try:
        cluster.stop(1)
        cluster.start(1)
        wait(lambda: cluster.masqueraded().get(1) == 8, 20, lambda: f"{cluster.masqueraded()} {cluster.log(1)[-800:]}")
        wait(lambda: not cluster.elements(1, "ip", "symmetric"), 5, "symmetric")
        for place in ("remote", "third", "host"):
            got = cluster.netlab.probe(cluster.lab.client, "TCP", *front_of(cluster, place, "NodePort", "IPv4"), timeout=1.5)
            check(got == (place, "192.168.50.1"), f"{place}: {got}")
    finally:
        cluster.lab.sw.exec("nft", "delete table bridge fabric")
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 90, lambda: cluster.masqueraded())


def scenario_cleanup_takes_back(cluster):
    cluster.stop(3)
    done = cluster.lab.nodes[3].exec(cluster.program, "--cleanup", f"--kubeconfig={cluster.api.path('node3.kubeconfig')}",
                                     "--hostname-override=n3")
    check(not cluster.record(3), done)
    check("keelson" not in cluster.nft(3), cluster.nft(3)[:500])
    check(not cluster.lab.nodes[3].exec("ip", "rule", "show", "pref", "75"), "a rule stays")
    cluster.start(3)
    cluster.settled(cluster.senders())


def scenario_address_that_no_node_names(cluster):
    """n3 calls another node's port from an address of its own that its Node does not name, for a pod of its own."""
    n3 = cluster.lab.nodes[3]
    n3.ip("addr", "add", "198.51.100.33/32", "dev", "lo")
    for n in (1, 2):
        cluster.lab.nodes[n].ip("route", "add", "198.51.100.33", "via", "192.168.50.3")
    wait(lambda: "198.51.100.33" in (cluster.record(3) or ""), 10, lambda: cluster.record(3))
    wait(lambda: "198.51.100.33" in cluster.nft(1, "list", "set", "ip", "keelson", "same-node"), 10, "n1 does not know it")
    number = cluster.ports["third"]
    for port, seen in ((30000 + number, "192.168.50.1"), (30000 + cluster.ports["remote"], "198.51.100.33")):
        with n3.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(2)
            s.bind(("198.51.100.33", 0))
            s.connect(("192.168.50.1", port))
            s.sendall(b"?")
            got = json.loads(s.recv(2048))
        check(got[1] == seen, f"{port}: {got}")
    n3.ip("addr", "del", "198.51.100.33/32", "dev", "lo")
    for n in (1, 2):
        cluster.lab.nodes[n].ip("route", "del", "198.51.100.33")


def scenario_shared_credentials(cluster):
    """What all proxies share may change that annotation, and nothing else of a Node."""
    cluster.api.cert("shared", "/CN=system:kube-proxy")
    config = cluster.api.kubeconfig("shared.kubeconfig", "client-certificate: shared.crt, client-key: shared.key")

    def patch(metadata, kind="--type=merge", spec=None):
        body = {"metadata": metadata, **({"spec": spec} if spec else {})}
        return subprocess.run([os.path.join(apiserver.BIN, "kubectl"), "--kubeconfig", config, "patch", "node", "n1", kind, "-p",
                               json.dumps(body)], capture_output=True, text=True)
    wait(lambda: "may change the annotation" in patch({"labels": {"taken": "over"}}).stderr, 20, "a label is taken")
    for metadata, spec in (({"annotations": {"other": "x"}}, None), ({}, {"unschedulable": True}), ({"finalizers": ["x.io/y"]}, None),
                           ({"annotations": {"keelson.io/return-path": "x"}, "labels": {"a": "b"}}, None)):
        done = patch(metadata, spec=spec)
        check("may change the annotation" in done.stderr, f"{metadata} {spec}: {done.stdout}{done.stderr}")
    mine = cluster.record(1)
    done = patch({"annotations": {"keelson.io/return-path": mine + " "}})
    check(done.returncode == 0, done.stderr)
    wait(lambda: cluster.record(1) == mine, 10, "the proxy does not put its own word back")
    cluster.settled(cluster.senders())


def scenario_without_the_right(cluster):
    """Credentials that may not patch Nodes: told once, masqueraded both ways, everything answers."""
    cluster.stop(3)
    cluster.call("PATCH", "/api/v1/nodes/n3", {"metadata": {"annotations": {"keelson.io/return-path": None}}},
                 "application/merge-patch+json")
    cluster.call("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/keelson:return-path")
    cluster.start(3)
    wait(lambda: "the right to patch nodes" in cluster.log(3), 15, lambda: cluster.log(3)[-600:])
    got = cluster.netlab.probe(cluster.lab.client, "TCP", *front_of(cluster, "third", "NodePort", "IPv4"))
    check(got == ("third", "192.168.50.1"), got)
    check(cluster.log(3).count("the right to patch nodes") == 1, "told more than once")
    cluster.credentials()


def scenario_devices_come_and_go(cluster):
    """The tunnel is made anew, with another index: the marks find their device again."""
    cluster.lab.nodes[2].ip("link", "del", "flannel.1")
    time.sleep(1)
    cluster.lab.nodes[2].ip("link", "add", "flannel.1", "address", cluster.mac(2), "type", "vxlan", "id", "1", "dstport", "8472",
                            "local", "192.168.50.2", "dev", "eth0", "nolearning")
    node = cluster.lab.nodes[2]
    node.ip("addr", "add", "10.244.2.0/32", "dev", "flannel.1")
    node.ip("link", "set", "flannel.1", "up")
    node.ip("addr", "add", "fd44:2::/128", "dev", "flannel.1", "nodad")
    for m in (1, 3):
        node.exec("bridge", "fdb", "append", cluster.mac(m), "dev", "flannel.1", "dst", f"192.168.50.{m}")
        for family, net, via in (("-4", f"10.244.{m}.0/24", f"10.244.{m}.0"), ("-6", f"fd44:{m}::/64", f"fd44:{m}::")):
            node.ip(family, "neigh", "replace", via, "lladdr", cluster.mac(m), "dev", "flannel.1", "nud", "permanent")
            node.ip(family, "route", "replace", net, "via", via, "dev", "flannel.1", "onlink")
    time.sleep(1)
    cluster.settled(cluster.senders())
    wait(lambda: cluster.netlab.probe(cluster.lab.client, "TCP", *front_of(cluster, "remote", "NodePort", "IPv4"))
         == ("remote", "192.168.50.100"), 10, lambda: cluster.nft(2)[-1500:])
    table(cluster)


def scenario_tunnel_end_changes(cluster):
    """n2's tunnel end has another Ethernet address; nothing but the others' neighbours says so."""
    new, n2 = "02:bb:00:00:00:02", cluster.lab.nodes[2]
    permanent = [(m, f, via) for m in (1, 3) for f, via in (("-4", f"10.244.{m}.0"), ("-6", f"fd44:{m}::"))]
    time.sleep(3)
    n2.ip("link", "set", "flannel.1", "address", new)
    for m, family, via in permanent:    # the kernel forgot them
        n2.ip(family, "neigh", "replace", via, "lladdr", cluster.mac(m), "dev", "flannel.1", "nud", "permanent")
    for m in (1, 3):
        node = cluster.lab.nodes[m]
        for family, via in (("-4", "10.244.2.0"), ("-6", "fd44:2::")):
            node.ip(family, "neigh", "replace", via, "lladdr", new, "dev", "flannel.1", "nud", "permanent")
        node.exec("bridge", "fdb", "append", new, "dev", "flannel.1", "dst", "192.168.50.2")
        node.exec("bridge", "fdb", "del", cluster.mac(2), "dev", "flannel.1", "dst", "192.168.50.2")
    for place in ("local", "third"):
        for family, address in (("IPv4", "192.168.50.2"), ("IPv6", "fd50::2")):
            want = (place, SOURCES["client"][FIELD[family]])
            wait(lambda: cluster.netlab.probe(cluster.lab.client, "TCP", address, 30000 + cluster.ports[place]) == want, 8,
                 lambda: f"{place} {family}: {cluster.elements(1, 'ip', 'senders')}")


LABS = (
    (Link, (scenario_table, returnzones.scenario_one_port_two_nodes, returnzones.scenario_known_in_midstream,
            returnzones.scenario_large_packets, returnzones.scenario_errors_about_connections, returnzones.scenario_fails_at_first,
            scenario_policy_local, scenario_restart_changes_nothing, scenario_foreign_changes_are_healed,
            scenario_busy_link,
            scenario_incapable_peer, scenario_node_that_vanishes, scenario_lost_while_away, scenario_dead_nodes,
            scenario_numbers_of_somebody_else, scenario_marks_that_are_overwritten, scenario_marks_of_somebody_else, scenario_no_forwarding,
            scenario_fabric_with_source_checks, scenario_fabric_with_its_own_address,
            scenario_address_that_no_node_names,
            scenario_cleanup_takes_back, scenario_shared_credentials, scenario_without_the_right)),
    (OneExit, (scenario_table, returnexits.scenario_no_rules, returnzones.scenario_one_port_two_nodes,
               returnexits.scenario_another_exit, returnexits.scenario_routes_to_pods_are_no_exits, returnexits.scenario_pod_of_no_range,
               returnexits.scenario_upgrade, returnexits.scenario_source_of_probes_is_healed,
               scenario_restart_changes_nothing, scenario_marks_that_are_overwritten,
               returnexits.scenario_cleanup_takes_the_source_back, returnexits.scenario_default_route_away_for_a_moment)),
    (Foreign, (scenario_table, returnzones.scenario_one_port_two_nodes, returnzones.scenario_known_in_midstream,
            scenario_restart_changes_nothing, scenario_devices_come_and_go, scenario_tunnel_end_changes)),
    (Routed, (scenario_table, returnzones.scenario_one_port_two_nodes, scenario_restart_changes_nothing)),
)


def run_lab(kind, scenarios, program, chosen):
    failed, cluster = [], kind(program)
    try:
        prepare(cluster)
        for scenario in scenarios:
            name = f"{kind.__name__} {scenario.__name__.removeprefix('scenario_')}"
            if chosen and scenario is not scenarios[0] and scenario.__name__.removeprefix("scenario_") not in chosen:
                continue
            start = time.monotonic()
            try:
                scenario(cluster)
                verdict = "ok"
            except (Failed, OSError, subprocess.CalledProcessError) as failure:
                verdict = f"FAILED: {failure}"
                failed.append(name)
            print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    finally:
        cluster.close()
    return failed


def main():
    """A lab a process: the namespace of the first one would be the next one's home."""
    program, chosen = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = 0
    for kind, scenarios in LABS:
        if chosen and kind.__name__ not in chosen:
            continue
        child = os.fork()
        if not child:
            os._exit(1 if run_lab(kind, scenarios, program, chosen[1:]) else 0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 77:
            return 77
        failed |= status
    return failed


if __name__ == "__main__":
    sys.exit(main())
