"""What the benches share: the API, a process's cost, release builds, the table of figures. Not a program."""
import errno
import http.client
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
CLUSTER = os.path.join(HERE, '..', 'cluster')
STATES = os.environ.get('KEELSON_STATE', '/var/lib/keelson-test')
CACHE = os.environ.get('KEELSON_CACHE', '/var/cache/keelson')


class Api:
    """Admin's client, a connection a thread. The process (or thread) is in node1's network."""

    def __init__(self, state):
        self.ctx = ssl.create_default_context(cafile=state + '/pki/ca.crt')
        self.ctx.load_cert_chain(state + '/pki/admin.crt', state + '/pki/admin.key')
        self.local = threading.local()

    def connect(self, timeout):
        c = http.client.HTTPSConnection('10.89.0.11', 6443, context=self.ctx, timeout=timeout)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def call(self, method, path, body=None):
        for attempt in (0, 1):
            self.local.c = getattr(self.local, 'c', None) or self.connect(60)
            try:
                self.local.c.request(method, path, json.dumps(body) if body else None, {'Content-Type': 'application/json'})
                r = self.local.c.getresponse()
                data = json.loads(r.read())
                break
            except (http.client.HTTPException, OSError):
                self.local.c = None
                if attempt:
                    raise
        if r.status >= 300 and r.status != 404:
            raise RuntimeError('%s %s: %s' % (method, path, data.get('message')))
        return data


class RulesetNews:
    """When the kernel told, in this network namespace, of a change of any nftables object that holds certain bytes."""

    NETFILTER, SOL_NETLINK, ADD_MEMBERSHIP, NFTABLES_GROUP, RCVBUFFORCE = 12, 270, 1, 7, 33

    def __enter__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self.NETFILTER)
        self.sock.setsockopt(socket.SOL_SOCKET, self.RCVBUFFORCE, 64 << 20)
        self.sock.bind((0, 0))
        self.sock.setsockopt(self.SOL_NETLINK, self.ADD_MEMBERSHIP, self.NFTABLES_GROUP)
        self.needle, self.told = None, threading.Event()
        threading.Thread(target=self.read, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def read(self):
        while True:
            try:
                data = self.sock.recv(1 << 18)
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    print('bench: the kernel had more to tell than was read', file=sys.stderr)
                    continue
                return
            if self.needle and self.needle in data:
                self.when, self.needle = time.monotonic(), None
                self.told.set()

    def expect(self, needle):
        self.told.clear()
        self.needle = needle

    def wait(self, timeout):
        """time.monotonic() of it, None: not told in time."""
        return self.when if self.told.wait(timeout) else None


def cpu_tasks(pid):
    out = {}
    for t in os.listdir('/proc/%d/task' % pid):
        try:
            with open('/proc/%d/task/%s/schedstat' % (pid, t)) as f:
                out[t] = int(f.read().split()[0])
        except OSError:
            pass
    with open('/proc/%d/stat' % pid) as f:
        w = f.read().rsplit(')', 1)[1].split()
    out['children'] = (int(w[13]) + int(w[14])) * 10**9 // os.sysconf('SC_CLK_TCK')
    return out


def cpu_so_far(pid):
    """Seconds, with those of children that ended."""
    return sum(cpu_tasks(pid).values()) / 1e9


def cpu_seconds(pid, seconds):
    a = cpu_tasks(pid)
    time.sleep(seconds)
    b = cpu_tasks(pid)
    return sum(v - a.get(k, 0) for k, v in b.items()) / 1e9


def memory_mib(pid):
    got = {}
    for f in ('status', 'smaps_rollup'):
        with open('/proc/%d/%s' % (pid, f)) as h:
            for line in h:
                k, _, v = line.partition(':')
                if v.strip().endswith('kB'):
                    got[k] = int(v.split()[0]) / 1024
    return {'rss': got['VmRSS'], 'pss': got['Pss'], 'private dirty': got['Private_Dirty'], 'peak rss': got['VmHWM']}


def release_build(target):
    """A daemon as it would be shipped."""
    repo = os.path.join(HERE, '..', '..')
    build = os.path.join(repo, 'build-release')
    if not os.path.exists(build + '/build.ninja'):
        subprocess.run(['meson', 'setup', '--buildtype=release', build, repo], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', build, '-j2', target], check=True, stdout=subprocess.DEVNULL)
    return os.path.realpath(os.path.join(build, target))


class Bench:
    """Figures of several contenders, taken in turns on the cluster named name."""

    def __init__(self, name):
        self.name, self.state = name, os.path.join(STATES, name)
        self.figures = {}

    def cluster(self, *args, check=True):
        r = subprocess.run([CLUSTER, args[0], '--name', self.name, *args[1:]], stdout=subprocess.DEVNULL)
        if check and r.returncode:
            sys.exit('bench: cluster %s failed' % args[0])
        return r.returncode

    def load_average(self, when):
        with open('/proc/loadavg') as f:
            print('load average %s: %s' % (when, f.read().strip()), flush=True)

    def note(self, who, what, *values):
        self.figures.setdefault(what, {}).setdefault(who, []).extend(values)

    def table(self, contenders):
        """min / median / max of each, and the ratio of the last one's median to that of the one before."""
        width = max(len(w) for w in self.figures)
        print('%-*s %s %8s' % (width, 'min / median / max', ' '.join('%28s' % os.path.basename(x) for x in contenders), 'ratio'))
        for what, by in self.figures.items():
            cells, medians = [], []
            for x in contenders:
                v = sorted(by.get(x, []))
                medians.append(statistics.median(v) if v else 0)
                cells.append('%28s' % ('%.2f / %.2f / %.2f' % (v[0], medians[-1], v[-1]) if v else '-'))
            before, last = medians[-2:] if len(medians) > 1 else (0, 0)
            ratio = '%8.3f' % (last / before) if last and before else ''
            print('%-*s %s %s' % (width, what, ' '.join(cells), ratio), flush=True)

    def write(self, path):
        if path:
            with open(path, 'w') as f:
                json.dump(self.figures, f, indent=1)
