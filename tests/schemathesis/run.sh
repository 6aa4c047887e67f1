#!/usr/bin/env bash
# Checks the account service against its contract, docs/openapi.json: the document itself, then
# requests that fit it and requests that do not, by schemathesis, against a service of its own. Its
# data is in PostgreSQL where there is one (it takes less than SQLite does), else in a file.
# The same SEED (0; `random` for another one each time) asks for the same, as far as the answers go.
# Usage: SEED=N run.sh BINARY [SECONDS]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=$(realpath "$1")
seconds=${2:-120}
seed=${SEED:-0}
[[ $seed != random ]] || seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
contract=$root/docs/openapi.json
folder=$(mktemp -d)
server=

stop() {
  local code=$?
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  if [[ -n ${postgres_PID:-} ]]; then
    exec {postgres[1]}>&-
    wait "$postgres_PID" || true
  fi
  [[ $code -eq 0 ]] || tail -n 20 "$folder/server.log" >&2 || true
  rm -rf "$folder"
  exit "$code"
}
trap stop EXIT

say() { printf 'schemathesis: %s\n' "$*" >&2; }

# The tools, in a folder of their own named after what is in it.
tools() {
  local sum venv
  sum=$(cat "$here/requirements.txt" <(python3 --version) | sha256sum | cut -c1-16)
  venv=${CARGO_TARGET_DIR:-$root/target}/schemathesis/$sum
  if [[ ! -e $venv/ready ]]; then
    say "installing the tools"
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
      -r "$here/requirements.txt" >&2
    touch "$venv/ready"
  fi
  echo "$venv/bin"
}

keep_postgres() {
  "$root/tests/postgres.sh" find >/dev/null || return 0
  coproc postgres { "$root/tests/postgres.sh" keep; }
  echo start >&"${postgres[1]}"
  read -r SEATKEEPER_DATABASE_URL <&"${postgres[0]}"
  [[ $SEATKEEPER_DATABASE_URL != error ]] || { say "PostgreSQL did not start"; exit 1; }
  export SEATKEEPER_DATABASE_URL
}

start() {
  SEATKEEPER_LOG=info "$binary" server --listen 127.0.0.1:0 --data-dir "$folder/data" \
    --requests-per-minute unlimited --seed "$here/seed.yaml" --address-file "$folder/address" \
    --request-log "$folder/requests.jsonl" 2>"$folder/server.log" &
  server=$!
  local tries=0
  until [[ -s $folder/address ]]; do
    kill -0 "$server" 2>/dev/null || { say "the service did not start"; exit 1; }
    [[ $((tries += 1)) -lt 300 ]] || { say "the service does not answer"; exit 1; }
    sleep 0.1
  done
}

# Operations that nobody got an answer of: what the hooks send for them is to be looked at.
unanswered() {
  comm -23 \
    <(jq -r '.paths | to_entries[] | .key as $path | .value | keys[] | select(. != "parameters")
      | "\(ascii_upcase) \($path)"' "$contract" | sort) \
    <(jq -r 'select(.status < 300) | "\(.method) \(.route)"' "$folder/requests.jsonl" | sort -u)
}

bin=$(tools)
say "the document"
"$bin/openapi-spec-validator" "$contract" >&2
keep_postgres
start
SEATKEEPER_URL=$(<"$folder/address")
export SEATKEEPER_URL SEATKEEPER_CONTRACT=$contract SCHEMATHESIS_HOOKS=hooks SEATKEEPER_CHANCE=$seed
export PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1
say "the service, for $seconds s, SEED=$seed"
cd "$folder"
"$bin/schemathesis" --config-file "$here/schemathesis.toml" run "$contract" --url "$SEATKEEPER_URL" \
  --seed "$seed" --max-time "$seconds" --generation-database none --output-sanitize false --no-color
unanswered | while read -r operation; do say "never answered: $operation"; done
