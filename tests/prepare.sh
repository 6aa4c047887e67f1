#!/usr/bin/env bash
# Makes sure that the tools are there. On a Debian-like machine, root gets the missing ones
# installed; anybody else is told what to install.
# Usage: prepare.sh build: what building and the demo by command line need.
#        prepare.sh test:  that, what the control plane needs, and PostgreSQL.
#        prepare.sh mail:  what building needs, and a mail server.
#        prepare.sh contract: what checking the service against its contract needs.
set -euo pipefail

case ${1:-test} in
  build) tools=(cc cargo curl jq) for_tests='' ;;
  mail) tools=(cc cargo setsid) for_tests='' for_mail=yes ;;
  test) tools=(cc make openssl curl jq setpriv cargo) for_tests=yes ;;
  contract) tools=(python3 jq) for_tests='' for_contract=yes ;;
  *) printf 'usage: %s [build|test|mail|contract]\n' "$0" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

declare -A packages=(
  [cc]='gcc libc6-dev' [make]=make [openssl]=openssl [curl]='curl ca-certificates' [jq]=jq [setpriv]=util-linux [setsid]=util-linux [cargo]=rustup
  [go]=golang-go [postgres]=postgresql [exim]=exim4-daemon-light [python3]=python3 [venv]=python3-venv
)
declare -A hints=(
  [cargo]='install rustup and have its cargo in PATH'
  [go]='install Go 1.21 or newer (it fetches a newer one itself) and have it in PATH, or set KUBEBUILDER_ASSETS'
  [venv]='install Python 3.11 or newer with venv (Debian: apt-get install python3-venv)'
  [postgres]='install the PostgreSQL server (Debian: apt-get install postgresql), or set SEATKEEPER_POSTGRES_BIN to the folder of its initdb'
)

say() { printf 'prepare: %s\n' "$*" >&2; }

find_missing() {
  local tool
  missing=()
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [[ -z ${for_mail:-} ]] || "$here/mail/server.sh" find >/dev/null || missing+=(exim)
  [[ -z ${for_contract:-} ]] || python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' &>/dev/null || missing+=(venv)
  [[ -n $for_tests ]] || return 0
  # Refuses a Go that is too old for the go.mod and cannot fetch a newer one by itself.
  [[ -n ${KUBEBUILDER_ASSETS:-} ]] || (cd "$here/controlplane" && go list -m) &>/dev/null || missing+=(go)
  "$here/postgres.sh" find >/dev/null || missing+=(postgres)
}

has_package() { # PACKAGE
  local version
  version=$(apt-cache policy "$1" | sed -n 's/^  Candidate: //p')
  case $version in
    '' | '(none)') return 1 ;;
  esac
  # Go fetches a newer Go from 1.21 on; what is older is of no use here.
  [[ $1 != golang-go ]] || dpkg --compare-versions "$version" ge 2:1.21
}

install() { # PACKAGES...
  local settings=/etc/postgresql-common/createcluster.conf policy=/usr/sbin/policy-rc.d kept='' code=0
  # Debian's server packages make and start a server of the machine's own: not for the sake of tests.
  if [[ " $* " == *' postgresql '* ]]; then
    "${apt[@]}" install -y --no-install-recommends postgresql-common >&2
    kept=$(mktemp)
    cp "$settings" "$kept"
    echo 'create_main_cluster = false' >>"$settings"
  fi
  # Nor shall a mail server of the machine's own be started.
  if [[ " $* " == *' exim4-daemon-light '* && ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  else
    policy=
  fi
  "${apt[@]}" install -y --no-install-recommends "$@" >&2 || code=$?
  [[ -z $policy ]] || rm "$policy"
  [[ -z $kept ]] || { cat "$kept" >"$settings" && rm "$kept"; }
  return "$code"
}

find_missing
[[ ${#missing[@]} -gt 0 ]] || exit 0
say "missing: ${missing[*]}"

if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2 || say "apt-get update failed, going on with the package lists at hand"
  wanted=()
  for tool in "${missing[@]}"; do
    for package in ${packages[$tool]}; do
      ! has_package "$package" || wanted+=("$package")
    done
  done
  if [[ ${#wanted[@]} -gt 0 ]]; then
    say "installing ${wanted[*]}"
    install "${wanted[@]}"
  fi
  find_missing
  [[ ${#missing[@]} -gt 0 ]] || exit 0
  say "error: still missing: ${missing[*]}"
fi

for tool in "${missing[@]}"; do
  say "hint: ${hints[$tool]:-install $tool (Debian: apt-get install ${packages[$tool]})}"
done
exit 1
