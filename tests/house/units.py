#!/usr/bin/env python3
"""What units and program files promise: no private mount namespace for the agent, no restart after status 78.

usage: units.py SOURCE_ROOT
"""
import os
import re
import sys

# settings of systemd.exec(5) that give a service a mount namespace of its own
MOUNTS = re.compile(r"^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc|Clock|Hostname)"
                    r"|Private(Tmp|Devices|Network|Users|IPC)|PrivateMounts=(?!no)|ProcSubset|(Read(Write|Only)|Inaccessible|Exec|NoExec)Paths"
                    r"|Bind(ReadOnly)?Paths|TemporaryFileSystem|Root(Directory|Image)|Mount(Flags|APIVFS|Images)|Extension\w+|DynamicUser"
                    r"|LogNamespace|RestrictSUIDSGID)", re.M)

root = sys.argv[1]
problems = []


def text(path):
    with open(os.path.join(root, "contrib", path), encoding="utf-8") as f:
        return f.read()


for daemon in ("keelson-agent", "keelson-proxy"):
    unit, program = text(f"systemd/{daemon}.service.in"), text(f"supervisor/{daemon}.conf.in")
    for line in ("Type=notify", "Restart=always", "RestartPreventExitStatus=78", "StartLimitIntervalSec=0"):
        if not re.search(f"^{line}$", unit, re.M):
            problems.append(f"{daemon}.service: no {line}")
    if not re.search(r"^WatchdogSec=\d+$", unit, re.M):
        problems.append(f"{daemon}.service: no WatchdogSec")
    for line in ("autorestart=unexpected", "exitcodes=78", "startsecs=0"):
        if not re.search(f"^{line}$", program, re.M):
            problems.append(f"supervisor/{daemon}.conf: no {line}")
for found in MOUNTS.finditer(text("systemd/keelson-agent.service.in")):
    problems.append(f"keelson-agent.service: {found[0]} cuts the agent's mounts off")
print(*problems, sep="\n")
print(f"units: {len(problems)} breaches")
sys.exit(1 if problems else 0)
