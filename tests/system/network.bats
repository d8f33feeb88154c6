#!/usr/bin/env bats
# Networks: one bridge each, internal, idempotent, never overlapping, never somebody else's.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    outcalld_start --no-default-network
}

teardown()
{
    outcall_teardown
}

net()
{
    docker network inspect -f "$2" "$1"
}

@test "S002: two networks, each with a bridge of its own, internal and closed" {
    run outcall network create default
    says 'Network "outcall-default" created (10.200.0.0/24).'
    run outcall network create staging
    says 'Network "outcall-staging" created (10.200.1.0/24).'
    bridge='{{index .Options "com.docker.network.bridge.name"}}'
    [ "$(net outcall-default "$bridge")" = outcall0 ]
    [[ $(net outcall-staging "$bridge") =~ ^oc-[0-9a-f]{8}$ ]]
    in_engine_net ip link show outcall0
    in_engine_net ip link show "$(net outcall-staging "$bridge")"
    for name in outcall-default outcall-staging; do
        [ "$(net $name '{{.Internal}} {{.EnableIPv6}} {{.Driver}}')" = 'true false bridge' ]
        [ "$(net $name '{{index .Options "com.docker.network.bridge.enable_icc"}}')" = false ]
        [ "$(net $name '{{index .Labels "managed-by"}}')" = outcalld ]
    done
    run outcall network list
    [[ $output = *outcall-default* && $output = *outcall-staging* ]]
}

@test "S002: create is idempotent" {
    outcall network create staging
    id=$(net outcall-staging '{{.Id}}')
    api POST /api/v1/network/create '{"name":"staging"}'
    [ "$http_status" = 200 ]
    [ "$(jq -c .data.created <<<"$http_body")" = false ]
    [ "$(net outcall-staging '{{.Id}}')" = "$id" ]
    [ "$(docker network ls -q --filter name=outcall-staging | wc -l)" = 1 ]
}

@test "S002: a subnet that overlaps a Docker network is refused, naming it" {
    docker network create --subnet 10.77.0.0/16 somebody
    run --separate-stderr outcall network create staging --subnet 10.77.5.0/24
    refuses_like '.*somebody.*'
    [ "$(docker network ls -q --filter name=outcall-staging | wc -l)" = 0 ]
}

@test "S002: a subnet that overlaps an address or a route of the host is refused, naming it" {
    in_engine_net ip link add oc-test0 type bridge
    in_engine_net ip addr add 10.78.0.1/24 dev oc-test0
    in_engine_net ip link set oc-test0 up
    in_engine_net ip route add 10.79.0.0/24 dev oc-test0
    run --separate-stderr outcall network create staging --subnet 10.78.0.0/25
    in_address=$status:$stderr
    run --separate-stderr outcall network create staging --subnet 10.79.0.0/16
    in_engine_net ip link del oc-test0
    [[ $in_address = 1:*10.78.0* ]]
    [ "$status" = 1 ]
    [[ $stderr = *10.79.0.0* ]]
}

@test "S002: subnets in use are passed over when one is chosen" {
    docker network create --subnet 10.200.0.0/24 somebody
    run outcall network create staging
    [ "$status" = 0 ]
    [ "$(net outcall-staging '{{(index .IPAM.Config 0).Subnet}}')" != 10.200.0.0/24 ]
}

@test "S002: two networks asked for at once get two subnets" {
    outcall network create one 3>&- 4>&- &
    first=$!
    outcall network create two 3>&- 4>&- &
    wait $!
    wait $first
    [ "$(net outcall-one '{{(index .IPAM.Config 0).Subnet}}')" != "$(net outcall-two '{{(index .IPAM.Config 0).Subnet}}')" ]
}

@test "S002: somebody else's network of the same name is an error, and stays" {
    docker network create outcall-foreign
    run --separate-stderr outcall network create foreign
    refuses_like '.*outcall-foreign.*'
    api POST /api/v1/network/create '{"name":"foreign"}'
    api_says 409 conflict
    api POST /api/v1/network/destroy '{"name":"foreign"}'
    api_says 403 not_managed
    run --separate-stderr create attempt --network foreign
    [ "$status" = 1 ]
    docker network inspect outcall-foreign
    [ "$(containers_n)" = 0 ]
}

@test "S002: destroy refuses while containers are attached, naming them" {
    outcall network create staging
    create busy --network staging
    run --separate-stderr outcall network destroy staging
    refuses_like '.*outcall-agent-busy.*'
    api POST /api/v1/network/destroy '{"name":"staging"}'
    api_says 409 network_in_use
    outcall container remove --force busy
    run outcall network destroy staging
    says 'Network "outcall-staging" destroyed.'
    run outcall network destroy staging
    says 'Network "outcall-staging" did not exist.'
}

@test "S002: names and subnets out of the grammar are refused by name" {
    for name in ../x 'a b' A -x 'a/b' 'a?b' "$(printf 'x%.0s' {1..64})"; do
        api POST /api/v1/network/create "$(jq -nc --arg n "$name" '{name:$n}')"
        api_says 400 invalid_request
        [[ $(jq -r .error <<<"$http_body") = *name* ]]
    done
    for subnet in 10.0.0.0 10.0.0.0/33 10.0.0.1/24 10.0.0.0/8x 300.0.0.0/24 ::/64 ''; do
        api POST /api/v1/network/create "$(jq -nc --arg s "$subnet" '{name:"x",subnet:$s}')"
        api_says 400 invalid_request
    done
    api POST /api/v1/network/create '{"name":"x","subnet":"10.9.0.0/24","gateway":"10.9.1.1"}'
    api_says 400 invalid_request
    [ "$(docker network ls -q --filter name=outcall- | wc -l)" = 0 ]
}

@test "S002: the daemon makes the default network at its start, and networks outlive it" {
    outcalld_stop
    outcalld_start
    id=$(net outcall-default '{{.Id}}')
    outcalld_stop
    [ "$(net outcall-default '{{.Id}}')" = "$id" ]
    outcalld_start
    [ "$(net outcall-default '{{.Id}}')" = "$id" ]
}

@test "S002: a container that asks for the default network does not make it" {
    run --separate-stderr create attempt
    refuses 'network "outcall-default" does not exist'
    [ "$(docker network ls -q --filter name=outcall- | wc -l)" = 0 ]
}

@test "S002: from inside, nothing of the world can be reached" {
    # A world beyond the engine's namespace, with something that answers.
    unshare -n sleep 300 </dev/null >/dev/null 2>&1 3>&- 4>&- &
    world=$!
    PIDS+=("$world")
    in_engine_net ip link add oc-world type veth peer name eth0 netns "$world"
    in_engine_net ip addr add 198.51.100.1/24 dev oc-world
    in_engine_net ip link set oc-world up
    nsenter --net="/proc/$world/ns/net" -- ip addr add 198.51.100.2/24 dev eth0
    nsenter --net="/proc/$world/ns/net" -- ip link set eth0 up
    nsenter --net="/proc/$world/ns/net" -- python3 -B -m http.server -b 198.51.100.2 -d "$T/rules" 8080 >&2 3>&- 4>&- &
    PIDS+=($!)
    # Any other container gets there.
    docker network create open
    get=(nc -w 3 198.51.100.2 8080 -e true)
    poll 10 docker run --rm --network open "$IMAGE" "${get[@]}"
    outcall network create staging
    create inside --network staging
    run inside outcall-agent-inside "${get[@]}"
    [ "$status" = 1 ]
    # The daemon's death opens nothing.
    outcalld_kill
    run inside outcall-agent-inside "${get[@]}"
    [ "$status" = 1 ]
    outcalld_start
}
