#!/bin/bash
# Measures: sudo tests/bench/run.sh [BUILD]          containers; starts an engine of its own and removes it
#           tests/bench/run.sh policy [BUILD]        expressions and rules; needs neither root nor an engine
#           sudo tests/bench/run.sh agents [BUILD]   the agent API; needs root, no engine
#           sudo tests/bench/run.sh shim [BUILD]     the shim beside sudo and bubblewrap; needs root, no engine
# One JSON line per figure, each with its peer measured in the same run. Needs a build (default: build/). No pass, no fail.
#   BENCH_ROUNDS=N   repetitions of each figure (default 20; policy and agents 5)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
part=engine
case ${1:-} in
    policy|agents|shim) part=$1; shift ;;
esac
export OUTCALL_BUILD=${1:-$root/build}
needed=cli/outcalld
case $part in
    policy|agents) needed=tests/bench/bench-$part ;;
    shim) needed=tests/support/fake-agent ;;
esac
[ -x "$OUTCALL_BUILD/$needed" ] || { echo "run.sh: $OUTCALL_BUILD has no $needed: build first" >&2; exit 1; }
case $part in
    policy|agents|shim) exec bash "$root/tests/bench/$part.sh" ;;
    *) exec bash "$root/tests/support/engine.sh" run bash "$root/tests/bench/bench.sh" ;;
esac
