#!/usr/bin/env bats
# What a real engine cannot be made to do: other versions, hanging, lying, failing in the middle. The engine is a script
# (tests/support/fake_engine.h); the daemon and the command are the real ones.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    need "$OUTCALL_BUILD/tests/support/fake-engine" || return 1
    FAKE=$T/engine.sock
    DOCKER_HOST_OF_DAEMON=unix://$FAKE
    ID=$(printf 'c%.0s' {1..64})
}

teardown()
{
    outcall_teardown
}

# Words for scripts. before(RULE, ...): rules that answer first. made(RULE): the engine knows the container that was asked
# for last and describes it truthfully, changed by RULE. ok(METHOD; PATH; STATUS), says(METHOD; PATH; STATUS; MESSAGE).
WORDS='
def before(r): .rules = [r] + .rules;
def says(method; path; status; message): {method: method, path: path, status: status, body: {message: message}};
def ok(method; path): {method: method, path: path, status: 204};
def id: "c" * 64;
def inspected: {Id: id, Name: "@name", State: {Status: "running", Running: true, Pid: 0}, Mounts: "@mounts",
    Config: {Labels: "@create:Labels", Env: []}, HostConfig: {Mounts: "@create:HostConfig.Mounts", Binds: []},
    NetworkSettings: {Networks: {"outcall-default": {IPAddress: "10.200.0.2"}}}};
def inspect(change): {method: "GET", path: "/containers/(c{64}|outcall-agent-.*)/json", body: (inspected | change)};
def works: before(inspect(.), ok("POST"; "/containers/c{64}/(start|stop|kill)"), ok("DELETE"; "/containers/c{64}"));
'

fake_listens()
{
    pid_gone "$FAKE_PID" || [ -S "$FAKE" ]
}

# fake [FILTER]: a scripted engine, Docker 20.10 as changed by a jq filter; its requests are in $T/engine.log.
fake()
{
    rm -f "$FAKE"
    : >"$T/engine.log"
    jq "$WORDS ${1:-.}" "$OUTCALL_SOURCE/tests/data/fake-engine/docker-1.41.json" >"$T/script.json"
    "$OUTCALL_BUILD/tests/support/fake-engine" --socket "$FAKE" --script "$T/script.json" --log "$T/engine.log" \
        </dev/null >&2 3>&- 4>&- &
    FAKE_PID=$!
    PIDS+=("$FAKE_PID")
    poll 10 fake_listens && ! pid_gone "$FAKE_PID" || { echo "the scripted engine did not come up" >&2; return 1; }
}

# asked PATTERN: how many requests so far are like "METHOD TARGET".
asked()
{
    grep -cE "^$1( |$)" "$T/engine.log" || [ $? = 1 ]
}

has_asked()
{
    [ "$(asked "$1")" -ge "${2:-1}" ]
}

milliseconds()
{
    echo $((${EPOCHREALTIME/./} / 1000))
}

# nothing_kept: no directory of a container, no stage; the daemon lives and answers.
nothing_kept()
{
    alive "$DAEMON" && api_quietly GET /api/v1/status && left_as "$1"
}

# before_create: what there is once the daemon has looked at everything and follows the engine's events.
before_create()
{
    poll 10 has_asked 'GET /v[0-9.]+/events.*' && leftovers
}

@test "E-001: each engine is spoken to in a version it knows" {
    while read -r api min spoken; do
        fake "works | .api = \"$api\" | .min_api = \"$min\" | .server = \"engine-$api\""
        outcalld_start
        run create versioned
        says 'Container "outcall-agent-versioned" created and started.'
        run outcall container stop --timeout 1 versioned
        says 'Container "outcall-agent-versioned" stopped.'
        run outcall container remove --force versioned
        says 'Container "outcall-agent-versioned" removed.'
        run outcall --json status
        [ "$(jq -r '.docker | "\(.state) \(.server_version) \(.api_version)"' <<<"$output")" = "reachable engine-$api $spoken" ]
        # Nothing but the questions that need none went out without the version, or with another one.
        [ "$(grep -vcE "^[A-Z]+ (/v$spoken/|/_ping$|/version$)" "$T/engine.log")" = 0 ]
        has_asked "POST /v$spoken/containers/create\?name=outcall-agent-versioned"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done <<END
1.41 1.12 1.41
1.44 1.44 1.44
1.52 1.44 1.52
1.54 1.40 1.54
1.60 1.44 1.54
1.40 1.12 1.40
END
}

@test "E-002: an engine with no version in common is named as such, and the daemon lives" {
    for pair in '1.70 1.60' '1.39 1.12'; do
        fake ".api = \"${pair% *}\" | .min_api = \"${pair#* }\" | .server = \"odd\""
        outcalld_start
        text="the Docker Engine at $FAKE speaks API versions ${pair#* } to ${pair% *}, this library 1.40 to 1.54: none in common"
        run --separate-stderr outcall container list
        refuses "$text"
        api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
        api_says 502 docker_error "$text"
        run outcall --json status
        [ "$(jq -r '.docker | "\(.state) \(.server_version) \(.api_version)"' <<<"$output")" = 'incompatible odd ' ]
        [ "$(grep -vcE '^GET (/_ping|/version)$' "$T/engine.log")" = 0 ]
        nothing_left
        alive "$DAEMON"
        grep -qF 'none in common' "$T/outcalld.log"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done
}

@test "E-003: an engine that complains of the version is asked for it again, once" {
    complaint='client version 1.41 is too new. Maximum supported API version is 1.40'
    fake "before(says(\"GET\"; \"/networks\"; 400; \"$complaint\") + {times: 1})"
    outcalld_start
    before=$(asked 'GET /version')
    run outcall network list
    [ "$status" = 0 ]
    [[ $output = *outcall-default* ]]
    [ "$(asked 'GET /version')" = $((before + 1)) ]
    [ "$(asked 'GET /v1\.41/networks')" = 2 ]
    outcalld_stop
    stop_pid "$FAKE_PID" 5
    # One that is never content has the last word, and is not asked for ever.
    fake "before(says(\"GET\"; \"/networks\"; 400; \"$complaint\"))"
    outcalld_start
    run --separate-stderr outcall network list
    refuses "$complaint"
    [ "$(asked 'GET /v1\.41/networks')" = 2 ]
}

@test "S008-EC-003: an engine that hangs at its first word holds the start up for about three seconds" {
    fake 'before({path: "/(_ping|version)", hang: "before"})'
    began=$(milliseconds)
    outcalld_start --docker-timeout 1s
    took=$(($(milliseconds) - began))
    echo "ready after $took ms"
    [ "$took" -ge 2500 ]
    [ "$took" -lt 8000 ]
    run outcall --json status
    [ "$(jq -r .docker.state <<<"$output")" = unreachable ]
    run --separate-stderr outcall container list
    refuses_like ".*$FAKE.*"
    alive "$DAEMON"
    # It comes to its senses: no restart is needed.
    stop_pid "$FAKE_PID" 5
    fake
    run outcall container list
    says 'No agent containers found.'
}

@test "S008-EC-003: an engine that hangs in the middle of a call is docker_timeout" {
    fake 'before({method: "GET", path: "/networks/outcall-default", body: {}, hang: "after"},
        {method: "GET", path: "/networks", hang: "before"})'
    outcalld_start --docker-timeout 500ms --no-default-network
    before=$(before_create)
    api GET /api/v1/networks
    api_says 504 docker_timeout
    [[ $(jq -r .error <<<"$http_body") = *"$FAKE"* ]]
    run --separate-stderr create attempt
    refuses_like ".*$FAKE.*"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 504 docker_timeout
    [ "$(asked 'POST .*')" = 0 ]
    nothing_kept "$before"
    # Others are answered meanwhile and afterwards.
    run outcall container list
    says 'No agent containers found.'
}

@test "S008-EC-011: an engine that dies, also in the middle of a call" {
    fake 'before({method: "GET", path: "/networks", body: [], hang: "after"})'
    outcalld_start --no-default-network
    run outcall container list
    says 'No agent containers found.'
    curl -sS --max-time 60 --unix-socket "$SOCKET" -o "$T/answer" -w '%{http_code}' http://outcalld/api/v1/networks >"$T/code" 3>&- 4>&- &
    job=$!
    poll 10 has_asked 'GET /v1\.41/networks'
    kill -KILL "$FAKE_PID"
    poll 5 pid_gone "$FAKE_PID"
    wait "$job"
    [[ $(cat "$T/code") = 50[23] ]]
    [[ $(jq -r .code "$T/answer") = docker_@(error|unreachable) ]]
    for call in 'container list' 'network list' 'container stop x' 'container remove x' 'container inspect x' \
        "container pull $IMAGE" "container create --image $IMAGE" 'network create x' 'network destroy x'; do
        # shellcheck disable=SC2086
        run --separate-stderr outcall $call
        refuses_like ".*$FAKE.*"
    done
    api GET /api/v1/containers
    api_says 503 docker_unreachable
    alive "$DAEMON"
    run outcall --json status
    [ "$(jq -r .docker.state <<<"$output")" = unreachable ]
    # Another engine, of another age, comes back at the same place.
    fake '.api = "1.52" | .min_api = "1.44"'
    run outcall container list
    says 'No agent containers found.'
    run outcall --json status
    [ "$(jq -r '.docker | "\(.state) \(.api_version)"' <<<"$output")" = 'reachable 1.52' ]
}

@test "E-004: an answer that is no JSON" {
    fake 'before({method: "GET", path: "/images/.*/json", body: "{\"Id\": \"sha256:1"},
        {method: "GET", path: "/containers/json", query: "label", body: "<html>"})'
    outcalld_start
    before=$(before_create)
    run --separate-stderr create attempt
    refuses_like "the Docker Engine's answer is malformed: .*"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 502 docker_error
    run --separate-stderr outcall container list
    refuses_like "the Docker Engine's answer is malformed: .*"
    [ "$(asked 'POST .*')" = 0 ]
    nothing_kept "$before"
}

@test "E-005: an answer that is cut off" {
    fake 'before({method: "GET", path: "/images/.*/json", body: {Id: "sha256:1", Config: {}}, cut_after: 10},
        {method: "GET", path: "/networks", body: [{Name: "x"}], cut_after: 5})'
    outcalld_start --no-default-network
    before=$(before_create)
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 502 docker_error
    api GET /api/v1/networks
    api_says 502 docker_error
    [ "$(asked 'POST .*')" = 0 ]
    nothing_kept "$before"
}

@test "E-006: an answer of the wrong shape" {
    fake 'before({method: "GET", path: "/images/.*/json", body: {}}, {method: "GET", path: "/networks", body: {a: 1}},
        {method: "GET", path: "/containers/json", body: "7"})'
    outcalld_start --no-default-network
    before=$(before_create)
    run --separate-stderr create attempt
    refuses "the engine described image \"$IMAGE\" without an Id"
    run --separate-stderr outcall network list
    refuses "the engine's list of networks is no list"
    run --separate-stderr outcall container list
    refuses "the engine's list of containers is no list"
    nothing_kept "$before"
}

@test "E-007: an answer larger than any should be" {
    # 17 MiB where 16 are the most: one piece of 1 MiB, again and again.
    fake 'before({method: "GET", path: "/images/.*/json", body: (" " * 1048576), repeat: 17})'
    outcalld_start
    before=$(before_create)
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 502 docker_error
    [[ $(jq -r .error <<<"$http_body") = *" 16777216 "* ]]
    [ "$(asked 'POST .*')" = 0 ]
    nothing_kept "$before"
}

@test "E-008: a start that fails takes the container back, with its anonymous volumes" {
    fake 'works | before(says("POST"; "/containers/c{64}/start"; 500; "OCI runtime create failed: no luck"))'
    mkdir "$T/data"
    outcalld_start
    before=$(before_create)
    run --separate-stderr create attempt --volume "$T/data:/data"
    refuses 'OCI runtime create failed: no luck'
    [ "$(asked "DELETE /v1\.41/containers/$ID\?(v=1&force=1|force=1&v=1)")" = 1 ]
    nothing_kept "$before"
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"name\":\"attempt\"}"
    api_says 502 docker_error 'OCI runtime create failed: no luck'
    [ "$(asked 'DELETE .*')" = 2 ]
    nothing_kept "$before"
}

@test "E-009: a clean-up that fails too: the error carries both" {
    fake 'works | before(says("POST"; "/containers/c{64}/start"; 500; "no luck"),
        says("DELETE"; "/containers/c{64}"; 500; "driver failed to remove root filesystem"))'
    mkdir "$T/data"
    outcalld_start
    before=$(before_create)
    run --separate-stderr create attempt --volume "$T/data:/data"
    refuses 'no luck; and the clean-up failed: driver failed to remove root filesystem'
    nothing_kept "$before"
}

@test "E-010: the create's answer is lost: what it made is found by name and label, and removed" {
    for loss in '{hang: "before"}' '{cut_after: 3, body: {Id: id}}' '{raw: "HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{\"Id\": \"c"}' '{raw: ""}'; do
        echo "lost by $loss"
        fake "works | before({method: \"POST\", path: \"/containers/create\"} + $loss,
            inspect(.State = {Status: \"created\", Running: false, Pid: 0}))"
        outcalld_start --docker-timeout 1s
        before=$(before_create)
        run --separate-stderr create attempt
        [ "$status" = 1 ]
        [ -n "$stderr" ]
        [ "$(asked 'POST /v1\.41/containers/create.*')" = 1 ]
        [ "$(asked 'POST /v1\.41/containers/.*/start')" = 0 ]
        [ "$(asked "DELETE /v1\.41/containers/$ID\?.*v=1.*")" = 1 ]
        nothing_kept "$before"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done
}

@test "E-011: the same, but what bears the name is another: it is left alone" {
    for other in '.Config.Labels = {"managed-by": "somebody"}' '.Name = "/outcall-agent-attempt2"' '.State.Status = "running"' \
        '.Config.Labels = {"managed-by": "outcalld", "outcall.instance": "/elsewhere"}' \
        ".Config.Labels = {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\", \"outcall.created-at\": \"2001-01-01T00:00:00Z\"}"; do
        echo "another: $other"
        fake "works | before({method: \"POST\", path: \"/containers/create\", raw: \"\"},
            inspect(.State = {Status: \"created\", Running: false, Pid: 0} | $other))"
        outcalld_start
        before=$(before_create)
        run --separate-stderr create attempt
        [ "$status" = 1 ]
        [ "$(asked 'DELETE .*')" = 0 ]
        nothing_kept "$before"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done
}

@test "E-012: an inspect that lies about whose container it is" {
    while IFS='|' read -r lie text; do
        echo "lie: $lie"
        fake "works | before(inspect(.Name = \"/outcall-agent-x\" | .Mounts = [] | .HostConfig = {}
            | .Config.Labels = {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"} | $lie))"
        outcalld_start
        for verb in stop 'remove --force' inspect; do
            # shellcheck disable=SC2086
            run --separate-stderr outcall container $verb x
            refuses "$text"
        done
        [ "$(asked '(POST|DELETE) /v1\.41/containers.*')" = 0 ]
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done <<'END'
.Name = "/outcall-agent-y"|container "outcall-agent-x" does not exist
.Name = "/prefix/outcall-agent-x"|container "outcall-agent-x" does not exist
.Config.Labels = {}|container "outcall-agent-x" is not managed by outcall
.Config.Labels["managed-by"] = "somebody"|container "outcall-agent-x" is not managed by outcall
.Config.Labels["outcall.instance"] = "/elsewhere"|container "outcall-agent-x" is not managed by outcall
.Config = null|container "outcall-agent-x" is not managed by outcall
.Id = "short"|the engine described "outcall-agent-x" without an Id
.Id = null|the engine described "outcall-agent-x" without an Id
END
}

@test "E-013: an inspect after the start that does not show what was approved ends the create" {
    while read -r line; do
        lie=${line%|*} text=${line##*|} # a filter may hold one too
        echo "lie: $lie"
        fake "works | before(inspect(${lie//RUN/$T/run}))"
        outcalld_start
        before=$(before_create)
        run --separate-stderr create x
        refuses "container \"outcall-agent-x\" is not what was approved: ${text//RUN/$T/run}"
        [ "$(asked "DELETE /v1\.41/containers/$ID\?.*")" = 1 ]
        nothing_kept "$before"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done <<'END'
.HostConfig.Binds = ["/:/host"]|mounts that outcall never asks for: "Binds or VolumesFrom"
.HostConfig.Binds = ["RUN/agents/outcall-agent-x:/run/outcall:ro"]|mounts that outcall never asks for: "Binds or VolumesFrom"
.HostConfig.VolumesFrom = ["donor"]|mounts that outcall never asks for: "Binds or VolumesFrom"
.Mounts = [{Type: "bind", Source: "/etc", Destination: "/run/outcall", RW: false}]|a mount from "/etc"
.Mounts = [{Type: "bind", Source: "/etc", Destination: "/loot", RW: false}]|there is a mount at "/loot"
.Mounts = [{Type: "volume", Name: "v", Source: "/etc", Destination: "/run/outcall", RW: false}]|a mount from "/etc"
.Mounts = [{Type: "bind", Source: "/etc", Destination: "/tmp", RW: true}]|a mount from "/etc"
.Mounts = [{Type: "bind", Source: "x", Destination: "/run/outcall", RW: true}]|not read-only is "/run/outcall"
.Mounts = []|it lacks "/run/outcall"
.NetworkSettings.Networks.bridge = {}|it is attached to network "bridge"
.Config.Labels = {"outcall.network": "outcall-default"}|there is no label "outcall.mounts"
.Config.Labels = {"outcall.network": "outcall-default", "outcall.mounts": "0:1:1 1:1:2"}|the label of its mounts is not one of outcall's: malformed JSON: end of file expected near ':' (line 1, column 2)
.Config.Labels = {"outcall.network": "outcall-default", "outcall.mounts": "{}"} | .Mounts = []|it lacks "/run/outcall or /usr/local/bin/outcall"
.Config.Labels = {"outcall.network": "outcall-default", "outcall.mounts": "{\"/run/outcall\":\"bind:1:2:rw\",\"/usr/local/bin/outcall\":\"bind:1:3:ro\"}"}|it lacks "/run/outcall or /usr/local/bin/outcall"
.Config.Labels = {"outcall.network": "outcall-default", "outcall.mounts": "{\"/run/outcall\":\"bind:1:2:ro\",\"/usr/local/bin/outcall\":\"volume:ro:v\"}"}|a mount from "RUN/stage/outcall-agent-x/0"
END
}

@test "E-014: Podman tells of every mount as a bind: its own words are taken, others are not" {
    podman='.podman = true | .server = "4.3.1" | .min_api = "1.24"'
    ours='"RUN/agents/outcall-agent-x:/run/outcall:ro,rprivate,bind", "RUN/stage/outcall-agent-x/0:/usr/local/bin/outcall:ro,rprivate,bind"'
    fake "works | $podman | before(inspect(.HostConfig = {Mounts: null, Binds: [${ours//RUN/$T/run}]}))"
    outcalld_start
    run create x
    says 'Container "outcall-agent-x" created and started.'
    run outcall container remove --force x
    says 'Container "outcall-agent-x" removed.'
    outcalld_stop
    stop_pid "$FAKE_PID" 5
    for lie in '"/:/host:rw"' '"/etc:/run/outcall:ro"' '"RUN/agents/outcall-agent-x:/run/outcall2:ro"' '"RUN/agents/outcall-agent-x,/run/outcall:ro"' 7; do
        echo "lie: $lie"
        all="$ours, $lie"
        fake "works | $podman | before(inspect(.HostConfig = {Mounts: null, Binds: [${all//RUN/$T/run}]}))"
        outcalld_start
        before=$(before_create)
        run --separate-stderr create x
        refuses 'container "outcall-agent-x" is not what was approved: mounts that outcall never asks for: "Binds or VolumesFrom"'
        [ "$(asked "DELETE /v1\.41/containers/$ID\?.*")" = 1 ]
        nothing_kept "$before"
        outcalld_stop
        stop_pid "$FAKE_PID" 5
    done
}

@test "E-015: a list with foreign and malformed entries shows ours and nothing else" {
    fake "before({method: \"GET\", path: \"/containers/json\", body: [
        {Id: id, Names: [\"/outcall-agent-good\"], State: \"running\", Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\", \"outcall.image\": \"i\"}},
        {Id: id, Names: [\"/outcall-agent-foreign\"], State: \"running\", Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"/elsewhere\"}},
        {Id: id, Names: [\"/outcall-agent-bare\"], State: \"running\", Labels: null},
        {Id: id, Names: [\"/plain\"], Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Id: id, Names: [\"/outcall-agent-../x\"], Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Id: \"short\", Names: [\"/outcall-agent-short\"], Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Names: [\"/outcall-agent-noid\"], Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Id: id, Names: [7, null], Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Id: id, Labels: {\"managed-by\": \"outcalld\", \"outcall.instance\": \"$T/run\"}},
        {Id: {}, Names: {}, Labels: []}, null, 7, \"x\", [] ]})"
    outcalld_start
    api GET /api/v1/containers
    [ "$http_status" = 200 ]
    [ "$(jq -c '[.data | .. | objects | select(has("image")) | .name]' <<<"$http_body")" = '["outcall-agent-good"]' ]
    [ "$(asked '(POST|DELETE) /v1\.41/containers.*')" = 0 ]
    grep -q '"outcall-agent-bare" has our prefix but not our label: ignored' "$T/outcalld.log"
    nothing_left
    # It is gone before the test's own clean-up.
    outcalld_stop
}

@test "S008-EC-009: a generated name that is taken is drawn again, at most three times" {
    fake 'works | before(says("POST"; "/containers/create"; 409; "Conflict. The name is already in use") + {times: 2})'
    outcalld_start
    before=$(before_create)
    run outcall container create --image "$IMAGE" -- sleep 600
    [ "$status" = 0 ]
    [[ $output =~ ^Container\ \"(outcall-agent-[0-9a-f]{8})\"\ created\ and\ started\.$ ]]
    name=${BASH_REMATCH[1]}
    mapfile -t names < <(sed -nE 's/^POST [^ ]*create\?name=(outcall-agent-[0-9a-f]{8}) .*/\1/p' "$T/engine.log")
    [ "${#names[@]}" = 3 ]
    [ "$(printf '%s\n' "${names[@]}" | sort -u | wc -l)" = 3 ]
    [ "${names[2]}" = "$name" ]
    # Of the first two nothing is left.
    [ "$(ls "$T/run/agents")" = "$name" ]
    outcall container remove --force "$name"
    nothing_kept "$before"
    outcalld_stop
    stop_pid "$FAKE_PID" 5
    fake 'works | before(says("POST"; "/containers/create"; 409; "Conflict. The name is already in use"))'
    outcalld_start
    before=$(before_create)
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\"}"
    api_says 409 conflict 'Conflict. The name is already in use'
    [ "$(asked 'POST /v1\.41/containers/create.*')" = 4 ]
    [ "$(asked 'DELETE .*')" = 0 ]
    nothing_kept "$before"
}

@test "S008-EC-013: a name that somebody else has taken is the engine's own conflict, once" {
    text='Conflict. The container name \"/outcall-agent-taken\" is already in use by container \"abc\".'
    fake "works | before(says(\"POST\"; \"/containers/create\"; 409; \"$text\"))"
    outcalld_start
    before=$(before_create)
    api POST /api/v1/container/create "{\"image\":\"$IMAGE\",\"name\":\"taken\"}"
    api_says 409 conflict "${text//\\/}"
    [ "$(asked 'POST /v1\.41/containers/create.*')" = 1 ]
    [ "$(asked 'DELETE .*')" = 0 ]
    nothing_kept "$before"
}

@test "S008-EC-006: a pull that fails inside its stream gives the engine's message" {
    fake 'before({method: "GET", path: "/images/.*/json", status: 404, body: {message: "No such image"}},
        {method: "POST", path: "/images/create", query: "fromImage=registry.example.com%3A5000%2Fa", chunks: [
            "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"a1\"}\r\n{\"status\":\"Downlo",
            "ading\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"a1\"}\r\n",
            "{\"errorDetail\":{\"message\":\"unauthorized: access to the requested resource is not authorized\"},\"error\":\"unauthorized\"}\r\n"]},
        {method: "POST", path: "/images/create", query: "fromImage=cut", chunks: ["{\"status\":\"Pulling fs layer\"}\r\n{\"sta"], cut_after: 0},
        {method: "POST", path: "/images/create", query: "fromImage=liar", chunks: ["{\"status\":\"Download complete\"}\r\n"]},
        says("POST"; "/images/create"; 500; "Get https://registry.invalid/v2/: dial tcp: no such host"))'
    outcalld_start
    run --separate-stderr outcall container pull registry.example.com:5000/a:1
    refuses 'unauthorized: access to the requested resource is not authorized'
    api POST /api/v1/container/pull '{"image":"registry.example.com:5000/a:1"}'
    api_says 502 docker_error 'unauthorized: access to the requested resource is not authorized'
    run --separate-stderr outcall container pull registry.invalid/a:1
    refuses 'Get https://registry.invalid/v2/: dial tcp: no such host'
    # A stream that breaks off is no success, and neither is one that ends well without an image.
    run --separate-stderr outcall container pull cut:1
    [ "$status" = 1 ]
    [ -n "$stderr" ]
    run --separate-stderr outcall container pull liar:1
    refuses_like '.*has no image "liar:1".*'
}
