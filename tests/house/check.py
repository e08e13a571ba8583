#!/usr/bin/env python3
"""House rules that a compiler does not check: who includes whom, and the size budgets.

usage: check.py includes|sizes ROOT    exits 1 and names each breach
"""
import os
import re
import sys

ROOMS = ("include", "lib/base", "lib/kube", "lib/conf", "lib/http", "cri", "agent", "proxy")
# room -> header prefixes under include/ and proto/ that it may use
ALLOWED = {
    "include": ("base/", "kube/", "conf/", "http/", "cri/", "k8s/"),
    "lib/base": ("base/",),
    "lib/kube": ("base/", "kube/", "k8s/"),
    "lib/conf": ("base/", "kube/", "conf/"),
    "lib/http": ("base/", "http/"),
    "cri": ("base/", "cri/"),
    "agent": ("base/", "kube/", "conf/", "http/", "cri/", "k8s/", "agent/"),
    "proxy": ("base/", "kube/", "conf/", "http/", "k8s/", "proxy/"),
}
HOUSE = ("base/", "kube/", "conf/", "http/", "k8s/", "cri/", "agent/", "proxy/")
# a file that opens with "Pure" in its first comment does no I/O
IMPURE = ("base/clock.h", "base/fs.h", "base/job.h", "systemd/", "sys/socket.h", "sys/mount.h", "fcntl.h",
          "unistd.h", "curl/", "nghttp2/", "openssl/ssl", "kube/client.h", "kube/informer.h", "cri/cri.h",
          "conf/load.h", "http/conn.h", "http/listen.h")
FILE_MAX, FILE_MEDIAN, FUNCTION_MAX, FUNCTION_MEDIAN, FUNCTION_P95 = 1000, 300, 120, 20, 60


def sources(root):
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    yield room, os.path.relpath(path, root), open(path, encoding="utf-8").read()


def opening_comment(text):
    m = re.match(r"\s*/\*(.*?)\*/", text, re.S)
    return m.group(1) if m else ""


def check_includes(root):
    bad = []
    for room, path, text in sources(root):
        if not opening_comment(text):
            bad.append(f"{path}: does not open with a comment that says what it owns")
        pure = path.endswith(".c") and re.search(r"\bPure\b|\bPURE\b", opening_comment(text))
        for m in re.finditer(r'^#include ["<]([^">]+)[">]', text, re.M):
            header = m.group(1)
            if header.startswith(HOUSE) and not header.startswith(ALLOWED[room]):
                bad.append(f"{path}: {room} may not include {header}")
            if pure and header.startswith(IMPURE):
                bad.append(f"{path}: says it is pure but includes {header}")
    return bad


def functions(text):
    """(name, lines) of each function: from the line before '{' in column 0 to '}' in column 0."""
    lines = text.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            head = " ".join(lines[max(0, start - 4):start])
            names = re.findall(r"(\w+)\(", head)
            yield (names[0] if names else "?"), i - start - 1
            start = None


def is_table(line):
    return bool(re.match(r"\s*(\{|\[|\}|\"|X\()", line))


def mutable_globals(path, text):
    for m in re.finditer(r"^(static )?(?!const|extern|typedef|struct \w+;|enum|return)(\w[\w ]*?[ *])(\w+)"
                         r"(\[[^\]]*\])*( =[^;]*)?;$", text, re.M):
        line = m.group(0)
        if "const" in line.split("=")[0] or "(" in line.split("=")[0] or line.startswith(("\t", " ")):
            continue
        yield f"{path}: mutable file-scope variable {m.group(3)}"


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else 0


def check_sizes(root):
    bad, file_lines, function_lines = [], [], []
    for _, path, text in sources(root):
        lines = text.split("\n")
        counted = [x for x in lines if not is_table(x)]
        file_lines.append(len(counted))
        if len(counted) > FILE_MAX:
            bad.append(f"{path}: {len(counted)} lines (limit {FILE_MAX})")
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(8)) > 100:
                bad.append(f"{path}:{number}: line is longer than 100 columns")
        for name, size in functions(text):
            function_lines.append(size)
            if size > FUNCTION_MAX:
                bad.append(f"{path}: {name} has {size} lines (limit {FUNCTION_MAX})")
        if path.endswith(".c") and os.path.basename(path) not in ("log.c", "main.c", "mem.c", "map.c"):
            bad.extend(mutable_globals(path, text))
    for what, values, p, limit in (("file median", file_lines, 0.5, FILE_MEDIAN),
                                   ("function median", function_lines, 0.5, FUNCTION_MEDIAN),
                                   ("function 95th percentile", function_lines, 0.95, FUNCTION_P95)):
        got = percentile(values, p)
        print(f"{what}: {got} lines (limit {limit})")
        if got > limit:
            bad.append(f"{what} is {got} lines (limit {limit})")
    return bad


def main():
    what, root = sys.argv[1:3]
    bad = {"includes": check_includes, "sizes": check_sizes}[what](root)
    for line in bad:
        print(line)
    print(f"{what}: {len(bad)} breaches")
    return 1 if bad else 0


sys.exit(main())
