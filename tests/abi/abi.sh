#!/bin/bash
# What a program that links liboutcall.so.0 may rely on: SONAME, one version node on every symbol, a closed list of needed
# libraries, no executable stack, no writable relocations. Usage: abi.sh LIBRARY
set -euo pipefail

library=$1
needed='libcurl libjansson libpcre2-8 libyaml-0 libmicrohttpd libc ld-linux-x86-64'
failed=0
fail()
{
    echo "abi.sh: $*" >&2
    failed=1
}

dynamic=$(readelf -dW "$library")
soname=$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")
[ "$soname" = liboutcall.so.0 ] || fail "SONAME is \"$soname\", expected liboutcall.so.0"
for name in $(sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*\]/\1/p' <<<"$dynamic"); do
    [[ " $needed " = *" $name "* ]] || fail "needs $name, which is not on the list"
done
grep -q 'BIND_NOW\|FLAGS_1.*NOW' <<<"$dynamic" || fail "is not linked with -z now"
segments=$(readelf -lW "$library")
grep -q GNU_RELRO <<<"$segments" || fail "has no RELRO segment"
[ "$(grep -c 'GNU_STACK.*RWE' <<<"$segments")" = 0 ] || fail "has an executable stack"
while read -r symbol; do
    [[ $symbol = outcall_*@@LIBOUTCALL_* ]] || fail "exports $symbol: expected outcall_...@@LIBOUTCALL_..."
done < <(nm -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A" { print $3 }')
exit "$failed"
