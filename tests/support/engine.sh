#!/bin/bash
# A private Docker engine: its own network namespace, data, socket and pid file, all below one fresh directory.
# The mount namespace stays the caller's, since staged mounts must be seen by the engine.
#
#   engine.sh start STATEFILE          starts engine, registry and images; writes shell assignments to STATEFILE
#   engine.sh stop STATEFILE           stops and removes all of it; good after a crash too
#   engine.sh with STATEFILE CMD...    runs CMD with those assignments exported
#   engine.sh run CMD...               start, CMD, stop
#
# Sourced, it only defines the functions. STATEFILE holds OUTCALL_TEST_DOCKER (unix:///...), OUTCALL_TEST_ENGINE_PID,
# OUTCALL_TEST_ENGINE_DIR, OUTCALL_TEST_REGISTRY (host:port, reached from inside the engine's namespace only),
# or OUTCALL_TEST_SKIP with the reason why there is no engine.

ENGINE_IMAGE=outcall-test

# poll SECONDS CMD...: runs CMD until it succeeds; 1 when the time is over.
poll()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

pid_gone()
{
    [ ! -d "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# remove_tree DIR: unmounts what is below it and deletes it; never while a mount is left, since rm would go through it.
remove_tree()
{
    local path
    awk '{ print $5 }' /proc/self/mountinfo | grep -F "$1/" | sort -r | while read -r path; do
        umount -l "$path" 2>/dev/null
    done
    if awk '{ print $5 }' /proc/self/mountinfo | grep -qF "$1/"; then
        echo "engine.sh: $1 is kept: something is still mounted below it" >&2
        return 1
    fi
    rm -rf --one-file-system "$1"
}

# stop_pid PID SECONDS: SIGTERM, wait, SIGKILL.
stop_pid()
{
    pid_gone "$1" && return 0
    kill -TERM "$1" 2>/dev/null
    poll "$2" pid_gone "$1" && return 0
    kill -KILL "$1" 2>/dev/null
    poll 5 pid_gone "$1"
}

# Why no engine can be started here; silent when one can.
engine_missing()
{
    local tool
    [ "$(id -u)" = 0 ] || { echo "the engine tests need root"; return; }
    for tool in dockerd docker unshare nsenter ip busybox; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
    done
    unshare -n true 2>/dev/null || echo "no network namespace can be made here"
}

engine_docker()
{
    DOCKER_CONTEXT='' DOCKER_CONFIG="$ENGINE_DIR/cli" command docker -H "unix://$ENGINE_DIR/docker.sock" "$@"
}

engine_answers()
{
    pid_gone "$ENGINE_PID" && return 0
    engine_docker version >/dev/null 2>&1
}

# engine_dir: makes ENGINE_DIR. Short, for a socket's path holds 107 bytes and containerd's lies deep below.
engine_dir()
{
    ENGINE_DIR=$(mktemp -d /tmp/oc-eng.XXXXXX) || return 1
    mkdir -p "$ENGINE_DIR/cli"
    echo '{}' >"$ENGINE_DIR/daemon.json"
}

# engine_up: starts dockerd in ENGINE_DIR, in the network namespace of ENGINE_NETNS_PID when that is set; sets ENGINE_PID.
# ENGINE_RESOLV: a file that it takes for /etc/resolv.conf, in a mount namespace of its own (then nothing can be staged).
engine_up()
{
    local enter=(unshare -n)
    [ -z "${ENGINE_NETNS_PID:-}" ] || enter=(nsenter --net="/proc/$ENGINE_NETNS_PID/ns/net")
    [ -z "${ENGINE_RESOLV:-}" ] || enter+=(unshare -m --)
    rm -f "$ENGINE_DIR/docker.pid" "$ENGINE_DIR/docker.sock"
    # Descriptors above 2 are bats' own: an engine that keeps one open would make bats wait for it.
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec setsid "${enter[@]}" sh -c '[ -z "$1" ] || mount --bind "$1" /etc/resolv.conf || exit
            ip link set lo up && exec dockerd --config-file "$0/daemon.json" --data-root "$0/data" --exec-root "$0/exec" \
                -H "unix://$0/docker.sock" --pidfile "$0/docker.pid"' "$ENGINE_DIR" "${ENGINE_RESOLV:-}"
    ) </dev/null >>"$ENGINE_DIR/dockerd.log" 2>&1 &
    ENGINE_PID=$!
    disown "$ENGINE_PID"
    poll 60 engine_answers
    if pid_gone "$ENGINE_PID" || ! engine_docker version >/dev/null 2>&1; then
        echo "engine.sh: dockerd did not come up:" >&2
        tail -n 20 "$ENGINE_DIR/dockerd.log" >&2
        return 1
    fi
    ENGINE_PID=$(cat "$ENGINE_DIR/docker.pid")
}

# In the engine's network namespace.
engine_enter()
{
    nsenter --net="/proc/$ENGINE_PID/ns/net" -- "$@"
}

# The files of a tiny image: busybox and its applets, users, nothing writable but /tmp.
engine_rootfs()
{
    local root=$1 applet
    mkdir -p "$root"/{bin,etc,tmp,var,root}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0::/root:/bin/sh\nagent:x:65532:65532::/tmp:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\nagent:x:65532:\n' >"$root/etc/group"
    chmod 1777 "$root/tmp"
}

# engine_images: NAME (plain), NAME-volume (VOLUME /data), NAME-varrun (/var/run is a symlink to /run).
engine_images()
{
    local name=$ENGINE_IMAGE root
    root=$(mktemp -d "$ENGINE_DIR/rootfs.XXXXXX") || return 1
    engine_rootfs "$root" &&
        tar -C "$root" -c . | engine_docker import -c 'CMD ["/bin/sh"]' - "$name:latest" >/dev/null &&
        tar -C "$root" -c . | engine_docker import -c 'VOLUME /data' -c 'CMD ["/bin/sh"]' - "$name-volume:latest" >/dev/null &&
        mkdir -p "$root/run" && ln -s /run "$root/var/run" &&
        tar -C "$root" -c . | engine_docker import -c 'CMD ["/bin/sh"]' - "$name-varrun:latest" >/dev/null
    local result=$?
    rm -rf "$root"
    return $result
}

registry_listens()
{
    pid_gone "$REGISTRY_PID" && return 0
    grep -q 'listening on' "$ENGINE_DIR/registry.log"
}

# engine_registry: a registry on a port of the kernel's choice, inside the namespace; sets REGISTRY_PID, REGISTRY.
engine_registry()
{
    REGISTRY_PID='' REGISTRY=''
    command -v docker-registry >/dev/null || return 0
    cat >"$ENGINE_DIR/registry.yml" <<END
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: $ENGINE_DIR/registry}, delete: {enabled: true}}
http: {addr: 127.0.0.1:0}
END
    setsid nsenter --net="/proc/$ENGINE_PID/ns/net" -- docker-registry serve "$ENGINE_DIR/registry.yml" \
        </dev/null >"$ENGINE_DIR/registry.log" 2>&1 3>&- 4>&- &
    REGISTRY_PID=$!
    poll 20 registry_listens
    REGISTRY=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' "$ENGINE_DIR/registry.log" | head -n 1)
    [ -n "$REGISTRY" ] || { echo "engine.sh: the registry did not come up" >&2; return 1; }
}

# engine_end_strays: containers that outlived a killed dockerd: their helper names our fresh directory on its command
# line; its children are the containers.
engine_end_strays()
{
    local entry line id child children
    for entry in /proc/[0-9]*; do
        line=$(tr '\0' ' ' 2>/dev/null <"$entry/cmdline") || continue
        case $line in
            *containerd-shim*" -address $ENGINE_DIR/"*) ;;
            *) continue ;;
        esac
        id=$(sed -n 's/.* -id \([0-9a-f]\{64\}\) .*/\1/p' <<<"$line")
        children=$(cat "$entry"/task/*/children 2>/dev/null)
        for child in $children; do
            kill -KILL "$child" 2>/dev/null
        done
        for child in $children; do
            poll 5 pid_gone "$child"
        done
        stop_pid "${entry#/proc/}" 2
        [ -z "$id" ] || find /sys/fs/cgroup -depth -type d -name "$id" -exec rmdir {} + 2>/dev/null
    done
}

# engine_down: stops dockerd, and nothing else.
engine_down()
{
    [ -z "${ENGINE_PID:-}" ] || stop_pid "$ENGINE_PID" 20
}

# engine_kill: dockerd and its containerd die at once, as in a crash; containers run on. The pid file goes too: where
# nobody reaps orphans, dockerd would take the dead containerd for a living one.
engine_kill()
{
    local file=$ENGINE_DIR/exec/containerd/containerd.pid containerd
    containerd=$(cat "$file") || return 1
    kill -KILL "$ENGINE_PID" "$containerd" || return 1
    poll 10 pid_gone "$ENGINE_PID" && poll 10 pid_gone "$containerd" && rm -f "$file"
}

# engine_clean: everything below ENGINE_DIR ends: containers, processes, mounts, files.
engine_clean()
{
    local ids
    case ${ENGINE_DIR:-} in
        /tmp/oc-eng.?*) ;;
        *) return 0 ;;
    esac
    if [ -n "${ENGINE_PID:-}" ] && ! pid_gone "$ENGINE_PID"; then
        ids=$(timeout 10 env DOCKER_CONFIG="$ENGINE_DIR/cli" docker -H "unix://$ENGINE_DIR/docker.sock" ps -aq 2>/dev/null)
        # shellcheck disable=SC2086
        [ -z "$ids" ] || timeout 60 env DOCKER_CONFIG="$ENGINE_DIR/cli" docker -H "unix://$ENGINE_DIR/docker.sock" rm -f $ids >/dev/null 2>&1
    fi
    [ -z "${REGISTRY_PID:-}" ] || stop_pid "$REGISTRY_PID" 5
    podman_clean
    engine_down
    engine_end_strays
    remove_tree "$ENGINE_DIR"
}

podman_answers()
{
    pid_gone "$PODMAN_PID" && return 0
    curl -fs --max-time 5 --unix-socket "$ENGINE_DIR/podman.sock" http://podman/version >/dev/null
}

# podman_up: Podman's Docker-compatible service in ENGINE_DIR, with its own storage and network namespace (that of
# ENGINE_NETNS_PID when that is set); sets PODMAN_PID, PODMAN_SOCKET. Podman asks for more open files than every kernel
# allows, and for an init that Debian does not install with it: the one of docker.io does.
podman_up()
{
    local enter=(unshare -n) runtime=''
    PODMAN_PID='' PODMAN_SOCKET=$ENGINE_DIR/podman.sock
    command -v podman >/dev/null || { echo "podman is not installed" >&2; return 1; }
    [ -z "${ENGINE_NETNS_PID:-}" ] || enter=(nsenter --net="/proc/$ENGINE_NETNS_PID/ns/net" --)
    mkdir -p "$ENGINE_DIR/podman"
    rm -f "$PODMAN_SOCKET"
    # crun, Podman's own, refuses a hybrid layout whose v2 half has controllers; runc, which Docker brings, takes it.
    ! grep -qs . /sys/fs/cgroup/unified/cgroup.controllers || runtime='runtime = "runc"\n'
    # shellcheck disable=SC2059 # the format is ours
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024","nproc=1024:1024"]\n[engine]\ninit_path = "/usr/bin/docker-init"\n'"$runtime" >"$ENGINE_DIR/containers.conf"
    [ -e "$ENGINE_DIR/registries.conf" ] || : >"$ENGINE_DIR/registries.conf"
    setsid "${enter[@]}" sh -c 'ip link set lo up && exec env CONTAINERS_CONF="$0/containers.conf" \
        CONTAINERS_REGISTRIES_CONF="$0/registries.conf" TMPDIR="$0/podman" podman \
        --root "$0/podman/root" --runroot "$0/podman/run" --tmpdir "$0/podman/tmp" --network-config-dir "$0/podman/net" \
        --storage-driver overlay --cgroup-manager cgroupfs --events-backend file \
        system service --time 0 "unix://$0/podman.sock"' "$ENGINE_DIR" </dev/null >>"$ENGINE_DIR/podman.log" 2>&1 3>&- 4>&- &
    PODMAN_PID=$!
    disown "$PODMAN_PID"
    poll 20 podman_answers
    pid_gone "$PODMAN_PID" && { cat "$ENGINE_DIR/podman.log" >&2; return 1; }
    return 0
}

# engine_podman: the service, and the plain image in it.
engine_podman()
{
    local root
    podman_up && root=$(mktemp -d "$ENGINE_DIR/rootfs.XXXXXX") || return 1
    engine_rootfs "$root" && tar -C "$root" -c . |
        DOCKER_CONFIG="$ENGINE_DIR/cli" command docker -H "unix://$PODMAN_SOCKET" import -c 'CMD ["/bin/sh"]' - "$ENGINE_IMAGE:latest" >/dev/null
    local result=$?
    rm -rf "$root"
    return $result
}

podman_clean()
{
    local ids
    [ -n "${PODMAN_PID:-}" ] && ! pid_gone "$PODMAN_PID" || return 0
    ids=$(timeout 10 env DOCKER_CONFIG="$ENGINE_DIR/cli" docker -H "unix://$ENGINE_DIR/podman.sock" ps -aq 2>/dev/null)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || timeout 60 env DOCKER_CONFIG="$ENGINE_DIR/cli" docker -H "unix://$ENGINE_DIR/podman.sock" rm -f $ids >/dev/null 2>&1
    stop_pid "$PODMAN_PID" 5
}

# engine_start STATEFILE
engine_start()
{
    local why
    why=$(engine_missing)
    if [ -n "$why" ]; then
        [ "${OUTCALL_TESTS_MUST_WORK:-}" != 1 ] || { echo "engine.sh: $why" >&2; return 1; }
        printf 'OUTCALL_TEST_SKIP=%q\n' "$why" >"$1"
        return 0
    fi
    engine_dir && printf 'ENGINE_DIR=%q\n' "$ENGINE_DIR" >"$1" || return 1
    if engine_up && engine_images && engine_registry; then
        {
            printf 'ENGINE_DIR=%q\nENGINE_PID=%q\nREGISTRY_PID=%q\n' "$ENGINE_DIR" "$ENGINE_PID" "$REGISTRY_PID"
            printf 'OUTCALL_TEST_DOCKER=unix://%q/docker.sock\n' "$ENGINE_DIR"
            printf 'OUTCALL_TEST_ENGINE_PID=%q\nOUTCALL_TEST_ENGINE_DIR=%q\n' "$ENGINE_PID" "$ENGINE_DIR"
            printf 'OUTCALL_TEST_REGISTRY=%q\nOUTCALL_TEST_IMAGE=%q\n' "$REGISTRY" "$ENGINE_IMAGE"
        } >"$1"
        return 0
    fi
    engine_clean
    rm -f "$1"
    return 1
}

# engine_stop STATEFILE
engine_stop()
{
    [ -f "$1" ] || return 0
    ENGINE_DIR='' ENGINE_PID='' REGISTRY_PID='' PODMAN_PID=''
    # shellcheck disable=SC1090
    . "$1"
    if [ -z "$ENGINE_PID" ] && [ -f "$ENGINE_DIR/docker.pid" ]; then
        ENGINE_PID=$(cat "$ENGINE_DIR/docker.pid")
    fi
    engine_clean
    rm -f "$1"
}

engine_main()
{
    set -uo pipefail
    local verb=${1:-} result
    [ $# -ge 2 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; return 2; }
    shift
    case $verb in
        start) engine_start "$1" ;;
        stop) engine_stop "$1" ;;
        with)
            set -a
            # shellcheck disable=SC1090
            . "$1" || return 1
            set +a
            shift
            exec "$@"
            ;;
        run)
            ENGINE_STATE=$(mktemp)
            trap 'engine_stop "$ENGINE_STATE"' EXIT
            trap 'exit 130' INT TERM
            engine_start "$ENGINE_STATE" || return 1
            bash "${BASH_SOURCE[0]}" with "$ENGINE_STATE" "$@"
            result=$?
            return $result
            ;;
        *) echo "engine.sh: unknown command \"$verb\"" >&2; return 2 ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    engine_main "$@"
    exit $?
fi
