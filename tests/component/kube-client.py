#!/usr/bin/env python3
"""The API client and its informers against a real kube-apiserver.

usage: kube-client.py PROGRAM   PROGRAM: the compiled test-kube-live; it prints what it did
"""
import subprocess
import sys

import apiserver

api = apiserver.Apiserver()
try:
    # the program asks for faults on its standard output, one word a line, and gets "done" back
    live = subprocess.Popen([sys.argv[1], api.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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
