#!/bin/bash
# Installs what is missing of tests/packages.txt, and nothing else. Usage: packages.sh [--print] KIND...
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/../packages.txt
print=
if [ "${1:-}" = --print ]; then
    print=1
    shift
fi
wanted=()
for kind in "${@:-build}"; do
    while read -r k name _; do
        [ "$k" = "$kind" ] && wanted+=("$name")
    done <"$list"
done
missing=()
for name in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || echo absent)
    [ "$state" = installed ] || missing+=("$name")
done
if [ -n "$print" ]; then
    printf '%s\n' "${wanted[@]}"
    exit 0
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "packages.sh: missing, and only root can install them: ${missing[*]}" >&2
    exit 1
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 || {
    apt-get update -q >&2
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
