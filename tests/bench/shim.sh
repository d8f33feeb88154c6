#!/bin/bash
# What the shim adds to one command, beside what sudo and bubblewrap add; and how long everything lives on once the daemon is
# killed. run.sh starts it. It runs in a mount namespace of its own, against a scripted daemon.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${OUTCALL_BUILD:-$root/build}
rounds=${BENCH_ROUNDS:-20}
[ -n "${BENCH_INSIDE:-}" ] || BENCH_INSIDE=1 exec unshare -m --propagation private bash "${BASH_SOURCE[0]}"
shim=$build/shim/outcall-agent
T=$(mktemp -d /tmp/oc-bench.XXXXXX)
agent=

clean_up()
{
    [ -z "$agent" ] || kill -KILL "$agent"
    rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/outcall

agent_start()
{
    rm -f /run/outcall/agent.sock
    "$build/tests/support/fake-agent" --heartbeat-secs 5 /run/outcall/agent.sock </dev/null &
    agent=$!
    disown
    until [ -S /run/outcall/agent.sock ]; do :; done
}

# adds NAME CMD...: what CMD takes beyond /bin/true, microseconds; the two in turns.
adds()
{
    local name=$1 plain=() whole=() i
    shift
    for ((i = 0; i < rounds; i++)); do
        plain+=("$("$build/tests/support/starts" 30 /bin/true)")
        whole+=("$("$build/tests/support/starts" 30 "$@")")
    done
    printf '{"plain":[%s],"whole":[%s]}' "$(IFS=,; echo "${plain[*]}")" "$(IFS=,; echo "${whole[*]}")" |
        jq -c --arg name "$name" '[.whole, .plain] | transpose | map(.[0] - .[1]) | sort |
            {name: $name, unit: "us", n: length, median: .[length / 2 | floor], min: .[0], max: .[-1]}'
}

# peer NAME PROGRAM ARGS...: the same, or why not.
peer()
{
    local name=$1 path
    shift
    if ! path=$(command -v "$1") || ! "$path" "${@:2}" >/dev/null 2>&1; then
        jq -nc --arg name "$name" --arg why "$1 is absent or does not run here" '{name: $name, skipped: $why}'
        return 0
    fi
    adds "$name" "$path" "${@:2}"
}

# lives_on: one child below the shim, the daemon killed, and the microseconds until both are gone: the end of a pipe that they
# hold.
lives_on()
{
    local begin shim_pid
    agent_start
    exec 8<>"$T/life"
    "$shim" sh -c 'echo >&9; exec sleep 600' </dev/null >&2 2>"$T/err" 8>&- 9>"$T/life" &
    shim_pid=$!
    read -r -u 8
    exec 7<"$T/life" 8>&-
    begin=${EPOCHREALTIME/./}
    kill -KILL "$agent"
    agent=
    if read -r -u 7; then return 1; fi
    took+=($((${EPOCHREALTIME/./} - begin)))
    exec 7<&-
    wait "$shim_pid" || [ $? = 5 ]
}

bench_death()
{
    local took=() i
    mkfifo "$T/life"
    for ((i = 0; i < 100; i++)); do
        lives_on
    done
    printf '[%s]' "$(IFS=,; echo "${took[*]}")" | jq -c 'sort |
        {name: "daemon killed, child and shim gone", unit: "us", n: length, median: .[length / 2 | floor], min: .[0], max: .[-1]}'
}

jq -nc --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg kernel "$(uname -r)" \
    --argjson cpus "$(nproc)" --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" --arg date "$(date -u +%F)" \
    '{name: "machine", date: $date, cpu: $cpu, cpus: $cpus, kernel: $kernel, load: $load}'
agent_start
adds "shim around /bin/true adds" "$shim" /bin/true
peer "sudo -n true adds" sudo -n true
peer "bwrap adds" bwrap --ro-bind / / /bin/true
jq -nc --argjson bytes "$(stat -c %s "$shim")" '{name: "the shim, stripped", unit: "bytes", median: $bytes}'
kill -KILL "$agent"
bench_death
