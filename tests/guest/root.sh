#!/bin/bash
# The guest's root file system: Debian 12 with systemd 252, containerd and what keelson's packages depend on, kept as $VM/root.img.
# Nothing of keelson or of a lane is in it: guests start from copy-on-write files over this image.
set -eu
. "$(dirname "$0")/env.sh"
GUEST_PACKAGES=systemd,systemd-sysv,dbus,udev,kmod,iproute2,iputils-ping,procps,util-linux,mount,ca-certificates,curl,socat,conntrack
GUEST_PACKAGES+=,nftables,containerd,runc,containernetworking-plugins,iptables
GUEST_PACKAGES+=,libcurl4,libjson-c5,libyaml-0-2,libnghttp2-14,libssl3,libsystemd0,libseccomp2,libcap2,libmnl0,libnftnl11,libprotobuf-c1
root=$VM/root

make_root() {
	rm -rf "$root"
	nice debootstrap --variant=minbase --include="$GUEST_PACKAGES" bookworm "$root" > "$VM/debootstrap.log"
}

# A guest has one console, no clock to set and no disks to check; what would wait for them is left out.
trim() {
	local u
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,locale} "$root"/var/lib/apt/lists/*
	rm -f "$root"/etc/systemd/system/{timers,getty}.target.wants/* \
		"$root"/etc/systemd/system/multi-user.target.wants/{e2scrub_reap.service,remote-fs.target} \
		"$root"/etc/systemd/system/sysinit.target.wants/systemd-pstore.service
	for u in systemd-networkd-wait-online systemd-timesyncd console-getty serial-getty@ getty@ systemd-udev-settle systemd-random-seed; do
		ln -sf /dev/null "$root/etc/systemd/system/$u.service"
	done
	: > "$root/etc/machine-id"
	: > "$root/etc/fstab"
	cp -r "$GUEST/files/." "$root/"
	for u in guest-network.service guest-shell.socket; do
		mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
		ln -sf "/etc/systemd/system/$u" "$root/etc/systemd/system/multi-user.target.wants/$u"
	done
	# a lane decides which runtime it wants
	rm -f "$root/etc/systemd/system/multi-user.target.wants/containerd.service"
	mkdir -p "$root/host"
}

make_image() {
	rm -f "$VM/root.img.new"
	truncate -s 6G "$VM/root.img.new"
	mkfs.ext4 -q -F -O ^has_journal -d "$root" "$VM/root.img.new"
	mv "$VM/root.img.new" "$VM/root.img"
}

# what an older version of this script left in it would stay
[ "$VM/root.done" -nt "$GUEST/root.sh" ] || { make_root; touch "$VM/root.done"; }
trim
make_image
