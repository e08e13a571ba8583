#!/usr/bin/env python3
"""mkimages.py OUT CACHE: the images of the test cluster, made from local files.

OUT becomes what registry.py serves: OUT/blobs/sha256/HEX and OUT/refs.json (reference -> manifest digest).
An image is made when all of its inputs exist, and again when one of them is newer than OUT/refs.json says.
CACHE/bin holds upstream's programs, CACHE/debroot a Debian minbase, CACHE/{busybox,bash-static} Debian's binaries.
"""
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile

PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
E2E = 'e2e-test-images/'
PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n'
GROUP = 'root:x:0:\nnogroup:x:65534:\n'
OCI = 'application/vnd.oci.image.'
SKIP = ('dev', 'proc', 'sys', 'var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man',
        'usr/share/locale', 'debootstrap', '.done')


class Layer:
    """One tar, deterministic: no times, no names of owners."""

    def __init__(self):
        self.buf = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buf, mode='w', format=tarfile.GNU_FORMAT)

    def add(self, path, kind, mode, data=b'', link=''):
        i = tarfile.TarInfo(path)
        i.type, i.mode, i.size, i.linkname = kind, mode, len(data), link
        self.tar.addfile(i, io.BytesIO(data) if data else None)
        return self

    def dirs(self, *paths, mode=0o755):
        for p in paths:
            self.add(p, tarfile.DIRTYPE, mode)
        return self

    def data(self, path, text, mode=0o644):
        return self.add(path, tarfile.REGTYPE, mode, text.encode() if isinstance(text, str) else text)

    def file(self, path, src, mode=0o755):
        with open(src, 'rb') as f:
            return self.data(path, f.read(), mode)

    def link(self, path, target):
        return self.add(path, tarfile.SYMTYPE, 0o777, link=target)

    def tree(self, root):
        def keep(i):
            i.mtime = 0
            skipped = any(i.name == s or i.name.startswith(s + '/') for s in SKIP)
            return None if skipped or i.ischr() or i.isblk() else i
        for n in sorted(os.listdir(root)):
            self.tar.add(os.path.join(root, n), n, filter=keep)
        return self.dirs('dev', 'proc', 'sys')

    def bytes(self):
        self.tar.close()
        return self.buf.getvalue()


class Store:
    def __init__(self, out):
        self.out = out
        self.blobs = os.path.join(out, 'blobs', 'sha256')
        os.makedirs(self.blobs, exist_ok=True)
        self.index = os.path.join(out, 'refs.json')
        self.refs = json.load(open(self.index)) if os.path.exists(self.index) else {}
        self.layers = {}

    def blob(self, data):
        h = hashlib.sha256(data).hexdigest()
        p = os.path.join(self.blobs, h)
        if not os.path.exists(p):
            with open(p + '.new', 'wb') as f:
                f.write(data)
            os.rename(p + '.new', p)
        return 'sha256:' + h, len(data)

    def layer(self, name, make):
        """The blob of a layer, made once a run however many images share it."""
        if name not in self.layers:
            self.layers[name] = self.blob(make())
        return self.layers[name]

    def image(self, tags, layers, entry=None, cmd=None, user='', ports=(), env=()):
        cfg = {'architecture': 'amd64', 'os': 'linux', 'created': '2026-01-01T00:00:00Z',
               'config': {'Env': [PATH, *env], 'Cmd': cmd, 'Entrypoint': entry, 'User': user,
                          'ExposedPorts': {p: {} for p in ports}},
               'rootfs': {'type': 'layers', 'diff_ids': [d for d, _ in layers]},
               'history': [{'created': '2026-01-01T00:00:00Z'} for _ in layers]}
        cd, cs = self.blob(json.dumps(cfg, sort_keys=True).encode())
        man = {'schemaVersion': 2, 'mediaType': OCI + 'manifest.v1+json',
               'config': {'mediaType': OCI + 'config.v1+json', 'digest': cd, 'size': cs},
               'layers': [{'mediaType': OCI + 'layer.v1.tar', 'digest': d, 'size': s} for d, s in layers]}
        md, _ = self.blob(json.dumps(man, sort_keys=True).encode())
        for t in tags:
            self.refs[t] = md
        with open(self.index + '.new', 'w') as f:
            json.dump(self.refs, f, indent=1, sort_keys=True)
        os.rename(self.index + '.new', self.index)
        print('image %s (%.1f MB)' % (' '.join(tags), sum(s for _, s in layers) / 1e6), flush=True)

    def sweep(self):
        """Blobs that no manifest names any more."""
        used = set()
        for m in set(self.refs.values()):
            used.add(m[7:])
            man = json.load(open(os.path.join(self.blobs, m[7:])))
            used |= {x['digest'][7:] for x in man['layers'] + [man['config']]}
        for b in os.listdir(self.blobs):
            if b not in used:
                os.unlink(os.path.join(self.blobs, b))


def libraries(program):
    out = subprocess.run(['ldd', program], capture_output=True, text=True).stdout
    return sorted(set(re.findall(r'(/\S+\.so\S*)', out)))


def busybox_layer(cache):
    bb = cache + '/busybox'
    l = Layer().dirs('bin', 'etc', 'proc', 'sys', 'dev', 'root', 'usr', 'usr/bin', 'usr/sbin', 'usr/local',
                     'usr/local/bin', 'var', 'var/run', 'home', 'lib', 'lib64', 'lib/x86_64-linux-gnu', 'sbin')
    l.dirs('tmp', mode=0o1777).data('etc/passwd', PASSWD).data('etc/group', GROUP)
    l.data('etc/nsswitch.conf', 'hosts: files dns\n').file('bin/busybox', bb)
    for lib in libraries(bb):
        l.file(lib.lstrip('/'), os.path.realpath(lib))
    for a in subprocess.run([bb, '--list'], capture_output=True, text=True).stdout.split():
        if a not in ('busybox', 'sh', 'bash'):
            l.link('bin/' + a, '/bin/busybox')
    return l.file('bin/bash', cache + '/bash-static').file('bin/sh', cache + '/bin/sh').bytes()


def agnhost_layer(cache, deb, src):
    def users(name, extra):
        with open('%s/etc/%s' % (deb, name)) as f:
            return f.read() + extra
    l = Layer().file('agnhost', cache + '/bin/agnhost').link('agnhost-2', 'agnhost').dirs('uploads')
    l.data('etc/passwd', users('passwd', 'user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh\n'))
    l.data('etc/group', users('group', 'user-defined-in-image:x:1000:\n'
                                       'group-defined-in-image:x:50000:user-defined-in-image\n'))
    for f in ('localhost.crt', 'localhost.key'):
        l.file(f, src + 'agnhost/porter/' + f, 0o644)
    return l.file('coredns', cache + '/bin/coredns').bytes()


def picture_layer(name, src):
    l = Layer().file(name + '.jpg', '%s%s/html/%s.jpg' % (src, name, name), 0o644)
    l.file('data.json', '%s%s/html/data.json' % (src, name), 0o644)
    if name == 'kitten':   # the image volume test reads the name of the base image here
        l.data('etc/os-release', 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.0\n'
                                 'PRETTY_NAME="Alpine Linux v3.21 (stand-in: a Debian root)"\n')
    return l.bytes()


def program_layer(path, src, mode=0o755):
    parts = path.split('/')[:-1]
    return Layer().dirs(*['/'.join(parts[:i + 1]) for i in range(len(parts))]).file(path, src, mode).bytes()


def main():
    out, cache = sys.argv[1:3]
    b, deb = cache + '/bin/', cache + '/debroot'
    mod = subprocess.run(['go', 'env', 'GOMODCACHE'], capture_output=True, text=True).stdout.strip()
    src = mod + '/k8s.io/kubernetes@v1.37.2/test/images/'
    store = Store(out)

    def stale(tag, *inputs):
        """Whether to make the image now: inputs there, and changed since it was made."""
        if not all(os.path.exists(i) for i in inputs):
            return False
        newest = max(os.path.getmtime(i) for i in inputs + (__file__,))
        stamp = '%s/.%s' % (out, re.sub(r'[/:]', '_', tag))
        if tag in store.refs and os.path.exists(stamp) and os.path.getmtime(stamp) >= newest:
            return False
        made.append(stamp)
        return True

    made = []
    shells = (cache + '/busybox', cache + '/bash-static', b + 'sh')
    base = (deb + '/.done', b + 'agnhost', b + 'coredns')

    def busybox():
        return store.layer('busybox', lambda: busybox_layer(cache))

    def debian():
        return store.layer('debian', lambda: Layer().tree(deb).bytes())

    def agnhost():
        return [debian(), store.layer('agnhost', lambda: agnhost_layer(cache, deb, src))]

    if stale('pause:3.10.2', b + 'pause'):
        store.image(['pause:3.10.2'], [store.blob(program_layer('pause', b + 'pause'))],
                    entry=['/pause'], user='65535:65535')
    if stale(E2E + 'busybox:1.37.0-2', *shells):
        store.image([E2E + 'busybox:1.37.0-2'], [busybox()], cmd=['sh'])
    if stale(E2E + 'nginx:1.27.0-2', *shells):   # tests only want a web server on :80
        page = Layer().dirs('www').data('www/index.html', '<html><title>Welcome to nginx!</title></html>\n').bytes()
        store.image([E2E + 'nginx:1.27.0-2', E2E + 'nginx:1.28.0-2'], [busybox(), store.blob(page)],
                    entry=['/bin/httpd', '-f', '-p', '80', '-h', '/www'], ports=('80/tcp',))
    if stale(E2E + 'nonewprivs:1.4', b + 'nnp', *shells):
        nnp = program_layer('usr/local/bin/nnp', b + 'nnp', 0o6755)
        store.image([E2E + 'nonewprivs:1.4'], [busybox(), store.blob(nnp)], cmd=['nnp'])
    if stale(E2E + 'agnhost:2.66.1', *base):
        store.image([E2E + 'agnhost:2.66.1', E2E + 'agnhost:2.55'], agnhost(), entry=['/agnhost'], cmd=['pause'],
                    ports=('80/tcp', '8080/tcp', '8081/tcp', '9376/tcp', '5000/tcp'))
    for n in ('kitten', 'nautilus'):
        if stale(E2E + n + ':1.8', *base):
            store.image([E2E + n + ':1.8'], agnhost() + [store.blob(picture_layer(n, src))],
                        entry=['/agnhost'], cmd=['test-webserver'])
    if stale(E2E + 'glibc-dns-testing:2.1.1', deb + '/.done', b + 'coredns'):
        store.image([E2E + 'glibc-dns-testing:2.1.1'],
                    [debian(), store.blob(program_layer('coredns', b + 'coredns'))], cmd=['bash'])
    if stale(E2E + 'sample-apiserver:1.29.2', b + 'sample-apiserver', *shells):
        store.image([E2E + 'sample-apiserver:1.29.2'],
                    [busybox(), store.blob(program_layer('sample-apiserver', b + 'sample-apiserver'))],
                    entry=['/sample-apiserver'])
    if stale('etcd:3.7.0-0', deb + '/.done', b + 'etcd'):
        store.image(['etcd:3.7.0-0'], [debian(), store.blob(program_layer('usr/local/bin/etcd', b + 'etcd'))],
                    cmd=['/usr/local/bin/etcd'])
    for stamp in made:
        open(stamp, 'w').close()
    if made:
        store.sweep()


main()
