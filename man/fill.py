#!/usr/bin/env python3
"""Prints a manual page's source with its tables filled in.

usage: fill.py PAGE [NAME=PROGRAM ...]

A line "@NAME KIND@" of the page stands for what "PROGRAM KIND" prints.
"""
import re
import subprocess
import sys

page = open(sys.argv[1], encoding="utf-8").read()
programs = dict(a.split("=", 1) for a in sys.argv[2:])


def table(match):
    return subprocess.run([programs[match[1]], match[2]], check=True, capture_output=True, text=True).stdout.rstrip("\n")


sys.stdout.write(re.sub(r"^@([\w-]+) ([\w-]+)@$", table, page, flags=re.M))
