#!/usr/bin/env bash
# Prints the table rule -> tests, and fails when a rule that is said to be done has no test, when a
# mark stands above anything but a test, or when a test is ignored.
#
# A test that proves a rule has the line `// rule: NP-07` directly above its attribute; the rules
# said to be done are those of tests/rules.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

marks=$(mktemp)
trap 'rm -f "$marks"' EXIT
find src tests -name '*.rs' -print0 | sort -z | xargs -0 awk '
    function bad(what) { printf "error: %s:%d: %s\n", FILENAME, FNR, what; failed = 1 }
    FNR == 1 { if (n) bad("a rule mark at the end of the file before"); n = 0 }
    /#\[ignore/ { bad("an ignored test proves nothing: run it or delete it") }
    /^[ \t]*\/\/ rule: / {
        sub(/^[ \t]*\/\/ rule: /, "")
        if ($0 !~ /^((NP|NC|DO|PO|CT|OP)-[0-9][0-9]|X[0-9]+)$/) bad("not a rule: " $0)
        rules[++n] = $0; attribute = 0; next
    }
    n && /^[ \t]*#\[(tokio::)?test/ { attribute = 1; next }
    n && /^[ \t]*(#\[|\/\/)/ { next }
    n && /fn [a-z0-9_]+/ {
        if (!attribute) bad("a rule mark above something that is not a test")
        match($0, /fn [a-z0-9_]+/); name = substr($0, RSTART + 3, RLENGTH - 3)
        for (i = 1; i <= n; i++) print rules[i] "\t" name "\t" FILENAME
        n = 0; next
    }
    n && /proptest!/ { next }
    n && !/^[ \t]*$/ { bad("a rule mark above something that is not a test"); n = 0 }
    END { exit failed }
' >"$marks" || { grep '^error:' "$marks"; exit 1; }

missing=0
while read -r rule what; do
    case $rule in '' | '#'*) continue ;; esac
    printf '%s  %s\n' "$rule" "$what"
    if ! awk -F'\t' -v rule="$rule" '$1 == rule { printf "    %s  (%s)\n", $2, $3; found = 1 }
        END { exit !found }' "$marks"; then
        printf '    error: no test proves it\n'
        missing=$((missing + 1))
    fi
done <tests/rules.txt

done_count=$(grep -cvE '^(#|$)' tests/rules.txt)
printf '%d rules said to be done, %d without a test, %d marks\n' \
    "$done_count" "$missing" "$(wc -l <"$marks")"
[ "$missing" -eq 0 ]
