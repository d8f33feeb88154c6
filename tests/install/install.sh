#!/bin/bash
# Builds a release as a packager would, installs it into a fresh prefix, and uses it from outside the tree: by pkg-config
# against the shared library and against the archive, and by find_package. Usage: install.sh SOURCE CC
set -euo pipefail

source=$1
# shellcheck source=tests/support/engine.sh
. "$source/tests/support/engine.sh"
export CC=$2
work=$(mktemp -d)
prefix=$work/prefix daemon=

cleanup()
{
    [ -z "$daemon" ] || { kill -KILL "$daemon" && wait "$daemon"; } 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

fail()
{
    echo "install.sh: $*" >&2
    exit 1
}

# Configured for one prefix and installed into another, so that nothing that is built in can be found by luck.
cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_INSTALL_PREFIX="$work/nowhere" -DCMAKE_BUILD_TYPE=Release -DOUTCALL_TESTS=OFF -DOUTCALL_EXAMPLES=OFF \
    -DOUTCALL_WERROR=ON >"$work/log" || { cat "$work/log"; fail "configure"; }
cmake --build "$work/build" -j 2 >"$work/log" || { cat "$work/log"; fail "build"; }
cmake --install "$work/build" --prefix "$prefix" --strip >"$work/log" || { cat "$work/log"; fail "install"; }

libdir=$(dirname "$(find "$prefix" -name liboutcall.a)")
for file in "$libdir/liboutcall.so" "$libdir/liboutcall.so.0" "$libdir/liboutcall.a" "$libdir/pkgconfig/outcall.pc" \
    "$libdir/cmake/outcall/outcallConfig.cmake" "$prefix/include/outcall/common.h" \
    "$prefix/sbin/outcalld" "$prefix/bin/outcall" "$prefix/libexec/outcall/outcall-agent" \
    "$prefix/share/man/man1/outcall.1" "$prefix/share/man/man1/outcall-agent.1" "$prefix/share/man/man8/outcalld.8" "$prefix/share/man/man5/outcalld.yaml.5"; do
    [ -e "$file" ] || missing+=("${file#"$prefix"/}")
done
[ -z "${missing[*]:-}" ] || fail "not installed: ${missing[*]}"

case $(file -b "$prefix/libexec/outcall/outcall-agent") in
    *"statically linked"* | *"static-pie linked"*) ;;
    *) fail "the shim is not static: $(file -b "$prefix/libexec/outcall/outcall-agent")" ;;
esac
soname=$(objdump -p "$libdir/liboutcall.so" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = liboutcall.so.0 ] || fail "SONAME is $soname"
for program in sbin/outcalld bin/outcall libexec/outcall/outcall-agent; do
    "$prefix/$program" --version >/dev/null || fail "$program --version"
done
# Fault points are for test builds: a release must not even know the variable's name.
for file in "$libdir/liboutcall.so" "$libdir/liboutcall.a" "$prefix/sbin/outcalld" "$prefix/libexec/outcall/outcall-agent"; do
    [ "$(grep -c OUTCALL_FAULT "$file")" = 0 ] || fail "${file#"$prefix"/} has fault points"
done
# No path of the build folder is left in what is installed, and no rpath into it.
for file in "$libdir/liboutcall.so" "$prefix/sbin/outcalld" "$prefix/bin/outcall"; do
    [ "$(objdump -p "$file" | grep -c "R.*PATH.*$work/build")" = 0 ] || fail "${file#"$prefix"/} has an rpath into the build folder"
done

outcall()
{
    "$prefix/bin/outcall" --socket "$work/run/host.sock" "$@"
}

# answers EXPECTED [FLAGS...]: what the installed daemon says to a create. No engine is there, and the helpers come first.
answers()
{
    local expected=$1 text
    shift
    "$prefix/sbin/outcalld" --config "$work/outcalld.yaml" --runtime-dir "$work/run" --state-dir "$work/state" \
        --rules-dir "$work/rules" --docker-host "unix://$work/engine.sock" --no-default-network "$@" 2>"$work/log" &
    daemon=$!
    poll 20 outcall status >/dev/null 2>&1 || { cat "$work/log"; fail "outcalld does not answer"; }
    text=$(outcall container create --image sample 2>&1) && fail "create without an engine"
    kill "$daemon"
    wait "$daemon" || { cat "$work/log"; fail "outcalld does not end well"; }
    daemon=
    [[ $text = *"$expected"* ]] || fail "expected \"$expected\", got: $text"
}
mkdir "$work/rules" && : >"$work/outcalld.yaml"
answers "shim binary not found at \"$work/none\"" --shim "$work/none"
answers "cannot reach the Docker Engine at $work/engine.sock"
mv "$prefix/libexec/outcall/outcall-agent" "$work/away"
answers "shim binary not found at \"$work/nowhere/libexec/outcall/outcall-agent\""
mv "$work/away" "$prefix/libexec/outcall/outcall-agent"

export PKG_CONFIG_PATH=$libdir/pkgconfig
mkdir "$work/use" && cd "$work/use" && cp "$source/examples/version.c" .
version=$(sed -n 's/.*OUTCALL_VERSION_STRING "\(.*\)"/\1/p' "$source/include/outcall/version.h")
[ "$(pkg-config --modversion outcall)" = "$version" ] || fail "outcall.pc says $(pkg-config --modversion outcall)"

# shellcheck disable=SC2046
$CC -Werror version.c -o shared $(pkg-config --cflags --libs outcall)
LD_LIBRARY_PATH=$libdir ./shared | grep -q "$version" || fail "the example against the shared library"
readelf -d shared | grep -q 'NEEDED.*liboutcall.so.0' || fail "the example does not use the shared library"

# The archive only: the third-party libraries stay shared.
# shellcheck disable=SC2046
$CC -Werror version.c -o static $(pkg-config --cflags outcall) -Wl,--as-needed \
    $(pkg-config --static --libs outcall | sed 's/-loutcall\>/-l:liboutcall.a/')
[ "$(readelf -d static | grep -c 'NEEDED.*liboutcall')" = 0 ] || fail "the example still needs the shared library"
./static | grep -q "$version" || fail "the example against the archive"

# Only the policy, from outside.
# shellcheck disable=SC2046
$CC -Werror "$source/examples/policy.c" -o policy $(pkg-config --cflags --libs outcall)
LD_LIBRARY_PATH=$libdir ./policy "$source/examples/rules" '{"run": {"tool": "git", "args": ["push", "origin", "main"]}}' | grep -qx "allow git-push" ||
    fail "the policy example"

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(use LANGUAGES C)
find_package(outcall 0.1 REQUIRED)
foreach(kind outcall outcall_static)
  add_executable(by_${kind} version.c)
  target_link_libraries(by_${kind} PRIVATE outcall::${kind})
endforeach()
END
cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" && cmake --build build >"$work/log" || { cat "$work/log"; fail "find_package"; }
for kind in outcall outcall_static; do
    "./build/by_$kind" | grep -q "$version" || fail "the example by find_package against $kind"
done
echo "installed, and used by pkg-config (shared, archive) and find_package"
