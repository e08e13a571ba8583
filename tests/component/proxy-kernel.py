#!/usr/bin/env python3
"""The whole proxy, filter of system calls and all, in a network namespace with a real kube-apiserver and real packets.

usage: proxy-kernel.py KEELSON_PROXY [--own-user]

--own-user: as the systemd unit starts it, as a user that is not root, with two capabilities
"""
import http.server
import os
import shutil
import subprocess
import sys
import threading
import unittest

import apiserver
import proxy   # which takes the program from the command line

ADDRESS, POD = "192.0.2.7", "10.244.7.9"


OWN_USER = "--own-user" in sys.argv
if OWN_USER:
    sys.argv.remove("--own-user")
NOBODY, CAPABILITIES = "65534", "-all,+net_admin,+net_bind_service"


def give_to_others(folder, writable):
    """The program lies where another user finds it, and its files can be read."""
    program = os.path.join(folder, "keelson-proxy")
    shutil.copy(proxy.PROGRAM, program)
    os.chmod(folder, 0o755)
    for name in ("proxy.key", "proxy.crt", "ca.crt"):
        os.chmod(os.path.join(folder, name), 0o644)
    os.chmod(writable, 0o777)
    proxy.Proxy.command = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--inh-caps", CAPABILITIES,
                           "--ambient-caps", CAPABILITIES, "--bounding-set", CAPABILITIES, "--no-new-privs", program]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"pod")

    def log_message(self, *_):
        pass


def command(*args):
    return subprocess.run(args, capture_output=True, text=True, timeout=60)


class Kernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"], check=True)
        for args in (["link", "add", "br0", "type", "bridge"], ["addr", "add", ADDRESS + "/24", "dev", "br0"],
                     ["addr", "add", POD + "/24", "dev", "br0"], ["link", "set", "br0", "up"],
                     ["route", "add", "10.96.0.0/16", "dev", "br0"]):
            subprocess.run(["ip", *args], check=True)
        for name, last in (("n1", 7), ("n2", 8)):
            proxy.call("POST", "/api/v1/nodes", {"metadata": {"name": name}, "spec": {
                "podCIDR": f"10.244.{last}.0/24", "podCIDRs": [f"10.244.{last}.0/24"]}})
            proxy.patch(f"/api/v1/nodes/{name}/status", {"status": {"addresses": [
                {"type": "InternalIP", "address": f"192.0.2.{last}"}]}})
        for name in ("web", "empty"):
            proxy.call("POST", proxy.SERVICES, proxy.service(name, type="NodePort"))
        slice_ = proxy.endpoints("web-1", "web", "n1")
        slice_["endpoints"][0]["addresses"] = [POD]
        proxy.call("POST", proxy.SLICES, slice_)
        cls.server = http.server.ThreadingHTTPServer((POD, 8080), Answer)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.cni = proxy.api.path("cni/10-test.conflist")
        os.mkdir(os.path.dirname(cls.cni))
        if OWN_USER:
            give_to_others(proxy.api.dir, os.path.dirname(cls.cni))
        cls.proxy = proxy.Proxy("kernel", args=("--pod-network", "routes", "--cni-config", cls.cni))

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        code = cls.proxy.stop()
        assert code == 0, cls.proxy.logged()[-3000:]

    def spec(self, name):
        return proxy.call("GET", f"{proxy.SERVICES}/{name}")["spec"]

    def test_1_services_answer(self):
        web, empty = self.spec("web"), self.spec("empty")

        def reach(ip, port):
            try:
                return (proxy.get(port, "/", host=ip) or (None,))[0]
            except OSError:   # before the rules are there nobody answers for the address
                return None

        proxy.until("the cluster IP", lambda: reach(web["clusterIP"], 80) == 200)
        proxy.until("the node port", lambda: reach(ADDRESS, web["ports"][0]["nodePort"]) == 200)
        # nobody behind it: refused, not silence
        self.assertIsNone(proxy.get(80, "/", host=empty["clusterIP"]))

    def test_2_explained(self):
        said = command(proxy.PROGRAM, "--config", self.proxy.config_path, "--explain", self.spec("web")["clusterIP"] + ":80")
        self.assertIn("service default/web", said.stdout)
        self.assertIn(f"{POD}:8080", said.stdout)

    def test_3_pod_network_through_the_filter(self):
        proxy.until("the CNI configuration", lambda: os.path.exists(self.cni))
        proxy.until("the route", lambda: "10.244.8.0/24 via 192.0.2.8" in command("ip", "route").stdout)

    def test_4_nothing_went_wrong(self):
        wrong = [x for x in self.proxy.logged().splitlines() if x[:1] in "EW" and "oomScoreAdj" not in x]
        # this user may not patch Nodes: told once
        self.assertEqual(len(wrong), 1, wrong)
        self.assertIn("annotation keelson.io/return-path", wrong[0])

    def test_5_cleanup(self):
        if not shutil.which("nft"):
            self.skipTest("nft is not installed")
        self.proxy.child.terminate()
        self.proxy.child.wait(timeout=20)
        self.assertIn("keelson", command("nft", "list", "tables").stdout)
        self.assertEqual(command(proxy.PROGRAM, "--config", self.proxy.config_path, "--cleanup").returncode, 0)
        self.assertNotIn("keelson", command("nft", "list", "tables").stdout)


if __name__ == "__main__":
    proxy.api = apiserver.Apiserver()
    result = None
    try:
        proxy.api.cert("proxy", "/CN=system:kube-proxy")
        result = unittest.main(exit=False, verbosity=2).result
    finally:
        proxy.api.close()
    sys.exit(0 if result and result.wasSuccessful() else 1)
