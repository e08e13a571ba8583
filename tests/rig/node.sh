# A node: namespaces, a cgroup of its own, registry, containerd, agent and proxy. $n is the node's name, $D its directory.
node_dir() { n=$1 D=$STATE/$1 CG=/$LAB/$1; }
node_run() { # name program args...: start it inside the node; the pid written is that of this machine's pid namespace
	local name=$1 p c i init
	shift
	alive "$D/$name.pid" && return 0
	init=$(cat "$D/init.pid")   # not in the subshell: its child would be taken for the program
	( exec setsid nsenter -t "$init" -m -p -u -n "$@" ) >> "$LOGS/$n-$name.log" 2>&1 < /dev/null 9>&- &
	p=$!
	for ((i = 0; i < 100; i++)); do
		c=$(child_of $p)
		[ -n "$c" ] && { mark "$c" "$D/$name.pid"; return 0; }
		sleep 0.02
	done
	say "$n: $name did not start: $(tail -1 "$LOGS/$n-$name.log")"
	return 1
}
# The machine's cgroup mounts stay as they are: only directories below them are made and removed.
node_cgroups() { # up|down
	local c d
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then set -- "$1" /sys/fs/cgroup; else set -- "$1" /sys/fs/cgroup/*/; fi
	for c in "${@:2}"; do
		c=${c%/}
		[ -L "$c" ] && continue   # cpu -> cpu,cpuacct
		if [ "$1" = down ]; then
			[ -d "$c$CG" ] && find "$c$CG" -depth -type d -exec rmdir {} \; 2>/dev/null
			rmdir "$c/$LAB" 2>/dev/null
			continue
		fi
		for d in "/$LAB" "$CG"; do
			mkdir -p "$c$d" || return 1
			if [ -e "$c$d/cpuset.mems" ] && [ ! -e "$c/cgroup.controllers" ]; then
				cat "$c/cpuset.cpus" > "$c$d/cpuset.cpus"
				cat "$c/cpuset.mems" > "$c$d/cpuset.mems"
			fi
			[ -s "$c$d/cgroup.controllers" ] && sed 's/\([a-z0-9]*\)/+\1/g' "$c$d/cgroup.controllers" > "$c$d/cgroup.subtree_control"
		done
	done
	return 0
}
node_up() {
	local p c i
	node_dir "$1"
	alive "$D/init.pid" && return 0
	mkdir -p "$D/root" && node_cgroups up || return 1
	( exec setsid nsenter --net="/run/netns/$LAB-$n" unshare -m -p -u --fork --kill-child \
		"$RIG/node-init.sh" "$n" "$D/root" "$RUNTIME" "$K8SBIN/pause" ) > "$LOGS/$n-init.log" 2>&1 < /dev/null 9>&- &
	p=$!
	for ((i = 0; i < 100; i++)); do
		c=$(child_of $p)
		[ -n "$c" ] && [ "$(ps -o comm= -p "$c")" = pause ] && { mark "$c" "$D/init.pid"; return 0; }
		sleep 0.05
	done
	say "$n: no namespaces: $(cat "$LOGS/$n-init.log")"
	return 1
}
node_cni() {
	mkdir -p "$D/root/etc/cni/net.d"
	cat > "$D/root/etc/cni/net.d/10-test.conflist" <<-Y
	{"cniVersion": "1.0.0", "name": "test", "plugins": [
	 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
	  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$(pod_subnet "$n")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	Y
}
node_containerd_config() {
	mkdir -p "$D/certs.d/registry.k8s.io"
	cat > "$D/certs.d/registry.k8s.io/hosts.toml" <<-Y
	server = "http://$REGISTRY"
	[host."http://$REGISTRY"]
	  capabilities = ["pull", "resolve"]
	Y
	# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower a score
	if [ "$RUNTIME" = 1.6 ]; then cat <<-Y
	version = 2
	root = "/var/lib/containerd"
	state = "/run/containerd"
	[grpc]
	  address = "/run/containerd/containerd.sock"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "$PAUSE_IMAGE"
	  restrict_oom_score_adj = true
	  enable_unprivileged_ports = true
	  enable_unprivileged_icmp = true
	  [plugins."io.containerd.grpc.v1.cri".registry]
	    config_path = "$D/certs.d"
	  [plugins."io.containerd.grpc.v1.cri".containerd]
	    snapshotter = "overlayfs"
	    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	      runtime_type = "io.containerd.runc.v2"
	      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
	        BinaryName = "/usr/sbin/runc"
	        SystemdCgroup = false
	  [plugins."io.containerd.grpc.v1.cri".cni]
	    bin_dir = "/usr/lib/cni"
	    conf_dir = "/etc/cni/net.d"
	Y
	else cat <<-Y
	version = 3
	root = "/var/lib/containerd"
	state = "/run/containerd"
	[grpc]
	  address = "/run/containerd/containerd.sock"
	[plugins."io.containerd.cri.v1.images"]
	  snapshotter = "overlayfs"
	  [plugins."io.containerd.cri.v1.images".pinned_images]
	    sandbox = "$PAUSE_IMAGE"
	  [plugins."io.containerd.cri.v1.images".registry]
	    config_path = "$D/certs.d"
	[plugins."io.containerd.cri.v1.runtime"]
	  restrict_oom_score_adj = true
	  enable_unprivileged_ports = true
	  enable_unprivileged_icmp = true
	  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
	    runtime_type = "io.containerd.runc.v2"
	    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
	      BinaryName = "$K8SBIN/runc"
	      SystemdCgroup = false
	  [plugins."io.containerd.cri.v1.runtime".cni]
	    bin_dirs = ["/usr/lib/cni"]
	    conf_dir = "/etc/cni/net.d"
	Y
	fi
}
node_runtime_bin() { [ "$RUNTIME" = 1.6 ] && echo /usr/bin || echo "$K8SBIN"; }
node_ctr() { local d=$n; in_node "$d" "$(node_runtime_bin)/ctr" -a /run/containerd/containerd.sock -n k8s.io "$@"; }
node_runtime_up() {
	local bin
	node_dir "$1"
	bin=$(node_runtime_bin)
	alive "$D/containerd.pid" && return 0
	node_cni
	node_containerd_config > "$D/containerd.toml"
	node_run registry python3 "$RIG/registry.py" "$IMAGES" "$REGISTRY" || return 1
	# the shim is looked for in PATH: the one beside the chosen containerd
	node_run containerd env PATH="$bin:$PATH" "$bin/containerd" --config "$D/containerd.toml" || return 1
	wait_for 20 "registry of $n" in_ns "$n" curl -sf "http://$REGISTRY/v2/" || { tail -3 "$LOGS/$n-registry.log" >&2; return 1; }
	wait_for 30 "containerd of $n" node_ctr version || { tail -3 "$LOGS/$n-containerd.log" >&2; return 1; }
}
# With --record-cri the agent speaks to a recorder before the runtime; what it saw is in $D/cri.jsonl.
node_cri_socket() { [ "$RECORD" = 1 ] && echo /run/containerd/recorder.sock || echo /run/containerd/containerd.sock; }
node_recorder_up() {
	[ "$RECORD" = 1 ] || return 0
	node_dir "$1"
	node_run recorder "$K8SBIN/recorder" "$(node_cri_socket)" /run/containerd/containerd.sock "$D/cri.jsonl" &&
		wait_for 10 "the recorder of $n" in_node "$n" test -S "$(node_cri_socket)"
}
node_pull() { # node image...: fetch from the loopback registry what the node does not have
	local have i local_flag=
	node_dir "$1"
	shift
	have=$(node_ctr images ls -q 2>/dev/null)
	[ "$RUNTIME" = 1.6 ] || local_flag=--local
	for i in "$@"; do
		grep -qxF "$i" <<< "$have" && continue
		say "$n: pull $i"
		node_ctr images pull $local_flag --hosts-dir "$D/certs.d" "$i" > "$LOGS/$n-pull.log" 2>&1 ||
			{ say "$(tail -1 "$LOGS/$n-pull.log")"; return 1; }
	done
}
node_images() { # core|all: references that the registry has and a node should hold
	case $1 in
	core) echo "$PAUSE_IMAGE $BUSYBOX_IMAGE" ;;
	all) python3 -c 'import json, sys; print(*("registry.k8s.io/" + r for r in json.load(open(sys.argv[1]))))' "$IMAGES/refs.json" ;;
	esac
}
node_agent_config() {
	mkdir -p "$D/manifests"
	echo "nameserver $DNS_IP" > "$D/resolv.conf"
	cat > "$D/kubelet.yaml" <<-Y
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
	authorization: {mode: Webhook}
	tlsCertFile: $PKI/$n-serving.crt
	tlsPrivateKeyFile: $PKI/$n-serving.key
	cgroupDriver: cgroupfs
	cgroupRoot: $CG
	failCgroupV1: false
	failSwapOn: false
	containerRuntimeEndpoint: unix://$(node_cri_socket)
	clusterDomain: cluster.local
	clusterDNS: [$DNS_IP]
	resolvConf: $D/resolv.conf
	maxPods: $MAXPODS
	imageGCHighThresholdPercent: 100
	evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%"}
	registryPullQPS: 0
	eventRecordQPS: 50
	kubeAPIQPS: 50
	kubeAPIBurst: 100
	staticPodPath: $D/manifests
	podLogsDir: /var/log/pods
	${KUBELET_EXTRA_YAML:-}
	Y
}
node_agent_args() { echo "--config $D/kubelet.yaml --kubeconfig $PKI/$n.kubeconfig --hostname-override $n --node-ip $(node_ip "$n") -v=$V"; }
node_agent_bin() {
	case ${AGENT_BIN:-$AGENT} in
	kubelet) echo "$K8SBIN/kubelet" ;;
	keelson) echo "$REPO/build/agent/keelson-agent" ;;
	none) ;;
	*) readlink -f "$AGENT_BIN" ;;
	esac
}
node_agent_up() {
	local bin
	node_dir "$1"
	alive "$D/agent.pid" && return 0
	node_agent_config
	bin=$(node_agent_bin)
	[ -z "$bin" ] && return 0
	[ -x "$bin" ] || { say "no agent at $bin"; return 1; }
	node_run agent ${AGENT_ENV:+env $AGENT_ENV} "$bin" $(node_agent_args) ${AGENT_ARGS:-}
}
node_proxy_up() {
	local bin
	node_dir "$1"
	case $PROXY in
	none) return 0 ;;
	keelson)
		bin=$(readlink -f "${PROXY_BIN:-$REPO/build/proxy/keelson-proxy}")
		kc apply -f "$REPO/contrib/rbac.yaml" > /dev/null || return 1
		;;
	*) bin=$K8SBIN/kube-proxy ;;
	esac
	cat > "$D/proxy.yaml" <<-Y
	apiVersion: kubeproxy.config.k8s.io/v1alpha1
	kind: KubeProxyConfiguration
	mode: nftables
	clusterCIDR: $POD_CIDR
	hostnameOverride: $n
	clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
	conntrack: {maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s}
	metricsBindAddress: 127.0.0.1:10249
	healthzBindAddress: 0.0.0.0:10256
	Y
	[ -x "$bin" ] || { say "no proxy at $bin"; return 1; }
	# kube-proxy ends when the node's addresses appear, counting on a restart: it would not see them appear behind a running agent
	[ "$AGENT" = none ] && set -- bash -c 'trap "kill \$c; exit" TERM; while :; do "$@" & c=$!; wait $c; sleep 1; done' supervise || set --
	node_run proxy "$@" "$bin" --config "$D/proxy.yaml" "-v=$V" ${PROXY_ARGS:-}
}
node_down() {
	local p
	node_dir "$1"
	for p in agent proxy recorder containerd registry; do stop_pid "$D/$p.pid"; done
	stop_pid "$D/init.pid" 3   # takes every process of the pid namespace and the mounts along
	for p in 1 2 3 4 5; do
		node_cgroups down
		compgen -G "/sys/fs/cgroup/*$CG" > /dev/null || return 0
		sleep 0.5
	done
	say "$n: cgroup directories are left: $(compgen -G "/sys/fs/cgroup/*$CG" | tr '\n' ' ')"
}
