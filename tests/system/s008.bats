#!/usr/bin/env bats
# The rows of S008's edge cases, one test or more each, against a real engine.
load ../support/outcall

setup()
{
    outcall_setup || return 1
}

teardown()
{
    outcall_teardown
}

@test "S008-EC-001: a control socket among the mounts is refused by name" {
    outcalld_start
    before=$(leftovers)
    attempt --volume "$ENGINE_SOCKET:/mnt/s"
    refuses "bind mount denied: \"$ENGINE_SOCKET\" is on the deny list"
    attempt --volume "$T/run/host.sock:/mnt/s:ro"
    refuses "bind mount denied: \"$T/run/host.sock\" is on the deny list"
    attempt --volume "$T/run:/mnt/s"
    refuses "bind mount denied: \"$T/run\" is on the deny list"
    attempt --volume "$OUTCALL_TEST_ENGINE_DIR:/mnt/s"
    refuses "bind mount denied: \"$OUTCALL_TEST_ENGINE_DIR\" exposes protected path \"$ENGINE_SOCKET\""
    attempt --volume "$T/rules:/mnt/s"
    refuses "bind mount denied: \"$T/rules\" is on the deny list"
    attempt --volume "$T/state:/mnt/s"
    refuses "bind mount denied: \"$T/state\" is on the deny list"
    attempt --volume "$T/outcalld.yaml:/mnt/s"
    refuses "bind mount denied: \"$T/outcalld.yaml\" is on the deny list"
    left_as "$before"
}

@test "S008-EC-001: the refusal comes before any call to Docker" {
    tap_start
    outcalld_start
    before=$(engine_calls)
    attempt --volume "$T/run/host.sock:/mnt/s"
    refuses "bind mount denied: \"$T/run/host.sock\" is on the deny list"
    [ "$(engine_calls)" = "$before" ]
    # The tap does see the calls of a create that is allowed.
    create seen
    [ "$(engine_calls)" -gt "$before" ]
}

@test "S008-EC-001: over the API it is 403 mount_denied" {
    outcalld_start
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"volumes\":[\"$T/run/host.sock:/mnt/s\"]}"
    api_says 403 mount_denied "bind mount denied: \"$T/run/host.sock\" is on the deny list"
}

@test "S008-EC-002: a network that does not exist" {
    outcalld_start
    before=$(leftovers)
    attempt --network nowhere
    refuses 'network "outcall-nowhere" does not exist'
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"network\":\"nowhere\"}"
    api_says 404 network_not_found 'network "outcall-nowhere" does not exist'
    left_as "$before"
}

@test "S008-EC-003: an engine that is not there" {
    outcalld_start --docker-host "unix://$T/absent.sock"
    attempt
    refuses_like ".*$T/absent\.sock.*"
    api GET /api/v1/containers
    api_says 503 docker_unreachable
    api GET /api/v1/status
    [ "$http_status" = 200 ]
    # It appears, and no restart is needed.
    ln -s "$ENGINE_SOCKET" "$T/absent.sock"
    run outcall container list
    says 'No agent containers found.'
}

@test "S008-EC-003: an engine that accepts and never answers" {
    need python3
    python3 -B -c 'import socket, sys, signal
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64); signal.pause()' "$T/hung.sock" 3>&- 4>&- &
    PIDS+=($!)
    poll 5 test -S "$T/hung.sock"
    outcalld_start --docker-host "unix://$T/hung.sock"
    run outcall --json status
    [ "$status" = 0 ]
    [ "$(jq -r .docker.socket <<<"$output")" = "$T/hung.sock" ]
    outcalld_stop
}

@test "S008-EC-004: stop and remove of a name that never was" {
    outcalld_start
    run --separate-stderr outcall container stop nobody
    refuses 'container "outcall-agent-nobody" does not exist'
    run --separate-stderr outcall container remove outcall-agent-nobody
    refuses 'container "outcall-agent-nobody" does not exist'
    api POST /api/v1/container/stop '{"name":"nobody"}'
    api_says 404 container_not_found 'container "outcall-agent-nobody" does not exist'
    api POST /api/v1/container/remove '{"name":"nobody"}'
    api_says 404 container_not_found 'container "outcall-agent-nobody" does not exist'
}

@test "S008-EC-005: an image that is not there is not pulled by itself" {
    tap_start
    outcalld_start
    before=$(leftovers)
    run --separate-stderr outcall container create --image "$REGISTRY/absent:1" --name attempt
    refuses "image \"$REGISTRY/absent:1\" not found locally — pull it first"
    api POST /api/v1/container/create '{"image":"absent"}'
    api_says 404 image_not_found 'image "absent" not found locally — pull it first'
    left_as "$before"
    [ "$(grep -c 'images/create' "$T/tap.log")" = 0 ]
}

@test "S008-EC-006: a pull that fails gives the engine's own message" {
    [ -n "$REGISTRY" ] || cannot_run "docker-registry is not installed"
    outcalld_start
    run --separate-stderr outcall container pull "$REGISTRY/absent:1"
    [ "$status" = 1 ]
    said=$(docker pull "$REGISTRY/absent:1" 2>&1 >/dev/null | sed 's/^Error response from daemon: //')
    [ -n "$said" ]
    [[ $stderr = *"$said"* ]]
    # Nobody listens on port 1 of the engine's own loopback.
    run --separate-stderr outcall container pull 127.0.0.1:1/absent:1
    [ "$status" = 1 ]
    [[ $stderr = *"connection refused"* ]]
    api POST /api/v1/container/pull "{\"image\":\"$REGISTRY/absent:1\"}"
    api_says 502 docker_error
}

@test "S008-EC-006: a pull that works, twice" {
    [ -n "$REGISTRY" ] || cannot_run "docker-registry is not installed"
    docker tag "$IMAGE" "$REGISTRY/t:1"
    docker push -q "$REGISTRY/t:1"
    docker rmi "$REGISTRY/t:1"
    outcalld_start
    run outcall container pull "$REGISTRY/t:1"
    says "Image \"$REGISTRY/t:1\" pulled."
    run outcall container pull "$REGISTRY/t:1"
    says "Image \"$REGISTRY/t:1\" is up to date."
    api POST /api/v1/container/pull "{\"image\":\"$REGISTRY/t:1\"}"
    [ "$http_status" = 200 ]
    [ "$(jq -c .data.pulled <<<"$http_body")" = false ]
    run outcall container create --image "$REGISTRY/t:1" --name pulled -- sleep 600
    says 'Container "outcall-agent-pulled" created and started.'
    docker rm -f outcall-agent-pulled
    docker rmi "$REGISTRY/t:1"
}

@test "S008-EC-007: stop of a stopped container" {
    outcalld_start
    create twice
    run outcall container stop --timeout 1 twice
    says 'Container "outcall-agent-twice" stopped.'
    [ "$(state_of outcall-agent-twice)" = exited ]
    run outcall container stop twice
    says 'Container "outcall-agent-twice" was not running.'
    api POST /api/v1/container/stop '{"name":"twice"}'
    [ "$http_status" = 200 ]
    [ "$(jq -c .data.stopped <<<"$http_body")" = false ]
}

@test "S008-EC-008: remove of a removed container" {
    outcalld_start
    create gone
    run --separate-stderr outcall container remove gone
    refuses 'container "outcall-agent-gone" is still running — stop it first or use force'
    run outcall container remove --force gone
    says 'Container "outcall-agent-gone" removed.'
    run outcall container remove gone
    says 'Container "outcall-agent-gone" was already removed.'
    api POST /api/v1/container/remove '{"name":"gone"}'
    [ "$http_status" = 200 ]
    [ "$(jq -c .data.removed <<<"$http_body")" = false ]
}

@test "S008-EC-008: removed by somebody else, and after a restart" {
    outcalld_start
    create other
    docker rm -f outcall-agent-other
    run outcall container remove other
    says 'Container "outcall-agent-other" was already removed.'
    outcalld_stop
    outcalld_start
    run outcall container remove other
    says 'Container "outcall-agent-other" was already removed.'
}

@test "S008-EC-009: rapid creates each get a name of their own" {
    outcalld_start
    jobs=()
    for i in $(seq 16); do
        outcall container create --image "$IMAGE" -- sleep 600 >"$T/create.$i" 2>&1 3>&- 4>&- &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || { cat "$T"/create.*; false; }
    done
    [ "$(sed -nE 's/^Container "(outcall-agent-[0-9a-f]{8})" created and started\.$/\1/p' "$T"/create.* | sort -u | wc -l)" = 16 ]
    [ "$(docker ps -q --filter name=outcall-agent- | wc -l)" = 16 ]
}

@test "S008-EC-010: containers outlive a daemon that is told to stop, and are found again" {
    outcalld_start
    create survivor --volume "$OUTCALL_SOURCE/docs:/docs:ro"
    id=$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-survivor)
    outcalld_stop
    [ ! -e "$SOCKET" ]
    [ "$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-survivor)" = "$id" ]
    inside outcall-agent-survivor test -s /docs/guide.md
    # Nobody answers inside: the shim fails closed.
    run inside outcall-agent-survivor outcall true
    [ "$status" = 5 ]
    [[ $output = *unreachable* || $output = *"not found"* ]]
    outcalld_start
    run outcall --json container list
    [[ $output = *outcall-agent-survivor* ]]
    # The same container reaches the new daemon, without being made again.
    run inside outcall-agent-survivor outcall true
    [ "$status" = 1 ]
    [[ $output = *"blocked: no rule allows it"* ]]
    [ "$(docker inspect -f '{{.Id}} {{.State.StartedAt}}' outcall-agent-survivor)" = "$id" ]
    # Its stage is still what it was: it comes up again with the same mounts.
    docker restart -t 0 outcall-agent-survivor
    inside outcall-agent-survivor test -s /docs/guide.md
}

@test "S008-EC-010: the same after SIGKILL" {
    outcalld_start
    create survivor
    outcalld_kill
    running outcall-agent-survivor
    outcalld_start
    run outcall container inspect survivor
    [ "$status" = 0 ]
    run inside outcall-agent-survivor outcall true
    [[ $output = *"blocked: no rule allows it"* ]]
}

@test "S008-EC-011: an engine that goes away and comes back" {
    private_engine
    outcalld_start
    create before
    engine_down
    run --separate-stderr outcall container list
    refuses_like ".*$ENGINE_SOCKET.*"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 503 docker_unreachable
    alive "$DAEMON"
    # The new engine goes where the daemon still is: the old one's namespace.
    ENGINE_NETNS_PID=$DAEMON
    engine_up
    run outcall container list
    [ "$status" = 0 ]
    [[ $output = *outcall-agent-before* ]]
}

@test "S008-EC-012: symlinks to a control socket" {
    outcalld_start
    before=$(leftovers)
    ln -s "$T/run/host.sock" "$T/innocent"
    ln -s innocent "$T/chain"
    ln -s "$T/run" "$T/folder"
    ln -s "$ENGINE_SOCKET" "$T/engine"
    for link in innocent chain folder engine; do
        attempt --volume "$T/$link:/mnt/s"
        refuses "bind mount denied: \"$T/$link\" is on the deny list"
    done
    attempt --volume "$T/folder/host.sock:/mnt/s"
    refuses "bind mount denied: \"$T/folder/host.sock\" is on the deny list"
    left_as "$before"
}

@test "S008-EC-013: a name that is taken gives Docker's own message" {
    outcalld_start
    create taken
    before=$(leftovers)
    conflict='.*[Cc]onflict.*/outcall-agent-NAME.* already in use.*'
    [ "${OUTCALL_TEST_ENGINE:-docker}" = docker ] || conflict='.*container name "outcall-agent-NAME" is already in use.*'
    run --separate-stderr create taken
    refuses_like "${conflict/NAME/taken}"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"name\":\"taken\"}"
    api_says 409 conflict
    left_as "$before"
    running outcall-agent-taken
    # A name held by somebody else's container.
    docker create --name outcall-agent-foreign "$IMAGE"
    run --separate-stderr create foreign
    refuses_like "${conflict/NAME/foreign}"
}

@test "S008-EC-014: memory above what the host has is passed on" {
    outcalld_start
    run create large --memory 4096g
    says 'Container "outcall-agent-large" created and started.'
    [ "$(docker inspect -f '{{.HostConfig.Memory}}' outcall-agent-large)" = $((4096 * 1024 * 1024 * 1024)) ]
}

@test "S008-EC-015: an agent socket that is not there" {
    need "$OUTCALL_BUILD/examples/example-manager"
    docker network create --internal --label managed-by=outcalld outcall-default
    manager()
    {
        run --separate-stderr "$OUTCALL_BUILD/examples/example-manager" "$ENGINE_SOCKET" "$SHIM" "$1" create "$IMAGE" attempt
    }
    # Not there; there, but nobody listens; and things that are no socket.
    python3 -B -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/stale.sock"
    for socket in "$T/absent.sock" "$T/stale.sock"; do
        manager "$socket"
        refuses "manager: create: agent socket not found at \"$socket\""
    done
    : >"$T/file.sock"
    ln -s stale.sock "$T/link.sock"
    for socket in "$T/file.sock" "$T/link.sock"; do
        manager "$socket"
        refuses_like "manager: create: agent socket .*$socket.*"
    done
    # Its directory would be mounted: one that shows a control socket is refused like any other source.
    manager "$ENGINE_SOCKET"
    refuses_like 'manager: create: bind mount denied: .*'
    [ "$(containers_n)" = 0 ]
}

@test "S008-EC-016: a shim that is not there" {
    outcalld_start --shim "$T/absent"
    before=$(leftovers)
    attempt
    refuses "shim binary not found at \"$T/absent\""
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 404 shim_not_found "shim binary not found at \"$T/absent\""
    left_as "$before"
}
