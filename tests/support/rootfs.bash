# shellcheck disable=SC2034,SC2154 # bats and the test files set and use these
# Root file systems that agents' images are made of, each imported into the suite's engine as outcall-rootfs-NAME:
#
#   empty    nothing at all
#   static   one file: usr/bin/probe, static
#   musl     as in Alpine: musl's loader, busybox and its applets, probe linked against musl; nothing of glibc
#   debian   debootstrap's minbase of Debian 12, probe linked against glibc
#
# All but the first have probe (probe.c); the last two have hello, a script.
ROOTFS_ALL=(empty static musl debian)
ROOTFS_CACHE=$OUTCALL_BUILD/tests/rootfs
PROBE_SOURCE=$OUTCALL_SOURCE/tests/support/probe.c

# rootfs_needs NAME: what making it takes.
rootfs_needs()
{
    case $1 in
        static) echo cc ;;
        musl) echo musl-gcc busybox ;;
        debian) echo cc debootstrap ;;
    esac
}

# rootfs_extras ROOT INTERPRETER COMPILER...: probe, and hello for INTERPRETER when that is not empty.
rootfs_extras()
{
    local root=$1 interpreter=$2
    mkdir -p "$root/usr/bin"
    "${@:3}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o "$root/usr/bin/probe" "$PROBE_SOURCE" || return 1
    [ -n "$interpreter" ] || return 0
    # shellcheck disable=SC2016 # for the script
    printf '#!/usr/bin/env %s\necho "hello $# $2"\nexit 9\n' "$interpreter" >"$root/usr/bin/hello"
    chmod 0755 "$root/usr/bin/hello"
}

rootfs_empty()
{
    tar -c -T /dev/null
}

rootfs_static()
{
    rootfs_extras "$1" '' cc -static && tar -C "$1" -c usr/bin/probe
}

rootfs_musl()
{
    local loader
    loader=/lib/ld-musl-$(uname -m).so.1
    engine_rootfs "$1" && mkdir -p "$1/lib" && cp -L "$loader" "$1$loader" && rootfs_extras "$1" sh musl-gcc || return 1
    ln -s ../../bin/env "$1/usr/bin/env" && tar -C "$1" -c .
}

# The mirror that this machine's apt takes Debian 12 from; nothing, and then debootstrap's own, where it does not.
debian_mirror()
{
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
        awk '$1 == "bookworm" && $2 == "main" && $3 ~ "^https?://" { print $3; exit }'
}

# debian_bootstrap TAR: in memory, since dpkg waits for the disk after each file, and in a mount namespace of its own, which
# takes along whatever is mounted. Documentation and package lists are left out.
debian_bootstrap()
{
    # shellcheck disable=SC2016 # for the shell in the namespace
    unshare -m --propagation private sh -ec '
        mount -t tmpfs -o mode=0755 tmpfs "$1"
        eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
        export http_proxy https_proxy
        LC_ALL=C debootstrap --force-check-gpg --variant=minbase bookworm "$1/root" $3 >"$1/log" 2>&1 ||
            { tail -n 20 "$1/log" "$1/root/debootstrap/debootstrap.log"; exit 1; } >&2
        tar -C "$1/root" --one-file-system --exclude=./var/cache/apt --exclude=./var/lib/apt/lists --exclude=./usr/share/doc \
            --exclude=./usr/share/locale --exclude=./usr/share/man -cf "$2" .
    ' sh "$ROOTFS_WORK" "$1" "$(debian_mirror)"
}

# Debian's part is kept in the build folder from run to run, until this file changes.
rootfs_debian()
{
    local kept=$ROOTFS_CACHE/debian.tar new
    rootfs_extras "$1" bash cc || return 1
    if [ ! "$kept" -nt "$OUTCALL_SOURCE/tests/support/rootfs.bash" ]; then
        mkdir -p "$ROOTFS_CACHE" && rm -f "$ROOTFS_CACHE"/new.* && new=$(mktemp "$ROOTFS_CACHE/new.XXXXXX") && debian_bootstrap "$new" &&
            mv "$new" "$kept" || { rm -f "$new"; return 1; }
    fi
    cp "$kept" "$1.tar" && tar -C "$1" -rf "$1.tar" usr/bin/probe usr/bin/hello && cat "$1.tar"
}

# rootfs_import NAME: makes it and gives it to the engine; its parts are beside its name until rootfs_end.
rootfs_import()
{
    local root=$ROOTFS_WORK.$1
    mkdir -m 0755 "$root" && "rootfs_$1" "$root" >"$root.image" && docker import "$root.image" "outcall-rootfs-$1" >/dev/null || return 1
    rm -rf "$root" "$root.image" "$root.tar"
}

# rootfs_begin: all that can be made here, once for a file; rootfs_need says of the others why not, and only to who asks.
rootfs_begin()
{
    local name tool
    export ROOTFS_WORK ROOTFS_MADE=' '
    ROOTFS_WORK=$(mktemp -d /tmp/oc-root.XXXXXX) || return 1
    ENGINE=$OUTCALL_TEST_DOCKER T=$ROOTFS_WORK
    for name in "${ROOTFS_ALL[@]}"; do
        for tool in $(rootfs_needs "$name"); do
            command -v "$tool" >/dev/null || continue 2
        done
        rootfs_import "$name" 2>"$ROOTFS_WORK.$name.why" || continue
        ROOTFS_MADE+="$name "
    done
}

# rootfs_need NAME: it has been made.
rootfs_need()
{
    local tools
    read -ra tools < <(rootfs_needs "$1")
    need "${tools[@]}" || return 1
    [[ $ROOTFS_MADE = *" $1 "* ]] && return 0
    echo "outcall-rootfs-$1 could not be made:" >&2
    cat "$ROOTFS_WORK.$1.why" >&2
    return 1
}

rootfs_end()
{
    local name
    [ -n "${ROOTFS_WORK:-}" ] || return 0
    ENGINE=$OUTCALL_TEST_DOCKER T=$ROOTFS_WORK
    for name in $ROOTFS_MADE; do
        docker rmi -f "outcall-rootfs-$name" >/dev/null
    done
    rm -rf "$ROOTFS_WORK" "$ROOTFS_WORK".*
}
