# What a cluster needs on this machine: Debian packages, Go, upstream programs, images, and keelson itself.
PACKAGES="build-essential meson ninja-build pkg-config gcc clang protobuf-compiler protobuf-c-compiler libprotobuf-dev libprotobuf-c-dev
libcurl4-openssl-dev libjson-c-dev libyaml-dev libnghttp2-dev libssl-dev libsystemd-dev libseccomp-dev libcap-dev libmnl-dev libnftnl-dev
libcmocka-dev python3 openssl curl containerd runc containernetworking-plugins iptables nftables conntrack iproute2 procps debootstrap util-linux"
# the base of the larger images: what the suite calls inside agnhost
IMAGE_PACKAGES=curl,netcat-openbsd,iproute2,bind9-dnsutils,socat,iperf,util-linux,procps

prepare_check() {
	[ "$(id -u)" = 0 ] || { say "must run as root: it makes namespaces, mounts and cgroups"; return 1; }
	local os
	os=$(. /etc/os-release; echo "$ID$VERSION_ID")   # in a shell of its own: that file sets NAME too
	[ "$os" = debian12 ] || say "made for Debian 12, this is $os: going on"
}

prepare_go() {
	local v
	[ -d /usr/local/go/bin ] && PATH=$PATH:/usr/local/go/bin
	v=$(go env GOVERSION 2>/dev/null) || v=none
	[ "$(printf '%s\n' go1.26.8 "$v" | sort -V | head -1)" = go1.26.8 ] && [ "$v" != none ] && return 0
	say "Go >= 1.26.8 is needed in PATH to build upstream's programs, found: $v (Debian's own package is too old; see go.dev/dl)"
	return 1
}

prepare_packages() { # names
	local p missing=()
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return 0
	slow "apt-get update" apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive slow "apt-get install ${missing[*]}" apt-get -qq -y --no-install-recommends install "${missing[@]}"
}

# Two packages that are unpacked, not installed: the dynamic busybox (the static one crashes in getaddrinfo) and bash-static.
prepare_shells() {
	local t f
	[ -x "$CACHE/busybox" ] && [ -x "$CACHE/bash-static" ] && return 0
	t=$(mktemp -d) && chmod 755 "$t" || return 1
	( cd "$t" && apt-get -qq -o APT::Sandbox::User=root download busybox bash-static &&
		for f in *.deb; do dpkg-deb -x "$f" x || exit 1; done &&
		cp "$(find x -path '*bin/busybox' -type f)" "$CACHE/busybox" && cp "$(find x -path '*bin/bash-static' -type f)" "$CACHE/bash-static" )
	f=$?
	rm -rf "$t"
	[ $f = 0 ] || say "cannot fetch Debian's busybox and bash-static packages"
	return $f
}

prepare_small() { # programs of our own inside images
	local p
	mkdir -p "$K8SBIN"
	for p in pause sh; do
		[ "$K8SBIN/$p" -nt "$RIG/src/$p.c" ] || gcc -O2 -Wall -Wextra -Werror -static -s -o "$K8SBIN/$p" "$RIG/src/$p.c" || return 1
	done
}

prepare_debroot() {
	[ -e "$CACHE/debroot/.done" ] && return 0
	rm -rf "$CACHE/debroot"
	slow "debootstrap of the images' base" \
		debootstrap --variant=minbase --include="$IMAGE_PACKAGES" bookworm "$CACHE/debroot" > "$CACHE/debootstrap.log" || return 1
	touch "$CACHE/debroot/.done"
}

prepare_locked() { # core|e2e
	prepare_packages $PACKAGES && prepare_shells && prepare_small || return 1
	bash "$RIG/build.sh" core || return 1
	if [ "$1" = e2e ]; then
		prepare_debroot && bash "$RIG/build.sh" e2e || return 1
	fi
	python3 "$RIG/mkimages.py" "$IMAGES" "$CACHE" >&2
}

prepare() { # core: what a cluster needs; e2e: also the conformance suite and all its images
	prepare_check && prepare_go || return 1
	mkdir -p "$CACHE"
	exec 9> "$CACHE/lock"
	flock -n 9 || slow "another preparation is under way: waiting" flock 9
	prepare_locked "$1"
	local rc=$?
	exec 9>&-
	return $rc
}

build_keelson() {
	local b=$REPO/build
	[ -f "$REPO/meson.build" ] || { say "no meson.build in $REPO: keelson is not there to be built"; return 1; }
	[ -f "$b/build.ninja" ] || slow "meson setup" meson setup "$b" "$REPO" > /dev/null || return 1
	slow "ninja" nice ninja -C "$b" -j2 > "$STATE/ninja.log" || { tail -30 "$STATE/ninja.log" >&2; return 1; }
}
