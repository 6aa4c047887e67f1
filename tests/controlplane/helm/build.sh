#!/usr/bin/env bash
# Prints the folder that holds helm, and builds it first if it is not cached yet.
# SEATKEEPER_HELM: a helm of yours that is used instead.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'helm: %s\n' "$*" >&2; }

if [[ -n ${SEATKEEPER_HELM:-} ]]; then
  [[ -x $SEATKEEPER_HELM && ${SEATKEEPER_HELM##*/} == helm ]] || {
    say "error: SEATKEEPER_HELM is $SEATKEEPER_HELM, which is no executable helm"
    say "hint: unset it to build one here"
    exit 1
  }
  (cd "$(dirname "$SEATKEEPER_HELM")" && pwd)
  exit
fi

key=$(cd "$here" && sha256sum go.mod go.sum build.sh | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/seatkeeper/helm

if [[ ! -d $cache/$key ]]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
fi

if [[ ! -d $cache/$key ]]; then
  command -v go >/dev/null || {
    say 'error: go is not installed'
    say 'hint: run tests/prepare.sh, or set SEATKEEPER_HELM'
    exit 1
  }
  rm -rf "$cache"/new.*
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  say 'building helm, about 3 minutes the first time'
  (cd "$here" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' \
    -o "$new/helm" helm.sh/helm/v4/cmd/helm 9>&-) >&2
  chmod 755 "$new"
  mv -T "$new" "$cache/$key"
  say "built in $SECONDS s: $cache/$key"
fi

echo "$cache/$key"
