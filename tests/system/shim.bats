#!/usr/bin/env bats
# The shim in a container, against daemons that are not there, refuse, hang or talk nonsense: it runs nothing and ends with 5.
# The container is an ordinary one of the engine, so that the far end of the socket is the test's own.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    mkdir "$T/agent"
}

teardown()
{
    outcall_teardown
}

# shim: runs it in a container with $T/agent for its sockets' directory, told to wait for one second and given ten.
shim()
{
    run --separate-stderr env DOCKER_CONTEXT= DOCKER_CONFIG="$T/docker-cli" timeout -s KILL 10 docker -H "$ENGINE" \
        run --rm --network none -e OUTCALL_TIMEOUT_SECS="${TIMEOUT-1}" \
        -v "$SHIM:/usr/local/bin/outcall:ro" -v "$T/agent:/run/outcall:ro" "$IMAGE" outcall sh -c 'echo ran'
}

# ends_with_5 TEXT: nothing ran, and stderr is this one line.
ends_with_5()
{
    [ "$status" = 5 ] && [ -z "$output" ] && [ "$stderr" = "outcall: $1" ] && return 0
    printf 'expected 5 and: %s\ngot %s: %s%s\n' "$1" "$status" "$stderr" "$output" >&2
    return 1
}

# daemon_that PYTHON: something that listens on the agent socket and does PYTHON with each connection c.
daemon_that()
{
    python3 -B -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8)
kept = []
while True:
    c, _ = s.accept()
    kept.append(c)
    exec(sys.argv[2])' "$T/agent/agent.sock" "$1" </dev/null >&2 3>&- 4>&- &
    PIDS+=($!)
    poll 5 test -S "$T/agent/agent.sock"
}

# answers STATUS BODY: a daemon that does so.
answers()
{
    daemon_that "c.recv(65536)
body = '''$2'''
c.sendall(('HTTP/1.1 $1 x\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body)).encode())"
}

UNREACHABLE='outcalld unreachable — exiting (fail closed)'

@test "S005-EC-001: no socket" {
    shim
    ends_with_5 'agent socket not found at /run/outcall/agent.sock'
}

@test "S005-EC-003: a daemon that goes away with the request in its hands" {
    daemon_that 'c.recv(65536); c.close()'
    shim
    ends_with_5 "$UNREACHABLE"
}

@test "S005-EC-004: a daemon that accepts and never answers" {
    daemon_that 'pass'
    shim
    ends_with_5 "$UNREACHABLE"
}

@test "S005-EC-004: a timeout that is none" {
    answers 200 '{"success":true,"data":{}}'
    for TIMEOUT in 0 301 x '' 1.5 -1; do
        shim
        ends_with_5 "OUTCALL_TIMEOUT_SECS: expected 1 to 300 seconds, got \"$TIMEOUT\""
    done
}

@test "S005-EC-005: an answer that is none" {
    for body in '' x '[]' '{}' '{"success":1}' '{"success":true'; do
        answers 200 "$body"
        shim
        [ "$status" = 5 ] && [ -z "$output" ] && [[ $stderr = 'outcall: registration rejected: '* ]]
        rm "$T/agent/agent.sock"
    done
}

@test "S005-EC-007: a daemon that refuses" {
    answers 403 '{"success":false,"error":"not one of mine","code":"forbidden"}'
    shim
    ends_with_5 'registration rejected: not one of mine'
    rm "$T/agent/agent.sock"
    answers 500 '{"success":true}'
    shim
    ends_with_5 'registration rejected: outcalld answered with HTTP status 500'
}

@test "S005-EC-008: a socket that nobody listens on" {
    python3 -B -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/agent/agent.sock"
    shim
    ends_with_5 "$UNREACHABLE"
}
