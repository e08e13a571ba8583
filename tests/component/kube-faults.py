#!/usr/bin/env python3
"""The API client against a server that misbehaves on purpose.

usage: kube-faults.py PROGRAM   PROGRAM: the compiled test-kube-faults

Each namespace is a story; the server keeps how often it was asked and refuses what the story does not
allow. JSON over HTTP/1.1, which also proves that road.
"""
import collections
import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.parse

import apiserver

asked = collections.Counter()
broken = []  # what the client did wrong


def pod(name, version, ns):
    return {"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": ns, "uid": "u-" + name, "resourceVersion": str(version)}}


def event(kind, obj):
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark(version, end=False):
    meta = {"resourceVersion": str(version)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": meta})


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


def expect(ok, what):
    if not ok:
        broken.append(what)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, *chunks, kind="application/json", cut=False, hold=0.0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for c in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(c), c))
            self.wfile.flush()
        time.sleep(hold)
        if cut:
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(b"0\r\n\r\n")

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        parts = url.path.split("/")
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        story = parts[parts.index("namespaces") + 1] if "namespaces" in parts else "none"
        asked[story] += 1
        expect("curl" not in self.headers["User-Agent"], "the User-Agent is curl's own")
        try:
            getattr(self, "story_" + story.removeprefix("thin-"))(asked[story])
        except (BrokenPipeError, ConnectionResetError, ValueError):
            pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def initial(self):
        return self.query.get("sendInitialEvents") == "true"

    def story_gone(self, n):
        if n == 1:
            expect(self.initial(), "gone: the first watch asks for no initial events")
            self.stream(event("ADDED", pod("a", 5, "gone")), event("ADDED", pod("b", 6, "gone")), bookmark(10, True),
                        event("ERROR", status(410, "Expired", "too old resource version")), hold=1)
        else:
            expect(self.initial(), "gone: no new list after 410")
            self.stream(event("ADDED", pod("b", 12, "gone")), event("ADDED", pod("c", 13, "gone")), bookmark(20, True),
                        hold=30)

    def story_gonehttp(self, n):
        if n == 1:
            self.stream(event("ADDED", pod("a", 5, "gonehttp")), bookmark(10, True))
        elif n == 2:
            expect(self.query.get("resourceVersion") == "10", f"gonehttp: resumes from {self.query}")
            self.answer(410, status(410, "Expired", "too old"))
        else:
            expect(self.initial() and "resourceVersion" not in self.query, "gonehttp: no fresh list")
            self.stream(event("ADDED", pod("z", 30, "gonehttp")), bookmark(31, True), hold=30)

    def story_nolist(self, n):
        if self.initial():
            self.answer(422, status(422, "Invalid", "sendInitialEvents is forbidden"))
        elif "watch" in self.query:
            expect(self.query.get("resourceVersion") == "42", f"nolist: watches from {self.query}")
            self.stream(event("MODIFIED", pod("p2", 50, "nolist")), hold=30)
        elif self.query.get("continue") == "more":
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "42"},
                              "items": [pod("p2", 41, "nolist")]})
        else:
            expect("limit" in self.query, "nolist: a list without a limit")
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "42", "continue": "more"},
                              "items": [pod("p1", 40, "nolist")]})

    def story_cut(self, n):
        if n == 1:
            self.stream(event("ADDED", pod("a", 5, "cut")), bookmark(10, True), event("ADDED", pod("b", 11, "cut")),
                        event("ADDED", pod("lost", 12, "cut"))[:30], cut=True)
        else:
            expect(self.query.get("resourceVersion") == "11", f"cut: resumes from {self.query}")
            self.stream(event("ADDED", pod("c", 12, "cut")), event("DELETED", pod("a", 13, "cut")), hold=30)

    def story_halflist(self, n):
        if n == 1:
            self.stream(event("ADDED", pod("a", 5, "halflist")), cut=True)
        else:
            expect(self.initial(), "halflist: resumed a list that never ended")
            self.stream(event("ADDED", pod("b", 6, "halflist")), bookmark(9, True), hold=30)

    def story_garbage(self, n):
        if n == 1:
            self.stream(event("ADDED", pod("a", 5, "garbage")), bookmark(10, True), b"\xff{nonsense\n", hold=1)
        elif n == 2:
            self.stream(b"\x7f\xff\xff\xff", kind="application/vnd.kubernetes.protobuf;stream=watch", hold=1)
        elif n == 3:
            self.stream(b"\x00\x00\x00\x03\x0a\xff\x01", kind="application/vnd.kubernetes.protobuf;stream=watch", hold=1)
        else:
            self.stream(event("ADDED", pod("b", 11, "garbage")), hold=30)

    def story_busy(self, n):
        if n <= 2:
            self.answer(429, b"slow down", "text/plain", Retry_After="1")
        else:
            self.answer(200, pod("p", 1, "busy"))

    def story_sick(self, n):
        self.answer(503, b"upstream is sick\n", "text/plain")

    def story_huge(self, n):
        self.answer(200, pod("p" * 200, 1, "huge"))

    def story_mute(self, n):
        # a watch that lives, and heartbeats that get no answer: all must be made anew
        if "watch" in self.query:
            if n == 1:
                self.stream(event("ADDED", pod("a", 5, "mute")), bookmark(10, True), hold=60)
            else:
                expect(self.query.get("resourceVersion") == "10", f"mute: resumes from {self.query}")
                self.stream(event("ADDED", pod("b", 11, "mute")), hold=60)
        else:
            time.sleep(60)

    def story_unsupported(self, n):
        if self.headers["Content-Type"] != "application/json":
            self.answer(415, status(415, "UnsupportedMediaType", "no protobuf here"))
        else:
            self.answer(201, json.loads(self.body))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


apiserver.own_network()
server = Server(("127.0.0.1", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
code = subprocess.run([sys.argv[1], "http://127.0.0.1:8080"]).returncode
for line in broken:
    print("the client broke a rule:", line)
sys.exit(code or bool(broken))
