#!/usr/bin/env bash
# The charts by the real helm on a real API server. No Pod comes of a Deployment here: the operator and the
# hook run as processes, with the arguments and the ServiceAccount that the chart gives them.
# Usage: tests/controlplane/run.sh with tests/charts/run.sh BINARY [slice]
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
SLICE=${2:-}
: "${SEATKEEPER_TEST_KUBECONFIG:?run it by make chart-test}"
export KUBECONFIG=$SEATKEEPER_TEST_KUBECONFIG
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=examples/first-team/story.sh
. "$root/examples/first-team/story.sh"
# shellcheck source=examples/first-team/cluster.sh
. "$root/examples/first-team/cluster.sh"

# refuses SAYING VALUES…: the chart does not take these values, and says why.
refuses() {
    local saying=$1 said
    shift
    if said=$(helm template seatkeeper "$CHARTS/seatkeeper" "$@" 2>&1); then fail "the chart took $*"; fi
    grep -qF -- "$saying" <<<"$said" || fail "$*: $said"
    say "$*: $(grep -F -- "$saying" <<<"$said" | head -n 1)"
}
with_image=(--set image.repository=none)
# stands: everybody and every mail is as it was.
people() { members | tr '\n' ';'; }
stands() {
    expect "people" "$PEOPLE" "$(people)"
    expect "mails" "$MAILS" "$(mails '')"
}
refused_rights() {
    grep -F "\"username\":\"system:serviceaccount:$SYSTEM:seatkeeper\"" "$SEATKEEPER_TEST_AUDIT_LOG" |
        grep -cF '"authorization.k8s.io/decision":"forbid"' || true
}
in_order() {
    until_true 30 looked_since "$(looks)" || fail "the operator does not look"
    becomes account/acme state Synced
    stands
}
# What the pre-delete hook does in a Pod.
release_by_hook() {
    local arguments
    helm get hooks seatkeeper -n "$SYSTEM" | kubectl apply -f - >/dev/null
    mapfile -t arguments < <(arguments_of job/seatkeeper-release)
    log_in seatkeeper-release "$WORK/hook.kubeconfig"
    KUBECONFIG=$WORK/hook.kubeconfig "$BINARY" "${arguments[@]}" | sed 's/^/   | /'
    helm get hooks seatkeeper -n "$SYSTEM" | kubectl delete -f - >/dev/null
}
uninstall() {
    release_by_hook
    expect "finalizers" "" "$(k get accounts,teams,memberships,accountledgers -o jsonpath='{.items[*].metadata.finalizers}')"
    helm uninstall seatkeeper -n "$SYSTEM" --no-hooks >/dev/null
}

if [[ -z $SLICE ]]; then
    step "Wrong values are refused with words that help"
    helm lint --quiet "$CHARTS/seatkeeper" "${with_image[@]}"
    helm lint --quiet "$CHARTS/seatkeeper-crds"
    refuses "'/image/repository': minLength"
    refuses "'/replicas': got string, want integer" "${with_image[@]}" --set replicas=two
    refuses "additional properties 'replica' not allowed" "${with_image[@]}" --set replica=2
    refuses "'/protectedRoles/0'" "${with_image[@]}" --set 'protectedRoles={Owner}'
    refuses "'/image/digest'" "${with_image[@]}" --set image.digest=latest
    refuses "the cluster has no kind ServiceMonitor" "${with_image[@]}" --set serviceMonitor.enabled=true
    rendered() { helm template seatkeeper "$CHARTS/seatkeeper" "${with_image[@]}" "$@"; }
    rendered --set serviceMonitor.enabled=true --api-versions monitoring.coreos.com/v1 >"$WORK/rendered"
    grep -q '^kind: ServiceMonitor' "$WORK/rendered" || fail "no ServiceMonitor"
    rendered --set 'classes={gold,silver}' >"$WORK/rendered"
    expect "classes" "--class=gold --class=silver" "$(grep -o -- '--class=.*' "$WORK/rendered" | paste -sd ' ')"
    expect "Jobs of a release with classes" "" "$(grep '^kind: Job' "$WORK/rendered")"
fi

step "The charts are installed; the operator has the rights of its ServiceAccount and no more"
start_service
copy_manifests
sed -i 's/mode: Manage/&\n  resync: 5s\n  removals: {settle: 2s}/' "$WORK/git/account.yaml"
install_charts
sed 's/^/   | /' "$WORK/notes"
start_operator
kubectl create namespace web >/dev/null
k create secret generic acme-token --from-file=token="$WORK/secrets/acme-token/token" >/dev/null
kubectl apply --server-side -f "$WORK/git" >/dev/null
becomes membership/cyd-core state Pending
becomes team/core counts.pending 2
three_accept
becomes membership/cyd-core state Active
becomes team/core counts.active 2
becomes account/acme state Synced
PEOPLE=$(people) MAILS=$(mails '')

if [[ -z $SLICE ]]; then
    step "The Pods are ones that a namespace with the strictest rules takes"
    kubectl label namespace "$SYSTEM" pod-security.kubernetes.io/enforce=restricted >/dev/null
    pod='{apiVersion: "v1", kind: "Pod", metadata: {name: "probe"}, spec: .spec.template.spec}'
    kubectl -n "$SYSTEM" get deployment seatkeeper -o json | jq "$pod" >"$WORK/pod.json"
    shown kubectl -n "$SYSTEM" create --dry-run=server -f "$WORK/pod.json"
    jq 'del(.spec.containers[0].securityContext.capabilities)' "$WORK/pod.json" >"$WORK/loose.json"
    ! kubectl -n "$SYSTEM" create --dry-run=server -f "$WORK/loose.json" 2>/dev/null || fail "the namespace is not strict"
fi

if [[ -z $SLICE ]]; then
    step "An upgrade, to an operator of one namespace with rights there only"
    stop_operator
    helm upgrade seatkeeper "$CHARTS/seatkeeper" -n "$SYSTEM" "${with_image[@]}" --set watchNamespace=web,replicas=3 >/dev/null
    kubectl auth can-i get secrets -n default --as "system:serviceaccount:$SYSTEM:seatkeeper" >/dev/null &&
        fail "the operator may still read Secrets elsewhere"
    start_operator
    in_order

    step "A rollback"
    stop_operator
    helm rollback seatkeeper 1 -n "$SYSTEM" >/dev/null
    start_operator
    in_order
fi

step "The operator is uninstalled: what is declared stays, nobody is removed"
stop_operator
uninstall
expect "Deployments" "" "$(kubectl -n "$SYSTEM" get deployments -o name)"
expect "roles left" "" "$(kubectl get clusterroles,clusterrolebindings,validatingadmissionpolicies -o name -l app.kubernetes.io/instance=seatkeeper | grep "/$SYSTEM[:.]")"
helm uninstall seatkeeper-crds -n "$SYSTEM" >/dev/null
expect "kinds" 7 "$(kubectl get crd -o name | grep -c '\.seatkeeper\.dev$')"
expect "Memberships" "membership.seatkeeper.dev/cyd-core" "$(k get memberships -o name)"
stands

if [[ -z $SLICE ]]; then
    step "It is installed again, and takes everybody over"
    install_charts
    start_operator
    in_order
fi
expect "requests that the cluster refused to the operator" 0 "$(refused_rights)"
printf '\nThe charts work. Mails sent: %s\n' "$(mails_by_kind)"
