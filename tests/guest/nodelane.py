"""A node's life under one cgroup driver: pods and their limits, restarts, an orderly end."""
import json
import os
import re
import time

from guest import (MIB, NODE, Failed, agent_pid, apply, calm, configure_agent, container_id, equal, get, install_agent, journal,
                   kubectl, pod, put, read, run, say, show, start_containerd, starts, tasks, uid_of, wait, wait_ready,
                   wait_running, within)

CGROUPS = "/sys/fs/cgroup"
MANIFESTS = "/etc/kubernetes/manifests"
PODS = {
    "guaranteed": {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "250m", "memory": "32Mi"}},
    "burstable": {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"cpu": "505m", "memory": "64Mi"}},
    "heavy": {"requests": {"cpu": "300m"}},
    "besteffort": {},
}
# cpu.weight of a request, as kernel and kubelet convert it
WEIGHTS = {2: "1", 102: "4", 256: "10", 307: "12", 409: "16"}


class Lane:
    def __init__(self, driver):
        self.driver = driver
        self.pods = {}
        self.before = None

    def level(self, qos=""):
        if self.driver == "systemd":
            return f"{CGROUPS}/kubepods.slice" + (f"/kubepods-{qos}.slice" if qos else "")
        return f"{CGROUPS}/kubepods" + (f"/{qos}" if qos else "")

    def pod_dir(self, name):
        p, qos = self.pods[name], {"guaranteed": "", "heavy": "burstable"}.get(name, name)
        if self.driver == "systemd":
            return f"{self.level(qos)}/kubepods-{qos + '-' if qos else ''}pod{uid_of(p).replace('-', '_')}.slice"
        return f"{self.level(qos)}/pod{uid_of(p)}"

    def container_dir(self, name):
        box = container_id(self.pods[name])
        return self.pod_dir(name) + (f"/cri-containerd-{box}.scope" if self.driver == "systemd" else f"/{box}")

    def boot(self):
        """The guest is what a Debian 12 node is."""
        show("systemctl --version | head -1; uname -r; findmnt -n -o FSTYPE /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.controllers")
        equal(run("findmnt -n -o FSTYPE /sys/fs/cgroup"), "cgroup2", "cgroup hierarchy")
        equal(run("cat /proc/1/comm"), "systemd", "pid 1")

    def install(self):
        """The package is installed."""
        install_agent()
        show("systemctl cat keelson-agent | grep -E '^(Type|ExecStart|Restart|WatchdogSec)'; kubelet --version")

    def join(self):
        """The node joins and becomes Ready."""
        start_containerd(self.driver == "systemd")
        configure_agent(self.driver, f"staticPodPath: {MANIFESTS}\nfileCheckFrequency: 5s\n")
        run("systemctl daemon-reload; systemctl restart keelson-agent")
        node = wait_ready()
        info = node["status"]["nodeInfo"]
        say("    " + kubectl("get", "node", NODE, "-o", "wide").replace("\n", "\n    ").rstrip())
        equal(info["kubeletVersion"], "v1.37.2", "kubeletVersion")
        memory = int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo")).group(1))
        equal(node["status"]["capacity"]["memory"], f"{memory}Ki", "capacity")
        equal(run("systemctl is-active keelson-agent"), "active", "unit")
        equal(read(f"{self.level()}/memory.max"), str((memory << 10) // 4096 * 4096), "memory.max of kubepods")
        equal(read(f"{self.level('besteffort')}/cpu.weight"), "1", "cpu.weight of besteffort")
        equal(read(f"{self.level('burstable')}/cpu.weight"), "1", "cpu.weight of burstable without pods")

    def limits(self):
        """Pods run, and every limit is where the kernel looks for it."""
        apply(*(pod(name, resources) for name, resources in PODS.items()))
        self.pods = dict(zip(PODS, wait_running(*PODS)))
        say("    " + kubectl("get", "pods", "-o", "wide").replace("\n", "\n    ").rstrip())
        calm()
        for name, p in self.pods.items():
            equal(p["status"]["qosClass"].lower(), {"heavy": "burstable"}.get(name, name), f"class of {name}")
        wanted = {
            "guaranteed": {"memory.max": str(32 * MIB), "cpu.max": "25000 100000", "cpu.weight": WEIGHTS[256], "pids.max": "1000"},
            # a slice knows whole hundredths of a CPU
            "burstable": {"memory.max": str(64 * MIB), "cpu.max": "51000 100000" if self.driver == "systemd" else "50500 100000",
                          "cpu.weight": WEIGHTS[102], "pids.max": "1000"},
            "heavy": {"memory.max": "max", "cpu.max": "max 100000", "cpu.weight": WEIGHTS[307], "pids.max": "1000"},
            "besteffort": {"memory.max": "max", "cpu.max": "max 100000", "cpu.weight": "1", "pids.max": "1000"},
        }
        self.check_files(wanted)
        equal(read(f"{self.level('burstable')}/cpu.weight"), WEIGHTS[409], "cpu.weight of burstable with two pods")
        box = self.container_dir("guaranteed")
        equal(read(box + "/memory.max"), str(32 * MIB), "memory.max of the container")
        equal(read(box + "/cpu.max"), "25000 100000", "cpu.max of the container")
        equal(read(box + "/memory.oom.group"), "1", "memory.oom.group of the container")
        if self.driver == "systemd":
            self.check_units(wanted)

    def check_files(self, wanted):
        for name, files in wanted.items():
            say(f"    {self.pod_dir(name)}")
            for file, value in files.items():
                equal(read(f"{self.pod_dir(name)}/{file}"), value, f"{name} {file}")

    def check_units(self, wanted):
        unit = self.pod_dir("guaranteed").rsplit("/", 1)[1]
        show(f"systemctl show {unit} -p MemoryMax,CPUWeight,CPUQuotaPerSecUSec,TasksMax,ActiveState,Transient; "
             "systemd-cgls --no-pager -u kubepods.slice | head -30")
        equal(run(f"systemctl show -P MemoryMax {unit}"), str(32 * MIB), "MemoryMax that systemd knows")
        # systemd writes anew what it knows: nothing may change
        run("systemctl daemon-reload; sleep 1")
        self.check_files(wanted)

    def oom(self):
        """A container that takes more than its limit is killed with all its processes."""
        apply(pod("greedy", {"limits": {"memory": "16Mi"}}, "sleep 1; head -c 64m /dev/zero | tail", restartPolicy="Never"))
        done = wait(lambda: (p := get("pod", "greedy")) and p["status"].get("phase") == "Failed" and p, 90,
                    lambda: str(get("pod", "greedy")["status"]))
        end = done["status"]["containerStatuses"][0]["state"]["terminated"]
        equal(end["exitCode"], 137, "exit code")
        within(int(re.search(r"oom_kill (\d+)", read(f"{self.level('burstable')}/memory.events")).group(1)), 1, 9, "processes killed")
        # containerd may tell the end before it knows the reason
        if end["reason"] not in ("OOMKilled", "Error"):
            raise Failed(str(end))
        say(f"    reason that the runtime told: {end['reason']}")

    def untouched(self, what):
        equal(tasks() == self.before, True, f"containers after {what} are the same processes")
        calm()

    def restart(self):
        """A restart and a kill -9 of the agent touch no container."""
        kubectl("delete", "pod", "greedy", "--ignore-not-found")
        wait(lambda: not get("pod", "greedy"), 60, "greedy is still there")
        self.before = wait(lambda: (t := tasks()) and len(t) == 2 * len(PODS) and t, 20, lambda: str(tasks()))
        begin = time.monotonic()
        run("systemctl restart keelson-agent")
        say(f"    restarted in {time.monotonic() - begin:.1f} s")
        wait_ready()
        self.untouched("a restart")
        pid, count = agent_pid(), starts()
        out = run(f"""kill -9 {pid}; start=$(date +%s%N)
            until now=$(systemctl show -P MainPID keelson-agent); [ "$now" != 0 ] && [ "$now" != {pid} ]; do sleep 0.05; done
            echo $(( ($(date +%s%N) - start) / 1000000 ))""")
        within(int(out), 0, 2000, "ms from kill -9 until it runs again")
        wait(lambda: run("systemctl is-active keelson-agent; true") == "active", 10, "the unit is not active")
        equal(starts(), count + 1, "restarts that systemd counted")
        wait_ready()
        self.untouched("kill -9")

    def reexec(self):
        """systemd starts itself anew; pods come and go as before."""
        run("systemctl daemon-reexec; sleep 1")
        apply(pod("later", PODS["burstable"]))
        wait_running("later")
        kubectl("delete", "pod", "later")
        wait(lambda: not get("pod", "later"), 60, "later is still there")
        self.untouched("systemctl daemon-reexec")

    def removal(self):
        """Deleted pods leave nothing behind."""
        gone = [self.pod_dir(n) for n in ("burstable", "heavy", "besteffort")]
        kubectl("delete", "pod", "burstable", "heavy", "besteffort", "--wait=false")
        wait(lambda: len(get("pods")["items"]) == 1, 60, "pods are still there")
        wait(lambda: not run("; ".join(f"ls -d {d} 2> /dev/null" for d in gone) + "; true").strip(), 20, "cgroups are left")
        wait(lambda: read(f"{self.level('burstable')}/cpu.weight") == "1", 20, "burstable still weighs")
        left = run("systemctl list-units --all --plain --no-legend 'kubepods*'")
        if self.driver == "systemd":
            names = [line.split()[0] for line in left.split("\n")]
            equal(sorted(names), sorted(["kubepods.slice", "kubepods-burstable.slice", "kubepods-besteffort.slice",
                                         self.pod_dir("guaranteed").rsplit("/", 1)[1]]), "slices")
        else:
            equal(left.strip(), "", "slices")
        equal(run("ls /var/lib/kubelet/pods | wc -l"), "1", "pod directories")

    def static(self):
        """A pod from a file has its cgroup and its limits, outlives the agent and its mirror, and goes with the file."""
        body = pod("static", PODS["burstable"])
        put(f"{MANIFESTS}/static.yaml", json.dumps(body))
        name, uid = f"static-{NODE}", "kubernetes.io/config.hash"
        mirror, = wait_running(name)
        # its cgroup carries the UID that the file gives it, not the mirror's
        self.pods["burstable"] = {**mirror, "metadata": {"uid": mirror["metadata"]["annotations"][uid]}}
        self.check_files({"burstable": {"memory.max": str(64 * MIB), "cpu.weight": WEIGHTS[102], "pids.max": "1000"}})
        equal(read(self.container_dir("burstable") + "/memory.max"), str(64 * MIB), "memory.max of the container")
        before = tasks()
        kubectl("delete", "pod", name)
        run(f"kill -9 {agent_pid()}")
        wait(lambda: (p := get("pod", name)) and uid_of(p) != uid_of(mirror), 60, "the mirror does not come back")
        wait_ready()
        again, = wait_running(name)
        equal(container_id(again), container_id(mirror), "container after kill -9")
        equal(tasks() == before, True, "all containers are the same processes")
        run(f"rm {MANIFESTS}/static.yaml")
        wait(lambda: not get("pod", name), 60, "the mirror is still there")
        gone = self.pod_dir("burstable")
        wait(lambda: not run(f"ls -d {gone} 2> /dev/null; true").strip(), 20, f"{gone} is left")

    def quiet(self):
        """The journal holds no error."""
        text = journal()
        bad = [line for line in text.split("\n") if re.search(r"^(<3>|E\d{4})|error|Assertion|Sanitizer", line)]
        if bad:
            raise Failed("\n".join(bad))
        say(f"    {len(text.splitlines())} lines")

    def poweroff(self):
        """Power-off, with a pod running, ends the agent in order and the machine in time."""
        pid = int(open(os.environ["GUEST_PID"], encoding="utf-8").read())
        begin = time.monotonic()
        run("systemd-run --quiet --on-active=1 systemctl poweroff")   # so that the answer is on its way
        wait(lambda: not os.path.exists(f"/proc/{pid}"), 90, "the guest still runs")
        within(round(time.monotonic() - begin, 1), 0, 60, "seconds until the machine was off")
        console = open(os.environ["CONSOLE"], encoding="utf-8", errors="replace").read()
        # the journal goes to the console, too, which outlives it
        for line in ("signal 15: ending; pods keep running", "keelson-agent.service: Deactivated successfully", "reboot: "):
            found = [text.strip() for text in console.split("\n") if line in text]
            if not found:
                raise Failed(f"the console does not say '{line}':\n{console[-2000:]}")
            say("    > " + found[-1])

    def steps(self):
        return [self.boot, self.install, self.join, self.limits, self.oom, self.restart, self.reexec, self.removal, self.static,
                self.quiet, self.poweroff]


