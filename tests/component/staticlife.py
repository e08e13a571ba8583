"""Static pods on the strict fake runtime: scenarios of pod-life.py."""
import contextlib
import http.client
import http.server
import json
import os
import selectors
import socket
import ssl
import threading
import time

import podrig
from podrig import check, container, statuses, wait

SCENARIOS = []
MIRROR = "kubernetes.io/config.mirror"
HASH = "kubernetes.io/config.hash"
CONFIG = "staticPodPath: {dir}/manifests\nfileCheckFrequency: 2s\n"


def scenario(function):
    function.config = CONFIG
    SCENARIOS.append(function)
    return function


def scenario_with(config):
    def register(function):
        scenario(function).config = config
        return function
    return register


class Gate:
    """A port that leads to the API server, when it is open."""

    def __init__(self, lane):
        self.pairs, self.listener = [], None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(lane.rig.api.path("admin.kubeconfig")) as f:
            text = f.read()
        lane.kubeconfig = lane.rig.api.path(f"{lane.name}.kubeconfig")
        with open(lane.kubeconfig, "w") as f:
            f.write(text.replace(":6443", f":{self.port}"))

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", 6443))
            self.pairs += [client, server]
            threading.Thread(target=self.carry, args=(client, server), daemon=True).start()

    @staticmethod
    def carry(a, b):
        other = {a: b, b: a}
        with selectors.DefaultSelector() as wanted, a, b:
            for s in other:
                wanted.register(s, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in wanted.select():
                        data = key.fileobj.recv(65536)
                        if not data:
                            return
                        other[key.fileobj].sendall(data)
            except OSError:
                return

    def close(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for s in self.pairs:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.pairs, self.listener = [], None


def manifest(name, *containers, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container("a")], **spec}}


def put(lane, body, file=None):
    """Writes a manifest as an administrator does: beside, then renamed."""
    folder = lane.path("manifests")
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/{file or body['metadata']['name'] + '.yaml'}"
    with open(f"{folder}/.new", "w") as f:
        f.write(body if isinstance(body, str) else json.dumps(body))
    os.rename(f"{folder}/.new", path)
    return path


def full(lane, name):
    return f"{name}-{lane.name}"


def running(lane, name):
    return [c for c in lane.containers(full(lane, name)) if c["state"] == "running"]


def one_running(lane, name, not_id=None, seconds=15):
    def look():
        have = running(lane, name)
        return len(have) == 1 and have[0]["id"] != not_id and have[0]
    return wait(look, seconds, lambda: f"{name}: {lane.containers(full(lane, name))}\n{lane.log_text()[-1500:]}")


def mirror(lane, name, condition=podrig.is_ready, seconds=20):
    return lane.wait_pod(full(lane, name), condition, seconds, "mirror")


def gone(lane, name, seconds=20):
    lane.wait_pod(full(lane, name), lambda p: not p, seconds, "mirror is still there")
    wait(lambda: not lane.sandboxes(full(lane, name)), seconds, lambda: f"{name} still runs: {lane.sandboxes()}")


@scenario
def static_life(lane):
    """From a file to a mirror, and to nothing."""
    path = put(lane, manifest("web", container("a"), container("b")))
    put(lane, "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {containers: [{name: a}]}\n", "bad.yaml")
    put(lane, manifest("hidden"), ".hidden.yaml")
    lane.start()
    pod = mirror(lane, "web")
    note = pod["metadata"]["annotations"]
    sandbox = lane.sandboxes(full(lane, "web"))[0]
    check(note[MIRROR] == note[HASH] == sandbox["uid"] != pod["metadata"]["uid"], f"{note} {sandbox}")
    check(note["kubernetes.io/config.source"] == "file" and note["kubernetes.io/config.seen"], note)
    owner = pod["metadata"]["ownerReferences"][0]
    node = lane.api.call("GET", f"/api/v1/nodes/{lane.name}")
    check((owner["kind"], owner["name"], owner["uid"], owner["controller"]) ==
          ("Node", lane.name, node["metadata"]["uid"], True), owner)
    check(pod["spec"]["nodeName"] == lane.name and {"operator": "Exists", "effect": "NoExecute"} in
          [{k: t[k] for k in ("operator", "effect")} for t in pod["spec"]["tolerations"] if "operator" in t], pod["spec"])
    check(lane.log_text().count("bad.yaml: spec.containers[0].image: is required") == 1, "the broken file has not one line")
    check(not lane.sandboxes(full(lane, "hidden")) and not lane.sandboxes(full(lane, "bad")), lane.sandboxes())
    time.sleep(4.5)
    check(lane.log_text().count("bad.yaml: ") == 1, "the broken file is told again")
    check(len(running(lane, "web")) == 2 and len(lane.containers(full(lane, "web"))) == 2, lane.containers())
    os.unlink(path)
    gone(lane, "web")
    wait(lambda: not lane.leftovers(sandbox["uid"], full(lane, "web")), 20,
         lambda: lane.leftovers(sandbox["uid"], full(lane, "web")))


@scenario
def static_edit(lane):
    """A changed manifest is another pod, which begins when the one before it has ended."""
    put(lane, manifest("web", container("a", "stubborn")))
    lane.start()
    before, first = mirror(lane, "web"), one_running(lane, "web")
    put(lane, manifest("web", container("a", "stubborn", env=[{"name": "A", "value": "1"}])))
    after = mirror(lane, "web", lambda p: podrig.is_ready(p) and p["metadata"]["uid"] != before["metadata"]["uid"])
    second = one_running(lane, "web", first["id"])
    check(after["metadata"]["annotations"][MIRROR] != before["metadata"]["annotations"][MIRROR], "the same hash")
    check(second["attempt"] == 0, second)
    wait(lambda: len(lane.sandboxes(full(lane, "web"))) == 1, 15, lambda: lane.sandboxes())
    # the same bytes again, and a comment: nothing
    put(lane, "# a comment\n" + json.dumps(manifest("web", container("a", "stubborn",
                                                                     env=[{"name": "A", "value": "1"}]))), "web.yaml")
    time.sleep(2.5)
    check(one_running(lane, "web")["id"] == second["id"], "restarted for a comment")
    check(lane.api.pod(full(lane, "web"))["metadata"]["uid"] == after["metadata"]["uid"], "the mirror was made anew")


@scenario
def static_file_comes_back(lane):
    """A file that comes back while its pod ends brings the same UID: the pod ends, and begins again."""
    body = manifest("web", container("a", "stubborn"))
    path = put(lane, body)
    lane.start()
    mirror(lane, "web")
    first = one_running(lane, "web")
    os.unlink(path)
    wait(lambda: "sync -> terminating" in lane.log_text(), 10, "it does not end")
    put(lane, body)
    check(one_running(lane, "web", first["id"])["attempt"] == 0, "a restart, not a new pod")
    mirror(lane, "web")
    # half a write ends nothing, if the rest comes soon
    second = one_running(lane, "web")
    with open(path, "w") as f:
        f.write("apiVersion: v1\nki")
        f.flush()
        time.sleep(0.3)
        f.seek(0)
        f.truncate()
        json.dump(body, f)
    time.sleep(2.5)
    check(one_running(lane, "web")["id"] == second["id"], "half a write ended the pod")
    # what stays wrong ends it
    with open(path, "w") as f:
        f.write("kind: Pod\n")
    gone(lane, "web")


@scenario
def static_mirror_deleted(lane):
    """Whatever is done to the mirror, the pod runs on, and the mirror comes back."""
    put(lane, manifest("web"))
    lane.start()
    before, first = mirror(lane, "web"), one_running(lane, "web")
    for how in ({"gracePeriodSeconds": 0}, {"gracePeriodSeconds": 30}, {}):
        lane.api.call("DELETE", f"/api/v1/namespaces/default/pods/{full(lane, 'web')}", how)
        after = mirror(lane, "web", lambda p, old=before["metadata"]["uid"]: podrig.is_ready(p) and
                       p["metadata"]["uid"] != old and "deletionTimestamp" not in p["metadata"])
        check(one_running(lane, "web")["id"] == first["id"], f"deleting the mirror ({how}) ended the pod")
        check(statuses(after)["a"]["containerID"].endswith(first["id"]), podrig.summary(after))
        before = after
    # one that nobody asked for, and one of another version
    lane.api.create("pods", {"metadata": {"name": f"stray-{lane.name}", "annotations": {MIRROR: "x", HASH: "x"}},
                             "spec": {"nodeName": lane.name, "containers": [container("a")]}})
    lane.wait_pod(f"stray-{lane.name}", lambda p: not p, 10, "a mirror of nothing stays")
    check(not lane.sandboxes(f"stray-{lane.name}"), "a mirror was run")


def forged(lane):
    """A pod of the API that says it comes from a file."""
    lane.api.create("pods", {"metadata": {"name": "forged", "annotations": {"kubernetes.io/config.source": "file"}},
                             "spec": {"nodeName": lane.name, "terminationGracePeriodSeconds": 1,
                                      "automountServiceAccountToken": False, "containers": [container("a")]}})


@scenario
def static_without_api(lane):
    """The API server is away from the start, and later again: static pods come, change and go."""
    gate = Gate(lane)
    name = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    source = {"path": "source", "fieldRef": {"fieldPath": "metadata.annotations['kubernetes.io/config.source']"}}
    volumes = [{"name": "empty"}, {"name": "down", "downwardAPI": {"items": [name]}}, {"name": "host", "hostPath": {"path": "/"}},
               {"name": "both", "projected": {"sources": [{"downwardAPI": {"items": [name, source]}}]}}]
    path = put(lane, manifest("web", container("a", volumeMounts=[{"name": v["name"], "mountPath": "/" + v["name"]}
                                                                  for v in volumes]), volumes=volumes))
    lane.start()
    first = one_running(lane, "web")
    base = f"{lane.root}/pods/{lane.sandboxes(full(lane, 'web'))[0]['uid']}/volumes"
    for file, text in (("kubernetes.io~downward-api/down/name", full(lane, "web")),
                       ("kubernetes.io~projected/both/source", "file")):
        with open(f"{base}/{file}") as f:
            check(f.read() == text, file)
    gate.open()
    pod = mirror(lane, "web")
    check(statuses(pod)["a"]["containerID"].endswith(first["id"]), podrig.summary(pod))
    forged(lane)
    api_pod = lane.wait_ready("forged")
    begun = pod["status"]["startTime"]
    gate.close()
    lane.kill()
    os.unlink(path)
    put(lane, manifest("late"))
    lane.start()
    one_running(lane, "late")
    wait(lambda: not running(lane, "web"), 15, "a static pod without a file goes on")
    time.sleep(2)
    check([c["state"] for c in lane.containers("forged")] == ["running"], "a pod of the API was ended without the API")
    late = one_running(lane, "late")
    lane.kill()
    time.sleep(1.1)
    lane.start()
    time.sleep(2)
    check(one_running(lane, "late")["id"] == late["id"], "a restart restarted it")
    gate.open()
    gone(lane, "web", 30)
    mirror(lane, "late", seconds=30)
    check(lane.api.pod("forged")["metadata"]["uid"] == api_pod["metadata"]["uid"] and begun, "another pod")
    lane.delete_pod("forged", 30)
    gate.close()


def served(lane, path):
    """What the agent itself says."""
    context = ssl.create_default_context(cafile=lane.rig.api.path("ca.crt"))
    context.load_cert_chain(lane.rig.api.path("admin.crt"), lane.rig.api.path("admin.key"))
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", lane.port, timeout=10, context=context)) as c:
        c.request("GET", path)
        reply = c.getresponse()
        text = reply.read()
        check(reply.status == 200, f"{path}: {reply.status} {text}")
        return json.loads(text)


@scenario
def static_alone(lane):
    """Without --kubeconfig pods from files are all there is; /pods tells of them."""
    lane.kubeconfig = None
    put(lane, manifest("web", container("a", readinessProbe={"exec": {"command": ["true"]}, "periodSeconds": 1})))
    lane.start()
    first = one_running(lane, "web")

    def shown():
        try:
            return served(lane, "/pods")["items"]
        except ConnectionRefusedError:
            return []
    pod = wait(lambda: next((p for p in shown() if podrig.is_ready(p)), None), 15, lambda: json.dumps(shown()))
    check(pod["metadata"]["name"] == full(lane, "web") and pod["status"]["phase"] == "Running", pod)
    lane.kill()
    lane.start()
    wait(lambda: shown() and podrig.is_ready(shown()[0]), 15, "not ready after a restart")
    check(one_running(lane, "web")["id"] == first["id"], "a restart restarted it")
    put(lane, manifest("web", container("b")))
    wait(lambda: [c["name"] for c in running(lane, "web")] == ["b"], 15, lambda: lane.containers())
    os.unlink(lane.path("manifests/web.yaml"))
    wait(lambda: not lane.sandboxes() and not shown(), 15, lambda: json.dumps(shown()))
    check(lane.log_text().count("\n") < 300, "it complains about the API server that nobody named")


@scenario
def static_killed(lane):
    """kill -9: the same containers, the same mirror, the same start time."""
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 2, "periodSeconds": 1}
    put(lane, manifest("web", container("a", readinessProbe=probe), container("b")))
    lane.start()
    before = mirror(lane, "web")
    ids = sorted(c["id"] for c in running(lane, "web"))
    for _ in range(3):
        lane.kill()
        lane.start()
        wait(lambda: "web" in lane.log_text(), 10, "no log")
        time.sleep(1.5)
        check(sorted(c["id"] for c in running(lane, "web")) == ids, lane.containers())
    time.sleep(3)
    after = mirror(lane, "web")
    check(after["metadata"]["uid"] == before["metadata"]["uid"], "the mirror was made anew")
    check(after["status"]["startTime"] == before["status"]["startTime"], f"{before['status']} {after['status']}")
    check(podrig.condition(after, "Ready") == podrig.condition(before, "Ready"), "readiness flipped")
    check(all(c["restartCount"] == 0 for c in statuses(after).values()), podrig.summary(after))


@scenario
def static_killed_in_edit(lane):
    """The agent dies while an old version ends: the new one still waits for its end."""
    put(lane, manifest("web", container("a", "stubborn"), terminationGracePeriodSeconds=3))
    lane.start()
    mirror(lane, "web")
    first = one_running(lane, "web")
    put(lane, manifest("web", container("a", "stubborn", env=[{"name": "A", "value": "1"}])))
    wait(lambda: "sync -> terminating" in lane.log_text(), 10, "it does not end")
    lane.kill()
    lane.start()
    most = 0

    def replaced():
        nonlocal most
        ids = [c["id"] for c in running(lane, "web")]
        most = max(most, len(ids))
        return ids and first["id"] not in ids
    wait(replaced, 20, lambda: lane.containers())
    check(most == 1, "two versions ran at once")
    mirror(lane, "web")
    wait(lambda: len(lane.sandboxes(full(lane, "web"))) == 1, 15, lambda: lane.sandboxes())


@scenario
def static_edited_often(lane):
    """Versions that never began leave nothing, and keep nobody waiting."""
    put(lane, manifest("web", container("a", "stubborn")))
    lane.start()
    before = mirror(lane, "web")
    for i in range(30):
        put(lane, manifest("web", container("a", env=[{"name": "A", "value": str(i)}])))
        time.sleep(0.1)
    mirror(lane, "web", lambda p: podrig.is_ready(p) and p["metadata"]["uid"] != before["metadata"]["uid"] and
           p["spec"]["containers"][0]["env"][0]["value"] == "29")
    one_running(lane, "web")
    wait(lambda: len(lane.sandboxes(full(lane, "web"))) == 1 and len(os.listdir(f"{lane.root}/pods")) == 1, 15,
         lambda: f"{lane.sandboxes()} {os.listdir(lane.root + '/pods')}")


@scenario
def static_twins(lane):
    """Two files that say the same pod: the last one by name counts, and nothing flaps."""
    put(lane, manifest("web", container("a")), "1.yaml")
    put(lane, manifest("web", container("b")), "2.yaml")
    lane.start()
    mirror(lane, "web")
    check([c["name"] for c in running(lane, "web")] == ["b"], lane.containers())
    time.sleep(5)
    check(len(lane.containers(full(lane, "web"))) == 1, lane.containers())
    check(lane.log_text().count("1.yaml: says the same pod as") == 1, lane.log_text()[-2000:])
    os.unlink(lane.path("manifests/2.yaml"))
    wait(lambda: [c["name"] for c in running(lane, "web")] == ["a"], 20, lambda: lane.containers())


@scenario
def static_path_later(lane):
    """The directory comes later; a UID of the manifest's own is kept; a pod that is over stays so."""
    lane.start()
    lane.create_pod("api", [container("a")])
    lane.wait_ready("api")
    body = manifest("own", container("a"))
    body["metadata"].update(uid="my-own-uid", namespace="kube-system")
    wait(lambda: lane.api.call("GET", "/api/v1/namespaces/kube-system", missing_ok=True), 20, "no namespace")
    put(lane, body)
    wait(lambda: [s["uid"] for s in lane.sandboxes(full(lane, "own"))] == ["my-own-uid"], 5, lambda: lane.sandboxes())
    wait(lambda: podrig.is_ready(lane.api.pod(full(lane, "own"), "kube-system")), 20, "no mirror")
    put(lane, manifest("once", container("a", "exit:0:10ms"), restartPolicy="Never"))
    mirror(lane, "once", lambda p: p and p["status"]["phase"] == "Succeeded")
    time.sleep(3)
    check(len(lane.containers(full(lane, "once"))) == 1, lane.containers())
    lane.delete_pod("api")


@scenario_with("staticPodPath: {dir}/manifests\nfileCheckFrequency: -1s\n")
def static_own_uid(lane):
    """A manifest that keeps its UID and says another pod: the old one ends, the new one begins."""
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    body = manifest("web", container("a"), container("b", livenessProbe=probe, volumeMounts=[{"name": "w", "mountPath": "/w"}]),
                    volumes=[{"name": "v"}, {"name": "w"}])
    body["metadata"]["uid"] = "my-own-uid"
    put(lane, body)
    lane.start()
    before = mirror(lane, "web")
    first = {c["id"] for c in running(lane, "web")}
    # fewer containers, fewer volumes, fewer probes
    body["spec"]["containers"].pop()
    body["spec"]["volumes"] = []
    put(lane, body)
    one_running(lane, "web")
    check(not first & {c["id"] for c in running(lane, "web")}, lane.containers())
    mirror(lane, "web", lambda p: podrig.is_ready(p) and p["metadata"]["uid"] != before["metadata"]["uid"] and
           len(p["spec"]["containers"]) == 1)
    # more of all
    body["spec"]["volumes"] = [{"name": "x"}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/x"}]
    put(lane, body)
    wait(lambda: os.path.isdir(f"{lane.root}/pods/my-own-uid/volumes/kubernetes.io~empty-dir/x") and running(lane, "web"), 15,
         lambda: lane.log_text()[-1500:])
    # whatever the configuration says, it does not look all the time
    def used():
        with open(f"/proc/{lane.agent.pid}/stat") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    ticks = used()
    time.sleep(2)
    check(used() - ticks < os.sysconf("SC_CLK_TCK"), "it looks at its files all the time")
    # what an API server would refuse is told, and ends nothing
    put(lane, manifest("bad", container("a"), dnsConfig={"options": [{"value": "1"}]}))
    wait(lambda: "spec.dnsConfig.options[0].name: is required" in lane.log_text(), 10, lambda: lane.log_text()[-1500:])
    one_running(lane, "web")


@scenario
def static_of_kubelet(lane):
    """What a kubelet left running goes on under the UID that the kubelet gave it."""
    put(lane, manifest("web", container("a")))
    lane.start()
    mirror(lane, "web")
    lane.kill()
    uid = "0123456789abcdef0123456789abcdef"
    lane.order("rename", pod=full(lane, "web"), uid=uid)
    first = one_running(lane, "web")
    lane.start()
    pod = mirror(lane, "web", lambda p: p and p["metadata"]["annotations"][MIRROR] == uid)
    check(one_running(lane, "web")["id"] == first["id"], podrig.summary(pod))
    lane.kill()
    put(lane, manifest("web", container("a", env=[{"name": "A", "value": "1"}])))
    lane.start()
    one_running(lane, "web", first["id"])
    mirror(lane, "web", lambda p: podrig.is_ready(p) and p["metadata"]["annotations"][MIRROR] != uid, 30)


class Web(http.server.BaseHTTPRequestHandler):
    """What a lane's URL says: server.body, to who asks with both headers."""

    def do_GET(self):
        self.server.asked += 1
        known = self.headers.get_all("X-Node") == ["a", "b"] and self.headers["X-Key"] == "secret"
        self.send_response(200 if known and self.path == "/pods?x=1" else 403)
        self.end_headers()
        self.wfile.write(self.server.body.encode() if known else b"who?")

    def log_message(self, *words):
        pass


def serve(lane, *pods):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", lane.port + 2000), Web)
    server.asked = 0
    say_pods(server, *pods)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def say_pods(server, *pods):
    server.body = json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [
        {"metadata": p["metadata"], "spec": p["spec"]} for p in pods]})


@scenario_with(CONFIG + "staticPodURL: http://127.0.0.1:{url_port}/pods?x=1\nhttpCheckFrequency: 1s\n"
               "staticPodURLHeader: {X-Node: [a, b], X-Key: [secret]}\n")
def static_url(lane):
    """Pods that a web server says, beside those of files; when it is away nothing changes."""
    put(lane, manifest("file"))
    lane.start()
    mirror(lane, "file")
    server = serve(lane, manifest("one"), manifest("two"))
    pod = mirror(lane, "one")
    mirror(lane, "two")
    check(pod["metadata"]["annotations"]["kubernetes.io/config.source"] == "http", pod["metadata"])
    ids = {name: one_running(lane, name)["id"] for name in ("file", "one", "two")}
    server.body = "kind: PodList\n"
    wait(lambda: "apiVersion: must be v1" in lane.log_text(), 10, "a wrong answer is not told")
    server.shutdown()
    server.server_close()
    time.sleep(2.5)
    lane.kill()
    lane.start()
    time.sleep(3)
    check({name: one_running(lane, name)["id"] for name in ids} == ids, lane.containers())
    check(lane.log_text().count("static pods from http") <= 6, lane.log_text()[-3000:])
    server = serve(lane, manifest("two"))
    gone(lane, "one")
    check(one_running(lane, "two")["id"] == ids["two"], lane.containers())
    server.body = ""
    gone(lane, "two")
    check(one_running(lane, "file")["id"] == ids["file"], lane.containers())
    check("secret" not in lane.log_text(), "the log shows a header")
    server.shutdown()
    server.server_close()
