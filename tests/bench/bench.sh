#!/bin/bash
# The figures themselves; run.sh gives them an engine. One JSON line each, ours beside the peer's, measured in turns so
# that a noisy neighbour hits both. The daemon runs in the engine's network namespace, in a session of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${OUTCALL_BUILD:-$root/build}
rounds=${BENCH_ROUNDS:-20}
# shellcheck source=tests/support/engine.sh
. "$root/tests/support/engine.sh"

T=$(mktemp -d /tmp/oc-bench.XXXXXX)
chmod 0755 "$T"
export DOCKER_HOST=$OUTCALL_TEST_DOCKER DOCKER_CONFIG=$T/cli DOCKER_CONTEXT=''
outcall=("$build/cli/outcall" --socket "$T/run/host.sock")
daemon=

clean_up()
{
    local ids
    set +e
    [ -z "$daemon" ] || stop_pid "$daemon" 20
    ids=$(docker ps -aq --filter name=outcall-agent-bench --filter name=bench-)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
    remove_tree "$T"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

answers()
{
    curl -fs --max-time 5 --unix-socket "$T/run/host.sock" http://outcalld/api/v1/status >/dev/null
}

daemon_start()
{
    mkdir -p "$T/cli" "$T/rules"
    : >"$T/outcalld.yaml"
    nsenter --net="/proc/$OUTCALL_TEST_ENGINE_PID/ns/net" -- setsid "$build/cli/outcalld" --runtime-dir "$T/run" \
        --state-dir "$T/state" --rules-dir "$T/rules" --config "$T/outcalld.yaml" --docker-host "$DOCKER_HOST" \
        --shim "$build/shim/outcall-agent" </dev/null >"$T/outcalld.log" 2>&1 &
    daemon=$!
    poll 20 answers || { cat "$T/outcalld.log" >&2; return 1; }
}

# timed VARIABLE CMD...: appends the microseconds that CMD took to the array of that name.
timed()
{
    local -n into=$1
    local begin end
    shift
    begin=${EPOCHREALTIME/./}
    "$@" >/dev/null
    end=${EPOCHREALTIME/./}
    into+=($((end - begin)))
}

# What `outcall container create` makes, as far as the docker program can say it.
docker_create_start()
{
    docker create --name "$1" --network outcall-default --read-only --init --user 65532:65532 --cap-drop ALL \
        --security-opt no-new-privileges --memory 512m --memory-swap 512m --cpu-shares 1024 --pids-limit 256 --restart no \
        --tmpfs /tmp:rw,exec,nosuid,nodev,size=64m,mode=1777 --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 \
        --dns 10.200.0.1 --dns-option ndots:0 --label managed-by=bench \
        --mount "type=bind,src=$T/rules,dst=/run/outcall,readonly" \
        --mount "type=bind,src=$build/shim/outcall-agent,dst=/usr/local/bin/outcall,readonly" \
        "$OUTCALL_TEST_IMAGE" sleep 600 >/dev/null && docker start "$1"
}

# report NAME UNIT OURS PEER PEER_NAME: medians and spread of two arrays.
report()
{
    local -n left=$3 right=$4
    printf '{"ours":[%s],"peer":[%s]}' "$(IFS=,; echo "${left[*]}")" "$(IFS=,; echo "${right[*]}")" |
        jq -c --arg name "$1" --arg unit "$2" --arg peer_name "$5" '
            def median: sort | .[length / 2 | floor];
            {name: $name, unit: $unit, n: (.ours | length), median: (.ours | median), min: (.ours | min), max: (.ours | max),
             peer: $peer_name, peer_median: (.peer | median), peer_min: (.peer | min), peer_max: (.peer | max),
             ratio: ((.ours | median) / (.peer | median) * 1000 | round / 1000)}'
}

bench_version()
{
    local ours=() peer=() i
    for ((i = 0; i < rounds; i++)); do
        ours+=("$("$build/tests/support/starts" 50 "$build/cli/outcall" --version)")
        peer+=("$("$build/tests/support/starts" 50 /bin/true)")
    done
    report "outcall --version" us ours peer "/bin/true"
}

bench_create()
{
    local ours=() peer=() i
    for ((i = 0; i < rounds; i++)); do
        timed ours "${outcall[@]}" container create --image "$OUTCALL_TEST_IMAGE" --name bench -- sleep 600
        "${outcall[@]}" container remove --force bench >/dev/null
        timed peer docker_create_start bench-peer
        docker rm -f bench-peer >/dev/null
    done
    report "container create" us ours peer "docker create + docker start"
}

bench_list()
{
    local ours=() again=() peer=() i
    for ((i = 0; i < 50; i++)); do
        "${outcall[@]}" container create --image "$OUTCALL_TEST_IMAGE" --name "bench$i" -- sleep 600 >/dev/null
    done
    for ((i = 0; i < rounds; i++)); do
        sleep 1.1 # older than what the daemon remembers: it asks the engine
        timed ours "${outcall[@]}" container list
        timed again "${outcall[@]}" container list
        timed peer docker ps
    done
    report "container list, 50 containers, engine asked" us ours peer "docker ps"
    report "container list, 50 containers, again within a second" us again peer "docker ps"
    resident "with 50 containers"
    for ((i = 0; i < 50; i++)); do
        "${outcall[@]}" container remove --force "bench$i" >/dev/null
    done
}

# resident WHEN: kilobytes of the daemon, from its status.
resident()
{
    awk -v when="$1" '/^(VmHWM|VmRSS|RssAnon|RssFile):/ { v[$1] = $2 }
        END { printf "{\"name\":\"outcalld resident, %s\",\"unit\":\"KiB\",\"median\":%d,\"anonymous\":%d,\"files\":%d,\"peak\":%d}\n",
              when, v["VmRSS:"], v["RssAnon:"], v["RssFile:"], v["VmHWM:"] }' "/proc/$daemon/status"
}

bench_load()
{
    local lists i jobs=() begin
    "$build/tests/support/load" "$T/run/host.sock" /api/v1/containers 200 32 5 | jq -c '{name: "200 lists a second, at rest"} + .'
    setsid "$build/tests/support/load" "$T/run/host.sock" /api/v1/containers 200 32 150 >"$T/lists" &
    lists=$!
    begin=${EPOCHREALTIME/./}
    for ((i = 0; i < 64; i++)); do
        "${outcall[@]}" container create --image "$OUTCALL_TEST_IMAGE" --name "bench$i" -- sleep 600 >/dev/null &
        jobs+=($!)
    done
    for i in "${jobs[@]}"; do
        wait "$i"
    done
    jq -nc --argjson us $((${EPOCHREALTIME/./} - begin)) '{name: "64 creates at once", unit: "us", median: $us}'
    kill -TERM "$lists"
    wait "$lists"
    jq -c '{name: "200 lists a second beside 64 creates"} + .' "$T/lists"
    for ((i = 0; i < 64; i++)); do
        "${outcall[@]}" container remove --force "bench$i" >/dev/null
    done
    resident "after 64 creates and removes"
}

jq -nc --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg kernel "$(uname -r)" \
    --argjson cpus "$(nproc)" --arg load "$(cut -d' ' -f1-3 /proc/loadavg)" --arg date "$(date -u +%F)" \
    --arg engine "$(docker version -f '{{.Server.Version}}')" \
    '{name: "machine", date: $date, cpu: $cpu, cpus: $cpus, kernel: $kernel, engine: $engine, load: $load}'
daemon_start
resident "at rest"
bench_version
bench_create
bench_list
bench_load
