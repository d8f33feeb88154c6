#!/bin/bash
# Fuzzes for a while: tests/fuzz/run.sh TARGET... MINUTES, e.g. tests/fuzz/run.sh cel_parse policy 30
# Each target (fuzz_<name>.c) runs that many minutes of processor time, one after the other, under AddressSanitizer and
# UndefinedBehaviorSanitizer, from the committed corpus and what earlier runs found (build-fuzz/corpus). One closing line
# each; exit 1 when there is a finding, whose input stays in build-fuzz/findings/<name>. Needs clang.
#   FUZZ_SANITIZE=thread   ThreadSanitizer instead, in build-fuzz-thread/: for what has threads (agent_server)
#   FUZZ_BUILD=DIR   where to build (default: build-fuzz/); FUZZ_BUILT=1: it is built already
#   FUZZ_TIMEOUT=S   seconds that one input may take by the wall clock (default 10; more on a crowded machine)
# To keep what was found, in as few files as it takes:
#   build-fuzz/tests/fuzz/fuzz_NAME -merge=1 tests/fuzz/corpus/NAME build-fuzz/corpus/NAME
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sanitize=${FUZZ_SANITIZE:-address,undefined}
build=${FUZZ_BUILD:-$root/build-fuzz${FUZZ_SANITIZE:+-$FUZZ_SANITIZE}}
here=$root/tests/fuzz
[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
minutes=${*: -1}
targets=("${@:1:$#-1}")
[[ $minutes =~ ^[1-9][0-9]{0,4}$ ]] || { echo "run.sh: \"$minutes\" is no number of minutes" >&2; exit 2; }
for target in "${targets[@]}"; do
    [ -f "$here/fuzz_$target.c" ] || { echo "run.sh: there is no fuzz_$target.c" >&2; exit 2; }
done

pid=
# shellcheck disable=SC2317
clean_up()
{
    set +e
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${FUZZ_BUILT:-}" ]; then
    CC=clang cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DOUTCALL_FUZZERS=ON \
        -DOUTCALL_SANITIZE="$sanitize" >/dev/null
    cmake --build "$build" -j "$(nproc)" --target "${targets[@]/#/fuzz_}" >/dev/null
fi

# seconds_used PID: of the processor, or nothing when it is gone.
seconds_used()
{
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" = Z ] || echo $(((${12} + ${13}) / $(getconf CLK_TCK)))
}

# dictionary TARGET FILE
dictionary()
{
    case $1 in
        cel_*) cat "$here/cel.dict" ;;
        policy | requests) cat "$here/rules.dict" "$here/cel.dict" ;;
        agent_server) cat "$here/agent.dict" "$here/rules.dict" ;;
        *) echo "# none: libFuzzer refuses an empty file" ;;
    esac >"$2"
}

# fuzz TARGET: non-zero on a finding. Called where a failure is looked at, so set -e is off in it.
fuzz()
{
    local name=$1 log=$build/fuzz-$1.log used=0 now rc=0
    local found=$build/findings/$1 corpus=$build/corpus/$1
    mkdir -p "$found" "$corpus"
    dictionary "$name" "$build/fuzz-$name.dict"
    TSAN_OPTIONS="halt_on_error=1 suppressions=$here/tsan.supp" "$build/tests/fuzz/fuzz_$name" -rss_limit_mb=1024 -timeout="${FUZZ_TIMEOUT:-10}" -max_len=8192 -print_final_stats=1 \
        -dict="$build/fuzz-$name.dict" -artifact_prefix="$found/" "$corpus" "$here/corpus/$name" >"$log" 2>&1 </dev/null &
    pid=$!
    while now=$(seconds_used "$pid") && [ -n "$now" ] && [ "$now" -lt $((minutes * 60)) ]; do
        used=$now
        sleep 1
    done
    kill -USR1 "$pid" 2>/dev/null # it ends by itself, and says what it has done; it may be gone already
    wait "$pid" || rc=$?
    pid=
    printf '%s: %s of %s CPU minutes, %s inputs, corpus %s: ' "$name" "$((${now:-$used} / 60))" "$minutes" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(find "$corpus" -type f | wc -l)"
    if [ "$rc" = 0 ]; then
        echo "clean"
    else
        echo "FINDING ($(sed -n 's/^.*Test unit written to //p' "$log" | tail -n 1)); see $log"
    fi
    return "$rc"
}

failed=0
for target in "${targets[@]}"; do
    fuzz "$target" || failed=1
done
exit "$failed"
