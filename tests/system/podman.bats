#!/usr/bin/env bats
# The same story against Podman's Docker-compatible service. Left out, and why:
#  - networks' "Internal" and bridge name are Podman's own to honour: the network tests are Docker's
#  - Podman has no image import of an "Init" binary and no --init of its own on Debian: the service is told to use docker-init
#  - S008-EC-006 over loopback: Podman wants TLS from registries unless its own configuration says otherwise
load ../support/outcall

setup()
{
    outcall_setup || return 1
    need podman
    REGISTRY_PID='' PODMAN_PID=''
    engine_dir && PRIVATE_ENGINE=$ENGINE_DIR ENGINE_PID=
    engine_podman
    ENGINE_PID=$PODMAN_PID
    ENGINE=unix://$PODMAN_SOCKET
    ENGINE_SOCKET=$PODMAN_SOCKET
    outcalld_start
}

teardown()
{
    ENGINE_PID='' # Podman's is ended by its own name
    outcall_teardown
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

@test "P-003: what is not there" {
    run --separate-stderr outcall container stop nobody
    refuses 'container "outcall-agent-nobody" does not exist'
    run --separate-stderr outcall container create --image localhost/absent:1
    refuses 'image "localhost/absent:1" not found locally — pull it first'
    run --separate-stderr create attempt --network nowhere
    refuses 'network "outcall-nowhere" does not exist'
}

@test "P-004: containers outlive the daemon and are found again" {
    create survivor
    outcalld_kill
    running outcall-agent-survivor
    outcalld_start
    run outcall container inspect survivor
    [ "$status" = 0 ]
}
