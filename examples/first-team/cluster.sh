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
looks() { curl -sS "$PROBES/metrics" | awk '/^seatkeeper_reconciles_total.*result="ok"/ { print $2 }'; }
# Accounts that the operator looks at: the metric counts the looks of all.
LOOKED_AT=1
looked_since() { [ "$(looks)" -ge "$(($1 + 3 * LOOKED_AT))" ]; }
versions() { k get accounts,teams,memberships,clientaccesses,notificationsubscriptions,accountledgers -o jsonpath='{range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion} {end}'; }

start_operator() {
    KUBECONFIG=${SEATKEEPER_TEST_OPERATOR_KUBECONFIG:-$KUBECONFIG} "$BINARY" --log info operator \
        --listen 127.0.0.1:0 --address-file "$WORK/probes" 2>"$WORK/operator.log" &
    STARTED+=("$!")
    until_true 20 test -s "$WORK/probes" || fail "the operator did not start: $(cat "$WORK/operator.log")"
    PROBES=$(cat "$WORK/probes")
    until_true 60 curl -sSf -o "$WORK/ready" "$PROBES/readyz" 2>/dev/null || fail "the operator is not ready: $(cat "$WORK/operator.log")"
}

install_definitions() {
    mkdir "$WORK/crds"
    "$BINARY" crds --output-dir "$WORK/crds"
    kubectl apply --server-side -f "$WORK/crds" >/dev/null
    kubectl wait --for=condition=Established --timeout=60s -f "$WORK/crds" >/dev/null
}

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
