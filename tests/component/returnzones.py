"""Connections that a client's one address and port has by several nodes: scenarios of returnpath.py."""
import json
import signal
import subprocess
import time

from returnlab import FAMILIES, FIELD, PLACES, PORT, SOURCES, front_of
from waiting import check, wait

UNNAMED = ("172.20.1.1", "fd99::1")


def named(conn, what, want=None):
    """(connection, what it must hear, what it is)"""
    return conn, want or conn.ask(), what


def hear_all(conns, when):
    for _ in range(2):
        for c, want, what in conns:
            try:
                got = c.ask()
            except OSError as e:
                got = e
            check(got == want, f"{when}: {what}: {got}")


def same_port_connections(cluster):
    """From one port of the client to one endpoint of another node: by two nodes, and by one of them in two ways."""
    conns, port = [], 20000
    places = {"third": 2} if cluster.more else {"third": 2, "host": 3}   # n3 masquerades where it stands behind a router
    for proto in ("TCP", "UDP"):
        for family in FAMILIES:
            for place, other in places.items():
                port += 1
                for to in (front_of(cluster, place, "NodePort", family), front_of(cluster, place, "LoadBalancer", family),
                           (cluster.node_addresses(other)[FIELD[family] - 1], 30000 + cluster.ports[place])):
                    conns.append(named(cluster.netlab.Conn(cluster.lab.client, proto, *to, timeout=2, source_port=port),
                                       f"{proto} {family} to {to}", (place, SOURCES["client"][FIELD[family]])))
    return conns


def forgotten(cluster, n, peer):
    """Of each address of that peer that has a zone at n: whether it is kept only for the sake of what lives."""
    own = {link["address"] for link in json.loads(cluster.lab.nodes[peer].ip("-j", "link", "show")) if link["ifname"] != "lo"}
    found = [(s == "former-senders", "timeout" in str(e)) for f in ("ip", "ip6") for s in ("senders", "former-senders")
             for e in cluster.elements(n, f, s) if any(mac in str(e) for mac in own)]
    check(len(found) > 1, f"n{n} has no zone for n{peer}")
    check(all(former == fades for former, fades in found), f"{found}")
    return [former for former, _ in found]


def lifetimes(cluster, n):
    """How long what n keeps of forgotten nodes stays, in seconds, by set and element."""
    return {(f, str(e["elem"]["val"])): e["elem"]["expires"] for f in ("ip", "ip6")
            for e in cluster.elements(n, f, "former-senders") if "elem" in e}


def used_is_kept(cluster, n, conns, when):
    """Who is forgotten is remembered anew with every packet that comes by it: a connection may live for weeks."""
    time.sleep(3)
    before = lifetimes(cluster, n)
    hear_all(conns, when)
    after = lifetimes(cluster, n)
    renewed = [f for f, e in before if after[f, e] > before[f, e]]
    check(before and set(renewed) == {"ip", "ip6"}, f"{when}: {before} {after}")


def forget_node(cluster, n, peer):
    cluster.call("DELETE", f"/api/v1/nodes/n{peer}")
    wait(lambda: all(forgotten(cluster, n, peer)), 10, lambda: cluster.elements(n, "ip", "former-senders"))


def know_node(cluster, n, peer):
    cluster.add_node(peer)
    cluster.settled(cluster.senders())
    wait(lambda: not any(forgotten(cluster, n, peer)), 10, lambda: cluster.elements(n, "ip", "former-senders"))


def wait_healed(cluster, n):
    wait(lambda: cluster.nft(n).count("set former-senders ") == 2, 8, "the table is not healed")
    time.sleep(0.5)
    check(not any(forgotten(cluster, n, 1)), "n1 is forgotten")


def restart_in_silence(cluster, n, conns, when):
    monitor = cluster.lab.nodes[n].popen(["nft", "monitor"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(0.5)
    cluster.stop(n, signal.SIGKILL)
    hear_all(conns, when + ", the proxy is away")
    cluster.start(n)
    wait(lambda: cluster.masqueraded().get(n) is not None, 10, "metrics")
    time.sleep(5)
    monitor.terminate()
    said = [x for x in monitor.communicate()[0].splitlines() if "keelson" in x]
    check(not said, "\n".join(said[:20]))
    hear_all(conns, when + ", after a restart")


def scenario_one_port_two_nodes(cluster):
    """One address and port of a client by two nodes to one endpoint: two connections, whatever becomes of the nodes."""
    conns = same_port_connections(cluster)
    hear_all(conns, "at first")
    check(not any(forgotten(cluster, 3, 1)), "n1 is forgotten")
    restart_in_silence(cluster, 3, conns, "with the Node")
    if not cluster.more:    # our own pod network leads to Nodes only
        forget_node(cluster, 3, 1)
        used_is_kept(cluster, 3, conns, "without the Node")
        restart_in_silence(cluster, 3, conns, "without the Node")
        know_node(cluster, 3, 1)
        hear_all(conns, "with the Node again")
    cluster.stop(1)
    cluster.start(1, "--return-path-mark=0")
    wait(lambda: not cluster.record(1), 10, "n1 still says that it returns replies")
    time.sleep(1)
    hear_all(conns, "while n1 returns nothing")
    cluster.stop(1)
    cluster.start(1)
    cluster.settled(cluster.senders())
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())
    cluster.lab.nodes[3].exec("nft", "flush", "ruleset")
    wait_healed(cluster, 3)
    hear_all(conns, "after a flush")
    for c, _, _ in conns:
        c.close()


def scenario_large_packets(cluster):
    """Requests that travel in pieces, from one port by two nodes."""
    for port, family in enumerate(FAMILIES, 22000):
        own, number = SOURCES["client"][FIELD[family]], 30000 + cluster.ports["third"]
        conns = [cluster.netlab.Conn(cluster.lab.client, "UDP", cluster.node_addresses(n)[FIELD[family] - 1], number, timeout=2,
                                     source_port=port) for n in (1, 2)]
        for c in conns * 2:
            c.s.sendall(4000 * b"?")
            got = json.loads(c.s.recv(2048))
            check(got == ["third", own], f"{c.s}: {got}")
        for c in conns:
            c.close()


def scenario_errors_about_connections(cluster):
    """What n1 says of a connection that it passes on to n3, or of one that n3 makes, belongs to that."""
    n1, n3 = cluster.lab.nodes[1], cluster.lab.nodes[3]
    n3.exec("nft", """
        table inet somebody {
            chain f {
                type filter hook forward priority 0;
                meta l4proto { icmp, icmpv6 } ct state related counter
                meta l4proto { icmp, icmpv6 } ct state invalid counter drop
            }
        }""")

    def seen():
        """Errors that belong to a connection, and others."""
        rules = json.loads(n3.exec("nft", "-j", "list", "table", "inet", "somebody"))["nftables"]
        return [e["counter"]["packets"] for r in rules if "rule" in r for e in r["rule"]["expr"] if "counter" in e]
    nowhere = {"-4": "198.51.100.77", "-6": "fd99::77"}
    gone = {"-4": SOURCES["client"][1], "-6": SOURCES["client"][2]}
    conns = [cluster.netlab.Conn(cluster.lab.client, proto, *front_of(cluster, "third", "NodePort", family), timeout=2)
             for proto in ("UDP", "TCP") for family in FAMILIES]
    for c in conns:
        c.ask()
    own = [cluster.netlab.Conn(cluster.ns("p31"), "UDP", to, 9) for to in nowhere.values()]
    try:
        for family in ("-4", "-6"):
            n1.ip(family, "route", "add", "unreachable", gone[family])
            n1.ip(family, "route", "add", "unreachable", nowhere[family])
            n3.ip(family, "route", "add", nowhere[family], "via", "192.168.50.1" if family == "-4" else "fd50::1")
        for c in own + conns:
            before = seen()
            c.s.sendall(b"?")
            wait(lambda: seen() != before, 3, lambda: f"{c.s}: no error")
            check(not seen()[1], f"{c.s}: an error of no connection")
    finally:
        for family in ("-4", "-6"):
            n1.ip(family, "route", "del", "unreachable", gone[family])
            n1.ip(family, "route", "del", "unreachable", nowhere[family])
            n3.ip(family, "route", "del", nowhere[family])
        n3.exec("nft", "delete", "table", "inet", "somebody")
    for c in conns + own:
        c.close()


def scenario_fails_at_first(cluster):
    """A new life whose first look fails leaves what live connections use."""
    n2 = cluster.lab.nodes[2]
    conns = [named(cluster.netlab.Conn(cluster.lab.client, proto, *front_of(cluster, "host", "NodePort", family), timeout=2),
                   f"{proto} {family}") for proto in ("TCP", "UDP") for family in FAMILIES]
    cluster.stop(2, signal.SIGKILL)
    n2.sysctl("ipv4/ip_forward", 0)
    seen = cluster.log(2).count("ipv4/ip_forward is 0")
    cluster.start(2)
    wait(lambda: cluster.log(2).count("ipv4/ip_forward is 0") > seen, 10, lambda: cluster.log(2)[-800:])
    time.sleep(1)
    hear_all(conns, "after a failure")
    n2.sysctl("ipv4/ip_forward", 1)
    cluster.settled(cluster.senders())
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())
    hear_all(conns, "after another try")
    for c, _, _ in conns:
        c.close()


def routes_back(node):
    """To the pods of n1: arguments of ip(8)."""
    return [(family, node.ip(family, "route", "show", net).splitlines()[0].split())
            for family, net in (("-4", "10.244.1.0/24"), ("-6", "fd44:1::/64"))]


def add_unnamed_pod_addresses(cluster):
    """Addresses of p11 that lie in no range of n1's, as pod networks with ranges of their own have them."""
    for (family, words), address in zip(routes_back(cluster.lab.nodes[2]), UNNAMED):
        cluster.lab.pods["p11"].ip(family, "addr", "add", address, "dev", "eth0", *(["nodad"] if family == "-6" else []))
        near = cluster.lab.nodes[1].ip(family, "route", "show", "dev", "v11").split()[0]
        mac = cluster.lab.nodes[1].ip(family, "neigh", "show", near).split("lladdr ")[1].split()[0]
        cluster.lab.nodes[1].ip(family, "neigh", "replace", address, "lladdr", mac, "dev", "v11", "nud", "permanent")
        cluster.lab.nodes[1].ip(family, "route", "add", address, "dev", "v11")
        cluster.lab.nodes[2].ip(family, "route", "add", address, *words[1:])


def remove_unnamed_pod_addresses(cluster):
    for family, address, bits in (("-4", UNNAMED[0], 32), ("-6", UNNAMED[1], 128)):
        cluster.lab.pods["p11"].ip(family, "addr", "del", f"{address}/{bits}", "dev", "eth0")
        cluster.lab.nodes[1].ip(family, "route", "del", address)
        cluster.lab.nodes[1].ip(family, "neigh", "del", address, "dev", "v11")
        cluster.lab.nodes[2].ip(family, "route", "del", address)


def midstream_connections(cluster):
    conns = [named(cluster.netlab.Conn(cluster.ns(source), proto, PLACES[place][FIELD[family] + 1], PORT, timeout=2),
                   f"{source} {proto} {family} to {place}")
             for source in ("p11", "n1") for proto in ("TCP", "UDP") for family in FAMILIES for place in ("remote", "host")]
    add_unnamed_pod_addresses(cluster)
    return conns + [named(cluster.netlab.Conn(cluster.ns("p11"), proto, PLACES[place][FIELD[family] + 1], PORT, timeout=2,
                                              source=UNNAMED[FIELD[family] - 1]), f"unnamed {proto} {family} to {place}")
                    for proto in ("TCP", "UDP") for family in FAMILIES for place in ("remote", "host")]


def scenario_known_in_midstream(cluster):
    """What n1 and its pods said before n2 knew it, or say while n2 has no route to them or no Node, goes on."""
    n2 = cluster.lab.nodes[2]
    cluster.stop(2)
    n2.exec(cluster.program, "--cleanup", f"--kubeconfig={cluster.api.path('node2.kubeconfig')}", "--hostname-override=n2")
    n2.exec("nft", """
        table inet somebody {    # connections are tracked and translated all the time
            chain n { type nat hook postrouting priority 0; }
            chain t { type filter hook prerouting priority 0; ct state established accept; }
        }""")
    conns = midstream_connections(cluster)
    cluster.start(2)
    cluster.settled(cluster.senders())
    time.sleep(1)
    hear_all(conns, "when n1 is known")
    routes = routes_back(n2)
    for family, words in routes:
        n2.ip(family, "route", "del", *words)
    wait(lambda: "10.244.1.0/24" not in str(cluster.elements(2, "ip", "direct")), 5, "direct")
    time.sleep(1)
    for family, words in routes:
        n2.ip(family, "route", "add", *words)
    hear_all(conns, "after routes were away")
    forget_node(cluster, 2, 1)
    hear_all(conns, "without the Node")
    restart_in_silence(cluster, 2, conns, "without the Node")
    know_node(cluster, 2, 1)
    hear_all(conns, "with the Node again")
    for table in ("ip", "ip6"):
        n2.exec("nft", "delete", "table", table, "keelson")
    wait_healed(cluster, 2)
    hear_all(conns, "after the table was away")
    for c, _, _ in conns:
        c.close()
    remove_unnamed_pod_addresses(cluster)
    n2.exec("nft", "delete", "table", "inet", "somebody")
