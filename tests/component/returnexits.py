"""Nodes with one way out: replies find the node that passed their connection on without a rule; scenarios of returnpath.py."""
import subprocess
import time

from returnlab import FAMILIES, PLACES, front_of
from waiting import check, wait

FAR = {"IPv4": "198.51.100.9", "IPv6": "fd51::9"}
OTHERS = ("local", "remote", "third", "host")


def rules(cluster, n):
    """Preferences of the rules that n has, by family."""
    return {family: [int(line.split(":")[0]) for line in cluster.lab.nodes[n].ip(family, "rule", "show").splitlines()]
            for family in ("-4", "-6")}


NONE_OF_OURS = {"-4": [0, 32766, 32767], "-6": [0, 32766]}


def has_rules(cluster, n, families=("-4", "-6")):
    return all((75 in seen) == (family in families) for family, seen in rules(cluster, n).items())


def far_connections(cluster):
    """Of a client that every node answers by the router, unless it knows better."""
    return [(place, family, cluster.netlab.Conn(cluster.far, proto, *front_of(cluster, place, "NodePort", family), timeout=2))
            for place in OTHERS for proto in ("TCP", "UDP") for family in FAMILIES]


def ask_all(conns, when):
    for place, family, conn in conns:
        try:
            got = conn.ask()
        except OSError as e:
            got = e
        check(got == (place, FAR[family]), f"{when}: {place} {family}: {got}")


def scenario_no_rules(cluster):
    """Clients on the link and behind the router keep their addresses, and the namespace is as if nobody routed by marks."""
    for n in cluster.node_of:
        check(rules(cluster, n) == NONE_OF_OURS, f"n{n}: {rules(cluster, n)}")
        local = cluster.lab.nodes[n].ip("route", "show", "table", "local", "proto", "75")
        check(not local, f"n{n} has a local route that the kernel did not make: {local}")
    conns = far_connections(cluster)
    ask_all(conns, "without rules")
    for _, _, conn in conns:
        conn.close()


def scenario_another_exit(cluster):
    """Routes by another device, rules of somebody else: a rule of ours as long as they are there, and no connection ends."""
    n2, conns = cluster.lab.nodes[2], far_connections(cluster)
    n2.ip("link", "add", "wg0", "type", "bridge")
    n2.ip("link", "set", "wg0", "up")
    for come, go, families in (
            (("-4", "route", "add", "203.0.114.0/24", "dev", "wg0"), ("-4", "route", "del", "203.0.114.0/24"), ("-4",)),
            # the way to the client itself leads elsewhere
            (("-4", "route", "add", "198.51.100.0/24", "dev", "wg0"), ("-4", "route", "del", "198.51.100.0/24"), ("-4",)),
            (("-6", "route", "add", "fd51::/64", "dev", "wg0"), ("-6", "route", "del", "fd51::/64"), ("-6",)),
            (("-4", "route", "add", "203.0.114.0/24", "nexthop", "via", "192.168.50.254", "dev", "eth0", "nexthop", "dev", "wg0"),
             ("-4", "route", "del", "203.0.114.0/24"), ("-4",)),
            # for some packets only
            (("-4", "route", "add", "203.0.114.0/24", "tos", "0x10", "via", "192.168.50.254"),
             ("-4", "route", "del", "203.0.114.0/24", "tos", "0x10"), ("-4",)),
            (("-4", "route", "add", "blackhole", "203.0.114.0/24"), ("-4", "route", "del", "203.0.114.0/24"), ("-4",)),
            (("-4", "rule", "add", "pref", "100", "from", "10.0.0.0/8", "lookup", "100"), ("-4", "rule", "del", "pref", "100"), ("-4",)),
            (("-4", "route", "replace", "default", "dev", "wg0"), ("-4", "route", "replace", "default", "via", "192.168.50.254"), ("-4",))):
        ask_all(conns, f"before {come}")
        n2.ip(*come)
        wait(lambda: has_rules(cluster, 2, families), 3, lambda: f"{come}: {rules(cluster, 2)}")
        ask_all(conns, f"with {come}")
        n2.ip(*go)
        wait(lambda: rules(cluster, 2) == NONE_OF_OURS, 3, lambda: f"{go}: {rules(cluster, 2)}")
        time.sleep(1)
    n2.ip("link", "del", "wg0")
    ask_all(conns, "in the end")
    for _, _, conn in conns:
        conn.close()


def scenario_routes_to_pods_are_no_exits(cluster):
    """What leads to the node's own pods, to itself, or by several routers to the same link, is no other way out."""
    n2 = cluster.lab.nodes[2]
    n2.ip("link", "add", "cni0", "type", "bridge")
    n2.ip("link", "set", "cni0", "up")
    n2.ip("route", "add", "10.244.2.128/25", "dev", "cni0")
    # the kernel has a route to each in the main table, as to ::1 where lo was up later than that
    for dev in ("lo", "cni0"):
        n2.ip("addr", "add", f"fd77::{dev[-1:].replace('o', '1')}/128", "dev", dev, "nodad")
    check("fd77::1 dev lo" in n2.ip("-6", "route", "show"), "there is no such route")
    # several routers on the one link
    for family, to, via in (("-4", "203.0.114.0/24", "192.168.50.{}"), ("-6", "fd78::/64", "fd50::{}")):
        n2.ip(family, "route", "add", to, *(word for last in (1, 254) for word in ("nexthop", "via", via.format(last), "dev", "eth0")))
    time.sleep(2)
    check(rules(cluster, 2) == NONE_OF_OURS, f"{rules(cluster, 2)}")
    n2.ip("route", "del", "203.0.114.0/24")
    n2.ip("-6", "route", "del", "fd78::/64")
    n2.ip("addr", "del", "fd77::1/128", "dev", "lo")
    n2.ip("link", "del", "cni0")
    check(PLACES["remote"][0] == 2, "the endpoint is elsewhere")


def scenario_pod_of_no_range(cluster):
    """A pod with an address of no range of its node calls another node, whose service leads back to the pod's own node."""
    n2, pod = cluster.lab.nodes[2], cluster.lab.ns("odd")
    pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "odd", "netns", n2.name)
    pod.ip("addr", "add", "10.9.0.7/32", "dev", "eth0")
    pod.ip("link", "set", "eth0", "up")
    pod.ip("route", "add", "169.254.1.1", "dev", "eth0")
    pod.ip("route", "add", "default", "via", "169.254.1.1")
    n2.ip("link", "set", "odd", "up")
    n2.sysctl("ipv4/conf/odd/proxy_arp", 1)
    n2.ip("route", "add", "10.9.0.7", "dev", "odd")
    for n in (1, 3):
        cluster.lab.nodes[n].ip("route", "add", "10.9.0.7", "via", "192.168.50.2")
    time.sleep(2)
    try:
        for place in ("host", "remote", "third", "local"):
            for proto in ("TCP", "UDP"):
                got = cluster.netlab.probe(pod, proto, *front_of(cluster, place, "NodePort", "IPv4"), timeout=1.5)
                check(got == (place, "10.9.0.7"), f"{place} {proto}: {got}")
    finally:
        n2.ip("link", "del", "odd")
        for n in (1, 3):
            cluster.lab.nodes[n].ip("route", "del", "10.9.0.7")
    wait(lambda: rules(cluster, 2) == NONE_OF_OURS, 3, lambda: f"{rules(cluster, 2)}")


def made_rules(node, do):
    """Rules that came while that was done."""
    monitor = node.popen(["ip", "monitor", "rule"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(0.3)
    do()
    monitor.terminate()
    return [line for line in monitor.communicate()[0].splitlines() if "75:" in line and "Deleted" not in line]


def scenario_default_route_away_for_a_moment(cluster):
    """Links go down and up, their configuration is read again: no rule of a moment makes each lookup slower for good."""
    n2 = cluster.lab.nodes[2]
    fourth, sixth = ("-4", "route", "add", "default", "via", "192.168.50.254"), ("-6", "route", "add", "default", "via", "fd50::254")

    def alone():
        """The life that has made a rule once makes the next one at once."""
        cluster.stop(2)
        cluster.start(2)
        wait(lambda: cluster.masqueraded().get(2) == 0, 20, lambda: cluster.masqueraded())
        time.sleep(1)

    def down():
        n2.ip("link", "set", "eth0", "down")
        time.sleep(1.5)
        n2.ip("link", "set", "eth0", "up")
        n2.ip("addr", "add", "fd50::2/64", "dev", "eth0", "nodad")
        for m in (1, 3):
            n2.ip("route", "add", f"10.244.{m}.0/24", "via", f"192.168.50.{m}")
            n2.ip("-6", "route", "add", f"fd44:{m}::/64", "via", f"fd50::{m}")
        time.sleep(2)
        n2.ip(*fourth)
        n2.ip(*sixth)
        time.sleep(1)

    def away(seconds):
        for route in fourth, sixth:
            n2.ip(route[0], "route", "del", "default")
        time.sleep(seconds)
        for route in fourth, sixth:
            n2.ip(*route)
        time.sleep(1)

    def start():
        cluster.stop(2)
        for route in fourth, sixth:
            n2.ip(route[0], "route", "del", "default")
        cluster.start(2)
        time.sleep(3)
        for route in fourth, sixth:
            n2.ip(*route)
        time.sleep(1)
    alone()
    for do in (lambda: away(2), start, down):
        made = made_rules(n2, do)
        check(not made, made)
    time.sleep(3)       # n2 could not say before that it promises nothing without its link
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 90, lambda: f"{cluster.masqueraded()} {cluster.log(2)[-1500:]}")
    cluster.settled(cluster.senders())
    conns = far_connections(cluster)
    ask_all(conns, "before")
    for route in fourth, sixth:
        n2.ip(route[0], "route", "del", "default")
    wait(lambda: has_rules(cluster, 2), 8, lambda: f"{rules(cluster, 2)}")
    # a host's socket needs a route before its packet is rewritten
    ask_all([c for c in conns if c[0] != "host"], "without default routes")
    away_again = time.monotonic()
    for route in fourth, sixth:
        n2.ip(*route)
    wait(lambda: rules(cluster, 2) == NONE_OF_OURS, 3, lambda: f"{rules(cluster, 2)} {time.monotonic() - away_again}")
    made = made_rules(n2, lambda: away(2))
    check(made, "a namespace that has paid waits again")
    ask_all(conns, "after")
    for _, _, conn in conns:
        conn.close()


def source_of(node):
    return [w for w in node.ip("addr", "show", "dev", "lo").split() if w.startswith("169.254.")][0].removesuffix("/32")


def scenario_source_of_probes_is_healed(cluster):
    """Somebody takes it away, gives it another scope, or an earlier version's route in its place: it is as it was, and nobody
    is busy with it."""
    n2 = cluster.lab.nodes[2]
    source = source_of(n2)

    def is_there():
        return (source + "/32 scope host" in n2.ip("addr", "show", "dev", "lo") and
                "proto kernel" in n2.ip("route", "show", "table", "local", "exact", source) and
                "proto 75" not in n2.ip("route", "show", "table", "local", "exact", source))
    check(is_there(), "it is not there")
    delete, add = ["ip", "addr", "del", source + "/32", "dev", "lo"], ["ip", "addr", "add", source + "/32", "dev", "lo"]
    flush = [["ip", "addr", "flush", "dev", "lo", "scope", "host"], ["ip", "addr", "add", "127.0.0.1/8", "dev", "lo"]]
    for damage in ([delete], flush, [delete, add],
                   [["ip", "route", "replace", "local", source, "dev", "lo", "table", "local", "proto", "75", "scope", "host"]]):
        cluster.stop(2)
        for command in damage:
            n2.exec(*command)
        cluster.start(2)
        wait(is_there, 10, lambda: f"{damage}: {n2.ip('addr', 'show', 'dev', 'lo')} "
             f"{n2.ip('route', 'show', 'table', 'local', 'exact', source)}")
        wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())
        time.sleep(1)
        monitor = n2.popen(["ip", "monitor", "address"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(2)
        monitor.terminate()
        said = monitor.communicate()[0]
        check(not said, f"{damage}: {said}")


def scenario_upgrade(cluster):
    """What an earlier version left, a local route of the probes' source and rules, goes; connections stay."""
    n2, conns = cluster.lab.nodes[2], far_connections(cluster)
    source = source_of(n2)
    cluster.stop(2)
    n2.ip("addr", "del", source + "/32", "dev", "lo")
    n2.ip("route", "add", "local", source, "dev", "lo", "table", "local", "proto", "75", "scope", "host")
    n2.ip("rule", "add", "pref", "75", "fwmark", "0x1000/0x3000", "lookup", "7501", "protocol", "75")
    cluster.start(2)
    wait(lambda: rules(cluster, 2) == NONE_OF_OURS, 10, lambda: f"{rules(cluster, 2)} {cluster.log(2)[-1500:]}")
    check(not n2.ip("route", "show", "table", "local", "proto", "75"), "the local route stays")
    check(source + "/32 scope host" in n2.ip("addr", "show", "dev", "lo"), "the source is gone")
    wait(lambda: cluster.masqueraded() == cluster.incapable(), 20, lambda: cluster.masqueraded())
    ask_all(conns, "after an upgrade")
    for _, _, conn in conns:
        conn.close()


def scenario_cleanup_takes_the_source_back(cluster):
    n3 = cluster.lab.nodes[3]
    check("169.254." in n3.ip("addr", "show", "dev", "lo"), "there is no source of probes")
    cluster.stop(3)
    n3.exec(cluster.program, "--cleanup", f"--kubeconfig={cluster.api.path('node3.kubeconfig')}", "--hostname-override=n3")
    check("169.254." not in n3.ip("addr", "show", "dev", "lo"), "the source of probes stays")
    cluster.start(3)
    cluster.settled(cluster.senders())
