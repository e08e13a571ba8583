"""Nodes for component tests: the real agent on the strict fake runtime, before a real kube-apiserver.

A Rig owns the namespaces (network, mounts) and the API server; each Lane in it is a node: directories, cgroups, ports,
a fake runtime and an agent of its own, so that several scenarios can run at once. Everything made goes with close().
"""
import calendar
import ctypes
import glob
import http.client
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
import time

import apiserver
from waiting import Failed, check, wait

CLONE_NEWNS = 0x20000
PR_SET_PDEATHSIG = 1
BEARER = {"Authorization": "Bearer secret-token"}
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# what an agent sets, and what it sets it to
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
           "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}


def shield_sysctls(folder):
    """Settings of the whole machine: in our mount namespace files stand in their place, which already hold what is wanted."""
    for name, value in SYSCTLS.items():
        path = os.path.join(folder, "sysctl-" + os.path.basename(name))
        with open(path, "w") as f:
            f.write(f"{value}\n")
        subprocess.run(["mount", "--bind", path, "/proc/sys/" + name], check=True)


def own_mounts():
    if LIBC.unshare(CLONE_NEWNS):
        apiserver.skip("no right to make a mount namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # the links to container logs have a fixed place
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/var/log"], check=True)
    os.makedirs("/var/log/containers")
    shield_sysctls("/var/log")


class Api:
    """One connection to the API server; not shared between threads."""

    def __init__(self, rig):
        self.context = ssl.create_default_context(cafile=rig.api.path("ca.crt"))
        self.connection = None

    def call(self, method, path, body=None, kind="application/json", missing_ok=False):
        headers = dict(BEARER, **{"Content-Type": kind})
        for attempt in (0, 1, 2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPSConnection("127.0.0.1", 6443, timeout=20, context=self.context)
                self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                reply = self.connection.getresponse()
                data = reply.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 2:
                    raise
        if reply.status == 404 and missing_ok:
            return None
        if reply.status >= 300:
            raise Failed(f"{method} {path}: {reply.status} {data[:400]}")
        return json.loads(data)

    def pod(self, name, ns="default"):
        return self.call("GET", f"/api/v1/namespaces/{ns}/pods/{name}", missing_ok=True)

    def create(self, what, body, ns="default"):
        return self.call("POST", f"/api/v1/namespaces/{ns}/{what}", body)

    def delete_pod(self, name, ns="default"):
        return self.call("DELETE", f"/api/v1/namespaces/{ns}/pods/{name}", missing_ok=True)

    def events(self, pod, ns="default"):
        """Reasons of the events of a pod."""
        path = f"/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name={pod}"
        return [e["reason"] for e in self.call("GET", path)["items"]]

    def renewed(self, node):
        lease = self.lease(node)
        return lease["spec"].get("renewTime") if lease else None

    def lease(self, node):
        return self.call("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}", missing_ok=True)


class Rig:
    def __init__(self, agent, fake_cri, clock_shift, wrap=()):
        self.wrap = list(wrap)    # in front of the agent's command: a checker
        self.agent_bin, self.fake_bin = os.path.abspath(agent), os.path.abspath(fake_cri)
        self.clock_shift = os.path.abspath(clock_shift)
        if os.geteuid():
            apiserver.skip("needs root")
        own_mounts()
        self.backdate_certificates()
        self.api = apiserver.Apiserver()
        self.cgroup = f"/keelson-test-{os.getpid()}"
        self.lanes = []
        self.lock = threading.Lock()
        self.numbers = 0
        client = Api(self)
        wait(lambda: client.call("GET", "/api/v1/namespaces/kube-node-lease", missing_ok=True) and
             client.call("GET", "/api/v1/namespaces/default", missing_ok=True), 30, "no namespaces in the API")

    def backdate_certificates(self):
        """Certificates must be valid for a node whose clock is an hour late."""
        make = apiserver.openssl

        def late(*args):
            with tempfile.NamedTemporaryFile() as f:
                f.write(struct.pack("q", -7200))
                f.flush()
                make(*args, env=dict(os.environ, LD_PRELOAD=self.clock_shift, CLOCK_SHIFT_FILE=f.name,
                                     ASAN_OPTIONS="verify_asan_link_order=0"))
        apiserver.openssl = late

    def lane(self, **options):
        with self.lock:
            self.numbers += 1
            lane = Lane(self, self.numbers, **options)
            self.lanes.append(lane)
        return lane

    def close(self):
        for lane in self.lanes:
            lane.close()
        for path in cgroup_parents():
            remove_cgroup(path + self.cgroup)
        self.api.close()


def cgroup_parents():
    """The hierarchies; nothing but directories of our own below them is made or removed."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return ["/sys/fs/cgroup"]
    return [p for p in sorted(glob.glob("/sys/fs/cgroup/*")) if os.path.isdir(p) and not os.path.islink(p)]


def make_cgroup(parent, path):
    at = parent
    for part in path.strip("/").split("/"):
        at = os.path.join(at, part)
        os.makedirs(at, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            above = os.path.join(os.path.dirname(at), name)
            if parent != "/sys/fs/cgroup" and os.path.exists(above):
                with open(above) as f, open(os.path.join(at, name), "w") as g:
                    g.write(f.read())


def remove_cgroup(path):
    for where, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(where)
        except OSError:
            pass


class Lane:
    """A node. verbosity and preload are the agent's."""

    def __init__(self, rig, number, verbosity=3, env=None, config=""):
        self.rig, self.name = rig, f"node-{number}"
        self.verbosity, self.env = verbosity, env or {}
        self.dir = os.path.join(rig.api.dir, self.name)
        self.cgroup = f"{rig.cgroup}/{self.name}"
        self.root, self.logs = self.path("kubelet"), self.path("pods")
        self.api = Api(rig)
        self.agent = self.control = None
        self.starts = 0
        self.kubeconfig = rig.api.path("admin.kubeconfig")
        os.makedirs(self.root)
        os.makedirs(self.logs)
        for parent in cgroup_parents():
            make_cgroup(parent, self.cgroup)
        self.port = 20000 + number
        self.configure(number, config)
        self.runtime = subprocess.Popen([rig.fake_bin, self.path("cri.sock"), self.path("control.sock")],
                                        stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        check(self.runtime.stdout.readline() == b"ready\n", "the fake runtime did not start")

    def path(self, name):
        return os.path.join(self.dir, name)

    def configure(self, number, more):
        with open(self.path("resolv.conf"), "w") as f:
            f.write("nameserver 10.96.0.10\n")
        with open(self.path("kubelet.yaml"), "w") as f:
            f.write(f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: false}}, x509: {{clientCAFile: {self.rig.api.path('ca.crt')}}}}}
authorization: {{mode: AlwaysAllow}}
tlsCertFile: {self.rig.api.path('server.crt')}
tlsPrivateKeyFile: {self.rig.api.path('server.key')}
port: {self.port}
healthzPort: {21000 + number}
cgroupRoot: {self.cgroup}
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://{self.path('cri.sock')}
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: {self.path('resolv.conf')}
podLogsDir: {self.logs}
registryPullQPS: 0
{more.replace("{dir}", self.dir).replace("{url_port}", str(self.port + 2000))}
""")

    # --- the runtime ---

    def fake(self, what, **arguments):
        if not self.control:
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.path("control.sock"))
            s.settimeout(20)
            self.control = s.makefile("rw")
        self.control.write(json.dumps(dict(arguments, do=what)) + "\n")
        self.control.flush()
        return json.loads(self.control.readline())

    def order(self, what, **arguments):
        answer = self.fake(what, **arguments)
        check("error" not in answer, f"{what}: {answer}")

    def containers(self, pod=None, name=None):
        return [c for c in self.fake("dump")["containers"] if pod in (None, c["pod"]) and name in (None, c["name"])]

    def sandboxes(self, pod=None):
        return [s for s in self.fake("dump")["sandboxes"] if pod in (None, s["name"])]

    def calls(self, *names):
        calls = self.fake("dump")["calls"]
        return [calls.get(n, 0) for n in names] if names else calls

    # --- the agent ---

    def start(self):
        self.log_path = self.path("agent.log")
        with open(self.log_path, "ab") as log:
            self.agent = subprocess.Popen(
                [*self.rig.wrap, self.rig.agent_bin, "--config", self.path("kubelet.yaml"),
                 *(["--kubeconfig", self.kubeconfig] if self.kubeconfig else []), "--hostname-override", self.name, "--node-ip", "127.0.0.1",
                 "--root-dir", self.root, f"-v={self.verbosity}"],
                stdout=log, stderr=log, preexec_fn=die_with_parent, env=dict(os.environ, **self.env))
        self.starts += 1
        return self

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def revive(self):
        """Starts the agent again if it is dead; returns whether it was."""
        if self.agent.poll() is None:
            return False
        self.start()
        return True

    def log_text(self):
        with open(self.path("agent.log"), errors="replace") as f:
            return f.read()

    def log_lines(self):
        return self.log_text().count("\n")

    # --- the clock ---

    def shift_clock(self, seconds):
        """The agent's wall clock is off by so much from now on; called before the agent starts for the first time."""
        mode = "r+b" if os.path.exists(self.path("clock")) else "wb"
        with open(self.path("clock"), mode) as f:
            f.write(struct.pack("q", seconds))
        self.env = dict(LD_PRELOAD=self.rig.clock_shift, CLOCK_SHIFT_FILE=self.path("clock"),
                        ASAN_OPTIONS="verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""))

    # --- pods ---

    def create_pod(self, name, containers, **spec):
        body = {"metadata": {"name": name}, "spec": {
            "nodeName": self.name, "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
            "containers": containers, **spec}}
        return self.api.create("pods", body)

    def wait_pod(self, name, condition, seconds=20, what="not as wanted"):
        last = {}

        def look():
            last["pod"] = self.api.pod(name)
            return condition(last["pod"]) and (last["pod"] or True)
        return wait(look, seconds, lambda: f"pod {name}: {what}: {summary(last['pod'])}")

    def wait_ready(self, name, seconds=20):
        return self.wait_pod(name, is_ready, seconds, "not ready")

    def leftovers(self, uid, name):
        """What a pod that is gone left behind, as a list of texts."""
        dump = self.fake("dump")
        found = [f"sandbox {s['id'][-4:]}" for s in dump["sandboxes"] if s["uid"] == uid]
        found += [f"container {c['name']}" for c in dump["containers"] if c["pod"] == name]
        found += glob.glob(f"{self.root}/pods/{uid}") + glob.glob(f"{self.logs}/*{uid}*")
        found += glob.glob(f"/var/log/containers/{name}_*")
        with open("/proc/self/mountinfo") as f:
            found += [line.split()[4] for line in f if uid in line]
        for parent in cgroup_parents():
            found += glob.glob(f"{parent}{self.cgroup}/kubepods/**/pod{uid}", recursive=True)
        return found

    def delete_pod(self, name, seconds=25):
        pod = self.api.pod(name)
        self.api.delete_pod(name)
        self.wait_gone(name, pod["metadata"]["uid"], seconds)

    def wait_gone(self, name, uid, seconds=25):
        self.wait_pod(name, lambda p: not p or p["metadata"]["uid"] != uid, seconds, "still in the API")
        wait(lambda: not self.leftovers(uid, name), seconds, lambda: f"left by {name}: {self.leftovers(uid, name)}")

    def check_clean(self):
        breaches = self.fake("dump")["breaches"]
        check(not breaches, f"breaches: {breaches}")
        check(self.agent is None or self.agent.poll() is None, f"the agent ended: {self.agent and self.agent.returncode}")

    def end(self):
        """The agent ends as asked, and whatever checks it has nothing to say."""
        if self.agent and self.agent.poll() is None:
            self.agent.terminate()
            try:
                code = self.agent.wait(30)
            except subprocess.TimeoutExpired:
                raise Failed("the agent does not end") from None
            check(code == 0, f"the agent exits {code}")

    def close(self):
        for child in (self.agent, self.runtime):
            if child and child.poll() is None:
                child.kill()
                child.wait()
        with open("/proc/self/mountinfo") as f:
            mounts = [line.split()[4] for line in f if self.dir in line]
        for path in reversed(mounts):
            subprocess.run(["umount", "-l", path], check=False)
        for parent in cgroup_parents():
            remove_cgroup(parent + self.cgroup)


def container(name, *command, **more):
    return {"name": name, "image": "localhost/app:1", "command": list(command or ["run"]), **more}


def condition(pod, kind):
    return next((c for c in pod.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def is_ready(pod):
    return pod and condition(pod, "Ready").get("status") == "True"


def statuses(pod):
    s = pod.get("status", {})
    return {c["name"]: c for c in s.get("initContainerStatuses", []) + s.get("containerStatuses", [])}


def parse_time(text):
    """Seconds since 1970 of a MicroTime."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def summary(pod):
    if not pod:
        return "no such pod"
    lines = {n: (c["restartCount"], c["ready"], c["state"]) for n, c in statuses(pod).items()}
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return (f"phase={pod.get('status', {}).get('phase')} deletion={pod['metadata'].get('deletionTimestamp')} "
            f"{conditions} {lines}")
