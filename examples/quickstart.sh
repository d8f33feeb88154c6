#!/bin/bash
# The whole story in one command: sudo ./examples/quickstart.sh [--keep]
# Sets everything up on a fresh Debian 12, runs one agent container by rules, attacks it, kills the daemon under it, and
# cleans up.
# Touches nothing but packages and its own temporary directory. --keep leaves it all running and says how to use it.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=''
case ${1:-} in
    '') ;;
    --keep) keep=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "quickstart.sh: unknown option \"$1\"; there is only --keep" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "quickstart.sh: containers and mounts need root: sudo $0" >&2; exit 1; }
# shellcheck source=tests/support/engine.sh
. "$root/tests/support/engine.sh"
ENGINE_IMAGE=outcall-quickstart

work='' daemon='' socket='' step="the beginning" own_engine='' alias_mounted=''
build=$root/build-quickstart

# --- telling ------------------------------------------------------------------------------------------------------------

title()
{
    step=$1
    printf '\n\033[1m== %s\033[0m\n' "$1"
}

note()
{
    printf '   %s\n' "$*"
}

# show CMD...: the command line as one would type it, then what it prints.
show()
{
    local shown=("$@")
    [ "$1" != outcall_cmd ] || shown=(outcall "${@:2}")
    [ "$1" != engine_top ] || shown=(docker top outcall-agent-demo)
    [ "$1" != inside ] || shown=(docker exec outcall-agent-demo "${@:2}")
    printf '   $ %s\n' "${shown[*]}"
    "$@" 2>&1 | sed 's/^/     /'
    return "${PIPESTATUS[0]}"
}

fail()
{
    printf '\nquickstart.sh: failed at "%s": %s\n' "$step" "$*" >&2
    if [ -n "$work" ] && [ -s "$work/outcalld.log" ]; then
        echo "--- the daemon's last words" >&2
        tail -n 15 "$work/outcalld.log" >&2
    fi
    exit 1
}

# --- cleaning up --------------------------------------------------------------------------------------------------------

clean_up()
{
    local result=$? id
    trap - EXIT
    if [ -n "$keep" ] && [ "$result" = 0 ]; then
        exit 0
    fi
    [ -z "$alias_mounted" ] || umount "$work/alias"
    if [ -n "$work" ]; then
        [ -z "$daemon" ] || stop_pid "$daemon" 20
        if [ -n "${ENGINE_HOST:-}" ]; then
            for id in $(engine ps -aq --filter "label=outcall.instance=$work/run"); do
                engine rm -f -v "$id" >/dev/null
            done
            engine volume rm -f oc-quickstart-evil >/dev/null 2>&1
            [ "$result" != 0 ] || [ -z "$(engine network ls -q --filter name=outcall-quickstart)" ] || { echo "quickstart.sh: the network is still there" >&2; result=1; }
            engine network rm outcall-quickstart >/dev/null 2>&1
            engine rmi -f "$ENGINE_IMAGE" "$ENGINE_IMAGE-volume" "$ENGINE_IMAGE-varrun" >/dev/null 2>&1
        fi
        remove_tree "$work" || result=1
    fi
    [ -z "${ENGINE_DIR:-}" ] || engine_clean
    exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

engine()
{
    DOCKER_CONTEXT='' command docker -H "$ENGINE_HOST" "$@"
}

outcall_cmd()
{
    "$build/cli/outcall" --socket "$socket" "$@"
}

daemon_answers()
{
    pid_gone "$daemon" && return 0
    outcall_cmd status >/dev/null 2>&1
}

start_daemon()
{
    local enter=()
    [ -z "$own_engine" ] || enter=(nsenter --net="/proc/$ENGINE_PID/ns/net" --)
    "${enter[@]}" "$build/cli/outcalld" --runtime-dir "$work/run" --state-dir "$work/state" --rules-dir "$work/rules" \
        --config "$work/outcalld.yaml" --docker-host "$ENGINE_HOST" --shim "$build/shim/outcall-agent" --no-default-network \
        </dev/null >>"$work/outcalld.log" 2>&1 &
    daemon=$!
    disown "$daemon"
    poll 20 daemon_answers
    ! pid_gone "$daemon" && outcall_cmd status >/dev/null || fail "outcalld did not come up"
}

engine_top()
{
    engine top outcall-agent-demo -o pid,args
}

something_sleeps()
{
    engine top outcall-agent-demo | grep -q 'sleep 3599$'
}

nothing_sleeps()
{
    ! something_sleeps
}

# refused WHAT SPEC: a create with this mount must be refused; shows the reason.
refused()
{
    local said
    if said=$(outcall_cmd container create --image "$ENGINE_IMAGE" --network quickstart --name burglar --volume "$2" -- sleep 60 2>&1); then
        fail "$1: the mount $2 was NOT refused"
    fi
    printf '   %-42s %s\n' "$1" "$said"
    case $said in
        *denied* | *volume*) ;;
        *) fail "$1: refused, but for another reason than the mount" ;;
    esac
}

# --- the set-up ---------------------------------------------------------------------------------------------------------

title "Packages"
note "What is missing of tests/packages.txt is installed with apt-get; nothing else is changed."
bash "$root/tests/support/packages.sh" build try || fail "packages could not be installed"

title "Build"
note "A plain CMake build into build-quickstart/."
cmake -S "$root" -B "$build" -G Ninja -DOUTCALL_TESTS=OFF -DOUTCALL_EXAMPLES=OFF >"$build.log" 2>&1 &&
    cmake --build "$build" >>"$build.log" 2>&1 || { tail -n 30 "$build.log"; fail "the build, see above"; }
rm -f "$build.log"

work=$(mktemp -d /tmp/oc-qs.XXXXXX) && chmod 0755 "$work" || fail "no temporary directory"
mkdir "$work/rules" "$work/data"
: >"$work/outcalld.yaml"
socket=$work/run/host.sock

title "A Docker engine"
ENGINE_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}
if engine version >/dev/null 2>&1; then
    note "The one at $ENGINE_HOST answers: it is used, and what we add to it is removed again."
    engine_rootfs "$work/image" && tar -C "$work/image" -c . | engine import -c 'CMD ["/bin/sh"]' - "$ENGINE_IMAGE:latest" >/dev/null ||
        fail "the image could not be imported"
    rm -rf "$work/image"
else
    note "None answers at $ENGINE_HOST: a private one is started, in a network namespace of its own."
    own_engine=1
    engine_dir || fail "no temporary directory"
    ENGINE_HOST=unix://$ENGINE_DIR/docker.sock
    engine_up || fail "dockerd did not come up"
    engine_images || fail "the image could not be imported"
fi
note "The image \"$ENGINE_IMAGE\" is busybox-static and nothing else."

title "The daemon"
note "outcalld runs in the foreground under a supervisor; here with directories of its own below $work."
start_daemon
show outcall_cmd status || fail "status"

# --- the story ----------------------------------------------------------------------------------------------------------

title "A network"
note "One bridge for these agents alone, internal: nothing leaves it, even when the daemon is dead."
show outcall_cmd network create quickstart || fail "network create"

title "An agent container"
note "The caller says what to run. How it is locked in is not the caller's to say."
echo 'a file of the operator' >"$work/data/task.txt"
show outcall_cmd container create --image "$ENGINE_IMAGE" --network quickstart --name demo --memory 64m \
    --volume "$work/data:/task:ro" -- sleep 3600 || fail "container create"
show outcall_cmd container list || fail "container list"
show outcall_cmd container inspect demo || fail "container inspect"

title "What it looks like from inside"
inside()
{
    engine exec outcall-agent-demo "$@"
}
note "Not root:"
show inside id || fail "id"
note "The root file system is read-only:"
show inside touch /somewhere && fail "the root file system can be written"
note "The mount the operator asked for:"
show inside cat /task/task.txt || fail "the mount is missing"
note "Its own socket to the daemon, and the shim:"
show inside ls -l /run/outcall/agent.sock /usr/local/bin/outcall || fail "the helpers are missing"
note "The shim cannot be replaced:"
show inside sh -c 'echo x >/usr/local/bin/outcall' && fail "the shim can be written"
note "It asks first, and there are no rules yet: nothing is allowed, so nothing runs."
show inside outcall echo "this must not be printed"
code=$?
[ "$code" = 1 ] || fail "the shim ended with $code, expected 1"

title "Rules"
note "Plain files in the rules directory; what they say holds after a reload, or at once with --watch-rules."
cat >"$work/rules/demo.yaml" <<'END'
version: "1"
rules:
  - id: reading
    condition: run.tool == "cat" && run.args.all(a, glob(a, "/task/*"))
    action: allow
  - id: waiting
    condition: run.tool == "sleep"
    action: allow
  - id: no-deleting
    condition: run.tool == "rm"
    action: block
    reason: ask the operator before you delete anything
    priority: 10
  - id: one-api
    condition: network.hostname == "api.example.com" && network.port == 443 && http.method == "GET"
    action: allow
tests:
  - name: a name that only begins like it is another host
    context: {network: {hostname: api.example.com.evil.example, port: 443}, http: {method: GET}}
    expect: block
END
sed 's/^/     /' "$work/rules/demo.yaml"
show outcall_cmd rules check "$work/rules" || fail "rules check"
show outcall_cmd rules reload || fail "rules reload"
note "An allowed action:"
show inside outcall cat /task/task.txt || fail "an allowed action did not run"
note "A blocked one, with the operator's reason:"
show inside outcall rm /task/task.txt
[ $? = 1 ] || fail "a blocked action did not end with 1"
note "A question without an action:"
show inside outcall check network_call https://api.example.com/v1 method=GET || fail "check"
note "What was asked and answered is on record:"
outcall_cmd events | tail -n 3 | sed 's/^/     /'

title "An agent asks for a rule"
engine exec -i outcall-agent-demo sh -c 'cat >/tmp/rule.yaml' <<'END' || fail "the rule file could not be written"
version: "1"
rules:
  - id: demo-dates
    condition: run.tool == "date"
    action: allow
END
show inside outcall date
[ $? = 1 ] || fail "date ran without a rule"
show inside outcall request /tmp/rule.yaml | tee "$work/request" || fail "request"
request=$(grep -oE 'rr-[0-9a-f]{12}' "$work/request" | head -n 1)
[ -n "$request" ] || fail "the request has no id"
note "The operator looks at exactly what would become active, for this agent alone, and agrees:"
show outcall_cmd requests show "$request" || fail "requests show"
show outcall_cmd requests approve "$request" || fail "requests approve"
show inside outcall date || fail "the approved rule does not work"

title "Six ways to ask for a control socket"
note "The host socket of outcalld is as good as root. Each mount of it is refused, whatever it is called."
refused "directly:" "$socket:/mnt/s"
ln -s "$socket" "$work/symlink"
refused "through a symlink:" "$work/symlink:/mnt/s"
refused "a directory above it:" "$work:/mnt/s"
ln "$socket" "$work/hardlink"
refused "a hard link with an innocent name:" "$work/hardlink:/mnt/s"
mkdir "$work/alias"
mount --bind "$work/run" "$work/alias" && alias_mounted=1 || fail "mount --bind"
refused "a bind alias of its directory, read-only:" "$work/alias:/mnt/s:ro"
umount "$work/alias" && alias_mounted=''
engine volume create -d local -o type=none -o o=bind -o device="$work/run" oc-quickstart-evil >/dev/null || fail "volume create"
refused "a named volume that binds it:" "oc-quickstart-evil:/mnt/s"
engine volume rm oc-quickstart-evil >/dev/null
[ -z "$(engine ps -aq --filter name=outcall-agent-burglar)" ] || fail "a refused container exists"
note "No container was made."

title "The daemon is killed"
note "SIGKILL, no chance to tidy up, under an action that runs. The container goes on, the action does not."
inside outcall sleep 3599 >"$work/action" 2>&1 &
action=$!
poll 10 something_sleeps || fail "the action does not run"
kill -KILL "$daemon"
poll 5 pid_gone "$daemon"
[ "$(engine inspect -f '{{.State.Status}}' outcall-agent-demo)" = running ] || fail "the container did not survive"
wait "$action"
code=$?
note "The action that was running ended with $code, and nothing of it is left:"
[ "$code" = 5 ] || fail "the shim ended with $code without a daemon, expected 5"
poll 5 nothing_sleeps || fail "the action goes on"
show engine_top
show inside outcall cat /task/task.txt
code=$?
[ "$code" = 5 ] || fail "the shim ended with $code without a daemon, expected 5"
note "Started again, it finds the container, checks its mounts anew and opens its socket at the same place:"
start_daemon
show outcall_cmd container list | tee "$work/list"
grep -q outcall-agent-demo "$work/list" || fail "the container was not found again"
show inside outcall cat /task/task.txt || fail "the shim does not work with the new daemon"

if [ -n "$keep" ]; then
    title "Everything is left running"
    cat <<END
   outcall:     $build/cli/outcall --socket $socket container list
   from inside: docker -H $ENGINE_HOST exec -it outcall-agent-demo sh
   daemon's log: $work/outcalld.log

   To end it all:
     $build/cli/outcall --socket $socket container remove --force demo
     $build/cli/outcall --socket $socket network destroy quickstart
     kill $daemon
END
    if [ -n "$own_engine" ]; then
        printf 'ENGINE_DIR=%q\nENGINE_PID=%q\n' "$ENGINE_DIR" "$ENGINE_PID" >"$work/engine.env"
        echo "     $root/tests/support/engine.sh stop $work/engine.env"
    else
        echo "     docker -H $ENGINE_HOST rmi $ENGINE_IMAGE"
    fi
    echo "     rm -r $work"
    exit 0
fi

title "Stop and remove"
show outcall_cmd container stop --timeout 2 demo || fail "container stop"
show outcall_cmd container remove demo || fail "container remove"
show outcall_cmd network destroy quickstart || fail "network destroy"
show outcall_cmd container list || fail "container list"
[ -z "$(find "$work/run/stage" "$work/run/agents" -mindepth 1 2>/dev/null)" ] || fail "something was left in $work/run"
kill -TERM "$daemon"
poll 20 pid_gone "$daemon" || fail "the daemon did not stop"
daemon=''

title "Done"
note "All of it worked; everything is being removed."
exit 0
