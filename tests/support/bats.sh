#!/bin/bash
# Runs one bats file. 77 where bats is missing, which CI does not accept.
set -euo pipefail
if ! command -v bats >/dev/null; then
    echo "bats is not installed: skipped"
    [ "${OUTCALL_TESTS_MUST_WORK:-}" != 1 ] || exit 1
    exit 77
fi
# bats would keep the whole environment's language in its messages and sort orders.
export LC_ALL=C.UTF-8
exec bats --tap --print-output-on-failure "$@"
