# etcd, kube-apiserver, controller manager, scheduler and CoreDNS as processes in node1's network namespace.
control_run() { # name program args...
	local name=$1
	shift
	alive "$STATE/$name.pid" && return 0
	( exec nsenter --net="/run/netns/$LAB-node1" setsid "$@" ) >> "$LOGS/$name.log" 2>&1 < /dev/null 9>&- &
	mark $! "$STATE/$name.pid"
}
control_ready() { [ "$(kc get --raw /readyz 2>/dev/null)" = ok ]; }
control_up() {
	local k
	control_run etcd "$K8SBIN/etcd" --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn --quota-backend-bytes 4294967296 \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
	control_run apiserver "$K8SBIN/kube-apiserver" --advertise-address "$API_IP" --secure-port 6443 --etcd-servers http://127.0.0.1:2379 \
		--service-cluster-ip-range $SVC_CIDR --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
		--client-ca-file "$PKI/ca.crt" --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
		--kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt" --kubelet-client-key "$PKI/apiserver-kubelet-client.key" \
		--kubelet-certificate-authority "$PKI/ca.crt" --kubelet-preferred-address-types InternalIP \
		--service-account-key-file "$PKI/sa.pub" --service-account-signing-key-file "$PKI/sa.key" --service-account-issuer https://kubernetes.default.svc \
		--requestheader-client-ca-file "$PKI/fp-ca.crt" --requestheader-allowed-names front-proxy-client --requestheader-username-headers X-Remote-User \
		--requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
		--proxy-client-cert-file "$PKI/front-proxy-client.crt" --proxy-client-key-file "$PKI/front-proxy-client.key" \
		--allow-privileged=true --profiling=false -v=1 ${APISERVER_EXTRA:-}
	wait_for 120 "the API server" control_ready || { tail -5 "$LOGS/apiserver.log" >&2; return 1; }
	k="--kubeconfig $PKI/kcm.kubeconfig --authentication-kubeconfig $PKI/kcm.kubeconfig --authorization-kubeconfig $PKI/kcm.kubeconfig"
	control_run kcm "$K8SBIN/kube-controller-manager" $k --bind-address 127.0.0.1 --tls-cert-file "$PKI/kcm.crt" --tls-private-key-file "$PKI/kcm.key" \
		--allocate-node-cidrs --cluster-cidr $POD_CIDR --service-cluster-ip-range $SVC_CIDR --root-ca-file "$PKI/ca.crt" \
		--cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key" --service-account-private-key-file "$PKI/sa.key" \
		--use-service-account-credentials --leader-elect=false --client-ca-file "$PKI/ca.crt" -v=1
	k="--kubeconfig $PKI/scheduler.kubeconfig --authentication-kubeconfig $PKI/scheduler.kubeconfig --authorization-kubeconfig $PKI/scheduler.kubeconfig"
	control_run scheduler "$K8SBIN/kube-scheduler" $k --bind-address 127.0.0.1 --tls-cert-file "$PKI/scheduler.crt" --tls-private-key-file "$PKI/scheduler.key" \
		--leader-elect=false --client-ca-file "$PKI/ca.crt" -v=1
	wait_for 60 "the default service account" kc get serviceaccount default
}
dns_up() {
	[ -x "$K8SBIN/coredns" ] || { say "no CoreDNS yet: names of services do not resolve"; return 0; }
	sed -e "s|NODE_IP|$API_IP|; s|KUBECONFIG|$PKI/admin.kubeconfig|" "$RIG/manifests/Corefile" > "$STATE/Corefile"
	control_run coredns "$K8SBIN/coredns" -conf "$STATE/Corefile"
	sed -e "s|NODE_IP|$API_IP|" "$RIG/manifests/dns.yaml" | kc apply -f - > /dev/null
}
control_down() {
	local n stops=()
	for n in coredns scheduler kcm apiserver; do stop_pid "$STATE/$n.pid" 2 & stops+=($!); done
	wait "${stops[@]}"   # not for etcd, where this shell started it
	stop_pid "$STATE/etcd.pid"
}
