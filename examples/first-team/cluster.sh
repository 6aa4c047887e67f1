# shellcheck shell=bash
# What the demos with a cluster share: kubectl, the operator, and what both say. Sourced after story.sh.

# shown COMMAND…: shows a command and what it prints.
shown() {
    local command="$*"
    say "\$ ${command/#k /kubectl -n web }"
    "$@" | sed 's/^/   | /'
}
k() { kubectl -n web "$@"; }
status() { k get "$1" -o "jsonpath={.status.$2}" 2>/dev/null; }
is() { [ "$(status "$1" "$2")" = "$3" ]; }
# becomes OBJECT FIELD VALUE: waits until the operator says so.
becomes() {
    until_true 60 is "$@" || fail "$1 .status.$2 is $(status "$1" "$2"), not $3; $(tail -n 5 "$WORK/operator.log")"
    say "$1 .status.$2: $(status "$1" "$2")"
}
counts() { [ "$($1)" = "$2" ]; }
gone() { [ -z "$(k get "$1" --ignore-not-found -o name)" ]; }
looks() { curl -sS "$PROBES/metrics" | awk '/^seatkeeper_reconciles_total.*result="ok"/ { looks = $2 } END { print looks + 0 }'; }
# Accounts that the operator looks at: the metric counts the looks of all.
LOOKED_AT=1
looked_since() { [ "$(looks)" -ge "$(($1 + 3 * LOOKED_AT))" ]; }
versions() { k get accounts,teams,memberships,clientaccesses,notificationsubscriptions,accountledgers -o jsonpath='{range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion} {end}'; }

# Where the charts are, and the namespace that they are installed in.
CHARTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../charts" && pwd)
SYSTEM=seatkeeper
export HELM_CACHE_HOME=$WORK/helm/cache HELM_CONFIG_HOME=$WORK/helm/config HELM_DATA_HOME=$WORK/helm/data

# Installs the charts.
install_charts() {
    helm upgrade --install seatkeeper-crds "$CHARTS/seatkeeper-crds" -n "$SYSTEM" --create-namespace >/dev/null
    local tries=0 # kubectl does not wait for a kind that has no conditions yet.
    until kubectl wait --for=condition=Established --timeout=60s crd -l app.kubernetes.io/name=seatkeeper >/dev/null; do
        ((tries++ < 20)) || return 1
        sleep 0.2
    done 2>"$WORK/waited"
    helm install seatkeeper "$CHARTS/seatkeeper" -n "$SYSTEM" --set image.repository=none >"$WORK/notes"
    say "installed in the namespace $SYSTEM: $(helm list -n "$SYSTEM" -q | tr '\n' ' ')"
}

# No Pod comes of the chart's Deployment here: the operator is a process, with the arguments and the
# ServiceAccount of the Pod.
start_operator() {
    local arguments
    log_in seatkeeper "$WORK/operator.kubeconfig"
    mapfile -t arguments < <(arguments_of deployment/seatkeeper | grep -v '^--listen=')
    rm -f "$WORK/probes"
    KUBECONFIG=$WORK/operator.kubeconfig "$BINARY" "${arguments[@]}" \
        --listen 127.0.0.1:0 --address-file "$WORK/probes" 2>"$WORK/operator.log" &
    OPERATOR=$!
    STARTED+=("$OPERATOR")
    until_true 20 test -s "$WORK/probes" || fail "the operator did not start: $(cat "$WORK/operator.log")"
    PROBES=$(cat "$WORK/probes")
    until_true 60 curl -sSf -o "$WORK/ready" "$PROBES/readyz" 2>/dev/null || fail "the operator is not ready: $(cat "$WORK/operator.log")"
}
stop_operator() {
    kill "$OPERATOR"
    wait "$OPERATOR" || fail "the operator did not end well: $(tail -n 5 "$WORK/operator.log")"
}
arguments_of() {
    kubectl -n "$SYSTEM" get "$1" -o jsonpath='{range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}'
}
# log_in SERVICEACCOUNT FILE: writes a kubeconfig of that ServiceAccount.
log_in() (
    token=$(kubectl -n "$SYSTEM" create token "$1" --duration=12h)
    cp "$KUBECONFIG" "$2"
    export KUBECONFIG=$2
    kubectl config set-credentials "$1" --token="$token" >/dev/null
    kubectl config set-context --current --user="$1" --namespace="$SYSTEM" >/dev/null
)

# Three more looks at each account write nothing, neither to the service nor to the cluster.
is_quiet() {
    local before objects since
    before=$(writes) objects=$(versions) since=$(looks)
    until_true 60 looked_since "$since" || fail "the operator does not look"
    say "looks since, by the operator's metrics: $(($(looks) - since))"
    expect "writes to the service since" 0 "$(($(writes) - before))"
    [ "$objects" = "$(versions)" ] || fail "objects were written: $objects -> $(versions)"
    say "objects written in the cluster since: none"
}
