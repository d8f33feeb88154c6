#!/usr/bin/env bats
# The daemon as a process: start, refusal to start, readiness, stop; and the command line's ways to fail.
load ../support/outcall

setup()
{
    outcall_setup || return 1
}

teardown()
{
    outcall_teardown
}

@test "D-001: a command without a daemon says so" {
    run --separate-stderr "$OUTCALL" --socket "$T/absent.sock" status
    refuses "cannot connect to outcalld at $T/absent.sock — is it running?"
    python3 -B -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/stale.sock"
    run --separate-stderr "$OUTCALL" --socket "$T/stale.sock" container list
    refuses "cannot connect to outcalld at $T/stale.sock — is it running?"
}

@test "D-002: wrong usage ends with 2" {
    for line in '' 'frobnicate' 'container' 'container frobnicate' 'container create' 'container create --image' \
        'container create --image x --memory y' 'container create --image x --colour y' '--frobnicate status'; do
        # shellcheck disable=SC2086
        run "$OUTCALL" $line
        [ "$status" = 2 ] || { echo "outcall $line: $status" >&2; false; }
    done
    run "$OUTCALLD" --frobnicate
    [ "$status" = 2 ]
}

@test "D-003: a second daemon on the same runtime directory names the first one's pid" {
    outcalld_start
    first=$DAEMON
    refuses_to_start
    grep -q "$first" "$T/outcalld.log"
    DAEMON=$first
    alive "$first"
    run outcall status
    [ "$status" = 0 ]
}

@test "D-004: directories that are not safe are refused" {
    mkdir "$T/real"
    ln -s real "$T/run"
    refuses_to_start
    rm "$T/run"
    mkdir -m 0777 "$T/run"
    refuses_to_start
    rmdir "$T/run"
    install -d -m 0755 -o 65534 "$T/run"
    refuses_to_start
    rmdir "$T/run"
    chmod 0777 "$T/rules"
    refuses_to_start
    chmod 0755 "$T/rules"
    outcalld_start
}

@test "D-005: sockets and directories have the modes that the table says" {
    outcalld_start
    create modes
    mode()
    {
        [ "$(stat -c '%a %F' "$2")" = "$1" ] || { stat "$2" >&2; false; }
    }
    mode '755 directory' "$T/run"
    mode '600 socket' "$T/run/host.sock"
    mode '700 directory' "$T/run/stage"
    mode '755 directory' "$T/run/agents/outcall-agent-modes"
    mode '666 socket' "$T/run/agents/outcall-agent-modes/agent.sock"
    mode '700 directory' "$T/state"
}

@test "D-006: the host socket refuses another user" {
    outcalld_start
    chmod 0666 "$SOCKET"
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        curl -sS -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" http://outcalld/api/v1/status
    [ "$output" != 200 ]
    api GET /api/v1/status
    [ "$http_status" = 200 ]
}

@test "D-007: the host socket refuses a process inside a container, root or not" {
    outcalld_start
    # Nothing of ours can give a container this socket, so an engine's user does it for the test.
    cp "$OUTCALL" "$T/outcall"
    run docker run --rm -v "$T/run:/loot" -v "$(command -v curl):/curl" -v /usr/lib:/usr/lib:ro -v /lib:/lib:ro -v /lib64:/lib64:ro "$IMAGE" \
        /curl -sS -o /dev/null -w '%{http_code}' --unix-socket /loot/host.sock http://outcalld/api/v1/status
    [[ $output != *200* ]]
    [[ $output = *403* || $output = *000* ]]
}

@test "D-008: SIGTERM finishes what is under way and takes the host socket along" {
    outcalld_start
    outcall container create --image "$IMAGE" --name late -- sleep 600 >"$T/create" 2>&1 3>&- 4>&- &
    job=$!
    kill -TERM "$DAEMON"
    wait "$job" || echo "the create was refused with $?"
    poll 20 pid_gone "$DAEMON"
    wait "$DAEMON"
    [ ! -e "$SOCKET" ]
    # Whichever was first: a container that is whole, or none.
    if grep -q 'created and started' "$T/create"; then
        running outcall-agent-late
    else
        [ "$(containers_n)" = 0 ]
    fi
}

@test "D-009: --check-config reads, reports and starts nothing" {
    mkdir -p "$T/rules"
    printf 'runtime-dir: %s\nrules-dir: %s\n' "$T/run" "$T/rules" >"$T/good.yaml"
    run "$OUTCALLD" --config "$T/good.yaml" --check-config
    [ "$status" = 0 ]
    [ ! -e "$T/run" ]
    printf 'runtime-dir: %s\nfrobnicate: 1\n' "$T/run" >"$T/bad.yaml"
    run --separate-stderr "$OUTCALLD" --config "$T/bad.yaml" --check-config
    [ "$status" = 1 ]
    [[ $stderr = *"bad.yaml:2:"*frobnicate* ]]
}

@test "D-010: status, events and metrics answer" {
    outcalld_start
    run outcall --json status
    [ "$(jq -r .version <<<"$output")" = "$(sed -n 's/.*OUTCALL_VERSION_STRING "\(.*\)"/\1/p' "$OUTCALL_SOURCE/include/outcall/version.h")" ]
    [ "$(jq -r .docker.socket <<<"$output")" = "$ENGINE_SOCKET" ]
    create seen
    api GET /api/v1/status
    [ "$(jq -r .data.containers <<<"$http_body")" = 1 ]
    api GET /api/v1/events
    [ "$http_status" = 200 ]
    api GET /metrics
    [ "$http_status" = 200 ]
    [[ $http_body = *outcall* ]]
}

@test "D-011: logs and wait follow a container to its end" {
    outcalld_start
    create talker -- sh -c 'echo out; echo err >&2; exit 3'
    run outcall container wait talker
    says 3
    run --separate-stderr outcall container logs talker
    [ "$output" = out ]
    [ "$stderr" = err ]
    create long -- sh -c 'echo begin; sleep 600'
    outcall container logs -f long >"$T/followed" 3>&- 4>&- &
    follower=$!
    poll 10 grep -q begin "$T/followed"
    outcall container remove --force long
    poll 10 pid_gone "$follower"
}

@test "D-012: inspect shows names of variables, never their values" {
    outcalld_start
    create secretive --env TOKEN=hunter2
    run outcall --json container inspect secretive
    [[ $output = *TOKEN* && $output = *'<redacted>'* ]]
    [[ $output != *hunter2* ]]
    run outcall container inspect secretive
    [[ $output != *hunter2* ]]
    run grep -c hunter2 "$T/outcalld.log"
    [ "$output" = 0 ]
}

@test "D-013: it tells its supervisor that it is ready" {
    python3 -B -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])
while True:
    open(sys.argv[2], "ab").write(s.recv(4096) + b"\n")' "$T/notify" "$T/notified" 3>&- 4>&- &
    PIDS+=($!)
    poll 5 test -S "$T/notify"
    NOTIFY_SOCKET=$T/notify outcalld_start
    poll 5 grep -q READY=1 "$T/notified"
    outcalld_stop
    poll 5 grep -q STOPPING=1 "$T/notified"
}

@test "D-014: unknown paths and methods are told apart" {
    outcalld_start
    api GET /api/v1/frobnicate
    api_says 404 not_found
    api GET '/api/v1/container?name=nobody'
    api_says 404 container_not_found 'container "outcall-agent-nobody" does not exist'
    api GET '/api/v1/network?name=nobody'
    [[ $http_status = 200 || $http_status = 404 ]]
}

@test "D-015: twenty refused creates leak nothing" {
    outcalld_start
    create warm
    outcall container remove --force warm
    before=$(leftovers)
    for round in $(seq 20); do
        run outcall container create --image absent --name "x$round"
        [ "$status" = 1 ]
        run create "y$round" --volume "$T/run:/x"
        [ "$status" = 1 ]
    done
    left_as "$before"
}
