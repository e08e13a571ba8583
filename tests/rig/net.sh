# The cluster's network: a bridge in a namespace of its own, nodes and an outside client on it by veth. A default route only if GATEWAY says so, to where nothing is passed on.
net_add() { # name ip
	local ns=$LAB-$1
	ip netns add "$ns" &&
		ip link add "v-$1" netns "$LAB-br" type veth peer name eth0 netns "$ns" &&
		ip -n "$LAB-br" link set "v-$1" master br0 up &&
		ip -n "$ns" link set lo up && ip -n "$ns" link set eth0 up &&
		ip -n "$ns" addr add "$2/24" dev eth0
}
net_up() {
	local n m
	[ -e "/run/netns/$LAB-br" ] && return 0
	ip netns add "$LAB-br" && ip -n "$LAB-br" link set lo up &&
		ip -n "$LAB-br" link add br0 type bridge && ip -n "$LAB-br" link set br0 up &&
		ip -n "$LAB-br" addr add "$GW_IP/24" dev br0 && net_add ext "$EXT_IP" || return 1
	for n in $NODES; do
		net_add "$n" "$(node_ip "$n")" || return 1
		# local output to service addresses must be routable before it is translated; br0 does not forward
		ip -n "$LAB-$n" route add "$SVC_CIDR" via "$GW_IP" || return 1
		[ -z "${GATEWAY:-}" ] || ip -n "$LAB-$n" route add default via "$GW_IP" || return 1
		in_ns "$n" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=0
		# a service and its endpoint behind the same CNI bridge
		in_ns "$n" sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null
	done
	for n in ext $NODES; do
		for m in $NODES; do
			[ "$n" = "$m" ] || ip -n "$LAB-$n" route add "$(pod_subnet "$m")" via "$(node_ip "$m")" || return 1
		done
	done
}
net_down() {
	local ns
	for ns in /run/netns/"$LAB"-*; do [ -e "$ns" ] && ip netns del "${ns##*/}"; done
	return 0
}
