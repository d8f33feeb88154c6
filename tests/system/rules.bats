#!/usr/bin/env bats
# The operator's rules in the real daemon: how they come into force, what they say to a create, and what agents ask for.
load ../support/outcall

SUBMIT=$OUTCALL_BUILD/tests/support/submit-rules

setup()
{
    outcall_setup || return 1
    mkdir -p "$T/rules"
}

teardown()
{
    outcall_teardown
}

# rule FILE ID CONDITION ACTION [LINE...]: one rule is the whole file; it comes by rename, as an editor would do it.
rule()
{
    local file=$1 id=$2 condition=$3 action=$4
    shift 4
    {
        printf 'version: "1"\nrules:\n  - id: %s\n    condition: |-\n      %s\n    action: %s\n' "$id" "$condition" "$action"
        [ $# = 0 ] || printf '    %s\n' "$@"
    } >"$T/rules/.$file.new"
    mv "$T/rules/.$file.new" "$T/rules/$file"
}

# bad FILE: a rule that names a field that does not exist, in line 5.
bad()
{
    rule "$1" typo 'network.hostnam == "x"' allow
}

BAD_AT=5

# reloads CAUSE ACTION: how many events of that kind there were.
reloads()
{
    api GET /api/v1/events
    jq -s --arg cause "$1" --arg action "$2" 'map(select(.type == "rules" and .cause == $cause and .action == $action)) | length' \
        <<<"$http_body"
}

has_reloads()
{
    [ "$(reloads "$1" "$2")" = "$3" ]
}

generation()
{
    api GET /api/v1/status
    jq .data.rules.generation <<<"$http_body"
}

# in_force ID...: exactly these rules, in this order.
in_force()
{
    api GET /api/v1/rules
    [ "$(jq -r '[.data[].id] | join(" ")' <<<"$http_body")" = "$*" ]
}

# fires RULE CONTEXT: what decides about this context.
fires()
{
    api POST /api/v1/rule/evaluate "{\"context\":$2}"
    [ "$(jq -r .data.matched_rule <<<"$http_body")" = "$1" ] && return 0
    echo "expected $1, got $http_body" >&2
    return 1
}

create_of()
{
    run --separate-stderr outcall container create --image "$1" --name "$2" -- sleep 600
}

@test "R-001: rules are reloaded through the API and by SIGHUP" {
    rule a.yaml first 'true' allow
    outcalld_start
    in_force first
    before=$(generation)
    rule a.yaml second 'true' allow
    in_force first
    api POST /api/v1/rules/reload
    [ "$http_status" = 200 ]
    [ "$(jq -c '[.data.files_loaded, .data.rules_loaded, .data.generation]' <<<"$http_body")" = "[1,1,$((before + 1))]" ]
    in_force second
    rule b.yaml third 'true' block 'priority: 1'
    kill -HUP "$DAEMON"
    poll 10 in_force third second
    has_reloads api reloaded 1
    has_reloads signal reloaded 1
    [ "$(generation)" = $((before + 2)) ]
}

@test "R-002: a bad file keeps the old rules in force and says file and line" {
    rule a.yaml good 'run.tool == "ls"' allow
    outcalld_start
    before=$(generation)
    rule a.yaml better 'true' allow
    bad b.yaml
    api POST /api/v1/rules/reload
    [ "$http_status" = 422 ]
    [ "$(jq -r .code <<<"$http_body")" = rules_invalid ]
    [[ $(jq -r .error <<<"$http_body") = "b.yaml:$BAD_AT:"*'rule "typo": '*hostname* ]]
    kill -HUP "$DAEMON"
    poll 10 has_reloads signal reload-failed 1
    in_force good
    fires good '{"run":{"tool":"ls"}}'
    [ "$(generation)" = "$before" ]
    grep -q "the rules stay as they were (signal): b.yaml:$BAD_AT:" "$T/outcalld.log"
    printf 'version: "1"\ntests:\n  - {name: this fails, context: {}, expect: allow, rule: better}\n' >"$T/rules/b.yaml"
    rule a.yaml better 'run.tool == "ls"' allow
    api POST /api/v1/rules/reload
    [ "$http_status" = 422 ]
    [[ $(jq -r .error <<<"$http_body") = b.yaml:3:*'this fails'* ]]
    in_force good
    rm "$T/rules/b.yaml"
    api POST /api/v1/rules/reload
    in_force better
}

@test "R-003: a bad set is no start, and no rules are a warning" {
    bad a.yaml
    refuses_to_start
    grep -q "a.yaml:$BAD_AT:" "$T/outcalld.log"
    [ ! -e "$T/run/host.sock" ]
    run --separate-stderr "$OUTCALLD" --rules-dir "$T/rules" --config "$T/outcalld.yaml" --check-config
    [ "$status" = 1 ]
    [[ $stderr = *"a.yaml:$BAD_AT:"*hostname* ]]
    rule a.yaml fine 'true' allow
    chmod 0664 "$T/rules/a.yaml"
    run --separate-stderr "$OUTCALLD" --rules-dir "$T/rules" --config "$T/outcalld.yaml" --check-config
    [ "$status" = 1 ]
    [[ $stderr = *'a.yaml: can be written by other users'* ]]
    chown 65532 "$T/rules/a.yaml"
    chmod 0644 "$T/rules/a.yaml"
    refuses_to_start
    grep -q 'a.yaml: belongs to another user' "$T/outcalld.log"
    chown 0 "$T/rules/a.yaml"
    run "$OUTCALLD" --rules-dir "$T/rules" --config "$T/outcalld.yaml" --check-config
    says 'Configuration is valid, 1 rule in 1 file.'
    rm "$T/rules/a.yaml"
    : >"$T/outcalld.log"
    outcalld_start
    grep -q 'warn.*everything is blocked' "$T/outcalld.log"
    fires null '{"run":{"tool":"ls"}}'
    [ "$(jq -r .data.decision <<<"$http_body")" = block ]
}

@test "R-004: with --watch-rules, whatever changes the files reloads them" {
    rule a.yaml one 'true' allow
    outcalld_start --watch-rules
    rule a.yaml two 'true' allow # by rename
    poll 10 in_force two
    sed -i s/two/three/ "$T/rules/a.yaml"
    poll 10 in_force three
    printf 'version: "1"\nrules:\n  - {id: four, condition: "true", action: allow}\n' >"$T/rules/a.yaml" # in place
    poll 10 in_force four
    rm "$T/rules/a.yaml"
    poll 10 in_force
    bad a.yaml
    poll 10 has_reloads watch reload-failed 1
    in_force
    rule a.yaml five 'true' allow
    poll 10 in_force five
    # The whole directory, and one that was not there.
    mkdir "$T/fresh"
    printf 'version: "1"\nrules:\n  - {id: six, condition: "true", action: allow}\n' >"$T/fresh/a.yaml"
    mv "$T/rules" "$T/old"
    mv "$T/fresh" "$T/rules"
    poll 10 in_force six
    rule a.yaml seven 'true' allow
    poll 10 in_force seven
    rm -r "$T/rules"
    poll 10 in_force
    mkdir "$T/rules"
    rule a.yaml eight 'true' allow
    poll 10 in_force eight
}

@test "R-005: a burst of changes is one reload" {
    rule a.yaml first 'true' allow
    outcalld_start --watch-rules
    mkdir "$T/burst"
    for i in $(seq 10 40); do
        printf 'version: "1"\nrules:\n  - {id: r%s, condition: "true", action: allow}\n' "$i" >"$T/burst/$i.yaml"
    done
    kill -STOP "$DAEMON" # so that it is one, however slow this machine is
    mv "$T"/burst/*.yaml "$T/rules/"
    kill -CONT "$DAEMON"
    touch "$T/rules/notes.txt" "$T/rules/.a.yaml.swp"
    # shellcheck disable=SC2046
    poll 10 in_force $(seq -f r%g 10 40) first
    rule a.yaml last 'true' allow
    # shellcheck disable=SC2046
    poll 10 in_force $(seq -f r%g 10 40) last
    has_reloads watch reloaded 2
}

@test "R-006: without --watch-rules nothing is reloaded by itself" {
    rule a.yaml one 'true' allow
    outcalld_start
    rule a.yaml two 'true' allow
    run poll 1 in_force two
    [ "$status" != 0 ]
    has_reloads watch reloaded 0
}

@test "R-007: a block rule refuses a create with the operator's reason, before any call to the engine" {
    rule a.yaml no-evil 'docker.image.startsWith("evil")' block 'reason: only images of the house'
    tap_start
    outcalld_start
    before=$(engine_calls)
    left=$(leftovers)
    create_of evil/image held
    refuses 'blocked by rule "no-evil": only images of the house'
    [ "$(engine_calls)" = "$before" ]
    left_as "$left"
    api POST /api/v1/container/create '{"image":"evil/image","name":"held"}'
    api_says 403 policy_denied 'blocked by rule "no-evil": only images of the house'
    [ "$(engine_calls)" = "$before" ]
    [ "$(containers_n)" = 0 ]
    # What no rule matches passes: the engine is asked, and does not have it.
    create_of good/image held
    refuses 'image "good/image" not found locally — pull it first'
    [ "$(engine_calls)" -gt "$before" ]
    create_of "$IMAGE" held
    [ "$status" = 0 ]
    running outcall-agent-held
    # A name that is taken changes nothing about it.
    before=$(engine_calls)
    create_of evil/image held
    refuses 'blocked by rule "no-evil": only images of the house'
    [ "$(engine_calls)" = "$before" ]
    running outcall-agent-held
}

@test "R-008: what a create is judged by" {
    rule a.yaml env 'docker.env_keys == ["TOKEN"] && docker.command[0] == "sleep" && docker.command[1] == "600"' block
    rule b.yaml link 'docker.volumes.exists(v, v.startsWith("'"$T"'/secret:"))' block 'reason: not that folder'
    rule c.yaml own 'agent.name == "mine" && run.context.action_type == "container_create"' block
    rule d.yaml theirs 'true' block 'agents: [yours]' 'log: true'
    outcalld_start
    run --separate-stderr create free --env TOKEN=hunter2
    refuses 'blocked by rule "env"'
    mkdir "$T/secret"
    ln -s secret "$T/innocent"
    run --separate-stderr create free --volume "$T/innocent:/data:ro"
    refuses 'blocked by rule "link": not that folder'
    run --separate-stderr create mine
    refuses 'blocked by rule "own"'
    run --separate-stderr create yours
    refuses 'blocked by rule "theirs"'
    create free
    # One record for each verdict, with names but no values.
    api GET /api/v1/events
    [ "$(jq -sc 'map(select(.type == "verdict") | [.decision, .rule, .agent])' <<<"$http_body")" = \
        '[["block","env","free"],["block","link","free"],["block","own","mine"],["block","theirs","yours"],["allow",null,"free"]]' ]
    [ "$(jq -s 'map(select(.type == "verdict") | select(.container and .generation and (.duration_us | type) == "number")) | length' \
        <<<"$http_body")" = 5 ]
    grep -q 'info.*blocked container_create: container outcall-agent-yours.*rule theirs' "$T/outcalld.log"
    run grep -c hunter2 "$T/outcalld.log"
    [ "$output" = 0 ]
    [[ $http_body != *hunter2* ]]
    api GET /metrics
    [[ $http_body = *'outcall_verdicts_total{decision="block"} 4'* ]]
}

@test "T32: a block rule that cannot be evaluated blocks a create, and a typo is refused at load" {
    rule a.yaml sick 'docker.command[7] == "x"' block 'reason: seven words'
    rule b.yaml late 'true' allow 'priority: 200'
    outcalld_start
    run --separate-stderr create sickly
    refuses 'blocked by rule "sick": seven words (it could not be evaluated)'
    [ "$(containers_n)" = 0 ]
    api GET /api/v1/rule/sick
    [ "$(jq .data.errors <<<"$http_body")" = 1 ]
    rule a.yaml sick 'docker.imag == "x"' block
    api POST /api/v1/rules/reload
    [ "$http_status" = 422 ]
    run --separate-stderr create sickly
    refuses 'blocked by rule "sick": seven words (it could not be evaluated)'
}

# submit AGENT ID: a request of that agent for one rule, made while no daemon runs; prints the request's id.
submit()
{
    printf 'version: "1"\nrules:\n  - {id: %s, condition: %s, action: allow}\n' "$2" "'run.tool == \"$2\"'" >"$T/wish.yaml"
    "$SUBMIT" "$T/state/requests" "$T/rules" "$1" "$T/wish.yaml"
}

@test "R-009: rule requests are answered through the API, and survive restarts" {
    need "$SUBMIT"
    rule a.yaml base 'run.tool == "base"' allow
    outcalld_start
    outcalld_stop
    one=$(submit builder wish)
    two=$(submit builder other)
    outcalld_start
    api GET /api/v1/requests/rules
    [ "$(jq -r '[.data[].id] | join(" ")' <<<"$http_body")" = "$one $two" ]
    [ "$(jq -c '.data[0] | [.agent, .status, .reason, .rules]' <<<"$http_body")" = '["builder","pending",null,["wish"]]' ]
    api GET "/api/v1/requests/rules/$one"
    [[ $(jq -r .data.active_text <<<"$http_body") = *builder* ]]
    [[ $(jq -r '.data.allows[0]' <<<"$http_body") = *'rule "wish" allows: '* ]]
    fires null '{"run":{"tool":"wish"},"agent":{"name":"builder"}}'
    api POST "/api/v1/requests/rules/$one/approve"
    [ "$(jq -c '[.data.id, .data.rules_loaded]' <<<"$http_body")" = "[\"$one\",2]" ]
    [ "$(stat -c %a "$T/rules/agent-$one.yaml")" = 600 ]
    fires wish '{"run":{"tool":"wish"},"agent":{"name":"builder"}}'
    fires null '{"run":{"tool":"wish"},"agent":{"name":"another"}}'
    has_reloads request reloaded 1
    api POST "/api/v1/requests/rules/$two/reject" '{"reason":"not needed"}'
    [ "$http_status" = 200 ]
    outcalld_kill
    outcalld_start
    api GET '/api/v1/requests/rules?status=all'
    [ "$(jq -c '[.data[] | [.status, .reason]]' <<<"$http_body")" = '[["approved",null],["rejected","not needed"]]' ]
    fires wish '{"run":{"tool":"wish"},"agent":{"name":"builder"}}'
    api POST "/api/v1/requests/rules/$one/approve"
    [ "$http_status" = 200 ]
    api POST "/api/v1/requests/rules/$two/approve"
    api_says 409 conflict
}

@test "R-010: an approval that does not load is taken back" {
    need "$SUBMIT"
    rule a.yaml base 'run.tool == "base"' allow
    outcalld_start --watch-rules
    outcalld_stop
    id=$(submit builder wish)
    outcalld_start --watch-rules
    before=$(generation)
    rule b.yaml wish 'true' block # its id, meanwhile
    poll 10 in_force base wish
    api POST "/api/v1/requests/rules/$id/approve"
    [ "$http_status" = 422 ]
    [ "$(jq -r .code <<<"$http_body")" = rules_invalid ]
    [[ $(jq -r .error <<<"$http_body") = *.yaml:*wish* ]]
    [ ! -e "$T/rules/agent-$id.yaml" ]
    in_force base wish
    api GET "/api/v1/requests/rules/$id"
    [ "$(jq -r .data.status <<<"$http_body")" = pending ]
    [ "$(generation)" -gt "$before" ]
}

@test "R-011: a thousand reloads under load: each answer belongs to one set, and none of them stays" {
    rule a.yaml first 'true' allow
    outcalld_start --log-level warn
    rm "$T/rules/a.yaml"
    python3 -B "$OUTCALL_SOURCE/tests/support/reloads.py" "$SOCKET" "$T/rules" "$DAEMON" 1000 4
}
