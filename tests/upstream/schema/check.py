#!/usr/bin/env python3
"""What we wrote from upstream's facts, compared with upstream again. Needs Go and its module cache.

usage: check.py facts              proto/ and lib/kube/fields.c are what the modules say
       check.py vectors            tests/unit/vectors.txt is what upstream computes
       check.py codec PROGRAM      upstream's own samples through our codec
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


def go(*args):
    run = subprocess.run(["go", *args], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        # without the modules at hand there is nothing to compare with
        print(run.stderr)
        sys.exit(77 if "dial" in run.stderr or "lookup" in run.stderr else 1)
    return run.stdout


def facts():
    with tempfile.NamedTemporaryFile("w", suffix=".facts") as f:
        f.write(go("run", "."))
        f.flush()
        return subprocess.run([sys.executable, os.path.join(ROOT, "proto", "generate.py"), "--check", f.name]).returncode


def vectors():
    want = go("run", "./vectors")
    have = open(os.path.join(ROOT, "tests", "unit", "vectors.txt"), encoding="utf-8").read()
    print(len(have.splitlines()), "vectors,", "the same" if have == want else "they differ")
    return have != want


def codec():
    folder = go("list", "-m", "-f", "{{.Dir}}", "k8s.io/api").strip()
    return subprocess.run([sys.argv[2], os.path.join(folder, "testdata", "HEAD")]).returncode


if not shutil.which("go"):
    print("skipped: Go is not installed")
    sys.exit(77)
sys.exit({"facts": facts, "vectors": vectors, "codec": codec}[sys.argv[1]]())
