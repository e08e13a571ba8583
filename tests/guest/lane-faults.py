"""What goes wrong on real nodes: each is one sentence in the journal that names the remedy, without a restart loop, and pods live on."""
import re
import time

from guest import (NODE, PKI, Failed, apply, calm, configure_agent, equal, install_agent, journal, kubectl, main, pod, run, say,
                   start_containerd, starts, tasks, wait, wait_ready, wait_running)


def renewed():
    """When the node's Lease was renewed last."""
    lease = kubectl("-n", "kube-node-lease", "get", "lease", NODE, "-o", "jsonpath={.spec.renewTime}", check=False)
    return lease[:19]


class Faults:
    def __init__(self):
        self.before = None

    def begin(self):
        """A node with a pod on it."""
        install_agent()
        start_containerd()
        configure_agent()
        run("systemctl daemon-reload; systemctl restart keelson-agent")
        wait_ready()
        apply(pod("bystander"))
        wait_running("bystander")
        self.before = tasks()

    def broken(self, break_it, sentence, mend, status=None, seconds=25):
        """Breaks, starts the agent, wants that sentence once and no restart loop; mends, wants the node Ready without touching pods."""
        run("systemctl stop keelson-agent; systemctl reset-failed keelson-agent 2> /dev/null; true")
        run(break_it)
        since = run("date +%s.%N")
        run("systemctl start --no-block keelson-agent")
        wait(lambda: re.search(sentence, journal(since)), 30, lambda: journal(since))
        time.sleep(seconds)
        text = journal(since)
        lines = [line for line in text.split("\n") if re.search(sentence, line)]
        for line in lines[:1]:
            say("    > " + line)
        equal(len(lines), 1, "times it is said")
        if status is None:
            equal(starts(), 0, "restarts in that time")
        else:
            equal(run("systemctl show -P ExecMainStatus keelson-agent"), str(status), "exit status")
            equal(run("systemctl is-active keelson-agent; true"), "failed", "unit, which stays so")
        errors = [line for line in text.split("\n") if re.match(r"[EW]\d{4}", line) and "has no effect" not in line]
        if len(errors) > 8:
            raise Failed("many words:\n" + "\n".join(errors))
        mended = run("date -u +%FT%T")
        run(mend)
        wait(lambda: renewed() > mended, 60, lambda: f"no Lease since {mended}: {renewed()}\n{journal(since)}")
        say("    mended: the Lease is renewed again")
        equal(tasks() == self.before, True, "containers are the same processes")

    def recovered(self, since):
        wait(lambda: run(f"journalctl -q -o cat -u keelson-agent --since=@{since}"), 10, "no word in the journal")
        wait_ready()
        equal(tasks() == self.before, True, "containers are the same processes")
        calm()

    def mismatch(self):
        """The configuration says cgroupfs, the runtime systemd."""
        self.broken("sed -i 's/^cgroupDriver:.*/cgroupDriver: cgroupfs/' /var/lib/kubelet/config.yaml",
                    r"uses the cgroup driver systemd, the configuration says cgroupfs .*set cgroupDriver: systemd",
                    "sed -i 's/^cgroupDriver:.*/cgroupDriver: systemd/' /var/lib/kubelet/config.yaml; systemctl restart keelson-agent",
                    seconds=5)
        apply(pod("despite"))
        wait_running("despite")
        kubectl("delete", "pod", "despite")
        wait(lambda: tasks() == self.before, 30, lambda: str(tasks()))

    def endpoint(self):
        """The runtime's endpoint is not there."""
        self.broken("sed -i 's,unix:///run/containerd/containerd.sock,unix:///run/nothing.sock,' /var/lib/kubelet/config.yaml",
                    r"nothing.sock does not answer: start it, or name another",
                    "sed -i 's,unix:///run/nothing.sock,unix:///run/containerd/containerd.sock,' /var/lib/kubelet/config.yaml; "
                    "systemctl restart keelson-agent")

    def certificate(self):
        """The client certificate has expired."""
        self.broken(f"""cd /etc/kubernetes/pki && cp {NODE}.crt good.crt && cp {PKI}/expired.crt {NODE}.crt""",
                    r"expired", f"cd /etc/kubernetes/pki && mv good.crt {NODE}.crt")

    def kubeconfig(self):
        """The kubeconfig cannot be read."""
        self.broken("cp -p /etc/kubernetes/kubelet.conf /root/; echo '{' > /etc/kubernetes/kubelet.conf",
                    r"/etc/kubernetes/kubelet.conf", "cp -p /root/kubelet.conf /etc/kubernetes/kubelet.conf")

    def disk(self):
        """The disk is full at start."""
        # not even its own certificate fits
        self.broken("mkdir -p /mnt/small && mount -t tmpfs -o nr_inodes=1 none /mnt/small; sed -i /^tls/d /var/lib/kubelet/config.yaml; "
                    "sed -i '/^KUBELET/s,\"$, --root-dir=/mnt/small --cert-dir=/mnt/small/pki\",' /var/lib/kubelet/kubeadm-flags.env",
                    r"No space left on device.*free space there",
                    "mount -o remount,nr_inodes=10000 /mnt/small")
        run("systemctl stop keelson-agent")
        configure_agent()

    def end(self):
        """Mended, the node is Ready and its pod was never touched."""
        since = time.time()
        run("systemctl restart keelson-agent")
        self.recovered(int(since) - 1)


faults = Faults()
main(faults.begin, faults.mismatch, faults.endpoint, faults.certificate, faults.kubeconfig, faults.disk, faults.end)
