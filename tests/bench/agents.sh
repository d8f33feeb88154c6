#!/bin/bash
# Figures of the agent API; run.sh calls it. Needs root. The median of the rounds, one JSON line per figure, with its goal.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${OUTCALL_BUILD:-$root/build}

T=$(mktemp -d /tmp/oc-bench.XXXXXX)
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

for ((i = 0; i < ${BENCH_ROUNDS:-5}; i++)); do
    mkdir "$T/$i"
    "$build/tests/bench/bench-agents" "$T/$i" >>"$T/ours"
done
jq -nc --slurpfile ours "$T/ours" --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" '
    ($ours | map(.name) | reduce .[] as $n ([]; if index([$n]) then . else . + [$n] end))[] as $name |
    [$ours[] | select(.name == $name)] as $mine | ($mine | map(.value) | sort) as $v |
    {name: $name, unit: $mine[0].unit, n: ($v | length), median: $v[$v | length / 2 | floor], min: $v[0], max: $v[-1],
     goal: $mine[0].goal, load: $load}'
