"""The cgroupfs driver on cgroup v2, beside a systemd that knows nothing of it."""
from guest import main
from nodelane import Lane

main(*Lane("cgroupfs").steps())
