#!/usr/bin/env bats
# What is peculiar to Podman's Docker-compatible service. The rest is in s008.bats and network.bats, which run against it
# too, but for the rows that docs/podman.md lists.
OUTCALL_TEST_ENGINE=podman
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

@test "P-000: what is left out for Podman are tests that exist, and no more of them than were agreed" {
    mapfile -t left_out < <(awk -F ' *[|] *' '/^\| (S00|T)/ { print $2 }' "$OUTCALL_SOURCE/docs/podman.md")
    [ "${#left_out[@]}" = 2 ]
    for name in "${left_out[@]}"; do
        grep -qxF "@test \"$name\" {" "$OUTCALL_SOURCE"/tests/system/{s008,network}.bats
        [ -n "$(podman_cannot "$name")" ]
    done
    [ -z "$(podman_cannot 'S008-EC-001: a control socket among the mounts is refused by name')" ]
}

@test "P-001: create, list, stop, remove" {
    run create first
    says 'Container "outcall-agent-first" created and started.'
    run outcall container list
    [[ $output = *outcall-agent-first* ]]
    run outcall container stop --timeout 1 first
    says 'Container "outcall-agent-first" stopped.'
    run outcall container stop first
    says 'Container "outcall-agent-first" was not running.'
    run outcall container remove first
    says 'Container "outcall-agent-first" removed.'
    run outcall container remove first
    says 'Container "outcall-agent-first" was already removed.'
}

@test "P-002: control sockets are refused here too" {
    ln -s "$T/run/host.sock" "$T/link"
    ln "$T/run/host.sock" "$T/hard"
    for source in "$T/run/host.sock" "$T/link" "$T/hard" "$ENGINE_SOCKET"; do
        attempt --volume "$source:/mnt/s"
        refuses "bind mount denied: \"$source\" is on the deny list"
    done
}

@test "P-003: mounts of every kind are attested and shown" {
    mkdir "$T/data" "$T/ro"
    : >"$T/ro/marker"
    run --separate-stderr create mounted --volume "$T/data:/data" --volume "$T/ro:/ro:ro" --volume cache:/cache
    says 'Container "outcall-agent-mounted" created and started.'
    run outcall --json container inspect mounted
    [ "$(jq -c .attested <<<"$output")" = true ]
    [ "$(jq -r '.mounts | map("\(.type) \(.target) \(.read_only)") | sort | join(", ")' <<<"$output")" = \
        'bind /data false, bind /ro true, bind /run/outcall true, bind /usr/local/bin/outcall true, volume /cache false' ]
    inside outcall-agent-mounted test -e /ro/marker
    run inside outcall-agent-mounted touch /ro/x
    [ "$status" = 1 ]
}

@test "P-004: containers outlive the daemon and are found again" {
    create survivor
    outcalld_kill
    running outcall-agent-survivor
    outcalld_start
    run outcall --json container inspect survivor
    [ "$status" = 0 ]
    [ "$(jq -c .attested <<<"$output")" = true ]
}

@test "P-005: a service that goes away and comes back" {
    mkdir "$T/data"
    private_podman
    outcalld_stop
    outcalld_start
    create before --volume "$T/data:/data"
    stop_pid "$PODMAN_PID" 5
    run --separate-stderr outcall container list
    refuses_like ".*$ENGINE_SOCKET.*"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 503 docker_unreachable
    alive "$DAEMON"
    # The new service goes where the daemon still is.
    ENGINE_NETNS_PID=$DAEMON podman_up
    ENGINE_PID=$PODMAN_PID
    run outcall container list
    [ "$status" = 0 ]
    [[ $output = *outcall-agent-before* ]]
    run outcall container stop --timeout 1 before
    says 'Container "outcall-agent-before" stopped.'
}

@test "P-006: a network of ours is internal and labelled" {
    run outcall network create staging
    says 'Network "outcall-staging" created (10.200.1.0/24).'
    [ "$(docker network inspect -f '{{.Internal}} {{.EnableIPv6}} {{.Driver}} {{index .Labels "managed-by"}}' outcall-staging)" = \
        'true false bridge outcalld' ]
}

@test "P-007: somebody else's mounts at our paths are refused, and what lies at the stage is attested after a restart" {
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
    grep -q 'killing "outcall-agent-staged"' "$T/outcalld.log"
    umount "$stage"
}

@test "P-008: a second network and a new name behind our back end the container, its removal is noticed" {
    create connected
    docker network create outside
    docker network connect outside outcall-agent-connected
    ended()
    {
        ! running "$1"
    }
    poll 10 ended outcall-agent-connected
    create renamed
    docker rename outcall-agent-renamed elsewhere
    poll 10 ended elsewhere
    grep -qF 'was renamed to "elsewhere"' "$T/outcalld.log"
    docker rm -f elsewhere
    create removed
    docker rm -f outcall-agent-removed
    gone()
    {
        [ ! -e "$T/run/agents/outcall-agent-removed" ] && [ ! -e "$T/run/stage/outcall-agent-removed" ]
    }
    poll 10 gone
}
