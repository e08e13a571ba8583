# One CA, EC keys, and a kubeconfig for each client. Made once in a cluster's life.
pki_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }
pki_ca() { pki_key "$1"; openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -addext "keyUsage=critical,keyCertSign,cRLSign,digitalSignature" -out "$1.crt"; }
pki_cert() { # file subject [subjectAltName] [extendedKeyUsage]
	pki_key "$1"
	openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" || return 1
	{
		echo "keyUsage=critical,digitalSignature"
		echo "extendedKeyUsage=${4:-clientAuth}"
		[ -n "${3:-}" ] && echo "subjectAltName=$3"
	} > "$1.ext"
	openssl x509 -req -in "$1.csr" -CA "${CA:-ca}.crt" -CAkey "${CA:-ca}.key" -CAcreateserial -days 365 -extfile "$1.ext" -out "$1.crt" 2>/dev/null || return 1
	rm -f "$1.csr" "$1.ext"
}
pki_kubeconfig() { # name, whose name.crt and name.key are there
	cat > "$1.kubeconfig" <<-Y
	apiVersion: v1
	kind: Config
	clusters: [{name: test, cluster: {server: "https://$API_IP:6443", certificate-authority: "$PKI/ca.crt"}}]
	users: [{name: me, user: {client-certificate: "$PKI/$1.crt", client-key: "$PKI/$1.key"}}]
	contexts: [{name: test, context: {cluster: test, user: me}}]
	current-context: test
	Y
}
pki_make() (
	mkdir -p "$PKI" && cd "$PKI" || return 1
	[ -e done ] && return 0
	set -e
	local n both=clientAuth,serverAuth lo="DNS:localhost,IP:127.0.0.1"
	pki_ca ca keelson-test-ca
	pki_ca fp-ca keelson-test-front-proxy-ca
	openssl genrsa -out sa.key 2048 2>/dev/null
	openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
	pki_cert apiserver "/CN=kube-apiserver" "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,$lo,IP:$API_IP,IP:10.96.0.1" serverAuth
	pki_cert apiserver-kubelet-client "/O=system:masters/CN=kube-apiserver-kubelet-client"
	pki_cert admin "/O=system:masters/CN=admin"
	pki_cert kcm "/CN=system:kube-controller-manager" "$lo" $both
	pki_cert scheduler "/CN=system:kube-scheduler" "$lo" $both
	pki_cert proxy "/CN=system:kube-proxy"
	CA=fp-ca pki_cert front-proxy-client "/CN=front-proxy-client"
	for n in node1 node2 node3; do
		pki_cert $n "/O=system:nodes/CN=system:node:$n"
		pki_cert $n-serving "/O=system:nodes/CN=system:node:$n" "DNS:$n,IP:$(node_ip $n)" serverAuth
	done
	for n in admin kcm scheduler proxy node1 node2 node3; do pki_kubeconfig $n; done
	touch done
)
