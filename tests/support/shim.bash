# shellcheck disable=SC2034,SC2154 # bats and the test files set and use these
# The shim outside of containers: the real program in a mount namespace of its own, where /run/outcall is $T/agent and
# /usr/local/bin/outcall is the shim; and a scripted daemon at the other end of the socket.
#
#   setup() { shim_setup; }
#   teardown() { shim_teardown; }
: "${OUTCALL_SOURCE:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
load "$OUTCALL_SOURCE/tests/support/outcall"

FAKE_AGENT=$OUTCALL_BUILD/tests/support/fake-agent
UNREACHABLE='outcalld unreachable — exiting (fail closed)'
NO_SOCKET='agent socket not found at /run/outcall/agent.sock'

shim_setup()
{
    need "$SHIM" "$FAKE_AGENT" unshare setpriv jq || return 1
    [ "$(id -u)" = 0 ] || cannot_run "needs root" || return 1
    T=$(mktemp -d /tmp/oc-t.XXXXXX)
    chmod 0755 "$T"
    mkdir "$T/agent" "$T/root"
    PIDS=()
    AGENT=
    cat >"$T/enter" <<END
#!/bin/bash
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/outcall
mount --bind "$T/agent" /run/outcall
mount -o remount,bind,ro /run/outcall
mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
: >/usr/local/bin/outcall
mount --bind "$SHIM" /usr/local/bin/outcall
mount -o remount,bind,ro /usr/local/bin/outcall
exec "\$@"
END
    chmod 0755 "$T/enter"
    cd "$T" || return 1
}

shim_teardown()
{
    local pid
    [ -n "${T:-}" ] && [ -d "$T" ] || return 0
    if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -f "$T/agent.log" ]; then
        echo "--- what the daemon was asked" >&2
        tail -n 20 "$T/agent.log" >&2
    fi
    for pid in "${PIDS[@]}"; do
        stop_pid "$pid" 5
    done
    cd /
    remove_tree "$T"
}

# agent_start [OPTIONS...]: the scripted daemon; sets AGENT. Its log is $T/agent.log.
agent_start()
{
    "$FAKE_AGENT" --log "$T/agent.log" "$@" "$T/agent/agent.sock" </dev/null >&2 3>&- 4>&- &
    AGENT=$!
    PIDS+=("$AGENT")
    poll 5 test -S "$T/agent/agent.sock"
}

# agent_kill: SIGKILL, and its socket's file stays as it would.
agent_kill()
{
    kill -KILL "$AGENT"
    wait "$AGENT" || [ $? = 137 ]
}

# agent_again [OPTIONS...]: another one in its place.
agent_again()
{
    agent_kill
    rm -f "$T/agent/agent.sock" "$T/agent.log"
    agent_start "$@"
}

# inside CMD...: in the namespace; the last one takes the place of the process, so that a background job's number is CMD's.
inside()
{
    unshare -m --propagation private "$T/enter" "$@"
}

exec_inside()
{
    exec unshare -m --propagation private "$T/enter" "$@"
}

# try CMD...: sets status, output and stderr as `run --separate-stderr` does, for which 127 is always a mistake.
try()
{
    status=0
    output=$("$@" 2>"$T/stderr") || status=$?
    stderr=$(cat "$T/stderr")
}

# shim ARGS...: told to wait for a second and given ten.
shim()
{
    try inside env OUTCALL_TIMEOUT_SECS="${TIMEOUT-1}" timeout -s KILL "${LIMIT-10}" outcall "$@"
}

# spawn CMD...: in the background and in the namespace, its stderr in $T/err and its stdout in $T/out; sets SPAWNED. Descriptor
# 9, the pipe of lives and dead_within, is open in everything it starts.
spawn()
{
    [ -p "$T/life" ] || mkfifo "$T/life"
    rm -f "$T/out" "$T/err"
    exec 8<>"$T/life" # so that neither end waits for the other
    exec_inside "$@" </dev/null >"$T/out" 2>"$T/err" 3>&- 4>&- 8>&- 9>"$T/life" &
    SPAWNED=$!
    PIDS+=("$SPAWNED")
}

# shim_spawn ARGS...
shim_spawn()
{
    spawn env OUTCALL_TIMEOUT_SECS="${TIMEOUT-1}" outcall "$@"
}

# lives N: N lines have come from what was spawned ("echo >&9"); only it keeps the pipe open afterwards.
lives()
{
    local i
    for ((i = 0; i < $1; i++)); do
        read -r -t 10 -u 8 || { echo "only $i of $1 came to life" >&2; return 1; }
    done
    exec 7<"$T/life" 8>&-
}

# dead_within MS: everything that holds the pipe has gone, and so long after the time in BEGAN.
dead_within()
{
    local took
    if read -r -t 10 -u 7; then
        echo "something still writes" >&2
        return 1
    elif [ $? -gt 128 ]; then
        echo "something still lives after 10 s" >&2
        return 1
    fi
    took=$(((${EPOCHREALTIME/./} - ${BEGAN/./}) / 1000))
    exec 7<&-
    [ "$took" -le "$1" ] || { echo "took $took ms" >&2; return 1; }
}

# spawned_ends STATUS [TEXT]: the spawned shim's status, and its one line on stderr.
spawned_ends()
{
    local code=0
    wait "$SPAWNED" || code=$?
    [ "$code" = "$1" ] && [ "$(cat "$T/err")" = "${2:+outcall: $2}" ] && return 0
    printf 'expected %s and: %s\ngot %s: %s\n' "$1" "${2:-}" "$code" "$(cat "$T/err")" >&2
    return 1
}

# ends STATUS [TEXT [OUTPUT]]: the last `shim` did so, with this one line on stderr.
ends()
{
    [ "$status" = "$1" ] && [ "$stderr" = "${2:+outcall: $2}" ] && [ "$output" = "${3:-}" ] && return 0
    printf 'expected %s, stderr: %s, stdout: %s\ngot %s: %s\n%s\n' "$1" "${2:-}" "${3:-}" "$status" "$stderr" "$output" >&2
    return 1
}

# ends_like STATUS TEXT: the same with one line on stderr that begins so, and nothing on stdout.
ends_like()
{
    [ "$status" = "$1" ] && [[ $stderr = "outcall: $2"* && $stderr != *$'\n'* ]] && [ -z "$output" ] && return 0
    printf 'expected %s, stderr: %s...\ngot %s: %s\n%s\n' "$1" "$2" "$status" "$stderr" "$output" >&2
    return 1
}

# asked WHERE [N]: the daemon got N requests there.
asked()
{
    local n
    n=$(grep -cF "\"path\":\"$1" "$T/agent.log") || [ $? = 1 ]
    [ "$n" = "${2:-1}" ] || { echo "$1: asked $n times" >&2; return 1; }
}

# question FILTER: jq over the body of the last check.
question()
{
    jq -rcs "[.[] | select(.path == \"/v1/permissions/check\")] | last | .body | $1" "$T/agent.log"
}

# comes_to_ask WHERE N: it will have got at least N.
comes_to_ask()
{
    poll 20 asked_at_least "$1" "$2"
}

asked_at_least()
{
    local n
    n=$(grep -cF "\"path\":\"$1" "$T/agent.log") || [ $? = 1 ]
    [ "$n" -ge "$2" ]
}

# --- answers that are no yes ----------------------------------------------------------------------------------------------

# http STATUS BODY [HEADER...]: a whole answer.
http()
{
    local status=$1 body=$2
    shift 2
    printf 'HTTP/1.1 %s x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n' "$status" "$(printf %s "$body" | wc -c)"
    [ $# = 0 ] || printf '%s\r\n' "$@"
    printf '\r\n%s' "$body"
}

YES='{"success":true,"data":{"allowed":true,"matched_rule":null,"reason":null}}'

# each_malformed_body FUNCTION: calls it with a name for each, once the whole answer is in $T/verdict.
each_malformed_body()
{
    local body
    while IFS= read -r body; do
        http 200 "$body" >"$T/verdict"
        "$1" "$body" || return 1
    done <<'END'

{
{"success":true,"data":{"allowed":true}
{"success":true,"data":{"allowed":true}}}
{"success":true,"data":{"allowed":true}} {"success":true,"data":{"allowed":true}}
[]
null
true
"allowed"
{}
{"success":true}
{"success":true,"data":null}
{"success":true,"data":[true]}
{"success":true,"data":{}}
{"success":true,"data":{"matched_rule":"x","reason":null}}
{"success":true,"data":{"allowed":"yes"}}
{"success":true,"data":{"allowed":"true"}}
{"success":true,"data":{"allowed":1}}
{"success":true,"data":{"allowed":null}}
{"success":true,"data":{"allowed":[true]}}
{"success":true,"data":{"Allowed":true}}
{"success":true,"data":{"allowed":true,"matched_rule":7}}
{"success":true,"data":{"allowed":true,"reason":{}}}
{"success":true,"data":{"allowed":false,"allowed":true}}
{"success":"true","data":{"allowed":true}}
{"success":1,"data":{"allowed":true}}
{"data":{"allowed":true}}
{"allowed":true}
{'success':true,'data':{'allowed':true}}
<html>allowed</html>
END
}

# each_malformed_answer FUNCTION: the same with what goes wrong around the body.
each_malformed_answer()
{
    printf '%s' "$YES" >"$T/verdict"
    "$1" 'HTTP/0.9' || return 1
    http 302 "$YES" 'Location: http://localhost/v1/permissions/check' >"$T/verdict"
    "$1" redirect || return 1
    http 201 "$YES" >"$T/verdict"
    "$1" 201 || return 1
    http 204 '' >"$T/verdict"
    "$1" 204 || return 1
    http 599 "$YES" >"$T/verdict"
    "$1" 599 || return 1
    { http 200 "$YES"; http 200 "$YES"; } >"$T/verdict"
    "$1" 'two answers' || return 1
    { http 200 "$YES"; printf x; } >"$T/verdict"
    "$1" 'a byte more' || return 1
    { printf 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: %d\r\n\r\n%s' ${#YES} "$YES"; } >"$T/verdict"
    "$1" 'two lengths' || return 1
    { printf 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s' "$YES"; } >"$T/verdict"
    "$1" 'a length too short' || return 1
    { printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n%s' "$YES"; } >"$T/verdict"
    "$1" 'a broken chunk' || return 1
    { printf 'HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n'; head -c 10485760 /dev/zero | tr '\0' ' '; } >"$T/verdict"
    "$1" '10 MiB' || return 1
    { printf 'HTTP/1.1 200 OK\r\n'; head -c 100000 /dev/zero | tr '\0' 'a'; } >"$T/verdict"
    "$1" 'a head without an end' || return 1
    { http 200 '{"success":true,"data":{"allowed":true,"reason":"'"$(printf 'a\377')"'"}}'; } >"$T/verdict"
    "$1" 'no UTF-8' || return 1
}
