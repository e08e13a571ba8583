"""The systemd driver: slices by D-Bus, containers in scopes below them."""
from guest import main
from nodelane import Lane

main(*Lane("systemd").steps())
