#!/usr/bin/env bats
# Bad input in bulk, over the daemon's socket: a clear error each, nothing created, nothing leaked, the daemon alive.
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

badinput()
{
    python3 -B "$OUTCALL_SOURCE/tests/support/badinput.py" "$SOCKET" "$@"
}

networks()
{
    docker network ls --format '{{.Name}}' | sort
}

@test "B-001: 10000 random and mutated bodies" {
    outcall status >/dev/null
    before=$(leftovers)
    networks_before=$(networks)
    badinput bodies 10000 "${BADINPUT_SEED:-1}"
    left_as "$before"
    [ "$(networks)" = "$networks_before" ]
    alive "$DAEMON"
    create after
    running outcall-agent-after
}

@test "B-002: malformed, oversized, half and crowded HTTP" {
    outcall status >/dev/null
    before=$(leftovers)
    badinput http
    left_as "$before"
    alive "$DAEMON"
    create after
    running outcall-agent-after
}
