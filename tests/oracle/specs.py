"""Pod specs of the oracle: each exercises a few fields, on images that the test cluster has.

add(NAME, SPEC, until=..., labels=..., annotations=..., then=...): `until` says what the pod settles at:
  ready (default)  every container ready      succeeded, failed  phase
  waiting:REASON   a container waits so       event:REASON       such an event was written
  restarts:N       a container restarted      status:REASON      status.reason (an admission that was refused)
"""
BUSYBOX = 'registry.k8s.io/e2e-test-images/busybox:1.37.0-2'
AGNHOST = 'registry.k8s.io/e2e-test-images/agnhost:2.66.1'
PAUSE = 'registry.k8s.io/pause:3.10.2'
SPECS = {}

# what the specs refer to
OBJECTS = [
    {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'cm'},
     'data': {'a': 'one', 'b.txt': 'two\nlines\n', 'not-an-identifier': 'x', '3d': 'y'},
     'binaryData': {'bin': 'AAEC/w=='}},
    {'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'sec'}, 'stringData': {'user': 'me', 'pass.txt': 'hush'}},
    {'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': 'pull'}, 'type': 'kubernetes.io/dockerconfigjson',
     'stringData': {'.dockerconfigjson': '{"auths":{"registry.k8s.io":{"username":"u","password":"p"}}}'}},
    {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'svc'},
     'spec': {'clusterIP': '10.96.77.7', 'selector': {'no': 'pod'},
              'ports': [{'name': 'http', 'port': 80}, {'name': 'dns', 'port': 53, 'protocol': 'UDP'}]}},
    {'apiVersion': 'node.k8s.io/v1', 'kind': 'RuntimeClass', 'metadata': {'name': 'oracle-runc'}, 'handler': 'runc',
     'overhead': {'podFixed': {'cpu': '20m', 'memory': '8Mi'}}},
    {'apiVersion': 'node.k8s.io/v1', 'kind': 'RuntimeClass', 'metadata': {'name': 'oracle-missing'}, 'handler': 'nosuch'},
]


def add(name, spec, until='ready', labels=None, annotations=None, then=None):
    assert name not in SPECS, name
    s = {'terminationGracePeriodSeconds': 1, 'nodeName': 'node1'}
    s.update(spec)
    meta = {'name': name, 'labels': {'oracle': name, **(labels or {})}}
    if annotations:
        meta['annotations'] = annotations
    SPECS[name] = {'pod': {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': meta, 'spec': s}, 'until': until, 'then': then}


def box(script='exec sleep 100000', name='c', **fields):
    return {'name': name, 'image': BUSYBOX, 'command': ['sh', '-c', script], **fields}


def hold(script, **fields):
    """Say something, then stay."""
    return box(script + '; exec sleep 100000', **fields)


def pod(*containers, **fields):
    return {'containers': list(containers), **fields}


def web(**fields):
    return {'name': 'c', 'image': AGNHOST, 'args': ['netexec', '--http-port=8080', '--udp-port=-1'], **fields}


def one(name, script, until='ready', podfields=None, **fields):
    add(name, pod(hold(script, **fields), **(podfields or {})), until)


def lim(limits=None, requests=None):
    return {'resources': {k: v for k, v in (('limits', limits), ('requests', requests)) if v}}


def field(path):
    return {'valueFrom': {'fieldRef': {'fieldPath': path}}}


def res(what, divisor=None, container=None):
    r = {'resource': what}
    if divisor:
        r['divisor'] = divisor
    if container:
        r['containerName'] = container
    return {'valueFrom': {'resourceFieldRef': r}}


def env(**values):
    return {'env': [{'name': k, **(v if isinstance(v, dict) else {'value': v})} for k, v in values.items()]}


def vol(kind, source, path='/v', **mount):
    """A volume and the mount of it."""
    return {'volumes': [{'name': 'v', kind: source}]}, {'volumeMounts': [{'name': 'v', 'mountPath': path, **mount}]}


LS = 'ls -lLnR /v | sed -E "s/ [A-Z][a-z]{2} +[0-9]+ +[0-9:]+ / /"; for f in $(find -L /v -type f | grep -v "/\\.\\." | sort); do echo "== $f"; cat $f; echo; done'


def volume(name, kind, source, script=LS, until='ready', mount=None, container=None, podfields=None):
    v, m = vol(kind, source, **(mount or {}))
    add(name, pod(hold(script, **m, **(container or {})), **v, **(podfields or {})), until)


# --- process ---------------------------------------------------------------------------------------------------
add('pause', pod({'name': 'c', 'image': PAUSE}))
add('image-command', pod({'name': 'c', 'image': AGNHOST}))
add('args-only', pod(web()))
add('command-args-expanded', pod({'name': 'c', 'image': BUSYBOX, 'command': ['sh', '-c', 'echo "$0" "$@"; sleep 100000'],
                                  'args': ['$(A)', '$$(A)', '$(NONE)', '$(B)'], **env(A='one', B='$(A)-two')}))
one('working-dir', 'pwd', workingDir='/usr/local')
one('working-dir-new', 'pwd', workingDir='/made/by/runtime')
add('tty-stdin', pod({'name': 'c', 'image': BUSYBOX, 'command': ['cat'], 'stdin': True, 'tty': True}))
add('stdin-once', pod({'name': 'c', 'image': BUSYBOX, 'command': ['cat'], 'stdin': True, 'stdinOnce': True}))
add('command-missing', pod({'name': 'c', 'image': BUSYBOX, 'command': ['/no/such/program']}), 'waiting:CrashLoopBackOff')
one('log-lines', 'echo out; echo err >&2; printf "no newline"; echo; seq 1 5')
add('two-containers', pod(box(name='first'), box(name='second')))
add('three-containers', pod(box(name='b'), box(name='a'), box(name='c')))

# --- environment -----------------------------------------------------------------------------------------------
one('env-order', 'echo $A $B $C', **{'env': [{'name': 'C', 'value': '$(B)'}, {'name': 'A', 'value': '1'},
                                            {'name': 'B', 'value': '$(A)2'}, {'name': 'A', 'value': '3'}]})
one('env-fields', 'env | grep ^F_ | sort', **env(
    F_NAME=field('metadata.name'), F_NS=field('metadata.namespace'), F_UID=field('metadata.uid'),
    F_LABEL=field("metadata.labels['oracle']"), F_NODE=field('spec.nodeName'), F_SA=field('spec.serviceAccountName'),
    F_HOST=field('status.hostIP'), F_HOSTS=field('status.hostIPs'), F_POD=field('status.podIP'), F_PODS=field('status.podIPs')))
add('env-annotation', pod(hold('echo $A $B', **env(A=field("metadata.annotations['x/y']"), B=field("metadata.annotations['none']")))),
    annotations={'x/y': 'some text'})
one('env-resources', 'env | grep ^R_ | sort', **lim({'cpu': '500m', 'memory': '64Mi', 'ephemeral-storage': '1Gi'}, {'cpu': '250m', 'memory': '32Mi'}),
    **env(R_LC=res('limits.cpu'), R_LCM=res('limits.cpu', '1m'), R_LM=res('limits.memory'), R_LMM=res('limits.memory', '1Mi'),
          R_RC=res('requests.cpu'), R_RCM=res('requests.cpu', '1m'), R_RM=res('requests.memory', '1Ki'), R_LE=res('limits.ephemeral-storage')))
one('env-resources-defaulted', 'env | grep ^R_ | sort', **env(R_LC=res('limits.cpu'), R_LM=res('limits.memory'), R_RC=res('requests.cpu', '1m')))
one('env-configmap-key', 'echo $A-$B', env=[{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'cm', 'key': 'a'}}},
                                           {'name': 'B', 'valueFrom': {'configMapKeyRef': {'name': 'cm', 'key': 'zz', 'optional': True}}}])
one('env-secret-key', 'echo $A', env=[{'name': 'A', 'valueFrom': {'secretKeyRef': {'name': 'sec', 'key': 'user'}}}])
one('env-configmap-missing', 'true', 'waiting:CreateContainerConfigError',
    env=[{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'nope', 'key': 'a'}}}])
one('env-configmap-key-missing', 'true', 'waiting:CreateContainerConfigError',
    env=[{'name': 'A', 'valueFrom': {'configMapKeyRef': {'name': 'cm', 'key': 'zz'}}}])
one('env-secret-missing', 'true', 'waiting:CreateContainerConfigError',
    env=[{'name': 'A', 'valueFrom': {'secretKeyRef': {'name': 'nope', 'key': 'a'}}}])
one('env-from-configmap', 'env | sort | grep -v KUBERNETES', envFrom=[{'configMapRef': {'name': 'cm'}}])
one('env-from-prefix', 'env | grep P_ | sort', envFrom=[{'prefix': 'P_', 'configMapRef': {'name': 'cm'}}, {'prefix': 'P_S_', 'secretRef': {'name': 'sec'}}],
    env=[{'name': 'P_a', 'value': 'overridden'}])
one('env-from-optional', 'echo fine', envFrom=[{'configMapRef': {'name': 'nope', 'optional': True}}, {'secretRef': {'name': 'nope', 'optional': True}}])
one('env-from-missing', 'true', 'waiting:CreateContainerConfigError', envFrom=[{'secretRef': {'name': 'nope'}}])
one('env-services', 'env | sort | grep -E "SVC|KUBERNETES"')
one('env-no-service-links', 'env | sort | grep -E "SVC|KUBERNETES"', podfields={'enableServiceLinks': False})
one('env-service-expanded', 'echo $A', **env(A='http://$(SVC_SERVICE_HOST):$(SVC_SERVICE_PORT)'))
one('env-odd-name', 'env | grep data', env=[{'name': 'data-1', 'value': 'x'}, {'name': 'data.2', 'value': 'y'}])


def env_file(name, text, key='K', until='ready', optional=None, path='d/env'):
    """A variable out of a file that an init container writes."""
    ref = {'volumeName': 'v', 'path': path, 'key': key, **({'optional': optional} if optional is not None else {})}
    mounts = {'volumeMounts': [{'name': 'v', 'mountPath': '/v'}]}
    add(name, pod(hold('echo "F=$F"', env=[{'name': 'F', 'valueFrom': {'fileKeyRef': ref}}]),
                  initContainers=[box("mkdir /v/d; cat > /v/d/env <<'E'\n%s\nE" % text, name='i', **mounts)],
                  volumes=[{'name': 'v', 'emptyDir': {}}]), until)


env_file('env-file', "# note\nA='1'\nK='$(A) two\nlines' # note")
env_file('env-file-optional', "A='1'", optional=True)
env_file('env-file-key-missing', "A='1'", until='waiting:CreateContainerConfigError')
env_file('env-file-broken', 'K="x"', until='waiting:CreateContainerConfigError')
env_file('env-file-missing', "A='1'", path='none', optional=True, until='waiting:CreateContainerConfigError')

# --- life cycle ------------------------------------------------------------------------------------------------
add('never-success', pod(box('echo done'), restartPolicy='Never'), 'succeeded')
add('never-failure', pod(box('exit 3'), restartPolicy='Never'), 'failed')
add('never-mixed', pod(box('exit 0', name='good'), box('sleep 1; exit 4', name='bad'), restartPolicy='Never'), 'failed')
add('onfailure-success', pod(box('exit 0'), restartPolicy='OnFailure'), 'succeeded')
add('onfailure-once', pod(box('if [ -e /v/again ]; then exit 0; fi; touch /v/again; exit 1', volumeMounts=[{'name': 'v', 'mountPath': '/v'}]),
                          volumes=[{'name': 'v', 'emptyDir': {}}], restartPolicy='OnFailure'), 'succeeded')
add('always-exit-0', pod(box('exit 0')), 'waiting:CrashLoopBackOff')
add('always-exit-1', pod(box('echo failing; exit 1')), 'waiting:CrashLoopBackOff')
add('killed', pod(box('sh -c "kill -9 \\$PPID"; sh -c "kill -9 1"; sleep 1; exit 7'), restartPolicy='Never'), 'failed')
add('oom', pod(box('tail /dev/zero', **lim({'memory': '12Mi'})), restartPolicy='Never'), 'failed')
add('message-file', pod(box('echo -n bye > /dev/termination-log'), restartPolicy='Never'), 'succeeded')
add('message-path', pod(box('echo -n bye > /var/run/last', terminationMessagePath='/var/run/last'), restartPolicy='Never'), 'succeeded')
add('message-long', pod(box('head -c 6000 /dev/zero | tr "\\0" x > /dev/termination-log; exit 1'), restartPolicy='Never'), 'failed')
add('message-from-log', pod(box('seq 1 100; exit 2', terminationMessagePolicy='FallbackToLogsOnError'), restartPolicy='Never'), 'failed')
add('message-from-log-success', pod(box('seq 1 3', terminationMessagePolicy='FallbackToLogsOnError'), restartPolicy='Never'), 'succeeded')
add('message-nul', pod(box('printf "a\\\\000b\\\\000" > /dev/termination-log'), restartPolicy='Never'), 'succeeded')
add('active-deadline', pod(box(), activeDeadlineSeconds=3), 'failed')
add('grace-zero', pod(box(), terminationGracePeriodSeconds=0))
add('grace-ignored-term', pod(box('trap "" TERM; while :; do sleep 1; done'), terminationGracePeriodSeconds=2))
add('grace-handled-term', pod(box('trap "echo leaving; exit 5" TERM; while :; do sleep 0.1; done'), terminationGracePeriodSeconds=10))
add('hook-post-start', pod(hold('sleep 1; cat /hook', lifecycle={'postStart': {'exec': {'command': ['sh', '-c', 'echo hooked > /hook']}}})))
add('hook-post-start-fails', pod(box(lifecycle={'postStart': {'exec': {'command': ['sh', '-c', 'echo why; exit 9']}}})), 'waiting:CrashLoopBackOff')
add('hook-post-start-sleep', pod(box(lifecycle={'postStart': {'sleep': {'seconds': 1}}})))
add('hook-pre-stop', pod(hold('true', lifecycle={'preStop': {'exec': {'command': ['sh', '-c', 'echo hook > /proc/1/fd/1']}}}), terminationGracePeriodSeconds=5))
add('hook-pre-stop-fails', pod(hold('true', lifecycle={'preStop': {'exec': {'command': ['false']}}}), terminationGracePeriodSeconds=5))
add('hook-pre-stop-http', pod(web(lifecycle={'preStop': {'httpGet': {'path': '/echo?msg=x', 'port': 8080}}}), terminationGracePeriodSeconds=5))
add('hook-pre-stop-sleep', pod(box(lifecycle={'preStop': {'sleep': {'seconds': 1}}}), terminationGracePeriodSeconds=5))

# --- init containers and sidecars ------------------------------------------------------------------------------
add('init-one', pod(box(), initContainers=[box('echo first', name='i')]))
add('init-two', pod(box(), initContainers=[box('echo first', name='i2'), box('echo second', name='i1')]))
add('init-never-success', pod(box('exit 0'), initContainers=[box('exit 0', name='i')], restartPolicy='Never'), 'succeeded')
add('init-fails-never', pod(box(), initContainers=[box('exit 6', name='i')], restartPolicy='Never'), 'failed')
add('init-fails-always', pod(box(), initContainers=[box('exit 6', name='i')]), 'waiting:CrashLoopBackOff')
add('init-resources', pod(box(**lim({'cpu': '100m', 'memory': '20Mi'})), initContainers=[box('true', name='i', **lim({'cpu': '300m', 'memory': '40Mi'}))]))
add('init-shared-volume', pod(hold('cat /v/f', volumeMounts=[{'name': 'v', 'mountPath': '/v'}]),
                              initContainers=[box('echo made > /v/f', name='i', volumeMounts=[{'name': 'v', 'mountPath': '/v'}])],
                              volumes=[{'name': 'v', 'emptyDir': {}}]))
add('sidecar', pod(box(), initContainers=[box(name='side', restartPolicy='Always')]))
add('sidecar-startup-probe', pod(box(), initContainers=[box('sleep 1; touch /ok; exec sleep 100000', name='side', restartPolicy='Always',
                                                            startupProbe={'exec': {'command': ['cat', '/ok']}, 'periodSeconds': 1, 'failureThreshold': 60})]))
add('sidecar-between-inits', pod(box(), initContainers=[box('true', name='i1'), box(name='side', restartPolicy='Always'), box('true', name='i2')]))
add('sidecar-job', pod(box('echo done'), initContainers=[box(name='side', restartPolicy='Always')], restartPolicy='Never'), 'succeeded')
add('sidecar-not-ready', pod(box(), initContainers=[box(name='side', restartPolicy='Always', readinessProbe={'exec': {'command': ['true']}, 'periodSeconds': 1})]))

# --- images ----------------------------------------------------------------------------------------------------
for policy in ('IfNotPresent', 'Always', 'Never'):
    add('pull-' + policy.lower(), pod(box(imagePullPolicy=policy)))
add('pull-never-missing', pod({'name': 'c', 'image': 'registry.k8s.io/none:1', 'imagePullPolicy': 'Never'}), 'waiting:ErrImageNeverPull')
add('pull-missing', pod({'name': 'c', 'image': 'registry.k8s.io/none:1'}), 'waiting:ImagePullBackOff')
add('pull-bad-name', pod({'name': 'c', 'image': 'No Such@Name'}), 'waiting:InvalidImageName')
add('pull-secrets', pod(box(imagePullPolicy='Always'), imagePullSecrets=[{'name': 'pull'}]))
add('pull-secret-missing', pod(box(), imagePullSecrets=[{'name': 'nope'}]))
add('pull-fails-secrets-missing', pod({'name': 'c', 'image': 'registry.k8s.io/none:1'}, imagePullSecrets=[{'name': 'nope'}, {'name': 'pull'}, {'name': 'nada'}]),
    'waiting:ImagePullBackOff')
add('pull-bad-name-path', pod({'name': 'c', 'image': 'registry.k8s.io/a/b@c'}), 'waiting:InvalidImageName')
add('image-short-tag', pod({'name': 'c', 'image': 'registry.k8s.io/pause', 'imagePullPolicy': 'IfNotPresent'}), 'waiting:ImagePullBackOff')

# --- security --------------------------------------------------------------------------------------------------
one('run-as-user', 'id', securityContext={'runAsUser': 1234})
one('run-as-user-group', 'id', securityContext={'runAsUser': 1234, 'runAsGroup': 2345})
one('pod-run-as', 'id', podfields={'securityContext': {'runAsUser': 1000, 'runAsGroup': 3000}})
one('pod-run-as-overridden', 'id', podfields={'securityContext': {'runAsUser': 1000}}, securityContext={'runAsUser': 2000})
one('run-as-non-root', 'id', securityContext={'runAsNonRoot': True, 'runAsUser': 99})
one('run-as-non-root-refused', 'id', 'waiting:CreateContainerConfigError', securityContext={'runAsNonRoot': True})
one('run-as-root-refused', 'id', 'waiting:CreateContainerConfigError', securityContext={'runAsNonRoot': True, 'runAsUser': 0})
add('run-as-image-user', pod({'name': 'c', 'image': PAUSE, 'securityContext': {'runAsNonRoot': True}}))
volume('fs-group', 'emptyDir', {}, 'id; ls -ldn /v; touch /v/f; ls -ln /v/f | cut -c1-30',
       podfields={'securityContext': {'fsGroup': 4321, 'runAsUser': 1000}})
volume('fs-group-configmap', 'configMap', {'name': 'cm'}, podfields={'securityContext': {'fsGroup': 4321, 'runAsUser': 1000}})
one('supplemental-groups', 'id', podfields={'securityContext': {'supplementalGroups': [10, 20], 'fsGroup': 30}})
one('supplemental-strict', 'id', podfields={'securityContext': {'supplementalGroups': [10], 'supplementalGroupsPolicy': 'Strict'}})
one('privileged', 'grep Cap /proc/self/status', securityContext={'privileged': True})
one('capabilities-add-drop', 'grep Cap /proc/self/status', securityContext={'capabilities': {'add': ['NET_ADMIN', 'SYS_TIME'], 'drop': ['MKNOD']}})
one('capabilities-drop-all', 'grep Cap /proc/self/status', securityContext={'capabilities': {'drop': ['ALL'], 'add': ['CHOWN']}})
one('read-only-root', 'echo x > /f', securityContext={'readOnlyRootFilesystem': True})
one('no-new-privileges', 'grep NoNew /proc/self/status', securityContext={'allowPrivilegeEscalation': False})
one('seccomp-default', 'grep Seccomp: /proc/self/status', podfields={'securityContext': {'seccompProfile': {'type': 'RuntimeDefault'}}})
one('seccomp-unconfined', 'grep Seccomp: /proc/self/status', securityContext={'seccompProfile': {'type': 'Unconfined'}})
one('seccomp-mixed', 'grep Seccomp: /proc/self/status', podfields={'securityContext': {'seccompProfile': {'type': 'Unconfined'}}},
    securityContext={'seccompProfile': {'type': 'RuntimeDefault'}})
one('seccomp-localhost-missing', 'true', 'event:Failed', securityContext={'seccompProfile': {'type': 'Localhost', 'localhostProfile': 'nope.json'}})
one('apparmor-default', 'true', 'status:AppArmor', securityContext={'appArmorProfile': {'type': 'RuntimeDefault'}})
one('apparmor-unconfined', 'true', securityContext={'appArmorProfile': {'type': 'Unconfined'}})
one('sysctl', 'cat /proc/sys/net/ipv4/ip_local_port_range', podfields={'securityContext': {'sysctls': [{'name': 'net.ipv4.ip_local_port_range', 'value': '20000 30000'}]}})
one('sysctl-forbidden', 'true', 'status:SysctlForbidden', podfields={'securityContext': {'sysctls': [{'name': 'net.core.somaxconn', 'value': '1000'}]}})
one('se-linux-options', 'true', securityContext={'seLinuxOptions': {'level': 's0:c1,c2'}})

# --- network and namespaces ------------------------------------------------------------------------------------
one('host-network', 'cat /etc/hosts | head -1; cat /etc/resolv.conf; hostname', podfields={'hostNetwork': True})
one('host-pid', 'readlink /proc/self/ns/pid | cut -c1-4', podfields={'hostPID': True})
one('host-ipc', 'true', podfields={'hostIPC': True})
add('share-process-namespace', pod(hold('sleep 2; ps -o args | grep -c sleep', name='a'), box(name='b'), shareProcessNamespace=True))
add('ports', pod(web(ports=[{'containerPort': 8080, 'name': 'http'}, {'containerPort': 8081, 'protocol': 'UDP'}])))
add('host-ports', pod(web(ports=[{'containerPort': 8080, 'hostPort': 18080}, {'containerPort': 53, 'hostPort': 18053, 'protocol': 'UDP', 'hostIP': '127.0.0.1'}])))
one('host-aliases', 'cat /etc/hosts', podfields={'hostAliases': [{'ip': '10.1.2.3', 'hostnames': ['foo', 'bar']}, {'ip': '10.1.2.4', 'hostnames': ['baz']}]})
one('host-aliases-host-network', 'cat /etc/hosts | tail -4', podfields={'hostNetwork': True, 'hostAliases': [{'ip': '10.1.2.3', 'hostnames': ['foo']}]})
one('dns-default', 'cat /etc/resolv.conf', podfields={'dnsPolicy': 'Default'})
one('dns-cluster-first', 'cat /etc/resolv.conf')
one('dns-cluster-first-host-network', 'cat /etc/resolv.conf', podfields={'dnsPolicy': 'ClusterFirstWithHostNet', 'hostNetwork': True})
one('dns-none', 'cat /etc/resolv.conf', podfields={'dnsPolicy': 'None', 'dnsConfig': {'nameservers': ['10.0.0.1', '10.0.0.2'], 'searches': ['a.b', 'c.d'],
                                                                                   'options': [{'name': 'ndots', 'value': '2'}, {'name': 'edns0'}]}})
one('dns-merged', 'cat /etc/resolv.conf', podfields={'dnsConfig': {'nameservers': ['10.0.0.1'], 'searches': ['a.b', 'cluster.local'], 'options': [{'name': 'ndots', 'value': '2'}, {'name': 'rotate'}]}})
one('hostname', 'hostname; tail -1 /etc/hosts', podfields={'hostname': 'other'})
one('hostname-subdomain', 'hostname; hostname -f; tail -1 /etc/hosts', podfields={'hostname': 'other', 'subdomain': 'sub'})
one('hostname-fqdn', 'hostname', podfields={'hostname': 'other', 'subdomain': 'sub', 'setHostnameAsFQDN': True})
one('hostname-override', 'hostname; tail -1 /etc/hosts', podfields={'hostnameOverride': 'over.ride.example'})
one('host-users-false', 'cat /proc/self/uid_map | wc -l', 'event:FailedCreatePodSandBox', podfields={'hostUsers': False})

# --- resources -------------------------------------------------------------------------------------------------
one('qos-guaranteed', 'true', **lim({'cpu': '250m', 'memory': '32Mi'}))
one('qos-burstable', 'true', **lim({'cpu': '500m', 'memory': '64Mi'}, {'cpu': '100m', 'memory': '16Mi'}))
one('qos-requests-only', 'true', **lim(None, {'cpu': '123m', 'memory': '16Mi'}))
one('cpu-limit-only', 'true', **lim({'cpu': '1500m'}))
one('memory-limit-only', 'true', **lim({'memory': '48Mi'}))
one('cpu-tiny', 'true', **lim({'cpu': '1m'}, {'cpu': '1m'}))
one('ephemeral-storage', 'true', **lim({'ephemeral-storage': '100Mi'}))
add('resources-sum', pod(box(name='a', **lim({'cpu': '100m', 'memory': '20Mi'})), box(name='b', **lim({'cpu': '200m', 'memory': '30Mi'}, {'cpu': '50m', 'memory': '10Mi'})), box(name='c')))
one('pod-level-resources', 'true', podfields={'resources': {'limits': {'cpu': '400m', 'memory': '64Mi'}, 'requests': {'cpu': '200m', 'memory': '32Mi'}}})
add('pod-level-and-container', pod(box(name='a', **lim({'memory': '20Mi'})), box(name='b'), resources={'limits': {'cpu': '400m', 'memory': '64Mi'}, 'requests': {'cpu': '200m', 'memory': '32Mi'}}))
add('pod-level-oom-score', pod(box(name='a'), box(name='b', **lim(None, {'memory': '16Mi'})),
                               resources={'requests': {'memory': '2Gi'}}))
add('resize-policy', pod(box(resizePolicy=[{'resourceName': 'cpu', 'restartPolicy': 'NotRequired'}, {'resourceName': 'memory', 'restartPolicy': 'RestartContainer'}],
                             **lim({'cpu': '100m', 'memory': '20Mi'}))))
one('runtime-class-overhead', 'true', podfields={'runtimeClassName': 'oracle-runc', 'overhead': {'cpu': '20m', 'memory': '8Mi'}}, **lim({'cpu': '100m', 'memory': '20Mi'}))
one('runtime-class-missing', 'true', 'event:FailedCreatePodSandBox', podfields={'runtimeClassName': 'oracle-missing'})
one('priority-critical', 'true', podfields={'priorityClassName': 'system-node-critical'})

# --- volumes ---------------------------------------------------------------------------------------------------
volume('empty-dir', 'emptyDir', {}, 'ls -ldn /v | cut -c1-30; stat -f -c %T /v')
volume('empty-dir-memory', 'emptyDir', {'medium': 'Memory'}, 'grep " /v " /proc/mounts')
volume('empty-dir-memory-size', 'emptyDir', {'medium': 'Memory', 'sizeLimit': '8Mi'}, 'grep " /v " /proc/mounts; df -k /v | tail -1 | awk "{print \\$2}"')
volume('empty-dir-huge-pages', 'emptyDir', {'medium': 'HugePages'}, 'true', until='event:FailedMount')
volume('empty-dir-size', 'emptyDir', {'sizeLimit': '8Mi'}, 'true')
volume('empty-dir-read-only', 'emptyDir', {}, 'touch /v/f', mount={'readOnly': True})
volume('host-path-dir', 'hostPath', {'path': '/etc/kubernetes', 'type': 'Directory'}, 'ls /v')
volume('host-path-create', 'hostPath', {'path': '/tmp/oracle/made', 'type': 'DirectoryOrCreate'}, 'ls -ldn /v | cut -c1-30')
volume('host-path-file-create', 'hostPath', {'path': '/tmp/oracle-file', 'type': 'FileOrCreate'}, 'ls -ln /v | cut -c1-30')
volume('host-path-plain', 'hostPath', {'path': '/tmp'}, 'ls -ldn /v | cut -c1-30')
volume('host-path-missing', 'hostPath', {'path': '/tmp/none', 'type': 'Directory'}, 'true', 'event:FailedMount')
volume('host-path-wrong-type', 'hostPath', {'path': '/tmp', 'type': 'File'}, 'true', 'event:FailedMount')
volume('configmap', 'configMap', {'name': 'cm'})
volume('configmap-items', 'configMap', {'name': 'cm', 'items': [{'key': 'a', 'path': 'dir/x'}, {'key': 'b.txt', 'path': 'y', 'mode': 0o400}], 'defaultMode': 0o640})
volume('configmap-optional', 'configMap', {'name': 'nope', 'optional': True})
volume('configmap-missing', 'configMap', {'name': 'nope'}, until='event:FailedMount')
volume('configmap-item-missing', 'configMap', {'name': 'cm', 'items': [{'key': 'zz', 'path': 'x'}]}, until='event:FailedMount')
volume('secret', 'secret', {'secretName': 'sec'}, 'grep " /v " /proc/mounts | cut -d" " -f1-3; ' + LS)
volume('secret-mode', 'secret', {'secretName': 'sec', 'defaultMode': 0o400, 'items': [{'key': 'user', 'path': 'u'}]})
volume('secret-missing', 'secret', {'secretName': 'nope'}, until='event:FailedMount')
volume('downward', 'downwardAPI', {'items': [
    {'path': 'labels', 'fieldRef': {'fieldPath': 'metadata.labels'}}, {'path': 'annotations', 'fieldRef': {'fieldPath': 'metadata.annotations'}},
    {'path': 'd/name', 'fieldRef': {'fieldPath': 'metadata.name'}, 'mode': 0o400}, {'path': 'cpu', 'resourceFieldRef': {'containerName': 'c', 'resource': 'limits.cpu', 'divisor': '1m'}},
    {'path': 'mem', 'resourceFieldRef': {'containerName': 'c', 'resource': 'requests.memory'}}]}, container=lim({'cpu': '250m', 'memory': '32Mi'}))
volume('projected', 'projected', {'defaultMode': 0o440, 'sources': [
    {'configMap': {'name': 'cm', 'items': [{'key': 'a', 'path': 'cm/a'}]}}, {'secret': {'name': 'sec', 'items': [{'key': 'user', 'path': 'sec/u', 'mode': 0o400}]}},
    {'downwardAPI': {'items': [{'path': 'name', 'fieldRef': {'fieldPath': 'metadata.name'}}]}}]})
volume('projected-token', 'projected', {'sources': [{'serviceAccountToken': {'path': 'token', 'audience': 'me', 'expirationSeconds': 3600}}]}, 'ls -lLn /v | cut -c1-24; cut -d. -f1 /v/token | head -c 20')
volume('projected-missing', 'projected', {'sources': [{'configMap': {'name': 'nope'}}]}, until='event:FailedMount')
one('service-account', 'ls -lLn /var/run/secrets/kubernetes.io/serviceaccount | sed -E "s/ [A-Z][a-z]{2} +[0-9]+ +[0-9:]+ / /; s/ +[0-9]+ token/ token/"; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace')
one('no-service-account', 'ls /var/run', podfields={'automountServiceAccountToken': False})
volume('sub-path', 'configMap', {'name': 'cm'}, 'ls /v; cat /v', mount={'path': '/v', 'subPath': 'b.txt'})
volume('sub-path-made', 'emptyDir', {}, 'ls -ldn /v | cut -c1-30', mount={'path': '/v', 'subPath': 'x/y'})
volume('sub-path-expr', 'emptyDir', {}, 'ls -ldn /v | cut -c1-30', mount={'path': '/v', 'subPathExpr': '$(N)/z'}, container=env(N=field('metadata.name')))
volume('sub-path-expr-missing', 'emptyDir', {}, 'true', 'waiting:CreateContainerConfigError', mount={'path': '/v', 'subPathExpr': '$(NONE)/z'})
volume('propagation-slave', 'hostPath', {'path': '/tmp'}, 'grep " /v " /proc/self/mountinfo | grep -c master', mount={'mountPropagation': 'HostToContainer'})
volume('propagation-shared', 'hostPath', {'path': '/tmp'}, 'grep " /v " /proc/self/mountinfo | grep -c shared', mount={'mountPropagation': 'Bidirectional'}, container={'securityContext': {'privileged': True}})
volume('read-only-recursive', 'emptyDir', {}, 'touch /v/f', mount={'readOnly': True, 'recursiveReadOnly': 'IfPossible'})
volume('read-only-recursive-enabled', 'hostPath', {'path': '/tmp'}, 'touch /v/f', mount={'readOnly': True, 'recursiveReadOnly': 'Enabled'})
volume('read-only-recursive-disabled', 'emptyDir', {}, 'touch /v/f', mount={'readOnly': True, 'recursiveReadOnly': 'Disabled'})
add('image-volume-sub-path', pod(hold('ls /v', volumeMounts=[{'name': 'v', 'mountPath': '/v', 'subPath': 'etc'}]),
                                 volumes=[{'name': 'v', 'image': {'reference': BUSYBOX}}]), annotations={'x/y': 'z'})
volume('image-volume',  'image', {'reference': 'registry.k8s.io/e2e-test-images/kitten:1.8', 'pullPolicy': 'IfNotPresent'}, 'ls -a /v | sort | head -30; touch /v/x')
add('volume-shared', pod(hold('echo x > /v/f', name='a', volumeMounts=[{'name': 'v', 'mountPath': '/v'}]),
                         hold('sleep 2; cat /w/f; touch /w/g', name='b', volumeMounts=[{'name': 'v', 'mountPath': '/w', 'readOnly': True}]), volumes=[{'name': 'v', 'emptyDir': {}}]))
add('volume-unused', pod(box(), volumes=[{'name': 'v', 'emptyDir': {}}, {'name': 'w', 'configMap': {'name': 'cm'}}]))
add('volume-unused-missing', pod(box(), volumes=[{'name': 'v', 'configMap': {'name': 'nope'}}, {'name': 'w', 'hostPath': {'path': '/nope', 'type': 'Directory'}}]))
add('sub-path-escapes', pod(box(volumeMounts=[{'name': 'v', 'mountPath': '/v', 'subPath': 'out'}]),
                            initContainers=[box('ln -s /etc /v/out', name='i', volumeMounts=[{'name': 'v', 'mountPath': '/v'}])],
                            volumes=[{'name': 'v', 'emptyDir': {}}]), 'waiting:CreateContainerConfigError')
add('sub-path-below-file', pod(box(volumeMounts=[{'name': 'v', 'mountPath': '/v', 'subPath': 'f/x'}]),
                               initContainers=[box('touch /v/f', name='i', volumeMounts=[{'name': 'v', 'mountPath': '/v'}])],
                               volumes=[{'name': 'v', 'emptyDir': {}}]), 'waiting:CreateContainerConfigError')
add('mount-order', pod(hold('cat /a/b/a', volumeMounts=[{'name': 'w', 'mountPath': '/a/b'}, {'name': 'v', 'mountPath': '/a'}]),
                       volumes=[{'name': 'v', 'emptyDir': {}}, {'name': 'w', 'configMap': {'name': 'cm'}}]))

# --- probes ----------------------------------------------------------------------------------------------------
def probe(action, **fields):
    return {**action, 'periodSeconds': 1, **fields}


GET = {'httpGet': {'path': '/hostName', 'port': 8080}}
add('readiness-http', pod(web(readinessProbe=probe(GET))))
add('readiness-http-headers', pod(web(ports=[{'containerPort': 8080, 'name': 'w'}], readinessProbe=probe({'httpGet': {'path': '/header?key=X', 'port': 'w', 'httpHeaders': [{'name': 'X', 'value': 'y'}]}}))))
add('readiness-tcp', pod(web(readinessProbe=probe({'tcpSocket': {'port': 8080}}))))
add('readiness-exec', pod(box(readinessProbe=probe({'exec': {'command': ['true']}}))))
add('readiness-grpc', pod({'name': 'c', 'image': AGNHOST, 'args': ['grpc-health-checking'], 'readinessProbe': probe({'grpc': {'port': 5000}})}))
add('readiness-exec-fails', pod(box(readinessProbe=probe({'exec': {'command': ['sh', '-c', 'echo why; exit 3']}}))), 'event:Unhealthy')
add('readiness-http-fails', pod(web(readinessProbe=probe({'httpGet': {'path': '/healthz', 'port': 8080}}))), 'event:Unhealthy')
add('readiness-tcp-fails', pod(box(readinessProbe=probe({'tcpSocket': {'port': 8080}}))), 'event:Unhealthy')
add('liveness-exec', pod(box(livenessProbe=probe({'exec': {'command': ['true']}}))))
add('liveness-fails', pod(box('touch /ok; sleep 2; rm /ok; exec sleep 100000', livenessProbe=probe({'exec': {'command': ['cat', '/ok']}}, failureThreshold=1))), 'restarts:1')
add('liveness-grace', pod(box('trap "" TERM; while :; do sleep 1; done', livenessProbe=probe({'exec': {'command': ['false']}}, failureThreshold=1, terminationGracePeriodSeconds=1))), 'restarts:1')
add('liveness-never', pod(box('exec sleep 100000', livenessProbe=probe({'exec': {'command': ['false']}}, failureThreshold=1)), restartPolicy='Never'), 'failed')
add('liveness-never-of-two', pod(box('exec sleep 100000', name='a', livenessProbe=probe({'exec': {'command': ['false']}}, failureThreshold=1)),
                                 box(name='b'), restartPolicy='Never'), 'event:Killing')
add('startup-never', pod(box('exec sleep 100000', startupProbe=probe({'exec': {'command': ['false']}}, failureThreshold=1)), restartPolicy='Never'), 'failed')
add('startup', pod(box('sleep 2; touch /ok; exec sleep 100000', startupProbe=probe({'exec': {'command': ['cat', '/ok']}}, failureThreshold=60), readinessProbe=probe({'exec': {'command': ['true']}}))))
add('startup-fails', pod(box(startupProbe=probe({'exec': {'command': ['false']}}, failureThreshold=2))), 'restarts:1')
add('readiness-gate', pod(box(), readinessGates=[{'conditionType': 'example.com/gate'}]), 'running')

# --- admission on the node -------------------------------------------------------------------------------------
one('node-selector-mismatch', 'true', 'status:NodeAffinity', podfields={'nodeSelector': {'no': 'such'}})
one('node-selector-match', 'true', podfields={'nodeSelector': {'kubernetes.io/hostname': 'node1'}})
one('out-of-cpu', 'true', 'status:OutOfcpu', **lim(None, {'cpu': '1000'}))
one('out-of-memory', 'true', 'status:OutOfmemory', **lim(None, {'memory': '900Gi'}))
one('out-of-huge-pages', 'true', 'status:OutOfhugepages-2Mi', **lim({'hugepages-2Mi': '2Mi', 'memory': '16Mi', 'cpu': '10m'}))
one('out-of-ephemeral-storage', 'true', 'status:OutOfephemeral-storage', **lim(None, {'ephemeral-storage': '900Ti'}))
one('extended-resource-unknown', 'true', **lim({'example.com/thing': '1'}))
one('node-name-os', 'true', podfields={'os': {'name': 'linux'}})
one('os-mismatch', 'true', 'status:PodOSNotSupported', podfields={'os': {'name': 'windows'}, 'securityContext': {}})
