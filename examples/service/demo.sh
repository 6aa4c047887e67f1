#!/usr/bin/env bash
# A story of every product by command line: import what is there, declare more, see it happen.
# Usage: demo.sh BINARY
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
# shellcheck source=examples/first-team/story.sh
. "$(dirname "$0")/../first-team/story.sh"
# shellcheck source=examples/service/products.sh
. "$(dirname "$0")/products.sh"

# run WANTED-EXIT COMMAND: runs it on the account, shows it and what it prints.
run() {
    local code=0
    say "\$ seatkeeper $2 -f $FOLDER"
    (cd "$WORK" && "$BINARY" "$2" -f "$FOLDER" --ledger "file:ledger-$ACCOUNT" --secrets secrets) >"$WORK/out" 2>"$WORK/err" || code=$?
    sed 's/^/   | /' "$WORK/out" "$WORK/err"
    [ "$code" -eq "$1" ] || fail "exit code $code, expected $1"
}

serve "$SEED"
for account in "${PRODUCTS[@]}"; do
    enter "$account"
    [ "$account" != northwind ] || make_agency
    step "$account ($(profile)): who is there is imported"
    import_account
    before=$(writes)
    run 0 plan
    expect "writes to the service so far" 0 "$(($(writes) - before))"

    step "$account: more is declared, and the mode is raised"
    declare_more
    sed -i 's/mode: Observe/mode: Manage/' "$WORK/$FOLDER/account.yaml"
    run 3 plan
    sent=$(mails invitation)
    run 0 apply
    expect "invitation mails" "$(invited | wc -w)" "$(($(mails invitation) - sent))"

    step "$account: people answer, and what waited for them follows"
    they_answer
    run 0 apply
    check_account

    step "$account: nothing is left to do"
    before=$(writes)
    run 0 apply
    expect "writes to the service since" 0 "$(($(writes) - before))"
done

printf '\nThe stories are told. Mails sent: %s\n' "$(mails_by_kind)"
