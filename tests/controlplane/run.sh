#!/usr/bin/env bash
# A control plane for tests: etcd, kube-apiserver and kube-controller-manager
# on free ports of 127.0.0.1. README.md says how to use it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deadline=90    # seconds until each server has to be ready
guard=()       # put before each server's command
command_group= # process group of the command that `with` runs
temporary=     # folder that `with` made
home=seatkeeper-system # namespace of the operator's ServiceAccount

say() { printf 'controlplane: %s\n' "$*" >&2; }

usage() {
  cat >&2 <<'END'
usage: run.sh start DIR         start a control plane that keeps its files in DIR
       run.sh stop DIR          stop it
       run.sh with CMD ARGS...  run CMD with a control plane of its own
END
  exit 2
}

fail() { # MESSAGE [SERVER WHOSE LOG TELLS MORE]
  say "error: $1"
  [[ $# -eq 1 ]] || show_log "$2"
  exit 1
}

show_log() { # SERVER
  say "the end of $dir/logs/$1.log:"
  tail -n 20 "$dir/logs/$1.log" >&2
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000)) # below the ports that outgoing connections get
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# A certificate authority of this control plane alone. etcd asks its clients
# for a certificate too, so an API server never writes to another run's etcd.
make_credentials() (
  umask 077
  mkdir -p "$dir/pki"
  cd "$dir/pki"
  cat >openssl.cnf <<'END'
[req]
distinguished_name = name
prompt = no
[name]
CN = seatkeeper-test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost
END
  for key in ca server serviceaccount; do
    openssl ecparam -name prime256v1 -genkey -noout -out "$key.key"
  done
  certificate=(openssl req -x509 -new -days 30 -config openssl.cnf)
  "${certificate[@]}" -key ca.key -extensions authority -out ca.crt
  "${certificate[@]}" -key server.key -extensions server -subj /CN=127.0.0.1 -CA ca.crt -CAkey ca.key -out server.crt
  for user in admin controller-manager; do
    echo "$(openssl rand -hex 16),$user,$user,system:masters"
  done >tokens.csv
  cat >curl.conf <<END
silent
fail
output = /dev/null
noproxy = "*"
max-time = 5
cacert = "$PWD/ca.crt"
cert = "$PWD/server.crt"
key = "$PWD/server.key"
header = "Authorization: Bearer $(token_of controller-manager)"
END
)

token_of() { # USER
  sed -n "s/,$1,.*//p" "$dir/pki/tokens.csv"
}

write_kubeconfig() ( # FILE USER [TOKEN [NAMESPACE]]
  umask 077
  cat >"$dir/$1" <<END
apiVersion: v1
kind: Config
current-context: seatkeeper-test
clusters:
  - name: seatkeeper-test
    cluster:
      server: $url
      certificate-authority-data: $(base64 -w 0 "$dir/pki/ca.crt")
users:
  - name: $2
    user:
      token: "${3:-$(token_of "$2")}"
contexts:
  - name: seatkeeper-test
    context: {cluster: seatkeeper-test, user: $2, namespace: ${4:-default}}
END
)

# Installs the ServiceAccount of the chart with its roles: the operator under test may do no more.
install_operator_user() {
  local token helm
  helm=$("$here/helm/build.sh")/helm
  local kubectl=(env KUBECACHEDIR="$dir/kubectl-cache" "$assets/kubectl" --kubeconfig "$dir/kubeconfig")
  "${kubectl[@]}" create namespace "$home" >/dev/null
  HELM_CACHE_HOME=$dir/helm "$helm" template seatkeeper "$here/../../charts/seatkeeper" --namespace "$home" \
    --set image.repository=none --show-only templates/serviceaccount.yaml --show-only templates/rbac.yaml |
    "${kubectl[@]}" apply -f - >/dev/null
  token=$("${kubectl[@]}" --namespace "$home" create token seatkeeper --duration=24h)
  write_kubeconfig operator.kubeconfig seatkeeper "$token" "$home"
}

launch() { # NAME ARGS...
  "${guard[@]}" setsid "$assets/$1" "${@:2}" </dev/null >"$dir/logs/$1.log" 2>&1 &
  echo $! >"$dir/pids/$1"
  disown
}

running() { # NAME
  [[ -f $dir/pids/$1 ]] && grep -qsaF "$dir/" "/proc/$(<"$dir/pids/$1")/cmdline"
}

end() { # NAME
  local tries
  [[ -f $dir/pids/$1 ]] || return 0
  for ((tries = 0; ; tries++)); do
    running "$1" || break
    case $tries in
      0) kill -TERM "$(<"$dir/pids/$1")" || true ;;
      100) kill -KILL "$(<"$dir/pids/$1")" || true ;;
    esac
    sleep 0.1
  done
  rm "$dir/pids/$1"
}

stop() {
  end kube-controller-manager
  end kube-apiserver
  end etcd
}

launch_etcd() {
  launch etcd --data-dir="$dir/etcd" --unsafe-no-fsync --log-level=error \
    --heartbeat-interval=20 --election-timeout=100 \
    --listen-client-urls="$url" --advertise-client-urls="$url" --listen-peer-urls=http://127.0.0.1:0 \
    --cert-file="$dir/pki/server.crt" --key-file="$dir/pki/server.key" \
    --trusted-ca-file="$dir/pki/ca.crt" --client-cert-auth
}

launch_kube-apiserver() {
  launch kube-apiserver --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="${url##*:}" \
    --etcd-servers="$etcd_url" --etcd-cafile="$dir/pki/ca.crt" \
    --etcd-certfile="$dir/pki/server.crt" --etcd-keyfile="$dir/pki/server.key" \
    --tls-cert-file="$dir/pki/server.crt" --tls-private-key-file="$dir/pki/server.key" \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$dir/pki/serviceaccount.key" \
    --service-account-signing-key-file="$dir/pki/serviceaccount.key" \
    --token-auth-file="$dir/pki/tokens.csv" --authorization-mode=RBAC \
    --service-cluster-ip-range=10.96.0.0/24 --endpoint-reconciler-type=none \
    --audit-policy-file="$dir/audit-policy.yaml" --audit-log-path="$dir/audit.log" \
    --audit-log-mode=blocking --audit-log-maxsize=100000
}

# Waits until the server answers with success. Returns 1 when another process
# took its port first.
await() { # SERVER URL
  local end=$((SECONDS + deadline))
  until curl --config "$dir/pki/curl.conf" "$2"; do
    if ! kill -0 "$(<"$dir/pids/$1")" 2>/dev/null; then
      grep -q 'address already in use' "$dir/logs/$1.log" && return 1
      fail "$1 ended while it was starting" "$1"
    fi
    ((SECONDS < end)) || fail "$1 is not ready after $deadline s" "$1"
    sleep 0.1
  done
}

start_on_free_port() { # SERVER URL_PATH
  local tries
  for ((tries = 0; tries < 5; tries++)); do
    url=https://127.0.0.1:$(free_port)
    "launch_$1"
    ! await "$1" "$url$2" || return 0
    end "$1"
  done
  fail "no free port for $1 in $tries tries"
}

start() {
  local url etcd_url
  assets=$("$here/build.sh")
  rm -rf "$dir/etcd" "$dir/audit.log"
  mkdir -p "$dir"/{logs,pids}
  make_credentials
  cat >"$dir/audit-policy.yaml" <<'END'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
END
  start_on_free_port etcd /health
  etcd_url=$url
  start_on_free_port kube-apiserver /readyz
  write_kubeconfig kubeconfig admin
  install_operator_user
  write_kubeconfig controller-manager.kubeconfig controller-manager

  [[ -x $assets/kube-controller-manager ]] || return 0
  launch kube-controller-manager --kubeconfig="$dir/controller-manager.kubeconfig" \
    --service-account-private-key-file="$dir/pki/serviceaccount.key" \
    --use-service-account-credentials=false --leader-elect=false --secure-port=0 \
    --kube-api-qps=500 --kube-api-burst=1000 \
    --controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,serviceaccount-token-controller
  await kube-controller-manager "$url/api/v1/namespaces/default/serviceaccounts/default"
}

clean_up() {
  trap '' HUP INT TERM
  if [[ -n $command_group ]] && kill -TERM -- "-$command_group" 2>/dev/null; then
    for ((tries = 0; tries < 100; tries++)); do
      kill -0 -- "-$command_group" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$command_group" 2>/dev/null || true
  fi
  stop
  [[ -z $temporary ]] || rm -rf "$temporary"
}

[[ $# -ge 2 ]] || usage
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
case $1 in
  start)
    [[ $# -eq 2 ]] || usage
    mkdir -p "$2"
    dir=$(cd "$2" && pwd -P)
    for name in etcd kube-apiserver kube-controller-manager; do
      ! running "$name" || fail "$name runs in $dir already"
    done
    trap clean_up EXIT
    start
    trap - EXIT
    ;;
  stop)
    [[ $# -eq 2 ]] || usage
    [[ -d $2 ]] || exit 0
    dir=$(cd "$2" && pwd -P)
    stop
    ;;
  with)
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/seatkeeper-controlplane.XXXXXX")
    dir=$(cd "$temporary" && pwd -P)
    guard=(setpriv --pdeathsig KILL) # nothing outlives this script, even if it is killed
    trap clean_up EXIT
    start
    export SEATKEEPER_TEST_KUBECONFIG=$dir/kubeconfig
    export SEATKEEPER_TEST_OPERATOR_KUBECONFIG=$dir/operator.kubeconfig
    export SEATKEEPER_TEST_AUDIT_LOG=$dir/audit.log
    # A kubectl without --kubeconfig must not reach the caller's own cluster,
    # nor read what it remembers of another control plane on the same port.
    export KUBECONFIG=$dir/kubeconfig KUBECACHEDIR=$dir/kubectl-cache
    PATH=$assets:$("$here/helm/build.sh"):$PATH
    export PATH
    # A session of its own, so that the command's children can be ended with it.
    "${guard[@]}" setsid env --default-signal=HUP,INT,QUIT "${@:2}" <&0 &
    command_group=$!
    code=0
    wait "$command_group" || code=$?
    for pid_file in "$dir"/pids/*; do
      name=${pid_file##*/}
      running "$name" || {
        say "warning: $name ended while the command ran"
        show_log "$name"
      }
    done
    exit "$code"
    ;;
  *) usage ;;
esac
