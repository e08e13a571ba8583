#!/usr/bin/env python3
"""Proxies killed at random moments on three nodes while endpoints change and connections are made. Nobody may notice.

usage: storm.py KEELSON_PROXY STORM [SECONDS]      300: 200 clients, 2,000 connections and 20 changes a second

Half of the clients use a service with session affinity: each stays with its endpoint as long as that is one.
In the end a restart finds nothing to change: the kernel holds what the model says.
"""
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import threading
import time

from returnpath import Link, Failed, check, start_all

PODS = {"p11": (1, "10.244.1.11"), "p12": (1, "10.244.1.12"), "p21": (2, "10.244.2.21"), "p22": (2, "10.244.2.22"),
        "p31": (3, "10.244.3.31")}
SERVICES = {"plain": (41, {}), "sticky": (42, {"sessionAffinity": "ClientIP"})}
CLIENTS, RATE, CHANGES, PORT = 100, 1000, 20, 8081      # of each service; changes of both together
HOLD = 2.0          # an endpoint is certainly one so long after it was written, and certainly none so long after it went


class Storm:
    def __init__(self, cluster, tool, seconds):
        self.c, self.tool, self.seconds = cluster, tool, seconds
        self.servers, self.history, self.changes, self.kills = [], {s: [] for s in SERVICES}, 0, 0
        self.lock = threading.Lock()
        for pod in PODS:
            server = cluster.lab.pods[pod].popen([tool, "serve", pod, str(PORT)], stdout=subprocess.PIPE)
            self.servers.append(server)
            check(server.stdout.readline() == b"ready\n", "a server does not start")
        for name, (number, more) in SERVICES.items():
            spec = {"clusterIP": f"10.96.0.{number}", "type": "NodePort",
                    "ports": [{"name": "p", "port": 80, "targetPort": PORT, "nodePort": 30000 + number}], **more}
            cluster.call("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": spec})
            self.write(name, list(PODS), "POST")
        for i in range(CLIENTS):
            for last in (0, 1):
                cluster.lab.client.ip("addr", "add", f"10.77.{last}.{i + 1}/32", "dev", "lo")
        for n, node in cluster.lab.nodes.items():
            node.ip("route", "add", "10.77.0.0/16", "via", "192.168.50.100")

    def write(self, service, pods, method="PUT"):
        name = f"{service}-1"
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        self.c.call(method, path if method == "POST" else f"{path}/{name}",
                    {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4",
                     "ports": [{"name": "p", "port": PORT, "protocol": "TCP"}],
                     "endpoints": [{"addresses": [PODS[p][1]], "nodeName": f"n{PODS[p][0]}", "conditions": {"ready": True}}
                                   for p in pods]})
        with self.lock:
            self.history[service].append((time.monotonic(), set(pods)))

    def change(self, end):
        dice = random.Random(2)
        begin = time.monotonic()
        while time.monotonic() < end:
            service = dice.choice(list(SERVICES))
            # affinity is worth a look only where endpoints stay for a while
            pods = dice.sample(list(PODS), dice.randint(3, 5) if service == "sticky" else dice.randint(1, 5))
            self.write(service, pods)
            self.changes += 1
            time.sleep(max(0, begin + self.changes / CHANGES - time.monotonic()))

    def kill(self, end):
        dice = random.Random(3)
        while time.monotonic() < end:
            time.sleep(dice.uniform(0.2, 2.5))
            n = dice.choice(list(self.c.node_of))
            self.c.stop(n, signal.SIGKILL)
            self.kills += 1
            self.c.start(n)

    def clients(self, index, service):
        return self.c.lab.client.popen([self.tool, "clients", str(self.seconds), str(RATE), "192.168.50.1",
                                        str(30000 + SERVICES[service][0]), f"10.77.{index}.1", str(CLIENTS)],
                                       stdout=subprocess.PIPE, text=True)

    def was_endpoint(self, service, pod, begin, end):
        """Whether a pod certainly was an endpoint all the time from begin to end."""
        sets = [(at, pods) for at, pods in self.history[service] if at <= end]
        before = [x for x in sets if x[0] <= begin - HOLD]
        return all(pod in pods for at, pods in sets if at > begin - HOLD) and bool(before) and pod in before[-1][1]

    def check_affinity(self, lines):
        """A client went from one server to another: the first must have been away from the list meanwhile."""
        last, moves = {}, 0
        for line in lines:
            msec, client, name = line.split(maxsplit=2)
            at = int(msec) / 1000
            if client in last:
                moves += 1
                was, since = last[client]
                check(not self.was_endpoint("sticky", was, at - 0.5, at), f"client {client} left {was} for {name} at {at}")
            last[client] = (name, at)
        return moves

    def run(self):
        end = time.monotonic() + self.seconds
        runs = {s: self.clients(i, s) for i, s in enumerate(SERVICES)}
        failed = []

        def guarded(f):
            try:
                f(end)
            except Exception as e:
                failed.append(e)
        threads = [threading.Thread(target=guarded, args=(f,)) for f in (self.change, self.kill)]
        for t in threads:
            t.start()
        # at the same time: one that is not read stands still once its pipe is full
        with concurrent.futures.ThreadPoolExecutor() as pool:
            out = dict(zip(runs, pool.map(lambda r: r.communicate()[0].splitlines(), runs.values())))
        for t in threads:
            t.join()
        check(not failed, failed)
        connections = 0
        for service, lines in out.items():
            word, n, _, failures = lines[-1].split()
            check(word == "total" and failures == "0", f"{service}: {lines[-1]}: {[x for x in lines if 'fail' in x][:10]}")
            check(int(n) > 0.5 * RATE * self.seconds, f"{service}: only {n} connections")
            connections += int(n)
        moves = self.check_affinity(out["sticky"][:-1])
        print(f"{self.seconds} s: {connections} connections of {2 * CLIENTS} clients, 0 failed; {self.changes} changes of endpoints, "
              f"{self.kills} kills -9, {moves} sticky clients moved, each from an endpoint that went")
        check(self.changes > 0.5 * CHANGES * self.seconds and self.kills > self.seconds / 10, "the storm was a breeze")

    def contents(self, n):
        text = self.c.nft(n)
        # whom the kernel remembers, and for how long still
        return "\n".join(line for line in text.splitlines() if "expires" not in line and "# handle" not in line)

    def check_end(self):
        """What a new life makes of the API is what is there already."""
        self.c.settled(self.c.senders())
        time.sleep(2.5)
        before = {n: self.contents(n) for n in self.c.node_of}
        for n in self.c.node_of:
            self.c.stop(n, signal.SIGKILL)
            self.c.start(n)
        time.sleep(6)
        for n in self.c.node_of:
            check(before[n] == self.contents(n), f"n{n}: a restart changed what the kernel holds")
            for pod, (_, address) in PODS.items():
                listed = any(pod in self.history[s][-1][1] for s in SERVICES)
                there = f": {address} . {PORT}" in before[n]
                check(listed == there, f"n{n}: {pod} {'is missing' if listed else 'is still there'}")

    def close(self):
        for s in self.servers:
            s.kill()
            s.wait()


def main():
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    cluster = Link(os.path.abspath(sys.argv[1]))
    storm = None
    try:
        for n in cluster.node_of:
            cluster.add_node(n)
        storm = Storm(cluster, os.path.abspath(sys.argv[2]), seconds)
        start_all(cluster)
        storm.run()
        storm.check_end()
        print("the kernel holds what the model says")
    except Failed as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        if storm:
            storm.close()
        cluster.close()
    return 0


sys.exit(main())
