#!/bin/bash
# The guest's kernel: user mode Linux from Debian's own source package, about 12 minutes of CPU, kept as $VM/linux.
set -eu
. "$(dirname "$0")/env.sh"
SOURCE=linux-source-6.12
work=$VM/kernel

fetch() {
	rm -rf "$work" && mkdir -p "$work/deb"
	( cd "$work/deb" && apt-get -qq -o APT::Sandbox::User=root download $SOURCE )
	dpkg-deb -x "$work"/deb/*.deb "$work/x"
	tar -C "$work" -xf "$work/x/usr/src/$SOURCE.tar.xz"
	rm -rf "$work/deb" "$work/x"
}

configure() {
	local words=() word
	mkdir -p "$work/out"
	make -s -C "$work/$SOURCE" ARCH=um O="$work/out" x86_64_defconfig
	for word in $(grep -v '^#' "$GUEST/kernel.options"); do
		case $word in !*) words+=(-d "${word#!}") ;; *) words+=(-e "$word") ;; esac
	done
	( cd "$work/out" && "../$SOURCE/scripts/config" "${words[@]}" )
	make -s -C "$work/$SOURCE" ARCH=um O="$work/out" olddefconfig
}

# An option that does not exist any more, or hangs on another one, is dropped without a word: not here.
check() {
	local word bad=0
	for word in $(grep -v '^#' "$GUEST/kernel.options" | tr ' ' '\n' | grep -v '^!'); do
		grep -q "^CONFIG_$word=y" "$work/out/.config" || { say "kernel option $word is not set"; bad=1; }
	done
	return $bad
}

fetch
configure
check
nice -n 15 make -s -C "$work/$SOURCE" ARCH=um O="$work/out" -j2 linux
cp "$work/out/linux" "$VM/linux.new"
mv "$VM/linux.new" "$VM/linux"
rm -rf "$work"
