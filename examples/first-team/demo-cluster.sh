#!/usr/bin/env bash
# The story of one team by kubectl and the operator, on a real API server.
# Usage: demo-cluster.sh BINARY, with SEATKEEPER_TEST_KUBECONFIG (`make demo-cluster` sets it).
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
: "${SEATKEEPER_TEST_KUBECONFIG:?run it by make demo-cluster}"
export KUBECONFIG=$SEATKEEPER_TEST_KUBECONFIG
# shellcheck source=examples/first-team/story.sh
. "$(dirname "$0")/story.sh"

# shellcheck source=examples/first-team/cluster.sh
. "$(dirname "$0")/cluster.sh"

start_service
copy_manifests
sed -i 's/mode: Manage/&\n  resync: 5s\n  removals: {settle: 2s}/' "$WORK/git/account.yaml"

step "The charts are installed, the operator runs, the Secret is there"
install_charts
start_operator
kubectl create namespace web >/dev/null
k create secret generic acme-token --from-file=token="$WORK/secrets/acme-token/token" >/dev/null
say "ready: $(cat "$WORK/ready")"

step "kubectl apply: a class, an account, a team with a roster of two, and one membership"
shown kubectl apply --server-side -f "$WORK/git"
becomes membership/cyd-core state Pending
becomes team/core counts.pending 2
expect "invitation mails" 3 "$(mails invitation)"
expect "rows tagged invited on the member page" 3 "$(tags)"
shown k get memberships

step "Three people accept, each in another way"
three_accept
becomes membership/cyd-core state Active
becomes team/core counts.active 2
expect "active members" 3 "$(active)"
expect "rows tagged invited on the member page" 0 "$(tags)"
shown k get accounts,teams,memberships

step "Nothing is to be done: three more looks write nothing anywhere"
until_true 30 looked_since "$(looks)" || fail "the operator does not look"
is_quiet

step "A role is raised in git"
was=$(member bo@example.com)
sed -i 's/email: bo@example.com/&\n      role: admin/' "$WORK/git/team.yaml"
kubectl apply --server-side -f "$WORK/git" >/dev/null
raised() { [ "$(jq -r .role <<<"$(member bo@example.com)")" = admin ]; }
until_true 60 raised || fail "the role did not change"
is=$(member bo@example.com)
say "role: $(jq -r .role <<<"$was") -> $(jq -r .role <<<"$is")"
expect "join date kept" "$(jq -r .joined_at <<<"$was")" "$(jq -r .joined_at <<<"$is")"

step "A fourth person is declared: no seat is free"
cat >"$WORK/git/dan.yaml" <<'YAML'
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan-core, namespace: web}
spec: {teamRef: {name: core}, email: dan@example.com, role: developer}
YAML
kubectl apply --server-side -f "$WORK/git" >/dev/null
becomes membership/dan-core state Queued
becomes membership/dan-core position 1
say "$(status membership/dan-core message)"

step "Growth is cancelled while Business remains: the earliest-added stays"
stays=$(earliest | head -n 1)
sed -i 's/mode: Manage/&\n  onSeatShortage: Trim/' "$WORK/git/account.yaml"
kubectl apply --server-side -f "$WORK/git" >/dev/null
cancel growth
until_true 60 counts active 1 || fail "nobody was trimmed"
members | sed 's/^/   | /'
expect "who stays" "$stays" "$(members | awk '$3 == "active" { print $1 }')"
becomes account/acme seats.trimmed 2
shown k get memberships

step "An upgrade to Scale brings them back in order, then invites the fourth"
sent=$(mails invitation)
subscribe scale
becomes membership/dan-core state Pending
expect "active members" 3 "$(active)"
expect "invitation mails since, for the fourth person" 1 "$(($(mails invitation) - sent))"

step "A declaration is deleted: access ends, then the object goes"
shown k delete membership cyd-core --wait=false
until_true 60 gone membership/cyd-core || fail "the object did not go"
expect "cyd at the service" "" "$(member cyd@example.com)"

step "Two trims and one removal used up the window: the next deletions are held"
before=$(writes)
k delete membership dan-core --wait=false >/dev/null
sed -i '/bo@example.com/,/role: admin/d' "$WORK/git/team.yaml"
rm "$WORK/git/dan.yaml" "$WORK/git/membership.yaml"
kubectl apply --server-side -f "$WORK/git" >/dev/null
becomes account/acme held.removals 2
becomes membership/dan-core state Removing
shown k get accounts,memberships
since=$(looks)
until_true 60 looked_since "$since" || fail "the operator does not look"
expect "removals that ran" 0 "$(($(writes) - before))"
digest=$(status account/acme held.digest)
say "$(k get account acme -o 'jsonpath={.status.conditions[?(@.type=="Stalled")].message}')"

step "A person approves exactly this set"
shown k annotate --overwrite account acme "seatkeeper.dev/approve=$digest"
until_true 60 gone membership/dan-core || fail "the object did not go"
until_true 60 counts active 1 || fail "the removals did not run"
members | sed 's/^/   | /'
expect "pending invitations" 0 "$(api GET /seats | jq .breakdown.pending)"
becomes account/acme state Synced
shown k get events --field-selector reportingComponent=seatkeeper \
    -o 'custom-columns=TYPE:.type,REASON:.reason,OBJECT:.involvedObject.name'

step "The account is deleted: its people stay as they are"
active=$(active)
k delete account acme --timeout=60s >/dev/null
expect "active members" "$active" "$(active)"
k delete team core --timeout=60s >/dev/null
kubectl delete namespace web --timeout=60s >/dev/null
kubectl delete accountclass nitropack >/dev/null
expect "active members after the namespace is gone" "$active" "$(active)"

printf '\nThe story is told. Mails sent: %s\n' "$(mails_by_kind)"
