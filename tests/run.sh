#!/bin/bash
# The one command that passes the tests: sudo ./tests/run.sh
# Installs what is missing (tests/packages.txt), builds twice, runs everything, cleans up.
#
#   --quick        the plain build and its unit and lint tests only: no sanitizers, no engine
#   --only REGEX   only tests whose name matches (ctest -R)
#   --keep         leave the engine running and say how to reach it
#   --must-work    a test that cannot run here fails instead of being skipped
#   --jobs N       parallel jobs (default: the machine's processors)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
quick='' only='' keep='' jobs=$(nproc)
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=1 ;;
        --only) only=${2:?--only needs a regular expression}; shift ;;
        --keep) keep=1 ;;
        --must-work) export OUTCALL_TESTS_MUST_WORK=1 ;;
        --jobs) jobs=${2:?--jobs needs a number}; shift ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "run.sh: unknown option \"$1\" (--help lists them)" >&2; exit 2 ;;
    esac
    shift
done

state=$root/build/tests/engine.env
clean_up()
{
    if [ -n "$keep" ] && [ -f "$state" ]; then
        echo "The engine is still running. To use it: . $state; to stop it: tests/support/engine.sh stop $state"
    else
        bash "$root/tests/support/engine.sh" stop "$state"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say()
{
    printf '\n== %s\n' "$*"
}

# build FOLDER OPTIONS...
build()
{
    local folder=$root/$1
    shift
    cmake -S "$root" -B "$folder" -G Ninja -DOUTCALL_WERROR=ON -DOUTCALL_FAULTS=ON "$@" >"$root/build.log" 2>&1 ||
        { cat "$root/build.log"; return 1; }
    cmake --build "$folder" -j "$jobs" >"$root/build.log" 2>&1 || { cat "$root/build.log"; return 1; }
    rm -f "$root/build.log"
}

# check FOLDER OPTIONS...: keeps going, so that one run shows everything that is red.
failed=0
check()
{
    local folder=$root/$1
    shift
    ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error ${only:+-R "$only"} "$@" || failed=1
}

say "packages"
bash "$root/tests/support/packages.sh" build try test

if [ -z "$quick" ]; then
    say "building with AddressSanitizer and UndefinedBehaviorSanitizer (build-asan)"
    build build-asan -DCMAKE_BUILD_TYPE=Debug -DOUTCALL_SANITIZE=address,undefined
    say "unit tests and fuzz corpora under the sanitizers"
    if [ -z "$only" ] || [ -n "$(ctest --test-dir "$root/build-asan" -N -L 'unit|fuzz' -R "$only" | grep 'Test *#')" ]; then
        check build-asan -L 'unit|fuzz'
    fi
fi

say "building (build)"
build build -DCMAKE_BUILD_TYPE=RelWithDebInfo
if [ -n "$quick" ]; then
    say "unit and lint tests"
    check build -L 'unit|lint|headers|fuzz'
else
    say "all tests"
    if [ -n "$keep" ]; then
        check build -FC engine
    else
        check build
    fi
fi
[ "$failed" = 0 ] || echo "Some tests failed; see above." >&2
exit "$failed"
