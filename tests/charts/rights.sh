#!/usr/bin/env bash
# Runs a command with all tests of the operator in it, then reads the API server's own record: the operator
# was refused nothing, and used every right that the chart gives it.
# Usage: tests/controlplane/run.sh with tests/charts/rights.sh COMMAND…
set -euo pipefail

user=system:serviceaccount:seatkeeper-system:seatkeeper
# Rights that no test uses, and why they are given.
unused=(
  'patch events.k8s.io/events'            # an event that comes again within minutes counts up
  'delete seatkeeper.dev/accountledgers'  # pages that a smaller ledger needs no more; tests of the ledger do it
  'keep seatkeeper.dev/accountledgers'    # no call: the admission policy asks for it
)

say() { printf 'rights: %s\n' "$*" >&2; }

code=0
"$@" || code=$?

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -F "\"username\":\"$user\"" "$SEATKEEPER_TEST_AUDIT_LOG" >"$work/requests" || {
  say "error: the record has no request of $user"
  exit 1
}
request='"\(.verb) \(.objectRef.apiGroup // "" )/\(.objectRef.resource)\(if .objectRef.subresource then "/" + .objectRef.subresource else "" end)"'
jq -r "select(.annotations[\"authorization.k8s.io/decision\"] == \"forbid\") | $request + \" \" + (.objectRef.namespace // \"\")" \
  "$work/requests" | sort | uniq -c >"$work/refused"
if [[ -s $work/refused ]]; then
  say 'error: the operator was refused what it asked for:'
  cat "$work/refused" >&2
  exit 1
fi
[[ $code -eq 0 ]] || exit "$code" # Tests that failed may not have come to use a right.

# given ROLE… | used FILTER: verbs and resources, one a line.
given() {
  kubectl get "$@" -o json |
    jq -r '.rules[] | .apiGroups[0] as $group | .resources[0] as $resource | .verbs[] | "\(.) \($group)/\($resource)"' | sort -u
}
used() { jq -r "select($1) | $request" "$work/requests" | sort -u; }
given clusterrole seatkeeper-system:seatkeeper >"$work/given"
used true >"$work/used"
given role seatkeeper -n seatkeeper-system >"$work/given-at-home"
used '.objectRef.namespace == "seatkeeper-system"' >"$work/used-at-home"
for where in '' -at-home; do
  comm -23 "$work/given$where" "$work/used$where" | sed "s/\$/${where//-/ }/"
done | grep -vxF "$(printf '%s\n' "${unused[@]}")" >"$work/too-much" || true
if [[ -s $work/too-much ]]; then
  say 'error: rights of the chart that nothing used (charts/seatkeeper/files/access.yaml):'
  cat "$work/too-much" >&2
  exit 1
fi
say "$(wc -l <"$work/requests") requests, none refused, every right used"
