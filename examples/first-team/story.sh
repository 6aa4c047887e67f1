# shellcheck shell=bash
# What all demos share: a service of their own, people with a browser, and eyes. Sourced.
# Every figure is read from the service, its mails or its request log; none is typed in.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Where everything of this run lives; removed at the end.
WORK=$(mktemp -d "${TMPDIR:-/tmp}/seatkeeper-demo.XXXXXX")
PASSWORD='correct horse battery'
STARTED=()

cleanup() {
    local pid
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${STARTED[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
# expect WHAT WANTED SEEN
expect() {
    [ "$2" = "$3" ] || fail "$1: expected $2, saw $3"
    say "$1: $3"
}
# until_true SECONDS COMMAND…: tries every fifth of a second.
until_true() {
    local tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}
# The account that is looked at.
ACCOUNT=acme
token() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# Starts the account service with the account acme on the plans business and growth.
start_service() {
    TOKEN=$(token) VENDOR=$(token)
    mkdir -p "$WORK/secrets/acme-token"
    printf '%s' "$TOKEN" >"$WORK/secrets/acme-token/token"
    cat >"$WORK/seed.yaml" <<YAML
vendorTokens:
  - token: $VENDOR
users:
  - {email: bo@example.com, name: Bo, password: $PASSWORD}
  - {email: cyd@example.com, name: Cyd, password: $PASSWORD}
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: $PASSWORD}
    subscriptions: [business, growth]
    tokens:
      - {token: $TOKEN, scopes: [read, invite, change, remove, billing, manage]}
YAML
    serve "$WORK/seed.yaml"
}

# Starts the account service with a seed.
serve() {
    "$BINARY" server --listen 127.0.0.1:0 --data-dir "$WORK/data" --seed "$1" \
        --request-log "$WORK/requests.jsonl" --address-file "$WORK/address" 2>"$WORK/server.log" &
    STARTED+=("$!")
    until_true 20 test -s "$WORK/address" || fail "the service did not start: $(cat "$WORK/server.log")"
    SERVICE=$(cat "$WORK/address")
}

# Copies the manifests, pointed at the service that was just started.
copy_manifests() {
    mkdir -p "$WORK/git"
    cp "$HERE"/*.yaml "$WORK/git/"
    sed -i "s|url: .*|url: $SERVICE|" "$WORK/git/account-class.yaml"
}

api() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body -X "$method" -H "Authorization: Bearer ${AS:-$TOKEN}" \
        -H "Idempotency-Key: $RANDOM$RANDOM" -H 'Content-Type: application/json' "$@" "$SERVICE/v1/accounts/$ACCOUNT$path"
}
# The worker sends by itself, a moment after the change.
all_sent() { [ "$(api GET "/invitations?page_size=1000" | jq '[.items[] | select(.delivery == "queued" or .delivery == "sending")] | length')" -eq 0 ]; }
mails() {
    until_true 20 all_sent || fail "mails are still queued"
    count_mails "$1"
}
count_mails() { find "$WORK/data/spool" -name "*$1*.eml" 2>/dev/null | wc -l; }
# How many mails of each kind went out; a file is named ID-KIND.eml.
mails_by_kind() {
    find "$WORK/data/spool" -name '*.eml' -exec basename {} .eml \; | sed 's/^[^-]*-//' \
        | sort | uniq -c | awk '{ printf "%s%s %s", sep, $1, $2; sep = ", " }'
}
members() { api GET "/members?page_size=1000" | jq -r '.items[] | select(.role != "owner") | "\(.email) \(.role) \(.state)"' | sort; }
member() { api GET "/members?page_size=1000" | jq -c --arg email "$1" '.items[] | select(.email == $email)'; }
active() { members | grep -c ' active$' || true; }
earliest() { api GET "/members?page_size=1000" | jq -r '[.items[] | select(.role != "owner")] | sort_by(.added_at, .id) | .[].email'; }
# Writes that the service was asked for so far, by our token or by anyone.
writes() { jq -s '[.[] | select(.method != "GET" and .method != "HEAD" and (.route | startswith("/v1/")))] | length' "$WORK/requests.jsonl"; }
cancel() {
    local row
    row=$(api GET /subscriptions | jq -c --arg plan "$1" '[.items[] | select(.plan == $plan and .state == "active")] | last')
    api POST "/subscriptions/$(jq -r .id <<<"$row")/cancel" -H "If-Match: $(jq -r .etag <<<"$row")" >/dev/null
}
subscribe() { AS=$VENDOR api POST /subscriptions -d "{\"plan\": \"$1\"}" >/dev/null; }

# The link in the last mail of a kind to an address. The mail is quoted-printable.
link_to() {
    local kind=$1 mail
    mail=$(grep -il "^to: .*$2" "$WORK/data/spool"/*"$kind"*.eml | sort | tail -n 1)
    [ -n "$mail" ] || fail "no $kind to $2"
    sed -e ':a' -e '/=\r\{0,1\}$/N; s/=\r\{0,1\}\n//; ta' "$mail" | tr -d '\r' \
        | grep -o "$SERVICE/[a-z]*/[A-Za-z0-9_.-]*" | head -n 1
}
# open_page PERSON URL: as a browser with that person's cookies.
open_page() { curl -sS --fail -L -b "$WORK/$1.cookies" -c "$WORK/$1.cookies" "$2"; }
# mark_of ACTION: the hidden field of the form with that action, from the page on stdin.
mark_of() { tr '\n' ' ' | grep -o "action=\"$1\"[^>]*>[^>]*name=\"mark\" value=\"[^\"]*" | sed 's/.*value="//' | head -n 1; }
# submit PERSON URL ACTION FIELD…: opens the page, fills in its form, sends it.
submit() {
    local person=$1 url=$2 action=$3 mark field fields=()
    shift 3
    mark=$(open_page "$person" "$url" | mark_of "$action")
    [ -n "$mark" ] || fail "no form $action at $url"
    for field in "$@"; do fields+=(--data-urlencode "$field"); done
    curl -sS --fail -L -o "$WORK/$person.html" -b "$WORK/$person.cookies" -c "$WORK/$person.cookies" \
        --data-urlencode "mark=$mark" "${fields[@]}" "$SERVICE$action"
}
accept() {
    local person=$1 link
    until_true 20 all_sent || fail "mails are still queued"
    link=$(link_to invitation "$person@example.com")
    shift
    submit "$person" "$link" "${link#"$SERVICE"}/accept" "$@"
}
# Three people, three ways (NP-05).
three_accept() {
    accept ana "name=Ana" "password=$PASSWORD"
    say "ana signed up through the link"
    accept bo "password=$PASSWORD"
    say "bo signed in through the link"
    submit cyd "$SERVICE/signin" /signin "email=cyd@example.com" "password=$PASSWORD"
    accept cyd
    say "cyd was signed in already and accepted"
}
# The member list as the owner sees it: how many rows carry the tag `invited`.
tags() {
    [ -s "$WORK/owner.cookies" ] || submit owner "$SERVICE/signin" /signin "email=owner@example.com" "password=$PASSWORD"
    open_page owner "$SERVICE/accounts/acme/members" | grep -o '>invited<' | wc -l
}
