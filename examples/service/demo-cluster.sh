#!/usr/bin/env bash
# Every product at once by kubectl and the operator, on a real API server.
# Usage: demo-cluster.sh BINARY, with SEATKEEPER_TEST_KUBECONFIG (`make demo-cluster` sets it).
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
: "${SEATKEEPER_TEST_KUBECONFIG:?run it by make demo-cluster}"
export KUBECONFIG=$SEATKEEPER_TEST_KUBECONFIG
# shellcheck source=examples/first-team/story.sh
. "$(dirname "$0")/../first-team/story.sh"
# shellcheck source=examples/first-team/cluster.sh
. "$(dirname "$0")/../first-team/cluster.sh"
# shellcheck source=examples/service/products.sh
. "$(dirname "$0")/products.sh"

serve "$SEED"
install_charts
start_operator
kubectl create namespace web >/dev/null

step "Five accounts, one of each product, are imported and applied in mode Observe"
before=$(writes)
for account in "${PRODUCTS[@]}"; do
    enter "$account"
    import_account
    sed -i 's/mode: Observe/&\n  resync: 5s\n  removals: {settle: 2s}/' "$WORK/$FOLDER/account.yaml"
    k create secret generic "$ACCOUNT-token" --from-file=token="$WORK/secrets/$ACCOUNT-token/token" >/dev/null
    kubectl apply --server-side -f "$WORK/$FOLDER" >/dev/null
done
for account in "${PRODUCTS[@]}"; do becomes "account/$account" state Observing; done
expect "writes to the service" 0 "$(($(writes) - before))"
expect "mails" 0 "$(mails '')"

step "More is declared for each, and the modes are raised"
enter northwind
make_agency
for account in "${PRODUCTS[@]}"; do
    enter "$account"
    declare_more
    sed -i 's/mode: Observe/mode: Manage/' "$WORK/$FOLDER/account.yaml"
    kubectl apply --server-side -f "$WORK/$FOLDER" >/dev/null
done
for name in nils dirk lea lou carl; do becomes "membership/$name" state Pending; done
becomes team/print counts.pending 1
becomes clientaccess/ben state Requested
becomes notificationsubscription/usage state Waiting
until_true 60 has_mail ownership-confirm dora || fail "dora is not asked to confirm bill"
shown k get accounts,teams,memberships,clientaccesses,notificationsubscriptions

step "People answer"
for account in "${PRODUCTS[@]}"; do
    enter "$account"
    they_answer
done
for name in nils dirk lea lou carl; do becomes "membership/$name" state Active; done
becomes team/print counts.active 2
becomes clientaccess/ben state Granted
becomes notificationsubscription/usage state Synced
for account in "${PRODUCTS[@]}"; do
    becomes "account/$account" state Synced
    enter "$account"
    check_account
done

step "Nothing is left to do, in any of them"
LOOKED_AT=${#PRODUCTS[@]}
until_true 30 looked_since "$(looks)" || fail "the operator does not look"
is_quiet

printf '\nThe stories are told. Mails sent: %s\n' "$(mails_by_kind)"
