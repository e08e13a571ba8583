#!/usr/bin/env python3
"""registry.py DIR ADDRESS:PORT: a read-only registry over what mkimages.py wrote (manifests and blobs by digest or tag)."""
import http.server
import json
import os
import re
import shutil
import socketserver
import sys

ROOT = sys.argv[1]
HOST, PORT = sys.argv[2].rsplit(':', 1)
MANIFEST = 'application/vnd.oci.image.manifest.v1+json'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def refuse(self, code, what):
        body = json.dumps({'errors': [{'code': what, 'message': self.path}]}).encode()
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def send(self, digest, kind):
        path = os.path.join(ROOT, 'blobs', 'sha256', digest[7:])
        if not re.fullmatch(r'sha256:[0-9a-f]{64}', digest) or not os.path.exists(path):
            return self.refuse(404, 'BLOB_UNKNOWN')
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(os.path.getsize(path)))
        self.send_header('Docker-Content-Digest', digest)
        self.end_headers()
        if self.command != 'HEAD':
            with open(path, 'rb') as f:
                shutil.copyfileobj(f, self.wfile)

    def do_GET(self):
        path = self.path.split('?')[0]
        if path == '/v2/':
            self.send_response(200)
            self.send_header('Content-Length', '0')
            return self.end_headers()
        m = re.fullmatch(r'/v2/(.+)/(manifests|blobs)/([^/]+)', path)
        if not m:
            return self.refuse(404, 'NAME_UNKNOWN')
        name, kind, ref = m.groups()
        if kind == 'blobs':
            return self.send(ref, 'application/octet-stream')
        if not ref.startswith('sha256:'):
            with open(os.path.join(ROOT, 'refs.json')) as f:
                ref = json.load(f).get(name + ':' + ref)
        return self.send(ref, MANIFEST) if ref else self.refuse(404, 'MANIFEST_UNKNOWN')

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


Server((HOST, int(PORT)), Handler).serve_forever()
