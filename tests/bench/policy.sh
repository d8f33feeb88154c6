#!/bin/bash
# Figures of expressions and rules; run.sh calls it. Rounds of ours and the peers' in turns, then one JSON line per figure:
# the median of the rounds, the goal, and each peer's median with how many times ours it takes. The peers are npm packages,
# installed under the build; where that is not possible, a line says why.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${OUTCALL_BUILD:-$root/build}
rounds=${BENCH_ROUNDS:-5}
peers=$build/tests/bench/peers
packages=(@marcbachmann/cel-js@8.0.0 @bufbuild/cel@0.6.1)

T=$(mktemp -d /tmp/oc-bench.XXXXXX)
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

skipped()
{
    jq -nc --arg reason "$1" '{name: "peers", skipped: $reason}'
    peers=
}

install_peers()
{
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        skipped "no node or no npm"
    elif [ ! -d "$peers/node_modules/@bufbuild/cel" ] || [ ! -d "$peers/node_modules/@marcbachmann/cel-js" ]; then
        mkdir -p "$peers"
        timeout 60 npm install --prefix "$peers" --no-audit --no-fund --no-save --ignore-scripts "${packages[@]}" \
            >"$T/npm" 2>&1 </dev/null || skipped "npm install: $(grep -v '^ *$' "$T/npm" | head -n 1)"
    fi
}

jq -nc --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg kernel "$(uname -r)" \
    --argjson cpus "$(nproc)" --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" --arg date "$(date -u +%F)" \
    '{name: "machine", date: $date, cpu: $cpu, cpus: $cpus, kernel: $kernel, load: $load}'
install_peers
mkdir "$T/rules"
for ((i = 0; i < rounds; i++)); do
    "$build/tests/bench/bench-policy" "$T/rules" >>"$T/ours"
    [ -z "$peers" ] || node "$root/tests/bench/peers.mjs" "$peers" >>"$T/peers"
done
touch "$T/peers"
jq -c 'select(.skipped)' "$T/peers" | sort -u
jq -nc --slurpfile ours "$T/ours" --slurpfile peers "$T/peers" '
    def median: sort | .[length / 2 | floor];
    def tenth: . * 10 | round / 10;
    ($ours | map(.name) | reduce .[] as $n ([]; if index([$n]) then . else . + [$n] end))[] as $name |
    [$ours[] | select(.name == $name)] as $mine | ($mine | map(.value)) as $v | ($v | median) as $median |
    {name: $name, unit: $mine[0].unit, n: ($v | length), median: $median, min: ($v | min), max: ($v | max),
     goal: $mine[0].goal} +
    ([$peers[] | select(.name == $name and .value)] | group_by(.peer) |
     map({key: "\(.[0].peer) \(.[0].version)",
          value: (map(.value) | median | {median: tenth, ratio: (. / $median | tenth)})}) |
     if length > 0 then {peers: from_entries} else {} end)'
