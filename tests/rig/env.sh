# Shared settings and helpers of the rig, sourced by every script of it. Every value can be overridden from the environment.
RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$RIG/../.." && pwd)
CACHE=${KEELSON_CACHE:-/var/cache/keelson}   # upstream programs and images: outside the checkout, reused by every checkout
K8SBIN=$CACHE/bin
IMAGES=$CACHE/images
STATES=${KEELSON_STATE:-/var/lib/keelson-test}
KUBE_VERSION=v1.37.2

NET=10.89.0                # node network: exists only inside the cluster's own network namespaces
GW_IP=$NET.1
EXT_IP=$NET.50             # a client outside the cluster
SVC_CIDR=10.96.0.0/16
POD_CIDR=10.244.0.0/16
DNS_IP=10.96.0.10
REGISTRY=127.0.0.1:5005    # answers for registry.k8s.io on each node's loopback
MAXPODS=${MAXPODS:-150}
V=${V:-2}                  # verbosity of agents and proxies

PAUSE_IMAGE=registry.k8s.io/pause:3.10.2
E2E_IMAGES=registry.k8s.io/e2e-test-images
BUSYBOX_IMAGE=$E2E_IMAGES/busybox:1.37.0-2
AGNHOST_IMAGE=$E2E_IMAGES/agnhost:2.66.1

# Every name that the machine can see (netns, cgroup, state directory) carries the cluster's id.
rig_id() {
	[[ $1 =~ ^[a-z0-9][a-z0-9-]{0,11}$ ]] || { say "cluster name '$1': want 1-12 of a-z, 0-9, -"; return 2; }
	ID=$1 LAB=kt-$1 STATE=$STATES/$1
	PKI=$STATE/pki LOGS=$STATE/logs
}
say() { echo "cluster: $*" >&2; }
node_ip() { echo "$NET.$((10 + ${1#node}))"; }
pod_subnet() { echo "10.244.$((${1#node} - 1)).0/24"; }
API_IP=$(node_ip node1)    # the control plane lives in node1's network namespace, so that its calls use that node's proxy

in_ns() { local n=$1; shift; nsenter --net="/run/netns/$LAB-$n" "$@"; }
in_node() { local n=$1; shift; nsenter -t "$(cat "$STATE/$n/init.pid")" -m -p -u -n "$@"; }
kc() { in_ns node1 "$K8SBIN/kubectl" --kubeconfig "$PKI/admin.kubeconfig" "$@"; }

# A pid file outlives its process (machines restart, pids are reused): the start time says whether it is still ours.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
mark() { echo "$1" > "$2"; started "$1" > "$2.start"; }
alive() { [ -s "$1" ] && [ -s "$1.start" ] && [ "$(started "$(cat "$1")")" = "$(cat "$1.start")" ]; }
stop_pid() { # file [seconds]: TERM, wait, then KILL; only a pid that we wrote ourselves
	local f=$1 t=${2:-10} p i
	alive "$f" || { rm -f "$f" "$f.start"; return 0; }
	p=$(cat "$f")
	kill "$p" 2>/dev/null
	for ((i = 0; i < t * 20; i++)); do alive "$f" || break; sleep 0.05; done
	alive "$f" && kill -9 "$p" 2>/dev/null
	for ((i = 0; i < 100; i++)); do alive "$f" || break; sleep 0.05; done
	rm -f "$f" "$f.start"
}
child_of() { ps -o pid= --ppid "$1" 2>/dev/null | tr -d ' ' | head -1; }

wait_for() { # seconds what command...: until the command succeeds; says what it waits for every 20 s
	local limit=$1 what=$2 t=$SECONDS said=$SECONDS
	shift 2
	until "$@" > /dev/null 2>&1; do
		((SECONDS - t >= limit)) && { say "$what: not after $limit s"; return 1; }
		((SECONDS - said >= 20)) && { say "waiting for $what ($((SECONDS - t)) s)"; said=$SECONDS; }
		sleep 0.2
	done
}
slow() { # what command...: run it, with the elapsed time every 20 s
	local what=$1 t=$SECONDS pid rc=0
	shift
	say "$what ..."
	"$@" &
	pid=$!
	( exec 3<> <(:); while ! read -rt 20 -u 3; do echo "cluster: $what: $((SECONDS - t)) s" >&2; done ) &   # no child to outlive it
	local ticker=$!
	wait "$pid" || rc=$?
	{ kill "$ticker" && wait "$ticker" || :; } 2>/dev/null   # its status is no failure of ours
	say "$what: $([ $rc = 0 ] && echo done || echo "failed ($rc)") after $((SECONDS - t)) s"
	return $rc
}
