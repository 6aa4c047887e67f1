#!/usr/bin/env bash
# Prints the folder that holds etcd, kube-apiserver, kube-controller-manager and
# kubectl, and builds them first if they are not cached yet.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'controlplane: %s\n' "$*" >&2; }
fail() {
  say "error: $1"
  say "hint: $2"
  exit 1
}

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  for program in etcd kube-apiserver kubectl; do
    [[ -x $KUBEBUILDER_ASSETS/$program ]] ||
      fail "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, and there is no executable $program in it" \
        "point it at the folder that 'setup-envtest use -p path' prints, or unset it to build the control plane here"
  done
  [[ -x $KUBEBUILDER_ASSETS/kube-controller-manager ]] ||
    say "no kube-controller-manager in KUBEBUILDER_ASSETS: tests that delete namespaces or rely on owner references need it"
  (cd "$KUBEBUILDER_ASSETS" && pwd)
  exit
fi

key=$(cd "$here" && sha256sum go.mod go.sum main.go build.sh | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/seatkeeper/controlplane
assets=$cache/$key

if [[ ! -d $assets ]]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock -n 9 || {
    say "waiting for another build of the control plane"
    flock 9
  }
fi

if [[ ! -d $assets ]]; then
  command -v go >/dev/null || fail "go is not installed" "run tests/prepare.sh, or set KUBEBUILDER_ASSETS"
  version=$(sed -nE 's/^\tk8s\.io\/kubernetes v([0-9.]+)$/\1/p' "$here/go.mod")
  IFS=. read -r major minor _ <<<"$version"
  stamps=
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamps+=" -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
    stamps+=" -X $package.gitCommit=v$version -X $package.gitTreeState=clean"
  done

  rm -rf "$cache"/new.*
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  say "building the control plane, about 7 minutes the first time"
  compiled=0
  (cd "$here" && GOWORK=off CGO_ENABLED=0 go build -v -trimpath -buildvcs=false \
    -ldflags "-s -w$stamps" -o "$new/controlplane" . 9>&-) |&
    while IFS= read -r line; do
      case $line in
        'go: downloading '*) ;;
        *[[:space:]:]*) say "$line" ;;
        *) ((++compiled % 200)) || say "$compiled packages compiled" ;;
      esac
    done
  for program in etcd kube-apiserver kube-controller-manager kubectl; do
    ln -s controlplane "$new/$program"
  done
  chmod 755 "$new"
  mv -T "$new" "$assets"
  say "built in $SECONDS s: $assets"
fi

echo "$assets"
