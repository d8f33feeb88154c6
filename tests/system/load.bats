#!/usr/bin/env bats
# Many at once, and the ground moving meanwhile: load, and faults of the engine and of the daemon in the middle of work.
# Each test has an engine of its own: dockerd 20.10 now and then keeps an endpoint of a container that was removed among
# many others, and its network cannot be deleted any more.
load ../support/outcall

LOAD=$OUTCALL_BUILD/tests/support/load
ENDED=60 # seconds within which every call must have ended, whatever happened to the engine

setup()
{
    outcall_setup || return 1
}

teardown()
{
    outcall_teardown
}

# job NAME CMD...: runs in the background, its output in $T/NAME; adds to JOBS.
job()
{
    local name=$1
    shift
    "$@" >"$T/job.$name" 2>&1 3>&- 4>&- &
    JOBS[$name]=$!
}

# jobs_succeed: all of them, with their output shown when not.
jobs_succeed()
{
    local name result=0
    for name in "${!JOBS[@]}"; do
        wait "${JOBS[$name]}" || { echo "$name: $(cat "$T/job.$name")" >&2; result=1; }
    done
    JOBS=()
    return $result
}

# jobs_end: each within the bound, with success or with a failure that is said.
jobs_end()
{
    local name code end=$((SECONDS + ENDED))
    for name in "${!JOBS[@]}"; do
        poll $((end > SECONDS ? end - SECONDS : 0)) pid_gone "${JOBS[$name]}" || { echo "$name hangs" >&2; return 1; }
        code=0
        wait "${JOBS[$name]}" || code=$?
        echo "$name: $code $(tail -n 1 "$T/job.$name")"
        [ "$code" = 0 ] || { [ "$code" = 1 ] && grep -q '^outcall: ' "$T/job.$name"; } || return 1
    done
    JOBS=()
}

# No container that is half made, no stage and no socket without its container.
no_orphans()
{
    local names name
    names=$(docker ps -a --format '{{.Names}}') || return 1
    [ -z "$(docker ps -aq --filter status=created)" ] || return 1
    for name in "$T"/run/stage/* "$T"/run/agents/*; do
        [ ! -e "$name" ] || grep -Fxq "${name##*/}" <<<"$names" || return 1
    done
}

orphans_go()
{
    poll 20 no_orphans && return 0
    docker ps -a >&2
    ls "$T/run/stage" "$T/run/agents" >&2
    return 1
}

# only_connections_more BEFORE: nothing is left but the idle connections to the engine that are kept: at most 8 of 3
# descriptors each (OC_DOCKER_IDLE_MAX).
only_connections_more()
{
    local now
    now=$(leftovers)
    [ "${now% *}" = "${1% *}" ] && [ "${now##*=}" -le $((${1##*=} + 8 * 3)) ]
}

@test "L-001: 64 creates at once all succeed, and 200 lists a second beside them are answered" {
    need "$LOAD"
    declare -A JOBS=()
    private_engine
    outcalld_start --log-level info
    create warm
    before=$(leftovers)
    setsid "$LOAD" "$SOCKET" /api/v1/containers 200 32 150 >"$T/lists" 3>&- 4>&- &
    lists=$!
    PIDS+=("$lists")
    for i in $(seq 64); do
        job "create$i" outcall container create --image "$IMAGE" --name "x$i" -- sleep 600
    done
    jobs_succeed
    kill -TERM "$lists"
    wait "$lists"
    cat "$T/lists"
    [ "$(outcall --json container list | jq '[.[] | select(.attested and .state == "running")] | length')" = 65 ]
    [ "$(docker ps -q --filter name=outcall-agent-x | wc -l)" = 64 ]
    # 20 ms at p99, and what the machine adds by itself: an answer needs three wake-ups (who asks when it is time, the
    # daemon, who asked), and each is as late as that of a thread that only sleeps.
    jq -e '.failed == 0 and .requests > .seconds * 180' "$T/lists"
    jq -e '.p99_us < 20000 + 3 * .lag_p99_us' "$T/lists"
    for i in $(seq 64); do
        job "remove$i" outcall container remove --force "x$i"
    done
    jobs_succeed
    [ "$(outcall --json container list | jq length)" = 1 ]
    poll 5 only_connections_more "$before"
}

@test "L-002: an engine killed in the middle of creates, stops and logs" {
    declare -A JOBS=()
    private_engine
    outcalld_start --log-level info
    create talker -- sh -c 'while :; do echo line; sleep 0.1; done'
    for i in 1 2 3; do
        create "deaf$i" -- sh -c 'trap "" TERM; while :; do sleep 1; done'
    done
    for i in 1 2 3; do
        job "stop$i" outcall container stop --timeout 30 "deaf$i"
    done
    job logs1 outcall container logs -f talker
    job logs2 outcall container logs -f talker
    for i in $(seq 8); do
        job "create$i" outcall container create --image "$IMAGE" --name "x$i" -- sleep 600
    done
    poll 30 grep -lq 'created and started' "$T"/job.create*
    poll 10 grep -q line "$T/job.logs2"
    engine_kill
    jobs_end
    alive "$DAEMON"
    run --separate-stderr outcall container list
    refuses_like ".*$ENGINE_SOCKET.*"
    # The new engine goes where the daemon still is: the old one's namespace.
    ENGINE_NETNS_PID=$DAEMON
    engine_up
    poll 20 api_quietly GET /api/v1/containers
    orphans_go
    create after
    running outcall-agent-after
    outcall container stop --timeout 1 after
}

@test "L-003: a daemon killed in the middle of creates" {
    declare -A JOBS=()
    private_engine
    outcalld_start --log-level info
    create bystander
    id=$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-bystander)
    for round in 1 2 3; do
        for i in $(seq 8); do
            job "create$round-$i" outcall container create --image "$IMAGE" --name "x$round-$i" -- sleep 600
        done
        poll 30 grep -lq 'created and started' "$T/job.create$round"-*
        outcalld_kill
        outcalld_start --log-level info
        jobs_end
        orphans_go
        # What got as far as running is known, attested and can be used like any other.
        outcall --json container list | jq -e 'all(.attested and .state == "running")'
        [ "$(outcall --json container list | jq length)" = "$(docker ps -aq | wc -l)" ]
    done
    [ "$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-bystander)" = "$id" ]
}
