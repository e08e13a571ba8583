#!/usr/bin/env python3
"""The agent's HTTPS server as its clients see it: statuses, texts, logs, relays, certificates.

usage: server.py SERVER_RIG
"""
import hashlib
import http.client
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

RIG = sys.argv.pop(1)
WAIT_SECONDS = 20


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=" + name, "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")


def make_cert(folder, ca, name, subject, usage):
    with open(f"{folder}/{name}.ext", "w", encoding="utf-8") as f:
        f.write(f"extendedKeyUsage={usage}\nsubjectAltName=IP:127.0.0.1\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{ca}.crt", "-CAkey", f"{folder}/{ca}.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt")


def sanitized(pid):
    """A sanitizer keeps what was freed: the process's size says nothing then."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return os.environ.get("KEELSON_WRAP") or "libasan" in f.read()


class Streaming:
    """Stands for the runtime's streaming server: what it does is in the path."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heads = []
        self.lost = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                return
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        what = head.split()[1].decode().rsplit("/", 1)[1]
        getattr(self, "do_" + what)(client, rest)
        client.close()

    @staticmethod
    def upgrade(client, extra=b""):
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nX-Own: kept\r\n"
                       b"Connection: Upgrade\r\n\r\n" + extra)

    def do_echo(self, client, rest):
        self.upgrade(client, b"hello from the runtime")
        if rest:
            client.sendall(rest)
        while True:
            try:
                data = client.recv(65536)
            except OSError:
                break
            if not data:
                break
            client.sendall(data)
        self.lost.set()

    def do_sink(self, client, _rest):
        """Reads to the end of the client's half, then answers with its digest."""
        self.upgrade(client)
        digest = hashlib.sha256()
        while True:
            data = client.recv(65536)
            if not data:
                break
            digest.update(data)
        client.sendall(digest.hexdigest().encode())

    def do_source(self, client, _rest):
        self.upgrade(client)
        for _ in range(64):
            client.sendall(b"x" * 1024 * 1024)

    def do_refuse(self, client, _rest):
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/x-why\r\nContent-Length: 7\r\n\r\nbecause")

    def do_ok(self, client, _rest):
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def do_nonsense(self, client, _rest):
        client.sendall(b"what?\r\n\r\n")

    def do_nothing(self, client, _rest):
        pass


class Base(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="keelson-server-")
        for ca in ("ca", "other"):
            make_ca(cls.dir, ca)
        make_cert(cls.dir, "ca", "server", "/CN=node1", "serverAuth")
        make_cert(cls.dir, "ca", "server2", "/CN=node1-new", "serverAuth")
        make_cert(cls.dir, "ca", "admin", "/O=masters/CN=admin", "clientAuth")
        make_cert(cls.dir, "ca", "nobody", "/CN=nobody", "clientAuth")
        make_cert(cls.dir, "ca", "prometheus", "/CN=prometheus", "clientAuth")
        make_cert(cls.dir, "ca", "unlucky", "/CN=unlucky", "clientAuth")
        make_cert(cls.dir, "ca", "servant", "/O=masters/CN=servant", "serverAuth")
        make_cert(cls.dir, "other", "stranger", "/O=masters/CN=stranger", "clientAuth")
        cls.streaming = Streaming()
        wrap = os.environ.get("KEELSON_WRAP", "").split()
        cls.rig = subprocess.Popen([*wrap, RIG, cls.dir, str(cls.streaming.port), *cls.options],
                                   stdout=subprocess.PIPE, text=True)
        cls.port, cls.healthz_port = (int(p) for p in cls.rig.stdout.readline().split())

    @classmethod
    def tearDownClass(cls):
        cls.rig.send_signal(signal.SIGTERM)
        code = cls.rig.wait(timeout=30)
        cls.rig.stdout.close()
        cls.streaming.listener.close()
        shutil.rmtree(cls.dir)
        assert code == 0, f"server-rig exited {code}"

    def context(self, cert=None):
        context = ssl.create_default_context(cafile=f"{self.dir}/ca.crt")
        if cert:
            context.load_cert_chain(f"{self.dir}/{cert}.crt", f"{self.dir}/{cert}.key")
        return context

    def connection(self, cert="admin"):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(cert), timeout=WAIT_SECONDS)

    def get(self, path, cert="admin", method="GET", headers=None, body=None):
        connection = self.connection(cert)
        connection.request(method, path, headers=headers or {}, body=body)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text, response

    def raw(self, cert="admin"):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)
        return self.context(cert).wrap_socket(sock, server_hostname="127.0.0.1")

    def write(self, name, text, mode="w"):
        with open(f"{self.dir}/{name}", mode, encoding="utf-8") as f:
            f.write(text)


class Auth(Base):
    def test_who_may_what(self):
        token = {"Authorization": "Bearer good"}
        for cert, path, headers, status, text in (
                ("admin", "/pods", None, 200, None),
                ("nobody", "/pods", None, 403,
                 "Forbidden (user=nobody, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"),
                ("nobody", "/exec/a/b/c", None, 403,
                 "Forbidden (user=nobody, verb=get, resource=nodes, subresource(s)=[proxy])\n"),
                ("nobody", "/healthz", None, 200, "ok"),
                ("prometheus", "/metrics", None, 200, None),
                ("prometheus", "/pods", None, 403, None),
                ("unlucky", "/metrics", None, 500,
                 "Authorization error (user=unlucky, verb=get, resource=nodes, subresource=metrics)"),
                ("stranger", "/healthz", None, 401, "Unauthorized"),
                ("servant", "/healthz", None, 401, "Unauthorized"),
                (None, "/healthz", None, 401, "Unauthorized"),
                (None, "/pods", token, 200, None),
                ("stranger", "/pods", token, 200, None),
                (None, "/pods", {"Authorization": "Bearer bad"}, 401, "Unauthorized"),
                (None, "/pods", {"Authorization": "Bearer broken"}, 401, "Unauthorized"),
                (None, "/pods", {"Authorization": "Basic good"}, 401, "Unauthorized")):
            with self.subTest(cert=cert, path=path, headers=headers):
                got, body, _ = self.get(path, cert, headers=headers)
                self.assertEqual(got, status)
                if text is not None:
                    self.assertEqual(body, text)

    def test_answers_are_remembered(self):
        token = {"Authorization": "Bearer good"}
        self.get("/pods", None, headers=token)
        before = self.get("/pods", None, headers=token)[1]
        for _ in range(5):
            self.assertEqual(self.get("/pods", None, headers=token)[1], before)


class Endpoints(Base):
    def test_texts(self):
        for method, path, status, text in (
                ("GET", "/configz", 200, None),
                ("GET", "/runningpods/", 200, None),
                ("GET", "/metrics/cadvisor", 200, "kubelet_up{which=\"/cadvisor\"} 1\n"),
                ("GET", "/stats/summary", 404, "404: Page Not Found"),
                ("GET", "/nothing", 404, "404: Page Not Found"),
                ("GET", "/containerLogs/default/web", 404, "404: Page Not Found"),
                ("POST", "/pods", 405, "405: Method Not Allowed"),
                ("GET", "/run/default/web/app", 405, "405: Method Not Allowed"),
                ("POST", "/run/default/web/app?cmd=echo+hi", 200, "[echo][hi]"),
                ("POST", "/run/default/web/u1/app?cmd=a", 200, "[a]"),
                ("POST", "/run/default/web/app?cmd=false", 500, "command 'false' exited with 1: "),
                ("POST", "/run/default/other/app?cmd=a", 404, "pod does not exist"),
                ("POST", "/run/default/web/none?cmd=a", 500, "container not found (\"none\")"),
                ("GET", "/exec/default/web/app", 400, "you must specify at least 1 of stdin, stdout, stderr"),
                ("GET", "/exec/default/none/app?output=1", 404, "pod does not exist"),
                ("GET", "/exec/default/web/none?output=1", 500, "container not found (\"none\")"),
                ("GET", "/attach/default/web/none?output=1", 500, "container none not found in pod web_default"),
                ("POST", "/exec/default/web/app?output=1&command=x", 500, "Upgrade request required\n"),
                ("POST", "/exec/default/web/app?output=1&command=gone", 404,
                 "rpc error: code = NotFound desc = no such container"),
                ("POST", "/portForward/default/none", 404, "pod does not exist"),
                ("POST", "/portForward/default/web/u2", 404, "pod not found"),
                ("GET", "/containerLogs/default/none/app", 404, "pod \"none\" does not exist"),
                ("GET", "/containerLogs/default/web/none", 404, "container \"none\" not found in pod \"web\""),
                ("GET", "/containerLogs/default/web/waiting", 400,
                 "container \"waiting\" in pod \"web\" is waiting to start: ContainerCreating"),
                ("GET", "/containerLogs/default/web/app?previous=true", 400,
                 "previous terminated container \"app\" in pod \"web\" not found"),
                ("GET", "/containerLogs/default/web/app?tailLines=x", 400, "{\"message\": \"Unable to decode query.\"}"),
                ("GET", "/containerLogs/default/web/app?sinceTime=x", 400, "{\"message\": \"Unable to decode query.\"}"),
                ("GET", "/containerLogs/default/web/app?tailLines=-1", 422, "{\"message\": \"Invalid request.\"}"),
                ("GET", "/containerLogs/default/web/app?limitBytes=0", 422, "{\"message\": \"Invalid request.\"}"),
                ("GET", "/containerLogs/default/web/app?sinceSeconds=0", 422, "{\"message\": \"Invalid request.\"}"),
                ("GET", "/containerLogs/default/web/app?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z", 422, None),
                ("GET", "/containerLogs/default/web/nolog", 200,
                 "unable to retrieve container logs for containerd://nolog")):
            with self.subTest(method=method, path=path):
                got, body, response = self.get(path, method=method)
                self.assertEqual((got, body if text is not None else None), (status, text))
                if got == 405:
                    self.assertIn(response.getheader("Allow"), ("GET", "POST"))

    def test_healthz(self):
        self.assertEqual(self.get("/healthz/syncloop")[:2], (200, "ok"))
        self.assertEqual(self.get("/healthz?verbose")[1],
                         "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n")
        self.write("sick", "")
        try:
            self.assertEqual(self.get("/healthz")[:2],
                             (500, "[+]ping ok\n[+]log ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n"))
            self.assertEqual(self.get("/healthz?exclude=syncloop")[:2], (200, "ok"))
            self.assertEqual(self.get("/healthz/syncloop")[:2], (500, "internal server error: syncloop is sick\n"))
        finally:
            os.unlink(f"{self.dir}/sick")

    def test_plain_healthz(self):
        for path, status in (("/healthz", None), ("/healthz/ping", 200), ("/pods", 404)):
            connection = http.client.HTTPConnection("127.0.0.1", self.healthz_port, timeout=WAIT_SECONDS)
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if status:
                self.assertEqual(response.status, status)
            connection.close()

    def test_connections_are_kept_and_requests_queue(self):
        connection = self.connection()
        for _ in range(3):
            connection.request("GET", "/pods")
            self.assertEqual(connection.getresponse().read()[:1], b"{")
        connection.request("POST", "/run/default/web/app?cmd=a", body=b"ignored" * 1000)
        self.assertEqual(connection.getresponse().read(), b"[a]")
        connection.request("POST", "/run/default/web/app?cmd=b", body=iter([b"chunk", b"ed"]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(connection.getresponse().read(), b"[b]")
        connection.close()
        with self.raw() as sock:
            request = b"GET /healthz/ping HTTP/1.1\r\nHost: a\r\n\r\n"
            sock.sendall(request * 3 + b"GET /healthz/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(self.read_all(sock).count(b"\r\n\r\nok"), 4)

    @staticmethod
    def read_all(sock):
        data = b""
        while True:
            piece = sock.recv(65536)
            if not piece:
                return data
            data += piece

    def test_nonsense_is_refused(self):
        for request, status in ((b"GET / HTTP/1.1\r\n\r\n", b"400"), (b"\r\n\r\n\r\n\r\n", b"400"),
                                (b"A" * 70000, b"431"),
                                (b"POST /pods HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 2000000,
                                 b"413")):
            with self.subTest(request=request[:20]), self.raw() as sock:
                try:
                    sock.sendall(request)
                except OSError:
                    pass
                self.assertEqual(self.read_all(sock)[9:12], status)

    def test_new_certificates_are_used(self):
        def subject():
            with self.raw() as sock:
                return dict(x[0] for x in sock.getpeercert()["subject"])["commonName"]
        self.assertEqual(subject(), "node1")
        old = self.connection()
        old.request("GET", "/healthz")
        old.getresponse().read()
        for kind in ("key", "crt"):
            shutil.copy(f"{self.dir}/server.{kind}", f"{self.dir}/old.{kind}")
            shutil.copy(f"{self.dir}/server2.{kind}", f"{self.dir}/new.{kind}")
            os.rename(f"{self.dir}/new.{kind}", f"{self.dir}/server.{kind}")
        end = time.monotonic() + WAIT_SECONDS
        while subject() != "node1-new":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        old.request("GET", "/healthz")
        self.assertEqual(old.getresponse().read(), b"ok")
        old.close()
        # half a pair is no reason to stop serving
        os.rename(f"{self.dir}/old.key", f"{self.dir}/server.key")
        time.sleep(1.2)
        self.assertEqual(subject(), "node1-new")
        os.rename(f"{self.dir}/old.crt", f"{self.dir}/server.crt")


class Logs(Base):
    STAMP = "2020-01-01T00:00:0%d.5Z"

    def setUp(self):
        lines = [f"{self.STAMP % i} std{'err' if i == 2 else 'out'} F line {i}\n" for i in range(1, 6)]
        self.write("app.log", "".join(lines))
        self.write("app.running", "")

    def logs(self, query, container="app"):
        return self.get(f"/containerLogs/default/web/{container}?{query}")[1]

    def test_options(self):
        for query, want in (
                ("", "line 1\nline 2\nline 3\nline 4\nline 5\n"),
                ("tailLines=2", "line 4\nline 5\n"), ("tail=1", "line 5\n"), ("tail=all&tailLines=1", None),
                ("tailLines=0", ""), ("limitBytes=8", "line 1\nl"),
                ("sinceTime=2020-01-01T00:00:04Z", "line 4\nline 5\n"), ("sinceSeconds=60", ""),
                ("timestamps=true&tailLines=1", "2020-01-01T00:00:05.500000000Z line 5\n"),
                ("stream=Stderr", "line 2\n"), ("follow=false", "line 1\nline 2\nline 3\nline 4\nline 5\n")):
            with self.subTest(query=query):
                if want is not None:
                    self.assertEqual(self.logs(query), want)

    def test_missing_file_is_told_in_the_body(self):
        os.unlink(f"{self.dir}/app.log")
        self.assertIn("failed to try resolving symlinks", self.logs(""))

    def follow(self, query="follow=true"):
        connection = self.connection()
        connection.request("GET", "/containerLogs/default/web/app?" + query)
        return connection, connection.getresponse()

    def test_follow_until_the_container_ends(self):
        connection, response = self.follow("follow=true&tailLines=1")
        self.assertEqual(response.readline(), b"line 5\n")
        start = time.monotonic()
        self.write("app.log", f"{self.STAMP % 6} stdout F line 6\n", "a")
        self.assertEqual(response.readline(), b"line 6\n")
        self.assertLess(time.monotonic() - start, 0.8)
        os.rename(f"{self.dir}/app.log", f"{self.dir}/app.log.20200101-000000")
        self.write("app.log", f"{self.STAMP % 7} stdout F line 7\n")
        self.assertEqual(response.readline(), b"line 7\n")
        self.write("app.log", f"{self.STAMP % 8} stdout F last words", "a")
        os.unlink(f"{self.dir}/app.running")
        self.assertEqual(response.read(), b"last words")
        connection.close()

    def test_many_followers_may_leave_at_any_time(self):
        followers = [self.follow() for _ in range(20)]
        for i, (connection, response) in enumerate(followers):
            self.assertEqual(response.readline(), b"line 1\n")
            if i % 2:
                # closing the socket, not the response: the server sees it in the middle of the stream
                response.close()
                connection.close()
        os.unlink(f"{self.dir}/app.running")
        for connection, response in followers[::2]:
            self.assertEqual(response.read().count(b"\n"), 4)
            connection.close()

    def test_big_logs_do_not_hold_up_others(self):
        line = f"{self.STAMP % 1} stdout F {'x' * 1000}\n"
        with open(f"{self.dir}/big.log", "w", encoding="utf-8") as f:
            for _ in range(100):
                f.write(line * 1000)
        connection = self.connection()
        connection.request("GET", "/containerLogs/default/web/big")
        response = connection.getresponse()
        response.read(10)
        slowest = 0
        for _ in range(20):
            start = time.monotonic()
            self.get("/healthz")
            slowest = max(slowest, time.monotonic() - start)
        # nobody reads: what the server holds of 100 MB is bounded
        with open(f"/proc/{self.rig.pid}/status", encoding="utf-8") as f:
            rss_kib = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
        total = 10
        start = time.monotonic()
        while True:
            data = response.read(1024 * 1024)
            if not data:
                break
            total += len(data)
        print(f"100 MB of log in {time.monotonic() - start:.2f} s, RSS {rss_kib} KiB, "
              f"slowest request beside it {slowest * 1000:.0f} ms")
        self.assertEqual(total, 100000 * 1001)
        if not sanitized(self.rig.pid):
            self.assertLess(rss_kib, 40 * 1024)
            self.assertLess(slowest, 1)
        connection.close()


class Relay(Base):
    def open(self, command, path=None, method="POST", early=b""):
        sock = self.raw()
        path = path or f"/exec/default/web/app?command={command}&input=1&output=1"
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: node1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                     f"X-Stream-Protocol-Version: v4.channel.k8s.io\r\nAuthorization: Bearer secret\r\n\r\n"
                     .encode() + early)
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            self.assertTrue(data, "connection closed before the head")
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        return sock, head.decode(), rest

    @staticmethod
    def read_exactly(sock, n, have=b""):
        parts, got = [have], len(have)
        while got < n:
            data = sock.recv(1024 * 1024)
            assert data, f"end after {got} of {n} bytes"
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    @staticmethod
    def exchange(sock, data, have):
        """Sends and reads at once, from one thread: an SSLSocket is not made for two."""
        sock.setblocking(False)
        parts, got, sent, view = [have], len(have), 0, memoryview(data)
        while got < len(data):
            select.select([sock], [sock] if sent < len(data) else [], [], WAIT_SECONDS)
            for step in ("send", "recv"):
                try:
                    if step == "send" and sent < len(data):
                        sent += sock.send(view[sent:sent + 65536])
                    elif step == "recv":
                        piece = sock.recv(1024 * 1024)
                        assert piece, f"end after {got} bytes"
                        parts.append(piece)
                        got += len(piece)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
        return b"".join(parts)

    def test_upgrade_passes_through(self):
        for path, method in ((None, "POST"), (None, "GET"), ("/attach/default/web/app?output=1", "POST"),
                             ("/portForward/default/web", "POST")):
            with self.subTest(path=path, method=method):
                self.streaming.heads.clear()
                sock, head, rest = self.open("echo", path, method)
                self.assertTrue(head.startswith("HTTP/1.1 101 Switching Protocols"))
                self.assertIn("X-Own: kept", head)
                rest = self.read_exactly(sock, 22, rest)
                self.assertEqual(rest, b"hello from the runtime")
                sent = self.streaming.heads[0]
                self.assertTrue(sent.startswith(method + " /"))
                self.assertIn("X-Stream-Protocol-Version: v4.channel.k8s.io", sent)
                self.assertIn("X-Forwarded-For: 127.0.0.1", sent)
                self.assertNotIn("secret", sent)
                sock.close()

    def test_bytes_that_come_before_the_answer_are_kept(self):
        sock, _, rest = self.open("echo", early=b"early bird")
        self.assertEqual(self.read_exactly(sock, 32, rest), b"hello from the runtimeearly bird")
        sock.close()

    def test_echo_of_many_bytes(self):
        sock, _, rest = self.open("echo")
        rest = self.read_exactly(sock, 22, rest)[22:]
        data = os.urandom(1024 * 1024) * 32
        start = time.monotonic()
        got = self.exchange(sock, data, rest)
        print(f"32 MiB echoed in {time.monotonic() - start:.2f} s")
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())
        sock.close()

    def test_the_end_of_the_client_reaches_the_runtime(self):
        sock, _, rest = self.open("sink")
        data = os.urandom(5 * 1024 * 1024)
        sock.sendall(data)
        # shutdown() of an SSLSocket would drop its TLS layer, and with it the way to read the answer
        socket.socket.shutdown(sock, socket.SHUT_WR)
        self.assertEqual(self.read_exactly(sock, 64, rest).decode(), hashlib.sha256(data).hexdigest())
        sock.close()

    def test_the_end_of_the_runtime_reaches_the_client(self):
        sock, _, rest = self.open("source")
        time.sleep(0.5)
        with open(f"/proc/{self.rig.pid}/status", encoding="utf-8") as f:
            rss_kib = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
        total = len(rest)
        while True:
            data = sock.recv(1024 * 1024)
            if not data:
                break
            total += len(data)
        self.assertEqual(total, 64 * 1024 * 1024)
        if not sanitized(self.rig.pid):
            self.assertLess(rss_kib, 40 * 1024)
        sock.close()

    def test_a_client_that_vanishes_ends_the_session(self):
        self.streaming.lost.clear()
        sock, _, _ = self.open("echo")
        sock.close()
        self.assertTrue(self.streaming.lost.wait(WAIT_SECONDS))

    def test_answers_that_are_no_upgrade(self):
        for command, status, text in (("refuse", 403, b"because"),
                                      ("ok", 500, b"invalid upgrade response: status code 200\n"),
                                      ("nonsense", 500, b"malformed HTTP response\n"),
                                      ("nothing", 500, b"unexpected EOF\n")):
            with self.subTest(command=command):
                sock, head, rest = self.open(command)
                self.assertEqual(head.split()[1], str(status))
                self.assertEqual(self.read_exactly(sock, len(text), rest), text)
                sock.close()

    def test_fifty_sessions(self):
        sessions = [self.open("echo") for _ in range(50)]
        for i, (sock, _, rest) in enumerate(sessions):
            self.read_exactly(sock, 22, rest)
            sock.sendall(b"%03d" % i)
        for i, (sock, _, _) in enumerate(sessions):
            self.assertEqual(self.read_exactly(sock, 3), b"%03d" % i)
            sock.close()
        self.assertEqual(self.get("/healthz")[0], 200)


class SelfSigned(Base):
    options = ("self-signed", "anonymous")

    def context(self, cert=None):
        context = ssl.create_default_context(cafile=f"{self.dir}/kubelet.crt")
        if cert:
            context.load_cert_chain(f"{self.dir}/{cert}.crt", f"{self.dir}/{cert}.key")
        return context

    def test_the_pair_serves_its_names(self):
        self.assertEqual(self.get("/healthz", None)[:2], (200, "ok"))
        self.assertEqual(os.stat(f"{self.dir}/kubelet.key").st_mode & 0o777, 0o600)

    def test_anonymous(self):
        self.assertEqual(self.get("/pods", None)[:2],
                         (403, "Forbidden (user=system:anonymous, verb=get, resource=nodes, "
                               "subresource(s)=[pods proxy])\n"))
        self.assertEqual(self.get("/healthz", "stranger")[0], 401)


class NoDebug(Base):
    options = ("no-debug",)

    def test_debugging_endpoints_are_off(self):
        for path in ("/run/a/b/c", "/exec/a/b/c", "/containerLogs/default/web/app", "/runningpods/"):
            self.assertEqual(self.get(path)[:2], (405, "Debug endpoints are disabled.\n"))
        self.assertEqual(self.get("/configz")[0], 404)
        self.assertEqual(self.get("/pods")[0], 200)


if __name__ == "__main__":
    del Base
    unittest.main(verbosity=1)
