#!/usr/bin/env python3
"""The API client and its informers against a real kube-apiserver.

usage: kube-client.py PROGRAM   PROGRAM: the compiled test-kube-live; it prints what it did
"""
import os
import subprocess
import sys

import apiserver

api = apiserver.Apiserver()
try:
    # the program asks for faults on its standard output, one word a line, and gets "done" back
    # a proxy of the environment is for other hosts than this one, whatever it says itself
    proxies = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    live = subprocess.Popen([sys.argv[1], api.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, **proxies})
    for line in live.stdout:
        word = line.strip()
        if word == "!stop":
            api.stop()
        elif word == "!start":
            api.start()
        else:
            print(line, end="", flush=True)
            continue
        live.stdin.write("done\n")
        live.stdin.flush()
    code = live.wait()
    if code:
        print(open(api.path("kube-apiserver.log"), errors="replace").read()[-4000:])
finally:
    api.close()
sys.exit(code)
