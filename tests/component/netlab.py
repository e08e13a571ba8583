"""A small cluster's network in namespaces of this process's own making: a bridge, an outside client, nodes with
pods behind routed veths. No route leaves it. Servers answer from threads of this process.
"""
import ctypes
import errno
import json
import os
import select
import socket
import struct
import subprocess
import threading

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


def run(*argv, check=True):
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


class Ns:
    """A network namespace and how to act in it."""

    def __init__(self, name):
        self.name = name
        run("ip", "netns", "add", name)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.ip("link", "set", "lo", "up")
        for key, value in {"ipv4/conf/all/rp_filter": 0, "ipv4/conf/default/rp_filter": 0,
                           "ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
                           "ipv6/conf/default/dad_transmits": 0, "ipv4/icmp_ratelimit": 0,
                           "ipv6/icmp/ratelimit": 0, "ipv4/icmp_msgs_per_sec": 100000,
                           "ipv4/icmp_msgs_burst": 10000, "ipv4/conf/all/send_redirects": 0,
                           "ipv4/conf/default/send_redirects": 0}.items():
            self.sysctl(key, value)

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def exec(self, *argv, check=True):
        return run("ip", "netns", "exec", self.name, *argv, check=check)

    def popen(self, argv, **kwargs):
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.name}", *argv], **kwargs)

    def sysctl(self, key, value):
        self.exec("sysctl", "-qw", f"net/{key}={value}")

    def socket(self, *args):
        setns(self.fd)
        try:
            return socket.socket(*args)
        finally:
            setns(HOME)

    def close(self):
        os.close(self.fd)
        run("ip", "netns", "del", self.name, check=False)


class Server(threading.Thread):
    """Answers TCP and UDP on a port, both families, with its name and whom it sees."""

    def __init__(self, ns, name, port, address="::"):
        super().__init__(daemon=True)
        self.name_, self.port = name, port
        self.wake = os.pipe()
        self.socks = []
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            s = ns.socket(socket.AF_INET6, kind)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(64)
            self.socks.append(s)
        self.start()

    def text(self, peer):
        return json.dumps([self.name_, peer[0].removeprefix("::ffff:")]).encode()

    def serve(self, s, peers):
        if s.type == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(2048)
            s.sendto(self.text(peer), peer)
        elif s in peers:
            try:
                data = s.recv(2048)
            except OSError:
                data = b""
            if data:
                s.sendall(self.text(peers[s]))
            else:
                del peers[s]
                s.close()
        else:
            c, peer = s.accept()
            peers[c] = peer

    def run(self):
        peers = {}
        while True:
            ready, _, _ = select.select([*self.socks, *peers, self.wake[0]], [], [])
            if self.wake[0] in ready:
                break
            for s in ready:
                self.serve(s, peers)
        for s in [*self.socks, *peers]:
            s.close()

    def stop(self):
        os.write(self.wake[1], b"x")
        self.join()


class Conn:
    """A connection that stays: TCP, or a UDP socket with one source port."""

    def __init__(self, ns, proto, to, port, timeout=1.0, source_port=0, source=""):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        self.s = ns.socket(family, socket.SOCK_STREAM if proto == "TCP" else socket.SOCK_DGRAM)
        self.s.settimeout(timeout)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source_port or source:
            self.s.bind((source, source_port))
        self.s.connect((to, port))

    def ask(self):
        self.s.sendall(b"?")
        return tuple(json.loads(self.s.recv(2048)))

    def close(self):
        self.s.close()


def probe(ns, proto, to, port, timeout=0.4):
    """(server, client it saw), "refused", "timeout", or the name of another error: EPERM for UDP that is not let out."""
    conn = None
    try:
        conn = Conn(ns, proto, to, port, timeout)
        return conn.ask()
    except TimeoutError:
        return "timeout"
    except OSError as e:
        if e.errno == errno.ECONNREFUSED:
            return "refused"
        return errno.errorcode.get(e.errno, str(e))
    finally:
        if conn:
            conn.close()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_init(ns, to, port, source_port):
    """Sends an SCTP INIT; the kernel here has no SCTP sockets."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 0x1234, 65535, 1, 1, 1)
    head = struct.pack("!HHI", source_port, port, 0)
    packet = head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk
    s = ns.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_RAW, 132)
    s.sendto(packet, (to, 0))
    s.close()


class Lab:
    """Client and nodes on one link; pod pNI of node N has addresses 10.244.N.NI and fd44:N::NI."""

    def __init__(self, prefix, pods):
        self.all = []
        self.servers = []
        self.prefix = prefix
        self.sw = self.ns("sw")
        self.sw.ip("link", "add", "br0", "type", "bridge")
        self.sw.ip("link", "set", "br0", "up")
        self.client = self.ns("c")
        self.lan(self.client, 100)
        self.nodes = {n: self.ns(f"n{n}") for n in pods}
        self.pods = {}
        for n, node in self.nodes.items():
            self.lan(node, n)
            node.sysctl("ipv4/ip_forward", 1)
            node.sysctl("ipv6/conf/all/forwarding", 1)
            for i in pods[n]:
                self.pod(n, i)
        self.routes()

    def ns(self, name):
        ns = Ns(f"{self.prefix}-{name}")
        self.all.append(ns)
        return ns

    def lan(self, ns, number):
        ns.ip("link", "add", "eth0", "type", "veth", "peer", "name", f"p{number}", "netns", self.sw.name)
        ns.ip("link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}")
        self.sw.ip("link", "set", f"p{number}", "master", "br0", "up")
        ns.ip("addr", "add", f"192.168.50.{number}/24", "dev", "eth0")
        ns.ip("link", "set", "eth0", "up")
        ns.ip("addr", "add", f"fd50::{number}/64", "dev", "eth0", "nodad")

    def pod(self, n, i):
        node, pod, veth = self.nodes[n], self.ns(f"p{n}{i}"), f"v{n}{i}"
        self.pods[f"p{n}{i}"] = pod
        pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", veth, "netns", node.name)
        node.ip("link", "set", veth, "address", "ee:ee:ee:ee:ee:ee", "up")
        pod.ip("link", "set", "eth0", "up")
        mac = json.loads(pod.ip("-j", "link", "show", "eth0"))[0]["address"]
        for family, addr, bits, gw in (("-4", f"10.244.{n}.{n}{i}", 32, "169.254.1.1"),
                                       ("-6", f"fd44:{n}::{n}{i}", 128, "fe80::eeee")):
            pod.ip(family, "addr", "add", f"{addr}/{bits}", "dev", "eth0", *(["nodad"] if bits == 128 else []))
            pod.ip(family, "neigh", "add", gw, "lladdr", "ee:ee:ee:ee:ee:ee", "dev", "eth0", "nud", "permanent")
            pod.ip(family, "route", "add", "default", "via", gw, "dev", "eth0", "onlink")
            node.ip(family, "route", "add", addr, "dev", veth)
            node.ip(family, "neigh", "add", addr, "lladdr", mac, "dev", veth, "nud", "permanent")

    def routes(self):
        for n, node in self.nodes.items():
            for m in self.nodes:
                if m != n:
                    node.ip("route", "add", f"10.244.{m}.0/24", "via", f"192.168.50.{m}")
                    node.ip("-6", "route", "add", f"fd44:{m}::/64", "via", f"fd50::{m}")
        # host sockets need a route before anything is rewritten; the client goes through node 1
        for cidr in ("10.96.0.0/16", "203.0.113.0/24"):
            self.client.ip("route", "add", cidr, "via", "192.168.50.1")
            self.nodes[1].ip("route", "add", cidr, "via", "192.168.50.254")
        for cidr in ("fd96::/112", "fd00:113::/64"):
            self.client.ip("-6", "route", "add", cidr, "via", "fd50::1")
            self.nodes[1].ip("-6", "route", "add", cidr, "via", "fd50::254")

    def serve(self, ns, name, port, address="::"):
        self.servers.append(Server(ns, name, port, address))

    def close(self):
        for s in self.servers:
            s.stop()
        for ns in self.all:
            ns.close()
