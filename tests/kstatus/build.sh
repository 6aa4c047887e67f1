#!/usr/bin/env bash
# Prints the path of the program that asks kstatus, and builds it first if it is not cached yet.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

key=$(cd "$here" && sha256sum go.mod go.sum main.go build.sh | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/seatkeeper/kstatus
program=$cache/$key

if [[ ! -x $program ]]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
fi

if [[ ! -x $program ]]; then
  command -v go >/dev/null || {
    echo 'kstatus: error: go is not installed' >&2
    echo 'kstatus: hint: run tests/prepare.sh' >&2
    exit 1
  }
  echo 'kstatus: building, about 1 minute the first time' >&2
  rm -f "$cache"/new.*
  new=$(mktemp "$cache/new.XXXXXX")
  trap 'rm -f "$new"' EXIT
  (cd "$here" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$new" . 9>&-)
  chmod 755 "$new"
  mv -T "$new" "$program"
fi

echo "$program"
