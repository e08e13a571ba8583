#!/bin/bash
# node-init.sh NAME ROOT RUNTIME PAUSE: pid 1 of a node's namespaces (mount, pid, uts; the netns was entered before).
# What a node writes goes to directories of its own under ROOT; then this becomes a process that only reaps.
n=$1 R=$2 runtime=$3 pause=$4
set -e
mount --make-rprivate /
mount --make-rshared /
mount -t proc proc /proc
hostname "$n"
bind() { # path [source]
	mkdir -p "$1" "$R${2:-$1}"
	mount --bind "$R${2:-$1}" "$1"
}
for d in /var/lib/kubelet /var/lib/kube-proxy /var/lib/cni /var/log/pods /var/log/containers /etc/cni /etc/kubernetes /usr/libexec/kubernetes /run; do bind $d; done
bind /var/lib/containerd "/var/lib/containerd-$runtime"   # never one runtime's state under another
# the checkout stays where it is, also when that is below /tmp
repo=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$R/checkout"
mount --bind "$repo" "$R/checkout"
bind /tmp
chmod 1777 /tmp
case $repo in /tmp/*)
	mkdir -p "$repo"
	mount --bind "$R/checkout" "$repo"
	;;
esac
umount "$R/checkout"
mkdir -p /run/netns /run/lock /run/containerd
# The agent writes sysctls that belong to the whole machine. Show it files that already hold what it wants.
for kv in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	f=$R/sysctl-$(basename "${kv%=*}")
	echo "${kv#*=}" > "$f"
	mount --bind "$f" "/proc/sys/${kv%=*}"
done
exec "$pause"
