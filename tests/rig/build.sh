#!/bin/bash
# build.sh core|e2e|recorder: upstream programs into $K8SBIN, from the pinned modules of tests/upstream.
# core is what a cluster needs; e2e is the conformance suite and the programs inside its images; recorder is the oracle's.
# A program is built again when the go.sum of its module changes.
. "$(dirname "$0")/env.sh"
set -e
UP=$REPO/tests/upstream
LD="-s -w -X k8s.io/component-base/version.gitVersion=$KUBE_VERSION -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
STATIC=(-ldflags '-s -w -linkmode external -extldflags -static' -tags 'netgo osusergo')
export GOFLAGS=-buildvcs=false
mkdir -p "$K8SBIN"

built() { # module program...: true when every program is there and was built from this go.sum
	local sum=$UP/$1/go.sum stamp=$K8SBIN/.$1-$2 p
	shift
	for p in "$@"; do [ -x "$K8SBIN/$p" ] || return 1; done
	[ "$(cat "$stamp" 2>/dev/null)" = "$(sha256sum < "$sum")" ]
}

in_module() { (cd "$UP/$1" && shift && "$@"); }

module() { # module 'program...' command...: run the command in the module unless its programs are built
	local mod=$1 programs
	read -ra programs <<< "$2"
	shift 2
	built "$mod" "${programs[@]}" && return 0
	slow "build ${programs[*]}" in_module "$mod" "$@"
	sha256sum < "$UP/$mod/go.sum" > "$K8SBIN/.$mod-${programs[0]}"
}

case ${1:-core} in
core)
	module etcd "etcd" go build -ldflags '-s -w' -o "$K8SBIN/etcd" .
	module k8s "kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet kube-proxy" \
		go build -ldflags "$LD" -o "$K8SBIN/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl,kubelet,kube-proxy}
	module containerd "containerd containerd-shim-runc-v2 ctr" \
		env CGO_ENABLED=0 go build -trimpath -tags 'no_btrfs no_devmapper no_zfs' -ldflags '-s -w -X github.com/containerd/containerd/v2/version.Version=v2.4.2' \
		-o "$K8SBIN/" github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
	module runc "runc" env CGO_ENABLED=1 go build -trimpath -tags seccomp -o "$K8SBIN/runc" github.com/opencontainers/runc
	module coredns "coredns" go build "${STATIC[@]}" -o "$K8SBIN/coredns" .
	;;
e2e)
	module k8s "ginkgo" go build -ldflags '-s -w' -o "$K8SBIN/" github.com/onsi/ginkgo/v2/ginkgo
	module k8s "agnhost" go build "${STATIC[@]}" -o "$K8SBIN/" k8s.io/kubernetes/test/images/agnhost
	module k8s "nnp" env CGO_ENABLED=0 go build -ldflags '-s -w' -o "$K8SBIN/nnp" k8s.io/kubernetes/test/images/nonewprivs
	module k8s "e2e.test" go test -c -ldflags "$LD" -o "$K8SBIN/e2e.test" k8s.io/kubernetes/test/e2e
	module sample-apiserver "sample-apiserver" env CGO_ENABLED=0 go build -ldflags '-s -w' -o "$K8SBIN/" k8s.io/sample-apiserver
	;;
recorder) (cd "$REPO/tests/oracle/recorder" && go build -o "$K8SBIN/recorder" .) ;;
*) echo "usage: build.sh core|e2e|recorder" >&2; exit 2 ;;
esac
