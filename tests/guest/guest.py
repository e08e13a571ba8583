"""What lanes share: commands in the guest, the API as an admin, waiting, and a transcript that tells what was seen."""
import functools
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "component"))
import waiting
from waiting import Failed

STATE, PKI, RUNTIME, IMAGE = (os.environ[k] for k in ("STATE", "PKI", "RUNTIME", "BUSYBOX_IMAGE"))
NODE, NODE_IP, API_IP, K8SBIN = "node2", os.environ["GUEST_IP"], os.environ["API_IP"], os.environ["K8SBIN"]
INSIDE = ["nsenter", "--net=" + os.environ["NETNS"]]
MIB = 1 << 20


def say(*words):
    print(*words, flush=True)


def run(script, check=True, quiet=True):
    """A script in the guest; returns its output."""
    done = subprocess.run([*INSIDE, "python3", os.path.join(HERE, "ask.py"), NODE_IP, script], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the guest does not answer: {done.stderr.strip()}")
    out, _, status = done.stdout.rpartition("\n")
    if check and status != "0":
        raise Failed(f"in the guest: {script}\n{out}\nexit status {status}")
    if not quiet:
        say("\n".join("    " + line for line in [f"# {script}", *out.split("\n")]))
    return out


def show(script):
    return run(script, quiet=False)


def put(path, text, mode=0o644):
    run(f"mkdir -p {os.path.dirname(path)}; cat > {path} <<'END'\n{text.rstrip()}\nEND\nchmod {mode:o} {path}")


def kubectl(*args, data=None, check=True):
    done = subprocess.run([*INSIDE, os.environ["KUBECTL"], "--kubeconfig", f"{PKI}/admin.kubeconfig", *args],
                          input=data, capture_output=True, text=True)
    if check and done.returncode:
        raise Failed(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def get(*what):
    text = kubectl("get", *what, "-o", "json", check=False)
    return json.loads(text) if text.strip() else None


# each look is a command in the guest
wait = functools.partial(waiting.wait, pause=0.3)


def equal(have, want, what):
    if have != want:
        raise Failed(f"{what}: {have!r}, not {want!r}")
    say(f"    {what}: {have}")


def within(have, low, high, what):
    if not low <= have <= high:
        raise Failed(f"{what}: {have}, not in {low}..{high}")
    say(f"    {what}: {have}")


# --- the node's parts ---

def read(path):
    return run(f"cat {path}").strip()


def start_containerd(systemd_cgroup=True):
    config = open(f"{STATE}/{NODE}/containerd.toml", encoding="utf-8").read()
    if not systemd_cgroup:
        config = config.replace("SystemdCgroup = true", "SystemdCgroup = false")
    put("/etc/containerd/config.toml", config)
    put("/etc/cni/net.d/10-lane.conflist", json.dumps({"cniVersion": "1.0.0", "name": "lane", "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}))
    if RUNTIME == "2":
        put("/etc/systemd/system/containerd.service.d/lane.conf",
            f"[Service]\nExecStart=\nExecStart={K8SBIN}/containerd\nEnvironment=PATH={K8SBIN}:/usr/sbin:/usr/bin:/sbin:/bin")
    run("systemctl daemon-reload; systemctl restart containerd")


CONFIG = f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: /etc/kubernetes/pki/ca.crt}}}}
authorization: {{mode: Webhook}}
tlsCertFile: /etc/kubernetes/pki/{NODE}-serving.crt
tlsPrivateKeyFile: /etc/kubernetes/pki/{NODE}-serving.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: ""
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: "20Mi", nodefs.available: "1%", imagefs.available: "1%"}}
podPidsLimit: 1000
"""


def configure_agent(driver="systemd", more=""):
    """As kubeadm leaves a node."""
    put("/var/lib/kubelet/config.yaml", CONFIG + f"cgroupDriver: {driver}\n" + more)
    run(f"""mkdir -p /etc/kubernetes/pki
        cp {PKI}/ca.crt {PKI}/{NODE}.crt {PKI}/{NODE}.key {PKI}/{NODE}-serving.crt {PKI}/{NODE}-serving.key /etc/kubernetes/pki/
        sed 's,{PKI}/,/etc/kubernetes/pki/,g' {PKI}/{NODE}.kubeconfig > /etc/kubernetes/kubelet.conf
        chmod 600 /etc/kubernetes/kubelet.conf""")
    put("/var/lib/kubelet/kubeadm-flags.env", f'KUBELET_KUBEADM_ARGS="--node-ip={NODE_IP} --hostname-override={NODE} -v=2"')


def install_agent():
    show("dpkg -i --no-triggers " + STATE + "/keelson-agent.deb && dpkg -s keelson-agent | grep -E '^(Status|Version|Depends)'")


def journal(since=None):
    """What the agent said."""
    return run("journalctl -q -o cat -u keelson-agent --no-pager" + (f" --since=@{since}" if since else ""))


def node_ready():
    node = get("node", NODE)
    if not node:
        return None
    ready = [c for c in node["status"].get("conditions", []) if c["type"] == "Ready"]
    return node if ready and ready[0]["status"] == "True" else None


def wait_ready(seconds=90):
    return wait(node_ready, seconds, lambda: "node is not Ready: " + json.dumps((get("node", NODE) or {}).get("status", {}).get("conditions"))
                + "\n" + journal())


# --- pods ---

def pod(name, resources=None, command="trap 'exit 0' TERM; sleep 1000000 & wait", **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 2, "containers": [
                {"name": "main", "image": IMAGE, "command": ["sh", "-c", command], "resources": resources or {}}], **spec}}


def apply(*objects):
    for o in objects:
        kubectl("apply", "-f", "-", data=json.dumps(o))


def wait_running(*names, seconds=120):
    def all_run():
        pods = [get("pod", n) for n in names]
        return pods if all(p and p["status"].get("phase") == "Running" and p["status"]["containerStatuses"][0]["ready"]
                           for p in pods) else None
    return wait(all_run, seconds, lambda: kubectl("get", "pods", "-o", "wide") + kubectl("get", "events") + journal())


def ctr(*words):
    return ("ctr" if RUNTIME == "1.6" else K8SBIN + "/ctr") + " -n k8s.io " + " ".join(words)


def tasks():
    """Containers and their processes: what a restart must not touch."""
    return sorted(tuple(line.split()[:3]) for line in run(ctr("tasks", "ls")).split("\n")[1:])


def calm():
    """No container has ever ended."""
    for p in get("pods")["items"]:
        status = p["status"]["containerStatuses"][0]
        if status["restartCount"]:
            raise Failed(f"{p['metadata']['name']} has restarted: {json.dumps(status)}")
    say("    restart counts: 0")


def agent_pid():
    return int(run("systemctl show -P MainPID keelson-agent"))


def starts():
    return int(run("systemctl show -P NRestarts keelson-agent"))


def main(*steps):
    """Each step is a function with a sentence as its documentation."""
    failed = 0
    begin = time.monotonic()
    for step in steps:
        say(f"--- {step.__doc__.strip()}")
        try:
            step()
        except Failed as failure:
            say(f"FAILED: {failure}")
            failed += 1
            break
        say(f"    ok ({time.monotonic() - begin:.0f} s)")
    sys.exit(1 if failed else 0)


def uid_of(p):
    return p["metadata"]["uid"]


def container_id(p):
    return re.sub(r"^\w+://", "", p["status"]["containerStatuses"][0]["containerID"])
