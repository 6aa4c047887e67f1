#!/usr/bin/env bash
# A PostgreSQL server for tests, on a free port of 127.0.0.1 and never as root.
# Usage: postgres.sh find: prints the folder of initdb and postgres, or fails.
#        postgres.sh keep: keeps one server in a temporary folder of its own. Each line of stdin is
#                          a command: start, or the signal to stop it with (INT: fast, QUIT:
#                          immediate). Each is answered by one line: the server's address, stopped,
#                          or error. At the end of stdin the server and its folder are gone.
# A crash of the machine may cost the data, unless SEATKEEPER_POSTGRES_FSYNC is on.
set -euo pipefail

deadline=60 # seconds until the server has to be ready
server=     # process that listens

say() { printf 'postgres: %s\n' "$*" >&2; }

find_programs() {
  local folder
  if [[ -n ${SEATKEEPER_POSTGRES_BIN:-} ]]; then
    folder=$SEATKEEPER_POSTGRES_BIN
  elif command -v initdb >/dev/null && command -v postgres >/dev/null; then
    folder=$(dirname "$(command -v initdb)")
  else
    folder=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  fi
  [[ -x $folder/initdb && -x $folder/postgres ]] && echo "$folder"
}

free_port() {
  local port
  while :; do
    port=$((12000 + RANDOM % 8000)) # below the ports that outgoing connections get
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# Sets `as`, which runs a program as somebody who may run PostgreSQL, and hands the folder over.
choose_user() {
  as=(setpriv --pdeathsig QUIT)
  if [[ $EUID -eq 0 ]]; then
    as+=(--reuid nobody --regid "$(id -g nobody)" --clear-groups --no-new-privs)
    chown -R "nobody:$(id -g nobody)" "$dir"
  fi
}

# In a locale that knows letters beyond ASCII: the service must not depend on it.
make_cluster() {
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "$password" >"$dir/password")
  choose_user
  "${as[@]}" "$programs/initdb" --pgdata="$dir/data" --username=seatkeeper --pwfile="$dir/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$dir/log" 2>&1
}

launch() {
  # No socket file: its path could be longer than a socket's may be.
  "${as[@]}" "$programs/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200 -c shared_buffers=16MB \
    -c fsync="${SEATKEEPER_POSTGRES_FSYNC:-off}" \
    </dev/null >>"$dir/log" 2>&1 &
  server=$!
}

# The server writes its process into the first line of its lock, and its state into the eighth.
is_ready() {
  [[ $(sed -n '1p;8p' "$dir/data/postmaster.pid" 2>/dev/null | tr -d ' \n') == "${server}ready" ]]
}

await() {
  local end=$((SECONDS + deadline))
  until is_ready; do
    ((SECONDS < end)) || return 1
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.05
  done
}

start() {
  local tries
  [[ -n $kept_port ]] || make_cluster || return 1
  # The first start looks for a port; the later ones keep it.
  for ((tries = 0; tries < 5; tries++)); do
    [[ -n $kept_port ]] || port=$(free_port)
    launch
    if await; then
      kept_port=$port
      return 0
    fi
    stop QUIT
  done
  return 1
}

stop() { # SIGNAL
  [[ -n $server ]] || return 0
  kill -s "$1" "$server" 2>/dev/null || true
  wait "$server" || true
  server=
}

clean_up() {
  trap '' HUP INT TERM
  stop QUIT
  rm -rf "$dir"
}

keep() {
  local command
  dir=$(mktemp -d "${TMPDIR:-/tmp}/seatkeeper-postgres.XXXXXX")
  kept_port=
  trap clean_up EXIT
  trap '' PIPE # who asked may be gone before the answer
  trap 'exit 1' HUP INT TERM
  cd "$dir"
  while read -r command; do
    if [[ $command != start ]]; then
      stop "$command"
      echo stopped
    elif start; then
      echo "postgres://seatkeeper:$password@127.0.0.1:$port/postgres"
    else
      tail -n 20 "$dir/log" >&2
      echo error
    fi
  done
}

case ${1:-} in
  find) find_programs ;;
  keep)
    programs=$(find_programs) || {
      say 'error: initdb and postgres are in neither PATH nor /usr/lib/postgresql/*/bin'
      say 'hint: tests/prepare.sh test, or set SEATKEEPER_POSTGRES_BIN'
      exit 1
    }
    keep
    ;;
  *) printf 'usage: %s find|keep\n' "$0" >&2; exit 2 ;;
esac
