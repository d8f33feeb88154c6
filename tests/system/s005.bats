#!/usr/bin/env bats
# The shim against a scripted daemon, row by row: what it asks, what it runs, and that nothing runs without a clear yes.
load ../support/shim

setup()
{
    shim_setup
}

teardown()
{
    shim_teardown
}

# nothing_ran: the marker that every command here would leave is not there.
nothing_ran()
{
    [ ! -e "$T/ran" ] || { echo "it ran" >&2; return 1; }
}

# --- forms --------------------------------------------------------------------------------------------------------------

@test "S005: a tool is asked for by name and arguments, and run with them" {
    agent_start
    shim printf '%s|' one 'two words' ''
    ends 0 '' 'one|two words||'
    [ "$(question .)" = '{"action_type":"tool_exec","target":"printf","metadata":{"args":["%s|","one","two words",""],"cwd":"'"$T"'"}}' ]
    shim exec -- check --version
    ends 127 'check: not found'
    [ "$(question '[.action_type, .target, .metadata.args]')" = '["tool_exec","check",["--version"]]' ]
    shim exec echo x
    ends 0 '' x
}

@test "S005: bash, sh and shell ask for a shell, and run the program itself, or the shell with its options" {
    agent_start
    shim bash printf %s x
    ends 0 '' x
    [ "$(question '[.action_type, .target, .metadata.args]')" = '["shell_exec","bash",["printf","%s","x"]]' ]
    shim bash -c 'printf %s "$0-$1-$BASH"' a b
    ends 0 '' "a-b-$(command -v bash)"
    [ "$(question '.metadata.args')" = '["-c","printf %s \"$0-$1-$BASH\"","a","b"]' ]
    shim shell -c 'printf %s $0'
    ends 0 '' sh
    [ "$(question '[.target, .metadata.args]')" = '["shell",["-c","printf %s $0"]]' ]
    try inside sh -c 'echo echo from stdin | outcall sh'
    ends 0 '' 'from stdin'
}

@test "S005: check prints the verdict and runs nothing" {
    agent_start
    shim check network_call https://a.example/x method=GET args=1 args=2
    ends 0 '' '{"allowed":true,"matched_rule":"yes","reason":null}'
    [ "$(question .)" = '{"action_type":"network_call","target":"https://a.example/x","metadata":{"args":["1","2"],"method":"GET"}}' ]
    shim check file_access deny-this mode=read
    ends 1 'blocked: not here [rule no-deny]' '{"allowed":false,"matched_rule":"no-deny","reason":"not here"}'
    for words in 'fly x' 'tool_exec' 'tool_exec x y' 'tool_exec x =y' 'tool_exec x a=1 a=2' 'tool_exec x cwd=/ cwd=/'; do
        # shellcheck disable=SC2086
        shim check $words
        ends_like 2 'check: '
    done
    asked /v1/permissions/check 2
}

@test "S005: request submits a rule file, and asks how it stands" {
    agent_start
    printf 'version: "1"\nrules: []\n' >"$T/rules.yaml"
    shim request "$T/rules.yaml"
    ends 0 '' '{"id":"rr-0123456789ab","status":"pending","reason":null}'
    [ "$(jq -rs 'last | .body.rule_file' "$T/agent.log")" = "$(cat "$T/rules.yaml")" ]
    shim request --status rr-0123456789ab
    ends 0 '' '{"id":"rr-0123456789ab","status":"pending","reason":null}'
    [ "$(jq -rs 'last | .method + .path' "$T/agent.log")" = GET/v1/requests/rules/rr-0123456789ab ]
    shim request "$T/gone.yaml"
    ends 1 "$T/gone.yaml: No such file or directory"
    head -c 70000 /dev/zero | tr '\0' '#' >"$T/big.yaml"
    shim request "$T/big.yaml"
    [ "$status" = 1 ]
}

@test "T29: --help and --version are the shim's only as the first argument" {
    shim --version
    [ "$status" = 0 ]
    [[ $output = outcall-agent\ * ]]
    shim --help
    [ "$status" = 0 ]
    [[ $output = 'Usage: outcall TOOL'* ]]
    agent_start
    shim printf '%s %s' --help --version
    ends 0 '' '--help --version'
    shim deny --version
    ends 1 'blocked: not here [rule no-deny]'
    shim --color
    ends 2 'unknown option "--color" (outcall --help shows how)'
    shim
    ends 2 'expected a command (outcall --help shows how)'
    shim exec
    ends 2 'expected the name of a program (outcall --help shows how)'
}

@test "S005: exit codes are the child's, but 5 means the daemon" {
    agent_start
    for code in 0 1 2 4 6 126 255; do
        shim sh -c "exit $code"
        ends "$code"
    done
    shim sh -c 'exit 5'
    ends 1
    shim sh -c 'kill -TERM $$'
    ends 143
    shim sh -c 'kill -KILL $$'
    ends 137
}

@test "S005: 126 for what cannot be executed, 127 for what is not there" {
    agent_start
    mkdir bin
    : >plain
    printf 'no program\n' >noexec
    chmod 0755 noexec
    printf '#!%s/gone\n' "$T" >interpreter
    chmod 0755 interpreter
    shim ./plain
    ends 126 './plain: cannot be executed: Permission denied'
    shim ./bin
    ends 126 './bin: cannot be executed: Is a directory'
    shim ./noexec
    ends 126 './noexec: cannot be executed: Exec format error'
    shim ./interpreter
    ends 126 './interpreter: cannot be executed: No such file or directory'
    shim ./gone
    ends 127 './gone: not found'
    shim gone-for-good
    ends 127 'gone-for-good: not found'
}

@test "S005: PATH is searched as execvp does, past what cannot be executed" {
    agent_start
    mkdir a b
    : >a/tool
    printf '#!/bin/sh\necho b\n' >b/tool
    chmod 0755 b/tool
    try inside env PATH="a:b:/usr/bin:/bin" /usr/local/bin/outcall tool
    ends 0 '' b
    try inside env PATH=a /usr/local/bin/outcall tool
    ends 126 'tool: cannot be executed: Permission denied'
    cp b/tool here
    try inside env PATH=:/usr/bin:/bin /usr/local/bin/outcall here
    ends 0 '' b
    try inside env -u PATH /usr/local/bin/outcall echo default
    ends 0 '' default
}

@test "S005: the child gets stdio, directory, environment and signals as they were, and nothing of ours" {
    agent_start
    try inside env A=1 OUTCALL_LOG=quiet /usr/local/bin/outcall env
    [ "$status" = 0 ]
    grep -qx A=1 <<<"$output"
    [[ $output != *tok-* ]]
    inside timeout 10 sh -c 'ls /proc/$$/fd; tr "\0" " " </proc/$$/cmdline' >plain
    shim sh -c 'ls /proc/$$/fd; tr "\0" " " </proc/$$/cmdline'
    ends 0 '' "$(cat plain)"
    inside grep -E '^(SigBlk|SigIgn|ShdPnd)' /proc/self/status >plain
    inside outcall grep -E '^(SigBlk|SigIgn|ShdPnd)' /proc/self/status >shimmed
    diff plain shimmed
    inside sh -c 'trap "" HUP PIPE CHLD TERM; exec grep SigIgn /proc/self/status' >plain
    inside sh -c 'trap "" HUP PIPE CHLD TERM; exec outcall grep SigIgn /proc/self/status' >shimmed
    diff plain shimmed
    printf 'through\n' | inside outcall cat >copy
    [ "$(cat copy)" = through ]
}

@test "S005: descriptors that were closed stay closed, and no line of ours goes into the daemon's connection" {
    agent_start
    inside sh -c 'exec outcall sh -c "test ! -e /proc/self/fd/0 && test ! -e /proc/self/fd/2 && echo closed" <&- 2>&-' >out
    [ "$(cat out)" = closed ]
    code=0
    inside sh -c 'exec outcall deny <&- >&- 2>&-' || code=$?
    [ "$code" = 1 ]
    code=0
    inside sh -c 'exec outcall deny 2>&-' || code=$? # the first descriptor that is made becomes number 2
    [ "$code" = 1 ]
    shim true
    asked /v1/permissions/check 4
    asked bytes 0
}

@test "S005: what cannot be asked for is not run" {
    agent_start
    shim touch "$T/ran" "$(printf 'a\377b')"
    ends_like 1 'blocked: cannot be asked: '
    nothing_ran
    shim touch "$T/ran" "$(head -c 70000 /dev/zero | tr '\0' x)"
    ends_like 1 'blocked: cannot be asked: '
    # shellcheck disable=SC2046
    shim touch "$T/ran" $(seq 1100)
    ends_like 1 'blocked: cannot be asked: '
    mkdir gone
    try inside sh -c 'cd gone && rmdir ../gone && exec outcall touch ../ran'
    ends_like 1 'blocked: cannot be asked: '
    nothing_ran
    asked /v1/permissions/check 0
}

@test "S005: variables that are malformed end it with 5" {
    agent_start
    for TIMEOUT in 0 301 x '' 1.5 -1 ' 1' 99999999999999999999; do
        shim touch "$T/ran"
        ends 5 "OUTCALL_TIMEOUT_SECS: expected 1 to 300 seconds, got \"$TIMEOUT\""
    done
    for secs in 0 61 x ''; do
        try inside env OUTCALL_HEARTBEAT_SECS="$secs" outcall touch "$T/ran"
        ends 5 "OUTCALL_HEARTBEAT_SECS: expected 1 to 60 seconds, got \"$secs\""
    done
    nothing_ran
    [ ! -s "$T/agent.log" ]
}

@test "S005: one line on stderr for a block, more only with OUTCALL_LOG=debug, and never the token" {
    agent_start
    shim true
    ends 0
    try inside env OUTCALL_LOG=debug outcall true
    [ "$status" = 0 ]
    [[ $stderr = *'outcall: debug: checked in as outcall-agent-fake'* ]]
    [[ $stderr != *tok-* ]]
}

@test "S005: too many requests: waits as long as it is told, within its time, and then asks again" {
    agent_start --busy 1
    TIMEOUT=5 shim echo at last
    ends 0 '' 'at last'
    asked /v1/permissions/check 2
    agent_again --busy 100
    TIMEOUT=1 shim touch "$T/ran"
    ends 1 'blocked: too many requests'
    nothing_ran
    http 429 '{"success":false,"error":"slow down","code":"x"}' >later
    agent_again --answer check later
    shim touch "$T/ran"
    ends 1 'blocked: too many requests'
    asked /v1/permissions/check 1
}

# --- rows ---------------------------------------------------------------------------------------------------------------

@test "S005-EC-001: no socket: 5, at once, no second try" {
    shim touch "$T/ran"
    ends 5 "$NO_SOCKET"
    try unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs /run && exec "$1" true' - "$SHIM"
    ends 5 "$NO_SOCKET"
    : >"$T/agent/agent.sock"
    shim touch "$T/ran"
    ends 5 "$UNREACHABLE"
    nothing_ran
}

@test "S005-EC-002: the socket's file is deleted while the child runs: the next heartbeat ends everything" {
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    BEGAN=$EPOCHREALTIME
    rm "$T/agent/agent.sock"
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

@test "S005-EC-002: the socket's file is replaced by another daemon's: the old token is not good there" {
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    rm "$T/agent/agent.sock"
    BEGAN=$EPOCHREALTIME
    agent_start
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

@test "S005-EC-002: the mount goes away while the child runs" {
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    BEGAN=$EPOCHREALTIME
    nsenter -m -t "$SPAWNED" umount -l /run/outcall
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

@test "S005-EC-003: the daemon dies with the question in its hands: nothing ran" {
    for what in kill close; do
        agent_start --do check "$what"
        shim touch "$T/ran"
        ends 5 "$UNREACHABLE"
        nothing_ran
        asked /v1/permissions/check 1
        rm -f "$T/agent/agent.sock" "$T/agent.log"
        agent_start --do checkin "$what"
        shim touch "$T/ran"
        ends 5 "$UNREACHABLE"
        nothing_ran
        asked /v1/permissions/check 0
        rm -f "$T/agent/agent.sock" "$T/agent.log"
    done
}

@test "S005-EC-003: the daemon dies right after its yes: the child never starts, or is killed" {
    agent_start --do check late
    shim sh -c 'sleep 5; touch ran'
    ends 5 "$UNREACHABLE"
    nothing_ran
}

@test "S005-EC-003: the daemon dies while the child runs: everything is dead in 100 ms" {
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 100
    spawned_ends 5 "$UNREACHABLE"
}

@test "S005-EC-004: a daemon that takes the connection and never answers" {
    for where in checkin check; do
        agent_start --do "$where" hang
        BEGAN=$EPOCHREALTIME
        shim touch "$T/ran"
        ends 5 "$UNREACHABLE"
        nothing_ran
        took=$(((${EPOCHREALTIME/./} - ${BEGAN/./}) / 1000))
        [ "$took" -ge 1000 ]
        agent_kill
        rm -f "$T/agent/agent.sock"
    done
}

@test "S005-EC-004: a daemon that is stopped before, and at the question" {
    agent_start
    kill -STOP "$AGENT"
    shim touch "$T/ran"
    ends 5 "$UNREACHABLE"
    kill -KILL "$AGENT"
    rm -f "$T/agent/agent.sock"
    agent_start --do check stop
    shim touch "$T/ran"
    ends 5 "$UNREACHABLE"
    nothing_ran
    kill -CONT "$AGENT" # its yes comes too late for anybody
    comes_to_ask /v1/permissions/check 1
    nothing_ran
}

@test "S005-EC-004: a daemon that is stopped while the child runs: an unanswered heartbeat ends everything" {
    agent_start
    shim_spawn sh -c 'trap "" TERM; echo >&9; while :; do sleep 600; done'
    lives 1
    BEGAN=$EPOCHREALTIME
    kill -STOP "$AGENT"
    dead_within 4000
    spawned_ends 5 "$UNREACHABLE"
    asked /v1/checkin 1
    kill -KILL "$AGENT"
}

@test "S005-EC-004: signals and the child's end are not held up by a heartbeat that waits" {
    agent_start --do heartbeat hang
    TIMEOUT=300 shim_spawn sh -c 'trap "exit 7" TERM; echo >&9; while :; do sleep 0.1; done'
    lives 1
    comes_to_ask /v1/heartbeat 1
    BEGAN=$EPOCHREALTIME
    kill -TERM "$SPAWNED"
    dead_within 5000
    spawned_ends 7
}

@test "S005: heartbeats are sent as often as the daemon or the environment asks, whichever is more" {
    for seconds in '1 60' '60 1'; do
        rm -f "$T/agent/agent.sock" "$T/agent.log"
        agent_start --heartbeat-secs "${seconds% *}"
        spawn env OUTCALL_HEARTBEAT_SECS="${seconds#* }" outcall sh -c 'echo >&9; exec sleep 600'
        lives 1
        comes_to_ask /v1/heartbeat 2
        [ "$(jq -s '[.[] | select(.path == "/v1/heartbeat") | .connection] | unique | length' "$T/agent.log")" -ge 2 ]
        kill -TERM "$SPAWNED"
        spawned_ends 143
        agent_kill
    done
}

# blocks NAME: the answer in $T/verdict is no yes: one line, exit 1, nothing ran.
blocks()
{
    rm -f "$T/agent/agent.sock"
    agent_start --answer check "$T/verdict"
    shim touch "$T/ran"
    if [ "$status" != 1 ] || [[ $stderr != 'outcall: malformed verdict: '* ]] || [ -n "$output" ]; then
        printf '%s: %s %s\n' "$1" "$status" "$stderr" >&2
        return 1
    fi
    nothing_ran || { echo "$1" >&2; return 1; }
    agent_kill
}

@test "S005-EC-005: verdicts that are none: a block, the parse error on stderr, nothing ran" {
    each_malformed_body blocks
}

@test "S005-EC-005: answers that are no HTTP, or not the one that was asked for" {
    each_malformed_answer blocks
}

@test "S005-EC-005: an answer that trickles in and is not there in time" {
    http 200 "$YES" >verdict
    agent_start --trickle 20 --answer check verdict
    shim touch "$T/ran"
    ends 5 "$UNREACHABLE"
    nothing_ran
    rm "$T/agent/agent.sock"
    agent_start --trickle 1 --answer check verdict # slow, but whole and in time
    TIMEOUT=10 shim echo in time
    ends 0 '' 'in time'
}

@test "S005-EC-005: a malformed verdict on check and on requests: 1, nothing on stdout" {
    http 200 '{"success":true,"data":{"allowed":"yes"}}' >verdict
    agent_start --answer check verdict --answer requests verdict
    shim check tool_exec ls
    ends_like 1 'malformed verdict: '
    shim request --status rr-0123456789ab
    ends_like 1 'malformed answer: '
}

@test "S005-EC-005: refusals of the question: a block" {
    for code in 400 401 403 404 413 422 500 503; do
        http "$code" '{"success":false,"error":"no such thing","code":"x"}' >verdict
        agent_start --answer check verdict
        shim touch "$T/ran"
        ends 1 'blocked: no such thing'
        agent_kill
        rm -f "$T/agent/agent.sock"
    done
    nothing_ran
}

@test "S005: a block says the reason and the rule, in one line that does nothing to a terminal" {
    while IFS='|' read -r data text; do
        http 200 '{"success":true,"data":{"allowed":false'"$data"'}}' >verdict
        agent_start --answer check verdict
        shim touch "$T/ran"
        ends 1 "$text"
        agent_kill
        rm -f "$T/agent/agent.sock"
    done <<'END'
,"matched_rule":"r1","reason":"because"|blocked: because [rule r1]
,"matched_rule":null,"reason":"because"|blocked: because
,"matched_rule":"r1","reason":null|blocked: by the operator's rules [rule r1]
,"matched_rule":null,"reason":null|blocked: no rule allows it
,"matched_rule":null,"reason":"a\nb\u001b[2Jc"|blocked: a b [2Jc
END
    nothing_ran
}

@test "S005-EC-006: 200 invocations at once, half of them refused: each gets its own verdict" {
    agent_start
    cat >many <<'END'
for i in $(seq 200); do
    if [ $((i % 2)) = 0 ]; then
        outcall sh -c 'touch "$0"; exit 0' "ran/$i" &
    else
        outcall deny sh -c 'touch "$0"' "ran/$i" &
    fi
    pids[i]=$!
done
for i in $(seq 200); do
    code=0
    wait "${pids[i]}" || code=$?
    echo "$i $code"
done
END
    mkdir ran
    inside env OUTCALL_TIMEOUT_SECS=60 bash many >codes 2>errors
    [ "$(wc -l <codes)" = 200 ]
    awk '$2 != $1 % 2 { print; bad = 1 } END { exit bad }' codes
    [ "$(find ran -type f | wc -l)" = 100 ]
    [ "$(grep -cx 'outcall: blocked: not here \[rule no-deny\]' errors)" = 100 ]
    [ "$(wc -l <errors)" = 100 ]
    asked /v1/permissions/check 200
    asked /v1/checkin 200
}

@test "S005-EC-007: a check-in that is refused: the reason, 5, nothing asked" {
    agent_start --refuse 'not one of mine'
    shim touch "$T/ran"
    ends 5 'registration rejected: not one of mine'
    asked /v1/permissions/check 0
    for body in '' x '[]' '{}' '{"success":1}' '{"success":true}' '{"success":true,"data":{}}' \
        '{"success":true,"data":{"container_id":"a","name":"b","session_token":"","heartbeat_secs":5}}' \
        '{"success":true,"data":{"container_id":"a","name":"b","session_token":7,"heartbeat_secs":5}}'; do
        http 200 "$body" >answer
        agent_kill
        rm "$T/agent/agent.sock"
        agent_start --answer checkin answer
        shim touch "$T/ran"
        ends_like 5 'registration rejected: '
    done
    nothing_ran
    asked /v1/permissions/check 0
}

@test "S005-EC-008: a socket that nobody listens on: 5, nothing ran" {
    agent_start
    agent_kill
    [ -S "$T/agent/agent.sock" ]
    shim touch "$T/ran"
    ends 5 "$UNREACHABLE"
    nothing_ran
}

@test "S005-EC-009: the program cannot be overwritten, deleted, renamed, truncated or made writable" {
    sum=$(sha256sum <"$SHIM")
    agent_start
    cat >attack <<'END'
f=/usr/local/bin/outcall
echo x >$f
: >>$f
truncate -s 0 $f
rm -f $f
mv $f $f.old
ln -f /bin/true $f
chmod 0777 $f
chown 65532 $f
touch $f
dd if=/dev/zero of=$f conv=notrunc count=1
mount --bind /bin/true $f
umount $f
outcall echo still here
END
    try inside setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --inh-caps=-all bash attack
    [ "$output" = 'still here' ]
    [ "$(sha256sum <"$SHIM")" = "$sum" ]
    try inside setpriv --bounding-set=-all --inh-caps=-all bash attack # as root, without capabilities
    [ "$output" = 'still here' ]
    [ "$(sha256sum <"$SHIM")" = "$sum" ]
    try inside sh -c 'echo x >/usr/local/bin/outcall'
    [[ $stderr = *'Read-only file system'* ]]
}

@test "S005-EC-010: a socket that flaps every 10 ms: 5 at the first failure, and no second check-in ever" {
    agent_start --flap 10
    failed=0
    for try in 1 2 3 4 5 6 7 8 9 10; do # some find the socket, some do not
        shim_spawn sh -c 'echo >&9; exec sleep 600'
        code=0
        poll 20 ended_or_heard
        if [ -s "$T/err" ]; then
            wait "$SPAWNED" || code=$?
            [ "$code" = 5 ]
            failed=$((failed + 1))
            exec 8>&-
            continue
        fi
        lives 0
        BEGAN=$EPOCHREALTIME
        dead_within 60000 # each heartbeat has an even chance
        spawned_ends 5 "$(sed 's/^outcall: //' "$T/err")"
        [[ $(cat "$T/err") = "outcall: $UNREACHABLE" ]]
    done
    # one check-in of each, at the most, and one question on its connection
    [ "$(jq -s '[.[] | select(.path == "/v1/checkin")] | group_by(.body.pid) | all(length == 1)' "$T/agent.log")" = true ]
    [ "$(jq -s '[.[] | select(.path == "/v1/permissions/check")] | group_by(.connection) | all(length == 1)' "$T/agent.log")" = true ]
    asked_at_least /v1/permissions/check $((10 - failed))
}

ended_or_heard()
{
    [ -s "$T/err" ] || read -r -t 0.01 -u 8
}

# --- the tree, signals, surroundings ------------------------------------------------------------------------------------

# 50 processes in every way to get out of sight; each says that it is there.
TREE='trap "" TERM HUP INT
for i in $(seq 10); do
    sleep 600 9>&9 & echo >&9
    (setsid sh -c "trap \"\" TERM; echo >&9; sleep 600; :" &)
    (setsid sh -c "(setsid sh -c \"echo >&9; sleep 600; :\" &)" &)
    setsid sh -c "echo >&9; exec sleep 600" &
    (set -m; sh -c "echo >&9; sleep 600; :" &)
done
echo >&9
while :; do sleep 600; done'

@test "T28: 50 descendants that left their session, forked twice, ignore signals: dead in 100 ms with the daemon" {
    agent_start
    shim_spawn bash -c "$TREE"
    lives 51
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 100
    spawned_ends 5 "$UNREACHABLE"
}

@test "T28: a tree that keeps forking into new sessions does not outrun it" {
    cat >bomb.py <<'END'
import os, time
end = time.monotonic() + 60 # whatever becomes of the test, the machine gets rid of it
for i in range(4):
    if os.fork() == 0:
        break
os.write(9, b"\n")
while time.monotonic() < end:
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
END
    agent_start
    shim_spawn sh -c 'python3 bomb.py; exec sleep 600'
    lives 5
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

@test "T28: without /proc/PID/task/TID/children and without /proc at all" {
    agent_start
    cat >without <<'END'
mount -t tmpfs tmpfs /proc
exec "$@"
END
    chmod 0755 "$T/without"
    spawn bash without outcall sh -c 'sleep 600 & echo >&9; wait'
    lives 1
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

@test "T28: what a command leaves running ends with it, and is said" {
    agent_start
    shim_spawn sh -c 'setsid sleep 600 & echo >&9'
    lives 1
    BEGAN=$EPOCHREALTIME
    dead_within 5000
    spawned_ends 0 'what the command left running was ended with it'
}

@test "T28: the shim itself is killed: the child dies too" {
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    BEGAN=$EPOCHREALTIME
    kill -KILL "$SPAWNED"
    dead_within 5000
}

@test "S005: a nested shim and all below it end with the daemon" {
    agent_start
    shim_spawn outcall sh -c 'echo >&9; sleep 600; :'
    lives 1
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 5000
    wait "$SPAWNED" || [ $? = 5 ]
}

@test "S005: SIGTERM, SIGINT, SIGHUP and others before the verdict: 128+N, and nothing runs" {
    agent_start --do check hang
    for signal in 15 2 1 3 10 12; do
        n=$(grep -c permissions "$T/agent.log" || [ $? = 1 ])
        TIMEOUT=60 shim_spawn touch "$T/ran"
        comes_to_ask /v1/permissions/check $((n + 1))
        kill "-$signal" "$SPAWNED"
        spawned_ends $((128 + signal))
        exec 8>&-
    done
    nothing_ran
}

@test "S005: signals after the verdict reach the child" {
    agent_start
    for name in TERM INT HUP QUIT USR1 USR2; do
        shim_spawn bash -c "trap 'echo got; exit 9' $name; echo >&9; while :; do sleep 0.05; done"
        lives 1
        kill "-$name" "$SPAWNED"
        BEGAN=$EPOCHREALTIME
        dead_within 5000
        spawned_ends 9
        [ "$(cat "$T/out")" = got ]
    done
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    kill -TERM "$SPAWNED"
    spawned_ends 143
}

@test "S005: process 1 of a namespace: reaps orphans, passes signals on, ends with the child" {
    agent_start
    try inside unshare -p -f --mount-proc outcall sh -c '
        for i in 1 2 3; do (sh -c "exit 3" &) ; done
        i=0
        while ps -e -o stat= | grep -q Z; do i=$((i + 1)); [ $i -lt 200 ] || exit 9; sleep 0.05; done
        readlink /proc/1/exe; exit 4'
    ends 4 '' "$(readlink -f "$SHIM")" || ends 4 '' /usr/local/bin/outcall
    spawn unshare -p -f --mount-proc outcall sh -c 'trap "exit 6" TERM; echo >&9; while :; do sleep 0.05; done'
    lives 1
    kill -TERM "$(pgrep -P "$SPAWNED")"
    BEGAN=$EPOCHREALTIME
    dead_within 5000
    spawned_ends 6
}

@test "S005: process 1 of a namespace: the daemon's death ends all of it" {
    agent_start
    spawn unshare -p -f --mount-proc outcall bash -c "$TREE"
    lives 51
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
}

# pids_group: a control group for 16 processes; its directory.
pids_group()
{
    local base
    base=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/mounts)
    [ -n "$base" ] || base=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$base" ] && mkdir "$base/oc-test-$$" && [ -e "$base/oc-test-$$/pids.max" ] || return 1
    echo 16 >"$base/oc-test-$$/pids.max"
    echo "$base/oc-test-$$"
}

@test "S005: a limit of 16 processes, all used up: heartbeats go on, and the end comes as ever" {
    group=$(pids_group) || cannot_run "no control group for processes can be made"
    agent_start
    spawn sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" outcall bash -c '
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do sleep 600 & echo >&9; done; wait'
    lives 13
    [ "$(cat "$group/pids.current")" = 16 ]
    comes_to_ask /v1/heartbeat 2
    BEGAN=$EPOCHREALTIME
    kill -KILL "$AGENT"
    dead_within 5000
    spawned_ends 5 "$UNREACHABLE"
    poll 5 rmdir "$group"
}

@test "S005: as user 65532, with a read-only root, without capabilities" {
    agent_start
    try inside sh -c 'mount -o remount,bind,ro / && mount -o bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
        exec setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --no-new-privs outcall sh -c "id -u; touch x"' "$T"
    [ "$status" = 1 ]
    [ "$output" = 65532 ]
    [[ $stderr = *'Read-only file system'* ]]
}

@test "S005: an image with nothing in it, and one with busybox" {
    need busybox || return 1
    [ -z "$(ldd "$(command -v busybox)" 2>/dev/null | grep '=>')" ] || cannot_run "busybox is not static" || return 1
    agent_start
    mkdir -p root/usr/local/bin root/run/outcall root/tmp
    : >root/usr/local/bin/outcall
    cat >enter-root <<'END'
mount --bind "$1" root/usr/local/bin/outcall && mount --bind agent root/run/outcall && shift && exec chroot root "$@"
END
    try unshare -m --propagation private sh enter-root "$SHIM" /usr/local/bin/outcall /usr/local/bin/outcall --version
    [ "$status" = 0 ]
    [[ $output = outcall-agent\ * ]] # it ran itself: there is nothing else
    try unshare -m --propagation private sh enter-root "$SHIM" /usr/local/bin/outcall ls
    ends 127 'ls: not found'
    mkdir root/bin
    cp "$(command -v busybox)" root/bin/sh
    try unshare -m --propagation private sh enter-root "$SHIM" /usr/local/bin/outcall sh -c 'echo $0; exit 3'
    ends 3 '' sh
}

@test "S005: the program is static, under 1.5 MiB, and its heap does not grow while the child runs" {
    need file || return 1
    file -b "$SHIM" | grep -q 'statically linked'
    [ "$(stat -c %s "$SHIM")" -lt 1572864 ]
    agent_start
    shim_spawn sh -c 'echo >&9; exec sleep 600'
    lives 1
    comes_to_ask /v1/heartbeat 1
    before=$(grep -E '^(VmData|VmSize)' "/proc/$SPAWNED/status")
    comes_to_ask /v1/heartbeat 4
    [ "$(grep -E '^(VmData|VmSize)' "/proc/$SPAWNED/status")" = "$before" ]
    kill -TERM "$SPAWNED"
    spawned_ends 143
}

@test "S005: a terminal: the child has its foreground, and the shim takes it back" {
    need script || return 1
    agent_start
    run script -qec "unshare -m --propagation private $T/enter sh -c 'outcall sh -c \"read -r x; echo got \\\$x\" ; outcall sh -c \"read -r x; echo got \\\$x\"'" /dev/null < <(printf 'one\n'; comes_to_ask /v1/permissions/check 2; printf 'two\n')
    [ "$status" = 0 ]
    [[ $output = *'got one'*'got two'* ]]
}
