#!/bin/bash
# Measures: sudo tests/bench/run.sh [BUILD]. One JSON line per figure, each with its peer measured in the same run.
# Needs a build (default: build/); starts an engine of its own and removes it. No pass, no fail.
#   BENCH_ROUNDS=N   repetitions of each figure (default 20)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export OUTCALL_BUILD=${1:-$root/build}
[ -x "$OUTCALL_BUILD/cli/outcalld" ] || { echo "run.sh: $OUTCALL_BUILD has no cli/outcalld: build first" >&2; exit 1; }
exec bash "$root/tests/support/engine.sh" run bash "$root/tests/bench/bench.sh"
