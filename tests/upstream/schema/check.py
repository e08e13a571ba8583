#!/usr/bin/env python3
"""Compare proto/ and lib/kube/fields.c with the facts that upstream's modules hold. Needs Go."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))

if not shutil.which("go"):
    print("skipped: Go is not installed")
    sys.exit(77)
with tempfile.NamedTemporaryFile("w", suffix=".facts") as facts:
    run = subprocess.run(["go", "run", "."], cwd=HERE, stdout=facts, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        # without the modules at hand there is nothing to compare with
        print(run.stderr)
        sys.exit(77 if "dial" in run.stderr or "lookup" in run.stderr else 1)
    sys.exit(subprocess.run([sys.executable, os.path.join(ROOT, "proto", "generate.py"), "--check", facts.name]).returncode)
