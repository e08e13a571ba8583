#!/usr/bin/env python3
"""A manual page names every flag that its program takes, and no other.

usage: man.py PROGRAM PAGE
"""
import re
import subprocess
import sys

program, page = sys.argv[1:3]
taken = set(re.findall(r"^  (--[\w-]+)", subprocess.run([program, "--help"], capture_output=True, text=True).stdout, re.M))
named = set(re.findall(r"\*(--[\w-]+)\*", open(page, encoding="utf-8").read()))
for flag in sorted(taken - named):
    print(f"{page}: does not name {flag}")
for flag in sorted(named - taken):
    print(f"{page}: names {flag}, which {program} does not take")
print(f"{len(taken)} flags, {len(taken ^ named)} differences")
sys.exit(1 if taken ^ named or not taken else 0)
