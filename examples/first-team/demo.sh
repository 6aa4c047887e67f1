#!/usr/bin/env bash
# The story of one team, from YAML to accepted invitations and back, by command line.
# Usage: demo.sh BINARY
set -euo pipefail
BINARY=$(realpath "${1:?the seatkeeper binary}")
# shellcheck source=examples/first-team/story.sh
. "$(dirname "$0")/story.sh"

# run WANTED-EXIT ARGUMENTS…: runs a command of the program, shows it and what it prints.
run() {
    local wanted=$1 code=0
    shift
    say "\$ seatkeeper $*"
    (cd "$WORK" && "$BINARY" "$@" -f git --ledger file:ledger --secrets secrets) >"$WORK/out" 2>"$WORK/err" || code=$?
    sed 's/^/   | /' "$WORK/out" "$WORK/err"
    [ "$code" -eq "$wanted" ] || fail "exit code $code, expected $wanted"
}
ledger() { find "$WORK/ledger" -type f -name '*.json' -exec cat {} + 2>/dev/null | sha256sum | cut -c1-16; }

start_service
copy_manifests
step "Git holds a class, an account, a team with a roster of two, and one membership"
(cd "$WORK/git" && ls)

step "plan: what would be done"
run 3 plan
expect "mails so far" 0 "$(mails '')"

step "apply: three mails"
run 0 apply
expect "invitation mails" 3 "$(mails invitation)"
expect "rows tagged invited on the member page" 3 "$(tags)"

step "Three people accept, each in another way"
three_accept
members | sed 's/^/   | /'
expect "active members" 3 "$(active)"
expect "rows tagged invited on the member page" 0 "$(tags)"

step "apply again: nothing to change; a third time writes nothing anywhere"
before=$(writes)
run 0 apply
noted=$(ledger)
run 0 apply
expect "writes to the service since" 0 "$(($(writes) - before))"
expect "the ledger is the same" "$noted" "$(ledger)"

step "A role is raised in git"
was=$(member bo@example.com)
sed -i 's/email: bo@example.com/&\n      role: admin/' "$WORK/git/team.yaml"
run 0 apply
is=$(member bo@example.com)
expect "role" "developer -> admin" "$(jq -r .role <<<"$was") -> $(jq -r .role <<<"$is")"
expect "join date kept" "$(jq -r .joined_at <<<"$was")" "$(jq -r .joined_at <<<"$is")"

step "A fourth person is declared: no seat is free"
cat >"$WORK/git/dan.yaml" <<'YAML'
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan-core, namespace: web}
spec: {teamRef: {name: core}, email: dan@example.com, role: developer}
YAML
run 4 plan

step "Growth is cancelled while Business remains: too few seats; the earliest-added stays"
stays=$(earliest | head -n 1)
cancel growth
say "seats now: $(api GET /seats | jq -c '{limit, used, enforce_at}')"
sed -i 's/mode: Manage/&\n  onSeatShortage: Trim/' "$WORK/git/account.yaml"
run 4 apply
members | sed 's/^/   | /'
expect "who stays" "$stays" "$(members | awk '$3 == "active" { print $1 }')"
run 4 status

step "An upgrade to Scale brings them back in order, then invites the fourth"
sent=$(mails invitation)
subscribe scale
run 0 apply
expect "active members" 3 "$(active)"
expect "invitation mails since, for the fourth person" 1 "$(($(mails invitation) - sent))"

step "A declaration is deleted: access ends"
rm "$WORK/git/membership.yaml"
run 0 apply
expect "cyd at the service" "" "$(member cyd@example.com)"

step "Two trims and one removal used up the window: the next deletions are held"
rm "$WORK/git/dan.yaml"
sed -i '/bo@example.com/,/role: admin/d' "$WORK/git/team.yaml"
before=$(writes)
run 4 apply
expect "removals that ran" 0 "$(($(writes) - before))"
run 4 status
digest=$(grep -o -- '--approve [0-9a-f]*' "$WORK/out" | head -n 1 | cut -d' ' -f2)
run 4 plan
expect "digest that plan prints" "$digest" "$(grep -o -- '--approve [0-9a-f]*' "$WORK/out" | head -n 1 | cut -d' ' -f2)"

step "A person approves exactly this set"
run 0 apply --approve "$digest"
members | sed 's/^/   | /'
expect "active members" 1 "$(active)"
expect "pending invitations" 0 "$(api GET /seats | jq .breakdown.pending)"

printf '\nThe story is told. Mails sent: %s\n' "$(mails_by_kind)"
