#!/usr/bin/env python3
"""Pods' lives on the strict fake runtime and a real kube-apiserver, with kills and faults.

usage: pod-life.py AGENT FAKE_CRI [--all] [--keep] [SCENARIO ...]   a scenario is a function below; a prefix names many
--all kills at every call of a life, not only at those that change something; and waits out the long times.
"""
import argparse
import concurrent.futures
import os
import shutil
import sys
import threading
import time
import traceback

import podrig
from podrig import check, condition, container, is_ready, statuses, wait

LANES = 3
SCENARIOS = []      # run at once, each on a node of its own
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
    """kill -9 before and after every call, on LANES nodes at once. Returns how many lives there were."""
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

    lanes = [rig.lane().start() for _ in range(LANES)]
    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not failures, "; ".join(failures))
    check(end[0] is not None and end[0] >= 19, f"a life has {end[0]} calls only")
    print(f"  {lives[0]} lives, {end[0]} calls each, {sum(l.starts for l in lanes)} agents", flush=True)


# --- main ---

def run_one(rig, function, failures):
    start = time.monotonic()
    lane = None
    try:
        lane = rig.lane()
        function(lane)
        lane.check_clean()
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
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", help="copy the nodes' directories there")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_intermixed_args()

    def wanted(name):
        return not args.scenario or any(name.startswith(s) for s in args.scenario)
    rig, failures = podrig.Rig(args.agent, args.fake_cri), []
    rig.all = args.all
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
