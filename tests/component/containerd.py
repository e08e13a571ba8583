#!/usr/bin/env python3
"""Our CRI client against a real containerd in namespaces of its own.

usage: containerd.py CRI_CALLS CONTAINERD...   the first CONTAINERD that exists is taken
exits 77 when it cannot run here
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START_SECONDS = 30

CONFIG_1 = """version = 2
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10.1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
"""
CONFIG_2 = """version = 3
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/sock"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{dir}/cni"
"""


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def start(binary, folder):
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    generation = re.search(r" v?(\d+)\.", version).group(1)
    print(version.strip())
    config = os.path.join(folder, "config.toml")
    with open(config, "w", encoding="utf-8") as f:
        f.write((CONFIG_1 if generation == "1" else CONFIG_2).format(dir=folder))
    log = open(os.path.join(folder, "log"), "w", encoding="utf-8")
    env = dict(os.environ, PATH=os.path.dirname(binary) + ":" + os.environ["PATH"])
    proc = subprocess.Popen(["unshare", "--mount", "--net", binary, "--config", config], stdout=log, stderr=log,
                            env=env)
    deadline = time.monotonic() + START_SECONDS
    while not os.path.exists(os.path.join(folder, "sock")):
        if proc.poll() is not None or time.monotonic() > deadline:
            print(open(log.name, encoding="utf-8").read()[-3000:])
            proc.kill()
            sys.exit("containerd did not start")
        time.sleep(0.05)
    return proc, generation


def main():
    calls, *candidates = sys.argv[1:]
    binary = next((c for c in candidates if os.access(c, os.X_OK)), None)
    if not binary:
        skip("no containerd at " + " or ".join(candidates))
    if os.geteuid() != 0:
        skip("containerd needs root")
    folder = tempfile.mkdtemp(prefix="keelson-cri-")
    proc, generation = start(binary, folder)
    try:
        result = subprocess.run([calls, os.path.join(folder, "sock"), generation], timeout=120)
    finally:
        proc.send_signal(signal.SIGTERM)
        proc.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)
    return result.returncode


sys.exit(main())
