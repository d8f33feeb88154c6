#!/usr/bin/env bats
# Each row of the threat table (docs/security.md): the attack is really made, against a real engine, and loses.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    outcalld_start
}

teardown()
{
    outcall_teardown
}

# denied SOURCE...: each is refused as a mount, with one of the two texts, and leaves nothing.
denied()
{
    local source
    for source in "$@"; do
        attempt --volume "$source:/mnt/s"
        refuses_like "bind mount denied: \"$source\" (is on the deny list|exposes protected path \"/.*\")" || return 1
    done
}

# bad_request JSON PATTERN: 400, and the text names the culprit.
bad_request()
{
    api POST /api/v1/container/create "$1"
    api_says 400 invalid_request && [[ $(jq -r .error <<<"$http_body") = *$2* ]] && return 0
    echo "expected \"$2\" to be named in: $http_body" >&2
    return 1
}

with_volume()
{
    jq -nc --arg i "$IMAGE" --arg v "$1" '{image: $i, volumes: [$v]}'
}

@test "T01: a symlink to a control socket, or to its directory" {
    before=$(leftovers)
    ln -s "$T/run/host.sock" "$T/a"
    ln -s "$T/run" "$T/b"
    ln -s "$ENGINE_SOCKET" "$T/c"
    ln -s "$(dirname "$ENGINE_SOCKET")" "$T/d"
    ln -s nowhere "$T/dangling"
    ln -s loop "$T/loop"
    denied "$T/a" "$T/b" "$T/b/host.sock" "$T/b/agents" "$T/c" "$T/d"
    for link in dangling loop; do
        attempt --volume "$T/$link:/mnt/s"
        refuses_like ".*$T/$link.*"
    done
    left_as "$before"
}

@test "T02: ancestors and odd spellings" {
    before=$(leftovers)
    denied / /run /tmp "$T" "$T/run/../run/host.sock" "/$T//run/./host.sock" "$T/run/." "/proc/self/root$T/run/host.sock" \
        "/proc/$$/root$T/run" /proc /proc/self /proc/sys/kernel /sys /sys/fs/cgroup /dev /dev/null /dev/shm
    left_as "$before"
}

@test "T03: a hard link to the socket" {
    before=$(leftovers)
    ln "$T/run/host.sock" "$T/link"
    ln "$ENGINE_SOCKET" "$T/link2"
    ln "$T/run/outcalld.lock" "$T/link3" # and of a file of ours that no path of the list names
    denied "$T/link" "$T/link2" "$T/link3"
    left_as "$before"
}

@test "T04: a bind alias of the socket or its directory, also read-only" {
    mkdir "$T/alias" "$T/readonly" "$T/below" "$T/inner"
    : >"$T/file"
    mount --bind "$T/run" "$T/alias"
    mount --bind "$T/run" "$T/readonly"
    mount -o remount,bind,ro "$T/readonly"
    mount --bind "$T/run/host.sock" "$T/file"
    mount --bind "$T" "$T/below"
    mount --bind "$T/run/agents" "$T/inner" # no parent of this one is protected
    before=$(leftovers)
    denied "$T/alias" "$T/readonly" "$T/file" "$T/alias/host.sock" "$T/alias/stage" "$T/below" "$T/below/run" "$T/inner"
    attempt --volume "$T/alias:/mnt/s:ro"
    refuses_like "bind mount denied: \"$T/alias\" .*"
    left_as "$before"
    umount "$T/alias" "$T/readonly" "$T/file" "$T/below" "$T/inner"
}

@test "T05: a directory with a link to the socket some levels below" {
    mkdir -p "$T/deep/a/b/c/d"
    create fine --volume "$T/deep:/mnt/s"
    before=$(leftovers)
    ln "$T/run/host.sock" "$T/deep/a/b/c/d/innocent"
    attempt --volume "$T/deep:/mnt/s"
    refuses "bind mount denied: \"$T/deep\" exposes protected path \"$T/run/host.sock\""
    left_as "$before"
}

@test "T06: a named volume that binds a host path" {
    ln -s "$T/run" "$T/link"
    docker volume create -d local -o type=none -o o=bind -o device="$T/run" evil
    docker volume create -d local -o type=none -o o=bind -o device="$T/link" evil2
    before=$(leftovers)
    for name in evil evil2; do
        attempt --volume "$name:/mnt/s"
        refuses_like ".*volume.*$name.*"
    done
    # One with no options at all is fine, and so is one that is made for the occasion.
    docker volume create plain
    create good --volume plain:/a --volume made:/b
    [ "$(docker volume inspect -f '{{.Driver}} {{len .Options}}' made)" = 'local 0' ]
    docker rm -f outcall-agent-good
    docker volume rm plain made
    left_as "$before"
}

@test "T07: named volumes of other types" {
    mkdir "$T/l" "$T/u" "$T/w"
    docker volume create -d local -o type=overlay -o o="lowerdir=$T/run,upperdir=$T/u,workdir=$T/w" -o device=overlay evil
    docker volume create -d local -o type=tmpfs -o device=tmpfs evil2
    before=$(leftovers)
    for name in evil evil2; do
        attempt --volume "$name:/mnt/s"
        refuses_like ".*volume.*$name.*"
    done
    left_as "$before"
}

@test "T08: another container's volumes" {
    docker create --name donor -v "$T/run:/loot" "$IMAGE"
    bad_request "{\"image\":\"$IMAGE\",\"volumes_from\":[\"donor\"]}" volumes_from
    bad_request "{\"image\":\"$IMAGE\",\"VolumesFrom\":[\"donor\"]}" VolumesFrom
    create own
    [ "$(docker inspect -f '{{.HostConfig.VolumesFrom}}' outcall-agent-own)" = '[]' ]
    docker rm donor
}

@test "T09: a source that is swapped while it is checked and mounted" {
    mkdir "$T/safe"
    : >"$T/safe/marker"
    ln -s safe "$T/swap"
    python3 -B -c 'import os, sys
os.chdir(sys.argv[1])
targets = ["run", "safe"]
while True:
    targets.reverse()
    os.symlink(targets[0], "swap.new")
    os.rename("swap.new", "swap")' "$T" 3>&- 4>&- &
    swapper=$!
    PIDS+=("$swapper")
    allowed=0 refused=0
    for round in $(seq "${OUTCALL_TEST_SWAPS:-200}"); do
        run --separate-stderr create "swap$round" --volume "$T/swap:/mnt/s:ro" -- sleep 600
        if [ "$status" = 0 ]; then
            allowed=$((allowed + 1))
            inside "outcall-agent-swap$round" test -e /mnt/s/marker
            run inside "outcall-agent-swap$round" test -e /mnt/s/host.sock
            [ "$status" = 1 ]
            outcall container remove --force "swap$round"
        else
            refused=$((refused + 1))
            [[ $stderr = *"bind mount denied: \"$T/swap\""* ]]
        fi
    done
    kill "$swapper"
    echo "allowed $allowed, refused $refused"
    # Both really happened, or the loop tried nothing.
    [ "$allowed" -gt 0 ]
    [ "$refused" -gt 0 ]
}

@test "T09: a source that is swapped before a restart" {
    mkdir "$T/safe"
    : >"$T/safe/marker"
    create swapped --volume "$T/safe:/mnt/s"
    mv "$T/safe" "$T/moved"
    ln -s run "$T/safe"
    docker restart -t 0 outcall-agent-swapped
    inside outcall-agent-swapped test -e /mnt/s/marker
    run inside outcall-agent-swapped test -e /mnt/s/host.sock
    [ "$status" = 1 ]
}

@test "T09: what lies at the stage is exchanged before a restart: the container is killed" {
    mkdir "$T/safe"
    create staged --volume "$T/safe:/mnt/s"
    stage=$(docker inspect -f '{{range .Mounts}}{{if eq .Destination "/mnt/s"}}{{.Source}}{{end}}{{end}}' outcall-agent-staged)
    [[ $stage = "$T/run/stage/outcall-agent-staged/"* ]]
    mount --bind "$T/state" "$stage"
    docker restart -t 0 outcall-agent-staged
    stopped()
    {
        [ "$(state_of outcall-agent-staged)" = exited ]
    }
    poll 10 stopped
    grep -q outcall-agent-staged "$T/outcalld.log"
    umount "$stage"
}

@test "T10: a source that does not exist is refused and not made" {
    before=$(leftovers)
    attempt --volume "$T/absent:/mnt/s"
    refuses_like ".*$T/absent.*"
    [ ! -e "$T/absent" ]
    left_as "$before"
}

@test "T11: a daemon in another mount namespace than the engine refuses bind mounts" {
    outcalld_stop
    outer=$OUTCALLD
    printf '#!/bin/sh\nexec unshare -m %q "$@"\n' "$outer" >"$T/wrapped"
    chmod +x "$T/wrapped"
    mkdir "$T/data"
    OUTCALLD=$T/wrapped outcalld_start
    attempt --volume "$T/data:/mnt/s"
    refuses_like '.*(mnt|mount) namespace.*'
    grep -qiE '(mnt|mount) namespace' "$T/outcalld.log"
}

@test "T12: other control sockets, and sockets of any kind" {
    before=$(leftovers)
    for path in /var/run/docker.sock /run/docker.sock /var/lib/docker /run/containerd /run/containerd/containerd.sock \
        /var/lib/containerd /run/podman /run/podman/podman.sock /var/run/crio/crio.sock /run/buildkit/buildkitd.sock \
        /run/libvirt /run/dbus/system_bus_socket /run/systemd /run/systemd/private; do
        attempt --volume "$path:/mnt/s"
        [ "$status" = 1 ]
    done
    denied "$OUTCALL_TEST_ENGINE_DIR/exec/containerd/containerd.sock"
    python3 -B -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/any.sock"
    mkfifo "$T/fifo"
    denied "$T/any.sock"
    attempt --volume "$T/fifo:/mnt/s"
    [ "$status" = 1 ]
    left_as "$before"
}

@test "T12: the configuration adds to the deny list" {
    outcalld_stop
    mkdir "$T/secret"
    printf 'mounts:\n  deny:\n    - %s\n' "$T/secret" >"$T/outcalld.yaml"
    outcalld_start
    denied "$T/secret"
}

@test "T12: an engine on TCP is refused at the start" {
    outcalld_stop
    refuses_to_start --docker-host tcp://127.0.0.1:2375
    grep -q 'unix' "$T/outcalld.log"
}

@test "T13: targets over our own controls" {
    mkdir "$T/data"
    before=$(leftovers)
    for target in / /run /run/outcall /run/outcall/agent.sock /run/outcall/x /usr /usr/local/bin /usr/local/bin/outcall \
        /etc /etc/resolv.conf /etc/hosts /etc/hostname /proc /proc/sys /sys /sys/fs /dev /dev/shm relative /a/../b /a/./b; do
        api POST /api/v1/container/create "$(with_volume "$T/data:$target")"
        api_says 400 mount_invalid || api_says 403 mount_denied
    done
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"volumes\":[\"$T/data:/a\",\"$T/data:/a\"]}"
    api_says 400 mount_invalid
    left_as "$before"
}

@test "T13: a target that reaches our controls through a symlink inside the image" {
    mkdir "$T/data"
    before=$(leftovers)
    run --separate-stderr outcall container create --image "$IMAGE-varrun" --name attempt --volume "$T/data:/var/run/outcall" -- sleep 600
    [ "$status" = 1 ]
    left_as "$before"
}

@test "T14: what the engine was told, field by field" {
    create golden --env A=1
    docker inspect outcall-agent-golden | jq '.[0]' >"$T/golden.json"
    gateway=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' outcall-default)
    field()
    {
        local found
        found=$(jq -c "$1" "$T/golden.json")
        [ "$found" = "$2" ] || { echo "$1 is $found, expected $2" >&2; return 1; }
    }
    field '.HostConfig.Privileged' false
    field '.HostConfig.CapAdd // []' '[]'
    field '.HostConfig.CapDrop | map(ascii_upcase)' '["ALL"]'
    field '[.HostConfig.SecurityOpt[] | select(startswith("no-new-privileges"))] | length' 1
    field '.HostConfig.SecurityOpt | length' 1
    network=$(docker network inspect -f '{{.Id}}' outcall-default)
    field ".HostConfig.NetworkMode | IN(\"outcall-default\", \"$network\")" true
    field '.NetworkSettings.Networks | keys' '["outcall-default"]'
    field '.HostConfig.PidMode' '""'
    field '.HostConfig.UTSMode' '""'
    field '.HostConfig.UsernsMode' '""'
    field '.HostConfig.IpcMode' '"private"'
    field '.HostConfig.CgroupnsMode' '"private"'
    field '.HostConfig.Devices // []' '[]'
    field '.HostConfig.DeviceRequests // []' '[]'
    field '.HostConfig.Binds // []' '[]'
    field '.HostConfig.VolumesFrom // []' '[]'
    field '.HostConfig.PortBindings // {}' '{}'
    field '.HostConfig.PublishAllPorts' false
    field '.HostConfig.Sysctls // {}' '{}'
    field '.HostConfig.CgroupParent' '""'
    field '.HostConfig.Runtime' '"runc"'
    field '.HostConfig.ReadonlyRootfs' true
    field '.HostConfig.Init' true
    field '.HostConfig.Memory' 536870912
    field '.HostConfig.MemorySwap' 536870912
    field '.HostConfig.CpuShares' 1024
    field '.HostConfig.PidsLimit' 256
    field '.HostConfig.RestartPolicy.Name' '"no"'
    field '.HostConfig.LogConfig' '{"Type":"json-file","Config":{"max-file":"3","max-size":"10m"}}'
    field '.HostConfig.Dns' "[\"$gateway\"]"
    field '.HostConfig.DnsOptions' '["ndots:0"]'
    field '.HostConfig.DnsSearch' '["."]'
    field '.HostConfig.Tmpfs["/tmp"] | sub("67108864"; "64m") | split(",") | sort' '["exec","mode=1777","nodev","nosuid","rw","size=64m"]'
    field '.Config.User' '"65532:65532"'
    field '.Config.Labels["managed-by"]' '"outcalld"'
    field '.Config.Labels["outcall.agent"]' '"golden"'
    field '.Config.Labels["outcall.network"]' '"outcall-default"'
    field '.Config.Labels["outcall.instance"]' "\"$T/run\""
    field '.Mounts | map(.Destination) | sort' '["/run/outcall","/usr/local/bin/outcall"]'
    field '.Mounts | map(.RW) | unique' '[false]'
}

@test "T14: what a process inside can do" {
    create plain
    [ "$(inside outcall-agent-plain id -u)" = 65532 ]
    [ "$(inside outcall-agent-plain sed -n 's/^CapBnd:\t//p' /proc/1/status)" = 0000000000000000 ]
    [ "$(inside outcall-agent-plain sed -n 's/^NoNewPrivs:\t//p' /proc/1/status)" = 1 ]
    run inside outcall-agent-plain touch /x
    [[ $output = *"Read-only file system"* ]]
    run inside outcall-agent-plain sh -c 'echo >>/usr/local/bin/outcall'
    [ "$status" != 0 ]
    run docker exec -u 0 outcall-agent-plain sh -c 'echo >>/usr/local/bin/outcall'
    [[ $output = *"Read-only file system"* ]]
    run docker exec -u 0 outcall-agent-plain rm -f /usr/local/bin/outcall /run/outcall/agent.sock
    [[ $output = *"Read-only file system"* || $output = *"busy"* ]]
    inside outcall-agent-plain sh -c 'cp /bin/busybox /tmp/busybox && /tmp/busybox true'
}

@test "T14: fields that would open it are unknown" {
    before=$(leftovers)
    for key in privileged cap_add capabilities devices pid_mode ipc_mode network_mode security_opt sysctls cgroup_parent runtime host_config; do
        bad_request "{\"image\":\"$IMAGE\",\"$key\":true}" "$key"
    done
    for user in 0 0:0 0:1 1:0 root root:root 65532 :1 1: -1:1 1:1:1 4294967296:1; do
        bad_request "{\"image\":\"$IMAGE\",\"user\":\"$user\"}" user
    done
    left_as "$before"
}

@test "T14: the proxy's variables are ours when a proxy is configured" {
    outcalld_stop
    outcalld_start --proxy 10.200.0.1:3128
    for variable in HTTP_PROXY HTTPS_PROXY http_proxy https_proxy NO_PROXY no_proxy; do
        bad_request "{\"image\":\"$IMAGE\",\"env\":[\"$variable=x\"]}" "$variable"
    done
    create proxied
    run inside outcall-agent-proxied env
    [[ $output = *HTTPS_PROXY=http://10.200.0.1:3128* && $output = *no_proxy=localhost,127.0.0.1* ]]
}

@test "T15: tricks with the request's JSON" {
    before=$(leftovers)
    bad_request "{\"image\":\"$IMAGE\",\"image\":\"$IMAGE\"}" image
    bad_request "{\"image\":\"$IMAGE\",\"Image\":\"x\"}" Image
    bad_request "{\"image\":\"$IMAGE\",\"HostConfig\":{\"Privileged\":true}}" HostConfig
    bad_request "{\"image\":\"$IMAGE\",\"hostconfig\":{\"Privileged\":true}}" hostconfig
    bad_request "{\"image\":[\"$IMAGE\"]}" image
    bad_request "{\"image\":\"$IMAGE\",\"volumes\":\"/a:/b\"}" volumes
    bad_request "{\"image\":\"$IMAGE\",\"memory_limit\":1.5}" memory_limit
    bad_request "{\"image\":\"$IMAGE\",\"memory_limit\":-1}" memory_limit
    bad_request "{\"image\":\"$IMAGE\",\"cpu_shares\":1}" cpu_shares
    bad_request '{}' image
    for body in '{"image":"x"' '[]' 'null' '"x"' '{"image":"x"}{"image":"y"}' 'x'; do
        api POST /api/v1/container/create "$body"
        api_says 400 invalid_request
    done
    head -c 1100000 /dev/zero | tr '\0' ' ' >"$T/large"
    api POST /api/v1/container/create "@$T/large"
    api_says 413 too_large
    left_as "$before"
}

@test "T16: what is done behind our back is noticed, and ends the container where the guarantee is gone" {
    create victim
    docker network create outside
    docker network connect outside outcall-agent-victim
    contained()
    {
        [ "$(state_of outcall-agent-victim)" != running ] ||
            [ "$(docker inspect -f '{{len .NetworkSettings.Networks}}' outcall-agent-victim)" = 1 ]
    }
    poll 10 contained
    grep -q 'outcall-agent-victim' "$T/outcalld.log"
}

@test "T16: a privileged exec, an update and a new name are logged" {
    logged()
    {
        grep 'outcall-agent-victim\|outcall-agent-renamed\|outcall-agent-opened' "$T/outcalld.log" | grep -Eqi "$1"
    }
    ended()
    {
        ! running "$1"
    }
    create opened
    run docker exec --privileged outcall-agent-opened sleep 5
    poll 10 logged privileged
    poll 10 ended outcall-agent-opened
    create victim
    docker update --memory 64m --memory-swap 64m outcall-agent-victim
    poll 10 logged update
    docker rename outcall-agent-victim outcall-agent-renamed
    poll 10 logged rename
    poll 10 ended outcall-agent-renamed
    docker rm -f outcall-agent-renamed
}

@test "T17: writable places are bounded" {
    outcall container create --image "$IMAGE-volume" --name bounded -- sleep 600
    [ "$(docker volume ls -q | wc -l)" = 0 ]
    run inside outcall-agent-bounded sh -c 'grep " /data " /proc/self/mounts'
    [[ $output = *tmpfs*size=* ]]
    for place in /data /tmp /dev/shm; do
        # 80 MiB do not fit anywhere.
        run inside outcall-agent-bounded sh -c "head -c 83886080 /dev/zero >$place/x"
        [ "$status" != 0 ]
        inside outcall-agent-bounded rm -f "$place/x"
    done
}

@test "T18: the container is made from the image's own ID" {
    create pinned
    [[ $(docker inspect -f '{{.Config.Image}}' outcall-agent-pinned) = sha256:* ]]
    [ "$(docker inspect -f '{{.Image}}' outcall-agent-pinned)" = "$(docker image inspect -f '{{.Id}}' "$IMAGE")" ]
    run outcall --json container inspect pinned
    [[ $output = *"\"$IMAGE\""* ]]
}

@test "T19: names that are not names" {
    for name in ../x a/b 'a?b' 'a#b' 'a%2fb' A 'a b' . .. '' "$(printf 'x%.0s' {1..64})" $'a\nb'; do
        api POST /api/v1/container/stop "$(jq -nc --arg n "$name" '{name:$n}')"
        api_says 400 invalid_request
        api POST /api/v1/container/remove "$(jq -nc --arg n "$name" '{name:$n,force:true}')"
        api_says 400 invalid_request
    done
}

@test "T19: somebody else's container is neither shown nor touched" {
    id=$(docker run -d --name outcall-agent-foreign "$IMAGE" sleep 600)
    docker run -d --name plain --label managed-by=outcalld "$IMAGE" sleep 600
    docker run -d --name outcall-agent-labelled --label managed-by=outcalld --label outcall.instance=/elsewhere "$IMAGE" sleep 600
    run outcall container list
    says 'No agent containers found.'
    for name in foreign labelled; do
        run --separate-stderr outcall container stop "$name"
        refuses "container \"outcall-agent-$name\" is not managed by outcall"
        run --separate-stderr outcall container remove --force "$name"
        refuses "container \"outcall-agent-$name\" is not managed by outcall"
        running "outcall-agent-$name"
    done
    for name in plain "$id" "${id:0:12}"; do
        run --separate-stderr outcall container remove --force "$name"
        [ "$status" = 1 ]
    done
    running plain
    running "$id"
}

@test "T19: two daemons on one engine leave each other's containers alone" {
    create first
    first=$DAEMON
    mkdir "$T/b"
    outcalld_spawn --runtime-dir "$T/b/run" --state-dir "$T/b/state"
    SOCKET=$T/b/run/host.sock
    poll 20 ready_or_gone
    run outcall container list
    says 'No agent containers found.'
    run --separate-stderr outcall container remove --force first
    refuses 'container "outcall-agent-first" is not managed by outcall'
    outcalld_stop
    running outcall-agent-first
    DAEMON=$first SOCKET=$T/run/host.sock
    run outcall container inspect first
    [ "$status" = 0 ]
}

# The fault points of a create, from the sources: a new one is tried from its first day.
fault_places()
{
    grep -rhoE '"create\.[a-z_]+"' "$OUTCALL_SOURCE/lib/containers" | tr -d '"' | sort -u
}

@test "T20: a daemon killed at any step of a create leaves nothing that the next one does not clean up" {
    mkdir "$T/data"
    create bystander
    mapfile -t places < <(fault_places)
    [ "${#places[@]}" -gt 3 ]
    id=$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-bystander)
    before=$(leftovers)
    for place in "${places[@]}"; do
        echo "killed at $place"
        outcalld_stop
        OUTCALL_FAULT=$place:kill outcalld_start
        run --separate-stderr create victim --volume "$T/data:/data"
        [ "$status" = 1 ]
        poll 5 pid_gone "$DAEMON"
        outcalld_start
        # What had got as far as a running container may be kept, as one that is whole, or be gone without a trace.
        if docker inspect outcall-agent-victim >/dev/null 2>&1; then
            running outcall-agent-victim
            run outcall container remove --force victim
            [ "$status" = 0 ]
        fi
        left_as "$before"
        [ "$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-bystander)" = "$id" ]
    done
}

@test "T20: the same with a failure instead of a kill" {
    mkdir "$T/data"
    mapfile -t places < <(fault_places)
    [ "${#places[@]}" -gt 3 ]
    for place in "${places[@]}"; do
        echo "failed at $place"
        outcalld_stop
        OUTCALL_FAULT=$place:fail outcalld_start
        before=$(leftovers)
        run --separate-stderr create victim --volume "$T/data:/data" --volume made:/made
        [ "$status" = 1 ]
        left_as "$before"
    done
}

@test "T39: names are no channel: the host's resolver sees no query" {
    outcalld_stop
    # A host whose resolver listens on its loopback: Docker's embedded resolver asks it from the host's side.
    echo 'nameserver 127.0.0.1' >"$T/resolv.conf"
    ENGINE_RESOLV=$T/resolv.conf private_engine
    spawn_in_engine_net python3 -B -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53))
log = open(sys.argv[1], "ab", buffering=0)
while True:
    log.write(s.recv(512) + b"\n")' "$T/queries"
    poll 5 test -e "$T/queries"
    # The channel is there: a container on an internal network that is not ours uses it.
    docker network create --internal leaky
    run docker run --rm --network leaky "$IMAGE" timeout 3 nslookup -type=a leaked.example.com
    poll 5 grep -qa leaked "$T/queries"
    outcalld_start
    create quiet
    run inside outcall-agent-quiet timeout 3 nslookup -type=a secret.example.com
    [ "$status" != 0 ]
    run grep -qa secret "$T/queries"
    [ "$status" = 1 ]
    gateway=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' outcall-default)
    [ "$(docker inspect -f '{{json .HostConfig.Dns}}' outcall-agent-quiet)" = "[\"$gateway\"]" ]
}
