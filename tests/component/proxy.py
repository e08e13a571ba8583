#!/usr/bin/env python3
"""The proxy's process against a real kube-apiserver, over a fake data plane that records what it is told.

usage: proxy.py PROGRAM   PROGRAM: keelson-proxy linked with tests/lib/fake-dataplane.c
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import apiserver

PROGRAM = os.path.abspath(sys.argv.pop(1))
WAIT_SECONDS = 30
# builds with sanitizers install no filter of system calls
SANITIZED = b"__asan_init" in open(PROGRAM, "rb").read()
NODE = "/api/v1/nodes/n1"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
# maxPerCore 0: the size of the table is the machine's, not the namespace's
CONFIG = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: n1
clusterCIDR: 10.244.0.0/16
clientConnection: {kubeconfig: KUBECONFIG, qps: 100, burst: 100}
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 777s}
nftables: {syncPeriod: 1s, minSyncPeriod: 100ms}
"""
api = None


def until(what, condition):
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {WAIT_SECONDS} s: {what}")


def call(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(api.server + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer secret-token", "Content-Type": kind})
    context = ssl.create_default_context(cafile=api.path("ca.crt"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    return json.load(opener.open(request, timeout=30))


def patch(path, body):
    return call("PATCH", path, body, "application/merge-patch+json")


def get(port, path, method="GET", host="127.0.0.1"):
    """status, headers, body; None when nobody listens, or not any more"""
    c = http.client.HTTPConnection(host, port, timeout=10)
    try:
        c.request(method, path)
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read().decode()
    except (ConnectionError, http.client.RemoteDisconnected):
        return None
    finally:
        c.close()


def text_of(path):
    with open(path, errors="replace") as f:
        return f.read()


def service(name, labels=None, **spec):
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"ports": [{"port": 80}], **spec}}


def endpoints(name, of, node, labels=None):
    return {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": of, **(labels or {})}},
            "addressType": "IPv4", "ports": [{"port": 8080}],
            "endpoints": [{"addresses": ["10.244.0.9"], "nodeName": node, "conditions": {"ready": True}}]}


def children(pid):
    """Names of a process's children."""
    return [text_of(f"/proc/{child}/comm").strip() for child in text_of(f"/proc/{pid}/task/{pid}/children").split()]


class Proxy:
    """A running proxy, its configuration and its record."""
    command = None    # PROGRAM, unless it is started in another way

    def __init__(self, name, config=CONFIG, user="proxy", args=(), credentials=None):
        self.record_path, self.log_path = api.path(name + ".record"), api.path(name + ".log")
        self.config_path = api.path(name + ".d/config.conf")
        os.makedirs(os.path.dirname(self.config_path))
        self.kubeconfig = api.kubeconfig(name + ".kubeconfig", credentials or
                                         f"client-certificate: {user}.crt, client-key: {user}.key")
        self.write(config)
        self.log = open(self.log_path, "ab")
        self.child = subprocess.Popen([*(self.command or [PROGRAM]), "--config", self.config_path, "-v=3", *args], stdout=self.log,
                                      stderr=self.log, env={**os.environ, "FAKE_DATAPLANE": self.record_path})

    def write(self, config):
        with open(self.config_path + ".new", "w") as f:
            f.write(config.replace("KUBECONFIG", self.kubeconfig))
        os.rename(self.config_path + ".new", self.config_path)

    def record(self):
        return text_of(self.record_path).splitlines() if os.path.exists(self.record_path) else []

    def logged(self):
        return text_of(self.log_path)

    def expect(self, pattern, after=0):
        return until(f"record of {pattern!r} in {self.record()[after:]}",
                     lambda: next((x for x in self.record()[after:] if re.search(pattern, x)), None))

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(timeout=20)
        self.log.close()
        return code


class Process(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.services = [
            service("plain"), service("headless", clusterIP="None"),
            service("foreign", {"service.kubernetes.io/service-proxy-name": "other"}),
            service("balanced", type="LoadBalancer", externalTrafficPolicy="Local")]
        for s in cls.services:
            call("POST", SERVICES, s)
        call("POST", SLICES, endpoints("plain-1", "plain", "n2"))
        call("POST", SLICES, endpoints("headless-1", "headless", "n1", {"service.kubernetes.io/headless": ""}))
        call("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}, "spec": {"podCIDRs": ["10.244.0.0/24"],
                                                                           "podCIDR": "10.244.0.0/24"}})
        call("POST", "/api/v1/nodes", {"metadata": {"name": "n2"}})
        cls.proxy = Proxy("main")

    @classmethod
    def tearDownClass(cls):
        code = cls.proxy.stop()
        illegal = [x for x in cls.proxy.record() if "ILLEGAL" in x]
        if code or illegal:
            print(cls.proxy.logged()[-3000:], illegal)
        assert code == 0 and not illegal, f"ended with {code} {illegal}"

    def healthz(self):
        return get(10256, "/healthz")

    def test_01_waits_for_the_nodes_address(self):
        self.proxy.expect("^service default/plain$")
        self.proxy.expect("^node n1 addresses=0 podcidrs=1$")
        self.proxy.expect(r"^service cidrs 10\.96\.0\.0/16$")
        time.sleep(1)
        self.assertNotIn("start", self.proxy.record())
        patch(NODE + "/status", {"status": {"addresses": [{"type": "Hostname", "address": "n1"},
                                                         {"type": "InternalIP", "address": "192.0.2.7"}]}})
        self.proxy.expect("^start$")
        self.proxy.expect("^programmed ")

    def test_02_sees_what_it_has_to_and_nothing_else(self):
        record = self.proxy.record()
        self.assertIn("slice default/plain-1 endpoints=1", record)
        self.assertEqual([x for x in record if re.search("headless|foreign|node n2", x)], [])
        at = len(record)
        patch(SERVICES + "/plain", {"metadata": {"annotations": {"a": "b"}}})
        self.proxy.expect("^service default/plain$", at)
        patch(SERVICES + "/plain", {"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": "x"}}})
        self.proxy.expect("^no service default/plain$", at)
        patch(SERVICES + "/plain", {"metadata": {"labels": {"service.kubernetes.io/service-proxy-name": None}}})
        call("DELETE", SLICES + "/plain-1")
        self.proxy.expect("^no slice default/plain-1$", at)
        call("POST", "/apis/networking.k8s.io/v1/servicecidrs", {"metadata": {"name": "more"},
                                                                "spec": {"cidrs": ["10.97.0.0/16"]}})
        self.proxy.expect(r"^service cidrs .*10\.97\.0\.0/16", at)

    def test_03_health_as_load_balancers_ask(self):
        status, headers, body = self.healthz()
        tree = json.loads(body)
        self.assertEqual((status, headers["Content-Type"], headers["X-Content-Type-Options"]),
                         (200, "application/json", "nosniff"))
        self.assertEqual(list(tree), ["lastUpdated", "currentTime", "nodeEligible", "healthy", "status"])
        self.assertEqual(list(tree["status"]), ["IPv4", "IPv6"])
        self.assertTrue(tree["nodeEligible"] and tree["healthy"] and tree["status"]["IPv4"]["healthy"])
        self.assertRegex(tree["lastUpdated"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        patch(NODE, {"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}})
        until("503 of a node that goes", lambda: self.healthz()[0] == 503)
        self.assertEqual(json.loads(self.healthz()[2])["nodeEligible"], False)
        self.assertEqual(get(10256, "/livez")[0], 200)
        self.assertNotIn("nodeEligible", get(10256, "/livez")[2])
        patch(NODE, {"spec": {"taints": None}})
        until("200 again", lambda: self.healthz()[0] == 200)
        self.assertEqual(get(10256, "/")[0], 404)
        self.assertEqual(get(10256, "/healthz", "POST")[0], 405)

    def test_04_lagging_is_unhealthy(self):
        patch(SERVICES + "/plain", {"metadata": {"annotations": {"test/lag": "yes"}}})
        until("503 when programming lags", lambda: self.healthz()[0] == 503)
        tree = json.loads(self.healthz()[2])
        self.assertEqual((tree["nodeEligible"], tree["healthy"], tree["status"]["IPv6"]["healthy"]),
                         (True, False, False))
        self.assertEqual(get(10256, "/livez")[0], 503)
        patch(SERVICES + "/plain", {"metadata": {"annotations": {"test/lag": None}}})
        until("200 again", lambda: self.healthz()[0] == 200)

    def test_05_health_ports_of_services(self):
        port = call("GET", SERVICES + "/balanced")["spec"]["healthCheckNodePort"]
        self.assertGreater(port, 0)
        # nodePortAddresses is "primary": listens there once the host has the address
        until("the failure is told", lambda: "health port" in self.proxy.logged())
        subprocess.run(["ip", "addr", "add", "192.0.2.7/32", "dev", "lo"], check=True)
        call("POST", SLICES, endpoints("balanced-1", "balanced", "n2"))
        status, headers, body = until("the health port", lambda: get(port, "/", host="192.0.2.7"))
        self.assertEqual((status, headers["X-Load-Balancing-Endpoint-Weight"]), (503, "0"))
        self.assertEqual(json.loads(body), {"service": {"namespace": "default", "name": "balanced"},
                                            "localEndpoints": 0, "serviceProxyHealthy": True})
        self.assertIsNone(get(port, "/"))
        call("POST", SLICES, endpoints("balanced-2", "balanced", "n1"))
        until("200 with a local endpoint", lambda: get(port, "/x", host="192.0.2.7")[0] == 200)
        self.assertEqual(get(port, "/", host="192.0.2.7")[1]["X-Load-Balancing-Endpoint-Weight"], "1")
        patch(SERVICES + "/balanced", {"spec": {"externalTrafficPolicy": "Cluster"}})
        until("the port is closed", lambda: get(port, "/", host="192.0.2.7") is None)

    def test_06_monitoring(self):
        self.assertEqual(get(10249, "/proxyMode")[2], "nftables")
        self.assertEqual(get(10249, "/healthz")[2], "ok")
        document = json.loads(get(10249, "/configz")[2])["kubeproxy.config.k8s.io"]
        self.assertEqual((document["clusterCIDR"], document["nftables"]["syncPeriod"]), ("10.244.0.0/16", "1s"))
        status, headers, text = get(10249, "/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        for line in ('kubeproxy_proxy_healthz_total{code="503"}', 'kubeproxy_proxy_livez_total{code="200"}',
                     'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv6"}',
                     'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}',
                     "kubeproxy_sync_proxy_rules_service_changes_pending 0", "process_resident_memory_bytes"):
            self.assertIn(line, text)
        for path in ("/statusz", "/metrics/slis"):
            self.assertEqual(get(10249, path)[0], 200)
        self.assertEqual(get(10249, "/nosuch")[0], 404)

    def test_07_events(self):
        call("POST", SERVICES, service("warned") | {"metadata": {"name": "warned", "annotations": {
            "test/warn": "too many"}}})
        events = lambda: {(e["involvedObject"]["kind"], e["involvedObject"]["name"], e["reason"], e["type"])
                          for e in call("GET", "/api/v1/events")["items"] if e["source"].get("component") == "kube-proxy"}
        for wanted in (("Node", "n1", "Starting", "Normal"), ("Service", "warned", "TestWarning", "Warning"),
                       ("Service", "balanced", "FailedToStartServiceHealthcheck", "Warning")):
            until(f"event {wanted} of {events()}", lambda w=wanted: w in events())

    def test_08_explain(self):
        ip = call("GET", SERVICES + "/plain")["spec"]["clusterIP"]
        ask = lambda target: subprocess.run([PROGRAM, "--config", self.proxy.config_path, "--explain", target],
                                            capture_output=True, text=True)
        self.assertEqual(ask(ip + ":80/UDP").stdout, "service default/plain UDP 80\n")
        unknown = ask("192.0.2.1:80")
        self.assertEqual((unknown.returncode, unknown.stderr), (1, "192.0.2.1 port 80: no service\n"))
        self.assertIn("none of TCP, UDP and SCTP", ask(ip + ":80/ICMP").stderr)
        self.assertIn("--explain", ask("plain").stderr)

    def test_09_follows_the_node(self):
        at = len(self.proxy.record())
        patch(NODE + "/status", {"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.8"}]}})
        self.proxy.expect("^node n1 addresses=1", at)
        call("DELETE", NODE)
        self.proxy.expect("^no node n1$", at)
        until("503 without a node", lambda: self.healthz()[0] == 503)
        call("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
        until("200 with a node", lambda: self.healthz()[0] == 200)

    def test_10_follows_the_configuration(self):
        at = len(self.proxy.record())
        self.proxy.write(CONFIG.replace("10.244.0.0/16", "10.245.0.0/16") + "metricsBindAddress: 127.0.0.1:10250\n")
        self.assertIn("cidrs=10.245.0.0/16,", self.proxy.expect("^configure ", at))
        until("metrics at the new address", lambda: get(10250, "/proxyMode"))
        self.assertIsNone(get(10249, "/proxyMode"))
        at = len(self.proxy.record())
        self.proxy.write(CONFIG.replace("10.244.0.0/16", "10.245.0.0"))
        until("the error is told", lambda: "the configuration stays as it was: clusterCIDR" in self.proxy.logged())
        self.assertEqual(self.proxy.record()[at:], [])
        os.unlink(self.proxy.config_path)
        until("a missing file is told", lambda: "No such file" in self.proxy.logged())
        # as a mounted ConfigMap changes: the link to the directory moves
        folder = os.path.dirname(self.proxy.config_path)
        os.mkdir(folder + "/one")
        with open(folder + "/one/config.conf", "w") as f:
            f.write(CONFIG.replace("KUBECONFIG", self.proxy.kubeconfig).replace("mode: nftables", "mode: iptables"))
        os.symlink("one", folder + "/..data")
        os.symlink("..data/config.conf", self.proxy.config_path)
        line = self.proxy.expect("^configure ", at)
        self.assertIn("cidrs=10.244.0.0/16, nodeports=0.0.0.0/0,::/0,", line)
        self.assertIn("mode: iptables is programmed with nftables", self.proxy.logged())
        until("metrics at the old address", lambda: get(10249, "/proxyMode"))

    def test_11_new_credentials(self):
        api.cert("other", "/CN=system:kube-proxy")
        at = len(self.proxy.record())
        api.kubeconfig("main.kubeconfig", "client-certificate: other.crt, client-key: other.key")
        until("the kubeconfig is read again", lambda: "kubeconfig read again" in self.proxy.logged())
        call("POST", SERVICES, service("later"))
        self.proxy.expect("^service default/later$", at)

        logged = self.proxy.logged().count("kubeconfig read again")
        with open(api.path("neighbour"), "w") as f:
            f.write("x")
        api.kubeconfig("main.kubeconfig", "client-certificate: other.crt, client-key: other.key")
        time.sleep(0.5)
        self.assertEqual(self.proxy.logged().count("kubeconfig read again"), logged)

    def test_12_connection_tracking_is_the_namespaces(self):
        path = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
        if not os.path.exists(path):
            self.skipTest("this kernel tracks no connections")
        self.assertEqual(text_of(path).strip(), "777")


    def test_13_privileges(self):
        status = dict(x.split(":\t", 1) for x in text_of(f"/proc/{self.proxy.child.pid}/status").splitlines())
        kept = 1 << 12 | 1 << 10   # NET_ADMIN, NET_BIND_SERVICE
        own = int(re.search(r"CapEff:\t(\w+)", text_of("/proc/self/status"))[1], 16)
        for name in ("CapEff", "CapPrm"):
            self.assertEqual(int(status[name], 16), kept & own, name)
        self.assertEqual((int(status["CapInh"], 16), int(status["CapAmb"], 16)), (0, 0))
        self.assertEqual(int(status["CapBnd"], 16) & ~kept, 0)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "0" if SANITIZED else "2"))


    def test_14_the_agents_credentials_do(self):
        kubectl = os.path.join(apiserver.BIN, "kubectl")
        if not os.access(kubectl, os.X_OK):
            self.skipTest("no kubectl in the cache")
        manifest = os.path.join(os.path.dirname(__file__), "../../contrib/rbac.yaml")
        subprocess.run([kubectl, "--kubeconfig", api.path("admin.kubeconfig"), "apply", "-f", manifest], check=True,
                       stdout=subprocess.DEVNULL)
        node = Proxy("node", CONFIG + "metricsBindAddress: 127.0.0.1:10310\nhealthzBindAddress: 127.0.0.1:10311\n",
                     user="node")
        for line in ("^service default/plain$", "^slice default/balanced-1 ", "^node n1 ", "^service cidrs 10"):
            node.expect(line)
        self.assertEqual(node.stop(), 0)

    def test_15_a_credential_plugin_runs(self):
        plugin = api.path("plugin")
        with open(plugin, "w") as f:
            f.write("""#!/bin/sh
grep Seccomp: /proc/self/status > "$0.rights"
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "secret-token"}}'
""")
        os.chmod(plugin, 0o755)
        config = CONFIG + "metricsBindAddress: 127.0.0.1:10312\nhealthzBindAddress: 127.0.0.1:10313\n"
        proxy = Proxy("plugin-user", config, credentials=f"exec: {{command: {plugin}, interactiveMode: Never, "
                                                         "apiVersion: client.authentication.k8s.io/v1}")
        proxy.expect("^service default/plain$")
        self.assertEqual(text_of(plugin + ".rights"), "Seccomp:\t0\n")
        self.assertIn("Seccomp:\t%d\n" % (0 if SANITIZED else 2), text_of(f"/proc/{proxy.child.pid}/status"))
        self.assertIn("keelson-spawner", children(proxy.child.pid))
        self.assertEqual(proxy.stop(), 0)


class Start(unittest.TestCase):
    def run_program(self, *args, **kw):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=30, **kw)

    def test_bad_input_ends_in_one_sentence(self):
        cases = (
            (("--no-such",), 78, "keelson-proxy: unknown flag: --no-such\n"),
            (("--config", "/nowhere/config.conf", "--check-config"), 78, "/nowhere/config.conf"),
            (("--proxy-mode", "userspace"), 78, 'mode (--proxy-mode): "userspace" is none of'),
            (("--conntrack-max-per-core=0",), 78, "neither clientConnection.kubeconfig nor --master is set"),
        )
        for args, code, text in cases:
            done = self.run_program(*args)
            self.assertEqual((done.returncode, text in done.stderr), (code, True), done.stderr)

    def test_what_is_missing_is_waited_for(self):
        folder, config = api.path("later"), api.path("later/etc/config.conf")
        log = api.path("later.log")
        taken = socket.create_server(("127.0.0.1", 10320))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, open(log, "wb") as out:
            told.bind(api.path("notify"))
            told.settimeout(20)
            child = subprocess.Popen([PROGRAM, "--config", config], stdout=out, stderr=out,
                                     env=dict(os.environ, NOTIFY_SOCKET=api.path("notify"), WATCHDOG_USEC="600000",
                                              FAKE_DATAPLANE=log + ".fake"))
            self.addCleanup(child.kill)
            beats = []

            def news():
                """The next message that is no beat of the watchdog."""
                while True:
                    message = told.recv(4096).decode()
                    if message != "WATCHDOG=1":
                        return message
                    beats.append(message)

            waiting = news()
            self.assertIn("READY=1\nSTATUS=waiting: ", waiting)
            self.assertIn(config + ": No such file or directory: waiting for it", waiting)
            self.assertEqual(told.recv(4096).decode(), "WATCHDOG=1")
            os.makedirs(os.path.dirname(config))
            with open(config, "w") as f:
                f.write("apiVersion: kubeproxy.config.k8s.io/v1alpha1\n")
                f.flush()
                time.sleep(0.3)    # whoever writes it may take a moment
                f.write("kind: KubeProxyConfiguration\nconntrack: {maxPerCore: 0}\nmetricsBindAddress: 127.0.0.1:10320\n"
                        f"healthzBindAddress: 127.0.0.1:10321\nclientConnection: {{kubeconfig: {folder}/kubeconfig}}\n")
            self.assertIn(folder + "/kubeconfig: No such file or directory: waiting for it", news())
            with open(folder + "/kubeconfig", "w") as f:
                f.write("what is this")
            self.assertIn("put it right", news())
            os.symlink(api.path("ca.crt"), folder + "/ca.crt")
            api.kubeconfig("later.kubeconfig", "token: secret-token")
            os.rename(api.path("later.kubeconfig"), folder + "/kubeconfig")
            self.assertEqual([news(), news(), news()], ["STATUS=running", "STATUS=running, but metrics cannot be served: "
                             "listen on 127.0.0.1 port 10320: Address already in use", "READY=1"])
            taken.close()
            self.assertEqual(news(), "STATUS=running")
            del beats[:]
            time.sleep(1)
            child.terminate()
            self.assertEqual(news(), "STOPPING=1")
            self.assertGreaterEqual(len(beats), 2)
            self.assertEqual(child.wait(timeout=20), 0)
        self.assertEqual(len([l for l in text_of(log).splitlines() if "waiting for it" in l]), 2)

    def test_what_may_not_be_read_is_waited_for(self):
        config, log = api.path("loop.conf"), api.path("loop.log")
        os.symlink("loop.conf", config)    # root may read whatever there is
        with open(log, "wb") as out:
            child = subprocess.Popen([PROGRAM, "--config", config], stdout=out, stderr=out)
        self.addCleanup(child.kill)
        until("it is told", lambda: "Too many levels of symbolic links: put it right; it is tried again" in text_of(log))
        os.unlink(config)
        with open(config, "w") as f:
            f.write("kind: nonsense\n")
        self.assertEqual(child.wait(timeout=20), 78)

    def test_standard_files_are_never_something_else(self):
        script = 'exec "$0" "$@" <&- >&- 2>&-'
        child = subprocess.Popen(["sh", "-c", script, PROGRAM, "--config", api.path("never.conf")])
        self.addCleanup(child.kill)

        def links():
            folder, found = f"/proc/{child.pid}/fd/", {}
            for n in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):    # it may close one meanwhile
                    found[n] = os.readlink(folder + n)
            return found if any("inotify" in x for x in found.values()) else None

        found = until("it waits", links)
        self.assertEqual([found.get(n) for n in "012"], ["/dev/null"] * 3)
        child.terminate()
        self.assertEqual(child.wait(timeout=20), 0)

    def test_what_is_written_stays_what_it_is(self):
        device, written = api.path("device"), api.path("through")
        for target, status in ("/dev/full", 1), (written, 0), ("/dev/stdout", 0):
            os.symlink(target, device)
            done = self.run_program("--write-config-to", device)
            self.assertEqual((done.returncode, os.path.islink(device)), (status, True), done.stderr)
            os.unlink(device)
        self.assertEqual(done.stdout, text_of(written))

    def test_what_ends_at_once(self):
        self.assertEqual(self.run_program("--version").stdout, "Kubernetes v1.37.2\n")
        self.assertIn("--hostname-override", self.run_program("--help").stdout)
        written = api.path("written.yaml")
        self.assertEqual(self.run_program("--write-config-to", written, "--proxy-mode=nftables").returncode, 0)
        self.assertIn("mode: \"nftables\"\n", text_of(written))
        self.assertEqual(self.run_program("--config", written, "--check-config", "--strict").returncode, 0)
        record = api.path("cleanup.record")
        done = self.run_program("--cleanup", env={**os.environ, "FAKE_DATAPLANE": record})
        self.assertEqual((done.returncode, text_of(record)), (0, "cleanup\n"))

    def test_cleanup_takes_what_kube_proxy_left(self):
        if not all(shutil.which(x) for x in ("nft", "iptables-nft-restore")):
            self.skipTest("nft or iptables is not installed")
        restore = lambda text: subprocess.run(["iptables-nft-restore", "--noflush"], input=text, text=True, check=True)
        subprocess.run(["nft", "add table ip kube-proxy; add table ip6 kube-proxy; add table ip mine"], check=True)
        restore("*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n:MINE - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n"
                "-A PREROUTING -j MINE\n-A KUBE-SERVICES -j KUBE-SVC-A\nCOMMIT\n")
        done = self.run_program("--cleanup")
        self.assertEqual(done.returncode, 0, done.stderr)
        left = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout
        self.assertNotIn("KUBE", left)
        self.assertNotIn("kube-proxy", left)
        self.assertIn("table ip mine", left)
        self.assertIn("jump MINE", left)
        self.assertEqual(self.run_program("--cleanup").returncode, 0)

    def test_taken_addresses(self):
        taken = socket.create_server(("127.0.0.1", 10300))
        config = CONFIG + "metricsBindAddress: 127.0.0.1:10300\nhealthzBindAddress: 127.0.0.1:10301\n"
        soft = Proxy("soft", config)
        until("it is told", lambda: "metrics cannot be served on 127.0.0.1:10300" in soft.logged())
        taken.close()
        until("it is tried again", lambda: get(10300, "/proxyMode"))
        self.assertEqual(soft.stop(), 0)
        taken = socket.create_server(("127.0.0.1", 10300))
        hard = Proxy("hard", config + "bindAddressHardFail: true\n")
        self.assertEqual(hard.child.wait(timeout=20), 1)
        hard.log.close()
        self.assertIn("bindAddressHardFail", hard.logged())
        taken.close()


if __name__ == "__main__":
    api = apiserver.Apiserver()
    result = None
    try:
        api.cert("proxy", "/CN=system:kube-proxy")
        api.cert("node", "/O=system:nodes/CN=system:node:n1")
        result = unittest.main(exit=False, verbosity=2).result
    finally:
        api.close()
    sys.exit(0 if result and result.wasSuccessful() else 1)
