#!/usr/bin/env python3
"""Pods' lives on the strict fake runtime and a real kube-apiserver, with kills and faults.

usage: pod-life.py AGENT FAKE_CRI CLOCK_SHIFT [--all] [--seed N] [--keep DIR] [--wrap COMMAND] [SCENARIO ...]   a scenario is a function below; a prefix names many
--all kills at every call of a life, not only at those that change something; and waits out the long times.
"""
import argparse
import concurrent.futures
import glob
import os
import random
import shutil
import sys
import threading
import time
import traceback

import podrig
import staticlife
from podrig import check, condition, container, is_ready, statuses, wait

LANES = 6           # scenarios at once: they mostly wait
KILL_LANES = 3
SCENARIOS = []      # run at once, each on a node of its own
# CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, NET_BIND_SERVICE, SYS_ADMIN, SYS_RESOURCE
KEPT = sum(1 << n for n in (0, 1, 2, 3, 4, 5, 10, 21, 24))
O_CLOEXEC = 0o2000000
ALONE = []          # what disturbs everybody


def scenario(function):
    SCENARIOS.append(function)
    return function


def alone(function):
    ALONE.append(function)
    return function


# --- whole lives ---

def volumes(*names):
    return [{"name": "empty", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "conf", "configMap": {"name": "life"}}, {"name": "key", "secret": {"secretName": "life"}}]


MOUNTS = [{"name": n, "mountPath": "/" + n} for n in ("empty", "memory", "conf", "key")]


def create_objects(api):
    api.create("configmaps", {"metadata": {"name": "life"}, "data": {"a": "1"}})
    api.create("secrets", {"metadata": {"name": "life"}, "stringData": {"k": "secret"}})


def create_life(lane, name, image="localhost/app:1"):
    """A pod with one of everything: 19 calls that change something."""
    return lane.create_pod(
        name, [container("a", volumeMounts=MOUNTS, image=image), container("b", image=image)],
        initContainers=[container("setup", "exit:0:20ms", image=image),
                        container("sidecar", image=image, restartPolicy="Always")],
        volumes=volumes())


def check_life(lane, name, pod):
    """A pod of create_life is up, each container for the first time."""
    check(pod["status"]["phase"] == "Running", podrig.summary(pod))
    now = statuses(pod)
    check(set(now) == {"setup", "sidecar", "a", "b"}, podrig.summary(pod))
    for n, c in now.items():
        check(c["restartCount"] == 0, f"{n} was restarted: {podrig.summary(pod)}")
        have = lane.containers(name, n)
        check(len(have) == 1 and have[0]["attempt"] == 0, f"{n}: {have}")
        check(c["containerID"] == "containerd://" + have[0]["id"], f"{n}: {c['containerID']} {have}")
    check(now["setup"]["state"]["terminated"]["exitCode"] == 0, podrig.summary(pod))
    check(len(lane.sandboxes(name)) == 1, lane.sandboxes(name))


@scenario
def life_of_a_pod(lane):
    pod = create_life(lane.start(), "life-whole")
    check_life(lane, "life-whole", lane.wait_ready("life-whole"))
    uid = pod["metadata"]["uid"]
    base = f"{lane.root}/pods/{uid}/volumes"
    with open(f"{base}/kubernetes.io~configmap/conf/a") as f:
        check(f.read() == "1", "configMap volume")
    with open(f"{base}/kubernetes.io~secret/key/k") as f:
        check(f.read() == "secret", "secret volume")
    check(lane.leftovers(uid, "life-whole"), "a live pod has traces")
    lane.delete_pod("life-whole")


@scenario
def life_with_few_rights(lane):
    """What agent/privileges.c keeps; nothing open is handed down to programs that the agent starts."""
    lane.start().create_pod("rights", [container("a", volumeMounts=MOUNTS)], volumes=volumes())
    lane.wait_ready("rights")
    with open(f"/proc/{lane.agent.pid}/status") as f:
        status = dict(x.split(":\t", 1) for x in f.read().splitlines())
    with open("/proc/self/status") as f:
        own = int(dict(x.split(":\t", 1) for x in f.read().splitlines())["CapEff"], 16)
    for name in ("CapEff", "CapPrm"):
        check(int(status[name], 16) == KEPT & own, f"{name} is {status[name]}")
    check(int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0, f"inherited: {status}")
    check(int(status["CapBnd"], 16) & ~KEPT == 0, f"CapBnd is {status['CapBnd']}")
    check(status["NoNewPrivs"] == "1" and status["Umask"] == "0022", f"{status['NoNewPrivs']} {status['Umask']}")
    threads = 0
    for path in glob.glob(f"/proc/{lane.agent.pid}/task/*/status"):
        text = text_unless_gone(path)
        if text is None:
            continue
        threads += 1
        check(f"Seccomp:\t{0 if sanitized(lane) else 2}\n" in text and f"CapEff:\t{status['CapEff']}\n" in text,
              f"a thread has other rights: {text}")
    check(threads, "no thread was seen")
    inherited, seen = [], 0
    for fd in os.listdir(f"/proc/{lane.agent.pid}/fd"):
        text = text_unless_gone(f"/proc/{lane.agent.pid}/fdinfo/{fd}")
        if text is None:
            continue
        seen += 1
        flags = int(dict(x.split(":\t", 1) for x in text.splitlines() if ":\t" in x)["flags"], 8)
        if int(fd) > 2 and not flags & O_CLOEXEC:
            inherited.append(f"{fd}: {text}")
    check(seen > 3 and not inherited, f"of {seen} descriptors these would be inherited: {inherited}")
    lane.delete_pod("rights")


def text_unless_gone(path):
    """A thread may end and a descriptor be closed while one looks."""
    try:
        with open(path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return None


def sanitized(lane):
    with open(f"/proc/{lane.agent.pid}/maps") as f:
        return "libasan" in (text := f.read()) or "libubsan" in text or "[anon:asan" in text


@scenario
def life_without_resolv_conf(lane):
    """The host's file is read for each sandbox; without it there is none, and the agent lives."""
    path = lane.path("resolv.conf")
    os.rename(path, path + ".away")
    lane.start().create_pod("dns", [container("a")])
    wait(lambda: "FailedCreatePodSandBox" in lane.api.events("dns"), 20, "no event tells what is missing")
    check(not lane.sandboxes("dns"), "a sandbox without DNS settings")
    os.rename(path + ".away", path)
    lane.wait_ready("dns", 40)
    lane.delete_pod("dns")


@scenario
def life_never(lane):
    lane.start().create_pod("never-ok", [container("a", "exit:0:10ms"), container("b", "exit:0:60ms")],
                            restartPolicy="Never")
    lane.create_pod("never-bad", [container("a", "exit:0:10ms"), container("b", "exit:3:60ms")], restartPolicy="Never")
    lane.create_pod("init-bad", [container("a")], initContainers=[container("i", "exit:1:10ms")], restartPolicy="Never")
    for name, phase in (("never-ok", "Succeeded"), ("never-bad", "Failed"), ("init-bad", "Failed")):
        pod = lane.wait_pod(name, lambda p: p["status"].get("phase") == phase, what="not " + phase)
        check(all(c["restartCount"] == 0 for c in statuses(pod).values()), podrig.summary(pod))
        # a terminal phase outlives the agent that saw it
        lane.kill()
        lane.start()
        time.sleep(0.5)
        check(lane.api.pod(name)["status"]["phase"] == phase, "the phase regressed")
        lane.delete_pod(name)


@scenario
def life_on_failure(lane):
    lane.start().create_pod("onfail-ok", [container("a", "exit:0:10ms")], restartPolicy="OnFailure")
    pod = lane.wait_pod("onfail-ok", lambda p: p["status"].get("phase") == "Succeeded")
    check(statuses(pod)["a"]["restartCount"] == 0, podrig.summary(pod))
    lane.create_pod("onfail-bad", [container("a", "exit:1:10ms"), container("b")], restartPolicy="OnFailure")
    pod = lane.wait_pod("onfail-bad", lambda p: statuses(p).get("a", {}).get("restartCount", 0) >= 1)
    check(statuses(pod)["b"]["restartCount"] == 0, podrig.summary(pod))
    lane.delete_pod("onfail-ok")
    lane.delete_pod("onfail-bad")


def waiting_reason(pod, name):
    return statuses(pod).get(name, {}).get("state", {}).get("waiting", {}).get("reason")


@scenario
def life_out_of_memory(lane):
    """The runtime says Error first and OOMKilled a moment later: so does the status, whatever became of the pod."""
    lane.start()
    for policy in ("Never", "Always"):
        lane.create_pod("oom", [container("a", "oom:10ms")], restartPolicy=policy)

        def reason(pod):
            status = statuses(pod).get("a", {})
            ended = status.get("lastState" if policy == "Always" else "state", {}).get("terminated", {})
            return ended.get("reason")
        lane.wait_pod("oom", lambda p: reason(p) == "OOMKilled", 8, what=f"no OOMKilled with {policy}")
        lane.delete_pod("oom")


@scenario
def life_crash_loop(lane):
    lane.start().create_pod("crash", [container("a", "exit:7:10ms")])
    pod = lane.wait_pod("crash", lambda p: waiting_reason(p, "a") == "CrashLoopBackOff")
    last = statuses(pod)["a"]["lastState"].get("terminated", {})
    check(last.get("exitCode") == 7, podrig.summary(pod))
    pod = lane.wait_pod("crash", lambda p: statuses(p)["a"]["restartCount"] >= 1 and
                        waiting_reason(p, "a") == "CrashLoopBackOff", 30)
    # a restarted agent neither forgets the count nor the back-off
    count = statuses(pod)["a"]["restartCount"]
    lane.kill()
    lane.start()
    time.sleep(3)
    pod = lane.api.pod("crash")
    check(statuses(pod)["a"]["restartCount"] == count, podrig.summary(pod))
    check(waiting_reason(pod, "a") == "CrashLoopBackOff", podrig.summary(pod))
    lane.delete_pod("crash")


@scenario
def life_stubborn(lane):
    lane.start().create_pod("stubborn", [container("a", "stubborn"), container("b")], terminationGracePeriodSeconds=3)
    lane.wait_ready("stubborn")
    start = time.monotonic()
    lane.delete_pod("stubborn")
    took = time.monotonic() - start
    check(2.5 < took < 8, f"deletion with a grace of 3 s took {took:.1f} s")


# --- kill -9 ---

LIFE_CALLS = ("create_container", "start_container", "run_podsandbox", "pull_image")


def killed_life(lane, name, rpc, skip, after):
    """One life; the agent dies at its call number skip. Returns false when the life has no such call."""
    before = lane.calls(*LIFE_CALLS)
    lane.order("kill", pid=lane.agent.pid, rpc=rpc, skip=skip, after=after)
    pod = create_life(lane, name, f"localhost/{name}:1")
    ids = {}

    def up():
        lane.revive()
        return is_ready(lane.api.pod(name))
    wait(up, 30, lambda: f"not ready: {podrig.summary(lane.api.pod(name))}")
    check_life(lane, name, lane.api.pod(name))
    ids = {c["name"]: c["id"] for c in lane.containers(name)}
    lane.api.delete_pod(name)
    seen = dict(ids)

    def gone():
        lane.revive()
        for c in lane.containers(name):
            seen[c["name"]] = c["id"]
        return not lane.api.pod(name) and not lane.leftovers(pod["metadata"]["uid"], name)
    wait(gone, 30, lambda: f"not gone: {podrig.summary(lane.api.pod(name))} "
         f"{lane.leftovers(pod['metadata']['uid'], name)}")
    check(seen == ids, f"containers changed: {ids} {seen}")
    made = [b - a for a, b in zip(before, lane.calls(*LIFE_CALLS))]
    check(made[:3] == [4, 4, 1], f"not each once: {dict(zip(LIFE_CALLS, made))}")
    happened = "error" not in lane.fake("killed")
    lane.order("kill", pid=0, rpc="any")
    lane.check_clean()
    return happened


def kill_everywhere(rig, all_calls):
    """kill -9 before and after every call, on KILL_LANES nodes at once. Returns how many lives there were."""
    rpc = "any" if all_calls else "change"
    lock, next_kill = threading.Lock(), [0]
    lives, end, failures = [0], [None], []

    def work(lane):
        while not failures:
            with lock:
                number = next_kill[0]
                skip, after = number // 2, number % 2
                if end[0] is not None and skip > end[0]:
                    return
                next_kill[0] += 1
            name = f"kill-{'after' if after else 'before'}-{skip}"
            try:
                happened = killed_life(lane, name, rpc, skip, after)
            except Exception as failure:
                failures.append(f"{lane.name} {name}: {failure}")
                return
            with lock:
                lives[0] += 1
                if not happened:
                    end[0] = min(skip, end[0] if end[0] is not None else skip)

    lanes = [rig.lane().start() for _ in range(KILL_LANES)]
    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not failures, "; ".join(failures))
    check(end[0] is not None and end[0] >= 19, f"a life has {end[0]} calls only")
    print(f"  {lives[0]} lives, {end[0]} calls each, {sum(l.starts for l in lanes)} agents", flush=True)


@scenario
def kill_with_readiness(lane):
    """Kills do not flip readiness: Ready is never False once it was True, and its time stays."""
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    lane.start().create_pod("steady", [container("a", readinessProbe=probe, livenessProbe=probe,
                                                 startupProbe=probe)])
    since = condition(lane.wait_ready("steady"), "Ready")["lastTransitionTime"]
    for _ in range(5):
        lane.kill()
        lane.start()
        starts = lane.calls("exec_sync")[0]
        wait(lambda: lane.calls("exec_sync")[0] > starts + 1 or not is_ready(lane.api.pod("steady")), 20, "no probe")
        pod = lane.api.pod("steady")
        check(condition(pod, "Ready").get("lastTransitionTime") == since and is_ready(pod), podrig.summary(pod))
        check(condition(pod, "ContainersReady").get("status") == "True", podrig.summary(pod))
        check(statuses(pod)["a"]["restartCount"] == 0, podrig.summary(pod))
    lane.delete_pod("steady")


# --- faults of the runtime ---

def whole_life(lane, name, seconds=30, image=None):
    """A life under the faults planned: up, each container once, gone."""
    create_life(lane, name, image or f"localhost/{name}:1")
    pod = lane.wait_ready(name, seconds)
    counts = {n: c["restartCount"] for n, c in statuses(pod).items()}
    check(not any(counts.values()), f"restarts: {counts}")
    lane.delete_pod(name, seconds)


@scenario
def fault_lost_stop_event(lane):
    lane.start().create_pod("lost", [container("a")])
    lane.wait_ready("lost")
    lane.order("lose-events", count=1)
    lane.order("exit", id=lane.containers("lost", "a")[0]["id"], code=5)
    pod = lane.wait_pod("lost", lambda p: statuses(p)["a"]["restartCount"] == 1 and is_ready(p), 20)
    check(statuses(pod)["a"]["lastState"]["terminated"]["exitCode"] == 5, podrig.summary(pod))
    lane.delete_pod("lost")


@scenario
def fault_sandbox_name_reserved(lane):
    lane.start()
    lane.order("plan", rpc="run_podsandbox", kind="fail", count=2, status=2,
               text="failed to reserve sandbox name: name is reserved for 123")
    whole_life(lane, "reserved")
    # the sandbox is there, and nobody was told: neither by the reply nor by events
    lane.order("clear")
    lane.order("plan", rpc="run_podsandbox", kind="lost", count=1)
    lane.order("lose-events", count=2)
    whole_life(lane, "unannounced")


@scenario
def fault_half_sandbox(lane):
    lane.start().order("plan", rpc="run_podsandbox", kind="half", count=1)
    create_life(lane, "half")
    lane.wait_ready("half")
    ready = [s for s in lane.sandboxes("half") if s["state"] == "ready"]
    check(len(ready) == 1 and ready[0]["attempt"] == 1, lane.sandboxes("half"))
    lane.delete_pod("half")


CHANGES = ("run_podsandbox", "pull_image", "create_container", "start_container", "stop_container", "stop_podsandbox",
           "remove_container", "remove_podsandbox")
READS = ("list_podsandbox", "list_containers", "podsandbox_status", "container_status", "image_status")


@scenario
def fault_lost_replies(lane):
    lane.start()
    for rpc in CHANGES:
        lane.order("clear")
        lane.order("plan", rpc=rpc, kind="lost", count=1)
        whole_life(lane, "lost-" + rpc.replace("_", "-"))


def failing_replies(lane, calls):
    lane.start()
    for rpc in calls:
        lane.order("clear")
        # the second failure of a pull is waited out for 20 s
        lane.order("plan", rpc=rpc, kind="fail", count=1 if rpc == "pull_image" else 2, status=2,
                   text="write /run/x: no space left on device")
        whole_life(lane, "fail-" + rpc.replace("_", "-"))


@scenario
def fault_failing_changes(lane):
    failing_replies(lane, CHANGES)


@scenario
def fault_failing_reads(lane):
    failing_replies(lane, READS)


@scenario
def fault_garbage(lane):
    lane.start()
    for rpc in CHANGES + READS:
        lane.order("clear")
        lane.order("plan", rpc=rpc, kind="garbage", count=2)
        whole_life(lane, "garbage-" + rpc.replace("_", "-"))


@scenario
def fault_no_replies(lane):
    """Calls that happen, but whose replies never come, end at their deadlines."""
    lane.start()
    for rpc in [r for r in CHANGES if r != "pull_image"] + ["list_containers", "container_status"]:
        lane.order("clear")
        lane.order("plan", rpc=rpc, kind="silent", count=1)
        whole_life(lane, "silent-" + rpc.replace("_", "-"), 40)
fault_no_replies.config = "runtimeRequestTimeout: 1s"


@scenario
def fault_ends_in_mid_look(lane):
    """An agent that ends while the runtime owes it answers takes nothing with it that a leak checker would find."""
    lane.start()
    lane.create_pod("looked-at", [container("a"), container("b")])
    lane.wait_ready("looked-at")
    lane.order("plan", rpc="container_status", kind="silent")
    asked, = lane.calls("container_status")
    lane.order("exit", id=lane.containers("looked-at", "a")[0]["id"], code=3)
    wait(lambda: lane.calls("container_status")[0] > asked, 15, "nobody looks")
    lane.end()
    lane.order("clear")
    lane.start()
    lane.wait_pod("looked-at", lambda p: statuses(p)["a"]["restartCount"] == 1 and is_ready(p), 20)
    lane.delete_pod("looked-at")


@scenario
def fault_storm(lane):
    """Many pods, kills at random calls, faults at random calls: all come up, all go."""
    dice = random.Random(lane.rig.seed)
    lane.start()
    names = [f"storm-{i}" for i in range(10)]
    uids = {n: create_life(lane, n)["metadata"]["uid"] for n in names}

    def disturb(done, what):
        for turn in range(400):
            if done():
                return
            lane.order("plan", rpc=dice.choice(CHANGES + READS), kind=dice.choice(["lost", "fail", "garbage"]),
                       skip=dice.randrange(20), count=1)
            if turn < 12:
                lane.order("kill", pid=lane.agent.pid, rpc="change", skip=dice.randrange(6), after=turn % 2)
                time.sleep(dice.random())
                lane.revive()
            elif turn == 12:
                lane.order("clear")
                lane.order("kill", pid=0, rpc="any")
            if turn >= 12:
                lane.order("clear")
                lane.revive()
                time.sleep(0.2)
        raise podrig.Failed(what + ": " + "; ".join(f"{n}: {podrig.summary(lane.api.pod(n))} "
                                                    f"{lane.leftovers(uids[n], n)}" for n in names if not done([n])))
    disturb(lambda some=names: all(is_ready(lane.api.pod(n)) for n in some), "not up")
    for n in names:
        pod = lane.api.pod(n)
        check(not any(c["restartCount"] for c in statuses(pod).values()), podrig.summary(pod))
        lane.api.delete_pod(n)
    disturb(lambda some=names: not any(lane.api.pod(n) or lane.leftovers(uids[n], n) for n in some), "not gone")


@scenario
def fault_slow_runtime(lane):
    lane.start().order("plan", rpc="any", kind="slow", delay_msec=150)
    whole_life(lane, "slow", 60)
    check("stuck" not in lane.log_text(), "the loop was held up")


@scenario
def fault_no_space(lane):
    lane.start().order("plan", rpc="create_container", kind="fail", count=2, status=2,
                       text="mkdir /run/containerd/x: no space left on device")
    lane.create_pod("full", [container("a")])
    pod = lane.wait_pod("full", lambda p: waiting_reason(p, "a") == "CreateContainerError")
    check("no space left" in statuses(pod)["a"]["state"]["waiting"]["message"], podrig.summary(pod))
    lane.wait_ready("full")
    lane.delete_pod("full")


@scenario
def fault_sandbox_dies(lane):
    lane.start().create_pod("pause", [container("a"), container("b")])
    lane.wait_ready("pause")
    lane.order("kill-sandbox", id=lane.sandboxes("pause")[0]["id"])
    lane.wait_pod("pause", lambda p: is_ready(p) and all(c["restartCount"] == 1 for c in statuses(p).values()))
    lane.delete_pod("pause")


@scenario
def fault_network_not_ready(lane):
    lane.order("ready", runtime=1, network=0)
    lane.start().create_pod("net", [container("a")])
    wait(lambda: "NetworkNotReady" in lane.api.events("net"), 15, "no event NetworkNotReady")
    check(not lane.sandboxes("net"), "a sandbox without a network")
    lane.order("ready", runtime=1, network=1)
    lane.wait_ready("net", 30)
    lane.delete_pod("net")


@scenario
def fault_runtime_restarts(lane):
    create_life(lane.start(), "outlive")
    check_life(lane, "outlive", lane.wait_ready("outlive"))
    lane.order("restart")
    lines = lane.log_lines()
    lane.order("down")
    time.sleep(15)
    check(lane.log_lines() - lines <= 10, f"{lane.log_lines() - lines} lines in 15 s without a runtime")
    lane.order("restart")
    lane.order("exit", id=lane.containers("outlive", "b")[0]["id"], code=1)
    lane.wait_pod("outlive", lambda p: statuses(p)["b"]["restartCount"] == 1 and is_ready(p), 30)
    check([c["attempt"] for c in lane.containers("outlive", "a")] == [0], "a was restarted")
    lane.delete_pod("outlive")


@scenario
def fault_clock_set_back(lane):
    """The node's clock is an hour late from one moment to the next, with times of the old clock on record."""
    lane.shift_clock(0)
    lane.start().create_pod("tick", [container("a"), container("b", "exit:1:100ms")])
    lane.wait_pod("tick", lambda p: statuses(p).get("b", {}).get("restartCount", 0) >= 1)
    create_life(lane, "tock")
    lane.wait_ready("tock")
    renewed = lane.api.renewed(lane.name)
    lane.shift_clock(-3600)
    count = statuses(lane.api.pod("tick"))["b"]["restartCount"]
    lane.wait_pod("tick", lambda p: statuses(p)["b"]["restartCount"] >= count + 2, 30, "the crashed one stays down")
    check(statuses(lane.api.pod("tick"))["a"]["restartCount"] == 0, "a was restarted")
    wait(lambda: lane.api.renewed(lane.name) != renewed, 12, "the Lease is not renewed")
    check_life(lane, "tock", lane.wait_ready("tock"))
    lane.delete_pod("tock")
    whole_life(lane, "tack")
    lane.delete_pod("tick")
fault_clock_set_back.config = "crashLoopBackOff: {maxContainerRestartPeriod: 2s}"


class HungFileSystem:
    """A FUSE mount that nobody serves: whoever looks into it waits until it is let go."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path)
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0".encode()
        if podrig.LIBC.mount(b"hung", path.encode(), b"fuse", 0, options):
            raise podrig.Failed("mount fuse: " + os.strerror(podrig.ctypes.get_errno()))

    def end(self):
        """Waiting calls fail; an empty directory is left."""
        if self.fd >= 0:
            os.close(self.fd)
            podrig.LIBC.umount2(self.path.encode(), 2)
            self.fd = -1


@scenario
def fault_mount_hangs(lane):
    """More pods than job threads hang on a dead file system: the node lives, and others come and go."""
    hung = HungFileSystem(lane.path("hung"))
    try:
        lane.start()
        for i in range(5):
            lane.create_pod(f"hung-{i}", [container("a", volumeMounts=[{"name": "v", "mountPath": "/v"}])],
                            volumes=[{"name": "v", "hostPath": {"path": hung.path + "/x", "type": "Directory"}}])
        mounts = [{"name": "v", "mountPath": "/v", "subPath": "x"}]
        for i in range(2):
            lane.create_pod(f"below-{i}", [container("a", volumeMounts=mounts)],
                            volumes=[{"name": "v", "hostPath": {"path": hung.path}}])
        wait(lambda: len(lane.sandboxes()) == 2, 20, lambda: f"sandboxes: {lane.sandboxes()}")
        oldest, end = 0.0, time.monotonic() + 24
        for turn in range(3):
            whole_life(lane, f"fine-{turn}")
        while time.monotonic() < end:
            oldest = max(oldest, time.time() - podrig.parse_time(lane.api.renewed(lane.name)))
            time.sleep(0.5)
        check(oldest <= 12, f"the Lease was {oldest:.1f} s old")
        lane.delete_pod("hung-4")
        check("stuck" not in lane.log_text(), "the loop was held up")
        check(len(lane.sandboxes()) == 2, f"sandboxes: {lane.sandboxes()}")
        # neither the end of the agent nor its next life waits (a leak checker would: it stops every thread first)
        lane.agent.terminate()
        lane.agent.wait(5)
        lane.start()
        whole_life(lane, "fine-again")
    finally:
        hung.end()
    os.makedirs(hung.path + "/x")
    for name in [f"hung-{i}" for i in range(4)] + ["below-0", "below-1"]:
        lane.wait_ready(name, 40)
        lane.delete_pod(name)
fault_mount_hangs.env = {"ASAN_OPTIONS": "detect_leaks=0"}


# --- faults of the API server ---

@alone
def apiserver_gone(lane):
    """Pods go on without the API server, quietly; soon after it is back all is told."""
    seconds = 60 if lane.rig.all else 15
    create_life(lane.start(), "alone")
    lane.wait_ready("alone")
    lane.create_pod("restarts", [container("a")])
    lane.wait_ready("restarts")
    lane.create_pod("hello", [container("a")])
    lane.wait_ready("hello")
    lines = lane.log_lines()
    lane.rig.api.stop()
    end = time.monotonic() + seconds
    lane.order("exit", id=lane.containers("restarts", "a")[0]["id"], code=3)
    wait(lambda: any(c["state"] == "running" and c["attempt"] == 1 for c in lane.containers("restarts")), seconds,
         "a container is not restarted while the API server is gone")
    time.sleep(max(0, end - time.monotonic()))
    lines = lane.log_lines() - lines
    allowed = 20 if seconds >= 60 else 12
    lane.rig.api.start()
    back = time.time()
    check(lines <= allowed, f"{lines} lines in {seconds} s:\n{lane.log_text()[-6000:]}")
    print(f"  {lines} lines in {seconds} s", flush=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(back))
    wait(lambda: lane.api.renewed(lane.name) > stamp, 12, f"Lease of {lane.api.renewed(lane.name)}, back at {stamp}")
    print(f"  Lease renewed {time.time() - back:.1f} s after it was back", flush=True)
    lane.wait_pod("restarts", lambda p: statuses(p)["a"]["restartCount"] == 1 and is_ready(p), 30)
    check_life(lane, "alone", lane.wait_ready("alone"))
    for name in ("alone", "restarts", "hello"):
        lane.delete_pod(name, 30)


@alone
def secrets_300(lane):
    """300 Secrets watched one by one: the Lease never gets old, and an update arrives."""
    for i in range(300):
        lane.api.create("secrets", {"metadata": {"name": f"many-{i}"}, "stringData": {"k": str(i)}})
    lane.start()
    pods = {}
    for p in range(3):
        names = [f"many-{i}" for i in range(100 * p, 100 * p + 100)]
        pods[f"many-{p}"] = lane.create_pod(
            f"many-{p}", [container("a", volumeMounts=[{"name": n, "mountPath": "/" + n} for n in names])],
            volumes=[{"name": n, "secret": {"secretName": n}} for n in names])
    for name in pods:
        lane.wait_ready(name, 60)
    oldest, end = 0.0, time.monotonic() + (60 if lane.rig.all else 24)
    while time.monotonic() < end:
        oldest = max(oldest, time.time() - podrig.parse_time(lane.api.renewed(lane.name)))
        time.sleep(0.5)
    print(f"  oldest Lease {oldest:.1f} s", flush=True)
    check(oldest <= 12, f"the Lease was {oldest:.1f} s old")
    lane.api.call("PATCH", "/api/v1/namespaces/default/secrets/many-299", {"stringData": {"k": "new"}},
                  "application/merge-patch+json")
    path = f"{lane.root}/pods/{pods['many-2']['metadata']['uid']}/volumes/kubernetes.io~secret/many-299/k"
    wait(lambda: open(path).read() == "new", 90, "the update of a Secret does not arrive")
    for name in pods:
        lane.delete_pod(name, 40)


SCENARIOS += staticlife.SCENARIOS

# --- main ---

def run_one(rig, function, failures):
    start = time.monotonic()
    lane = None
    try:
        lane = rig.lane(config=getattr(function, "config", ""), env=getattr(function, "env", None))
        function(lane)
        lane.check_clean()
        lane.end()
        verdict = "ok"
    except Exception as failure:
        verdict = f"FAILED: {failure}"
        if not isinstance(failure, podrig.Failed):
            verdict += "\n" + traceback.format_exc()
        failures.append(function.__name__)
        if lane:
            verdict += "\n" + lane.log_text()[-3000:]
    if lane:
        lane.close()
    print(f"{function.__name__}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("agent")
    parser.add_argument("fake_cri")
    parser.add_argument("clock_shift")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=1, help="of the storm")
    parser.add_argument("--keep", help="copy the nodes' directories there")
    parser.add_argument("--wrap", default="", help="goes in front of the agent's command line: a checker")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_intermixed_args()

    def wanted(name):
        return not args.scenario or any(name.startswith(s) for s in args.scenario)
    rig, failures = podrig.Rig(args.agent, args.fake_cri, args.clock_shift, args.wrap.split()), []
    rig.all, rig.seed = args.all, args.seed
    try:
        create_objects(podrig.Api(rig))
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            for future in [pool.submit(run_one, rig, s, failures) for s in SCENARIOS if wanted(s.__name__)]:
                future.result()
        if wanted("kill_everywhere"):
            start = time.monotonic()
            try:
                kill_everywhere(rig, args.all)
                print(f"kill_everywhere: ok ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception as failure:
                failures.append("kill_everywhere")
                print(f"kill_everywhere: FAILED: {failure}", flush=True)
        for s in ALONE:
            if wanted(s.__name__):
                run_one(rig, s, failures)
    finally:
        if args.keep:
            shutil.copytree(rig.api.dir, args.keep, dirs_exist_ok=True, ignore_dangling_symlinks=True,
                            ignore=lambda d, names: [n for n in names if not n.endswith(".log") and
                                                     not os.path.isdir(os.path.join(d, n))])
        rig.close()
    if failures:
        print("failed:", *failures)
    return 1 if failures else 0


sys.exit(main())
