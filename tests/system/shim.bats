#!/usr/bin/env bats
# The shim in a container, against daemons that are not there, refuse, hang or talk nonsense: it runs nothing and ends with 5.
# The container is an ordinary one of the engine, so that the far end of the socket is the test's own.
load ../support/shim

setup()
{
    outcall_setup || return 1
    need "$FAKE_AGENT" || return 1
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
        ends_like 5 'registration rejected: '
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
    ends_with_5 'registration rejected: malformed answer: HTTP status 500'
}

@test "S005-EC-008: a socket that nobody listens on" {
    python3 -B -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/agent/agent.sock"
    shim
    ends_with_5 "$UNREACHABLE"
}

# box: a container that stays, with the same mounts.
box()
{
    docker run -d --name box --network none \
        --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --user 65532:65532 --pids-limit "${1:-16}" \
        -e OUTCALL_TIMEOUT_SECS=1 -v "$SHIM:/usr/local/bin/outcall:ro" -v "$T/agent:/run/outcall:ro" "$IMAGE" sleep 600 >/dev/null
}

# blocks NAME: the answer in $T/verdict is no yes.
blocks()
{
    rm -f "$T/agent/agent.sock"
    agent_start --answer check "$T/verdict"
    try docker exec box outcall touch /tmp/ran
    if [ "$status" != 1 ] || [[ $stderr != 'outcall: malformed verdict: '* ]] || [ -n "$output" ]; then
        printf '%s: %s %s\n' "$1" "$status" "$stderr" >&2
        return 1
    fi
    agent_kill
}

@test "S005-EC-005: verdicts that are none, in a container" {
    box
    each_malformed_body blocks
    each_malformed_answer blocks
    docker exec box test ! -e /tmp/ran
    rm -f "$T/agent/agent.sock"
    agent_start
    docker exec box outcall touch /tmp/ran # the way there is open
    docker exec box test -e /tmp/ran
}

# alone: nothing but the container's own sleep, and what an engine puts before it.
alone()
{
    [ "$(docker top box -o pid,args | grep -c 'sleep 77')" = 0 ]
}

@test "S005-EC-010: a socket that flaps under a running action, in a container: 5 at the first failure, for good" {
    box
    agent_start
    docker exec box outcall sleep 77 >&2 2>"$T/err" &
    action=$!
    comes_to_ask /v1/heartbeat 1
    agent_again --flap 10
    code=0
    wait "$action" || code=$?
    [ "$code" = 5 ]
    [ "$(cat "$T/err")" = "outcall: $UNREACHABLE" ]
    poll 5 alone
    asked /v1/checkin 0
    asked /v1/permissions/check 0
}

@test "T28: a tree of 50 in a container ends with the daemon" {
    box 128
    agent_start
    docker exec box outcall sh -c 'trap "" TERM; for i in 1 2 3 4 5 6 7 8 9 10; do
        sleep 77 & (setsid sleep 77 &) ; setsid sh -c "trap \"\" TERM; sleep 77; :" & (setsid sh -c "(setsid sleep 77 &)" &)
        done; wait; sleep 77' >&2 2>"$T/err" &
    action=$!
    poll 10 tree_stands
    kill -KILL "$AGENT"
    code=0
    wait "$action" || code=$?
    [ "$code" = 5 ]
    [ "$(cat "$T/err")" = "outcall: $UNREACHABLE" ]
    poll 5 alone
}

tree_stands()
{
    [ "$(docker top box -o pid,args | grep -c 'sleep 77')" -ge 50 ]
}
