# shellcheck disable=SC2034,SC2154 # bats and the test files set and use these
# What every system test begins with. Each test has a fresh directory $T, its own daemon, and the suite's engine; after it,
# passed or not, nothing of it is left, and a test that passed is failed if the daemon left something behind.
#
#   setup() { outcall_setup; outcalld_start; }
#   teardown() { outcall_teardown; }
bats_require_minimum_version 1.5.0

: "${OUTCALL_SOURCE:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}" "${OUTCALL_BUILD:=${OUTCALL_SOURCE}/build}"
# shellcheck source=tests/support/engine.sh
. "$OUTCALL_SOURCE/tests/support/engine.sh"

OUTCALL=$OUTCALL_BUILD/cli/outcall
OUTCALLD=$OUTCALL_BUILD/cli/outcalld
SHIM=$OUTCALL_BUILD/shim/outcall-agent
IMAGE=$ENGINE_IMAGE
SUBNETS=10.200.0.0/16

# OUTCALL_TEST_ENGINE=podman: the file's tests run against Podman's Docker-compatible service instead of the suite's dockerd,
# but for those that docs/podman.md says it cannot do. One service for the whole file, in a network namespace of its own.
setup_file()
{
    [ "${OUTCALL_TEST_ENGINE:-docker}" = podman ] && [ -z "${OUTCALL_TEST_SKIP:-}" ] || return 0
    command -v podman >/dev/null || { export OUTCALL_TEST_SKIP="podman is not installed"; return 0; }
    REGISTRY_PID='' PODMAN_PID='' ENGINE_PID='' ENGINE_NETNS_PID=''
    # The registry's port is known once it runs in the service's namespace, and the service reads its settings only once.
    engine_dir && engine_podman && ENGINE_PID=$PODMAN_PID && engine_registry && ENGINE_PID='' &&
        printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY" >"$ENGINE_DIR/registries.conf" &&
        { [ -z "$REGISTRY_PID" ] || { stop_pid "$PODMAN_PID" 5 && ENGINE_NETNS_PID=$REGISTRY_PID podman_up; }; } ||
        { ENGINE_PID='' engine_clean; return 1; }
    export OUTCALL_TEST_DOCKER=unix://$PODMAN_SOCKET OUTCALL_TEST_ENGINE_PID=$PODMAN_PID OUTCALL_TEST_ENGINE_DIR=$ENGINE_DIR \
        OUTCALL_TEST_REGISTRY=$REGISTRY OUTCALL_TEST_REGISTRY_PID=$REGISTRY_PID
}

teardown_file()
{
    [ "${OUTCALL_TEST_ENGINE:-docker}" = podman ] && [ -n "${OUTCALL_TEST_REGISTRY_PID:-}" ] || return 0
    ENGINE_DIR=$OUTCALL_TEST_ENGINE_DIR PODMAN_PID=$OUTCALL_TEST_ENGINE_PID REGISTRY_PID=$OUTCALL_TEST_REGISTRY_PID ENGINE_PID='' engine_clean
}

# podman_cannot NAME: why this test is left out against Podman; nothing when it is not.
podman_cannot()
{
    awk -F ' *[|] *' -v name="$1" '$2 == name { print $3 }' "$OUTCALL_SOURCE/docs/podman.md"
}

# A test that cannot run is skipped with the reason, and fails where everything must work.
cannot_run()
{
    if [ "${OUTCALL_TESTS_MUST_WORK:-}" = 1 ]; then
        echo "cannot run: $1" >&2
        return 1
    fi
    skip "$1"
}

need()
{
    local path
    for path in "$@"; do
        if [[ $path = /* ]]; then
            [ -x "$path" ] || cannot_run "$path is not built" || return 1
        else
            command -v "$path" >/dev/null || cannot_run "$path is not installed" || return 1
        fi
    done
}

outcall_setup()
{
    local why
    [ -z "${OUTCALL_TEST_SKIP:-}" ] || cannot_run "$OUTCALL_TEST_SKIP" || return 1
    [ -n "${OUTCALL_TEST_DOCKER:-}" ] || cannot_run "no engine is running: use ctest or tests/run.sh" || return 1
    need "$OUTCALL" "$OUTCALLD" "$SHIM" jq curl || return 1
    if [ "${OUTCALL_TEST_ENGINE:-docker}" = podman ]; then
        why=$(podman_cannot "$BATS_TEST_DESCRIPTION")
        [ -z "$why" ] || skip "Podman: $why"
    fi
    ENGINE=$OUTCALL_TEST_DOCKER
    ENGINE_SOCKET=${OUTCALL_TEST_DOCKER#unix://}
    ENGINE_PID=$OUTCALL_TEST_ENGINE_PID
    REGISTRY=${OUTCALL_TEST_REGISTRY:-}
    T=$(mktemp -d /tmp/oc-t.XXXXXX)
    chmod 0755 "$T"
    PIDS=()
    PRIVATE_ENGINE=
    clean_engine # what a test that was killed may have left
}

# --- the engine, as seen by a test --------------------------------------------------------------------------------------

docker()
{
    DOCKER_CONTEXT='' DOCKER_CONFIG="$T/docker-cli" command docker -H "$ENGINE" "$@"
}

# clean_engine: no containers, networks or volumes but the engine's own; the suite's images stay.
clean_engine()
{
    local ids
    ids=$(docker ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
    ids=$(docker network ls --format '{{.Name}}' | grep -vxE 'bridge|host|none|podman') # Podman knows no filter for them
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker network rm $ids >/dev/null
    ids=$(docker volume ls -q)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker volume rm -f $ids >/dev/null
}

# raw METHOD PATH [JSON]: one call to the engine itself.
raw()
{
    curl -sS --unix-socket "$ENGINE_SOCKET" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "http://engine$2"
}

# --- daemons ------------------------------------------------------------------------------------------------------------

in_engine_net()
{
    nsenter --net="/proc/$ENGINE_PID/ns/net" -- "$@"
}

# spawn_in_engine_net CMD...: in the background, ended after the test.
spawn_in_engine_net()
{
    nsenter --net="/proc/$ENGINE_PID/ns/net" -- "$@" </dev/null >&2 3>&- 4>&- &
    PIDS+=($!)
}

# daemon_flags FLAGS...: FLAGS, and the test's own for every setting that is not among them.
daemon_flags()
{
    local given=" $* " flag value
    while read -r flag value; do
        [[ $given = *" $flag "* ]] || printf '%s\n' "$flag" "$value"
    done <<END
--runtime-dir $T/run
--state-dir $T/state
--rules-dir $T/rules
--config $T/outcalld.yaml
--docker-host ${DOCKER_HOST_OF_DAEMON:-$ENGINE}
--subnet-block $SUBNETS
--shim $SHIM
--log-level debug
END
    [ $# = 0 ] || printf '%s\n' "$@"
}

# outcalld_spawn [FLAGS...]: starts it in the engine's network namespace, in a session of its own as a supervisor would;
# sets DAEMON.
outcalld_spawn()
{
    local flags
    mapfile -t flags < <(daemon_flags "$@")
    mkdir -p "$T/rules"
    [ -e "$T/outcalld.yaml" ] || : >"$T/outcalld.yaml"
    nsenter --net="/proc/$ENGINE_PID/ns/net" -- setsid "$OUTCALLD" "${flags[@]}" </dev/null >>"$T/outcalld.log" 2>&1 3>&- 4>&- &
    DAEMON=$!
    PIDS+=("$DAEMON")
    SOCKET=$T/run/host.sock
}

# refuses_to_start [FLAGS...]: it ends by itself, with a failure.
refuses_to_start()
{
    local code=0
    outcalld_spawn "$@"
    poll 10 pid_gone "$DAEMON" || { echo "outcalld is running" >&2; return 1; }
    wait "$DAEMON" || code=$?
    [ "$code" != 0 ] && [ "$code" -lt 126 ]
}

ready_or_gone()
{
    pid_gone "$DAEMON" || api_quietly GET /api/v1/status
}

api_quietly()
{
    curl -fs --max-time 5 --unix-socket "$SOCKET" -X "$1" "http://outcalld$2" >/dev/null
}

# outcalld_start [FLAGS...]: and waits until it answers.
outcalld_start()
{
    outcalld_spawn "$@"
    if ! poll 20 ready_or_gone || pid_gone "$DAEMON"; then
        echo "outcalld did not come up:" >&2
        cat "$T/outcalld.log" >&2
        return 1
    fi
}

# outcalld_stop: SIGTERM, and its exit code is the result.
outcalld_stop()
{
    kill -TERM "$DAEMON"
    poll 20 pid_gone "$DAEMON" || { echo "outcalld did not stop" >&2; return 1; }
    wait "$DAEMON"
}

outcalld_kill()
{
    kill -KILL "$DAEMON"
    poll 5 pid_gone "$DAEMON"
    wait "$DAEMON" || [ $? = 137 ]
}

# --- the command and the API --------------------------------------------------------------------------------------------

outcall()
{
    "$OUTCALL" --socket "$SOCKET" "$@"
}

# api METHOD PATH [JSON]: sets http_status and http_body.
api()
{
    local answer
    answer=$(curl -sS --max-time 60 --unix-socket "$SOCKET" -w '\n%{http_code}' -X "$1" \
        ${3:+-H 'Content-Type: application/json' --data-binary "$3"} "http://outcalld$2")
    http_status=${answer##*$'\n'}
    http_body=${answer%$'\n'*}
}

# api_says STATUS CODE [TEXT]: the answer was this error.
api_says()
{
    [ "$http_status" = "$1" ] && [ "$(jq -r .success <<<"$http_body")" = false ] &&
        [ "$(jq -r .code <<<"$http_body")" = "$2" ] && { [ $# -lt 3 ] || [ "$(jq -r .error <<<"$http_body")" = "$3" ]; } && return 0
    echo "expected $1 $2 ${3:-}, got $http_status $http_body" >&2
    return 1
}

# says TEXT: the last `run` printed exactly this line on stdout.
says()
{
    [ "$status" = 0 ] && grep -Fxq -- "$1" <<<"$output" && return 0
    printf 'expected exit 0 and: %s\ngot %s: %s\n%s\n' "$1" "$status" "$output" "${stderr:-}" >&2
    return 1
}

# refuses TEXT: the last `run --separate-stderr` failed with 1 and exactly this line on stderr (a leading "outcall: " apart).
refuses()
{
    [ "$status" = 1 ] && sed 's/^outcall: //' <<<"$stderr" | grep -Fxq -- "$1" && return 0
    printf 'expected exit 1 and: %s\ngot %s: %s\n%s\n' "$1" "$status" "${stderr:-}" "$output" >&2
    return 1
}

# refuses_like PATTERN: the same with an extended regular expression that must match a whole line.
refuses_like()
{
    [ "$status" = 1 ] && sed 's/^outcall: //' <<<"$stderr" | grep -Exq -- "$1" && return 0
    printf 'expected exit 1 and like: %s\ngot %s: %s\n%s\n' "$1" "$status" "${stderr:-}" "$output" >&2
    return 1
}

# create NAME [OPTIONS... [-- CMD...]]: a container that sleeps unless told otherwise.
create()
{
    local name=$1 command=(-- sleep 600) argument
    shift
    for argument in "$@"; do
        [ "$argument" != -- ] || command=()
    done
    outcall container create --image "$IMAGE" --name "$name" "$@" "${command[@]}"
}

# attempt [OPTIONS...]: a create that should be refused; `run` variables are set.
attempt()
{
    run --separate-stderr create attempt "$@"
}

state_of()
{
    docker inspect -f '{{.State.Status}}' "$1"
}

running()
{
    [ "$(state_of "$1")" = running ]
}

# inside NAME CMD...: runs in the container, as its user.
inside()
{
    local name=$1
    shift
    docker exec "$name" "$@"
}

# --- what is left -------------------------------------------------------------------------------------------------------

containers_n()
{
    docker ps -aq | wc -l
}

mounts_n()
{
    grep -cF " $T/" /proc/self/mountinfo
}

files_n()
{
    # Not deeper: below a staged mount lie the caller's own files.
    find "$T/run/stage" "$T/run/agents" -mindepth 1 -maxdepth 2 2>/dev/null | wc -l
}

descriptors_n()
{
    find "/proc/$DAEMON/fd" -mindepth 1 2>/dev/null | wc -l
}

# leftovers: containers, volumes, mounts, directories of ours, and the daemon's descriptors, as one line.
leftovers()
{
    echo "containers=$(containers_n) volumes=$(docker volume ls -q | wc -l) mounts=$(mounts_n) files=$(files_n)" \
        "descriptors=$(descriptors_n)"
}

# Two descriptors of slack: connections to the engine are kept for the next call.
same_leftovers()
{
    local now
    now=$(leftovers)
    [ "${now% *}" = "${1% *}" ] && [ "${now##*=}" -le $((${1##*=} + 2)) ]
}

alive()
{
    if pid_gone "$1"; then
        return 1
    fi
}

# left_as BEFORE: bounded, since connections are closed a moment after their answer.
left_as()
{
    poll 5 same_leftovers "$1" && return 0
    printf 'before: %s\nafter:  %s\n' "$1" "$(leftovers)" >&2
    return 1
}

nothing_left()
{
    [ "$(files_n)" = 0 ] && [ "$(mounts_n)" = 0 ]
}

# A test that passed ends like an operator would: remove everything through the daemon, and see that nothing is left.
end_in_order()
{
    local name
    [ -n "${DAEMON:-}" ] && ! pid_gone "$DAEMON" && api_quietly GET /api/v1/containers || return 0
    while read -r name; do
        outcall container remove --force "$name" >/dev/null || return 1
    done < <(outcall --json container list | jq -r '.. | objects | select(has("image")) | .name')
    if ! poll 5 nothing_left; then
        echo "left behind: $(find "$T/run/stage" "$T/run/agents" -mindepth 1 -maxdepth 2 2>&1) $(grep -F " $T/" /proc/self/mountinfo)" >&2
        return 1
    fi
    outcalld_stop || { echo "outcalld ended with $?" >&2; tail -n 20 "$T/outcalld.log" >&2; return 1; }
    [ ! -e "$SOCKET" ] || { echo "the host socket is still there" >&2; return 1; }
}

outcall_teardown()
{
    local result=0 pid
    [ -n "${T:-}" ] && [ -d "$T" ] || return 0
    if [ -n "${BATS_TEST_COMPLETED:-}" ]; then
        end_in_order || result=1
    elif [ -f "$T/outcalld.log" ]; then
        echo "--- the end of the daemon's log" >&2
        tail -n 30 "$T/outcalld.log" >&2
    fi
    for pid in "${PIDS[@]}"; do
        stop_pid "$pid" 5
    done
    if [ -n "$PRIVATE_ENGINE" ]; then
        ENGINE_DIR=$PRIVATE_ENGINE engine_clean
        ENGINE=$OUTCALL_TEST_DOCKER
    fi
    clean_engine || result=1
    remove_tree "$T" || result=1
    return $result
}

# private_engine: an engine of this test's own, to be stopped and started again; the daemon to come uses it.
private_engine()
{
    REGISTRY_PID='' PODMAN_PID='' # the suite's stay
    engine_dir && PRIVATE_ENGINE=$ENGINE_DIR && engine_up && engine_images || return 1
    ENGINE=unix://$ENGINE_DIR/docker.sock
    ENGINE_SOCKET=$ENGINE_DIR/docker.sock
}

# private_podman: the same with Podman.
private_podman()
{
    REGISTRY_PID='' PODMAN_PID='' ENGINE_PID='' ENGINE_NETNS_PID=''
    engine_dir && PRIVATE_ENGINE=$ENGINE_DIR && engine_podman || return 1
    ENGINE_PID=$PODMAN_PID
    ENGINE=unix://$PODMAN_SOCKET
    ENGINE_SOCKET=$PODMAN_SOCKET
    DOCKER_HOST_OF_DAEMON=$ENGINE
}

tap_listens()
{
    [ -S "$T/tap.sock" ]
}

# tap_start: the daemon to come reaches the engine through a tap that logs each request line into $T/tap.log.
tap_start()
{
    rm -f "$T/tap.sock"
    : >>"$T/tap.log"
    python3 -B "$OUTCALL_SOURCE/tests/support/tap.py" "$T/tap.sock" "$ENGINE_SOCKET" "$T/tap.log" </dev/null >&2 3>&- 4>&- &
    TAP=$!
    PIDS+=("$TAP")
    poll 10 tap_listens || { echo "the tap does not listen" >&2; return 1; }
    DOCKER_HOST_OF_DAEMON=unix://$T/tap.sock
}

# engine_calls: how many requests the tap has seen but those that watch the engine.
engine_calls()
{
    awk '$2 !~ "^/(v[0-9.]+/)?(_ping|version|events|info)" { n++ } END { print n + 0 }' "$T/tap.log"
}
