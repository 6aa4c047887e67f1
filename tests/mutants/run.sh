#!/usr/bin/env bash
# Shows that the tests notice when a guard is broken: each patch beside this file breaks one rule, in
# a copy of the sources, and the tests that it names must turn red.
#
#   run.sh             every patch
#   run.sh --slice N   N of them; those that follow on each other day
#   run.sh PATCH...    these
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

root=${CARGO_TARGET_DIR:-$PWD/target}
copy=$root/mutants/sources
log=$root/mutants/log
deadline=300 # seconds until tests of a mutant that never end count as red
building=1800

say() { printf 'mutants: %s\n' "$*"; }
fail() {
  say "error: $*" >&2
  exit 1
}

chosen() { # ARGS...: prints the patches
  local all=("$here"/*.patch) count=${2:-0} first i
  case ${1:-} in
    '') printf '%s\n' "${all[@]}" ;;
    --slice)
      [[ $count =~ ^[1-9][0-9]*$ ]] || fail "--slice takes a number of patches"
      ((count < ${#all[@]})) || count=${#all[@]}
      first=$(($(date +%s) / 86400 * count))
      for ((i = first; i < first + count; i++)); do printf '%s\n' "${all[i % ${#all[@]}]}"; done
      ;;
    *) realpath -- "$@" ;;
  esac
}

head_line() { # PATCH NAME
  local value
  value=$(sed -n "/^---/q; s/^$2: //p" "$1")
  [[ -n $value ]] || fail "${1##*/} has no line '$2: ...' at its head"
  printf '%s' "$value"
}

# Every file with a new time, so that nothing of an earlier mutant counts as built.
copy_sources() {
  rm -rf "$copy"
  mkdir -p "$copy"
  git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -xm -C "$copy"
}

# Dependencies are those of the normal build; what is ours is built anew.
link_dependencies() {
  local build=$root/mutants/build
  [[ ! -d $build && -d $root/debug ]] || return 0
  mkdir -p "$build/debug"
  (cd "$root/debug" && cp -al deps build .fingerprint "$build/debug/") || return 0
  rm -rf "$build"/debug/{deps,.fingerprint}/*seatkeeper-* "$build"/debug/deps/{it,plan,server}-*
}

cargo_test() { # ARGS...
  (cd "$copy" && CARGO_TARGET_DIR=$root/mutants/build INSTA_UPDATE=no RUST_BACKTRACE=0 \
    timeout "$deadline" cargo test --locked --test it "$@") >"$log" 2>&1
}

# Runs the unpatched tests: what is red or finds no test says nothing of a mutant.
check_unpatched() { # FILTERS...
  deadline=$building cargo_test --no-run || { tail -n 40 "$log" >&2; fail "the sources do not build"; }
  local filter
  for filter; do
    cargo_test -- "$filter" || { tail -n 40 "$log" >&2; fail "tests $filter are red unpatched: no mutant was tried"; }
    grep -q '^test result: ok\. [1-9]' "$log" || fail "no test is named $filter"
  done
}

apply() { # PATCH [OPTION]
  GIT_CEILING_DIRECTORIES=$root/mutants git -C "$copy" apply --whitespace=nowarn ${2:-} "$1" 2>"$log"
}

# Sets `result`; true if the tests turned red.
try() { # PATCH FILTERS...
  local patch=$1 code=0 red
  shift
  apply "$patch" || { result='does not apply'; return 1; }
  if ! deadline=$building cargo_test --no-run; then
    result='does not compile'
  else
    cargo_test -- "$@" || code=$?
    mapfile -t red < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
    if ((code == 124)); then
      result='caught: its tests never end'
    elif ((code != 0 && ${#red[@]} > 0)); then
      result="caught by ${#red[@]}: ${red[0]}"
    elif ((code == 0)); then
      result='SURVIVED'
    else
      result="ended with $code and no red test"
    fi
  fi
  [[ $result == caught* ]] || cp "$log" "$log.${patch##*/}"
  apply "$patch" --reverse || fail "${patch##*/} cannot be taken back"
  [[ $result == caught* ]]
}

mapfile -t patches < <(chosen "$@")
((${#patches[@]} > 0)) && [[ -f ${patches[0]} ]] || fail "no patches"
filters=$(for patch in "${patches[@]}"; do head_line "$patch" Tests; echo; done | tr ' ' '\n' | sort -u)
copy_sources
link_dependencies
say "the tests of ${#patches[@]} mutants, unpatched, in $copy"
# shellcheck disable=SC2086 # one word, one filter
check_unpatched $filters

table=() bad=0 number=0
for patch in "${patches[@]}"; do
  read -ra tests <<<"$(head_line "$patch" Tests)"
  began=$SECONDS
  try "$patch" "${tests[@]}" || bad=$((bad + 1))
  name=$(basename "$patch" .patch)
  say "$((number += 1))/${#patches[@]} $name, $((SECONDS - began)) s: $result"
  table+=("$(printf '%-6s %-28s %-60s %s' "$(head_line "$patch" Rule)" "$name" "$(head_line "$patch" Breaks)" "$result")")
done
printf '%s\n' "${table[@]}"
say "${#patches[@]} mutants in $SECONDS s, $bad not caught"
((bad == 0)) || fail "what a broken rule turns red: write the test that is missing; logs are in $root/mutants"
