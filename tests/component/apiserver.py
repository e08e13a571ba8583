"""A real etcd and kube-apiserver on loopback ports inside a network namespace of the test's own.

Used as a module. Without the binaries or the right to make a namespace the test skips (exit 77).
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import ssl

BIN = os.path.join(os.environ.get("KEELSON_CACHE", "/var/cache/keelson"), "bin")
CLONE_NEWNET = 0x40000000


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def own_network():
    """Moves this process into a fresh network namespace that has loopback only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        skip("no right to make a network namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def openssl(*args, **kw):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


class Apiserver:
    def __init__(self, *flags):
        for name in ("etcd", "kube-apiserver"):
            if not os.access(os.path.join(BIN, name), os.X_OK):
                skip(f"{BIN}/{name} is not there (tests/rig/build.sh core builds it)")
        if not shutil.which("openssl"):
            skip("openssl is not installed")
        own_network()
        self.dir = tempfile.mkdtemp(prefix="keelson-api-")
        self.flags = flags
        self.children = {}
        self.server = "https://127.0.0.1:6443"
        self.make_keys()
        self.start_etcd()
        self.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def cert(self, name, subject, san=None):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(name + ".key"))
        openssl("req", "-new", "-key", self.path(name + ".key"), "-subj", subject, "-out", self.path(name + ".csr"))
        with open(self.path(name + ".ext"), "w") as f:
            f.write("extendedKeyUsage=clientAuth,serverAuth\n" + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.crt"), "-CAkey",
                self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", self.path(name + ".ext"),
                "-out", self.path(name + ".crt"))

    def make_keys(self):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path("ca.key"))
        openssl("req", "-x509", "-new", "-key", self.path("ca.key"), "-subj", "/CN=test-ca", "-days", "2", "-out",
                self.path("ca.crt"))
        openssl("genrsa", "-out", self.path("sa.key"), "2048")
        openssl("rsa", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))
        self.cert("server", "/CN=kube-apiserver", "DNS:kubernetes.test,IP:127.0.0.1")
        self.cert("admin", "/O=system:masters/CN=admin")
        with open(self.path("tokens.csv"), "w") as f:
            f.write("secret-token,tokenuser,1,system:masters\n")
        self.kubeconfig("admin.kubeconfig", "client-certificate: admin.crt, client-key: admin.key")

    def kubeconfig(self, name, user, cluster=""):
        with open(self.path(name), "w") as f:
            f.write(f"""apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: me}}}}]
clusters: [{{name: test, cluster: {{server: "{self.server}", certificate-authority: ca.crt{cluster}}}}}]
users: [{{name: me, user: {{{user}}}}}]
""")
        return self.path(name)

    def spawn(self, name, *args):
        log = open(self.path(name + ".log"), "ab")
        self.children[name] = subprocess.Popen([os.path.join(BIN, name), *args], stdout=log, stderr=log,
                                               cwd=self.dir)

    def start_etcd(self):
        self.spawn("etcd", "--data-dir", self.path("etcd"), "--listen-client-urls", "http://127.0.0.1:2379",
                   "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls", "http://127.0.0.1:2380",
                   "--unsafe-no-fsync", "--log-level", "error")

    def start(self):
        self.spawn("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443",
                   "--bind-address=127.0.0.1", "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none",
                   "--tls-cert-file=server.crt", "--tls-private-key-file=server.key", "--client-ca-file=ca.crt",
                   "--service-account-key-file=sa.pub", "--service-account-signing-key-file=sa.key",
                   "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
                   "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
                   "--disable-admission-plugins=ServiceAccount", *self.flags)
        self.wait_ready()

    def wait_ready(self):
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        request = urllib.request.Request(self.server + "/readyz", headers={"Authorization": "Bearer secret-token"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=context))
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self.children["kube-apiserver"].poll() is not None:
                break
            try:
                if opener.open(request, timeout=5).status == 200:
                    return
            except OSError:
                time.sleep(0.2)
        print(open(self.path("kube-apiserver.log"), errors="replace").read()[-3000:])
        self.close()
        sys.exit("kube-apiserver did not become ready")

    def stop(self, name="kube-apiserver"):
        child = self.children.pop(name, None)
        if child:
            child.send_signal(signal.SIGKILL)
            child.wait()

    def close(self):
        for name in list(self.children):
            self.stop(name)
        shutil.rmtree(self.dir, ignore_errors=True)
