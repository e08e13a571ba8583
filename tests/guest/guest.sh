# The guest and what it needs around it. The control plane's namespace is the rig's node1, the guest is node2.
NODE=node2
NODE_IP=$(node_ip $NODE)
POD_NET=10.244.0.0/24       # the first range that the controller manager hands out
REGISTRY=$API_IP:5005
GUEST_MEM=${GUEST_MEM:-1024M}

root_is_new() { # nothing that it is made of has changed since
	[ -e "$VM/root.img" ] && [ -z "$(find "$GUEST/root.sh" "$GUEST/files" -newer "$VM/root.img" -print -quit)" ]
}

# The node's own certificate as it looks to those who let it expire.
guest_expired() (
	cd "$PKI" || return 1
	[ -e expired.crt ] && return 0
	openssl req -new -key $NODE.key -subj "/O=system:nodes/CN=system:node:$NODE" |
		openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 0 -out expired.crt 2> /dev/null
)

# Addresses exist in this namespace only, and nothing leads out of it.
guest_net_up() {
	local ns=$LAB-node1
	[ -e "/run/netns/$ns" ] && return 0
	ip netns add "$ns" && ip -n "$ns" link set lo up &&
		ip -n "$ns" tuntap add tap0 mode tap && ip -n "$ns" link set tap0 up &&
		ip -n "$ns" addr add "$API_IP/24" dev tap0 && ip -n "$ns" route add "$POD_NET" via "$NODE_IP"
}
guest_registry_up() {
	control_run registry python3 "$RIG/registry.py" "$IMAGES" "$REGISTRY"
	wait_for 20 "the registry" in_ns node1 curl -sf "http://$REGISTRY/v2/"
}

# The package of this checkout, built once for each state of it.
agent_package() {
	local t tree
	[ -n "$DEB" ] && { PACKAGE=$DEB; return 0; }
	tree=$(cd "$REPO" && git stash create 2> /dev/null)
	tree=$(cd "$REPO" && git rev-parse "${tree:-HEAD}^{tree}") || return 1
	t=$VM/package/$tree
	PACKAGE=$t/keelson-agent.deb
	[ -e "$PACKAGE" ] && return 0
	rm -rf "$VM/package" && mkdir -p "$t" && slow "the package" "$REPO/tests/package" --once --keep "$t" > "$t/build.log" 2>&1 &&
		mv "$t"/keelson-agent_*.deb "$PACKAGE" || { tail -5 "$t/build.log" >&2; return 1; }
}

# A script from standard text; its output, and its exit status.
guest_run() {
	local out rc
	out=$(in_ns node1 python3 "$GUEST/ask.py" "$NODE_IP" "$1") || return 255
	rc=${out##*$'\n'}
	printf '%s' "${out%"$rc"}"
	return "$rc"
}
guest_answers() { [ "$(guest_run 'systemctl is-system-running --wait > /dev/null; echo up')" = up ]; }

guest_up() {
	alive "$STATE/guest.pid" && return 0
	node_dir $NODE
	mkdir -p "$D" "$STATE/uml"
	node_containerd_config | sed 's/SystemdCgroup = false/SystemdCgroup = true/' > "$D/containerd.toml"
	[ "$RUNTIME" = 1.6 ] || [ -x "$K8SBIN/containerd" ] || { say "no containerd 2 in $K8SBIN"; return 1; }
	cp "$PACKAGE" "$STATE/keelson-agent.deb"
	rm -f "$STATE/cow"
	( exec nsenter --net="/run/netns/$LAB-node1" setsid env LD_PRELOAD="$VM/xstate.so" "$VM/linux" mem="$GUEST_MEM" umid="$ID" uml_dir="$STATE/uml" \
		ubd0="$STATE/cow,$VM/root.img" root=/dev/ubda rw vec0:transport=tap,ifname=tap0,depth=128,gro=1,mac=02:00:00:00:00:12 \
		con=null con0=null,fd:1 con1=null,fd:1 ssl=null loglevel=6 systemd.show_status=0 psi=1 \
		systemd.machine_id="$(echo "$ID" | md5sum | cut -c1-32)" systemd.hostname=$NODE \
		guest.ip="$NODE_IP" guest.state="$STATE" guest.bin="$K8SBIN" ) > "$LOGS/console.log" 2>&1 < /dev/null 9>&- &
	mark $! "$STATE/guest.pid"
	wait_for 120 "the guest" guest_answers || { tail -5 "$LOGS/console.log" >&2; return 1; }
}
guest_down() {
	alive "$STATE/guest.pid" || return 0
	guest_run 'systemctl poweroff' > /dev/null 2>&1
	wait_for 60 "the guest's end" guest_gone || stop_pid "$STATE/guest.pid" 2
}
guest_gone() { ! alive "$STATE/guest.pid"; }
