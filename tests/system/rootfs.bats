#!/usr/bin/env bats
# The shim in root file systems of every kind (tests/support/rootfs.bash), in containers of the real daemon: one list of
# expectations for all that have a program, one for those that have a shell, and what is each one's own.
load ../support/shim
load ../support/rootfs

setup_file()
{
    [ -n "${OUTCALL_TEST_DOCKER:-}" ] || return 0 # each test says why
    rootfs_begin
}

teardown_file()
{
    rootfs_end
}

setup()
{
    outcall_setup || return 1
    mkdir "$T/rules" "$T/work"
    chmod 0777 "$T/work"
    cat >"$T/rules/agents.yaml" <<'END'
version: "1"
rules:
  - id: listed
    condition: run.tool in ["probe", "/usr/bin/probe", "hello", "sh", "bash", "sha256sum", "absent", "outcall", "/usr/local/bin/outcall"]
    action: allow
  - id: forbidden
    condition: run.args.exists(a, a.contains("forbidden"))
    action: block
    reason: not this
    priority: 10
END
    TAG=${T##*.} # of this test's processes
    outcalld_start
}

teardown()
{
    outcall_teardown
}

# start ROOT NAME [OPTIONS... -- CMD...]: a container of this root file system, its agent's work in $T/work.
start()
{
    outcall container create --image "outcall-rootfs-$1" --name "$2" --volume "$T/work:/work" "${@:3}"
}

# box ROOT: one that stays, for shim.
box()
{
    rootfs_need "$1" || return 1
    start "$1" box -- /usr/bin/probe tree 0 box
}

# shim [-e VARIABLE]... ARGS...: as the agent in the box calls it.
shim()
{
    local options=()
    while [ "$1" = -e ]; do
        options+=("$1" "$2")
        shift 2
    done
    try docker exec "${options[@]}" outcall-agent-box /usr/local/bin/outcall "$@"
}

BLOCKED='blocked: not this [rule forbidden]'

# ended NAME CODE: the container comes to its end with CODE; what it said is in $T/out and $T/err.
ended()
{
    poll 10 exited "$1" || { echo "$1 is $(state_of "outcall-agent-$1")" >&2; return 1; }
    docker logs "outcall-agent-$1" >"$T/out" 2>"$T/err"
    [ "$(docker inspect -f '{{.State.ExitCode}}' "outcall-agent-$1")" = "$2" ] && return 0
    docker inspect -f "expected $2, got {{.State.ExitCode}} {{.State.Error}}" "outcall-agent-$1" >&2
    cat "$T/out" "$T/err" >&2
    return 1
}

exited()
{
    [ "$(state_of "outcall-agent-$1")" = exited ]
}

# probes N VERB: so many probes of this test do VERB, seen from the host.
probes()
{
    [ "$(pgrep -fc "^probe $2 .*$TAG")" = "$1" ]
}

# one_child PID: it has one, dead ones that it did not reap among them (which `docker top` does not show).
one_child()
{
    [ "$(ps -o pid= --ppid "$1" | wc -l)" = 1 ]
}

init_of()
{
    docker inspect -f '{{.State.Pid}}' "$1"
}

# --- the list for all that have a program -----------------------------------------------------------------------------

allowed_runs()
{
    shim probe say 'exit code and stdout are its own' 7
    ends 7 '' 'exit code and stdout are its own'
    shim exec -- /usr/bin/probe mark /work/yes
    ends 0
    [ -e "$T/work/yes" ]
}

blocked_does_not()
{
    shim probe mark /work/forbidden
    ends 1 "$BLOCKED"
    shim probe say forbidden 0
    ends 1 "$BLOCKED"
    shim unlisted
    ends_like 1 'blocked: '
    [ ! -e "$T/work/forbidden" ]
}

path_is_searched()
{
    shim -e PATH=/absent:/etc/passwd:/usr/bin probe say found 0
    ends 0 '' found
    shim -e PATH=/absent probe say found 0
    ends 127 'probe: not found'
    shim absent
    ends 127 'absent: not found'
    shim -e PATH= probe say found 0
    ends 127 'probe: not found'
}

signals_are_128_more()
{
    local signal
    for signal in 1 9 11 15; do
        shim probe signal "$signal"
        ends $((128 + signal))
    done
}

user_and_read_only_root()
{
    shim probe where
    ends 0 '' '65532 65532 Read-only file system'
}

daemon_dies()
{
    local action code=0
    docker exec outcall-agent-box /usr/local/bin/outcall probe tree 30 "$TAG" 2>"$T/err" 3>&- 4>&- &
    action=$!
    poll 10 probes 31 tree
    outcalld_kill
    poll 2 probes 0 tree
    wait "$action" || code=$?
    [ "$code" = 5 ]
    [ "$(cat "$T/err")" = "outcall: $UNREACHABLE" ]
    shim probe mark /work/while-dead
    ends 5 "$UNREACHABLE"
    [ ! -e "$T/work/while-dead" ]
    outcalld_start
    shim probe mark /work/again
    ends 0
    [ -e "$T/work/again" ]
}

# Docker's init, the shim with its thread, and 13 probes, of which one tries for more.
sixteen_processes()
{
    start "$1" full --pids 16 --env OUTCALL_HEARTBEAT_SECS=1 -- /usr/local/bin/outcall exec -- probe fill "$TAG"
    poll 10 probes 13 fill
    [ "$(docker inspect -f '{{.HostConfig.PidsLimit}}' outcall-agent-full)" = 16 ]
    rm "$T/run/agents/outcall-agent-full/agent.sock"
    poll 10 probes 0 fill
    ended full 5
    [ "$(cat "$T/err")" = "outcall: $UNREACHABLE" ]
}

# The shim comes first in the container, below Docker's init.
main_process_reaps()
{
    start "$1" first -- /usr/local/bin/outcall exec -- probe orphans 20 /work/orphans "$TAG"
    poll 10 test -e "$T/work/orphans"
    poll 5 one_child "$(pgrep -P "$(init_of outcall-agent-first)")"
    outcalld_kill
    ended first 5
    probes 0 orphans
    outcalld_start
}

# And without an init, which only a container that is not the daemon's can do: the far end is a scripted daemon.
process_1_reaps()
{
    mkdir "$T/agent"
    agent_start
    docker run -d --name alone --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user 65532:65532 \
        -v "$SHIM:/usr/local/bin/outcall:ro" -v "$T/agent:/run/outcall:ro" -v "$T/work:/work" \
        "outcall-rootfs-$1" /usr/local/bin/outcall exec -- probe orphans 20 /work/alone "$TAG" >/dev/null
    poll 10 test -e "$T/work/alone"
    poll 5 one_child "$(init_of alone)"
    docker kill -s TERM alone >/dev/null
    [ "$(docker wait alone)" = 143 ]
    probes 0 orphans
}

expectations()
{
    local expectation
    box "$1"
    for expectation in allowed_runs blocked_does_not path_is_searched signals_are_128_more user_and_read_only_root daemon_dies \
        sixteen_processes main_process_reaps process_1_reaps; do
        echo "$1: $expectation" >&2
        "$expectation" "$1"
    done
}

# --- the list for those that have a shell -----------------------------------------------------------------------------

# shell_expectations ROOT SHELL
shell_expectations()
{
    # shellcheck disable=SC2016 # for the shell in the container
    shim "$2" -c 'echo "$0 $1"; exit 3' zero one
    ends 3 '' 'zero one'
    shim "$2" -c 'echo forbidden'
    ends 1 "$BLOCKED"
    # shellcheck disable=SC2016
    shim "$2" -c 'kill -9 $$'
    ends 137
    shim sh probe say 'the program itself' 4
    ends 4 '' 'the program itself'
    shim hello one 'two words'
    ends 9 '' 'hello 2 two words'
    shim hello forbidden
    ends 1 "$BLOCKED"
    docker cp -q outcall-agent-box:/usr/bin/hello "$T/hello"
    shim sha256sum /usr/bin/hello
    ends 0 '' "$(sha256sum <"$T/hello" | cut -d' ' -f1)  /usr/bin/hello"
}

# files: what the box has, directories and what Docker always makes apart.
files()
{
    docker export outcall-agent-box | tar -t | grep -vE '/$|^(dev|etc|proc|sys|run|tmp)/|^[.]dockerenv$' | sort
}

@test "S005: a scratch image: the shim asks, and runs the one program there is" {
    rootfs_need empty || return 1
    start empty yes -- /usr/local/bin/outcall exec -- /usr/local/bin/outcall --version
    ended yes 0
    grep -q '^outcall-agent [0-9]' "$T/out"
    [ ! -s "$T/err" ]
    start empty searched -- /usr/local/bin/outcall exec outcall --version
    ended searched 0
    grep -q '^outcall-agent [0-9]' "$T/out"
    start empty no -- /usr/local/bin/outcall exec -- /usr/local/bin/outcall --version forbidden
    ended no 1
    [ "$(cat "$T/err")" = "outcall: $BLOCKED" ]
    [ ! -s "$T/out" ]
    start empty shell -- /usr/local/bin/outcall sh -c 'exit 0'
    ended shell 127
    [ "$(cat "$T/err")" = 'outcall: sh: not found' ]
}

@test "S005: a scratch image with one static program" {
    expectations static
    [ "$(files)" = $'sbin/docker-init\nusr/bin/probe\nusr/local/bin/outcall' ] # the first and the last are empty: mounts
}

@test "S005: an Alpine-like root file system, with musl and busybox" {
    need file || return 1
    expectations musl
    shell_expectations musl sh
    files >"$T/files"
    grep -q '^lib/ld-musl-' "$T/files"
    if grep -E 'libc\.so\.6|ld-linux' "$T/files"; then false; fi
    docker cp -q outcall-agent-box:/usr/bin/probe "$T/probe"
    [[ $(file -b "$T/probe") = *'dynamically linked, interpreter /lib/ld-musl-'* ]]
}

@test "S005: a Debian-like root file system, with glibc and bash" {
    need file || return 1
    expectations debian
    shell_expectations debian bash
    # shellcheck disable=SC2016 # for the shell in the container
    shim bash -c '. /etc/os-release; echo "$ID $VERSION_ID, bash ${BASH_VERSINFO[0]}"'
    ends 0 '' 'debian 12, bash 5'
    shim sh -c 'exit 3'
    ends 3
    docker cp -q outcall-agent-box:/usr/bin/probe "$T/probe"
    [[ $(file -b "$T/probe") = *'dynamically linked, interpreter /lib'*/ld-linux* ]]
}
