#!/bin/sh
# Runs the scripts of this folder, one after the other, and prints a table of what the program said.
#
#   BIN=/path/echoline testing/reports/run.sh            all of them, about four minutes
#   BIN=/path/echoline testing/reports/run.sh 03 17      these
#   TWIN=1 BIN=...                                       the same networks without their faults
#   OUT=/some/directory BIN=...                          keeps the whole output of each
#
# It needs root, iproute2, nftables and python3. Exit code 1: a wrong verdict was certain, or a
# script found that it had not built its fault.
set -u
: "${BIN:?set BIN to the program, an absolute path}"
cd "$(dirname "$0")" || exit 2
[ "$(id -u)" = 0 ] || { echo "needs root: it makes network namespaces" >&2; exit 2; }
for program in ip nft python3 ss nstat ping getent; do
    command -v $program >/dev/null || { echo "needs $program" >&2; exit 2; }
done

keep=${OUT:-}
OUT=${keep:-$(mktemp -d)}
mkdir -p "$OUT"
results=$OUT/results.json
: >"$results"
[ -n "$keep" ] || trap 'rm -rf "$OUT"' EXIT
trap 'exit 130' INT TERM HUP

echo "| case | expected | said | names the cause | judgement |"
echo "|---|---|---|---|---|"
for script in [0-9]*.sh; do
    wanted=${1:-}
    for number; do case $script in "$number"*) wanted= ;; esac; done
    [ -z "$wanted" ] || continue
    output=$OUT/${script%.sh}.txt
    sh "$script" >"$output" 2>&1
    python3 judge.py case "$script" "$output" $? "${TWIN:-0}" "$results"
done
python3 judge.py sum "$results"
