#!/usr/bin/env bats
# Agents in real containers, through the real shim and the real daemon: what the rules say happens, and nothing else.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    mkdir "$T/rules" "$T/work"
    chmod 0777 "$T/work"
    cat >"$T/rules/agents.yaml" <<'END'
version: "1"
rules:
  - id: touch
    condition: run.tool == "touch" && run.args.all(a, glob(a, "/work/**"))
    action: allow
  - id: tools
    condition: run.tool in ["echo", "sleep", "true", "id", "sh"] && !("forbidden" in run.args)
    action: allow
  - id: no-rm
    condition: run.tool == "rm"
    action: block
    reason: ask a person first
    priority: 10
  - id: nobody
    condition: run.context.action_type == "checkin" && agent.name == "outlaw"
    action: block
    reason: this agent is not welcome
END
    outcalld_start
}

teardown()
{
    outcall_teardown
}

agent()
{
    create "$1" --volume "$T/work:/work" "${@:2}"
}

# shim NAME ARGS...: the shim in the container, as its agent calls it.
shim()
{
    run --separate-stderr inside "outcall-agent-$1" outcall "${@:2}"
}

# ends CODE STDERR: how the last call ended; nothing on stdout.
ends()
{
    [ "$status" = "$1" ] && [ "$stderr" = "$2" ] && [ -z "$output" ] && return 0
    printf 'expected %s and: %s\ngot %s: %s\n%s\n' "$1" "$2" "$status" "$stderr" "$output" >&2
    return 1
}

events()
{
    curl -fsS --max-time 10 --unix-socket "$SOCKET" http://outcalld/api/v1/events
}

# tree_gone TAG: no process with this word in its command line is left.
tree_gone()
{
    ! pgrep -f "$1" >/dev/null
}

@test "agents: what the rules allow runs, what they block does not" {
    agent a
    shim a touch /work/yes
    [ "$status" = 0 ]
    [ -e "$T/work/yes" ]
    shim a rm /work/yes
    ends 1 'outcall: blocked: ask a person first [rule no-rm]'
    [ -e "$T/work/yes" ]
    shim a touch /etc/no
    [ "$status" = 1 ]
    shim a echo 'exit code and stdout are its own'
    [ "$status" = 0 ]
    [ "$output" = 'exit code and stdout are its own' ]
    [ -z "$stderr" ]
    shim a sh -c 'exit 7'
    [ "$status" = 7 ]
    shim a check network_call https://example.com/ method=GET
    [ "$(jq -r .allowed <<<"$output")" = false ]
}

@test "agents: every verdict is an event and a log record, without arguments or environment" {
    agent a
    run grep 'warn.*agents' "$T/outcalld.log"
    [ "$status" = 1 ]
    shim a echo secret-argument
    [ "$status" = 0 ]
    shim a rm secret-argument
    [ "$status" = 1 ]
    events >"$T/events"
    jq -es 'map(select(.type == "verdict" and .action_type == "tool_exec")) |
        length == 2 and .[0].decision == "allow" and .[0].rule == "tools" and .[0].container == "outcall-agent-a" and
        .[1].decision == "block" and .[1].rule == "no-rm" and .[1].agent == "a" and .[1].target == "rm"' "$T/events"
    run grep secret-argument "$T/events" "$T/outcalld.log"
    [ "$status" = 1 ]
    [ "$(grep -c 'tool_exec: container outcall-agent-a' "$T/outcalld.log")" = 2 ]
}

@test "S005-EC-006: 200 invocations at once, each with its own verdict" {
    agent a --pids 2048 # each is a shell, the shim and its child at once
    # shellcheck disable=SC2016 # for the shell in the container
    run inside outcall-agent-a sh -c '
        i=0
        while [ $i -lt 200 ]; do
            if [ $((i % 2)) = 0 ]; then
                (outcall touch /work/allowed-$i >/dev/null 2>&1; echo $? >/work/code-$i) &
            else
                (outcall rm /work/allowed-$i >/dev/null 2>&1; echo $? >/work/code-$i) &
            fi
            i=$((i + 1))
        done
        wait'
    [ "$status" = 0 ]
    for ((i = 0; i < 200; i++)); do
        [ "$(cat "$T/work/code-$i")" = $((i % 2)) ] || { echo "$i: $(cat "$T/work/code-$i")" >&2; false; }
        if ((i % 2 == 0)); then
            [ -e "$T/work/allowed-$i" ]
        fi
    done
    [ "$(grep -c 'tool_exec: container outcall-agent-a' "$T/outcalld.log")" = 200 ]
}

@test "S005-EC-007: a check-in that a rule refuses, and a container that is not ours" {
    agent outlaw
    shim outlaw echo x
    ends 5 'outcall: registration rejected: this agent is not welcome'
    agent a
    # The host is not in the container, whatever it sends.
    run curl -sS --max-time 10 --unix-socket "$T/run/agents/outcall-agent-a/agent.sock" -X POST http://x/v1/checkin -d '{}'
    [ "$(jq -r .code <<<"$output")" = forbidden ]
    # Nor is another container that got the socket's directory from somebody.
    run --separate-stderr docker run --rm --network none -v "$SHIM:/usr/local/bin/outcall:ro" \
        -v "$T/run/agents/outcall-agent-a:/run/outcall:ro" "$IMAGE" outcall echo x
    [ "$status" = 5 ]
    [[ "$stderr" = 'outcall: registration rejected: '* ]]
    [ -z "$output" ]
}

@test "S005-EC-009: the shim cannot be changed from inside" {
    agent a --user 65532:65532
    sum=$(sha256sum <"$SHIM")
    for what in 'echo x >F' 'rm F' 'mv F /tmp/x' 'chmod 0777 F' ': >F' 'ln -f /bin/sh F' 'mount -t tmpfs none /usr/local/bin'; do
        run inside outcall-agent-a sh -c "${what//F//usr/local/bin/outcall}"
        [ "$status" != 0 ] || { echo "$what" >&2; false; }
    done
    [ "$(sha256sum <"$SHIM")" = "$sum" ]
    [ "$(inside outcall-agent-a sha256sum /usr/local/bin/outcall | cut -d' ' -f1)" = "${sum%% *}" ]
}

@test "S005-EC-002: the socket goes while an action runs" {
    agent a
    inside outcall-agent-a env OUTCALL_HEARTBEAT_SECS=1 outcall sleep 671 &
    pid=$!
    poll 10 pgrep -f '^sleep 671' >/dev/null
    rm "$T/run/agents/outcall-agent-a/agent.sock"
    code=0
    wait "$pid" || code=$?
    [ "$code" = 5 ]
    poll 2 tree_gone 'sleep 671'
}

@test "S005-EC-003: the daemon dies under an action; afterwards new ones work in the old container" {
    agent a
    # shellcheck disable=SC2016 # for the shell in the container
    inside outcall-agent-a outcall sh -c 'trap "" TERM; setsid sleep 672 & (sleep 672 &) ; i=0
        while [ $i -lt 48 ]; do sleep 672 & i=$((i + 1)); done; wait' &
    pid=$!
    all_up() { [ "$(pgrep -fc '^sleep 672')" = 50 ]; }
    poll 10 all_up
    outcalld_kill
    poll 2 tree_gone '^sleep 672'
    code=0
    wait "$pid" || code=$?
    [ "$code" = 5 ]
    shim a touch /work/while-dead
    [ "$status" = 5 ]
    [ ! -e "$T/work/while-dead" ]
    outcalld_start
    shim a touch /work/again
    [ "$status" = 0 ]
    [ -e "$T/work/again" ]
}

@test "S005-EC-002: the directory is emptied, or the mount goes, while an action runs" {
    for name in emptied unmounted; do
        agent "$name"
        inside "outcall-agent-$name" env OUTCALL_HEARTBEAT_SECS=1 outcall sleep 674 2>"$T/err" &
        pid=$!
        poll 10 pgrep -f '^sleep 674' >/dev/null
        case $name in
            emptied) find "$T/run/agents/outcall-agent-emptied" -mindepth 1 -delete ;;
            unmounted) nsenter -m -t "$(init_of unmounted)" umount /run/outcall ;;
        esac
        code=0
        wait "$pid" || code=$?
        [ "$code" = 5 ]
        [ "$(cat "$T/err")" = 'outcall: outcalld unreachable — exiting (fail closed)' ]
        poll 2 tree_gone 'sleep 674'
        shim "$name" touch /work/no
        ends 5 'outcall: agent socket not found at /run/outcall/agent.sock'
    done
    [ ! -e "$T/work/no" ]
}

@test "S005-EC-003: the daemon dies after it has read a question and before it answers: no trace of the action" {
    agent a
    for place in agent.asked agent.judged; do
        outcalld_stop
        OUTCALL_FAULT=$place:kill outcalld_start
        shim a touch /work/no
        ends 5 'outcall: outcalld unreachable — exiting (fail closed)'
        [ ! -e "$T/work/no" ]
        poll 5 pid_gone "$DAEMON"
        code=0
        wait "$DAEMON" || code=$?
        [ "$code" = 137 ]
        outcalld_start
        shim a touch /work/yes
        [ "$status" = 0 ]
    done
    [ ! -e "$T/work/no" ]
}

@test "T27: a running action lives on when the engine's events are lost and come back" {
    outcalld_stop
    tap_start
    outcalld_start
    agent a
    inside outcall-agent-a outcall sleep 675 &
    pid=$!
    poll 10 pgrep -f '^sleep 675' >/dev/null
    stop_pid "$TAP" 5
    rm "$T/tap.log"
    tap_start
    poll 20 grep -q '/containers/outcall-agent-a/json' "$T/tap.log"
    shim a touch /work/yes # an exec later the look is over
    [ "$status" = 0 ]
    pgrep -f '^sleep 675' >/dev/null
    pkill -f '^sleep 675'
    code=0
    wait "$pid" || code=$?
    [ "$code" = 143 ]
}

@test "S005-EC-004: the daemon hangs" {
    agent a
    kill -STOP "$DAEMON"
    run --separate-stderr inside outcall-agent-a env OUTCALL_TIMEOUT_SECS=1 outcall touch /work/no
    kill -CONT "$DAEMON"
    [ "$status" = 5 ]
    [ ! -e "$T/work/no" ]
    inside outcall-agent-a env OUTCALL_TIMEOUT_SECS=1 OUTCALL_HEARTBEAT_SECS=1 outcall sleep 673 &
    pid=$!
    poll 10 pgrep -f '^sleep 673' >/dev/null
    kill -STOP "$DAEMON"
    code=0
    wait "$pid" || code=$?
    kill -CONT "$DAEMON"
    [ "$code" = 5 ]
    poll 2 tree_gone 'sleep 673'
}

@test "agents: a rule that is asked for works once it is approved, for who asked" {
    agent a
    agent b
    # shellcheck disable=SC2016 # for the shell in the container
    run inside outcall-agent-a sh -c 'cat >/tmp/r.yaml <<END
version: "1"
rules:
  - id: dates
    condition: run.tool == "date"
    action: allow
END
outcall request /tmp/r.yaml'
    [ "$status" = 0 ]
    id=$(grep -oE 'rr-[0-9a-f]{12}' <<<"$output" | head -n 1)
    [ -n "$id" ]
    shim a date
    [ "$status" = 1 ]
    outcall requests show "$id" | grep -q 'run.tool == "date"'
    outcall requests approve "$id"
    shim a date
    [ "$status" = 0 ]
    [ -n "$output" ]
    shim b date
    [ "$status" = 1 ]
    shim a request --status "$id"
    [ "$status" = 0 ]
    [[ "$output" = *approved* ]]
    shim b request --status "$id"
    [ "$status" != 0 ]
    outcalld_stop
    outcalld_start
    shim a date
    [ "$status" = 0 ]
}

@test "agents: the shim as PID 1 asks before anything of the image runs" {
    outcall container create --image "$IMAGE" --name one --volume "$T/work:/work" -- \
        /usr/local/bin/outcall exec -- touch /work/first
    ended() { [ "$(state_of outcall-agent-one)" = exited ]; }
    poll 10 ended
    [ "$(docker inspect -f '{{.State.ExitCode}}' outcall-agent-one)" = 0 ]
    [ -e "$T/work/first" ]
    outcall container create --image "$IMAGE" --name two --volume "$T/work:/work" -- \
        /usr/local/bin/outcall exec -- rm /work/first
    ended() { [ "$(state_of outcall-agent-two)" = exited ]; }
    poll 10 ended
    [ "$(docker inspect -f '{{.State.ExitCode}}' outcall-agent-two)" = 1 ]
    [ -e "$T/work/first" ]
}

# attack NAME CONTAINER [MORE...]: tests/support/agent_peer.py against this container's socket.
attack()
{
    local name=$1 container=$2
    shift 2
    run python3 -B "$OUTCALL_SOURCE/tests/support/agent_peer.py" "$name" \
        "$T/run/agents/outcall-agent-$container/agent.sock" "$(init_of "$container")" "$@"
}

init_of()
{
    docker inspect -f '{{.State.Pid}}' "outcall-agent-$1"
}

answers()
{
    [ "$status" = 0 ] && [ "$output" = "$1" ] && return 0
    printf 'expected: %s\ngot %s: %s\n' "$1" "$status" "$output" >&2
    return 1
}

@test "T21: a connection ends with the process that made it, whoever has its descriptor or its pid" {
    agent a
    agent b
    attack inside a
    answers $'200 "session"\n200 true'
    attack host a
    answers '403 forbidden'
    attack inherited a
    answers $'200 true\n403 forbidden'
    attack reused a
    answers '403 forbidden'
    attack passed a "$(init_of b)"
    answers $'200 true\n200 "session"\n403 forbidden'
    attack token a "$T/run/agents/outcall-agent-b/agent.sock" "$(init_of b)"
    answers '401 unauthorized'
    inside outcall-agent-a outcall true
}

@test "T22: a cgroup that is only named like the container's" {
    agent a
    attack lookalike a
    answers '403 forbidden'
}

@test "T23: a daemon outside the pid namespace of the engine says so, and refuses every agent" {
    agent a
    contained=$T/contained
    for proc in /proc "$T/work"; do # with a /proc of its own, and with the host's
        outcalld_stop
        : >"$T/outcalld.log"
        # shellcheck disable=SC2016 # for the script
        printf '#!/bin/sh\nexec unshare --pid --fork --kill-child --mount-proc=%s "%s" "$@"\n' "$proc" "$OUTCALLD" >"$contained"
        chmod 0755 "$contained"
        OUTCALLD=$contained outcalld_spawn # whose own API takes nobody from outside either
        poll 20 grep -q 'ready at ' "$T/outcalld.log"
        grep -q 'all agents are refused: the engine lives in another pid namespace' "$T/outcalld.log"
        shim a touch /work/no
        ends 5 'outcall: registration rejected: this socket belongs to another container'
        [ ! -e "$T/work/no" ]
        outcalld_kill
        outcalld_start
        shim a touch /work/yes
        [ "$status" = 0 ]
    done
}

@test "agents: rules see the labels that a container was asked to have, not its image's" {
    docker create --name model "$IMAGE" true >/dev/null
    docker commit --change 'LABEL trusted=yes team=red' model "$IMAGE-labelled" >/dev/null
    docker rm model >/dev/null
    cat >"$T/rules/labels.yaml" <<'END'
version: "1"
rules:
  - {id: blue, action: allow, condition: 'run.tool == "date" && agent.labels["team"] == "blue"'}
  - {id: trusted, action: allow, condition: 'run.tool == "hostname" && "trusted" in agent.labels'}
  - {id: only, action: allow, condition: 'run.tool == "uname" && agent.labels == {"team": "blue", "x": "a=b"}'}
END
    outcall rules reload
    api POST /api/v1/container/create "{\"image\":\"$IMAGE-labelled\",\"name\":\"a\",\"cmd\":[\"sleep\",\"600\"],
        \"labels\":{\"team\":\"blue\",\"x\":\"a=b\"}}"
    [ "$http_status" = 200 ]
    for restart in no yes; do
        [ "$restart" = no ] || { outcalld_stop && outcalld_start; }
        shim a date
        [ "$status" = 0 ]
        shim a uname
        [ "$status" = 0 ]
        shim a hostname
        [ "$status" = 1 ]
    done
    outcall container create --image "$IMAGE-labelled" --name b -- sleep 600
    shim b date
    [ "$status" = 1 ]
    docker rm -f outcall-agent-a outcall-agent-b >/dev/null
    docker rmi "$IMAGE-labelled" >/dev/null
}

# flood KIND [SOCKET]: the greedy container's agent begins to flood, at full speed; FLOOD is its pid in there.
flood()
{
    docker exec outcall-agent-greedy /work/agent-load "$@" >"$T/flood" 2>&1 3>&- 4>&- &
    FLOODS=$!
    PIDS+=("$FLOODS")
    poll 10 grep -q '^floods' "$T/flood" || { cat "$T/flood" >&2; return 1; }
    FLOOD=$(awk '$1 == "floods" { print $2 }' "$T/flood")
}

flood_end()
{
    alive "$FLOODS" || { echo "the flood was over too early" >&2; cat "$T/flood" >&2; return 1; }
    docker exec outcall-agent-greedy sh -c "kill -KILL $FLOOD"
    wait "$FLOODS" || [ $? = 137 ]
}

greedy_and_other()
{
    need "$OUTCALL_BUILD/tests/support/agent-load" || return 1
    cp "$OUTCALL_BUILD/tests/support/agent-load" "$T/work/"
    agent greedy
    agent other
}

@test "T25: one agent floods, another one's questions are answered all the same" {
    greedy_and_other
    flood flood /run/outcall/agent.sock
    for ((i = 0; i < 20; i++)); do
        run timeout 5 docker -H "$ENGINE" exec outcall-agent-other outcall true
        [ "$status" = 0 ]
    done
    poll 30 grep -qx limited "$T/flood"
    flood_end
}

# p99: of the other's verdicts, in microseconds.
p99()
{
    inside outcall-agent-other /work/agent-load ask /run/outcall/agent.sock 5000 | jq .p99
}

# What the daemon does is seen where the flood has a processor to itself. One that takes the other's processor costs it the
# same if it asks nobody: the kernel's shares, which tests/bench shows.
@test "T25: one agent floods, another one's verdicts keep their latency" {
    read -r ours theirs < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2])')
    [ -n "$theirs" ] || cannot_run "there is one processor only"
    outcalld_stop
    cat >>"$T/rules/agents.yaml" <<'END'
  - id: api
    condition: network.hostname == "api.example.com" && http.path.startsWith("/v1")
    action: allow
END
    outcalld_start --agent-perm-rate 1000000/1 --log-level info # the flood is answered for as long as it lasts
    greedy_and_other
    docker update --cpuset-cpus "$theirs" outcall-agent-greedy
    docker update --cpuset-cpus "$ours" outcall-agent-other
    taskset -a -c -p "$ours" "$DAEMON"
    for ((i = 0; i < 5; i++)); do
        quiet=$(p99)
        flood flood /run/outcall/agent.sock
        beside=$(p99)
        flood_end
        echo "{\"quiet\":$quiet,\"beside\":$beside}"
    done >"$T/rounds"
    cat "$T/rounds"
    jq -es 'map(.beside / .quiet) | sort | .[2] <= 2' "$T/rounds"
}

# request_file CONTAINER: the shim submits what is on stdin.
request_file()
{
    docker exec -i "outcall-agent-$1" sh -c 'cat >/tmp/request.yaml'
    shim "$1" request /tmp/request.yaml
}

@test "T31: rule files that are bombs are refused before they cost anything, and one bad entry stops nothing" {
    agent a
    {
        printf 'version: "1"\ndefinitions:\n  a: &a ["x","x","x","x","x","x","x","x"]\n'
        for level in b c d e f g h i; do
            printf '  %s: &%s [*%s,*%s,*%s,*%s,*%s,*%s]\n' "$level" "$level" a a a a a a
        done
        printf 'rules: []\n'
    } | { request_file a; [ "$status" = 1 ]; }
    { printf 'version: "1"\nrules: '; head -c 20000 /dev/zero | tr '\0' '['; } | { request_file a; [ "$status" = 1 ]; }
    { printf 'version: "1"\nrules:\n  - {id: x, action: allow, condition: "true"}\n#'; head -c 70000 /dev/zero | tr '\0' x; } |
        { request_file a; [ "$status" = 1 ]; }
    printf 'version: "1"\nrules:\n  - {id: x, action: allow, condition: "run.tool.matches(\\"(\\")"}\n' |
        { request_file a; [ "$status" = 1 ]; [[ "$stderr" = *'regular expression'* ]]; }
    shim a true
    [ "$status" = 0 ]
    outcalld_stop
    mkdir -p "$T/state/requests"
    ls "$T/state/requests" >&2
    printf 'garbage' >"$T/state/requests/rr-0123456789ab.yaml"
    printf '{' >"$T/state/requests/rr-0123456789ab.json"
    outcalld_start
    shim a true
    [ "$status" = 0 ]
}

@test "T33: conditions that cost are errors within bounds, and others are answered meanwhile" {
    cat >"$T/rules/costly.yaml" <<'END'
version: "1"
rules:
  - id: cubic
    condition: run.tool == "cubic" && run.args.all(a, run.args.all(b, run.args.all(c, a != "x" && b != "x" && c != "x")))
    action: allow
  - id: regex
    condition: run.tool == "regex" && run.args[0].matches("^(([a-z])+.)+[A-Z]([a-z])+$")
    action: block
    reason: this costs too much
END
    outcall rules reload
    agent a
    agent b
    many=$(seq 1 400)
    # shellcheck disable=SC2086 # 400 arguments
    run --separate-stderr timeout 5 docker -H "$ENGINE" exec outcall-agent-a outcall cubic $many
    ends 1 'outcall: blocked: no rule allows it' # the steps' end, not the time's: the rules that follow were asked
    run --separate-stderr timeout 5 docker -H "$ENGINE" exec outcall-agent-a outcall regex aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    [ "$status" = 1 ]
    [[ "$stderr" = *'[rule regex]'* ]]
    shim b true
    [ "$status" = 0 ]
    api GET /api/v1/rule/cubic
    [ "$(jq .data.errors <<<"$http_body")" = 1 ]
    api GET /api/v1/rule/regex
    [ "$(jq .data.errors <<<"$http_body")" = 1 ]
}
